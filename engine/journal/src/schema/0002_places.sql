-- Format 2. An entry's run and position are one integer, so that an append goes to the end of the table:
-- it touches one page and seldom splits one, where the pages of format 1 were balanced every other time.

CREATE TABLE placed (
    place INTEGER PRIMARY KEY, -- runs.number in the upper 32 bits, the position in the lower ones
    key   TEXT,
    kind  TEXT NOT NULL,
    at    INTEGER NOT NULL,
    body  TEXT NOT NULL, -- JSON, byte for byte what was hashed
    hash  BLOB NOT NULL
);

INSERT INTO placed (place, key, kind, at, body, hash)
SELECT runs.number << 32 | seq, key, kind, at, body, hash FROM entries JOIN runs ON runs.id = entries.run
ORDER BY 1;

DROP TABLE entries;

ALTER TABLE placed RENAME TO entries;

-- For people who look into the file. Nothing here reads it.
CREATE VIEW journal AS
SELECT runs.id AS run, place & 0xffffffff AS seq, key, kind, at, body, hash
FROM entries JOIN runs ON runs.number = place >> 32;

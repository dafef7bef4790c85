-- Format 2: locks. A row counts while its run has not ended; who takes a lock replaces one that does
-- not count any more.
CREATE TABLE locks (
    name  TEXT PRIMARY KEY,
    run   TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    since INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX locks_by_run ON locks (run);

-- Format 1. Moments are milliseconds since 1970 in UTC; digests are 32 raw bytes.

-- Whose file this is. A copy of the file has this row too and does not fit it: see home.rs. Without
-- the row, the next opening makes the file its own.
CREATE TABLE home (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    id      TEXT NOT NULL,    -- random
    path    TEXT NOT NULL,    -- the folder, for people
    machine TEXT,             -- the installation of the operating system, when it has an id
    boot    TEXT NOT NULL,    -- its boot: the same in all containers of a machine
    inode   INTEGER NOT NULL, -- of this file
    born    INTEGER           -- when this file was made, in nanoseconds, when the file system knows
);

-- Programs: what a run evaluates, whatever becomes of the files it was read from.
CREATE TABLE files (
    hash BLOB PRIMARY KEY,
    text TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE programs (
    digest BLOB PRIMARY KEY
) WITHOUT ROWID;

CREATE TABLE program_files (
    program  BLOB NOT NULL REFERENCES programs (digest) ON DELETE CASCADE,
    position INTEGER NOT NULL, -- 0 is the runbook's script
    path     TEXT NOT NULL,
    file     BLOB NOT NULL REFERENCES files (hash),
    PRIMARY KEY (program, position)
) WITHOUT ROWID;

CREATE INDEX program_files_by_file ON program_files (file);

-- What seldom changes about a run.
CREATE TABLE runs (
    number  INTEGER PRIMARY KEY, -- counts up: the order of lists
    id      TEXT NOT NULL UNIQUE,
    runbook TEXT NOT NULL,
    name    TEXT,
    labels  TEXT NOT NULL,       -- JSON, [[name, value], ..]
    program BLOB NOT NULL REFERENCES programs (digest),
    created INTEGER NOT NULL,
    summary TEXT NOT NULL,       -- JSON, the fold over the entries; see heads.updated
    copy    INTEGER NOT NULL DEFAULT 0 -- 1: it is kept to be read, and goes on elsewhere
);

CREATE INDEX runs_by_program ON runs (program);

-- What changes with every append, apart from the rest so that a commit touches few pages.
CREATE TABLE heads (
    run       TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    seq       INTEGER NOT NULL, -- the last entry
    hash      BLOB NOT NULL,    -- its digest
    updated   INTEGER NOT NULL, -- the summary's moment, which every append changes
    epoch     INTEGER NOT NULL, -- counts the processes that took the run
    holder    TEXT,             -- JSON; counts only while the lock file is locked
    heartbeat INTEGER NOT NULL, -- when the holder last said that it lives, in milliseconds that the
                                -- machine ran: no setting of its clock moves that
    boot      TEXT NOT NULL,    -- the boot that they are counted from
    lock      INTEGER NOT NULL  -- which lock file: another one after a holder that fell silent
) WITHOUT ROWID;

-- The journal. Append-only; each hash covers the row and the hash before it.
CREATE TABLE entries (
    run  TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq  INTEGER NOT NULL,
    key  TEXT,
    kind TEXT NOT NULL,
    at   INTEGER NOT NULL,
    body TEXT NOT NULL, -- JSON, byte for byte what was hashed
    hash BLOB NOT NULL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;

-- Where gates and their answers are among the entries: an index that appends maintain.
CREATE TABLE gates (
    run    TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    gate   TEXT NOT NULL,    -- name and iteration path
    opened INTEGER NOT NULL, -- seq of the entry that opened it last
    closed INTEGER,          -- seq of the entry that closed it, if one did
    PRIMARY KEY (run, gate)
) WITHOUT ROWID;

CREATE TABLE answers (
    run  TEXT NOT NULL,
    gate TEXT NOT NULL,
    seq  INTEGER NOT NULL,
    PRIMARY KEY (run, gate, seq),
    FOREIGN KEY (run, gate) REFERENCES gates (run, gate) ON DELETE CASCADE
) WITHOUT ROWID;

-- What anyone left for the driver. Numbers are never used twice: a driver takes mail by number.
CREATE TABLE mail (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run    TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    kind   TEXT NOT NULL, -- decision, cancel, settle
    topic  TEXT NOT NULL, -- the gate, the entry in doubt, or nothing
    posted INTEGER NOT NULL,
    text   TEXT NOT NULL, -- JSON
    digest BLOB NOT NULL  -- of run, kind, topic and text: no hash chain covers mail yet
);

CREATE INDEX mail_by_topic ON mail (run, kind, topic);

-- Secret values, readable only with a key that is not in this file.
CREATE TABLE sealed (
    run   TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    name  TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (run, name)
) WITHOUT ROWID;

-- Locks by name. A row counts while its run has not ended; who takes a lock replaces one that does
-- not count any more.
CREATE TABLE locks (
    name  TEXT PRIMARY KEY,
    run   TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    since INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX locks_by_run ON locks (run);

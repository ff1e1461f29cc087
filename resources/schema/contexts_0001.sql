CREATE TABLE context (
    id INTEGER PRIMARY KEY, -- from the sequence in library.db
    document INTEGER NOT NULL,
    model_name TEXT NOT NULL,
    model_path BLOB NOT NULL,
    model_hash TEXT NOT NULL,
    method TEXT NOT NULL,
    settings TEXT NOT NULL,
    keep REAL NOT NULL,
    store_type TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    kept_fraction REAL NOT NULL,
    bytes_full INTEGER NOT NULL,
    bytes_stored INTEGER NOT NULL,
    peak_bytes INTEGER NOT NULL,
    seconds REAL NOT NULL,
    segments INTEGER NOT NULL,
    state INTEGER NOT NULL,
    state_text TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX context_document ON context (document);

-- A checkpoint is cut into pieces, because one value must stay below a gigabyte.
-- The checksums are explained in app/store/checksum.h.
CREATE TABLE checkpoint (
    id INTEGER PRIMARY KEY,
    context INTEGER NOT NULL REFERENCES context ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    piece INTEGER NOT NULL,
    pieces INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (context, ordinal, piece)
) STRICT;

CREATE TABLE segment (
    id INTEGER PRIMARY KEY,
    context INTEGER NOT NULL REFERENCES context ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (context, ordinal)
) STRICT;

CREATE TABLE context_blob (
    id INTEGER PRIMARY KEY,
    context INTEGER NOT NULL REFERENCES context ON DELETE CASCADE,
    name TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (context, name)
) STRICT;

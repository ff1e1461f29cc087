-- One row. last_id: the last id given to anything, in either file; ids are never given twice.
-- erase_pending: something was deleted, and the places it left traces in are still to be cleaned.
CREATE TABLE bookkeeping (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    last_id INTEGER NOT NULL,
    erase_pending INTEGER NOT NULL
) STRICT;
INSERT INTO bookkeeping VALUES (1, 0, 0);

-- visible = 0: an import that has not ended. Nothing shows it, the next start removes it.
CREATE TABLE document (
    id INTEGER PRIMARY KEY,
    visible INTEGER NOT NULL,
    title TEXT NOT NULL,
    author TEXT NOT NULL,
    path BLOB NOT NULL, -- the bytes of the file system, which need not be UTF-8
    kind TEXT NOT NULL,
    pages INTEGER NOT NULL,
    pages_without_text INTEGER NOT NULL,
    words INTEGER NOT NULL,
    text_bytes INTEGER NOT NULL,
    file_sha256 TEXT NOT NULL,
    text_sha256 TEXT NOT NULL,
    state INTEGER NOT NULL,
    encoding TEXT NOT NULL,
    added_at INTEGER NOT NULL
) STRICT;
CREATE INDEX document_file ON document (file_sha256);
CREATE INDEX document_text ON document (text_sha256);

CREATE TABLE document_warning (
    document INTEGER NOT NULL REFERENCES document ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    sentence TEXT NOT NULL,
    PRIMARY KEY (document, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE outline (
    document INTEGER NOT NULL REFERENCES document ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    title TEXT NOT NULL,
    level INTEGER NOT NULL,
    page INTEGER NOT NULL,
    PRIMARY KEY (document, ordinal)
) STRICT, WITHOUT ROWID;

-- text and words come last: listing pages then never reads their overflow pages.
CREATE TABLE page (
    id INTEGER PRIMARY KEY,
    document INTEGER NOT NULL REFERENCES document ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    label TEXT NOT NULL,
    byte_begin INTEGER NOT NULL,
    byte_end INTEGER NOT NULL,
    width REAL NOT NULL,
    height REAL NOT NULL,
    word_count INTEGER NOT NULL,
    has_text INTEGER NOT NULL,
    blank INTEGER NOT NULL,
    text TEXT NOT NULL,
    words BLOB NOT NULL, -- see app/library/word_codec.h
    UNIQUE (document, ordinal)
) STRICT;
CREATE INDEX page_range ON page (document, byte_begin, ordinal);

-- The index only; the text stays in `page`.
CREATE VIRTUAL TABLE page_text USING fts5 (
    text, content = 'page', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TABLE conversation (
    id INTEGER PRIMARY KEY,
    document INTEGER NOT NULL REFERENCES document ON DELETE CASCADE,
    context INTEGER NOT NULL, -- in contexts.db; may be gone
    title TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX conversation_document ON conversation (document);

CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversation ON DELETE CASCADE,
    parent INTEGER REFERENCES message ON DELETE CASCADE,
    role INTEGER NOT NULL,
    status INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    tokens_in_context INTEGER NOT NULL,
    tokens_reread INTEGER NOT NULL,
    tokens_generated INTEGER NOT NULL,
    first_token_seconds REAL NOT NULL,
    tokens_per_second REAL NOT NULL,
    kept_fraction REAL NOT NULL,
    device TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX message_conversation ON message (conversation);
CREATE INDEX message_parent ON message (parent);

CREATE TABLE citation (
    message INTEGER NOT NULL REFERENCES message ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    page INTEGER NOT NULL,
    page_label TEXT NOT NULL,
    byte_begin INTEGER NOT NULL,
    byte_end INTEGER NOT NULL,
    quote TEXT NOT NULL,
    PRIMARY KEY (message, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    document INTEGER REFERENCES document ON DELETE CASCADE,
    context INTEGER NOT NULL,
    parameters TEXT NOT NULL,
    state INTEGER NOT NULL,
    progress REAL NOT NULL,
    progress_text TEXT NOT NULL,
    error TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX job_document ON job (document);

CREATE TABLE setting (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

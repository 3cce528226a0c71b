-- What sessions need: clients' attachments, which numbers they were told for what, credentials that were
-- made for jobs, and who may come over a network. The tables have the shape of all others. A run of a
-- feed and a token never become due.

-- Sessions list the jobs of whom they are for, oldest first.
CREATE INDEX job_owner ON job (owner) WHERE owner IS NOT NULL;

CREATE TABLE session (
    id        TEXT PRIMARY KEY,
    phase     TEXT NOT NULL CHECK (phase IN
                  ('kept', 'blocked', 'behind', 'delayed', 'ready', 'active', 'ended')),
    state     TEXT NOT NULL,
    due_at    INTEGER,
    host      TEXT,
    lane      TEXT,
    parent    TEXT,
    owner     TEXT,
    pool      TEXT,
    priority  INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    key       TEXT,
    name      TEXT,
    outcome   TEXT,
    ended_at  INTEGER,
    bytes     INTEGER NOT NULL CHECK (bytes >= 0),
    labels    TEXT CHECK (labels IS NULL OR json_valid(labels)),
    body      TEXT NOT NULL CHECK (json_valid(body))
) STRICT, WITHOUT ROWID;
CREATE INDEX session_due ON session (due_at, id, host) WHERE due_at IS NOT NULL;
CREATE INDEX session_parent ON session (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX session_key ON session (key) WHERE key IS NOT NULL;

CREATE TRIGGER session_over BEFORE UPDATE ON session
WHEN OLD.phase = 'ended' AND NEW.phase <> 'ended'
BEGIN
    SELECT RAISE(ABORT, 'a session that is over stays over');
END;

CREATE TABLE feed (
    id        TEXT PRIMARY KEY,
    phase     TEXT NOT NULL CHECK (phase IN
                  ('kept', 'blocked', 'behind', 'delayed', 'ready', 'active', 'ended')),
    state     TEXT NOT NULL,
    due_at    INTEGER CHECK (due_at IS NULL),
    host      TEXT,
    lane      TEXT,
    parent    TEXT,
    owner     TEXT,
    pool      TEXT,
    priority  INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    key       TEXT,
    name      TEXT,
    outcome   TEXT,
    ended_at  INTEGER,
    bytes     INTEGER NOT NULL CHECK (bytes >= 0),
    labels    TEXT CHECK (labels IS NULL OR json_valid(labels)),
    body      TEXT NOT NULL CHECK (json_valid(body)),
    CHECK (parent IS NOT NULL AND substr(id, 1, length(parent) + 1) = parent || '/')
) STRICT, WITHOUT ROWID;
CREATE INDEX feed_parent ON feed (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX feed_key ON feed (key) WHERE key IS NOT NULL;

CREATE TABLE credential (
    id        TEXT PRIMARY KEY,
    phase     TEXT NOT NULL CHECK (phase IN
                  ('kept', 'blocked', 'behind', 'delayed', 'ready', 'active', 'ended')),
    state     TEXT NOT NULL,
    due_at    INTEGER,
    host      TEXT,
    lane      TEXT,
    parent    TEXT,
    owner     TEXT,
    pool      TEXT,
    priority  INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    key       TEXT,
    name      TEXT,
    outcome   TEXT,
    ended_at  INTEGER,
    bytes     INTEGER NOT NULL CHECK (bytes >= 0),
    labels    TEXT CHECK (labels IS NULL OR json_valid(labels)),
    body      TEXT NOT NULL CHECK (json_valid(body)),
    CHECK (phase <> 'active' OR host IS NOT NULL),
    CHECK (state = 'active' OR json_extract(body, '$.sealed') IS NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX credential_due ON credential (due_at, id, host) WHERE due_at IS NOT NULL;
CREATE INDEX credential_parent ON credential (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX credential_key ON credential (key) WHERE key IS NOT NULL;
CREATE INDEX credential_active ON credential (host, id) WHERE phase = 'active';

CREATE TRIGGER credential_revoked BEFORE UPDATE ON credential
WHEN OLD.state = 'revoked' AND NEW.state <> 'revoked'
BEGIN
    SELECT RAISE(ABORT, 'what is revoked stays revoked');
END;

CREATE TABLE token (
    id        TEXT PRIMARY KEY,
    phase     TEXT NOT NULL CHECK (phase IN
                  ('kept', 'blocked', 'behind', 'delayed', 'ready', 'active', 'ended')),
    state     TEXT NOT NULL,
    due_at    INTEGER CHECK (due_at IS NULL),
    host      TEXT,
    lane      TEXT,
    parent    TEXT,
    owner     TEXT,
    pool      TEXT,
    priority  INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    key       TEXT,
    name      TEXT,
    outcome   TEXT,
    ended_at  INTEGER,
    bytes     INTEGER NOT NULL CHECK (bytes >= 0),
    labels    TEXT CHECK (labels IS NULL OR json_valid(labels)),
    body      TEXT NOT NULL CHECK (json_valid(body))
) STRICT, WITHOUT ROWID;
CREATE INDEX token_parent ON token (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX token_key ON token (key) WHERE key IS NOT NULL;

-- What agents need: named workers, their environments, mail, what turns are given and how far their
-- output was taken, questions to people, limits of vendors. The tables have the shape of all others.

CREATE TABLE agent (
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
CREATE INDEX agent_due ON agent (due_at, id, host) WHERE due_at IS NOT NULL;
CREATE INDEX agent_parent ON agent (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX agent_key ON agent (key) WHERE key IS NOT NULL;

CREATE TABLE agent_environment (
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
CREATE INDEX agent_environment_due ON agent_environment (due_at, id, host) WHERE due_at IS NOT NULL;
CREATE INDEX agent_environment_parent ON agent_environment (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX agent_environment_key ON agent_environment (key) WHERE key IS NOT NULL;

CREATE TABLE input (
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
CREATE INDEX input_due ON input (due_at, id, host) WHERE due_at IS NOT NULL;
CREATE INDEX input_parent ON input (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX input_key ON input (key) WHERE key IS NOT NULL;

CREATE TABLE intake (
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
CREATE INDEX intake_due ON intake (due_at, id, host) WHERE due_at IS NOT NULL;
CREATE INDEX intake_parent ON intake (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX intake_key ON intake (key) WHERE key IS NOT NULL;

CREATE TABLE approval (
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
CREATE INDEX approval_due ON approval (due_at, id, host) WHERE due_at IS NOT NULL;
CREATE INDEX approval_parent ON approval (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX approval_key ON approval (key) WHERE key IS NOT NULL;

CREATE TABLE quota (
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
CREATE INDEX quota_due ON quota (due_at, id, host) WHERE due_at IS NOT NULL;
CREATE INDEX quota_parent ON quota (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX quota_key ON quota (key) WHERE key IS NOT NULL;

-- Messages lie in the order they were sent.
CREATE TABLE mail (
    id        TEXT NOT NULL UNIQUE,
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
    CONSTRAINT ended_means_outcome CHECK ((phase = 'ended') = (outcome IS NOT NULL)),
    CONSTRAINT ended_means_time CHECK ((phase = 'ended') = (ended_at IS NOT NULL)),
    CONSTRAINT ends_read_or_returned CHECK (outcome IS NULL OR outcome IN ('read', 'returned'))
) STRICT;

CREATE INDEX mail_due ON mail (due_at, id, host) WHERE due_at IS NOT NULL;
CREATE INDEX mail_parent ON mail (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX mail_key ON mail (key) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX mail_seq ON mail (seq);
CREATE INDEX mail_ready_lane ON mail (lane, seq, id) WHERE phase = 'ready';
CREATE INDEX mail_lane ON mail (lane, seq);
CREATE INDEX mail_pool ON mail (pool, seq);

-- What was read or returned stays so.
CREATE TRIGGER mail_stays_ended BEFORE UPDATE ON mail
WHEN OLD.phase = 'ended' AND (NEW.phase <> 'ended'
    OR NEW.outcome IS NOT OLD.outcome OR NEW.ended_at IS NOT OLD.ended_at)
BEGIN
    SELECT RAISE(ABORT, 'an ended message stays as it ended');
END;

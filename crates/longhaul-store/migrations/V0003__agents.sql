-- What agents need: named workers, their environments, mail, what turns are given and how far their
-- output was taken, questions to people, limits of vendors. The tables have the shape of all others.
-- Only agents, questions and limits have an hour: what can never be due is not asked for it in every
-- step.

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
CREATE INDEX agent_environment_parent ON agent_environment (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX agent_environment_key ON agent_environment (key) WHERE key IS NOT NULL;

CREATE TABLE input (
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
CREATE INDEX input_parent ON input (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX input_key ON input (key) WHERE key IS NOT NULL;

CREATE TABLE intake (
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

-- Messages lie in the order they were sent, which is the order of every list: most
-- indexes give their rows in it without naming it. What was read or returned is by far the most; what waits has an index alone.
CREATE TABLE mail (
    id        TEXT NOT NULL UNIQUE,
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
    seq       INTEGER PRIMARY KEY,
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

CREATE UNIQUE INDEX mail_key ON mail (key) WHERE key IS NOT NULL;
CREATE INDEX mail_parent     ON mail (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX mail_ready      ON mail (lane, seq, id) WHERE phase = 'ready';
CREATE INDEX mail_ended      ON mail (phase) WHERE phase = 'ended';
CREATE INDEX mail_to         ON mail (lane);
CREATE INDEX mail_to_state   ON mail (lane, state);
CREATE INDEX mail_from       ON mail (pool);
CREATE INDEX mail_from_state ON mail (pool, state);
CREATE INDEX mail_thread     ON mail (parent);
CREATE INDEX mail_state      ON mail (state);

-- What was read or returned stays so.
CREATE TRIGGER mail_stays_ended BEFORE UPDATE ON mail
WHEN OLD.phase = 'ended' AND (NEW.phase <> 'ended'
    OR NEW.outcome IS NOT OLD.outcome OR NEW.ended_at IS NOT OLD.ended_at)
BEGIN
    SELECT RAISE(ABORT, 'an ended message stays as it ended');
END;

INSERT INTO tally VALUES ('ended_mail', 0);
CREATE TRIGGER mail_ended_new AFTER INSERT ON mail WHEN NEW.phase = 'ended'
BEGIN
    UPDATE tally SET value = value + 1 WHERE name = 'ended_mail';
END;
CREATE TRIGGER mail_ended_now AFTER UPDATE ON mail
WHEN NEW.phase = 'ended' AND OLD.phase <> 'ended'
BEGIN
    UPDATE tally SET value = value + 1 WHERE name = 'ended_mail';
END;
CREATE TRIGGER mail_ended_gone AFTER DELETE ON mail WHEN OLD.phase = 'ended'
BEGIN
    UPDATE tally SET value = value - 1 WHERE name = 'ended_mail';
END;

-- How many messages wait in each mailbox: a full one refuses more, and every list of agents says it.
CREATE TABLE mailbox (
    name   TEXT PRIMARY KEY,
    unread INTEGER NOT NULL CHECK (unread >= 0)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER mailbox_in AFTER INSERT ON mail
WHEN NEW.phase = 'ready' AND NEW.lane IS NOT NULL
BEGIN
    INSERT INTO mailbox VALUES (NEW.lane, 1) ON CONFLICT (name) DO UPDATE SET unread = unread + 1;
END;
CREATE TRIGGER mailbox_moved AFTER UPDATE ON mail
WHEN (OLD.phase = 'ready') <> (NEW.phase = 'ready') OR OLD.lane IS NOT NEW.lane
BEGIN
    UPDATE mailbox SET unread = unread - 1 WHERE OLD.phase = 'ready' AND name = OLD.lane;
    INSERT INTO mailbox SELECT NEW.lane, 1 WHERE NEW.phase = 'ready' AND NEW.lane IS NOT NULL
        ON CONFLICT (name) DO UPDATE SET unread = unread + 1;
    DELETE FROM mailbox WHERE name = OLD.lane AND unread = 0;
END;
CREATE TRIGGER mailbox_out AFTER DELETE ON mail
WHEN OLD.phase = 'ready' AND OLD.lane IS NOT NULL
BEGIN
    UPDATE mailbox SET unread = unread - 1 WHERE name = OLD.lane;
    DELETE FROM mailbox WHERE name = OLD.lane AND unread = 0;
END;

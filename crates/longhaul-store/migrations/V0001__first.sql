-- Every table has the shape of `Row` in core's port. A body is JSON and holds everything; the columns
-- beside it repeat what rows are looked up by.
--
-- Jobs lie in admission order, so that a submit writes at the end of the table and the newest are
-- read from there. Every index is partial where it can be: an ordinary submit touches few pages.

CREATE TABLE job (
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
    seq       INTEGER PRIMARY KEY,
    key       TEXT,
    name      TEXT,
    outcome   TEXT,
    ended_at  INTEGER,
    bytes     INTEGER NOT NULL CHECK (bytes >= 0),
    labels    TEXT CHECK (labels IS NULL OR json_valid(labels)),
    body      TEXT NOT NULL CHECK (json_valid(body)),
    -- What has ended says how and when, and nothing else does.
    CONSTRAINT ended_means_outcome CHECK ((phase = 'ended') = (outcome IS NOT NULL)),
    CONSTRAINT ended_means_time CHECK ((phase = 'ended') = (ended_at IS NOT NULL)),
    CONSTRAINT active_means_host CHECK (phase <> 'active' OR host IS NOT NULL)
) STRICT;

CREATE UNIQUE INDEX job_lane_active ON job (lane) WHERE phase = 'active' AND lane IS NOT NULL;
CREATE INDEX job_lane_open   ON job (lane) WHERE phase <> 'ended' AND lane IS NOT NULL;
CREATE UNIQUE INDEX job_key  ON job (key) WHERE key IS NOT NULL;
CREATE INDEX job_due         ON job (due_at, id, host) WHERE due_at IS NOT NULL;
CREATE INDEX job_ready       ON job (pool, priority DESC) WHERE phase = 'ready';
CREATE INDEX job_active_pool ON job (pool) WHERE phase = 'active';
CREATE INDEX job_active_host ON job (host, id) WHERE phase = 'active';
CREATE INDEX job_ended       ON job (ended_at, id) WHERE phase = 'ended';
CREATE INDEX job_outcome     ON job (outcome) WHERE outcome IS NOT NULL;
CREATE INDEX job_parent      ON job (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX job_name        ON job (name) WHERE name IS NOT NULL;
CREATE INDEX job_state       ON job (state);

-- One terminal outcome: an ended job is never anything else again.
CREATE TRIGGER job_stays_ended BEFORE UPDATE ON job
WHEN OLD.phase = 'ended' AND (NEW.phase <> 'ended'
    OR NEW.outcome IS NOT OLD.outcome OR NEW.ended_at IS NOT OLD.ended_at)
BEGIN
    SELECT RAISE(ABORT, 'an ended job stays as it ended');
END;

-- Running totals that would otherwise be a scan in every step.
CREATE TABLE tally (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL CHECK (value >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO tally VALUES ('ended_jobs', 0), ('ended_bytes', 0), ('journal_floor', 0);

CREATE TRIGGER job_ended_new AFTER INSERT ON job WHEN NEW.phase = 'ended'
BEGIN
    UPDATE tally SET value = value + 1 WHERE name = 'ended_jobs';
    UPDATE tally SET value = value + NEW.bytes WHERE name = 'ended_bytes';
END;
CREATE TRIGGER job_ended_now AFTER UPDATE ON job
WHEN NEW.phase = 'ended' AND OLD.phase <> 'ended'
BEGIN
    UPDATE tally SET value = value + 1 WHERE name = 'ended_jobs';
    UPDATE tally SET value = value + NEW.bytes WHERE name = 'ended_bytes';
END;
CREATE TRIGGER job_ended_bytes AFTER UPDATE ON job
WHEN OLD.phase = 'ended' AND NEW.bytes <> OLD.bytes
BEGIN
    UPDATE tally SET value = value + NEW.bytes - OLD.bytes WHERE name = 'ended_bytes';
END;
CREATE TRIGGER job_ended_gone AFTER DELETE ON job WHEN OLD.phase = 'ended'
BEGIN
    UPDATE tally SET value = value - 1 WHERE name = 'ended_jobs';
    UPDATE tally SET value = value - OLD.bytes WHERE name = 'ended_bytes';
END;

CREATE TABLE environment (
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
CREATE INDEX environment_due ON environment (due_at, id, host) WHERE due_at IS NOT NULL;
CREATE INDEX environment_parent ON environment (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX environment_key ON environment (key) WHERE key IS NOT NULL;

CREATE TABLE dependency (
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
CREATE INDEX dependency_due ON dependency (due_at, id, host) WHERE due_at IS NOT NULL;
CREATE INDEX dependency_parent ON dependency (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX dependency_key ON dependency (key) WHERE key IS NOT NULL;

CREATE TABLE pool (
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
CREATE INDEX pool_due ON pool (due_at, id, host) WHERE due_at IS NOT NULL;
CREATE INDEX pool_parent ON pool (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX pool_key ON pool (key) WHERE key IS NOT NULL;

CREATE TABLE host (
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
CREATE INDEX host_due ON host (due_at, id, host) WHERE due_at IS NOT NULL;
CREATE INDEX host_parent ON host (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX host_key ON host (key) WHERE key IS NOT NULL;

CREATE TABLE event (
    position INTEGER PRIMARY KEY,
    job      TEXT,
    seq      INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    body     TEXT NOT NULL CHECK (json_valid(body)),
    CONSTRAINT numbered_means_job CHECK ((job IS NULL) = (seq = 0) AND seq >= 0)
) STRICT;
CREATE UNIQUE INDEX event_job ON event (job, seq) WHERE job IS NOT NULL;
CREATE INDEX event_general ON event (position) WHERE job IS NULL;

-- The journal is only added to. A job's entries go together, through `forgetting`; entries without
-- a job go from the oldest on.
CREATE TABLE forgetting (job TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TRIGGER forgetting_job AFTER INSERT ON forgetting
BEGIN
    DELETE FROM event WHERE job = NEW.job;
    DELETE FROM forgetting WHERE job = NEW.job;
END;
CREATE TRIGGER event_never_changes BEFORE UPDATE ON event
BEGIN
    SELECT RAISE(ABORT, 'an entry of the journal never changes');
END;
CREATE TRIGGER event_goes_with_its_job BEFORE DELETE ON event
WHEN OLD.job IS NOT NULL AND NOT EXISTS (SELECT 1 FROM forgetting WHERE job = OLD.job)
BEGIN
    SELECT RAISE(ABORT, 'an entry of the journal goes with its whole job');
END;
CREATE TRIGGER event_goes_oldest_first BEFORE DELETE ON event
WHEN OLD.job IS NULL
    AND EXISTS (SELECT 1 FROM event WHERE job IS NULL AND position < OLD.position)
BEGIN
    SELECT RAISE(ABORT, 'entries of the journal without a job go from the oldest on');
END;
-- A position is never used twice, also when the newest entry has gone: a follower would miss it.
CREATE TRIGGER event_floor AFTER DELETE ON event
BEGIN
    UPDATE tally SET value = OLD.position WHERE name = 'journal_floor' AND value < OLD.position;
END;

-- Which store this is; the marker file beside the database says the same.
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('store_id', lower(hex(randomblob(16))));

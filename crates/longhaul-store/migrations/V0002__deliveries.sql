-- What deliveries need: notices on their way, the places they go to, and who is there to take them.
-- The tables have the shape of all others.
--
-- Deliveries lie in the order they were made, so that a job's end writes at the end of the table. Those
-- that are over are by far the most: every index that a step asks leaves them out.

CREATE TABLE delivery (
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
    CONSTRAINT active_means_host CHECK (phase <> 'active' OR host IS NOT NULL),
    CONSTRAINT ends_acked_or_dead CHECK (outcome IS NULL OR outcome IN ('acked', 'dead'))
) STRICT;

CREATE INDEX delivery_due         ON delivery (due_at, id, host) WHERE due_at IS NOT NULL;
CREATE INDEX delivery_parent      ON delivery (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX delivery_key  ON delivery (key) WHERE key IS NOT NULL;
CREATE INDEX delivery_ready_pool  ON delivery (pool, lane, seq, id) WHERE phase = 'ready';
CREATE INDEX delivery_ready_lane  ON delivery (lane, seq, id) WHERE phase = 'ready';
CREATE INDEX delivery_open_lane   ON delivery (lane, seq, id, phase)
    WHERE phase <> 'ended' AND lane IS NOT NULL;
CREATE INDEX delivery_open_pool   ON delivery (pool, phase) WHERE phase <> 'ended';
CREATE INDEX delivery_active_lane ON delivery (lane) WHERE phase = 'active';
CREATE INDEX delivery_active_host ON delivery (host, id) WHERE phase = 'active';
CREATE INDEX delivery_dead        ON delivery (pool) WHERE outcome = 'dead';
CREATE INDEX delivery_age         ON delivery (seq, id);
CREATE INDEX delivery_state       ON delivery (state, seq, id);
CREATE INDEX delivery_owner       ON delivery (owner, seq, id) WHERE owner IS NOT NULL;

-- What somebody took is told for ever; what was given up may be sent once more.
CREATE TRIGGER delivery_stays_acked BEFORE UPDATE ON delivery
WHEN OLD.outcome = 'acked' AND (NEW.phase <> 'ended'
    OR NEW.outcome IS NOT OLD.outcome OR NEW.ended_at IS NOT OLD.ended_at)
BEGIN
    SELECT RAISE(ABORT, 'an acked delivery stays as it ended');
END;

CREATE TABLE sink (
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
CREATE INDEX sink_due ON sink (due_at, id, host) WHERE due_at IS NOT NULL;
CREATE INDEX sink_parent ON sink (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX sink_key ON sink (key) WHERE key IS NOT NULL;

CREATE TABLE owner (
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
CREATE INDEX owner_due ON owner (due_at, id, host) WHERE due_at IS NOT NULL;
CREATE INDEX owner_parent ON owner (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX owner_key ON owner (key) WHERE key IS NOT NULL;

CREATE TABLE presence (
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
CREATE INDEX presence_due ON presence (due_at, id, host) WHERE due_at IS NOT NULL;
CREATE INDEX presence_parent ON presence (parent, id) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX presence_key ON presence (key) WHERE key IS NOT NULL;

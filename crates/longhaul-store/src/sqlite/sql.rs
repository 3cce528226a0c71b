//! Every statement, in one place, so that a test can ask SQLite for the plan of each.
//!
//! Partial indexes are used only where a query repeats their condition, so the conditions here are
//! the migration's, word for word.

use longhaul_core::port::Table;

/// The text before and after a table's name, made one static text per table.
macro_rules! for_table {
    ($table:expr, $before:expr, $after:expr) => {
        match $table {
            Table::Job => concat!($before, "job", $after),
            Table::Environment => concat!($before, "environment", $after),
            Table::Dependency => concat!($before, "dependency", $after),
            Table::Pool => concat!($before, "pool", $after),
            Table::Host => concat!($before, "host", $after),
            Table::Delivery => concat!($before, "delivery", $after),
            Table::Sink => concat!($before, "sink", $after),
            Table::Owner => concat!($before, "owner", $after),
            Table::Presence => concat!($before, "presence", $after),
            Table::AgentEnvironment => concat!($before, "agent_environment", $after),
            Table::Agent => concat!($before, "agent", $after),
            Table::Mail => concat!($before, "mail", $after),
            Table::Input => concat!($before, "input", $after),
            Table::Intake => concat!($before, "intake", $after),
            Table::Approval => concat!($before, "approval", $after),
            Table::Quota => concat!($before, "quota", $after),
            Table::Session => concat!($before, "session", $after),
            Table::Feed => concat!($before, "feed", $after),
            Table::Credential => concat!($before, "credential", $after),
            Table::Token => concat!($before, "token", $after),
        }
    };
}

/// The columns of a row, in the order that `row.rs` reads and binds them.
macro_rules! columns {
    () => {
        "id, phase, state, due_at, host, lane, parent, owner, pool, priority, seq, key, name, \
         outcome, ended_at, bytes, labels, body"
    };
}

pub(super) const fn load(table: Table) -> &'static str {
    for_table!(table, concat!("SELECT ", columns!(), " FROM "), " WHERE id = ?1")
}

pub(super) const fn insert(table: Table) -> &'static str {
    for_table!(
        table,
        "INSERT INTO ",
        concat!(
            " (",
            columns!(),
            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, \
             ?17, ?18)"
        )
    )
}

/// Changes what a row's life changes, and only if the rest is as it was. SQLite rewrites the entry
/// of every index that a SET names, changed or not; naming fewer saves pages in each commit.
pub(super) const fn update_life(table: Table) -> &'static str {
    for_table!(
        table,
        "UPDATE ",
        " SET phase = ?2, state = ?3, due_at = ?4, host = ?5, outcome = ?14, ended_at = ?15, \
         bytes = ?16, body = ?18 \
         WHERE id = ?1 AND lane IS ?6 AND parent IS ?7 AND owner IS ?8 AND pool IS ?9 \
         AND priority = ?10 AND seq = ?11 AND key IS ?12 AND name IS ?13 AND labels IS ?17"
    )
}

pub(super) const fn update(table: Table) -> &'static str {
    for_table!(
        table,
        "UPDATE ",
        " SET phase = ?2, state = ?3, due_at = ?4, host = ?5, lane = ?6, parent = ?7, owner = ?8, \
         pool = ?9, priority = ?10, key = ?12, name = ?13, outcome = ?14, ended_at = ?15, \
         bytes = ?16, labels = ?17, body = ?18 \
         WHERE id = ?1 AND seq = ?11"
    )
}

pub(super) const fn remove(table: Table) -> &'static str {
    for_table!(table, "DELETE FROM ", " WHERE id = ?1")
}

pub(super) const fn ids(table: Table) -> &'static str {
    for_table!(table, "SELECT id FROM ", " WHERE id > ?1 ORDER BY id LIMIT ?2")
}

pub(super) const fn children(table: Table) -> &'static str {
    for_table!(table, "SELECT id FROM ", " WHERE parent = ?1 AND id > ?2 ORDER BY id LIMIT ?3")
}

pub(super) const fn due(table: Table) -> &'static str {
    if matches!(table, Table::Delivery) {
        // Whoever holds them, and so without asking for the host.
        return "SELECT due_at, id FROM delivery WHERE due_at <= ?2 ORDER BY due_at, id LIMIT ?3";
    }
    for_table!(
        table,
        "SELECT due_at, id FROM ",
        " WHERE due_at <= ?2 AND (host IS NULL OR host = ?1) ORDER BY due_at, id LIMIT ?3"
    )
}

/// The earliest hour of one table.
macro_rules! next_due {
    ($table:literal) => {
        concat!(
            "(SELECT due_at FROM ",
            $table,
            " WHERE due_at IS NOT NULL AND (host IS NULL OR host = ?1) ORDER BY due_at LIMIT 1)"
        )
    };
}

/// The earliest hour of each table that has any, a column each in the order of [`Table::TIMED`]. Every
/// step asks this twice and mostly nothing is due: one statement costs a fraction of one for each table.
pub(super) const NEXT_DUES: &str = concat!(
    "SELECT ",
    next_due!("job"),
    ", ",
    next_due!("pool"),
    ", ",
    "(SELECT due_at FROM delivery WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1)",
    ", ",
    next_due!("sink"),
    ", ",
    next_due!("owner"),
    ", ",
    next_due!("agent"),
    ", ",
    next_due!("approval"),
    ", ",
    next_due!("quota"),
    ", ",
    next_due!("session"),
    ", ",
    next_due!("credential")
);

/// Of jobs, deliveries and credentials, which have an index for it.
pub(super) const fn active_on(table: Table) -> &'static str {
    for_table!(
        table,
        "SELECT id FROM ",
        " WHERE phase = 'active' AND host = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
    )
}

pub(super) const fn by_prefix(table: Table) -> &'static str {
    for_table!(table, "SELECT id FROM ", " WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3")
}

pub(super) const RUNNABLE: &str = "SELECT id FROM job WHERE phase = 'ready' AND pool = ?1 \
    ORDER BY priority DESC, seq LIMIT ?2";
pub(super) const OCCUPIED: &str = "SELECT count(*) FROM job WHERE phase = 'active' AND pool = ?1";
pub(super) const LANE_HEAD: &str = "SELECT id FROM job WHERE phase <> 'ended' AND lane = ?1 \
    ORDER BY seq LIMIT 1";
pub(super) const UNREAD: &str = "SELECT id FROM mail WHERE phase = 'ready' AND lane = ?1 \
    ORDER BY seq LIMIT ?2";
pub(super) const UNREAD_COUNT: &str = "SELECT unread FROM mailbox WHERE name = ?1";
pub(super) const OLDEST_ENDED_MAIL: &str = "SELECT id FROM mail WHERE phase = 'ended' \
    ORDER BY seq LIMIT ?1";
pub(super) const ENDED_MAIL_COUNT: &str = "SELECT value FROM tally WHERE name = 'ended_mail'";
pub(super) const OPEN_JOBS_IN_LANE: &str = "SELECT id FROM job WHERE phase <> 'ended' AND lane = ?1 \
    ORDER BY seq LIMIT ?2";
/// The row under a parent with the highest id up to one.
pub(super) const fn row_up_to(table: Table) -> &'static str {
    for_table!(
        table,
        concat!("SELECT ", columns!(), " FROM "),
        " WHERE parent = ?1 AND id <= ?2 ORDER BY id DESC LIMIT 1"
    )
}

/// What every list of mail begins with.
pub(super) const MAIL_FROM: &str = concat!("SELECT ", columns!(), " FROM mail WHERE seq < ?");

/// A page of a small table.
pub(super) const fn rows(table: Table) -> &'static str {
    for_table!(
        table,
        concat!("SELECT ", columns!(), " FROM "),
        " WHERE id > ?1 ORDER BY id LIMIT ?2"
    )
}

/// A page of what lies under a parent.
pub(super) const fn rows_under(table: Table) -> &'static str {
    for_table!(
        table,
        concat!("SELECT ", columns!(), " FROM "),
        " WHERE parent = ?3 AND id > ?1 ORDER BY id LIMIT ?2"
    )
}

pub(super) const BY_KEY: &str = "SELECT id FROM job WHERE key = ?1";
pub(super) const OLDEST_ENDED: &str = "SELECT id FROM job WHERE phase = 'ended' \
    ORDER BY ended_at, id LIMIT ?1";
pub(super) const ENDED_TOTALS: &str = "SELECT \
    (SELECT value FROM tally WHERE name = 'ended_jobs'), \
    (SELECT value FROM tally WHERE name = 'ended_bytes')";

pub(super) const HEAD: &str = "SELECT max(\
    (SELECT coalesce(max(position), 0) FROM event), \
    (SELECT value FROM tally WHERE name = 'journal_floor'))";
pub(super) const APPEND: &str =
    "INSERT INTO event (position, job, seq, at, body) VALUES (?1, ?2, ?3, ?4, ?5)";
pub(super) const FORGET: &str = "INSERT INTO forgetting (job) VALUES (?1)";
pub(super) const TRIM_GENERAL: &str = "DELETE FROM event WHERE job IS NULL AND position <= \
    (SELECT position FROM event WHERE job IS NULL ORDER BY position DESC LIMIT 1 OFFSET ?1)";
pub(super) const EVENTS: &str = "SELECT position, job, seq, at, body FROM event \
    WHERE position > ?1 ORDER BY position LIMIT ?2";
/// A job's numbers and positions grow together. Where to begin is looked for from the newest entry
/// back, because whoever asks again and again asks for the newest.
pub(super) const EVENTS_OF_JOB: &str = "SELECT position, job, seq, at, body FROM event \
    WHERE job = ?1 AND seq > coalesce((SELECT seq FROM event WHERE job = ?1 AND position <= ?2 \
    ORDER BY seq DESC LIMIT 1), 0) ORDER BY seq LIMIT ?3";

pub(super) const ENTRIES: &str = "SELECT position, job, seq, at, body FROM event \
    WHERE job = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3";
pub(super) const LATEST_OF_JOB: &str = "SELECT position, job, seq, at, body FROM event \
    WHERE job = ?1 ORDER BY seq DESC LIMIT ?2";

pub(super) const LIST_FROM: &str = concat!("SELECT ", columns!(), " FROM job WHERE seq < ?");
pub(super) const OLDEST_FIRST: &str =
    concat!("SELECT ", columns!(), " FROM job WHERE seq > ?1 ORDER BY seq LIMIT ?2");
pub(super) const OLDEST_FIRST_OF_OWNER: &str =
    concat!("SELECT ", columns!(), " FROM job WHERE owner = ?3 AND seq > ?1 ORDER BY seq LIMIT ?2");
pub(super) const BY_NAME: &str = "SELECT id FROM job WHERE name = ?1 ORDER BY seq DESC LIMIT ?2";
pub(super) const COUNTS: &str = "SELECT state, count(*) FROM job GROUP BY state ORDER BY state";
pub(super) const POOL_LOAD: &str = "SELECT \
    (SELECT count(*) FROM job WHERE phase = 'active' AND pool = ?1), \
    (SELECT count(*) FROM job WHERE phase = 'ready' AND pool = ?1)";
pub(super) const AHEAD_OF: &str = "SELECT \
    (SELECT count(*) FROM job WHERE phase = 'ready' AND pool = ?1 AND priority > ?2) + \
    (SELECT count(*) FROM job WHERE phase = 'ready' AND pool = ?1 AND priority = ?2 AND seq < ?3)";

/// From each lane to the next by the index, never through what waits in one. The last row is none
/// where no lane is left.
pub(super) const NEXT_IN_LANES: &str = "WITH RECURSIVE next(lane) AS (\
    SELECT min(lane) FROM delivery WHERE phase = 'ready' AND pool = ?1 AND lane > ?2 \
    UNION ALL \
    SELECT (SELECT min(delivery.lane) FROM delivery \
        WHERE phase = 'ready' AND pool = ?1 AND delivery.lane > next.lane) \
    FROM next WHERE next.lane IS NOT NULL LIMIT ?3) \
    SELECT lane, (SELECT id FROM delivery WHERE phase = 'ready' AND pool = ?1 \
        AND delivery.lane = next.lane ORDER BY seq, id LIMIT 1) \
    FROM next WHERE lane IS NOT NULL";
pub(super) const WAITING_IN_LANE: &str = "SELECT id FROM delivery \
    WHERE phase = 'ready' AND lane = ?1 ORDER BY seq, id LIMIT ?2";
pub(super) const OPEN_IN_LANE: &str = "SELECT id FROM delivery \
    WHERE phase <> 'ended' AND lane = ?1 ORDER BY seq, id LIMIT ?2";
pub(super) const OPEN_IN_LANE_AFTER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM delivery WHERE phase <> 'ended' AND lane = ?1 AND (seq, id) > (?2, ?3) \
     ORDER BY seq, id LIMIT ?4"
);
pub(super) const ACTIVE_IN_POOL: &str = "SELECT count(*) FROM delivery \
    WHERE phase <> 'ended' AND phase = 'active' AND pool = ?1";
pub(super) const ACTIVE_IN_LANE: &str =
    "SELECT count(*) FROM delivery WHERE phase = 'active' AND lane = ?1";
pub(super) const DELIVERY_COUNTS: &str = "SELECT \
    (SELECT count(*) FROM delivery WHERE phase <> 'ended' AND pool = ?1), \
    (SELECT count(*) FROM delivery WHERE outcome = 'dead' AND pool = ?1)";
pub(super) const DEAD_DELIVERIES: &str = "SELECT count(*) FROM delivery WHERE outcome = 'dead'";
pub(super) const DELIVERIES_FROM: &str =
    concat!("SELECT ", columns!(), " FROM delivery WHERE (seq, id) < (?, ?)");

pub(super) const INTEGRITY: &str = "PRAGMA integrity_check(100)";
/// What constraints cannot say; each row of an answer is one thing that is wrong.
pub(super) const CHECKS: [&str; 5] = [
    "SELECT 'the tally of ended jobs says ' || value || ', there are ' || found FROM tally, \
     (SELECT count(*) AS found FROM job WHERE phase = 'ended') \
     WHERE name = 'ended_jobs' AND value <> found",
    "SELECT 'the tally of ended bytes says ' || value || ', there are ' || found FROM tally, \
     (SELECT coalesce(sum(bytes), 0) AS found FROM job WHERE phase = 'ended') \
     WHERE name = 'ended_bytes' AND value <> found",
    "SELECT 'the tally of ended mail says ' || value || ', there are ' || found FROM tally, \
     (SELECT count(*) AS found FROM mail WHERE phase = 'ended') \
     WHERE name = 'ended_mail' AND value <> found",
    "SELECT 'mailbox ' || name || ' says ' || max(said) || ' unread, there are ' || max(found) FROM \
     (SELECT name, unread AS said, 0 AS found FROM mailbox UNION ALL \
     SELECT lane, 0, count(*) FROM mail WHERE phase = 'ready' AND lane IS NOT NULL GROUP BY lane) \
     GROUP BY name HAVING max(said) <> max(found)",
    "SELECT 'job ' || job || ' has ' || count(*) || ' entries in the journal, numbered ' \
     || min(seq) || ' to ' || max(seq) FROM event \
     WHERE job IS NOT NULL GROUP BY job HAVING min(seq) <> 1 OR max(seq) <> count(*)",
];

/// Upwards and downwards, by the table itself and never by an index, which may be what is damaged.
pub(super) const SALVAGE_JOBS: [&str; 2] = [
    concat!("SELECT ", columns!(), " FROM job NOT INDEXED ORDER BY seq"),
    concat!("SELECT ", columns!(), " FROM job NOT INDEXED ORDER BY seq DESC"),
];
const SALVAGE_MAIL: [&str; 2] = [
    concat!("SELECT ", columns!(), " FROM mail NOT INDEXED ORDER BY seq"),
    concat!("SELECT ", columns!(), " FROM mail NOT INDEXED ORDER BY seq DESC"),
];
const SALVAGE_DELIVERIES: [&str; 2] = [
    concat!("SELECT ", columns!(), " FROM delivery NOT INDEXED ORDER BY rowid"),
    concat!("SELECT ", columns!(), " FROM delivery NOT INDEXED ORDER BY rowid DESC"),
];
pub(super) const SALVAGE_EVENTS: [&str; 2] = [
    "SELECT position, job, seq, at, body FROM event NOT INDEXED ORDER BY position",
    "SELECT position, job, seq, at, body FROM event NOT INDEXED ORDER BY position DESC",
];

/// As for jobs; these tables lie in the order of their ids.
pub(super) const fn salvage(table: Table) -> [&'static str; 2] {
    if matches!(table, Table::Delivery) {
        return SALVAGE_DELIVERIES;
    }
    if matches!(table, Table::Mail) {
        return SALVAGE_MAIL;
    }
    [
        for_table!(table, concat!("SELECT ", columns!(), " FROM "), " NOT INDEXED ORDER BY id"),
        for_table!(
            table,
            concat!("SELECT ", columns!(), " FROM "),
            " NOT INDEXED ORDER BY id DESC"
        ),
    ]
}

pub(super) const SALVAGE_FLOOR: &str = "SELECT value FROM tally WHERE name = 'journal_floor'";
pub(super) const RAISE_FLOOR: &str =
    "UPDATE tally SET value = max(value, ?1) WHERE name = 'journal_floor'";

//! Every limit of the runtime, by name and with its unit. A queue, line, history or retry that is
//! not bounded by a line here is a defect.

use crate::time::Millis;

/// Arguments of a job's command, its program included.
pub const ARGUMENTS_MAX: usize = 4_096;
/// Bytes of a job's command, all arguments together.
pub const COMMAND_BYTES_MAX: usize = 128 * 1_024;
/// Bytes of a job's environment, names and values together.
pub const ENVIRONMENT_BYTES_MAX: usize = 512 * 1_024;
/// Bytes of a working directory's path.
pub const CWD_BYTES_MAX: usize = 4_096;
/// Bytes of a name, owner, lane, pool, key, label name or label value.
pub const WORD_BYTES_MAX: usize = 256;
/// Labels on one job.
pub const LABELS_MAX: usize = 64;
/// Jobs that one job may wait for.
pub const DEPENDENCIES_MAX: usize = 1_000;
/// Jobs that may wait for one job, so that its end fits in one step.
pub const DEPENDENTS_MAX: u32 = 10_000;
/// Artifact patterns on one job.
pub const ARTIFACT_GLOBS_MAX: usize = 64;
/// Artifacts registered for one job.
pub const ARTIFACTS_MAX: usize = 1_000;
/// Directory entries looked at while searching for artifacts.
pub const ARTIFACT_SCAN_ENTRIES_MAX: usize = 100_000;
/// Attachments on one job.
pub const ATTACHMENTS_MAX: usize = 1_000;
/// Bytes of one attached file or of a job's standard input.
pub const BLOB_BYTES_MAX: u64 = 4 * 1_024 * 1_024 * 1_024;
/// Sinks named by one job.
pub const NOTIFY_MAX: usize = 16;
/// Deliveries of one job: of its end, and of each question about it, to the sinks that it names and to
/// its owner.
pub const DELIVERIES_PER_JOB_MAX: u32 = 17 * (1 + QUESTIONS_PER_JOB_MAX);
/// Jobs in one batch, which is one commit.
pub const BATCH_JOBS_MAX: usize = 10_000;
/// Bytes of one request's body.
pub const REQUEST_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Bytes of what a task is given, as JSON text.
pub const TASK_INPUT_BYTES_MAX: usize = 256 * 1_024;
/// Bytes kept of the text of a task's result, and of what it has for programs.
pub const RESULT_BYTES_MAX: usize = 64 * 1_024;
/// Kinds of tasks that one host runs.
pub const TASK_KINDS_MAX: usize = 1_000;
/// How often a task that was lost with its process may ask to be run again.
pub const RERUNS_MAX: u32 = 100;
/// Retries that a job may ask for.
pub const RETRIES_MAX: u32 = 100;
/// Attempts kept in full on a job; of older ones only the journal tells.
pub const ATTEMPTS_KEPT_MAX: usize = 20;
/// Launches in a row that never began, before the job fails with reason `spawn`.
pub const LAUNCHES_MAX: u32 = 5;
/// Tries at cleaning up after a job before it is left for a person to see.
pub const CLEANUP_TRIES_MAX: u32 = 8;
/// Different cleanup warnings kept on a job; repeats are counted.
pub const CLEANUP_WARNINGS_MAX: usize = 8;
/// Journal entries of one job; created, cancelled and ended are kept beyond it.
pub const EVENTS_PER_JOB_MAX: u64 = 10_000;
/// Journal entries that belong to no job.
pub const GENERAL_EVENTS_MAX: u32 = 1_000;
/// Bytes of one message, reason or warning that is kept.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1_024;
/// Bytes of what one emitted report may hold.
pub const EMISSION_BYTES_MAX: usize = 16 * 1_024;
/// In-process jobs that one program may keep, ended ones included.
pub const TASKS_MAX: usize = 2 * 1_024 * 1_024;
/// Bodies of in-process jobs that may run at once, whatever the setting says.
pub const TASK_SLOTS_MAX: u32 = 1_000_000;
/// Bodies of in-process jobs that run at once unless the setting says otherwise.
pub const TASK_SLOTS_DEFAULT: u32 = 15;
/// Bytes of the text, and about as many of the structure, that one in-process body leaves behind.
pub const TASK_TEXT_BYTES_MAX: usize = 1_024 * 1_024;
/// In-process jobs that time changes under one lock; the rest follow at once.
pub const TASKS_DUE_AT_ONCE_MAX: usize = 1_024;
/// Results of one owner that are being told at once.
pub const TASK_TRIES_AT_ONCE_MAX: usize = 16;
/// Results that could not be told, kept for one owner; the oldest goes first.
pub const DEAD_LETTERS_MAX: usize = 100;
/// The same for all owners together.
pub const DEAD_LETTERS_ALL_MAX: usize = 10_000;
/// Ids that one snapshot of deliveries names.
pub const PENDING_IDS_MAX: usize = 100;
/// Waits of agents and jobs for each other that are known at once.
pub const BLOCKED_MAX: usize = 100_000;
/// How long an ended in-process job stays in lists, and its result is tried to be told.
pub const TASK_RETENTION: Millis = Millis::from_secs(5 * 60);
/// The same once somebody has the result.
pub const TASK_CONSUMED_RETENTION: Millis = Millis::from_secs(30);
/// How long an in-process body may ignore its cancellation before it is called an orphan.
pub const TASK_ORPHAN_AFTER: Millis = Millis::from_secs(30);
/// How long one try at telling an in-process sink may take.
pub const TASK_TRY_MAX: Millis = Millis::from_secs(30);
/// First delay between tries at telling an in-process sink; doubles from there.
pub const TASK_AGAIN_FIRST: Millis = Millis::new(500);
/// No delay between tries at telling an in-process sink grows beyond this.
pub const TASK_AGAIN_MAX: Millis = Millis::from_secs(30);
/// Milliseconds, at most one less, that are added to such a delay.
pub const TASK_AGAIN_SPREAD_MS: u64 = 200;
/// Whoever listens to one job's progress hears of it at most this often.
pub const TASK_PROGRESS_EVERY: Millis = Millis::new(100);
/// Pools.
pub const POOLS_MAX: usize = 1_000;
/// Slots of one pool.
pub const SLOTS_MAX: u32 = 100_000;
/// Commands decided in one step.
pub const STEP_COMMANDS_MAX: usize = 1_024;
/// Rows that time changes in one step; the rest follow in the next, at once.
pub const STEP_DUE_MAX: u32 = 256;
/// Jobs placed in one step; the rest follow in the next, at once.
pub const STEP_PLACE_MAX: u32 = 256;
/// Ended jobs that retention picks in one step, so that it is never in the way.
pub const STEP_PURGE_MAX: u32 = 100;
/// Ended jobs that retention looks at in one step while none of them may go.
pub const RETAIN_SCAN_MAX: u32 = 5_000;
/// Stored content that one sweep looks at.
pub const SWEEP_LOOKED_AT_MAX: usize = 100_000;
/// Stored content that one sweep removes.
pub const SWEEP_REMOVED_MAX: usize = 1_000;
/// Highest priority; zero is the lowest.
pub const PRIORITY_MAX: u8 = 9;
/// Priority of a job that names none.
pub const PRIORITY_DEFAULT: u8 = 5;
/// The longest duration that may be asked for: ten years.
pub const SPAN_MAX: Millis = Millis::from_secs(10 * 366 * 24 * 3_600);
/// How long a start may take before it is called off.
pub const START_MAX: Millis = Millis::from_secs(30);
/// How long after a kill it is sent again while nothing proves the end.
pub const STOP_AGAIN: Millis = Millis::from_secs(5);
/// From asking a job to stop to killing it, unless the job says otherwise.
pub const GRACE_DEFAULT: Millis = Millis::from_secs(10);
/// First delay between retries; doubles from there.
pub const RETRY_DELAY_DEFAULT: Millis = Millis::from_secs(1);
/// No delay between retries grows beyond this.
pub const RETRY_DELAY_MAX: Millis = Millis::from_secs(3_600);
/// First delay between tries at cleaning up; doubles from there.
pub const CLEANUP_DELAY: Millis = Millis::from_secs(5);
/// No delay between tries at cleaning up grows beyond this.
pub const CLEANUP_DELAY_MAX: Millis = Millis::from_secs(600);
/// Bytes each of a job's streams may hold unless the job says otherwise.
pub const OUTPUT_BYTES_DEFAULT: u64 = 1_024 * 1_024 * 1_024;
/// A stall is looked for this many times within the span that makes one.
pub const STALL_LOOKS: u64 = 4;
/// The shortest span that may count as a stall.
pub const STALL_MIN: Millis = Millis::from_secs(1);

/// Sinks of one home. Each has its own tries at once, so their number is what bounds the courier.
pub const SINKS_MAX: u32 = 256;
/// Tries at one sink at the same time; one while the sink is in trouble.
pub const SINK_TRIES_AT_ONCE_MAX: u32 = 8;
/// Tries at one sink at the same time for one owner: others get through beside it.
pub const OWNER_TRIES_AT_ONCE_MAX: u32 = 4;
/// Lanes of one sink that one step looks at.
pub const STEP_LANES_MAX: u32 = 64;
/// How long a delivery is claimed before somebody else may have it, unless it is heard of.
pub const CLAIM_MAX: Millis = Millis::from_secs(60);
/// Failed tries of one delivery before it is dead.
pub const DELIVERY_TRIES_MAX: u32 = 20;
/// A delivery that fails when it is older than this is dead, once it has failed often enough.
pub const DELIVERY_AGE_MAX: Millis = Millis::from_secs(3 * 24 * 3_600);
/// Failed tries before age counts: half an hour of them. A machine that was asleep or off for days has
/// no network in its first moments.
pub const DELIVERY_AGED_TRIES_MIN: u32 = 12;
/// First delay between tries of a delivery; doubles from there.
pub const DELIVERY_DELAY: Millis = Millis::from_secs(1);
/// No delay between tries of a delivery grows beyond this by itself.
pub const DELIVERY_DELAY_MAX: Millis = Millis::from_secs(3_600);
/// The longest that a receiver may put a delivery off.
pub const PUT_OFF_MAX: Millis = Millis::from_secs(24 * 3_600);
/// Newest tries of a delivery that are kept in full.
pub const RECEIPTS_MAX: usize = 8;
/// Bytes kept of what a receiver answered.
pub const ANSWER_BYTES_MAX: usize = 1_024;
/// How long a notice that was handed to an owner waits for its acknowledgement before it is handed
/// over again.
pub const INBOX_ACK_MAX: Millis = Millis::from_secs(3_600);
/// How long a notice waits for its owner before it is dead.
pub const INBOX_AGE_MAX: Millis = Millis::from_secs(7 * 24 * 3_600);
/// How long a notice waits at least, however many ended jobs or bytes the home holds.
pub const INBOX_AGE_PRESSED: Millis = Millis::from_secs(24 * 3_600);
/// Notices that wait for one owner; beyond it the oldest are dead.
pub const INBOX_OPEN_MAX: u32 = 10_000;
/// Notices that one presence holds without having acknowledged them.
pub const PRESENCE_HOLDS_MAX: u32 = 256;
/// Owners that are present at the same time, counted by connections.
pub const PRESENCES_MAX: u32 = 1_000;
/// Owners of one project that are looked at when one of them may take over for others.
pub const OWNERS_LOOKED_AT_MAX: u32 = 1_000;
/// Notices acknowledged by one command.
pub const ACKS_MAX: u32 = 1_000;
/// How long a job is kept after a sink was told of it, so that the receiver can look at it.
pub const TOLD_GRACE: Millis = Millis::from_secs(120);
/// How long an owner is away before others of its project may have its notices, unless the home
/// says otherwise.
pub const ADOPT_AFTER_DEFAULT: Millis = Millis::from_secs(120);
/// Bytes of a sink's URL, or of all words of its command.
pub const SINK_BYTES_MAX: usize = 8 * 1_024;

/// Bytes of an agent's name, and of the name of a role.
pub const AGENT_NAME_BYTES_MAX: usize = 64;
/// Agents of one home.
pub const AGENTS_MAX: u32 = 10_000;
/// Agents that work for one, directly.
pub const CHILDREN_MAX: u32 = 1_000;
/// How deep agents may work for each other.
pub const AGENT_DEPTH_MAX: u32 = 16;
/// Turns of one agent that wait.
pub const TURNS_QUEUED_MAX: u32 = 1_000;
/// Bytes of a turn's prompt, as asked.
pub const PROMPT_BYTES_MAX: usize = 1_024 * 1_024;
/// Bytes of all that a turn is told: its mail and its prompt. What mail does not fit waits.
pub const INPUT_BYTES_MAX: usize = 2 * 1_024 * 1_024;
/// Messages that one turn takes.
pub const MAIL_PER_TURN_MAX: u32 = 100;
/// Messages that one turn holds, those included that it asked for itself; beyond it none is handed
/// to it.
pub const MAIL_HELD_MAX: usize = 1_000;
/// Messages that one step returns because their recipient has ended, or forgets because they are
/// old; the rest follow in the next, at once.
pub const STEP_MAIL_MAX: u32 = 256;
/// Bytes of a message's body.
pub const MAIL_BODY_BYTES_MAX: usize = 256 * 1_024;
/// Bytes of a message's payload.
pub const MAIL_PAYLOAD_BYTES_MAX: usize = 64 * 1_024;
/// Bytes of a message's subject.
pub const MAIL_SUBJECT_BYTES_MAX: usize = 1_024;
/// Unread messages of one mailbox; beyond it sending is refused.
pub const MAIL_UNREAD_MAX: u64 = 100_000;
/// Mailboxes that one letter goes to.
pub const RECIPIENTS_MAX: usize = 1_000;
/// Turns that take a message and fail, before it is returned.
pub const MAIL_TRIES_MAX: u32 = 3;
/// Before the first of them is followed by another; doubles.
pub const MAIL_DELAY: Millis = Millis::from_secs(5);
/// The longest that this becomes.
pub const MAIL_DELAY_MAX: Millis = Millis::from_secs(600);
/// Ended messages that are kept, over all mailboxes; the oldest go.
pub const MAIL_KEPT_MAX: u64 = 100_000;
/// Entries of one turn's output in the journal; beyond it they are counted, and its spool has all.
pub const TURN_EVENTS_MAX: u64 = 1_000_000;
/// Entries taken by one report.
pub const TAKING_EVENTS_MAX: usize = 4_000;
/// Bytes of what an adapter remembers.
pub const MEMORY_BYTES_MAX: usize = 4 * 1_024;
/// How long a process may stay after it has said how its turn ended.
pub const LINGER_MAX: Millis = Millis::from_secs(10);
/// Lines kept of what happened last in a turn that has ended.
pub const LAST_LINES_MAX: usize = 16;
/// How often one turn is parked before it fails.
pub const PARKS_MAX: u32 = 100;
/// How long a turn is parked when the vendor did not say until when; doubles with each time in a row.
pub const PARK_DELAY: Millis = Millis::from_secs(60);
/// The longest that this becomes, and the longest that a vendor is believed.
pub const PARK_MAX: Millis = Millis::from_secs(8 * 24 * 3_600);
/// The longest that this becomes where the vendor says nothing.
pub const PARK_DELAY_MAX: Millis = Millis::from_secs(3_600);
/// Percent of a budget at which that is told.
pub const BUDGET_WARN_PERCENT: u64 = 80;
/// Questions of one turn that are open.
pub const QUESTIONS_OPEN_MAX: usize = 100;
/// Questions of one turn, answered ones included; a tool call that would be one more is denied.
pub const QUESTIONS_PER_JOB_MAX: u32 = 1_000;
/// Bytes kept of what a tool call would do.
pub const TOOL_INPUT_BYTES_MAX: usize = 4 * 1_024;
/// Patterns and folders of a policy.
pub const POLICY_WORDS_MAX: usize = 256;

/// Capabilities that one lease names.
pub const CAPABILITIES_MAX: usize = 64;
/// Patterns or amounts of one capability.
pub const PATTERNS_MAX: usize = 256;
/// Bytes of one pattern.
pub const PATTERN_BYTES_MAX: usize = 1_024;
/// Bytes of one lease, all its names and texts together, so that every look at it is quick.
pub const LEASE_BYTES_MAX: usize = 64 * 1_024;
/// Bytes of the target of one operation.
pub const TARGET_BYTES_MAX: usize = 4_096;
/// Places of patterns that are looked at to prove one lease to be within another: tens of
/// milliseconds. What is not proven by then is refused.
pub const NARROW_WORK_MAX: u64 = 2_000_000;
/// Bytes of the name of a currency.
pub const CURRENCY_BYTES_MAX: usize = 32;
/// Significant digits of an amount of money.
pub const AMOUNT_DIGITS_MAX: u32 = 28;
/// Bytes of a number as text that is taken for an amount.
pub const AMOUNT_BYTES_MAX: usize = 128;

/// Sessions of one home that are not over.
pub const SESSIONS_MAX: u32 = 20_000;
/// Sessions of one principal that are not over.
pub const SESSIONS_PER_PRINCIPAL_MAX: u32 = 5_000;
/// Open jobs that one session may have asked for.
pub const SESSION_JOBS_MAX: u32 = 100;
/// Open jobs that one session may follow.
pub const SESSION_FOLLOWS_MAX: usize = 2_000;
/// Sessions that may follow one job.
pub const FOLLOWERS_MAX: usize = 1_000;
/// Features that a session may agree on.
pub const FEATURES_MAX: usize = 64;
/// How long a session can be resumed unless the setting says otherwise.
pub const SESSION_WINDOW_DEFAULT: Millis = Millis::from_secs(600);
/// Runs of a session's feed that are kept in rows; the oldest go first.
pub const FEED_RUNS_MAX: u32 = 50_000;
/// Rows of a feed that one step removes.
pub const FEED_RUNS_AT_ONCE: u32 = 256;
/// Numbers of a session that may wait to be acknowledged before it is told that it reads too slowly.
pub const FEED_LAGGING: u64 = 1_000;
/// Numbers that may wait where it is thought to have caught up again.
pub const FEED_CAUGHT_UP: u64 = 500;
/// Numbers of a session that are sent and may wait to be acknowledged before no more of the feed is sent.
/// Some clients acknowledge rarely, and some that could never do: this is more than those are told.
pub const FEED_UNACKNOWLEDGED_MAX: u64 = 500_000;
/// How long a client may take nothing of what is sent to it, or acknowledge nothing while its feed stands
/// still for that, before it is disconnected.
pub const FEED_PATIENCE: Millis = Millis::from_secs(60);
/// Spans of entries that a job remembers to have told.
pub const TOLD_SPANS_MAX: usize = 1_000;
/// Tokens of one home.
pub const TOKENS_MAX: u32 = 10_000;
/// Bytes of what a hosted agent is asked, as JSON text.
pub const HOSTED_INPUT_BYTES_MAX: usize = 1_024 * 1_024;
/// Bytes of what a client sends along with what it asks, to be passed on as it is.
pub const EXTENSIONS_BYTES_MAX: usize = 64 * 1_024;
/// Bytes of a hosted agent's result that is told in one; what is larger is told in pieces.
pub const HOSTED_RESULT_BYTES_MAX: usize = 768 * 1_024;
/// Bytes of one piece of a result, decoded.
pub const PIECE_BYTES_MAX: u64 = 1_024 * 1_024;
/// Bytes of all pieces of a result together, decoded.
pub const PIECES_BYTES_MAX: u64 = 256 * 1_024 * 1_024;
/// How long after its lease a job may still be there: what it asks for in that time is denied.
pub const LEASE_GRACE: Millis = Millis::new(500);
/// How deep jobs may delegate to each other.
pub const DELEGATION_DEPTH_MAX: u32 = 8;
/// Delegated jobs of one job that go on.
pub const DELEGATIONS_OPEN_MAX: u32 = 64;
/// Delegated jobs that there may ever be below one job.
pub const DELEGATIONS_BELOW_MAX: u32 = 1_000;
/// Bytes of a delegated job's result that its parent is told; a larger one has to be looked for.
pub const DELEGATED_RESULT_BYTES_MAX: usize = 64 * 1_024;
/// Bytes of what a tool call, or a delegation, says of itself to those who follow the job.
pub const CALL_BYTES_MAX: usize = 256 * 1_024;

/// Issuers that one job may name.
pub const CREDENTIALS_PER_JOB_MAX: usize = 16;
/// How long a job waits for its credentials before it fails.
pub const PREPARING_MAX: Millis = Millis::from_secs(60);
/// How long a driver may take over one try at minting or revoking. What it has not heard the end of by
/// then failed, as far as it knows.
pub const ISSUE_MAX: Millis = Millis::from_secs(20);
/// How long nothing may be heard of such a try before it is wanted again.
pub const ISSUE_SILENCE_MAX: Millis = Millis::from_secs(30);
/// How long a try at minting that was given up may still come to something: longer than a try may take.
pub const MINT_DOUBT_MAX: Millis = Millis::from_secs(60);
/// Tries at minting a credential before its job fails.
pub const MINT_TRIES_MAX: u32 = 4;
/// First delay between tries at minting; doubles from there.
pub const MINT_DELAY: Millis = Millis::from_secs(1);
/// No delay between tries at minting grows beyond this.
pub const MINT_DELAY_MAX: Millis = Millis::from_secs(15);
/// Tries at revoking a credential before it is left for a person to see: about a day of them.
pub const REVOKE_TRIES_MAX: u32 = 36;
/// First delay between tries at revoking; doubles from there.
pub const REVOKE_DELAY: Millis = Millis::from_secs(1);
/// No delay between tries at revoking grows beyond this.
pub const REVOKE_DELAY_MAX: Millis = Millis::from_secs(3_600);
/// The shortest span after which another credential may take one's place.
pub const ROTATE_AFTER_MIN: Millis = Millis::from_secs(60);
/// After how long that is tried again where it came to nothing.
pub const ROTATE_AGAIN: Millis = Millis::from_secs(300);
/// How long a credential stays good after another has taken its place.
pub const ROTATION_GRACE: Millis = Millis::from_secs(30);
/// Bytes of a credential, sealed, and of what clients are shown of it, each.
pub const CREDENTIAL_BYTES_MAX: usize = 16 * 1_024;
/// Credentials that one command tries to revoke again.
pub const CREDENTIALS_AT_ONCE: u32 = 256;

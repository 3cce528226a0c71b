//! What must hold after every step of a life of agents, and when it has come to rest. Said of committed
//! rows and of what children really did; never by the machines' own methods, which would excuse
//! themselves.

mod agents;
mod mail;
mod output;
mod questions;
mod rest;
mod turns;

use super::child::{Child, Key};
use super::life::{Asker, Broken, Law, Life};
use super::rows::Changes;
use super::spy::Commit;
use longhaul_core::command::Command;
use longhaul_core::engine::Step;
use longhaul_core::job::{Job, JobState};
use longhaul_core::port::Table;
use longhaul_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What the laws remember of a life.
#[derive(Debug, Default)]
pub(super) struct Laws {
    /// The tool call that each job has put off last.
    pub(super) put_off: BTreeMap<String, String>,
    /// Entries of each child's output that are in the journal.
    said: BTreeMap<Key, usize>,
    /// The number of each job's newest entry.
    seqs: BTreeMap<String, u64>,
    /// Mail that each turn was told.
    told: BTreeMap<String, BTreeSet<String>>,
    /// Turns that had each message, and failed.
    failed: BTreeMap<String, BTreeSet<String>>,
    /// Attempts of which a child was launched.
    pub(super) launched: BTreeSet<Key>,
    /// The kind of agent that each conversation was begun with.
    pub(super) held_with: BTreeMap<String, String>,
    /// Mail whose sender was a merger when it was sent.
    of_mergers: BTreeSet<String>,
}

/// One step, as the laws see it.
pub(super) struct Seen<'a> {
    pub(super) host: usize,
    pub(super) now: Timestamp,
    pub(super) batch: &'a [(Command, Asker)],
    pub(super) step: &'a Step,
    pub(super) commit: &'a Commit,
    pub(super) changes: &'a Changes,
}

impl Laws {
    /// A child begins.
    pub(super) fn launched(&mut self, key: &Key, child: &Child) -> Law {
        let is_first = self.launched.insert(key.clone());
        if is_first {
            return Ok(());
        }
        let what = format!("{key:?} again: {child:?}");
        Err(Broken { law: "an attempt is launched once", what })
    }
}

impl Life {
    /// After a step.
    pub(super) fn check(
        &mut self,
        host: usize,
        batch: &[(Command, Asker)],
        step: &Step,
        commit: &Commit,
        changes: &Changes,
    ) -> Law {
        let now = self.wall(host);
        let seen = Seen { host, now, batch, step, commit, changes };
        self.counts(&seen);
        self.refusals_change_nothing(&seen)?;
        self.nothing_is_overdue(&seen)?;
        self.output(&seen)?;
        self.mail(&seen)?;
        self.turns(&seen)?;
        self.questions(&seen)?;
        self.agents(&seen)
    }

    /// A batch of which everything is refused, in a step for which nothing was due, is no step at all.
    fn refusals_change_nothing(&mut self, seen: &Seen<'_>) -> Law {
        let all = seen.step.replies.iter().all(Result::is_err);
        if !all || seen.step.replies.is_empty() {
            return Ok(());
        }
        let was_due = self.laws_due(seen);
        self.count("refused steps");
        let is_nothing = seen.changes.is_nothing && seen.commit.events.is_empty();
        self.holds("what is refused changes nothing", is_nothing || was_due, || {
            format!("{:?} gave {:?} and changed {:?}", seen.batch, seen.step.replies, seen.commit)
        })
    }

    /// Whether time itself changed something: a row that was due is among those that were written.
    fn laws_due(&self, seen: &Seen<'_>) -> bool {
        self.due_before
            .iter()
            .any(|(of, (at, _))| *at <= seen.now && seen.commit.rows.contains_key(of))
    }

    fn nothing_is_overdue(&mut self, seen: &Seen<'_>) -> Law {
        let more = seen.step.next_due.is_some_and(|due| due <= seen.now);
        let me = self.hosts[seen.host].place.host.as_str();
        let mine = |host: &Option<String>| host.as_deref().is_none_or(|host| host == me);
        let mut all = self.rows.due.iter();
        let late = all.find(|((table, _), (at, host))| {
            *at <= seen.now && (mine(host) || *table == Table::Delivery)
        });
        let late =
            late.map(|(of, (at, _))| format!("{of:?} was due at {at:?}, it is {:?}", seen.now));
        self.holds("nothing is overdue when a step is over", late.is_none() || more, || {
            late.clone().unwrap_or_default()
        })?;
        let first = self.rows.due.iter().filter(|(_, (_, host))| mine(host));
        let first = first.map(|(_, (at, _))| *at).min();
        let is_known = first.is_none_or(|first| seen.step.next_due.is_some_and(|due| due <= first));
        self.holds("a step says when the next is due", is_known, || {
            format!("{first:?} is, and {:?} is said", seen.step.next_due)
        })?;
        self.due_before = self.rows.due.clone();
        Ok(())
    }

    /// Notes what happened, so that no law holds by nothing happening.
    fn counts(&mut self, seen: &Seen<'_>) {
        for (before, job) in seen.turns() {
            if let (None, Some(outcome)) = (before.and_then(Job::outcome), job.outcome()) {
                self.count(outcome.kind.name());
                if let Some(reason) = outcome.reason {
                    self.count(reason_name(reason));
                }
            }
            let is_new = before.is_none();
            if is_new && job.spec.turn.as_ref().is_some_and(|turn| turn.is_wake) {
                self.count("wake turns");
            }
        }
        for event in &seen.commit.events {
            if let Some(fact) = serde_fact(&event.body) {
                self.count(fact);
            }
        }
    }
}

impl<'a> Seen<'a> {
    /// Turns that changed, as they were and as they are.
    fn turns(&self) -> impl Iterator<Item = (Option<&'a Job>, &'a Job)> {
        let changes: &'a Changes = self.changes;
        changes.jobs.values().filter_map(|change| {
            let after = change.after.as_ref().filter(|job| job.spec.turn.is_some())?;
            Some((change.before.as_ref(), after))
        })
    }

    /// Whether one of these commands was taken.
    fn took(&self, is_it: impl Fn(&Command) -> bool) -> bool {
        let taken = self.batch.iter().zip(&self.step.replies);
        taken.into_iter().any(|((command, _), reply)| reply.is_ok() && is_it(command))
    }
}

/// Whether a job's attempt is going on.
const fn is_active(job: &Job) -> bool {
    match job.state {
        JobState::Starting { .. } | JobState::Running { .. } | JobState::Stopping { .. } => true,
        JobState::Preparing { .. } | JobState::Queued { .. } | JobState::Ended { .. } => false,
    }
}

/// Whether a job was given a slot in this step.
fn is_placed(before: Option<&Job>, after: &Job) -> bool {
    is_active(after) && before.is_none_or(|before| before.attempt < after.attempt)
}

/// Whose turn it is.
fn agent_of(job: &Job) -> &str {
    job.spec.turn.as_ref().map_or("", |turn| turn.agent.as_str())
}

const fn reason_name(reason: longhaul_core::outcome::Reason) -> &'static str {
    use longhaul_core::outcome::Reason as R;
    match reason {
        R::Runtime => "ended: runtime",
        R::Stall => "ended: stall",
        R::OutputLimit => "ended: output limit",
        R::Oom => "ended: oom",
        R::Spawn => "ended: spawn",
        R::Dependency => "ended: dependency",
        R::HostLost => "ended: host lost",
        R::Budget => "ended: budget",
        R::Lease => "ended: lease",
        R::Credentials => "ended: credentials",
        R::RateLimit => "ended: rate limit",
        R::ResumeFailed => "ended: resume failed",
        R::NoResult => "ended: no result",
        R::AgentFailed => "ended: agent failed",
    }
}

/// The kinds of entries that are counted.
const COUNTED: [&str; 14] = [
    "conversation_mismatch",
    "resume_failed",
    "parked",
    "waits_for_answer",
    "budget_warned",
    "quiet_for",
    "lively",
    "retrying",
    "relaunching",
    "mailed",
    "mail_returned",
    "tool_decided",
    "question_asked",
    "question_answered",
];

fn serde_fact(body: &str) -> Option<&'static str> {
    let kind = body.strip_prefix("{\"kind\":\"")?;
    COUNTED
        .into_iter()
        .find(|name| kind.strip_prefix(name).is_some_and(|rest| rest.starts_with('"')))
}

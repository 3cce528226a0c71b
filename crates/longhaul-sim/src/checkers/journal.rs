//! Laws of a life: folding the journal, entry by entry, gives what the rows say, and every attempt
//! that it tells of ended as its record does.

use super::tales::Tales;
use super::{Broken, Seen, broken, holds, naive};
use crate::outside::Outside;
use longhaul_core::event::{Event, Fact};
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_core::limits;
use longhaul_core::outcome::Outcome;
use longhaul_core::port::Phase;
use longhaul_core::time::{Millis, Timestamp};
use std::collections::BTreeMap;

/// What the journal has said so far.
#[derive(Debug, Default)]
pub(super) struct Journal {
    stories: BTreeMap<JobId, Story>,
    position: u64,
}

/// What it has said about one job.
#[derive(Debug, Default)]
struct Story {
    seq: u64,
    state: &'static str,
    attempt: u32,
    started: bool,
    called_off: bool,
    /// Whether the current attempt has not ended.
    is_open: bool,
    cancelled: bool,
    failures: u32,
    reruns: u32,
    launches: u32,
    not_before: Option<Timestamp>,
    last: Option<Outcome>,
    ended: Option<Outcome>,
    stuck: bool,
    tales: Tales,
}

impl Journal {
    pub(super) fn check(&mut self, seen: &Seen<'_>, outside: &Outside) -> Result<(), Broken> {
        for id in seen.before.jobs.keys().filter(|id| !seen.after.jobs.contains_key(*id)) {
            self.stories.remove(id);
        }
        for event in seen.events {
            holds("positions grow", event.position.0 > self.position, || format!("{event:?}"))?;
            self.position = event.position.0;
            self.fold(event, seen, outside)?;
        }
        for (id, kept) in &seen.after.jobs {
            let Some(story) = self.stories.get(id) else {
                return broken("every job has its history", id.to_string());
            };
            story.agrees(&kept.job)?;
        }
        for delivery in seen.after.owed() {
            let story = self.stories.get(&delivery.job).expect("every job has one by now");
            story.tales.agrees(delivery)?;
        }
        let told: usize = self.stories.values().map(|story| story.tales.count()).sum();
        holds("folding the journal gives the notices", told == seen.after.deliveries.len(), || {
            format!("it tells of {told}, and there are {}", seen.after.deliveries.len())
        })
    }

    fn fold(&mut self, event: &Event, seen: &Seen<'_>, outside: &Outside) -> Result<(), Broken> {
        let fact = event.fact();
        let Some(fact) = fact else { return broken("facts can be read", event.body.clone()) };
        let Some(id) = &event.job else {
            let general = matches!(
                fact,
                Fact::PoolChanged { .. }
                    | Fact::Woke { .. }
                    | Fact::SinkAdded { .. }
                    | Fact::SinkRemoved { .. }
            );
            return holds("only facts about no job have no job", general, || format!("{fact:?}"));
        };
        let Some(job) = seen.after.job(id) else {
            return broken("no entry outlives its job", format!("{id}: {fact:?}"));
        };
        let story = self.stories.entry(id.clone()).or_default();
        let told = || format!("{id}: {fact:?} after {story:?}");
        holds("entries of a job have no gap", event.seq == story.seq + 1, told)?;
        // The clock may have stepped back since its hour came.
        let came = seen.before.job(id).is_some_and(|job| naive::phase(job) == Phase::Ready);
        let moment = if came { Timestamp::MAX } else { event.at };
        let at = if matches!(fact, Fact::Starting { .. }) { moment } else { event.at };
        let may_follow = story.may_follow(&fact, at, job);
        holds("a life is told in order", may_follow, || format!("{id}: {fact:?} after {story:?}"))?;
        match &fact {
            Fact::AttemptEnded { attempt, outcome, .. } => {
                truth(id, *attempt, Some(outcome), outside)?
            }
            Fact::Relaunching { .. } => truth(id, job.attempt.min(story.attempt), None, outside)?,
            _ => {}
        }
        story.seq = event.seq;
        story.take(&fact);
        Ok(())
    }
}

/// The record says that this attempt is over, like this; and nothing of it runs.
fn truth(
    id: &JobId,
    attempt: u32,
    said: Option<&Outcome>,
    outside: &Outside,
) -> Result<(), Broken> {
    let folder = outside.folders.get(&(id.clone(), attempt));
    let record = folder.and_then(|folder| folder.record.as_ref());
    let is_alive = folder.is_some_and(|folder| folder.is_alive);
    let process = record.map(|record| naive::process(&record.how));
    let is_so = match (&process, said) {
        (Some(process), Some(said)) => naive::is_same(process, said),
        (Some(_), None) => true,
        (None, _) => false,
    };
    holds("an attempt ends only by evidence", is_so && !is_alive, || {
        format!("{id} #{attempt}: the journal says {said:?}, the folder {folder:?}")
    })
}

impl Story {
    /// Whether this fact can come next.
    fn may_follow(&self, fact: &Fact, at: Timestamp, job: &Job) -> bool {
        let is_active = matches!(self.state, "starting" | "running" | "stopping");
        match fact {
            Fact::Created { .. } => self.seq == 0,
            Fact::Unblocked => self.state == "queued" && self.attempt == 0,
            Fact::Starting { attempt } => {
                self.state == "queued"
                    && *attempt == self.attempt + 1
                    && self.not_before.is_none_or(|not_before| not_before <= at)
                    && self.attempt < (job.spec.retry.max + 1) * limits::LAUNCHES_MAX
            }
            Fact::Started { attempt, .. } => is_active && !self.started && *attempt == self.attempt,
            Fact::CancelRequested { .. } => !self.cancelled && self.ended.is_none(),
            Fact::Stopping { attempt, .. } => is_active && *attempt == self.attempt,
            Fact::AttemptEnded { attempt, .. } => {
                is_active && self.is_open && *attempt == self.attempt
            }
            Fact::Retrying { not_before, failures } => {
                is_active && self.may_retry(not_before.since(at), *failures, job)
            }
            Fact::Relaunching { not_before, launches, .. } => {
                is_active && self.may_relaunch(not_before.since(at), *launches)
            }
            Fact::Rerunning { not_before, reruns } => {
                is_active && self.may_rerun(not_before.since(at), *reruns, job)
            }
            Fact::Ended { .. } => self.seq > 0 && self.ended.is_none(),
            Fact::CleanupFailed { .. } => self.ended.is_some(),
            Fact::CleanupStuck => self.ended.is_some() && !self.stuck,
            Fact::Emitted { .. } | Fact::OperationDecided { .. } | Fact::Delegated { .. } => {
                is_active
            }
            // What a job delegated may end while the job waits to be tried again.
            Fact::Told { .. } => self.seq > 0 && self.ended.is_none(),
            Fact::Followed { .. } | Fact::JournalFull { .. } => self.seq > 0,
            Fact::Conversation { .. }
            | Fact::ConversationMismatch { .. }
            | Fact::ResumeFailed { .. }
            | Fact::Parked { .. }
            | Fact::WaitsForAnswer { .. }
            | Fact::BudgetWarned { .. }
            | Fact::QuietFor { .. }
            | Fact::QuestionAnswered { .. }
            | Fact::Mailed { .. }
            | Fact::Lively => job.turn.is_some(),
            Fact::ToolDecided { .. } | Fact::QuestionAsked { .. } => {
                self.may_ask(fact, is_active, job)
            }
            Fact::NoticesOwed { .. }
            | Fact::NoticeFailed { .. }
            | Fact::NoticeSettled { .. }
            | Fact::NoticeDead { .. }
            | Fact::NoticeOwedAgain { .. } => self.may_notify(fact),
            Fact::SinkAdded { .. }
            | Fact::SinkRemoved { .. }
            | Fact::MailReturned { .. }
            | Fact::AgentChanged { .. }
            | Fact::PoolChanged { .. }
            | Fact::CredentialMinted { .. }
            | Fact::CredentialFailed { .. }
            | Fact::CredentialRotated { .. }
            | Fact::CredentialRevoked { .. }
            | Fact::CredentialStuck { .. }
            | Fact::TokensChanged { .. }
            | Fact::TurnedAway { .. }
            | Fact::Woke { .. } => false,
        }
    }

    /// Whether this can be said of a notice about it.
    fn may_notify(&self, fact: &Fact) -> bool {
        let is_in_time = match fact {
            Fact::NoticesOwed { about, .. } => self.ended.is_some() == about.is_none(),
            _ => true,
        };
        is_in_time && self.tales.may_follow(fact)
    }

    /// Whether what failed may be tried again after this pause.
    fn may_retry(&self, pause: Millis, failures: u32, job: &Job) -> bool {
        !self.cancelled
            && failures == self.failures + 1
            && failures <= job.spec.retry.max
            && is_backoff(pause, job.spec.retry.delay, failures, limits::RETRY_DELAY_MAX)
    }

    /// Whether what could not be begun may be tried again after this pause.
    fn may_relaunch(&self, pause: Millis, launches: u32) -> bool {
        !self.started
            && launches == self.launches + 1
            && launches < limits::LAUNCHES_MAX
            && is_backoff(pause, limits::RETRY_DELAY_DEFAULT, launches, limits::START_MAX)
    }

    /// Whether a task that was lost may be run again after this pause.
    fn may_rerun(&self, pause: Millis, reruns: u32, job: &Job) -> bool {
        !self.cancelled
            && reruns == self.reruns + 1
            && job.spec.task.as_ref().is_some_and(|task| reruns <= task.reruns_max)
            && is_backoff(pause, limits::RETRY_DELAY_DEFAULT, reruns, limits::START_MAX)
    }

    /// Whether a turn may be answered, or its owner asked.
    fn may_ask(&self, fact: &Fact, is_active: bool, job: &Job) -> bool {
        let is_asked = matches!(fact, Fact::QuestionAsked { .. }) && self.ended.is_none();
        job.spec.turn.is_some() && (is_asked || is_active)
    }

    fn take(&mut self, fact: &Fact) {
        self.tales.take(fact);
        match fact {
            Fact::Created { .. } => self.state = "queued",
            Fact::Starting { attempt } => self.begins(*attempt),
            Fact::Started { .. } => {
                self.started = true;
                self.launches = 0;
                if self.state == "starting" || self.called_off {
                    (self.state, self.called_off) = ("running", false);
                }
            }
            Fact::CancelRequested { .. } => self.cancelled = true,
            Fact::Stopping { because, .. } => {
                (self.state, self.called_off) = ("stopping", because.is_none());
            }
            Fact::AttemptEnded { outcome, .. } => {
                (self.is_open, self.last) = (false, Some(outcome.clone()));
            }
            Fact::Retrying { .. } | Fact::Relaunching { .. } | Fact::Rerunning { .. } => {
                self.goes_on(fact);
            }
            Fact::Ended { outcome } => {
                (self.state, self.ended) = ("ended", Some(outcome.clone()));
            }
            Fact::CleanupStuck => self.stuck = true,
            Fact::Unblocked
            | Fact::CleanupFailed { .. }
            | Fact::Emitted { .. }
            | Fact::Told { .. }
            | Fact::OperationDecided { .. }
            | Fact::Delegated { .. }
            | Fact::Followed { .. }
            | Fact::JournalFull { .. }
            | Fact::CredentialMinted { .. }
            | Fact::CredentialFailed { .. }
            | Fact::CredentialRotated { .. }
            | Fact::CredentialRevoked { .. }
            | Fact::CredentialStuck { .. }
            | Fact::TokensChanged { .. }
            | Fact::TurnedAway { .. }
            | Fact::NoticesOwed { .. }
            | Fact::NoticeFailed { .. }
            | Fact::NoticeSettled { .. }
            | Fact::NoticeDead { .. }
            | Fact::NoticeOwedAgain { .. }
            | Fact::SinkAdded { .. }
            | Fact::SinkRemoved { .. }
            | Fact::Conversation { .. }
            | Fact::ConversationMismatch { .. }
            | Fact::ResumeFailed { .. }
            | Fact::Parked { .. }
            | Fact::WaitsForAnswer { .. }
            | Fact::BudgetWarned { .. }
            | Fact::QuietFor { .. }
            | Fact::Lively
            | Fact::Mailed { .. }
            | Fact::MailReturned { .. }
            | Fact::AgentChanged { .. }
            | Fact::PoolChanged { .. }
            | Fact::ToolDecided { .. }
            | Fact::QuestionAsked { .. }
            | Fact::QuestionAnswered { .. }
            | Fact::Woke { .. } => {}
        }
    }

    /// Another attempt follows.
    fn goes_on(&mut self, fact: &Fact) {
        match fact {
            Fact::Retrying { not_before, failures } => {
                (self.failures, self.launches) = (*failures, 0);
                self.waits(*not_before);
            }
            Fact::Relaunching { not_before, launches, .. } => {
                self.launches = *launches;
                self.waits(*not_before);
            }
            Fact::Rerunning { not_before, reruns } => {
                self.reruns = *reruns;
                self.waits(*not_before);
            }
            _ => unreachable!("what goes on is one of these"),
        }
    }

    fn begins(&mut self, attempt: u32) {
        self.attempt = attempt;
        (self.started, self.called_off, self.is_open) = (false, false, true);
        self.state = "starting";
    }

    /// Another attempt follows, not before this.
    fn waits(&mut self, not_before: Timestamp) {
        self.not_before = Some(not_before);
        self.state = "queued";
    }

    /// Whether the fold so far is the row.
    fn agrees(&self, job: &Job) -> Result<(), Broken> {
        let is_so = self.state == job.state_name()
            && self.seq == job.events
            && self.attempt == job.attempt
            && self.failures == job.failures
            && self.reruns == job.reruns
            && self.cancelled == job.cancel.is_some()
            && self.ended.as_ref() == job.outcome();
        holds("folding the journal gives the rows", is_so || job.events_dropped > 0, || {
            format!("{}: {self:?}, but {job:?}", job.id)
        })
    }
}

/// Doubling, capped, less at most a quarter.
fn is_backoff(pause: Millis, first: Millis, tries: u32, most: Millis) -> bool {
    let whole =
        first.get().saturating_mul(1 << (tries - 1).min(30)).min(most.get().max(first.get()));
    pause.get() <= whole && pause.get() >= whole - whole / 4
}

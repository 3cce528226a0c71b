//! The delivery machine: one notice, told to one place, until that place has taken it. It tells of a
//! job's end, or of a question about one.
//!
//! ```text
//!           claim           sent             settle
//!  Pending ───────► Claimed ─────► Sent ───────────► Acked
//!   ▲  │ settle        │ due, release │ due, release
//!   │  └──► Acked      │              │
//!   └──────────────────┴──────────────┘
//!   ▲                  │ delivered ──► Acked
//!   └── redeliver ── Dead ◄── failed too often, too old, or for good
//! ```
//! A claim is bounded by time; the number of the try is the fence of everything that is said about
//! it. A claim that lapsed is no failure: nobody knows whether anything was sent, so it is sent again
//! under the same id, and a receiver drops what it has.

mod question;
mod row;
mod settled;
#[cfg(test)]
mod tests;

pub use row::{inbox_lane, project_pool, sink_pool};
pub use settled::Settled;

use crate::backoff;
use crate::command::{Deliver, Refused};
use crate::decide::clip;
use crate::id::{ApprovalId, DeliveryId, HostId, JobId, PresenceId};
use crate::limits;
use crate::port::Phase;
use crate::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

/// One notice to one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id, the same for every try: what a receiver drops doubles by.
    pub id: DeliveryId,
    /// Order: an owner is told of what ended first, first.
    pub seq: u64,
    /// The job whose end is told, or the one that the question is about.
    pub job: JobId,
    /// The question that is told; the job's end if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<ApprovalId>,
    /// Where it is told.
    pub to: Destination,
    /// The job's owner.
    pub owner: Option<String>,
    /// The project that the job belongs to.
    pub project: Option<String>,
    /// Where it is in its life.
    pub state: DeliveryState,
    /// Claims so far. The fence of every report.
    pub tries: u32,
    /// Tries that failed since it was owed.
    pub failures: u32,
    /// Claims that ran out unheard of since it was owed.
    pub lapses: u32,
    /// Since when it is owed; anew when it is sent again by hand.
    pub owed_since: Timestamp,
    /// What became of the newest tries, oldest first.
    pub receipts: Vec<Receipt>,
}

/// Where a notice is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// To the job's owner, who takes it when present.
    Inbox,
    /// To the sink of this name.
    Sink(String),
}

/// Where a delivery is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum DeliveryState {
    /// Waits for its hour, or for a claimant.
    Pending {
        /// Before when it is not tried.
        not_before: Timestamp,
        /// Whether that hour has come.
        is_due: bool,
    },
    /// Somebody is about to tell it.
    Claimed {
        /// Who.
        by: Claimant,
        /// Until when nobody else may.
        until: Timestamp,
    },
    /// It was handed over; the acknowledgement is missing.
    Sent {
        /// To whom.
        by: Claimant,
        /// When it is handed over again.
        ack_by: Timestamp,
    },
    /// Whom it is for knows.
    Acked {
        /// Since when that is recorded.
        at: Timestamp,
        /// Who said so.
        by: String,
        /// How it came to be known.
        how: Settled,
    },
    /// Given up. Kept with its job, listed, and sent again by hand.
    Dead {
        /// When.
        at: Timestamp,
        /// Why, in words.
        because: String,
    },
}

/// Who holds a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claimant {
    /// The courier of a host, on its way to a sink.
    Courier(HostId),
    /// A live connection of an owner.
    Presence {
        /// Which.
        id: PresenceId,
        /// Whose.
        owner: String,
        /// At which host.
        host: HostId,
    },
}

/// What became of one try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Which try.
    pub number: u32,
    /// When it was known.
    pub at: Timestamp,
    /// Whom it was handed to, or what was asked.
    pub by: String,
    /// What came back, in words.
    pub answer: String,
}

/// What a failed try meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterTry {
    /// Another follows, not before this.
    Again(Timestamp),
    /// None follows.
    Dead,
}

impl Claimant {
    /// Where it is.
    pub const fn host(&self) -> &HostId {
        match self {
            Self::Courier(host) | Self::Presence { host, .. } => host,
        }
    }

    /// Who it is, for people.
    pub fn name(&self) -> String {
        match self {
            Self::Courier(host) => format!("the courier of {host}"),
            Self::Presence { owner, .. } => owner.clone(),
        }
    }
}

impl Destination {
    /// What names the place among all places of one job.
    pub fn place(&self) -> String {
        match self {
            Self::Inbox => "inbox".to_owned(),
            Self::Sink(name) => sink_pool(name),
        }
    }
}

impl Delivery {
    /// A notice that is owed from now on.
    pub fn new(job: &crate::job::Job, to: Destination, seq: u64, now: Timestamp) -> Self {
        Self {
            id: DeliveryId::of(&job.id, &to.place()),
            seq,
            job: job.id.clone(),
            about: None,
            to,
            owner: job.owner.clone(),
            project: job.project.clone(),
            state: DeliveryState::Pending { not_before: now, is_due: true },
            tries: 0,
            failures: 0,
            lapses: 0,
            owed_since: now,
            receipts: Vec::new(),
        }
    }

    /// Whether somebody still has to be told.
    pub const fn is_open(&self) -> bool {
        match self.state {
            DeliveryState::Pending { .. }
            | DeliveryState::Claimed { .. }
            | DeliveryState::Sent { .. } => true,
            DeliveryState::Acked { .. } | DeliveryState::Dead { .. } => false,
        }
    }

    /// Whether it is for an owner.
    pub const fn is_inbox(&self) -> bool {
        matches!(self.to, Destination::Inbox)
    }

    /// Who holds it, if somebody does.
    pub const fn claimant(&self) -> Option<&Claimant> {
        match &self.state {
            DeliveryState::Claimed { by, .. } | DeliveryState::Sent { by, .. } => Some(by),
            DeliveryState::Pending { .. }
            | DeliveryState::Acked { .. }
            | DeliveryState::Dead { .. } => None,
        }
    }

    /// The presence that holds it, if one does.
    pub const fn held_by(&self) -> Option<&PresenceId> {
        match self.claimant() {
            Some(Claimant::Presence { id, .. }) => Some(id),
            Some(Claimant::Courier(_)) | None => None,
        }
    }

    /// What people call its state.
    pub const fn state_name(&self) -> &'static str {
        match self.state {
            DeliveryState::Pending { .. } => "pending",
            DeliveryState::Claimed { .. } => "claimed",
            DeliveryState::Sent { .. } => "sent",
            DeliveryState::Acked { .. } => "acked",
            DeliveryState::Dead { .. } => "dead",
        }
    }

    /// How it stands towards those who tell it.
    pub const fn phase(&self) -> Phase {
        match self.state {
            DeliveryState::Pending { is_due: false, .. } => Phase::Delayed,
            DeliveryState::Pending { .. } => Phase::Ready,
            DeliveryState::Claimed { .. } | DeliveryState::Sent { .. } => Phase::Active,
            DeliveryState::Acked { .. } | DeliveryState::Dead { .. } => Phase::Ended,
        }
    }

    /// When it was settled or given up.
    pub const fn ended_at(&self) -> Option<Timestamp> {
        match self.state {
            DeliveryState::Acked { at, .. } | DeliveryState::Dead { at, .. } => Some(at),
            DeliveryState::Pending { .. }
            | DeliveryState::Claimed { .. }
            | DeliveryState::Sent { .. } => None,
        }
    }

    /// When it is dead unless its owner has taken it; never for a sink, which is told by us, and
    /// never for a question, which waits for as long as it is told to.
    pub fn expires_at(&self) -> Option<Timestamp> {
        let expires = self.is_inbox() && self.about.is_none();
        expires.then(|| self.owed_since.plus(limits::INBOX_AGE_MAX))
    }

    /// When time alone will change it.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.state {
            DeliveryState::Pending { not_before, is_due: false } => Some(not_before),
            DeliveryState::Pending { .. } => self.expires_at(),
            DeliveryState::Claimed { until, .. } => Some(until),
            DeliveryState::Sent { ack_by, .. } => Some(ack_by),
            DeliveryState::Acked { .. } | DeliveryState::Dead { .. } => None,
        }
    }

    /// What the courier of its host shall do. A presence takes by itself.
    pub fn wants(&self, host: &HostId) -> Option<Deliver> {
        match &self.state {
            DeliveryState::Claimed { by: Claimant::Courier(at), .. } if at == host => {
                Some(Deliver { delivery: self.id.clone(), number: self.tries })
            }
            _ => None,
        }
    }

    /// Gives it to somebody who will tell it. Only what is ready is claimed; the caller sees to it.
    pub fn claim(&mut self, by: Claimant, now: Timestamp) {
        assert_eq!(self.phase(), Phase::Ready, "only what may be told now is claimed");
        self.tries += 1;
        self.state = DeliveryState::Claimed { by, until: now.plus(limits::CLAIM_MAX) };
    }

    /// It was handed to its claimant. Refuses `StaleDelivery` for another try, `Repeat` if that is
    /// known.
    pub fn sent(&mut self, number: u32, now: Timestamp) -> Result<(), Refused> {
        self.fence(number)?;
        let DeliveryState::Claimed { by, .. } = &self.state else { return Err(Refused::Repeat) };
        let by = by.clone();
        self.keep_receipt(by.name(), "handed over", now);
        self.state = DeliveryState::Sent { by, ack_by: now.plus(limits::INBOX_ACK_MAX) };
        Ok(())
    }

    /// The sink took it. Refuses `StaleDelivery` for another try.
    pub fn delivered(&mut self, number: u32, answer: &str, now: Timestamp) -> Result<(), Refused> {
        self.fence(number)?;
        let by = self.to.place();
        self.keep_receipt(by.clone(), answer, now);
        self.state = DeliveryState::Acked { at: now, by, how: Settled::Answered };
        Ok(())
    }

    /// The sink did not take it. Gives what follows. Refuses `StaleDelivery` for another try.
    ///
    /// `again_after` is the receiver's own wish, kept within [`limits::PUT_OFF_MAX`]; it puts off and
    /// never hurries. `is_final`: the receiver said that no try will ever do.
    pub fn failed(
        &mut self,
        number: u32,
        answer: &str,
        again_after: Option<Millis>,
        is_final: bool,
        now: Timestamp,
    ) -> Result<AfterTry, Refused> {
        self.fence(number)?;
        self.keep_receipt(self.to.place(), answer, now);
        self.failures += 1;
        let age = now.since(self.owed_since);
        let is_old = age > limits::DELIVERY_AGE_MAX;
        let because = if is_final {
            Some(format!("refused for good: {}", clip(answer, limits::ANSWER_BYTES_MAX)))
        } else if self.failures >= limits::DELIVERY_TRIES_MAX {
            Some(format!("{} tries failed", self.failures))
        } else if is_old && self.failures >= limits::DELIVERY_AGED_TRIES_MIN {
            Some(format!("no try worked for {age}"))
        } else {
            None
        };
        if let Some(because) = because {
            self.die(because, now);
            return Ok(AfterTry::Dead);
        }
        let pause = backoff::delay(
            self.id.as_str(),
            self.failures,
            limits::DELIVERY_DELAY,
            limits::DELIVERY_DELAY_MAX,
        );
        let put_off = again_after.unwrap_or(Millis::ZERO).min(limits::PUT_OFF_MAX);
        let not_before = now.plus(pause.max(put_off));
        self.state = DeliveryState::Pending { not_before, is_due: false };
        Ok(AfterTry::Again(not_before))
    }

    /// Whom it is for knows. Also before its first try, and while one is under way: what that one
    /// reports is stale then. Refuses `Repeat` when it was settled or given up.
    pub fn settle(&mut self, by: &str, how: Settled, now: Timestamp) -> Result<(), Refused> {
        if !self.is_open() {
            return Err(Refused::Repeat);
        }
        self.state = DeliveryState::Acked { at: now, by: by.to_owned(), how };
        Ok(())
    }

    /// Its claimant is gone, or has to give it back: it may be told at once.
    pub fn release(&mut self, now: Timestamp) {
        if self.claimant().is_some() {
            self.state = DeliveryState::Pending { not_before: now, is_due: true };
        }
    }

    /// Its hour has come: it may be told, was heard nothing of, or waited too long.
    pub fn on_due(&mut self, now: Timestamp) {
        if self.due_at().is_none_or(|at| at > now) {
            return;
        }
        match &mut self.state {
            DeliveryState::Pending { is_due: is_due @ false, .. } => *is_due = true,
            DeliveryState::Pending { .. } => {
                let because = format!("nobody took it for {}", now.since(self.owed_since));
                self.die(because, now);
            }
            DeliveryState::Claimed { .. } | DeliveryState::Sent { .. } => {
                self.lapses = self.lapses.saturating_add(1);
                // Who holds a claim and says nothing may be in trouble that another try adds to.
                let pause = backoff::delay(
                    self.id.as_str(),
                    self.lapses,
                    limits::DELIVERY_DELAY,
                    limits::CLAIM_MAX,
                );
                let not_before = now.plus(pause);
                self.state = DeliveryState::Pending { not_before, is_due: false };
            }
            DeliveryState::Acked { .. } | DeliveryState::Dead { .. } => {}
        }
    }

    /// Gives it up.
    pub fn die(&mut self, because: String, now: Timestamp) {
        self.state = DeliveryState::Dead { at: now, because };
    }

    /// Owes it again, from the start. Refuses `NotDead`.
    pub fn redeliver(&mut self, now: Timestamp) -> Result<(), Refused> {
        if !matches!(self.state, DeliveryState::Dead { .. }) {
            return Err(Refused::NotDead { delivery: self.id.clone(), state: self.state_name() });
        }
        (self.failures, self.lapses, self.owed_since) = (0, 0, now);
        self.state = DeliveryState::Pending { not_before: now, is_due: true };
        Ok(())
    }

    /// Moves what its claimant was given by how long the machine slept.
    pub fn woke(&mut self, slept: Millis) {
        match &mut self.state {
            DeliveryState::Claimed { until: at, .. } | DeliveryState::Sent { ack_by: at, .. } => {
                *at = at.plus(slept);
            }
            DeliveryState::Pending { .. }
            | DeliveryState::Acked { .. }
            | DeliveryState::Dead { .. } => {}
        }
    }

    /// Refuses what is not about the try that is under way.
    fn fence(&self, number: u32) -> Result<(), Refused> {
        if self.phase() == Phase::Active && number == self.tries {
            Ok(())
        } else {
            Err(Refused::StaleDelivery(self.id.clone()))
        }
    }

    fn keep_receipt(&mut self, by: String, answer: &str, now: Timestamp) {
        if self.receipts.len() == limits::RECEIPTS_MAX {
            self.receipts.remove(0);
        }
        let answer = clip(answer, limits::ANSWER_BYTES_MAX);
        self.receipts.push(Receipt { number: self.tries, at: now, by, answer });
    }
}

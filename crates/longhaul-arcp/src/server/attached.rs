//! A connection that has its session: what it waits for, and what it holds back meanwhile.

use super::ask::{Answered, AskId, Fed};
use super::pace::Pace;
use super::seen::Seen;
use crate::features::Features;
use crate::limits::{KNOWN_JOBS_MAX, MISTAKEN_ASKS_MAX};
use crate::profile::Profile;
use crate::pulse::Pulse;
use crate::trace::Trace;
use longhaul_core::time::Timestamp;
use std::collections::{BTreeSet, VecDeque};

/// What is known of the session under a connection.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) session_id: String,
    pub(super) features: Features,
    pub(super) profile: Profile,
    pub(super) seen: Seen,
    /// What was asked and not answered, in the order in which the client asked.
    pub(super) open: VecDeque<Request>,
    /// Errors about jobs that no submission may be taken for.
    pub(super) late: VecDeque<Held<Request>>,
    pub(super) acks: Acks,
    /// Frames that were read and may not be sent yet.
    pub(super) feed: VecDeque<Held<Fed>>,
    /// The newest number that the client has, or was sent.
    pub(super) newest: u64,
    /// Until when nothing of the feed is sent.
    pub(super) rest_until: Option<Timestamp>,
    /// Jobs that the client was told of.
    pub(super) known: BTreeSet<String>,
    /// None if no acknowledgements were agreed on: then only the transport says how fast the client is.
    pub(super) pace: Option<Pace>,
    /// None if no signs of life were agreed on.
    pub(super) pulse: Option<Pulse>,
    /// Whether the client has said that it leaves.
    pub(super) is_leaving: bool,
}

/// Something that waits, and what had been asked when it began to. What is asked later is not waited
/// for, or a client that never stops asking would never hear of it.
#[derive(Debug)]
pub(super) struct Held<T> {
    pub(super) what: T,
    pub(super) newest: AskId,
}

/// Something that the client asked for.
#[derive(Debug)]
pub(super) struct Request {
    /// What the runtime was asked; none if the answer was clear at once.
    pub(super) ask: Option<AskId>,
    /// The client's id for it.
    pub(super) id: String,
    pub(super) trace: Option<Trace>,
    pub(super) what: What,
    pub(super) answer: Option<Answered>,
}

/// Of which sort a request is; that says how it is answered.
#[derive(Debug)]
pub(super) enum What {
    Submit,
    Cancel {
        job_id: String,
        reason: Option<String>,
    },
    List {
        cursor: Option<String>,
    },
    Subscribe {
        job_id: String,
    },
    Unsubscribe,
    Leave {
        is_answered: bool,
    },
    /// It could not be understood, or may not be asked.
    Nothing,
}

/// How far the client has come. One ask is open at a time, so that a client that acknowledges every
/// event costs one commit in a while and not one each.
#[derive(Debug, Default)]
pub(super) struct Acks {
    pub(super) open: Option<AskId>,
    pub(super) asked: u64,
    pub(super) wanted: u64,
}

impl Attached {
    /// Whether a submission that was asked up to this ask waits for its answer.
    fn has_open_submission(&self, newest: AskId) -> bool {
        let is_it = |request: &Request| matches!(request.what, What::Submit);
        self.open
            .iter()
            .any(|request| is_it(request) && request.ask.is_none_or(|ask| ask <= newest))
    }

    /// Whether the client could take what is said about a job that it does not know for the answer to a
    /// submission. Nobody waits for its answers for ever.
    pub(super) fn could_mistake<T>(&self, held: &Held<T>) -> bool {
        self.has_open_submission(AskId(held.newest.0.saturating_add(MISTAKEN_ASKS_MAX)))
    }

    fn is_about_to_follow(&self, job: &str) -> bool {
        let is_it = |what: &What| matches!(what, What::Subscribe { job_id } if job_id == job);
        self.open.iter().any(|request| is_it(&request.what))
    }

    /// When time alone has something to say.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        let beats_at = self.pulse.as_ref().map(Pulse::due_at);
        let gives_up_at = self.pace.as_ref().and_then(Pace::due_at);
        beats_at.into_iter().chain(gives_up_at).chain(self.rest_until).min()
    }

    /// Whether the feed has stood still for too long.
    pub(super) fn is_given_up(&self, now: Timestamp) -> bool {
        self.pace.as_ref().is_some_and(|pace| pace.is_over(now))
    }

    /// Whether one more of the feed may be sent. If not, the feed stands still from now on.
    pub(super) fn has_room(&mut self, now: Timestamp) -> bool {
        let Some(pace) = &mut self.pace else { return true };
        let has_room = pace.has_room();
        if !has_room {
            pace.pause(now);
        }
        has_room
    }

    /// Whether this frame may be sent now. A job's frames come after the client was told of the job.
    pub(super) fn may_send(&self, held: &Held<Fed>) -> bool {
        let fed = &held.what;
        if self.is_about_to_follow(&fed.job_id) {
            return false;
        }
        if self.known.contains(&fed.job_id) {
            return true;
        }
        if fed.accepted.is_some() {
            return !self.could_mistake(held);
        }
        // Which job a submission that is not answered yet is about, nobody here can know.
        !self.has_open_submission(held.newest)
    }

    /// The client was told of a job.
    pub(super) fn told_of(&mut self, job: &str) {
        if self.known.len() >= KNOWN_JOBS_MAX {
            // Its frames may be held back for a moment longer than need be; that is all.
            self.known.pop_first();
        }
        self.known.insert(job.to_owned());
    }
}

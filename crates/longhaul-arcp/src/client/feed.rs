//! What jobs tell: in the order of its numbers, each number once.

use super::Connection;
use super::ask::{End, Failure, Gave, Lost, Status, Told};
use crate::message::{Envelope, Event, JobError, Message, Outcome, ResultChunk};
use longhaul_core::time::Timestamp;
use serde::Deserialize;

/// What of a frame that cannot be read has to be known all the same.
#[derive(Deserialize)]
struct Number {
    event_seq: Option<u64>,
    session_id: Option<String>,
    job_id: Option<String>,
}

impl Connection {
    /// A message in the session.
    pub(super) fn on_told(&mut self, envelope: Envelope, now: Timestamp) {
        let Envelope { id, session_id, job_id, trace, event_seq, message, .. } = envelope;
        if !self.is_own(session_id.as_deref()) {
            return;
        }
        let is_of_job =
            matches!(message, Message::Cancelled(_) | Message::Outcome(_) | Message::JobError(_));
        if is_of_job && event_seq.is_some_and(|seq| !self.is_next(seq, now)) {
            return;
        }
        match message {
            Message::Ping(ping) => self.pong(ping, now),
            Message::Accepted(accepted) => self.on_accepted(&id, trace, *accepted),
            Message::Jobs(jobs) => self.on_jobs(&id, jobs),
            Message::Subscribed(subscribed) => self.on_subscribed(&id, *subscribed),
            Message::Cancelled(cancelled) => self.on_cancelled(&id, job_id.as_deref(), cancelled),
            Message::Error(error) => self.on_error(&id, trace.as_ref(), error),
            Message::Event(event) => self.on_event(job_id, event_seq, event, now),
            Message::Outcome(outcome) => {
                self.on_end(job_id, event_seq, |gave| succeeded(outcome, gave));
            }
            Message::JobError(error) => {
                let job = job_id.as_deref();
                let is_numbered = event_seq.is_some();
                let left = self.on_job_error(&id, job, trace.as_ref(), is_numbered, error);
                if let Some(error) = left {
                    self.on_end(job_id, event_seq, |gave| failed(error, gave));
                }
            }
            // The rest is for runtimes to hear, or says nothing.
            _ => {}
        }
    }

    /// A frame that is no message. If it has a number, that number was told all the same.
    pub(super) fn on_unread(&mut self, text: &str, why: &str, now: Timestamp) {
        let Ok(number) = serde_json::from_str::<Number>(text) else { return };
        let Some(event_seq) = number.event_seq else { return };
        if !self.is_own(number.session_id.as_deref()) || !self.is_next(event_seq, now) {
            return;
        }
        let job_id = number.job_id;
        let is_news = job_id.as_deref().is_none_or(|id| self.is_news(id, event_seq));
        if is_news {
            self.tell(Told::Unreadable { job_id, event_seq, why: why.to_owned() });
        }
    }

    fn is_own(&self, session_id: Option<&str>) -> bool {
        let own = self.session.as_ref().map(|session| session.id.as_str());
        session_id.is_none_or(|id| Some(id) == own)
    }

    /// Takes a number in. [arcp §8.1] One that was there is passed over; where one is missing, the
    /// session is gone on with from there on another transport, and once more missing given up.
    fn is_next(&mut self, event_seq: u64, now: Timestamp) -> bool {
        let Some(session) = &mut self.session else { return false };
        if event_seq <= session.newest {
            return false;
        }
        if event_seq > session.newest + 1 {
            let is_again = session.gap_at == Some(session.newest);
            session.gap_at = Some(session.newest);
            if is_again {
                self.forget_session();
            }
            self.reconnect(Lost::Gap);
            return false;
        }
        session.newest = event_seq;
        self.took(now);
        true
    }

    fn is_news(&mut self, job_id: &str, event_seq: u64) -> bool {
        // A job that nobody named yet is one of our own, told of before its acceptance was heard.
        let is_new = self.jobs.get(job_id).is_none();
        let is_doubtful = is_new && self.may_find_jobs();
        let job = self.jobs.known(job_id, true);
        if is_doubtful {
            job.begins_again(true);
        }
        job.is_news(event_seq)
    }

    fn on_event(
        &mut self,
        job_id: Option<String>,
        event_seq: Option<u64>,
        event: Event,
        now: Timestamp,
    ) {
        let Some(event_seq) = event_seq.filter(|seq| self.is_next(*seq, now)) else { return };
        let Some(job_id) = job_id else { return };
        if !self.is_news(&job_id, event_seq) {
            return;
        }
        let told = match chunk_of(&event) {
            None => Told::Event { job_id, event_seq, event },
            Some(Err(why)) => Told::Unreadable { job_id: Some(job_id), event_seq, why },
            Some(Ok(chunk)) => match self.jobs.known(&job_id, true).pieces.take(chunk) {
                Ok(piece) => Told::Piece { job_id, event_seq, piece },
                Err(why) => Told::Unreadable { job_id: Some(job_id), event_seq, why },
            },
        };
        self.tell(told);
    }

    /// A job that is followed again without its past may have ended meanwhile; how is all that is known.
    pub(super) fn on_end_missed(&mut self, job_id: &str, state: &str) {
        if !matches!(state, "success" | "error" | "cancelled" | "timed_out") {
            return;
        }
        self.on_end(Some(job_id.to_owned()), None, |_| End {
            status: Status::named(state),
            gave: Gave::Nothing,
            summary: None,
            failure: None,
            completed_at: None,
        });
    }

    /// A job has ended. An end without a number is a repetition for those who did not hear it.
    fn on_end(
        &mut self,
        job_id: Option<String>,
        event_seq: Option<u64>,
        end: impl FnOnce(super::pieces::Pieces) -> End,
    ) {
        let Some(job_id) = job_id else { return };
        let is_news = match event_seq {
            Some(event_seq) => self.is_news(&job_id, event_seq),
            None => self.jobs.get(&job_id).is_some_and(super::jobs::Job::is_live),
        };
        if !is_news {
            return;
        }
        let job = self.jobs.known(&job_id, true);
        job.is_ended = true;
        let end = Box::new(end(std::mem::take(&mut job.pieces)));
        self.tell(Told::Ended { job_id, end });
    }
}

fn chunk_of(event: &Event) -> Option<Result<ResultChunk, String>> {
    if event.kind != "result_chunk" {
        return None;
    }
    let body = event.body.as_ref().map_or("null", |body| body.get());
    Some(serde_json::from_str(body).map_err(|error| format!("`result_chunk`: {error}")))
}

fn succeeded(outcome: Outcome, pieces: super::pieces::Pieces) -> End {
    let gave = if outcome.result_id.is_some() || !pieces.is_empty() {
        pieces.whole(outcome.result_id)
    } else {
        outcome.result.or(outcome.output).map_or(Gave::Nothing, Gave::Inline)
    };
    End {
        status: Status::named(&outcome.final_status),
        gave,
        summary: outcome.summary,
        failure: None,
        completed_at: outcome.completed_at,
    }
}

fn failed(error: JobError, pieces: super::pieces::Pieces) -> End {
    let gave = if pieces.is_empty() { Gave::Nothing } else { pieces.whole(None) };
    let status = match Status::named(&error.final_status) {
        Status::Success => Status::Error,
        other => other,
    };
    let failure = Failure {
        code: error.code,
        message: error.message,
        is_retryable: error.retryable,
        details: error.details,
    };
    End { status, gave, summary: None, failure: Some(failure), completed_at: error.completed_at }
}

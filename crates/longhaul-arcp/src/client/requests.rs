//! Asks, and how their answers find them.
//!
//! A runtime that says which message it answers is believed. Others are matched as they answer: what
//! was asked for is accepted or refused under its own trace; what is left belongs to the oldest ask
//! that it can be an answer to, for all known runtimes answer in the order of the requests.

use super::ask::{Answer, Ask, AskId, Lost, Output, Over, Told};
use super::handshake::denial_of;
use super::{Connection, State};
use crate::codec;
use crate::error::{Code, Denial};
use crate::features::Feature;
use crate::message::{
    self, Accepted, Cancel, Cancelled, Envelope, JobError, Jobs, Message, Submit, Subscribe,
    Subscribed,
};
use crate::trace::Trace;
use serde_json::{Map, Value};

/// Something that was asked and not answered yet.
#[derive(Debug)]
pub(super) struct Request {
    /// Who waits for the answer; nobody if the connection asks for itself.
    pub(super) ask_id: Option<AskId>,
    pub(super) ask: Ask,
    /// The message that asked last.
    envelope_id: String,
    /// The session in which it was asked first.
    first_session: Option<String>,
}

impl Request {
    pub(super) const fn new(ask_id: Option<AskId>, ask: Ask) -> Self {
        Self { ask_id, ask, envelope_id: String::new(), first_session: None }
    }

    pub(super) fn is_subscription_to(&self, job: &str) -> bool {
        matches!(&self.ask, Ask::Subscribe { job_id, .. } if job_id == job)
    }

    fn is_cancel_of(&self, job: &str) -> bool {
        matches!(&self.ask, Ask::Cancel { job_id, .. } if job_id == job)
    }

    const fn is_submission(&self) -> bool {
        matches!(self.ask, Ask::Submit(_))
    }

    fn is_traced_by(&self, trace: Option<&Trace>) -> bool {
        let same = |own: &Trace| trace.is_some_and(|trace| trace.id() == own.id());
        matches!(&self.ask, Ask::Submit(submission) if same(&submission.trace))
    }
}

impl Connection {
    /// The frame that asks. Each time it is asked, it is asked in a message of its own: runtimes pass
    /// over what they have seen.
    pub(super) fn written(&mut self, request: &mut Request) -> String {
        request.envelope_id = self.next_id();
        let session_id = self.session.as_ref().map_or("", |session| &session.id);
        let message = match &request.ask {
            Ask::Submit(submission) => Message::Submit(Box::new(Submit {
                agent: submission.agent.clone(),
                input: submission.input.clone(),
                lease_request: Some(submission.lease.clone()).filter(|lease| !lease.is_empty()),
                lease_constraints: submission.constraints.clone(),
                idempotency_key: Some(submission.key.clone()),
                max_runtime_sec: submission.runtime_secs_max,
            })),
            Ask::List(list) => Message::ListJobs(list.clone()),
            Ask::Subscribe { job_id, is_from_start } => Message::Subscribe(Subscribe {
                job_id: job_id.clone(),
                from_event_seq: is_from_start.then_some(0),
                history: Some(*is_from_start),
            }),
            Ask::Cancel { reason, .. } => {
                // Some runtimes hear no cancellation without a reason.
                let reason = reason.clone().unwrap_or_else(|| "asked to".to_owned());
                Message::Cancel(Cancel { reason: Some(reason), job_id: None })
            }
        };
        let mut envelope = Envelope::new(request.envelope_id.clone(), session_id, message);
        match &request.ask {
            Ask::Submit(submission) => envelope.trace = Some(submission.trace.clone()),
            Ask::Cancel { job_id, .. } => envelope.job_id = Some(job_id.clone()),
            Ask::List(_) | Ask::Subscribe { .. } => {}
        }
        codec::write(&envelope)
    }

    pub(super) fn send_request(&mut self, request: &mut Request, text: String) {
        if let Ask::Subscribe { job_id, is_from_start } = &request.ask {
            // What comes of a job that nobody heard of is its start, even if that is told before the
            // answer.
            let is_unheard = self.jobs.get(job_id).is_none() && !self.may_find_jobs();
            let job = self.jobs.known(job_id, *is_from_start);
            job.is_wanted = true;
            let answers_first = matches!(&self.state, State::Attached(at) if at.names_requests);
            if *is_from_start {
                job.begins_again(answers_first && !is_unheard);
            }
        }
        if request.first_session.is_none() {
            request.first_session = self.session.as_ref().map(|session| session.id.clone());
        }
        self.outbox.push_back(Output::Send(text));
    }

    /// The ask that a message with these marks answers.
    fn named(&self, marks: &[Option<&str>]) -> Option<usize> {
        let is_named = |request: &Request| {
            marks.iter().flatten().any(|mark| *mark == request.envelope_id.as_str())
        };
        self.open.iter().position(is_named)
    }

    fn first(&self, fits: impl Fn(&Request) -> bool) -> Option<usize> {
        self.open.iter().position(fits)
    }

    /// Takes the ask at this place as answered.
    fn answer(&mut self, place: usize, answer: Result<Answer, Denial>) {
        let Some(request) = self.open.remove(place) else { return };
        if let (Ask::Subscribe { job_id, .. }, Err(_)) = (&request.ask, &answer)
            && let Some(job) = self.jobs.get_mut(job_id)
        {
            job.goes_on();
        }
        let was_submission = request.is_submission();
        match (request.ask_id, request.ask, answer) {
            (Some(id), _, answer) => self.tell(Told::Answered(id, answer)),
            (None, Ask::Subscribe { job_id, .. }, Err(denial)) => {
                if let Some(job) = self.jobs.get_mut(&job_id) {
                    job.is_wanted = false;
                }
                self.tell(Told::Gone { job_id, denial });
            }
            (None, _, _) => {}
        }
        if was_submission && !self.may_find_jobs() {
            self.follow_found();
        }
    }

    pub(super) fn on_accepted(&mut self, envelope_id: &str, trace: Option<Trace>, got: Accepted) {
        let trace = trace.or_else(|| got.trace_id.as_deref().and_then(Trace::parse));
        let named = self.named(&[got.request_id.as_deref(), Some(envelope_id)]);
        let is_delegated = got.parent_job_id.is_some();
        let place = named.or_else(|| {
            if is_delegated || got.request_id.is_some() {
                return None;
            }
            self.first(|request| request.is_traced_by(trace.as_ref()))
                .or_else(|| self.first(Request::is_submission))
        });
        let Some(place) = place else {
            self.jobs.known(&got.job_id, is_delegated);
            if is_delegated {
                self.tell(Told::Delegated(Box::new(got)));
            }
            return;
        };
        let request = &self.open[place];
        let own = self.session.as_ref().map(|session| &session.id);
        let is_elsewhere = request.first_session.as_ref() != own;
        let is_fresh = matches!(&request.ask, Ask::Submit(asked) if asked.is_key_fresh);
        let job_id = got.job_id.clone();
        self.jobs.known(&job_id, is_fresh).is_wanted = true;
        self.answer(place, Ok(Answer::Submitted(Box::new(got))));
        // A runtime that repeats before it answers tells the rest of such a job by itself.
        if self.can_find_jobs() && (is_elsewhere || !is_fresh) {
            let job = self.jobs.known(&job_id, true);
            if job.is_live() && job.told == 0 {
                job.begins_again(true);
            }
        } else if is_elsewhere && self.has(Feature::Subscribe) {
            self.follow_from_start(job_id);
        }
        self.follow_found();
    }

    /// Whether a job that was there already can be told from its start without doubt.
    fn can_find_jobs(&self) -> bool {
        self.names_requests() && self.has(Feature::Subscribe)
    }

    /// Whether a job that nobody named yet may have told something to another session: it may be the
    /// one that a repeated submission will find.
    pub(super) fn may_find_jobs(&self) -> bool {
        let own = self.session.as_ref().map(|session| &session.id);
        let is_doubtful = |request: &Request| match &request.ask {
            Ask::Submit(asked) => !asked.is_key_fresh || request.first_session.as_ref() != own,
            Ask::List(_) | Ask::Subscribe { .. } | Ask::Cancel { .. } => false,
        };
        self.can_find_jobs() && self.open.iter().any(is_doubtful)
    }

    /// Follows the jobs that were found from their start.
    fn follow_found(&mut self) {
        let waiting: Vec<String> = self
            .jobs
            .iter_mut()
            .filter(|(_, job)| job.is_live() && job.waits_for_answer())
            .map(|(id, _)| id.clone())
            .filter(|id| !self.open.iter().any(|request| request.is_subscription_to(id)))
            .collect();
        for job_id in waiting {
            self.follow_from_start(job_id);
        }
    }

    fn follow_from_start(&mut self, job_id: String) {
        let mut request = Request::new(None, Ask::Subscribe { job_id, is_from_start: true });
        let text = self.written(&mut request);
        self.send_request(&mut request, text);
        self.open.push_back(request);
    }

    pub(super) fn on_jobs(&mut self, envelope_id: &str, mut got: Jobs) {
        // Some runtimes know only the one word, some only the other.
        for entry in got.jobs.iter_mut().filter(|entry| entry.created_at.is_empty()) {
            entry.created_at.clone_from(&entry.submitted_at);
        }
        let named = self.named(&[Some(&got.request_id), Some(envelope_id)]);
        let place = named.or_else(|| {
            let is_list = |request: &Request| matches!(request.ask, Ask::List(_));
            if self.names_requests() { None } else { self.first(is_list) }
        });
        if let Some(place) = place {
            self.answer(place, Ok(Answer::Listed(got)));
        }
    }

    pub(super) fn on_cancelled(&mut self, id: &str, job: Option<&str>, got: Cancelled) {
        let named = self.named(&[got.request_id.as_deref(), Some(id)]);
        let place = named
            .or_else(|| self.first(|request| job.is_some_and(|job| request.is_cancel_of(job))));
        if let Some(place) = place {
            self.answer(place, Ok(Answer::Cancelled(got)));
        }
    }

    pub(super) fn on_subscribed(&mut self, envelope_id: &str, got: Subscribed) {
        let named = self.named(&[got.request_id.as_deref(), Some(envelope_id)]);
        let place = named.or_else(|| self.first(|one| one.is_subscription_to(&got.job_id)));
        let Some(place) = place else { return };
        let answers_first = self.names_requests();
        let mut is_short = false;
        if let Ask::Subscribe { is_from_start: true, .. } = self.open[place].ask {
            let job = self.jobs.known(&got.job_id, true);
            is_short = if answers_first && got.replayed && !job.has_begun() {
                job.begins_again_after(got.subscribed_from);
                false
            } else {
                !job.goes_on()
            };
        }
        if is_short {
            self.tell(Told::Gap { job_id: got.job_id.clone() });
        }
        let is_for_us = self.open[place].ask_id.is_none();
        if is_for_us && !got.replayed {
            self.on_end_missed(&got.job_id, &got.current_status);
        }
        self.answer(place, Ok(Answer::Following(Box::new(got))));
    }

    /// An error about a job that may be an answer. Gives it back if it is none: then the job has ended.
    pub(super) fn on_job_error(
        &mut self,
        envelope_id: &str,
        job: Option<&str>,
        trace: Option<&Trace>,
        is_numbered: bool,
        error: JobError,
    ) -> Option<JobError> {
        let marks = [error.request_id.as_deref(), detail(error.details.as_ref(), "request_id")];
        let named = self.named(&[marks[0], marks[1], Some(envelope_id)]);
        let known = job.and_then(|job| self.jobs.get(job));
        let is_about_cancel =
            matches!(error.code, Code::JobNotFound | Code::PermissionDenied | Code::InvalidRequest);
        let of_job = |request: &Request| {
            job.is_some_and(|job| {
                (is_about_cancel && request.is_cancel_of(job)) || request.is_subscription_to(job)
            })
        };
        let is_end_for_sure = is_numbered && (self.names_requests() || known.is_some());
        let may_be_rejection = !is_numbered || (known.is_none() && !self.names_requests());
        let place = named.or_else(|| {
            if is_end_for_sure && (self.names_requests() || !is_about_cancel) {
                return None;
            }
            let rejected = |fits: &dyn Fn(&Request) -> bool| {
                if may_be_rejection { self.first(fits) } else { None }
            };
            let any = |one: &Request| known.is_none() && one.is_submission();
            self.first(of_job)
                .or_else(|| rejected(&|one| one.is_traced_by(trace)))
                .or_else(|| rejected(&any))
        });
        let Some(place) = place else { return Some(error) };
        let details = error.details.unwrap_or_default();
        let denial = Denial { code: error.code, message: error.message, details };
        self.answer(place, Err(denial));
        None
    }

    /// An error of the session: an answer to something, or the end of the transport.
    pub(super) fn on_error(&mut self, id: &str, trace: Option<&Trace>, error: message::Error) {
        let marks = [error.request_id.as_deref(), detail(error.details.as_ref(), "request_id")];
        let named = self.named(&[marks[0], marks[1], Some(id)]);
        let job = detail(error.details.as_ref(), "job_id");
        let is_unnamed = marks[0].is_none() && marks[1].is_none();
        let place = named.or_else(|| {
            self.first(|one| one.is_traced_by(trace))
                .or_else(|| self.first(|one| job.is_some_and(|job| one.is_subscription_to(job))))
        });
        match error.code {
            Code::HeartbeatLost => return self.reconnect(Lost::Told(denial_of(error))),
            Code::ResumeWindowExpired => {
                self.forget_session();
                return self.reconnect(Lost::Told(denial_of(error)));
            }
            Code::Unauthenticated => return self.end(Over::Refused(denial_of(error))),
            _ => {}
        }
        let place = place.or_else(|| (is_unnamed && !self.open.is_empty()).then_some(0));
        match place {
            Some(place) => self.answer(place, Err(denial_of(error))),
            None => self.tell(Told::Trouble(denial_of(error))),
        }
    }
}

fn detail<'a>(details: Option<&'a Map<String, Value>>, key: &str) -> Option<&'a str> {
    details?.get(key)?.as_str()
}

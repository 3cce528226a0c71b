//! How requests are answered: in the order in which they came, for clients rely on it.

use super::ask::{Answer, AskId, Close, Fed, Listed, Submitted};
use super::attached::{Held, Request, What};
use super::{Connection, State};
use crate::error::{Code, Denial};
use crate::limits::{LATE_REPLIES_MAX, REASON_BYTES_MAX, SUBSCRIBED_REST};
use crate::message::{self, Cancelled, Envelope, JobEntry, JobError, Jobs, Message};
use crate::trace::Trace;
use longhaul_core::time::Timestamp;

/// Bytes of a page of jobs besides its entries, generously.
const PAGE_AROUND_BYTES: usize = 4 * 1024;

impl Connection {
    /// Sends whatever may be sent by now.
    pub(super) fn pump(&mut self, now: Timestamp) {
        loop {
            let State::Attached(attached) = &mut self.state else { return };
            let is_answered = attached.open.front().is_some_and(|request| request.answer.is_some());
            if is_answered && let Some(request) = attached.open.pop_front() {
                self.reply(request, now);
                continue;
            }
            let late = attached.late.front();
            if late.is_some_and(|late| !attached.could_mistake(late))
                && let Some(late) = attached.late.pop_front()
            {
                self.reply_about_job(late.what, now);
                continue;
            }
            if attached.rest_until.is_some_and(|until| now < until) {
                return;
            }
            attached.rest_until = None;
            let first = attached.feed.front();
            if !first.is_some_and(|first| attached.may_send(first)) || !attached.has_room(now) {
                return;
            }
            if let Some(held) = attached.feed.pop_front() {
                self.forward(held.what);
            }
        }
    }

    fn reply(&mut self, request: Request, now: Timestamp) {
        match &request.what {
            What::Submit => self.reply_submit(request, now),
            What::Cancel { .. } => self.reply_cancel(request, now),
            What::List { .. } | What::Subscribe { .. } => self.reply_read(request),
            What::Unsubscribe => {}
            What::Leave { is_answered } => {
                if *is_answered {
                    self.tell(Message::Closed);
                }
                self.end(Close::BYE);
            }
            What::Nothing => self.reply_error(&request),
        }
    }

    fn reply_submit(&mut self, mut request: Request, now: Timestamp) {
        match request.answer.take() {
            Some(Ok(Answer::Submitted(submitted))) => self.accept(request, *submitted),
            Some(Err(denial)) => self.reject(&request, &denial, now),
            Some(Ok(_)) | None => self.reject(&request, &Denial::internal(), now),
        }
    }

    fn accept(&mut self, request: Request, submitted: Submitted) {
        let mut accepted = submitted.accepted;
        accepted.request_id = Some(request.id);
        self.tell_accepted(accepted);
        let State::Attached(attached) = &self.state else { return };
        let newest = attached.newest;
        if let Some(ended) = submitted.ended.filter(|ended| ended.event_seq <= newest) {
            self.push_frame(ended.text);
        }
    }

    fn tell_accepted(&mut self, accepted: message::Accepted) {
        if let State::Attached(attached) = &mut self.state {
            attached.told_of(&accepted.job_id);
        }
        let job_id = accepted.job_id.clone();
        let trace = accepted.trace_id.as_deref().and_then(Trace::parse);
        self.tell_of_job(job_id, trace, Message::Accepted(Box::new(accepted)));
    }

    /// A submission comes to nothing. The draft's clients settle it by an error of a job that never was;
    /// others only by an error of the session.
    fn reject(&mut self, request: &Request, denial: &Denial, now: Timestamp) {
        let State::Attached(attached) = &self.state else { return };
        let by_session = attached.profile.refuses_by_session();
        let job_id = self.fresh_job_id();
        if by_session {
            let State::Attached(attached) = &self.state else { return };
            let session_id = attached.session_id.clone();
            let mut envelope = self.error_envelope(&session_id, Some(&request.id), denial);
            envelope.job_id = Some(job_id);
            envelope.trace.clone_from(&request.trace);
            self.send(&envelope);
        } else {
            self.tell_job_error(job_id, request, denial, now);
        }
    }

    fn reply_cancel(&mut self, request: Request, now: Timestamp) {
        let What::Cancel { job_id, reason } = &request.what else { return };
        if let Some(Ok(_)) = request.answer {
            let (job_id, reason) = (job_id.clone(), reason.clone());
            let cancelled = Cancelled { reason, request_id: Some(request.id) };
            return self.tell_of_job(job_id, request.trace, Message::Cancelled(cancelled));
        }
        // A client that has a submission open would take an error about a job that it does not know for
        // the answer to that.
        let held = Held { what: request, newest: AskId(self.count) };
        let State::Attached(attached) = &mut self.state else { return };
        if attached.could_mistake(&held) && attached.late.len() < LATE_REPLIES_MAX {
            attached.late.push_back(held);
        } else {
            self.reply_about_job(held.what, now);
        }
    }

    /// An error about a job that exists or not. It has no number: the job's own row of events is not
    /// touched by it.
    fn reply_about_job(&mut self, mut request: Request, now: Timestamp) {
        let denial = match request.answer.take() {
            Some(Err(denial)) => denial,
            Some(Ok(_)) | None => Denial::internal(),
        };
        let What::Cancel { job_id, .. } = &request.what else { return };
        self.tell_job_error(job_id.clone(), &request, &denial, now);
    }

    fn tell_job_error(
        &mut self,
        job_id: String,
        request: &Request,
        denial: &Denial,
        now: Timestamp,
    ) {
        let details = details_of(denial, Some(&request.id));
        let error = JobError {
            final_status: "error".to_owned(),
            code: denial.code,
            message: clip(&denial.message, REASON_BYTES_MAX).to_owned(),
            retryable: denial.code.is_retryable(),
            details: Some(details),
            completed_at: Some(now.rfc3339()),
            request_id: Some(request.id.clone()),
        };
        self.tell_of_job(job_id, request.trace.clone(), Message::JobError(error));
    }

    fn reply_read(&mut self, mut request: Request) {
        match (request.answer.take(), &request.what) {
            (Some(Ok(Answer::Listed(listed))), What::List { cursor }) => {
                let jobs = self.page(listed, cursor.clone(), request.id);
                self.tell(Message::Jobs(jobs));
            }
            (Some(Ok(Answer::Following(following))), What::Subscribe { .. }) => {
                let mut subscribed = following.subscribed;
                subscribed.request_id = Some(request.id);
                if let State::Attached(attached) = &mut self.state {
                    attached.told_of(&subscribed.job_id);
                    let is_late = attached.profile.subscribes_late();
                    attached.rest_until = is_late.then(|| self.now.plus(SUBSCRIBED_REST));
                }
                let job_id = subscribed.job_id.clone();
                let trace = subscribed.trace_id.as_deref().and_then(Trace::parse);
                self.tell_of_job(job_id, trace, Message::Subscribed(Box::new(subscribed)));
            }
            // Known clients wait for ever if the refusal of a subscription is told about the job.
            (Some(Err(denial)), What::Subscribe { job_id }) => {
                let denial = denial.with("job_id", job_id.as_str());
                request.answer = Some(Err(denial));
                self.reply_error(&request);
            }
            (answer, _) => {
                request.answer = answer;
                self.reply_error(&request);
            }
        }
    }

    /// As many entries as a frame has room for; the rest is on the next page.
    fn page(&self, listed: Listed, asked: Option<String>, request_id: String) -> Jobs {
        let most = self.frame_bytes_max() - PAGE_AROUND_BYTES;
        let (mut size, mut left_out, mut last) = (0, false, asked);
        let mut jobs: Vec<JobEntry> = vec![];
        for (job, cursor) in listed.jobs {
            size += serde_json::to_string(&job).map_or(most, |text| text.len() + 1);
            if size > most {
                left_out = true;
                break;
            }
            last = Some(cursor);
            jobs.push(job);
        }
        let has_more = listed.has_more || left_out;
        Jobs { request_id, jobs, next_cursor: last.filter(|_| has_more) }
    }

    fn reply_error(&mut self, request: &Request) {
        let internal = Denial::internal();
        let denial = match &request.answer {
            Some(Err(denial)) => denial,
            Some(Ok(_)) | None => &internal,
        };
        let State::Attached(attached) = &self.state else { return };
        let session_id = attached.session_id.clone();
        let id = (!request.id.is_empty()).then_some(request.id.as_str());
        self.send_error(&session_id, id, request.trace.clone(), denial);
    }

    pub(super) fn send_error(
        &mut self,
        session_id: &str,
        request: Option<&str>,
        trace: Option<Trace>,
        denial: &Denial,
    ) {
        let mut envelope = self.error_envelope(session_id, request, denial);
        envelope.trace = trace;
        self.send(&envelope);
    }

    fn error_envelope(
        &mut self,
        session_id: &str,
        request: Option<&str>,
        denial: &Denial,
    ) -> Envelope {
        let details = details_of(denial, request);
        let error = message::Error {
            code: denial.code,
            message: clip(&denial.message, REASON_BYTES_MAX).to_owned(),
            retryable: denial.code.is_retryable(),
            details: (!details.is_empty()).then_some(details),
            request_id: request.map(str::to_owned),
        };
        Envelope::new(self.next_id(), session_id, Message::Error(error))
    }

    /// Passes on a frame of the feed, and before it what its job is if nobody has said so yet.
    fn forward(&mut self, fed: Fed) {
        let State::Attached(attached) = &mut self.state else { return };
        attached.newest = attached.newest.max(fed.event_seq);
        let is_known = attached.known.contains(&fed.job_id);
        if let Some(pace) = &mut attached.pace {
            pace.sent(fed.event_seq);
        }
        if fed.is_last {
            attached.known.remove(&fed.job_id);
        }
        if let Some(accepted) = fed.accepted.filter(|_| !is_known) {
            let is_over = fed.is_last;
            self.tell_accepted(*accepted);
            if let State::Attached(attached) = &mut self.state
                && is_over
            {
                attached.known.remove(&fed.job_id);
            }
        }
        self.push_frame(fed.text);
    }

    /// Says that the peer has gone silent, as the last thing.
    pub(super) fn lose(&mut self) {
        let State::Attached(attached) = &self.state else { return };
        let session_id = attached.session_id.clone();
        let denial = Denial::new(Code::HeartbeatLost, "nothing was heard for two intervals");
        self.send_error(&session_id, None, None, &denial);
        self.end(Close::SILENT);
    }
}

fn details_of(
    denial: &Denial,
    request: Option<&str>,
) -> serde_json::Map<String, serde_json::Value> {
    let mut details = denial.details.clone();
    if let Some(request) = request {
        details.insert("request_id".to_owned(), request.into());
    }
    details
}

/// As much of a text as `most` bytes hold.
pub(super) fn clip(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

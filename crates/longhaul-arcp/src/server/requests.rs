//! What a client says once it has its session.

use super::ask::{Ask, AskId, Cancelling, Close, Listing, Output, Submission, Subscribing};
use super::attached::{Attached, Request, What};
use super::{Connection, State};
use crate::canonical;
use crate::codec::Unread;
use crate::error::{Code, Denial};
use crate::features::Feature;
use crate::grammar;
use crate::limits::{
    ID_BYTES_MAX, KEY_BYTES_MAX, OPEN_ASKS_MAX, PAGE_ENTRIES, PAGE_ENTRIES_MAX, REASON_BYTES_MAX,
};
use crate::message::{
    Bye, Cancel, Envelope, Filter, LeaseMap, ListJobs, Message, Ping, Pong, Submit, Subscribe,
};
use crate::trace::Trace;
use longhaul_core::time::Timestamp;
use serde_json::{Map, Value};

/// Who asks: what an answer has to say besides the answer.
struct Asker {
    id: String,
    trace: Option<Trace>,
}

impl Connection {
    /// A message of the session under this connection.
    pub(super) fn on_request(&mut self, envelope: Envelope, now: Timestamp) {
        let State::Attached(attached) = &mut self.state else { return };
        // [arcp §14] One connection speaks for one session and for no other.
        if envelope.session_id.as_deref() != Some(attached.session_id.as_str()) {
            let denial = invalid("`session_id` must be the one of this connection's session");
            return self.refuse(Asker { id: envelope.id, trace: envelope.trace }, denial);
        }
        let is_repeatable =
            matches!(envelope.message, Message::Ping(_) | Message::Pong(_) | Message::Ack(_));
        if !is_repeatable && !attached.seen.is_new(&envelope.id) {
            return;
        }
        let asker = Asker { id: envelope.id, trace: envelope.trace };
        match envelope.message {
            Message::Ping(ping) => self.on_ping(asker, ping, now),
            Message::Ack(ack) => self.on_ack(ack.last_processed_seq),
            // Both have been heard, which is all there is to them; to answer an error with an error could
            // go on for ever.
            Message::Pong(_) | Message::Error(_) => {}
            Message::Submit(submit) => self.on_submit(asker, *submit, envelope.extensions),
            Message::Cancel(cancel) => self.on_cancel(asker, cancel, envelope.job_id),
            Message::ListJobs(list) => self.on_list(asker, list),
            Message::Subscribe(subscribe) => self.on_subscribe(asker, &subscribe),
            Message::Unsubscribe(unsubscribe) => self.on_unsubscribe(asker, unsubscribe.job_id),
            // [arcp §6.7] Jobs go on, and the session can be gone on with.
            Message::Bye(bye) => self.on_leave(asker, bye, false),
            Message::Close(bye) => self.on_leave(asker, bye, true),
            Message::Hello(_) | Message::Resume(_) => {
                self.refuse(asker, invalid("this connection has its session"));
            }
            other @ (Message::Welcome(_)
            | Message::Closed
            | Message::Jobs(_)
            | Message::Accepted(_)
            | Message::Cancelled(_)
            | Message::Event(_)
            | Message::Outcome(_)
            | Message::JobError(_)
            | Message::Subscribed(_)) => {
                self.refuse(asker, invalid(format!("`{}` is for runtimes to say", other.name())));
            }
        }
    }

    /// The client leaves: what it asked before is answered first, and what it says after is not heard.
    fn on_leave(&mut self, asker: Asker, bye: Bye, is_answered: bool) {
        let reason = clipped(bye.reason);
        self.ask(asker, What::Leave { is_answered }, Ask::Leave { reason });
        if let State::Attached(attached) = &mut self.state {
            attached.is_leaving = true;
        }
    }

    /// Something that is no message. [arcp §12] It is told so, unless its sender said that it need not
    /// be understood.
    pub(super) fn on_unread(&mut self, unread: Unread) {
        if unread.is_optional {
            return;
        }
        let asker = Asker { id: unread.id.unwrap_or_default(), trace: unread.trace };
        self.refuse(asker, invalid(unread.message));
    }

    /// [arcp §6.4] A ping is answered at once, agreed on or not.
    fn on_ping(&mut self, asker: Asker, ping: Ping, now: Timestamp) {
        if ping.nonce.len() > ID_BYTES_MAX {
            let words = format!("`nonce` is longer than {ID_BYTES_MAX} bytes");
            return self.refuse(asker, invalid(words));
        }
        let pong = Pong { ping_nonce: ping.nonce, received_at: now.rfc3339() };
        self.tell(Message::Pong(pong));
    }

    /// [arcp §6.5] Only ever raises what is known to have arrived.
    fn on_ack(&mut self, event_seq: u64) {
        let State::Attached(attached) = &mut self.state else { return };
        if !attached.features.has(Feature::Ack) {
            return;
        }
        attached.acks.wanted = attached.acks.wanted.max(event_seq);
        if let Some(pace) = &mut attached.pace {
            pace.acknowledged(event_seq);
        }
        self.acknowledge();
    }

    /// Asks for what was acknowledged since the last ask was answered.
    pub(super) fn acknowledge(&mut self) {
        let State::Attached(attached) = &self.state else { return };
        if attached.acks.open.is_some() || attached.acks.wanted <= attached.acks.asked {
            return;
        }
        let ask = self.next_ask();
        let State::Attached(attached) = &mut self.state else { return };
        let event_seq = attached.acks.wanted;
        attached.acks.asked = event_seq;
        attached.acks.open = Some(ask);
        self.push(Output::Ask(ask, Ask::Acknowledge { event_seq }));
    }

    fn on_submit(&mut self, asker: Asker, submit: Submit, extensions: Option<Map<String, Value>>) {
        match submission(submit, &asker, extensions) {
            Ok(submission) => self.ask(asker, What::Submit, Ask::Submit(Box::new(submission))),
            Err(denial) => self.answer_at_once(asker, What::Submit, denial),
        }
    }

    /// [arcp §7.4] Whether this session may end the job, the runtime says. The job is named on the
    /// envelope; some clients name it within.
    fn on_cancel(&mut self, asker: Asker, cancel: Cancel, job: Option<String>) {
        let job_id = match (job, cancel.job_id) {
            (Some(outer), Some(inner)) if outer != inner => {
                return self.refuse(asker, invalid("`job_id` is given twice, and differs"));
            }
            (Some(job), _) | (None, Some(job)) => job,
            (None, None) => return self.refuse(asker, invalid("`job_id` is missing")),
        };
        let reason = clipped(cancel.reason);
        let what = What::Cancel { job_id: job_id.clone(), reason: reason.clone() };
        self.ask(asker, what, Ask::Cancel(Cancelling { job_id, reason }));
    }

    /// [arcp §6.6] A list is read and nothing more: no job is followed by being listed.
    fn on_list(&mut self, asker: Asker, list: ListJobs) {
        if !self.has(Feature::ListJobs) {
            return self.refuse(asker, not_agreed(Feature::ListJobs));
        }
        let cursor = list.cursor.clone();
        match listing(list) {
            Ok(listing) => self.ask(asker, What::List { cursor }, Ask::List(listing)),
            Err(denial) => self.refuse(asker, denial),
        }
    }

    fn on_subscribe(&mut self, asker: Asker, subscribe: &Subscribe) {
        if !self.has(Feature::Subscribe) {
            return self.refuse(asker, not_agreed(Feature::Subscribe));
        }
        let job_id = subscribe.job_id.clone();
        // [arcp §7.6] What happened so far is told only to who asks for it.
        let wants_history = subscribe.history.unwrap_or(false);
        let history_after = wants_history.then(|| subscribe.from_event_seq.unwrap_or(0));
        let what = What::Subscribe { job_id: job_id.clone() };
        self.ask(asker, what, Ask::Subscribe(Subscribing { job_id, history_after }));
    }

    /// [arcp §7.6] It has no answer.
    fn on_unsubscribe(&mut self, asker: Asker, job_id: String) {
        if self.has(Feature::Subscribe) {
            self.ask(asker, What::Unsubscribe, Ask::Unsubscribe { job_id });
        }
    }

    fn has(&self, feature: Feature) -> bool {
        match &self.state {
            State::Attached(attached) => attached.features.has(feature),
            State::Knocking(_) | State::Ended => false,
        }
    }

    /// Asks the runtime; the answer is told in the order of the requests.
    fn ask(&mut self, asker: Asker, what: What, ask: Ask) {
        let id = self.next_ask();
        if self.enqueue(asker, what, Some(id), None) {
            self.push(Output::Ask(id, ask));
        }
    }

    /// Says no without asking anybody, but not before what was asked earlier is answered.
    fn answer_at_once(&mut self, asker: Asker, what: What, denial: Denial) {
        self.enqueue(asker, what, None, Some(denial));
    }

    fn refuse(&mut self, asker: Asker, denial: Denial) {
        self.answer_at_once(asker, What::Nothing, denial);
    }

    /// False if the client has asked for more than it may have open; then it is sent away.
    fn enqueue(
        &mut self,
        asker: Asker,
        what: What,
        ask: Option<AskId>,
        denial: Option<Denial>,
    ) -> bool {
        let State::Attached(attached) = &mut self.state else { return false };
        if attached.open.len() >= OPEN_ASKS_MAX {
            self.end(Close::BUSY);
            return false;
        }
        let Asker { id, trace } = asker;
        attached.open.push_back(Request { ask, id, trace, what, answer: denial.map(Err) });
        true
    }
}

/// Reads what is asked for. What a key was used for before is not looked at here, and neither is
/// whether the lease is over: both are the runtime's to say, in this order.
fn submission(
    submit: Submit,
    asker: &Asker,
    extensions: Option<Map<String, Value>>,
) -> Result<Submission, Denial> {
    let too_long = |key: &String| key.len() > KEY_BYTES_MAX;
    if submit.idempotency_key.as_ref().is_some_and(too_long) {
        return Err(invalid(format!("`idempotency_key` is longer than {KEY_BYTES_MAX} bytes")));
    }
    let lease: LeaseMap = submit.lease_request.unwrap_or_default();
    let input = canonical::input(submit.input.as_deref())
        .map_err(|error| invalid(format!("`input` cannot be read: {error}")))?;
    Ok(Submission {
        request_id: asker.id.clone(),
        agent: grammar::agent(&submit.agent)?,
        input,
        lease: grammar::lease(&lease, &submit.lease_constraints.unwrap_or_default())?,
        key: submit.idempotency_key,
        runtime_secs_max: submit.max_runtime_sec.map(std::num::NonZero::get),
        trace: asker.trace.clone(),
        extensions,
    })
}

fn listing(list: ListJobs) -> Result<Listing, Denial> {
    let Filter { status, agent, created_after, created_before } = list.filter.unwrap_or_default();
    if let Some(agent) = &agent {
        grammar::agent(agent)?;
    }
    let moment = |text: Option<String>, field: &str| match text {
        None => Ok(None),
        Some(text) => grammar::moment_anywhere(&text).map(Some).ok_or_else(|| {
            invalid(format!("`{field}` must be a moment such as `2026-01-31T12:00:00Z`"))
        }),
    };
    Ok(Listing {
        status: status.unwrap_or_default(),
        agent,
        created_after: moment(created_after, "created_after")?,
        created_before: moment(created_before, "created_before")?,
        limit: list.limit.map_or(PAGE_ENTRIES, |limit| limit.get().min(PAGE_ENTRIES_MAX)),
        cursor: list.cursor,
    })
}

fn not_agreed(feature: Feature) -> Denial {
    invalid(format!("`{}` was not agreed on", feature.name()))
}

fn invalid(message: impl Into<String>) -> Denial {
    Denial::new(Code::InvalidRequest, message)
}

/// Reasons are for people, and repeated to them.
fn clipped(reason: Option<String>) -> Option<String> {
    reason.map(|text| super::replies::clip(&text, REASON_BYTES_MAX).to_owned())
}

impl Attached {
    /// Brings an answer to the request that it is for.
    pub(super) fn answered(&mut self, ask: AskId, answer: super::Answered) {
        let waits = |request: &&mut Request| request.ask == Some(ask) && request.answer.is_none();
        if let Some(request) = self.open.iter_mut().find(waits) {
            request.answer = Some(answer);
        }
    }
}

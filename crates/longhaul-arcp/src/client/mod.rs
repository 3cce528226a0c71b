//! A client's end: a session, and whichever transport is under it at the time.
//!
//! One input, then [`Connection::poll`] until nothing comes. Transports come and go:
//! [`on_connected`](Connection::on_connected) and [`on_lost`](Connection::on_lost) say so, and the
//! session is gone on with on the next one. What was asked and not answered is asked again there. A
//! runtime that does not know the session any more gives a new one, in which every job that had not
//! ended is followed from its start, and what was told before is passed over: whoever is told hears
//! everything once and in order, or hears that something is missing.
//!
//! How runtimes in the wild answer differs; see [`requests`] for how an answer finds its ask.

mod ask;
mod feed;
mod handshake;
mod jobs;
mod pieces;
mod requests;
#[cfg(test)]
mod tests;

pub use ask::{
    Answer, Ask, AskId, End, Failure, Gave, Kept, Lost, Output, Over, Piece, Status, Submission,
    Told, Welcomed,
};

use crate::codec;
use crate::error::{Code, Denial};
use crate::features::{Feature, Features};
use crate::id::Seed;
use crate::limits::{OPEN_ASKS_MAX, OUTBOUND_BYTES_MAX};
use crate::message::{self, Ack, Bye, Envelope, Message, Ping, Pong};
use crate::pulse::{Beat, Pulse};
use jobs::Jobs;
use longhaul_core::time::{Millis, Timestamp};
use requests::Request;
use std::collections::VecDeque;

/// Events after which the runtime hears how far we have come.
const ACK_EVENTS: u64 = 32;
/// After how long it hears so, if fewer came.
const ACK_AFTER: Millis = Millis::new(250);

/// What a client says of itself.
#[derive(Clone)]
pub struct Config {
    /// Who speaks.
    pub client: message::Client,
    /// What proves it.
    pub token: Option<String>,
    /// What it can do.
    pub features: Features,
}

/// Tokens are not for logs.
impl std::fmt::Debug for Config {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Config").field("client", &self.client).finish_non_exhaustive()
    }
}

/// A session and the transport under it. Reads no clock and draws no ids: `now`, and a name that no
/// other client has, come in as arguments.
#[derive(Debug)]
pub struct Connection {
    config: Config,
    ids: Seed,
    count: u64,
    state: State,
    session: Option<Session>,
    /// What was not answered, oldest first.
    open: VecDeque<Request>,
    jobs: Jobs,
    outbox: VecDeque<Output>,
}

/// The session to go on with.
#[derive(Debug)]
struct Session {
    id: String,
    token: String,
    /// For how long it can be gone on with once the transport is gone.
    window: Millis,
    /// The newest number that was told.
    newest: u64,
    /// Where a number was missing the last time. Missing at the same place again, it will not come.
    gap_at: Option<u64>,
}

#[derive(Debug)]
enum State {
    /// No transport.
    Apart,
    /// Nobody has answered the hello yet.
    Knocking {
        until: Timestamp,
        is_resuming: bool,
    },
    Attached(Attached),
    Over,
}

/// What is known of the transport under the session.
#[derive(Debug)]
struct Attached {
    features: Features,
    pulse: Option<Pulse>,
    /// Whether the runtime says which message it answers, and answers before it repeats what was.
    names_requests: bool,
    acks: Acks,
}

/// How far the runtime was told that we have come.
#[derive(Debug)]
struct Acks {
    sent: u64,
    due_at: Option<Timestamp>,
}

impl Connection {
    /// A client that has no transport yet. `name` tells it from all others, ever.
    pub fn new(config: Config, name: &str) -> Self {
        Self {
            config,
            ids: Seed::new(name),
            count: 0,
            state: State::Apart,
            session: None,
            open: VecDeque::new(),
            jobs: Jobs::default(),
            outbox: VecDeque::new(),
        }
    }

    /// Goes on with a session that another client of the same principal has left, from the next transport
    /// on. If that is no longer possible there will be a new one.
    pub fn go_on_with(&mut self, kept: Kept) {
        let Kept { session_id, resume_token, last_event_seq, window } = kept;
        let newest = last_event_seq;
        let session = Session { id: session_id, token: resume_token, window, newest, gap_at: None };
        self.session = Some(session);
    }

    /// What it takes to go on with this session later, once this client has left it.
    pub fn kept(&self) -> Option<Kept> {
        let session = self.session.as_ref()?;
        Some(Kept {
            session_id: session.id.clone(),
            resume_token: session.token.clone(),
            last_event_seq: session.newest,
            window: session.window,
        })
    }

    /// A transport is there, and nothing was said on it.
    pub fn on_connected(&mut self, now: Timestamp) {
        if matches!(self.state, State::Apart) {
            self.knock(now);
        }
    }

    /// The transport has ended.
    pub fn on_lost(&mut self) {
        if !matches!(self.state, State::Over) {
            self.state = State::Apart;
        }
    }

    /// A frame came in: the text of one message.
    pub fn on_message(&mut self, text: &str, now: Timestamp) {
        if let State::Attached(Attached { pulse: Some(pulse), .. }) = &mut self.state {
            pulse.heard(now);
        }
        match (codec::read(text), &self.state) {
            (_, State::Apart | State::Over) => {}
            (Ok(envelope), State::Knocking { .. }) => self.on_knock_answer(envelope, now),
            // Runtimes differ in what they say before the welcome; only the welcome matters.
            (Err(_), State::Knocking { .. }) => {}
            (Ok(envelope), State::Attached(_)) => self.on_told(envelope, now),
            (Err(unread), State::Attached(_)) => self.on_unread(text, &unread.message, now),
        }
    }

    /// Time has passed.
    pub fn on_due(&mut self, now: Timestamp) {
        match &self.state {
            State::Apart | State::Over => {}
            State::Knocking { until, .. } if now >= *until => self.reconnect(Lost::NoHandshake),
            State::Knocking { .. } => {}
            State::Attached(attached) => {
                let beat = attached.pulse.as_ref().map_or(Beat::Wait, |pulse| pulse.beat(now));
                let is_ack_due = attached.acks.due_at.is_some_and(|due| now >= due);
                match beat {
                    Beat::Lost => return self.reconnect(Lost::Silent),
                    Beat::Ping => self.ping(now),
                    Beat::Wait => {}
                }
                if is_ack_due {
                    self.acknowledge();
                }
            }
        }
    }

    /// When time alone has something to say.
    pub fn due_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Apart | State::Over => None,
            State::Knocking { until, .. } => Some(*until),
            State::Attached(attached) => {
                let beat = attached.pulse.as_ref().map(Pulse::due_at);
                [beat, attached.acks.due_at].into_iter().flatten().min()
            }
        }
    }

    /// What is to be done next; nothing if all of it was taken.
    pub fn poll(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    /// Asks the runtime: now if there is a session on a transport, else as soon as there is one.
    ///
    /// # Errors
    /// Too much is open, or what is asked does not fit into a frame.
    pub fn ask(&mut self, ask: Ask) -> Result<AskId, Denial> {
        if self.open.len() >= OPEN_ASKS_MAX {
            let words = format!("{OPEN_ASKS_MAX} asks wait for their answers");
            return Err(Denial::new(Code::InternalError, words));
        }
        self.count += 1;
        let id = AskId(self.count);
        let mut request = Request::new(Some(id), ask);
        let text = self.written(&mut request);
        if text.len() > OUTBOUND_BYTES_MAX {
            let words = format!("the ask is larger than {OUTBOUND_BYTES_MAX} bytes");
            return Err(Denial::new(Code::InvalidRequest, words));
        }
        if matches!(self.state, State::Attached(_)) {
            self.send_request(&mut request, text);
        }
        self.open.push_back(request);
        Ok(id)
    }

    /// Wants to hear of a job no more.
    pub fn unfollow(&mut self, job_id: &str) {
        if let Some(job) = self.jobs.get_mut(job_id) {
            job.is_wanted = false;
        }
        if self.has(Feature::Subscribe) {
            let job_id = job_id.to_owned();
            self.say(Message::Unsubscribe(message::Unsubscribe { job_id }));
        }
    }

    /// Leaves. Jobs go on, and the runtime lets the session end when nobody comes back.
    pub fn leave(&mut self, reason: Option<String>) {
        if matches!(self.state, State::Attached(_)) {
            self.acknowledge();
            // Some runtimes hear no farewell without a reason.
            let reason = Some(reason.unwrap_or_else(|| "done".to_owned()));
            self.say(Message::Bye(Bye { reason }));
        }
        self.end(Over::Left);
    }

    /// Whether there is a session on a transport.
    pub const fn is_attached(&self) -> bool {
        matches!(self.state, State::Attached(_))
    }

    fn has(&self, feature: Feature) -> bool {
        matches!(&self.state, State::Attached(attached) if attached.features.has(feature))
    }

    fn names_requests(&self) -> bool {
        matches!(&self.state, State::Attached(attached) if attached.names_requests)
    }

    fn tell(&mut self, told: Told) {
        self.outbox.push_back(Output::Tell(told));
    }

    fn end(&mut self, over: Over) {
        if !matches!(self.state, State::Over) {
            self.state = State::Over;
            self.outbox.push_back(Output::Over(over));
        }
    }

    /// Gives the transport up. The session is gone on with on the next one.
    fn reconnect(&mut self, lost: Lost) {
        self.state = State::Apart;
        self.outbox.push_back(Output::Reconnect(lost));
    }

    /// Says something in the session that has no answer.
    fn say(&mut self, message: Message) {
        let Some(session) = &self.session else { return };
        let session_id = session.id.clone();
        let envelope = Envelope::new(self.next_id(), &session_id, message);
        self.outbox.push_back(Output::Send(codec::write(&envelope)));
    }

    fn ping(&mut self, now: Timestamp) {
        let nonce = self.next_id();
        self.say(Message::Ping(Ping { nonce, sent_at: now.rfc3339() }));
        if let State::Attached(Attached { pulse: Some(pulse), .. }) = &mut self.state {
            pulse.pinged(now);
        }
    }

    fn pong(&mut self, ping: Ping, now: Timestamp) {
        self.say(Message::Pong(Pong { ping_nonce: ping.nonce, received_at: now.rfc3339() }));
    }

    /// Something numbered was taken in. [arcp §6.5] The runtime hears of it now and then.
    fn took(&mut self, now: Timestamp) {
        let Some(session) = &self.session else { return };
        let newest = session.newest;
        let State::Attached(attached) = &mut self.state else { return };
        if !attached.features.has(Feature::Ack) {
            return;
        }
        if newest >= attached.acks.sent + ACK_EVENTS {
            self.acknowledge();
        } else if attached.acks.due_at.is_none() {
            attached.acks.due_at = Some(now.plus(ACK_AFTER));
        }
    }

    fn acknowledge(&mut self) {
        let Some(session) = &self.session else { return };
        let newest = session.newest;
        let State::Attached(attached) = &mut self.state else { return };
        attached.acks.due_at = None;
        if attached.features.has(Feature::Ack) && newest > attached.acks.sent {
            attached.acks.sent = newest;
            self.say(Message::Ack(Ack { last_processed_seq: newest }));
        }
    }

    fn next_id(&mut self) -> String {
        self.count += 1;
        self.ids.id("msg_", self.count)
    }
}

//! Our end of a connection: what a client says goes in, what it is answered and what the runtime has
//! to be asked come out.
//!
//! One input, then [`Connection::poll`] until nothing comes. Whoever drives it carries the asks to the
//! engine, the feed to it, and, when it says [`Output::Close`] or the transport ends, detaches the
//! session; the session can be gone on with all the same.
//!
//! What it keeps is bounded as long as nothing is read for it while it does not want anything:
//! [`wants_message`](Connection::wants_message), [`wants_feed`](Connection::wants_feed). That is all the
//! back-pressure there is, and all that is needed.

mod ask;
mod attached;
mod handshake;
mod pace;
mod replies;
mod requests;
mod seen;
#[cfg(test)]
mod tests;

pub use ask::{
    Answer, Answered, Ask, AskId, Cancelling, Close, Ended, Fed, Following, Knock, Listed, Listing,
    Opened, Output, Submission, Submitted, Subscribing,
};

pub use handshake::NO_SESSION;
pub use pace::Backlog;

use crate::codec;
use crate::features::Features;
use crate::id::Seed;
use crate::limits::{OPEN_ASKS_MAX, OUTBOUND_BYTES_MAX, OUTBOX_BYTES_MAX};
use crate::message::{Envelope, Message, Ping, Runtime};
use crate::profile::Profile;
use crate::pulse::Beat;
use crate::trace::Trace;
use attached::{Attached, Held};
use handshake::Knocking;
use longhaul_core::time::{Millis, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;

/// What is the same for all connections of a runtime.
#[derive(Clone, Debug)]
pub struct Config {
    /// What it calls itself.
    pub runtime: Runtime,
    /// What it can do.
    pub features: Features,
    /// How long either end may be silent, where signs of life are agreed on. Told in whole seconds.
    pub heartbeat: Millis,
    /// How far the feed runs ahead of clients that acknowledge.
    pub backlog: Backlog,
    /// How clients are spoken to; guessed from what they say of themselves if nothing is set.
    pub profile: Option<Profile>,
}

/// One transport under a session. Reads no clock, draws no ids: `now` and a name that no other
/// connection has come in as arguments.
#[derive(Debug)]
pub struct Connection {
    config: Arc<Config>,
    ids: Seed,
    /// Ids and asks that were given.
    count: u64,
    state: State,
    outbox: VecDeque<Output>,
    outbox_bytes: usize,
    now: Timestamp,
}

#[derive(Debug)]
enum State {
    Knocking(Knocking),
    Attached(Box<Attached>),
    Ended,
}

impl Connection {
    /// A transport is there; nothing was said yet. `name` tells this connection from all others, ever:
    /// the ids of its frames follow from it.
    pub fn new(config: impl Into<Arc<Config>>, name: &str, now: Timestamp) -> Self {
        Self {
            config: config.into(),
            ids: Seed::new(name),
            count: 0,
            state: State::Knocking(Knocking::new(now)),
            outbox: VecDeque::new(),
            outbox_bytes: 0,
            now,
        }
    }

    /// A frame came in: the text of one message.
    pub fn on_message(&mut self, text: &str, now: Timestamp) {
        self.now = now;
        if let State::Attached(attached) = &mut self.state {
            if attached.is_leaving {
                return;
            }
            if let Some(pulse) = &mut attached.pulse {
                pulse.heard(now);
            }
        }
        match (codec::read(text), &self.state) {
            (_, State::Ended) => {}
            (Ok(envelope), State::Knocking(_)) => self.on_knock(envelope),
            (Ok(envelope), State::Attached(_)) => self.on_request(envelope, now),
            (Err(unread), State::Knocking(_)) => self.on_unread_knock(&unread),
            (Err(unread), State::Attached(_)) => self.on_unread(*unread),
        }
        self.pump(now);
    }

    /// The runtime has answered. An answer that nobody waits for is passed over.
    pub fn on_answer(&mut self, ask: AskId, answer: Answered, now: Timestamp) {
        self.now = now;
        match &mut self.state {
            State::Ended => {}
            State::Knocking(_) => self.on_knock_answer(ask, answer, now),
            State::Attached(attached) if attached.acks.open == Some(ask) => {
                // A refusal means that another connection speaks for the session; this one will end.
                attached.acks.open = None;
                self.acknowledge();
            }
            State::Attached(attached) => attached.answered(ask, answer),
        }
        self.pump(now);
    }

    /// More of the session's feed was read, in order and without gaps from where
    /// [`Output::Follow`] said.
    pub fn on_feed(&mut self, frames: impl IntoIterator<Item = Fed>, now: Timestamp) {
        self.now = now;
        let newest = AskId(self.count);
        if let State::Attached(attached) = &mut self.state {
            attached.feed.extend(frames.into_iter().map(|what| Held { what, newest }));
        }
        self.pump(now);
    }

    /// Time has passed.
    pub fn on_due(&mut self, now: Timestamp) {
        self.now = now;
        match &self.state {
            State::Ended => {}
            State::Knocking(knocking) => {
                if knocking.due_at().is_some_and(|due| now >= due) {
                    self.end(Close::NO_HANDSHAKE);
                }
            }
            State::Attached(attached) if attached.is_given_up(now) => self.give_up(now),
            State::Attached(attached) => {
                let beat = attached.pulse.as_ref().map_or(Beat::Wait, |pulse| pulse.beat(now));
                match beat {
                    Beat::Wait => {}
                    // Whom we do not listen to cannot be heard, and who does not read needs no ping:
                    // what becomes of it is for whoever writes to it to say.
                    Beat::Ping | Beat::Lost if !self.wants_message() => self.put_off(now),
                    Beat::Ping => self.ping(now),
                    Beat::Lost => self.lose(),
                }
            }
        }
        self.pump(now);
    }

    /// When time alone has something to say.
    pub fn due_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Ended => None,
            State::Knocking(knocking) => knocking.due_at(),
            State::Attached(attached) => attached.due_at(),
        }
    }

    /// What is to be done next; nothing if all of it was taken.
    pub fn poll(&mut self) -> Option<Output> {
        let output = self.outbox.pop_front();
        match &output {
            Some(Output::Send(text)) => self.outbox_bytes -= text.len(),
            Some(Output::Ask(..) | Output::Follow { .. } | Output::Close(_)) => {}
            None => self.rest(),
        }
        output
    }

    /// Ends the connection for a reason that lies outside of it: another one took the session over, the
    /// client does not read, the runtime stops.
    pub fn end(&mut self, close: Close) {
        if !matches!(self.state, State::Ended) {
            self.state = State::Ended;
            self.push(Output::Close(close));
        }
    }

    /// Whether the next message may be read. While it is not, the transport fills up, and the client
    /// has to wait.
    pub fn wants_message(&self) -> bool {
        let has_room = self.outbox_bytes < OUTBOX_BYTES_MAX;
        match &self.state {
            State::Ended => false,
            State::Knocking(knocking) => knocking.open.is_none(),
            State::Attached(attached) => has_room && attached.open.len() < OPEN_ASKS_MAX,
        }
    }

    /// Whether more of the feed may be read.
    pub fn wants_feed(&self) -> bool {
        match &self.state {
            State::Ended | State::Knocking(_) => false,
            State::Attached(attached) => {
                attached.feed.is_empty() && self.outbox_bytes < OUTBOX_BYTES_MAX
            }
        }
    }

    /// The session under it, once there is one.
    pub fn session_id(&self) -> Option<&str> {
        match &self.state {
            State::Attached(attached) => Some(&attached.session_id),
            State::Knocking(_) | State::Ended => None,
        }
    }

    /// How this client is spoken to.
    pub fn profile(&self) -> Profile {
        match &self.state {
            State::Attached(attached) => attached.profile,
            State::Knocking(_) | State::Ended => self.config.profile.unwrap_or_default(),
        }
    }

    /// What was agreed on; nothing before the welcome.
    pub fn features(&self) -> Option<&Features> {
        match &self.state {
            State::Attached(attached) => Some(&attached.features),
            State::Knocking(_) | State::Ended => None,
        }
    }

    /// Tells the client something that no request asked for.
    pub fn tell(&mut self, message: Message) {
        let State::Attached(attached) = &self.state else { return };
        let session_id = attached.session_id.clone();
        let envelope = Envelope::new(self.next_id(), &session_id, message);
        self.send(&envelope);
    }

    fn tell_of_job(&mut self, job_id: String, trace: Option<Trace>, message: Message) {
        let State::Attached(attached) = &self.state else { return };
        let session_id = attached.session_id.clone();
        let mut envelope = Envelope::new(self.next_id(), &session_id, message);
        envelope.job_id = Some(job_id);
        envelope.trace = trace;
        self.send(&envelope);
    }

    /// Gives back the room that was taken: most connections are silent most of the time.
    fn rest(&mut self) {
        self.outbox.shrink_to_fit();
        if let State::Attached(attached) = &mut self.state {
            if attached.feed.is_empty() {
                attached.feed.shrink_to_fit();
            }
            if attached.open.is_empty() {
                attached.open.shrink_to_fit();
            }
        }
    }

    fn put_off(&mut self, now: Timestamp) {
        if let State::Attached(attached) = &mut self.state
            && let Some(pulse) = &mut attached.pulse
        {
            pulse.heard(now);
            pulse.pinged(now);
        }
    }

    /// The feed has stood still for too long. The session can be gone on with: nothing of it is lost.
    fn give_up(&mut self, now: Timestamp) {
        if self.wants_message() {
            return self.end(Close::SLOW);
        }
        // Whom we do not listen to cannot be heard.
        if let State::Attached(attached) = &mut self.state
            && let Some(pace) = &mut attached.pace
        {
            pace.put_off(now);
        }
    }

    fn ping(&mut self, now: Timestamp) {
        let nonce = self.next_id();
        self.tell(Message::Ping(Ping { nonce, sent_at: now.rfc3339() }));
        if let State::Attached(attached) = &mut self.state
            && let Some(pulse) = &mut attached.pulse
        {
            pulse.pinged(now);
        }
    }

    fn frame_bytes_max(&self) -> usize {
        match &self.state {
            State::Attached(attached) => attached.profile.frame_bytes_max(),
            State::Knocking(_) | State::Ended => OUTBOUND_BYTES_MAX,
        }
    }

    fn send(&mut self, envelope: &Envelope) {
        let text = codec::write(envelope);
        if text.len() > self.frame_bytes_max() {
            // What is told here is bounded where it is made, so this is a fault of ours; a client that
            // waits for the answer is better told so by a broken connection than not at all.
            return self.end(Close::FAULT);
        }
        self.push_frame(text);
    }

    fn push_frame(&mut self, text: String) {
        let now = self.now;
        if let State::Attached(attached) = &mut self.state
            && let Some(pulse) = &mut attached.pulse
        {
            pulse.sent(now);
        }
        self.push(Output::Send(text));
    }

    fn push(&mut self, output: Output) {
        if let Output::Send(text) = &output {
            self.outbox_bytes += text.len();
        }
        self.outbox.push_back(output);
    }

    fn next_ask(&mut self) -> AskId {
        self.count += 1;
        AskId(self.count)
    }

    fn next_id(&mut self) -> String {
        self.count += 1;
        self.ids.id("msg_", self.count)
    }

    /// The id of a job that there will never be.
    fn fresh_job_id(&mut self) -> String {
        self.count += 1;
        self.ids.of("job").id("job_", self.count)
    }
}

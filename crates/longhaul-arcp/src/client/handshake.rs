//! How a session comes about, and how it is gone on with. [arcp §6.3] What to do when it can not be:
//! a new session, in which all that was open is asked again.

use super::ask::{Ask, Lost, Over, Told, Welcomed};
use super::requests::Request;
use super::{Acks, Attached, Connection, Session, State};
use crate::codec;
use crate::error::{Code, Denial};
use crate::features::{Feature, Features};
use crate::limits::HANDSHAKE_MAX;
use crate::message::{
    self, AgentEntry, AgentList, Auth, Capabilities, Envelope, Hello, Message, ResumeRequest,
    Welcome,
};
use crate::pulse::Pulse;
use longhaul_core::time::{Millis, Timestamp};

impl Connection {
    /// Asks for a session, or for the old one.
    pub(super) fn knock(&mut self, now: Timestamp) {
        let resume = self.session.as_ref().map(|session| ResumeRequest {
            session_id: Some(session.id.clone()),
            resume_token: session.token.clone(),
            last_event_seq: session.newest,
        });
        let is_resuming = resume.is_some();
        let auth = self.config.token.clone();
        let hello = Hello {
            client: self.config.client.clone(),
            auth: auth.map(|token| Auth { scheme: "bearer".to_owned(), token }),
            capabilities: Some(Capabilities {
                encodings: Some(vec!["json".to_owned()]),
                features: Some(self.config.features.names()),
                agents: None,
            }),
            resume,
            session_id: None,
            resume_token: None,
            last_event_seq: None,
        };
        let message = Message::Hello(Box::new(hello));
        let envelope = Envelope { session_id: None, ..Envelope::new(self.next_id(), "", message) };
        self.outbox.push_back(super::Output::Send(codec::write(&envelope)));
        self.state = State::Knocking { until: now.plus(HANDSHAKE_MAX), is_resuming };
    }

    /// Something came before the welcome, or the welcome itself.
    pub(super) fn on_knock_answer(&mut self, envelope: Envelope, now: Timestamp) {
        let Envelope { session_id, message, .. } = envelope;
        match message {
            Message::Welcome(welcome) => self.on_welcome(session_id, *welcome, now),
            Message::Error(error) => self.on_refused(denial_of(error)),
            Message::JobError(error) => {
                let details = error.details.unwrap_or_default();
                let denial = Denial { code: error.code, message: error.message, details };
                self.on_refused(denial);
            }
            Message::Ping(ping) => self.pong(ping, now),
            // Nothing of a session can be told before there is one.
            _ => {}
        }
    }

    /// [arcp §6.3] A session that cannot be gone on with is given up, whatever the reason; only a
    /// runtime that will do better later is asked for it again.
    fn on_refused(&mut self, denial: Denial) {
        let State::Knocking { is_resuming, .. } = self.state else { return };
        let is_passing = denial.code == Code::InternalError || denial.code.is_retryable();
        if !is_passing && !is_resuming {
            return self.end(Over::Refused(denial));
        }
        if !is_passing {
            self.forget_session();
        }
        // Some runtimes take no second hello on a transport.
        self.reconnect(Lost::Told(denial));
    }

    /// The next hello asks for a new session.
    pub(super) fn forget_session(&mut self) {
        self.session = None;
        for (_, job) in self.jobs.iter_mut() {
            job.forget_session();
        }
    }

    fn on_welcome(&mut self, outer: Option<String>, welcome: Welcome, now: Timestamp) {
        let names_requests = welcome.session_id.is_some();
        let Some(id) = outer.or_else(|| welcome.session_id.clone()) else {
            let words = "the runtime's welcome names no session";
            return self.end(Over::Refused(Denial::new(Code::InvalidRequest, words)));
        };
        let window = Millis::from_secs(welcome.resume_window_sec);
        let is_resumed = self.session.as_ref().is_some_and(|session| session.id == id);
        if is_resumed {
            if let Some(session) = &mut self.session {
                session.token = welcome.resume_token;
                session.window = window;
            }
        } else {
            self.forget_session();
            let token = welcome.resume_token;
            let session = Session { id: id.clone(), token, window, newest: 0, gap_at: None };
            self.session = Some(session);
        }
        let said = welcome.capabilities.features.unwrap_or_default();
        let features = Features::named(said.iter().map(String::as_str));
        let features = self.config.features.agreed_with(&features);
        let interval = welcome.heartbeat_interval_sec.map(|secs| Millis::from_secs(secs.get()));
        let newest = self.session.as_ref().map_or(0, |session| session.newest);
        self.state = State::Attached(Attached {
            features: features.clone(),
            pulse: interval.map(|interval| Pulse::new(interval, now)),
            names_requests,
            acks: Acks { sent: newest, due_at: None },
        });
        let agents = entries(welcome.capabilities.agents);
        let runtime = welcome.runtime;
        let welcomed = Welcomed { session_id: id, runtime, features, agents, is_resumed };
        self.tell(Told::Welcomed(Box::new(welcomed)));
        self.ask_again(is_resumed);
    }

    /// Asks whatever is open, and in a new session for the jobs that were followed in the old one.
    fn ask_again(&mut self, is_resumed: bool) {
        if !is_resumed {
            // What was asked for in the old session alone is found anew.
            self.open.retain(|request| request.ask_id.is_some());
            self.follow_again();
        }
        for mut request in std::mem::take(&mut self.open) {
            let text = self.written(&mut request);
            self.send_request(&mut request, text);
            self.open.push_back(request);
        }
    }

    fn follow_again(&mut self) {
        let can_follow = self.has(Feature::Subscribe);
        let is_asked = |id: &str, open: &std::collections::VecDeque<Request>| {
            open.iter().any(|request| request.is_subscription_to(id))
        };
        let mut gaps = vec![];
        for (id, job) in self.jobs.iter_mut() {
            if !job.is_live() || is_asked(id, &self.open) {
                continue;
            }
            let is_from_start = job.is_whole;
            if !can_follow || !is_from_start {
                gaps.push((id.clone(), can_follow));
            }
            if can_follow {
                let ask = Ask::Subscribe { job_id: id.clone(), is_from_start };
                self.open.push_back(Request::new(None, ask));
            } else {
                job.is_wanted = false;
            }
        }
        for (job_id, can_follow) in gaps {
            if can_follow {
                self.tell(Told::Gap { job_id });
            } else {
                let words = "the runtime has forgotten the session, and lets no job be followed";
                let denial = Denial::new(Code::ResumeWindowExpired, words);
                self.tell(Told::Gone { job_id, denial });
            }
        }
    }
}

/// An error of a session, as a no.
pub(super) fn denial_of(error: message::Error) -> Denial {
    let details = error.details.unwrap_or_default();
    Denial { code: error.code, message: error.message, details }
}

fn entries(agents: Option<AgentList>) -> Vec<AgentEntry> {
    match agents {
        None => vec![],
        Some(AgentList::Entries(entries)) => entries,
        Some(AgentList::Names(names)) => names
            .into_iter()
            .map(|name| AgentEntry { name, versions: vec![], default: None })
            .collect(),
    }
}

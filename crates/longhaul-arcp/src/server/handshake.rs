//! How a connection comes to its session.

use super::ask::{Answer, Answered, Ask, AskId, Close, Knock, Opened, Output};
use super::attached::{Acks, Attached};
use super::pace::Pace;
use super::seen::Seen;
use super::{Connection, State};
use crate::codec::Unread;
use crate::error::{Code, Denial};
use crate::features::{Feature, Features};
use crate::limits::{HANDSHAKE_MAX, HANDSHAKE_TRIES_MAX, STRAY_FRAMES_MAX};
use crate::message::{
    AgentList, Auth, Capabilities, Client, Envelope, Hello, Message, Resume, ResumeRequest, Welcome,
};
use crate::profile::Profile;
use crate::pulse::Pulse;
use longhaul_core::time::{Millis, Timestamp};
use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroU64;

/// What stands for the session in an error before there is one: known clients read no error without.
pub const NO_SESSION: &str = "sess_00000000000000000000000000";

/// A connection that has no session yet.
#[derive(Debug)]
pub(super) struct Knocking {
    pub(super) since: Timestamp,
    /// The knock that is being answered.
    pub(super) open: Option<Knocked>,
    tries: u32,
    strays: u32,
}

/// A knock that is being answered.
#[derive(Debug)]
pub(super) struct Knocked {
    ask: AskId,
    id: String,
    encodings: Option<Vec<String>>,
    features: Features,
    guess: Profile,
}

impl Knocking {
    pub(super) const fn new(since: Timestamp) -> Self {
        Self { since, open: None, tries: 0, strays: 0 }
    }

    /// When it has taken too long; never while it is we who are slow.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        self.open.is_none().then(|| self.since.plus(HANDSHAKE_MAX))
    }
}

/// What a client brings, in whichever message.
struct Wish {
    id: String,
    client: Client,
    token: Option<String>,
    capabilities: Capabilities,
    resume: Option<ResumeRequest>,
}

impl Connection {
    /// Something was said before there is a session.
    pub(super) fn on_knock(&mut self, envelope: Envelope) {
        if let State::Knocking(Knocking { open: Some(_), .. }) = self.state {
            return self.stray();
        }
        let wish = match envelope.message {
            Message::Hello(hello) => from_hello(envelope.id.clone(), envelope.session_id, *hello),
            Message::Resume(resume) => {
                from_resume(envelope.id.clone(), envelope.session_id, *resume)
            }
            // [arcp §6.2] Nothing is done for a client that has not been welcomed.
            _ => return self.stray(),
        };
        match wish {
            Ok(wish) => self.knock(wish),
            Err(denial) => self.refuse_knock(Some(&envelope.id), &denial),
        }
    }

    /// Something that is no message. A hello that cannot be read is told so; whatever else it is, is
    /// passed over.
    pub(super) fn on_unread_knock(&mut self, unread: &Unread) {
        match unread.kind.as_deref() {
            Some("session.hello" | "session.resume") => {
                let denial = Denial::new(Code::InvalidRequest, unread.message.as_str());
                self.refuse_knock(unread.id.as_deref(), &denial);
            }
            _ => self.stray(),
        }
    }

    /// A frame that nothing can come of.
    fn stray(&mut self) {
        let State::Knocking(knocking) = &mut self.state else { return };
        knocking.strays += 1;
        if knocking.strays > STRAY_FRAMES_MAX {
            self.refuse_knock(None, &Denial::new(Code::Unauthenticated, "say hello first"));
        }
    }

    fn knock(&mut self, wish: Wish) {
        let names = wish.capabilities.features.iter().flatten().map(String::as_str);
        let features = self.config.features.agreed_with(&Features::named(names));
        let guess = match Profile::guess(&wish.client.name, wish.client.fingerprint.as_deref()) {
            Profile::Default => Profile::guess_by_hello(&wish.id, &wish.capabilities),
            named => named,
        };
        let ask = self.next_ask();
        let State::Knocking(knocking) = &mut self.state else { return };
        let encodings = wish.capabilities.encodings;
        let features_asked = features.clone();
        knocking.open = Some(Knocked { ask, id: wish.id, encodings, features, guess });
        let knock = Knock {
            client: wish.client,
            token: wish.token,
            features: features_asked,
            resume: wish.resume,
        };
        self.push(Output::Ask(ask, Ask::Knock(Box::new(knock))));
    }

    /// The runtime has answered a knock.
    pub(super) fn on_knock_answer(&mut self, ask: AskId, answer: Answered, now: Timestamp) {
        let State::Knocking(knocking) = &mut self.state else { return };
        let Some(knocked) = knocking.open.take_if(|knocked| knocked.ask == ask) else { return };
        match answer {
            Ok(Answer::Opened(opened)) => self.welcome(knocked, *opened, now),
            Ok(_) => self.refuse_knock(Some(&knocked.id), &Denial::internal()),
            Err(denial) => self.refuse_knock(Some(&knocked.id), &denial),
        }
    }

    /// [arcp §6.1] Who cannot prove who it is gets one try on a connection; a session that cannot be gone
    /// on with may be followed by a new one.
    fn refuse_knock(&mut self, request: Option<&str>, denial: &Denial) {
        let State::Knocking(knocking) = &mut self.state else { return };
        knocking.tries += 1;
        let is_over = knocking.tries >= HANDSHAKE_TRIES_MAX;
        self.send_error(NO_SESSION, request, None, denial);
        if denial.code == Code::Unauthenticated {
            self.end(Close::UNAUTHENTICATED);
        } else if is_over {
            self.end(Close::NO_HANDSHAKE);
        }
    }

    fn welcome(&mut self, knocked: Knocked, opened: Opened, now: Timestamp) {
        let profile = opened.profile.or(self.config.profile).unwrap_or(knocked.guess);
        let beats = knocked.features.has(Feature::Heartbeat);
        let acks = knocked.features.has(Feature::Ack);
        let interval_secs = (self.config.heartbeat.get() / 1_000).max(1);
        let interval = Millis::from_secs(interval_secs);
        let agents = (!opened.agents.is_empty()).then_some(AgentList::Entries(opened.agents));
        let speaks_json = |all: Vec<String>| all.iter().any(|name| name == "json");
        let encodings = knocked.encodings.is_some_and(speaks_json).then(|| vec!["json".to_owned()]);
        let features = (!knocked.features.is_empty()).then(|| knocked.features.names());
        let welcome = Welcome {
            runtime: self.config.runtime.clone(),
            session_id: Some(opened.session_id.clone()),
            resume_token: opened.resume_token,
            resume_window_sec: (opened.window.get() / 1_000).max(1),
            heartbeat_interval_sec: beats.then(|| NonZeroU64::new(interval_secs)).flatten(),
            capabilities: Capabilities { encodings, features, agents },
            accepted_at: Some(now.rfc3339()),
        };
        let envelope =
            Envelope::new(self.next_id(), &opened.session_id, Message::Welcome(Box::new(welcome)));
        self.state = State::Attached(Box::new(Attached {
            session_id: opened.session_id,
            features: knocked.features,
            profile,
            seen: Seen::default(),
            open: VecDeque::new(),
            late: VecDeque::new(),
            acks: Acks::default(),
            feed: VecDeque::new(),
            rest_until: None,
            newest: opened.after,
            known: BTreeSet::new(),
            pace: acks.then(|| Pace::new(self.config.backlog, opened.after)),
            pulse: beats.then(|| Pulse::new(interval, now)),
            is_leaving: false,
        }));
        self.send(&envelope);
        self.push(Output::Follow { after: opened.after });
    }
}

/// The proof in a hello. [arcp §6.1] Bearer tokens are the only sort there is.
fn token(auth: Option<Auth>) -> Result<String, Denial> {
    let no = |words| Err(Denial::new(Code::Unauthenticated, words));
    match auth {
        None => no("there is no `auth`"),
        Some(auth) if auth.scheme != "bearer" => no("`auth.scheme` must be `bearer`"),
        Some(auth) if auth.token.is_empty() => no("there is no `auth.token`"),
        Some(auth) => Ok(auth.token),
    }
}

fn from_hello(id: String, session_id: Option<String>, hello: Hello) -> Result<Wish, Denial> {
    let resume = match (hello.resume, hello.resume_token, hello.last_event_seq) {
        (Some(resume), ..) => Some(resume),
        (None, Some(resume_token), last) => {
            let session_id = hello.session_id.or(session_id);
            Some(ResumeRequest { session_id, resume_token, last_event_seq: last.unwrap_or(0) })
        }
        (None, None, _) => None,
    };
    let (client, token) = (hello.client, Some(token(hello.auth)?));
    let capabilities = hello.capabilities.unwrap_or_default();
    Ok(Wish { id, client, token, capabilities, resume })
}

/// [arcp §6.3] The message of the draft that asks for an old session. Whether its resume token is proof
/// enough where it brings no other, the runtime says.
fn from_resume(id: String, session_id: Option<String>, resume: Resume) -> Result<Wish, Denial> {
    let token = match resume.auth {
        None => None,
        auth => Some(token(auth)?),
    };
    let nobody = || Client {
        name: "unknown".to_owned(),
        version: "0".to_owned(),
        fingerprint: None,
        principal: None,
    };
    let client = resume.client.unwrap_or_else(nobody);
    let mut request = resume.request;
    request.session_id = request.session_id.or(session_id);
    // A client that says nothing of what it can do goes on with what was agreed on before: that is the
    // widest there is, for a session cannot have more than this runtime.
    let everything =
        || Capabilities { features: Some(Features::all().names()), ..Capabilities::default() };
    let capabilities = resume.capabilities.unwrap_or_else(everything);
    Ok(Wish { id, client, token, capabilities, resume: Some(request) })
}

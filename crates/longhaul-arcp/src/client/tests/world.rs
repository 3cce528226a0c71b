//! A runtime that keeps everything in memory, with the real server's end of a connection in front of
//! it, and a wire that can be cut between any two frames.

use super::*;
use crate::message::{Accepted, Subscribed};
use crate::server::{self, Answered, Fed, Following, Opened, Submitted};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Frames of the feed that are read at once.
const PAGE: usize = 3;

#[derive(Default)]
struct Kept {
    token: u64,
    /// Which entry of which job, under the numbers 1, 2, 3, …
    feed: Vec<(String, usize)>,
}

#[derive(Default)]
struct Job {
    told: usize,
    is_ended: bool,
    followers: BTreeSet<String>,
}

/// Both ends, the wire between them, and what is behind the server's.
pub(super) struct World {
    pub(super) client: Connection,
    server: Option<server::Connection>,
    /// Frames on their way to the server, and to the client.
    up: VecDeque<String>,
    down: VecDeque<String>,
    asks: VecDeque<(server::AskId, server::Ask)>,
    fed: usize,
    sessions: BTreeMap<String, Kept>,
    jobs: BTreeMap<String, Job>,
    keys: BTreeMap<String, String>,
    now: Timestamp,
    transports: u64,
    /// What the user was told of each job.
    pub(super) heard: BTreeMap<String, Vec<String>>,
    pub(super) answers: Vec<(AskId, Result<String, Code>)>,
    pub(super) losses: Vec<String>,
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self {
            client: Connection::new(config(), "client"),
            server: None,
            up: VecDeque::new(),
            down: VecDeque::new(),
            asks: VecDeque::new(),
            fed: 0,
            sessions: BTreeMap::new(),
            jobs: BTreeMap::new(),
            keys: BTreeMap::new(),
            now: Timestamp::from_millis(0),
            transports: 0,
            heard: BTreeMap::new(),
            answers: vec![],
            losses: vec![],
        };
        // A job of somebody else, that has told something before anybody followed it.
        world.jobs.insert("job_theirs".to_owned(), Job { told: 4, ..Job::default() });
        world
    }

    pub(super) fn connect(&mut self) {
        if self.server.is_some() {
            return;
        }
        self.transports += 1;
        let config = server::Config {
            runtime: message::Runtime {
                name: "world".to_owned(),
                version: "1".to_owned(),
                fingerprint: None,
            },
            features: Features::always(),
            heartbeat: Millis::from_secs(30),
            backlog: server::Backlog::default(),
            profile: None,
        };
        let name = format!("transport-{}", self.transports);
        self.server = Some(server::Connection::new(config, &name, self.now));
        self.client.on_connected(self.now);
        self.drain();
    }

    /// Everything that is on its way is lost.
    pub(super) fn cut(&mut self) {
        self.server = None;
        self.up.clear();
        self.down.clear();
        self.asks.clear();
        self.client.on_lost();
        self.drain();
    }

    /// The runtime forgets all sessions; jobs go on.
    pub(super) fn forget(&mut self) {
        self.cut();
        for id in std::mem::take(&mut self.sessions).into_keys() {
            for job in self.jobs.values_mut() {
                job.followers.remove(&id);
            }
        }
    }

    pub(super) fn ask(&mut self, ask: Ask) -> AskId {
        let id = self.client.ask(ask).unwrap();
        self.drain();
        id
    }

    pub(super) fn deliver_up(&mut self) {
        let wants = self.server.as_ref().is_some_and(server::Connection::wants_message);
        if wants && let Some(text) = self.up.pop_front() {
            let now = self.now;
            self.with_server(|server| server.on_message(&text, now));
        }
    }

    pub(super) fn deliver_down(&mut self) {
        if let Some(text) = self.down.pop_front() {
            self.client.on_message(&text, self.now);
            self.drain();
        }
    }

    /// The last frame is sent once more, as by a runtime that is not sure.
    pub(super) fn repeat_down(&mut self) {
        if let Some(text) = self.down.front().cloned() {
            self.down.push_front(text);
        }
    }

    pub(super) fn wait(&mut self, millis: u64) {
        self.now = self.now.plus(Millis::new(millis));
        let now = self.now;
        self.with_server(|server| server.on_due(now));
        self.client.on_due(now);
        self.drain();
    }

    /// The job tells something, to all sessions that follow it.
    pub(super) fn emit(&mut self, place: usize, is_last: bool) {
        let live: Vec<String> =
            self.jobs.iter().filter(|(_, job)| !job.is_ended).map(|(id, _)| id.clone()).collect();
        let Some(id) = live.get(place % live.len().max(1)) else { return };
        let job = self.jobs.get_mut(id).unwrap();
        let entry = job.told;
        job.told += 1;
        job.is_ended = is_last;
        for session in &job.followers {
            self.sessions.get_mut(session).unwrap().feed.push((id.clone(), entry));
        }
    }

    pub(super) fn answer(&mut self) {
        let Some((id, ask)) = self.asks.pop_front() else { return };
        let answer = self.answered(ask);
        let now = self.now;
        self.with_server(|server| server.on_answer(id, answer, now));
    }

    pub(super) fn feed(&mut self) {
        let Some(server) = self.server.as_ref().filter(|server| server.wants_feed()) else {
            return;
        };
        let Some(session) = server.session_id().map(str::to_owned) else { return };
        let rest = &self.sessions[&session].feed[self.fed..];
        let page: Vec<Fed> = rest
            .iter()
            .take(PAGE)
            .enumerate()
            .map(|(place, (job, entry))| {
                self.frame(&session, (self.fed + place + 1) as u64, job, *entry)
            })
            .collect();
        self.fed += page.len();
        let now = self.now;
        self.with_server(|server| server.on_feed(page, now));
    }

    /// All that was told of a job, as its user should hear it.
    pub(super) fn said(&self, job: &str) -> Vec<String> {
        let job = &self.jobs[job];
        let word = |entry: usize| {
            if job.is_ended && entry + 1 == job.told { "end".to_owned() } else { entry.to_string() }
        };
        (0..job.told).map(word).collect()
    }

    /// No more cuts, and time for everything to arrive.
    pub(super) fn settle(&mut self) {
        for _ in 0..2_000 {
            self.connect();
            self.deliver_up();
            self.answer();
            self.feed();
            self.deliver_down();
        }
        assert!(self.up.is_empty() && self.down.is_empty() && self.asks.is_empty());
    }

    fn frame(&self, session: &str, event_seq: u64, id: &str, entry: usize) -> Fed {
        let job = &self.jobs[id];
        let is_last = job.is_ended && entry + 1 == job.told;
        let (kind, payload) = if is_last {
            ("job.result", json!({"final_status": "success", "result": entry}))
        } else {
            let body = json!({"n": entry});
            ("job.event", json!({"kind": "x-vendor.test.n", "ts": "t", "body": body}))
        };
        let text = json!({"arcp": "1.1", "id": format!("msg_{session}_{event_seq}"), "type": kind,
            "session_id": session, "job_id": id, "event_seq": event_seq, "payload": payload});
        let (job_id, text) = (id.to_owned(), text.to_string());
        Fed { event_seq, job_id, is_last, accepted: None, text }
    }

    fn answered(&mut self, ask: server::Ask) -> Answered {
        let session = self.server.as_ref().and_then(|server| server.session_id());
        let session = session.unwrap_or_default().to_owned();
        match ask {
            server::Ask::Knock(knock) => self.opened(knock.resume),
            server::Ask::Submit(submission) => {
                let key = submission.key.unwrap();
                let fresh = format!("job_{}", self.keys.len());
                let id = self.keys.entry(key).or_insert(fresh).clone();
                let job = self.jobs.entry(id.clone()).or_default();
                if !job.is_ended {
                    job.followers.insert(session);
                }
                let accepted: Accepted =
                    serde_json::from_value(json!({"job_id": id, "accepted_at": "t"})).unwrap();
                Ok(server::Answer::Submitted(Box::new(Submitted { accepted, ended: None })))
            }
            server::Ask::Subscribe(ask) => {
                let kept = self.sessions.get_mut(&session).unwrap();
                let from = kept.feed.len();
                let Some(job) = self.jobs.get_mut(&ask.job_id) else {
                    return Err(Denial::new(Code::JobNotFound, "there is no such job"));
                };
                if ask.history_after.is_some() {
                    kept.feed.extend((0..job.told).map(|entry| (ask.job_id.clone(), entry)));
                }
                let replayed = kept.feed.len() > from;
                if !job.is_ended {
                    job.followers.insert(session);
                }
                let subscribed: Subscribed = serde_json::from_value(json!({
                    "job_id": ask.job_id, "current_status": "running", "agent": "count",
                    "subscribed_from": from, "replayed": replayed,
                }))
                .unwrap();
                Ok(server::Answer::Following(Box::new(Following { subscribed })))
            }
            _ => Ok(server::Answer::Done),
        }
    }

    /// The token is a new one each time, so a welcome that is lost takes the session with it.
    fn opened(&mut self, resume: Option<message::ResumeRequest>) -> Answered {
        let (session_id, after) = match resume {
            None => (format!("sess_{}", self.transports), 0),
            Some(resume) => {
                let id = resume.session_id.unwrap();
                let fits = self.sessions.get(&id).is_some_and(|kept| {
                    resume.resume_token == format!("rt_{}", kept.token)
                        && resume.last_event_seq <= kept.feed.len() as u64
                });
                if !fits {
                    return Err(Denial::new(Code::ResumeWindowExpired, "it is over"));
                }
                (id, resume.last_event_seq)
            }
        };
        let kept = self.sessions.entry(session_id.clone()).or_default();
        kept.token += 1;
        let resume_token = format!("rt_{}", kept.token);
        let window = Millis::from_secs(600);
        let opened =
            Opened { session_id, resume_token, window, agents: vec![], after, profile: None };
        Ok(server::Answer::Opened(Box::new(opened)))
    }

    fn with_server(&mut self, input: impl FnOnce(&mut server::Connection)) {
        let Some(server) = &mut self.server else { return };
        input(server);
        let mut is_closed = false;
        while let Some(output) = server.poll() {
            match output {
                server::Output::Send(text) => self.down.push_back(text),
                server::Output::Ask(id, ask) => self.asks.push_back((id, ask)),
                server::Output::Follow { after } => self.fed = usize::try_from(after).unwrap(),
                server::Output::Close(_) => is_closed = true,
            }
        }
        if is_closed {
            while !self.down.is_empty() && self.server.is_some() {
                self.deliver_down();
            }
            self.cut();
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll() {
            match output {
                Output::Send(text) => {
                    if self.server.is_some() {
                        self.up.push_back(text);
                    }
                }
                Output::Tell(told) => self.hear(told),
                Output::Reconnect(_) => {
                    self.server = None;
                    self.up.clear();
                    self.down.clear();
                    self.asks.clear();
                }
                Output::Over(over) => panic!("{over:?}"),
            }
        }
    }

    fn hear(&mut self, told: Told) {
        match told {
            Told::Event { job_id, event, .. } => {
                let body: Value = serde_json::from_str(event.body.unwrap().get()).unwrap();
                self.heard.entry(job_id).or_default().push(body["n"].to_string());
            }
            Told::Ended { job_id, .. } => {
                self.heard.entry(job_id).or_default().push("end".to_owned());
            }
            Told::Answered(id, answer) => {
                let answer = answer.map_err(|denial| denial.code).map(|answer| match answer {
                    Answer::Submitted(accepted) => accepted.job_id,
                    Answer::Following(subscribed) => subscribed.job_id,
                    Answer::Listed(_) | Answer::Cancelled(_) => String::new(),
                });
                self.answers.push((id, answer));
            }
            Told::Welcomed(_) => {}
            other => self.losses.push(format!("{other:?}")),
        }
    }
}

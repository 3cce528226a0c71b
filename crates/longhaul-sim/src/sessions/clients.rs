//! Clients: they come, ask, read, lose their connections and come back, some with what is not theirs.

use super::life::{Life, Next};
use crate::course::Broken;
use crate::random::Random;
use crate::system::System;
use longhaul_core::command::{Command, Reply};
use longhaul_core::engine::Step;
use longhaul_core::id::{ConnectionId, JobId, SessionId};
use longhaul_core::session::{Resume, SessionState};
use longhaul_core::time::Millis;
use std::collections::{BTreeMap, BTreeSet};

/// Somebody at the other end.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) principal: &'static str,
    is_operator: bool,
    acks: bool,
    window: u64,
    /// The session that it believes to have.
    pub(super) held: Option<Held>,
    /// The connection that it believes to have.
    pub(super) connection: Option<ConnectionId>,
    /// To which host that is, or was.
    pub(super) host: usize,
    has_left: bool,
}

/// What a client has of a session.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) session: SessionId,
    token: String,
    /// What it was sent, by numbers: over all its connections.
    got: BTreeMap<u64, String>,
}

impl Client {
    pub(super) fn new(number: u64, random: &mut Random) -> Self {
        let principal = if number == 2 { "root" } else { *random.pick(&["alice", "alice", "bob"]) };
        Self {
            principal,
            is_operator: principal == "root",
            acks: random.chance(70),
            window: random.between(5_000, 40_000),
            held: None,
            connection: None,
            host: 0,
            has_left: false,
        }
    }

    /// Its connection is gone.
    pub(super) fn lose(&mut self) {
        self.connection = None;
    }

    fn have(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.got.len() as u64)
    }
}

impl Life {
    /// A client does what comes to its mind.
    pub(super) fn client(&mut self, index: usize, system: &mut dyn System) -> Result<(), Broken> {
        let pause =
            self.course.random.between(100, if self.course.is_calm() { 6_000 } else { 2_500 });
        if self.clients[index].has_left {
            return Ok(());
        }
        self.course.after(pause, Next::Client(index));
        if !self.finds_host(index) {
            return Ok(());
        }
        let client = &self.clients[index];
        match (&client.connection, &client.held) {
            (_, _) if self.is_settled() => self.leave(index, system),
            (None, None) => self.open(index, system),
            (None, Some(_)) => self.come_back(index, self.clients[index].host, system),
            (Some(_), _) => self.act(index, system),
        }
    }

    /// Whether the host that it is connected to would answer, or some host if it is to none. Whoever
    /// waits for one that sleeps loses patience at last.
    fn finds_host(&mut self, index: usize) -> bool {
        if self.clients[index].connection.is_some() {
            if self.course.is_there(self.clients[index].host) {
                return true;
            }
            if self.course.random.chance(50) {
                return false;
            }
            self.loses(index);
        }
        let Some(host) = self.course.some_host() else { return false };
        self.clients[index].host = host;
        true
    }

    /// Its connection breaks. Sooner or later the server that had it sees that.
    fn loses(&mut self, index: usize) {
        self.clients[index].lose();
        let held = self.clients[index].held.as_ref();
        let row = held.and_then(|held| self.rows.sessions.get(&held.session));
        if let Some(SessionState::Attached { connection, host }) = row.map(|row| &row.state) {
            let (connection, host) = (connection.clone(), self.course.number(host));
            let session = row.expect("it was just seen").id.clone();
            self.detach_late(host, session, connection);
        }
    }

    fn number(&mut self) -> u64 {
        self.course.numbered += 1;
        self.course.numbered
    }

    fn new_connection(&mut self) -> ConnectionId {
        let number = self.number();
        ConnectionId::parse(&format!("conn_{number:026}")).expect("26 digits")
    }

    /// Asks the host that it is connected to, and may not hear the answer.
    pub(super) fn asks(
        &mut self,
        index: usize,
        command: Command,
        system: &mut dyn System,
    ) -> Result<Option<Step>, Broken> {
        self.asks_at(self.clients[index].host, index, command, system)
    }

    fn asks_at(
        &mut self,
        host: usize,
        index: usize,
        command: Command,
        system: &mut dyn System,
    ) -> Result<Option<Step>, Broken> {
        let step = self.step(host, vec![command], system)?;
        if step.is_some() && self.course.fails(6) {
            self.tally.unheard += 1;
            if self.course.random.chance(30) {
                self.crash(host);
            }
            self.loses(index);
            return Ok(None);
        }
        Ok(step)
    }

    /// It may say so twice.
    fn detach_late(&mut self, host: usize, session: SessionId, connection: ConnectionId) {
        let detach = Command::DetachSession { session, connection };
        let here = self.course.here(host);
        let times = 1 + u64::from(self.course.fails(15));
        for _ in 0..times {
            let late = if self.course.fails(30) { self.course.random.below(30_000) } else { 0 };
            self.tally.late_detaches += u64::from(late > 0);
            self.course.later(here, late, Next::Report(Box::new(detach.clone())));
        }
    }

    fn open(&mut self, index: usize, system: &mut dyn System) -> Result<(), Broken> {
        let number = self.number();
        let session = SessionId::parse(&format!("sess_{number:026}")).expect("26 digits");
        let (connection, token) = (self.new_connection(), format!("token {number}"));
        let client = &self.clients[index];
        let open = Command::OpenSession {
            session: session.clone(),
            principal: client.principal.to_owned(),
            is_operator: client.is_operator,
            client: "simulated".to_owned(),
            features: client.acks.then(|| "ack".to_owned()).into_iter().collect(),
            token_sha256: token.clone(),
            window: Millis::new(client.window),
            connection: connection.clone(),
        };
        let Some(step) = self.asks(index, open, system)? else {
            // If it was opened after all: nobody knows its token, and the server sees the end.
            if self.rows.sessions.contains_key(&session) {
                self.detach_late(self.clients[index].host, session, connection);
            }
            return Ok(());
        };
        self.holds("who may opens a session", Self::is_attached(&step), || format!("{step:?}"))?;
        self.tally.opened += 1;
        let client = &mut self.clients[index];
        client.held = Some(Held { session, token, got: BTreeMap::new() });
        client.connection = Some(connection);
        Ok(())
    }

    /// Goes on with its session, at this host; or tries with what does not do.
    fn come_back(
        &mut self,
        index: usize,
        host: usize,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let client = self.clients[index].clone();
        let Some(held) = &client.held else { return Ok(()) };
        let (have, number) = (client.have(), self.number());
        let mut ask = Resume {
            session: held.session.clone(),
            principal: client.principal.to_owned(),
            is_operator: client.is_operator,
            token_sha256: held.token.clone(),
            next_sha256: format!("token {number}"),
            after: have,
            features: client.acks.then(|| "ack".to_owned()).into_iter().collect(),
            connection: self.new_connection(),
        };
        let how = if self.course.is_calm() { 99 } else { self.course.random.below(100) };
        match how {
            0..4 => "token nobody was given".clone_into(&mut ask.token_sha256),
            4..8 => "mallory".clone_into(&mut ask.principal),
            // Beyond what there is. Less than that is its own affair: it would be told from there on.
            8..12 => {
                let row = self.rows.sessions.get(&held.session);
                let newest = row.map_or(have, |row| row.newest);
                ask.after = newest + 1 + self.course.random.below(2_000);
            }
            12..30 => ask.after = self.course.random.below(have + 1),
            30..34 => {
                let old = self.old_tokens.iter().next_back().cloned();
                ask.token_sha256 = old.unwrap_or(ask.token_sha256);
            }
            _ => {}
        }
        self.resume((index, host), ask, how >= 34, system)
    }

    fn resume(
        &mut self,
        (index, host): (usize, usize),
        ask: Resume,
        is_right: bool,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let command = Command::ResumeSession(Box::new(ask.clone()));
        let Some(step) = self.asks_at(host, index, command, system)? else { return Ok(()) };
        let client = &mut self.clients[index];
        if Self::is_attached(&step) {
            self.tally.told_twice += u64::from(ask.after < client.have());
            let held = client.held.as_mut().expect("it came back with one");
            held.token.clone_from(&ask.next_sha256);
            // What comes again is compared with what it has.
            (client.connection, client.host) = (Some(ask.connection), host);
            return self.reads_from(index, ask.after);
        }
        if is_right {
            // Its jobs are followed anew from another session.
            (client.held, client.connection) = (None, None);
        }
        Ok(())
    }

    /// Is sent what comes after this number, as far as it reads.
    fn reads_from(&mut self, index: usize, after: u64) -> Result<(), Broken> {
        let Some(held) = self.clients[index].held.clone() else { return Ok(()) };
        let Some(row) = self.rows.sessions.get(&held.session) else { return Ok(()) };
        if row.floor > after {
            // A server that finds this ends the connection.
            self.tally.overtaken += 1;
            self.loses(index);
            return Ok(());
        }
        let mut stood = self.rows.stood(&held.session, after + 1);
        if !self.course.is_calm() {
            let most =
                if self.course.random.chance(20) { 5_000 } else { self.course.random.below(12) };
            stood.truncate(usize::try_from(most).expect("few"));
        }
        for (number, what) in stood {
            let frame = self.rows.frame(&what).unwrap_or_default();
            let got = &mut self.clients[index].held.as_mut().expect("it has one").got;
            let next = got.len() as u64 + 1;
            let is_forgotten = self.rows.is_forgotten(&what);
            let is_same = got.get(&number).is_none_or(|had| *had == frame || is_forgotten);
            self.tally.forgotten += u64::from(is_forgotten);
            let is_next = number <= next;
            got.insert(number, frame);
            self.holds("a client's numbers have no gap", is_next, || {
                format!("{number} came where {next} was due, in {}", held.session)
            })?;
            self.holds("what comes again is the same, or forgotten", is_same, || {
                format!("{number} of {} is {what:?}", held.session)
            })?;
        }
        Ok(())
    }

    fn reads(&mut self, index: usize) -> Result<(), Broken> {
        let Some(held) = &self.clients[index].held else { return Ok(()) };
        let is_there = self.rows.sessions.get(&held.session).is_some_and(|row| !row.is_over());
        if !is_there {
            self.clients[index].lose();
            return Ok(());
        }
        self.reads_from(index, self.clients[index].have())
    }

    fn act(&mut self, index: usize, system: &mut dyn System) -> Result<(), Broken> {
        self.reads(index)?;
        let Some(connection) = self.clients[index].connection.clone() else { return Ok(()) };
        let Some(held) = self.clients[index].held.clone() else { return Ok(()) };
        let session = held.session;
        let what = if self.course.is_calm() { 40 } else { self.course.random.below(100) };
        match what {
            0..16 => self.submits(index, system),
            16..36 => self.follows(index, system),
            36..60 => {
                let beyond = if self.course.random.chance(5) { 50 } else { 0 };
                let seq = self.clients[index].have() + beyond;
                let ack = Command::AcknowledgeFeed { session, connection, seq };
                self.says(index, ack, system)
            }
            60..66 => {
                let Some(job) = self.some_job() else { return Ok(()) };
                self.says(index, Command::Unfollow { session, job }, system)
            }
            66..72 => {
                let Some(job) = self.some_job() else { return Ok(()) };
                let ask = Command::Cancel { job, reason: None, by_force: false, tree: false };
                self.asks(index, ask, system).map(|_| ())
            }
            72..75 => {
                let Some(job) = self.some_job() else { return Ok(()) };
                self.asks(index, Command::Purge(job), system).map(drop)
            }
            75..88 => {
                let host = self.clients[index].host;
                self.clients[index].lose();
                self.detach_late(host, session, connection);
                Ok(())
            }
            88..93 => self.says(index, Command::CloseSession { session, connection }, system),
            // Another connection of the same client, while the first is still there.
            _ => {
                let host = self.course.some_host().unwrap_or(self.clients[index].host);
                self.come_back(index, host, system)
            }
        }
    }

    /// Says what another connection may have taken from it the right to say.
    fn says(
        &mut self,
        index: usize,
        command: Command,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let is_close = matches!(command, Command::CloseSession { .. });
        let Some(step) = self.asks(index, command, system)? else { return Ok(()) };
        let client = &mut self.clients[index];
        match &step.replies[0] {
            Ok(Reply::Done) if is_close => (client.held, client.connection) = (None, None),
            Ok(_) => {}
            Err(_) => client.lose(),
        }
        Ok(())
    }

    /// Everybody goes: some say so, of others it is seen.
    fn leave(&mut self, index: usize, system: &mut dyn System) -> Result<(), Broken> {
        self.reads(index)?;
        let held = self.clients[index].held.clone();
        let connection = self.clients[index].connection.take();
        self.clients[index].has_left = true;
        let (Some(held), Some(connection)) = (held, connection) else { return Ok(()) };
        let session = held.session;
        let command = if self.course.random.chance(50) {
            Command::CloseSession { session, connection }
        } else {
            Command::DetachSession { session, connection }
        };
        self.step(self.clients[index].host, vec![command], system).map(drop)
    }

    /// What of a job a client would be told, if it asked.
    pub(super) fn follow_of(&mut self, index: usize, job: &JobId) -> Option<Command> {
        let client = &self.clients[index];
        let session = client.held.as_ref().filter(|_| client.connection.is_some())?.session.clone();
        let known = self.rows.entries.get(job)?.len() as u64;
        let after = self.course.random.chance(60).then(|| {
            if self.course.random.chance(50) { 0 } else { self.course.random.below(known + 1) }
        });
        Some(Command::Follow { session, job: job.clone(), after })
    }

    /// Which principals there are.
    pub(super) fn principals(&self) -> BTreeSet<&'static str> {
        self.clients.iter().map(|client| client.principal).collect()
    }
}

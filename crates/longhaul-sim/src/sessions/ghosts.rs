//! What should be so, kept apart from the rows: who may go on with which session, who follows what,
//! and what each step should have told. Moved by commands and their answers alone.

use super::rows::Rows;
use longhaul_core::command::{Command, Known, Refused, Reply, Submission};
use longhaul_core::engine::Step;
use longhaul_core::id::{ConnectionId, JobId, SessionId};
use longhaul_core::limits;
use longhaul_core::session::Resume;
use std::collections::{BTreeMap, BTreeSet};

/// A session, as it should be.
#[derive(Clone, Debug)]
pub(super) struct Ghost {
    pub(super) principal: String,
    pub(super) is_operator: bool,
    pub(super) token: String,
    pub(super) connection: Option<ConnectionId>,
    /// At which host that is, or was.
    pub(super) host: usize,
    /// Until when it can be resumed, while nobody is connected.
    pub(super) until: Option<u64>,
    pub(super) window: u64,
    pub(super) acked: u64,
    pub(super) acks: bool,
    pub(super) is_lagging: bool,
    pub(super) is_over: bool,
    /// The newest number about each job that was given when it was told.
    pub(super) told_at: BTreeMap<JobId, u64>,
}

/// What a session should be told in one step of one job.
#[derive(Clone, Debug, Default)]
pub(super) struct Due {
    /// Entries from before the step, because it asked for them.
    pub(super) again: Vec<u64>,
    /// Whether it is told what the step has added.
    pub(super) is_following: bool,
    /// Whether it may have begun to follow in the midst of it.
    pub(super) is_new: bool,
}

/// All that should be so.
#[derive(Clone, Debug, Default)]
pub(super) struct Ghosts {
    pub(super) sessions: BTreeMap<SessionId, Ghost>,
    pub(super) follows: BTreeMap<JobId, BTreeSet<SessionId>>,
    /// Whose each job is.
    pub(super) owners: BTreeMap<JobId, String>,
    /// Which session asked for each.
    pub(super) askers: BTreeMap<JobId, SessionId>,
    /// Which job a key is of, or was.
    pub(super) keys: BTreeMap<String, JobId>,
    /// Who asked for history, and after which of the job's numbers; and who did without.
    pub(super) asked: BTreeMap<(SessionId, JobId), Vec<Option<u64>>>,
    /// Who follows a job in another way than by asking to.
    pub(super) otherwise: BTreeSet<(SessionId, JobId)>,
}

/// Why a resume is not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum No {
    Stranger,
    Late,
    Token,
    Beyond,
    Gone,
}

impl Ghosts {
    /// Whether this resume should be granted; `before` is what was there when it came.
    pub(super) fn may_resume(&self, ask: &Resume, before: &Rows, at: u64) -> Result<(), No> {
        let ghost = self.sessions.get(&ask.session).ok_or(No::Late)?;
        let row = before.sessions.get(&ask.session);
        if ghost.principal != ask.principal {
            return Err(No::Stranger);
        }
        let (Some(row), false) = (row, ghost.is_over || ghost.until.is_some_and(|by| at >= by))
        else {
            return Err(No::Late);
        };
        if ghost.token != ask.token_sha256 {
            return Err(No::Token);
        }
        if ask.after > row.newest {
            return Err(No::Beyond);
        }
        if before.feeds[&ask.session].first().is_some_and(|run| ask.after + 1 < run.first) {
            return Err(No::Gone);
        }
        Ok(())
    }

    /// Whether this connection speaks for this session.
    pub(super) fn is_at(&self, session: &SessionId, connection: &ConnectionId) -> bool {
        let ghost = self.sessions.get(session);
        ghost.is_some_and(|ghost| !ghost.is_over && ghost.connection.as_ref() == Some(connection))
    }

    /// Takes in what a step came to. Gives what it should have told.
    pub(super) fn take(
        &mut self,
        batch: &[Command],
        step: &Step,
        (before, after): (&Rows, &Rows),
        (host, at): (usize, u64),
    ) -> BTreeMap<(SessionId, JobId), Due> {
        let mut due: BTreeMap<(SessionId, JobId), Due> = BTreeMap::new();
        let mut exited = BTreeSet::new();
        for (command, reply) in batch.iter().zip(&step.replies) {
            match command {
                Command::Exited { job, .. } if reply.is_ok() => drop(exited.insert(job.clone())),
                Command::Follow { session, job, after: from } if reply.is_ok() => {
                    let is_over = before.jobs[job].outcome().is_some()
                        || exited.contains(job) && after.is_over(job);
                    let is_new = self.follow(session, job, is_over);
                    let key = (session.clone(), job.clone());
                    self.asked.entry(key.clone()).or_default().push(*from);
                    let entry = due.entry(key).or_default();
                    entry.is_new = is_new && from.is_none();
                    if let Some(from) = from {
                        // What the step adds comes to its followers by itself.
                        let by = self.follows.get(job);
                        let is_told = by.is_some_and(|by| by.contains(session));
                        let known = before.known.get(job).copied().unwrap_or(0);
                        let most = if is_told { known } else { u64::MAX };
                        entry.again = after.told(job, *from);
                        entry.again.retain(|seq| *seq <= most);
                    }
                }
                Command::Submit(jobs) => {
                    for key in self.submitted(jobs, reply) {
                        due.entry(key).or_default().is_new = true;
                    }
                }
                _ => self.one(command, reply, before, (host, at)),
            }
        }
        for (id, ghost) in &mut self.sessions {
            // Its hour came in this step, before anything was told.
            if ghost.until.is_some_and(|until| at >= until) {
                ghost.is_over = true;
            }
            if ghost.is_over {
                self.follows.values_mut().for_each(|by| by.retain(|follower| follower != id));
            }
        }
        for (job, by) in &self.follows {
            for session in by {
                due.entry((session.clone(), job.clone())).or_default().is_following = true;
            }
        }
        self.follows
            .retain(|job, _| after.jobs.get(job).is_some_and(|job| job.outcome().is_none()));
        due
    }

    /// Jobs were asked for. Gives who follows one from the midst of this step on.
    fn submitted(
        &mut self,
        jobs: &[Submission],
        reply: &Result<Reply, Refused>,
    ) -> Vec<(SessionId, JobId)> {
        let Ok(Reply::Submitted(accepted)) = reply else { return Vec::new() };
        let mut new = Vec::new();
        for (asked, (id, was)) in jobs.iter().zip(accepted) {
            if was.is_new() {
                let owner = asked.owner.clone().unwrap_or_default();
                self.owners.insert(id.clone(), owner);
                self.askers.extend(asked.session.clone().map(|by| (id.clone(), by)));
                self.follows.entry(id.clone()).or_default();
            }
            // What is over has nobody who follows it any more.
            let open = self.follows.get_mut(id).filter(|_| *was != Known::Over);
            if let (Some(by), Some(of)) = (&asked.session, open) {
                let key = (by.clone(), id.clone());
                self.otherwise.insert(key.clone());
                new.extend((of.insert(by.clone()) && !was.is_new()).then_some(key));
            }
        }
        new
    }

    fn follow(&mut self, session: &SessionId, job: &JobId, is_over: bool) -> bool {
        !is_over && self.follows.entry(job.clone()).or_default().insert(session.clone())
    }

    fn one(
        &mut self,
        command: &Command,
        reply: &Result<Reply, Refused>,
        before: &Rows,
        (host, at): (usize, u64),
    ) {
        match (command, reply) {
            (Command::OpenSession { .. }, Ok(_)) => self.open(command, host),
            (Command::ResumeSession(ask), Ok(_)) => {
                let ghost = self.sessions.get_mut(&ask.session).expect("it was granted");
                ghost.token.clone_from(&ask.next_sha256);
                (ghost.connection, ghost.until) = (Some(ask.connection.clone()), None);
                ghost.host = host;
            }
            (Command::Delegate { parent, .. }, Ok(Reply::Submitted(accepted))) => {
                for (id, _) in accepted.iter().filter(|(_, was)| was.is_new()) {
                    self.child(parent, id);
                }
            }
            (Command::Unfollow { session, job }, Ok(_))
                if self.askers.get(job) != Some(session) =>
            {
                if let Some(by) = self.follows.get_mut(job) {
                    by.remove(session);
                }
            }
            (Command::AcknowledgeFeed { session, seq, .. }, Ok(_)) => {
                let ghost = self.sessions.get_mut(session).expect("it was taken");
                let newest = before.sessions[session].newest;
                ghost.acked = ghost.acked.max((*seq).min(newest));
                ghost.is_lagging &= newest - ghost.acked > limits::FEED_CAUGHT_UP;
            }
            (Command::DetachSession { session, .. }, Ok(_)) => self.lose(session, at),
            (Command::CloseSession { session, .. }, Ok(_)) => {
                self.sessions.get_mut(session).expect("it was taken").is_over = true;
            }
            (Command::HostUp { .. }, _) => {
                let here = self.sessions.iter().filter(|(_, ghost)| ghost.host == host);
                let here: Vec<_> = here.map(|(session, _)| session.clone()).collect();
                here.iter().for_each(|session| self.lose(session, at));
            }
            (Command::Woke { slept }, _) => {
                for ghost in self.sessions.values_mut().filter(|ghost| !ghost.is_over) {
                    ghost.until = ghost.until.map(|until| until + slept.get());
                }
            }
            _ => {}
        }
    }

    fn lose(&mut self, session: &SessionId, at: u64) {
        let ghost = self.sessions.get_mut(session).expect("all are known");
        if ghost.connection.take().is_some() && !ghost.is_over {
            ghost.until = Some(at + ghost.window);
        }
    }

    /// Whoever follows the parent follows the child.
    fn child(&mut self, parent: &JobId, id: &JobId) {
        let asker = self.askers.get(parent).cloned();
        let asker = asker.filter(|by| !self.sessions[by].is_over);
        let by = self.follows.get(parent).cloned().unwrap_or_default();
        self.owners.insert(id.clone(), self.owners[parent].clone());
        let by: BTreeSet<_> = by.into_iter().chain(asker.clone()).collect();
        self.otherwise.extend(by.iter().map(|by| (by.clone(), id.clone())));
        self.follows.insert(id.clone(), by);
        self.askers.extend(asker.map(|by| (id.clone(), by)));
    }

    fn open(&mut self, command: &Command, host: usize) {
        let Command::OpenSession {
            session,
            principal,
            is_operator,
            features,
            token_sha256,
            window,
            connection,
            ..
        } = command
        else {
            return;
        };
        let ghost = Ghost {
            principal: principal.clone(),
            is_operator: *is_operator,
            token: token_sha256.clone(),
            connection: Some(connection.clone()),
            host,
            until: None,
            window: window.get(),
            acked: 0,
            acks: features.contains("ack"),
            is_lagging: false,
            is_over: false,
            told_at: BTreeMap::new(),
        };
        self.sessions.insert(session.clone(), ghost);
    }
}

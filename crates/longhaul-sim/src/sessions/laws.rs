//! Laws about who may go on with a session, who follows what, and what is left of it.

use super::ghosts::No;
use super::life::Life;
use super::rows::Rows;
use crate::course::Broken;
use longhaul_core::command::{Command, Reply, Want};
use longhaul_core::engine::Step;
use longhaul_core::id::{ConnectionId, JobId, SessionId};
use longhaul_core::session::{Resume, Session, SessionState};
use std::collections::BTreeSet;

impl Life {
    /// After a step.
    pub(super) fn check(
        &mut self,
        before: &Rows,
        (host, batch): (usize, &[Command]),
        step: &Step,
    ) -> Result<(), Broken> {
        self.own(host, step)?;
        for (command, reply) in batch.iter().zip(&step.replies) {
            self.answered(
                (before, host),
                command,
                reply.as_ref().map_err(|refused| refused.code()),
            )?;
        }
        self.known_rightly(before, batch, step)?;
        self.subscriptions(before, batch, step)?;
        let seen = std::mem::take(&mut self.rows);
        let due = self.ghosts.take(batch, step, (before, &seen), (host, self.course.at));
        self.rows = seen;
        for key in due.iter().filter(|(_, due)| due.is_following).map(|(key, _)| key) {
            if self.rows.jobs.get(&key.1).is_some_and(|job| job.outcome().is_some()) {
                self.told_to_end.insert(key.clone());
            }
        }
        self.check_told(before, step, &due)?;
        self.states(before)?;
        self.holds(
            "what was told can be read until its job goes, and not after that",
            self.rows.misread.is_none(),
            || format!("{:?}", self.rows.misread),
        )?;
        self.tally.removed += (self.rows.gone.len() - before.gone.len()) as u64;
        self.leftovers()?;
        self.both_ways()?;
        let ended = self.ends(before);
        self.ends_told(&ended, &due)?;
        if batch.iter().any(|command| matches!(command, Command::HostUp { .. })) {
            let id = self.course.id(host);
            let is_here = |row: &&Session| matches!(&row.state, SessionState::Attached { host, .. } if host == id);
            let attached = self.rows.sessions.values().find(is_here);
            self.holds("who comes up finds nobody connected to it", attached.is_none(), || {
                format!("{attached:?}")
            })?;
        }
        if step.head.0.is_multiple_of(8) { self.check_kept() } else { Ok(()) }
    }

    /// Nobody is asked to do anything about what is another host's.
    fn own(&self, host: usize, step: &Step) -> Result<(), Broken> {
        let is_strange = |want: &&Want| {
            let row = self.rows.jobs.get(want.job());
            let of = row.and_then(|job| job.host.as_ref());
            of.is_some_and(|of| of != self.course.id(host))
        };
        let strange = step.tasks.iter().find(is_strange);
        self.holds("a host is asked for what is its own", strange.is_none(), || {
            format!("host {host} is asked for {strange:?}")
        })
    }

    fn ends(&mut self, before: &Rows) -> Vec<JobId> {
        let ended: Vec<JobId> = self
            .rows
            .jobs
            .iter()
            .filter(|(id, job)| {
                job.outcome().is_some()
                    && before.jobs.get(id).is_none_or(|job| job.outcome().is_none())
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in &ended {
            self.tally.ended += 1;
            let is_alone = before.jobs.get(id).is_some_and(|job| job.followers.is_empty());
            self.tally.ended_alone += u64::from(is_alone);
        }
        ended
    }

    /// Who is granted what.
    fn answered(
        &mut self,
        (before, host): (&Rows, usize),
        command: &Command,
        reply: Result<&Reply, &'static str>,
    ) -> Result<(), Broken> {
        match command {
            Command::ResumeSession(ask) => self.resumed(before, host, ask, reply),
            Command::AcknowledgeFeed { session, connection, .. } => {
                self.tally.acked += u64::from(reply.is_ok());
                self.fenced(session, connection, reply)
            }
            Command::DetachSession { session, connection } => {
                self.tally.stale += u64::from(reply == Err("stale"));
                self.fenced(session, connection, reply)
            }
            Command::CloseSession { session, connection } => {
                self.tally.closed += u64::from(reply.is_ok());
                self.fenced(session, connection, reply)
            }
            Command::Follow { session, job, after } => {
                self.followed(before, (session, job), *after, reply)
            }
            Command::Submit(jobs) => {
                let known = matches!(reply, Ok(Reply::Submitted(all)) if all.iter().any(|(_, was)| !was.is_new()));
                self.tally.asked_again += u64::from(known);
                let strange =
                    |key: &String| !key.starts_with(&jobs[0].owner.clone().unwrap_or_default());
                self.tally.strange_keys += u64::from(jobs[0].key.as_ref().is_some_and(strange));
                Ok(())
            }
            Command::Delegate { .. } => {
                self.tally.delegated += u64::from(matches!(reply, Ok(Reply::Submitted(_))));
                Ok(())
            }
            Command::Unfollow { session, job } => {
                self.left.insert((session.clone(), job.clone()));
                self.tally.unfollowed += u64::from(reply.is_ok());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn fenced(
        &self,
        session: &SessionId,
        connection: &ConnectionId,
        reply: Result<&Reply, &'static str>,
    ) -> Result<(), Broken> {
        let is_right = reply.is_ok() == self.ghosts.is_at(session, connection);
        self.holds("only its connection speaks for a session", is_right, || {
            format!("{session} at {connection}: {reply:?}, {:?}", self.ghosts.sessions.get(session))
        })
    }

    fn resumed(
        &mut self,
        before: &Rows,
        host: usize,
        ask: &Resume,
        reply: Result<&Reply, &'static str>,
    ) -> Result<(), Broken> {
        let right = self.ghosts.may_resume(ask, before, self.course.at);
        self.holds(
            "a resume is granted to whom it should be",
            right.is_ok() == reply.is_ok(),
            || {
                format!(
                    "{ask:?}: {reply:?}, should be {right:?}; {:?}",
                    before.sessions.get(&ask.session)
                )
            },
        )?;
        let tally = &mut self.tally;
        let Some(ghost) = self.ghosts.sessions.get(&ask.session) else { return Ok(()) };
        let counted = match right {
            Ok(()) => &mut tally.resumed,
            Err(No::Stranger) => &mut tally.refused_stranger,
            Err(No::Late) => &mut tally.refused_late,
            Err(No::Token) if self.old_tokens.contains(&ask.token_sha256) => {
                &mut tally.refused_old_token
            }
            Err(No::Token) => &mut tally.refused_token,
            Err(No::Beyond) => &mut tally.refused_beyond,
            Err(No::Gone) => &mut tally.refused_gone,
        };
        *counted += 1;
        if let Ok(Reply::Attached { newest, displaced }) = reply {
            tally.displaced += u64::from(displaced.is_some());
            self.old_tokens.insert(ask.token_sha256.clone());
            let of = ghost.connection.clone();
            tally.resumed_elsewhere += u64::from(ghost.host != host);
            let is_fresh = displaced.is_some() && ghost.host != host;
            tally.displaced_elsewhere += u64::from(is_fresh);
            let there = before.sessions[&ask.session].newest;
            self.holds("who resumes hears of whom it displaces", *displaced == of, || {
                format!("{displaced:?}, and not {of:?}")
            })?;
            self.holds("who resumes hears of the newest number", *newest == there, || {
                format!("{newest}, and not {there}")
            })?;
        }
        Ok(())
    }

    fn followed(
        &mut self,
        before: &Rows,
        (session, job): (&SessionId, &JobId),
        after: Option<u64>,
        reply: Result<&Reply, &'static str>,
    ) -> Result<(), Broken> {
        let ghost = self.ghosts.sessions.get(session).filter(|ghost| !ghost.is_over);
        let owner = self.ghosts.owners.get(job);
        let is_theirs =
            |ghost: &super::ghosts::Ghost| ghost.is_operator || owner == Some(&ghost.principal);
        let may = ghost.is_some_and(is_theirs) && before.jobs.contains_key(job);
        // Its hour may come in the same step, after what was asked in it.
        self.holds("a job is followed by its own and by operators", may == reply.is_ok(), || {
            format!("{session} {job}: {reply:?}, {ghost:?}")
        })?;
        let tally = &mut self.tally;
        if reply.is_err() {
            tally.follows_gone += u64::from(before.gone.contains(job));
            tally.not_theirs += u64::from(reply == Err("not_yours"));
            return Ok(());
        }
        let is_over = before.jobs[job].outcome().is_some();
        let is_operator = owner != ghost.map(|ghost| &ghost.principal);
        tally.with_history += u64::from(after.is_some());
        tally.without_history += u64::from(after.is_none());
        tally.to_ended += u64::from(is_over);
        tally.by_operators += u64::from(is_operator);
        tally.by_others += u64::from(self.ghosts.askers.get(job) != Some(session));
        Ok(())
    }

    /// The states of sessions are what happened to them.
    fn states(&mut self, before: &Rows) -> Result<(), Broken> {
        let gone: Vec<_> =
            before.sessions.keys().filter(|id| !self.rows.sessions.contains_key(*id)).collect();
        for id in gone {
            let is_over = self.ghosts.sessions[id].is_over;
            self.holds("only what is over goes", is_over, || format!("{id} is gone"))?;
        }
        for (id, row) in &self.rows.sessions {
            let ghost = &self.ghosts.sessions[id];
            let is_right = match &row.state {
                SessionState::Attached { connection, host } => {
                    !ghost.is_over
                        && ghost.connection.as_ref() == Some(connection)
                        && self.course.id(ghost.host) == host
                }
                SessionState::Detached { until } => {
                    let by = u64::try_from(until.as_millis()).ok();
                    !ghost.is_over && ghost.connection.is_none() && ghost.until == by
                }
                SessionState::Over { .. } => ghost.is_over,
            };
            self.holds("a session is what happened to it", is_right, || {
                format!("{id} is {:?}, should be {ghost:?}", row.state)
            })?;
            self.holds("what was acknowledged is kept", row.acked == ghost.acked, || {
                format!("{id}: {} and {}", row.acked, ghost.acked)
            })?;
            if row.is_over() && !before.sessions.get(id).is_some_and(Session::is_over) {
                let is_late = ghost.connection.is_none()
                    && ghost.until.is_some_and(|by| self.course.at >= by);
                self.tally.expired += u64::from(is_late);
            }
        }
        Ok(())
    }

    /// Who follows what is the same from both sides, and open jobs are counted.
    fn both_ways(&self) -> Result<(), Broken> {
        for (id, row) in &self.rows.sessions {
            let follows: BTreeSet<JobId> = self
                .ghosts
                .follows
                .iter()
                .filter(|(_, by)| by.contains(id))
                .map(|(job, _)| job.clone())
                .collect();
            self.holds("a session follows what it asked for", row.follows == follows, || {
                format!("{id} follows {:?}, should {follows:?}", row.follows)
            })?;
            let open = self.ghosts.askers.iter().filter(|(_, by)| *by == id);
            let open = open.filter(|(job, _)| !self.rows.is_over(job)).count();
            self.holds(
                "open jobs are counted",
                row.is_over() || row.open as usize == open,
                || format!("{id} has {} open, should have {open}", row.open),
            )?;
        }
        for (id, job) in &self.rows.jobs {
            let by = self.ghosts.follows.get(id).cloned().unwrap_or_default();
            let told: BTreeSet<SessionId> = job.followers.iter().cloned().collect();
            let is_right = told == by && told.len() == job.followers.len();
            self.holds("a job tells those who follow it", is_right, || {
                format!("{id} tells {:?}, should {by:?}", job.followers)
            })?;
            let Some(asker) = self.ghosts.askers.get(id) else { continue };
            let told_at = self.ghosts.sessions[asker].told_at.get(id).copied().unwrap_or(0);
            let is_cut = self.trimmed.contains(asker);
            self.holds(
                "a job knows what its asker has of it",
                is_cut || job.told_at == told_at,
                || format!("{id}: {} and {told_at}", job.told_at),
            )?;
        }
        Ok(())
    }

    /// Feeds are of sessions that are there, and their counts are right.
    fn leftovers(&mut self) -> Result<(), Broken> {
        let orphan = self
            .rows
            .named
            .iter()
            .find(|name| !self.rows.sessions.keys().any(|id| id.as_str() == name.as_str()));
        self.holds("no feed is without its session", orphan.is_none(), || format!("{orphan:?}"))?;
        let mut trimmed = Vec::new();
        for (id, row) in &self.rows.sessions {
            let runs = &self.rows.feeds[id];
            let first = runs.first().map_or(row.newest, |run| run.first - 1);
            let is_right = row.is_over() || row.floor == first;
            self.holds("a session knows what it can tell again", is_right, || {
                format!("{id}: from {}, and there is {first}", row.floor)
            })?;
            let kept = runs.len() - usize::from(row.tail.is_some());
            let is_counted = row.is_over() || row.runs as usize == kept;
            self.holds("runs are counted", is_counted, || format!("{id}: {} {kept}", row.runs))?;
            let most = self.runs_max as usize;
            self.holds("feeds are bounded", row.is_over() || kept <= most, || {
                format!("{id} keeps {kept} runs, {most} may be")
            })?;
            if row.floor > 0 {
                trimmed.push(id.clone());
            }
        }
        for id in trimmed {
            self.tally.trimmed += u64::from(self.trimmed.insert(id));
        }
        Ok(())
    }

    /// When everybody has left.
    pub(super) fn at_rest(&self) -> Result<(), Broken> {
        let open = self.rows.jobs.values().find(|job| job.outcome().is_none());
        self.holds("everything ends", open.is_none(), || format!("{open:?}"))?;
        let left = self.rows.sessions.keys().next();
        self.holds("sessions go", left.is_none(), || format!("{left:?} is there still"))?;
        self.holds("feeds go", self.rows.named.is_empty(), || format!("{:?}", self.rows.named))
    }
}

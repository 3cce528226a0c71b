//! Asking for a job, as the edge of a server does it: the ask is committed, what it came to is looked
//! at later, and several asks of one connection are under way at once. Whoever asks is told of the end
//! once for each ask: in its place, or again.

use super::ghosts::Due;
use super::life::{Life, Next};
use super::rows::Stood;
use crate::course::{Broken, Here};
use crate::system::System;
use longhaul_core::command::{Command, Known, Reply};
use longhaul_core::engine::Step;
use longhaul_core::id::{ConnectionId, JobId, SessionId};
use longhaul_core::job::Job;
use std::collections::BTreeMap;

/// The newest runs that are looked through for an end that was told before.
const RUNS_LATELY_MAX: usize = 64;

/// An ask whose answer is on its way, or was given.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    session: SessionId,
    connection: ConnectionId,
    job: JobId,
    was: Known,
    /// How often the end of the job was told for it.
    told: u32,
}

/// The job's own number of the newest entry that its followers were told.
fn last_told(job: &Job) -> u64 {
    job.told.last().map_or(0, |span| span.end() - 1)
}

impl Life {
    /// A client heard that what it asked for was committed; the rest takes a moment.
    pub(super) fn is_asked(&mut self, index: usize, (job, was): (JobId, Known)) {
        let client = &self.clients[index];
        let (Some(held), Some(connection)) = (&client.held, &client.connection) else { return };
        let (session, connection) = (held.session.clone(), connection.clone());
        let here = self.course.here(client.host);
        let late = if self.course.random.chance(60) { self.course.random.below(9_000) } else { 0 };
        self.course.later(here, late, Next::Looks(self.asked.len()));
        self.asked.push(Asked { session, connection, job, was, told: 0 });
    }

    /// The edge looks what there is to say to an ask.
    pub(super) fn looks(
        &mut self,
        here: Here,
        number: usize,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let Asked { session, connection, job, was, .. } = self.asked[number].clone();
        let row = self.rows.sessions.get(&session);
        if row.and_then(|row| row.connection()) != Some(&connection) {
            // Nobody is there to be told.
            return Ok(());
        }
        let Some(job) = self.rows.jobs.get(&job).cloned() else {
            self.tally.looked_in_vain += 1;
            return Ok(());
        };
        let has_ended = job.outcome().is_some();
        self.tally.looked_late += u64::from(was != Known::Over && has_ended);
        let is_over = if system.believes_its_eyes() { has_ended } else { was == Known::Over };
        if !is_over {
            return Ok(());
        }
        let last = last_told(&job);
        let is_ours = job.session.as_ref() == Some(&session);
        let lately = || self.told_under(&session, &job.id, last);
        let Some(under) = (if is_ours { Some(job.told_at) } else { lately() }) else {
            let (after, job) = (last.checked_sub(1), job.id.clone());
            let follow = Command::Follow { session, job, after };
            let step = self.step(here.host, vec![follow], system)?;
            self.tally.ends_replayed += u64::from(step.is_some());
            return if step.is_some_and(|step| step.replies[0].is_ok()) {
                self.is_told(number)
            } else {
                Ok(())
            };
        };
        let stood = self.stood[&session].get(&under);
        let is_end = stood == Some(&Stood::Entry(job.id.clone(), last));
        self.holds("an end that is told again keeps its number", is_end, || {
            format!("{under} of {session} is {stood:?}, and not the end of {}", job.id)
        })?;
        self.tally.ends_repeated += 1;
        self.is_told(number)
    }

    /// Under which number a session was told this entry, if that is not long ago.
    fn told_under(&self, session: &SessionId, job: &JobId, seq: u64) -> Option<u64> {
        let runs = self.rows.feeds.get(session)?;
        let first = runs.iter().rev().take(RUNS_LATELY_MAX).next_back()?.first;
        let told = self.rows.stood(session, first).into_iter().rev();
        let is_it =
            |stood: &Stood| matches!(stood, Stood::Entry(of, at) if of == job && *at == seq);
        told.into_iter().find(|(_, stood)| is_it(stood)).map(|(number, _)| number)
    }

    fn is_told(&mut self, number: usize) -> Result<(), Broken> {
        self.asked[number].told += 1;
        let asked = &self.asked[number];
        self.holds("an ask is told of the end once", asked.told == 1, || format!("{asked:?}"))
    }

    /// Jobs have ended in a step: whoever had asked for them before that follows them still, and is
    /// told now.
    pub(super) fn ends_told(
        &mut self,
        ended: &[JobId],
        due: &BTreeMap<(SessionId, JobId), Due>,
    ) -> Result<(), Broken> {
        for number in 0..self.asked.len() {
            let asked = &self.asked[number];
            if asked.was == Known::Over || !ended.contains(&asked.job) {
                continue;
            }
            let key = (asked.session.clone(), asked.job.clone());
            if due.get(&key).is_some_and(|due| due.is_following) {
                self.tally.ends_in_place += 1;
                self.is_told(number)?;
                continue;
            }
            let has_left = self.left.contains(&key) || self.ghosts.sessions[&key.0].is_over;
            self.holds("who asked for what goes on is told of its end", has_left, || {
                format!("{:?}", self.asked[number])
            })?;
        }
        Ok(())
    }

    /// Each subscription is written down once, whoever followed already.
    pub(super) fn subscriptions(
        &self,
        before: &super::rows::Rows,
        batch: &[Command],
        step: &Step,
    ) -> Result<(), Broken> {
        let mut should = 0;
        for (command, reply) in batch.iter().zip(&step.replies) {
            should += match (command, reply) {
                (Command::Follow { .. }, Ok(_)) => 1,
                // Who follows already begins nothing.
                (Command::Submit(asked), Ok(Reply::Submitted(given))) => {
                    let (job, was) = &given[0];
                    let by = asked[0].session.as_ref();
                    let row = before.jobs.get(job);
                    let is_known =
                        by.is_none_or(|by| row.is_some_and(|row| row.followers.contains(by)));
                    u64::from(*was == Known::Open && !is_known)
                }
                _ => 0,
            };
        }
        let is = self.rows.followed - before.followed;
        self.holds("a subscription is written down once", is == should, || {
            format!("{batch:?} left {is}, should {should}")
        })
    }

    /// What a job that is asked for was by then is what it was in that commit.
    pub(super) fn known_rightly(
        &mut self,
        before: &super::rows::Rows,
        batch: &[Command],
        step: &Step,
    ) -> Result<(), Broken> {
        let mut ended: Vec<&JobId> = Vec::new();
        for (command, reply) in batch.iter().zip(&step.replies) {
            if let (Command::Exited { job, .. }, Ok(_)) = (command, reply) {
                ended.extend(Some(job).filter(|job| self.rows.is_over(job)));
            }
            let Command::Submit(asked) = command else { continue };
            let Ok(Reply::Submitted(given)) = reply else { continue };
            let known = asked[0].key.as_ref().and_then(|key| self.ghosts.keys.get(key));
            let known = known.filter(|id| before.jobs.contains_key(*id));
            let right = match known {
                None => (asked[0].id.clone(), Known::Not),
                Some(id) if before.is_over(id) || ended.contains(&id) => (id.clone(), Known::Over),
                Some(id) => (id.clone(), Known::Open),
            };
            self.holds("a job is known as what it is in that commit", given[0] == right, || {
                format!("{:?}, should be {right:?}", given[0])
            })?;
            if right.1.is_new()
                && let Some(key) = &asked[0].key
            {
                self.ghosts.keys.insert(key.clone(), right.0);
            }
        }
        Ok(())
    }

    /// The same ask as that which made a job, by a client that has a connection.
    pub(super) fn again_of(&mut self, index: usize, job: &JobId) -> Option<Command> {
        let client = &self.clients[index];
        let held = client.held.as_ref().filter(|_| client.connection.is_some())?;
        let (session, principal) = (held.session.clone(), client.principal);
        let key = self.rows.jobs.get(job)?.key.clone()?;
        let mut asked = self.submission(Some(session), Some(principal));
        asked.key = Some(key);
        Some(Command::Submit(vec![asked]))
    }
}

//! What jobs do: they begin, tell, delegate, and return.

use super::life::{Life, Next};
use super::wishes::may_delegate;
use crate::course::{Broken, Here};
use crate::errands::{Errand, errand};
use crate::system::System;
use longhaul_core::command::{Command, Entry, Exit, How, StoppedBy, Want};
use longhaul_core::delegation::Delegation;
use longhaul_core::hosted::Hosted;
use longhaul_core::id::JobId;

/// A body that is alive.
#[derive(Clone, Debug)]
pub(super) struct Body {
    /// The process that it is part of.
    pub(super) here: Here,
    is_stopped: bool,
    is_good: bool,
    said: u64,
}

impl Life {
    /// What the driver of tasks of a process does about a want.
    pub(super) fn drive(
        &mut self,
        here: Here,
        want: Want,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let is_alive = |job: &JobId, attempt| self.is_alive(here, job, attempt);
        let report = match errand(want, is_alive, |job| self.rows.jobs.get(job).cloned()) {
            Errand::Nothing => return Ok(()),
            Errand::Start(job, attempt) => return self.start(here, job, attempt, system),
            Errand::Stop(job, attempt) => {
                self.stop(job, attempt);
                return Ok(());
            }
            Errand::Over(job, attempt, how) => {
                Command::Exited { job, attempt, exit: Exit::bare(how, None, self.course.now()) }
            }
            Errand::Clean(job) => Command::Cleaned { job, failure: None },
            Errand::Purge(job) => Command::Purged { job, failure: None },
        };
        self.step(here.host, vec![report], system).map(drop)
    }

    fn is_alive(&self, here: Here, job: &JobId, attempt: u32) -> bool {
        let body = self.bodies.get(&(job.clone(), attempt));
        body.is_some_and(|body| body.here == here)
    }

    fn start(
        &mut self,
        here: Here,
        job: JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let at = self.course.now();
        let started = Command::Started { job: job.clone(), attempt, at, pid: 1 };
        let Some(step) = self.step(here.host, vec![started], system)? else { return Ok(()) };
        if step.replies[0].is_err() {
            return Ok(());
        }
        let is_good = self.course.random.chance(70);
        let body = Body { here, is_stopped: false, is_good, said: 0 };
        self.bodies.insert((job.clone(), attempt), body);
        for _ in 0..self.course.random.below(7) {
            let at = self.course.random.below(12_000);
            self.course.later(here, at, Next::Tells(job.clone(), attempt));
        }
        if self.course.random.chance(15) {
            let at = self.course.random.below(6_000);
            self.course.later(here, at, Next::Delegates(job.clone(), attempt));
        }
        let at = self.course.random.below(15_000);
        self.course.later(here, at, Next::Returns(job, attempt));
        Ok(())
    }

    fn stop(&mut self, job: JobId, attempt: u32) {
        let Some(body) = self.bodies.get_mut(&(job.clone(), attempt)) else { return };
        let here = body.here;
        if !std::mem::replace(&mut body.is_stopped, true) {
            let after = self.course.random.below(1_500);
            self.course.later(here, after, Next::Returns(job, attempt));
        }
    }

    /// It tells a few things, or very many.
    pub(super) fn tells(
        &mut self,
        here: Here,
        job: &JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let many = self.course.seed % 5 == 1 && self.course.random.chance(12);
        let count = if many {
            self.course.random.between(400, 1_400)
        } else {
            self.course.random.between(1, 6)
        };
        let Some(body) = self.bodies.get_mut(&(job.clone(), attempt)) else { return Ok(()) };
        let from = body.said;
        body.said += count;
        let entry = |number: u64| {
            let text = format!(r#"{{"kind":"told","name":"log","body":"{attempt}/{number}"}}"#);
            Entry { text, charge: None, piece: None }
        };
        let entries = (from..from + count).map(entry).collect();
        let tell = Command::Tell { job: job.clone(), attempt, entries };
        self.with_company(here, job, tell, system).map(|_| ())
    }

    pub(super) fn delegates(
        &mut self,
        here: Here,
        parent: &JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        if !self.is_alive(here, parent, attempt) {
            return Ok(());
        }
        let mut child = self.submission(None, None);
        let (agent, input, lease) = ("child".into(), "1".into(), may_delegate());
        let hosted = Hosted { agent, input, lease, ..Hosted::default() };
        child.spec.hosted = Some(Box::new(hosted));
        let ask = Delegation {
            id: format!("part {}", self.course.random.below(2)),
            event: Default::default(),
            child: Ok(Box::new(child)),
        };
        let parent = parent.clone();
        let ask = Box::new(ask);
        let ask = Command::Delegate { parent, attempt, ask };
        self.step(here.host, vec![ask], system).map(drop)
    }

    pub(super) fn returns(
        &mut self,
        here: Here,
        job: &JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let key = (job.clone(), attempt);
        let Some(body) = self.bodies.get(&key).cloned() else { return Ok(()) };
        let error = (!body.is_good).then(|| "no".to_owned());
        let stopped = body.is_stopped.then_some(StoppedBy::Asked);
        let exit = Exit::bare(How::Returned { error, result: None }, stopped, self.course.now());
        let exited = Command::Exited { job: job.clone(), attempt, exit };
        if self.with_company(here, job, exited, system)? {
            self.bodies.remove(&key);
        } else {
            self.course.later(here, 300, Next::Returns(job.clone(), attempt));
        }
        Ok(())
    }

    /// Reports, in some cases in one step with a client's ask to be told of the job. Gives whether
    /// that was committed.
    fn with_company(
        &mut self,
        here: Here,
        job: &JobId,
        report: Command,
        system: &mut dyn System,
    ) -> Result<bool, Broken> {
        let mut batch = vec![report];
        if self.course.random.chance(30) && !self.clients.is_empty() {
            let index = self.course.random.below(self.clients.len() as u64);
            let index = usize::try_from(index).expect("few");
            let is_here = self.clients[index].host == here.host;
            let company = if self.course.random.chance(40) {
                self.again_of(index, job)
            } else {
                self.follow_of(index, job)
            };
            if let Some(follow) = company.filter(|_| is_here) {
                let place = usize::from(self.course.random.chance(60));
                batch.insert(place, follow);
                self.tally.in_one_step += 1;
            }
        }
        Ok(self.step(here.host, batch, system)?.is_some())
    }
}

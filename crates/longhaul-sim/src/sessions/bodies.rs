//! What jobs do: they begin, tell, delegate, and return.

use super::life::{Broken, Life, Next};
use super::wishes::may_delegate;
use crate::system::System;
use longhaul_core::command::{Command, Entry, Exit, How, StoppedBy, Want};
use longhaul_core::delegation::Delegation;
use longhaul_core::hosted::Hosted;
use longhaul_core::id::JobId;

/// A body that is alive.
#[derive(Clone, Debug)]
pub(super) struct Body {
    is_stopped: bool,
    is_good: bool,
    said: u64,
}

impl Life {
    /// What the driver of tasks does about a want.
    pub(super) fn drive(&mut self, want: Want, system: &mut dyn System) -> Result<(), Broken> {
        let is_stop = matches!(want, Want::Stop { .. });
        let (how, job, attempt) = match want {
            Want::Start(job, attempt) if self.is_alive(&job, attempt) => return Ok(()),
            Want::Start(job, attempt) => return self.start(job, attempt, system),
            Want::Watch(job, attempt)
            | Want::Conclude(job, attempt)
            | Want::CallOff(job, attempt)
            | Want::Stop { job, attempt, .. }
                if self.is_alive(&job, attempt) =>
            {
                self.stop(job, attempt, is_stop);
                return Ok(());
            }
            Want::Watch(job, attempt) | Want::Conclude(job, attempt) => {
                (How::Lost("gone".into()), job, attempt)
            }
            Want::CallOff(job, attempt) => (How::NeverStarted(None), job, attempt),
            Want::Stop { job, attempt, .. } => {
                let row = self.rows.jobs.get(&job).and_then(|job| job.current());
                let has_begun = row.is_some_and(|attempt| attempt.started_at.is_some());
                let lost = How::Lost("gone".into());
                (if has_begun { lost } else { How::NeverStarted(None) }, job, attempt)
            }
            Want::Clean(job, _) => {
                return self.report(Command::Cleaned { job, failure: None }, system);
            }
            Want::Purge(job, _) => {
                return self.report(Command::Purged { job, failure: None }, system);
            }
        };
        let exit = Exit::bare(how, None, self.now());
        self.report(Command::Exited { job, attempt, exit }, system)
    }

    fn report(&mut self, report: Command, system: &mut dyn System) -> Result<(), Broken> {
        self.step(vec![report], system).map(|_| ())
    }

    fn is_alive(&self, job: &JobId, attempt: u32) -> bool {
        self.bodies.contains_key(&(job.clone(), attempt))
    }

    fn start(&mut self, job: JobId, attempt: u32, system: &mut dyn System) -> Result<(), Broken> {
        let started = Command::Started { job: job.clone(), attempt, at: self.now(), pid: 1 };
        let Some(step) = self.step(vec![started], system)? else { return Ok(()) };
        if step.replies[0].is_err() {
            return Ok(());
        }
        let is_good = self.random.chance(70);
        self.bodies.insert((job.clone(), attempt), Body { is_stopped: false, is_good, said: 0 });
        for _ in 0..self.random.below(7) {
            let at = self.random.below(12_000);
            self.push_in(at, Next::Tells(job.clone(), attempt, self.process));
        }
        if self.random.chance(15) {
            let at = self.random.below(6_000);
            self.push_in(at, Next::Delegates(job.clone(), attempt, self.process));
        }
        let at = self.random.below(15_000);
        self.push_in(at, Next::Returns(job, attempt, self.process));
        Ok(())
    }

    fn stop(&mut self, job: JobId, attempt: u32, is_asked: bool) {
        let Some(body) = self.bodies.get_mut(&(job.clone(), attempt)) else { return };
        if is_asked && !std::mem::replace(&mut body.is_stopped, true) {
            let after = self.random.below(1_500);
            self.push_in(after, Next::Returns(job, attempt, self.process));
        }
    }

    /// It tells a few things, or very many.
    pub(super) fn tells(
        &mut self,
        job: &JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let many = self.seed % 5 == 1 && self.random.chance(12);
        let count = if many { self.random.between(400, 1_400) } else { self.random.between(1, 6) };
        let Some(body) = self.bodies.get_mut(&(job.clone(), attempt)) else { return Ok(()) };
        let from = body.said;
        body.said += count;
        let entry = |number: u64| {
            let text = format!(r#"{{"kind":"told","name":"log","body":"{attempt}/{number}"}}"#);
            Entry { text, charge: None, piece: None }
        };
        let entries = (from..from + count).map(entry).collect();
        let tell = Command::Tell { job: job.clone(), attempt, entries };
        self.with_company(job, tell, system).map(|_| ())
    }

    pub(super) fn delegates(
        &mut self,
        parent: &JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        if !self.is_alive(parent, attempt) {
            return Ok(());
        }
        let mut child = self.submission(None, None);
        let (agent, input, lease) = ("child".into(), "1".into(), may_delegate());
        let hosted = Hosted { agent, input, lease, ..Hosted::default() };
        child.spec.hosted = Some(Box::new(hosted));
        let ask = Delegation {
            id: format!("part {}", self.random.below(2)),
            event: Default::default(),
            child: Ok(Box::new(child)),
        };
        let parent = parent.clone();
        let ask = Box::new(ask);
        self.report(Command::Delegate { parent, attempt, ask }, system)
    }

    pub(super) fn returns(
        &mut self,
        job: &JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let key = (job.clone(), attempt);
        let Some(body) = self.bodies.get(&key).cloned() else { return Ok(()) };
        let error = (!body.is_good).then(|| "no".to_owned());
        let stopped = body.is_stopped.then_some(StoppedBy::Asked);
        let exit = Exit::bare(How::Returned { error, result: None }, stopped, self.now());
        let exited = Command::Exited { job: job.clone(), attempt, exit };
        if self.with_company(job, exited, system)? {
            self.bodies.remove(&key);
        } else {
            self.push_in(300, Next::Returns(job.clone(), attempt, self.process));
        }
        Ok(())
    }

    /// Reports, in some cases in one step with a client's ask to be told of the job. Gives whether
    /// that was committed.
    fn with_company(
        &mut self,
        job: &JobId,
        report: Command,
        system: &mut dyn System,
    ) -> Result<bool, Broken> {
        let mut batch = vec![report];
        if self.random.chance(30) && !self.clients.is_empty() {
            let index = self.random.below(self.clients.len() as u64);
            let index = usize::try_from(index).expect("few");
            if let Some(follow) = self.follow_of(index, job) {
                let place = usize::from(self.random.chance(60));
                batch.insert(place, follow);
                self.tally.in_one_step += 1;
            }
        }
        Ok(self.step(batch, system)?.is_some())
    }
}

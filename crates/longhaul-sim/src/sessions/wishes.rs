//! What clients ask of jobs.

use super::life::{KIND, Life};
use crate::course::Broken;
use crate::system::System;
use longhaul_core::command::{Command, Reply, Submission};
use longhaul_core::hosted::Hosted;
use longhaul_core::id::{JobId, SessionId};
use longhaul_core::lease::{AGENT_DELEGATE, Asked, Lease};
use longhaul_core::spec::{Environment, JobSpec};
use longhaul_core::task::Task;
use longhaul_core::time::Millis;
use std::collections::BTreeMap;

/// Jobs that lives have, at most, but for delegated ones.
const JOBS_MAX: usize = 14;
/// The same of those that are gone again, too.
const EVER_MAX: usize = 24;

/// The lease of a job that may have others work for it.
pub(super) fn may_delegate() -> Lease {
    let asked = Asked::from([(AGENT_DELEGATE.to_owned(), vec!["*".to_owned()])]);
    Lease::parse(&asked, None).expect("it is a good one")
}

impl Life {
    /// Any job, in some cases one that may be gone.
    pub(super) fn some_job(&mut self) -> Option<JobId> {
        let ever = self.rows.known.keys();
        let jobs: Vec<JobId> = if self.course.random.chance(10) {
            ever.cloned().collect()
        } else {
            self.rows.jobs.keys().cloned().collect()
        };
        if jobs.is_empty() { None } else { Some(self.course.random.pick(&jobs).clone()) }
    }

    pub(super) fn submission(
        &mut self,
        session: Option<SessionId>,
        owner: Option<&str>,
    ) -> Submission {
        self.course.numbered += 1;
        let id = JobId::parse(&format!("job_{:026}", self.course.numbered)).expect("26 digits");
        let (kind, input) = (KIND.to_owned(), "{}".to_owned());
        let mut spec = JobSpec::of_task(Task { kind, input, reruns_max: 1 });
        let (agent, input, lease) = ("echo".into(), "1".into(), may_delegate());
        let hosted = Hosted { agent, input, lease, ..Hosted::default() };
        spec.hosted = Some(Box::new(hosted));
        spec.retry.max = u32::from(self.course.random.chance(30));
        spec.retry.delay = Millis::new(self.course.random.below(500));
        spec.grace = Millis::new(self.course.random.below(3_000));
        Submission {
            id,
            spec,
            environment: Environment(BTreeMap::new()),
            key: None,
            owner: owner.map(str::to_owned),
            project: None,
            parent: None,
            retry_of: None,
            session,
        }
    }

    pub(super) fn submits(&mut self, index: usize, system: &mut dyn System) -> Result<(), Broken> {
        let Some(held) = self.clients[index].held.clone() else { return Ok(()) };
        if self.rows.jobs.len() >= JOBS_MAX || self.rows.known.len() >= EVER_MAX {
            return Ok(());
        }
        let principal = self.clients[index].principal;
        let mut asked = self.submission(Some(held.session), Some(principal));
        if self.course.random.chance(45) {
            let principals: Vec<_> = self.principals().into_iter().collect();
            let is_strange = self.course.random.chance(20);
            let of = if is_strange { *self.course.random.pick(&principals) } else { principal };
            asked.key = Some(format!("{of} {}", self.course.random.below(3)));
        }
        let again = asked.clone();
        self.submit(index, asked, system)?;
        // Who asks twice at once has two asks under way.
        if again.key.is_some() && self.course.random.chance(30) {
            self.course.numbered += 1;
            let id = JobId::parse(&format!("job_{:026}", self.course.numbered)).expect("26 digits");
            self.submit(index, Submission { id, ..again }, system)?;
        }
        Ok(())
    }

    fn submit(
        &mut self,
        index: usize,
        asked: Submission,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let step = self.asks(index, Command::Submit(vec![asked]), system)?;
        let reply = step.map(|step| step.replies.into_iter().next());
        if let Some(Some(Ok(Reply::Submitted(accepted)))) = reply {
            accepted.into_iter().for_each(|known| self.is_asked(index, known));
        }
        Ok(())
    }

    pub(super) fn follows(&mut self, index: usize, system: &mut dyn System) -> Result<(), Broken> {
        let Some(job) = self.some_job() else { return Ok(()) };
        let Some(follow) = self.follow_of(index, &job) else { return Ok(()) };
        self.asks(index, follow, system).map(|_| ())
    }
}

//! What people ask for.

use super::leases::{fruitful, some_lease};
use super::life::{KIND, Life, Next};
use crate::course::Broken;
use crate::system::System;
use longhaul_core::command::{Command, Submission};
use longhaul_core::hosted::Hosted;
use longhaul_core::id::{JobId, SessionId};
use longhaul_core::lease::Lease;
use longhaul_core::spec::{Environment, JobSpec};
use longhaul_core::task::Task;
use longhaul_core::time::Millis;
use std::collections::BTreeMap;

/// Who makes credentials.
const ISSUERS: [&str; 2] = ["gateway", "program"];
/// Jobs that people ask for in a life.
const ROOTS_MAX: u64 = 8;

impl Life {
    /// Somebody does what comes to their mind.
    pub(super) fn person(&mut self, system: &mut dyn System) -> Result<(), Broken> {
        if self.course.is_calm() {
            return Ok(());
        }
        let pause = self.course.random.between(500, 6_000);
        self.course.after(pause, Next::Person);
        match self.course.random.below(100) {
            0..60 if self.tally.roots < self.roots_max() => self.submits(system),
            60..75 => self.cancels(system),
            75..88 => {
                let Some(job) = self.some_job() else { return Ok(()) };
                self.asks(Command::Purge(job), system)
            }
            88..96 => {
                let Some(job) = self.some_job() else { return Ok(()) };
                let issuer = self.course.random.chance(30).then(|| ISSUERS[0].to_owned());
                let rotate = Command::RotateCredentials { job, issuer };
                self.asks(rotate, system)
            }
            _ => Ok(()),
        }
    }

    const fn roots_max(&self) -> u64 {
        if self.is_broad() { 2 } else { ROOTS_MAX }
    }

    fn some_job(&mut self) -> Option<JobId> {
        let jobs: Vec<JobId> = self.rows.jobs.keys().cloned().collect();
        if jobs.is_empty() { None } else { Some(self.course.random.pick(&jobs).clone()) }
    }

    fn cancels(&mut self, system: &mut dyn System) -> Result<(), Broken> {
        let Some(job) = self.some_job() else { return Ok(()) };
        let (by_force, tree) = (self.course.random.chance(20), self.course.random.chance(30));
        let ask = Command::Cancel { job, reason: None, by_force, tree };
        self.asks(ask, system)
    }

    fn submits(&mut self, system: &mut dyn System) -> Result<(), Broken> {
        let session = match self.course.random.below(5) {
            0 => None,
            1 => Some(self.sessions[1].clone()),
            _ => Some(self.sessions[0].clone()),
        };
        let is_plain = self.is_broad() || self.is_deep();
        let mut asked = self.submission(session, if is_plain { 0 } else { 45 });
        let texts = if is_plain { fruitful() } else { some_lease(&mut self.course.random) };
        let expires_at = if is_plain { None } else { self.some_expiry() };
        let hosted = asked.spec.hosted.as_mut().expect("all are hosted");
        hosted.lease = Lease::parse(&texts, expires_at).expect("a good lease");
        self.tally.roots += 1;
        self.asks(Command::Submit(vec![asked]), system)
    }

    /// A job, with credentials of each issuer in so many of a hundred cases.
    pub(super) fn submission(&mut self, session: Option<SessionId>, percent: u64) -> Submission {
        self.course.numbered += 1;
        let id = JobId::parse(&format!("job_{:026}", self.course.numbered)).expect("26 digits");
        let (kind, input) = (KIND.to_owned(), "{}".to_owned());
        let mut spec = JobSpec::of_task(Task { kind, input, reruns_max: 1 });
        let issuers = ISSUERS.iter().filter(|_| self.course.random.chance(percent));
        let credentials = issuers.map(|issuer| (*issuer).to_owned()).collect();
        let (agent, input) = ("root".to_owned(), "1".to_owned());
        let hosted = Hosted { agent, input, credentials, ..Hosted::default() };
        spec.hosted = Some(Box::new(hosted));
        spec.retry.max = u32::from(self.course.random.chance(30));
        spec.retry.delay = Millis::new(self.course.random.below(500));
        spec.grace = Millis::new(self.course.random.below(3_000));
        Submission {
            id,
            spec,
            environment: Environment(BTreeMap::new()),
            key: None,
            owner: Some("alice".to_owned()),
            project: None,
            parent: None,
            retry_of: None,
            session,
        }
    }
}

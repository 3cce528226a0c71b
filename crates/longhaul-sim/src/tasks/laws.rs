//! What must hold after every step of a life of tasks, and at its end. Stated by what was seen outside,
//! never by the machine's own methods.

use super::life::{Broken, Life};
use longhaul_core::command::Command;
use longhaul_core::engine::Step;
use longhaul_core::id::JobId;
use longhaul_core::job::{Job, JobState, Waiting};
use longhaul_core::outcome::Ending;
use std::collections::BTreeMap;

impl Life {
    fn holds(
        &self,
        law: &'static str,
        is_so: bool,
        what: impl FnOnce() -> String,
    ) -> Result<(), Broken> {
        if is_so { Ok(()) } else { Err(Broken { law, what: what(), seed: self.seed }) }
    }

    /// After a step.
    pub(super) fn check(
        &mut self,
        before: &BTreeMap<JobId, Job>,
        batch: &[Command],
        step: &Step,
    ) -> Result<(), Broken> {
        for (command, reply) in batch.iter().zip(&step.replies) {
            match command {
                Command::HostUp { .. } => self.kinds.clear(),
                Command::KindUp { kind } if reply.is_ok() => {
                    self.kinds.insert(kind.clone());
                }
                _ => {}
            }
        }
        self.holds("no shim hears of a task", step.wants.is_empty(), || format!("{step:?}"))?;
        for id in &step.changed {
            if let Some(job) = self.jobs.get(id).cloned() {
                self.one(before.get(id), &job)?;
            }
        }
        self.bodies_hold()
    }

    fn one(&mut self, was: Option<&Job>, job: &Job) -> Result<(), Broken> {
        let kind = &job.spec.command[0];
        let is_new_attempt = was.is_some_and(|was| was.attempt != job.attempt);
        let is_known = self.kinds.contains(kind);
        self.holds("only known kinds begin", !is_new_attempt || is_known, || {
            format!("{} of kind {kind} is {:?}", job.id, job.state)
        })?;
        let is_aside = matches!(job.state, JobState::Queued { because: Waiting::Kind, .. });
        let was_aside = was.is_some_and(|was| {
            matches!(was.state, JobState::Queued { because: Waiting::Kind, .. })
        });
        self.tally.aside += u64::from(is_aside && !was_aside);
        self.holds(
            "nothing waits aside for a kind that is known",
            !(is_aside && is_known),
            || format!("{} of kind {kind}", job.id),
        )?;
        let reruns_max = job.spec.task.as_ref().map_or(0, |task| task.reruns_max);
        self.holds("only kinds that say so are run again", job.reruns <= reruns_max, || {
            format!("{} was run again {} times", job.id, job.reruns)
        })?;
        self.tally.reruns += u64::from(was.is_some_and(|was| was.reruns < job.reruns));
        let begun = self.begun.range((job.id.clone(), 0)..=(job.id.clone(), u32::MAX)).count();
        let most = 1 + (job.spec.retry.max + reruns_max) as usize;
        self.holds("bodies begin no more often than was asked for", begun <= most, || {
            format!("{} began {begun} times, {most} may be", job.id)
        })?;
        if let (Some(outcome), None) = (job.outcome(), was.and_then(Job::outcome)) {
            self.tally.ended += 1;
            self.ended(job, outcome.kind)?;
        }
        Ok(())
    }

    /// How a job ended agrees with what its last body did.
    fn ended(&self, job: &Job, kind: Ending) -> Result<(), Broken> {
        let key = (job.id.clone(), job.attempt);
        let returned = self.returned.get(&key).copied();
        let is_right = match kind {
            Ending::Succeeded => returned == Some(true),
            Ending::Failed => returned == Some(false) || !self.begun.contains_key(&key),
            Ending::Cancelled => job.cancel.is_some(),
            Ending::TimedOut => job.spec.timeout.is_some(),
            Ending::Lost => returned.is_none() && job.cancel.is_none(),
        };
        self.holds("an end agrees with what the body did", is_right, || {
            format!("{} ended {kind:?}, its body returned {returned:?}", job.id)
        })?;
        let text = job.result.as_ref().map(|result| result.text.clone());
        let given = returned.map(|_| job.attempt.to_string());
        self.holds("what the last body returned is kept", text == given, || {
            format!("{}: {text:?}, not {given:?}", job.id)
        })
    }

    /// What is true of the bodies that are alive.
    pub(super) fn bodies_hold(&self) -> Result<(), Broken> {
        let twice = self.begun.iter().find(|(_, times)| **times > 1);
        self.holds("a body begins once in an attempt", twice.is_none(), || format!("{twice:?}"))?;
        for (id, attempt) in self.bodies.keys() {
            let job = self.jobs.get(id);
            let is_active = job.is_some_and(|job| {
                let is_running = match job.state {
                    JobState::Running { .. } | JobState::Stopping { .. } => true,
                    JobState::Preparing { .. }
                    | JobState::Queued { .. }
                    | JobState::Starting { .. }
                    | JobState::Ended { .. } => false,
                };
                is_running && job.attempt == *attempt && job.host.as_ref() == Some(self.host())
            });
            self.holds("a body that is alive has its slot", is_active, || {
                format!("{id} #{attempt} is alive, and {job:?}")
            })?;
        }
        let slots = 1 + usize::try_from(self.seed % 3).unwrap_or(0);
        self.holds(
            "no more bodies are alive than there are slots",
            self.bodies.len() <= slots,
            || format!("{:?}", self.bodies.keys()),
        )
    }

    /// When faults are over everything comes to its end.
    pub(super) fn at_rest(&self) -> Result<(), Broken> {
        let open = self.jobs.values().find(|job| job.outcome().is_none());
        self.holds("everything ends", open.is_none(), || format!("{open:?}"))?;
        self.holds("no body outlives its job", self.bodies.is_empty(), || {
            format!("{:?}", self.bodies.keys())
        })
    }
}

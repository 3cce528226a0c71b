//! The rows of agents, their mail and their turns; and what turns say.

use super::{Fault, World};
use crate::agent::{Agent, AgentEnvironment};
use crate::approval::Approval;
use crate::event::NewEvent;
use crate::feed::Span;
use crate::id::{ApprovalId, JobId, MailId};
use crate::limits;
use crate::mail::Mail;
use crate::port::StoreError;
use crate::quota::Quota;
use crate::turn::{Input, Intake};
use std::collections::BTreeSet;

impl World<'_> {
    /// An agent for reading, if there is one.
    pub fn find_agent(&mut self, name: &str) -> Result<Option<&Agent>, StoreError> {
        Ok(self.rows.agents.slot(&mut *self.tx, name)?.current.as_ref())
    }

    /// An agent, if there is one. What its standing follows from is looked at again.
    pub fn agent(&mut self, name: &str) -> Result<&mut Option<Agent>, StoreError> {
        self.stirred_agents.insert(name.to_owned());
        self.rows.agents.change(&mut *self.tx, name)
    }

    /// An agent, if there is one, for changing what its standing does not follow from.
    pub fn agent_beside(&mut self, name: &str) -> Result<&mut Option<Agent>, StoreError> {
        self.rows.agents.change(&mut *self.tx, name)
    }

    /// The environment of an agent's turns; `None` erases it.
    pub fn agent_environment(
        &mut self,
        name: &str,
    ) -> Result<&mut Option<AgentEnvironment>, StoreError> {
        self.rows.agent_environments.change(&mut *self.tx, name)
    }

    /// A message for reading, if there is one.
    pub fn find_mail(&mut self, id: &MailId) -> Result<Option<&Mail>, StoreError> {
        Ok(self.rows.mails.slot(&mut *self.tx, id.as_str())?.current.as_ref())
    }

    /// A message, if there is one; or room for one.
    pub fn mail(&mut self, id: &MailId) -> Result<&mut Option<Mail>, StoreError> {
        self.rows.mails.change(&mut *self.tx, id.as_str())
    }

    /// What an open turn's attempt is given.
    pub fn input(&mut self, job: &JobId) -> Result<&mut Option<Input>, StoreError> {
        self.rows.inputs.change(&mut *self.tx, job.as_str())
    }

    /// How far a turn's output has been taken.
    pub fn intake(&mut self, job: &JobId) -> Result<&mut Option<Intake>, StoreError> {
        self.rows.intakes.change(&mut *self.tx, job.as_str())
    }

    /// A question, if it was asked; or room for one.
    pub fn approval(&mut self, id: &ApprovalId) -> Result<&mut Option<Approval>, StoreError> {
        self.rows.approvals.change(&mut *self.tx, id.as_str())
    }

    /// A vendor's limit, if it was met.
    pub fn quota(&mut self, kind: &str) -> Result<&mut Option<Quota>, StoreError> {
        self.rows.quotas.change(&mut *self.tx, kind)
    }

    /// Says that something changed that an agent's standing follows from.
    pub fn stir_agent(&mut self, name: &str) {
        self.stirred_agents.insert(name.to_owned());
    }

    /// The agents that are to be looked at again, once.
    pub fn take_stirred_agents(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.stirred_agents)
    }

    /// Records what a turn's output said; each body is an entry's, made by whoever read it.
    pub fn record_said(&mut self, id: &JobId, bodies: Vec<String>) -> Result<(), Fault> {
        let at = self.now;
        let job = self.job(id)?;
        let known = job.turn.as_ref().map_or(0, |turn| turn.events);
        let room = limits::TURN_EVENTS_MAX.saturating_sub(known);
        let (said, before) = (bodies.len() as u64, job.events);
        let kept = said.min(room);
        job.events += kept;
        job.turn.iter_mut().for_each(|turn| turn.events += said);
        let numbered = (before + 1..=before + kept).zip(bodies);
        let entry = |(seq, body)| NewEvent { job: Some(id.clone()), seq, at, body };
        self.events.extend(numbered.map(entry));
        if kept > 0 {
            self.tell(id, Span { seq: before + 1, count: kept })?;
        }
        self.leave_out(id, said - kept, limits::TURN_EVENTS_MAX)
    }

    /// Records what an attempt told; each text is an entry's, checked by whoever hands it in. While a result
    /// is told in pieces there is room left for its last.
    pub fn record_told(&mut self, id: &JobId, texts: Vec<String>) -> Result<(), Fault> {
        let at = self.now;
        let job = self.job(id)?;
        let last = u64::from(job.stream.as_ref().is_some_and(|stream| !stream.is_closed));
        let room = limits::TURN_EVENTS_MAX.saturating_sub(job.tellings + last);
        let (told, before) = (texts.len() as u64, job.events);
        let kept = told.min(room);
        job.events += kept;
        job.tellings += kept;
        let numbered = (before + 1..=before + kept).zip(texts);
        let entry = |(seq, body)| NewEvent { job: Some(id.clone()), seq, at, body };
        self.events.extend(numbered.map(entry));
        if kept > 0 {
            self.tell(id, Span { seq: before + 1, count: kept })?;
        }
        self.leave_out(id, told - kept, limits::TURN_EVENTS_MAX)
    }
}

//! A job asks for another agent: found by its name, its lease read, and the rest left to the engine.

use super::{HostedAsk, Inventory, NoAgent, NotSubmitted, Prepared, Unfit, to_its_end};
use crate::daemon::handle::AskError;
use crate::ids;
use longhaul_arcp::grammar;
use longhaul_arcp::message::Constraints;
use longhaul_core::command::{Command, Known, Reply};
use longhaul_core::delegation::{Delegation, Denial, DenialCode};
use longhaul_core::id::JobId;
use longhaul_core::lease::{Asked, Lease};
use longhaul_core::time::{Millis, Timestamp};
use serde_json::{Value, json};

/// What a job asks for.
#[derive(Clone, Debug)]
pub struct DelegateAsk {
    /// The job that asks, proven.
    pub parent: JobId,
    /// In which attempt.
    pub attempt: u32,
    /// Whose it is.
    pub principal: String,
    /// Its own name for what it asks; the new job's id if it has none.
    pub id: Option<String>,
    /// The agent: `name` or `name@version`.
    pub agent: String,
    /// What the agent is asked.
    pub input: Value,
    /// What it shall be allowed to do, and spend.
    pub lease: Asked,
    /// Until when; as long as the parent if `None`.
    pub expires_at: Option<String>,
    /// The longest that it may run.
    pub runtime_max: Option<Millis>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delegated {
    /// There is such a job.
    Job {
        /// Its id.
        id: JobId,
        /// The parent's own name for it.
        name: String,
        /// Whether it was not there before.
        is_new: bool,
    },
    /// It may not be; who follows the parent was told.
    Denied {
        /// Which no.
        code: DenialCode,
        /// Why.
        reason: String,
    },
}

impl Inventory {
    /// Has another agent work for a job. `now` is compared with the end that is asked for.
    ///
    /// # Errors
    /// [`AskError`]: nothing was asked.
    pub async fn delegate(&self, ask: DelegateAsk, now: Timestamp) -> Result<Delegated, AskError> {
        let child = ids::job_id().map_err(|error| AskError::Bug(error.to_string()))?;
        let id = ask.id.clone().unwrap_or_else(|| child.to_string());
        let (before, undo, child) = match self.child(&ask, child, now).await? {
            Ok(Prepared { before, submission, undo }) => (before, undo, Ok(Box::new(submission))),
            Err(denial) => (Vec::new(), Vec::new(), Err(denial)),
        };
        let event = event(&ask, &id);
        let delegation = Delegation { id: id.clone(), event, child };
        let (parent, attempt, ask) = (ask.parent, ask.attempt, Box::new(delegation));
        let inventory = self.clone();
        let whole = async move {
            for command in before {
                inventory.shared.engine.ask(command).await?;
            }
            let delegate = Command::Delegate { parent, attempt, ask };
            let reply = inventory.shared.engine.ask(delegate).await;
            let is_all_new = |jobs: &[(JobId, Known)]| jobs.iter().all(|(_, was)| was.is_new());
            if !matches!(&reply, Ok(Reply::Submitted(jobs)) if is_all_new(jobs)) {
                inventory.undo(undo).await;
            }
            reply
        };
        match to_its_end(whole).await? {
            Reply::Submitted(mut jobs) if jobs.len() == 1 => {
                let (job, was) = jobs.remove(0);
                Ok(Delegated::Job { id: job, name: id, is_new: was.is_new() })
            }
            Reply::Denied { code, reason } => Ok(Delegated::Denied { code, reason }),
            other => Err(AskError::Bug(format!("a delegation was answered with {other:?}"))),
        }
    }

    /// The job that it would be, or why there can be none.
    async fn child(
        &self,
        ask: &DelegateAsk,
        id: JobId,
        now: Timestamp,
    ) -> Result<Result<Prepared, Denial>, AskError> {
        let agent = match self.resolve(&ask.agent) {
            Ok(agent) => agent,
            Err(no_agent) => return Ok(Err(missing(&no_agent))),
        };
        let lease = match lease(ask, now) {
            Ok(lease) => lease,
            Err(denial) => return Ok(Err(denial)),
        };
        let ask = HostedAsk {
            id,
            principal: ask.principal.clone(),
            session: None,
            key: None,
            input: ask.input.to_string(),
            lease,
            trace: String::new(),
            runtime_max: ask.runtime_max,
            parent: Some(ask.parent.clone()),
            delegate: None,
            depth: 0,
            extensions: None,
        };
        match self.prepare(&agent, ask).await {
            Ok(prepared) => Ok(Ok(prepared)),
            Err(NotSubmitted::Unfit(Unfit::Input(problem))) => {
                Ok(Err(Denial::new(DenialCode::InvalidRequest, problem)))
            }
            Err(NotSubmitted::Unfit(unfit @ Unfit::Lease(_))) => {
                Ok(Err(Denial::new(DenialCode::LeaseSubsetViolation, unfit.to_string())))
            }
            Err(NotSubmitted::NoAgent(no_agent)) => Ok(Err(missing(&no_agent))),
            Err(NotSubmitted::Engine(error)) => Err(error),
        }
    }
}

fn missing(no_agent: &NoAgent) -> Denial {
    let code = match no_agent {
        NoAgent::Grammar => DenialCode::InvalidRequest,
        NoAgent::Unknown(_) => DenialCode::AgentNotAvailable,
        NoAgent::Version { .. } => DenialCode::AgentVersionNotAvailable,
    };
    Denial::new(code, no_agent.to_string())
}

fn lease(ask: &DelegateAsk, now: Timestamp) -> Result<Lease, Denial> {
    let constraints = Constraints { expires_at: ask.expires_at.clone() };
    let read = grammar::lease(&ask.lease, &constraints)
        .and_then(|lease| grammar::check_end(&lease, now).map(|()| lease));
    read.map_err(|bad| Denial::new(DenialCode::InvalidRequest, bad.message))
}

/// What those who follow the parent are told of the ask.
fn event(ask: &DelegateAsk, id: &str) -> Value {
    let mut body = json!({ "delegate_id": id, "agent": ask.agent, "input": ask.input });
    if !ask.lease.is_empty() {
        body["lease_request"] = json!(ask.lease);
    }
    if let Some(expires_at) = &ask.expires_at {
        body["lease_constraints"] = json!({ "expires_at": expires_at });
    }
    body
}

//! Turns: handed in for an agent. What becomes of one is told where it is told of every job.

use super::agent_spec::{budget, check_turn, park, policy, resume};
use super::agents::{load_agent, no_agent};
use super::body::parse;
use super::error::{Answer, Failure};
use super::spec::{fresh_id, job_ids};
use super::{Shared, jobs};
use crate::api::{Submitted, TurnAsk};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use longhaul_core::agent::Agent;
use longhaul_core::command::Submission;
use longhaul_core::id::JobId;
use longhaul_core::spec::{Environment, EnvironmentOrigin, JobSpec, Retry};
use longhaul_core::time::{Millis, Timestamp};
use longhaul_core::turn::Turn;

/// `POST /v1/agents/{name}/turns`
pub(super) async fn submit(
    State(ports): State<Shared>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer<(StatusCode, Json<Submitted>)> {
    let ask: TurnAsk = parse(&body)?;
    let agent = ports.readers.glance(|reader| load_agent(reader, &name)).await?;
    let agent = agent.ok_or_else(|| no_agent(&name))?;
    let submission = submission(&ports, &agent, ask).await?;
    jobs::accept(&ports, submission).await
}

async fn submission(ports: &Shared, agent: &Agent, ask: TurnAsk) -> Answer<Submission> {
    let id = match &ask.id {
        Some(id) => JobId::parse(id).map_err(|bad| Failure::bad_spec(format!("`id` is {bad}")))?,
        None => fresh_id()?,
    };
    if ask.prompt.trim().is_empty() {
        return Err(Failure::bad_spec("`prompt` is empty: there is nothing to tell the agent"));
    }
    let after = job_ids(ports, "after", &ask.after).await?;
    let after_any = job_ids(ports, "after_any", &ask.after_any).await?;
    let parent = match &ask.parent {
        Some(parent) => job_ids(ports, "parent", std::slice::from_ref(parent)).await?.pop(),
        None => None,
    };
    let names: Vec<String> = ask.env.0.keys().cloned().collect();
    let environment = Environment(ask.env.0.clone());
    let (key, owner, project) = (ask.key.clone(), ask.owner.clone(), ask.project.clone());
    // The agent's own environment is added when the turn is launched; here is only what was set.
    let origin = EnvironmentOrigin { inherited: false, set: names.clone(), names };
    let spec = JobSpec { after, after_any, environment: origin, ..job_spec(agent, ask) };
    if let Some(turn) = &spec.turn {
        check_turn(&agent.spec, turn)?;
    }
    Ok(Submission {
        id,
        spec,
        environment,
        key,
        owner: owner.or_else(|| agent.spec.owner.clone()),
        project: project.or_else(|| agent.spec.project.clone()),
        parent,
        retry_of: None,
        session: None,
    })
}

fn job_spec(agent: &Agent, ask: TurnAsk) -> JobSpec {
    let millis = |span: crate::api::Span| Millis::new(span.0);
    let turn = Turn {
        agent: agent.spec.name.clone(),
        prompt: ask.prompt,
        model: ask.model,
        policy: ask.policy.map(policy),
        budget: ask.budget.map(budget),
        park: ask.park.map(park),
        resume: ask.resume.map(resume),
        is_fresh: ask.fresh,
        steps_max: ask.steps,
        worktree: ask.worktree,
        is_wake: false,
    };
    let usual = agent.spec.job_spec(turn);
    let mut notify = usual.notify.clone();
    notify.extend(ask.notify.into_iter().filter(|sink| !usual.notify.contains(sink)));
    let retry = Retry {
        max: ask.retry.map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX)),
        ..usual.retry.clone()
    };
    JobSpec {
        name: ask.name,
        labels: ask.labels,
        delay: ask.delay.map_or(usual.delay, millis),
        at: ask.at.map(|at| Timestamp::from_millis(at.0)),
        timeout: ask.timeout.map(millis).or(usual.timeout),
        retry,
        notify,
        ..usual
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Span;
    use longhaul_core::agent::AgentSpec;

    #[test]
    fn a_turn_is_as_its_agent_unless_it_says_otherwise() {
        let spec = AgentSpec {
            name: "a".into(),
            kind: "claude".into(),
            cwd: "/w".into(),
            pool: Some("agents".into()),
            timeout: Some(Millis::new(5)),
            notify: vec!["s".into()],
            ..AgentSpec::default()
        };
        let agent = Agent::new(spec, Timestamp::from_millis(0));
        let ask = TurnAsk {
            prompt: "go".into(),
            notify: vec!["t".into(), "s".into()],
            ..TurnAsk::default()
        };
        let made = job_spec(&agent, ask.clone());
        assert_eq!((made.command, made.cwd), (vec!["claude".to_owned()], "/w".to_owned()));
        assert_eq!((made.lane.as_deref(), made.pool.as_str()), (Some("agent/a"), "agents"));
        assert_eq!(made.timeout, Some(Millis::new(5)));
        assert_eq!(made.notify, ["s", "t"]);
        let timeout = Some(Span(7));
        assert_eq!(job_spec(&agent, TurnAsk { timeout, ..ask }).timeout, Some(Millis::new(7)));
    }
}

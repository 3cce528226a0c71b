//! Agents: made, listed, shown, ended, forgotten.

use super::agent_spec::{agent_spec, warnings};
use super::body::parse;
use super::error::{Answer, Failure};
use super::resolve::load;
use super::{Shared, jobs, worktrees};
use crate::api::{AgentAsk, AgentView, Agents, StopAgentAsk};
use crate::views::{self, AgentAround};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use longhaul_core::agent::Agent;
use longhaul_core::command::{Command, Refused, Reply};
use longhaul_core::decide::clip;
use longhaul_core::limits;
use longhaul_core::port::{Reader, Record, StoreError, Table};
use longhaul_core::turn::Used;
use std::collections::{BTreeMap, BTreeSet};

/// Agents that are read at once.
const PAGE_AGENTS: u32 = 500;

/// `GET /v1/agents`
pub(super) async fn list(State(ports): State<Shared>) -> Answer<Json<Agents>> {
    let reading = Shared::clone(&ports);
    let agents = ports.readers.read(move |reader| {
        let family = Family::all(reader)?;
        let shown = family.members.values().map(|agent| view(&reading, reader, agent, &family));
        shown.collect()
    });
    Ok(Json(Agents { agents: agents.await? }))
}

/// `GET /v1/agents/{name}`
pub(super) async fn show(
    State(ports): State<Shared>,
    Path(name): Path<String>,
) -> Answer<Json<AgentView>> {
    Ok(Json(shown(&ports, &name).await?))
}

/// `PUT /v1/agents/{name}`
pub(super) async fn set(
    State(ports): State<Shared>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer<Json<AgentView>> {
    let ask: AgentAsk = parse(&body)?;
    let replace = ask.replace;
    let wanted = name.clone();
    // Looking at folders may block.
    let made = tokio::task::spawn_blocking(move || agent_spec(wanted, ask)).await;
    let (spec, environment) = made.map_err(|error| Failure::bug(error.to_string()))??;
    let command = Command::AddAgent { spec: Box::new(spec), environment, replace };
    done(ports.engine.ask(command).await?)?;
    Ok(Json(shown(&ports, &name).await?))
}

/// `DELETE /v1/agents/{name}`
pub(super) async fn remove(
    State(ports): State<Shared>,
    Path(name): Path<String>,
) -> Answer<StatusCode> {
    done(ports.engine.ask(Command::RemoveAgent(name.clone())).await?)?;
    let reaping = {
        let ports = Shared::clone(&ports);
        tokio::task::spawn_blocking(move || worktrees::reap(&ports, &name)).await
    };
    // What is kept is what the doctor lists.
    if let Ok(Err(error)) = reaping {
        tracing::warn!(%error, "an agent's worktree was not looked at");
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/agents/{name}/stop`
pub(super) async fn stop(
    State(ports): State<Shared>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer<Json<AgentView>> {
    let ask: StopAgentAsk = parse(&body)?;
    let (agent, reason, by_force) = (name.clone(), ask.reason, ask.now);
    done(ports.engine.ask(Command::StopAgent { agent, reason, by_force }).await?)?;
    Ok(Json(shown(&ports, &name).await?))
}

fn done(reply: Reply) -> Answer<()> {
    match reply {
        // An agent that is stopped has its turns cancelled.
        Reply::Done | Reply::Cancelled { .. } => Ok(()),
        _ => Err(jobs::odd_reply()),
    }
}

/// An agent as it is shown.
async fn shown(ports: &Shared, name: &str) -> Answer<AgentView> {
    let (reading, wanted) = (Shared::clone(ports), name.to_owned());
    let read = ports.readers.read(move |reader| {
        let Some(agent) = load_agent(reader, &wanted)? else { return Ok(None) };
        let family = Family::below(reader, agent.clone())?;
        view(&reading, reader, &agent, &family).map(Some)
    });
    read.await?.ok_or_else(|| no_agent(name))
}

/// There is no agent of that name; how it was named is repeated only as far as a name may go.
pub(super) fn no_agent(name: &str) -> Failure {
    Refused::NoAgent(clip(name, 100)).into()
}

/// Loads an agent by its name.
pub(super) fn load_agent(reader: &mut dyn Reader, name: &str) -> Result<Option<Agent>, StoreError> {
    if name.len() > limits::WORD_BYTES_MAX {
        return Ok(None);
    }
    let row = reader.load(Table::Agent, name)?;
    Ok(row.as_ref().map(Agent::from_row).transpose()?)
}

/// All agents, page after page, in the order of their names; those of one parent if it is given.
pub(super) fn all_agents(
    reader: &mut dyn Reader,
    parent: Option<&str>,
) -> Result<Vec<Agent>, StoreError> {
    let (mut agents, mut after) = (Vec::new(), String::new());
    loop {
        let rows = reader.rows(Table::Agent, parent, &after, PAGE_AGENTS)?;
        let Some(last) = rows.last() else { return Ok(agents) };
        after.clone_from(&last.id);
        for row in &rows {
            agents.push(Agent::from_row(row)?);
        }
    }
}

/// Agents and who works for whom among them.
struct Family {
    members: BTreeMap<String, Agent>,
    children: BTreeMap<String, Vec<String>>,
}

impl Family {
    fn all(reader: &mut dyn Reader) -> Result<Self, StoreError> {
        Ok(Self::of(all_agents(reader, None)?))
    }

    /// An agent and all below it.
    fn below(reader: &mut dyn Reader, head: Agent) -> Result<Self, StoreError> {
        let mut seen = BTreeSet::from([head.spec.name.clone()]);
        let (mut members, mut next) = (Vec::new(), vec![head]);
        while let Some(agent) = next.pop() {
            for child in all_agents(reader, Some(&agent.spec.name))? {
                // Nobody works for himself in the end, whatever is stored.
                if seen.insert(child.spec.name.clone()) {
                    next.push(child);
                }
            }
            members.push(agent);
        }
        Ok(Self::of(members))
    }

    fn of(agents: Vec<Agent>) -> Self {
        let mut children: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for agent in &agents {
            if let Some(parent) = &agent.spec.parent {
                children.entry(parent.clone()).or_default().push(agent.spec.name.clone());
            }
        }
        children.values_mut().for_each(|names| names.sort());
        let members = agents.into_iter().map(|agent| (agent.spec.name.clone(), agent)).collect();
        Self { members, children }
    }

    fn children_of(&self, name: &str) -> &[String] {
        self.children.get(name).map_or(&[], Vec::as_slice)
    }

    /// What an agent and all below it used.
    fn used_by(&self, name: &str) -> Used {
        let mut seen = BTreeSet::new();
        let mut next = vec![name];
        let mut used = Used::default();
        while let Some(name) = next.pop() {
            if !seen.insert(name) {
                continue;
            }
            if let Some(agent) = self.members.get(name) {
                used = used.plus(&agent.used);
            }
            next.extend(self.children_of(name).iter().map(String::as_str));
        }
        used
    }
}

fn view(
    ports: &Shared,
    reader: &mut dyn Reader,
    agent: &Agent,
    family: &Family,
) -> Result<AgentView, StoreError> {
    let name = &agent.spec.name;
    let last = match &agent.last {
        Some(last) => load(reader, &last.job)?.and_then(|job| job.outcome().cloned()),
        None => None,
    };
    let around = AgentAround {
        unread: reader.unread_count(name)?,
        turn: reader.lane_head(&Agent::lane(name))?,
        last,
        used_tree: family.used_by(name),
        children: family.children_of(name).to_vec(),
        warnings: warnings(&agent.spec, &ports.home.attempts()),
        workspace: worktrees::of_agent(ports, &agent.spec),
    };
    Ok(views::agent(agent, around))
}

#[cfg(test)]
mod tests {
    use super::*;
    use longhaul_core::agent::AgentSpec;
    use longhaul_core::time::Timestamp;

    fn member(name: &str, parent: Option<&str>, input: u64) -> Agent {
        let parent = parent.map(str::to_owned);
        let spec = AgentSpec { name: name.to_owned(), parent, ..AgentSpec::default() };
        let used = Used { input, nano_usd: Some(input), ..Used::default() };
        Agent { used, ..Agent::new(spec, Timestamp::from_millis(0)) }
    }

    #[test]
    fn what_a_tree_used_is_what_all_of_it_used() {
        let family = Family::of(vec![
            member("lead", None, 1),
            member("a", Some("lead"), 10),
            member("b", Some("lead"), 100),
            member("deep", Some("a"), 1_000),
            member("other", None, 10_000),
        ]);
        assert_eq!(family.used_by("lead").input, 1_111);
        assert_eq!(family.used_by("a").nano_usd, Some(1_010));
        assert_eq!(family.children_of("lead"), ["a", "b"]);
    }

    #[test]
    fn agents_that_work_for_each_other_are_counted_once() {
        let family = Family::of(vec![member("a", Some("b"), 1), member("b", Some("a"), 10)]);
        assert_eq!(family.used_by("a").input, 11);
    }
}

//! Agents as they are shown. No value of an environment passes here.

use super::turn::{budget, how, used};
use super::{outcome, time};
use crate::api::{
    After, AgentState, AgentView, LastTurnView, ParkRule, PolicyView, QuietView, Resume, Span,
    WorkspaceView,
};
use longhaul_agents::{adapter, resume_command};
use longhaul_core::agent::{Agent, LastTurn, Standing};
use longhaul_core::outcome::Outcome;
use longhaul_core::time::Millis;
use longhaul_core::turn::{Base, Park, Policy, ResumeRule, Used};

/// The pool of turns whose agent names none.
const POOL: &str = "default";

/// What stands around an agent.
#[derive(Clone, Debug, Default)]
pub struct AgentAround {
    /// Messages that it has not read.
    pub unread: u64,
    /// The oldest of its turns that has not ended.
    pub turn: Option<String>,
    /// How the job of its newest turn ended, if it has and is still there.
    pub last: Option<Outcome>,
    /// What it and all agents below it used.
    pub used_tree: Used,
    /// Agents that work for it, by name.
    pub children: Vec<String>,
    /// What its CLI cannot be made to keep of what was asked for.
    pub warnings: Vec<String>,
    /// The worktree that its turns work in, while there is one.
    pub workspace: Option<WorkspaceView>,
}

/// An agent as it is shown.
pub fn agent(agent: &Agent, around: AgentAround) -> AgentView {
    let spec = &agent.spec;
    let by_hand =
        |conversation: &String| resume_command(adapter(&spec.kind)?, &spec.cwd, conversation);
    let (state, waiting_for, stop_reason, terminal) = standing(&agent.standing);
    AgentView {
        name: spec.name.clone(),
        kind: spec.kind.clone(),
        role: spec.role.clone(),
        parent: spec.parent.clone(),
        model: spec.model.clone(),
        cwd: spec.cwd.clone(),
        state,
        waiting_for,
        conversation: agent.conversation.clone(),
        resume_command: agent.conversation.as_ref().and_then(by_hand),
        turns: agent.turns,
        unread: around.unread,
        turn: around.turn,
        last_turn: agent.last.as_ref().map(|last| last_turn(last, around.last.as_ref())),
        used: used(&agent.used),
        used_tree: used(&around.used_tree),
        budget: spec.budget.map(|given| budget(given, agent.nano_usd_more, &agent.used)),
        children: around.children,
        policy: policy(&spec.policy),
        park: park(spec.park),
        resume: resume(spec.resume),
        quiet: quiet(agent),
        worktree: spec.worktree,
        workspace: around.workspace,
        pool: spec.pool.clone().unwrap_or_else(|| POOL.to_owned()),
        timeout: spec.timeout.map(span),
        notify: spec.notify.clone(),
        extra: spec.extra.clone(),
        env_set: spec.environment_set.clone(),
        owner: spec.owner.clone(),
        added_at: time(agent.added_at),
        ended_at: agent.ended_at().map(time),
        stop_reason,
        terminal,
        warnings: around.warnings,
    }
}

type Shown = (AgentState, Option<String>, Option<String>, Option<String>);

fn standing(standing: &Standing) -> Shown {
    match standing {
        Standing::Idle => (AgentState::Idle, None, None, None),
        Standing::Waiting { because } => (AgentState::Waiting, Some(because.clone()), None, None),
        Standing::Finished { mail, .. } => {
            (AgentState::Finished, None, None, Some(mail.to_string()))
        }
        Standing::Stopped { reason, .. } => (AgentState::Stopped, None, reason.clone(), None),
    }
}

fn last_turn(last: &LastTurn, ended: Option<&Outcome>) -> LastTurnView {
    let (how, class, message) = last.how.as_ref().map(how).map_or((None, None, None), |known| {
        let (how, class, message) = known;
        (Some(how), class, message)
    });
    LastTurnView {
        job: last.job.to_string(),
        outcome: ended.map(outcome),
        how,
        class,
        message,
        is_silent: last.is_silent,
        awaits: last.awaits.as_ref().map(ToString::to_string),
    }
}

fn policy(policy: &Policy) -> PolicyView {
    PolicyView {
        allow_tool: policy.allow.clone(),
        deny_tool: policy.deny.clone(),
        ask_tool: policy.ask.clone(),
        write_under: policy.write_under.clone(),
        everything: policy.base == Base::Everything,
        ask_for: policy.ask_for.map(span),
    }
}

const fn park(park: Park) -> ParkRule {
    match park {
        Park::Never => ParkRule::Never,
        Park::UntilReset => ParkRule::UntilReset,
        Park::Ask => ParkRule::Ask,
    }
}

const fn resume(resume: ResumeRule) -> Resume {
    match resume {
        ResumeRule::FreshOnce => Resume::Fresh,
        ResumeRule::Fail => Resume::Fail,
    }
}

/// The whole ladder of an agent that has its own; nothing for one that goes by its role.
fn quiet(agent: &Agent) -> QuietView {
    let Some(ladder) = &agent.spec.ladder else { return QuietView::default() };
    let rung = |after: Option<Millis>| Some(after.map_or(After::Never, |m| After::Span(span(m))));
    QuietView {
        warn: rung(ladder.warn_after),
        nudge: rung(ladder.nudge_after),
        ask: rung(ladder.ask_after),
        stop: rung(ladder.stop_after),
    }
}

fn span(millis: Millis) -> Span {
    Span(millis.get())
}

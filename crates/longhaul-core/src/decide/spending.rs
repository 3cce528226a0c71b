//! What turns cost, against what they and their agents may cost.

use super::{leases, record_stopping, turns};
use crate::agent::Agent;
use crate::amounts::{Amount, Currency};
use crate::budget::{Allowance, Reach, in_usd};
use crate::event::Fact;
use crate::id::JobId;
use crate::job::Job;
use crate::turn::{Budget, Used};
use crate::world::{Fault, World};

/// A budget that a turn counts against, and how much of it is spent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spending {
    is_agents: bool,
    allowance: Allowance,
    spent: Option<u64>,
}

impl Spending {
    pub(super) fn reach(&self) -> Reach {
        self.allowance.reach(self.spent)
    }

    pub(super) const fn is_asked(&self) -> bool {
        self.allowance.is_asked
    }

    pub(super) fn nano_usd(&self) -> u64 {
        self.spent.unwrap_or(0)
    }

    /// That it is spent, for people.
    pub(super) fn words(&self) -> String {
        let whose = if self.is_agents { "its agent's" } else { "its" };
        let (spent, most) = (in_usd(self.nano_usd()), in_usd(self.allowance.nano_usd_max));
        format!("{whose} budget of {most} is spent: {spent}")
    }
}

/// The budgets that a turn counts against: its own, and its agent's.
pub(super) fn allowances(job: &Job, agent: Option<&Agent>) -> Vec<Spending> {
    let turn = job.spec.turn.as_ref().and_then(|turn| turn.budget).zip(job.turn.as_ref());
    let of_turn = turn.map(|(budget, turn)| Spending {
        is_agents: false,
        allowance: Allowance::of(budget, turn.nano_usd_more),
        spent: turn.used_in_all().nano_usd,
    });
    of_turn.into_iter().chain(agent.and_then(of_agent)).collect()
}

fn of_agent(agent: &Agent) -> Option<Spending> {
    agent.spec.budget.map(|budget| Spending {
        is_agents: true,
        allowance: Allowance::of(budget, agent.nano_usd_more),
        spent: agent.used.nano_usd,
    })
}

/// How far an agent's budget is spent.
pub(super) fn reach_of_agent(agent: &Agent) -> Reach {
    of_agent(agent).map_or(Reach::Within, |spending| spending.reach())
}

/// The tightest of what is left, for a CLI that keeps to a budget itself.
pub(super) fn least_left(spendings: &[Spending]) -> Option<Budget> {
    let left = |spending: &Spending| Budget {
        nano_usd_max: spending.allowance.left(spending.spent),
        is_asked: spending.is_asked(),
    };
    spendings.iter().map(left).min_by_key(|budget| budget.nano_usd_max)
}

/// The current attempt has used this much so far: counts what is new, tells when most of a budget is
/// spent, and stops the turn when all is.
pub(super) fn spend(world: &mut World<'_>, id: &JobId, used: &Used) -> Result<(), Fault> {
    let job = world.job(id)?;
    let turn = job.turn.as_mut().expect("only turns are charged");
    let more = used.since(&turn.used);
    let sum = turn.used.plus(&more);
    if sum == turn.used {
        return Ok(());
    }
    let has_just_answered = turn.used.output == 0 && sum.output > 0;
    turn.used = sum;
    let name = turns::agent_of(job);
    let agent = world.agent_beside(&name)?.as_mut().map(|agent| {
        agent.used = agent.used.plus(&more);
        agent.clone()
    });
    if has_just_answered {
        super::quotas::answered(world, id)?;
    }
    if let Some(nano_usd) = more.nano_usd.filter(|nano_usd| *nano_usd > 0) {
        let text = leases::charge(world, id, &Currency::usd(), Amount::from_nano_usd(nano_usd))?;
        world.record_told(id, text.into_iter().collect())?;
    }
    for spending in allowances(world.job(id)?, agent.as_ref()) {
        if spending.reach() >= Reach::Near {
            warn(world, id, &spending)?;
        }
        let now = world.now();
        if spending.reach() == Reach::Over
            && world.job(id)?.stop_spent(spending.words(), spending.is_asked(), now)
        {
            record_stopping(world, id)?;
        }
    }
    Ok(())
}

/// Tells once that most of a budget is spent.
fn warn(world: &mut World<'_>, id: &JobId, spending: &Spending) -> Result<(), Fault> {
    let name = turns::agent_of(world.job(id)?);
    let is_known = if spending.is_agents {
        let agent = world.agent_beside(&name)?;
        agent.as_mut().is_none_or(|agent| std::mem::replace(&mut agent.is_warned, true))
    } else {
        let turn = &mut world.job(id)?.turn;
        turn.as_mut().is_none_or(|turn| std::mem::replace(&mut turn.is_warned, true))
    };
    if is_known {
        return Ok(());
    }
    let (nano_usd, nano_usd_max) = (spending.nano_usd(), spending.allowance.nano_usd_max);
    world.record(id, &Fact::BudgetWarned { is_agents: spending.is_agents, nano_usd, nano_usd_max })
}

/// A person lets a turn spend as much again as it could. Where nothing is spent by our own count, the
/// CLI's was stricter: its own budget grows then.
pub(super) fn allow_more(world: &mut World<'_>, id: &JobId) -> Result<(), Fault> {
    let job = world.job(id)?;
    let name = turns::agent_of(job);
    let own = job.spec.turn.as_ref().and_then(|turn| turn.budget);
    let agent = world.find_agent(&name)?.cloned();
    let spendings = allowances(world.job(id)?, agent.as_ref());
    let is_over = |is_agents| {
        let mut spendings = spendings.iter().filter(|spending| spending.is_agents == is_agents);
        spendings.any(|spending| spending.reach() == Reach::Over)
    };
    let (own_is_over, agents_is_over) = (is_over(false), is_over(true));
    let is_neither = !own_is_over && !agents_is_over;
    if let (Some(budget), Some(turn)) = (own, &mut world.job(id)?.turn)
        && (own_is_over || is_neither)
    {
        turn.nano_usd_more = turn.nano_usd_more.saturating_add(budget.nano_usd_max);
        turn.is_warned = false;
    }
    if let Some(agent) = world.agent_beside(&name)?
        && let Some(budget) = agent.spec.budget
        && (agents_is_over || is_neither && own.is_none())
    {
        agent.nano_usd_more = agent.nano_usd_more.saturating_add(budget.nano_usd_max);
        agent.is_warned = false;
    }
    Ok(())
}

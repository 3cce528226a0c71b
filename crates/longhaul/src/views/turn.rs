//! Turns as they are shown: whose, in which conversation, what they cost, how they ended.

use super::time;
use crate::api::{BudgetView, Health, TurnEndView, TurnHow, TurnView, Usd, UsedView};
use longhaul_agents::{adapter, resume_command};
use longhaul_core::job::Job;
use longhaul_core::turn::{self, Budget, TurnEnd, Used};

/// What is told of a turn beside what is told of every job; `None` for any other job.
pub fn turn(job: &Job) -> Option<Box<TurnView>> {
    let spec = job.spec.turn.as_ref()?;
    let state = job.turn.clone().unwrap_or_default();
    let used_all = state.used_before.plus(&state.used);
    let conversation = state.conversation;
    let by_hand = conversation.as_deref().and_then(|conversation| by_hand(job, conversation));
    let said = state.end.as_ref().and_then(|end| end.resume_command.clone());
    Some(Box::new(TurnView {
        agent: spec.agent.clone(),
        prompt: None,
        workspace: None,
        is_wake: spec.is_wake,
        conversation,
        is_mismatch: state.is_mismatch,
        resume_command: said.or(by_hand),
        model: spec.model.clone(),
        used: used(&used_all),
        budget: spec.budget.map(|given| budget(given, state.nano_usd_more, &used_all)),
        mail: state.mail.iter().map(ToString::to_string).collect(),
        parks: state.parks,
        health: health(state.health),
        answered_at: state.answered_at.map(time),
        end: state.end.as_ref().map(end),
        terminal: state.terminal.map(Into::into),
        awaits: state.awaits.map(Into::into),
        asks: state.asks.map(Into::into),
        events: state.events,
    }))
}

/// The words with which a person goes on with the conversation; a turn's command is its kind.
fn by_hand(job: &Job, conversation: &str) -> Option<String> {
    let kind = adapter(job.spec.command.first()?)?;
    resume_command(kind, &job.spec.cwd, conversation)
}

/// Tokens and money.
pub(super) fn used(used: &Used) -> UsedView {
    UsedView {
        input_tokens: used.input,
        output_tokens: used.output,
        cache_read_tokens: used.cache_read,
        cache_write_tokens: used.cache_write,
        reasoning_tokens: used.reasoning,
        cost_usd: used.nano_usd.map(Usd),
    }
}

/// What may be spent, with what was granted since, and what of it is left.
pub(super) fn budget(budget: Budget, nano_usd_more: u64, used: &Used) -> BudgetView {
    let nano_usd_max = budget.nano_usd_max.saturating_add(nano_usd_more);
    let spent = used.nano_usd.unwrap_or(0);
    BudgetView {
        usd_max: Usd(nano_usd_max),
        usd_left: Usd(nano_usd_max.saturating_sub(spent)),
        ask: budget.is_asked,
    }
}

/// What is thought of a turn's silence.
pub const fn health(health: turn::Health) -> Health {
    match health {
        turn::Health::Well => Health::Well,
        turn::Health::Quiet => Health::Quiet,
        turn::Health::Nudged => Health::Nudged,
        turn::Health::Asked => Health::Asked,
    }
}

fn end(end: &TurnEnd) -> TurnEndView {
    let (how, class, message) = how(&end.how);
    let tool = match &end.how {
        turn::TurnHow::Deferred { tool, .. } => Some(tool.clone()),
        turn::TurnHow::Done { .. } | turn::TurnHow::Cancelled | turn::TurnHow::Failed { .. } => {
            None
        }
    };
    TurnEndView {
        how,
        class,
        message,
        tool,
        said: end.said.clone(),
        is_used_whole: end.is_used_whole,
        denied: end.denied,
        last: end.last.clone(),
    }
}

/// How an attempt ended: in kind, the class of failure, and words.
pub(super) fn how(how: &turn::TurnHow) -> (TurnHow, Option<String>, Option<String>) {
    match how {
        turn::TurnHow::Done { despite } => (TurnHow::Done, None, despite.clone()),
        turn::TurnHow::Deferred { .. } => (TurnHow::Deferred, None, None),
        turn::TurnHow::Cancelled => (TurnHow::Cancelled, None, None),
        turn::TurnHow::Failed { class, message, .. } => {
            (TurnHow::Failed, Some(class.clone()), Some(message.clone()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_never_less_than_nothing() {
        let given = Budget { nano_usd_max: 10, is_asked: true };
        let used = |nano_usd| Used { nano_usd, ..Used::default() };
        let left = |more, nano_usd| budget(given, more, &used(nano_usd)).usd_left;
        assert_eq!(left(0, None), Usd(10));
        assert_eq!(left(0, Some(3)), Usd(7));
        assert_eq!(left(0, Some(30)), Usd(0));
        assert_eq!(left(10, Some(12)), Usd(8));
    }
}

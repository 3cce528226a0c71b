//! Agents in words: one line, or all that is known.

use super::agent::tone;
use super::ending;
use super::output::{Output, Tone, plain};
use super::show::Sheet;
use crate::api::{
    AgentView, BudgetView, LastTurnView, PolicyView, QuietView, UsedView, WorkspaceView,
};

/// One line: name, kind, where.
pub(super) fn in_short(agent: &AgentView) -> String {
    let model = agent.model.as_deref().map(|model| format!(" ({model})")).unwrap_or_default();
    plain(&format!("{}: {}{model} in {}", agent.name, agent.kind, agent.cwd))
}

/// All that is known.
pub(super) fn in_full(agent: &AgentView, output: &Output) -> String {
    let state = output.toned(tone(agent.state), agent.state.name());
    let mut sheet = Sheet::new(format!("{}  {state}\n", plain(&agent.name)));
    sheet.pair("waiting for", plain(agent.waiting_for.as_deref().unwrap_or_default()));
    sheet.pair("reason", plain(agent.stop_reason.as_deref().unwrap_or_default()));
    sheet.pair("done by", agent.terminal.as_deref().unwrap_or_default());
    sheet.pair("kind", plain(&agent.kind));
    sheet.pair("model", plain(agent.model.as_deref().unwrap_or_default()));
    sheet.pair("role", plain(agent.role.as_deref().unwrap_or_default()));
    sheet.pair("works for", plain(agent.parent.as_deref().unwrap_or_default()));
    sheet.pair("children", plain(&agent.children.join(", ")));
    sheet.group("conversation");
    sheet.pair("id", plain(agent.conversation.as_deref().unwrap_or("none yet")));
    sheet.pair("by hand", plain(agent.resume_command.as_deref().unwrap_or_default()));
    sheet.pair("turns", agent.turns.to_string());
    sheet.pair("now", agent.turn.as_deref().unwrap_or_default());
    sheet.pair("last", agent.last_turn.as_ref().map(last).unwrap_or_default());
    sheet.pair("unread", agent.unread.to_string());
    sheet.group("used");
    sheet.pair("itself", used(&agent.used));
    if !agent.children.is_empty() {
        sheet.pair("all below", used(&agent.used_tree));
    }
    sheet.pair("budget", agent.budget.as_ref().map(budget).unwrap_or_default());
    rules(&mut sheet, agent);
    for warning in &agent.warnings {
        sheet.pair("warning", output.toned(Tone::Doubtful, &plain(warning)));
    }
    sheet.text()
}

/// Where a worktree lies, and its branch.
pub(super) fn workspace(workspace: &WorkspaceView) -> String {
    plain(&format!("{} ({})", workspace.path, workspace.branch))
}

fn rules(sheet: &mut Sheet, agent: &AgentView) {
    sheet.group("place");
    sheet.pair("cwd", plain(&agent.cwd));
    let none = if agent.worktree { "its own, once it has a turn" } else { "" };
    sheet.pair("worktree", agent.workspace.as_ref().map_or_else(|| none.to_owned(), workspace));
    sheet.pair("pool", plain(&agent.pool));
    sheet.pair("owner", plain(agent.owner.as_deref().unwrap_or_default()));
    sheet.pair("arguments", plain(&agent.extra.join(" ")));
    sheet.pair("env set", plain(&agent.env_set.join(", ")));
    sheet.pair("notify", plain(&agent.notify.join(", ")));
    sheet.pair("timeout", agent.timeout.map(|span| span.to_string()).unwrap_or_default());
    sheet.pair("may", plain(&policy(&agent.policy)));
    sheet.pair("quiet", quiet(&agent.quiet));
    sheet.time("added", Some(agent.added_at));
    sheet.time("ended", agent.ended_at);
}

fn last(last: &LastTurnView) -> String {
    let how = last.outcome.as_ref().map(|outcome| format!(" {}", ending::in_words(outcome)));
    let message = last.message.as_deref().map(|message| format!(": {}", plain(message)));
    format!("{}{}{}", last.job, how.unwrap_or_default(), message.unwrap_or_default())
}

/// Tokens and money in a line.
pub(super) fn used(used: &UsedView) -> String {
    let cost = used.cost_usd.map(|usd| format!(", {usd}")).unwrap_or_default();
    let cache = match (used.cache_read_tokens, used.cache_write_tokens) {
        (0, 0) => String::new(),
        (read, written) => format!(", cache {read} read, {written} written"),
    };
    format!("tokens {} in, {} out{cache}{cost}", used.input_tokens, used.output_tokens)
}

/// What may be spent, in a line.
pub(super) fn budget(budget: &BudgetView) -> String {
    let then = if budget.ask { ", then a person is asked" } else { "" };
    format!("{} of {} left{then}", budget.usd_left, budget.usd_max)
}

fn policy(policy: &PolicyView) -> String {
    let mut words = Vec::new();
    let mut named = |what: &str, names: &[String]| {
        if !names.is_empty() {
            words.push(format!("{what} {}", names.join(", ")));
        }
    };
    named("use", &policy.allow_tool);
    named("write in", &policy.write_under);
    named("not use", &policy.deny_tool);
    named("ask about", &policy.ask_tool);
    match (policy.everything, words.is_empty()) {
        (true, _) => "do everything".to_owned(),
        (false, true) => "do what its CLI is set up to allow".to_owned(),
        (false, false) => words.join("; "),
    }
}

fn quiet(quiet: &QuietView) -> String {
    let rungs =
        [("warn", quiet.warn), ("nudge", quiet.nudge), ("ask", quiet.ask), ("stop", quiet.stop)];
    let words =
        rungs.iter().filter_map(|(name, after)| Some(format!("{name} {}", after.as_ref()?)));
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Usd;

    #[test]
    fn money_and_tokens_are_told_in_a_line() {
        let view = UsedView { input_tokens: 3, output_tokens: 4, ..UsedView::default() };
        assert_eq!(used(&view), "tokens 3 in, 4 out");
        let view = UsedView { cache_read_tokens: 5, cost_usd: Some(Usd(1_200_000)), ..view };
        assert_eq!(used(&view), "tokens 3 in, 4 out, cache 5 read, 0 written, $0.0012");
    }

    #[test]
    fn what_an_agent_may_do_is_told_in_a_line() {
        let view = PolicyView::default();
        assert_eq!(policy(&view), "do what its CLI is set up to allow");
        let view = PolicyView {
            allow_tool: vec!["Read".into(), "Edit".into()],
            deny_tool: vec!["Bash".into()],
            ..view
        };
        assert_eq!(policy(&view), "use Read, Edit; not use Bash");
        assert_eq!(policy(&PolicyView { everything: true, ..view }), "do everything");
    }
}

//! From what an agent or a turn shall be on the wire to what core keeps. Asked of the adapter at once
//! is what would otherwise only fail when a turn is started; of an environment only that is kept
//! which the CLI needs.

use super::error::{Answer, Failure};
use super::spec::{home_folder, plain_environment};
pub(super) use crate::access::policy;
use crate::access::{Bounds, bounds, is_roots};
use crate::api::{self, After, AgentAsk, BudgetAsk, QuietView, Variables};
use crate::daemon::is_needed;
use crate::project::{owner_in, project_of};
use longhaul_agents::{Adapter, KINDS, Launch, Turn, Unkept, Unsuited, adapter};
use longhaul_core::agent::{AgentSpec, Ladder};
use longhaul_core::command::Refused;
use longhaul_core::role;
use longhaul_core::spec::{BadSpec, Environment};
use longhaul_core::time::Millis;
use longhaul_core::turn::{Budget, Park, Policy, ResumeRule};
use std::collections::BTreeMap;
use std::path::Path;

/// An agent as core is asked for it, with the environment of its turns.
pub(super) fn agent_spec(name: String, ask: AgentAsk) -> Answer<(AgentSpec, Environment)> {
    let kind = kind(&ask.kind)?;
    let cwd = ask.cwd.unwrap_or_else(home_folder);
    if !Path::new(&cwd).is_absolute() || !Path::new(&cwd).is_dir() {
        return Err(bad("cwd", format!("`{cwd}` is not an absolute path of a directory")));
    }
    let project = ask.project.unwrap_or_else(|| project_of(Path::new(&cwd)));
    let owner = ask.owner.unwrap_or_else(|| owner_in(&project));
    let ladder = ladder(ask.quiet, ask.role.as_deref());
    let spec = AgentSpec {
        name,
        kind: ask.kind,
        role: ask.role,
        parent: ask.parent,
        model: ask.model,
        cwd,
        extra: ask.extra,
        policy: policy(ask.policy),
        budget: ask.budget.map(budget),
        park: park(ask.park),
        resume: resume(ask.resume),
        ladder,
        worktree: ask.worktree,
        pool: ask.pool,
        owner: Some(owner),
        project: Some(project),
        timeout: ask.timeout.map(|span| Millis::new(span.0)),
        notify: ask.notify,
        environment_set: ask.env.0.keys().cloned().collect(),
    };
    let launch = probe(kind, &spec, &spec.policy, spec.model.as_ref())?;
    let environment = environment(ask.base_env, ask.env, &launch);
    Ok((spec, environment))
}

/// The adapter of a kind.
fn kind(name: &str) -> Answer<&'static dyn Adapter> {
    adapter(name).ok_or_else(|| {
        let known: Vec<&str> = KINDS.iter().map(|adapter| adapter.kind()).collect();
        bad("kind", format!("is none that is known: {}", known.join(", ")))
    })
}

/// What would be started for a turn of this agent, whatever it is told.
fn probe(
    kind: &dyn Adapter,
    spec: &AgentSpec,
    policy: &Policy,
    model: Option<&String>,
) -> Answer<Launch> {
    launch(kind, &probed(kind, spec, policy, model))
}

fn probed(kind: &dyn Adapter, spec: &AgentSpec, policy: &Policy, model: Option<&String>) -> Turn {
    let Bounds { access, denied, asked, hook } =
        bounds(policy, kind.kind(), Path::new("longhaul"), false);
    Turn {
        prompt: "?".to_owned(),
        model: model.cloned(),
        cwd: spec.cwd.clone(),
        access,
        denied,
        asked,
        hook,
        extra: spec.extra.clone(),
        folder: spec.cwd.clone(),
        ..Turn::default()
    }
}

fn launch(kind: &dyn Adapter, turn: &Turn) -> Answer<Launch> {
    kind.launch(turn).map_err(|unsuited| match unsuited {
        Unsuited::NoProgram => bad("extra", "names no program to run".to_owned())
            .hint("give the program and its arguments after `--`"),
        Unsuited::BadFolder => bad("write_under", format!("is none: {unsuited}")),
        Unsuited::EmptyPrompt
        | Unsuited::NoResume
        | Unsuited::NoFork
        | Unsuited::NoDeferral
        | Unsuited::BadServerName
        | Unsuited::BadId => bad("kind", format!("cannot be used so: {unsuited}")),
    })
}

/// Refuses a turn that its agent's CLI could not be started for.
pub(super) fn check_turn(spec: &AgentSpec, turn: &longhaul_core::turn::Turn) -> Answer<()> {
    let policy = turn.policy.as_ref().unwrap_or(&spec.policy);
    probe(kind(&spec.kind)?, spec, policy, turn.model.as_ref().or(spec.model.as_ref())).map(drop)
}

/// What an agent's CLI cannot be made to keep of what was asked for, in words. `folder`: where the
/// folders of its attempts are.
pub(super) fn warnings(spec: &AgentSpec, folder: &Path) -> Vec<String> {
    let unkept = kind(&spec.kind).and_then(|kind| {
        let turn = probed(kind, spec, &spec.policy, spec.model.as_ref());
        let turn = Turn { folder_is_roots: is_roots(folder), ..turn };
        Ok(launch(kind, &turn)?.unkept)
    });
    let unkept = unkept.unwrap_or_default();
    // A hook answers for whatever the CLI has no option for.
    if !unkept.contains(&Unkept::Hook) {
        return Vec::new();
    }
    let kind = &spec.kind;
    let mut words = Vec::new();
    if unkept.contains(&Unkept::Tools) {
        words.push(format!("{kind} cannot be told which tools it may not use"));
    }
    if unkept.contains(&Unkept::Writes) {
        words.push(format!("{kind} cannot be told where it may write"));
    }
    if !spec.policy.ask.is_empty() {
        words.push(format!("{kind} cannot be made to ask about a tool before it runs"));
    }
    words
}

/// Of the caller's environment what the CLI is known to need, and all that was set on purpose.
fn environment(base: Option<Variables>, set: Variables, launch: &Launch) -> Environment {
    let base = base.map_or_else(plain_environment, |base| base.0);
    let mut kept: BTreeMap<String, String> =
        base.into_iter().filter(|(name, _)| is_needed(name, launch)).collect();
    kept.extend(set.0);
    Environment(kept)
}

pub(super) const fn budget(ask: BudgetAsk) -> Budget {
    Budget { nano_usd_max: ask.usd_max.0, is_asked: ask.ask }
}

pub(super) const fn park(rule: api::ParkRule) -> Park {
    match rule {
        api::ParkRule::Never => Park::Never,
        api::ParkRule::UntilReset => Park::UntilReset,
        api::ParkRule::Ask => Park::Ask,
    }
}

pub(super) const fn resume(rule: api::Resume) -> ResumeRule {
    match rule {
        api::Resume::Fresh => ResumeRule::FreshOnce,
        api::Resume::Fail => ResumeRule::Fail,
    }
}

/// A ladder of its own where one was asked for: what was not said is as the role has it.
fn ladder(quiet: QuietView, role: Option<&str>) -> Option<Ladder> {
    if quiet == QuietView::default() {
        return None;
    }
    let usual = role::ladder(role::owes(role));
    let rung = |said: Option<After>, usual: Option<Millis>| match said {
        Some(After::Span(span)) => Some(Millis::new(span.0)),
        Some(After::Never) => None,
        None => usual,
    };
    Some(Ladder {
        warn_after: rung(quiet.warn, usual.warn_after),
        nudge_after: rung(quiet.nudge, usual.nudge_after),
        ask_after: rung(quiet.ask, usual.ask_after),
        stop_after: rung(quiet.stop, usual.stop_after),
    })
}

fn bad(field: &'static str, problem: String) -> Failure {
    Failure::from(Refused::from(BadSpec { field, problem }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{PolicyView, Span};
    use longhaul_core::turn::Base;

    fn ask(kind: &str) -> AgentAsk {
        AgentAsk { kind: kind.to_owned(), cwd: Some("/".to_owned()), ..AgentAsk::default() }
    }

    fn made(ask: AgentAsk) -> (AgentSpec, Environment) {
        agent_spec("a".to_owned(), ask).unwrap()
    }

    fn refusal(ask: AgentAsk) -> String {
        agent_spec("a".to_owned(), ask).unwrap_err().into_message()
    }

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        Variables(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn of_the_callers_secrets_only_those_of_the_cli_are_kept() {
        let base_env = Some(variables(&[
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("ANTHROPIC_API_KEY", "key"),
            ("OPENAI_API_KEY", "other"),
            ("GITHUB_TOKEN", "token"),
            ("CLAUDECODE", "1"),
        ]));
        let env = variables(&[("GITHUB_TOKEN", "mine")]);
        let (spec, environment) = made(AgentAsk { base_env, env, ..ask("claude") });
        let expected = [
            ("ANTHROPIC_API_KEY", "key"),
            ("GITHUB_TOKEN", "mine"),
            ("LC_ALL", "C"),
            ("PATH", "/bin"),
        ];
        assert_eq!(environment.0, variables(&expected).0);
        assert_eq!(spec.environment_set, ["GITHUB_TOKEN"]);
    }

    #[test]
    fn naming_what_may_be_used_forbids_the_rest() {
        let allowed = PolicyView { allow_tool: vec!["Read".into()], ..PolicyView::default() };
        assert_eq!(policy(allowed.clone()).base, Base::Nothing);
        let denied = PolicyView { deny_tool: vec!["Bash".into()], ..PolicyView::default() };
        assert_eq!(policy(denied).base, Base::AsConfigured);
        assert_eq!(policy(PolicyView { everything: true, ..allowed }).base, Base::Everything);
    }

    #[test]
    fn what_is_not_said_about_silence_is_as_the_role_has_it() {
        assert_eq!(made(ask("claude")).0.ladder, None);
        let quiet = QuietView {
            ask: Some(After::Never),
            stop: Some(After::Span(Span(1_000))),
            ..QuietView::default()
        };
        let role = Some("builder".to_owned());
        let ladder = made(AgentAsk { quiet, role, ..ask("claude") }).0.ladder.unwrap();
        let usual = role::ladder(true);
        assert_eq!((ladder.warn_after, ladder.nudge_after), (usual.warn_after, usual.nudge_after));
        assert_eq!((ladder.ask_after, ladder.stop_after), (None, Some(Millis::new(1_000))));
    }

    #[test]
    fn what_could_never_be_started_is_refused_when_it_is_asked_for() {
        assert!(refusal(ask("tmux")).contains("claude, codex"));
        assert!(refusal(ask("plain")).contains("`extra` names no program"));
        let cwd = Some("/no/such/folder".to_owned());
        assert!(refusal(AgentAsk { cwd, ..ask("claude") }).contains("`cwd`"));
        let policy = PolicyView { write_under: vec!["../up".into()], ..PolicyView::default() };
        assert!(refusal(AgentAsk { policy, ..ask("claude") }).contains("`write_under`"));
    }
}

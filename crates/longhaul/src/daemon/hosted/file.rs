//! `agents.toml`: agents that this home hosts beside those that a program registers. Each entry is a
//! program, a turn of an agent CLI, or a kind of task. What is not understood is refused with its line,
//! because an agent that is silently not there looks like one that was never written down.

use super::entry::{Entry, Work};
use super::reference::{is_name, is_version};
use crate::access;
use crate::api::{PolicyView, Span, Usd};
use longhaul_core::lease::{Asked, Lease};
use longhaul_core::limits;
use longhaul_core::time::Millis;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use toml::Spanned;

/// Entries of one file.
const ENTRIES_MAX: usize = 1_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    agent: Vec<Spanned<Written>>,
}

/// One entry as it is written; what is absent has its default.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    version: Option<String>,
    #[serde(default)]
    default: bool,
    command: Option<Vec<String>>,
    kind: Option<String>,
    task: Option<String>,
    model: Option<String>,
    #[serde(default)]
    extra: Vec<String>,
    policy: Option<PolicyView>,
    budget_usd: Option<Usd>,
    reruns: Option<u32>,
    cwd: Option<String>,
    #[serde(default)]
    env: Vec<String>,
    timeout: Option<Span>,
    grace: Option<Span>,
    retry: Option<u32>,
    pool: Option<String>,
    lease: Option<BTreeMap<String, Vec<String>>>,
    #[serde(default)]
    credentials: Vec<String>,
}

/// Reads the whole file: all its entries, or what is wrong and where.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    if file.agent.len() > ENTRIES_MAX {
        return Err(format!("{} agents, and {ENTRIES_MAX} is the limit", file.agent.len()));
    }
    let mut entries: Vec<Entry> = Vec::with_capacity(file.agent.len());
    let mut names = BTreeSet::new();
    let mut defaults = BTreeSet::new();
    for written in file.agent {
        let at = written.span();
        let written = written.into_inner();
        let fail = |problem: String| format!("line {}: {problem}", line_of(text, &at));
        let is_default = written.default;
        let entry = entry(written).map_err(fail)?;
        if !names.insert((entry.name.clone(), entry.version.clone())) {
            return Err(fail(format!("`{}` stands here twice", entry.reference())));
        }
        if is_default && !defaults.insert(entry.name.clone()) {
            return Err(fail(format!("`{}` has two default versions", entry.name)));
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn line_of(text: &str, at: &Range<usize>) -> usize {
    text.bytes().take(at.start).filter(|byte| *byte == b'\n').count() + 1
}

fn entry(written: Written) -> Result<Entry, String> {
    if !is_name(&written.name) {
        let name = &written.name;
        return Err(format!("`{name}` is no name: small letters, digits, and `.`, `_`, `-`"));
    }
    if let Some(version) = written.version.as_deref().filter(|version| !is_version(version)) {
        return Err(format!("`{version}` is no version: letters, digits, `.`, `+`, `_`, `-`"));
    }
    if written.default && written.version.is_none() {
        return Err("`default` is for one of several versions, and this has none".to_owned());
    }
    let work = work(&written)?;
    let is_task = matches!(work, Work::Task { .. });
    if is_task && (written.cwd.is_some() || !written.env.is_empty()) {
        return Err("`cwd` and `env` are for processes, and this is a task".to_owned());
    }
    if let Some(cwd) = written.cwd.as_deref().filter(|cwd| !cwd.starts_with('/')) {
        return Err(format!("`cwd` must be an absolute path, and `{cwd}` is none"));
    }
    let retries = written.retry.unwrap_or(0);
    if retries > limits::RETRIES_MAX {
        return Err(format!("`retry` is at most {}", limits::RETRIES_MAX));
    }
    let lease = written.lease.map(|lease| ceiling(&lease)).transpose()?;
    Ok(Entry {
        name: written.name,
        version: written.version,
        is_default: written.default,
        work,
        cwd: written.cwd,
        env: written.env,
        timeout: span("timeout", written.timeout)?,
        grace: span("grace", written.grace)?,
        retries,
        pool: written.pool,
        lease,
        credentials: issuers(written.credentials)?,
    })
}

fn ceiling(lease: &Asked) -> Result<Lease, String> {
    Lease::parse(lease, None).map_err(|bad| format!("`lease`: {bad}"))
}

/// Which of the settings' issuers there are is looked at when a job needs one.
fn issuers(names: Vec<String>) -> Result<Vec<String>, String> {
    let most = limits::CREDENTIALS_PER_JOB_MAX;
    if names.len() > most {
        return Err(format!(
            "`credentials` names {} issuers, and {most} is the limit",
            names.len()
        ));
    }
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !is_name(name) || !seen.insert(*name)) {
        Some(bad) => Err(format!("`credentials`: `{bad}` is no name, or stands there twice")),
        None => Ok(names),
    }
}

fn span(field: &str, written: Option<Span>) -> Result<Option<Millis>, String> {
    let span = written.map(|span| Millis::new(span.0));
    if span.is_some_and(|span| span == Millis::ZERO || span > limits::SPAN_MAX) {
        return Err(format!("`{field}` is not between one millisecond and ten years"));
    }
    Ok(span)
}

/// What the entry runs: exactly one of the three.
fn work(written: &Written) -> Result<Work, String> {
    let only = |what: &str, is_asked: bool, whose: &str| {
        if is_asked { Err(format!("`{what}` goes with `{whose}` only")) } else { Ok(()) }
    };
    if written.kind.is_none() {
        only("model", written.model.is_some(), "kind")?;
        only("extra", !written.extra.is_empty(), "kind")?;
        only("policy", written.policy.is_some(), "kind")?;
        only("budget_usd", written.budget_usd.is_some(), "kind")?;
    }
    only("reruns", written.reruns.is_some() && written.task.is_none(), "task")?;
    match (&written.command, &written.kind, &written.task) {
        (Some(command), None, None) => {
            if command.first().is_none_or(String::is_empty) {
                return Err("`command` names no program".to_owned());
            }
            Ok(Work::Command(command.clone()))
        }
        (None, Some(kind), None) => {
            if longhaul_agents::adapter(kind).is_none() {
                let known = longhaul_agents::KINDS.iter().map(|adapter| adapter.kind());
                let known: Vec<&str> = known.collect();
                return Err(format!("`kind` is one of: {}", known.join(", ")));
            }
            Ok(Work::Turn {
                kind: kind.clone(),
                model: written.model.clone(),
                extra: written.extra.clone(),
                policy: written.policy.clone().map(access::policy).unwrap_or_default(),
                nano_usd_max: written.budget_usd.map(|usd| usd.0),
            })
        }
        (None, None, Some(task)) => {
            Ok(Work::Task { kind: task.clone(), reruns_max: written.reruns.unwrap_or(0) })
        }
        _ => Err("says none, or more than one, of `command`, `kind` and `task`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        parse(text).unwrap_err()
    }

    #[test]
    fn an_entry_of_each_sort_is_read() {
        let text = r#"
[[agent]]
name = "review"
version = "1.2.0"
default = true
command = ["python3", "review.py"]
cwd = "/srv/agents"
env = ["OPENAI_API_KEY"]
timeout = "10m"
grace = "5s"
retry = 2
[agent.lease]
"tool.call" = ["web.*"]
"cost.budget" = ["USD:5"]

[[agent]]
name = "review"
kind = "claude"
model = "haiku"
policy = { allow_tool = ["Read"] }
budget_usd = 0.5

[[agent]]
name = "sum"
task = "sum"
reruns = 3
"#;
        let entries = parse(text).unwrap();
        let review = &entries[0];
        assert_eq!((review.reference().as_str(), review.is_default), ("review@1.2.0", true));
        assert_eq!(review.work, Work::Command(vec!["python3".into(), "review.py".into()]));
        assert_eq!(review.timeout, Some(Millis::from_secs(600)));
        assert!(review.lease.as_ref().unwrap().grants("tool.call"));
        let Work::Turn { kind, nano_usd_max, policy, .. } = &entries[1].work else { panic!() };
        assert_eq!((kind.as_str(), *nano_usd_max), ("claude", Some(500_000_000)));
        assert_eq!(policy.allow, ["Read"]);
        assert_eq!(entries[2].work, Work::Task { kind: "sum".into(), reruns_max: 3 });
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let entry = |lines: &str| format!("# ours\n\n[[agent]]\nname = \"a\"\n{lines}\n");
        for (lines, expected) in [
            ("", "none, or more than one"),
            ("task = \"t\"\ncommand = [\"x\"]", "none, or more than one"),
            ("command = []", "names no program"),
            ("kind = \"tmux\"", "`kind` is one of: claude"),
            ("task = \"t\"\nmodel = \"m\"", "`model` goes with `kind` only"),
            ("task = \"t\"\ncwd = \"/\"", "this is a task"),
            ("task = \"t\"\ndefault = true", "one of several versions"),
            ("task = \"t\"\nversion = \"1 0\"", "no version"),
            ("command = [\"x\"]\ncwd = \"here\"", "absolute"),
            ("command = [\"x\"]\nretry = 1000", "`retry` is at most"),
            ("task = \"t\"\nlease = { \"root\" = [\"*\"] }", "`root` is no capability"),
        ] {
            let problem = problem(&entry(lines));
            assert!(problem.starts_with("line 3: ") && problem.contains(expected), "{problem}");
        }
        for (lines, expected) in
            [("timeout = \"soon\"", "soon"), ("colour = 1", "unknown field"), ("env = 3", "line 5")]
        {
            let problem = problem(&entry(lines));
            assert!(problem.contains(expected) && problem.contains("line 5"), "{problem}");
        }
    }

    #[test]
    fn an_agent_stands_there_once_and_has_one_default() {
        let twice = "[[agent]]\nname = \"a\"\ntask = \"t\"\n".repeat(2);
        assert!(problem(&twice).starts_with("line 4: `a` stands here twice"));
        let of = |version: &str| {
            format!(
                "[[agent]]\nname = \"a\"\nversion = \"{version}\"\ndefault = true\ntask = \"t\"\n"
            )
        };
        assert!(problem(&(of("1") + &of("2"))).contains("two default versions"));
    }
}

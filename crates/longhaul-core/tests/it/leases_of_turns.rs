//! Turns of agent CLIs under a lease: what their hook puts to us, and what their output says they cost.

use crate::leases::{code, lease, started, told};
use crate::play_sessions::{Home, job};
use longhaul_core::agent::AgentSpec;
use longhaul_core::command::Command;
use longhaul_core::delegation::DenialCode;
use longhaul_core::policy::ToolCall;
use longhaul_core::spec::Environment;
use longhaul_core::turn::{Offsets, Seen, Taking, Turn, Used};
use serde_json::json;
use std::collections::BTreeMap;

/// Job 1 is a turn, for session 1, under this lease.
fn home(lines: &[&str]) -> Home {
    let mut home = Home::new();
    home.open(1, "alice");
    let spec = AgentSpec {
        name: "coder".into(),
        kind: "claude".into(),
        cwd: "/r".into(),
        ..AgentSpec::default()
    };
    let turn = Turn { agent: "coder".into(), prompt: "go".into(), ..Turn::default() };
    let mut asked = Home::submission(1, Some(1), "alice");
    let hosted = asked.spec.hosted.take();
    asked.spec = spec.job_spec(turn);
    asked.spec.hosted = hosted;
    asked.spec.hosted.as_mut().unwrap().lease = lease(&home, lines, None);
    let environment = Environment(BTreeMap::new());
    home.ask(Command::AddAgent { spec: Box::new(spec), environment, replace: false }).unwrap();
    home.ask(Command::Submit(vec![asked])).unwrap();
    started(&mut home, 1, 1);
    home
}

fn calls(home: &mut Home, call: ToolCall) -> Option<DenialCode> {
    let call = ToolCall { call: "c1".into(), key: format!("{call:?}"), ..call };
    let reply = home.ask(Command::Authorize { job: job(1), attempt: 1, call: Box::new(call) });
    match reply {
        Ok(longhaul_core::command::Reply::Unsaid) => None,
        reply => code(reply),
    }
}

fn tool(name: &str) -> ToolCall {
    ToolCall { tool: name.into(), ..ToolCall::default() }
}

#[test]
fn the_hook_asks_the_lease_before_the_policy_and_about_all_that_is_touched() {
    let mut home = home(&[
        "tool.call Read",
        "tool.call Write",
        "tool.call Fetch",
        "fs.read /r/**",
        "net.fetch https://a/**",
    ]);
    assert_eq!(calls(&mut home, tool("Bash")), Some(DenialCode::PermissionDenied));
    let reads = |path: &str| ToolCall { reads: vec![path.into()], ..tool("Read") };
    assert_eq!(calls(&mut home, reads("/r/a")), None);
    assert_eq!(calls(&mut home, reads("/etc/passwd")), Some(DenialCode::PermissionDenied));
    let writes = ToolCall { writes: vec!["/r/a".into()], ..tool("Write") };
    assert_eq!(calls(&mut home, writes), Some(DenialCode::PermissionDenied));
    let fetches = |url: &str| ToolCall { fetches: vec![url.into()], ..tool("Fetch") };
    assert_eq!(calls(&mut home, fetches("https://a/b")), None);
    assert_eq!(calls(&mut home, fetches("")), Some(DenialCode::PermissionDenied));
    let decided = home.journal(1).into_iter().filter(|fact| fact["kind"] == "tool_decided");
    let codes: Vec<_> = decided.map(|fact| fact["code"].clone()).collect();
    let (no, yes) = (json!("permission_denied"), json!(null));
    assert_eq!(codes, [no.clone(), yes.clone(), no.clone(), no.clone(), yes, no]);
}

#[test]
fn what_a_turn_says_it_cost_is_debited_once() {
    let mut home = home(&["tool.call *", "cost.budget USD:1"]);
    let takes = |out: u64, nano_usd: u64| {
        let used = Used { nano_usd: Some(nano_usd), output: 1, ..Used::default() };
        let from = Offsets { out: out - 1, ..Offsets::default() };
        let to = Offsets { out, ..Offsets::default() };
        let seen = Seen { used, ..Seen::default() };
        let (memory, events) = (String::new(), Vec::new());
        Command::Ingest(Box::new(Taking {
            job: job(1),
            attempt: 1,
            from,
            to,
            memory,
            events,
            seen,
        }))
    };
    // Each says what it used in all so far.
    home.ask(takes(1, 400_000_000)).unwrap();
    home.ask(takes(2, 400_000_000)).unwrap();
    assert_eq!(calls(&mut home, tool("Bash")), None);
    home.ask(takes(3, 1_000_000_000)).unwrap();
    assert_eq!(calls(&mut home, tool("Bash")), Some(DenialCode::BudgetExhausted));
    let left: Vec<_> = told(&home, 1, "metric").iter().map(|body| body["value"].clone()).collect();
    assert_eq!(left, [json!(0.6), json!(0)]);
}

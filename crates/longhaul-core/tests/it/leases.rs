//! What jobs of sessions may do under their leases, and what time and spending leave of them.

use crate::play_sessions::{Home, job};
use longhaul_core::amounts::{Amount, Currency};
use longhaul_core::command::{Command, Entry, Exit, How, Known, Refused, Reply, StoppedBy};
use longhaul_core::delegation::{CallMade, DenialCode, OperationAsk};
use longhaul_core::event::Fact;
use longhaul_core::job::JobState;
use longhaul_core::lease::Lease;
use longhaul_core::limits;
use longhaul_core::outcome::{Ending, Reason};
use longhaul_core::port::Phase;
use longhaul_core::task::TaskResult;
use longhaul_core::time::Millis;
use serde_json::{Value, json};

/// A lease from lines such as `fs.read /a/**`, over after so many seconds.
pub(crate) fn lease(home: &Home, lines: &[&str], secs: Option<u64>) -> Lease {
    let mut asked = longhaul_core::lease::Asked::new();
    for line in lines {
        let (capability, text) = line.split_once(' ').expect("a capability and a text");
        asked.entry(capability.to_owned()).or_default().push(text.to_owned());
    }
    let expires_at = secs.map(|secs| home.now.plus(Millis::from_secs(secs)));
    Lease::parse(&asked, expires_at).expect("a good lease")
}

/// Job `number` runs under a lease, for session 1.
pub(crate) fn run(home: &mut Home, number: u32, lease: Lease) {
    submit(home, number, lease, |_| {});
    started(home, number, 1);
}

fn submit(
    home: &mut Home,
    number: u32,
    lease: Lease,
    change: impl FnOnce(&mut longhaul_core::spec::JobSpec),
) {
    let mut asked = Home::submission(number, Some(1), "alice");
    asked.spec.hosted.as_mut().unwrap().lease = lease;
    change(&mut asked.spec);
    home.ask(Command::Submit(vec![asked])).expect("it is accepted");
}

pub(crate) fn started(home: &mut Home, number: u32, attempt: u32) {
    let at = home.now;
    home.ask(Command::Started { job: job(number), attempt, at, pid: 1 }).expect("it runs");
}

fn authorize(home: &mut Home, number: u32, ask: OperationAsk) -> Result<Reply, Refused> {
    let ask = Box::new(ask);
    home.ask(Command::AuthorizeOperation { job: job(number), attempt: 1, ask })
}

fn operation(capability: &str, target: &str) -> OperationAsk {
    let (capability, target) = (capability.to_owned(), target.to_owned());
    OperationAsk { capability, target, resolved: None, call: None }
}

fn tool(name: &str) -> OperationAsk {
    let (call_id, tool, args) = ("c1".to_owned(), name.to_owned(), json!({ "q": "x" }));
    OperationAsk { call: Some(CallMade { call_id, tool, args }), ..operation("tool.call", name) }
}

/// What the answer to an operation was: `None` if it may be.
pub(crate) fn code(reply: Result<Reply, Refused>) -> Option<DenialCode> {
    match reply.expect("no operation is refused") {
        Reply::Allowed | Reply::Submitted(_) => None,
        Reply::Denied { code, .. } => Some(code),
        other => panic!("{other:?}"),
    }
}

fn costs(number: u32, charges: &[(&str, &str)]) -> Command {
    let entry = |(currency, amount): &(&str, &str)| Entry {
        text: format!(
            r#"{{"kind":"told","name":"metric","body":{{"name":"cost.x","unit":"{currency}"}}}}"#
        ),
        charge: Some((Currency::parse(currency).unwrap(), Amount::parse(amount).unwrap())),
        piece: None,
    };
    Command::Tell { job: job(number), attempt: 1, entries: charges.iter().map(entry).collect() }
}

/// The events of a kind that followers of a job are told.
pub(crate) fn told(home: &Home, number: u32, name: &str) -> Vec<Value> {
    let all = home.journal(number).into_iter();
    let of_kind = all.filter(|fact| fact["kind"] == "told" && fact["name"] == name);
    of_kind.map(|fact| fact["body"].clone()).collect()
}

fn home() -> Home {
    let mut home = Home::new();
    home.open(1, "alice");
    home
}

#[test]
fn a_lease_that_is_over_grants_nothing_new_and_changes_no_answer() {
    let mut home = home();
    let lease = lease(&home, &["tool.call web.*"], Some(60));
    let asked = |number: u32, key: &str| {
        let mut asked = Home::submission(number, Some(1), "alice");
        asked.spec.hosted.as_mut().unwrap().lease = lease.clone();
        asked.key = Some(key.to_owned());
        Command::Submit(vec![asked])
    };
    assert_eq!(home.ask(asked(1, "k")), Ok(Reply::Submitted(vec![(job(1), Known::Not)])));
    home.wait(Millis::from_secs(60));
    let refused = home.ask(asked(2, "other"));
    assert!(matches!(&refused, Err(Refused::BadSpec(bad)) if bad.field.ends_with("expires_at")));
    // The key is known, whatever became of the job: the answer is the one that was given.
    assert_eq!(home.ask(asked(3, "k")), Ok(Reply::Submitted(vec![(job(1), Known::Open)])));
}

#[test]
fn a_granted_tool_call_is_told_and_a_refused_one_only_as_its_result() {
    let mut home = home();
    let lease = lease(&home, &["tool.call web.*"], None);
    run(&mut home, 1, lease);
    assert_eq!(code(authorize(&mut home, 1, tool("web.search"))), None);
    let refused = authorize(&mut home, 1, tool("shell"));
    assert_eq!(code(refused), Some(DenialCode::PermissionDenied));
    let call = json!({ "tool": "web.search", "call_id": "c1", "args": { "q": "x" } });
    assert_eq!(told(&home, 1, "tool_call"), [call]);
    let results = told(&home, 1, "tool_result");
    assert_eq!(results.len(), 1);
    assert_eq!((&results[0]["call_id"], &results[0]["result"]), (&json!("c1"), &Value::Null));
    let error = &results[0]["error"];
    assert_eq!((&error["code"], &error["retryable"]), (&json!("PERMISSION_DENIED"), &json!(false)));
    assert_eq!(home.told(1), ["1 1 started", "2 1 told", "3 1 told"]);
    // Both stand in the audit; what a job tells of its own does not.
    home.ask(Home::tell(1, &["x"])).unwrap();
    let audit: Vec<Fact> =
        home.audit().into_iter().filter(|fact| matches!(fact, Fact::Told { .. })).collect();
    assert_eq!(audit.len(), 2, "{audit:?}");
    assert!(audit.iter().all(|fact| matches!(fact, Fact::Told { decided: true, .. })));
}

#[test]
fn other_operations_are_in_the_journal_and_told_to_nobody() {
    let mut home = home();
    let lease = lease(&home, &["fs.read /a/**"], None);
    run(&mut home, 1, lease);
    assert_eq!(code(authorize(&mut home, 1, operation("fs.read", "/a/b"))), None);
    let refused = authorize(&mut home, 1, operation("fs.write", "/a/b"));
    assert_eq!(code(refused), Some(DenialCode::PermissionDenied));
    let decided: Vec<Value> =
        home.journal(1).into_iter().filter(|fact| fact["kind"] == "operation_decided").collect();
    let allowed = json!({ "kind": "operation_decided", "capability": "fs.read", "target": "/a/b" });
    assert_eq!(decided[0], allowed);
    assert_eq!(decided[1]["denied"], "permission_denied");
    assert_eq!(home.told(1), ["1 1 started"]);
}

#[test]
fn where_a_link_leads_must_be_granted_too() {
    let mut home = home();
    let lease = lease(&home, &["fs.read /a/**"], None);
    run(&mut home, 1, lease);
    let to = |resolved: &str| OperationAsk {
        resolved: Some(resolved.to_owned()),
        ..operation("fs.read", "/a/link")
    };
    assert_eq!(code(authorize(&mut home, 1, to("/a/b"))), None);
    assert_eq!(
        code(authorize(&mut home, 1, to("/etc/passwd"))),
        Some(DenialCode::PermissionDenied)
    );
}

#[test]
fn a_lease_that_names_no_models_leaves_them_to_the_home_and_what_has_no_lease_is_free() {
    let mut home = home();
    let unnamed = lease(&home, &[], None);
    run(&mut home, 1, unnamed);
    let named = lease(&home, &["model.use small-*"], None);
    run(&mut home, 2, named);
    let mut plain = Home::submission(3, None, "alice");
    plain.spec.hosted = None;
    home.ask(Command::Submit(vec![plain])).unwrap();
    started(&mut home, 3, 1);
    let mut may = |number, capability: &str, target: &str| {
        code(authorize(&mut home, number, operation(capability, target))).is_none()
    };
    assert!(may(1, "model.use", "large-1") && !may(1, "fs.read", "/a"));
    assert!(may(2, "model.use", "small-1") && !may(2, "model.use", "large-1"));
    assert!(may(3, "fs.read", "/a"));
}

#[test]
fn what_is_over_is_said_before_what_is_spent_and_that_before_what_is_not_granted() {
    let mut home = home();
    let lease = lease(&home, &["cost.budget USD:0", "fs.read /a"], Some(10));
    run(&mut home, 1, lease);
    let asked = operation("fs.write", "/b");
    let denied = authorize(&mut home, 1, asked.clone());
    assert_eq!(code(denied), Some(DenialCode::BudgetExhausted));
    home.now = home.now.plus(Millis::from_secs(10));
    assert_eq!(code(authorize(&mut home, 1, asked)), Some(DenialCode::LeaseExpired));
}

#[test]
fn any_currency_that_is_spent_blocks_and_the_job_goes_on() {
    let mut home = home();
    let lease = lease(&home, &["cost.budget USD:1", "cost.budget EUR:1", "tool.call *"], None);
    run(&mut home, 1, lease);
    for _ in 0..9 {
        home.ask(costs(1, &[("USD", "0.1"), ("GBP", "99")])).unwrap();
    }
    assert_eq!(code(authorize(&mut home, 1, tool("web"))), None);
    home.ask(costs(1, &[("USD", "0.1")])).unwrap();
    assert_eq!(code(authorize(&mut home, 1, tool("web"))), Some(DenialCode::BudgetExhausted));
    let told_of = told(&home, 1, "metric");
    let left: Vec<&Value> = told_of
        .iter()
        .filter(|body| body["name"] == "cost.budget.remaining")
        .map(|body| &body["value"])
        .collect();
    assert_eq!(left, [&json!(0.9), &json!(0)], "the first, and the last");
    assert_eq!(told(&home, 1, "tool_result")[0]["error"]["code"], "BUDGET_EXHAUSTED");
    assert_eq!(home.job(1).phase(), Phase::Active);
}

#[test]
fn a_job_is_ended_soon_after_its_lease_and_is_not_tried_again() {
    let mut home = home();
    let granted = lease(&home, &[], Some(60));
    submit(&mut home, 1, granted, |spec| {
        spec.retry.max = 3;
        spec.timeout = Some(Millis::from_secs(90));
    });
    started(&mut home, 1, 1);
    home.wait(Millis::from_secs(60));
    assert!(matches!(home.job(1).state, JobState::Running { .. }), "it may still be told no");
    home.wait(limits::LEASE_GRACE);
    assert!(matches!(home.job(1).state, JobState::Stopping { .. }));
    let exit = Exit::bare(How::Signaled(15), Some(StoppedBy::Asked), home.now);
    home.ask(Command::Exited { job: job(1), attempt: 1, exit }).unwrap();
    let ended = home.job(1);
    let outcome = ended.outcome().unwrap();
    assert_eq!((outcome.kind, outcome.reason), (Ending::Failed, Some(Reason::Lease)));
}

#[test]
fn a_job_that_waits_ends_with_its_lease() {
    let mut home = home();
    let granted = lease(&home, &[], Some(60));
    submit(&mut home, 1, granted, |spec| spec.delay = Millis::from_secs(3_600));
    assert_eq!(home.job(1).phase(), Phase::Delayed);
    home.wait(Millis::from_secs(60).plus(limits::LEASE_GRACE));
    let ended = home.job(1);
    let outcome = ended.outcome().unwrap();
    assert_eq!((outcome.kind, outcome.reason), (Ending::Failed, Some(Reason::Lease)));
    assert_eq!(home.told(1), ["1 1 ended"]);
    assert_eq!(home.session(1).unwrap().open, 0);
}

#[test]
fn sleep_makes_no_lease_longer() {
    let mut home = home();
    let granted = lease(&home, &[], Some(60));
    let over_at = home.now.plus(Millis::from_secs(60)).plus(limits::LEASE_GRACE);
    submit(&mut home, 1, granted, |spec| spec.timeout = Some(Millis::from_secs(30)));
    started(&mut home, 1, 1);
    let stop_at = |home: &Home| match home.job(1).state {
        JobState::Running { stop_at } => stop_at,
        other => panic!("{other:?}"),
    };
    assert!(stop_at(&home) < Some(over_at));
    home.ask(Command::Woke { slept: Millis::from_secs(1_000) }).unwrap();
    assert_eq!(stop_at(&home), Some(over_at));
}

#[test]
fn who_is_not_the_current_attempt_is_told_nothing() {
    let mut home = home();
    let granted = lease(&home, &["fs.read **"], None);
    run(&mut home, 1, granted);
    let ask = Box::new(operation("fs.read", "/a"));
    let late = Command::AuthorizeOperation { job: job(1), attempt: 2, ask };
    assert_eq!(home.ask(late), Err(Refused::Stale(job(1))));
}

#[test]
fn a_result_is_given_whole_or_in_pieces() {
    let mut home = home();
    let granted = lease(&home, &[], None);
    run(&mut home, 1, granted);
    let give = |structured: &str| {
        let structured = Some(structured.to_owned());
        let result = TaskResult { structured, ..TaskResult::default() };
        Command::GiveResult { job: job(1), attempt: 1, result }
    };
    home.ask(give("1")).unwrap();
    home.ask(give("2")).unwrap();
    let too_long = give(&"1".repeat(limits::HOSTED_RESULT_BYTES_MAX + 1));
    assert!(matches!(home.ask(too_long), Err(Refused::TooMany { .. })));
    let exited = home.exited(1);
    home.ask(exited).unwrap();
    assert_eq!(home.job(1).result.unwrap().structured.as_deref(), Some("2"));
    assert_eq!(home.ask(give("3")), Err(Refused::Stale(job(1))));
}

//! Jobs that have other agents work for them.

use crate::leases::{code, lease, run, started, told};
use crate::play_sessions::{Home, job, session};
use longhaul_core::command::{Command, Exit, How, Known, Refused, Reply, StoppedBy, Submission};
use longhaul_core::delegation::{Delegation, Denial, DenialCode};
use longhaul_core::job::JobState;
use longhaul_core::lease::Lease;
use longhaul_core::limits;
use longhaul_core::outcome::{Ending, Reason};
use longhaul_core::task::{TaskFailure, TaskResult};
use longhaul_core::time::Millis;
use serde_json::json;

/// Job `parent` asks for job `child`, which it calls `del_<child>`.
pub(crate) fn ask(child: u32, lease: Lease) -> Delegation {
    let mut submission = Home::submission(child, None, "nobody");
    let hosted = submission.spec.hosted.as_mut().unwrap();
    (hosted.agent, hosted.lease) = ("child".into(), lease);
    let id = format!("del_{child}");
    let event = json!({ "delegate_id": id, "agent": "child", "input": 1 });
    Delegation { id, event, child: Ok(Box::new(submission)) }
}

pub(crate) fn delegate(home: &mut Home, parent: u32, ask: Delegation) -> Result<Reply, Refused> {
    let attempt = home.job(parent).attempt;
    home.ask(Command::Delegate { parent: job(parent), attempt, ask: Box::new(ask) })
}

pub(crate) fn ends(home: &mut Home, number: u32, how: How) {
    let is_stopping = matches!(home.job(number).state, JobState::Stopping { .. });
    let attempt = home.job(number).attempt;
    let exit = Exit::bare(how, is_stopping.then_some(StoppedBy::Asked), home.now);
    home.ask(Command::Exited { job: job(number), attempt, exit }).expect("it was going on");
}

/// A home in which job 1 runs for session 1 under this lease.
fn home(lines: &[&str]) -> Home {
    let mut home = Home::new();
    home.open(1, "alice");
    let lease = lease(&home, lines, Some(600));
    run(&mut home, 1, lease);
    home
}

fn denied(home: &mut Home, lines: &[&str], secs: Option<u64>) -> Option<DenialCode> {
    let lease = lease(home, lines, secs);
    code(delegate(home, 1, ask(2, lease)))
}

#[test]
fn a_child_has_a_part_of_what_its_parent_has_and_is_told_to_whom_the_parent_is() {
    let mut home = home(&["agent.delegate child", "fs.read /a/**"]);
    home.open(2, "alice");
    home.follow(2, 1, None).unwrap();
    assert_eq!(denied(&mut home, &["fs.read /a/b/*"], None), None);
    started(&mut home, 2, 1);
    let (parent, child) = (home.job(1), home.job(2));
    assert_eq!(child.parent, Some(job(1)));
    assert_eq!((&child.owner, &child.session), (&parent.owner, &Some(session(1))));
    assert_eq!(child.followers, [session(1), session(2)]);
    let (above, hosted) = (parent.spec.hosted.unwrap(), child.spec.hosted.unwrap());
    assert_eq!(hosted.delegate.as_deref(), Some("del_2"));
    assert_eq!((hosted.depth, hosted.trace), (1, above.trace));
    assert_eq!(hosted.lease.expires_at(), above.lease.expires_at());
    assert_eq!(told(&home, 1, "delegate")[0]["delegate_id"], "del_2");
    assert_eq!(home.told(2), ["1 1 told", "2 2 started"]);
    assert_eq!(parent.delegations.open, 1);
}

#[test]
fn nothing_is_handed_on_that_is_not_there() {
    let mut home = home(&["agent.delegate child", "fs.read /a/*", "cost.budget USD:1"]);
    let wider: [(&[&str], Option<u64>); 6] = [
        (&["fs.read /a/**"], None),
        (&["fs.read /a/x**y"], None),
        (&["fs.write /a/x"], None),
        (&["cost.budget USD:1.01"], None),
        (&["cost.budget EUR:1"], None),
        (&["fs.read /a/x"], Some(601)),
    ];
    for (lines, secs) in wider {
        assert_eq!(
            denied(&mut home, lines, secs),
            Some(DenialCode::LeaseSubsetViolation),
            "{lines:?}"
        );
    }
    let results = told(&home, 1, "tool_result");
    assert_eq!(results.len(), wider.len());
    assert_eq!(told(&home, 1, "delegate").len(), wider.len(), "each ask is told");
    assert_eq!(results[0]["call_id"], "del_2");
    assert_eq!(results[0]["error"]["code"], "LEASE_SUBSET_VIOLATION");
    assert_eq!((home.job(1).delegations.open, home.session(1).unwrap().open), (0, 1));
}

#[test]
fn a_relative_path_is_not_handed_on_into_another_folder() {
    let mut home = home(&["agent.delegate child", "fs.write out/**", "fs.read **", "fs.read /a/*"]);
    let mut asked = |number: u32, lines: &[&str], cwd: &str| {
        let mut ask = ask(number, lease(&home, lines, None));
        ask.child.as_mut().unwrap().spec.cwd = cwd.into();
        code(delegate(&mut home, 1, ask))
    };
    let violation = Some(DenialCode::LeaseSubsetViolation);
    assert_eq!(asked(2, &["fs.write out/a"], "/etc"), violation);
    assert_eq!(asked(3, &["fs.read lib/*"], "/etc"), violation);
    assert_eq!(asked(4, &["fs.write out/a", "fs.read lib/*"], "/"), None);
    assert_eq!(asked(5, &["fs.read /a/x", "fs.read **/x"], "/etc"), None);
}

#[test]
fn what_is_left_counts_and_not_what_was_granted() {
    let mut home = home(&["agent.delegate child", "cost.budget USD:1"]);
    let half = lease(&home, &["cost.budget USD:0.6"], None);
    assert_eq!(code(delegate(&mut home, 1, ask(2, half.clone()))), None);
    let second = code(delegate(&mut home, 1, ask(3, half)));
    assert_eq!(second, Some(DenialCode::LeaseSubsetViolation));
}

#[test]
fn who_may_not_delegate_does_not() {
    let mut home = home(&["fs.read /a"]);
    assert_eq!(denied(&mut home, &[], None), Some(DenialCode::PermissionDenied));
    let others = lease(&home, &["agent.delegate other"], None);
    run(&mut home, 5, others);
    let refused = delegate(&mut home, 5, ask(6, Lease::default()));
    assert_eq!(code(refused), Some(DenialCode::PermissionDenied));
}

#[test]
fn what_cannot_be_a_job_is_told_once_like_any_other_no() {
    let mut home = home(&["agent.delegate *"]);
    let unfit = |change: fn(&mut Submission)| {
        let mut asked = ask(2, Lease::default());
        change(asked.child.as_mut().expect("it is one"));
        asked
    };
    let no_pool = unfit(|child| child.spec.pool = "gone".into());
    assert_eq!(code(delegate(&mut home, 1, no_pool)), Some(DenialCode::AgentNotAvailable));
    let no_input = unfit(|child| child.spec.hosted.as_mut().expect("it is").input = "{".into());
    assert_eq!(code(delegate(&mut home, 1, no_input)), Some(DenialCode::InvalidRequest));
    let told = told(&home, 1, "tool_result");
    let codes: Vec<_> = told.iter().map(|told| told["error"]["code"].clone()).collect();
    assert_eq!(codes, ["AGENT_NOT_AVAILABLE", "INVALID_REQUEST"]);
}

#[test]
fn what_is_over_or_spent_is_not_handed_on() {
    let mut home = home(&["agent.delegate child", "cost.budget USD:0"]);
    assert_eq!(denied(&mut home, &[], None), Some(DenialCode::BudgetExhausted));
    home.now = home.now.plus(Millis::from_secs(600));
    let none = Lease::default();
    assert_eq!(code(delegate(&mut home, 1, ask(3, none))), Some(DenialCode::LeaseExpired));
}

#[test]
fn an_agent_that_is_not_there_is_told_like_any_other_no() {
    let mut home = home(&["agent.delegate *"]);
    let child = Err(Denial::new(DenialCode::AgentNotAvailable, "there is no agent `child`"));
    let missing = Delegation { child, ..ask(2, Lease::default()) };
    assert_eq!(code(delegate(&mut home, 1, missing)), Some(DenialCode::AgentNotAvailable));
    assert_eq!(told(&home, 1, "tool_result")[0]["error"]["code"], "AGENT_NOT_AVAILABLE");
}

#[test]
fn the_same_name_is_the_same_job_in_any_attempt() {
    let mut home = home(&["agent.delegate child"]);
    let first = delegate(&mut home, 1, ask(2, Lease::default()));
    assert_eq!(first, Ok(Reply::Submitted(vec![(job(2), Known::Not)])));
    let mut again = ask(3, Lease::default());
    again.id = "del_2".into();
    let second = delegate(&mut home, 1, again.clone());
    assert_eq!(second, Ok(Reply::Submitted(vec![(job(2), Known::Open)])));
    again.child.as_mut().unwrap().spec.hosted.as_mut().unwrap().input = "2".into();
    assert_eq!(code(delegate(&mut home, 1, again)), Some(DenialCode::DuplicateKey));
    assert_eq!(told(&home, 1, "delegate").len(), 1);
    assert_eq!(home.job(1).delegations.below, 1);
}

#[test]
fn children_that_delegate_are_bounded_in_depth_and_number() {
    let mut home = home(&["agent.delegate child"]);
    let granted = lease(&home, &["agent.delegate child"], None);
    for depth in 1..=limits::DELEGATION_DEPTH_MAX {
        assert_eq!(code(delegate(&mut home, depth, ask(depth + 1, granted.clone()))), None);
        started(&mut home, depth + 1, 1);
    }
    let deepest = limits::DELEGATION_DEPTH_MAX + 1;
    let deeper = code(delegate(&mut home, deepest, ask(deepest + 1, granted)));
    assert_eq!(deeper, Some(DenialCode::PermissionDenied));
    let mut next = 100;
    let denied = loop {
        let reply = delegate(&mut home, 1, ask(next, Lease::default()));
        if let Some(code) = code(reply) {
            break code;
        }
        next += 1;
    };
    assert_eq!(denied, DenialCode::TooMany);
    assert_eq!(home.job(1).delegations.open, limits::DELEGATIONS_OPEN_MAX);
}

#[test]
fn how_a_child_ended_is_the_result_of_the_call() {
    let mut home = home(&["agent.delegate child"]);
    for child in [2, 3] {
        assert_eq!(code(delegate(&mut home, 1, ask(child, Lease::default()))), None);
        started(&mut home, child, 1);
    }
    let structured = Some(r#"{"child_done":true}"#.to_owned());
    let result = TaskResult { structured, ..TaskResult::default() };
    home.ask(Command::GiveResult { job: job(2), attempt: 1, result }).unwrap();
    ends(&mut home, 2, How::Exited(0));
    ends(&mut home, 3, How::Exited(1));
    let results = told(&home, 1, "tool_result");
    assert_eq!(results[0], json!({ "call_id": "del_2", "result": { "child_done": true } }));
    let error = &results[1]["error"];
    assert_eq!((&error["code"], &error["retryable"]), (&json!("INTERNAL_ERROR"), &json!(true)));
    assert_eq!(error["details"]["job_id"], job(3).as_str());
    assert_eq!(home.job(1).delegations.open, 0);
}

#[test]
fn what_a_child_says_went_wrong_is_told_under_its_own_code() {
    let mut home = home(&["agent.delegate child"]);
    let codes = ["INVALID_REQUEST", "OUT_OF_PAPER"];
    for (child, code_said) in [2, 3].into_iter().zip(codes) {
        assert_eq!(code(delegate(&mut home, 1, ask(child, Lease::default()))), None);
        started(&mut home, child, 1);
        let (code, message) = (code_said.to_owned(), "as it says".to_owned());
        let failure = Some(TaskFailure { code, message, ..TaskFailure::default() });
        let result = TaskResult { failure, ..TaskResult::default() };
        home.ask(Command::GiveResult { job: job(child), attempt: 1, result }).unwrap();
        ends(&mut home, child, How::Exited(1));
    }
    let told = told(&home, 1, "tool_result");
    let known = json!({ "code": "INVALID_REQUEST", "message": "as it says", "retryable": false });
    assert_eq!(told[0]["error"], known);
    let own = json!({ "code": "INTERNAL_ERROR", "message": "as it says", "retryable": true,
        "details": { "code": "OUT_OF_PAPER" } });
    assert_eq!(told[1]["error"], own);
}

#[test]
fn what_a_parent_delegated_ends_with_it_or_with_the_wish_for_its_end() {
    let mut home = home(&["agent.delegate child"]);
    let granted = lease(&home, &["agent.delegate child"], None);
    assert_eq!(code(delegate(&mut home, 1, ask(2, granted.clone()))), None);
    started(&mut home, 2, 1);
    assert_eq!(code(delegate(&mut home, 2, ask(3, granted))), None);
    started(&mut home, 3, 1);
    let cancel = Command::Cancel { job: job(1), reason: None, by_force: false, tree: false };
    home.ask(cancel).unwrap();
    for number in [1, 2, 3] {
        let state = home.job(number).state;
        assert!(matches!(state, JobState::Stopping { .. }), "{number} is {state:?}");
    }
    ends(&mut home, 1, How::Signaled(15));
    assert_eq!(home.job(1).delegations.open, 1, "its child goes on for a moment");
    ends(&mut home, 3, How::Signaled(15));
    ends(&mut home, 2, How::Signaled(15));
    for number in [1, 2, 3] {
        let ended = home.job(number);
        assert_eq!(ended.outcome().unwrap().kind, Ending::Cancelled);
        assert_eq!(ended.delegations.open, 0);
    }
    assert_eq!(told(&home, 2, "tool_result")[0]["error"]["code"], "CANCELLED");
}

#[test]
fn what_a_parent_delegated_ends_when_the_parent_ends_well() {
    let mut home = home(&["agent.delegate child"]);
    for child in [2, 3] {
        assert_eq!(code(delegate(&mut home, 1, ask(child, Lease::default()))), None);
    }
    started(&mut home, 2, 1);
    ends(&mut home, 1, How::Exited(0));
    assert!(home.job(1).outcome().unwrap().is_success());
    assert!(matches!(home.job(2).state, JobState::Stopping { .. }));
    let refused = home.ask(Command::Purge(job(1)));
    assert!(matches!(refused, Err(Refused::NotCleaned { .. } | Refused::StillOwed { .. })));
    home.ask(Command::Cleaned { job: job(1), failure: None }).unwrap();
    assert!(matches!(home.ask(Command::Purge(job(1))), Err(Refused::StillOwed { .. })));
}

#[test]
fn a_child_ends_with_the_lease_of_its_parent() {
    let mut home = home(&["agent.delegate child"]);
    assert_eq!(code(delegate(&mut home, 1, ask(2, Lease::default()))), None);
    started(&mut home, 2, 1);
    home.wait(Millis::from_secs(600).plus(limits::LEASE_GRACE));
    ends(&mut home, 2, How::Signaled(15));
    assert_eq!(home.job(2).outcome().unwrap().reason, Some(Reason::Lease));
    assert_eq!(told(&home, 1, "tool_result")[0]["error"]["code"], "LEASE_EXPIRED");
}

#[test]
fn after_damage_a_parent_waits_only_for_children_that_are_left() {
    let mut home = home(&["agent.delegate child"]);
    let granted = lease(&home, &["agent.delegate child"], None);
    for child in [2, 3, 4] {
        assert_eq!(code(delegate(&mut home, 1, ask(child, granted.clone()))), None);
        started(&mut home, child, 1);
    }
    assert_eq!(code(delegate(&mut home, 3, ask(5, granted))), None);
    started(&mut home, 5, 1);
    ends(&mut home, 3, How::Exited(0));
    home.mend(&[2]);
    assert_eq!(home.job(1).delegations.open, 2, "one goes on, and one has one that does");
    assert_eq!(home.job(3).delegations.open, 1);
}

#[test]
fn all_that_was_delegated_ends_however_many_other_jobs_name_the_same_parent() {
    let mut home = home(&["agent.delegate child"]);
    // In one lane: all but the first wait, and are over as soon as they are cancelled.
    let below = |number| {
        let mut asked = Home::submission(number, None, "alice");
        (asked.parent, asked.spec.lane) = (Some(job(1)), Some("one".into()));
        asked
    };
    let most = u32::try_from(limits::BATCH_JOBS_MAX).unwrap();
    let others = 1_000..1_000 + most;
    home.ask(Command::Submit(others.clone().map(below).collect())).unwrap();
    let cancel =
        |number, tree| Command::Cancel { job: job(number), reason: None, by_force: false, tree };
    let others: Vec<u32> = others.collect();
    for some in others.chunks(1_000) {
        let step = home.batch(some.iter().map(|number| cancel(*number, false)).collect());
        assert!(step.replies.iter().all(Result::is_ok));
    }
    // Theirs are the last of all ids.
    let (child, other) = (900_000, 900_001);
    assert_eq!(code(delegate(&mut home, 1, ask(child, Lease::default()))), None);
    home.ask(Command::Submit(vec![below(other)])).unwrap();
    home.ask(cancel(1, false)).unwrap();
    assert!(home.job(child).cancel.is_some(), "it would outlive who delegated it");
    assert!(home.job(other).cancel.is_none(), "nobody asked for its end");
    home.ask(cancel(1, true)).unwrap();
    assert!(home.job(other).cancel.is_some());
}

#[test]
fn what_is_too_large_to_be_told_is_told_in_outline_and_refused() {
    let mut home = home(&["agent.delegate child"]);
    let mut large = ask(2, Lease::default());
    large.event["input"] = json!("x".repeat(limits::CALL_BYTES_MAX));
    assert_eq!(code(delegate(&mut home, 1, large)), Some(DenialCode::InvalidRequest));
    let outline = json!({ "delegate_id": "del_2", "agent": "child", "input": null });
    assert_eq!(told(&home, 1, "delegate"), [outline]);
    let error = &told(&home, 1, "tool_result")[0];
    assert_eq!(
        (&error["call_id"], &error["error"]["code"]),
        (&json!("del_2"), &json!("INVALID_REQUEST"))
    );
}

//! Credentials of jobs, through the engine.

use crate::play_sessions::{Home, job};
use longhaul_core::command::{Command, How, Known, Refused, Reply, Submission};
use longhaul_core::credential::{Credential, Issue, Made};
use longhaul_core::id::CredentialId;
use longhaul_core::job::Job;
use longhaul_core::limits;
use longhaul_core::outcome::{Ending, Reason};
use longhaul_core::time::Millis;
use serde_json::json;

fn id(number: u32, issuer: &str, generation: u32) -> CredentialId {
    CredentialId::of(&job(number), issuer, generation)
}

fn needs(number: u32, issuers: &[&str]) -> Submission {
    let mut asked = Home::submission(number, Some(1), "alice");
    let hosted = asked.spec.hosted.as_deref_mut().expect("it is hosted");
    hosted.credentials = issuers.iter().map(|issuer| (*issuer).to_owned()).collect();
    asked
}

fn minted(credential: CredentialId, number: u32) -> Command {
    let shown = r#"{"scheme":"bearer"}"#.to_owned();
    let (handle, sealed) = (Some(format!("handle {number}")), "sealed".to_owned());
    let made = Box::new(Made { handle, shown, sealed, rotate_after: None });
    Command::Minted { credential, number, made }
}

fn rotate(number: u32, issuer: Option<&str>) -> Command {
    Command::RotateCredentials { job: job(number), issuer: issuer.map(str::to_owned) }
}

fn failed(credential: CredentialId, number: u32) -> Command {
    Command::MintFailed { credential, number, problem: "it said no".into(), is_final: true }
}

/// A home in which job 1 was asked for by session 1, and needs credentials of `a` and `b`.
fn home() -> Home {
    let mut home = Home::new();
    home.open(1, "alice");
    let step = home.batch(vec![Command::Submit(vec![needs(1, &["a", "b"])])]);
    let mut issue = step.issue;
    issue.sort();
    let mut expected = vec![Issue::Mint(id(1, "a", 1), 1), Issue::Mint(id(1, "b", 1), 1)];
    expected.sort();
    assert_eq!((issue, step.wants), (expected, vec![]));
    home
}

fn prepared() -> Home {
    let mut home = home();
    for issuer in ["a", "b"] {
        assert_eq!(home.ask(minted(id(1, issuer, 1), 1)), Ok(Reply::Done));
    }
    assert_eq!(home.job(1).state_name(), "starting");
    home
}

fn state(home: &Home, credential: &CredentialId) -> &'static str {
    home.row::<Credential>(credential.as_str()).expect("it is there").state_name()
}

fn ending(job: &Job) -> (Ending, Option<Reason>) {
    let outcome = job.outcome().expect("it has ended");
    (outcome.kind, outcome.reason)
}

#[test]
fn a_job_starts_when_all_its_credentials_are_made() {
    let mut home = home();
    assert_eq!(home.job(1).state_name(), "preparing");
    home.ask(minted(id(1, "a", 1), 1)).expect("it is taken");
    assert_eq!(home.job(1).state_name(), "preparing");
    let step = home.batch(vec![minted(id(1, "b", 1), 1)]);
    assert_eq!((step.wants.len(), home.job(1).state_name()), (1, "starting"));
}

#[test]
fn every_end_of_a_job_revokes_its_credentials_in_its_commit() {
    let mut home = prepared();
    let exited = home.exited(1);
    let step = home.batch(vec![exited]);
    assert_eq!(step.issue.len(), 2, "{step:?}");
    assert_eq!(
        (state(&home, &id(1, "a", 1)), state(&home, &id(1, "b", 1))),
        ("revoking", "revoking")
    );
    let row: Credential = home.row(id(1, "a", 1).as_str()).expect("it is there");
    assert_eq!(row.sealed, None);
    let number = row.number;
    let revoked = Command::Revoked { credential: row.id.clone(), number };
    assert_eq!(home.ask(revoked.clone()), Ok(Reply::Done));
    assert_eq!(home.ask(revoked), Err(Refused::StaleCredential(row.id.clone())));
    assert_eq!(state(&home, &row.id), "revoked");
}

#[test]
fn a_job_whose_credentials_cannot_be_made_fails_and_the_others_are_revoked() {
    let mut home = home();
    home.ask(minted(id(1, "a", 1), 1)).expect("it is taken");
    home.ask(failed(id(1, "b", 1), 1)).expect("it is taken");
    assert_eq!(ending(&home.job(1)), (Ending::Failed, Some(Reason::Credentials)));
    assert_eq!(
        (state(&home, &id(1, "a", 1)), state(&home, &id(1, "b", 1))),
        ("revoking", "revoking")
    );
}

#[test]
fn a_job_does_not_wait_for_ever() {
    let mut home = home();
    home.wait(limits::PREPARING_MAX);
    assert_eq!(ending(&home.job(1)), (Ending::Failed, Some(Reason::Credentials)));
    assert_eq!(state(&home, &id(1, "a", 1)), "revoking");
    let late = home.ask(minted(id(1, "a", 1), 1));
    assert_eq!(late, Err(Refused::StaleCredential(id(1, "a", 1))));
}

#[test]
fn a_cancelled_job_that_was_being_prepared_is_over_at_once() {
    let mut home = home();
    let cancel = Command::Cancel { job: job(1), reason: None, by_force: false, tree: false };
    home.ask(cancel).expect("it is open");
    assert_eq!(ending(&home.job(1)).0, Ending::Cancelled);
    assert_eq!(state(&home, &id(1, "b", 1)), "revoking");
}

#[test]
fn a_rotated_credential_is_told_without_its_value_and_the_old_one_goes() {
    let mut home = prepared();
    assert_eq!(home.ask(rotate(1, None)), Ok(Reply::Tried(2)));
    assert_eq!(home.ask(rotate(1, None)), Ok(Reply::Tried(0)));
    home.ask(minted(id(1, "a", 2), 1)).expect("it is taken");
    let told = home.told(1);
    assert!(told.last().is_some_and(|last| last.ends_with("told")), "{told:?}");
    let event = home.journal(1).into_iter().rfind(|event| event["kind"] == "told");
    let shown = id(1, "a", 1);
    let body = json!({ "phase": "credential_rotated", "id": shown.as_str(), "generation": 2 });
    assert_eq!(event.map(|event| event["body"].clone()), Some(body));
    assert_eq!(
        (state(&home, &id(1, "a", 2)), state(&home, &id(1, "a", 1))),
        ("active", "revoking")
    );
    // The other could not be replaced, and is as good as before.
    home.ask(failed(id(1, "b", 2), 1)).expect("it is taken");
    assert_eq!((state(&home, &id(1, "b", 1)), home.job(1).outcome()), ("active", None));
    home.wait(limits::ROTATION_GRACE);
    let old: Credential = home.row(id(1, "a", 1).as_str()).expect("it is there");
    home.ask(Command::Revoked { credential: old.id.clone(), number: old.number })
        .expect("it is tried");
    assert_eq!(home.row::<Credential>(old.id.as_str()), None, "nobody asks for it any more");
    let later = limits::ROTATE_AGAIN;
    home.wait(later);
    assert_eq!(state(&home, &id(1, "b", 3)), "minting");
}

#[test]
fn one_credential_is_replaced_by_the_name_of_its_issuer() {
    let mut home = prepared();
    assert_eq!(home.ask(rotate(1, Some("b"))), Ok(Reply::Tried(1)));
    assert_eq!(state(&home, &id(1, "b", 2)), "minting");
    assert_eq!(home.row::<Credential>(id(1, "a", 2).as_str()), None);
    assert_eq!(home.ask(rotate(1, Some("c"))).unwrap_err().code(), "no_credential");
    let exited = home.exited(1);
    home.ask(exited).expect("it runs");
    assert_eq!(home.ask(rotate(1, None)).unwrap_err().code(), "ended");
}

#[test]
fn a_sleep_of_the_machine_costs_a_job_that_is_being_prepared_nothing() {
    let mut home = home();
    let slept = limits::PREPARING_MAX.times(10);
    home.now = home.now.plus(slept);
    home.ask(Command::Woke { slept }).expect("it did");
    assert_eq!(home.job(1).state_name(), "preparing");
    home.ask(minted(id(1, "a", 1), 1)).expect("it is taken");
    home.ask(minted(id(1, "b", 1), 1)).expect("it is taken");
    assert_eq!(home.job(1).state_name(), "starting");
}

#[test]
fn a_sleep_of_another_machine_gives_nobody_here_more_time() {
    let mut home = home();
    let before: Credential = home.row(id(1, "a", 1).as_str()).expect("it is there");
    let slept = limits::PREPARING_MAX;
    home.ask_other(Command::HostUp { name: "other".into() }).expect("it did");
    home.ask_other(Command::Woke { slept }).expect("it did");
    assert_eq!(home.row::<Credential>(id(1, "a", 1).as_str()), Some(before));
    home.wait(slept);
    assert_eq!(ending(&home.job(1)), (Ending::Failed, Some(Reason::Credentials)));
}

#[test]
fn what_is_stuck_outlives_its_job_and_is_tried_again_when_somebody_asks() {
    let mut home = prepared();
    let exited = home.exited(1);
    home.ask(exited).expect("it runs");
    let credential = id(1, "a", 1);
    loop {
        let row: Credential = home.row(credential.as_str()).expect("it is there");
        if row.is_over() {
            break;
        }
        let (number, problem) = (row.number, "no".to_owned());
        let said = Command::RevokeFailed { credential: credential.clone(), number, problem };
        home.ask(said).expect("it is tried");
        home.wait(limits::REVOKE_DELAY_MAX);
    }
    home.ask(Command::Cleaned { job: job(1), failure: None }).expect("it is owed");
    home.ask(Command::Purge(job(1))).expect("it may go");
    home.ask(Command::Purged { job: job(1), failure: None }).expect("it goes");
    assert_eq!(home.row::<Job>(job(1).as_str()), None);
    assert_eq!(state(&home, &credential), "stuck");
    assert_eq!(home.ask(Command::RetryRevoking), Ok(Reply::Tried(1)));
    let row: Credential = home.row(credential.as_str()).expect("it is there");
    home.ask(Command::Revoked { credential: row.id, number: row.number }).expect("it is tried");
    assert_eq!(home.row::<Credential>(credential.as_str()), None);
}

#[test]
fn what_was_under_way_is_wanted_again_after_a_restart() {
    let mut home = home();
    let mut again = home.reconcile().issue;
    again.sort();
    assert_eq!(again.len(), 2);
    home.wait(Millis::from_secs(1));
    let cancel = Command::Cancel { job: job(1), reason: None, by_force: false, tree: false };
    home.ask(cancel).expect("it is open");
    let wanted = home.reconcile().issue;
    assert!(wanted.iter().all(|issue| matches!(issue, Issue::Revoke(..))), "{wanted:?}");
    assert_eq!(wanted.len(), 2);
}

#[test]
fn who_does_not_know_of_credentials_gets_a_job_without() {
    let mut home = Home::new();
    home.open_with(1, "alice", &["ack"]);
    let step = home.batch(vec![Command::Submit(vec![needs(1, &["a"])])]);
    assert_eq!((step.issue, step.wants.len()), (vec![], 1));
    // Asking once more is the same ask.
    let again = home.ask(Command::Submit(vec![needs(1, &["a"])]));
    assert_eq!(again, Ok(Reply::Submitted(vec![(job(1), Known::Open)])));
}

#[test]
fn a_job_names_a_few_issuers_in_words() {
    let mut home = Home::new();
    home.open(1, "alice");
    let many: Vec<String> = (0..17).map(|number| format!("issuer-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let refused = home.ask(Command::Submit(vec![needs(1, &many)])).unwrap_err();
    assert_eq!(refused.code(), "too_many");
    let refused = home.ask(Command::Submit(vec![needs(1, &["two\nlines"])])).unwrap_err();
    assert_eq!(refused.code(), "bad_spec");
}

#[test]
fn a_job_that_was_refused_for_want_of_credentials_leaves_its_key_to_the_next() {
    let mut home = Home::new();
    home.open(1, "alice");
    let keyed = |number| Submission { key: Some("once".into()), ..needs(number, &["a"]) };
    home.ask(Command::Submit(vec![keyed(1)])).expect("it is taken");
    let known = Reply::Submitted(vec![(job(1), Known::Open)]);
    assert_eq!(home.ask(Command::Submit(vec![keyed(2)])), Ok(known));
    home.ask(failed(id(1, "a", 1), 1)).expect("it is taken");
    let new = Reply::Submitted(vec![(job(2), Known::Not)]);
    assert_eq!(home.ask(Command::Submit(vec![keyed(2)])), Ok(new));
    assert_eq!(home.job(2).state_name(), "preparing");
}

#[test]
fn what_a_process_that_died_had_asked_for_is_looked_for_once_more() {
    let mut home = home();
    home.up();
    for issuer in ["a", "b"] {
        assert_eq!(home.ask(minted(id(1, issuer, 1), 1)), Ok(Reply::Done));
    }
    let cancel = Command::Cancel { job: job(1), reason: None, by_force: false, tree: false };
    home.ask(cancel).unwrap();
    crate::delegation::ends(&mut home, 1, How::NeverStarted(None));
    let revoked = |home: &mut Home| {
        let credential = id(1, "a", 1);
        let number = home.row::<Credential>(credential.as_str()).expect("it is there").number;
        assert_eq!(
            home.ask(Command::Revoked { credential: credential.clone(), number }),
            Ok(Reply::Done)
        );
        state(home, &credential)
    };
    assert_eq!(revoked(&mut home), "revoking", "the first request may still arrive");
    home.wait(limits::MINT_DOUBT_MAX);
    assert_eq!(revoked(&mut home), "revoked");
}

#[test]
fn a_job_that_waits_for_its_credentials_does_not_wait_for_those_that_take_their_place() {
    let mut home = home();
    assert_eq!(home.ask(minted(id(1, "a", 1), 1)), Ok(Reply::Done));
    let rotate = Command::RotateCredentials { job: job(1), issuer: None };
    assert_eq!(home.ask(rotate), Ok(Reply::Tried(1)));
    assert_eq!(home.ask(minted(id(1, "b", 1), 1)), Ok(Reply::Done));
    assert_eq!(home.job(1).state_name(), "starting");
}

/// The report of a first try was lost, and the second made it: what the first asked for may come yet.
#[test]
fn what_was_made_later_than_one_try_may_take_is_looked_for_once_more() {
    let mut home = home();
    home.wait(limits::ISSUE_MAX);
    assert_eq!(home.ask(minted(id(1, "a", 1), 1)), Ok(Reply::Done));
    home.wait(Millis::new(1));
    assert_eq!(home.ask(minted(id(1, "b", 1), 1)), Ok(Reply::Done));
    let cancel = Command::Cancel { job: job(1), reason: None, by_force: false, tree: false };
    home.ask(cancel).unwrap();
    crate::delegation::ends(&mut home, 1, How::NeverStarted(None));
    for (issuer, then) in [("a", "revoked"), ("b", "revoking")] {
        let credential = id(1, issuer, 1);
        let number = home.row::<Credential>(credential.as_str()).expect("it is there").number;
        let revoked = Command::Revoked { credential: credential.clone(), number };
        assert_eq!(home.ask(revoked), Ok(Reply::Done));
        assert_eq!(state(&home, &credential), then, "{issuer}");
    }
}

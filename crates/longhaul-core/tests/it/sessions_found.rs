//! What simulated lives of sessions have found.

use crate::play_sessions::{Home, WINDOW, connection, job, session};
use longhaul_core::command::{Command, Refused, Reply};
use longhaul_core::delegation::OperationAsk;
use longhaul_core::session::Resume;
use std::collections::BTreeSet;

#[test]
fn who_is_told_again_what_is_old_is_woken_for_it() {
    let mut home = Home::new();
    home.open(1, "alice");
    home.open(2, "alice");
    home.run(1, 1);
    home.ask(Home::tell(1, &["a"])).unwrap();
    let follow = Command::Follow { session: session(2), job: job(1), after: Some(0) };
    let step = home.batch(vec![follow]);
    assert_eq!(step.replies[0], Ok(Reply::Followed { newest: 0, replayed: 2 }));
    assert_eq!(step.fed, [(session(2), 2)].into());
}

#[test]
fn who_follows_a_job_in_the_step_in_which_it_ended_is_told_of_its_end() {
    let mut home = Home::new();
    home.open(1, "alice");
    home.open(2, "alice");
    home.run(1, 1);
    let exited = home.exited(1);
    let follow = Command::Follow { session: session(2), job: job(1), after: Some(0) };
    home.batch(vec![Home::tell(1, &["a"]), exited, follow]);
    assert_eq!(home.told(2), ["1 1 started", "2 1 a", "3 1 ended"]);
}

#[test]
fn the_time_to_come_back_is_over_also_if_nobody_looked() {
    let mut home = Home::new();
    home.open(1, "alice");
    home.ask(Command::DetachSession { session: session(1), connection: connection(1) }).unwrap();
    // No step ran when its hour came.
    home.now = home.now.plus(WINDOW);
    let resumed = home.ask(Command::ResumeSession(Box::new(Resume {
        session: session(1),
        principal: "alice".into(),
        is_operator: false,
        token_sha256: "token 1".into(),
        next_sha256: "next".into(),
        after: 0,
        features: BTreeSet::new(),
        connection: connection(2),
    })));
    assert_eq!(resumed, Err(Refused::NoSession(session(1))));
}

#[test]
fn a_stranger_with_the_key_of_a_job_is_not_told_of_it() {
    let mut home = Home::new();
    home.open(1, "alice");
    home.open(2, "bob");
    let mut asked = Home::submission(1, Some(1), "alice");
    asked.key = Some("k".into());
    home.ask(Command::Submit(vec![asked])).unwrap();
    let mut strange = Home::submission(2, Some(2), "bob");
    strange.key = Some("k".into());
    let refused = home.ask(Command::Submit(vec![strange]));
    assert_eq!(refused, Err(Refused::NotYours(job(1))));
    home.ask(Command::Started { job: job(1), attempt: 1, at: home.now, pid: 1 }).unwrap();
    assert_eq!(home.told(2), [""; 0]);
}

#[test]
fn who_comes_back_as_no_operator_any_more_may_no_more_than_others() {
    let mut home = Home::new();
    home.open(1, "alice");
    home.open(2, "root");
    home.run(1, 1);
    home.follow(2, 1, None).unwrap();
    home.ask(Home::tell(1, &["seen"])).unwrap();
    let back = |number: u32, is_operator: bool| {
        let token = |number: u32| format!("token {number}");
        let next_sha256 = token(number + 1);
        Command::ResumeSession(Box::new(Resume {
            session: session(2),
            principal: "root".into(),
            is_operator,
            token_sha256: token(number),
            next_sha256,
            after: 0,
            features: BTreeSet::new(),
            connection: connection(number),
        }))
    };
    home.ask(back(2, false)).unwrap();
    home.ask(Home::tell(1, &["unseen"])).unwrap();
    assert_eq!(home.told(2), ["1 1 seen"]);
    assert_eq!(home.follow(2, 1, Some(0)), Err(Refused::NotYours(job(1))));
    assert_eq!(
        (home.job(1).followers, home.session(2).unwrap().follows.len()),
        (vec![session(1)], 0)
    );
    home.ask(back(3, true)).unwrap();
    assert!(home.follow(2, 1, None).is_ok());
}

#[test]
fn no_more_runs_are_kept_than_may_be_however_many_a_step_adds() {
    const SPANS: u32 = 600;
    let mut home = Home::keeping_runs(10);
    home.open(1, "alice");
    home.open(2, "alice");
    home.run(1, 1);
    let aside = || {
        let (capability, target) = ("fs.read".to_owned(), "/a".to_owned());
        let ask = OperationAsk { capability, target, resolved: None, call: None };
        Command::AuthorizeOperation { job: job(1), attempt: 1, ask: Box::new(ask) }
    };
    // What is told is parted by what is not.
    for _ in 0..SPANS {
        home.batch(vec![Home::tell(1, &["told"]), aside()]);
    }
    assert!(home.job(1).told.len() >= SPANS as usize);
    for _ in 0..3 {
        home.follow(2, 1, Some(0)).unwrap();
        let row = home.session(2).unwrap();
        assert!(row.runs <= 10, "{} runs are kept", row.runs);
        assert_eq!(home.feed_rows(2), row.runs as usize);
        let first = home.told(2)[0].clone();
        assert!(first.starts_with(&format!("{} ", row.floor + 1)), "{first}, {}", row.floor);
    }
}

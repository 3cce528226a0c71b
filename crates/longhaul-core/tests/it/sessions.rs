//! Sessions: what they are told has numbers without gaps, whatever else happens in the same step.

use crate::play_sessions::{Home, WINDOW, connection, job, session};
use longhaul_core::command::{Command, Entry, Known, Piece, Refused, Reply};
use longhaul_core::event::Fact;
use longhaul_core::limits;
use longhaul_core::time::Millis;

#[test]
fn what_a_session_asked_for_is_told_to_it_from_the_start_to_the_end_and_no_longer() {
    let mut home = Home::new();
    home.open(1, "alice");
    home.run(1, 1);
    home.ask(Home::tell(1, &["a", "b"])).unwrap();
    assert_eq!(home.session(1).unwrap().open, 1);
    let exited = home.exited(1);
    let step = home.batch(vec![Home::tell(1, &["c"]), exited]);
    assert_eq!(step.fed, [(session(1), 5)].into());
    assert_eq!(home.told(1), ["1 1 started", "2 1 a", "3 1 b", "4 1 c", "5 1 ended"]);
    let (row, of) = (home.session(1).unwrap(), home.job(1));
    assert_eq!((row.open, row.follows.len(), of.followers.len(), of.told_at), (0, 0, 0, 5));
    let late = home.ask(Home::tell(1, &["late"]));
    assert_eq!(late, Err(Refused::Stale(job(1))));
}

#[test]
fn jobs_of_one_session_share_its_numbers_and_runs_of_one_job_are_one_row() {
    let mut home = Home::new();
    home.open(1, "alice");
    home.run(1, 1);
    home.run(2, 1);
    for _ in 0..50 {
        home.ask(Home::tell(1, &["x", "y"])).unwrap();
    }
    home.batch(vec![Home::tell(2, &["p"]), Home::tell(1, &["q"]), Home::tell(2, &["r"])]);
    let told = home.told(1);
    assert_eq!(told.len(), 105);
    for (place, line) in (1..).zip(&told) {
        assert!(line.starts_with(&format!("{place} ")), "{line} is not {place}");
    }
    assert_eq!(told[102..], ["103 2 p", "104 1 q", "105 2 r"]);
    assert_eq!(home.session(1).unwrap().runs, 5, "so many runs are over");
}

#[test]
fn a_refused_command_tells_nobody_anything() {
    let mut home = Home::new();
    home.open(1, "alice");
    home.run(1, 1);
    let late = Command::Tell { job: job(1), attempt: 2, entries: Vec::new() };
    let replies = home.batch(vec![Home::tell(1, &["a"]), late, Home::tell(1, &["b"])]).replies;
    assert!(replies[0].is_ok() && replies[1].is_err() && replies[2].is_ok());
    assert_eq!(home.told(1), ["1 1 started", "2 1 a", "3 1 b"]);
}

#[test]
fn a_session_that_takes_no_pieces_has_no_job_that_gives_its_result_in_them() {
    let piece = |seq| {
        let piece = Piece { result: "res_1".into(), seq, bytes: 1, is_last: true };
        let text = r#"{"kind":"told","name":"result_chunk","body":{}}"#.to_owned();
        let entries = vec![Entry { text, charge: None, piece: Some(piece) }];
        Command::Tell { job: job(1), attempt: 1, entries }
    };
    for (features, is_taken) in [(&["ack"][..], false), (&["result_chunk"], true)] {
        let mut home = Home::new();
        home.open_with(1, "alice", features);
        home.run(1, 1);
        let told = home.ask(piece(0));
        assert_eq!(told.is_ok(), is_taken, "{told:?}");
        assert_eq!(home.job(1).stream.is_some(), is_taken);
    }
}

#[test]
fn who_follows_later_is_told_again_from_where_it_asks_and_then_goes_on_without_a_gap() {
    let mut home = Home::new();
    home.open(1, "alice");
    home.open(2, "alice");
    home.run(1, 1);
    home.ask(Home::tell(1, &["a", "b"])).unwrap();
    // In the step in which more is told: nothing of it twice, nothing lost.
    let follow = Command::Follow { session: session(2), job: job(1), after: Some(0) };
    let step = home.batch(vec![Home::tell(1, &["c"]), follow, Home::tell(1, &["d"])]);
    assert_eq!(step.replies[1], Ok(Reply::Followed { newest: 0, replayed: 3 }));
    let said = ["1 1 started", "2 1 a", "3 1 b", "4 1 c", "5 1 d"];
    assert_eq!(
        (home.told(1), home.told(2)),
        (said.map(Into::into).into(), said.map(Into::into).into())
    );
    // Of the past only what it asks for; and what is over is told once more, and not followed.
    home.open(3, "alice");
    assert_eq!(home.follow(3, 1, None), Ok(Reply::Followed { newest: 0, replayed: 0 }));
    let exited = home.exited(1);
    home.ask(exited).unwrap();
    assert_eq!(home.told(3), ["1 1 ended"]);
    let after = home.job(1).told[0].seq + 2;
    assert_eq!(home.follow(3, 1, Some(after)), Ok(Reply::Followed { newest: 1, replayed: 3 }));
    assert_eq!(home.told(3)[1..], ["2 1 c", "3 1 d", "4 1 ended"]);
    assert!(home.session(3).unwrap().follows.is_empty());
}

#[test]
fn only_its_principal_and_operators_follow_a_job() {
    let mut home = Home::new();
    for (number, who) in [(1, "alice"), (2, "bob"), (3, "root")] {
        home.open(number, who);
    }
    home.run(1, 1);
    assert_eq!(home.follow(2, 1, Some(0)), Err(Refused::NotYours(job(1))));
    assert_eq!(home.follow(2, 9, Some(0)), Err(Refused::NotFound(job(9))));
    assert!(home.follow(3, 1, Some(0)).is_ok());
    home.ask(Command::Unfollow { session: session(3), job: job(1) }).unwrap();
    home.ask(Home::tell(1, &["a"])).unwrap();
    assert_eq!((home.told(3).len(), home.told(2).len()), (1, 0));
    // Who asked for it cannot be told no more of it.
    home.ask(Command::Unfollow { session: session(1), job: job(1) }).unwrap();
    home.ask(Home::tell(1, &["b"])).unwrap();
    assert_eq!(home.told(1).last().unwrap(), "3 1 b");
}

#[test]
fn every_subscription_can_be_looked_up_afterwards() {
    let mut home = Home::new();
    home.open(1, "alice");
    home.open(2, "bob");
    home.run(1, 1);
    assert!(home.follow(1, 1, None).is_ok());
    assert_eq!(home.follow(2, 1, None), Err(Refused::NotYours(job(1))));
    let (what, who, about) = ("follow".to_owned(), "bob".to_owned(), Some(job(1)));
    home.ask(Command::TurnedAway { what, who, about, times: 3 }).unwrap();
    let written = home.audit();
    let [followed, refused] = &written[..] else { panic!("{written:#?}") };
    assert!(matches!(followed, Fact::Followed { principal, .. } if principal == "alice"));
    let Fact::TurnedAway { what, who, about, owner, times } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((what.as_str(), who.as_str(), *times), ("follow", "bob", 3));
    assert_eq!((about, owner.as_deref()), (&Some(job(1)), Some("alice")));
}

#[test]
fn a_session_is_gone_on_with_by_who_has_its_token_and_nobody_else() {
    let mut home = Home::new();
    home.open(1, "alice");
    home.open(2, "bob");
    home.run(1, 1);
    let detach = |of| Command::DetachSession { session: session(1), connection: connection(of) };
    home.ask(detach(1)).unwrap();
    home.ask(Home::tell(1, &["away"])).unwrap();
    assert_eq!(home.resume(1, "wrong", 0), Err(Refused::WrongToken(session(1))));
    assert_eq!(home.resume(2, "token 2", 0), Err(Refused::NoSession(session(2))));
    assert_eq!(home.resume(3, "token 3", 0), Err(Refused::NoSession(session(3))));
    let gone = Refused::FeedGone { session: session(1), floor: 0, newest: 2 };
    assert_eq!(home.resume(1, "token 1", 3), Err(gone));
    // Also by who has everything.
    let back = Reply::Attached { newest: 2, displaced: None };
    assert_eq!(home.resume(1, "token 1", 2), Ok(back));
    assert_eq!(home.resume(1, "token 1", 2), Err(Refused::WrongToken(session(1))));
    // A second one takes the first one's place, whose end says nothing any more.
    let back = Reply::Attached { newest: 2, displaced: Some(connection(101)) };
    assert_eq!(home.resume(1, "token 1 next", 0), Ok(back));
    assert_eq!(home.ask(detach(1)), Err(Refused::StaleConnection(session(1))));
    assert_eq!(home.told(1), ["1 1 started", "2 1 away"]);
}

#[test]
fn the_time_to_come_back_begins_when_the_connection_is_gone() {
    let mut home = Home::new();
    home.open(1, "alice");
    home.run(1, 1);
    home.wait(Millis::from_secs(10_000));
    // The daemon dies, and whoever was connected is not.
    home.up();
    home.wait(Millis::new(WINDOW.get() - 1));
    assert!(home.resume(1, "token 1", 0).is_ok());
    home.up();
    home.wait(WINDOW);
    assert_eq!(home.resume(1, "token 1 next", 0), Err(Refused::NoSession(session(1))));
    home.wait(Millis::new(1));
    assert_eq!(home.session(1), None);
    assert_eq!(home.told(1), [""; 0]);
    // Its job goes on, and somebody else of its principal may be told.
    assert!(home.job(1).outcome().is_none() && home.job(1).followers.is_empty());
    home.open(2, "alice");
    assert!(home.follow(2, 1, Some(0)).is_ok());
    assert_eq!(home.told(2), ["1 1 started"]);
}

#[test]
fn who_reads_too_slowly_is_told_so_once() {
    let mut home = Home::new();
    home.open(1, "alice");
    home.run(1, 1);
    let many = |count| Home::tell(1, &vec!["x"; count]);
    home.ask(many(999)).unwrap();
    assert_eq!(home.session(1).unwrap().newest, limits::FEED_LAGGING);
    home.ask(many(1)).unwrap();
    assert_eq!(
        home.job(1).told_at,
        1_001,
        "the news that it reads too slowly is none of the job's"
    );
    home.ask(many(5)).unwrap();
    let told = home.told(1);
    assert_eq!(told[1_000..1_003], ["1001 1 x", "1002 lagging", "1003 1 x"]);
    assert_eq!(told.iter().filter(|line| line.ends_with("lagging")).count(), 1);
    let ack =
        |seq| Command::AcknowledgeFeed { session: session(1), connection: connection(1), seq };
    // Beyond the newest is up to the newest; and less than before is as before.
    home.ask(ack(99_999)).unwrap();
    home.ask(ack(3)).unwrap();
    assert_eq!(home.session(1).unwrap().acked, 1_007);
    home.ask(many(1_001)).unwrap();
    assert!(home.told(1).last().unwrap().ends_with("lagging"));
}

#[test]
fn nothing_about_a_job_comes_after_its_end() {
    let mut home = Home::new();
    home.open(1, "alice");
    home.run(1, 1);
    home.ask(Home::tell(1, &["x"; 999])).unwrap();
    assert_eq!(home.session(1).unwrap().newest, limits::FEED_LAGGING);
    home.ask(home.exited(1)).unwrap();
    let told = home.told(1);
    assert_eq!(told[999..], ["1000 1 x", "1001 lagging", "1002 1 ended"]);
    assert_eq!(home.job(1).told_at, 1_002);
    let tail = home.session(1).unwrap();
    assert!(tail.is_lagging && tail.open == 0);
}

#[test]
fn a_job_that_is_asked_for_again_from_another_session_is_told_there_too() {
    let mut home = Home::new();
    home.open(1, "alice");
    home.open(2, "alice");
    let mut asked = Home::submission(1, Some(1), "alice");
    asked.key = Some("alice/k".into());
    home.ask(Command::Submit(vec![asked.clone()])).unwrap();
    let mut again = Home::submission(2, Some(2), "alice");
    again.key.clone_from(&asked.key);
    again.spec.hosted.as_mut().unwrap().trace = "other".into();
    let known = home.ask(Command::Submit(vec![again.clone()]));
    assert_eq!(known, Ok(Reply::Submitted(vec![(job(1), Known::Open)])));
    home.ask(Command::Started { job: job(1), attempt: 1, at: home.now, pid: 1 }).unwrap();
    assert_eq!(
        (home.told(1), home.told(2)),
        (vec!["1 1 started".into()], vec!["1 1 started".into()])
    );
    // Once it has ended nobody is told of it by that: whoever asks has to say from where on.
    home.ask(home.exited(1)).unwrap();
    home.open(3, "alice");
    let mut late = again.clone();
    late.session = Some(session(3));
    let known = home.ask(Command::Submit(vec![late]));
    assert_eq!(known, Ok(Reply::Submitted(vec![(job(1), Known::Over)])));
    assert_eq!((home.told(2).len(), home.told(3).len()), (2, 0));
    again.spec.hosted.as_mut().unwrap().input = "2".into();
    let refused = home.ask(Command::Submit(vec![again])).unwrap_err();
    assert_eq!(refused.code(), "key_reused");
}

#[test]
fn a_session_has_so_many_open_jobs_and_no_more() {
    let mut home = Home::new();
    home.open(1, "alice");
    for number in 1..=limits::SESSION_JOBS_MAX {
        home.run(number, 1);
    }
    let one_more = Home::submission(999, Some(1), "alice");
    let refused = home.ask(Command::Submit(vec![one_more.clone()])).unwrap_err();
    assert_eq!(refused.code(), "too_many");
    let exited = home.exited(7);
    home.ask(exited).unwrap();
    assert!(home.ask(Command::Submit(vec![one_more])).is_ok());
}

//! Scenarios 34 to 48: watching, acknowledging, consuming, retention.

use crate::embed_support::{
    Told, done, finish, leap, listen, ms, obey, pass, refuse, rest, with_slots,
};
use longhaul::embed::{DeliveryStanding, Jobs, Options, Spec};

/// 34
#[tokio::test(start_paused = true)]
async fn a_watched_result_is_held_back_and_told_once_the_watch_ends() {
    let jobs = with_slots(9);
    let told = listen(&jobs, "a");
    let job = jobs.register(Spec::of("a").id("x"), done).unwrap();
    let watch = jobs.watch("a", &["x"]).unwrap();
    job.wait().await;
    assert_eq!(told.ids(), [""; 0]);
    assert_eq!(jobs.get("a", "x").unwrap().delivery, DeliveryStanding::Watched);
    watch.unwatch();
    pass(60_000).await;
    assert_eq!(told.ids(), ["x"]);
}

/// 35
#[tokio::test(start_paused = true)]
async fn of_two_watchers_the_one_who_stays_still_holds() {
    let jobs = with_slots(9);
    let told = listen(&jobs, "a");
    let job = jobs.register(Spec::of("a").id("x"), done).unwrap();
    let (one, two) = (jobs.watch("a", &["x"]).unwrap(), jobs.watch("a", &["x"]).unwrap());
    job.wait().await;
    drop(one);
    rest().await;
    assert_eq!(told.ids(), [""; 0]);
    drop(two);
    assert_eq!(told.ids(), ["x"]);
}

/// 36
#[tokio::test(start_paused = true)]
async fn a_watch_of_what_is_not_there_is_refused_and_holds_nothing_later() {
    let jobs = with_slots(9);
    let told = listen(&jobs, "a");
    let job = jobs.register(Spec::of("a").id("y"), done).unwrap();
    let refused = jobs.watch("a", &["y", "x"]).unwrap_err();
    assert_eq!(refused.code(), "unknown_job");
    assert!(!jobs.get("a", "y").unwrap().is_watched, "of a refused watch nothing stays");
    job.wait().await;
    finish(&jobs, "a", "x").await;
    assert_eq!(told.ids(), ["y", "x"]);
    let stale = jobs.watch("a", &["x"]).unwrap();
    leap(400_000).await;
    finish(&jobs, "a", "x").await;
    drop(stale);
    assert_eq!(told.ids(), ["y", "x", "x"], "a watch is of a job, not of its id");
}

/// 37
#[tokio::test(start_paused = true)]
async fn what_was_consumed_or_acknowledged_is_not_told_when_the_watch_ends() {
    let jobs = with_slots(9);
    let told = listen(&jobs, "a");
    let both = ["x", "y"].map(|id| jobs.register(Spec::of("a").id(id), done).unwrap());
    let watch = jobs.watch("a", &["x", "y"]).unwrap();
    for job in both {
        job.wait().await;
    }
    assert_eq!((jobs.consume("a", &["x"]), jobs.acknowledge("a", &["y"])), (1, 0));
    drop(watch);
    pass(1_000).await;
    assert_eq!(told.ids(), [""; 0]);
}

/// 38
#[tokio::test(start_paused = true)]
async fn a_watch_that_comes_and_goes_while_a_try_is_due_doubles_nothing() {
    let jobs = with_slots(9);
    let told = Told::default();
    let theirs = told.clone();
    jobs.sink("a", move |notice| {
        let fails = notice.attempt() == 1;
        theirs.note(notice);
        async move { if fails { Err(longhaul::embed::SinkFailure::new("no")) } else { Ok(()) } }
    });
    finish(&jobs, "a", "x").await;
    drop(jobs.watch("a", &["x"]).unwrap());
    drop(jobs.watch("a", &["x"]).unwrap());
    pass(60_000).await;
    assert_eq!(told.ids(), ["x", "x"], "one that failed and one that did not");
}

/// 39
#[tokio::test(start_paused = true)]
async fn an_acknowledged_retry_is_counted_and_never_sent() {
    let jobs = with_slots(9);
    let told = refuse(&jobs, "a");
    finish(&jobs, "a", "x").await;
    assert_eq!(jobs.acknowledge("a", &["x"]), 1);
    assert_eq!(jobs.acknowledge("a", &["x"]), 0);
    pass(60_000).await;
    assert_eq!(told.ids(), ["x"]);
    assert!(jobs.dead_letters("a").is_empty());
}

/// 40
#[tokio::test(start_paused = true)]
async fn a_try_under_way_that_is_acknowledged_and_fails_is_not_repeated() {
    let jobs = with_slots(9);
    let told = Told::default();
    let theirs = told.clone();
    jobs.sink("a", move |notice| {
        theirs.note(notice);
        async {
            let _over = tokio::time::timeout(ms(100), std::future::pending::<()>()).await;
            Err(longhaul::embed::SinkFailure::new("no"))
        }
    });
    finish(&jobs, "a", "x").await;
    assert_eq!(jobs.acknowledge("a", &["x"]), 0, "it is not called back");
    pass(60_000).await;
    assert_eq!(told.ids(), ["x"]);
}

/// 41
#[tokio::test(start_paused = true)]
async fn what_is_acknowledged_or_consumed_before_its_end_is_told_all_the_same() {
    let jobs = with_slots(9);
    let told = listen(&jobs, "a");
    let job = jobs.register(Spec::of("a").id("x"), done).unwrap();
    assert_eq!((jobs.acknowledge("a", &["x"]), jobs.consume("a", &["x"])), (0, 0));
    job.wait().await;
    assert_eq!(told.ids(), ["x"]);
}

/// 42, 43
#[tokio::test(start_paused = true)]
async fn a_consumed_result_is_left_out_of_lists_and_soon_gone() {
    let jobs = with_slots(9);
    finish(&jobs, "a", "x").await;
    assert!(jobs.get("a", "x").unwrap().verdict.unwrap().output.is_some());
    assert_eq!([jobs.consume("a", &["x"]), jobs.consume("a", &["x"])], [1, 0]);
    assert!(jobs.get("a", "x").unwrap().verdict.unwrap().output.is_none());
    leap(29_999).await;
    assert!(jobs.get("a", "x").is_some());
    leap(1).await;
    assert!(jobs.get("a", "x").is_none());
    assert_eq!(jobs.totals().jobs, 0);
}

/// 44
#[tokio::test(start_paused = true)]
async fn doubled_and_blank_ids_count_once_or_not_at_all() {
    let jobs = with_slots(9);
    let job = jobs.register(Spec::of("a").id("x"), done).unwrap();
    drop(jobs.watch("a", &["x", " x", "", "  "]).unwrap());
    assert!(!jobs.get("a", "x").unwrap().is_watched);
    job.wait().await;
    assert_eq!(jobs.acknowledge("a", &["x", "x ", "", "nobody"]), 1);
    assert_eq!(jobs.consume("a", &["x", "x", ""]), 1);
}

/// 45
#[tokio::test(start_paused = true)]
async fn what_was_told_goes_after_half_a_minute_and_what_was_not_after_five() {
    let jobs = with_slots(9);
    listen(&jobs, "told");
    finish(&jobs, "told", "x").await;
    finish(&jobs, "untold", "y").await;
    leap(30_000).await;
    assert!(jobs.get("told", "x").is_none());
    leap(269_999).await;
    assert!(jobs.get("untold", "y").is_some());
    leap(1).await;
    assert!(jobs.get("untold", "y").is_none());
}

/// 46
#[tokio::test(start_paused = true)]
async fn of_both_retentions_the_shorter_holds() {
    let options = Options::default().retention(ms(100)).consumed_retention(ms(30_000));
    let jobs = Jobs::ephemeral(options);
    listen(&jobs, "a");
    finish(&jobs, "a", "x").await;
    leap(99).await;
    assert!(jobs.get("a", "x").is_some());
    leap(1).await;
    assert!(jobs.get("a", "x").is_none());
}

/// 47
#[tokio::test(start_paused = true)]
async fn without_retention_a_failed_try_is_repeated_until_it_is_taken() {
    let jobs = Jobs::ephemeral(Options::default().retention(ms(0)));
    let told = Told::default();
    let (theirs, asked) = (told.clone(), jobs.clone());
    jobs.sink("a", move |notice| {
        let fails = notice.attempt() < 5;
        assert!(notice.attempt() > 1 || asked.get("a", "x").is_some());
        theirs.note(notice);
        async move { if fails { Err(longhaul::embed::SinkFailure::new("no")) } else { Ok(()) } }
    });
    finish(&jobs, "a", "x").await;
    pass(20_000).await;
    assert!(jobs.get("a", "x").is_none());
    assert_eq!(told.ids().len(), 5);
    assert_eq!(jobs.totals().jobs, 0);
}

/// 48
#[tokio::test(start_paused = true)]
async fn what_is_out_of_sight_is_still_told_whole() {
    let jobs = Jobs::ephemeral(Options::default().retention(ms(10)));
    let told = refuse(&jobs, "a");
    let body = |_| async { Ok(serde_json::json!({ "n": 1 }).into()) };
    jobs.register(Spec::of("a").id("x").label("l"), body).unwrap().wait().await;
    pass(1_000).await;
    assert!(jobs.get("a", "x").is_none());
    // Another has the id by now.
    jobs.register(Spec::of("a").id("x"), obey).unwrap();
    let last = told.notices().pop().unwrap();
    assert!(last.attempt() > 1);
    assert_eq!(last.news().label.as_deref(), Some("l"));
    let structured = last.news().verdict.output.as_ref().unwrap().structured.clone();
    assert_eq!(structured, Some(serde_json::json!({ "n": 1 })));
    assert_eq!(last.news().owner.as_deref(), Some("a"));
}

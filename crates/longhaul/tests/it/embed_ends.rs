//! Scenarios 49 to 61: draining, waiting for owners, reaping, disposing.

use crate::embed_support::{
    LONG, done, finish, hang, listen, ms, obey, pass, refuse, rest, with_slots,
};
use longhaul::embed::{Jobs, Options, Scope, Spec, Stop};
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

/// 49
#[tokio::test(start_paused = true)]
async fn draining_one_owner_does_not_wait_for_anothers_sink() {
    let jobs = with_slots(9);
    jobs.sink("stuck", |_| std::future::pending());
    listen(&jobs, "a");
    finish(&jobs, "stuck", "x").await;
    finish(&jobs, "a", "y").await;
    let before = Instant::now();
    assert!(jobs.drain(LONG, "a").await.is_all_told());
    assert_eq!(before.elapsed().as_millis(), 0);
}

/// 50
#[tokio::test(start_paused = true)]
async fn a_drain_that_ends_before_the_next_try_says_so_at_once_and_loses_nothing() {
    let jobs = with_slots(9);
    refuse(&jobs, "a");
    finish(&jobs, "a", "x").await;
    let before = Instant::now();
    let drained = jobs.drain(ms(100), "a").await;
    assert_eq!(before.elapsed().as_millis(), 0);
    assert!(!drained.is_drained() && drained.left.next_try_at.is_some());
    let told = listen(&jobs, "a");
    assert!(jobs.drain(LONG, "a").await.is_all_told());
    assert_eq!(told.ids(), ["x"]);
}

/// 51
#[tokio::test(start_paused = true)]
async fn a_drain_without_time_says_whether_something_is_pending() {
    let jobs = with_slots(9);
    assert!(jobs.drain(ms(0), Scope::All).await.is_drained());
    jobs.sink("a", |_| std::future::pending());
    finish(&jobs, "a", "x").await;
    let drained = jobs.drain(ms(0), Scope::All).await;
    assert_eq!((drained.is_drained(), drained.left.pending), (false, 1));
}

/// 52
#[tokio::test(start_paused = true)]
async fn a_drain_tells_of_watched_results() {
    let jobs = with_slots(9);
    listen(&jobs, "a");
    let job = jobs.register(Spec::of("a").id("x"), done).unwrap();
    let watch = jobs.watch("a", &["x"]).unwrap();
    job.wait().await;
    for scope in [Scope::from("a"), Scope::All] {
        let drained = jobs.drain(LONG, scope).await;
        assert!(drained.is_drained() && !drained.is_all_told());
        assert_eq!(drained.left.watched, 1);
    }
    drop(watch);
    assert!(jobs.drain(LONG, "a").await.is_all_told());
}

/// 53
#[test]
fn after_a_drain_nothing_keeps_the_program_alive() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    let before = runtime.block_on(async {
        let jobs = with_slots(9);
        listen(&jobs, "a");
        finish(&jobs, "a", "x").await;
        assert!(jobs.drain(LONG, Scope::All).await.is_all_told());
        Instant::now()
    });
    // Dropping waits for whatever has to be waited for.
    drop(runtime);
    assert!(before.elapsed() < ms(30_000), "a drain of an hour took part of it");
}

/// 54
#[tokio::test(start_paused = true)]
async fn waiting_for_an_owner_includes_what_comes_meanwhile() {
    let jobs = with_slots(9);
    jobs.register(Spec::of("a").id("first"), |context| async move {
        context.jobs().register(Spec::of("a").id("second"), obey)?;
        Ok(().into())
    })
    .unwrap();
    let waiting = jobs.wait_for_owner("a", LONG, false);
    tokio::pin!(waiting);
    assert!(tokio::time::timeout(ms(1_000), &mut waiting).await.is_err());
    assert!(jobs.cancel("a", "second", "over"));
    assert!(waiting.await);
    assert!(!jobs.register(Spec::of("a"), hang).unwrap().id().is_blank());
    assert!(!jobs.wait_for_owner("a", ms(1_000), false).await);
    assert!(jobs.wait_for_owner("b", ms(0), false).await);
}

/// 55
#[tokio::test(start_paused = true)]
async fn waiting_for_an_owner_can_leave_out_what_is_watched() {
    let jobs = with_slots(9);
    jobs.register(Spec::of("a").id("x"), hang).unwrap();
    let watch = jobs.watch("a", &["x"]).unwrap();
    assert!(jobs.wait_for_owner("a", ms(100), true).await);
    assert!(!jobs.wait_for_owner("a", ms(100), false).await);
    drop(watch);
    assert!(!jobs.wait_for_owner("a", ms(100), true).await);
}

/// 56
#[tokio::test(start_paused = true)]
async fn reaping_names_the_bodies_that_did_not_end() {
    let jobs = with_slots(9);
    jobs.register(Spec::of("a").id("deaf"), hang).unwrap();
    jobs.register(Spec::of("a").id("good"), obey).unwrap();
    jobs.register(Spec::of("b").id("other"), hang).unwrap();
    rest().await;
    let before = Instant::now();
    let reaped = jobs.cancel_and_reap("a", ms(200), "over").await;
    assert_eq!(before.elapsed().as_millis(), 200);
    assert!(!reaped.is_settled());
    assert_eq!(reaped.left().iter().map(ToString::to_string).collect::<Vec<_>>(), ["deaf"]);
    assert!(tokio::time::timeout(LONG, reaped.all_gone()).await.is_err());
    let empty = jobs.cancel_and_reap("nobody", ms(200), "over").await;
    assert!(empty.is_settled());
}

/// 57, 61
#[tokio::test(start_paused = true)]
async fn a_disposal_keeps_its_budget_and_bodies_learn_why() {
    let jobs = with_slots(9);
    let reason = Arc::new(Mutex::new(None));
    let theirs = reason.clone();
    jobs.register(Spec::of("a").id("deaf"), hang).unwrap();
    jobs.register(Spec::of("a").id("good"), |context| async move {
        *theirs.lock().unwrap() = Some(context.cancelled().await);
        Ok(().into())
    })
    .unwrap();
    rest().await;
    let before = Instant::now();
    let disposed = jobs.dispose(ms(300)).await;
    assert_eq!(before.elapsed().as_millis(), 300);
    assert!(!disposed.is_clean());
    assert_eq!(disposed.left_ids[0].to_string(), "deaf");
    assert_eq!(*reason.lock().unwrap(), Some(Stop::Shutdown));
}

/// 58
#[tokio::test(start_paused = true)]
async fn what_a_disposal_cannot_tell_is_handed_over() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let theirs = kept.clone();
    let keep = move |letter: longhaul::embed::DeadLetter| theirs.lock().unwrap().push(letter);
    let jobs = Jobs::ephemeral(Options::default().on_undelivered(keep));
    let told = refuse(&jobs, "a");
    finish(&jobs, "a", "x").await;
    finish(&jobs, "b", "y").await;
    let disposed = jobs.dispose(ms(3_000)).await;
    assert!(told.ids().len() > 1, "the rest of the budget goes into trying");
    assert_eq!((disposed.undelivered, disposed.is_clean()), (2, false));
    let kept = kept.lock().unwrap();
    let ids: Vec<String> = kept.iter().map(|letter| letter.news.id.to_string()).collect();
    assert_eq!(ids, ["x", "y"]);
    assert_eq!((&*kept[0].because, &*kept[1].because), ("no room", "its owner had no sink"));
}

/// 59
#[tokio::test(start_paused = true)]
async fn disposals_at_the_same_time_are_one_with_one_answer() {
    let jobs = with_slots(9);
    jobs.register(Spec::of("a"), hang).unwrap();
    rest().await;
    let before = Instant::now();
    let (one, two) = tokio::join!(jobs.dispose(ms(300)), jobs.dispose(ms(900)));
    assert_eq!(before.elapsed().as_millis(), 300);
    assert_eq!(one, two);
    assert_eq!(jobs.dispose(ms(5)).await, one);
    assert!(!one.is_clean());
}

/// 60
#[tokio::test(start_paused = true)]
async fn nothing_is_registered_after_a_disposal() {
    let jobs = with_slots(9);
    assert!(jobs.dispose(ms(300)).await.is_clean());
    assert_eq!(jobs.register(Spec::of("a"), done).unwrap_err().code(), "disposed");
    pass(1_000).await;
    assert_eq!(jobs.totals().jobs, 0);
}

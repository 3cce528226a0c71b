//! Scenarios 13 to 20 and 73: whose jobs they are, and how they are stopped.

use crate::embed_support::{done, finish, hang, leap, listen, ms, obey, rest, with_slots};
use longhaul::embed::{Ending, Failure, Jobs, Options, Owner, Spec, Standing, Stop};
use std::sync::{Arc, Mutex};

/// 13
#[tokio::test(start_paused = true)]
async fn jobs_of_nobody_are_apart_from_all_others() {
    let jobs = with_slots(9);
    jobs.register(Spec::new().id("free"), hang).unwrap();
    jobs.register(Spec::of("a").id("mine"), hang).unwrap();
    let ids =
        |owner: Owner| jobs.list(owner).iter().map(|job| job.id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(Owner::nobody()), ["free"]);
    assert_eq!(ids("a".into()), ["mine"]);
    assert_eq!(jobs.list(longhaul::embed::Scope::All).len(), 2);
}

/// 14
#[tokio::test(start_paused = true)]
async fn another_owners_job_does_not_exist() {
    let jobs = with_slots(9);
    jobs.register(Spec::of("a").id("x"), hang).unwrap();
    assert!(!jobs.cancel("b", "x", "mine now"));
    assert!(jobs.get("b", "x").is_none() && jobs.watch("b", &["x"]).is_err());
    assert_eq!((jobs.acknowledge("b", &["x"]), jobs.consume("b", &["x"])), (0, 0));
    assert_eq!(jobs.get("a", "x").unwrap().standing, Standing::Running);
}

/// 15
#[tokio::test(start_paused = true)]
async fn a_job_is_cancelled_once() {
    let jobs = with_slots(9);
    let job = jobs.register(Spec::of("a").id("x"), obey).unwrap();
    let asked = ["one", "two"].map(|reason| jobs.cancel("a", "x", reason));
    assert_eq!(asked, [true, false]);
    assert_eq!(job.wait().await.because.as_deref(), Some("one"));
    assert!(!job.cancel("three"));
}

/// 16
#[tokio::test(start_paused = true)]
async fn a_cancelled_body_that_returns_is_cancelled_and_its_text_is_kept() {
    let jobs = with_slots(9);
    let told = listen(&jobs, "a");
    let job = jobs.register(Spec::of("a").id("x"), obey).unwrap();
    job.cancel("enough");
    assert_eq!(job.wait().await.ending, Ending::Cancelled);
    let seen = jobs.get("a", "x").unwrap();
    assert_eq!(seen.standing, Standing::Ended);
    assert_eq!(seen.verdict.unwrap().output.unwrap().text, "stopped");
    leap(1_000).await;
    assert_eq!(told.ids(), [""; 0]);
}

/// 17
#[tokio::test(start_paused = true)]
async fn a_cancelled_body_that_fails_is_cancelled_and_its_error_is_kept() {
    let jobs = with_slots(9);
    let job = jobs.register(Spec::of("a"), |context| async move {
        context.cancelled().await;
        Err(Failure::new("half done"))
    });
    let job = job.unwrap();
    job.cancel("enough");
    let verdict = job.wait().await;
    assert_eq!(
        (verdict.ending, verdict.because.as_deref()),
        (Ending::Cancelled, Some("half done"))
    );
}

/// 18
#[tokio::test(start_paused = true)]
async fn a_body_that_ignores_its_cancellation_is_reported_and_goes_out_of_sight() {
    let orphans = Arc::new(Mutex::new(Vec::new()));
    let seen = orphans.clone();
    let tell = move |job: longhaul::embed::Snapshot| seen.lock().unwrap().push(job.id.to_string());
    let jobs = Jobs::ephemeral(Options::default().on_orphan(tell));
    let (end, wait) = tokio::sync::oneshot::channel::<()>();
    let body = |_| async move {
        let _sender = wait.await;
        Ok("very late".into())
    };
    let job = jobs.register(Spec::of("a").id("deaf"), body).unwrap();
    rest().await;
    job.cancel("enough");
    leap(29_000).await;
    assert_eq!((orphans.lock().unwrap().len(), jobs.orphans().len()), (0, 0));
    leap(1_000).await;
    assert_eq!(*orphans.lock().unwrap(), ["deaf"]);
    let verdict = job.wait().await;
    assert!(verdict.is_orphan && verdict.ending == Ending::Cancelled);
    let seen = jobs.get("a", "deaf").unwrap();
    assert!(seen.is_orphan && seen.has_slot && seen.standing == Standing::Stopping);
    leap(300_000).await;
    assert!(jobs.get("a", "deaf").is_none(), "its id is free again");
    assert_eq!((jobs.totals().running, jobs.totals().orphans), (1, 1));
    end.send(()).unwrap();
    job.gone().await;
    let totals = jobs.totals();
    assert_eq!((totals.running, totals.orphans, totals.jobs), (0, 0, 0));
    assert!(!job.wait().await.is_orphan || job.wait().await.output.is_none(), "the verdict stands");
}

/// 19
#[tokio::test(start_paused = true)]
async fn cancelling_all_of_one_owner_leaves_the_others() {
    let jobs = with_slots(9);
    for owner in ["a", "a", "b"] {
        jobs.register(Spec::of(owner), hang).unwrap();
    }
    assert_eq!(jobs.cancel_all("a", "over"), 2);
    assert!(jobs.list("a").iter().all(|job| job.standing == Standing::Stopping));
    assert_eq!(jobs.list("b")[0].standing, Standing::Running);
}

/// 20
#[tokio::test(start_paused = true)]
async fn the_reason_reaches_the_body() {
    let jobs = with_slots(9);
    let job = jobs.register(Spec::of("a"), |context| async move {
        let stop = context.cancelled().await;
        assert_eq!(context.token().reason(), Some(stop.clone()));
        Ok(format!("{stop:?}").into())
    });
    let job = job.unwrap();
    job.cancel("the user left");
    let text = job.wait().await.output.unwrap().text.clone();
    assert_eq!(text, format!("{:?}", Stop::Asked("the user left".into())));
}

/// 73
#[tokio::test(start_paused = true)]
async fn whoever_stops_a_job_it_settles_and_its_waiter_is_told() {
    let jobs = with_slots(9);
    let told = listen(&jobs, "a");
    let by_user = jobs.register(Spec::of("a").id("user"), obey).unwrap();
    let by_tool = jobs.register(Spec::of("a").id("tool"), obey).unwrap();
    let by_budget = jobs.register(Spec::of("a").id("budget").timeout(ms(500)), obey).unwrap();
    rest().await;
    assert!(by_user.cancel("from the screen") && jobs.cancel("a", "tool", "from the model"));
    leap(500).await;
    let mut ends = Vec::new();
    for job in [by_user, by_tool, by_budget] {
        ends.push(job.wait().await.ending);
    }
    assert_eq!(ends, [Ending::Cancelled, Ending::Cancelled, Ending::TimedOut]);
    assert_eq!(
        told.ids(),
        ["budget"],
        "whoever cancels needs no news of it; a time that ran out is"
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_time_ran_out_is_told_also_if_its_body_never_stops() {
    let jobs = with_slots(9);
    let told = listen(&jobs, "a");
    jobs.register(Spec::of("a").id("deaf").timeout(ms(500)), hang).unwrap();
    leap(500).await;
    assert_eq!(told.ids(), [""; 0]);
    leap(30_000).await;
    assert_eq!(told.notices()[0].outcome(), "timed_out");
    assert!(told.notices()[0].news().verdict.is_orphan);
}

#[tokio::test(start_paused = true)]
async fn a_queued_job_that_is_cancelled_learns_it_while_it_waits_for_its_slot() {
    let jobs = with_slots(1);
    let running = jobs.register(Spec::of("a"), hang).unwrap();
    let waiting = jobs.register(Spec::of("a").queued(), |context| async move {
        context.mark_running().await?;
        done(context).await
    });
    let waiting = waiting.unwrap();
    rest().await;
    assert!(waiting.cancel("too long a line"));
    let verdict = waiting.wait().await;
    assert_eq!(verdict.ending, Ending::Cancelled);
    assert_eq!(verdict.because.as_deref(), Some("cancelled: too long a line"));
    assert_eq!(running.snapshot().unwrap().standing, Standing::Running);
    assert_eq!(finish(&with_slots(1), "a", "x").await, Ending::Succeeded);
}

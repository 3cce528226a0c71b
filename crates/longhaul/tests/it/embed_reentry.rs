//! Programs that come back in from where they were called, ask twice at once, or ask for ever.

use crate::embed_support::{LONG, done, hang, listen, rest, with_slots};
use longhaul::embed::{Context, Jobs, Options, Scope, Slots, Spec, Waited};
use serde_json::json;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long something may take that is over at once when all is well.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks for something when it is let go of, as a guard in a captured variable may.
struct AsksWhenDropped(Jobs, Option<std::sync::mpsc::Sender<usize>>);

impl Drop for AsksWhenDropped {
    fn drop(&mut self) {
        let jobs = self.0.totals().jobs;
        if let Some(told) = self.1.take() {
            // Who listens may have given up.
            let _ = told.send(jobs);
        }
    }
}

/// Runs `work` on a thread of its own, which may hang; gives whether it was done.
fn is_done(work: impl FnOnce() + Send + 'static) -> bool {
    let (tell, told) = std::sync::mpsc::channel();
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        let _entered = runtime.enter();
        work();
        // Who listens may have given up.
        let _ = tell.send(());
    });
    told.recv_timeout(PATIENCE).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sink_captured_may_ask_when_the_sink_is_replaced_or_removed() {
    let all = with_slots(9);
    assert!(is_done(move || {
        for _ in 0..2 {
            let kept = AsksWhenDropped(all.clone(), None);
            all.sink("a", move |_| {
                let _kept = &kept;
                async { Ok(()) }
            });
        }
        let kept = AsksWhenDropped(all.clone(), None);
        let guard = all.sink("a", move |_| {
            let _kept = &kept;
            async { Ok(()) }
        });
        assert!(guard.remove());
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_listener_captured_may_ask_when_its_job_is_refused() {
    let jobs = with_slots(1);
    jobs.register(Spec::of("a"), hang).unwrap();
    assert!(is_done(move || {
        let kept = AsksWhenDropped(jobs.clone(), None);
        let spec = Spec::of("a").on_progress(move |_| {
            let _kept = &kept;
        });
        assert_eq!(jobs.register(spec, done).unwrap_err().code(), "at_capacity");
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_durable_closure_captured_may_ask_when_its_job_ends_before_it_began() {
    let home = tempfile::tempdir().unwrap();
    let options = Options::default().slots(Slots::fixed(1));
    let jobs = Jobs::durable(home.path(), options).await.unwrap();
    let first = jobs.register(Spec::of("a"), crate::embed_support::obey).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let kept = AsksWhenDropped(jobs.clone(), Some(tell));
    let second = jobs.register(Spec::of("a"), move |_| async move {
        let _kept = kept;
        Ok("".into())
    });
    assert!(second.unwrap().cancel("no"));
    assert!(told.recv_timeout(PATIENCE).is_ok(), "letting go of the closure hangs");
    first.cancel("");
    jobs.dispose(PATIENCE).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_may_ask_for_its_slot_twice_at_once() {
    let jobs = with_slots(1);
    let (free, freed) = oneshot::channel::<()>();
    jobs.register(Spec::of("a"), |_| async move {
        // An error would free it too.
        let _ = freed.await;
        Ok("".into())
    })
    .unwrap();
    let twice = jobs.register(Spec::of("a").queued(), |context: Context| async move {
        let (one, two) = tokio::join!(context.mark_running(), context.mark_running());
        one.and(two)?;
        Ok("both".into())
    });
    rest().await;
    free.send(()).unwrap();
    let verdict = timeout(LONG, twice.unwrap().wait()).await.expect("both have their answer");
    assert_eq!(verdict.output.unwrap().text, "both");
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_a_slot_after_the_body_returned_is_told_so() {
    let jobs = with_slots(1);
    let blocker = jobs.register(Spec::of("a"), hang).unwrap();
    let (give, given) = oneshot::channel();
    let job = jobs.register(Spec::of("a").queued(), |context: Context| async move {
        let theirs = context.clone();
        let early = tokio::spawn(async move { theirs.mark_running().await });
        rest().await;
        assert!(give.send((context, early)).is_ok());
        Ok("".into())
    });
    job.unwrap().wait().await;
    let (context, early) = given.await.unwrap();
    assert!(timeout(LONG, early).await.expect("it waits no longer").unwrap().is_err());
    assert!(timeout(LONG, context.mark_running()).await.expect("it does not wait").is_err());
    assert!(blocker.cancel(""));
}

#[tokio::test(start_paused = true)]
async fn two_who_wait_for_one_job_both_get_its_result() {
    let jobs = with_slots(9);
    let told = listen(&jobs, "a");
    jobs.register(Spec::of("a").id("x"), |_| async {
        rest().await;
        Ok("result".into())
    })
    .unwrap();
    let (one, two) = tokio::join!(
        jobs.wait("a", &["x"], LONG, pending::<()>()),
        jobs.wait("a", &["x"], LONG, pending::<()>()),
    );
    for waited in [one, two] {
        let Waited::Finished(ends) = waited.unwrap() else { panic!("it was not there") };
        assert_eq!(ends.len(), 1);
        assert_eq!(ends[0].verdict.output.as_ref().unwrap().text, "result");
    }
    assert!(told.ids().is_empty());
}

#[tokio::test]
async fn a_drain_and_a_disposal_may_have_all_the_time_there_is() {
    let home = tempfile::tempdir().unwrap();
    let durable = Jobs::durable(home.path(), Options::default()).await.unwrap();
    for jobs in [with_slots(1), durable] {
        listen(&jobs, "a");
        jobs.register(Spec::of("a"), done).unwrap().wait().await;
        assert!(jobs.drain(Duration::MAX, Scope::All).await.is_all_told());
        assert!(jobs.dispose(Duration::MAX).await.is_clean());
    }
}

#[tokio::test]
async fn a_durable_sink_gets_something_also_when_nothing_may_be_told_at_once() {
    let home = tempfile::tempdir().unwrap();
    let jobs = Jobs::durable(home.path(), Options::default().tries_at_once(0)).await.unwrap();
    listen(&jobs, "a");
    jobs.register(Spec::of("a"), done).unwrap().wait().await;
    assert!(jobs.drain(PATIENCE, Scope::All).await.is_all_told());
    assert!(jobs.dispose(PATIENCE).await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_durable_job_hears_of_its_end_also_while_all_is_disposed_of() {
    for _ in 0..10 {
        let home = tempfile::tempdir().unwrap();
        let jobs = Jobs::durable(home.path(), Options::default()).await.unwrap();
        let started: Vec<_> = (0..5)
            .map(|_| jobs.register(Spec::of("a"), crate::embed_support::obey).unwrap())
            .collect();
        crate::daemon_support::eventually("they run", || jobs.totals().alive == 5);
        let waits = started.iter().map(longhaul::embed::JobHandle::wait);
        let all = futures_util::future::join_all(waits);
        let (verdicts, _) = tokio::join!(timeout(PATIENCE, all), jobs.dispose(PATIENCE));
        assert_eq!(verdicts.expect("a wait hangs").len(), 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_durable_job_that_was_refused_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let jobs = Jobs::durable(home.path(), Options::default()).await.unwrap();
    jobs.kind("k", |_, _| async { Ok("".into()) });
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.num_alive_tasks();
    let kept = Arc::new(());
    for _ in 0..10 {
        let theirs = kept.clone();
        let spec = Spec::of("a").on_progress(move |_| {
            let _theirs = &theirs;
        });
        jobs.start(spec, "k", json!("x".repeat(1 << 20))).unwrap_err();
    }
    let is_over = || metrics.num_alive_tasks() <= before && Arc::strong_count(&kept) == 1;
    crate::daemon_support::eventually("no task is left", is_over);
    jobs.dispose(PATIENCE).await;
}

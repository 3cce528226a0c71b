//! In-process jobs that are kept in a home: what they share with those in memory, and what only they
//! can do.

use crate::daemon_support::eventually;
use longhaul::embed::{
    Context, DeliveryStanding, Ending, Jobs, Left, OpenError, Options, Refused, Retry, Slots, Spec,
    Standing, Stop, Waited,
};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a wait may take that is over at once when all is well.
const PATIENCE: Duration = Duration::from_secs(20);

async fn open(home: &Path) -> Jobs {
    Jobs::durable(home, Options::default()).await.unwrap()
}

/// What an owner was told: `id outcome text`.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn listen(&self, jobs: &Jobs, owner: &str) {
        let told = self.clone();
        jobs.sink(owner, move |notice| {
            let told = told.clone();
            async move {
                let line = format!("{} {} {}", notice.id(), notice.outcome(), notice.text());
                told.0.lock().unwrap().push(line);
                Ok(())
            }
        });
    }

    /// Waits until there are so many lines.
    async fn until(&self, count: usize) -> Vec<String> {
        let told = self.clone();
        let wait = move || eventually("it is told", || told.lines().len() >= count);
        tokio::task::spawn_blocking(wait).await.unwrap();
        self.lines()
    }
}

async fn until(what: &'static str, is_so: impl FnMut() -> bool + Send + 'static) {
    tokio::task::spawn_blocking(move || eventually(what, is_so)).await.unwrap();
}

async fn hang(_context: Context) -> longhaul::embed::BodyResult {
    std::future::pending().await
}

async fn obey(context: Context) -> longhaul::embed::BodyResult {
    Ok(context.cancelled().await.words().into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_is_told_and_is_there_after_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let (jobs, told) = (open(home.path()).await, Told::default());
    told.listen(&jobs, "a");
    let spec = Spec::of("a").id("sum").label("adds up");
    let job = jobs.register(spec, |context| async move {
        context.progress(json!({ "at": 3 }));
        Ok(json!({ "sum": 55 }).into())
    });
    let verdict = job.unwrap().wait().await;
    assert_eq!(verdict.ending, Ending::Succeeded);
    assert_eq!(verdict.output.unwrap().structured, Some(json!({ "sum": 55 })));
    assert_eq!(told.until(1).await, ["sum succeeded "]);
    assert!(jobs.drain(PATIENCE, "a").await.is_all_told());
    assert!(jobs.get("b", "sum").is_none(), "another owner's job does not exist");
    assert!(jobs.dispose(PATIENCE).await.is_clean());

    let again = open(home.path()).await;
    let job = again.get("a", "sum").unwrap();
    assert_eq!(job.delivery, DeliveryStanding::Delivered);
    assert_eq!(job.label.as_deref(), Some("adds up"));
    assert_eq!(job.verdict.unwrap().output.unwrap().structured, Some(json!({ "sum": 55 })));
    assert!(again.dispose(PATIENCE).await.is_clean());
    assert_eq!(told.lines().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_comes_late_gets_its_backlog_in_order_and_nobody_elses() {
    let home = tempfile::tempdir().unwrap();
    let jobs = open(home.path()).await;
    for (owner, id) in [("a", "one"), ("b", "other"), ("a", "two"), ("a", "two")] {
        let job = jobs.register(Spec::of(owner).id(id), |_| async { Ok("done".into()) }).unwrap();
        job.wait().await;
    }
    let left = jobs.delivery_state("a");
    assert_eq!((left.pending, left.without_sink), (3, 3));
    let told = Told::default();
    told.listen(&jobs, "a");
    let lines = told.until(3).await;
    assert_eq!(lines, ["one succeeded done", "two succeeded done", "two-2 succeeded done"]);
    assert!(jobs.drain(PATIENCE, "a").await.is_all_told());
    assert_eq!(jobs.delivery_state("b").pending, 1);
    let disposed = jobs.dispose(PATIENCE).await;
    assert_eq!((disposed.bodies_left, disposed.undelivered), (0, 1), "it waits for the next start");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_fails_is_called_again_under_the_same_id() {
    let home = tempfile::tempdir().unwrap();
    let jobs = open(home.path()).await;
    let (tries, ids) = (Arc::new(AtomicU32::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (counted, kept) = (tries.clone(), ids.clone());
    jobs.sink("a", move |notice| {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        kept.lock().unwrap().push((notice.delivery_id(), notice.attempt(), notice.is_current()));
        async move {
            match number {
                0 => Err(longhaul::embed::SinkFailure::new("not now")),
                1 => panic!("not now either"),
                _ => Ok(()),
            }
        }
    });
    jobs.register(Spec::of("a"), |_| async { Ok("".into()) }).unwrap().wait().await;
    assert!(jobs.drain(PATIENCE, "a").await.is_all_told());
    let ids = ids.lock().unwrap().clone();
    let expected: Vec<_> = (1..=3).map(|number| (ids[0].0.clone(), number, true)).collect();
    assert_eq!(ids, expected);
    assert!(jobs.dispose(PATIENCE).await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_is_cooperative_and_cancelled_jobs_are_not_told() {
    let home = tempfile::tempdir().unwrap();
    let (jobs, told) = (open(home.path()).await, Told::default());
    told.listen(&jobs, "a");
    let job = jobs.register(Spec::of("a").id("x"), obey).unwrap();
    let (asked, id) = (jobs.clone(), "x");
    until("it runs", move || asked.get("a", id).unwrap().standing == Standing::Running).await;
    assert!(!jobs.cancel("b", "x", "not yours"));
    assert!(jobs.cancel("a", "x", "enough"));
    assert!(!jobs.cancel("a", "x", "twice"));
    let verdict = job.wait().await;
    assert_eq!(verdict.ending, Ending::Cancelled);
    assert_eq!(verdict.because.as_deref(), Some("enough"));
    assert_eq!(verdict.output.unwrap().text, "enough");
    jobs.register(Spec::of("a").id("y"), |_| async { Ok("".into()) }).unwrap();
    assert_eq!(told.until(1).await, ["y succeeded "]);
    assert!(jobs.dispose(PATIENCE).await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_ignores_its_cancellation_keeps_its_slot_until_it_is_gone() {
    let home = tempfile::tempdir().unwrap();
    let options = Options::default().slots(Slots::fixed(1));
    let jobs = Jobs::durable(home.path(), options).await.unwrap();
    let go = Arc::new(tokio::sync::Notify::new());
    let gone = go.clone();
    let stubborn = jobs.register(Spec::of("a").id("stubborn"), move |_| async move {
        gone.notified().await;
        Ok("at last".into())
    });
    let stubborn = stubborn.unwrap();
    let next = jobs.register(Spec::of("a").id("next"), |_| async { Ok("".into()) }).unwrap();
    let asked = jobs.clone();
    until("it runs", move || asked.totals().alive == 1).await;
    assert!(stubborn.cancel("please"));
    assert_eq!(stubborn.snapshot().unwrap().standing, Standing::Stopping);
    assert_eq!(next.snapshot().unwrap().standing, Standing::Queued);
    go.notify_one();
    assert_eq!(stubborn.wait().await.ending, Ending::Cancelled);
    assert_eq!(next.wait().await.ending, Ending::Succeeded);
    assert!(jobs.dispose(PATIENCE).await.bodies_left == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_result_is_held_back_and_a_waited_for_one_is_settled() {
    let home = tempfile::tempdir().unwrap();
    let (jobs, told) = (open(home.path()).await, Told::default());
    told.listen(&jobs, "a");
    let watch = |id| {
        let go = Arc::new(tokio::sync::Notify::new());
        let body = go.clone();
        let job = jobs.register(Spec::of("a").id(id), move |_| async move {
            body.notified().await;
            Ok("done".into())
        });
        (job.unwrap(), jobs.watch("a", &[id, " ", id]).unwrap(), go)
    };
    let (held, first, go_held) = watch("held");
    let (_, second, go_fetched) = watch("fetched");
    let other = jobs.watch("a", &["held"]).unwrap();
    go_held.notify_one();
    held.wait().await;
    assert_eq!(jobs.delivery_state("a"), Left { watched: 1, ..Left::default() });
    go_fetched.notify_one();
    let waited = jobs.wait("a", &["fetched"], PATIENCE, std::future::pending::<()>()).await;
    let Waited::Finished(finished) = waited.unwrap() else { panic!("there was a result") };
    assert_eq!(finished[0].id.to_string(), "fetched");
    drop((first, second));
    assert_eq!(told.lines(), [""; 0], "somebody watches still");
    drop(other);
    assert_eq!(told.until(1).await, ["held succeeded done"]);
    assert_eq!(jobs.watch("a", &["nothing"]).unwrap_err().code(), "unknown_job");
    assert_eq!(jobs.consume("a", &["held", "fetched"]), 0);
    assert!(jobs.dispose(PATIENCE).await.is_clean());
    assert_eq!(told.lines().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_is_retried_and_waits_until_somebody_runs_it() {
    let home = tempfile::tempdir().unwrap();
    let options = || Options::default().slots(Slots::fixed(1));
    let jobs = Jobs::durable(home.path(), options()).await.unwrap();
    let refused = jobs.start(Spec::of("a"), "flaky", json!(1)).unwrap_err();
    assert_eq!(refused, Refused::UnknownKind("flaky".to_owned()));
    jobs.kind("flaky", |context, input| async move {
        match context.attempt() {
            1 => Err(longhaul::embed::Failure::new("not yet")),
            attempt => Ok(format!("{input} at attempt {attempt}").into()),
        }
    });
    let retry = Retry { times: 1, delay: Duration::from_millis(1) };
    let job = jobs.start(Spec::of("a").retry(retry), "flaky", json!({ "n": 4 })).unwrap();
    assert_eq!(job.wait().await.output.unwrap().text, "{\"n\":4} at attempt 2");
    let blocker = jobs.register(Spec::of("a"), obey).unwrap();
    jobs.start(Spec::of("a").id("later"), "flaky", json!(5)).unwrap();
    assert!(jobs.dispose(PATIENCE).await.bodies_left == 0);
    drop(blocker);

    let again = Jobs::durable(home.path(), options()).await.unwrap();
    let told = Told::default();
    told.listen(&again, "a");
    let free = again.register(Spec::of("a").id("free"), |_| async { Ok("".into()) }).unwrap();
    assert_eq!(free.wait().await.ending, Ending::Succeeded, "what nobody runs is in nobody's way");
    assert_eq!(again.get("a", "later").unwrap().standing, Standing::Queued);
    again.kind("flaky", |_, input| async move { Ok(input.to_string().into()) });
    until("it is told", move || told.lines().contains(&"later succeeded 5".to_owned())).await;
    assert!(again.dispose(PATIENCE).await.bodies_left == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disposal_keeps_its_budget_and_what_it_interrupts_is_lost_or_run_again() {
    let home = tempfile::tempdir().unwrap();
    let jobs = open(home.path()).await;
    let interrupted = |context: Context| async move {
        match context.cancelled().await {
            Stop::Shutdown => Err(longhaul::embed::Failure::new("interrupted")),
            other => Ok(other.words().into()),
        }
    };
    jobs.kind_rerun("index", 1, move |context, _| interrupted(context));
    jobs.start(Spec::of("a").id("index"), "index", json!(0)).unwrap();
    jobs.register(Spec::of("a").id("closure"), interrupted).unwrap();
    jobs.register(Spec::of("a").id("hangs"), hang).unwrap();
    let asked = jobs.clone();
    until("all run", move || asked.totals().alive == 3).await;
    let disposed = jobs.dispose(Duration::from_millis(300)).await;
    assert_eq!(disposed.bodies_left, 1);
    assert_eq!(disposed.left_ids[0].to_string(), "hangs");
    let refused = jobs.register(Spec::of("a"), hang).unwrap_err();
    assert_eq!(refused.code(), "disposed");

    let (again, told) = (open(home.path()).await, Told::default());
    again.kind_rerun("index", 1, |context, _| async move {
        Ok(format!("attempt {}", context.attempt()).into())
    });
    told.listen(&again, "a");
    let mut lines = told.until(3).await;
    lines.sort();
    let expected = [
        "closure lost the program that ran it ended",
        "hangs lost the process that ran it is gone",
        "index succeeded attempt 2",
    ];
    assert_eq!(lines, expected);
    assert!(again.dispose(PATIENCE).await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_see_the_jobs_of_the_program_at_its_socket() {
    let home = crate::harness::Home::new();
    let jobs = Jobs::durable(home.path(), Options::default().serve()).await.unwrap();
    let has_begun = Arc::new(AtomicBool::new(false));
    let begun = has_begun.clone();
    let job = jobs.register(Spec::of("a").id("shown"), move |context| async move {
        begun.store(true, Ordering::SeqCst);
        obey(context).await
    });
    until("it runs", move || has_begun.load(Ordering::SeqCst)).await;
    let ran = tokio::task::spawn_blocking(move || {
        let ran = home.run(&["cancel", "shown", "--reason", "from outside"]);
        (ran.code, home.run(&["show", "shown", "--json"]).stdout, home)
    });
    let (code, _, home) = ran.await.unwrap();
    assert_eq!(code, 0);
    let verdict = job.unwrap().wait().await;
    assert_eq!(verdict.output.unwrap().text, "from outside");
    let shown = tokio::task::spawn_blocking(move || {
        let shown = home.run(&["show", "shown", "--json"]);
        home.run(&["retry", "shown"]).fails(3, "ran once and is gone");
        (shown.stdout, home)
    });
    let (shown, _home) = shown.await.unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&shown).unwrap();
    let job = shown.get("job").unwrap_or(&shown);
    assert_eq!(job["result"]["text"], "from outside");
    assert_eq!(job["task"]["kind"], "(closure)");
    assert!(jobs.dispose(PATIENCE).await.bodies_left == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_daemon_leaves_tasks_it_cannot_run_alone_and_says_why() {
    let home = crate::harness::Home::new();
    let options = Options::default().slots(Slots::fixed(1));
    let jobs = Jobs::durable(home.path(), options).await.unwrap();
    jobs.kind("index", |_, _| async { Ok("".into()) });
    jobs.register(Spec::of("a").id("runs"), obey).unwrap();
    jobs.start(Spec::of("a").id("later"), "index", json!(1)).unwrap();
    assert_eq!(jobs.dispose(PATIENCE).await.bodies_left, 0);
    until("the daemon says what it waits for", move || {
        let why = String::from_utf8(home.run(&["why", "later"]).stdout).unwrap();
        why.contains("a process that runs tasks of kind `index`; none here does")
    })
    .await;
}

/// 58, 72
#[test]
fn after_a_kill_each_owner_is_told_what_it_does_not_know_exactly_once() {
    const CHILD: &str = "LONGHAUL_TEST_EMBEDDED_HOME";
    const ME: &str =
        "embed_durable::after_a_kill_each_owner_is_told_what_it_does_not_know_exactly_once";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(home) = std::env::var_os(CHILD) {
        return runtime.block_on(until_killed(Path::new(&home)));
    }
    let home = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", ME, "--nocapture"])
        .env(CHILD, home.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("the other process is ready", || home.path().join("ready").exists());
    let refused = runtime.block_on(Jobs::durable(home.path(), Options::default())).unwrap_err();
    assert!(matches!(refused, OpenError::Daemon(_)), "{refused}");
    assert!(refused.to_string().contains("already running"), "{refused}");
    child.kill().unwrap();
    child.wait().unwrap();
    runtime.block_on(async {
        for (expected, runs) in [(4, true), (0, false)] {
            let (jobs, told) = (open(home.path()).await, Told::default());
            jobs.kind_rerun("index", 1, |context, _| async move {
                Ok(format!("attempt {}", context.attempt()).into())
            });
            told.listen(&jobs, "a");
            let mut lines = told.until(expected).await;
            lines.sort();
            let all = [
                "index succeeded attempt 2",
                "once lost the process that ran it is gone",
                "running lost the process that ran it is gone",
                "undelivered succeeded nobody took me",
            ];
            assert_eq!(lines, if runs { all.to_vec() } else { Vec::new() });
            assert!(jobs.drain(PATIENCE, "a").await.is_all_told());
            assert!(jobs.dispose(PATIENCE).await.is_clean());
            assert_eq!(told.lines().len(), expected);
        }
    });
}

/// The process that is killed: with jobs that run, one that ended and was not told, one that was.
async fn until_killed(home: &Path) {
    let jobs = open(home).await;
    let refused = Arc::new(AtomicBool::new(false));
    let has_refused = refused.clone();
    jobs.sink("a", move |notice| {
        let is_taken = notice.text() == "take me";
        has_refused.fetch_or(!is_taken, Ordering::SeqCst);
        async move { if is_taken { Ok(()) } else { Err(longhaul::embed::SinkFailure::new("no")) } }
    });
    jobs.kind("once", |context, _| hang(context));
    jobs.kind_rerun("index", 1, |context, _| hang(context));
    jobs.register(Spec::of("a").id("delivered"), |_| async { Ok("take me".into()) }).unwrap();
    jobs.register(Spec::of("a").id("undelivered"), |_| async { Ok("nobody took me".into()) })
        .unwrap();
    jobs.register(Spec::of("a").id("running"), hang).unwrap();
    jobs.start(Spec::of("a").id("once"), "once", json!(null)).unwrap();
    jobs.start(Spec::of("a").id("index"), "index", json!(null)).unwrap();
    let asked = jobs.clone();
    until("each is as it should be when it dies", move || {
        let delivered = asked.get("a", "delivered").unwrap().delivery;
        let are_running = ["running", "once", "index"]
            .iter()
            .all(|id| asked.get("a", id).unwrap().standing == Standing::Running);
        delivered == DeliveryStanding::Delivered
            && refused.load(Ordering::SeqCst)
            && are_running
            && asked.totals().alive == 3
    })
    .await;
    std::fs::write(home.join("ready"), "").unwrap();
    std::future::pending().await
}

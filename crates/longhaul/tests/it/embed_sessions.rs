//! Scenarios 62 to 71, 74 and 75: sessions, waits, bounds, what is hidden.

use crate::embed_support::{
    LONG, Told, done, finish, hang, leap, listen, ms, obey, pass, refuse, rest, with_slots,
};
use longhaul::clock;
use longhaul::embed::{Ending, Jobs, Node, Options, Slots, Spec, Standing, Waited};
use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// 62
#[tokio::test(start_paused = true)]
async fn nothing_of_an_old_session_is_handed_on_in_the_new_one() {
    let jobs = with_slots(9);
    let injected = Told::default();
    let theirs = injected.clone();
    jobs.sink("a", move |notice| {
        let theirs = theirs.clone();
        async move {
            let _formatting = tokio::time::timeout(ms(100), pending::<()>()).await;
            if notice.is_current() {
                theirs.note(notice);
            }
            Ok(())
        }
    });
    finish(&jobs, "a", "old").await;
    jobs.register(Spec::of("a").id("running"), obey).unwrap();
    rest().await;
    assert_eq!(jobs.begin_anew("a"), 1);
    finish(&jobs, "a", "new").await;
    pass(120_000).await;
    assert_eq!(injected.ids(), ["new"]);
}

/// 62
#[tokio::test(start_paused = true)]
async fn a_sink_that_looks_learns_that_its_session_is_over() {
    let jobs = with_slots(9);
    let told = Told::default();
    let theirs = told.clone();
    jobs.sink("a", move |notice| {
        theirs.note(notice);
        pending()
    });
    finish(&jobs, "a", "old").await;
    let old = told.notices().pop().unwrap();
    assert!(old.is_current());
    jobs.begin_anew("a");
    assert!(!old.is_current());
}

/// 63
#[tokio::test(start_paused = true)]
async fn an_id_that_is_used_again_gets_nothing_of_its_old_job() {
    let jobs = with_slots(9);
    let told = refuse(&jobs, "a");
    finish(&jobs, "a", "x").await;
    let running = jobs.register(Spec::of("a").id("y"), obey).unwrap();
    rest().await;
    jobs.begin_anew("a");
    let told_new = listen(&jobs, "a");
    let again = jobs.register(Spec::of("a").id("y"), |_| async { Ok("new".into()) }).unwrap();
    assert_eq!(again.id().to_string(), "y");
    running.wait().await;
    again.wait().await;
    pass(120_000).await;
    assert_eq!(told.ids(), ["x"], "the one try before");
    assert_eq!(
        told_new.notices().iter().map(|one| one.text().to_owned()).collect::<Vec<_>>(),
        ["new"]
    );
    assert!(jobs.dead_letters("a").is_empty());
}

/// 64
#[tokio::test(start_paused = true)]
async fn looking_settles_nothing() {
    let jobs = with_slots(9);
    finish(&jobs, "a", "x").await;
    for _ in 0..3 {
        assert_eq!(jobs.list("a").len(), 1);
        let job = jobs.get("a", "x").unwrap();
        assert_eq!(job.verdict.unwrap().output.unwrap().text, "result of x");
        assert_eq!(jobs.delivery_state("a").pending_ids.len(), 1);
    }
    assert_eq!(listen(&jobs, "a").ids(), ["x"]);
}

/// 65
#[tokio::test(start_paused = true)]
async fn a_wait_gives_results_that_are_there_at_once_and_fetches_them() {
    let jobs = with_slots(9);
    finish(&jobs, "a", "x").await;
    jobs.register(Spec::of("a").id("y"), hang).unwrap();
    let waited = jobs.wait("a", &[], LONG, pending::<()>()).await.unwrap();
    let Waited::Finished(finished) = waited else { panic!("{waited:?}") };
    assert_eq!(finished.len(), 1);
    assert_eq!(finished[0].verdict.output.as_ref().unwrap().text, "result of x");
    assert_eq!(listen(&jobs, "a").ids(), [""; 0], "fetched is told");
    assert_eq!(jobs.wait("b", &[], LONG, pending::<()>()).await.unwrap(), Waited::Nothing);
    let refused = jobs.wait("b", &["x"], LONG, pending::<()>()).await.unwrap_err();
    assert_eq!(refused.code(), "unknown_job");
}

/// 66
#[tokio::test(start_paused = true)]
async fn a_message_goes_before_a_result_which_is_told_later() {
    let jobs = with_slots(9);
    let told = refuse(&jobs, "a");
    finish(&jobs, "a", "x").await;
    let waited = jobs.wait("a", &["x"], LONG, ready("hello")).await.unwrap();
    assert_eq!(waited, Waited::Message("hello"));
    pass(1_000).await;
    assert!(told.ids().len() > 1, "it is tried again");
}

/// 67
#[tokio::test(start_paused = true)]
async fn after_an_interrupted_wait_results_are_told_as_ever() {
    let jobs = with_slots(9);
    let told = listen(&jobs, "a");
    let job = jobs.register(Spec::of("a").id("x"), obey).unwrap();
    let steering = tokio::time::timeout(ms(10), jobs.wait("a", &["x"], LONG, pending::<()>()));
    assert!(steering.await.is_err());
    let waited = jobs.wait("a", &["x"], ms(10), pending::<()>()).await.unwrap();
    assert_eq!(waited, Waited::TimedOut);
    let quick = jobs.register(Spec::of("a").id("y"), done).unwrap();
    quick.wait().await;
    assert!(!jobs.get("a", "x").unwrap().is_watched);
    assert_eq!(told.ids(), ["y"]);
    job.cancel("over");
    job.gone().await;
}

/// 68
#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_set_changes_nothing() {
    let jobs = with_slots(9);
    let told = refuse(&jobs, "a");
    finish(&jobs, "a", "x").await;
    // The wall clock does not move here at all while an hour of the program's time passes: what is
    // due goes by elapsed time alone.
    let before = clock::wall_now();
    pass(700).await;
    assert!(clock::wall_now().since(before).get() < 60_000);
    assert_eq!(told.ids().len(), 2);
    leap(3_600_000).await;
    assert!(jobs.get("a", "x").is_none());
}

/// 69
#[tokio::test(start_paused = true)]
async fn a_panic_of_whoever_hears_of_progress_does_not_hurt_the_job() {
    let jobs = with_slots(9);
    let spec = Spec::of("a").id("x").on_progress(|details| panic!("{details} is too much"));
    let job = jobs.register(spec, |context| async move {
        context.progress("half");
        Ok("whole".into())
    });
    assert_eq!(job.unwrap().wait().await.ending, Ending::Succeeded);
    assert_eq!(jobs.get("a", "x").unwrap().details, Some("half".into()));
}

/// 70
#[tokio::test(start_paused = true)]
async fn megabytes_of_progress_leave_the_last_details_and_few_calls() {
    let jobs = with_slots(9);
    let heard = Arc::new(AtomicUsize::new(0));
    let theirs = heard.clone();
    let spec = Spec::of("a").id("x").on_progress(move |_| {
        theirs.fetch_add(1, Ordering::SeqCst);
    });
    let job = jobs.register(spec, |context| async move {
        for number in 0..100 {
            context.progress(format!("{}{number}", "x".repeat(50_000)));
        }
        Ok(().into())
    });
    job.unwrap().wait().await;
    let details = jobs.get("a", "x").unwrap().details.unwrap();
    let text = details.as_str().unwrap();
    assert!(text.len() <= 16 * 1_024 && text.ends_with("x99"));
    assert_eq!(heard.load(Ordering::SeqCst), 1, "no time has passed");
}

/// 71
#[tokio::test(start_paused = true)]
async fn ten_thousand_ended_jobs_are_in_nobodys_way() {
    let jobs = Jobs::ephemeral(Options::default().slots(Slots::fixed(20_000)));
    for _ in 0..10_000 {
        jobs.register(Spec::of("many").id("same"), done).unwrap();
    }
    assert!(jobs.wait_for_owner("many", LONG, false).await);
    assert!(jobs.get("many", "same-10000").is_some());
    finish(&jobs, "few", "x").await;
    // What costs time by the number of all jobs would show in the bench; here: what is listed.
    assert_eq!(jobs.list("few").len(), 1);
    assert_eq!(jobs.delivery_state("few").pending, 1);
    assert_eq!(jobs.totals().jobs, 10_001);
}

/// 74
#[tokio::test(start_paused = true)]
async fn waiting_for_somebody_who_waits_for_me_is_refused_at_once() {
    let jobs = with_slots(9);
    jobs.register(Spec::of("parent").id("child").agent("worker"), hang).unwrap();
    jobs.register(Spec::of("worker").id("sub").agent("parent"), hang).unwrap();
    let theirs = jobs.clone();
    let parent =
        tokio::spawn(async move { theirs.wait("parent", &["child"], LONG, pending::<()>()).await });
    rest().await;
    let refused = jobs.wait("worker", &["sub"], LONG, pending::<()>()).await.unwrap_err();
    assert_eq!(refused.code(), "deadlock");
    let words = "waiting would never end: job `sub` cannot go on before agent `worker`, which asks \
                 to wait for it";
    assert_eq!(refused.to_string(), words);
    assert!(!jobs.get("worker", "sub").unwrap().is_watched);
    // With a way out it is a wait like any other.
    jobs.register(Spec::of("worker").id("free"), hang).unwrap();
    let waited = jobs.wait("worker", &["sub", "free"], ms(10), pending::<()>()).await.unwrap();
    assert_eq!(waited, Waited::TimedOut);
    parent.abort();
    rest().await;
    let waited = jobs.wait("worker", &["sub"], ms(10), pending::<()>()).await.unwrap();
    assert_eq!(waited, Waited::TimedOut, "nobody waits for the worker any more");
}

/// 74
#[tokio::test(start_paused = true)]
async fn agents_that_wait_in_other_ways_can_say_so() {
    let jobs = with_slots(9);
    let agent = |name: &str| Node::Agent(name.into());
    let first = jobs.blocked(agent("a"), vec![agent("b")]).unwrap();
    let refused = jobs.blocked(agent("b"), vec![agent("a")]).unwrap_err();
    assert_eq!(refused.code(), "deadlock");
    assert_eq!(jobs.blocked(agent("c"), vec![agent("c")]).unwrap_err().code(), "deadlock");
    drop(first);
    assert!(jobs.blocked(agent("b"), vec![agent("a")]).is_ok());
}

/// 75
#[tokio::test(start_paused = true)]
async fn a_hidden_job_is_told_once_it_is_promoted_and_never_once_it_is_released() {
    let jobs = with_slots(9);
    let told = listen(&jobs, "a");
    let kept = jobs.register(Spec::of("a").id("kept").foreground(), done).unwrap();
    let gone = jobs.register(Spec::of("a").id("gone").foreground(), done).unwrap();
    let late = jobs.register(Spec::of("a").id("late").foreground(), obey).unwrap();
    assert_eq!(kept.wait().await.ending, Ending::Succeeded);
    gone.wait().await;
    assert!(jobs.list("a").is_empty() && jobs.get("a", "kept").is_none());
    assert_eq!((told.ids().len(), jobs.delivery_state("a").pending), (0, 0));
    assert_eq!([kept.promote(), kept.promote(), kept.release()], [true, false, false]);
    assert_eq!([gone.release(), gone.promote()], [true, false]);
    assert!(late.release());
    late.cancel("over");
    late.gone().await;
    pass(60_000).await;
    assert_eq!(told.ids(), ["kept"]);
    assert_eq!(jobs.totals().jobs, 0);
}

/// 75
#[tokio::test(start_paused = true)]
async fn a_hidden_job_counts_and_becomes_an_ordinary_one() {
    let jobs = with_slots(1);
    let told = listen(&jobs, "a");
    let job = jobs.register(Spec::of("a").id("x").foreground(), obey).unwrap();
    assert_eq!(jobs.register(Spec::of("a"), done).unwrap_err().code(), "at_capacity");
    assert!(job.promote());
    assert_eq!(jobs.get("a", "x").unwrap().standing, Standing::Running);
    job.cancel("over");
    job.gone().await;
    assert_eq!(finish(&jobs, "a", "y").await, Ending::Succeeded);
    assert_eq!(told.ids(), ["y"]);
}

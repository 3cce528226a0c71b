//! Scenarios 1 to 12: registration, slots and ids.

use crate::embed_support::{done, finish, hang, leap, listen, ms, obey, rest, with_slots};
use longhaul::embed::{Ending, Jobs, Options, Refused, Slots, Spec, Standing};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// 1
#[tokio::test(start_paused = true)]
async fn at_the_cap_a_registration_is_refused_with_the_number_until_one_ends() {
    let jobs = with_slots(2);
    let first = jobs.register(Spec::of("a"), obey).unwrap();
    jobs.register(Spec::of("a"), obey).unwrap();
    let refused = jobs.register(Spec::of("a"), done).unwrap_err();
    assert_eq!(refused.code(), "at_capacity");
    assert!(refused.to_string().contains("2 jobs are running and at most 2 may"), "{refused}");
    first.cancel("room");
    first.gone().await;
    assert!(jobs.register(Spec::of("a"), done).is_ok());
}

/// 2
#[tokio::test(start_paused = true)]
async fn a_cap_that_shrinks_refuses_the_next_and_stops_nobody() {
    let cap = Arc::new(AtomicU32::new(5));
    let read = cap.clone();
    let slots = Slots::read(move || f64::from(read.load(Ordering::SeqCst)));
    let jobs = Jobs::ephemeral(Options::default().slots(slots));
    for _ in 0..4 {
        jobs.register(Spec::of("a"), hang).unwrap();
    }
    cap.store(2, Ordering::SeqCst);
    let refused = jobs.register(Spec::of("a"), hang).unwrap_err();
    assert!(refused.to_string().contains("4 jobs are running and at most 2 may"), "{refused}");
    rest().await;
    assert_eq!(jobs.totals().running, 4);
    assert!(jobs.list("a").iter().all(|job| job.standing == Standing::Running));
}

/// 3
#[tokio::test(start_paused = true)]
async fn a_cap_of_nothing_or_less_or_a_fraction_means_one() {
    for cap in [0.0, -3.0, 1.9] {
        let jobs = Jobs::ephemeral(Options::default().slots(Slots::fixed(cap)));
        jobs.register(Spec::of("a"), hang).unwrap();
        let refused = jobs.register(Spec::of("a"), hang).unwrap_err();
        assert!(refused.to_string().contains("at most 1 may"), "{cap}: {refused}");
    }
}

/// 4
#[tokio::test(start_paused = true)]
async fn a_body_that_registers_another_finds_its_own_slot_taken() {
    let jobs = with_slots(1);
    let job = jobs.register(Spec::of("a"), |context| {
        let second = context.jobs().register(Spec::of("a"), hang).map(|job| job.id().clone());
        async move { Ok(format!("{:?}", second.map_err(|refused| refused.code())).into()) }
    });
    let text = job.unwrap().wait().await.output.unwrap().text.clone();
    assert_eq!(text, "Err(\"at_capacity\")");
}

/// 5
#[tokio::test(start_paused = true)]
async fn a_body_that_looks_itself_up_finds_itself_running() {
    let jobs = with_slots(1);
    let job = jobs.register(Spec::of("a").id("me"), |context| {
        let seen = context.jobs().get("a", "me").map(|job| job.standing);
        async move { Ok(format!("{seen:?}").into()) }
    });
    assert_eq!(job.unwrap().wait().await.output.unwrap().text, "Some(Running)");
}

/// 6
#[tokio::test(start_paused = true)]
async fn a_body_that_prefers_its_own_id_for_another_gets_the_next() {
    let jobs = with_slots(2);
    let job = jobs.register(Spec::of("a").id("x"), |context| {
        let second = context.jobs().register(Spec::of("a").id("x"), hang);
        async move { Ok(second?.id().to_string().into()) }
    });
    assert_eq!(job.unwrap().wait().await.output.unwrap().text, "x-2");
    assert_eq!(jobs.list("a").len(), 2);
}

/// 7
#[tokio::test(start_paused = true)]
async fn a_body_that_panics_before_its_first_await_has_failed_and_is_told() {
    let jobs = with_slots(1);
    let told = listen(&jobs, "a");
    let job = jobs.register(Spec::of("a"), |context| {
        assert!(context.attempt() > 1, "nobody is home");
        done(context)
    });
    let verdict = job.unwrap().wait().await;
    assert_eq!(verdict.ending, Ending::Failed);
    assert_eq!(verdict.because.as_deref(), Some("panicked: nobody is home"));
    assert_eq!(told.notices()[0].text(), "panicked: nobody is home");
    assert_eq!(jobs.totals().running, 0);
}

/// 8
#[tokio::test(start_paused = true)]
async fn a_body_that_is_done_at_once_ends_after_register_gave_its_id() {
    let jobs = with_slots(1);
    let told = listen(&jobs, "a");
    let job = jobs.register(Spec::of("a").id("quick"), done).unwrap();
    assert_eq!(job.id().to_string(), "quick");
    assert_eq!(told.ids(), [""; 0], "nothing of the body has happened yet");
    assert_eq!(job.wait().await.ending, Ending::Succeeded);
    assert_eq!(told.ids(), ["quick"]);
}

/// 9
#[tokio::test(start_paused = true)]
async fn queued_bodies_that_all_want_to_run_do_so_two_at_a_time() {
    let jobs = with_slots(2);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut started = Vec::new();
    for _ in 0..20 {
        let (now, most) = (now.clone(), most.clone());
        let body = move |context: longhaul::embed::Context| async move {
            context.mark_running().await?;
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let _over = tokio::time::timeout(ms(100), std::future::pending::<()>()).await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(().into())
        };
        started.push(jobs.register(Spec::of("a").queued(), body).unwrap());
    }
    rest().await;
    let standing = |wanted| jobs.list("a").iter().filter(|job| job.standing == wanted).count();
    assert_eq!((standing(Standing::Running), standing(Standing::Queued)), (2, 18));
    for job in started {
        assert_eq!(job.wait().await.ending, Ending::Succeeded);
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

/// 10
#[tokio::test(start_paused = true)]
async fn cancelled_bodies_that_hang_keep_their_slots() {
    let jobs = with_slots(3);
    let mut registered = 0;
    for _ in 0..5 {
        for _ in 0..3 {
            registered += usize::from(jobs.register(Spec::of("a"), hang).is_ok());
        }
        rest().await;
        jobs.cancel_all("a", "again");
    }
    assert_eq!((registered, jobs.totals().alive, jobs.totals().running), (3, 3, 3));
    assert!(jobs.list("a").iter().all(|job| job.standing == Standing::Stopping && job.has_slot));
    leap(3_600_000).await;
    assert_eq!(jobs.totals().running, 3, "also after everybody was told of the orphans");
}

/// 11
#[tokio::test(start_paused = true)]
async fn preferred_ids_are_trimmed_and_get_suffixes() {
    let jobs = with_slots(9);
    let id = |id: &str| jobs.register(Spec::of("a").id(id), done).unwrap().id().to_string();
    assert_eq!(["a", " a ", "a"].map(id), ["a", "a-2", "a-3"]);
    assert_eq!(id("   "), "bg_1");
    let refused = jobs.register(Spec::of("a").id("x".repeat(300)), done).unwrap_err();
    assert_eq!(refused.code(), "id_too_long");
}

/// 12
#[tokio::test(start_paused = true)]
async fn a_number_is_never_given_twice() {
    let jobs = with_slots(9);
    let first = jobs.register(Spec::of("a"), done).unwrap();
    first.wait().await;
    leap(3_600_000).await;
    assert!(jobs.get("a", "bg_1").is_none());
    let hidden = jobs.register(Spec::of("a").foreground(), done).unwrap();
    hidden.wait().await;
    hidden.release();
    let next = jobs.register(Spec::of("a"), done).unwrap();
    let ids = [first, hidden, next].map(|job| job.id().to_string());
    assert_eq!(ids, ["bg_1", "bg_2", "bg_3"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_registered_changes_nothing() {
    let jobs = Jobs::ephemeral(Options::default().jobs_max(1));
    let retry = longhaul::embed::Retry { times: 1, delay: ms(1) };
    let refused = jobs.register(Spec::of("a").retry(retry), done).unwrap_err();
    assert_eq!(refused, Refused::RetryNeedsKind);
    let refused = jobs.start(Spec::of("a"), "index", serde_json::Value::Null).unwrap_err();
    assert_eq!(refused.code(), "unknown_kind");
    assert_eq!(jobs.totals().jobs, 0);
    assert_eq!(finish(&jobs, "a", "x").await, Ending::Succeeded);
    assert_eq!(jobs.register(Spec::of("a"), done).unwrap_err().code(), "too_many_jobs");
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_fails_runs_again_and_gives_its_slot_back_meanwhile() {
    let jobs = with_slots(1);
    let told = listen(&jobs, "a");
    jobs.kind("flaky", |context, input| async move {
        if context.attempt() < 3 {
            return Err(longhaul::embed::Failure::new("not yet"));
        }
        Ok(input.into())
    });
    let retry = longhaul::embed::Retry { times: 5, delay: ms(1_000) };
    let job = jobs.start(Spec::of("a").id("f").retry(retry), "flaky", 7.into()).unwrap();
    rest().await;
    assert_eq!(jobs.get("a", "f").unwrap().standing, Standing::Queued);
    assert_eq!(finish(&jobs, "a", "between").await, Ending::Succeeded);
    let verdict = job.wait().await;
    assert_eq!(verdict.output.unwrap().structured, Some(7.into()));
    assert_eq!(told.ids(), ["between", "f"]);
    job.gone().await;
}

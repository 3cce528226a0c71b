//! Scenarios 21 to 33: how results reach their owners.

use crate::embed_support::{
    Told, done, finish, hang, leap, listen, ms, pass, refuse, rest, with_slots,
};
use longhaul::embed::{DeliveryStanding, Jobs, Options, SinkFailure, Slots, Spec};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// 21, 22
#[tokio::test(start_paused = true)]
async fn a_sink_is_called_once_with_the_whole_ended_job() {
    let jobs = with_slots(9);
    let told = listen(&jobs, "a");
    let body = |_| async { Ok(serde_json::json!({ "files": 3 }).into()) };
    jobs.register(Spec::of("a").id("x").label("count"), body).unwrap().wait().await;
    pass(60_000).await;
    let notices = told.notices();
    assert_eq!(notices.len(), 1);
    let news = notices[0].news();
    assert_eq!((news.id.to_string().as_str(), news.label.as_deref()), ("x", Some("count")));
    assert_eq!(notices[0].outcome(), "succeeded");
    let output = news.verdict.output.as_ref().unwrap();
    assert_eq!(output.structured, Some(serde_json::json!({ "files": 3 })));
    assert!(news.ended_at >= news.created_at);
}

/// 22
#[tokio::test(start_paused = true)]
async fn a_sink_sees_the_job_as_ended() {
    let jobs = with_slots(9);
    let seen = Told::default();
    let (noted, asked) = (seen.clone(), jobs.clone());
    jobs.sink("a", move |notice| {
        let job = asked.get("a", "x").unwrap();
        assert!(job.ended_at.is_some() && job.verdict.is_some());
        assert_eq!(job.delivery, DeliveryStanding::Delivering);
        noted.note(notice);
        async { Ok(()) }
    });
    finish(&jobs, "a", "x").await;
    assert_eq!(seen.ids(), ["x"]);
    assert_eq!(jobs.get("a", "x").unwrap().delivery, DeliveryStanding::Delivered);
}

/// 23
#[tokio::test]
async fn the_first_try_begins_before_whoever_waits_goes_on() {
    let jobs = with_slots(9);
    let begun = Arc::new(AtomicUsize::new(0));
    let count = begun.clone();
    jobs.sink("a", move |_| {
        let count = count.clone();
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            std::future::pending().await
        }
    });
    for round in 1..=5 {
        finish(&jobs, "a", "x").await;
        assert_eq!(begun.load(Ordering::SeqCst), round);
    }
}

/// 24
#[tokio::test(start_paused = true)]
async fn a_sink_that_fails_once_is_called_again_after_half_a_second() {
    let jobs = with_slots(9);
    let told = Told::default();
    let theirs = told.clone();
    jobs.sink("a", move |notice| {
        let is_first = notice.attempt() == 1;
        theirs.note(notice);
        assert!(!is_first, "a panic is a failure too");
        async { Ok(()) }
    });
    finish(&jobs, "a", "x").await;
    let mut left = 2_000;
    while left > 0 && told.ids().len() < 2 {
        leap(1).await;
        left -= 1;
    }
    leap(60_000).await;
    let gaps = told.gaps();
    assert!(gaps.len() == 1 && (500..700).contains(&gaps[0]), "{gaps:?}");
    let ids = told.notices().iter().map(|notice| notice.delivery_id()).collect::<Vec<_>>();
    assert_eq!(ids[0], ids[1]);
}

/// 25
#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_ever_later_up_to_half_a_minute() {
    let jobs = with_slots(9);
    let told = refuse(&jobs, "a");
    finish(&jobs, "a", "x").await;
    pass(160_000).await;
    let gaps = told.gaps();
    let wanted = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000];
    assert!(gaps.len() >= wanted.len(), "{gaps:?}");
    for (gap, wanted) in gaps.iter().zip(wanted) {
        // Time moves in steps of 50 ms here.
        assert!((wanted..=30_050.min(wanted + 250)).contains(gap), "{gaps:?}");
    }
}

/// 26
#[tokio::test(start_paused = true)]
async fn what_can_never_be_told_is_a_dead_letter_of_its_owner() {
    let jobs = with_slots(9);
    refuse(&jobs, "a");
    finish(&jobs, "a", "x").await;
    leap(600_000).await;
    leap(600_000).await;
    assert!(jobs.get("a", "x").is_none());
    assert!(jobs.dead_letters("b").is_empty());
    let letters = jobs.dead_letters("a");
    assert_eq!((letters.len(), &*letters[0].because), (1, "no room"));
    assert_eq!(letters[0].news.verdict.output.as_ref().unwrap().text, "result of x");
    assert_eq!(jobs.delivery_state("a").dead, 1);
    leap(86_400_000).await;
    assert_eq!(jobs.take_dead_letters("a"), letters);
    assert!(jobs.dead_letters("a").is_empty());
}

/// 27
#[tokio::test(start_paused = true)]
async fn a_sink_that_hangs_on_one_result_is_given_the_others() {
    let jobs = with_slots(9);
    let told = Told::default();
    let theirs = told.clone();
    jobs.sink("a", move |notice| {
        let hangs = notice.id().to_string() == "bad";
        theirs.note(notice);
        async move { if hangs { std::future::pending().await } else { Ok(()) } }
    });
    for id in ["bad", "b", "c"] {
        finish(&jobs, "a", id).await;
    }
    assert_eq!(told.ids(), ["bad", "b", "c"]);
}

/// 28
#[tokio::test(start_paused = true)]
async fn a_try_that_hangs_runs_out_of_time_and_comes_again() {
    let jobs = Jobs::ephemeral(Options::default().try_timeout(ms(1_000)));
    let told = Told::default();
    let theirs = told.clone();
    jobs.sink("a", move |notice| {
        let hangs = notice.attempt() == 1;
        theirs.note(notice);
        async move { if hangs { std::future::pending().await } else { Ok(()) } }
    });
    finish(&jobs, "a", "x").await;
    pass(999).await;
    assert_eq!(jobs.get("a", "x").unwrap().delivery, DeliveryStanding::Delivering);
    pass(2_000).await;
    assert_eq!(told.ids(), ["x", "x"]);
    assert_eq!(jobs.get("a", "x").unwrap().delivery, DeliveryStanding::Delivered);
}

/// 29
#[tokio::test(start_paused = true)]
async fn a_result_that_waits_to_be_tried_again_delays_no_new_one() {
    let jobs = with_slots(9);
    let told = Told::default();
    let theirs = told.clone();
    jobs.sink("a", move |notice| {
        let fails = notice.id().to_string() == "bad";
        theirs.note(notice);
        async move { if fails { Err(SinkFailure::new("no")) } else { Ok(()) } }
    });
    finish(&jobs, "a", "bad").await;
    finish(&jobs, "a", "new").await;
    assert_eq!(told.ids(), ["bad", "new"], "without any time passing");
    assert!(matches!(jobs.get("a", "bad").unwrap().delivery, DeliveryStanding::Delayed(_)));
}

/// 30
#[tokio::test(start_paused = true)]
async fn many_results_at_once_are_told_in_order_and_few_at_a_time() {
    let jobs = Jobs::ephemeral(Options::default().slots(Slots::fixed(600)).tries_at_once(8));
    let told = Told::default();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (theirs, seen) = (told.clone(), most.clone());
    jobs.sink("a", move |notice| {
        theirs.note(notice);
        let (now, most) = (now.clone(), seen.clone());
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let _over = tokio::time::timeout(ms(20), std::future::pending::<()>()).await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }
    });
    for _ in 0..500 {
        jobs.register(Spec::of("a"), done).unwrap();
    }
    assert!(jobs.wait_for_owner("a", ms(60_000), false).await);
    let drained = jobs.drain(ms(60_000), "a").await;
    assert!(drained.is_all_told(), "{drained:?}");
    assert_eq!(most.load(Ordering::SeqCst), 8);
    let wanted: Vec<String> = (1..=500).map(|number| format!("bg_{number}")).collect();
    assert_eq!(told.ids(), wanted);
}

/// 31
#[tokio::test(start_paused = true)]
async fn a_sink_that_comes_late_is_given_the_backlog() {
    let jobs = with_slots(9);
    finish(&jobs, "a", "x").await;
    finish(&jobs, "a", "y").await;
    assert_eq!(jobs.delivery_state("a").without_sink, 2);
    leap(1).await;
    let told = listen(&jobs, "a");
    assert_eq!(told.ids(), ["x", "y"]);
    assert_eq!(jobs.delivery_state("a").pending, 0);
}

/// 32
#[tokio::test(start_paused = true)]
async fn results_never_go_to_another_owners_sink_nor_to_that_of_nobody() {
    let jobs = with_slots(9);
    let (other, nobodys) = (listen(&jobs, "b"), Told::default());
    let theirs = nobodys.clone();
    jobs.sink(longhaul::embed::Owner::nobody(), move |notice| {
        theirs.note(notice);
        async { Ok(()) }
    });
    finish(&jobs, "a", "x").await;
    jobs.register(Spec::new().id("free"), done).unwrap().wait().await;
    leap(3_600_000).await;
    assert_eq!(other.ids(), [""; 0]);
    assert_eq!(nobodys.ids(), ["free"]);
    assert_eq!(&*jobs.dead_letters("a")[0].because, "its owner had no sink");
}

/// 33
#[tokio::test(start_paused = true)]
async fn the_last_sink_counts_and_only_its_own_removal_takes_it_away() {
    let jobs = with_slots(9);
    let first = Told::default();
    let theirs = first.clone();
    let old = jobs.sink("a", move |notice| {
        theirs.note(notice);
        async { Ok(()) }
    });
    let second = listen(&jobs, "a");
    assert!(!old.remove());
    finish(&jobs, "a", "x").await;
    assert_eq!((first.ids().len(), second.ids()), (0, vec!["x".to_owned()]));
    let third = jobs.sink("a", |_| async { Ok(()) });
    assert!(third.remove());
    finish(&jobs, "a", "y").await;
    assert_eq!(jobs.delivery_state("a").without_sink, 1);
}

#[tokio::test(start_paused = true)]
async fn an_owner_whose_sink_hangs_delays_no_other_owner() {
    let jobs = with_slots(99);
    jobs.sink("stuck", |_| std::future::pending());
    let told = listen(&jobs, "sound");
    for number in 0..50 {
        finish(&jobs, "stuck", "x").await;
        finish(&jobs, "sound", &format!("s{number}")).await;
    }
    assert_eq!(told.ids().len(), 50);
    assert_eq!(jobs.delivery_state("stuck").delivering, 16);
    let running = jobs.register(Spec::of("stuck"), hang).unwrap();
    rest().await;
    assert!(running.snapshot().unwrap().has_slot);
}

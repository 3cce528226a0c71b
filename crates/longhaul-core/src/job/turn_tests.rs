//! What the end of a turn's attempt comes to, as one table: by what its CLI said, how its process
//! ended, and what we had done to it. Then the other verbs that only turns have.

use super::tests::{LATER, NOW, exit, place, queued};
use super::{Job, JobState, Waiting};
use crate::agent::{Agent, Ladder};
use crate::command::{Exit, How, Refused, StoppedBy};
use crate::limits;
use crate::outcome::Reason;
use crate::time::{Millis, Timestamp};
use crate::turn::{Health, Park, Remedy, ResumeRule, Turn, TurnEnd, TurnHow, TurnState, Used};
use expect_test::expect;

fn waiting() -> Job {
    let mut job = queued();
    job.spec.turn = Some(Turn { agent: "ada".into(), ..Turn::default() });
    job.spec.lane = Some(Agent::lane("ada"));
    job.turn = Some(TurnState { kind: "plain".into(), ..TurnState::default() });
    (job.spec.retry.max, job.spec.retry.on) = (0, Vec::new());
    job
}

fn running() -> Job {
    let mut job = waiting();
    job.begin_turn(false);
    job.place(&place(), NOW);
    job.started(1, NOW, 7).unwrap();
    job.turn.as_mut().unwrap().conversation = Some("c1".into());
    job
}

fn with(mut job: Job, change: impl FnOnce(&mut TurnState)) -> Job {
    change(job.turn.as_mut().unwrap());
    job
}

fn states() -> Vec<(&'static str, Job)> {
    let (mut cancelled, mut timed_out, mut lingering) = (running(), running(), running());
    cancelled.cancel(None, false, NOW).unwrap();
    timed_out.on_due(LATER);
    lingering.answered(NOW);
    lingering.on_due(LATER);
    let (mut spent, mut asking) = (running(), running());
    spent.stop_spent("spent".into(), false, NOW);
    asking.stop_spent("spent".into(), true, NOW);
    vec![
        ("running", running()),
        ("no park", with(running(), |turn| turn.park = Park::Never)),
        ("ask park", with(running(), |turn| turn.park = Park::Ask)),
        ("no fresh", with(running(), |turn| turn.resume = ResumeRule::Fail)),
        ("afresh", with(running(), |turn| turn.is_afresh = true)),
        ("cancel", cancelled),
        ("timeout", timed_out),
        ("lingering", lingering),
        ("spent", spent),
        ("asking", asking),
    ]
}

fn said(how: TurnHow) -> TurnEnd {
    TurnEnd {
        how,
        conversation: None,
        is_mismatch: false,
        said: String::new(),
        used: Used::default(),
        is_used_whole: true,
        carry: None,
        denied: 0,
        resume_command: None,
        last: Vec::new(),
    }
}

fn failed(class: &str, remedy: Remedy) -> TurnHow {
    TurnHow::Failed { class: class.into(), message: "no".into(), remedy }
}

fn ends() -> Vec<(&'static str, Exit)> {
    let of = |how, stopped, turn| Exit { turn: Some(Box::new(said(turn))), ..exit(how, stopped) };
    let by_itself = |code, turn| of(How::Exited(code), None, turn);
    let done = || TurnHow::Done { despite: None };
    let deferred = || TurnHow::Deferred { call: "t1".into(), tool: "Bash".into() };
    let asked = Some(StoppedBy::Asked);
    let lost = || How::Lost("gone".into());
    vec![
        ("done", by_itself(0, done())),
        ("done, code 1", by_itself(1, done())),
        ("done, killed", of(How::Signaled(9), asked, done())),
        ("done, lost", of(lost(), None, done())),
        ("done, oom", of(How::Signaled(9), Some(StoppedBy::Oom), done())),
        ("deferred", by_itself(0, deferred())),
        ("interrupted", of(How::Exited(143), asked, TurnHow::Cancelled)),
        ("network", by_itself(1, failed("network", Remedy::Retry))),
        ("limit until", by_itself(1, failed("rate_limited", Remedy::Park { until: Some(LATER) }))),
        ("limit", by_itself(0, failed("usage_limited", Remedy::Park { until: None }))),
        ("no resume", by_itself(1, failed("resume_refused", Remedy::Afresh))),
        ("hopeless", by_itself(0, failed("auth", Remedy::Ask))),
        ("over budget", by_itself(0, failed("budget", Remedy::Stop))),
        ("no result", by_itself(0, failed("no_result", Remedy::Retry))),
        ("nothing, lost", of(lost(), None, failed("no_result", Remedy::Retry))),
        ("limit, lost", of(lost(), None, failed("rate_limited", Remedy::Park { until: None }))),
        ("no such CLI", of(How::SpawnFailed("?".into()), None, done())),
        ("never began", of(How::NeverStarted(None), None, done())),
        ("says nothing", exit(How::Exited(0), None)),
    ]
}

fn name(job: &Job) -> String {
    match &job.state {
        JobState::Preparing { .. } => "preparing".to_owned(),
        JobState::Queued { because: Waiting::RateLimited, .. } => "parked".to_owned(),
        JobState::Queued { because: Waiting::Approval, .. } => "asks".to_owned(),
        JobState::Queued { because, .. } => format!("{because:?}").to_lowercase(),
        JobState::Ended { outcome, .. } if outcome.is_success() => "good".to_owned(),
        JobState::Ended { outcome, .. } => match outcome.reason {
            Some(Reason::ResumeFailed) => "!resume".to_owned(),
            Some(Reason::AgentFailed) => "!agent".to_owned(),
            Some(Reason::RateLimit) => "!limit".to_owned(),
            Some(reason) => format!("!{reason:?}").to_lowercase(),
            None => outcome.kind.name().to_owned(),
        },
        JobState::Starting { .. } | JobState::Running { .. } | JobState::Stopping { .. } => {
            job.state_name().to_owned()
        }
    }
}

#[test]
fn what_was_said_decides_and_not_the_exit() {
    let mut table = format!("{:<15}", "");
    for (state, _) in states() {
        table += &format!("{state:<10}");
    }
    for (end, exit) in ends() {
        table += &format!("\n{end:<15}");
        for (_, mut job) in states() {
            job.exited(1, exit.clone(), LATER).unwrap();
            assert_eq!(job.failures, 0, "none of these is worth an attempt");
            table += &format!("{:<10}", name(&job));
        }
    }
    let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
    expect![[r#"
                       running   no park   ask park  no fresh  afresh    cancel    timeout   lingering spent     asking
        done           good      good      good      good      good      good      good      good      good      good
        done, code 1   good      good      good      good      good      good      good      good      good      good
        done, killed   good      good      good      good      good      good      good      good      good      good
        done, lost     good      good      good      good      good      good      good      good      good      good
        done, oom      !oom      !oom      !oom      !oom      !oom      !oom      !oom      !oom      !oom      !oom
        deferred       asks      asks      asks      asks      asks      cancelled asks      asks      !budget   asks
        interrupted    !noresult !noresult !noresult !noresult !noresult cancelled !runtime  !noresult !budget   asks
        network        !agent    !agent    !agent    !agent    !agent    cancelled !agent    !agent    !budget   asks
        limit until    parked    !limit    asks      parked    parked    cancelled parked    parked    !budget   asks
        limit          parked    !limit    asks      parked    parked    cancelled parked    parked    !budget   asks
        no resume      retry     retry     retry     !resume   !resume   cancelled retry     retry     !budget   asks
        hopeless       !agent    !agent    !agent    !agent    !agent    cancelled !agent    !agent    !budget   asks
        over budget    !budget   !budget   !budget   !budget   !budget   cancelled !budget   !budget   !budget   asks
        no result      !noresult !noresult !noresult !noresult !noresult cancelled !noresult !noresult !budget   asks
        nothing, lost  !hostlost !hostlost !hostlost !hostlost !hostlost cancelled !runtime  !hostlost !budget   asks
        limit, lost    parked    !limit    asks      parked    parked    cancelled !runtime  parked    !budget   asks
        no such CLI    !spawn    !spawn    !spawn    !spawn    !spawn    cancelled !spawn    !spawn    !spawn    !spawn
        never began    launch    launch    launch    launch    launch    cancelled !runtime  launch    !budget   !budget
        says nothing   !noresult !noresult !noresult !noresult !noresult cancelled !noresult !noresult !budget   asks
    "#]].assert_eq(&(lines.join("\n") + "\n"));
}

#[test]
fn a_turn_that_has_answered_may_linger_and_no_longer() {
    let mut job = running();
    job.answered(NOW);
    let linger = NOW.plus(limits::LINGER_MAX);
    assert_eq!(job.due_at(), Some(linger));
    job.answered(LATER);
    assert_eq!(job.due_at(), Some(linger), "it is said once");
    let slept = Millis::from_secs(3_600);
    job.woke(slept, NOW.plus(slept));
    assert_eq!(job.due_at(), Some(linger.plus(slept)), "a closed lid is no lingering");
    // The news of its start may come after its answer, and after a sleep.
    let mut job = waiting();
    job.place(&place(), NOW);
    job.answered(NOW);
    job.woke(slept, NOW.plus(slept));
    job.started(1, NOW, 7).unwrap();
    assert_eq!(job.due_at(), Some(linger.plus(slept)));
}

#[test]
fn a_limit_is_waited_for_as_long_as_told_and_longer_each_time_where_nothing_is_told() {
    let parked = |until, parks| {
        let mut job = with(running(), |turn| turn.parks = parks);
        let how = failed("rate_limited", Remedy::Park { until });
        let end = Exit { turn: Some(Box::new(said(how))), ..exit(How::Exited(1), None) };
        job.exited(1, end, NOW).unwrap();
        (job.waits_until().map(|at| at.since(NOW)), name(&job))
    };
    let told = Millis::from_secs(7_200);
    assert_eq!(parked(Some(NOW.plus(told)), 9), (Some(told), "parked".into()));
    let (most, _) = parked(Some(Timestamp::MAX), 0);
    assert_eq!(most, Some(limits::PARK_MAX), "nobody is believed for ever");
    let pauses = [0, 1, 2, 50].map(|parks| parked(None, parks).0.unwrap());
    assert!(pauses.is_sorted() && pauses[3] <= limits::PARK_DELAY_MAX, "{pauses:?}");
    assert_eq!(parked(Some(NOW), 0).0, Some(pauses[0]), "an hour that has passed is none");
    assert_eq!(parked(None, limits::PARKS_MAX), (None, "!limit".into()));
}

#[test]
fn an_answer_ends_the_wait_for_it_and_no_hour_does() {
    let mut job = running();
    job.spec.retry.max = 1;
    let how = TurnHow::Deferred { call: "t1".into(), tool: "Bash".into() };
    let end = Exit { turn: Some(Box::new(said(how))), ..exit(How::Exited(0), None) };
    job.exited(1, end, NOW).unwrap();
    assert!(job.turn.as_ref().unwrap().is_deferred);
    assert_eq!((job.due_at(), job.on_due(Timestamp::MAX)), (None, false));
    job.go_on(LATER);
    assert_eq!(job.phase(), crate::port::Phase::Ready);
    job.begin_turn(false);
    assert_eq!(job.turn.as_ref().unwrap().conversation.as_deref(), Some("c1"));
    job.place(&place(), LATER);
    // It had begun by then: what follows is the rest of it, not the same again.
    let how = failed("network", Remedy::Retry);
    let end = Exit { turn: Some(Box::new(said(how))), ..exit(How::Exited(1), None) };
    job.exited(2, end, LATER).unwrap();
    let turn = job.turn.as_ref().unwrap();
    assert_eq!((turn.is_deferred, turn.is_going_on), (false, true));
    assert!(matches!(job.cancel(None, false, LATER), Ok(true)));
    assert!(matches!(job.exited(2, exit(How::Exited(0), None), LATER), Err(Refused::Stale(_))));
}

#[test]
fn each_step_of_the_ladder_is_taken_once() {
    let at = |secs| Some(Millis::from_secs(secs));
    let ladder =
        Ladder { warn_after: at(5), nudge_after: at(10), ask_after: at(20), stop_after: at(40) };
    let mut job = running();
    let steps = [4, 5, 6, 12, 9, 20, 21, 50].map(|secs| {
        let step = job.grow_quiet(Millis::from_secs(secs), &ladder);
        step.map(|step| format!("{step:?}")).unwrap_or_default()
    });
    assert_eq!(steps, ["", "Quiet", "", "Nudged", "", "Asked", "", ""]);
    assert_eq!(job.turn.as_ref().unwrap().health, Health::Asked);
    job.answered(NOW);
    assert!(!job.stop_quiet("quiet".into(), NOW), "what has answered is not silent");
    assert!(matches!(waiting().state, JobState::Queued { because: Waiting::New, .. }));
}

//! Every pair of state and verb, as one table: what the state becomes, or why it is refused.

use super::{Job, JobState};
use crate::command::{Exit, How, Place, Refused, Retention, StoppedBy, Submission};
use crate::id::{HostId, JobId};
use crate::spec::{Environment, JobSpec};
use crate::time::{Millis, Timestamp};
use expect_test::expect;
use std::collections::BTreeMap;

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_000_000);
pub(super) const LATER: Timestamp = Timestamp::from_millis(90_000_000);

pub(super) fn place() -> Place {
    let keep = Millis::from_secs(60);
    Place {
        host: HostId::parse("host_00000000000000000000000001").unwrap(),
        boot: "boot".into(),
        default_slots: 1,
        retention: Retention { keep, keep_failed: keep, jobs_max: 9, bytes_max: 9 },
        adopt_after: None,
    }
}

pub(super) fn queued() -> Job {
    let mut spec = JobSpec::new(vec!["true".into()], "/".into());
    (spec.retry.max, spec.retry.on) = (1, vec![75]);
    (spec.timeout, spec.stall) = (Some(Millis::from_secs(60)), Some(Millis::from_secs(5)));
    let submission = Submission {
        id: JobId::parse("job_00000000000000000000000001").unwrap(),
        spec,
        environment: Environment(BTreeMap::new()),
        key: None,
        owner: None,
        project: None,
        parent: None,
        retry_of: None,
        session: None,
    };
    Job::new(submission, 1, 0, false, NOW)
}

pub(super) fn exit(how: How, stopped: Option<StoppedBy>) -> Exit {
    Exit::bare(how, stopped, NOW)
}

fn starting() -> Job {
    let mut job = queued();
    job.place(&place(), NOW);
    job
}

fn running() -> Job {
    let mut job = starting();
    job.started(1, NOW, 7).unwrap();
    job
}

fn states() -> Vec<(&'static str, Job)> {
    let (mut stopping, mut forced, mut timed_out) = (running(), running(), running());
    stopping.cancel(None, false, NOW).unwrap();
    forced.cancel(None, true, NOW).unwrap();
    timed_out.on_due(LATER);
    let mut called_off = starting();
    called_off.on_due(LATER);
    let mut ended = running();
    ended.exited(1, exit(How::Exited(0), None), NOW).unwrap();
    vec![
        ("queued", queued()),
        ("starting", starting()),
        ("running", running()),
        ("cancelled", stopping),
        ("killed", forced),
        ("timed out", timed_out),
        ("called off", called_off),
        ("ended", ended),
    ]
}

type Verb = fn(&mut Job) -> Result<(), Refused>;

fn verbs() -> Vec<(&'static str, Verb)> {
    fn over(job: &mut Job, how: How, stopped: Option<StoppedBy>) -> Result<(), Refused> {
        job.exited(1, exit(how, stopped), LATER).map(drop)
    }
    vec![
        ("started", |job| job.started(1, NOW, 7)),
        ("exited 0", |job| over(job, How::Exited(0), None)),
        ("exited 75", |job| over(job, How::Exited(75), None)),
        ("exited 1 asked", |job| over(job, How::Exited(1), Some(StoppedBy::Asked))),
        ("exited 0 asked", |job| over(job, How::Exited(0), Some(StoppedBy::Asked))),
        ("never", |job| over(job, How::NeverStarted(None), None)),
        ("lost", |job| over(job, How::Lost("gone".into()), None)),
        ("stale", |job| job.exited(2, exit(How::Exited(0), None), LATER).map(drop)),
        ("cancel", |job| job.cancel(None, false, NOW).map(drop)),
        ("cancel now", |job| job.cancel(None, true, NOW).map(drop)),
        ("quiet", |job| job.quiet(1, Millis::from_secs(9), NOW).map(drop)),
        ("due", |job| {
            job.on_due(LATER);
            Ok(())
        }),
        ("purge", |job| job.purge(LATER)),
    ]
}

fn name(job: &Job) -> String {
    match &job.state {
        JobState::Ended { outcome, .. } => outcome.kind.name().to_owned(),
        JobState::Stopping { by_force: true, .. } => "stopping!".to_owned(),
        _ => job.state_name().to_owned(),
    }
}

#[test]
fn every_state_answers_every_verb() {
    let mut table = format!("{:<15}", "");
    for (state, _) in states() {
        table += &format!("{state:<11}");
    }
    for (verb, act) in verbs() {
        table += &format!("\n{verb:<15}");
        for (_, mut job) in states() {
            let before = job.clone();
            let cell = match act(&mut job) {
                Ok(()) if job == before => "-".to_owned(),
                Ok(()) => name(&job),
                Err(refused) => {
                    assert_eq!(job, before, "a refusal left a trace");
                    format!("!{}", refused.code())
                }
            };
            table += &format!("{cell:<11}");
        }
    }
    let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
    expect![[r#"
                       queued     starting   running    cancelled  killed     timed out  called off ended
        started        !stale     running    !repeat    !repeat    !repeat    !repeat    running    !stale
        exited 0       !stale     succeeded  succeeded  succeeded  succeeded  succeeded  succeeded  !stale
        exited 75      !stale     queued     queued     cancelled  cancelled  queued     queued     !stale
        exited 1 asked !stale     failed     failed     cancelled  cancelled  timed_out  failed     !stale
        exited 0 asked !stale     succeeded  succeeded  cancelled  cancelled  timed_out  succeeded  !stale
        never          !stale     queued     queued     cancelled  cancelled  timed_out  queued     !stale
        lost           !stale     lost       lost       cancelled  cancelled  timed_out  lost       !stale
        stale          !stale     !stale     !stale     !stale     !stale     !stale     !stale     !stale
        cancel         cancelled  stopping   stopping   -          -          stopping   stopping   !ended
        cancel now     cancelled  stopping!  stopping!  stopping!  -          stopping!  stopping!  !ended
        quiet          !stale     -          stopping   -          -          -          -          !stale
        due            -          stopping   stopping   stopping!  stopping!  -          -          -
        purge          !not_ended !not_ended !not_ended !not_ended !not_ended !not_ended !not_ended succeeded
    "#]].assert_eq(&(lines.join("\n") + "\n"));
}

//! "Some sinks hang: do the others wait for them?" Ten thousand jobs that need one that never
//! starts end together when that one is called off; each tells one of a hundred sinks. Beside it, the
//! same with nobody behind the ten: the tenth part of the jobs then tells nobody.

use crate::bench::Bench;
use crate::clock;
use crate::receiver::Receiver;
use crate::report::{Figure, Line, Reach, Unit};
use crate::stats::Samples;
use crate::subject::{self, Subject};
use anyhow::Result;
use serde_json::{Value, json};
use std::time::Duration;

const NAME: &str = "sinks";
const JOBS: usize = 10_000;
const SINKS: usize = 100;
/// Every sink whose number this divides hangs.
const HANGS_EACH: usize = 10;
const TIMES_MAX: f64 = 1.2;
/// Until the daemon has nothing left of ten thousand submits to do.
const REST: Duration = Duration::from_secs(2);
/// Each round is two daemons and twenty thousand jobs.
const ROUNDS_MAX: u32 = 3;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let (mut alone, mut beside) = (Samples::default(), Samples::default());
    for round in 0..bench.args.runs.min(ROUNDS_MAX) {
        alone.push(told(bench, &format!("sinks-alone-{round}"), false)?);
        beside.push(told(bench, &format!("sinks-beside-{round}"), true)?);
    }
    let sound = JOBS / HANGS_EACH * (HANGS_EACH - 1);
    let times = beside.median() / alone.median();
    let reach = Reach::at_most("within 1.2 × of it", times, TIMES_MAX);
    let (with, without) = (
        format!("{sound} notices to 90 sound sinks, while 10 with {} hang", JOBS - sound),
        format!("{sound} notices to 90 sound sinks, alone"),
    );
    let figure = |samples: &Samples| Figure::runs(samples, Unit::Milliseconds);
    Ok(vec![
        Line::new(NAME, without, figure(&alone)),
        Line::new(NAME, with, figure(&beside)).reach(reach),
    ])
}

/// Milliseconds from the outcome that ends all the others until every sound sink has all its notices.
fn told(bench: &Bench, name: &str, with_hanging: bool) -> Result<f64> {
    let receiver = Receiver::start()?;
    let subject = Subject::start(bench, name)?;
    let mut connection = subject.connect()?;
    for sink in (0..SINKS).filter(|sink| with_hanging || !hangs(*sink)) {
        let path = if hangs(sink) { "hang" } else { "sound" };
        subject::add_webhook(&mut connection, &format!("s{sink}"), &receiver.url(path))?;
    }
    subject::pause(&mut connection, true)?;
    let first = subject::submit(&mut connection, &subject::noop())?;
    let specs: Vec<Value> = (0..JOBS)
        .map(|job| {
            let mut spec = subject::noop();
            spec["after"] = json!([first]);
            let sink = job % SINKS;
            if with_hanging || !hangs(sink) {
                spec["notify"] = json!([format!("s{sink}")]);
            }
            spec
        })
        .collect();
    subject::submit_all(&mut connection, &specs)?;
    clock::rest(REST);
    let asked_at = clock::monotonic_ms();
    subject::cancel(&mut connection, &first)?;
    let sound = specs.len() - specs.len() / HANGS_EACH;
    let mut last_at = asked_at;
    for _ in 0..sound {
        last_at = last_at.max(receiver.next_of("/sound")?.at_ms);
    }
    Ok(last_at - asked_at)
}

fn hangs(sink: usize) -> bool {
    sink.is_multiple_of(HANGS_EACH)
}

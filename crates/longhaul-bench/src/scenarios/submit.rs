//! "How fast is my job safe?" Acknowledged means on the disk, so the disk's own price stands
//! beside it, paid in turns with it.

use super::missing;
use crate::baseline::SyncedAppend;
use crate::bench::Bench;
use crate::clock::timed;
use crate::contest::{self, Contender};
use crate::http::Connection;
use crate::peers;
use crate::program;
use crate::report::{Figure, Line, Reach};
use crate::stats::Samples;
use crate::subject::{self, Subject};
use anyhow::Result;

const NAME: &str = "submit";
const SAMPLES: usize = 500;
const WARM_UP: usize = 20;
/// Whole processes of one kind in a round.
const ROUND: usize = 20;
/// How many times the disk's own price a submit may cost.
const APPENDS_MAX: f64 = 2.0;
/// How many times faster than pueue a submit should be.
const PUEUE_TIMES: f64 = 3.0;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let mut lines = over_one_connection(bench)?;
    lines.extend(as_whole_process(bench)?);
    Ok(lines)
}

/// Latencies of submits and of synced appends, which take turns.
fn beside_appends(
    bench: &Bench,
    connection: &mut Connection,
    samples: usize,
) -> Result<(Samples, Samples)> {
    let mut disk = SyncedAppend::open(&bench.folder)?;
    let spec = subject::noop();
    let (mut submits, mut appends) = (Samples::default(), Samples::default());
    for _ in 0..WARM_UP {
        subject::submit(connection, &spec)?;
        disk.append()?;
    }
    for _ in 0..samples {
        submits.push(timed(|| subject::submit(connection, &spec))?);
        appends.push(timed(|| disk.append())?);
    }
    Ok((submits, appends))
}

fn over_one_connection(bench: &Bench) -> Result<Vec<Line>> {
    let subject = Subject::start(bench, "submit")?;
    let mut connection = subject.connect()?;
    // A paused pool: what is timed is the promise, not the start of the job.
    subject::pause(&mut connection, true)?;
    let (submits, appends) = beside_appends(bench, &mut connection, SAMPLES)?;
    subject::pause(&mut connection, false)?;
    let reach =
        Reach::at_most("p50 < 2 × append", submits.median() / appends.median(), APPENDS_MAX);
    let ours = submits.median();
    Ok(vec![
        Line::new(NAME, "submit over one connection, durable", Figure::latencies(&submits))
            .reach(reach),
        Line::new(NAME, "append 300 B + fdatasync", Figure::latencies(&appends)).beside(ours),
    ])
}

fn as_whole_process(bench: &Bench) -> Result<Vec<Line>> {
    let subject = Subject::start(bench, "submit-process")?;
    let mut field = peers::start(bench, NAME)?;
    let mut contenders = vec![Contender::new("longhaul submit -- true", ROUND, || {
        program::run(&mut subject.command(&["submit", "--", "true"]))
    })];
    for peer in &mut field.started {
        contenders.push(Contender::new(peer.submit_shown(), ROUND, || peer.submit()));
    }
    contest::hold(&mut contenders, bench.args.runs)?;
    let ours = contenders[0].figure();
    let mut lines = vec![];
    for contender in &contenders[1..] {
        let figure = contender.figure();
        lines.push(Line::new(NAME, &contender.name, figure.clone()).beside(ours.middle));
    }
    let mut first = Line::new(NAME, &contenders[0].name, ours.clone());
    if let Some(pueue) = contenders.iter().find(|one| one.name.starts_with("pueue")) {
        let times = pueue.figure().middle / ours.middle;
        first = first.reach(Reach::at_least("3 × faster than pueue", times, PUEUE_TIMES));
    }
    lines.insert(0, first);
    lines.extend(field.missing.into_iter().map(|peer| missing(NAME, peer)));
    Ok(lines)
}

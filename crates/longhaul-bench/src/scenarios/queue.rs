//! "Does a long queue slow me down?" The same submit, with more and more waiting before it.

use super::missing;
use crate::bench::Bench;
use crate::clock::timed;
use crate::contest::{self, Contender};
use crate::http::Connection;
use crate::peers::{Kind, Peer, Pueue};
use crate::report::{Figure, Line, Reach};
use crate::stats::Samples;
use crate::subject::{self, Subject};
use anyhow::Result;

const NAME: &str = "queue";
const SAMPLES: usize = 300;
const WARM_UP: usize = 20;
/// What the deepest queue may cost, in times of an empty one.
const TIMES_MAX: f64 = 1.5;
/// pueue's queues: each task is a process to submit, so they cannot be as deep.
const DEPTHS_OF_PUEUE: [usize; 3] = [0, 1_000, 2_500];
const ROUND_OF_PUEUE: usize = 10;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let mut lines = longhaul(bench)?;
    lines.extend(pueue(bench)?);
    Ok(lines)
}

/// An empty queue and a deep one, of two daemons, take turns: the disk drifts over the minutes that
/// filling takes, and would be taken for the queue's doing.
fn longhaul(bench: &Bench) -> Result<Vec<Line>> {
    let shallow = Subject::start(bench, "queue-shallow")?;
    let deep = Subject::start(bench, "queue-deep")?;
    let (mut shallow, mut deep) = (shallow.connect()?, deep.connect()?);
    subject::pause(&mut shallow, true)?;
    subject::pause(&mut deep, true)?;
    let mut lines = vec![];
    for depth in [bench.args.depth / 10, bench.args.depth] {
        let queued = subject::count(&mut deep, "queued")?;
        let more = vec![subject::noop(); depth.saturating_sub(queued)];
        subject::submit_all(&mut deep, &more)?;
        let (base, price) = in_turns(&mut shallow, &mut deep)?;
        let times = price.median() / base.median();
        let reach = Reach::at_most("p50 ≤ 1.5 × an empty queue's", times, TIMES_MAX);
        lines.push(Line::new(NAME, "submit to an empty queue", Figure::latencies(&base)));
        let what = format!("in turns with it, submit behind {depth} queued");
        lines.push(Line::new(NAME, what, Figure::latencies(&price)).reach(reach));
    }
    Ok(lines)
}

fn in_turns(shallow: &mut Connection, deep: &mut Connection) -> Result<(Samples, Samples)> {
    let spec = subject::noop();
    let (mut base, mut price) = (Samples::default(), Samples::default());
    for sample in 0..WARM_UP + SAMPLES {
        let first = timed(|| subject::submit(shallow, &spec))?;
        let second = timed(|| subject::submit(deep, &spec))?;
        if sample >= WARM_UP {
            base.push(first);
            price.push(second);
        }
    }
    Ok((base, price))
}

fn pueue(bench: &Bench) -> Result<Vec<Line>> {
    let Some(programs) = bench.peers.programs(Kind::Pueue) else {
        return Ok(vec![missing(NAME, Kind::Pueue.name())]);
    };
    let mut pueue = Pueue::start(programs, bench.fresh("queue-pueue")?)?;
    pueue.tell(&["pause"])?;
    let mut lines = vec![];
    let mut queued = 0;
    for depth in DEPTHS_OF_PUEUE {
        while queued < depth {
            pueue.submit()?;
            queued += 1;
        }
        let rounds = bench.args.runs;
        let figure = {
            let mut one = [Contender::new("pueue add", ROUND_OF_PUEUE, || pueue.submit())];
            contest::hold(&mut one, rounds)?;
            one[0].figure()
        };
        queued += ROUND_OF_PUEUE * rounds as usize + 1;
        lines.push(Line::new(NAME, format!("pueue add behind {depth} queued, process"), figure));
    }
    Ok(lines)
}

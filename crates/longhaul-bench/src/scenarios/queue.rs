//! "Does a long queue slow me down?" The same submit, with more and more waiting before it.

use super::{missing, submit};
use crate::bench::Bench;
use crate::contest::{self, Contender};
use crate::peers::{Kind, Peer, Pueue};
use crate::report::{Figure, Line, Reach};
use crate::subject::{self, Subject};
use anyhow::Result;

const NAME: &str = "queue";
const SAMPLES: usize = 300;
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

fn longhaul(bench: &Bench) -> Result<Vec<Line>> {
    let subject = Subject::start(bench, "queue")?;
    let mut connection = subject.connect()?;
    subject::pause(&mut connection, true)?;
    let mut lines = vec![];
    let mut shallow = None;
    for depth in [0, bench.args.depth / 10, bench.args.depth] {
        let queued = subject::count(&mut connection, "queued")?;
        let more = vec![subject::noop(); depth.saturating_sub(queued)];
        subject::submit_all(&mut connection, &more)?;
        let (submits, appends) = submit::beside_appends(bench, &mut connection, SAMPLES)?;
        let what = format!("submit behind {depth} queued");
        let line = Line::new(NAME, what, Figure::latencies(&submits));
        // The disk drifts over the minutes that filling takes, so each depth is held against the
        // disk of its own moment.
        let price = submits.median() / appends.median();
        lines.push(match shallow {
            None => line,
            Some(base) => line.reach(Reach::at_most(
                "≤ 1.5 × the first, each over its own append",
                price / base,
                TIMES_MAX,
            )),
        });
        let what = format!("append 300 B + fdatasync, in turns with it at {depth}");
        lines.push(Line::new(NAME, what, Figure::latencies(&appends)).beside(submits.median()));
        shallow = shallow.or(Some(price));
    }
    Ok(lines)
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

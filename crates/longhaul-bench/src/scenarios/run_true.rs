//! "What do I pay for running it through longhaul?" The bare price is a fork, an exec and a wait.

use super::missing;
use crate::bench::Bench;
use crate::contest::{self, Contender};
use crate::peers::{self, Kind, Pueue};
use crate::program;
use crate::report::{Figure, Line, Reach};
use crate::subject::Subject;
use anyhow::Result;
use std::process::Command;

const NAME: &str = "run-true";
/// Runs of one kind in a round.
const ROUND: usize = 40;
/// pueue's clients look at the daemon at intervals: one run takes seconds.
const ROUND_OF_PUEUE: usize = 1;
/// Milliseconds that longhaul may add to the bare price.
const ADDED_MS_MAX: f64 = 10.0;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let subject = Subject::start(bench, "run-true")?;
    let mut field = peers::start(bench, NAME)?;
    let followed = followed(bench)?;
    let mut contenders = vec![
        Contender::new("longhaul run -- true", ROUND, || {
            program::run(&mut subject.command(&["run", "--", "true"]))
        }),
        Contender::new("true, bare", ROUND, || program::run(&mut Command::new("true"))),
    ];
    for peer in &mut field.started {
        let shown = peer.run_shown();
        let times = if shown.starts_with("pueue") { ROUND_OF_PUEUE } else { ROUND };
        contenders.push(Contender::new(shown, times, || peer.run()));
    }
    if let Some(pueue) = &followed {
        let shown = "pueue add -- true, pueue follow";
        contenders.push(Contender::new(shown, ROUND_OF_PUEUE, || pueue.run_followed()));
    }
    contest::hold(&mut contenders, bench.args.runs)?;

    let ours = contenders[0].all();
    let added = ours.median() - contenders[1].all().median();
    let reach = Reach::at_most("p50 < bare + 10 ms", added, ADDED_MS_MAX);
    let mut lines =
        vec![Line::new(NAME, &contenders[0].name, Figure::latencies(ours)).reach(reach)];
    for contender in &contenders[1..] {
        let figure = Figure::latencies(contender.all());
        lines.push(Line::new(NAME, &contender.name, figure).beside(ours.median()));
    }
    lines.extend(field.missing.into_iter().map(|peer| missing(NAME, peer)));
    Ok(lines)
}

/// A second pueue, so that the two ways to wait do not share a queue.
fn followed(bench: &Bench) -> Result<Option<Pueue>> {
    let Some(programs) = bench.peers.programs(Kind::Pueue) else { return Ok(None) };
    Pueue::start(programs, bench.fresh("run-true-followed")?).map(Some)
}

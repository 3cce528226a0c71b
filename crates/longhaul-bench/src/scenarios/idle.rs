//! "What does it cost while nothing happens?" Laptops run on batteries, and agents mostly wait.

use crate::bench::Bench;
use crate::clock;
use crate::cost::{Cost, REST, over_a_while};
use crate::peers::{Kind, Pueue};
use crate::report::{Figure, Line, Reach, Unit};
use crate::subject::{self, Subject};
use anyhow::Result;

const NAME: &str = "idle";
const JOBS: usize = 100;
const PERCENT_MAX: f64 = 0.5;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let subject = Subject::start(bench, "idle")?;
    let mut connection = subject.connect()?;
    clock::rest(REST);
    let daemon = subject.daemon()?;
    let alone = over_a_while(&[daemon])?;

    subject::slots(&mut connection, JOBS)?;
    subject::submit_all(&mut connection, &vec![subject::sleeper(); JOBS])?;
    subject.settled(&mut connection, "running", JOBS)?;
    clock::rest(REST);
    let mut all = subject.own_processes()?;
    anyhow::ensure!(all.len() == JOBS + 1, "{} processes hold {JOBS} jobs", all.len());
    all.retain(|process| *process != daemon);
    all.insert(0, daemon);
    let busy = over_a_while(&all)?;

    let reach = |cost: &Cost| Reach::at_most("< 0.5 %", cost.percent, PERCENT_MAX);
    let with = |what: &str| format!("{what}, {JOBS} quiet jobs, 20 s");
    let mut lines = vec![
        Line::new(NAME, with("daemon and shims"), busy.figure()).reach(reach(&busy)),
        Line::new(NAME, with("of that, the daemon"), Figure::once(busy.first, Unit::Percent)),
        Line::new(NAME, with("voluntary switches of all"), busy.switches()),
        Line::new(NAME, "daemon without jobs, 20 s", alone.figure()).reach(reach(&alone)),
        Line::new(NAME, "voluntary switches of it", alone.switches()),
    ];
    lines.extend(pueue(bench, &alone, &busy)?);
    Ok(lines)
}

fn pueue(bench: &Bench, alone: &Cost, busy: &Cost) -> Result<Vec<Line>> {
    let Some(programs) = bench.peers.programs(Kind::Pueue) else {
        return Ok(vec![super::missing(NAME, Kind::Pueue.name())]);
    };
    let pueue = Pueue::start(programs, bench.fresh("idle-pueue")?)?;
    clock::rest(REST);
    let idle = over_a_while(&[pueue.daemon()?])?;
    pueue.tell(&["parallel", &JOBS.to_string()])?;
    for _ in 0..JOBS {
        pueue.tell(&["add", "--", "sleep 3600"])?;
    }
    pueue.settled("Running", JOBS)?;
    clock::rest(REST);
    let held = over_a_while(&[pueue.daemon()?])?;
    let what = format!("pueued, {JOBS} quiet tasks, 20 s");
    Ok(vec![
        Line::new(NAME, what, held.figure()).beside(busy.percent),
        Line::new(NAME, "pueued without tasks, 20 s", idle.figure()).beside(alone.percent),
    ])
}

//! "What does it cost while nothing happens?" Laptops run on batteries, and agents mostly wait.

use crate::bench::Bench;
use crate::clock::{self, Started};
use crate::peers::{Kind, Pueue};
use crate::processes::Process;
use crate::report::{Figure, Line, Reach, Unit};
use crate::subject::{self, Subject};
use anyhow::Result;
use std::time::Duration;

const NAME: &str = "idle";
const JOBS: usize = 100;
const QUIET: Duration = Duration::from_secs(20);
/// Until all that starting left to do is done, and threads that were only needed for it are gone.
const REST: Duration = Duration::from_secs(12);
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

/// What processes cost over a quiet interval.
struct Cost {
    /// Of one core, all together.
    percent: f64,
    /// Of one core, the first of them.
    first: f64,
    switches_per_second: f64,
}

impl Cost {
    fn figure(&self) -> Figure {
        Figure::once(self.percent, Unit::Percent)
    }

    fn switches(&self) -> Figure {
        Figure::once(self.switches_per_second, Unit::SwitchesPerSecond)
    }
}

#[expect(clippy::cast_precision_loss, reason = "twenty seconds of nanoseconds")]
fn over_a_while(processes: &[Process]) -> Result<Cost> {
    let look = || -> Result<Vec<(u64, u64)>> {
        processes.iter().map(|one| Ok((one.cpu_ns()?, one.voluntary_switches()?))).collect()
    };
    let started = Started::now();
    let before = look()?;
    clock::rest(QUIET);
    let after = look()?;
    let ms = started.elapsed_ms();
    // A thread that ended meanwhile takes its past with it.
    let spent: Vec<(u64, u64)> = std::iter::zip(&before, &after)
        .map(|(before, after)| (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1)))
        .collect();
    let percent = |ns: u64| ns as f64 / (ms * 1e6) * 100.0;
    let switches: u64 = spent.iter().map(|(_, switches)| switches).sum();
    Ok(Cost {
        percent: percent(spent.iter().map(|(ns, _)| ns).sum()),
        first: percent(spent.first().map_or(0, |(ns, _)| *ns)),
        switches_per_second: switches as f64 * 1000.0 / ms,
    })
}

//! "What does it hold in memory?" The daemon is one, the shims are many: of a shim only what it
//! shares with nobody counts.

use crate::bench::Bench;
use crate::clock;
use crate::peers::{Kind, Pueue};
use crate::report::{Figure, Line, Reach, Unit};
use crate::stats::Samples;
use crate::subject::{self, Subject};
use anyhow::Result;
use std::time::Duration;

const NAME: &str = "memory";
const JOBS: usize = 1_000;
const SHIMS: usize = 10;
const DAEMON_MIB_MAX: f64 = 15.0;
const SHIM_MIB_MAX: f64 = 1.5;
/// Until a daemon that was just asked something is idle again.
const REST: Duration = Duration::from_secs(2);

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let (mut fresh, mut later) = (Samples::default(), Samples::default());
    let mut shims = Samples::default();
    for run in 0..bench.args.runs {
        let subject = Subject::start(bench, &format!("memory-{run}"))?;
        let mut connection = subject.connect()?;
        clock::rest(REST);
        fresh.push(subject.daemon()?.resident_mib()?);
        subject::submit_all(&mut connection, &vec![subject::noop(); JOBS])?;
        subject.settled(&mut connection, "ended", JOBS)?;
        clock::rest(REST);
        later.push(subject.daemon()?.resident_mib()?);
        subject::slots(&mut connection, SHIMS)?;
        subject::submit_all(&mut connection, &vec![subject::sleeper(); SHIMS])?;
        subject.settled(&mut connection, "running", SHIMS)?;
        clock::rest(REST);
        for shim in subject.shims()? {
            shims.push(shim.private_mib()?);
        }
    }
    let mib = Unit::Mebibytes;
    let daemon = |samples: &Samples| Reach::at_most("< 15 MiB", samples.median(), DAEMON_MIB_MAX);
    let shim = Reach::at_most("< 1.5 MiB", shims.median(), SHIM_MIB_MAX);
    let mut lines = vec![
        Line::new(NAME, "idle daemon, fresh (RSS)", Figure::runs(&fresh, mib))
            .reach(daemon(&fresh)),
        Line::new(NAME, format!("idle daemon, after {JOBS} jobs (RSS)"), Figure::runs(&later, mib))
            .reach(daemon(&later)),
        Line::new(NAME, "one shim (private)", Figure::runs(&shims, mib)).reach(shim),
    ];
    lines.push(match bench.peers.programs(Kind::Pueue) {
        None => super::missing(NAME, Kind::Pueue.name()),
        Some(programs) => {
            let pueue = Pueue::start(programs, bench.fresh("memory-pueue")?)?;
            clock::rest(REST);
            let resident = pueue.daemon()?.resident_mib()?;
            Line::new(NAME, "pueued, fresh (RSS)", Figure::once(resident, mib))
                .beside(fresh.median())
        }
    });
    Ok(lines)
}

//! What processes cost while nothing happens.

use crate::clock::{self, Started};
use crate::processes::Process;
use crate::report::{Figure, Unit};
use anyhow::Result;
use std::time::Duration;

/// How long nothing happens.
const QUIET: Duration = Duration::from_secs(20);
/// Until all that starting left to do is done, and threads that were only needed for it are gone.
pub(crate) const REST: Duration = Duration::from_secs(12);

/// What processes cost over a quiet interval.
pub(crate) struct Cost {
    /// Of one core, all together.
    pub(crate) percent: f64,
    /// Of one core, the first of them.
    pub(crate) first: f64,
    pub(crate) switches_per_second: f64,
}

impl Cost {
    pub(crate) fn figure(&self) -> Figure {
        Figure::once(self.percent, Unit::Percent)
    }

    pub(crate) fn switches(&self) -> Figure {
        Figure::once(self.switches_per_second, Unit::SwitchesPerSecond)
    }
}

/// Watches processes for twenty seconds.
#[expect(clippy::cast_precision_loss, reason = "twenty seconds of nanoseconds")]
pub(crate) fn over_a_while(processes: &[Process]) -> Result<Cost> {
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

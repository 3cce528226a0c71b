//! Whether a job still shows a sign of life: bytes written, processor time, reports of its own.
//! Only turns and jobs that asked for it have a sampler. Whatever cannot be read is a sign of life: nobody is
//! stopped because of a doubt.

use super::evidence::Subject;
use super::site::Site;
use longhaul_core::command::Command;
use longhaul_core::limits;
use longhaul_core::time::Millis;
use longhaul_core::turn::Health;
use longhaul_shim::files::PidRecord;
use longhaul_shim::folder::Folder;
use longhaul_shim::tree;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at one job, however short its patience is.
const PAUSE_MIN: Millis = Millis::new(250);

/// Of the time between two looks, this many pauses count at most. Whoever looks late was held up
/// itself, and nobody could report to it meanwhile: that is no silence of the job's.
const LATE_PAUSES: u64 = 2;

/// Percent of a processor that an agent CLI uses while it does nothing: they redraw, beat, collect.
const IDLE_PERCENT: u64 = 1;

/// Everything that a living job changes sooner or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Signs {
    stdout_bytes: u64,
    stderr_bytes: u64,
    cpu_ms: u64,
    processes: u32,
    emitted: u64,
}

/// How long somebody may show no sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    /// The shortest silence that is said; core knows what else there is.
    least: Millis,
    /// How often a sign is looked for.
    pause: Duration,
    /// Percent of a processor that is no sign of life.
    idle_percent: u64,
}

impl Patience {
    /// Nothing where no silence means anything: neither is it asked for, nor has a turn a rung for it.
    pub(super) fn new(stall: Option<Millis>, rungs: &[Millis]) -> Option<Self> {
        let least = rungs.iter().copied().chain(stall).min()?;
        let pause = Millis::new(least.get() / limits::STALL_LOOKS).max(PAUSE_MIN);
        let idle_percent = if rungs.is_empty() { 0 } else { IDLE_PERCENT };
        Some(Self { least, pause: Duration::from_millis(pause.get()), idle_percent })
    }

    /// How much of the time between two looks was watched.
    fn watched_ms(&self, from_ms: u64, to_ms: u64) -> u64 {
        let pause_ms = u64::try_from(self.pause.as_millis()).unwrap_or(u64::MAX);
        to_ms.saturating_sub(from_ms).min(pause_ms.saturating_mul(LATE_PAUSES))
    }
}

/// Since when nothing has changed. Pure.
#[derive(Debug, Default)]
struct Stillness {
    held: Option<Held>,
}

/// The signs as they have been, in milliseconds awake.
#[derive(Clone, Copy, Debug)]
struct Held {
    signs: Signs,
    /// When they were first seen.
    since_ms: u64,
    /// When they were last seen.
    looked_ms: u64,
    /// How long of the time between was watched.
    still_ms: u64,
}

/// What one sample says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sample {
    /// It moved since the last.
    Moved,
    /// For so long nothing has changed.
    Still(Millis),
    /// Nothing is known: there was no last, or this one could not be had.
    Unknown,
}

impl Stillness {
    /// Takes a sample at a moment awake, in milliseconds.
    fn sample(&mut self, signs: Option<Signs>, awake_ms: u64, patience: &Patience) -> Sample {
        let known = self.held;
        if let (Some(signs), Some(held)) = (signs, known) {
            let span_ms = awake_ms.saturating_sub(held.since_ms);
            let worked_ms = signs.cpu_ms.saturating_sub(held.signs.cpu_ms);
            let idle_ms = span_ms.saturating_mul(patience.idle_percent);
            let is_idle = worked_ms.saturating_mul(100) <= idle_ms;
            if is_idle && (Signs { cpu_ms: held.signs.cpu_ms, ..signs }) == held.signs {
                let still_ms = held.still_ms + patience.watched_ms(held.looked_ms, awake_ms);
                self.held = Some(Held { looked_ms: awake_ms, still_ms, ..held });
                return Sample::Still(Millis::new(still_ms));
            }
        }
        let held = |signs| Held { signs, since_ms: awake_ms, looked_ms: awake_ms, still_ms: 0 };
        self.held = signs.map(held);
        if signs.is_some() && known.is_some() { Sample::Moved } else { Sample::Unknown }
    }
}

/// Samples an attempt until it is dropped, and reports how long it has been still as long as that
/// is too long, and once it moves again. The time that the machine sleeps does not count.
pub(super) async fn sample(site: Arc<Site>, subject: Subject, pid: PidRecord, patience: Patience) {
    let mut stillness = Stillness::default();
    loop {
        let look = look(&site, &subject, &pid).await;
        let is_worrying = look.is_some_and(|(_, is_worrying)| is_worrying);
        let (signs, awake_ms) = (look.map(|(signs, _)| signs), site.clock.awake_ms());
        let sample = stillness.sample(signs, awake_ms, &patience);
        let Subject { job, attempt } = subject.clone();
        match sample {
            Sample::Still(span) if span >= patience.least => {
                site.engine.report(vec![Command::Quiet { job, attempt, span }]);
            }
            Sample::Moved if is_worrying => {
                site.engine.report(vec![Command::Lively { job, attempt }]);
            }
            Sample::Moved | Sample::Still(_) | Sample::Unknown => {}
        }
        tokio::time::sleep(patience.pause).await;
    }
}

/// The signs, and whether the job is thought to be quiet.
async fn look(site: &Arc<Site>, subject: &Subject, pid: &PidRecord) -> Option<(Signs, bool)> {
    let (site, subject, pid) = (Arc::clone(site), subject.clone(), pid.clone());
    let look = move || {
        let folder = Folder::open(&site.home.attempt(&subject.job, subject.attempt)).ok()?;
        let usage = tree::usage(&pid)?;
        let job = site.job(&subject.job).ok()??;
        let signs = Signs {
            stdout_bytes: folder.spool_bytes("out"),
            stderr_bytes: folder.spool_bytes("err"),
            cpu_ms: usage.cpu_ms,
            processes: usage.processes,
            emitted: job.emitted,
        };
        Some((signs, job.turn.is_some_and(|turn| turn.health != Health::Well)))
    };
    tokio::task::spawn_blocking(look).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STILL: Signs =
        Signs { stdout_bytes: 1, stderr_bytes: 0, cpu_ms: 5, processes: 1, emitted: 0 };

    const fn still(ms: u64) -> Sample {
        Sample::Still(Millis::new(ms))
    }

    const fn patience(pause_ms: u64, idle_percent: u64) -> Patience {
        let pause = Duration::from_millis(pause_ms);
        Patience { least: Millis::new(0), pause, idle_percent }
    }

    #[test]
    fn stillness_counts_from_the_last_change() {
        let (mut stillness, patience) = (Stillness::default(), patience(400, 0));
        assert_eq!(stillness.sample(Some(STILL), 1_000, &patience), Sample::Unknown);
        assert_eq!(stillness.sample(Some(STILL), 1_400, &patience), still(400));
        let busy = Signs { cpu_ms: 6, ..STILL };
        assert_eq!(stillness.sample(Some(busy), 1_800, &patience), Sample::Moved);
        assert_eq!(stillness.sample(Some(busy), 2_000, &patience), still(200));
    }

    #[test]
    fn time_that_nobody_looked_or_listened_in_is_no_stillness() {
        let (mut stillness, patience) = (Stillness::default(), patience(400, 0));
        stillness.sample(Some(STILL), 0, &patience);
        assert_eq!(stillness.sample(Some(STILL), 500, &patience), still(500));
        assert_eq!(stillness.sample(Some(STILL), 600_000, &patience), still(1_300));
        let told = Signs { emitted: 1, ..STILL };
        assert_eq!(stillness.sample(Some(told), 600_400, &patience), Sample::Moved);
    }

    #[test]
    fn a_doubt_starts_over() {
        let (mut stillness, patience) = (Stillness::default(), patience(1_000, 0));
        stillness.sample(Some(STILL), 0, &patience);
        assert_eq!(stillness.sample(None, 5_000, &patience), Sample::Unknown);
        assert_eq!(stillness.sample(Some(STILL), 6_000, &patience), Sample::Unknown);
        assert_eq!(stillness.sample(Some(STILL), 7_000, &patience), still(1_000));
    }

    #[test]
    fn a_program_that_only_ticks_is_still() {
        let (mut stillness, patience) = (Stillness::default(), patience(60_000, IDLE_PERCENT));
        stillness.sample(Some(STILL), 0, &patience);
        let ticked = Signs { cpu_ms: STILL.cpu_ms + 600, ..STILL };
        assert_eq!(stillness.sample(Some(ticked), 60_000, &patience), still(60_000));
        let worked = Signs { cpu_ms: STILL.cpu_ms + 5_000, ..STILL };
        assert_eq!(stillness.sample(Some(worked), 120_000, &patience), Sample::Moved);
        let wrote = Signs { stdout_bytes: 2, ..worked };
        assert_eq!(stillness.sample(Some(wrote), 180_000, &patience), Sample::Moved);
    }

    #[test]
    fn the_shortest_silence_says_how_often_somebody_looks() {
        let minutes = |minutes: u64| Millis::from_secs(minutes * 60);
        assert_eq!(Patience::new(None, &[]), None);
        let patience = Patience::new(Some(minutes(8)), &[minutes(10), minutes(4)]).unwrap();
        assert_eq!((patience.least, patience.pause), (minutes(4), Duration::from_secs(60)));
        let patience = Patience::new(None, &[Millis::new(1)]).unwrap();
        assert_eq!(patience.pause, Duration::from_millis(PAUSE_MIN.get()));
    }
}

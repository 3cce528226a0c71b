//! Whether a job still shows a sign of life: bytes written, processor time, reports of its own.
//! Only jobs that asked for it have a sampler. Whatever cannot be read is a sign of life: nobody is
//! stopped because of a doubt.

use super::evidence::Subject;
use super::site::Site;
use longhaul_core::command::Command;
use longhaul_core::limits;
use longhaul_core::time::Millis;
use longhaul_shim::files::PidRecord;
use longhaul_shim::folder::Folder;
use longhaul_shim::tree;
use std::sync::Arc;
use std::time::Duration;

/// Everything that a living job changes sooner or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Signs {
    stdout_bytes: u64,
    stderr_bytes: u64,
    cpu_ms: u64,
    processes: u32,
    emitted: u64,
}

/// Since when nothing has changed. Pure.
#[derive(Debug, Default)]
struct Stillness {
    since: Option<(Signs, u64)>,
}

impl Stillness {
    /// Takes a sample at a moment awake, in milliseconds; gives for how long nothing has changed.
    fn sample(&mut self, signs: Option<Signs>, awake_ms: u64) -> Millis {
        match (signs, self.since) {
            (Some(signs), Some((known, since))) if signs == known => {
                Millis::new(awake_ms.saturating_sub(since))
            }
            (signs, _) => {
                self.since = signs.map(|signs| (signs, awake_ms));
                Millis::ZERO
            }
        }
    }
}

/// Samples an attempt until it is dropped, and reports when it has been still for `stall`. The time
/// that the machine sleeps does not count.
pub(super) async fn sample(site: Arc<Site>, subject: Subject, pid: PidRecord, stall: Millis) {
    let pause = Duration::from_millis((stall.get() / limits::STALL_LOOKS).max(1));
    let mut stillness = Stillness::default();
    loop {
        let signs = look(&site, &subject, &pid).await;
        let span = stillness.sample(signs, site.clock.awake_ms());
        if span >= stall {
            let Subject { job, attempt } = subject.clone();
            site.engine.report(vec![Command::Quiet { job, attempt, span }]);
        }
        tokio::time::sleep(pause).await;
    }
}

async fn look(site: &Arc<Site>, subject: &Subject, pid: &PidRecord) -> Option<Signs> {
    let (site, subject, pid) = (Arc::clone(site), subject.clone(), pid.clone());
    let look = move || {
        let folder = Folder::open(&site.home.attempt(&subject.job, subject.attempt)).ok()?;
        let usage = tree::usage(&pid)?;
        let job = site.job(&subject.job).ok()??;
        Some(Signs {
            stdout_bytes: folder.spool_bytes("out"),
            stderr_bytes: folder.spool_bytes("err"),
            cpu_ms: usage.cpu_ms,
            processes: usage.processes,
            emitted: job.emitted,
        })
    };
    tokio::task::spawn_blocking(look).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STILL: Signs =
        Signs { stdout_bytes: 1, stderr_bytes: 0, cpu_ms: 5, processes: 1, emitted: 0 };

    #[test]
    fn stillness_counts_from_the_last_change() {
        let mut stillness = Stillness::default();
        assert_eq!(stillness.sample(Some(STILL), 1_000), Millis::ZERO);
        assert_eq!(stillness.sample(Some(STILL), 1_400), Millis::new(400));
        let busy = Signs { cpu_ms: 6, ..STILL };
        assert_eq!(stillness.sample(Some(busy), 1_800), Millis::ZERO);
        assert_eq!(stillness.sample(Some(busy), 2_000), Millis::new(200));
    }

    #[test]
    fn a_doubt_starts_over() {
        let mut stillness = Stillness::default();
        stillness.sample(Some(STILL), 0);
        assert_eq!(stillness.sample(None, 5_000), Millis::ZERO);
        assert_eq!(stillness.sample(Some(STILL), 6_000), Millis::ZERO);
        assert_eq!(stillness.sample(Some(STILL), 7_000), Millis::new(1_000));
    }
}

//! Reads the clocks, and waits for conditions. The only file here that does either.

use anyhow::{Result, bail};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a condition may take before the scenario is given up.
const PATIENCE: Duration = Duration::from_secs(300);

/// A moment from which time is measured.
pub(crate) struct Started(Instant);

impl Started {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    pub(crate) fn now() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since, with fractions.
    pub(crate) fn elapsed_ms(&self) -> f64 {
        self.0.elapsed().as_secs_f64() * 1000.0
    }
}

/// Milliseconds that `act` took; what it refuses is passed on and not timed.
pub(crate) fn timed<T>(act: impl FnOnce() -> Result<T>) -> Result<f64> {
    let started = Started::now();
    act()?;
    Ok(started.elapsed_ms())
}

/// Asks every `pause` until there is an answer; fails, naming `what`, after five minutes.
pub(crate) fn until<T>(
    what: &str,
    pause: Duration,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Started::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if started.0.elapsed() > PATIENCE {
            bail!("gave up waiting after {} s: {what}", PATIENCE.as_secs());
        }
        thread::sleep(pause);
    }
}

/// Milliseconds on the clock that all processes of this machine share, and that nobody sets.
#[expect(clippy::cast_precision_loss, reason = "a machine is up for less than 2^53 ms")]
pub(crate) fn monotonic_ms() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
}

/// Nanoseconds on the same clock.
pub(crate) fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    part(now.tv_sec) * 1_000_000_000 + part(now.tv_nsec)
}

/// Lets the system come to rest, or a quiet interval pass that is being measured.
pub(crate) fn rest(how_long: Duration) {
    thread::sleep(how_long);
}

/// Seconds since 1970, for the ledger only.
#[expect(clippy::disallowed_methods, reason = "the ledger says when it was written")]
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

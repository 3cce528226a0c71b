//! The only reader of clocks. The engine's time never goes back and is never stepped: it advances
//! with the time since boot (suspended time included) and drifts towards the wall clock by at most a
//! twentieth, so a corrected clock neither fires every deadline at once nor holds them all.
//!
//! [`Slew`] decides, over readings that are its arguments; [`Clock`] takes the readings and keeps an
//! anchor on disk, so that a daemon started again in the same boot goes on where the last one was.

use fs_err::os::unix::fs::OpenOptionsExt;
use longhaul_core::time::{Millis, Timestamp};
use rustix::time::{ClockId, Timespec, clock_gettime};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The engine's time moves towards the wall clock by at most one part in this many.
const DRIFT_PARTS: i64 = 20;
/// Shorter sleeps are left to add up: the clocks are read one after another.
const SLEEP_MS_MIN: i64 = 100;
/// How old the anchor on disk may grow while steps are made.
const SAVE_EVERY_MS: i64 = 60_000;

#[cfg(target_os = "linux")]
const BOOT: ClockId = ClockId::Boottime;
// What macOS calls monotonic counts suspended time, which Linux's does not.
#[cfg(not(target_os = "linux"))]
const BOOT: ClockId = ClockId::Monotonic;

/// All clocks at one moment, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Readings {
    /// UTC since 1970, as far as somebody set it right. May jump.
    wall_ms: i64,
    /// Since boot, suspended time included.
    boot_ms: i64,
    /// Since boot, suspended time left out.
    mono_ms: i64,
}

impl Readings {
    fn take() -> Self {
        Self {
            wall_ms: millis(clock_gettime(ClockId::Realtime)),
            boot_ms: millis(clock_gettime(BOOT)),
            mono_ms: millis(clock_gettime(ClockId::Monotonic)),
        }
    }
}

/// What is kept on disk between two daemons of one boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Anchor {
    boot_id: String,
    boot_ms: i64,
    mono_ms: i64,
    engine_ms: i64,
}

/// The engine's time over readings. Pure.
#[derive(Clone, Debug)]
struct Slew {
    engine_ms: i64,
    boot_ms: i64,
    /// Elapsed time that was not spent on drifting yet, below one millisecond's worth.
    rest: i64,
    /// Time asleep up to which the engine was told.
    told_asleep_ms: i64,
}

impl Slew {
    /// Begins at the wall clock, or goes on from an anchor of the same boot.
    fn begin(anchor: Option<&Anchor>, now: Readings) -> Self {
        let asleep_ms = now.boot_ms - now.mono_ms;
        let fresh = Self {
            engine_ms: now.wall_ms,
            boot_ms: now.boot_ms,
            rest: 0,
            told_asleep_ms: asleep_ms,
        };
        let Some(anchor) = anchor.filter(|anchor| anchor.boot_ms <= now.boot_ms) else {
            return fresh;
        };
        let mut kept = Self {
            engine_ms: anchor.engine_ms,
            boot_ms: anchor.boot_ms,
            rest: 0,
            told_asleep_ms: (anchor.boot_ms - anchor.mono_ms).min(asleep_ms),
        };
        kept.advance(now);
        kept
    }

    fn advance(&mut self, now: Readings) -> i64 {
        let elapsed = (now.boot_ms - self.boot_ms).max(0);
        self.boot_ms = self.boot_ms.max(now.boot_ms);
        let straight = self.engine_ms + elapsed;
        let credit = self.rest + elapsed;
        let most = credit / DRIFT_PARTS;
        let drift = (now.wall_ms - straight).clamp(-most, most);
        // Credit that was not needed is not saved up: a later correction is as gentle as any.
        self.rest = credit % DRIFT_PARTS;
        self.engine_ms = self.engine_ms.max(straight + drift);
        self.engine_ms
    }

    fn slept(&self, now: Readings) -> Millis {
        let growth = now.boot_ms - now.mono_ms - self.told_asleep_ms;
        if growth < SLEEP_MS_MIN { Millis::ZERO } else { Millis::new(growth.unsigned_abs()) }
    }

    fn told(&mut self, slept: Millis) {
        self.told_asleep_ms = self.told_asleep_ms.saturating_add_unsigned(slept.get());
    }
}

/// The time, for everybody in the daemon. Cheap to clone; clones share one time.
#[derive(Clone, Debug)]
pub struct Clock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    boot_id: String,
    file: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    slew: Slew,
    saved_boot_ms: i64,
}

impl Clock {
    /// Starts the time of this daemon: from the anchor in `file` if that is of this boot, else from
    /// the wall clock. An anchor that cannot be read is taken as none.
    #[must_use]
    pub fn start(file: &Path, boot_id: &str) -> Self {
        let anchor = fs_err::read(file).ok();
        let anchor = anchor.and_then(|bytes| serde_json::from_slice::<Anchor>(&bytes).ok());
        let anchor = anchor.filter(|anchor| anchor.boot_id == boot_id);
        let now = Readings::take();
        let slew = Slew::begin(anchor.as_ref(), now);
        let state = Mutex::new(State { slew, saved_boot_ms: now.boot_ms });
        let boot_id = boot_id.to_owned();
        Self { shared: Arc::new(Shared { boot_id, file: file.to_owned(), state }) }
    }

    /// The engine's time. Never goes back.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.state().slew.advance(Readings::take()))
    }

    /// The engine's time at a moment that a shim recorded in milliseconds since boot. Only for
    /// records of this boot.
    #[must_use]
    pub fn from_boot_ms(&self, boot_ms: i64) -> Timestamp {
        let now = Readings::take();
        let engine_ms = self.state().slew.advance(now);
        Timestamp::from_millis(engine_ms.saturating_sub((now.boot_ms - boot_ms).max(0)))
    }

    /// How long the machine slept since the engine was last told; zero if it did not.
    #[must_use]
    pub fn slept_since_last(&self) -> Millis {
        self.state().slew.slept(Readings::take())
    }

    /// Says that the engine has committed this much of [`Self::slept_since_last`].
    pub fn told_slept(&self, slept: Millis) {
        self.state().slew.told(slept);
    }

    /// Milliseconds that this machine was awake since boot: for measuring spans of silence.
    #[must_use]
    pub fn awake_ms(&self) -> u64 {
        millis(clock_gettime(ClockId::Monotonic)).unsigned_abs()
    }

    /// Writes the anchor if it has grown old. To be called after steps, not from a timer: an idle
    /// daemon has nothing to remember.
    pub fn save_if_old(&self) -> io::Result<()> {
        let is_old = {
            let state = self.state();
            Readings::take().boot_ms - state.saved_boot_ms >= SAVE_EVERY_MS
        };
        if is_old { self.save() } else { Ok(()) }
    }

    /// Writes the anchor. At start, after the machine slept, and at the stop.
    pub fn save(&self) -> io::Result<()> {
        let anchor = {
            let mut state = self.state();
            let now = Readings::take();
            let engine_ms = state.slew.advance(now);
            state.saved_boot_ms = now.boot_ms;
            // Sleep that was not told yet must still show when the anchor is read back.
            let mono_ms = now.boot_ms - state.slew.told_asleep_ms;
            let boot_id = self.shared.boot_id.clone();
            Anchor { boot_id, boot_ms: now.boot_ms, mono_ms, engine_ms }
        };
        let bytes = serde_json::to_vec(&anchor).map_err(io::Error::other)?;
        let temporary = self.shared.file.with_extension("tmp");
        let mut private = fs_err::OpenOptions::new();
        private.write(true).create(true).truncate(true).mode(0o600);
        private.open(&temporary)?.write_all(&bytes)?;
        fs_err::rename(&temporary, &self.shared.file)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two statements that touch it.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Time of a program that embeds us: begins at the wall clock and then goes on by itself, so that
/// nobody who sets a clock moves it. It is tokio's, which tests can pause.
#[derive(Clone, Copy, Debug)]
pub struct Elapsed {
    began_at: Timestamp,
    began: tokio::time::Instant,
}

impl Elapsed {
    /// Begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { began_at: wall_now(), began: tokio::time::Instant::now() }
    }

    /// The time. Never goes back.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.began_at.plus(Millis::new(elapsed))
    }

    /// The moment at which [`Self::now`] will be `at`.
    #[must_use]
    pub fn instant_of(&self, at: Timestamp) -> tokio::time::Instant {
        // Beyond a century from the beginning is as good as never.
        let most = Millis::from_secs(100 * 366 * 24 * 3_600).get();
        let ahead = at.since(self.began_at).get().min(most);
        self.began + std::time::Duration::from_millis(ahead)
    }
}

/// The wall clock, for stamping ids and for programs that have no daemon's time. May jump.
#[must_use]
pub fn wall_now() -> Timestamp {
    Timestamp::from_millis(millis(clock_gettime(ClockId::Realtime)))
}

fn millis(time: Timespec) -> i64 {
    time.tv_sec.saturating_mul(1_000).saturating_add(time.tv_nsec / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_800_000_000_000;

    fn at(wall_ms: i64, boot_ms: i64, asleep_ms: i64) -> Readings {
        Readings { wall_ms, boot_ms, mono_ms: boot_ms - asleep_ms }
    }

    fn anchor(slew: &Slew) -> Anchor {
        Anchor {
            boot_id: "b".to_owned(),
            boot_ms: slew.boot_ms,
            mono_ms: slew.boot_ms - slew.told_asleep_ms,
            engine_ms: slew.engine_ms,
        }
    }

    #[test]
    fn a_steady_wall_clock_is_followed_exactly() {
        let mut slew = Slew::begin(None, at(NOON, 1_000, 0));
        for ms in 0..500 {
            assert_eq!(slew.advance(at(NOON + ms, 1_000 + ms, 0)), NOON + ms);
        }
    }

    #[test]
    fn a_wall_clock_stepped_an_hour_ahead_is_approached_by_a_twentieth() {
        let mut slew = Slew::begin(None, at(NOON, 0, 0));
        let hour = 3_600_000;
        assert_eq!(slew.advance(at(NOON + hour + 1_000, 1_000, 0)), NOON + 1_050);
        // Many small looks drift as far as one large one.
        let mut fine = Slew::begin(None, at(NOON, 0, 0));
        for ms in 1..=1_000 {
            fine.advance(at(NOON + hour + ms, ms, 0));
        }
        assert_eq!(fine.engine_ms, NOON + 1_050);
    }

    #[test]
    fn a_wall_clock_stepped_back_never_takes_the_time_back() {
        let mut slew = Slew::begin(None, at(NOON, 0, 0));
        let mut last = NOON;
        for ms in 1..=2_000 {
            let now = slew.advance(at(NOON - 86_400_000 + ms, ms, 0));
            assert!(now >= last, "went from {last} to {now}");
            last = now;
        }
        assert_eq!(last, NOON + 1_900);
    }

    #[test]
    fn a_day_of_suspend_counts_as_time_and_is_told_once() {
        let day = 86_400_000;
        let mut slew = Slew::begin(None, at(NOON, 1_000, 0));
        let woken = at(NOON + day, 1_000 + day, day);
        assert_eq!(slew.advance(woken), NOON + day);
        assert_eq!(slew.slept(woken), Millis::new(day.unsigned_abs()));
        slew.told(Millis::new(day.unsigned_abs()));
        assert_eq!(slew.slept(woken), Millis::ZERO);
    }

    #[test]
    fn a_restart_in_the_same_boot_goes_on_and_knows_of_sleep_meanwhile() {
        let mut slew = Slew::begin(None, at(NOON, 0, 0));
        slew.advance(at(NOON + 1_000, 1_000, 0));
        let hour = 3_600_000;
        // The wall clock was set back a day while the daemon was down, and the machine slept.
        let back = at(NOON - 86_400_000, 2_000 + hour, hour);
        let again = Slew::begin(Some(&anchor(&slew)), back);
        assert_eq!(again.slept(back), Millis::new(hour.unsigned_abs()));
        let straight = NOON + 2_000 + hour;
        assert!(again.engine_ms >= straight - straight.abs_diff(NOON).cast_signed() / 20);
        assert!(again.engine_ms > slew.engine_ms);
    }

    #[test]
    fn the_anchor_survives_a_restart_and_is_ignored_after_a_reboot() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock.json");
        let clock = Clock::start(&file, "one");
        let before = clock.now();
        clock.save().unwrap();
        assert!(Clock::start(&file, "one").now() >= before);
        let far = r#"{"boot_id":"one","boot_ms":0,"mono_ms":0,"engine_ms":9000000000000}"#;
        std::fs::write(&file, far).unwrap();
        assert!(Clock::start(&file, "one").now() >= Timestamp::from_millis(9_000_000_000_000));
        assert!(Clock::start(&file, "two").now() < Timestamp::from_millis(9_000_000_000_000));
        std::fs::write(&file, "torn").unwrap();
        assert!(Clock::start(&file, "one").now() >= before);
    }
}

//! The shim's only reader of clocks.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// One moment, by both clocks an attempt's records name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// UTC milliseconds; may jump.
    pub(crate) wall_ms: i64,
    /// Milliseconds since boot, suspended time included; never goes back.
    pub(crate) boot_ms: i64,
}

/// Reads both clocks.
pub(crate) fn now() -> Moment {
    Moment { wall_ms: ms(clock_gettime(ClockId::Realtime)), boot_ms: boot_ms() }
}

/// Milliseconds since boot.
pub(crate) fn boot_ms() -> i64 {
    ms(clock_gettime(BOOT))
}

#[cfg(target_os = "linux")]
const BOOT: ClockId = ClockId::Boottime;
// What macOS calls monotonic counts suspended time, which Linux's does not.
#[cfg(not(target_os = "linux"))]
const BOOT: ClockId = ClockId::Monotonic;

fn ms(time: Timespec) -> i64 {
    time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000)
}

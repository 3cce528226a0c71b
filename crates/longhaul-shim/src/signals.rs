//! Signal sets and dispositions: of the shim itself, and of the child just before its exec.

use std::io;
use std::mem::MaybeUninit;

use crate::platform;

/// The highest signal number of any system we run on.
const SIGNAL_MAX: i32 = 64;

/// A set of these signals.
pub(crate) fn set_of(signals: &[i32]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` initialises the whole set; `sigaddset` then changes an initialised one.
    #[expect(unsafe_code, reason = "rustix has no signal sets outside its runtime feature")]
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

/// Makes exactly these signals wait until they are asked for.
pub(crate) fn block(set: &libc::sigset_t) -> io::Result<()> {
    // SAFETY: `set` is initialised, and no old set is asked for.
    #[expect(unsafe_code, reason = "rustix has no sigprocmask outside its runtime feature")]
    let failed = unsafe {
        libc::sigprocmask(libc::SIG_SETMASK, std::ptr::from_ref(set), std::ptr::null_mut())
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Gives every signal its default meaning and lets all of them through.
///
/// Whoever started us may have ignored or blocked some, and both survive an exec. Allocates nothing
/// and takes no lock, so it may run between fork and exec.
pub(crate) fn reset() {
    for signal in 1..=SIGNAL_MAX {
        platform::default_disposition(signal);
    }
    // It cannot fail: the set is valid and so is the operation.
    let _ = block(&set_of(&[]));
}

/// Ignores these signals.
pub(crate) fn ignore(signals: &[i32]) {
    for signal in signals {
        // SAFETY: with SIG_IGN no code of ours is ever called by the kernel.
        #[expect(unsafe_code, reason = "rustix has no sigaction outside its runtime feature")]
        unsafe {
            libc::signal(*signal, libc::SIG_IGN);
        }
    }
}

/// What all children that were reaped used: processor milliseconds of all of them together, and
/// bytes of the largest at its largest.
pub(crate) fn usage_of_children() -> (u64, u64) {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the structure is ours to write, and all zeros is a valid one if nothing is written.
    #[expect(unsafe_code, reason = "rustix has no getrusage")]
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
        usage.assume_init()
    };
    let user = ms(usage.ru_utime.tv_sec, usage.ru_utime.tv_usec);
    let system = ms(usage.ru_stime.tv_sec, usage.ru_stime.tv_usec);
    let largest = u64::try_from(usage.ru_maxrss).unwrap_or(0);
    (u64::try_from(user + system).unwrap_or(0), largest * platform::RSS_UNIT_BYTES)
}

/// The width of both differs between systems.
fn ms(seconds: impl Into<i64>, micros: impl Into<i64>) -> i64 {
    seconds.into() * 1000 + micros.into() / 1000
}

//! Named places where a test may end or hold the shim. Compiled only with `failpoints`.

/// Ends or holds the process here if `LONGHAUL_FAILPOINTS` says so: `name=abort,other=pause`.
#[cfg(feature = "failpoints")]
pub fn at(name: &str) {
    let Ok(plan) = std::env::var("LONGHAUL_FAILPOINTS") else { return };
    let what = plan.split(',').find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='));
    match what {
        Some("abort") => {
            let me = rustix::process::getpid();
            // SIGKILL and not abort(): as kill -9 would, and no core is written.
            let _ = rustix::process::kill_process(me, rustix::process::Signal::KILL);
        }
        Some("pause") => loop {
            std::thread::park();
        },
        Some(_) | None => {}
    }
}

/// Nothing, in what users get.
#[cfg(not(feature = "failpoints"))]
pub fn at(_name: &str) {}

//! The `longhaul` binary. The shim comes first: it must be small and single-threaded, so nothing
//! else may have been initialised before it.

use longhaul::daemon::{self, DaemonOptions};
use longhaul::home::Home;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next();
    if first.as_deref().is_some_and(|first| first == "shim") {
        return match arguments.next() {
            Some(folder) => longhaul_shim::main(Path::new(&folder)),
            None => ExitCode::from(2),
        };
    }
    let words: Vec<_> = first.into_iter().chain(arguments).collect();
    if words.len() >= 2 && words[0] == "daemon" && words[1] == "run" {
        return daemon_run(words[2..].iter().any(|word| word == "--background"));
    }
    ExitCode::SUCCESS
}

/// Runs a daemon here. Not in `cli`, which knows the daemon only as a client does.
fn daemon_run(background: bool) -> ExitCode {
    let run = || {
        let options = DaemonOptions { background, ..DaemonOptions::new(Home::locate()?) };
        daemon::run_blocking(&options)
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be there to read it.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

//! The `longhaul` binary. The shim comes first: it must be small and single-threaded, so nothing
//! else may have been initialised before it.

use longhaul::cli::{self, Failed, Roots, ServeAsk};
use longhaul::daemon::{self, DaemonError, DaemonOptions};
use longhaul::hold;
use longhaul::home::Home;
use longhaul::serve::{Listen, TlsFiles};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next().unwrap_or_default();
    if first == "shim" {
        return match arguments.next() {
            Some(folder) => longhaul_shim::main(Path::new(&folder)),
            None => ExitCode::from(2),
        };
    }
    if first == hold::WORD {
        return hold::main(arguments);
    }
    cli::main(std::env::args_os(), Roots { run_daemon, serve, inspect, repair })
}

// The command line knows the daemon as its clients do; what runs in this process is given to it.

fn run_daemon(background: bool) -> Result<(), Failed> {
    let run = || {
        let options = DaemonOptions { background, ..DaemonOptions::new(Home::locate()?) };
        daemon::run_blocking(&options)
    };
    run().map_err(|error| failed(&error))
}

fn serve(ask: &ServeAsk) -> Result<(), Failed> {
    let ServeAsk { address, tls, is_insecure, on_up } = ask.clone();
    let tls = tls.map(|(cert, key)| TlsFiles { cert, key });
    let listen = Some(Listen { address, tls, is_insecure, on_up });
    let run = || {
        let options = DaemonOptions { listen, ..DaemonOptions::new(Home::locate()?) };
        daemon::run_blocking(&options)
    };
    run().map_err(|error| failed(&error))
}

fn inspect() -> Result<Vec<String>, Failed> {
    let inspect = || daemon::inspect(&Home::locate()?);
    inspect().map_err(|error| failed(&error))
}

fn repair() -> Result<Vec<String>, Failed> {
    let repair = || daemon::repair(&Home::locate()?);
    repair().map_err(|error| failed(&error))
}

fn failed(error: &DaemonError) -> Failed {
    let hint = error.hint().map(str::to_owned);
    Failed { code: error.code().to_owned(), message: error.to_string(), hint }
}

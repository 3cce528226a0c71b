//! The `longhaul` binary. The shim comes first: it must be small and single-threaded, so nothing
//! else may have been initialised before it.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "shim") {
        return match arguments.next() {
            Some(folder) => longhaul_shim::main(Path::new(&folder)),
            None => ExitCode::from(2),
        };
    }
    ExitCode::SUCCESS
}

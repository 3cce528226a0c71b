//! The shim as a program of its own, for this crate's tests: `shim <dir>`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args_os().nth(1) {
        Some(dir) => longhaul_shim::main(Path::new(&dir)),
        None => ExitCode::from(2),
    }
}

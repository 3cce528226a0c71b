//! What this crate's tests run as a job where a shell would not do.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let what = args.next().unwrap_or_default();
    let bytes = args.next().and_then(|n| n.parse::<usize>().ok()).unwrap_or_default();
    match what.as_str() {
        "allocate" => {
            let held = vec![1_u8; bytes];
            loop {
                std::hint::black_box(&held);
                std::thread::park();
            }
        }
        "write" => {
            let block = [b'x'; 64 << 10];
            let mut left = bytes;
            while left > 0 {
                let now = left.min(block.len());
                if std::io::stdout().write_all(&block[..now]).is_err() {
                    return ExitCode::FAILURE;
                }
                left -= now;
            }
            ExitCode::SUCCESS
        }
        _ => ExitCode::from(2),
    }
}

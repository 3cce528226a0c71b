//! `longhaul arcp`: a session of one client on the standard streams.

use super::Caller;
use super::error::{CliError, Leave};
use crate::client::carry;
use tokio::io::BufReader;

/// Bytes that are read of the standard input at once.
const READ_BYTES: usize = 64 * 1_024;

/// Hold a session on stdin and stdout, one frame a line
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul arcp --stdio --as alice

A client of the Agent Runtime Control Protocol starts this as its server. It ends when the client
says bye or its output ends, after what was asked was answered; jobs go on. Without --as the
client's token has to be one of `longhaul token`. If the daemon goes away it exits 4, and the
session can be resumed.")]
pub(super) struct Arcp {
    /// Speak on the standard streams
    #[arg(long, required = true)]
    stdio: bool,
    /// Vouch for the client: whom it stands for, whatever its token
    #[arg(long = "as", value_name = "NAME")]
    vouched: Option<String>,
}

impl Arcp {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let input = BufReader::with_capacity(READ_BYTES, tokio::io::stdin());
        carry(caller.options(true)?, self.vouched.as_deref(), input, tokio::io::stdout()).await?;
        Ok(Leave::OK)
    }
}

//! `longhaul serve`: the daemon in the foreground, reached over a network as well.

use super::error::{CliError, Leave};
use super::{Caller, daemon};
use serde_json::json;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

/// How often another daemon, started meanwhile by a command, is asked to make room.
const TAKEOVERS_MAX: u32 = 5;

/// Serve the HTTP API and sessions at an address
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul token add alice
  longhaul serve --listen 127.0.0.1:7777
  longhaul serve --listen 0.0.0.0:7777 --tls-cert cert.pem --tls-key key.pem

This is the daemon of its home, in the foreground; if another one runs it is asked to make room, and
jobs go on. Sessions are held at /arcp. Every request over the network brings a token.")]
pub(super) struct Serve {
    /// Where to listen; port 0 is any that is free
    #[arg(long, value_name = "ADDR")]
    listen: String,
    /// Encrypt, with this certificate and those that it was signed by (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Listen to others than this machine even without encryption or tokens
    #[arg(long)]
    insecure: bool,
}

/// How the daemon is to be reached over a network.
#[derive(Clone, Debug)]
pub struct ServeAsk {
    /// Where to listen.
    pub address: String,
    /// The certificate and its key, as files.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whether that may be unsafe.
    pub is_insecure: bool,
    /// Told where clients can connect, once they can.
    pub on_up: fn(SocketAddr),
}

impl Serve {
    /// Is the daemon until it is stopped.
    pub(super) fn run_here(self, caller: &Caller) -> Result<Leave, CliError> {
        let on_up = if caller.output.json { told_in_json } else { told };
        let ask = ServeAsk {
            address: self.listen,
            tls: self.tls_cert.zip(self.tls_key),
            is_insecure: self.insecure,
            on_up,
        };
        let mut takeovers = 0;
        loop {
            if daemon::make_room(caller)? {
                caller.output.note("the daemon that ran here was stopped; jobs go on");
            }
            match (caller.roots.serve)(&ask) {
                Ok(()) => return Ok(Leave::OK),
                // A command that follows a job has started the next one already.
                Err(failed) if failed.code == "already_running" && takeovers < TAKEOVERS_MAX => {
                    takeovers += 1;
                }
                Err(failed) => return Err(failed.into()),
            }
        }
    }
}

fn told(address: SocketAddr) {
    say(&format!("listening on {address}"));
}

fn told_in_json(address: SocketAddr) {
    say(&json!({ "listening": address.to_string() }).to_string());
}

fn say(line: &str) {
    let mut out = io::stdout();
    // Whoever started us may not wait for it.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

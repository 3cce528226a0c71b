//! How the agents are to be served.

use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Serve agents that clients of the protocol of sessions can be checked against
#[derive(Debug, clap::Parser)]
pub(crate) struct Flags {
    /// Where to listen for WebSockets; port 0 is any that is free
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// Speak on standard input and output; one client
    #[arg(long)]
    pub(crate) stdio: bool,
    /// A token and the principal that it stands for
    #[arg(long = "token", value_name = "TOKEN=PRINCIPAL")]
    pub(crate) tokens: Vec<Token>,
    /// The home; a fresh one that is removed at the end unless said
    #[arg(long, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Seconds between two signs of life
    #[arg(long, value_name = "S")]
    pub(crate) heartbeat: Option<u64>,
    /// Seconds that a session can be gone on with
    #[arg(long, value_name = "S")]
    pub(crate) resume_window: Option<u64>,
    /// Milliseconds that an agent has when it is asked to end
    #[arg(long, value_name = "MS")]
    pub(crate) cancel_grace: Option<u64>,
}

/// Who comes in by which token.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) token: String,
    pub(crate) principal: String,
}

impl FromStr for Token {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (token, principal) = text.split_once('=').ok_or("write it as `token=principal`")?;
        Ok(Self { token: token.to_owned(), principal: principal.to_owned() })
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token stays out: it opens doors.
        write!(out, "Token({})", self.principal)
    }
}

impl Flags {
    /// The home, and what removes it at the end if it is a fresh one.
    pub(crate) fn home(&self) -> std::io::Result<(PathBuf, Option<tempfile::TempDir>)> {
        if let Some(home) = &self.home {
            std::fs::create_dir_all(home)?;
            return Ok((std::path::absolute(home)?, None));
        }
        let fresh = tempfile::Builder::new().prefix("arcp-agents-").tempdir()?;
        Ok((fresh.path().to_owned(), Some(fresh)))
    }

    /// Writes down what was said about sessions; a home keeps what it was told before otherwise.
    pub(crate) fn write_settings(&self, home: &Path) -> std::io::Result<()> {
        let settings = [("heartbeat", self.heartbeat), ("window", self.resume_window)];
        let said: Vec<String> = settings
            .into_iter()
            .filter_map(|(name, seconds)| Some(format!("{name} = \"{}s\"\n", seconds?)))
            .collect();
        if said.is_empty() {
            return Ok(());
        }
        std::fs::write(home.join("config.toml"), format!("[sessions]\n{}", said.concat()))
    }
}

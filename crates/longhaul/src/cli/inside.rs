//! Being inside a job: which attempt of which, and how it is proven. The daemon gave all of it to the
//! attempt's first process in its environment.

use super::error::CliError;
use crate::client::{Client, Options, Target};
use std::path::PathBuf;
use std::time::Duration;

/// How long a daemon that is away is waited for by the programs of its jobs.
const AWAY_MAX: Duration = Duration::from_secs(10);

/// Which attempt of which job we are in, and how to prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) job: String,
    pub(super) attempt: u32,
    /// The token of this attempt: a secret.
    pub(super) token: String,
    socket: PathBuf,
}

impl Place {
    /// Where we are; refuses to be outside of a job.
    pub(super) fn find() -> Result<Self, CliError> {
        let variable = |name: &str| {
            variable(name).ok_or_else(|| {
                CliError::usage(format!("this is not inside a job: `{name}` is not set"))
                    .hint("this is for the programs that jobs run")
            })
        };
        let attempt = variable("LONGHAUL_ATTEMPT")?;
        let attempt = attempt.parse().map_err(|_| {
            CliError::usage(format!("`LONGHAUL_ATTEMPT` is `{attempt}`, which is no number"))
        })?;
        Ok(Self {
            job: variable("LONGHAUL_JOB_ID")?,
            attempt,
            socket: PathBuf::from(variable("LONGHAUL_SOCKET")?),
            token: variable("LONGHAUL_JOB_TOKEN")?,
        })
    }

    /// Where we are; `None` outside of a job. With a token but without the rest it is refused: who
    /// was given one must not be taken for somebody else.
    pub(super) fn of_caller() -> Result<Option<Self>, CliError> {
        match variable("LONGHAUL_JOB_TOKEN") {
            Some(_) => Self::find().map(Some),
            None => Ok(None),
        }
    }

    /// Reaches the job's own daemon, whatever else the environment names. Jobs go on without a daemon,
    /// so one that is away for a moment is no reason to fail.
    pub(super) async fn client(&self) -> Result<Client, CliError> {
        self.client_within(AWAY_MAX).await
    }

    /// The same, with another patience.
    pub(super) async fn client_within(&self, wait: Duration) -> Result<Client, CliError> {
        let target = Target::Unix(self.socket.clone());
        let options = Options { target, token: None, autostart: false };
        Ok(Client::reconnect(options, wait).await?)
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

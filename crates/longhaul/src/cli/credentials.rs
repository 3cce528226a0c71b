//! `longhaul credentials`: what was made for a job alone, and having it replaced.

use super::Caller;
use super::error::{CliError, Leave};
use super::output::{Tone, plain};
use crate::api::{CredentialView, CredentialsView, RotateAsk};

/// Show or replace what was made for a job alone
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Examples:
  longhaul credentials list job_01J9ZV
  longhaul credentials rotate job_01J9ZV gateway

Values are not shown here: who asked for the job is told them, and its processes find them in their
environment. A process keeps what it was started with; what was replaced is good for half a minute
more.")]
pub(super) struct Credentials {
    #[command(subcommand)]
    command: CredentialsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum CredentialsCommand {
    /// List the credentials of a job, without their values
    List {
        /// Whose
        #[arg(value_name = "JOB")]
        job: String,
    },
    /// Have others made that take their place
    Rotate {
        /// Whose
        #[arg(value_name = "JOB")]
        job: String,
        /// The one of this issuer; all of the job's if absent
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
}

impl Credentials {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let client = caller.client().await?;
        match self.command {
            CredentialsCommand::List { job } => show(caller, &client.credentials(&job).await?)?,
            CredentialsCommand::Rotate { job, name } => {
                let rotated = client.rotate_credentials(&job, &RotateAsk { issuer: name }).await?;
                if caller.output.json {
                    caller.output.value(&rotated)?;
                } else {
                    let words = match rotated.rotated {
                        0 => "nothing can be replaced now".to_owned(),
                        1 => "1 credential is being replaced".to_owned(),
                        many => format!("{many} credentials are being replaced"),
                    };
                    caller.output.line(&words)?;
                }
            }
        }
        Ok(Leave::OK)
    }
}

fn show(caller: &Caller, all: &CredentialsView) -> Result<(), CliError> {
    if caller.output.json {
        return caller.output.value(all);
    }
    let rows = all.credentials.iter().map(row).collect();
    caller.output.table(&["ISSUER", "GENERATION", "STATE", "ENDPOINT", "PROBLEM"], rows)
}

fn row(credential: &CredentialView) -> Vec<(Tone, String)> {
    let tone = match credential.state.as_str() {
        "active" => Tone::Live,
        "stuck" => Tone::Doubtful,
        _ => Tone::Plain,
    };
    let text = |text: &Option<String>| plain(text.as_deref().unwrap_or("-"));
    vec![
        (Tone::Plain, plain(&credential.issuer)),
        (Tone::Plain, credential.generation.to_string()),
        (tone, credential.state.clone()),
        (Tone::Plain, text(&credential.endpoint)),
        (Tone::Plain, text(&credential.problem)),
    ]
}

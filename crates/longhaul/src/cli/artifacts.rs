//! `longhaul artifacts`: the files that a job left.

use super::Caller;
use super::error::{CliError, Leave};
use super::output::{Stream, Tone, plain};
use super::show::rounded;
use crate::api::ArtifactView;

/// List, verify or print the files that a job left
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul artifacts nightly
  longhaul artifacts nightly --get report.html > report.html

--verify reads every file again; the exit code is 3 if one is no longer what it was when the job \
ended.")]
pub(super) struct Artifacts {
    /// Which job
    #[arg(value_name = "JOB")]
    job: String,
    /// Print the content of this file
    #[arg(long, value_name = "NAME", conflicts_with = "verify")]
    get: Option<String>,
    /// Compare all files with what was registered
    #[arg(long)]
    verify: bool,
}

impl Artifacts {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let client = caller.client().await?;
        if let Some(name) = &self.get {
            let mut content = client.artifact_content(&self.job, name).await?;
            while let Some(bytes) = content.next().await? {
                caller.output.bytes(Stream::Out, &bytes)?;
            }
            return Ok(Leave::OK);
        }
        let artifacts = client.artifacts(&self.job, self.verify).await?;
        if caller.output.json {
            caller.output.value(&artifacts)?;
        } else if artifacts.artifacts.is_empty() {
            caller.output.note("no artifacts");
        } else {
            let rows = artifacts.artifacts.iter().map(row).collect();
            caller.output.table(&["NAME", "SIZE", "SHA-256", ""], rows)?;
        }
        let is_changed = |artifact: &ArtifactView| artifact.verified == Some(false);
        let changed = artifacts.artifacts.iter().any(is_changed);
        Ok(if changed { Leave::REFUSED } else { Leave::OK })
    }
}

fn row(artifact: &ArtifactView) -> Vec<(Tone, String)> {
    let verified = match artifact.verified {
        Some(true) => (Tone::Good, "unchanged"),
        Some(false) => (Tone::Bad, "changed"),
        None => (Tone::Plain, ""),
    };
    vec![
        (Tone::Plain, plain(&artifact.name)),
        (Tone::Plain, rounded(artifact.size)),
        (Tone::Faint, artifact.sha256.clone()),
        (verified.0, verified.1.to_owned()),
    ]
}

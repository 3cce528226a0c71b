//! The options of `run` and `submit`: everything that a job can be asked to be.

use super::environment::EnvironmentOptions;
use crate::api::{Size, Span, Time};
use std::path::PathBuf;

const WHEN: &str = "When it runs";
const ENDS: &str = "How it ends";
const FILES: &str = "Files";
const LIMITS: &str = "Limits";

/// What a job shall be, as given on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(super) struct JobOptions {
    /// Name the job, for people; serves wherever an id does
    #[arg(long, value_name = "N")]
    pub(super) name: Option<String>,
    /// Label the job, to find it by; may be repeated
    #[arg(long = "label", value_name = "K=V")]
    pub(super) labels: Vec<String>,
    /// Say on whose behalf the job is submitted, and who is told when it has ended [default:
    /// LONGHAUL_OWNER, else the user at the project of the current directory]
    #[arg(long, value_name = "O")]
    pub(super) owner: Option<String>,
    /// Make asking twice harmless: same key and same spec give the same job, another spec is refused
    #[arg(long, value_name = "K")]
    pub(super) key: Option<String>,
    /// Run in this directory instead of the current one
    #[arg(long, value_name = "DIR")]
    pub(super) cwd: Option<PathBuf>,
    #[command(flatten)]
    pub(super) environment: EnvironmentOptions,
    #[command(flatten)]
    pub(super) when: WhenOptions,
    #[command(flatten)]
    pub(super) ends: EndOptions,
    #[command(flatten)]
    pub(super) files: FileOptions,
    #[command(flatten)]
    pub(super) limits: LimitOptions,
}

/// What decides when a job starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(super) struct WhenOptions {
    /// Take a slot of this pool
    #[arg(long, value_name = "P", help_heading = WHEN)]
    pub(super) pool: Option<String>,
    /// Run one at a time with the other jobs of this lane, oldest first
    #[arg(long, value_name = "KEY", help_heading = WHEN)]
    pub(super) lane: Option<String>,
    /// Go before jobs of lower priority in the same pool, 0 to 9 [default: 5]
    #[arg(long, value_name = "N", help_heading = WHEN)]
    pub(super) priority: Option<u64>,
    /// Start when these jobs have succeeded
    #[arg(long, value_name = "JOB", num_args = 1.., help_heading = WHEN)]
    pub(super) after: Vec<String>,
    /// Start when these jobs have ended, whatever their outcome
    #[arg(long, value_name = "JOB", num_args = 1.., help_heading = WHEN)]
    pub(super) after_any: Vec<String>,
    /// Start this long from now at the earliest, such as `10m`
    #[arg(long, value_name = "D", help_heading = WHEN, conflicts_with = "at")]
    pub(super) delay: Option<Span>,
    /// Start at this time at the earliest, such as `2026-05-01T08:00:00Z`
    #[arg(long, value_name = "T", help_heading = WHEN)]
    pub(super) at: Option<Time>,
}

/// What decides how a job ends, and what follows.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(super) struct EndOptions {
    /// Stop an attempt that runs longer than this
    #[arg(long, value_name = "D", help_heading = ENDS)]
    pub(super) timeout: Option<Span>,
    /// Stop an attempt that writes nothing, uses no CPU and reports nothing for this long
    #[arg(long, value_name = "D", help_heading = ENDS)]
    pub(super) stall: Option<Span>,
    /// Leave this long between asking a job to stop and killing it [default: 10s]
    #[arg(long, value_name = "D", help_heading = ENDS)]
    pub(super) grace: Option<Span>,
    /// Try again after a failure, up to this many times [default: 0]
    #[arg(long, value_name = "N", help_heading = ENDS)]
    pub(super) retry: Option<u64>,
    /// Wait this long before the first retry; doubles from there [default: 1s]
    #[arg(long, value_name = "D", help_heading = ENDS)]
    pub(super) retry_delay: Option<Span>,
    /// Retry only after these exit codes
    #[arg(long, value_name = "CODE", value_delimiter = ',', help_heading = ENDS)]
    #[arg(value_parser = clap::value_parser!(i32).range(1..=255))]
    pub(super) retry_on: Vec<i32>,
    /// Tell this sink when the job has ended; may be repeated
    #[arg(long, value_name = "SINK", help_heading = ENDS)]
    pub(super) notify: Vec<String>,
    /// Keep the ended job this long instead of what the home's retention says
    #[arg(long, value_name = "D", help_heading = ENDS)]
    pub(super) keep: Option<Span>,
}

/// What a job reads and leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(super) struct FileOptions {
    /// Give the job this file on its standard input; `-` stands for the caller's
    #[arg(long, value_name = "FILE|-", help_heading = FILES)]
    pub(super) stdin: Option<PathBuf>,
    /// Bundle a file or directory inside the working directory with the job
    #[arg(long, value_name = "PATH", num_args = 1.., help_heading = FILES)]
    pub(super) attach: Vec<PathBuf>,
    /// Register the files that match when the job ends; may be repeated
    #[arg(long, value_name = "GLOB", num_args = 1.., help_heading = FILES)]
    pub(super) artifact: Vec<String>,
    /// Run the job in a terminal of its own
    #[arg(long, help_heading = FILES)]
    pub(super) pty: bool,
}

/// What a job may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(super) struct LimitOptions {
    /// Stop the job when one of its streams is larger than this [default: 1G]
    #[arg(long, value_name = "SIZE", help_heading = LIMITS)]
    pub(super) max_output: Option<Size>,
    /// Stop the job when all it runs uses more memory than this
    #[arg(long, value_name = "SIZE", help_heading = LIMITS)]
    pub(super) memory: Option<Size>,
}

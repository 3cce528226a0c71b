//! Who calls the program: whose jobs it submits, whose notices it reads.

use super::Caller;
use super::output::plain;
use crate::api::{Fetched, JobView, SettleAsk};
use crate::client::Client;
use crate::project::{owner_in, project_of};
use std::path::PathBuf;

/// Names the caller where the command line does not.
const VARIABLE: &str = "LONGHAUL_OWNER";

/// A name that jobs and notices go by, and the project that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) name: String,
    pub(super) project: String,
}

impl Owner {
    /// The caller: as `asked`, else as the environment says, else the user at the project of the
    /// current directory. That is where somebody waits, wherever the job itself may run.
    pub(super) fn of_caller(asked: Option<&str>) -> Self {
        // A current directory that was removed belongs to no project in particular.
        let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let project = project_of(&here);
        let variable = std::env::var_os(VARIABLE).filter(|name| !name.is_empty());
        let name = asked.map(str::to_owned);
        let name = name.or_else(|| variable.map(|name| name.to_string_lossy().into_owned()));
        Self { name: name.unwrap_or_else(|| owner_in(&project)), project }
    }

    /// Whether a job is this owner's.
    pub(super) fn owns(&self, job: &JobView) -> bool {
        job.owner.as_ref() == Some(&self.name)
    }
}

/// Says for the owner of `job` that it has seen how that ended: who waited need not be told as well.
/// For whoever is that owner, or has just submitted the job for it; once the end was printed.
pub(super) async fn settle(client: &Client, job: &JobView, how: Fetched, caller: &Caller) {
    let Some(owner) = job.owner.clone() else { return };
    if let Err(error) = client.settle(&job.id, &SettleAsk { owner, how }).await {
        // What was asked for is done; at worst the same is told once more.
        let message = plain(&error.message);
        caller.output.note(&format!("{} will be told in the inbox, too: {message}", job.id));
    }
}

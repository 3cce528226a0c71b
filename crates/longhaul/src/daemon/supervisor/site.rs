//! What every act of the supervisor works with.

use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::{
    AskError, Credentials, Doubts, EngineHandle, Readers, Spools, Tokens, Worktrees,
};
use crate::home::Home;
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_core::port::{Record, Table};
use longhaul_core::record::StoredEnvironment;
use std::path::PathBuf;

/// What the supervisor was given. Shared by all of its acts.
pub(crate) struct Site {
    pub(crate) engine: EngineHandle,
    pub(crate) readers: Readers,
    pub(crate) spools: Spools,
    pub(crate) worktrees: Worktrees,
    pub(crate) home: Home,
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) tokens: Tokens,
    pub(crate) credentials: Credentials,
    pub(crate) doubts: Doubts,
    /// What is run as `<program> shim <dir>`.
    pub(crate) program: PathBuf,
    /// Soft and hard limit of open files as the daemon found them: what a job gets.
    pub(crate) nofile: Option<(u64, u64)>,
}

impl Site {
    /// Loads a job's row; `None` if it was removed. Blocks.
    pub(super) fn job(&self, id: &JobId) -> Result<Option<Job>, AskError> {
        let key = id.as_str().to_owned();
        self.readers.read_blocking(move |reader| {
            let row = reader.load(Table::Job, &key)?;
            Ok(row.as_ref().map(Job::from_row).transpose()?)
        })
    }

    /// Loads a job's environment; `None` once that was erased. Blocks.
    pub(super) fn environment(&self, id: &JobId) -> Result<Option<StoredEnvironment>, AskError> {
        let key = id.as_str().to_owned();
        self.readers.read_blocking(move |reader| {
            let row = reader.load(Table::Environment, &key)?;
            Ok(row.as_ref().map(StoredEnvironment::from_row).transpose()?)
        })
    }
}

//! The process that holds one attempt and outlives the daemon.
//!
//! Everything a daemon may know about an attempt lies in one folder (docs/attempt-folder.md). The
//! shim writes it, the daemon reads it through [`folder`] and [`evidence`], and neither needs the
//! other alive. Sync, single-threaded, no crate of ours: its files are a contract with other
//! releases, and its few pages stay resident for as long as a job runs.

pub mod evidence;
pub mod files;
pub mod folder;

mod clock;
mod record;

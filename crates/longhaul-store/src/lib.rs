//! SQLite and its memory twin behind core's port. A store keeps, finds and orders rows and journal
//! entries; it never learns what they mean. The suite in `tests/conformance` gives every store the
//! same history and wants the same answers.
//!
//! Reading order: [`memory`] says what each scan answers, in a few lines a scan; [`sqlite`] does the
//! same on disk; [`faulty`] makes commits fail when a test says so.

mod faulty;
mod memory;
mod passes_on;
mod rules;
mod sqlite;

pub use faulty::Faulty;
pub use memory::{MemoryReader, MemoryStore};
pub use sqlite::{
    Checkpoint, Salvaged, SqliteReader, SqliteStore, backups, is_replacing, open, quarantine,
    rebuild, replace, salvage,
};

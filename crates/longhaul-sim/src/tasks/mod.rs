//! Lives of tasks: the real engine over the memory store, and a process that runs functions, dies and
//! comes back. Smaller than the lives of processes, because a task leaves nothing behind: what a
//! process ran is gone with it, and the next one has only the rows.

mod laws;
mod life;

pub use life::{Broken, Life, Tally};

//! Lives of in-process jobs: the real [`Roster`], with bodies and sinks that are simulated, and do
//! what bodies and sinks do. [`Life::play`] makes one from a seed; `laws` holds what happened
//! against what may, by what was really alive and really told, not by what the roster says.

mod laws;
mod life;
mod under;

pub use life::{Broken, Life, Tally};
pub use under::{Straight, Under};

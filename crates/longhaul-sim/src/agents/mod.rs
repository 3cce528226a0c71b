//! Lives of agents: the real engine over the memory store, and people who send mail and ask for turns,
//! CLIs that do as their scripts say, drivers that follow what they write, and all that breaks.
//!
//! Reading order: [`plan`](Plan) writes a script; `life` plays it; `people` and `driver` are those who
//! act, `child` and `habits` what a CLI does; `laws` hold every step against what must be so.

mod child;
mod driver;
mod habits;
mod laws;
mod life;
mod people;
mod plan;
mod rows;
mod shrink;
mod spy;
mod story;

pub use life::{Broken, Life, Tally};
pub use plan::{Op, Plan, Timed};
pub use shrink::{attempt, report};

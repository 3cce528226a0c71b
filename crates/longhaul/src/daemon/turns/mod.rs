//! Turns of agents, as far as they are more than processes: what is launched for one, what its
//! output says, and how it ended. Goes by rows and spools alone, so that the daemon may be killed at
//! any moment: what was not committed is read again from where the last commit ended.
//!
//! Which CLI writes what is known in `longhaul_agents`; what follows from it is decided in core.

mod asked;
mod ended;
mod environment;
mod follow;
mod last;
mod masks;
mod reading;
mod reset;

pub(super) use self::asked::{Ingredients, Outfit, Unfit, outfit};
pub(super) use self::ended::{end, unfit};
pub use self::environment::is_needed;
pub(super) use self::follow::{Closing, Follower};
pub(super) use self::last::ENTRIES_MAX;

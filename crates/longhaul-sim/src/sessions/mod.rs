//! Lives of sessions: the real engine over a store, clients that come, lose their connections and come
//! back, and bodies that tell. What clients were given is read as a server reads it, from the runs of
//! feeds and the journal, and held against what [`ghosts`] says should have been given.

mod bodies;
mod clients;
mod edge;
mod ghosts;
mod laws;
mod life;
mod rows;
mod tally;
mod told;
mod wishes;

pub use crate::course::Broken;
pub use life::Life;
pub use tally::Tally;

//! Lives of hosted jobs: the real engine over a store, and bodies that ask for leave, spend, delegate
//! and fail. What they may do is worked out once more from the texts of leases and from what was
//! charged, apart from the rows: `family` keeps who was given what, `answers` says what each ask
//! should be told, `issuer` is where credentials are made, `vault` what should be so about those.

mod answers;
mod audit;
mod bodies;
mod family;
mod issuer;
mod laws;
mod leases;
mod life;
mod rows;
mod tally;
mod vault;
mod wishes;

pub use crate::course::Broken;
pub use life::Life;
pub use tally::Tally;

//! Lives, and what must be caught in them.

mod found;
mod lives;
mod mutants;
mod stores;
mod warped;

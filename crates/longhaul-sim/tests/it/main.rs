//! Lives, and what must be caught in them.

mod found;
mod found_notices;
mod limits;
mod lives;
mod mutants;
mod mutants_notices;
mod roster;
mod stores;
mod tasks;
mod untrue;
mod warped;

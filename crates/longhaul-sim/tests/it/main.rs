//! Lives, and what must be caught in them.

mod agents;
mod bent;
mod crooked;
mod found;
mod found_notices;
mod limits;
mod lives;
mod mutants;
mod mutants_agents;
mod mutants_notices;
mod mutants_sessions;
mod roster;
mod sessions;
mod stores;
mod tasks;
mod untrue;
mod warped;

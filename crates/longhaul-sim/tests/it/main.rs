//! Lives, and what must be caught in them.

mod agents;
mod asked;
mod bent;
mod crooked;
mod found;
mod found_notices;
mod hosted;
mod limits;
mod lives;
mod mutants;
mod mutants_agents;
mod mutants_hosted;
mod mutants_notices;
mod mutants_sessions;
mod roster;
mod sessions;
mod skewed;
mod stores;
mod tasks;
mod untrue;
mod warped;

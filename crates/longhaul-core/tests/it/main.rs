//! Scripts: commands and time in, what changed and what is wanted out. They are core's unit tests
//! and its documentation; `play.rs` says what a line may be.

mod after_the_end;
mod agents;
mod agents_bounds;
mod approvals;
mod credentials;
mod deaths;
#[cfg(test)]
mod delegation;
#[cfg(test)]
mod delegation_money;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod leases_of_turns;
mod mail;
mod mail_life;
mod notices;
mod owners;
#[cfg(test)]
mod pieces;
mod play;
mod play_agents;
mod play_notices;
mod play_sessions;
mod play_turns;
mod pools_and_lanes;
mod restored;
mod retention;
mod retries;
mod sessions;
mod sessions_found;
mod starts_and_stops;
mod submits;
mod tasks;
mod turns;

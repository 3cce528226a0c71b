//! The whole system in one deterministic process: seed in, life out. The engine and a store are the
//! real ones; people, drivers, processes and machines are simulated, and so is all that breaks.
//!
//! Reading order: [`plan`] writes a script from a seed; [`life`] plays it; `outside` is what the
//! shims and processes do, `drivers` how wants are met, `courier` and `visitors` how notices are
//! taken; [`checkers`] hold every step against the laws; [`shrink`] makes a failing script small.
//! [`roster`] does the same, smaller, for in-process jobs, [`tasks`] for those kept in a home,
//! [`agents`] for agents, their turns and their mail, [`sessions`] for clients that come and go, and
//! [`hosted`] for what jobs may do, spend and hand on; the last two at one host or at two, over `course`.

pub mod agents;
mod asks;
pub mod checkers;
mod counted;
mod courier;
mod course;
mod daemon;
mod drivers;
mod errands;
pub mod hosted;
pub mod life;
mod outside;
pub mod plan;
mod random;
pub mod roster;
pub mod script;
pub mod sessions;
pub mod shrink;
mod snapshot;
pub mod system;
pub mod tally;
pub mod tasks;
mod visitors;
pub mod wishes;

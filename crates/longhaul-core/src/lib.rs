//! Decides what becomes of a job. No I/O, no clock, no ids made, no chance: all of it comes in as
//! arguments, so a life can be replayed from its seed.
//!
//! Reading order: [`job`] is the machine; [`schedule`] says who may start and why not; [`decide`]
//! answers commands across rows; [`engine`] runs a batch as one transaction, lets time pass, places
//! jobs, commits, and hands out what is wanted. [`port`] is what it needs of a database.

pub mod backoff;
pub mod command;
pub mod decide;
pub mod engine;
pub mod event;
pub mod id;
pub mod job;
pub mod limits;
pub mod outcome;
pub mod port;
pub mod record;
pub mod restore;
pub mod schedule;
pub mod spec;
pub mod time;
pub mod world;

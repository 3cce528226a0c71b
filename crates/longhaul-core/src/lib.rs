//! Decides what becomes of a job. No I/O, no clock, no ids made, no chance: all of it comes in as
//! arguments, so a life can be replayed from its seed.
//!
//! Reading order: [`job`] is the machine; [`schedule`] says who may start and why not; [`decide`]
//! answers commands across rows; [`engine`] runs a batch as one transaction, lets time pass, places
//! jobs, commits, and hands out what is wanted. [`delivery`] is the machine of those who are told,
//! [`owner`] and [`sink`] are whom and where. [`port`] is what it needs of a database.
//! [`roster`] is the machine of in-process jobs, which need none. [`lease`] says what a job may touch,
//! and [`amounts`] what it may spend.

pub mod agent;
pub mod amounts;
pub mod approval;
pub mod backoff;
pub mod budget;
pub mod command;
pub mod credential;
pub mod decide;
pub mod delegation;
pub mod delivery;
mod dispatch;
pub mod engine;
pub mod event;
mod exit;
pub mod feed;
mod filter;
pub mod hosted;
pub mod id;
pub mod job;
pub mod lease;
pub mod limits;
pub mod mail;
pub mod mail_kind;
pub mod outcome;
pub mod owner;
pub mod policy;
pub mod port;
pub mod prompt;
pub mod quota;
pub mod record;
mod refused;
pub mod restore;
mod retain;
pub mod role;
pub mod roster;
pub mod schedule;
pub mod session;
pub mod sink;
pub mod spec;
mod table;
pub mod task;
pub mod time;
pub mod token;
pub mod turn;
pub mod world;

//! The Agent Runtime Control Protocol, version 1.1: what its messages look like, and a machine for
//! either end of a connection. No socket is opened here and no clock read: texts, answers and moments
//! come in as arguments, and what is to be done about them comes out.
//!
//! In reading order: [`message`] is what stands on the wire, [`codec`] is text to message and back,
//! [`error`] is how a refusal of ours is told, [`frames`] is how an entry of the journal is told,
//! [`server`] is our end of a connection, and [`client`] the other. [`profile`] is what some clients
//! need to have otherwise.
//!
//! A comment with a number in brackets, as `[arcp §6.4]`, names the section of the protocol's draft
//! whose demand the line below keeps.

pub mod canonical;
pub mod client;
pub mod codec;
pub mod error;
pub mod event;
pub mod features;
pub mod frames;
pub mod grammar;
pub mod id;
pub mod limits;
pub mod message;
pub mod profile;
mod pulse;
pub mod server;
pub mod trace;

//! Durable jobs in one binary: the daemon that decides and supervises, the server and client that
//! speak with it, and the command line; and [`embed`], for programs whose own work is to be jobs.
//!
//! `main.rs` hands over to the shim before anything else is initialised, then to [`cli`]. The
//! command line knows only [`client`] and [`api`]; it never reaches into the daemon.

mod access;
pub mod api;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod embed;
pub mod hold;
pub mod home;
pub mod ids;
mod links;
pub mod notice;
pub mod project;
mod secret_file;
pub mod serve;
pub mod views;

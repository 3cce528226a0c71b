//! The driver that sends notices.

mod answer;
mod connect;
mod desktop;
mod exec;
mod policy;
mod signature;
mod target;
mod webhook;

pub(crate) use self::target::{check_url, shown_url};

use bytes::Bytes;

/// One try of one notice, ready to be sent.
#[derive(Clone, Debug)]
struct Letter {
    /// The delivery's id: what a receiver drops doubles by.
    id: String,
    /// Which try.
    number: u32,
    /// The notice as JSON, the same bytes for whoever signs and whoever sends.
    body: Bytes,
}

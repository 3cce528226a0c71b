//! Linux: `/proc`, pidfds, signalfd, the subreaper and directory notification.

mod files;
mod growth;
mod proc;
mod signals;

pub(crate) use files::{RSS_UNIT_BYTES, open_terminal, pipe, reach_socket, socket};
pub(crate) use growth::Growth;
pub(crate) use proc::{
    Status, boot_id, children_of, environment_holds, everyone, has_open, is_keeper, pid_ns,
    private_bytes, status_of, ticks_per_second,
};
pub(crate) use signals::{Signals, become_subreaper, default_disposition, signal};

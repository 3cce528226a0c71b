//! Linux: `/proc`, pidfds, signalfd, the subreaper and directory notification.

mod files;
mod growth;
mod peer;
mod proc;
mod signals;

pub(crate) use files::{RSS_UNIT_BYTES, open_terminal, pipe, reach_socket, socket};
pub(crate) use growth::Growth;
pub(crate) use peer::peer_handle;
pub(crate) use proc::{
    Status, boot_id, children_of, environment_holds, everyone, has_open, is_keeper, pid_ns,
    private_bytes, shim_argument, status_of, ticks_per_second, variable_of,
};
pub(crate) use signals::{Signals, become_subreaper, default_disposition, signal};

//! Waits for a descriptor to become readable.

use std::io;
use std::os::fd::OwnedFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a descriptor that does not block with the runtime.
#[expect(
    deprecated,
    reason = "its successor is unsafe because some types give out another descriptor later; an \
              `OwnedFd` never does"
)]
pub(super) fn readable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(descriptor, Interest::READABLE)
}

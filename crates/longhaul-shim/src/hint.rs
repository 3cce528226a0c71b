//! Tells the daemon to look at a folder. Best effort: what counts is in the files.

use std::path::Path;

use rustix::io::Errno;
use rustix::net::{SendFlags, sendto};

use crate::files::Spec;
use crate::platform;

/// Sends `<job>.<attempt>` to the hint socket, if there is one that takes it at once.
pub(crate) fn send(spec: &Spec) {
    if let Some(path) = &spec.hint_socket {
        let text = format!("{}.{}", spec.job, spec.attempt);
        // A hint may be lost: nobody listens, the queue is full, the path is wrong.
        let _ = try_send(path, text.as_bytes());
    }
}

fn try_send(path: &Path, text: &[u8]) -> Result<(), Errno> {
    let socket = platform::socket()?;
    let (address, _held) = platform::reach_socket(path)?;
    sendto(&socket, text, SendFlags::empty(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn a_socket_deep_in_the_tree_gets_its_hint() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("d".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        // Binding has the same limit, so the listener is made short and moved.
        let listener = UnixDatagram::bind(root.path().join("s")).unwrap();
        std::fs::rename(root.path().join("s"), deep.join("hints")).unwrap();
        try_send(&deep.join("hints"), b"job_1.2").unwrap();
        let mut bytes = [0; 32];
        let got = listener.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..got], b"job_1.2");
    }
}

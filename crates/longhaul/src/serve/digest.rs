//! SHA-256 as text, of what is read piece by piece.

use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 64 * 1_024;

/// A hash in the making.
#[derive(Default)]
pub(super) struct Digest {
    hash: Sha256,
}

impl Digest {
    /// Takes the next bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
    }

    /// The hash of all that was taken, in lower-case hexadecimal.
    pub(super) fn finish(self) -> String {
        self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The hash of some bytes.
pub(super) fn hex_of(bytes: &[u8]) -> String {
    let mut digest = Digest::default();
    digest.take(bytes);
    digest.finish()
}

/// The hash of a whole file. Blocks for as long as the disk takes.
pub(super) fn of_file(file: &File) -> io::Result<String> {
    let mut digest = Digest::default();
    let mut piece = vec![0; PIECE_BYTES];
    let mut at = 0;
    loop {
        let count = file.read_at(&mut piece, at)?;
        if count == 0 {
            return Ok(digest.finish());
        }
        digest.take(&piece[..count]);
        at += count as u64;
    }
}

/// Whether `text` is a hash as we write them; nothing else may become a file's name.
pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_told_from_everything_else() {
        let empty = Digest::default().finish();
        assert!(empty.starts_with("e3b0c44298fc1c14"));
        assert!(is_sha256(&empty));
        let others = [String::new(), empty.to_uppercase(), format!("../{}", &empty[3..])];
        assert!(others.iter().all(|text| !is_sha256(text)));
    }
}

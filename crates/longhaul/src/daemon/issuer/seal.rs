//! Values of credentials lie in the database sealed: whoever gets hold of a copy of it, or of a backup,
//! has none without the home's sealing key.

use crate::ids;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit, Nonce};
use longhaul_core::id::CredentialId;
use std::io;

/// Bytes of the number that is never used twice with one key.
const NONCE_BYTES: usize = 12;

/// Seals and opens values.
pub(super) struct Sealer {
    cipher: ChaCha20Poly1305,
}

/// A value cannot be opened: it was sealed with another key, for another credential, or is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its value cannot be opened with this home's sealing key")]
pub(super) struct Unsealable;

impl Sealer {
    pub(super) fn new(key: &[u8; ids::SECRET_BYTES]) -> Self {
        Self { cipher: ChaCha20Poly1305::new(Key::from_slice(key)) }
    }

    /// Seals a value for one credential; for no other can it be opened.
    pub(super) fn seal(&self, id: &CredentialId, value: &str) -> io::Result<String> {
        let nonce: [u8; NONCE_BYTES] =
            ids::secret()?[..NONCE_BYTES].try_into().expect("a secret is longer than that");
        let payload = Payload { msg: value.as_bytes(), aad: id.as_str().as_bytes() };
        let sealed = self.cipher.encrypt(Nonce::from_slice(&nonce), payload);
        let sealed = sealed.map_err(|_| io::Error::other("a value is too long to be sealed"))?;
        Ok(STANDARD_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens a value.
    pub(super) fn open(&self, id: &CredentialId, sealed: &str) -> Result<String, Unsealable> {
        let bytes = STANDARD_NO_PAD.decode(sealed).map_err(|_| Unsealable)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES).ok_or(Unsealable)?;
        let payload = Payload { msg: sealed, aad: id.as_str().as_bytes() };
        let opened = self.cipher.decrypt(Nonce::from_slice(nonce), payload);
        String::from_utf8(opened.map_err(|_| Unsealable)?).map_err(|_| Unsealable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> CredentialId {
        CredentialId::parse(&format!("cred_{number:026}")).unwrap()
    }

    #[test]
    fn a_value_opens_for_its_own_credential_and_with_its_own_key_only() {
        let sealer = Sealer::new(&[7; ids::SECRET_BYTES]);
        let sealed = sealer.seal(&id(1), "sk-secret").unwrap();
        assert!(!sealed.contains("secret"));
        assert_eq!(sealer.open(&id(1), &sealed).unwrap(), "sk-secret");
        assert_eq!(sealer.open(&id(2), &sealed), Err(Unsealable));
        assert_eq!(Sealer::new(&[8; ids::SECRET_BYTES]).open(&id(1), &sealed), Err(Unsealable));
        assert_ne!(sealer.seal(&id(1), "sk-secret").unwrap(), sealed);
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let sealer = Sealer::new(&[7; ids::SECRET_BYTES]);
        let sealed = sealer.seal(&id(1), "sk-secret").unwrap();
        let mut other = sealed.into_bytes();
        other[20] = if other[20] == b'A' { b'B' } else { b'A' };
        for bad in ["", "AAAA", "!", &String::from_utf8(other).unwrap()] {
            assert_eq!(sealer.open(&id(1), bad), Err(Unsealable), "{bad}");
        }
    }
}

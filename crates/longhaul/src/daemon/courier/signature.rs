//! Standard Webhooks: the signature that lets a receiver tell our notices from anybody else's, and
//! the secret that it is made with.

use crate::secret_file;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use std::path::Path;

/// What a secret in its printable form begins with.
const PREFIX: &str = "whsec_";

/// A webhook's secret. Read anew for each try, so that replacing the file is all it takes.
pub(super) struct Secret(Vec<u8>);

/// Says why a file holds no secret to sign with; for who adds a sink. Blocks.
///
/// # Errors
/// In words, naming the file and never what is in it.
pub fn check_secret(path: &Path) -> Result<(), String> {
    Secret::read(path).map(drop)
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("(secret)")
    }
}

impl Secret {
    /// Reads a secret from a file that is this user's alone. Blocks.
    ///
    /// # Errors
    /// In words, naming the file and never what is in it.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let bytes = secret_file::read(path)?;
        let fail = |why: &str| format!("the secret in `{}` {why}", path.display());
        Self::parse(&bytes).map_err(fail)
    }

    /// Takes `whsec_` and base64, or any bytes as they are; the line's end does not count.
    fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let bytes = bytes.trim_ascii_end();
        if bytes.is_empty() {
            return Err("is empty");
        }
        let Some(encoded) = bytes.strip_prefix(PREFIX.as_bytes()) else {
            return Ok(Self(bytes.to_vec()));
        };
        match STANDARD.decode(encoded) {
            Ok(key) if !key.is_empty() => Ok(Self(key)),
            Ok(_) | Err(_) => Err("begins with `whsec_` and does not go on in base64"),
        }
    }

    /// The value of `webhook-signature`. `unix_secs` is what stands in `webhook-timestamp`.
    pub(super) fn sign(&self, id: &str, unix_secs: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length is a key");
        mac.update(format!("{id}.{unix_secs}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_published_vector_comes_out() {
        let secret = Secret::parse(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signed =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_raw_secret_is_taken_as_it_is() {
        let raw = Secret::parse(b"plain text\n").unwrap();
        assert_eq!(raw.0, b"plain text");
        assert_eq!(format!("{raw:?}"), "(secret)");
        for bad in [&b""[..], b"\n", b"whsec_", b"whsec_!!!"] {
            assert!(Secret::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs_err::write(&path, "hush").unwrap();
        for (mode, may) in [(0o600, true), (0o400, true), (0o644, false), (0o640, false)] {
            fs_err::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let read = Secret::read(&path);
            assert_eq!(read.is_ok(), may, "{mode:o}: {read:?}");
            if let Err(said) = read {
                assert!(said.contains("chmod 600") && !said.contains("hush"), "{said}");
            }
        }
        assert!(Secret::read(folder.path()).unwrap_err().contains("ordinary file"));
        let missing = Secret::read(&folder.path().join("none")).unwrap_err();
        assert!(missing.contains("cannot be read"), "{missing}");
    }
}

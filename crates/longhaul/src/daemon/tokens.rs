//! The token that a job proves itself with: good for one attempt, made from the home's secret, so
//! nothing needs to be stored and a daemon that was restarted knows it again.

use crate::ids::SECRET_BYTES;
use hmac::{Hmac, KeyInit, Mac};
use longhaul_core::id::JobId;
use sha2::Sha256;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Makes and checks job tokens. Cheap to clone.
#[derive(Clone)]
pub struct Tokens {
    secret: Arc<[u8; SECRET_BYTES]>,
}

impl Tokens {
    pub(super) fn new(secret: [u8; SECRET_BYTES]) -> Self {
        Self { secret: Arc::new(secret) }
    }

    /// The token of one attempt: 64 hexadecimal digits.
    #[must_use]
    pub fn of(&self, job: &JobId, attempt: u32) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.secret).expect("any length is a key");
        mac.update(job.as_str().as_bytes());
        mac.update(b"|");
        mac.update(attempt.to_string().as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether `token` is that of this attempt. Takes as long for a wrong one.
    #[must_use]
    pub fn is_of(&self, token: &str, job: &JobId, attempt: u32) -> bool {
        self.of(job, attempt).as_bytes().ct_eq(token.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;

    #[test]
    fn a_token_is_good_for_its_own_attempt_only() {
        let tokens = Tokens::new([7; SECRET_BYTES]);
        let (job, other) = (ids::job_id().unwrap(), ids::job_id().unwrap());
        let token = tokens.of(&job, 1);
        assert_eq!(token.len(), 64);
        assert!(tokens.is_of(&token, &job, 1));
        assert!(!tokens.is_of(&token, &job, 2));
        assert!(!tokens.is_of(&token, &other, 1));
        assert!(!tokens.is_of("", &job, 1));
        assert_ne!(Tokens::new([8; SECRET_BYTES]).of(&job, 1), token);
    }
}

//! The only maker of ids and secrets. Ids sort by when they were made, as far as the wall clock of
//! their maker was right; nothing but lists for people relies on that.

use crate::clock::wall_now;
use longhaul_core::id::{ConnectionId, DeliveryId, HostId, JobId, MailId, PresenceId, SessionId};
use sha2::{Digest, Sha256};
use std::io;

/// Bytes of a home's secret.
pub const SECRET_BYTES: usize = 32;

/// Makes the id of a new job. The asker makes it, so that asking twice is harmless.
///
/// # Errors
/// The system gives no random numbers; nothing can be submitted then.
pub fn job_id() -> io::Result<JobId> {
    let text = format!("{}_{}", JobId::PREFIX, fresh()?);
    JobId::parse(&text).map_err(io::Error::other)
}

/// Makes the id of a machine that has none yet.
///
/// # Errors
/// As for [`job_id`].
pub fn host_id() -> io::Result<HostId> {
    let text = format!("{}_{}", HostId::PREFIX, fresh()?);
    HostId::parse(&text).map_err(io::Error::other)
}

/// Makes the id of an owner's connection.
///
/// # Errors
/// As for [`job_id`].
pub fn presence_id() -> io::Result<PresenceId> {
    let text = format!("{}_{}", PresenceId::PREFIX, fresh()?);
    PresenceId::parse(&text).map_err(io::Error::other)
}

/// Makes the id of a letter, which is that of the first message that comes of it. The asker makes it,
/// so that sending twice is harmless.
///
/// # Errors
/// As for [`job_id`].
pub fn mail_id() -> io::Result<MailId> {
    let text = format!("{}_{}", MailId::PREFIX, fresh()?);
    MailId::parse(&text).map_err(io::Error::other)
}

/// Makes the name of a result that is told in pieces.
///
/// # Errors
/// As for [`job_id`].
pub fn result_id() -> io::Result<String> {
    Ok(format!("res_{}", fresh()?))
}

/// Makes the id of a notice that only tries a sink out.
///
/// # Errors
/// As for [`job_id`].
pub fn test_delivery_id() -> io::Result<DeliveryId> {
    let text = format!("{}_{}", DeliveryId::PREFIX, fresh()?);
    DeliveryId::parse(&text).map_err(io::Error::other)
}

/// The id that a new conversation of an attempt is begun under: a UUID that follows from the attempt,
/// so that a launch that is made again begins the same one.
#[must_use]
pub fn conversation(job: &JobId, attempt: u32) -> String {
    let digest = Sha256::digest(format!("conversation of {job}.{attempt}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    // Its version says that it was made from a name, its variant which layout it has.
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a text takes what it is given");
        hex
    })
}

/// Makes a secret that nobody can guess.
///
/// # Errors
/// As for [`job_id`].
pub fn secret() -> io::Result<[u8; SECRET_BYTES]> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// Makes the token that a principal comes over a network with.
///
/// # Errors
/// As for [`job_id`].
pub fn token() -> io::Result<String> {
    Ok(format!("lht_{}", hex(&secret()?)))
}

/// Makes the id of a client's session.
///
/// # Errors
/// As for [`job_id`].
pub fn session_id() -> io::Result<SessionId> {
    let text = format!("{}_{}", SessionId::PREFIX, fresh()?);
    SessionId::parse(&text).map_err(io::Error::other)
}

/// Makes the id of a client's connection.
///
/// # Errors
/// As for [`job_id`].
pub fn connection_id() -> io::Result<ConnectionId> {
    let text = format!("{}_{}", ConnectionId::PREFIX, fresh()?);
    ConnectionId::parse(&text).map_err(io::Error::other)
}

/// Makes the token that resumes a session. It says which session that is, for clients that do not; the
/// rest of it nobody can guess.
///
/// # Errors
/// As for [`job_id`].
pub fn resume_token(session: &SessionId) -> io::Result<String> {
    let body = session.as_str().trim_start_matches(SessionId::PREFIX).trim_start_matches('_');
    let of = ulid::Ulid::from_string(body).map_err(io::Error::other)?;
    Ok(format!("rt_{:032x}{}", of.0, hex(&secret()?[..16])))
}

/// The session that a token resumes, if it is one.
#[must_use]
pub fn session_of(resume_token: &str) -> Option<SessionId> {
    let digits = resume_token.strip_prefix("rt_").filter(|digits| digits.len() == 64)?;
    let of = u128::from_str_radix(digits.get(..32)?, 16).ok()?;
    SessionId::parse(&format!("{}_{}", SessionId::PREFIX, ulid::Ulid(of))).ok()
}

/// Makes the trace of a job that belongs to none: 32 hexadecimal digits.
///
/// # Errors
/// As for [`job_id`].
pub fn trace() -> io::Result<String> {
    Ok(hex(&secret()?[..16]))
}

/// What is kept of a token: SHA-256 of its text, in hexadecimal.
#[must_use]
pub fn sha256_hex(token: &str) -> String {
    hex(&Sha256::digest(token))
}

fn fresh() -> io::Result<ulid::Ulid> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    let millis = u64::try_from(wall_now().as_millis()).unwrap_or(0);
    Ok(ulid::Ulid::from_parts(millis, u128::from_le_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_named_by_its_attempt() {
        let job = job_id().unwrap();
        let id = conversation(&job, 1);
        assert_eq!(id, conversation(&job, 1));
        assert_ne!(id, conversation(&job, 2));
        let parts: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert!(id[14..].starts_with('5') && "89ab".contains(&id[19..20]), "{id}");
    }
    use std::collections::BTreeSet;

    #[test]
    fn a_token_says_which_session_it_resumes() {
        let session = session_id().unwrap();
        let token = resume_token(&session).unwrap();
        assert_eq!(session_of(&token), Some(session.clone()));
        assert_ne!(resume_token(&session).unwrap(), token);
        for bad in ["", "rt_", &token[1..], &token[..66], &token.replace("rt_", "rt_+")] {
            assert_eq!(session_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn ids_are_well_formed_and_differ() {
        let ids: BTreeSet<JobId> = (0..1_000).map(|_| job_id().unwrap()).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(host_id().unwrap().as_str().starts_with("host_"));
        assert_ne!(secret().unwrap(), secret().unwrap());
    }
}

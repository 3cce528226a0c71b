//! From what people type to a job: a whole id, a unique prefix of one, or a name. Whatever else comes
//! is simply not found; nothing of it ever becomes part of a path.

use super::Shared;
use super::error::{Answer, Failure};
use longhaul_core::id::{JobId, is_crockford};
use longhaul_core::job::Job;
use longhaul_core::limits;
use longhaul_core::port::{Reader, Record, StoreError, Table};

/// Characters after `job_`, or what else an id begins with, that a prefix needs.
const PREFIX_CHARS_MIN: usize = 4;
/// Candidates that are listed when several fit.
pub(super) const CANDIDATES_MAX: u32 = 10;

/// What a text turned out to mean.
#[derive(Debug)]
pub(super) enum Meaning {
    One(JobId),
    None,
    Several(Vec<String>),
}

impl Meaning {
    /// The one job; refuses the rest in the words for `text`.
    pub(super) fn only(self, text: &str) -> Answer<JobId> {
        match self {
            Self::One(id) => Ok(id),
            Self::None => Err(Failure::not_found(text)),
            Self::Several(candidates) => Err(Failure::ambiguous(text, candidates)),
        }
    }
}

/// Finds out what `text` means. A whole id means itself, whether or not there is such a job.
pub(super) fn resolve(reader: &mut dyn Reader, text: &str) -> Result<Meaning, StoreError> {
    if let Ok(id) = JobId::parse(text) {
        return Ok(Meaning::One(id));
    }
    if text.is_empty() || text.len() > limits::WORD_BYTES_MAX {
        return Ok(Meaning::None);
    }
    let found = match as_prefix(JobId::PREFIX, text) {
        Some(prefix) => reader.by_prefix(Table::Job, &prefix, CANDIDATES_MAX)?,
        None if text.starts_with("job_") => Vec::new(),
        None => reader.by_name(text, CANDIDATES_MAX)?,
    };
    Ok(match found.as_slice() {
        [] => Meaning::None,
        [one] => JobId::parse(one).map_or(Meaning::None, Meaning::One),
        _ => Meaning::Several(found),
    })
}

/// The prefix of an id of a kind that `text` is, in the letters that ids have.
pub(super) fn as_prefix(kind: &str, text: &str) -> Option<String> {
    let body = text.strip_prefix(kind)?.strip_prefix('_')?.to_ascii_uppercase();
    let is_prefix = body.len() >= PREFIX_CHARS_MIN && body.bytes().all(is_crockford);
    is_prefix.then(|| format!("{kind}_{body}"))
}

/// Loads a job by its id.
pub(super) fn load(reader: &mut dyn Reader, id: &JobId) -> Result<Option<Job>, StoreError> {
    let row = reader.load(Table::Job, id.as_str())?;
    Ok(row.as_ref().map(Job::from_row).transpose()?)
}

/// Finds the job that `text` means.
pub(super) async fn find(ports: &Shared, text: &str) -> Answer<Job> {
    let found = ports.readers.glance(|reader| {
        let meaning = resolve(reader, text)?;
        let job = match &meaning {
            Meaning::One(id) => load(reader, id)?,
            Meaning::None | Meaning::Several(_) => None,
        };
        Ok((meaning, job))
    });
    let (meaning, job) = found.await?;
    meaning.only(text)?;
    job.ok_or_else(|| Failure::not_found(text))
}

/// Reads a job again; `None` if it was removed.
pub(super) async fn reread(ports: &Shared, id: &JobId) -> Answer<Option<Job>> {
    Ok(ports.readers.glance(|reader| load(reader, id)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_four_characters_of_an_id_are_a_prefix() {
        assert_eq!(as_prefix("job", "job_01jd").as_deref(), Some("job_01JD"));
        for text in ["job_01J", "01JD", "job_../x", "job_01J%", "job_01JI", "host_01JD"] {
            assert_eq!(as_prefix("job", text), None, "{text}");
        }
        assert_eq!(as_prefix("mail", "mail_01jd").as_deref(), Some("mail_01JD"));
    }
}

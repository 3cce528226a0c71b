//! The notice of an ended job, or of a question about one, put together the same for every place that is told of it.

use crate::api::{Notice, NoticeKind, OutputTail, Time};
use crate::daemon::{Spools, Stream};
use crate::views;
use longhaul_core::approval::Approval;
use longhaul_core::delivery::Delivery;
use longhaul_core::job::Job;
use longhaul_core::time::Timestamp;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes of the end of each stream that go along.
const TAIL_BYTES: usize = 2_048;

/// To whom a notice goes, and in which try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The delivery's id.
    pub id: String,
    /// Which try.
    pub number: u32,
    /// The place, as people know it: `inbox` or `sink:NAME`.
    pub to: String,
}

impl From<&Delivery> for Address {
    fn from(delivery: &Delivery) -> Self {
        let (id, to) = (delivery.id.to_string(), delivery.to.place());
        Self { id, number: delivery.tries, to }
    }
}

/// Tells of an ended job, with the end of what it wrote. Reads its spools, so it may block.
#[must_use]
pub fn of_ended(spools: &Spools, job: &Job, address: Address) -> Notice {
    let view = views::job(job, spools.sizes(job), None);
    let tail = |stream| tail(spools, job, stream).unwrap_or_default();
    let (stdout_tail, stderr_tail) = (tail(Stream::Stdout), tail(Stream::Stderr));
    Notice {
        kind: NoticeKind::JobEnded,
        id: address.id,
        notice: Some(format!("{}:ended", job.id)),
        number: address.number,
        to: address.to,
        owner: job.owner.clone(),
        at: view.ended_at.unwrap_or(view.submitted_at),
        job: Some(view),
        output: Some(OutputTail { stdout_tail, stderr_tail }),
        approval: None,
    }
}

/// Tells of a question about a job.
#[must_use]
pub fn of_asked(spools: &Spools, job: &Job, approval: &Approval, address: Address) -> Notice {
    let view = views::approval(approval);
    Notice {
        kind: NoticeKind::ApprovalAsked,
        id: address.id,
        notice: Some(format!("{}:asked", approval.id)),
        number: address.number,
        to: address.to,
        owner: job.owner.clone(),
        at: view.asked_at,
        job: Some(views::job(job, spools.sizes(job), None)),
        output: None,
        approval: Some(view),
    }
}

/// Asks a sink whether it works.
#[must_use]
pub fn of_test(address: Address, now: Timestamp) -> Notice {
    Notice {
        kind: NoticeKind::SinkTest,
        id: address.id,
        notice: None,
        number: address.number,
        to: address.to,
        owner: None,
        at: Time(now.as_millis()),
        job: None,
        output: None,
        approval: None,
    }
}

/// The end of a stream. That it cannot be read is no reason to tell nothing of the job's end.
fn tail(spools: &Spools, job: &Job, stream: Stream) -> Option<String> {
    let file = spools.open(&job.id, job.attempt, stream).ok()??;
    let bytes = last_bytes(&file).ok()?;
    Some(String::from_utf8_lossy(trimmed(&bytes)).into_owned())
}

fn last_bytes(file: &File) -> io::Result<Vec<u8>> {
    let end = file.metadata()?.len();
    let from = end.saturating_sub(TAIL_BYTES as u64);
    let mut bytes = vec![0; usize::try_from(end - from).unwrap_or(TAIL_BYTES)];
    file.read_exact_at(&mut bytes, from)?;
    Ok(bytes)
}

/// Without the rest of a character that the cut went through.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let is_rest = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
    let rest =
        if bytes.len() < TAIL_BYTES { 0 } else { bytes.iter().take(3).take_while(is_rest).count() };
    &bytes[rest..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn only_the_end_is_taken_and_no_character_is_cut() {
        let mut file = tempfile::tempfile().unwrap();
        assert_eq!(last_bytes(&file).unwrap(), b"");
        file.write_all("ä".repeat(2_000).as_bytes()).unwrap();
        file.write_all(b"x").unwrap();
        let bytes = last_bytes(&file).unwrap();
        assert_eq!(bytes.len(), TAIL_BYTES);
        let text = std::str::from_utf8(trimmed(&bytes)).unwrap();
        assert!(text.starts_with('ä') && text.ends_with("äx"), "{text}");
        assert_eq!(trimmed(b"\x80short"), b"\x80short");
    }
}

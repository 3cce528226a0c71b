//! Which jobs are there?

use super::drive::Session;
use super::{denial, told};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use longhaul_arcp::error::{Code, Denial};
use longhaul_arcp::server::{Listed, Listing};
use longhaul_core::job::Job;
use longhaul_core::port::{Reader, Record, StoreError};

/// Jobs that are looked at while a reader is held.
const AT_ONCE: u32 = 64;

/// One page of the principal's jobs, oldest first; of everybody's, for operators.
pub(super) async fn list(session: &Session, asked: Listing) -> Result<Listed, Denial> {
    let limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    let owner = (!session.principal.is_operator).then(|| session.principal.name.clone());
    let mut after = match &asked.cursor {
        Some(cursor) => place(cursor).ok_or_else(bad_cursor)?,
        None => 0,
    };
    let mut listed = Listed::default();
    loop {
        let of = owner.clone();
        let read = move |reader: &mut dyn Reader| page(reader, of.as_deref(), after);
        let page = session.ports().readers.read(read).await.map_err(denial)?;
        let is_last = page.len() < AT_ONCE as usize;
        for job in page {
            after = job.seq;
            if !is_wanted(&asked, &job) {
                continue;
            }
            if listed.jobs.len() == limit {
                listed.has_more = true;
                return Ok(listed);
            }
            listed.jobs.push((told::entry(&job), cursor(job.seq)));
        }
        if is_last {
            return Ok(listed);
        }
    }
}

fn page(reader: &mut dyn Reader, owner: Option<&str>, after: u64) -> Result<Vec<Job>, StoreError> {
    let rows = reader.list_from(owner, after, AT_ONCE)?;
    rows.iter().map(|row| Ok(Job::from_row(row)?)).collect()
}

fn is_wanted(asked: &Listing, job: &Job) -> bool {
    let Some(about) = &job.spec.hosted else { return false };
    let has_status =
        asked.status.is_empty() || asked.status.iter().any(|name| name == told::status(job));
    let is_agent = asked.agent.as_ref().is_none_or(|agent| match agent.split_once('@') {
        Some(_) => *agent == about.reference(),
        None => *agent == about.agent,
    });
    has_status
        && is_agent
        && asked.created_after.is_none_or(|at| job.submitted_at > at)
        && asked.created_before.is_none_or(|at| job.submitted_at < at)
}

/// A place in the list, which clients hand back as it is.
fn cursor(seq: u64) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("after {seq}"))
}

fn place(cursor: &str) -> Option<u64> {
    let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    text.strip_prefix("after ")?.parse().ok()
}

fn bad_cursor() -> Denial {
    Denial::new(Code::InvalidRequest, "`cursor` is none that was given here")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_place_and_nothing_else_does() {
        for seq in [0, 1, u64::MAX] {
            assert_eq!(place(&cursor(seq)), Some(seq));
        }
        for bad in ["", "x", "YWZ0ZXIg", "YWZ0ZXIgLTE", "after 1"] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}

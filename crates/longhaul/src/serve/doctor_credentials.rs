//! What the doctor says about credentials of jobs: those that could not be revoked.

use super::Shared;
use super::doctor::{NAMED_MAX, finding, fine};
use super::error::Answer;
use crate::api::{Finding, Level};
use longhaul_core::command::{Command, Reply};
use longhaul_core::credential::{Credential, CredentialState};
use longhaul_core::port::{Record, Table};

/// Rows looked at in one read.
const PAGE_CREDENTIALS: u32 = 500;

/// Looks at all credentials.
pub(super) async fn examine(ports: &Shared) -> Answer<Vec<Finding>> {
    let (mut stuck, mut after) = (Vec::new(), String::new());
    loop {
        let from = after.clone();
        let page = ports.readers.read(move |reader| {
            let rows = reader.rows(Table::Credential, None, &from, PAGE_CREDENTIALS)?;
            let mut found = Vec::new();
            for row in &rows {
                found.push(Credential::from_row(row)?);
            }
            found.retain(|found| found.state == CredentialState::Stuck);
            Ok((rows.last().map(|row| row.id.clone()), found))
        });
        let (last, found) = page.await?;
        stuck.extend(found);
        match last {
            Some(last) => after = last,
            None => break,
        }
    }
    if stuck.is_empty() {
        return Ok(vec![fine("credentials", "none that should be revoked is not")]);
    }
    let warning = |found: &Credential| {
        let (id, issuer, job) = (&found.id, &found.issuer, &found.job);
        let problem = found.problem.as_deref().unwrap_or("nothing is known");
        let message = format!("{id} of {job} could not be revoked by `{issuer}`: {problem}");
        let hint =
            "`longhaul doctor --fix` tries again; until then it is good for what it was made for";
        finding("credentials", Level::Problem, message, hint)
    };
    Ok(stuck.iter().take(NAMED_MAX).map(warning).collect())
}

/// Has what could not be revoked tried again.
pub(super) async fn mend(ports: &Shared) -> Answer<Vec<Finding>> {
    let reply = ports.engine.ask(Command::RetryRevoking).await?;
    Ok(match reply {
        Reply::Tried(0) => Vec::new(),
        Reply::Tried(count) => {
            vec![fine("credentials", format!("{count} are being tried to be revoked again"))]
        }
        _ => vec![],
    })
}

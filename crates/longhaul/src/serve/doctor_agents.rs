//! What the doctor says about agents: turns that are quiet, mail that nobody reads, questions that
//! nobody answers, limits that turns wait for.

use super::Shared;
use super::agents::all_agents;
use super::doctor::{NAMED_MAX, finding, fine};
use super::error::Answer;
use super::resolve::load;
use crate::api::{Finding, Level};
use crate::views::{health, time};
use longhaul_core::agent::Agent;
use longhaul_core::approval::Approval;
use longhaul_core::id::JobId;
use longhaul_core::mail::{Mail, MailState};
use longhaul_core::mail_kind::RETURNED;
use longhaul_core::port::{MailFilter, Phase, Reader, Record, StoreError, Table};
use longhaul_core::quota::Quota;
use longhaul_core::time::{Millis, Timestamp};
use longhaul_core::turn::Health;

/// Mail that lies for longer than this is worth a word.
const LYING: Millis = Millis::from_secs(3_600);
/// Rows looked at in one read, and messages that came back that are looked at in all.
const PAGE_ROWS: u32 = 500;

/// Looks at agents, mail, questions and limits.
pub(super) async fn examine(ports: &Shared) -> Answer<Vec<Finding>> {
    let now = ports.clock.now();
    let found = ports.readers.read(move |reader| {
        let agents = all_agents(reader, None)?;
        let mut findings = quiet(reader, &agents)?;
        findings.extend(unread(reader, &agents, now)?);
        findings.push(returned(reader, &agents, now)?);
        findings.extend(questions(reader)?);
        findings.extend(limits_met(reader)?);
        Ok(findings)
    });
    Ok(found.await?)
}

/// Turns that have shown no sign of life for so long that something was done about it.
fn quiet(reader: &mut dyn Reader, agents: &[Agent]) -> Result<Vec<Finding>, StoreError> {
    let what = "turns";
    let mut found = Vec::new();
    for agent in agents {
        let name = &agent.spec.name;
        let head = reader.lane_head(&Agent::lane(name))?;
        let Some(id) = head.and_then(|id| JobId::parse(&id).ok()) else { continue };
        let Some(job) = load(reader, &id)? else { continue };
        let opinion = job.turn.as_ref().map_or(Health::Well, |turn| turn.health);
        if job.phase() == Phase::Active && opinion != Health::Well {
            let message =
                format!("`{name}` has shown no sign of life in {id}: {}", health(opinion).name());
            let hint = format!("`longhaul why {id}` says more; `longhaul cancel {id}` ends it");
            found.push(finding(what, Level::Warning, message, hint));
        }
    }
    Ok(or_fine(found, what, "none is quiet for long"))
}

/// Mail to agents that have ended: nobody will ever read it.
fn unread(
    reader: &mut dyn Reader,
    agents: &[Agent],
    now: Timestamp,
) -> Result<Vec<Finding>, StoreError> {
    let what = "mail";
    let mut found = Vec::new();
    for agent in agents.iter().filter(|agent| agent.is_ended()) {
        let name = &agent.spec.name;
        let count = reader.unread_count(name)?;
        let lies = agent.ended_at().is_some_and(|at| now.since(at) > LYING);
        if count > 0 && lies {
            let state = agent.standing.name();
            let message = format!("{count} messages to `{name}` are unread, and it is {state}");
            let hint = format!("`longhaul agent remove {name}` returns them to their senders");
            found.push(finding(what, Level::Warning, message, hint));
        }
    }
    Ok(or_fine(found, what, "none waits for an agent that has ended"))
}

/// Messages that came back, where nobody has seen that they did.
fn returned(
    reader: &mut dyn Reader,
    agents: &[Agent],
    now: Timestamp,
) -> Result<Finding, StoreError> {
    let states = vec![MailState::Unread.name().to_owned()];
    let filter = MailFilter { states, kind: Some(RETURNED.to_owned()), ..MailFilter::default() };
    let mut lying = 0;
    for row in reader.mail(&filter, None, PAGE_ROWS)? {
        let note = Mail::from_row(&row)?;
        // An agent that can still have turns is told in its next one.
        let is_awaited = agents.iter().any(|agent| agent.spec.name == note.to && !agent.is_ended());
        lying += u32::from(!is_awaited && now.since(note.sent_at) > LYING);
    }
    let what = "returned mail";
    if lying == 0 {
        return Ok(fine(what, "whoever wrote it knows"));
    }
    let message = format!("{lying} messages came back, and nobody has seen that");
    let hint = "`longhaul mail list --kind returned --unread` shows them; `longhaul mail check` takes yours";
    Ok(finding(what, Level::Warning, message, hint))
}

/// Questions that wait for a person.
fn questions(reader: &mut dyn Reader) -> Result<Vec<Finding>, StoreError> {
    let what = "questions";
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let rows = reader.rows(Table::Approval, None, &after, PAGE_ROWS)?;
        let Some(last) = rows.last() else { break };
        after.clone_from(&last.id);
        for row in &rows {
            let asked = Approval::from_row(row)?;
            if asked.is_open() {
                let since = time(asked.asked_at);
                let message =
                    format!("`{}` waits since {since} for an answer to {}", asked.agent, asked.id);
                let hint = "`longhaul approvals` shows and answers it";
                found.push(finding(what, Level::Warning, message, hint));
            }
        }
    }
    Ok(or_fine(found, what, "none waits for an answer"))
}

/// Limits of vendors that turns wait for: as it should be, but good to know.
fn limits_met(reader: &mut dyn Reader) -> Result<Vec<Finding>, StoreError> {
    let mut found = Vec::new();
    for row in reader.rows(Table::Quota, None, "", PAGE_ROWS)? {
        let quota = Quota::from_row(&row)?;
        let until = time(quota.until);
        let message =
            format!("turns of `{}` wait until {until} or longer: {}", quota.kind, quota.message);
        found.push(fine("limits", message));
    }
    Ok(or_fine(found, "limits", "no vendor's limit is known to be met"))
}

fn or_fine(mut found: Vec<Finding>, what: &str, message: &str) -> Vec<Finding> {
    if found.is_empty() {
        return vec![fine(what, message)];
    }
    found.truncate(NAMED_MAX);
    found
}

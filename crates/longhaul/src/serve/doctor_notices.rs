//! What the doctor says about those who are to be told: notices that were given up, sinks that do not
//! work, inboxes that nobody empties.

use super::Shared;
use super::doctor::{NAMED_MAX, finding, fine};
use super::error::Answer;
use crate::api::{Finding, Level};
use longhaul_core::limits;
use longhaul_core::owner::Owner;
use longhaul_core::port::{Record, Table};
use longhaul_core::sink::Sink;

/// Notices in an inbox that its owner seems to have forgotten.
const UNREAD_MANY: u32 = 100;
/// Rows looked at in one read.
const PAGE_OWNERS: u32 = 500;

/// Looks at notices, sinks and inboxes.
pub(super) async fn examine(ports: &Shared) -> Answer<Vec<Finding>> {
    let mut findings = vec![dead(ports).await?];
    findings.extend(sinks(ports).await?);
    findings.extend(inboxes(ports).await?);
    Ok(findings)
}

async fn dead(ports: &Shared) -> Answer<Finding> {
    let count = ports.readers.read(|reader| reader.dead_deliveries()).await?;
    if count == 0 {
        return Ok(fine("notices", "none was given up"));
    }
    let hint = "`longhaul notices --state dead` shows them; `--redeliver ID` sends one again";
    let message = format!("{count} could not be delivered and were given up");
    Ok(finding("notices", Level::Warning, message, hint))
}

async fn sinks(ports: &Shared) -> Answer<Vec<Finding>> {
    let sinks = ports.readers.read(|reader| {
        let mut troubled = Vec::new();
        for name in reader.ids(Table::Sink, "", limits::SINKS_MAX)? {
            let row = reader.load(Table::Sink, &name)?;
            let sink = row.as_ref().map(Sink::from_row).transpose()?;
            troubled.extend(sink.filter(|sink| sink.is_there() && sink.trouble > 0));
        }
        Ok(troubled)
    });
    let troubled = sinks.await?;
    if troubled.is_empty() {
        return Ok(vec![fine("sinks", "none is in trouble")]);
    }
    let warning = |sink: &Sink| {
        let message = format!("`{}` failed {} times in a row", sink.name, sink.trouble);
        let hint = format!("`longhaul sink test {}` says what it answers", sink.name);
        finding("sinks", Level::Warning, message, hint)
    };
    Ok(troubled.iter().take(NAMED_MAX).map(warning).collect())
}

async fn inboxes(ports: &Shared) -> Answer<Vec<Finding>> {
    let (mut full, mut after) = (Vec::new(), String::new());
    loop {
        let from = after.clone();
        let page = ports.readers.read(move |reader| {
            let names = reader.ids(Table::Owner, &from, PAGE_OWNERS)?;
            let mut many = Vec::new();
            for name in &names {
                let row = reader.load(Table::Owner, name)?;
                let owner = row.as_ref().map(Owner::from_row).transpose()?;
                many.extend(owner.filter(|owner| owner.open >= UNREAD_MANY));
            }
            Ok((names.last().cloned(), many))
        });
        let (last, many) = page.await?;
        full.extend(many);
        match last {
            Some(last) => after = last,
            None => break,
        }
    }
    if full.is_empty() {
        return Ok(vec![fine("inboxes", "no owner has many notices unread")]);
    }
    let warning = |owner: &Owner| {
        let message = format!("{} has {} notices unread", owner.name, owner.open);
        let hint = format!("`longhaul inbox --owner '{}'` shows them", owner.name);
        finding("inboxes", Level::Warning, message, hint)
    };
    Ok(full.iter().take(NAMED_MAX).map(warning).collect())
}

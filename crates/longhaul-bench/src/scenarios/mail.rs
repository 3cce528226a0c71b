//! "How fast is my mail safe, and how fast do I see what came?" Sent means on the disk, so the disk's
//! own price stands beside it, paid in turns with it.

use crate::baseline::SyncedAppend;
use crate::bench::Bench;
use crate::clock::timed;
use crate::http::Connection;
use crate::report::{Figure, Line, Reach, Unit};
use crate::speaker::{self, Speech};
use crate::stats::Samples;
use crate::subject::{self, Subject};
use anyhow::{Context, Result};
use serde_json::json;

const NAME: &str = "mail";
const SAMPLES: usize = 500;
const WARM_UP: usize = 20;
/// Messages that wait when they are listed.
const UNREAD: usize = 10_000;
/// How many times the disk's own price a message may cost.
const APPENDS_MAX: f64 = 2.0;
const LIST_MS_MAX: f64 = 30.0;
const LISTS: usize = 21;
/// What `ov mail send` takes, measured on another day.
const PEER: &str = "overstory 0.11, `ov mail send` (154 ms as a command; not synced to the disk)";

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let subject = Subject::start(bench, "mail")?;
    let folder = Speech::of(1).install(bench, "mail-cli")?;
    speaker::add_agent(&subject, "ann", &folder)?;
    let mut connection = subject.connect()?;
    // A paused pool: the agent is woken, and does not take what is to be counted.
    subject::pause(&mut connection, true)?;
    let mut disk = SyncedAppend::open(&bench.folder)?;
    let (mut sends, mut appends) = (Samples::default(), Samples::default());
    for sample in 0..WARM_UP + SAMPLES {
        let sent = timed(|| send(&mut connection))?;
        let appended = timed(|| disk.append())?;
        if sample >= WARM_UP {
            sends.push(sent);
            appends.push(appended);
        }
    }
    for _ in WARM_UP + SAMPLES..UNREAD {
        send(&mut connection)?;
    }
    let mut lists = Samples::default();
    for _ in 0..LISTS {
        lists.push(timed(|| list(&mut connection))?);
    }
    let times = sends.median() / appends.median();
    Ok(vec![
        Line::new(NAME, "one message over a kept connection", Figure::latencies(&sends))
            .reach(Reach::at_most("p50 < 2 × append", times, APPENDS_MAX)),
        Line::new(NAME, "append + fdatasync, in turns with it", Figure::latencies(&appends))
            .beside(sends.median()),
        Line::new(
            NAME,
            format!("{UNREAD} unread messages listed over a kept connection"),
            Figure::runs(&lists, Unit::Milliseconds),
        )
        .reach(Reach::at_most("< 30 ms", lists.median(), LIST_MS_MAX)),
        Line::unmeasured(NAME, PEER, "needs bun; measured apart".to_owned()),
    ])
}

fn send(connection: &mut Connection) -> Result<()> {
    let letter =
        json!({ "to": ["ann"], "subject": "the plan", "body": "It is as we said. ".repeat(20) });
    connection.post("/v1/mail", &letter).map(drop)
}

fn list(connection: &mut Connection) -> Result<()> {
    let mut found = 0;
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/mail?to=ann&state=unread&limit={UNREAD}{cursor}");
        let page = connection.get(&path)?;
        found += page["mail"].as_array().context("the answer has no mail")?.len();
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    anyhow::ensure!(found == UNREAD, "{found} of {UNREAD} are listed");
    Ok(())
}

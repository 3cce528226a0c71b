//! "Does a long history slow me down?" A page of fifty, out of as many as a busy year leaves.

use crate::bench::Bench;
use crate::contest::{self, Contender};
use crate::program;
use crate::report::{Line, Reach};
use crate::subject::{self, Subject};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::thread;

const NAME: &str = "list";
const ROUND: usize = 20;
const MS_MAX: f64 = 30.0;
/// Connections that cancel at the same time; the daemon commits what comes together at once.
const HANDS: usize = 16;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let subject = Subject::start(bench, "list")?;
    let depth = bench.args.depth;
    fill(&subject, depth)?;
    let words = ["list", "--limit", "50", "--json"];
    let page: Value = serde_json::from_str(&program::output(&mut subject.command(&words))?)?;
    let shown = page["jobs"].as_array().context("the list has no jobs")?.len();
    anyhow::ensure!(shown == depth.min(50), "the page has {shown} jobs");

    let mut one = [Contender::new("list", ROUND, || program::run(&mut subject.command(&words)))];
    contest::hold(&mut one, bench.args.runs)?;
    let figure = one[0].figure();
    let reach = Reach::at_most("< 30 ms", figure.middle, MS_MAX);
    let what = format!("longhaul list --limit 50 --json, {depth} jobs ended");
    Ok(vec![Line::new(NAME, what, figure).reach(reach)])
}

/// Fills the history with jobs that were cancelled while they queued: as rows they are like any
/// other ended job, and no process has to be started for each.
fn fill(subject: &Subject, depth: usize) -> Result<()> {
    let mut connection = subject.connect()?;
    subject::pause(&mut connection, true)?;
    let ids = subject::submit_all(&mut connection, &vec![subject::noop(); depth])?;
    let cancelled: Result<()> = thread::scope(|scope| {
        let part = ids.len().div_ceil(HANDS).max(1);
        let hands: Vec<_> =
            ids.chunks(part).map(|ids| scope.spawn(move || cancel(subject, ids))).collect();
        hands.into_iter().try_for_each(|hand| hand.join().expect("cancelling does not panic"))
    });
    cancelled?;
    subject.settled(&mut connection, "ended", depth)
}

fn cancel(subject: &Subject, ids: &[String]) -> Result<()> {
    let mut connection = subject.connect()?;
    for id in ids {
        let ask = json!({ "reason": null, "now": true, "tree": false });
        connection.post(&format!("/v1/jobs/{id}/cancel"), &ask)?;
    }
    Ok(())
}

//! "Fifty agents speak at once. When does whoever follows them know?" One subscriber reads the whole
//! journal as server-sent events; every event says when it was written. One that is missing, doubled
//! or out of order fails the scenario, it is not a slow figure.

use crate::bench::Bench;
use crate::clock;
use crate::http::EventStream;
use crate::report::{Figure, Line, Reach, Unit};
use crate::speaker::{self, STAMP, Speech, TEXT_BYTES};
use crate::stats::Samples;
use crate::subject::{self, Subject};
use anyhow::{Context, Result};
use std::collections::HashMap;

const NAME: &str = "fifty";
const AGENTS: usize = 50;
/// Events of one agent a second, and for how many seconds.
const RATE: u64 = 200;
const SECONDS: u64 = 30;
const P99_MS_MAX: f64 = 100.0;
/// Of one core.
const PERCENT_MAX: f64 = 60.0;

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let subject = Subject::start(bench, "fifty")?;
    let mut connection = subject.connect()?;
    subject::slots(&mut connection, AGENTS)?;
    let events = RATE * SECONDS;
    let every_us = 1_000_000 / RATE;
    let speech = Speech { events, every_us, text_bytes: TEXT_BYTES, linger_ms: 0 };
    let folder = speech.install(bench, "fifty-cli")?;
    let names: Vec<String> = (0..AGENTS).map(|agent| format!("agent-{agent:02}")).collect();
    for name in &names {
        speaker::add_agent(&subject, name, &folder)?;
    }
    let head = connection.get("/v1/status")?;
    let head = head["position"].as_u64().unwrap_or(0);
    let mut stream =
        EventStream::open(&subject.socket(), &format!("/v1/events?follow=1&after={head}"))?;
    let daemon = subject.daemon()?;
    let before = (daemon.cpu_ns()?, clock::Started::now());
    let turns = names
        .iter()
        .map(|name| subject::turn(&mut connection, name))
        .collect::<Result<Vec<_>>>()?;
    let mut followed = Followed::default();
    while followed.all < events * AGENTS as u64 {
        followed.take(&stream.next_data()?)?;
    }
    let (cpu_ns, took_ms) = (daemon.cpu_ns()? - before.0, before.1.elapsed_ms());
    for turn in &turns {
        subject::turn_ended(&mut connection, turn, events)?;
    }
    let percent = cpu_ns as f64 / (took_ms * 1e6) * 100.0;
    let p99 = followed.late.quantile(0.99);
    let what = format!("{AGENTS} agents × {RATE} events/s × {SECONDS} s");
    Ok(vec![
        Line::new(
            NAME,
            format!("{what}: written → received, p50"),
            Figure::latencies(&followed.late),
        ),
        Line::new(NAME, "of that, p99", Figure::once(p99, Unit::Milliseconds))
            .reach(Reach::at_most("p99 < 100 ms", p99, P99_MS_MAX)),
        Line::new(NAME, "CPU of the daemon meanwhile", Figure::once(percent, Unit::Percent))
            .reach(Reach::at_most("< 60 % of a core", percent, PERCENT_MAX)),
    ])
}

/// What a subscriber has seen.
#[derive(Default)]
struct Followed {
    /// The number that each job's next event has.
    next: HashMap<String, u64>,
    all: u64,
    late: Samples,
}

impl Followed {
    /// Takes note of one entry; those that are not of an agent's speech are passed over.
    #[expect(clippy::cast_precision_loss, reason = "a machine is up for less than 2^53 ns")]
    fn take(&mut self, data: &str) -> Result<()> {
        let now = clock::monotonic_ns();
        let Some((_, stamped)) = data.split_once(STAMP) else { return Ok(()) };
        let mut words = stamped.split(' ');
        let at: u64 = words.next().context("no moment")?.parse()?;
        let number: u64 = words.nth(1).with_context(|| format!("no number: {data}"))?.parse()?;
        let view: serde_json::Value = serde_json::from_str(data)?;
        let job = view["job"].as_str().with_context(|| format!("no job: {data}"))?;
        let next = self.next.entry(job.to_owned()).or_default();
        anyhow::ensure!(number == *next, "event {number} of {job} came, not {next}");
        *next += 1;
        self.all += 1;
        self.late.push(now.saturating_sub(at) as f64 / 1e6);
        Ok(())
    }
}

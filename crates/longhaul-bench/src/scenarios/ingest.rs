//! "How fast is what my agent says safe, and what does that cost?" One agent writes as fast as it can;
//! the turn has ended only when all of it is in the journal.

use crate::bench::Bench;
use crate::clock::Started;
use crate::report::{Figure, Line, Reach, Unit};
use crate::speaker::{self, Speech};
use crate::stats::Samples;
use crate::subject::{self, Subject};
use anyhow::{Context, Result};

const NAME: &str = "ingest";
const EVENTS: u64 = 100_000;
/// Microseconds of a core that the daemon may spend on an event.
const CPU_US_MAX: f64 = 8.0;
/// Bytes that all of us may write for each byte that the agent wrote, that one included.
const WRITTEN_MAX: f64 = 3.0;
/// What the turn runner of overstory 0.11 spends on an event, measured on another day: the same
/// stream, the same kind of machine.
const PEER: &str = "overstory 0.11 (52 µs of a core an event, 12,600 events/s, 83 × on ext4)";

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let (mut rates, mut costs, mut written) =
        (Samples::default(), Samples::default(), Samples::default());
    for run in 0..bench.args.runs {
        let once = once(bench, run)?;
        rates.push(once.events_per_second);
        costs.push(once.cpu_us);
        written.push(once.written);
    }
    let cost = Reach::at_most("≤ 8 µs", costs.median(), CPU_US_MAX);
    let times = Reach::at_most("≤ 3 ×", written.median(), WRITTEN_MAX);
    Ok(vec![
        Line::new(
            NAME,
            format!("{EVENTS} events of one turn, from asked to ended and durable"),
            Figure::runs(&rates, Unit::EventsPerSecond),
        ),
        Line::new(NAME, "CPU of the daemon for each", Figure::runs(&costs, Unit::Microseconds))
            .reach(cost),
        Line::new(
            NAME,
            "bytes on the disk for each that the agent wrote",
            Figure::runs(&written, Unit::Times),
        )
        .reach(times),
        Line::unmeasured(NAME, PEER, "needs bun; measured apart".to_owned()),
    ])
}

/// What one turn showed.
struct Once {
    events_per_second: f64,
    cpu_us: f64,
    written: f64,
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn once(bench: &Bench, run: u32) -> Result<Once> {
    let subject = Subject::start(bench, &format!("ingest-{run}"))?;
    let folder = Speech::of(EVENTS).install(bench, &format!("ingest-cli-{run}"))?;
    speaker::add_agent(&subject, "ann", &folder)?;
    let mut connection = subject.connect()?;
    let daemon = subject.daemon()?;
    let before = (daemon.cpu_ns()?, daemon.written_bytes()?);
    let started = Started::now();
    let id = subject::turn(&mut connection, "ann")?;
    let job = subject::turn_ended(&mut connection, &id, EVENTS)?;
    let took_ms = started.elapsed_ms();
    let cpu_ns = daemon.cpu_ns()? - before.0;
    let wrote = daemon.written_bytes()? - before.1;
    let said = job["stdout_bytes"].as_u64().context("the job has no size")?;
    Ok(Once {
        events_per_second: EVENTS as f64 * 1000.0 / took_ms,
        cpu_us: cpu_ns as f64 / 1000.0 / EVENTS as f64,
        // The agent's own writes end in the spool.
        written: (wrote + said) as f64 / said as f64,
    })
}

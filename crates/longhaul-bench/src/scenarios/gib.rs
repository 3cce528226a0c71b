//! "My agent says a gibibyte." What is said lies in the spool and the journal, never in memory.

use crate::bench::Bench;
use crate::cost::REST;
use crate::report::{Figure, Line, Reach, Unit};
use crate::speaker::{self, Speech};
use crate::subject::{self, Subject};
use crate::{clock, clock::Started};
use anyhow::Result;

const NAME: &str = "gib";
/// Bytes of one event's own text: a tool that prints a whole file.
const TEXT_BYTES: u64 = 16_000;
/// Mebibytes above what the daemon had while it was idle.
const ADDED_MIB_MAX: f64 = 32.0;

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let subject = Subject::start(bench, "gib")?;
    // A line is a little longer than its text, and all must fit the limit of a stream.
    let events = bench.args.bytes / (TEXT_BYTES + 400);
    let text_bytes = usize::try_from(TEXT_BYTES)?;
    let folder = Speech { text_bytes, ..Speech::of(events) }.install(bench, "gib-cli")?;
    speaker::add_agent(&subject, "ann", &folder)?;
    let mut connection = subject.connect()?;
    clock::rest(REST);
    let daemon = subject.daemon()?;
    let idle = daemon.resident_mib()?;
    let started = Started::now();
    let id = subject::turn(&mut connection, "ann")?;
    let job = subject::turn_ended(&mut connection, &id, events)?;
    let took_ms = started.elapsed_ms();
    let added = daemon.most_resident_mib()? - idle;
    let said = job["stdout_bytes"].as_u64().unwrap_or(0) as f64 / f64::from(1 << 20);
    let reach = Reach::at_most("< 32 MiB", added, ADDED_MIB_MAX);
    let what = format!("memory of the daemon above idle, at most, {said:.0} MiB said in a turn");
    let rate = Figure::once(said * 1000.0 / took_ms, Unit::MebibytesPerSecond);
    Ok(vec![
        Line::new(NAME, what, Figure::once(added, Unit::Mebibytes)).reach(reach),
        Line::new(NAME, "of that turn, from asked to ended and durable", rate),
    ])
}

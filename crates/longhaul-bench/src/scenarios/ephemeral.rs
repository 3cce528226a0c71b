//! "What does a job inside my program cost?" Jobs that do nothing, from their registration until
//! their owner's sink has all results; each measurement in a process of its own.

use crate::bench::Bench;
use crate::clock::Started;
use crate::processes::Process;
use crate::program;
use crate::report::{Figure, Line, Reach, Unit};
use crate::stats::Samples;
use anyhow::{Context, Result, ensure};
use longhaul::embed::{Jobs, Options, Slots, Spec};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The word by which this program runs the workload instead: `ephemeral-work COUNT`.
pub(crate) const WORD: &str = "ephemeral-work";

const NAME: &str = "ephemeral";
const COUNTS: [u32; 3] = [10_000, 100_000, 1_000_000];
const SMALLEST_MS_MAX: f64 = 60.0;
const BYTES_MAX: f64 = 1_024.0;
/// How many times the time of a job may be that of a job among the fewest, to count as linear.
const GROWTH_MAX: f64 = 2.0;
/// Jobs that are open at once. Were it all of them, memory would be that of a million open jobs.
const BURST: u32 = 256;
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let mut lines = vec![];
    let mut us_among_fewest = f64::NAN;
    for count in COUNTS {
        let (mut times, mut sizes) = (Samples::default(), Samples::default());
        let mut peer = Samples::default();
        for _ in 0..bench.args.runs {
            let (ms, bytes) = worked(count)?;
            times.push(ms);
            sizes.push(bytes);
            if let Some(command) = &bench.args.ephemeral_peer {
                peer.push(peer_ms(command, count)?);
            }
        }
        let us = times.median() * 1_000.0 / f64::from(count);
        let what = format!("{count} jobs, registered, run, told ({us:.2} µs each)");
        let line = Line::new(NAME, what, Figure::runs(&times, Unit::Milliseconds));
        lines.push(line.reach(if count == COUNTS[0] {
            us_among_fewest = us;
            Reach::at_most("below 60 ms", times.median(), SMALLEST_MS_MAX)
        } else {
            Reach::at_most("a job as among 10,000, within 2 ×", us / us_among_fewest, GROWTH_MAX)
        }));
        if let Some(command) = &bench.args.ephemeral_peer {
            let figure = Figure::runs(&peer, Unit::Milliseconds);
            lines
                .push(Line::new(NAME, format!("{command} {count}"), figure).beside(times.median()));
        }
        let reach = Reach::at_most("below 1 KiB", sizes.median(), BYTES_MAX);
        let what = format!("one settled job among {count} (RSS)");
        lines.push(Line::new(NAME, what, Figure::runs(&sizes, Unit::Bytes)).reach(reach));
    }
    Ok(lines)
}

/// Milliseconds of `count` jobs, and bytes that each leaves while it is kept.
fn worked(count: u32) -> Result<(f64, f64)> {
    let own = std::env::current_exe()?;
    let said = program::output(Command::new(own).args([WORD, &count.to_string()]))?;
    let mut words = said.split_whitespace().map(str::parse);
    let mut next = || -> Result<f64> { Ok(words.next().context("it said too little")??) };
    Ok((next()?, next()?))
}

/// Runs the peer, which is given the count as its last word and prints its milliseconds.
fn peer_ms(command: &str, count: u32) -> Result<f64> {
    let mut words = command.split_whitespace();
    let mut peer = Command::new(words.next().context("the peer's command is empty")?);
    let said = program::output(peer.args(words).arg(count.to_string()))?;
    let last = said.split_whitespace().last().context("the peer printed nothing")?;
    last.parse().with_context(|| format!("`{command}` printed `{last}`, not its milliseconds"))
}

/// Does the work in this process and gives the line to print.
pub(crate) fn work(words: &[String]) -> Result<String> {
    let count: u32 = words.first().context("how many?")?.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        let own = Process(i32::try_from(std::process::id())?);
        let options = Options::default().slots(Slots::fixed(count));
        let jobs = Jobs::ephemeral(options);
        let told = Arc::new(AtomicUsize::new(0));
        let counter = told.clone();
        jobs.sink("bench", move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok(()))
        });
        let before_mib = own.resident_mib()?;
        let started = Started::now();
        for number in 0..count {
            jobs.register(Spec::of("bench"), |_| async { Ok(().into()) })?;
            if number % BURST == BURST - 1 {
                jobs.wait_for_owner("bench", PATIENCE, false).await;
            }
        }
        jobs.wait_for_owner("bench", PATIENCE, false).await;
        let drained = jobs.drain(PATIENCE, "bench").await;
        let ms = started.elapsed_ms();
        let mib = own.resident_mib()? - before_mib;
        ensure!(drained.is_all_told(), "results are left: {drained:?}");
        ensure!(told.load(Ordering::Relaxed) == count as usize, "not every result was told");
        ensure!(jobs.totals().jobs == count as usize, "jobs were forgotten while they counted");
        Ok(format!("{ms} {}", mib * 1_048_576.0 / f64::from(count)))
    })
}

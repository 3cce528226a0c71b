//! How long a commit takes, beside the least that a durable write can take on the same disk.
//!
//! `cargo run --release -p longhaul-store --example commit -- FOLDER` prints p50 and p99 of commits
//! like a submit's (one job, one environment, two entries), alone and 64 at a time, with nothing,
//! 10,000 and 100,000 jobs ready; of appending 300 bytes and `fdatasync`; of an end's commit; and of
//! listing 50 jobs of 100,000.

#![expect(clippy::print_stdout, reason = "printing is what an example is for")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use longhaul_core::event::NewEvent;
use longhaul_core::id::JobId;
use longhaul_core::port::{Filter, Phase, Row, Store, StoreError, Table};
use longhaul_core::time::Timestamp;
use longhaul_store::SqliteStore;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Commits timed for each line of the report.
const TIMES: u64 = 1_000;

/// Bodies are text like a job's: compressible or not makes no difference to SQLite.
fn body(bytes: usize) -> String {
    format!(r#"{{"text":"{}"}}"#, "x".repeat(bytes.saturating_sub(11)))
}

fn job(number: u64, phase: Phase) -> Row {
    let mut row = Row::kept(format!("job_{number:026}"), body(1_500));
    row.phase = phase;
    row.state = if phase == Phase::Ready { "queued" } else { phase.name() }.to_owned();
    row.seq = number;
    row.pool = Some("default".into());
    row.priority = 5;
    row.owner = Some("somebody".into());
    row.host = (phase == Phase::Active).then(|| "host_a".to_owned());
    let ended = phase == Phase::Ended;
    row.outcome = ended.then(|| "succeeded".to_owned());
    row.ended_at = ended.then(|| Timestamp::from_millis(i64::try_from(number).unwrap_or(0)));
    row
}

fn events(number: u64, seqs: &[u64]) -> Vec<NewEvent> {
    let job = JobId::parse(&format!("job_{number:026}")).ok();
    let at = Timestamp::from_millis(1);
    let event = |&seq| NewEvent { job: job.clone(), seq, at, body: body(120) };
    seqs.iter().map(event).collect()
}

/// Commits what submitting `group` jobs writes.
fn submit(store: &mut SqliteStore, numbers: std::ops::Range<u64>) -> Result<(), StoreError> {
    let mut tx = store.begin()?;
    for number in numbers {
        let job = job(number, Phase::Ready);
        tx.save(Table::Job, &job, true)?;
        tx.save(Table::Environment, &Row::kept(job.id, body(4_096)), true)?;
        tx.append(&events(number, &[1, 2]))?;
    }
    tx.commit()
}

/// Commits what the end of a running job writes: its row, no environment any more, an entry.
fn end(store: &mut SqliteStore, number: u64) -> Result<(), StoreError> {
    let mut tx = store.begin()?;
    let job = job(number, Phase::Ended);
    tx.save(Table::Job, &job, false)?;
    tx.remove(Table::Environment, &job.id)?;
    tx.append(&events(number, &[3]))?;
    tx.commit()
}

/// Times `work` and prints the middle and the slowest hundredth.
fn report<E: Error + 'static>(
    what: &str,
    times: u64,
    mut work: impl FnMut(u64) -> Result<(), E>,
) -> Result<(), Box<dyn Error>> {
    let mut spans = Spans::default();
    for number in 0..times {
        spans.time(|| work(number))?;
    }
    spans.print(what);
    Ok(())
}

/// How long each of many repeats took.
#[derive(Default)]
struct Spans(Vec<Duration>);

impl Spans {
    fn time<E>(&mut self, work: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let begin = Instant::now();
        work()?;
        self.0.push(begin.elapsed());
        Ok(())
    }

    fn print(mut self, what: &str) -> f64 {
        self.0.sort();
        let (half, most) = (self.0[self.0.len() / 2], self.0[self.0.len() * 99 / 100]);
        println!("{what:52} p50 {half:>10.1?}  p99 {most:>10.1?}");
        half.as_secs_f64()
    }
}

/// Commits single submits and appends to a plain file by turns, so that whatever else the disk does
/// slows down both; their ratio is what counts.
fn beside_appending(
    store: &mut SqliteStore,
    folder: &Path,
    ready: u64,
    first: u64,
) -> Result<(), Box<dyn Error>> {
    let mut file = fs_err::File::create(folder.join("appended"))?;
    let (mut least, mut one) = (Spans::default(), Spans::default());
    for number in first..first + TIMES {
        least.time(|| {
            file.write_all(&[b'x'; 300])?;
            file.sync_data()
        })?;
        one.time(|| submit(store, number..number + 1))?;
    }
    let least = least.print("append 300 B + fdatasync");
    let one = one.print(&format!("submit, {ready} ready"));
    println!("{:52} {:.2}", "  ratio of the p50s", one / least);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("say in which folder")?;
    let folder = Path::new(&folder);
    let mut store = longhaul_store::open(&folder.join("commit.db"))?;
    let mut next = 1;
    for ready in [0, 10_000, 100_000] {
        while next < ready {
            submit(&mut store, next..next + 1_000)?;
            next += 1_000;
        }
        beside_appending(&mut store, folder, ready, next)?;
        next += TIMES;
        let first = next;
        report(&format!("64 submits in one commit, {ready} ready"), TIMES / 10, |number| {
            submit(&mut store, first + number * 64..first + number * 64 + 64)
        })?;
        next += TIMES / 10 * 64;
        report(&format!("runnable(default, 256), {ready} ready"), TIMES, |_| {
            store.begin()?.runnable("default", 256).map(|_| ())
        })?;
        report(&format!("end of a job, {ready} ready"), TIMES, |number| {
            end(&mut store, first + number)
        })?;
    }
    list(&mut store, next)?;
    store.close()?;
    Ok(())
}

/// Ends everything and lists the newest.
fn list(store: &mut SqliteStore, next: u64) -> Result<(), Box<dyn Error>> {
    for first in (1..next).step_by(1_000) {
        let mut tx = store.begin()?;
        for number in first..next.min(first + 1_000) {
            tx.save(Table::Job, &job(number, Phase::Ended), false)?;
        }
        tx.commit()?;
    }
    let mut reader = store.reader()?;
    println!("{} jobs ended", next - 1);
    let running = Filter { states: vec!["active".into()], ..Filter::default() };
    let failed = Filter { outcomes: vec!["failed".into()], ..Filter::default() };
    let owner = Filter { owner: Some("nobody".into()), ..Filter::default() };
    for (what, filter, times) in [
        ("list the 50 newest", Filter::default(), TIMES),
        ("list 50 active, there are none", running, TIMES),
        ("list 50 failed, there are none", failed, TIMES),
        ("list 50 of an owner, there are none", owner, 10),
    ] {
        report(what, times, |_| reader.list(&filter, None, 50).map(|_| ()))?;
    }
    report("counts", 100, |_| reader.counts().map(|_| ()))?;
    report("open a reader", 100, |_| store.reader().map(|_| ()))?;
    Ok(())
}

//! How long mail takes beside the least that a durable write can take on the same disk, and how much of
//! a processor an entry of a turn's output takes.
//!
//! `cargo run --release -p longhaul-store --example mail -- FOLDER` prints the middle of: an append of
//! 300 bytes and its `fdatasync`; sending one message; listing 10,000 unread ones; taking 100 unread
//! ones beside 100,000 that were read; asking twice what is due next; an entry of 400 bytes in commits
//! of 500.

#![expect(clippy::print_stdout, reason = "printing is what an example is for")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use longhaul_core::event::NewEvent;
use longhaul_core::id::{HostId, JobId};
use longhaul_core::port::{MailFilter, Phase, Row, Store, StoreError, Table};
use longhaul_core::time::Timestamp;
use longhaul_store::SqliteStore;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Messages that wait, and those that were read before.
const UNREAD: u64 = 10_000;
const READ: u64 = 100_000;
/// Entries in a commit.
const ENTRIES: u64 = 500;

fn body(bytes: usize) -> String {
    format!(r#"{{"text":"{}"}}"#, "x".repeat(bytes.saturating_sub(11)))
}

fn mail(number: u64, phase: Phase) -> Row {
    let mut row = Row::kept(format!("mail_{number:026}"), body(700));
    (row.phase, row.seq) = (phase, number);
    row.state = if phase == Phase::Ready { "unread" } else { "read" }.to_owned();
    let text = |text: &str| Some(text.to_owned());
    (row.lane, row.pool, row.name) = (text("ann"), text("boss"), text("status"));
    row.parent = Some(row.id.clone());
    let ended = phase == Phase::Ended;
    row.outcome = ended.then(|| "read".to_owned());
    row.ended_at = ended.then(|| Timestamp::from_millis(1));
    row
}

fn send(
    store: &mut SqliteStore,
    numbers: std::ops::Range<u64>,
    phase: Phase,
) -> Result<(), StoreError> {
    let mut tx = store.begin()?;
    for number in numbers {
        tx.save(Table::Mail, &mail(number, phase), true)?;
    }
    tx.commit()
}

/// The middle of `times` runs.
fn middle<E>(times: u64, mut work: impl FnMut(u64) -> Result<(), E>) -> Result<Duration, E> {
    let mut spans = Vec::new();
    for number in 0..times {
        let begun = Instant::now();
        work(number)?;
        spans.push(begun.elapsed());
    }
    spans.sort();
    Ok(spans[spans.len() / 2])
}

fn entries(number: u64) -> Vec<NewEvent> {
    let job = JobId::parse(&format!("job_{:026}", 1)).ok();
    let at = Timestamp::from_millis(1);
    let numbers = number * ENTRIES + 1..=(number + 1) * ENTRIES;
    numbers.map(|seq| NewEvent { job: job.clone(), seq, at, body: body(400) }).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("give a folder to write in")?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let mut file = std::fs::File::create(folder.join("appended"))?;
    let append = middle(1_000, |_| {
        file.write_all(&[b'x'; 300])?;
        file.sync_data()
    })?;
    println!("append and fdatasync        {append:?}");
    let store = &mut longhaul_store::open(&folder.join("state.db"))?;
    for thousand in 0..READ / 1_000 {
        send(store, thousand * 1_000..(thousand + 1) * 1_000, Phase::Ended)?;
    }
    let sent = middle(1_000, |number| {
        let number = READ + number;
        send(store, number..number + 1, Phase::Ready)
    })?;
    println!("send one                    {sent:?}");
    for thousand in 1..UNREAD / 1_000 {
        let from = READ + thousand * 1_000;
        send(store, from..from + 1_000, Phase::Ready)?;
    }
    let filter = MailFilter {
        to: Some("ann".into()),
        states: vec!["unread".into()],
        ..MailFilter::default()
    };
    let reader = &mut *store.reader()?;
    let limit = u32::try_from(UNREAD)?;
    let listed = middle(9, |_| {
        reader.mail(&filter, None, limit).map(|found| assert_eq!(found.len(), 10_000))
    })?;
    println!("list 10,000 unread          {listed:?}");
    let me = HostId::parse(&format!("host_{:026}", 1))?;
    let mut tx = store.begin()?;
    let taken = middle(999, |_| tx.unread("ann", 100).map(|found| assert_eq!(found.len(), 100)))?;
    println!("ids of 100 unread           {taken:?}");
    let counted = middle(999, |_| tx.unread_count("ann").map(|found| assert_eq!(found, UNREAD)))?;
    println!("count of unread             {counted:?}");
    let asked = middle(999, |_| tx.next_due(&me).and_then(|_| tx.next_due(&me)).map(|_| ()))?;
    println!("what is due, twice          {asked:?}");
    drop(tx);
    let written = middle(200, |number| {
        let entries = entries(number);
        let mut tx = store.begin()?;
        tx.append(&entries)?;
        tx.commit()
    })?;
    println!("an entry, {ENTRIES} in a commit    {:?}", written / u32::try_from(ENTRIES)?);
    Ok(())
}

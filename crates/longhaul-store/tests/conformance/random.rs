//! All stores get the same random transactions, a third of them undone, and must give the same answer
//! to every question after each, order included.

use crate::sample::{at, enter, event, general, host, job, job_id};
use longhaul_core::port::{
    DeliveryFilter, Filter, MailFilter, Phase, Position, Reader, Row, Store, StoreError, Table, Tx,
};
use longhaul_store::MemoryStore;
use std::collections::BTreeMap;

const PHASES: [Phase; 7] = [
    Phase::Kept,
    Phase::Blocked,
    Phase::Behind,
    Phase::Delayed,
    Phase::Ready,
    Phase::Active,
    Phase::Ended,
];
/// How a job ends, how a delivery, and how a message.
const OUTCOMES: [&str; 2] = ["succeeded", "failed"];
const ENDS: [&str; 2] = ["acked", "dead"];
const MAIL_ENDS: [&str; 2] = ["read", "returned"];
/// Few of each, so that collisions are frequent.
const JOBS: u64 = 40;
const WORDS: [&str; 4] = ["a", "b", "ä 'quoted'", ""];

/// SplitMix64: the same history for the same seed, for ever and without a dependency.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn of_ten(&mut self, times: u64) -> bool {
        self.below(10) < times
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    fn word(&mut self) -> Option<String> {
        self.of_ten(7).then(|| self.pick(&WORDS).to_owned())
    }

    fn row(&mut self, table: Table) -> Row {
        let mut row = job(1 + self.below(JOBS), Phase::Kept);
        if matches!(table, Table::Job | Table::Delivery | Table::Mail) {
            enter(&mut row, self.pick(&PHASES));
        }
        // Where nothing is ever due, a row that says so is refused: now and then.
        let due = if Table::TIMED.contains(&table) { 5 } else { 1 };
        row.due_at = self.of_ten(due).then(|| at(i64::try_from(self.below(20)).unwrap()));
        if row.host.is_some() || self.of_ten(3) {
            row.host = Some(host(1 + self.below(2)).to_string());
        }
        (row.lane, row.parent, row.owner) = (self.word(), self.word(), self.word());
        (row.pool, row.name) = (self.word(), self.word());
        row.key = self.of_ten(2).then(|| format!("key {}", self.below(JOBS)));
        row.priority = u8::try_from(self.below(10)).unwrap();
        row.bytes = self.below(1_000);
        row.labels = self.word().map(|word| format!("{{\"label\":\"{word}\"}}"));
        if row.outcome.is_some() {
            let outcomes = match table {
                Table::Delivery => ENDS,
                Table::Mail => MAIL_ENDS,
                _ => OUTCOMES,
            };
            row.outcome = Some(self.pick(&outcomes).to_owned());
        }
        if table == Table::Delivery {
            // Several are made in one step, so that their order needs the ids.
            row.seq = row.seq / 4 + 1;
        }
        row
    }
}

/// One change, decided before any store sees it.
#[derive(Debug)]
enum Change {
    Save { table: Table, row: Box<Row>, new: bool },
    Remove { table: Table, id: String },
    Append { job: Option<u64>, count: u64 },
    Forget { job: u64 },
    Trim { keep: u32 },
}

impl Change {
    fn random(chance: &mut Chance) -> Self {
        let table = match chance.below(10) {
            0..=4 => Table::Job,
            5..=6 => Table::Delivery,
            7..=8 => Table::Mail,
            _ => chance.pick(&Table::ALL),
        };
        match chance.below(20) {
            0..=11 => Self::Save { table, row: Box::new(chance.row(table)), new: chance.of_ten(5) },
            12..=13 => Self::Remove { table, id: job_id(1 + chance.below(JOBS)) },
            14..=17 => Self::Append {
                job: chance.of_ten(8).then(|| 1 + chance.below(JOBS)),
                count: chance.below(4),
            },
            18 => Self::Forget { job: 1 + chance.below(JOBS) },
            _ => Self::Trim { keep: u32::try_from(chance.below(5)).unwrap() },
        }
    }

    /// Makes the change; `seqs` are the last numbers of each job's entries in this history.
    fn apply(&self, tx: &mut dyn Tx, seqs: &mut BTreeMap<u64, u64>) -> Result<(), StoreError> {
        match self {
            Self::Save { table, row, new } => tx.save(*table, row, *new),
            Self::Remove { table, id } => tx.remove(*table, id),
            Self::Append { job, count } => {
                let events: Vec<_> = (0..*count)
                    .map(|number| match job {
                        None => general(number),
                        Some(job) => {
                            let seq = seqs.entry(*job).or_default();
                            *seq += 1;
                            event(*job, *seq)
                        }
                    })
                    .collect();
                tx.append(&events).map(|_| ())
            }
            Self::Forget { job } => {
                seqs.remove(job);
                tx.forget(&job_id(*job))
            }
            Self::Trim { keep } => tx.trim_general(*keep),
        }
    }
}

/// What kind of answer a change got; the words may differ between stores.
fn kind(result: &Result<(), StoreError>) -> &'static str {
    match result {
        Ok(()) => "done",
        Err(StoreError::Conflict) => "conflict",
        Err(StoreError::Full(_)) => "full",
        Err(StoreError::Newer(_)) => "newer",
        Err(StoreError::Corrupt(_)) => "corrupt",
        Err(StoreError::Failed(_)) => "failed",
    }
}

/// Every question that can be asked within a transaction, and its answer.
fn asked_within(tx: &mut dyn Tx) -> Result<Vec<String>, StoreError> {
    let mut answers = vec![
        format!("head {:?}", tx.head()?),
        format!("next due {:?} {:?}", tx.next_due(&host(1))?, tx.next_due(&host(3))?),
        format!("due {:?}", tx.due(&host(1), at(12), 7)?),
        format!("all due {:?}", tx.due(&host(2), at(i64::MAX), 500)?),
        format!("ended {:?} {:?}", tx.oldest_ended(5)?, tx.ended_totals()?),
        format!("ended mail {:?} {:?}", tx.oldest_ended_mail(5)?, tx.ended_mail_count()?),
    ];
    for word in WORDS {
        answers.push(format!("runnable {:?} {:?}", tx.runnable(word, 3)?, tx.runnable(word, 99)?));
        answers.push(format!("occupied {:?} lane {:?}", tx.occupied(word)?, tx.lane_head(word)?));
        for after in WORDS {
            answers.push(format!("lanes {:?}", tx.next_in_lanes(word, after, 2)?));
        }
        answers.push(format!("all lanes {:?}", tx.next_in_lanes(word, "", u32::MAX)?));
        answers.push(format!("waiting {:?}", tx.waiting_in_lane(word, 3)?));
        answers.push(format!("open {:?}", tx.open_in_lane(word, 5)?));
        answers.push(format!("in pool {:?}", tx.active_in_pool(word)?));
        answers.push(format!("in lane {:?}", tx.active_in_lane(word)?));
        answers.push(format!("jobs in lane {:?}", tx.open_jobs_in_lane(word, 3)?));
        answers.push(format!("unread {:?} {:?}", tx.unread(word, 3)?, tx.unread_count(word)?));
    }
    for table in Table::ALL {
        answers.push(format!("active {:?}", tx.active_on(table, &host(1), "", 50)?));
        let after = &job_id(JOBS / 2);
        answers.push(format!("active after {:?}", tx.active_on(table, &host(2), after, 3)?));
        answers.push(format!(
            "ids {:?} {:?}",
            tx.ids(table, "", 99)?,
            tx.ids(table, &job_id(9), 3)?
        ));
        for word in WORDS {
            answers.push(format!("children {:?}", tx.children(table, word, "", 9)?));
        }
        for id in tx.ids(table, "", 99)? {
            answers.push(format!("row {:?}", tx.load(table, &id)?));
        }
        answers.push(format!("row {:?}", tx.load(table, &job_id(1))?));
    }
    for number in 0..JOBS {
        answers.push(format!("key {:?}", tx.by_key(&format!("key {number}"))?));
    }
    Ok(answers)
}

/// Every question that a reader can be asked, and its answer.
fn asked_beside(reader: &mut dyn Reader, chance: &mut Chance) -> Result<Vec<String>, StoreError> {
    let filter = Filter {
        states: if chance.of_ten(3) { vec!["ready".into(), "ended".into()] } else { vec![] },
        outcomes: if chance.of_ten(3) { vec!["failed".into(), "succeeded".into()] } else { vec![] },
        pool: if chance.of_ten(2) { chance.word() } else { None },
        lane: if chance.of_ten(2) { chance.word() } else { None },
        owner: if chance.of_ten(2) { chance.word() } else { None },
        parent: if chance.of_ten(2) { chance.word() } else { None },
        labels: if chance.of_ten(2) { vec![("label".into(), "a".into())] } else { vec![] },
    };
    let deliveries = DeliveryFilter {
        job: if chance.of_ten(3) { chance.word() } else { None },
        states: if chance.of_ten(4) { vec!["ready".into(), "ended".into()] } else { vec![] },
        owner: if chance.of_ten(3) { chance.word() } else { None },
        pool: if chance.of_ten(3) { chance.word() } else { None },
    };
    let mail = MailFilter {
        to: if chance.of_ten(4) { chance.word() } else { None },
        from: if chance.of_ten(3) { chance.word() } else { None },
        thread: if chance.of_ten(2) { chance.word() } else { None },
        states: if chance.of_ten(4) { vec!["ready".into(), "ended".into()] } else { vec![] },
        kind: if chance.of_ten(2) { chance.word() } else { None },
    };
    let age = chance.of_ten(5).then(|| (chance.below(JOBS / 4), job_id(chance.below(JOBS))));
    let before = chance.of_ten(5).then(|| chance.below(JOBS));
    let after = Position(chance.below(100));
    let mut answers = vec![
        format!("list {filter:?} {:?}", reader.list(&filter, before, 7)?),
        format!("list {:?}", reader.list(&Filter::default(), before, 500)?),
        format!("counts {:?}", reader.counts()?),
        format!("prefix {:?}", reader.by_prefix(Table::Job, &job_id(1)[..29], 5)?),
        format!("prefix {:?}", reader.by_prefix(Table::Delivery, &job_id(1)[..29], 5)?),
        format!("deliveries {:?}", reader.deliveries(&deliveries, age.clone(), 7)?),
        format!("all {:?}", reader.deliveries(&DeliveryFilter::default(), age.clone(), 500)?),
        format!("dead {:?}", reader.dead_deliveries()?),
        format!("mail {mail:?} {:?}", reader.mail(&mail, before, 7)?),
        format!("all mail {:?}", reader.mail(&MailFilter::default(), before, 500)?),
        format!("head {:?}", reader.head()?),
        format!("events {:?}", reader.events(None, after, 20)?),
        format!("check {:?}", reader.check()?),
    ];
    for word in WORDS {
        answers.push(format!(
            "name {:?} lane {:?}",
            reader.by_name(word, 9)?,
            reader.lane_head(word)?
        ));
        answers.push(format!("load {:?}", reader.pool_load(word)?));
        answers.push(format!("open {:?}", reader.open_in_lane(word, age.clone(), 4)?));
        answers.push(format!("deliveries {:?}", reader.delivery_counts(word)?));
        answers.push(format!("ahead {:?}", reader.ahead_of(word, 5, 20)?));
        answers.push(format!("unread {:?}", reader.unread_count(word)?));
    }
    for table in Table::ALL {
        let (word, after) = (chance.word(), &job_id(chance.below(JOBS)));
        answers.push(format!("rows {:?}", reader.rows(table, word.as_deref(), after, 4)?));
    }
    for number in 1..=JOBS {
        let id = job_id(number);
        answers.push(format!("events of {id} {:?}", reader.events(Some(&id), after, 20)?));
    }
    Ok(answers)
}

/// Plays one transaction on both stores, compares what they say within it, and gives the numbers of
/// entries after it if it was committed.
fn play(
    stores: [&mut dyn Store; 2],
    chance: &mut Chance,
    seqs: &BTreeMap<u64, u64>,
) -> Option<BTreeMap<u64, u64>> {
    let changes: Vec<_> = (0..=chance.below(6)).map(|_| Change::random(chance)).collect();
    let is_undone = chance.of_ten(3);
    let mut txs = stores.map(|store| store.begin().unwrap());
    let (mut after, mut is_refused) = (seqs.clone(), false);
    for change in &changes {
        let mut seqs = [after.clone(), after.clone()];
        let results = [0, 1].map(|at| change.apply(txs[at].as_mut(), &mut seqs[at]));
        assert_eq!(kind(&results[0]), kind(&results[1]), "{change:?} {results:?}");
        is_refused |= results[0].is_err();
        [after, _] = seqs;
    }
    same(txs.each_mut().map(|tx| asked_within(tx.as_mut()).unwrap()));
    // A refused save leaves its transaction usable, so some of these are committed too.
    if is_undone || (is_refused && chance.of_ten(5)) {
        return None;
    }
    for tx in txs {
        tx.commit().unwrap();
    }
    Some(after)
}

fn same([memory, sqlite]: [Vec<String>; 2]) {
    assert_eq!(memory.len(), sqlite.len());
    for (of_memory, of_sqlite) in memory.iter().zip(&sqlite) {
        assert_eq!(of_memory, of_sqlite, "memory says the left, SQLite the right");
    }
}

#[test]
fn stores_agree_on_thousands_of_random_transactions() {
    for seed in 1..=6 {
        let folder = tempfile::tempdir().unwrap();
        let sqlite: &mut dyn Store =
            &mut longhaul_store::open(&folder.path().join("state.db")).unwrap();
        let memory: &mut dyn Store = &mut MemoryStore::new();
        let (chance, mut seqs, mut committed) = (&mut Chance(seed), BTreeMap::new(), 0);
        for number in 0..300 {
            if let Some(after) = play([&mut *memory, &mut *sqlite], chance, &seqs) {
                (seqs, committed) = (after, committed + 1);
            }
            if number % 10 == 0 {
                let question = chance.below(u64::MAX);
                let readers = [memory.reader().unwrap(), sqlite.reader().unwrap()];
                same(readers.map(|mut reader| {
                    asked_beside(reader.as_mut(), &mut Chance(question)).unwrap()
                }));
            }
        }
        assert!(committed > 100, "seed {seed} committed only {committed} transactions");
    }
}

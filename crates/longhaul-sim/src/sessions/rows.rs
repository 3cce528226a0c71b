//! What a server can read after a step: the rows of sessions, feeds and jobs, and the journal.

use longhaul_core::feed::{FeedRow, Run, Told};
use longhaul_core::id::{JobId, SessionId};
use longhaul_core::job::Job;
use longhaul_core::port::{Position, Reader, Record, Row, Table};
use longhaul_core::session::Session;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// More rows than any life has.
const ALL: u32 = 1_000_000;

/// An entry of a job's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its text, which never changes.
    pub(super) body: String,
    /// Whether those who follow the job are told of it.
    pub(super) is_told: bool,
}

/// All of it, as of the last step.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) sessions: BTreeMap<SessionId, Session>,
    /// Kept runs and the newest one, by their first numbers.
    pub(super) feeds: BTreeMap<SessionId, Rc<Vec<Run>>>,
    pub(super) jobs: BTreeMap<JobId, Rc<Job>>,
    /// The whole journal; of what was before a step, nothing but `known`.
    pub(super) entries: BTreeMap<JobId, Vec<Entry>>,
    /// How many entries each job has.
    pub(super) known: BTreeMap<JobId, u64>,
    /// Jobs that were removed.
    pub(super) gone: BTreeSet<JobId>,
    /// Sessions that rows of feeds name.
    pub(super) named: BTreeSet<String>,
    /// Subscriptions that were ever written down.
    pub(super) followed: u64,
    /// A job whose entries cannot be read as they were written.
    pub(super) misread: Option<JobId>,
    head: Position,
    /// How often the whole of a journal was read once more.
    whole: usize,
}

/// What a number of a session stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stood {
    /// This entry of this job.
    Entry(JobId, u64),
    /// That it reads too slowly, about this job.
    Lagging(JobId),
}

impl Rows {
    /// What there is, for later, but for the texts of the journal.
    pub(super) fn remember(&mut self) -> Self {
        let entries = std::mem::take(&mut self.entries);
        let copy = self.clone();
        self.entries = entries;
        copy
    }

    /// Reads what a step has changed; and of the runs that are kept for good, all if `is_whole`.
    pub(super) fn read(
        &mut self,
        reader: &mut dyn Reader,
        changed: &BTreeSet<JobId>,
        is_whole: bool,
    ) {
        let rows = reader.rows(Table::Session, None, "", ALL).expect("the store is sound");
        let read: BTreeMap<_, _> =
            rows.iter().map(of::<Session>).map(|session| (session.id.clone(), session)).collect();
        let before = std::mem::replace(&mut self.sessions, read);
        self.feeds.retain(|id, _| self.sessions.contains_key(id));
        for (id, session) in &self.sessions {
            if is_whole || before.get(id) != Some(session) {
                let parent = Some(id.as_str());
                let rows = reader.rows(Table::Feed, parent, "", ALL).expect("the store is sound");
                let kept = rows.iter().map(of::<FeedRow>).map(|row| row.run);
                let runs = Rc::new(kept.chain(session.tail.clone()).collect());
                self.feeds.insert(id.clone(), runs);
            }
        }
        let ids = reader.ids(Table::Feed, "", ALL).expect("the store is sound");
        let named = ids.iter().filter_map(|id| id.split_once('/'));
        self.named = named.map(|(session, _)| session.to_owned()).collect();
        for id in changed {
            let row = reader.load(Table::Job, id.as_str()).expect("the store is sound");
            match row {
                Some(row) => drop(self.jobs.insert(id.clone(), Rc::new(of::<Job>(&row)))),
                None => {
                    self.jobs.remove(id);
                    self.gone.insert(id.clone());
                }
            }
        }
        self.journal(reader);
        let gone = changed.iter().filter(|id| self.gone.contains(*id));
        let other = is_whole.then(|| self.known.keys().nth(self.whole % self.known.len().max(1)));
        self.whole += usize::from(is_whole);
        let read = gone.chain(other.flatten()).find(|id| !self.is_readable(reader, id));
        self.misread = read.cloned();
    }

    /// Whether all entries of a job are there, or none if it is gone.
    fn is_readable(&self, reader: &mut dyn Reader, id: &JobId) -> bool {
        let entries = reader.entries(id.as_str(), 1, ALL).expect("the store is sound");
        if self.gone.contains(id) {
            return entries.is_empty();
        }
        let written = self.entries[id].iter().map(|entry| entry.body.as_str());
        entries.iter().map(|event| event.body.as_str()).eq(written)
    }

    /// Whether a job has ended, or did so before it went.
    pub(super) fn is_over(&self, job: &JobId) -> bool {
        self.jobs.get(job).is_none_or(|job| job.outcome().is_some())
    }

    /// Whether what a number stands for went with its job.
    pub(super) fn is_forgotten(&self, stood: &Stood) -> bool {
        matches!(stood, Stood::Entry(job, _) if self.gone.contains(job))
    }

    fn journal(&mut self, reader: &mut dyn Reader) {
        let events = reader.events(None, self.head, ALL).expect("the store is sound");
        for event in events {
            self.head = event.position;
            let Some(job) = event.job else { continue };
            let is_told = is_told(&event.body);
            self.followed += u64::from(event.body.starts_with(r#"{"kind":"followed""#));
            self.known.insert(job.clone(), event.seq);
            let of = self.entries.entry(job).or_default();
            assert_eq!(event.seq, of.len() as u64 + 1, "entries of a job have no gaps");
            of.push(Entry { body: event.body, is_told });
        }
    }

    /// What the numbers of a session from `from` on stand for, one after the other.
    pub(super) fn stood(&self, session: &SessionId, from: u64) -> Vec<(u64, Stood)> {
        let mut all = Vec::new();
        for run in self.feeds.get(session).into_iter().flat_map(|runs| runs.iter()) {
            for number in from.max(run.first)..run.first + run.count {
                all.push((number, stands_for(run, number)));
            }
        }
        all
    }

    /// The numbers, within the job, of its told entries after `after`.
    pub(super) fn told(&self, job: &JobId, after: u64) -> Vec<u64> {
        let entries = self.entries.get(job).into_iter().flatten();
        let told = (1..).zip(entries).filter(|(_, entry)| entry.is_told).map(|(seq, _)| seq);
        told.filter(|seq| *seq > after).collect()
    }

    /// Whether what this stands for can be read.
    pub(super) fn has(&self, stood: &Stood) -> bool {
        match stood {
            Stood::Entry(job, seq) => (1..=self.known.get(job).copied().unwrap_or(0)).contains(seq),
            Stood::Lagging(_) => true,
        }
    }

    /// What a client is sent for this.
    pub(super) fn frame(&self, stood: &Stood) -> Option<String> {
        match stood {
            Stood::Entry(job, seq) if self.gone.contains(job) => {
                Some(format!("{job} {seq} forgotten"))
            }
            Stood::Entry(job, seq) => {
                let place = usize::try_from(*seq).ok()?.checked_sub(1)?;
                let entry = self.entries.get(job)?.get(place)?;
                Some(format!("{job} {seq} {}", entry.body))
            }
            Stood::Lagging(job) => Some(format!("{job} lagging")),
        }
    }
}

fn of<T: Record>(row: &Row) -> T {
    T::from_row(row).expect("the engine wrote it")
}

fn stands_for(run: &Run, number: u64) -> Stood {
    match &run.what {
        Told::Job { job, seq } => Stood::Entry(job.clone(), seq + (number - run.first)),
        Told::Lagging { job, .. } => Stood::Lagging(job.clone()),
    }
}

/// Which entries are told, by their kinds. Said here once more, so that a kind which core would
/// forget is missed.
fn is_told(body: &str) -> bool {
    const TOLD: [&str; 5] = ["started", "told", "retrying", "rerunning", "ended"];
    TOLD.iter().any(|kind| body.starts_with(&format!(r#"{{"kind":"{kind}""#)))
}

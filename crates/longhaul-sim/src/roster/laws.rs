//! What must hold in every life, said of what was really asked, alive, told and answered.

use longhaul_core::roster::{DeadLetter, Key, News, Roster, Scope, SinkKey, Terms, Verdict};
use longhaul_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

type Law = Result<(), (&'static str, String)>;

/// What the world knows of one job.
#[derive(Debug, Default)]
struct Known {
    owner: &'static str,
    is_always_told: bool,
    is_hidden: bool,
    /// Its owner began anew, or it was released: nobody is to hear of it.
    is_excused: bool,
    /// Its owner fetched or acknowledged it.
    is_fetched: bool,
    is_taken: bool,
    is_dead: bool,
    watchers: u32,
    in_flight: Option<u32>,
    tries: u32,
    /// When it became owed, among all that did.
    turn: Option<u64>,
    ended: Option<Verdict>,
    is_cancelled: bool,
}

impl Known {
    fn is_owed(&self) -> bool {
        let is_wanted = self.is_always_told || !self.is_cancelled;
        let is_settled = self.is_excused || self.is_fetched || self.is_taken || self.is_dead;
        self.ended.is_some() && is_wanted && !is_settled && !self.is_hidden
    }

    fn may_go_first(&self) -> bool {
        self.is_owed() && self.watchers == 0 && self.tries == 0
    }
}

pub(super) struct Laws {
    terms: Terms,
    jobs: BTreeMap<Key, Known>,
    by_number: Vec<Key>,
    numbered: BTreeSet<String>,
    sinks: BTreeMap<SinkKey, &'static str>,
    current: BTreeMap<&'static str, SinkKey>,
    turns: u64,
    dead: u64,
    broken: Option<(&'static str, String)>,
}

impl Laws {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            terms,
            jobs: BTreeMap::new(),
            by_number: Vec::new(),
            numbered: BTreeSet::new(),
            sinks: BTreeMap::new(),
            current: BTreeMap::new(),
            turns: 0,
            dead: 0,
            broken: None,
        }
    }

    /// Notes the first law that is broken; it is told when the step is over.
    fn hold(&mut self, holds: bool, law: &'static str, what: impl FnOnce() -> String) {
        if !holds && self.broken.is_none() {
            self.broken = Some((law, what()));
        }
    }

    fn known(&mut self, key: Key) -> &mut Known {
        self.jobs.entry(key).or_default()
    }

    pub(super) fn registered(&mut self, key: Key, job: (&'static str, bool, bool), id: String) {
        let (owner, is_hidden, is_always_told) = job;
        if id.starts_with("bg_") && !id.contains('-') {
            let is_new = self.numbered.insert(id.clone());
            self.hold(is_new, "no number is given twice", || id);
        }
        let known = Known { owner, is_hidden, is_always_told, ..Known::default() };
        let before = self.jobs.insert(key, known);
        self.hold(before.is_none(), "every job has its own key", || format!("{key:?}"));
        self.by_number.push(key);
    }

    pub(super) fn hidden(&self) -> impl Iterator<Item = Key> + '_ {
        self.jobs.iter().filter(|(_, job)| job.is_hidden && !job.is_excused).map(|(key, _)| *key)
    }

    pub(super) fn promoted(&mut self, key: Key) {
        self.turns += 1;
        let turn = self.turns;
        let job = self.known(key);
        job.is_hidden = false;
        job.turn = job.ended.is_some().then_some(turn);
    }

    pub(super) fn excused(&mut self, key: Key) {
        self.known(key).is_excused = true;
    }

    pub(super) fn began_anew(&mut self, owner: &'static str) {
        for job in self.jobs.values_mut().filter(|job| job.owner == owner) {
            job.is_excused = true;
        }
    }

    pub(super) fn fetched(&mut self, key: Key) {
        let job = self.known(key);
        job.is_fetched |= job.ended.is_some();
    }

    pub(super) fn watched(&mut self, keys: &[Key]) {
        for key in keys {
            self.known(*key).watchers += 1;
        }
    }

    pub(super) fn unwatched(&mut self, keys: &[Key]) {
        for key in keys {
            self.turns += 1;
            let turn = self.turns;
            let job = self.known(*key);
            job.watchers -= 1;
            if job.watchers == 0 && job.ended.is_some() {
                job.turn = Some(turn);
            }
        }
    }

    pub(super) fn sink_is(&mut self, owner: &'static str, sink: Option<SinkKey>) {
        self.current.remove(owner);
        if let Some(sink) = sink {
            self.sinks.insert(sink, owner);
            self.current.insert(owner, sink);
        }
    }

    pub(super) fn ran(&mut self, key: Key, is_alive: bool) {
        self.hold(!is_alive, "one body of a job at a time", || format!("{key:?}"));
    }

    pub(super) fn took_a_slot(&mut self, taken: usize, slots: u32) {
        self.hold(taken <= slots as usize, "no more bodies run than may", || {
            format!("{taken} of {slots}")
        });
    }

    pub(super) fn delivering(&mut self, key: Key, number: u32, sink: SinkKey, news: Option<News>) {
        let Some(news) = news else {
            self.hold(false, "what is wanted can be told", || format!("{key:?} try {number}"));
            return;
        };
        let theirs = self.sinks.get(&sink).copied();
        let job = self.known(key);
        if job.turn.is_none() {
            // The end is told right behind: it is the newest.
            job.turn = Some(u64::MAX);
        }
        let (owner, turn) = (job.owner, job.turn);
        let is_single = job.in_flight.is_none();
        let is_next = number == job.tries + 1;
        let is_wanted = !(job.is_excused || job.is_fetched || job.is_taken || job.is_hidden);
        let is_free = job.watchers == 0;
        job.in_flight = Some(number);
        job.tries = number;
        let is_theirs = theirs == Some(owner) && news.owner.as_deref() == Some(owner);
        self.hold(is_theirs, "a sink is given its owner's results only", || format!("{news:?}"));
        self.hold(is_single, "one try of a result at a time", || format!("{key:?}"));
        self.hold(is_next, "tries are numbered one by one", || format!("{key:?} {number}"));
        self.hold(is_wanted, "what is settled is not told again", || format!("{news:?}"));
        self.hold(is_free, "what is watched is held back", || format!("{news:?}"));
        let others = self.jobs.iter().filter(|(other, job)| **other != key && job.owner == owner);
        let older = others.clone().find(|(_, job)| job.may_go_first() && job.turn < turn);
        let older = older.filter(|_| number == 1).map(|(other, _)| *other);
        let at_once = 1 + others.filter(|(_, job)| job.in_flight.is_some()).count();
        let most = self.terms.tries_at_once_max;
        self.hold(older.is_none(), "first tries begin oldest first", || format!("{older:?}"));
        self.hold(at_once <= most, "few results of an owner are told at once", || {
            format!("{at_once}")
        });
    }

    pub(super) fn answered(&mut self, key: Key, number: u32, is_taken: bool) {
        let job = self.known(key);
        if job.in_flight == Some(number) {
            job.in_flight = None;
            job.is_taken |= is_taken;
        }
    }

    pub(super) fn abandoned(&mut self, key: Key, number: u32) {
        let job = self.known(key);
        let is_made = job.in_flight == Some(number);
        job.in_flight = None;
        self.hold(is_made, "only a try that is made is dropped", || format!("{key:?} {number}"));
    }

    pub(super) fn ended(
        &mut self,
        key: Key,
        is_cancelled: bool,
        is_alive: bool,
        verdict: &Verdict,
    ) {
        self.turns += 1;
        let turn = self.turns;
        let job = self.known(key);
        let is_first = job.ended.replace(verdict.clone()).is_none();
        job.is_cancelled = is_cancelled;
        job.turn = Some(turn);
        self.hold(is_first, "a job ends once", || format!("{key:?}"));
        self.hold(
            verdict.is_orphan == is_alive,
            "an end is an end or says that it is none",
            || format!("{verdict:?}"),
        );
    }

    pub(super) fn letter(&mut self, letter: &DeadLetter) {
        let number = usize::try_from(letter.news.delivery).unwrap_or(usize::MAX);
        let key = self.by_number.get(number.wrapping_sub(1)).copied();
        let Some(key) = key else {
            self.hold(false, "a dead letter is of a job", || format!("{letter:?}"));
            return;
        };
        let least = self.terms.undelivered_retention;
        let job = self.known(key);
        let is_right = job.owner == letter.news.owner.as_deref().unwrap_or_default();
        let is_untold = !job.is_taken && !job.is_dead;
        job.is_dead = true;
        self.dead += 1;
        self.hold(is_right, "a dead letter is its owner's", || format!("{letter:?}"));
        self.hold(is_untold, "what was told is no dead letter", || format!("{letter:?}"));
        let age = letter.at.since(letter.news.ended_at);
        self.hold(age >= least, "nothing is given up early", || format!("{letter:?}"));
    }

    pub(super) const fn dead(&self) -> u64 {
        self.dead
    }

    pub(super) fn after_a_step(
        &mut self,
        roster: &Roster,
        bodies: (usize, usize),
        now: Timestamp,
    ) -> Law {
        let totals = roster.totals();
        let (taken, alive) = bodies;
        self.hold(totals.running == taken, "slots are counted by bodies that are alive", || {
            format!("{} counted, {taken} taken", totals.running)
        });
        self.hold(totals.alive == alive, "bodies are counted", || {
            format!("{} counted, {alive} alive", totals.alive)
        });
        let most = self.terms.jobs_max;
        self.hold(totals.jobs <= most, "no more jobs are kept than may", || {
            totals.jobs.to_string()
        });
        let listed = roster.list(&Scope::All);
        let ids: BTreeSet<String> = listed.iter().map(|job| job.id.to_string()).collect();
        self.hold(ids.len() == listed.len(), "no two jobs have one id", || format!("{ids:?}"));
        let odd = self.jobs.iter().find(|(key, job)| {
            roster.look(**key).is_some_and(|seen| seen.is_watched != (job.watchers > 0))
        });
        let odd = odd.map(|(key, _)| *key);
        self.hold(odd.is_none(), "watchers are counted", || format!("{odd:?}"));
        let idle = self.current.keys().find(|owner| {
            let theirs = self.jobs.values().filter(|job| job.owner == **owner);
            let at_once = theirs.clone().filter(|job| job.in_flight.is_some()).count();
            let waits = theirs.clone().any(Known::may_go_first);
            at_once < self.terms.tries_at_once_max && waits
        });
        let idle = idle.copied();
        self.hold(idle.is_none(), "nobody waits while there is room to tell", || {
            format!("{idle:?} at {now:?}")
        });
        self.broken.clone().map_or(Ok(()), Err)
    }

    pub(super) fn at_rest(&mut self, roster: &Roster) -> Law {
        let endless = self.jobs.iter().find(|(_, job)| job.ended.is_none());
        let endless = endless.map(|(key, _)| *key);
        self.hold(endless.is_none(), "every job ends", || format!("{endless:?}"));
        let untold = self.jobs.iter().find(|(_, job)| job.is_owed()).map(|(key, _)| *key);
        self.hold(untold.is_none(), "every end is told, fetched or a dead letter", || {
            format!("{untold:?}")
        });
        let totals = roster.totals();
        self.hold(totals.jobs == 0 && totals.alive == 0, "nothing is kept for ever", || {
            format!("{totals:?}")
        });
        self.broken.clone().map_or(Ok(()), Err)
    }
}

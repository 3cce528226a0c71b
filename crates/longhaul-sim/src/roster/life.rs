//! One life: chance from a seed decides who asks what, which bodies hang or ignore their
//! cancellation, which sinks fail, hang or are late, and which reports come twice.

use super::laws::Laws;
use super::under::Under;
use crate::random::Random;
use longhaul_core::outcome::Ending;
use longhaul_core::roster::{
    Admission, Ask, Key, Notify, Output, OwnerName, Report, Roster, Scope, SinkKey, Stop, Terms,
    Want,
};
use longhaul_core::time::{Millis, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Things that happen in one life.
const TURNS: u32 = 400;
const OWNERS: [&str; 3] = ["ann", "bob", "cid"];

/// A law was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which, in words.
    pub law: &'static str,
    /// What happened.
    pub what: String,
    /// The life it happened in.
    pub seed: u64,
}

/// What happened in a life, so that no law holds by nothing happening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Jobs registered.
    pub registered: u64,
    /// Registrations refused at the cap.
    pub refused: u64,
    /// Results a sink took.
    pub taken: u64,
    /// Tries that failed, ran out or were abandoned.
    pub failed: u64,
    /// Dead letters.
    pub dead: u64,
    /// Orphans.
    pub orphans: u64,
    /// Attempts after the first.
    pub again: u64,
    /// Owners that began anew.
    pub anew: u64,
}

/// A body that has begun and not ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    pub(super) attempt: u32,
    /// It asked to be running, or was from the beginning.
    pub(super) has_slot: bool,
    is_deaf: bool,
    is_told: bool,
}

/// One life under way.
pub struct Life<'a> {
    under: &'a mut dyn Under,
    pub(super) roster: Roster,
    random: Random,
    pub(super) now: Timestamp,
    pub(super) slots: u32,
    pub(super) bodies: BTreeMap<Key, Body>,
    /// Tries under way, and whether their sink will ever answer.
    tries: BTreeMap<(Key, u32), bool>,
    sinks: BTreeMap<&'static str, SinkKey>,
    watches: Vec<Vec<Key>>,
    /// Reports that were made once already.
    old: Vec<(Key, u32)>,
    old_tries: Vec<(Key, u32)>,
    laws: Laws,
    tally: Tally,
}

impl<'a> Life<'a> {
    /// Plays the life of this seed to its end; gives what happened, or the first law it broke.
    pub fn play(seed: u64, under: &'a mut dyn Under) -> Result<Tally, Broken> {
        let terms = Terms {
            retention: Millis::new(4_000),
            consumed_retention: Millis::new(1_000),
            undelivered_retention: Millis::new(20_000),
            try_ms_max: Millis::new(3_000),
            tries_at_once_max: 2,
            orphan_after: Millis::new(2_000),
            jobs_max: 60,
        };
        let mut life = Life {
            under,
            laws: Laws::new(terms.clone()),
            roster: Roster::new(terms),
            random: Random::new(seed),
            now: Timestamp::from_millis(1_000_000),
            slots: 3,
            bodies: BTreeMap::new(),
            tries: BTreeMap::new(),
            sinks: BTreeMap::new(),
            watches: Vec::new(),
            old: Vec::new(),
            old_tries: Vec::new(),
            tally: Tally::default(),
        };
        let done = life.live();
        done.map_err(|(law, what)| Broken { law, what, seed })?;
        Ok(life.tally)
    }

    fn live(&mut self) -> Result<(), (&'static str, String)> {
        self.set_slots(3);
        for _ in 0..TURNS {
            self.happen();
            self.settle()?;
        }
        self.come_to_rest()
    }

    /// Everything that hangs ends, and time passes until nothing is owed: what is left then is lost.
    fn come_to_rest(&mut self) -> Result<(), (&'static str, String)> {
        for watch in std::mem::take(&mut self.watches) {
            self.unwatch(&watch);
        }
        for _ in 0..60 {
            let bodies: Vec<(Key, u32)> =
                self.bodies.iter().map(|(key, body)| (*key, body.attempt)).collect();
            for (key, attempt) in bodies {
                self.end(key, attempt, Report::Returned(Output::default()));
            }
            let tries: Vec<(Key, u32)> = self.tries.keys().copied().collect();
            for (key, number) in tries {
                self.answer(key, number, true);
            }
            self.pass(2_000);
            self.settle()?;
        }
        self.tally.dead += self.laws.dead();
        self.laws.at_rest(&self.roster)
    }

    fn happen(&mut self) {
        match self.random.below(100) {
            0..22 => self.register(),
            22..45 => self.end_some_body(),
            45..52 => self.ask_to_run(),
            52..60 => self.cancel(),
            60..72 => self.answer_some_try(),
            72..77 => self.watch(),
            77..82 => self.stop_watching(),
            82..85 => self.fetch(),
            85..89 => self.change_sink(),
            89..90 => self.begin_anew(),
            90..92 => {
                let slots = u32::try_from(self.random.between(1, 5)).expect("it is small");
                self.set_slots(slots);
            }
            92..93 => self.report_again(),
            _ => {
                let millis = *self.random.pick(&[1, 50, 400, 1_500, 6_000]);
                self.pass(millis);
            }
        }
    }

    fn owner(&mut self) -> &'static str {
        self.random.pick::<&'static str>(&OWNERS)
    }

    fn set_slots(&mut self, slots: u32) {
        self.slots = slots;
        let told = self.under.slots(slots);
        self.roster.set_slots(told, self.now);
    }

    fn register(&mut self) {
        let owner = self.owner();
        let queued = self.random.chance(30);
        let ask = Ask {
            id: self
                .random
                .chance(60)
                .then(|| (*self.random.pick(&["a", " b ", "a-2"])).to_owned()),
            queued,
            foreground: self.random.chance(8),
            retries: if self.random.chance(25) { 2 } else { 0 },
            retry_delay: Millis::new(300),
            timeout: self.random.chance(20).then_some(Millis::new(2_500)),
            notify: if self.random.chance(15) { Notify::Always } else { Notify::Ended },
            ..Ask::default()
        };
        let (is_foreground, is_always_told) = (ask.foreground, ask.notify == Notify::Always);
        match self.under.register(&mut self.roster, &name(owner), ask, self.now) {
            Ok((key, id)) => {
                self.tally.registered += 1;
                let is_deaf = self.random.chance(25);
                let body = Body { attempt: 1, has_slot: !queued, is_deaf, is_told: false };
                self.bodies.insert(key, body);
                self.laws.registered(key, (owner, is_foreground, is_always_told), id.to_string());
                self.laws.took_a_slot(if queued { 0 } else { self.taken() }, self.slots);
            }
            Err(refused) => self.tally.refused += u64::from(refused.code() == "at_capacity"),
        }
    }

    fn some_body(&mut self) -> Option<(Key, Body)> {
        let bodies: Vec<(Key, Body)> =
            self.bodies.iter().map(|(key, body)| (*key, *body)).collect();
        (!bodies.is_empty()).then(|| *self.random.pick(&bodies))
    }

    fn end_some_body(&mut self) {
        let Some((key, body)) = self.some_body() else { return };
        if body.is_deaf && self.random.chance(70) {
            return;
        }
        let report = match self.random.below(10) {
            0..6 => Report::Returned("fine".into()),
            6..9 => Report::Failed { error: "panicked".to_owned(), output: None },
            _ => Report::Dropped,
        };
        self.end(key, body.attempt, report);
    }

    fn end(&mut self, key: Key, attempt: u32, report: Report) {
        self.bodies.remove(&key);
        self.old.push((key, attempt));
        self.under.ended(&mut self.roster, key, attempt, report, self.now);
    }

    fn report_again(&mut self) {
        if self.old.is_empty() || self.old_tries.is_empty() {
            return;
        }
        let (key, attempt) = *self.random.pick(&self.old);
        let report = Report::Failed { error: "again".to_owned(), output: None };
        self.under.ended(&mut self.roster, key, attempt, report, self.now);
        let (key, number) = *self.random.pick(&self.old_tries);
        self.under.told(&mut self.roster, key, number, true, self.now);
    }

    fn ask_to_run(&mut self) {
        let Some((key, body)) = self.some_body().filter(|(_, body)| !body.has_slot) else { return };
        let answer = self.roster.mark_running(key, body.attempt, self.now);
        if answer == Admission::Admitted {
            self.admitted(key);
            self.laws.took_a_slot(self.taken(), self.slots);
        }
    }

    fn admitted(&mut self, key: Key) {
        if let Some(body) = self.bodies.get_mut(&key) {
            body.has_slot = true;
        }
    }

    fn cancel(&mut self) {
        let Some((key, body)) = self.some_body() else { return };
        if self.random.chance(10) {
            let scope = Scope::Owner(name(self.owner()));
            self.roster.cancel_all(&scope, &Stop::Asked("all".into()), self.now);
        } else {
            self.under.stop(&mut self.roster, key, body.attempt, self.now);
        }
    }

    fn answer_some_try(&mut self) {
        let tries: Vec<(Key, u32)> =
            self.tries.iter().filter(|(_, hangs)| !**hangs).map(|(of, _)| *of).collect();
        if !tries.is_empty() {
            let (key, number) = *self.random.pick(&tries);
            let is_taken = self.random.chance(65);
            self.answer(key, number, is_taken);
        }
    }

    fn answer(&mut self, key: Key, number: u32, is_taken: bool) {
        self.tries.remove(&(key, number));
        self.old_tries.push((key, number));
        self.laws.answered(key, number, is_taken);
        self.tally.taken += u64::from(is_taken);
        self.tally.failed += u64::from(!is_taken);
        self.under.told(&mut self.roster, key, number, is_taken, self.now);
    }

    fn some_ids(&mut self, owner: &'static str) -> Vec<String> {
        let listed = self.roster.list(&Scope::Owner(name(owner)));
        let mut ids: Vec<String> = listed.iter().map(|job| job.id.to_string()).collect();
        ids.retain(|_| self.random.chance(40));
        ids
    }

    fn watch(&mut self) {
        let owner = self.owner();
        let ids = self.some_ids(owner);
        let ids = ids.iter().map(String::as_str);
        let keys = self.roster.watch(&name(owner), ids).expect("these were listed");
        self.laws.watched(&keys);
        self.watches.push(keys);
    }

    fn stop_watching(&mut self) {
        if !self.watches.is_empty() {
            let number = usize::try_from(self.random.below(self.watches.len() as u64));
            let keys = self.watches.swap_remove(number.expect("less than a length"));
            self.unwatch(&keys);
        }
    }

    fn unwatch(&mut self, keys: &[Key]) {
        self.laws.unwatched(keys);
        self.under.unwatch(&mut self.roster, keys, self.now);
    }

    fn fetch(&mut self) {
        let owner = self.owner();
        let ids = self.some_ids(owner);
        let keys: Vec<Key> = ids
            .iter()
            .filter_map(|id| self.roster.find(&name(owner), &longhaul_core::roster::Id::parse(id)))
            .collect();
        for key in keys {
            self.laws.fetched(key);
        }
        let known = ids.iter().map(String::as_str);
        if self.random.chance(50) {
            self.roster.acknowledge(&name(owner), known);
        } else {
            self.roster.consume(&name(owner), known, self.now);
        }
        let hidden: Vec<Key> = self.laws.hidden().collect();
        if !hidden.is_empty() {
            let key = *self.random.pick(&hidden);
            if self.random.chance(50) {
                if self.roster.promote(key, self.now) {
                    self.laws.promoted(key);
                }
            } else if self.roster.release(key) {
                self.laws.excused(key);
            }
        }
    }

    fn change_sink(&mut self) {
        let owner = self.owner();
        let is_there = self.sinks.contains_key(owner);
        if is_there && self.random.chance(50) {
            let sink = self.sinks.remove(owner).expect("it is there");
            self.roster.remove_sink(&name(owner), sink);
            self.laws.sink_is(owner, None);
        } else {
            let change = self.roster.add_sink(&name(owner), self.now);
            self.sinks.insert(owner, change.added);
            self.laws.sink_is(owner, Some(change.added));
        }
    }

    fn begin_anew(&mut self) {
        let owner = self.owner();
        self.tally.anew += 1;
        self.laws.began_anew(owner);
        self.roster.supersede(&name(owner), self.now);
    }

    fn pass(&mut self, millis: u64) {
        let until = self.now.plus(Millis::new(millis));
        // The timer wakes when it is told to, as late as it likes.
        while let Some(at) = self.roster.due_at().filter(|at| *at <= until) {
            self.now = at.max(self.now);
            if self.random.chance(20) {
                self.now = until;
            }
            self.under.on_due(&mut self.roster, self.now);
            self.meet_wants();
            if self.roster.due_at() == Some(at) && self.now == until {
                break;
            }
        }
        self.now = until;
    }

    fn settle(&mut self) -> Result<(), (&'static str, String)> {
        self.meet_wants();
        let taken = self.bodies.values().filter(|body| body.has_slot).count();
        self.laws.after_a_step(&self.roster, (taken, self.bodies.len()), self.now)
    }

    /// Does what is wanted, as a driver would.
    fn meet_wants(&mut self) {
        let wants = self.roster.take_wants();
        for want in self.under.wants(wants) {
            match want {
                Want::Run(key, attempt) => {
                    self.tally.again += 1;
                    self.laws.ran(key, self.bodies.contains_key(&key));
                    let body = Body { attempt, has_slot: true, is_deaf: false, is_told: false };
                    self.bodies.insert(key, body);
                    self.laws.took_a_slot(self.taken(), self.slots);
                }
                Want::Admit(key) => {
                    self.admitted(key);
                    self.laws.took_a_slot(self.taken(), self.slots);
                }
                Want::Cancel(key, _) => {
                    if let Some(body) = self.bodies.get_mut(&key) {
                        body.is_told = true;
                    }
                }
                Want::Deliver(key, number, sink) => {
                    let news = self.roster.news(key, number);
                    self.laws.delivering(key, number, sink, news);
                    let hangs = self.random.chance(15);
                    self.tries.insert((key, number), hangs);
                }
                Want::Abandon(key, number) => {
                    self.tries.remove(&(key, number));
                    self.tally.failed += 1;
                    self.laws.abandoned(key, number);
                }
                Want::Ended(key, verdict) => {
                    let is_cancelled = verdict.ending == Ending::Cancelled;
                    self.laws.ended(key, is_cancelled, self.bodies.contains_key(&key), &verdict);
                }
                Want::Orphaned(_) => self.tally.orphans += 1,
                // Letters are taken at once here, so only an owner that begins anew drops any.
                Want::Dropped(_) => {}
            }
        }
        for owner in OWNERS {
            for letter in self.roster.take_dead_letters(&name(owner)) {
                self.laws.letter(&letter);
            }
        }
    }

    fn taken(&self) -> usize {
        self.bodies.values().filter(|body| body.has_slot).count()
    }
}

fn name(owner: &str) -> OwnerName {
    Some(Arc::from(owner))
}

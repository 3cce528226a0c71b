//! Laws about what sessions were given: each number once, for ever the same, in the commit that made
//! what it stands for, to whom it concerns and to nobody else.

use super::ghosts::Due;
use super::life::Life;
use super::rows::{Rows, Stood};
use crate::course::Broken;
use longhaul_core::engine::Step;
use longhaul_core::id::{JobId, SessionId};
use longhaul_core::limits;
use std::collections::{BTreeMap, BTreeSet};

/// What was given to a session in one step.
type Given = Vec<(u64, Stood)>;

impl Life {
    /// After a step: what it gave is what it should have given.
    pub(super) fn check_told(
        &mut self,
        before: &Rows,
        step: &Step,
        due: &BTreeMap<(SessionId, JobId), Due>,
    ) -> Result<(), Broken> {
        let mut fed = BTreeMap::new();
        let sessions: Vec<_> = self.rows.sessions.keys().cloned().collect();
        for id in sessions {
            let newest = before.sessions.get(&id).map_or(0, |session| session.newest);
            let given = self.rows.stood(&id, newest + 1);
            self.whole(&id, newest, &given)?;
            if let Some((last, _)) = given.last() {
                fed.insert(id.clone(), *last);
            }
            self.tally.told += given.len() as u64;
            self.concerns(&id, &given, before, due)?;
            self.lags(&id, &given, before)?;
            self.stood.entry(id).or_default().extend(given);
        }
        self.tally.told_many += u64::from(fed.len() > 1);
        self.holds("a step says whom it told something", step.fed == fed, || {
            format!("it says {:?}, and told {fed:?}", step.fed)
        })
    }

    /// Numbers go on where they were, up to the newest that the row names.
    fn whole(&self, id: &SessionId, newest: u64, given: &Given) -> Result<(), Broken> {
        let says = self.rows.sessions[id].newest;
        let numbers = given.iter().map(|(number, _)| *number);
        let is_whole = numbers.eq(newest + 1..=says) && says >= newest;
        // What was given and let go in one step cannot be read any more.
        let floor = self.rows.sessions[id].floor;
        self.holds("numbers follow each other", is_whole || floor > newest, || {
            format!("{id} had {newest}, has {says}, and was given {given:?}")
        })
    }

    /// Of each job it is given what it asked for and what is new, in order, and nothing else.
    fn concerns(
        &mut self,
        id: &SessionId,
        given: &Given,
        before: &Rows,
        due: &BTreeMap<(SessionId, JobId), Due>,
    ) -> Result<(), Broken> {
        let mut of: BTreeMap<JobId, Vec<u64>> = BTreeMap::new();
        for (_, stood) in given {
            if let Stood::Entry(job, seq) = stood {
                of.entry(job.clone()).or_default().push(*seq);
            }
        }
        let floor = before.sessions.get(id).map_or(0, |session| session.newest);
        if self.rows.sessions[id].floor > floor {
            return Ok(());
        }
        let named = due.keys().filter(|(session, _)| session == id).map(|(_, job)| job.clone());
        let jobs: BTreeSet<JobId> = of.keys().cloned().chain(named).collect();
        for job in jobs {
            let got = of.remove(&job).unwrap_or_default();
            let known = before.known.get(&job).copied().unwrap_or(0);
            let new = self.rows.told(&job, known);
            let due = due.get(&(id.clone(), job.clone())).cloned().unwrap_or_default();
            let mut right = due.again.clone();
            right.extend(new.iter().filter(|_| due.is_following));
            let is_right = got == right || due.is_new && right.ends_with(&got);
            self.holds("who follows is told all of it, at once and once", is_right, || {
                format!("{id} was told {got:?} of {job}, and not {right:?}")
            })?;
            let ghost = &self.ghosts.sessions[id];
            let is_theirs = ghost.is_operator || self.ghosts.owners[&job] == ghost.principal;
            self.holds(
                "nobody is told of what is not theirs",
                is_theirs || got.is_empty(),
                || format!("{id} of {} was told of {job}", ghost.principal),
            )?;
            if due.is_following && !new.is_empty() {
                self.told_at(id, &job, given);
            }
        }
        Ok(())
    }

    fn told_at(&mut self, id: &SessionId, job: &JobId, given: &Given) {
        let about = |stood: &Stood| matches!(stood, Stood::Entry(of, _) if of == job);
        let last = given.iter().rev().find(|(_, stood)| about(stood)).map(|(number, _)| *number);
        let ghost = self.ghosts.sessions.get_mut(id).expect("all are known");
        ghost.told_at.extend(last.map(|number| (job.clone(), number)));
    }

    /// It is told once that it reads too slowly, and only then.
    fn lags(&mut self, id: &SessionId, given: &Given, before: &Rows) -> Result<(), Broken> {
        let warnings = given.iter().filter(|(_, stood)| matches!(stood, Stood::Lagging(_))).count();
        let newest = self.rows.sessions[id].newest;
        let was = before.sessions.get(id).map_or(0, |session| session.newest);
        let ghost = self.ghosts.sessions.get_mut(id).expect("all are known");
        let behind = newest - warnings as u64 - ghost.acked;
        let may = ghost.acks && !ghost.is_lagging && behind > limits::FEED_LAGGING;
        ghost.is_lagging |= warnings > 0;
        self.tally.lagging += warnings as u64;
        let floor = self.rows.sessions[id].floor;
        let is_right = warnings == 0 || may && warnings == 1;
        self.holds("who reads too slowly is told so once", is_right || floor > was, || {
            format!("{id} is {behind} behind, and was told so {warnings} times")
        })?;
        // History alone is no reason: it was asked for.
        let ghost = &self.ghosts.sessions[id];
        let says = self.rows.sessions[id].is_lagging;
        let is_missed = says != ghost.is_lagging && floor <= was;
        self.holds("a session knows whether it was told", !is_missed, || format!("{ghost:?}"))?;
        self.ghosts.sessions.get_mut(id).expect("all are known").is_lagging = says;
        Ok(())
    }

    /// What a number stands for never changes, as far as it can be read.
    pub(super) fn check_kept(&self) -> Result<(), Broken> {
        for id in self.rows.sessions.keys() {
            let now = self.rows.stood(id, 0);
            let kept = &self.stood[id];
            let changed = now.iter().find(|(number, stood)| kept.get(number) != Some(stood));
            self.holds("a number stands for the same for ever", changed.is_none(), || {
                format!("{id}: {changed:?}")
            })?;
            let lost = now.iter().find(|(_, stood)| !self.rows.has(stood));
            self.holds("what a number stands for can be read", lost.is_none(), || {
                format!("{id}: {lost:?}")
            })?;
        }
        Ok(())
    }

    /// When all jobs are over: whoever followed one was told all of it that they asked for.
    pub(super) fn check_stories(&mut self) -> Result<(), Broken> {
        let askers: Vec<_> = self.ghosts.askers.clone().into_iter().collect();
        for (job, session) in askers {
            let key = (session, job);
            let is_plain = !self.ghosts.asked.contains_key(&key) && self.told_to_end.contains(&key);
            if is_plain && self.is_whole(&key.0) {
                let (told, all) = (self.of(&key), self.rows.told(&key.1, 0));
                self.tally.told_whole += 1;
                self.holds("who asked for a job is told all of it", told == all, || {
                    format!("{key:?}: {told:?}, and not {all:?}")
                })?;
            }
        }
        for (key, asked) in &self.ghosts.asked {
            let is_asker = self.ghosts.askers.get(&key.1) == Some(&key.0);
            if asked.len() != 1
                || is_asker
                || self.left.contains(key)
                || self.ghosts.otherwise.contains(key)
                || !self.is_whole(&key.0)
            {
                continue;
            }
            let told = self.of(key);
            let all = self.rows.told(&key.1, asked[0].unwrap_or(0));
            let is_to_end = self.told_to_end.contains(key);
            let is_right = match asked[0] {
                Some(_) if is_to_end => told == all,
                Some(_) => all.starts_with(&told),
                None if is_to_end => all.ends_with(&told),
                None => all.windows(told.len().max(1)).any(|part| part == told) || told.is_empty(),
            };
            self.holds("followers are told all after what they have", is_right, || {
                format!("{key:?} after {:?}: {told:?} of {all:?}", asked[0])
            })?;
        }
        Ok(())
    }

    /// Whether nothing of it was let go.
    fn is_whole(&self, session: &SessionId) -> bool {
        self.stood
            .get(session)
            .is_some_and(|kept| !self.trimmed.contains(session) && !kept.is_empty())
    }

    fn of(&self, (session, job): &(SessionId, JobId)) -> Vec<u64> {
        let kept = self.stood.get(session).into_iter().flatten();
        let of = kept.filter_map(|(_, stood)| match stood {
            Stood::Entry(of, seq) if of == job => Some(*seq),
            Stood::Entry(..) | Stood::Lagging(_) => None,
        });
        of.collect()
    }
}

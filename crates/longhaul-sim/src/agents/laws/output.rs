//! What children write comes into the journal exactly once and in order, together with how far it was
//! taken; and what they use is counted once.

use super::super::child::Key;
use super::super::driver::memory_after;
use super::super::life::{Broken, Law, Life};
use super::{Seen, agent_of};
use longhaul_core::job::Job;
use longhaul_core::port::Table;
use longhaul_core::turn::Used;

impl Life {
    pub(super) fn output(&mut self, seen: &Seen<'_>) -> Law {
        for event in &seen.commit.events {
            let Some(job) = &event.job else { continue };
            let newest = self.laws.seqs.entry(job.as_str().to_owned()).or_default();
            *newest += 1;
            let newest = *newest;
            self.holds("entries of a job are numbered without gaps", event.seq == newest, || {
                format!("{event:?} is number {newest}")
            })?;
            if event.body.starts_with("{\"kind\":\"said\"") {
                self.said(job.as_str(), &event.body)?;
            }
        }
        for ((table, id), row) in &seen.commit.rows {
            if *table == Table::Intake && row.is_some() {
                self.taken(id)?;
            }
        }
        for (before, job) in seen.turns() {
            self.used(before, job)?;
            self.closed(before, job)?;
        }
        self.agents_used(seen)
    }

    fn said(&mut self, job: &str, body: &str) -> Law {
        let attempt = self.rows.jobs.get(job).map_or(0, |job| job.attempt);
        let known = |key: &Key| {
            let child = self.children.get(key)?;
            let said = self.laws.said.get(key).copied().unwrap_or(0);
            Some(child.all_events().get(said).is_some_and(|next| next == body))
        };
        let keys =
            self.children.keys().filter(|(of, number)| of.as_str() == job && *number <= attempt);
        // In the commit that lets another attempt begin, the last words are still of the one before.
        let key = keys.rev().take(2).find(|key| known(key) == Some(true)).cloned();
        let Some(key) = key else {
            let what = format!("{body} is not what {job} #{attempt} says next");
            return Err(Broken { law: "output is told once and in order", what });
        };
        self.count("entries of output");
        *self.laws.said.entry(key).or_default() += 1;
        Ok(())
    }

    /// How far the output was taken agrees with what of it is in the journal.
    fn taken(&self, job: &str) -> Law {
        let Some(intake) = self.rows.intakes.get(job) else { return Ok(()) };
        let key = (intake.job.clone(), intake.attempt);
        let Some(child) = self.children.get(&key) else {
            let what = format!("{intake:?} of no child");
            return Err(Broken { law: "output is taken with what it says", what });
        };
        let lines = child.lines_to(intake.taken);
        let events = lines.map(|lines| child.events(0, lines).len());
        let said = self.laws.said.get(&key).copied().unwrap_or(0);
        let is_so = events == Some(said) && memory_after(intake) == lines;
        self.holds("output is taken with what it says", is_so, || {
            format!("{intake:?}: {said} entries, and {events:?} were taken with {lines:?} lines")
        })
    }

    /// An attempt of which the adapter gave a verdict was taken to its end.
    fn closed(&self, before: Option<&Job>, job: &Job) -> Law {
        let was_active = before.filter(|before| super::is_active(before));
        let Some(before) = was_active.filter(|_| !super::is_active(job)) else { return Ok(()) };
        let key = (job.id.clone(), before.attempt);
        let Some(child) = self.children.get(&key).filter(|child| !child.never_began()) else {
            return Ok(());
        };
        let (said, all) =
            (self.laws.said.get(&key).copied().unwrap_or(0), child.all_events().len());
        self.holds("an attempt is over when its child is", child.over.is_some(), || {
            format!("{key:?} lives, and {:?}", job.state)
        })?;
        self.holds("no output is lost", said == all, || format!("{key:?}: {said} of {all}"))
    }

    /// What a turn used is what its children said, however often that was reported.
    fn used(&self, before: Option<&Job>, job: &Job) -> Law {
        let mut sum = Used::default();
        let upto = job.attempt;
        for number in 1..=upto {
            let key = (job.id.clone(), number);
            let Some(child) = self.children.get(&key) else { continue };
            let said = self.laws.said.get(&key).copied().unwrap_or(0);
            let lines =
                (0..=child.lines.len()).filter(|lines| child.events(0, *lines).len() == said);
            sum = sum.plus(&child.seen(lines.max().unwrap_or(0)).used);
        }
        let key = (job.id.clone(), job.attempt);
        if let Some(child) = self.children.get(&key).filter(|_| super::is_active(job)) {
            let said = self.said_of(&key);
            let named = child.lines.iter().filter(|line| line.event.is_some()).take(said);
            let named = named.last().and_then(|line| line.seen.conversation.as_ref());
            let known = job.turn.as_ref().and_then(|turn| turn.conversation.as_ref());
            self.holds(
                "a conversation is known as soon as it is named",
                named.is_none() || named == known,
                || format!("{key:?}: {named:?} was named, and {known:?} is known"),
            )?;
        }
        let all = used_in_all(job);
        let is_so =
            (all.nano_usd.unwrap_or(0), all.output) == (sum.nano_usd.unwrap_or(0), sum.output);
        self.holds("what a turn used is what its children said", is_so, || {
            format!("{}: {all:?}, not {sum:?}; before {:?}", job.id, before.map(used_in_all))
        })
    }

    /// What an agent used grows by what its turns use.
    fn agents_used(&self, seen: &Seen<'_>) -> Law {
        for (name, change) in &seen.changes.agents {
            let (Some(before), Some(after)) = (&change.before, &change.after) else { continue };
            if before.added_at != after.added_at || before.is_ended() && !after.is_ended() {
                continue;
            }
            let theirs = seen.turns().filter(|(_, job)| agent_of(job) == name);
            let more: u64 = theirs
                .map(|(before, job)| {
                    nano(&used_in_all(job)) - before.map_or(0, |b| nano(&used_in_all(b)))
                })
                .sum();
            let is_so = nano(&after.used) == nano(&before.used) + more;
            self.holds("an agent used what its turns did", is_so, || {
                format!("{name}: {:?} and {more} more are not {:?}", before.used, after.used)
            })?;
        }
        for (before, job) in seen.turns() {
            let is_more = before.is_none_or(|before| used_in_all(before) != used_in_all(job));
            let is_nothing = used_in_all(job).is_nothing();
            let name = agent_of(job);
            let is_there = self.rows.agents.contains_key(name);
            let is_noted = seen.changes.agents.contains_key(name);
            self.holds(
                "an agent used what its turns did",
                !is_more || is_nothing || !is_there || is_noted,
                || format!("{} used more, and {name} did not", job.id),
            )?;
        }
        Ok(())
    }
}

fn nano(used: &Used) -> u64 {
    used.nano_usd.unwrap_or(0)
}

pub(super) fn used_in_all(job: &Job) -> Used {
    let turn = job.turn.as_ref().expect("only turns are asked");
    turn.used_before.plus(&turn.used)
}

impl Life {
    /// Entries of a child's output that are in the journal.
    pub(super) fn said_of(&self, key: &Key) -> usize {
        self.laws.said.get(key).copied().unwrap_or(0)
    }
}

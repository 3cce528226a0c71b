//! Mail: read once, by a turn that ended well; never lost; returned with a word to whoever sent it.

use super::super::life::{Broken, Law, Life};
use super::{Seen, agent_of, is_active, is_placed};
use longhaul_core::command::{Command, Reply};
use longhaul_core::job::Job;
use longhaul_core::limits;
use longhaul_core::mail::{Mail, MailState, OURSELVES, person_box};
use longhaul_core::turn::Conversation;
use std::collections::BTreeSet;

impl Life {
    pub(super) fn mail(&mut self, seen: &Seen<'_>) -> Law {
        for (id, change) in &seen.changes.mail {
            let Some(after) = &change.after else {
                let what = format!("{id} is gone");
                return Err(Broken { law: "no mail is lost", what });
            };
            match &change.before {
                None => self.sent(seen, after)?,
                Some(before) => self.moved(seen, before, after)?,
            }
        }
        self.held(seen)?;
        self.signed(seen)?;
        self.handed(seen);
        for (before, job) in seen.turns() {
            if is_placed(before, job) {
                self.told(seen, before, job)?;
            }
        }
        self.in_order(seen)
    }

    fn sent(&mut self, seen: &Seen<'_>, mail: &Mail) -> Law {
        let newest = self
            .rows
            .mail
            .values()
            .filter(|other| !seen.changes.mail.contains_key(other.id.as_str()));
        let newest = newest.map(|other| other.seq).max().unwrap_or(0);
        self.holds("mail is numbered in the order it is sent", mail.seq > newest, || {
            format!("{mail:?} after {newest}")
        })?;
        if let Some(turn) = &mail.from_turn {
            let is_theirs =
                self.rows.jobs.get(turn.as_str()).is_some_and(|job| agent_of(job) == mail.from);
            self.holds("mail of a turn is from its agent", is_theirs, || format!("{mail:?}"))?;
        }
        let sender = self.rows.agents.get(&mail.from);
        if sender.is_some_and(|agent| agent.spec.role.as_deref() == Some("merger")) {
            self.laws.of_mergers.insert(mail.id.as_str().to_owned());
        }
        if mail.from == OURSELVES {
            self.count("mail of our own");
        }
        if mail.kind == "returned" {
            return self.note_of_a_return(mail);
        }
        Ok(())
    }

    fn note_of_a_return(&mut self, note: &Mail) -> Law {
        let of = note.reply_to.as_ref().and_then(|of| self.rows.mail.get(of.as_str())).cloned();
        let Some(of) = of else {
            return Err(Broken { law: "a return is of some mail", what: format!("{note:?}") });
        };
        let is_returned = matches!(of.state, MailState::Returned { .. });
        self.holds("a return is of mail that was returned", is_returned, || format!("{of:?}"))?;
        self.holds("our own mail makes no mail", of.from != OURSELVES, || format!("{note:?}"))?;
        let owner = self.rows.agents.get(&of.from).and_then(|agent| agent.spec.owner.as_deref());
        let is_right = note.to == of.from || owner.map(person_box).as_ref() == Some(&note.to);
        self.holds("a return is told to whoever sent it", is_right, || format!("{note:?}"))
    }

    fn moved(&mut self, seen: &Seen<'_>, before: &Mail, after: &Mail) -> Law {
        use MailState as S;
        let what = || format!("{before:?} became {:?} after {} tries", after.state, after.tries);
        let is_same =
            Mail { state: before.state.clone(), tries: before.tries, ..after.clone() } == *before;
        self.holds("mail does not change", is_same, what)?;
        let is_legal = match (&before.state, &after.state) {
            (S::Read { .. } | S::Returned { .. }, _) => before.state == after.state,
            (_, S::Unread) => after.tries == before.tries + 1 || before.state == S::Unread,
            (_, S::Taken { .. } | S::Read { .. } | S::Returned { .. }) => true,
        };
        self.holds("what became of mail stays so", is_legal, what)?;
        let most = limits::MAIL_TRIES_MAX;
        let is_few = after.tries <= most && (after.tries < most || after.state != S::Unread);
        self.holds("mail is tried a few times only", is_few, what)?;
        let holder = match &before.state {
            S::Taken { turn } => Some(turn.as_str().to_owned()),
            S::Unread | S::Read { .. } | S::Returned { .. } => None,
        };
        if after.tries > before.tries {
            self.count("mail put back");
            let id = after.id.as_str().to_owned();
            self.laws.failed.entry(id).or_default().extend(holder.clone());
        }
        match &after.state {
            S::Taken { turn } if Some(turn.as_str()) != holder.as_deref() => {
                let is_again = self
                    .laws
                    .failed
                    .get(after.id.as_str())
                    .is_some_and(|f| f.contains(turn.as_str()));
                self.holds("no turn has the same mail twice", !is_again, what)?;
                self.count("mail taken");
            }
            S::Read { turn: Some(turn), .. } if before.state != after.state => {
                let ended = self.rows.jobs.get(turn.as_str()).and_then(Job::outcome);
                let is_well = ended.is_some_and(longhaul_core::outcome::Outcome::is_success);
                self.holds("mail is read when its turn ended well", is_well, what)?;
                self.count("mail read");
            }
            S::Returned { .. } if before.state != after.state => return self.returned(seen, after),
            S::Taken { .. } | S::Read { .. } | S::Returned { .. } | S::Unread => {}
        }
        Ok(())
    }

    /// Who sent what comes back is told, once.
    fn returned(&mut self, seen: &Seen<'_>, mail: &Mail) -> Law {
        self.count("mail returned");
        let notes = self
            .rows
            .mail
            .values()
            .filter(|note| note.kind == "returned" && note.reply_to.as_ref() == Some(&mail.id));
        let notes = notes.count();
        let sender = self.rows.agents.get(&mail.from);
        let is_there = sender.is_some_and(|agent| !agent.is_ended() || agent.spec.owner.is_some());
        let is_steady = !seen.changes.agents.contains_key(&mail.from) || is_there;
        let is_told = mail.from != OURSELVES && (mail.from.starts_with('@') || is_there);
        let is_right = if is_told { notes == 1 } else { notes <= usize::from(!is_steady) };
        self.holds("a return is told once to whoever sent it", is_right, || {
            format!("{mail:?} was told {notes} times")
        })
    }

    /// What a turn holds and what is held by it are the same.
    fn held(&self, seen: &Seen<'_>) -> Law {
        for (_, job) in seen.turns() {
            let turn = job.turn.as_ref().expect("only turns are looked at");
            let held: BTreeSet<&str> =
                turn.mail.iter().map(longhaul_core::id::MailId::as_str).collect();
            let taken =
                self.rows.mail.values().filter(
                    |mail| matches!(&mail.state, MailState::Taken { turn } if *turn == job.id),
                );
            let taken: BTreeSet<&str> = taken.map(|mail| mail.id.as_str()).collect();
            let is_open = job.outcome().is_none() || held.is_empty();
            self.holds("what a turn holds is held by it", held == taken && is_open, || {
                format!("{} holds {held:?}, and {taken:?} is held by it", job.id)
            })?;
        }
        for change in seen.changes.mail.values() {
            let Some(mail) = &change.after else { continue };
            let MailState::Taken { turn } = &mail.state else { continue };
            let job = self.rows.jobs.get(turn.as_str());
            let is_right =
                job.is_some_and(|job| job.outcome().is_none() && agent_of(job) == mail.to);
            self.holds("mail is held by an open turn of whom it is for", is_right, || {
                format!("{mail:?} is held by {job:?}")
            })?;
        }
        Ok(())
    }

    /// What a turn sends says which turn that was.
    fn signed(&self, seen: &Seen<'_>) -> Law {
        for ((command, _), reply) in seen.batch.iter().zip(&seen.step.replies) {
            let (Command::SendMail(letter), Ok(Reply::Mailed(ids))) = (command, reply) else {
                continue;
            };
            let turn = letter.turn.as_ref().map(|(turn, _)| turn);
            let is_signed = |id: &longhaul_core::id::MailId| {
                let mail = self.rows.mail.get(id.as_str());
                mail.is_some_and(|mail| mail.from_turn.as_ref() == turn && mail.kind == letter.kind)
            };
            self.holds("mail says which turn sent it", ids.iter().all(is_signed), || {
                format!("{letter:?} became {ids:?}")
            })?;
        }
        Ok(())
    }

    /// What a turn takes in the middle it is told in the answer.
    fn handed(&mut self, seen: &Seen<'_>) {
        for ((command, _), reply) in seen.batch.iter().zip(&seen.step.replies) {
            if let (Command::CheckMail { turn: Some((job, _)), .. }, Ok(Reply::Handed(ids))) =
                (command, reply)
            {
                let told = self.laws.told.entry(job.as_str().to_owned()).or_default();
                told.extend(ids.iter().map(|id| id.as_str().to_owned()));
            }
        }
    }

    /// What a turn takes it is told; all of it, where a conversation begins anew.
    fn told(&mut self, seen: &Seen<'_>, before: Option<&Job>, job: &Job) -> Law {
        let Some(input) = self.rows.inputs.get(job.id.as_str()) else {
            return Err(Broken {
                law: "an attempt is given its input",
                what: format!("{}", job.id),
            });
        };
        let turn = job.turn.as_ref().expect("only turns are looked at");
        let is_new = input.conversation == Conversation::New;
        let told = self.laws.told.entry(job.id.as_str().to_owned()).or_default();
        let is_told = |id: &&longhaul_core::id::MailId| {
            input.prompt.contains(id.as_str()) || !is_new && told.contains(id.as_str())
        };
        let untold = turn.mail.iter().find(|id| !is_told(id)).cloned();
        told.extend(turn.mail.iter().map(|id| id.as_str().to_owned()));
        self.holds("what a turn takes it is told", untold.is_none(), || {
            format!("{} #{} took {untold:?}, and is told {:?}", job.id, job.attempt, input)
        })?;
        let asked = &job.spec.turn.as_ref().expect("it is a turn").prompt;
        let is_said = input.prompt.contains(asked.as_str())
            || before.is_some_and(|before| before.attempt > 0) && !is_new;
        self.holds("a turn is told what was asked of it", is_said, || {
            format!("{} #{} is told {input:?} at {:?}", job.id, job.attempt, seen.now)
        })
    }

    /// Nothing older is left unread when something newer is taken, but by whoever picks.
    fn in_order(&self, seen: &Seen<'_>) -> Law {
        let picks = seen.took(|command| matches!(command, Command::ReadMail { .. }));
        for change in seen.changes.mail.values().filter(|_| !picks) {
            let (Some(before), Some(after)) = (&change.before, &change.after) else { continue };
            let is_taken = before.state == MailState::Unread
                && matches!(&after.state, MailState::Taken { turn }
                    if self.rows.jobs.get(turn.as_str()).is_some_and(is_active));
            let older = self.rows.mail.values().find(|mail| {
                mail.to == after.to && mail.seq < after.seq && mail.state == MailState::Unread
            });
            // What was put back in this step came back later than the other was taken.
            let older = older.filter(|older| !seen.changes.mail.contains_key(older.id.as_str()));
            self.holds("mail is taken oldest first", !is_taken || older.is_none(), || {
                format!("{after:?} before {older:?}")
            })?;
        }
        Ok(())
    }
}

//! Agents: what each is doing follows from its turns, mail and children; an end is one; and whoever one
//! works for hears of it once when a turn of its died.

use super::super::life::{Law, Life};
use super::{Seen, agent_of};
use longhaul_core::agent::{Agent, Standing};
use longhaul_core::command::Command;
use longhaul_core::id::MailId;
use longhaul_core::job::{Job, JobState, Waiting};
use longhaul_core::mail::{Mail, MailState, person_box};
use longhaul_core::outcome::{Ending, Outcome};

/// Kinds of mail that end the work of a merger, and of all others.
const MERGED: [&str; 2] = ["merged", "merge_failed"];
const DONE: [&str; 3] = ["done", "worker_done", "result"];
/// Roles that owe nothing at the end of a turn.
const STAYING: [&str; 3] = ["coordinator", "orchestrator", "monitor"];

impl Life {
    pub(super) fn agents(&mut self, seen: &Seen<'_>) -> Law {
        for (name, change) in &seen.changes.agents {
            let (before, after) = (change.before.as_ref(), change.after.as_ref());
            self.ended_is_ended(seen, name, before, after)?;
            let has_secret = self.rows.secrets.contains(name);
            self.holds(
                "a secret is kept as long as its agent",
                has_secret == after.is_some(),
                || format!("{name}: {after:?}"),
            )?;
            if let (Some(after), false) = (after, before.is_some_and(Agent::is_ended)) {
                self.finished(after)?;
            }
        }
        for agent in self.rows.agents.values() {
            self.stands(agent)?;
        }
        for (before, job) in seen.turns() {
            let was_open = before.is_none_or(|before| before.outcome().is_none());
            if let Some(outcome) = job.outcome().filter(|_| was_open) {
                self.died(seen, job, outcome)?;
            }
        }
        for change in seen.changes.mail.values().filter(|change| change.before.is_none()) {
            if let Some(mail) = change.after.as_ref().filter(|mail| mail.kind == "worker_died") {
                self.was_dead(mail)?;
            }
        }
        Ok(())
    }

    fn ended_is_ended(
        &mut self,
        seen: &Seen<'_>,
        name: &str,
        before: Option<&Agent>,
        after: Option<&Agent>,
    ) -> Law {
        let was_ended = before.is_some_and(Agent::is_ended);
        let is_same = before.map(|before| &before.standing) == after.map(|after| &after.standing);
        let is_begun = seen.took(|command| {
            matches!(command, Command::AddAgent { spec, .. } if spec.name == name)
                || matches!(command, Command::RemoveAgent(agent) if agent == name)
        });
        if was_ended && is_begun && !is_same {
            self.count("agents begun anew");
        }
        self.holds("an agent that has ended stays so", !was_ended || is_same || is_begun, || {
            format!("{before:?} became {after:?}")
        })
    }

    /// Only a turn that ended well, and said so, finishes its agent.
    fn finished(&mut self, agent: &Agent) -> Law {
        if let Standing::Stopped { .. } = agent.standing {
            self.count("agents stopped");
        }
        let Standing::Finished { mail, turn, .. } = &agent.standing else { return Ok(()) };
        let sent = self.rows.mail.get(mail.as_str());
        let is_merger = self.laws.of_mergers.contains(mail.as_str());
        let kinds: &[&str] = if is_merger { &MERGED } else { &DONE };
        let is_theirs = sent.is_some_and(|sent| {
            sent.from_turn.as_ref() == Some(turn) && kinds.contains(&sent.kind.as_str())
        });
        let job = self.rows.jobs.get(turn.as_str());
        let is_well = job.and_then(Job::outcome).is_some_and(Outcome::is_success);
        let is_so = is_theirs && is_well && job.is_some_and(|job| agent_of(job) == agent.spec.name);
        let what = format!("{agent:?} by {sent:?} of {job:?}");
        self.count("agents finished");
        self.holds("an agent is finished by its own word, in a turn that ended well", is_so, || {
            what
        })
    }

    /// What an agent is doing, worked out from all there is.
    fn stands(&self, agent: &Agent) -> Law {
        let name = agent.spec.name.as_str();
        let open = self.rows.open_turns(name);
        let unread = || {
            self.rows
                .mail
                .values()
                .filter(|mail| mail.to == name && mail.state == MailState::Unread)
        };
        if agent.is_ended() {
            let goes_on = open.iter().find(|job| !matches!(job.state, JobState::Stopping { .. }));
            self.holds(
                "an agent that has ended has no turns but those being ended",
                goes_on.is_none(),
                || format!("{agent:?} has {goes_on:?}"),
            )?;
            let lies = unread().next();
            return self.holds("no mail lies with an agent that has ended", lies.is_none(), || {
                format!("{agent:?} has {lies:?}")
            });
        }
        let budget = agent.spec.budget.map(|budget| budget.nano_usd_max + agent.nano_usd_more);
        let is_spent = budget.is_some_and(|most| agent.used.nano_usd.unwrap_or(0) >= most);
        let is_woken = unread().next().is_none() || !open.is_empty() || is_spent;
        self.holds("mail wakes an agent that has no turn", is_woken, || {
            format!("{agent:?} has {:?}", unread().collect::<Vec<_>>())
        })?;
        let is_late =
            open.len() == 1 && waits_for_its_hour(open[0]) && unread().any(|mail| mail.tries == 0);
        self.holds("new mail does not wait for old mail's hour", !is_late, || {
            format!("{open:?} is to read {:?}", unread().collect::<Vec<_>>())
        })?;
        let mut children =
            self.rows.agents.values().filter(|other| other.spec.parent.as_deref() == Some(name));
        let has_children = children.any(|child| !child.is_ended());
        let is_busy =
            !open.is_empty() || unread().next().is_some() || has_children || self.awaits(agent);
        let is_waiting = matches!(agent.standing, Standing::Waiting { .. });
        self.holds(
            "what an agent is doing follows from its turns, mail and children",
            is_busy == is_waiting,
            || {
                let unread: Vec<&Mail> = unread().collect();
                format!("{agent:?}: turns {open:?}, unread {unread:?}, children {has_children}")
            },
        )
    }

    /// Whether the last turn, which ended well, asked something that nobody has answered.
    fn awaits(&self, agent: &Agent) -> bool {
        let Some(last) = agent.last.as_ref() else { return false };
        let Some(asked) = last.awaits.as_ref().and_then(|id| self.rows.mail.get(id.as_str()))
        else {
            return false;
        };
        let is_well = self.rows.jobs.get(last.job.as_str()).and_then(Job::outcome);
        asked.from_turn.as_ref() == Some(&last.job) && is_well.is_some_and(Outcome::is_success)
    }

    /// Who is told of the deaths of an agent's turns: the nearest above that has not ended, or else
    /// its owner.
    fn told_of(&self, agent: &Agent) -> Option<String> {
        let mut above = agent.spec.parent.clone()?;
        for _ in 0..self.rows.agents.len() {
            let Some(next) = self.rows.agents.get(&above) else { break };
            if !next.is_ended() {
                return Some(above);
            }
            let Some(parent) = next.spec.parent.clone() else { break };
            above = parent;
        }
        agent.spec.owner.as_deref().map(person_box)
    }

    /// A turn has ended: if that is a death, it was told.
    fn died(&mut self, seen: &Seen<'_>, job: &Job, outcome: &Outcome) -> Law {
        let name = agent_of(job);
        // What changed around it in the same step may have come before or after.
        let is_steady = seen.changes.agents.values().all(|change| {
            let ended = |agent: &Option<Agent>| agent.as_ref().map(Agent::is_ended);
            ended(&change.before) == ended(&change.after)
        });
        let agent = self.rows.agents.get(name).filter(|agent| !agent.is_ended());
        // One that was begun anew since has nothing to do with what was asked of it before.
        let agent = agent.filter(|agent| agent.added_at <= job.submitted_at);
        let Some(agent) = agent.filter(|_| is_steady) else { return Ok(()) };
        let Some(to) = self.told_of(agent) else { return Ok(()) };
        let told = self.rows.mail.get(MailId::about(&job.id, "worker_died", &to).as_str());
        let is_wake = job.spec.turn.as_ref().is_some_and(|turn| turn.is_wake);
        let unread = || {
            self.rows
                .mail
                .values()
                .filter(|mail| mail.to == name && mail.state == MailState::Unread)
        };
        let put_back = seen.changes.mail.values().any(|change| {
            let (Some(before), Some(after)) = (&change.before, &change.after) else { return false };
            let held = matches!(&before.state, MailState::Taken { turn } if *turn == job.id);
            held && after.tries > before.tries && !matches!(after.state, MailState::Returned { .. })
        });
        let has_children = self
            .rows
            .agents
            .values()
            .any(|other| other.spec.parent.as_deref() == Some(name) && !other.is_ended());
        let turn = job.turn.as_ref().expect("only turns are looked at");
        let role = agent.spec.role.as_deref();
        let owes = role.is_some_and(|role| !STAYING.contains(&role));
        let is_silent = owes
            && turn.terminal.is_none()
            && turn.awaits.is_none()
            && unread().next().is_none()
            && !has_children
            && self.rows.open_turns(name).is_empty();
        // Another turn may have been there when this one ended, and have ended in the same step.
        let others =
            seen.turns().filter(|(_, other)| agent_of(other) == name && other.id != job.id);
        let is_silent = is_silent && others.count() == 0;
        let is_owed = match outcome.kind {
            Ending::Failed | Ending::TimedOut | Ending::Lost => !(is_wake && put_back),
            Ending::Succeeded => is_silent,
            Ending::Cancelled => false,
        };
        let what = format!("{} of {agent:?} ended {outcome:?}, and {to} was told {told:?}", job.id);
        let is_right = told.is_some() || !is_owed;
        if told.is_some() {
            self.count(if outcome.is_success() { "silent turns told" } else { "deaths told" });
        }
        self.holds("who one works for hears of its dead turns", is_right, || what)
    }

    /// A death is told of what died, and never of what was cancelled, or has said that it is done.
    fn was_dead(&self, mail: &Mail) -> Law {
        let payload = mail.payload.as_deref().unwrap_or_default();
        let job = self.rows.jobs.values().find(|job| payload.contains(job.id.as_str()));
        let told = job.map(|job| {
            let all = self.rows.mail.values().filter(|other| {
                other.kind == "worker_died"
                    && other.payload.as_deref().is_some_and(|p| p.contains(job.id.as_str()))
            });
            all.count()
        });
        let is_dead = job.and_then(Job::outcome).is_some_and(|outcome| match outcome.kind {
            Ending::Failed | Ending::TimedOut | Ending::Lost => true,
            Ending::Cancelled => false,
            Ending::Succeeded => {
                job.is_some_and(|job| job.turn.as_ref().is_some_and(|turn| turn.terminal.is_none()))
            }
        });
        self.holds("only what died is told as dead, once", is_dead && told == Some(1), || {
            format!("{mail:?} of {job:?} is told {told:?} times")
        })
    }
}

/// Whether a turn that is there for mail alone is put off.
fn waits_for_its_hour(job: &Job) -> bool {
    let is_wake = job.spec.turn.as_ref().is_some_and(|turn| turn.is_wake);
    is_wake && matches!(job.state, JobState::Queued { is_due: false, because: Waiting::New, .. })
}

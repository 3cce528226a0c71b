//! Turns: one at a time, in order, judged by what their children said; and limits of vendors, which
//! cost no attempt.

use super::super::life::{Broken, Law, Life};
use super::{Seen, agent_of, is_active, is_placed};
use longhaul_core::job::{Job, JobState, Waiting};
use longhaul_core::outcome::{Ending, Outcome, Reason};
use longhaul_core::port::Table;
use longhaul_core::turn::{Conversation, Park, Remedy, TurnHow};

impl Life {
    pub(super) fn turns(&mut self, seen: &Seen<'_>) -> Law {
        for change in seen.changes.jobs.values() {
            let is_gone = change.before.is_some() && change.after.is_none();
            self.holds("a queued turn is durable", !is_gone, || format!("{change:?} is gone"))?;
        }
        for (before, job) in seen.turns() {
            self.one_at_a_time(job)?;
            self.given(job)?;
            if is_placed(before, job) {
                self.placed(job)?;
            }
            if let Some(before) = before {
                self.parks(before, job)?;
            }
            let was_open = before.is_none_or(|before| before.outcome().is_none());
            match job.outcome() {
                Some(outcome) if was_open => self.ended(before, job, outcome)?,
                Some(_) => {
                    let is_same = before.and_then(Job::outcome) == job.outcome();
                    self.holds("an end is an end", is_same, || {
                        format!("{before:?} became {job:?}")
                    })?;
                }
                None => {
                    self.holds("an end is an end", was_open, || format!("{job:?} is open again"))?
                }
            }
        }
        self.limits(seen)
    }

    fn one_at_a_time(&self, job: &Job) -> Law {
        let open = self.rows.open_turns(agent_of(job));
        let active = open.iter().filter(|job| is_active(job)).count();
        self.holds("an agent has one turn at a time", active <= 1, || format!("{open:?}"))?;
        let is_first = active == 0 || open.first().is_some_and(|first| is_active(first));
        self.holds("turns of an agent go in order", is_first, || format!("{open:?}"))?;
        let wakes =
            open.iter().filter(|job| job.spec.turn.as_ref().is_some_and(|turn| turn.is_wake));
        let wakes = wakes.count();
        self.holds("an agent is woken once", wakes <= 1, || format!("{open:?}"))
    }

    /// What an attempt needs is there while it goes on, and gone when the turn is over.
    fn given(&self, job: &Job) -> Law {
        let input = self.rows.inputs.get(job.id.as_str());
        let is_right = if is_active(job) {
            input.is_some_and(|input| input.attempt == job.attempt)
        } else {
            job.outcome().is_none() || input.is_none()
        };
        self.holds("an attempt is given its input", is_right, || format!("{job:?} has {input:?}"))
    }

    fn placed(&mut self, job: &Job) -> Law {
        self.count("attempts");
        let turn = job.turn.as_ref().expect("only turns are looked at");
        let name = agent_of(job);
        let agent = self.rows.agents.get(name);
        let Some(agent) = agent.filter(|agent| !agent.is_ended()) else {
            let what = format!("{} of {agent:?}", job.id);
            return Err(Broken { law: "an agent that has ended has no new turns", what });
        };
        let spent = agent.used.nano_usd.unwrap_or(0);
        let of_agent = agent.spec.budget.map(|budget| budget.nano_usd_max + agent.nano_usd_more);
        let own = job.spec.turn.as_ref().and_then(|turn| turn.budget);
        let own = own.map(|budget| budget.nano_usd_max + turn.nano_usd_more);
        let own_spent = super::output::used_in_all(job).nano_usd.unwrap_or(0);
        let is_within =
            of_agent.is_none_or(|most| spent < most) && own.is_none_or(|most| own_spent < most);
        self.holds("nothing begins with its budget spent", is_within, || {
            format!("{} with {own_spent} of {own:?}, {spent} of {of_agent:?}", job.id)
        })?;
        let quota = self.rows.quotas.get(&agent.spec.kind);
        let is_probe = quota.is_none_or(|quota| quota.probe.as_ref() == Some(&job.id));
        let waits = turn.park == Park::UntilReset;
        self.holds("one turn tries whether a limit has ended", is_probe || !waits, || {
            format!("{} goes, and {quota:?}", job.id)
        })?;
        if quota.is_some() && waits {
            self.count("probes");
        }
        self.resumed(job)
    }

    /// A conversation goes on, unless it was to begin anew.
    fn resumed(&mut self, job: &Job) -> Law {
        let Some(input) = self.rows.inputs.get(job.id.as_str()).cloned() else { return Ok(()) };
        let known =
            self.rows.agents.get(agent_of(job)).and_then(|agent| agent.conversation.clone());
        let is_fresh = job.spec.turn.as_ref().is_some_and(|turn| turn.is_fresh);
        let is_right = match &input.conversation {
            Conversation::New => is_fresh || known.is_none(),
            Conversation::Resume(of) | Conversation::Deferred(of) => known.as_ref() == Some(of),
        };
        let what =
            format!("{} #{}: {:?}, known {known:?}", job.id, job.attempt, input.conversation);
        let name = match &input.conversation {
            Conversation::New => "conversations begun",
            Conversation::Resume(_) => "conversations resumed",
            Conversation::Deferred(_) => "conversations resumed at a call",
        };
        self.count(name);
        self.holds("a conversation goes on", is_right, || what)?;
        let of = match &input.conversation {
            Conversation::New => None,
            Conversation::Resume(of) | Conversation::Deferred(of) => self.laws.held_with.get(of),
        };
        let is_same = of.is_none_or(|kind| *kind == input.agent.kind);
        self.holds("a conversation goes on with the program it was held with", is_same, || {
            format!("{} #{}: {input:?}, held with {of:?}", job.id, job.attempt)
        })
    }

    /// What waits for the end of a limit has failed at nothing.
    fn parks(&mut self, before: &Job, job: &Job) -> Law {
        let parks = |job: &Job| job.turn.as_ref().map_or(0, |turn| turn.parks);
        if parks(job) <= parks(before) {
            return Ok(());
        }
        // It may have been cancelled in the same step.
        let goes_on = job.outcome().is_none_or(|outcome| outcome.kind == Ending::Cancelled);
        let is_free = before.failures == job.failures && goes_on;
        self.holds("a parked turn has failed at nothing", is_free, || {
            format!("{before:?} became {job:?}")
        })?;
        let kind = job.turn.as_ref().map_or("", |turn| turn.kind.as_str());
        let is_known = self.rows.quotas.contains_key(kind);
        self.holds("a limit that was met is known", is_known, || format!("{job:?}"))
    }

    /// Who waits for the end of a limit waits for somebody who finds out, or for its hour.
    fn limits(&mut self, seen: &Seen<'_>) -> Law {
        let is_aside =
            |job: &Job| matches!(job.state, JobState::Queued { because: Waiting::Parked, .. });
        for (before, job) in seen.turns() {
            if is_aside(job) && !before.is_some_and(is_aside) {
                self.count("set aside");
            }
        }
        let changed = !seen.changes.quotas.is_empty() || seen.turns().any(|(_, job)| is_aside(job));
        if !changed {
            return Ok(());
        }
        for job in self.rows.jobs.values().filter(|job| is_aside(job)) {
            let kind = job.turn.as_ref().map_or("", |turn| turn.kind.as_str());
            let quota = self.rows.quotas.get(kind);
            let probes = quota.is_some_and(|quota| quota.probe.is_some());
            let is_timed = self.rows.due.contains_key(&(Table::Quota, kind.to_owned()));
            self.holds("nobody is set aside for nothing", probes || is_timed, || {
                format!("{} of kind {kind}, and {quota:?}", job.id)
            })?;
        }
        for quota in self.rows.quotas.values() {
            let Some(probe) = &quota.probe else { continue };
            let job = self.rows.jobs.get(probe.as_str());
            let is_open = job.is_some_and(|job| job.outcome().is_none());
            self.holds("who tries a limit is open", is_open, || format!("{quota:?}: {job:?}"))?;
        }
        Ok(())
    }

    /// How a turn ended agrees with what its last child said.
    fn ended(&mut self, before: Option<&Job>, job: &Job, outcome: &Outcome) -> Law {
        let was_active = before.is_some_and(is_active);
        let key = (job.id.clone(), job.attempt);
        let child = self.children.get(&key).filter(|_| was_active);
        let answer = child.and_then(super::super::child::Child::answer);
        let what = || format!("{} ended {outcome:?}, and its child said {answer:?}", job.id);
        let is_done = matches!(answer, Some(TurnHow::Done { .. }));
        let is_well = outcome.kind == Ending::Succeeded;
        let began = child.is_some_and(|child| !child.never_began());
        self.holds(
            "a turn ended well when its child said so",
            is_well == (is_done && began),
            what,
        )?;
        let failed = match &answer {
            Some(TurnHow::Failed { remedy, .. }) => Some(remedy),
            _ => None,
        };
        let agent = self.rows.agents.get(agent_of(job));
        let is_over = agent.is_none_or(longhaul_core::agent::Agent::is_ended);
        let is_wake = job.spec.turn.as_ref().is_some_and(|turn| turn.is_wake);
        let is_right = match (outcome.kind, outcome.reason) {
            (Ending::Succeeded, _) => true,
            (Ending::Cancelled, _) => job.cancel.is_some() || is_over || (is_wake && !was_active),
            (Ending::TimedOut, Some(Reason::Stall)) => was_active,
            (Ending::TimedOut, _) => job.spec.timeout.is_some(),
            (Ending::Lost, _) => answer.is_none(),
            (Ending::Failed, Some(Reason::RateLimit)) => {
                !was_active || matches!(failed, Some(Remedy::Park { .. }))
            }
            (Ending::Failed, Some(Reason::ResumeFailed)) => matches!(failed, Some(Remedy::Afresh)),
            (Ending::Failed, Some(Reason::AgentFailed)) => {
                matches!(failed, Some(Remedy::Retry | Remedy::Ask | Remedy::Stop)) || !was_active
            }
            (Ending::Failed, Some(Reason::NoResult)) => answer.is_none(),
            (Ending::Failed, _) => true,
        };
        self.holds("an end agrees with what the child did", is_right, what)?;
        self.tried_again(job, outcome, failed)
    }

    /// A failure that another attempt could mend is followed by one, as often as was asked for.
    fn tried_again(&self, job: &Job, outcome: &Outcome, failed: Option<&Remedy>) -> Law {
        let is_worth_it = outcome.reason == Some(Reason::AgentFailed)
            && failed == Some(&Remedy::Retry)
            || outcome.reason == Some(Reason::NoResult);
        let is_used_up = job.failures >= job.spec.retry.max || job.cancel.is_some();
        let is_right = (!is_worth_it || is_used_up) && job.failures <= job.spec.retry.max;
        self.holds("what can be mended is tried again", is_right, || {
            format!("{} ended {outcome:?} after {} failures", job.id, job.failures)
        })
    }
}

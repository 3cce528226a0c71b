//! Questions: asked once, answered once; a turn waits for the answer without a process, and for
//! nothing else.

use super::super::life::{Broken, Law, Life};
use super::{Seen, agent_of};
use longhaul_core::approval::{Approval, ApprovalState, Question};
use longhaul_core::command::{Command, Reply};
use longhaul_core::id::ApprovalId;
use longhaul_core::job::{JobState, Then, Waiting};
use longhaul_core::port::Phase;

impl Life {
    pub(super) fn questions(&mut self, seen: &Seen<'_>) -> Law {
        for (id, change) in &seen.changes.approvals {
            let Some(after) = &change.after else {
                let what = format!("{id} is gone");
                return Err(Broken { law: "a question is kept", what });
            };
            let was_open = change.before.as_ref().is_none_or(Approval::is_open);
            let is_same = change.before.as_ref() == Some(after);
            self.holds("a question is answered once", was_open || is_same, || {
                format!("{:?} became {after:?}", change.before)
            })?;
            if was_open && !after.is_open() {
                self.count(match after.state {
                    ApprovalState::Allowed { .. } => "questions allowed",
                    ApprovalState::Denied { .. } => "questions denied",
                    ApprovalState::Lapsed { .. } | ApprovalState::Asked => "questions lapsed",
                });
            }
            if change.before.is_none() {
                self.count(match after.question {
                    Question::Tool { .. } => "asked about a call",
                    Question::Budget { .. } => "asked about a budget",
                    Question::Limit { .. } => "asked about a limit",
                    Question::Silence { .. } => "asked about silence",
                });
            }
            self.news(after)?;
            self.lapses(after)?;
        }
        self.waits(seen)?;
        self.decided(seen)
    }

    /// The owner is told of a question while it is open, and not after.
    fn news(&self, asked: &Approval) -> Law {
        let about = |delivery: &&longhaul_core::delivery::Delivery| {
            delivery.about.as_ref() == Some(&asked.id)
        };
        let told = self.rows.deliveries.values().filter(about);
        let told: Vec<_> = told.collect();
        let open = told.iter().filter(|delivery| delivery.phase() != Phase::Ended).count();
        let is_owed = asked.owner.is_some() && asked.is_open();
        let is_right = if is_owed { open == 1 } else { open == 0 };
        self.holds("an open question is told to its owner", is_right, || {
            format!("{asked:?}: {told:?}")
        })
    }

    /// What has ended has no question.
    fn lapses(&self, asked: &Approval) -> Law {
        let job = self.rows.jobs.get(asked.job.as_str());
        let is_open = job.is_some_and(|job| job.outcome().is_none());
        self.holds("no question outlives its turn", is_open || !asked.is_open(), || {
            format!("{asked:?} of {job:?}")
        })
    }

    /// A turn that waits for an answer waits for one that can come; others do not wait.
    fn waits(&self, seen: &Seen<'_>) -> Law {
        let changed = seen.turns().map(|(_, job)| job);
        let asked = seen.changes.approvals.values().filter_map(|change| change.after.as_ref());
        let asked = asked.filter_map(|asked| self.rows.jobs.get(asked.job.as_str()));
        for job in changed.chain(asked) {
            if let Some(outcome) = job.outcome() {
                let open = self
                    .rows
                    .approvals
                    .values()
                    .find(|asked| asked.job == job.id && asked.is_open());
                self.holds("no question outlives its turn", open.is_none(), || {
                    format!("{open:?} of {}, which ended {outcome:?}", job.id)
                })?;
            }
            let JobState::Queued { because: Waiting::Approval, is_due: false, .. } = &job.state
            else {
                continue;
            };
            let asks = job.turn.as_ref().and_then(|turn| turn.asks.as_ref());
            let asked = asks.and_then(|asks| self.rows.approvals.get(asks.as_str()));
            let can_come = asked.is_some_and(Approval::is_open);
            self.holds("nothing waits for an answer that was given", can_come, || {
                format!("{} of {} waits for {asks:?}: {asked:?}", job.id, agent_of(job))
            })?;
        }
        // What spent its budget in this step is being ended, unless it has said all it had to say.
        for (before, job) in seen.turns() {
            let used = super::output::used_in_all(job);
            let is_new = before.is_none_or(|before| super::output::used_in_all(before) != used);
            let Some(turn) = job.turn.as_ref().filter(|_| is_new) else { continue };
            let own = job.spec.turn.as_ref().and_then(|turn| turn.budget);
            let most = own.map(|budget| budget.nano_usd_max + turn.nano_usd_more);
            let is_spent = most.is_some_and(|most| used.nano_usd.unwrap_or(0) >= most);
            let agent = self.rows.agents.get(agent_of(job)).and_then(|agent| {
                let most = agent.spec.budget?.nano_usd_max + agent.nano_usd_more;
                Some(agent.used.nano_usd.unwrap_or(0) >= most)
            });
            let goes_on = matches!(job.state, JobState::Running { .. } | JobState::Starting { .. });
            let has_answered = turn.answered_at.is_some();
            let is_free = !is_spent && agent != Some(true);
            self.holds(
                "what has spent its budget is stopped",
                is_free || !goes_on || has_answered,
                || format!("{job:?}"),
            )?;
            let lingers = matches!(job.state, JobState::Stopping { then: Then::Answered, .. });
            self.holds("who has answered is let go", !lingers || has_answered, || {
                format!("{job:?}")
            })?;
        }
        Ok(())
    }

    /// A call that was decided by a person is answered so.
    fn decided(&mut self, seen: &Seen<'_>) -> Law {
        for ((command, _), reply) in seen.batch.iter().zip(&seen.step.replies) {
            let Command::Authorize { job, call, .. } = command else { continue };
            let id = ApprovalId::of(job, &format!("tool:{}", call.key));
            let asked = self.rows.approvals.get(id.as_str());
            // What a batch did after it may be something else.
            let asked = asked.filter(|_| !seen.changes.approvals.contains_key(id.as_str()));
            let is_right = match (asked.map(|asked| &asked.state), reply) {
                (None, _) | (_, Err(_)) => true,
                (Some(ApprovalState::Asked), reply) => *reply == Ok(Reply::Asked(id.clone())),
                (Some(ApprovalState::Allowed { .. }), reply) => *reply == Ok(Reply::Allowed),
                (Some(ApprovalState::Denied { .. } | ApprovalState::Lapsed { .. }), reply) => {
                    matches!(reply, Ok(Reply::Denied { .. }))
                }
            };
            self.holds("a call is answered as the person did", is_right, || {
                format!("{command:?} gave {reply:?}, and {asked:?}")
            })?;
            self.count(match reply {
                Ok(Reply::Allowed) => "calls allowed",
                Ok(Reply::Denied { .. }) => "calls denied",
                Ok(Reply::Asked(_)) => "calls asked about",
                _ => "calls left alone",
            });
        }
        Ok(())
    }
}

//! The verbs that only turns have. What its CLI said decides how a turn's attempt ended; the exit of
//! its process alone proves neither success nor failure.

use super::life::limit_reason;
use super::{AfterExit, Job, JobState, Then, Waiting};
use crate::agent::Ladder;
use crate::approval::Question;
use crate::backoff;
use crate::command::{Exit, How, StoppedBy};
use crate::id::ApprovalId;
use crate::limits;
use crate::outcome::{Ending, Outcome, Reason};
use crate::time::{Millis, Timestamp};
use crate::turn::{Health, Park, Remedy, ResumeRule, TurnEnd, TurnHow, TurnState, Used};

/// A vendor's limit that a turn met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// When it ends, as the vendor says; not believed beyond [`limits::PARK_MAX`].
    pub until: Option<Timestamp>,
    /// What the CLI said about it.
    pub message: String,
}

/// A tool call that a turn put off until there is an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutOff {
    /// The call, as the CLI names it.
    pub call: String,
    /// The tool.
    pub tool: String,
}

/// What the end of a turn's attempt comes to.
pub(super) enum Judged {
    /// The attempt ended like this; retries go on for what is worth one.
    Ends(Outcome),
    /// The turn goes on in another attempt, and this one counts as no failure.
    Goes(AfterExit),
}

impl Job {
    /// What an attempt comes to by what its CLI said; `None` where that decides nothing: nothing ran,
    /// a limit of ours ended it, or its host was lost before it said anything.
    pub(super) fn judge_turn(
        &self,
        exit: &Exit,
        process: &Outcome,
        end: Option<&TurnEnd>,
    ) -> Option<Judged> {
        let never_spoke = matches!(exit.how, How::NeverStarted(_) | How::SpawnFailed(_));
        let is_limited = exit.stopped.and_then(limit_reason).is_some();
        if self.turn.is_none() || never_spoke || is_limited {
            return None;
        }
        let failed = |reason, message| {
            let outcome = Outcome::because(Ending::Failed, reason, Some(message));
            Judged::Ends(outcome.with_process(process))
        };
        let stopped = self.stopped_as(exit);
        let Some(end) = end else {
            // Whatever else ended it is judged as with any job; but that it ended well, it has to say.
            let message = "nobody could read how the turn ended".to_owned();
            let judged = stopped.map(|outcome| self.judge_stopped(outcome.with_process(process)));
            let unproven = process.is_success();
            return unproven.then(|| judged.unwrap_or_else(|| failed(Reason::NoResult, message)));
        };
        match &end.how {
            TurnHow::Done { despite } => {
                let message = despite.as_ref().map(|exit| format!("done, although {exit}"));
                let outcome = Outcome { message, ..Outcome::plain(Ending::Succeeded) };
                Some(Judged::Ends(outcome.with_process(process)))
            }
            TurnHow::Deferred { .. } | TurnHow::Cancelled | TurnHow::Failed { .. }
                if stopped.is_some() =>
            {
                stopped.map(|outcome| self.judge_stopped(outcome.with_process(process)))
            }
            TurnHow::Deferred { call, tool } => {
                let put_off = PutOff { call: call.clone(), tool: tool.clone() };
                Some(Judged::Goes(AfterExit::Defers(put_off)))
            }
            TurnHow::Cancelled => {
                Some(failed(Reason::NoResult, "it was ended before it had finished".to_owned()))
            }
            TurnHow::Failed { class, remedy, .. }
                if matches!(exit.how, How::Lost(_))
                    && failure_reason(class, remedy) == Reason::NoResult =>
            {
                None
            }
            TurnHow::Failed { class, message, remedy } => {
                let words = words(class, message);
                let reason = failure_reason(class, remedy);
                let after = self.after_failure(reason, remedy, words.clone());
                Some(after.map_or_else(|| failed(reason, words), Judged::Goes))
            }
        }
    }

    /// What it was being stopped as, if that, and not its own doing, is how it ended.
    fn stopped_as(&self, exit: &Exit) -> Option<Outcome> {
        let then = match &self.state {
            JobState::Stopping { then: Then::End(outcome), .. } => Some(outcome.clone()),
            JobState::Stopping { then: Then::Answered | Then::Again, .. }
            | JobState::Preparing { .. }
            | JobState::Queued { .. }
            | JobState::Starting { .. }
            | JobState::Running { .. }
            | JobState::Ended { .. } => None,
        };
        let meant = |outcome: &Outcome| {
            exit.stopped == Some(StoppedBy::Asked)
                || matches!(exit.how, How::Lost(_))
                || outcome.kind == Ending::Cancelled
                // What is spent is spent, and what is over is over, however it ended.
                || matches!(outcome.reason, Some(Reason::Budget | Reason::Lease))
        };
        let cancelled = || {
            let intent = self.cancel.as_ref()?;
            Some(Outcome { message: intent.reason.clone(), ..Outcome::plain(Ending::Cancelled) })
        };
        then.filter(meant).or_else(cancelled)
    }

    fn judge_stopped(&self, outcome: Outcome) -> Judged {
        let turn = self.turn.as_ref().expect("only turns are judged here");
        let is_asked = outcome.reason == Some(Reason::Budget) && turn.is_budget_asked;
        if is_asked && self.cancel.is_none() {
            return Judged::Goes(AfterExit::Asks(turn.asks_for_more()));
        }
        Judged::Ends(outcome)
    }

    /// How a failed turn goes on without having used up an attempt; `None` if it does not.
    fn after_failure(&self, reason: Reason, remedy: &Remedy, message: String) -> Option<AfterExit> {
        let turn = self.turn.as_ref().expect("only turns are judged here");
        match remedy {
            // The CLI keeps the budget too, where it can, and may count a little differently.
            _ if reason == Reason::Budget && turn.is_budget_asked => {
                Some(AfterExit::Asks(turn.asks_for_more()))
            }
            Remedy::Park { until } => match turn.park {
                Park::UntilReset if turn.parks < limits::PARKS_MAX => {
                    Some(AfterExit::Parks(Limit { until: *until, message }))
                }
                Park::Ask => Some(AfterExit::Asks(Question::Limit { message })),
                Park::UntilReset | Park::Never => None,
            },
            Remedy::Afresh if turn.resume == ResumeRule::FreshOnce && !turn.is_afresh => {
                Some(AfterExit::BeginsAfresh(message))
            }
            Remedy::Afresh | Remedy::Retry | Remedy::Ask | Remedy::Stop => None,
        }
    }

    /// Whether a turn that ended like this could end better in another attempt.
    pub(super) fn may_try_again(&self, outcome: &Outcome) -> bool {
        let is_hopeless =
            self.turn.as_ref().and_then(|turn| turn.end.as_ref()).is_some_and(|end| {
                let hopeless = Remedy::is_hopeless;
                matches!(&end.how, TurnHow::Failed { remedy, .. } if hopeless(remedy))
            });
        match outcome.reason {
            Some(Reason::Budget | Reason::Lease | Reason::ResumeFailed) => false,
            Some(Reason::AgentFailed) => !is_hopeless,
            Some(
                Reason::Runtime
                | Reason::Stall
                | Reason::OutputLimit
                | Reason::Oom
                | Reason::Spawn
                | Reason::Dependency
                | Reason::Credentials
                | Reason::HostLost
                | Reason::RateLimit
                | Reason::NoResult,
            )
            | None => true,
        }
    }

    /// An attempt of a turn is over. If it ran, what it was in the middle of is not told again; if not,
    /// that is still to be told.
    pub(super) fn close_turn(&mut self, end: Option<Box<TurnEnd>>, has_run: bool) {
        let Some(turn) = &mut self.turn else { return };
        if has_run {
            let is_begun = turn.is_deferred || turn.is_going_on;
            turn.is_going_on = is_begun && turn.conversation.is_some();
            turn.is_deferred = false;
        }
        if has_run || end.is_some() {
            turn.end = end.map(|end| *end);
        }
    }

    /// Lets the turn wait for what its next attempt waits for.
    pub(super) fn go_round(&mut self, after: AfterExit, now: Timestamp) -> AfterExit {
        self.launches = 0;
        let id = self.id.clone();
        let turn = self.turn.as_mut().expect("only turns are judged here");
        match &after {
            AfterExit::Parks(limit) => {
                turn.parks += 1;
                let at = parked_until(id.as_str(), limit.until, turn.parks, now);
                self.wait(at, Waiting::RateLimited);
            }
            AfterExit::Asks(question) => {
                let began = turn.conversation.is_some();
                turn.is_going_on |= began && matches!(question, Question::Budget { .. });
                self.wait(Timestamp::MAX, Waiting::Approval);
            }
            AfterExit::Defers(_) => {
                (turn.is_deferred, turn.is_going_on) = (true, false);
                self.wait(Timestamp::MAX, Waiting::Approval);
            }
            AfterExit::BeginsAfresh(_) => {
                (turn.is_afresh, turn.is_going_on, turn.conversation) = (true, false, None);
                self.wait(now, Waiting::Retry);
            }
            AfterExit::Over | AfterExit::Retries | AfterExit::Relaunches(_) | AfterExit::Reruns => {
                unreachable!("these are no ways for a turn to go on")
            }
        }
        after
    }

    /// Begins an attempt of a turn: what the last one came to is put by.
    pub(crate) fn begin_turn(&mut self, is_budget_asked: bool) {
        let Some(turn) = &mut self.turn else { return };
        turn.used_before = turn.used_before.plus(&turn.used);
        turn.used = Used::default();
        if !turn.is_deferred && !turn.is_going_on {
            turn.conversation = None;
        }
        turn.is_mismatch = false;
        turn.is_budget_asked = is_budget_asked;
        turn.answered_at = None;
        turn.health = Health::Well;
    }

    /// The CLI has said how the turn ended: its process has a moment to go.
    pub(crate) fn answered(&mut self, now: Timestamp) {
        let Some(turn) = &mut self.turn else { return };
        if turn.answered_at.is_some() {
            return;
        }
        turn.answered_at = Some(now);
        if let JobState::Running { stop_at } = &mut self.state {
            let linger = now.plus(limits::LINGER_MAX);
            *stop_at = Some(stop_at.map_or(linger, |at| at.min(linger)));
        }
    }

    /// Whether its CLI has said how the turn ended.
    pub(super) fn has_answered(&self) -> bool {
        self.turn.as_ref().is_some_and(|turn| turn.answered_at.is_some())
    }

    /// Stops it for a budget that is spent. Gives whether that is new: what has answered, or is being
    /// stopped, is left alone.
    pub(crate) fn stop_spent(&mut self, message: String, is_asked: bool, now: Timestamp) -> bool {
        let is_going = matches!(self.state, JobState::Starting { .. } | JobState::Running { .. });
        if !is_going || self.has_answered() {
            return false;
        }
        if let Some(turn) = &mut self.turn {
            turn.is_budget_asked = is_asked;
        }
        let outcome = Outcome::because(Ending::Failed, Reason::Budget, Some(message));
        self.stop(Then::End(outcome), false, now);
        true
    }

    /// It has been quiet for `span`. Gives the step that this is worth, once for each.
    pub(crate) fn grow_quiet(&mut self, span: Millis, ladder: &Ladder) -> Option<Health> {
        if !self.can_be_quiet() {
            return None;
        }
        let (turn, step) = (self.turn.as_mut()?, ladder.step(span));
        let is_new = step > turn.health;
        turn.health = turn.health.max(step);
        is_new.then_some(step)
    }

    /// Stops it for its silence. Gives whether it did: what does not run, or has answered, is left
    /// alone.
    pub(crate) fn stop_quiet(&mut self, message: String, now: Timestamp) -> bool {
        let stops = self.can_be_quiet();
        if stops {
            let outcome = Outcome::because(Ending::TimedOut, Reason::Stall, Some(message));
            self.stop(Then::End(outcome), false, now);
        }
        stops
    }

    fn can_be_quiet(&self) -> bool {
        matches!(self.state, JobState::Running { .. }) && !self.has_answered()
    }

    /// Whether it waits, without a process, for the answer to this question.
    pub(crate) fn waits_for_answer(&self, approval: &ApprovalId) -> bool {
        let is_waiting = matches!(
            self.state,
            JobState::Queued { because: Waiting::Approval, is_due: false, .. }
        );
        is_waiting && self.turn.as_ref().is_some_and(|turn| turn.asks.as_ref() == Some(approval))
    }

    /// What it waited for has come: it may be placed.
    pub(crate) fn go_on(&mut self, now: Timestamp) {
        if let JobState::Queued { not_before, is_due, .. } = &mut self.state {
            (*not_before, *is_due) = (now, true);
        }
    }

    /// Lets a parked turn wait for longer: others of its kind met the limit more often.
    pub(crate) fn park_until(&mut self, at: Timestamp) {
        if let JobState::Queued { not_before, because: Waiting::RateLimited, .. } = &mut self.state
        {
            *not_before = at.max(*not_before);
        }
    }

    /// Lets it wait for the answer to a question before it begins another attempt.
    pub(crate) fn wait_for_answer(&mut self) {
        assert!(
            matches!(self.state, JobState::Queued { .. }),
            "an attempt is asked about at its end"
        );
        self.wait(Timestamp::MAX, Waiting::Approval);
    }

    /// Ends it while it waits: there is nothing for it to do, or it may not.
    pub(crate) fn end_waiting(&mut self, outcome: Outcome, now: Timestamp) {
        assert!(matches!(self.state, JobState::Queued { .. }), "an attempt ends by evidence only");
        self.state = JobState::Ended { outcome, at: now };
    }
}

impl Ladder {
    /// The step that a silence of `span` is worth, short of being stopped.
    fn step(&self, span: Millis) -> Health {
        let is_over = |after: Option<Millis>| after.is_some_and(|after| span >= after);
        if is_over(self.ask_after) {
            Health::Asked
        } else if is_over(self.nudge_after) {
            Health::Nudged
        } else if is_over(self.warn_after) {
            Health::Quiet
        } else {
            Health::Well
        }
    }
}

impl Remedy {
    /// Whether trying again would fail again.
    const fn is_hopeless(&self) -> bool {
        match self {
            Self::Ask | Self::Stop => true,
            Self::Park { .. } | Self::Retry | Self::Afresh => false,
        }
    }
}

impl TurnState {
    /// What all its attempts used.
    pub fn used_in_all(&self) -> Used {
        self.used_before.plus(&self.used)
    }

    fn asks_for_more(&self) -> Question {
        Question::Budget { nano_usd: self.used_in_all().nano_usd.unwrap_or(0) }
    }
}

/// When a turn that met a limit for the `times`th time in a row may go on.
pub(crate) fn parked_until(
    key: &str,
    until: Option<Timestamp>,
    times: u32,
    now: Timestamp,
) -> Timestamp {
    match until.filter(|until| *until > now) {
        Some(until) => until.min(now.plus(limits::PARK_MAX)),
        None => now.plus(backoff::delay(key, times, limits::PARK_DELAY, limits::PARK_DELAY_MAX)),
    }
}

fn failure_reason(class: &str, remedy: &Remedy) -> Reason {
    match (remedy, class) {
        (Remedy::Park { .. }, _) => Reason::RateLimit,
        (Remedy::Afresh, _) => Reason::ResumeFailed,
        (_, "budget") => Reason::Budget,
        (_, "no_result") => Reason::NoResult,
        _ => Reason::AgentFailed,
    }
}

fn words(class: &str, message: &str) -> String {
    if message.is_empty() { class.to_owned() } else { format!("{class}: {message}") }
}

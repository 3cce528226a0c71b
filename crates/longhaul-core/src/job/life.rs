//! The job's verbs from its slot to its end.

use super::turning::{Judged, Limit, PutOff};
use super::{Attempt, CancelIntent, Job, JobState, Then, Waiting};
use crate::approval::Question;
use crate::backoff;
use crate::command::{Exit, How, Place, Refused, StoppedBy};
use crate::limits;
use crate::outcome::{Ending, Outcome, Reason};
use crate::time::{Millis, Timestamp};

/// What an attempt's end meant for its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterExit {
    /// The job is over.
    Over,
    /// Another attempt follows.
    Retries,
    /// The same work is launched again, because nothing of it ran.
    Relaunches(Option<String>),
    /// A task that was lost with its process is run again.
    Reruns,
    /// A turn waits for the end of a vendor's limit.
    Parks(Limit),
    /// A turn waits for the answer to this question, which is to be asked.
    Asks(Question),
    /// A turn waits for the answer about a tool call that it put off.
    Defers(PutOff),
    /// A turn begins a new conversation, because its own could not be resumed; in the CLI's words.
    BeginsAfresh(String),
}

impl Job {
    /// Gives it a slot: a new attempt begins. Only a job that is due, unblocked and first in its
    /// lane is placed; the scheduler sees to that.
    pub fn place(&mut self, place: &Place, now: Timestamp) {
        assert_eq!(self.phase(), crate::port::Phase::Ready, "only ready jobs are placed");
        self.attempt += 1;
        self.host = Some(place.host.clone());
        self.boot = Some(place.boot.clone());
        self.result = None;
        self.begin_stream();
        self.state = JobState::Starting { give_up_at: now.plus(limits::START_MAX) };
        if self.attempts.len() == limits::ATTEMPTS_KEPT_MAX {
            self.attempts.remove(0);
        }
        self.attempts.push(Attempt {
            number: self.attempt,
            placed_at: now,
            started_at: None,
            pid: None,
            ended_at: None,
            outcome: None,
            stdout_bytes: 0,
            stderr_bytes: 0,
            cpu_ms: 0,
            rss_bytes_max: 0,
            leftovers: None,
            warnings: Vec::new(),
            slept: None,
        });
    }

    /// Its process runs, since `at`. Refuses `Stale` for another attempt, `Repeat` if that is known.
    ///
    /// A sleep that the machine woke from after `at` is no running time, although nobody knew of the
    /// start when it did.
    pub fn started(&mut self, attempt: u32, at: Timestamp, pid: u32) -> Result<(), Refused> {
        self.fence(attempt)?;
        let at = at.max(self.current_mut().placed_at);
        if self.current_mut().started_at.is_some() {
            return Err(Refused::Repeat);
        }
        let current = self.current_mut();
        current.started_at = Some(at);
        current.pid = Some(pid);
        // A start that was being called off and turns out to have begun was merely slow.
        if matches!(
            self.state,
            JobState::Starting { .. } | JobState::Stopping { then: Then::Again, .. }
        ) {
            let stop_at = self.stop_at(at);
            self.state = JobState::Running { stop_at };
        }
        self.launches = 0;
        Ok(())
    }

    /// Asks for its end. Gives whether anything changed: asking again changes nothing, except that
    /// force may be added. Refuses `Ended`.
    pub fn cancel(
        &mut self,
        reason: Option<String>,
        by_force: bool,
        now: Timestamp,
    ) -> Result<bool, Refused> {
        if let Some(outcome) = self.outcome() {
            let outcome = Box::new(outcome.clone());
            return Err(Refused::Ended { job: self.id.clone(), outcome });
        }
        let is_new = self.cancel.is_none();
        let intent = self.cancel.get_or_insert(CancelIntent { at: now, reason });
        let outcome =
            Outcome { message: intent.reason.clone(), ..Outcome::plain(Ending::Cancelled) };
        let changed = match &mut self.state {
            JobState::Preparing { .. } | JobState::Queued { .. } => {
                self.state = JobState::Ended { outcome, at: now };
                true
            }
            JobState::Starting { .. } | JobState::Running { .. } => {
                self.stop(Then::End(outcome), by_force, now);
                true
            }
            JobState::Stopping { then: Then::Again, .. } => {
                self.stop(Then::End(outcome), by_force, now);
                true
            }
            JobState::Stopping {
                then: Then::End(_) | Then::Answered,
                by_force: forced,
                again_at,
            } => {
                let is_harder = by_force && !*forced;
                if is_harder {
                    (*forced, *again_at) = (true, now.plus(limits::STOP_AGAIN));
                }
                is_new || is_harder
            }
            JobState::Ended { .. } => unreachable!("refused above"),
        };
        Ok(changed)
    }

    /// It has shown no sign of life for `span`. Gives whether that is a stall, which stops it.
    /// Refuses `Stale` for another attempt.
    pub fn quiet(&mut self, attempt: u32, span: Millis, now: Timestamp) -> Result<bool, Refused> {
        self.fence(attempt)?;
        let (JobState::Running { .. }, Some(stall)) = (&self.state, self.spec.stall) else {
            return Ok(false);
        };
        if span < stall {
            return Ok(false);
        }
        let message = format!("no output, no processor time, no report for {span}");
        let outcome = Outcome::because(Ending::TimedOut, Reason::Stall, Some(message));
        self.stop(Then::End(outcome), false, now);
        Ok(true)
    }

    /// Its attempt is over, by evidence. Gives what follows. Refuses `Stale` for another attempt or
    /// one that is known to be over.
    pub fn exited(
        &mut self,
        attempt: u32,
        mut exit: Exit,
        now: Timestamp,
    ) -> Result<AfterExit, Refused> {
        self.fence(attempt)?;
        let process = process_outcome(&exit);
        let end = exit.turn.take();
        let judged = self.judge_turn(&exit, &process, end.as_deref());
        let outcome = match &judged {
            Some(Judged::Ends(outcome)) => Some(outcome.clone()),
            Some(Judged::Goes(_)) => None,
            None => self.judge(&exit, &process),
        };
        let never_ran = matches!(exit.how, How::NeverStarted(_));
        let has_run = !never_ran && !matches!(exit.how, How::SpawnFailed(_));
        self.close_attempt(exit, process.clone(), now);
        self.close_turn(end, has_run);
        if let Some(Judged::Goes(after)) = judged {
            return Ok(self.go_round(after, now));
        }
        match outcome {
            Some(outcome) if self.reruns(&outcome) => {
                self.reruns += 1;
                let pause = backoff::delay(
                    self.id.as_str(),
                    self.reruns,
                    limits::RETRY_DELAY_DEFAULT,
                    limits::START_MAX,
                );
                self.requeue(pause, Waiting::Rerun, now);
                Ok(AfterExit::Reruns)
            }
            Some(outcome) if self.retries(&outcome) => {
                self.failures += 1;
                // The next attempt is a round of its own: launches that fail are counted anew.
                self.launches = 0;
                let retry = &self.spec.retry;
                let pause = backoff::delay(
                    self.id.as_str(),
                    self.failures,
                    retry.delay,
                    limits::RETRY_DELAY_MAX,
                );
                self.requeue(pause, Waiting::Retry, now);
                Ok(AfterExit::Retries)
            }
            Some(outcome) => {
                self.state = JobState::Ended { outcome, at: now };
                Ok(AfterExit::Over)
            }
            None => {
                assert!(never_ran, "only what never ran is launched again");
                self.launches += 1;
                let pause = backoff::delay(
                    self.id.as_str(),
                    self.launches,
                    limits::RETRY_DELAY_DEFAULT,
                    limits::START_MAX,
                );
                self.requeue(pause, Waiting::Launch, now);
                Ok(AfterExit::Relaunches(process.message))
            }
        }
    }

    /// A job it waits for will never succeed: ends it, if it has not begun.
    pub fn dependency_failed(&mut self, message: String, now: Timestamp) -> bool {
        let (JobState::Preparing { .. } | JobState::Queued { .. }) = self.state else {
            return false;
        };
        let outcome = Outcome::because(Ending::Failed, Reason::Dependency, Some(message));
        self.state = JobState::Ended { outcome, at: now };
        true
    }

    /// What the job ends as, by this evidence; `None` if nothing ran and it may be launched again.
    fn judge(&self, exit: &Exit, process: &Outcome) -> Option<Outcome> {
        let then = match &self.state {
            JobState::Stopping { then, .. } => Some(then),
            JobState::Preparing { .. }
            | JobState::Queued { .. }
            | JobState::Starting { .. }
            | JobState::Running { .. }
            | JobState::Ended { .. } => None,
        };
        if let Some(reason) = exit.stopped.and_then(limit_reason) {
            let message = Some(self.limit_message(reason));
            return Some(Outcome::because(Ending::Failed, reason, message).with_process(process));
        }
        // A function that returns after its end was asked for has heard of it as far as anybody can
        // tell: whoever cancelled it is not told that it went well.
        let is_stopped_task = self.spec.task.is_some() && matches!(then, Some(Then::End(_)));
        // What ended by itself before the stop reached it keeps its own good end.
        if process.is_success() && exit.stopped.is_none() && !is_stopped_task {
            return Some(process.clone());
        }
        if let Some(Then::End(outcome)) = then {
            let meant = is_stopped_task
                || exit.stopped == Some(StoppedBy::Asked)
                || outcome.kind == Ending::Cancelled;
            let unknown = matches!(exit.how, How::NeverStarted(_) | How::Lost(_));
            if meant || unknown {
                return Some(outcome.clone().with_process(process));
            }
        }
        match &exit.how {
            How::NeverStarted(_) if self.launches + 1 < limits::LAUNCHES_MAX => None,
            How::NeverStarted(message) => {
                Some(Outcome::because(Ending::Failed, Reason::Spawn, message.clone()))
            }
            How::Exited(_)
            | How::Signaled(_)
            | How::SpawnFailed(_)
            | How::Lost(_)
            | How::Returned { .. } => Some(process.clone()),
        }
    }

    fn limit_message(&self, reason: Reason) -> String {
        match (reason, self.spec.memory_bytes_max) {
            (Reason::Oom, Some(most)) => format!("it used more than {most} bytes of memory"),
            (Reason::Oom, None) => "the machine had no memory left for it".to_owned(),
            _ => format!("it wrote more than {} bytes", self.spec.output_bytes_max),
        }
    }

    fn retries(&self, outcome: &Outcome) -> bool {
        let retry = &self.spec.retry;
        let is_worth_it = match outcome.kind {
            Ending::Succeeded | Ending::Cancelled => false,
            // What becomes of a task when its process dies is for its kind alone to say.
            Ending::Lost if self.spec.task.is_some() => false,
            Ending::Failed | Ending::TimedOut | Ending::Lost => {
                retry.on.is_empty() || outcome.exit_code.is_some_and(|c| retry.on.contains(&c))
            }
        };
        is_worth_it
            && self.may_try_again(outcome)
            && self.cancel.is_none()
            && self.failures < retry.max
    }

    /// Whether a task whose process was lost is run again.
    fn reruns(&self, outcome: &Outcome) -> bool {
        let most = self.spec.task.as_ref().map_or(0, |task| task.reruns_max);
        outcome.kind == Ending::Lost && self.cancel.is_none() && self.reruns < most
    }

    pub(super) fn stop(&mut self, then: Then, by_force: bool, now: Timestamp) {
        let wait = if by_force { limits::STOP_AGAIN } else { self.spec.grace };
        self.state = JobState::Stopping { then, by_force, again_at: now.plus(wait) };
    }

    fn requeue(&mut self, pause: Millis, because: Waiting, now: Timestamp) {
        self.wait(now.plus(pause), because);
    }

    pub(super) fn wait(&mut self, not_before: Timestamp, because: Waiting) {
        self.state = JobState::Queued { not_before, is_due: false, because };
        (self.host, self.boot) = (None, None);
    }

    fn close_attempt(&mut self, exit: Exit, process: Outcome, now: Timestamp) {
        let current = self.current_mut();
        current.started_at = current.started_at.or(exit.started_at);
        let earliest = current.started_at.unwrap_or(current.placed_at);
        current.ended_at = Some(exit.ended_at.min(now).max(earliest));
        current.outcome = Some(process);
        current.stdout_bytes = exit.stdout_bytes;
        current.stderr_bytes = exit.stderr_bytes;
        current.cpu_ms = exit.cpu_ms;
        current.rss_bytes_max = exit.rss_bytes_max;
        current.leftovers = exit.leftovers;
        current.warnings = exit.warnings;
        self.artifacts = exit.artifacts;
        // What a process gave back is known already.
        if let How::Returned { result, .. } = exit.how {
            self.result = result;
        }
    }

    /// Refuses what is not about the attempt that is now going on.
    pub(crate) fn fence(&self, attempt: u32) -> Result<(), Refused> {
        let is_active = self.phase() == crate::port::Phase::Active;
        if is_active && attempt == self.attempt {
            Ok(())
        } else {
            Err(Refused::Stale(self.id.clone()))
        }
    }

    fn current_mut(&mut self) -> &mut Attempt {
        self.attempts.last_mut().expect("an active job has an attempt")
    }
}

/// How the process went, whatever the job ends as.
fn process_outcome(exit: &Exit) -> Outcome {
    match &exit.how {
        How::Exited(code) => Outcome::exited(*code),
        How::Signaled(signal) => Outcome::signaled(*signal),
        How::SpawnFailed(message) => {
            Outcome::because(Ending::Failed, Reason::Spawn, Some(message.clone()))
        }
        How::NeverStarted(message) => {
            Outcome::because(Ending::Failed, Reason::Spawn, message.clone())
        }
        How::Lost(message) => {
            Outcome::because(Ending::Lost, Reason::HostLost, Some(message.clone()))
        }
        How::Returned { error: None, .. } => Outcome::plain(Ending::Succeeded),
        How::Returned { error: Some(error), .. } => {
            Outcome { message: Some(error.clone()), ..Outcome::plain(Ending::Failed) }
        }
    }
}

/// The reason that a limit gives; none for what was simply asked for.
pub(super) const fn limit_reason(stopped: StoppedBy) -> Option<Reason> {
    match stopped {
        StoppedBy::Asked => None,
        StoppedBy::OutputLimit => Some(Reason::OutputLimit),
        StoppedBy::Oom => Some(Reason::Oom),
    }
}

//! What the supervisor remembers of one job between two looks. All of it may be forgotten: a new
//! daemon begins without, and the folders say the rest.

use super::PAUSES;
use super::evidence::Seen;
use super::launch::OnItsWay;
use longhaul_core::command::Want;
use longhaul_shim::identity::Ask;
use std::time::Duration;
use tokio::task::AbortHandle;

/// A shim that was launched and has not taken its lock within this time is launched again; in
/// milliseconds awake.
const LAUNCH_MS_MAX: u64 = 3_000;

/// One job that wants something.
#[derive(Debug)]
pub(super) struct Care {
    want: Want,
    busy: bool,
    /// Something happened while an act was going on: act again.
    again: bool,
    /// Looks at something that is on its way, in a row.
    looks: usize,
    /// When a shim of this attempt was launched.
    launched_at: Option<u64>,
    /// Whether its shim was seen alive: the start was reported.
    is_known: bool,
    /// What its shim was asked to do.
    asked: Option<Ask>,
    /// Waits for its shim's end.
    pub(super) watch: Option<AbortHandle>,
    /// Looks for signs of life.
    pub(super) sampler: Option<AbortHandle>,
    /// Takes what it writes.
    pub(super) follower: Option<AbortHandle>,
}

/// What is to be done, with what must be known for that.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) want: Want,
    pub(super) on_its_way: OnItsWay,
    pub(super) is_known: bool,
    pub(super) ask: Option<Ask>,
}

impl Care {
    pub(super) fn new(want: Want) -> Self {
        Self {
            want,
            busy: false,
            again: false,
            looks: 0,
            launched_at: None,
            is_known: false,
            asked: None,
            watch: None,
            sampler: None,
            follower: None,
        }
    }

    /// Takes a newer want. A new attempt begins with nothing known. Gives whether a wait for a shim
    /// was let go of.
    pub(super) fn take_up(&mut self, want: Want) -> bool {
        let mut let_go = false;
        if attempt_of(&want) != self.attempt() {
            let (busy, again) = (self.busy, self.again);
            let old = std::mem::replace(self, Self::new(want.clone()));
            (self.busy, self.again) = (busy, again);
            let_go = old.let_go();
        }
        if want != self.want {
            self.looks = 0;
        }
        self.want = want;
        if !self.may_stall()
            && let Some(sampler) = self.sampler.take()
        {
            sampler.abort();
        }
        let_go
    }

    /// Begins an act; `None` if one is going on, after which another follows.
    pub(super) fn begin(&mut self, awake_ms: u64) -> Option<Order> {
        if self.busy {
            self.again = true;
            return None;
        }
        (self.busy, self.again) = (true, false);
        let is_recent = |at: u64| awake_ms.saturating_sub(at) < LAUNCH_MS_MAX;
        let on_its_way =
            if self.launched_at.is_some_and(is_recent) { OnItsWay::Yes } else { OnItsWay::No };
        let ask = self.next_ask();
        Some(Order { want: self.want.clone(), on_its_way, is_known: self.is_known, ask })
    }

    /// Ends an act. Gives whether another is to follow at once.
    pub(super) fn end(&mut self, want: &Want, seen: &Seen, awake_ms: u64) -> bool {
        self.busy = false;
        // A want that came meanwhile counts as something that happened.
        let again = std::mem::take(&mut self.again) || *want != self.want;
        // What was seen of an earlier attempt says nothing about this one.
        if attempt_of(want) == self.attempt() {
            match seen {
                Seen::Runs(..) => {
                    // With another look to follow, nobody attends to what this one saw.
                    (self.is_known, self.looks) = (self.is_known || !again, 0);
                    if let Want::Stop { by_force, .. } = want {
                        self.asked = Some(if *by_force { Ask::EndByForce } else { Ask::End });
                    }
                }
                Seen::Launched => self.launched_at = Some(awake_ms),
                Seen::Over | Seen::Soon | Seen::Done | Seen::Doubt | Seen::Left(_) => {}
            }
        }
        again
    }

    /// How long until the next look at something that is on its way.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = PAUSES[self.looks.min(PAUSES.len() - 1)];
        self.looks += 1;
        pause
    }

    /// Which attempt, or how many, it is about.
    pub(super) const fn attempt(&self) -> u32 {
        attempt_of(&self.want)
    }

    /// Whether silence means anything: not before it runs, and not while it is being stopped.
    pub(super) const fn may_stall(&self) -> bool {
        matches!(self.want, Want::Start(..) | Want::Watch(..))
    }

    /// Forgets the job. Gives whether its shim was being waited for.
    pub(super) fn let_go(self) -> bool {
        for task in self.sampler.iter().chain(&self.follower) {
            task.abort();
        }
        self.watch.inspect(AbortHandle::abort).is_some()
    }

    /// What its shim is to be told. Asking is told once, since some programs take a second time as
    /// "now"; force is told as often as it is wanted.
    fn next_ask(&self) -> Option<Ask> {
        let Want::Stop { by_force, .. } = self.want else { return None };
        match (by_force, self.asked) {
            (true, _) => Some(Ask::EndByForce),
            (false, None) => Some(Ask::End),
            (false, Some(_)) => None,
        }
    }
}

const fn attempt_of(want: &Want) -> u32 {
    match want {
        Want::Start(_, attempt)
        | Want::Watch(_, attempt)
        | Want::Conclude(_, attempt)
        | Want::CallOff(_, attempt)
        | Want::Stop { attempt, .. }
        | Want::Clean(_, attempt)
        | Want::Purge(_, attempt) => *attempt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;

    fn stop(by_force: bool, care: &Care) -> Want {
        Want::Stop { job: care.want.job().clone(), attempt: 1, by_force }
    }

    fn runs() -> Seen {
        let shim = longhaul_shim::files::Process { pid: 1, start_ticks: 0 };
        let pid = longhaul_shim::files::PidRecord {
            version: 1,
            boot_id: String::new(),
            pid_ns: 0,
            shim,
            child: shim,
            started_wall_ms: 0,
            started_boot_ms: 0,
        };
        Seen::Runs(pid, super::super::evidence::Vigil::default())
    }

    fn care() -> Care {
        Care::new(Want::Start(ids::job_id().unwrap(), 1))
    }

    #[test]
    fn one_act_at_a_time_and_nothing_that_happened_is_forgotten() {
        let mut care = care();
        let order = care.begin(0).unwrap();
        assert!(care.begin(0).is_none());
        assert!(care.end(&order.want, &Seen::Soon, 0));
        let order = care.begin(0).unwrap();
        assert!(!care.end(&order.want, &Seen::Soon, 0));
    }

    #[test]
    fn a_want_that_came_during_an_act_is_acted_on_after_it() {
        let mut care = care();
        let order = care.begin(0).unwrap();
        care.take_up(stop(false, &care));
        assert!(care.end(&order.want, &Seen::Launched, 0));
    }

    #[test]
    fn a_shim_is_asked_once_and_forced_as_often_as_wanted() {
        let mut care = care();
        care.take_up(stop(false, &care));
        let order = care.begin(0).unwrap();
        assert_eq!(order.ask, Some(Ask::End));
        let runs = runs();
        care.end(&order.want, &runs, 0);
        assert_eq!(care.begin(0).unwrap().ask, None);
        care.end(&stop(false, &care), &runs, 0);
        care.take_up(stop(true, &care));
        for _ in 0..2 {
            let order = care.begin(0).unwrap();
            assert_eq!(order.ask, Some(Ask::EndByForce));
            care.end(&order.want, &runs, 0);
        }
    }

    #[test]
    fn what_nobody_attended_to_is_not_known() {
        let mut care = care();
        let order = care.begin(0).unwrap();
        // The news of the start was committed while the first look went on.
        let watch = Want::Watch(care.want.job().clone(), 1);
        care.take_up(watch);
        assert!(care.end(&order.want, &runs(), 0));
        let order = care.begin(0).unwrap();
        assert!(!order.is_known, "its stall would never be watched for");
        assert!(!care.end(&order.want, &runs(), 0));
        assert!(care.begin(0).unwrap().is_known);
    }

    #[test]
    fn a_shim_that_never_comes_is_launched_again() {
        let mut care = care();
        let order = care.begin(10).unwrap();
        assert_eq!(order.on_its_way, OnItsWay::No);
        care.end(&order.want, &Seen::Launched, 10);
        assert_eq!(care.begin(20).unwrap().on_its_way, OnItsWay::Yes);
        care.end(&order.want, &Seen::Soon, 20);
        assert_eq!(care.begin(10 + LAUNCH_MS_MAX).unwrap().on_its_way, OnItsWay::No);
    }
}

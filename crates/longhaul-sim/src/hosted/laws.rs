//! Laws about what is spent, handed on and told, after every step.

use super::family::{claims, has};
use super::leases::{CURRENCIES, Money, is_within, money_of};
use super::life::{KEEP, Life};
use super::rows::{Entry, Rows};
use crate::course::Broken;
use longhaul_core::command::{Command, Want};
use longhaul_core::credential::Issue;
use longhaul_core::engine::Step;
use longhaul_core::event::Fact;
use longhaul_core::id::{HostId, JobId};
use longhaul_core::job::{Job, JobState};
use longhaul_core::limits;
use longhaul_core::outcome::Reason;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

impl Life {
    /// After a step.
    pub(super) fn check(
        &mut self,
        (before, host): (&Rows, usize),
        batch: &[Command],
        step: &Step,
        written: &[Entry],
    ) -> Result<(), Broken> {
        if let ([command], [reply]) = (batch, &step.replies[..]) {
            self.answered(before, command, reply)?;
            self.heard(before, command, reply.is_ok())?;
        }
        let mut family = std::mem::take(&mut self.family);
        family.take(batch, step, &self.rows, written);
        self.family = family;
        if !step.changed.is_empty() {
            let changed = || step.changed.iter().filter_map(|id| self.rows.jobs.get_key_value(id));
            self.born(changed().filter(|(id, _)| !before.jobs.contains_key(*id)))?;
            self.money(&step.changed)?;
            self.families(before, &step.changed)?;
            self.results(&step.changed)?;
            self.count(before, &step.changed, written);
        }
        self.audited(before, batch, step, written)?;
        self.in_time(host)?;
        self.own(host, step)?;
        self.credentials((before, host), batch, step, written)?;
        self.gone(before)
    }

    /// What a job may is what it asked for and what it inherits, and a part of what its parent may.
    fn born<'a>(&self, new: impl Iterator<Item = (&'a JobId, &'a Rc<Job>)>) -> Result<(), Broken> {
        for (id, job) in new {
            let member = &self.family.members[id];
            let hosted = job.spec.hosted.as_deref().expect("all are hosted");
            let (texts, at) = (hosted.lease.asked(), millis(hosted.lease.expires_at()));
            let is_right = texts == member.asked && at == member.expires_at;
            self.holds("a job has the lease that it was given", is_right, || {
                format!("{id} has {texts:?} until {at:?}, should have {member:?}")
            })?;
            let is_agreed = job.session.as_ref() != Some(&self.sessions[1]);
            let is_right = is_agreed || hosted.credentials.is_empty();
            self.holds("who knows of no credentials is given none", is_right, || {
                format!("{id} has {:?}", hosted.credentials)
            })?;
            self.holds("a job knows how deep it is", hosted.depth == member.depth, || {
                format!("{id} says {}, should {member:?}", hosted.depth)
            })?;
            let Some(parent) = &member.parent else { continue };
            let above = self.rows.jobs[parent].spec.hosted.as_deref().expect("all are hosted");
            let end = millis(above.lease.expires_at());
            let is_in_time = end.is_none_or(|end| at.is_some_and(|at| at <= end));
            let is_part = is_within(&texts, &above.lease.asked());
            self.holds("a child may what its parent may", is_part && is_in_time, || {
                format!("{id} may {texts:?} until {at:?}, {parent} {:?}", above.lease)
            })?;
            let is_deep = member.depth > limits::DELEGATION_DEPTH_MAX;
            self.holds("depth is bounded", !is_deep, || format!("{id}: {member:?}"))?;
        }
        Ok(())
    }

    /// No coin is lost, and none is there twice.
    fn money(&self, changed: &BTreeSet<JobId>) -> Result<(), Broken> {
        if !changed.iter().any(|id| !self.family.members[id].granted.is_empty()) {
            return Ok(());
        }
        let mut all: BTreeMap<(&JobId, &'static str), i64> = BTreeMap::new();
        for (id, member) in self.family.members.iter().filter(|(_, member)| member.rest.is_none()) {
            let Some(job) = self.rows.jobs.get(id) else { continue };
            for currency in CURRENCIES.into_iter().filter(|name| member.granted.contains_key(name))
            {
                let (has, should) =
                    (has(&self.rows, id, currency), self.family.left(id, currency, &self.rows));
                self.holds(
                    "a job has left what it was given and did not spend",
                    has == should,
                    || {
                        format!(
                            "{id} has {has} {currency} left, should {should}: {:?}",
                            job.account
                        )
                    },
                )?;
                let chain = self.family.chain(id);
                let of = chain.take_while(|(_, above)| above.granted.contains_key(currency));
                let root = of.last().expect("it has some itself").0;
                let counts = if root == id { has } else { claims(&self.rows, id, currency) };
                *all.entry((root, currency)).or_default() += counts;
            }
            self.reserved(id, job)?;
        }
        for ((root, currency), left) in all {
            let spent = self.spent_below(root, currency);
            let granted = self.family.members[root].granted[currency];
            self.holds(
                "what is spent and what is left is what was granted",
                spent + left == granted,
                || format!("{root}: {spent} {currency} spent, {left} left of {granted}"),
            )?;
        }
        Ok(())
    }

    fn spent_below(&self, job: &JobId, currency: &'static str) -> i64 {
        let member = &self.family.members[job];
        let below = member.children.iter().map(|child| self.spent_below(child, currency));
        member.spent.get(currency).copied().unwrap_or(0) + below.sum::<i64>()
    }

    /// What is set aside is set aside for those who can still spend it.
    fn reserved(&self, id: &JobId, job: &Job) -> Result<(), Broken> {
        let reserved = job.account.iter().flat_map(|account| account.reserved());
        let is: BTreeMap<JobId, Money> =
            reserved.map(|(child, amounts)| (child.clone(), money_of(amounts))).collect();
        let open = self.family.open(id).filter(|(_, child)| !child.granted.is_empty());
        let should: BTreeMap<JobId, Money> =
            open.map(|(child, member)| (child.clone(), member.granted.clone())).collect();
        self.holds("what is set aside is for children that go on", is == should, || {
            format!("{id}: {is:?}, should be {should:?}")
        })
    }

    /// Who delegated what, how many of it go on, and what becomes of it with who delegated it.
    fn families(&self, before: &Rows, changed: &BTreeSet<JobId>) -> Result<(), Broken> {
        for (id, job) in changed.iter().filter_map(|id| self.rows.jobs.get_key_value(id)) {
            let open = self.family.open(id).count();
            self.holds(
                "open delegations are counted",
                job.delegations.open as usize == open,
                || format!("{id} has {open}, and says {:?}", job.delegations),
            )?;
            self.holds(
                "delegations are bounded",
                open <= limits::DELEGATIONS_OPEN_MAX as usize,
                || format!("{id} has {open} open"),
            )?;
            let was_over = before.jobs.get(id).is_some_and(|job| has_gone(job));
            if !has_gone(job) || was_over {
                continue;
            }
            for child in
                self.family.members[id].children.iter().filter_map(|id| self.rows.jobs.get(id))
            {
                let is_asked = child.cancel.is_some() || child.outcome().is_some();
                self.holds("what was delegated ends with who delegated it", is_asked, || {
                    format!("{} goes on without {id}: {:?}", child.id, child.state)
                })?;
            }
        }
        Ok(())
    }

    /// Whoever delegates hears once what became of it, as long as there is somebody to hear it.
    fn results(&self, changed: &BTreeSet<JobId>) -> Result<(), Broken> {
        for parent in changed {
            let of = (parent.clone(), String::new())..;
            let of = self.family.results.range(of).take_while(|((of, _), _)| of == parent);
            for ((_, name), results) in of {
                self.holds("each delegation has one result", results.due == results.told, || {
                    format!("`{name}` of {parent}: {results:?}")
                })?;
            }
        }
        Ok(())
    }

    /// Nobody is asked to do anything about what is another host's.
    fn own(&self, host: usize, step: &Step) -> Result<(), Broken> {
        let me = self.course.id(host);
        let is_others = |of: Option<&HostId>| of.is_some_and(|of| of != me);
        let of = |want: &Want| self.rows.jobs.get(want.job()).and_then(|job| job.host.as_ref());
        let strange = step.tasks.iter().find(|want| is_others(of(want)));
        self.holds("a host is asked for what is its own", strange.is_none(), || {
            format!("host {host} is asked for {strange:?}")
        })?;
        let of = |issue: &Issue| {
            let row = self.rows.credentials.get(issue.credential());
            row.and_then(|row| row.host.as_ref())
        };
        let strange = step.issue.iter().find(|issue| is_others(of(issue)));
        self.holds("a host makes what is its own to make", strange.is_none(), || {
            format!("host {host} is asked for {strange:?}")
        })
    }

    /// Nobody goes on after the end of a lease, but for a moment; and while their host is away.
    fn in_time(&self, host: usize) -> Result<(), Broken> {
        let is_away = |job: &Job| job.host.as_ref().is_some_and(|of| of != self.course.id(host));
        for job in self.rows.open().filter(|job| !is_away(job)) {
            let at = self.family.members[&job.id].expires_at;
            let is_over = at.is_some_and(|at| self.course.at >= at + limits::LEASE_GRACE.get());
            let goes_on = match job.state {
                JobState::Preparing { .. } | JobState::Queued { .. } | JobState::Running { .. } => {
                    true
                }
                JobState::Starting { .. } | JobState::Stopping { .. } | JobState::Ended { .. } => {
                    false
                }
            };
            self.holds("nobody goes on after the end of a lease", !(is_over && goes_on), || {
                format!("{} is {:?}, its lease was over at {at:?}", job.id, job.state)
            })?;
        }
        Ok(())
    }

    /// A row goes when its time is over, or somebody asked for that, and nobody needs it.
    fn gone(&mut self, before: &Rows) -> Result<(), Broken> {
        let gone = before.jobs.iter().filter(|(id, _)| !self.rows.jobs.contains_key(*id));
        for (id, job) in gone {
            let member = &self.family.members[id];
            self.holds("only who is done with is removed", member.rest.is_some(), || {
                format!("{id} is gone: {job:?}")
            })?;
            self.tally.removed += 1;
            let parent = member.parent.as_ref().and_then(|id| self.rows.jobs.get(id));
            self.tally.removed_below +=
                u64::from(parent.is_some_and(|parent| parent.outcome().is_none()));
        }
        Ok(())
    }

    fn count(&mut self, before: &Rows, changed: &BTreeSet<JobId>, written: &[Entry]) {
        for entry in written {
            match &entry.fact {
                Fact::Ended { outcome } => {
                    self.tally.ended += 1;
                    let job = entry.job.as_ref().and_then(|id| before.jobs.get(id));
                    let began = job.is_some_and(|job| job.attempt > 0);
                    let is_late = outcome.reason == Some(Reason::Lease);
                    self.tally.stopped_late += u64::from(is_late && began);
                    self.tally.ended_late += u64::from(is_late && !began);
                }
                Fact::Retrying { .. } | Fact::Rerunning { .. } => self.tally.tried_again += 1,
                Fact::Told { name, body, .. } if name == "tool_result" => {
                    let is_of = body["call_id"].as_str().is_some_and(|id| id.starts_with("part"));
                    self.tally.results_told += u64::from(is_of);
                }
                _ => {}
            }
        }
        for id in changed {
            self.count_money(before, id);
            let member = &self.family.members[id];
            let Some(parent) = member.parent.as_ref().filter(|_| before.jobs.contains_key(id))
            else {
                continue;
            };
            let has_just = |id: &JobId| self.rows.is_over(id) && !before.is_over(id);
            self.tally.cascaded += u64::from(has_just(id) && has_just(parent));
            self.tally.outlived += u64::from(has_just(id) && before.is_over(parent));
        }
    }

    fn count_money(&mut self, before: &Rows, id: &JobId) {
        let (Some(known), Some(job)) = (before.jobs.get(id), self.rows.jobs.get(id)) else {
            return;
        };
        let is_closed = |job: &Job| job.stream.as_ref().is_some_and(|stream| stream.is_closed);
        self.tally.streams_closed += u64::from(is_closed(job) && !is_closed(known));
        let member = &self.family.members[id];
        let reserved = |job: &Job| job.account.as_ref().map_or(0, |it| it.reserved().len());
        let is_refunded = reserved(known) > reserved(job);
        for currency in CURRENCIES {
            let (was, is) = (has(before, id, currency), has(&self.rows, id, currency));
            let tally = &mut self.tally;
            let above = member.parent.as_ref().map(|above| &self.family.members[above]);
            let is_paid = above.is_some_and(|above| above.granted.contains_key(currency));
            tally.paid_above += u64::from(is < was && is < 0 && is_paid);
            tally.overspent += u64::from(is < was && is < 0 && !is_paid);
            tally.refunded += u64::from(is_refunded && is > was);
            tally.repaid += u64::from(is_refunded && is > was && was < 0 && is_paid);
        }
    }

    /// When everybody has left.
    pub(super) fn at_rest(&self) -> Result<(), Broken> {
        let open = self.rows.open().next();
        self.holds("everything ends", open.is_none(), || format!("{open:?}"))?;
        let left = self.rows.jobs.values().find(|job| {
            let ended_at = millis(job.ended_at()).unwrap_or(u64::MAX);
            ended_at.saturating_add(KEEP + 5_000) < self.course.at
        });
        self.holds("jobs that have ended go", left.is_none(), || format!("{left:?}"))
    }
}

fn has_gone(job: &Job) -> bool {
    job.outcome().is_some() || job.cancel.is_some()
}

fn millis(at: Option<longhaul_core::time::Timestamp>) -> Option<u64> {
    at.map(|at| u64::try_from(at.as_millis()).unwrap_or(0))
}

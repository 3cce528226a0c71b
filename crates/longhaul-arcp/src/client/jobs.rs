//! The jobs that a client is told of: how much of each it has, so that nothing is told twice where a
//! new session begins to tell from the start.

use super::pieces::Pieces;
use crate::limits::KNOWN_JOBS_MAX;
use std::collections::BTreeMap;

/// What is known of one job.
#[derive(Debug)]
pub(super) struct Job {
    /// What was told of it, in numbered frames.
    pub(super) told: u64,
    /// How many of the next frames were told before.
    skip: u64,
    /// Frames with larger numbers than this begin at the job's start again.
    again_after: Option<u64>,
    /// Whether what comes is passed over until it is told from its start.
    waits_for_start: bool,
    /// Whether all that it ever told was told here.
    pub(super) is_whole: bool,
    pub(super) is_ended: bool,
    /// Whether anybody still wants to know.
    pub(super) is_wanted: bool,
    pub(super) pieces: Pieces,
}

impl Job {
    fn new(is_whole: bool) -> Self {
        Self {
            told: 0,
            skip: 0,
            again_after: None,
            waits_for_start: false,
            is_whole,
            is_ended: false,
            is_wanted: true,
            pieces: Pieces::default(),
        }
    }

    /// Whether it may tell more in this session.
    pub(super) const fn is_live(&self) -> bool {
        self.is_wanted && !self.is_ended
    }

    /// A numbered frame of it came. False if what it says was told before.
    pub(super) fn is_news(&mut self, event_seq: u64) -> bool {
        if self.again_after.is_some_and(|after| event_seq > after) {
            self.again_after = None;
            self.waits_for_start = false;
            self.skip = self.told;
        }
        if self.waits_for_start {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.told += 1;
        self.is_live()
    }

    /// It will be told from its start again: behind the answer, if that comes first, and else with the
    /// next frame. What comes before the answer is part of what is told then.
    pub(super) fn begins_again(&mut self, is_answered_first: bool) {
        if !self.is_whole {
            self.is_whole = true;
            self.told = 0;
        }
        self.waits_for_start = is_answered_first;
        self.skip = self.told;
    }

    /// Whether what comes is passed over until it is answered where it begins.
    pub(super) const fn waits_for_answer(&self) -> bool {
        self.waits_for_start && self.again_after.is_none()
    }

    /// Whether it was told from its start before that was answered.
    pub(super) const fn has_begun(&self) -> bool {
        self.told > 0 && !self.waits_for_start
    }

    /// The answer came: what is told from the start has larger numbers than `after`.
    pub(super) fn begins_again_after(&mut self, after: u64) {
        self.again_after = Some(after);
    }

    /// Nothing is told again, or the repetition is over. False if less was repeated than was told.
    pub(super) fn goes_on(&mut self) -> bool {
        self.waits_for_start = false;
        std::mem::take(&mut self.skip) == 0
    }

    /// A new session tells nothing of it yet.
    pub(super) fn forget_session(&mut self) {
        self.skip = 0;
        self.again_after = None;
        self.waits_for_start = false;
    }
}

/// All jobs that a client is told of, by id.
#[derive(Debug, Default)]
pub(super) struct Jobs(BTreeMap<String, Job>);

impl Jobs {
    pub(super) fn get(&self, id: &str) -> Option<&Job> {
        self.0.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Job> {
        self.0.get_mut(id)
    }

    /// The job with this id, which may be new: `is_whole` says whether it is known from its start.
    pub(super) fn known(&mut self, id: &str, is_whole: bool) -> &mut Job {
        if self.0.len() >= KNOWN_JOBS_MAX && !self.0.contains_key(id) {
            self.forget_one();
        }
        self.0.entry(id.to_owned()).or_insert_with(|| Job::new(is_whole))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&String, &mut Job)> {
        self.0.iter_mut()
    }

    /// Ended jobs go first, for nothing more is told of them.
    fn forget_one(&mut self) {
        let ended = self.0.iter().find(|(_, job)| !job.is_live()).map(|(id, _)| id.clone());
        match ended {
            Some(id) => drop(self.0.remove(&id)),
            None => drop(self.0.pop_first()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_passed_over_when_it_is_told_again() {
        let mut jobs = Jobs::default();
        let job = jobs.known("job_1", true);
        assert!((1..=3).all(|seq| job.is_news(seq)));
        job.begins_again(true);
        // Two more of the old row, then the start again.
        assert!(!job.is_news(4) && !job.is_news(5));
        job.begins_again_after(5);
        let news: Vec<bool> = (6..=10).map(|seq| job.is_news(seq)).collect();
        assert_eq!(news, [false, false, false, true, true]);
        job.begins_again(false);
        assert!(!job.is_news(1) && !job.goes_on());
        assert!(job.goes_on() && job.is_news(2));
    }

    #[test]
    fn no_more_jobs_are_kept_than_may_be_and_live_ones_longest() {
        let mut jobs = Jobs::default();
        for number in 0..KNOWN_JOBS_MAX {
            jobs.known(&format!("job_{number:06}"), true).is_ended = number % 2 == 1;
        }
        jobs.known("job_x", true);
        assert_eq!(jobs.0.len(), KNOWN_JOBS_MAX);
        assert!(jobs.get("job_000001").is_none() && jobs.get("job_000000").is_some());
    }
}

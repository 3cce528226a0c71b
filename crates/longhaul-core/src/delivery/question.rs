//! The news of a question, which goes the same way as that of an end and under an id of its own.

use super::{Delivery, Destination};
use crate::id::{ApprovalId, DeliveryId, JobId};
use crate::job::Job;
use crate::time::Timestamp;

impl Delivery {
    /// The news that a question was asked, owed from now on.
    pub fn asking(job: &Job, about: ApprovalId, to: Destination, seq: u64, now: Timestamp) -> Self {
        let id = Self::id_asking(&job.id, &about, &to);
        Self { id, about: Some(about), ..Self::new(job, to, seq, now) }
    }

    /// The id of the news of a question, at one place: told there once.
    pub fn id_asking(job: &JobId, about: &ApprovalId, to: &Destination) -> DeliveryId {
        DeliveryId::of(job, &format!("{}?{about}", to.place()))
    }
}

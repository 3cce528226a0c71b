//! What the journal has said about who is told of one job. Folded, it is what the rows say.

use super::{Broken, holds};
use longhaul_core::delivery::{Delivery, DeliveryState, Settled};
use longhaul_core::event::Fact;
use longhaul_core::id::DeliveryId;
use std::collections::BTreeMap;

/// All that is owed for one job.
#[derive(Debug, Default)]
pub(super) struct Tales {
    owed: BTreeMap<DeliveryId, Tale>,
}

#[derive(Debug)]
struct Tale {
    to: String,
    failures: u32,
    last: u32,
    over: Option<Over>,
}

#[derive(Debug, PartialEq, Eq)]
enum Over {
    Knows { by: String, how: Settled },
    Dead { because: String },
}

impl Tales {
    pub(super) fn count(&self) -> usize {
        self.owed.len()
    }

    /// Whether this can come next.
    pub(super) fn may_follow(&self, fact: &Fact) -> bool {
        let is_open = |id: &DeliveryId| self.owed.get(id).is_some_and(|tale| tale.over.is_none());
        match fact {
            Fact::NoticesOwed { notices, .. } => {
                let is_new = notices.iter().all(|owed| !self.owed.contains_key(&owed.id));
                is_new && !notices.is_empty()
            }
            Fact::NoticeFailed { delivery, number, .. } => {
                is_open(delivery) && *number > self.owed[delivery].last
            }
            Fact::NoticeSettled { delivery, .. } | Fact::NoticeDead { delivery, .. } => {
                is_open(delivery)
            }
            Fact::NoticeOwedAgain { delivery } => {
                let tale = self.owed.get(delivery);
                tale.is_some_and(|tale| matches!(tale.over, Some(Over::Dead { .. })))
            }
            _ => true,
        }
    }

    pub(super) fn take(&mut self, fact: &Fact) {
        match fact {
            Fact::NoticesOwed { notices, .. } => {
                for owed in notices {
                    let tale = Tale { to: owed.to.clone(), failures: 0, last: 0, over: None };
                    self.owed.insert(owed.id.clone(), tale);
                }
            }
            Fact::NoticeFailed { delivery, number, .. } => {
                let tale = self.tale(delivery);
                (tale.failures, tale.last) = (tale.failures + 1, *number);
            }
            Fact::NoticeSettled { delivery, by, how } => {
                self.tale(delivery).over = Some(Over::Knows { by: by.clone(), how: *how });
            }
            Fact::NoticeDead { delivery, because } => {
                self.tale(delivery).over = Some(Over::Dead { because: because.clone() });
            }
            Fact::NoticeOwedAgain { delivery } => {
                let tale = self.tale(delivery);
                (tale.failures, tale.over) = (0, None);
            }
            _ => {}
        }
    }

    fn tale(&mut self, id: &DeliveryId) -> &mut Tale {
        self.owed.get_mut(id).expect("what may follow is about what is owed")
    }

    /// Whether the fold so far is the row.
    pub(super) fn agrees(&self, delivery: &Delivery) -> Result<(), Broken> {
        let over = match &delivery.state {
            DeliveryState::Acked { by, how, .. } => Some(Over::Knows { by: by.clone(), how: *how }),
            DeliveryState::Dead { because, .. } => Some(Over::Dead { because: because.clone() }),
            DeliveryState::Pending { .. }
            | DeliveryState::Claimed { .. }
            | DeliveryState::Sent { .. } => None,
        };
        let is_so = self.owed.get(&delivery.id).is_some_and(|tale| {
            tale.to == delivery.to.place()
                && tale.failures == delivery.failures
                && tale.over == over
        });
        holds("folding the journal gives the notices", is_so, || {
            format!("{:?}, but {delivery:?}", self.owed.get(&delivery.id))
        })
    }
}

//! Couriers and receivers. A host's courier asks the receiver of a sink once for each try, and says
//! again what it knows when it is asked again; a crash makes it forget. What a receiver took is the
//! truth that "at least once" is measured by.

use crate::daemon::late_by;
use crate::life::{Life, Next};
use crate::plan::Temper;
use crate::script::Label;
use crate::wishes::SINKS;
use longhaul_core::command::{Command, Deliver};
use longhaul_core::delivery::Destination;
use longhaul_core::id::DeliveryId;
use longhaul_core::time::Millis;
use std::collections::{BTreeMap, BTreeSet};

/// After this the courier stops waiting for an answer, in milliseconds.
const GIVE_UP_MS: u64 = 10_000;

/// What one host's courier knows.
#[derive(Debug, Default)]
pub(crate) struct Courier {
    /// Tries that were begun, and what is known of each.
    pub(crate) tries: BTreeMap<Deliver, Option<Command>>,
}

/// What receivers took: sink and delivery. They drop doubles by that.
pub(crate) type Taken = BTreeSet<(String, DeliveryId)>;

/// What becomes of one asking.
struct Answer {
    /// When the receiver takes it, if it does.
    takes: Option<u64>,
    /// When the courier knows, and what; never if it hangs itself.
    says: Option<(u64, Said)>,
}

enum Said {
    Yes,
    No { answer: String, again_after: Option<u64>, is_final: bool },
}

impl Said {
    fn no(answer: &str) -> Self {
        Self::No { answer: answer.to_owned(), again_after: None, is_final: false }
    }
}

/// The name under which chance is rolled for a delivery.
pub(crate) fn label_of(id: &DeliveryId) -> Label {
    let bytes = id.as_str().bytes().rev().take(12);
    Label(bytes.fold(17, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193)))
}

impl Life<'_> {
    /// Gives it to the courier: now, later, twice or never.
    pub(crate) fn hand_over(&mut self, host: usize, deliver: Deliver) {
        let (label, faults) = (label_of(&deliver.delivery), self.plan.faults);
        if self.is_struck(2, label, faults.wants_lost) {
            self.tally.wants_lost += 1;
            return;
        }
        let late = late_by(self, 3, label, faults.wants_late, 3_000);
        if self.is_struck(5, label, faults.wants_twice) {
            let later = self.rolled(11, label) % 5_000;
            self.push(self.at + later, Next::Deliver(host, deliver.clone()));
        }
        self.push(self.at + late, Next::Deliver(host, deliver));
    }

    /// The courier begins a try, or says what it knows of it.
    pub(crate) fn deliver(&mut self, host: usize, deliver: &Deliver) {
        match self.daemons[host].courier.tries.get(deliver).cloned() {
            Some(Some(report)) => self.report(host, report),
            Some(None) => {}
            None => {
                self.daemons[host].courier.tries.insert(deliver.clone(), None);
                let way = 1 + self.rolled(12, label_of(&deliver.delivery)) % 200;
                self.push(self.at + way, Next::Knock(host, deliver.clone()));
            }
        }
    }

    /// The receiver is asked.
    pub(crate) fn knock(&mut self, host: usize, deliver: Deliver) {
        let Some(owed) = self.rows.delivery(&deliver.delivery) else { return };
        let Destination::Sink(sink) = owed.to.clone() else { return };
        let answer = self.receive(&sink, &deliver.delivery);
        if let Some(after) = answer.takes {
            let taken = Next::Taken(sink, deliver.delivery.clone());
            self.push(self.at + after, taken);
        }
        let (delivery, number) = (deliver.delivery.clone(), deliver.number);
        let Some((after, said)) = answer.says else { return };
        let report = match said {
            Said::Yes => Command::Delivered { delivery, number, answer: "200".to_owned() },
            Said::No { answer, again_after, is_final } => {
                let again_after = again_after.map(Millis::new);
                Command::DeliveryFailed { delivery, number, answer, again_after, is_final }
            }
        };
        self.push(self.at + after, Next::Answer(host, deliver, report));
    }

    /// The courier hears the answer.
    pub(crate) fn answered(&mut self, host: usize, deliver: Deliver, report: Command) {
        self.daemons[host].courier.tries.insert(deliver, Some(report.clone()));
        self.report(host, report);
    }

    fn receive(&mut self, sink: &str, delivery: &DeliveryId) -> Answer {
        let index = SINKS.iter().position(|name| *name == sink).expect("lives have no other");
        let label = label_of(delivery);
        let (lot, span) = (self.rolled(13, label) % 100, self.rolled(14, label));
        let soon = 1 + span % 400;
        let temper = match self.plan.tempers[index] {
            Temper::Broken => Temper::Broken,
            _ if self.is_calm => return Answer::taken(soon),
            temper => temper,
        };
        let bounds: [u64; 6] = match temper {
            Temper::Broken => [0, 0, 0, 0, 95, 100],
            Temper::Sound => [86, 90, 92, 94, 99, 99],
            Temper::Flaky => [35, 47, 57, 67, 88, 93],
            Temper::Hangs => [10, 30, 75, 80, 90, 90],
        };
        let kind = bounds.iter().position(|bound| lot < *bound).unwrap_or(bounds.len());
        match kind {
            0 => Answer::taken(soon),
            // It takes it, but answers too late, or its answer is lost.
            1 => Answer { takes: Some(soon), ..Answer::late() },
            2 => Answer { takes: Some(GIVE_UP_MS + span % 20_000), ..Answer::late() },
            3 => {
                let again_after = Some(if lot.is_multiple_of(2) { 0 } else { span % 90_000 });
                let answer = "503 later".to_owned();
                Answer::says(soon, Said::No { answer, again_after, is_final: false })
            }
            4 => Answer::says(soon, Said::no(&"500 ".repeat(1 + lot_of(span)))),
            5 => {
                let answer = "410 gone".to_owned();
                Answer::says(soon, Said::No { answer, again_after: None, is_final: true })
            }
            // The courier's own child forks and hangs: nothing is ever heard of this try.
            _ => Answer { takes: span.is_multiple_of(2).then_some(soon), says: None },
        }
    }
}

/// Mostly one, and now and then more than is kept.
const fn lot_of(span: u64) -> usize {
    if span.is_multiple_of(16) { 16_384 } else { 0 }
}

impl Answer {
    const fn taken(after: u64) -> Self {
        Self { takes: Some(after), says: Some((after + 3, Said::Yes)) }
    }

    fn late() -> Self {
        Self { takes: None, says: Some((GIVE_UP_MS, Said::no("no answer within 10 s"))) }
    }

    const fn says(after: u64, said: Said) -> Self {
        Self { takes: None, says: Some((after, said)) }
    }
}

//! The loop that takes up what is wanted. Core bounds how many tries are claimed at once, for each
//! sink and in all; here nothing waits for anything else.

use super::Courier;
use super::answer::{Answer, Verdict};
use crate::daemon::board::Board;
use crate::daemon::{EngineHandle, Ports, StopSwitch};
use longhaul_core::command::{Command, Deliver};
use longhaul_core::id::DeliveryId;
use longhaul_core::limits;
use longhaul_shim::failpoint;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Answers that are remembered: as many as there can be tries, so that none of those that a full
/// disk did not take is forgotten before it does.
const ANSWERS_MAX: usize = (limits::SINKS_MAX * limits::SINK_TRIES_AT_ONCE_MAX) as usize;

/// The running driver.
pub(in crate::daemon) struct CourierDriver {
    courier: Courier,
    engine: EngineHandle,
    board: Arc<Board<Deliver>>,
    stop: StopSwitch,
    under_way: BTreeSet<Deliver>,
    answers: Answers,
    tries: JoinSet<(Deliver, Option<Answer>)>,
}

/// What wakes the loop.
enum Happening {
    Wanted(Vec<Deliver>),
    Tried(Deliver, Option<Answer>),
    /// A try ended without saying which it was.
    Lost,
    Stopped,
}

impl CourierDriver {
    /// A driver that is not running yet.
    pub(in crate::daemon) fn new(ports: &Ports, board: Arc<Board<Deliver>>) -> Self {
        Self {
            courier: ports.courier.clone(),
            engine: ports.engine.clone(),
            board,
            stop: ports.stop.clone(),
            under_way: BTreeSet::new(),
            answers: Answers::default(),
            tries: JoinSet::new(),
        }
    }

    /// Runs until the daemon stops. Tries that are under way are dropped then.
    pub(in crate::daemon) async fn run(mut self) {
        loop {
            match self.next().await {
                Happening::Wanted(wanted) => wanted.into_iter().for_each(|want| self.want(want)),
                Happening::Tried(wanted, answer) => self.tried(wanted, answer),
                Happening::Lost => {}
                Happening::Stopped => return,
            }
        }
    }

    async fn next(&mut self) -> Happening {
        tokio::select! {
            biased;
            () = self.stop.stopped() => Happening::Stopped,
            Some(tried) = self.tries.join_next() => match tried {
                Ok((wanted, answer)) => Happening::Tried(wanted, answer),
                Err(error) => {
                    tracing::error!(%error, "a try panicked");
                    Happening::Lost
                }
            },
            wanted = self.board.take() => Happening::Wanted(wanted),
        }
    }

    fn want(&mut self, wanted: Deliver) {
        if self.under_way.contains(&wanted) {
            return;
        }
        // Wanted again though it was made: the report was not committed. The sink has it.
        if let Some(answer) = self.answers.of(&wanted) {
            self.engine.report(vec![report(&wanted, answer.clone())]);
            return;
        }
        self.under_way.insert(wanted.clone());
        let courier = self.courier.clone();
        self.tries.spawn(async move {
            let answer = match courier.deliver(&wanted).await {
                Ok(answer) => answer,
                // Nothing was sent; reconciling wants it again.
                Err(error) => {
                    tracing::warn!(delivery = %wanted.delivery, %error, "a delivery was not read");
                    None
                }
            };
            (wanted, answer)
        });
    }

    fn tried(&mut self, wanted: Deliver, answer: Option<Answer>) {
        self.under_way.remove(&wanted);
        let Some(answer) = answer else { return };
        failpoint::at("courier.after_send");
        self.engine.report(vec![report(&wanted, answer.clone())]);
        self.answers.keep(wanted, answer);
    }
}

fn report(wanted: &Deliver, answer: Answer) -> Command {
    let (delivery, number) = (wanted.delivery.clone(), wanted.number);
    let failed = |answer, again_after, is_final| Command::DeliveryFailed {
        delivery: delivery.clone(),
        number,
        answer,
        again_after,
        is_final,
    };
    match answer.verdict {
        Verdict::Delivered => {
            Command::Delivered { delivery: delivery.clone(), number, answer: answer.text }
        }
        Verdict::Failed { again_after } => failed(answer.text, again_after, false),
        Verdict::Final => failed(answer.text, None, true),
    }
}

/// What the newest tries came to. A report may be lost, and the try must not be made again for it.
#[derive(Debug, Default)]
struct Answers {
    by_delivery: BTreeMap<DeliveryId, (u32, Answer)>,
    /// Oldest first; one whose delivery was tried again since is in here twice.
    order: VecDeque<Deliver>,
}

impl Answers {
    fn of(&self, wanted: &Deliver) -> Option<&Answer> {
        let (number, answer) = self.by_delivery.get(&wanted.delivery)?;
        (*number == wanted.number).then_some(answer)
    }

    fn keep(&mut self, tried: Deliver, answer: Answer) {
        self.by_delivery.insert(tried.delivery.clone(), (tried.number, answer));
        self.order.push_back(tried);
        while self.order.len() > ANSWERS_MAX {
            let oldest = self.order.pop_front().expect("it is longer than that");
            if self.of(&oldest).is_some() {
                self.by_delivery.remove(&oldest.delivery);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;
    use longhaul_core::time::Millis;

    fn wanted(number: u32) -> Deliver {
        let delivery = DeliveryId::of(&ids::job_id().unwrap(), "sink:a");
        Deliver { delivery, number }
    }

    #[test]
    fn an_answer_is_remembered_for_its_own_try_only() {
        let (first, mut answers) = (wanted(1), Answers::default());
        assert_eq!(answers.of(&first), None);
        answers.keep(first.clone(), Answer::failed("no"));
        assert_eq!(answers.of(&first), Some(&Answer::failed("no")));
        let second = Deliver { number: 2, ..first.clone() };
        assert_eq!(answers.of(&second), None);
        answers.keep(second.clone(), Answer::delivered("yes"));
        assert_eq!(answers.of(&first), None);
        assert_eq!(answers.of(&second), Some(&Answer::delivered("yes")));
    }

    #[test]
    fn only_the_newest_answers_are_remembered() {
        let (first, mut answers) = (wanted(1), Answers::default());
        answers.keep(first.clone(), Answer::failed("no"));
        let second = Deliver { number: 2, ..first };
        answers.keep(second.clone(), Answer::delivered("yes"));
        for _ in 0..ANSWERS_MAX - 1 {
            answers.keep(wanted(1), Answer::delivered(""));
        }
        // The try that made room was not the delivery's newest.
        assert!(answers.of(&second).is_some());
        answers.keep(wanted(1), Answer::delivered(""));
        assert!(answers.of(&second).is_none());
        assert_eq!(answers.by_delivery.len(), ANSWERS_MAX);
    }

    #[test]
    fn what_a_sink_made_of_it_is_what_core_is_told() {
        let wanted = wanted(3);
        let again_after = Some(Millis::from_secs(7));
        let told = |answer| report(&wanted, answer);
        let failed = |again_after, is_final| Command::DeliveryFailed {
            delivery: wanted.delivery.clone(),
            number: 3,
            answer: "x".to_owned(),
            again_after,
            is_final,
        };
        assert_eq!(told(Answer::later("x", again_after)), failed(again_after, false));
        assert_eq!(told(Answer::is_final("x")), failed(None, true));
        let delivered = Command::Delivered {
            delivery: wanted.delivery.clone(),
            number: 3,
            answer: "x".to_owned(),
        };
        assert_eq!(told(Answer::delivered("x")), delivered);
    }
}

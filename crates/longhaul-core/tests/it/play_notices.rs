//! What a script may say about notices:
//!
//! `sink S` · `unsink S` · `here P OWNER [PROJECT]` · `gone P` · `take P` · `sent JOB` ·
//! `ack OWNER JOB…` · `ackall OWNER` · `knows OWNER JOB` · `took JOB S` · `failed JOB S [after=5s]
//! [final] [#TRY]` · `resend JOB [S]`. A job's notices are shown as `job>inbox` and `job>sink:S`.

use crate::play::{Stage, span_of};
use longhaul_core::approval::{Approval, Question};
use longhaul_core::command::{Command, Deliver};
use longhaul_core::delivery::{Claimant, Delivery, DeliveryState, Settled};
use longhaul_core::id::{ApprovalId, DeliveryId, PresenceId};
use longhaul_core::port::{Record, Store, Table};
use longhaul_core::sink::SinkKind;

impl Stage {
    /// The command that a line about notices says; `None` for a line about something else.
    pub(crate) fn notice_command(&mut self, verb: &str, rest: &[&str]) -> Option<Command> {
        let name = |at: usize| rest[at].to_owned();
        let presence = || PresenceId::parse(&format!("prs_{:0>26}", rest[0])).expect("capitals");
        let command = match verb {
            "sink" => Command::AddSink { sink: name(0), kind: SinkKind::Desktop, replace: false },
            "unsink" => Command::RemoveSink(name(0)),
            "here" => {
                let project = rest.get(2).map(|project| (*project).to_owned());
                Command::Present { presence: presence(), owner: name(1), project }
            }
            "gone" => Command::Absent(presence()),
            "take" => Command::Claim { presence: presence(), limit: 10 },
            "ackall" => Command::AcknowledgeAll { owner: name(0) },
            "ack" => {
                let deliveries = rest[1..].iter().map(|job| self.notice(job, "inbox")).collect();
                Command::Acknowledge { owner: name(0), deliveries }
            }
            "knows" => {
                Command::Settle { job: self.id(rest[1]), owner: name(0), how: Settled::Waited }
            }
            "sent" => {
                let delivery = self.notice(rest[0], "inbox");
                Command::Sent { number: self.number(&delivery, rest), delivery }
            }
            "took" => {
                let delivery = self.notice(rest[0], &format!("sink:{}", rest[1]));
                let number = self.number(&delivery, rest);
                Command::Delivered { delivery, number, answer: "200".into() }
            }
            "failed" => {
                let delivery = self.notice(rest[0], &format!("sink:{}", rest[1]));
                let after = rest.iter().find_map(|word| word.strip_prefix("after="));
                Command::DeliveryFailed {
                    number: self.number(&delivery, rest),
                    delivery,
                    answer: "503".into(),
                    again_after: after.map(span_of),
                    is_final: rest.contains(&"final"),
                }
            }
            "resend" => {
                let place =
                    rest.get(1).map_or_else(|| "inbox".to_owned(), |sink| format!("sink:{sink}"));
                Command::Redeliver(self.notice(rest[0], &place))
            }
            _ => return None,
        };
        Some(command)
    }

    fn notice(&mut self, job: &str, place: &str) -> DeliveryId {
        // `JOB?CALL` is the question about that call.
        let Some((job, call)) = job.split_once('?') else {
            return DeliveryId::of(&self.id(job), place);
        };
        let job = self.id(job);
        let about = ApprovalId::of(&job, &format!("tool:{call}"));
        DeliveryId::of(&job, &format!("{place}?{about}"))
    }

    fn number(&self, id: &DeliveryId, words: &[&str]) -> u32 {
        let named = words.iter().find_map(|word| word.strip_prefix('#'));
        let current = || self.delivery(id.as_str()).map_or(0, |delivery| delivery.tries);
        named.map_or_else(current, |number| number.parse().expect("a number"))
    }

    fn delivery(&self, id: &str) -> Option<Delivery> {
        let row = self.store.reader().expect("memory").load(Table::Delivery, id).expect("memory");
        row.map(|row| Delivery::from_row(&row).expect("it was stored by us"))
    }

    /// The places that anything is owed to.
    pub(crate) fn places(&self) -> Vec<String> {
        let mut reader = self.store.reader().expect("memory");
        let ids = reader.ids(Table::Delivery, "", 1_000).expect("memory");
        let mut places: Vec<String> =
            ids.iter().filter_map(|id| Some(self.delivery(id)?.to.place())).collect();
        places.push("inbox".to_owned());
        places.sort();
        places.dedup();
        places
    }

    /// A line for each delivery that is not what it was.
    pub(crate) fn notices_changed(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        let mut ids = self.store.reader().expect("memory");
        let ids = ids.ids(Table::Delivery, "", 1_000).expect("memory");
        let mut found: Vec<Delivery> = ids.iter().filter_map(|id| self.delivery(id)).collect();
        found.sort_by_key(|delivery| (delivery.seq, delivery.to.place()));
        for delivery in found {
            let name = self.names.iter().find(|(_, id)| **id == delivery.job);
            let name = name.map_or("?", |(name, _)| name.as_str());
            let about = self.question_of(&delivery);
            let name = format!("{name}{about}>{}", delivery.to.place());
            let state = describe(&delivery);
            if self.shown.insert(name.clone(), state.clone()).as_ref() != Some(&state) {
                told.push(format!("{name} {state}"));
            }
        }
        told
    }

    /// What the courier is wanted to do.
    pub(crate) fn told(&self, deliver: &Deliver) -> String {
        let delivery = self.delivery(deliver.delivery.as_str()).expect("it is wanted");
        let name = self.names.iter().find(|(_, id)| **id == delivery.job);
        let name = name.map_or("?", |(name, _)| name.as_str());
        let about = self.question_of(&delivery);
        format!("{name}{about}>{}#{}", delivery.to.place(), deliver.number)
    }

    /// `?CALL` or `?KIND` for the news of a question, nothing for that of an end.
    fn question_of(&self, delivery: &Delivery) -> String {
        let Some(about) = &delivery.about else { return String::new() };
        let approval: Approval = self.stored(about.as_str()).expect("what is told is there");
        match approval.question {
            Question::Tool { call, .. } => format!("?{call}"),
            other => format!("?{}", other.name()),
        }
    }
}

fn describe(delivery: &Delivery) -> String {
    match &delivery.state {
        DeliveryState::Pending { is_due: true, .. } => "pending".to_owned(),
        DeliveryState::Pending { .. } => "pending later".to_owned(),
        DeliveryState::Claimed { by, .. } => format!("claimed by {}", who(by)),
        DeliveryState::Sent { by, .. } => format!("sent to {}", who(by)),
        DeliveryState::Acked { by, how, .. } => format!("acked by {by} ({})", how.name()),
        DeliveryState::Dead { because, .. } => format!("dead: {because}"),
    }
}

fn who(by: &Claimant) -> String {
    match by {
        Claimant::Courier(_) => "the courier".to_owned(),
        Claimant::Presence { id, .. } => id.as_str().trim_start_matches("prs_0").replace('0', ""),
    }
}

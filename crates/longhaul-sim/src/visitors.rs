//! Clients that hold a connection for an owner, and the server that speaks for them: it says that
//! they are there, takes notices for them, writes them, and says that they are gone. A crash of the
//! daemon cuts every connection, and nobody says so.

use crate::courier::label_of;
use crate::life::{Life, Next};
use crate::script::Label;
use crate::wishes::{OWNERS, PROJECTS, Visit};
use longhaul_core::command::{Command, Refused, Reply};
use longhaul_core::id::{DeliveryId, PresenceId};

/// One client.
#[derive(Debug)]
pub(crate) struct Visitor {
    visit: Visit,
    host: usize,
    /// Its connection, if it has one.
    pub(crate) presence: Option<PresenceId>,
    connections: u32,
    /// Whether it wants to be connected.
    is_here: bool,
    /// Whether the engine has said that it knows of the connection.
    is_known: bool,
}

/// What clients do, each at its moment.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Connect,
    Leave,
    /// There may be something to take.
    Wake,
    /// A notice was written to this connection.
    Written(PresenceId, DeliveryId, u32),
    /// The client acknowledges.
    Acknowledge(DeliveryId),
}

impl Life<'_> {
    /// A client comes.
    pub(crate) fn come(&mut self, host: usize, visit: &Visit) {
        if let Some(stays) = visit.stays {
            self.push(self.at + stays, Next::Visit(visit.visitor, Step::Leave));
        }
        let visitor = Visitor {
            visit: visit.clone(),
            host,
            presence: None,
            connections: 0,
            is_here: true,
            is_known: false,
        };
        self.visitors.insert(visit.visitor, visitor);
        self.visit(visit.visitor, Step::Connect);
    }

    /// A client, or the server for it, does its next step.
    pub(crate) fn visit(&mut self, number: u32, step: Step) {
        let Some(visitor) = self.visitors.get_mut(&number) else { return };
        let host = visitor.host;
        match step {
            Step::Connect if !visitor.is_here || visitor.presence.is_some() => {}
            Step::Connect if !self.daemons[host].is_up => {
                self.push(self.at + 700, Next::Visit(number, Step::Connect));
            }
            Step::Connect => {
                visitor.connections += 1;
                let id = format!("prs_{number:013}{:013}", visitor.connections);
                let presence = PresenceId::parse(&id).expect("26 digits");
                (visitor.presence, visitor.is_known) = (Some(presence.clone()), false);
                let owner = OWNERS[visitor.visit.owner].to_owned();
                let project = visitor.visit.project.map(|project| PROJECTS[project].to_owned());
                let report = Command::Present { presence, owner, project };
                self.daemons[host].reports.push(report);
            }
            Step::Leave => {
                visitor.is_here = false;
                // Who is not known yet is told of first; the answer to that leads on.
                if let Some(presence) = visitor.presence.take_if(|_| visitor.is_known) {
                    self.daemons[host].reports.push(Command::Absent(presence));
                }
            }
            Step::Wake => {
                let known = visitor.presence.clone().filter(|_| visitor.is_known);
                if let Some(presence) = known {
                    let limit = visitor.visit.takes;
                    self.daemons[host].asks.push(Command::Claim { presence, limit });
                }
            }
            Step::Written(presence, delivery, number_of_try) => {
                if visitor.presence.as_ref() == Some(&presence) {
                    self.written(number, delivery, number_of_try);
                }
            }
            Step::Acknowledge(delivery) => {
                let owner = OWNERS[visitor.visit.owner].to_owned();
                let ask = Command::Acknowledge { owner, deliveries: vec![delivery] };
                self.play(Next::Ask(host, ask));
            }
        }
    }

    /// The client reads a notice. It may acknowledge before the server has said that it was sent.
    fn written(&mut self, number: u32, delivery: DeliveryId, number_of_try: u32) {
        let visitor = &self.visitors[&number];
        let (host, acks) = (visitor.host, visitor.visit.acks);
        let label = label_of(&delivery);
        let is_read = self.is_calm || self.rolled(15, label) % 100 < acks;
        if is_read {
            let after = self.rolled(16, label) % if self.is_calm { 900 } else { 4_000 };
            let next = Next::Visit(number, Step::Acknowledge(delivery.clone()));
            self.push(self.at + after, next);
        }
        self.report(host, Command::Sent { delivery, number: number_of_try });
    }

    /// What the engine answered to something that the server asked or said for a client.
    pub(crate) fn heard(&mut self, command: &Command, reply: &Result<Reply, Refused>) {
        match command {
            Command::Present { presence, .. } if reply.is_ok() => {
                let Some((number, visitor)) = of_presence(self, presence) else { return };
                visitor.is_known = true;
                let next = if visitor.is_here { Step::Wake } else { Step::Leave };
                self.visit(number, next);
            }
            Command::Claim { presence, .. } => {
                let Ok(Reply::Claimed(claimed)) = reply else { return };
                let Some((number, _)) = of_presence(self, presence) else { return };
                for (delivery, number_of_try) in claimed {
                    let label = label_of(delivery);
                    if self.is_struck(17, label, 10) {
                        continue;
                    }
                    let after = 1 + self.rolled(18, label) % 1_500;
                    let (presence, delivery) = (presence.clone(), delivery.clone());
                    let step = Step::Written(presence, delivery, *number_of_try);
                    self.push(self.at + after, Next::Visit(number, step));
                }
                if !claimed.is_empty() {
                    self.push(self.at + 50, Next::Visit(number, Step::Wake));
                }
            }
            _ => {}
        }
    }

    /// There may be something to take: whoever is there asks for it.
    pub(crate) fn wake(&mut self, inboxes: &std::collections::BTreeSet<String>) {
        let is_meant = |visitor: &Visitor| {
            let lane = format!("inbox|{}", OWNERS[visitor.visit.owner]);
            let pool =
                visitor.visit.project.map(|project| format!("project:{}", PROJECTS[project]));
            inboxes.contains(&lane) || pool.is_some_and(|pool| inboxes.contains(&pool))
        };
        let meant = self.visitors.iter().filter(|(_, visitor)| is_meant(visitor));
        for number in meant.map(|(number, _)| *number).collect::<Vec<u32>>() {
            let after = 1 + self.rolled(19, Label(number)) % 30;
            self.push(self.at + after, Next::Visit(number, Step::Wake));
        }
    }

    /// A daemon is gone, and with it its connections. Clients come again when they can.
    pub(crate) fn cut(&mut self, host: usize) {
        let mut cut = Vec::new();
        for (number, visitor) in &mut self.visitors {
            if visitor.host == host {
                (visitor.presence, visitor.is_known) = (None, false);
                cut.push(*number);
            }
        }
        for number in cut {
            self.push(self.at + 300, Next::Visit(number, Step::Connect));
        }
    }
}

fn of_presence<'a>(
    life: &'a mut Life<'_>,
    presence: &PresenceId,
) -> Option<(u32, &'a mut Visitor)> {
    let mut all = life.visitors.iter_mut();
    let found = all.find(|(_, visitor)| visitor.presence.as_ref() == Some(presence));
    found.map(|(number, visitor)| (*number, visitor))
}

//! What people do, what breaks, and what children ask for while they run.

use super::child::{Act, Child, Key, Over};
use super::habits::{self, TOOL};
use super::life::{Asker, Life, Next};
use super::plan::{AGENTS, BOXES, CALM_FROM, Op, PERSON};
use longhaul_core::command::{Command, How, Refused, Reply, Submission};
use longhaul_core::id::{ApprovalId, JobId, MailId};
use longhaul_core::mail::{Letter, MailPriority, person_box};
use longhaul_core::policy::ToolCall;
use longhaul_core::spec::Environment;
use longhaul_core::time::Millis;
use longhaul_core::turn::TurnHow;
use std::collections::BTreeMap;

/// Messages that children send in one life, at most: two that answer each other would never end.
const SENT_MAX: u64 = 60;
/// How often people look at questions once faults are over, and how often in all.
const LOOK_EVERY: u64 = 15_000;
const LOOKS: u64 = 200;

impl Life {
    pub(super) fn people(&mut self, op: Op) {
        self.note(|| format!("{op:?}"));
        let secrets = || Environment(BTreeMap::from([("KEY".to_owned(), "word".to_owned())]));
        let command = match op {
            Op::Add { agent, shape, replace } => {
                let spec = Box::new(habits::agent(&self.plan, agent, shape));
                Command::AddAgent { spec, environment: secrets(), replace }
            }
            Op::Remove(agent) => Command::RemoveAgent(AGENTS[agent].0.to_owned()),
            Op::Stop { agent, by_force } => {
                let (agent, reason) = (AGENTS[agent].0.to_owned(), Some("enough".to_owned()));
                Command::StopAgent { agent, reason, by_force }
            }
            Op::Turn { number, agent, shape } => self.turn_asked(number, agent, shape),
            Op::Mail { number, to, shape } => self.letter_of_a_person(number, to, shape),
            Op::Read(pick) => self.read(pick),
            Op::Cancel { pick, by_force } => match self.some_job(pick) {
                Some(job) => Command::Cancel { job, reason: None, by_force, tree: false },
                None => return,
            },
            Op::Answer { pick, is_allowed } => match self.some_question(pick) {
                Some(approval) => {
                    Command::Answer { approval, is_allowed, reason: None, by: PERSON.to_owned() }
                }
                None => return,
            },
            Op::Slots(slots) => Command::SetPool {
                pool: "default".to_owned(),
                slots: Some(slots),
                paused: Some(false),
            },
            Op::Crash(_)
            | Op::Reboot(_)
            | Op::LoseShim(_)
            | Op::Clock { .. }
            | Op::Sleep { .. } => {
                return self.breaks(op);
            }
        };
        self.ask(command);
    }

    /// Puts a command to some host that is up, when one is.
    pub(super) fn ask(&mut self, command: Command) {
        let first = below(self.plan.roll(&[40, self.at, self.steps]), self.hosts.len());
        let hosts = (0..self.hosts.len()).map(|host| (first + host) % self.hosts.len());
        let up = hosts.into_iter().find(|host| self.hosts[*host].is_up);
        match up {
            Some(host) => self.tell_host(host, command, Asker::Person),
            None => self.push(self.at + 1_000, Next::Ask(Box::new(command))),
        }
    }

    fn breaks(&mut self, op: Op) {
        match op {
            Op::Crash(host) => self.crash(host),
            Op::Reboot(host) => {
                self.crash(host);
                self.count("reboots");
                self.hosts[host].boots += 1;
                let boot = format!("boot{}", self.hosts[host].boots);
                self.hosts[host].place.boot = boot;
                let place = self.hosts[host].place.clone();
                self.hosts[host].engine = longhaul_core::engine::Engine::new(place);
                for child in self.children.values_mut().filter(|child| child.host == host) {
                    child.lose();
                }
                let launching = std::mem::take(&mut self.launching);
                let is_there = |key: &Key| {
                    let job = self.rows.jobs.get(key.0.as_str());
                    job.is_some_and(|job| job.host.as_ref() != Some(&self.hosts[host].place.host))
                };
                self.launching = launching.into_iter().filter(is_there).collect();
            }
            Op::LoseShim(pick) => {
                let is_alive = |child: &&mut Child| child.over.is_none();
                let alive: Vec<&mut Child> = self.children.values_mut().filter(is_alive).collect();
                let count = alive.len() as u64;
                if count > 0 {
                    let number = usize::try_from(pick % count).expect("less than a length");
                    alive.into_iter().nth(number).expect("there is one").lose();
                    self.count("lost shims");
                }
            }
            Op::Clock { host, by } => self.hosts[host].offset += by,
            Op::Sleep { host, span } => {
                self.hosts[host].offset += i64::try_from(span).expect("a sleep is short");
                if self.hosts[host].is_up {
                    let woke = (Command::Woke { slept: Millis::new(span) }, Asker::Nobody);
                    if self.hosts[host].inbox.is_empty() {
                        let process = self.hosts[host].process;
                        self.push(self.at, Next::Flush(host, process));
                    }
                    self.hosts[host].inbox.insert(0, woke);
                }
            }
            Op::Add { .. }
            | Op::Remove(_)
            | Op::Stop { .. }
            | Op::Turn { .. }
            | Op::Mail { .. }
            | Op::Read(_)
            | Op::Cancel { .. }
            | Op::Answer { .. }
            | Op::Slots(_) => {}
        }
    }

    fn turn_asked(&self, number: u64, agent: usize, shape: u64) -> Command {
        let name = AGENTS[agent].0;
        let known = self.rows.agents.get(name).map(|agent| agent.spec.clone());
        let spec = known.unwrap_or_else(|| habits::agent(&self.plan, agent, shape));
        let submission = Submission {
            id: habits::job_id(number),
            spec: habits::turn(&self.plan, &spec, number, shape),
            environment: Environment(BTreeMap::new()),
            key: None,
            owner: spec.owner.clone(),
            project: None,
            parent: None,
            retry_of: None,
            session: None,
        };
        Command::Submit(vec![submission])
    }

    fn letter_of_a_person(&self, number: u64, to: usize, shape: u64) -> Command {
        let kind = ["status", "question", "escalation", "done"][below(shape, 4)];
        let id = MailId::parse(&format!("mail_{number:026}")).expect("26 digits");
        let newest = self.rows.mail.values().filter(|mail| mail.to == person_box(PERSON));
        let newest = newest.max_by_key(|mail| mail.seq).filter(|_| (shape / 4).is_multiple_of(4));
        let mut letter = letter(id, &person_box(PERSON), BOXES[to], kind);
        if let Some(newest) = newest {
            (letter.reply_to, letter.to) = (Some(newest.id.clone()), Vec::new());
        }
        Command::SendMail(Box::new(letter))
    }

    fn read(&self, pick: u64) -> Command {
        let mailbox = person_box(PERSON);
        let theirs: Vec<_> = self.rows.mail.values().filter(|mail| mail.to == mailbox).collect();
        if !theirs.is_empty() && pick.is_multiple_of(3) {
            let number =
                usize::try_from(pick / 3 % theirs.len() as u64).expect("less than a length");
            return Command::ReadMail { mail: theirs[number].id.clone(), turn: None };
        }
        Command::CheckMail { mailbox, turn: None, limit: 3 }
    }

    fn some_job(&self, pick: u64) -> Option<JobId> {
        let open = self.rows.jobs.values().filter(|job| job.outcome().is_none());
        let open: Vec<_> = open.map(|job| job.id.clone()).collect();
        let number = usize::try_from(pick.checked_rem(open.len() as u64)?).expect("small");
        Some(open[number].clone())
    }

    fn some_question(&self, pick: u64) -> Option<ApprovalId> {
        let only_open = !pick.is_multiple_of(4);
        let some = self.rows.approvals.values().filter(|asked| asked.is_open() || !only_open);
        let some: Vec<_> = some.map(|asked| asked.id.clone()).collect();
        let number = usize::try_from(pick.checked_rem(some.len() as u64)?).expect("small");
        Some(some[number].clone())
    }

    /// Faults are over: whoever is away comes back, whatever hangs ends, and people answer.
    pub(super) fn calm(&mut self) {
        for host in 0..self.hosts.len() {
            self.push(self.at, Next::Up(host));
        }
        self.people(Op::Slots(4));
        let hanging: Vec<Key> = self
            .children
            .iter()
            .filter_map(|(key, child)| {
                let hangs = child.over.is_none() && child.answer().is_none();
                (hangs && child.is_hanging()).then(|| key.clone())
            })
            .collect();
        for key in hanging {
            let child = self.children.get_mut(&key).expect("it was just seen");
            child.over = Some(Over { how: How::Exited(3), stopped: None });
        }
        for look in 1..LOOKS {
            let every = if look < LOOKS / 2 { LOOK_EVERY } else { 8 * LOOK_EVERY };
            self.push(self.at + look * every, Next::AnswerAll);
        }
    }

    pub(super) fn answer_all(&mut self) {
        let open = self.rows.approvals.values().filter(|asked| asked.is_open());
        let open: Vec<ApprovalId> = open.map(|asked| asked.id.clone()).collect();
        for approval in open {
            let is_allowed = !habits::number(approval.as_str()).is_multiple_of(4);
            let by = PERSON.to_owned();
            self.ask(Command::Answer { approval, is_allowed, reason: None, by });
        }
    }

    /// A child does what comes next.
    pub(super) fn act(&mut self, key: &Key) {
        let Some(child) = self.children.get_mut(key).filter(|child| child.over.is_none()) else {
            return;
        };
        let Some((_, act)) = child.acts.get(child.done).cloned() else { return };
        let (host, agent) = (child.host, child.agent.clone());
        self.active_at.insert(key.clone(), self.at);
        match act {
            Act::Say(_) | Act::Grumble | Act::Name(_) | Act::Answer(_) => {
                child.write(&act);
                self.next_act(key);
            }
            Act::Exit(code) => child.over = Some(Over { how: How::Exited(code), stopped: None }),
            Act::Hang if self.at >= CALM_FROM && child.answer().is_none() => {
                child.over = Some(Over { how: How::Exited(3), stopped: None });
            }
            Act::Hang => {}
            Act::Mail { .. } | Act::Ask { .. } | Act::Emit | Act::Check => {
                let number = child.done;
                if !self.hosts[host].is_up {
                    self.push(self.at + 600, Next::Act(key.clone()));
                } else if let Some(command) = self.wish(key, &agent, number, &act) {
                    self.tell_host(host, command, Asker::Child(key.clone()));
                } else {
                    self.next_act(key);
                }
            }
        }
    }

    fn next_act(&mut self, key: &Key) {
        let Some(child) = self.children.get_mut(key) else { return };
        child.done += 1;
        if let Some((pause, _)) = child.acts.get(child.done) {
            let at = self.at + pause;
            self.push(at, Next::Act(key.clone()));
        }
    }

    fn wish(&mut self, key: &Key, agent: &str, number: usize, act: &Act) -> Option<Command> {
        let (job, attempt) = key.clone();
        let command = match act {
            Act::Mail { to, kind } => {
                self.sent += 1;
                if self.sent > SENT_MAX {
                    return None;
                }
                let digits = habits::number(job.as_str()) % 10_000_000_000;
                let id = format!("mail_{digits:012}{attempt:06}{number:08}");
                let id = MailId::parse(&id).expect("26 digits");
                let mut letter = letter(id, agent, to, kind);
                letter.turn = Some((job, attempt));
                Command::SendMail(Box::new(letter))
            }
            Act::Ask { call, .. } => {
                let call = ToolCall {
                    call: call.clone(),
                    key: call.clone(),
                    tool: TOOL.to_owned(),
                    ..ToolCall::default()
                };
                Command::Authorize { job, attempt, call: Box::new(call) }
            }
            Act::Emit => {
                let (report, body) = ("progress".to_owned(), "{}".to_owned());
                Command::Emit { job, attempt, report, body }
            }
            Act::Check => {
                let mailbox = agent.to_owned();
                Command::CheckMail { mailbox, turn: Some((job, attempt)), limit: 2 }
            }
            Act::Say(_)
            | Act::Grumble
            | Act::Name(_)
            | Act::Answer(_)
            | Act::Exit(_)
            | Act::Hang => {
                return None;
            }
        };
        Some(command)
    }

    pub(super) fn child_answered(&mut self, key: &Key, reply: &Result<Reply, Refused>) {
        let Some(child) = self.children.get_mut(key).filter(|child| child.over.is_none()) else {
            return;
        };
        let act = child.acts.get(child.done).map(|(_, act)| act.clone());
        if let (Some(Act::Ask { call, defers }), Ok(Reply::Asked(_))) = (act, reply) {
            if !defers {
                self.push(self.at + 2_000, Next::Act(key.clone()));
                return;
            }
            let answer = TurnHow::Deferred { call: call.clone(), tool: TOOL.to_owned() };
            child.acts.truncate(child.done + 1);
            child.acts.push((100, Act::Answer(answer)));
            child.acts.push((100, Act::Exit(0)));
            self.laws.put_off.insert(key.0.as_str().to_owned(), call);
            self.count("calls put off");
        }
        self.next_act(key);
    }
}

fn letter(id: MailId, from: &str, to: &str, kind: &str) -> Letter {
    Letter {
        id,
        from: from.to_owned(),
        turn: None,
        to: vec![to.to_owned()],
        kind: kind.to_owned(),
        priority: MailPriority::Normal,
        subject: "about it".to_owned(),
        body: "as it is".to_owned(),
        payload: habits::payload(kind, from),
        reply_to: None,
    }
}

/// A number below a length.
fn below(rolled: u64, end: usize) -> usize {
    usize::try_from(rolled % end as u64).expect("less than a length")
}

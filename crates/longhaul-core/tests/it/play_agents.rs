//! What a script may say about agents, their turns and their mail:
//!
//! `agent NAME [role=R] [parent=P] [owner=O] [kind=K] [cwd=D] [replace]` · `stop NAME [now]` ·
//! `remove NAME` · `turn JOB NAME [again=N]` · `done JOB` · `broke JOB` · `mail M FROM TO,… [kind=K]
//! [re=M] [body=B] [payload=J]` where FROM is an agent, a `@person`, or `by:JOB` · `check BOX [JOB]` ·
//! `read M [JOB]` · `told JOB`. Turns that are made for mail are called `NAME:1`, `NAME:2`, …; the
//! messages of a letter M to many `M>BOX`; our own `KIND>BOX`. Agents are shown as `(NAME)`.

use crate::play::Stage;
use longhaul_core::agent::{Agent, AgentSpec, Standing};
use longhaul_core::command::{Command, Exit, How, Submission};
use longhaul_core::id::{JobId, MailId};
use longhaul_core::job::Job;
use longhaul_core::mail::{Letter, Mail, MailPriority, MailState, OURSELVES};
use longhaul_core::port::{Record, Store, Table};
use longhaul_core::spec::Environment;
use longhaul_core::turn::{Input, Remedy, Turn, TurnEnd, TurnHow};
use std::collections::BTreeMap;

impl Stage {
    /// The command that a line about agents says; `None` for a line about something else.
    pub(crate) fn agent_command(&mut self, verb: &str, rest: &[&str]) -> Option<Command> {
        let option = |name: &str| {
            let found = rest.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            found.map(str::to_owned)
        };
        let has = |word: &str| rest.contains(&word);
        let command = match verb {
            "agent" => {
                let spec = AgentSpec {
                    name: rest[0].to_owned(),
                    kind: option("kind").unwrap_or_else(|| "plain".to_owned()),
                    role: option("role"),
                    parent: option("parent"),
                    owner: option("owner"),
                    cwd: option("cwd").unwrap_or_else(|| "/w".to_owned()),
                    ..AgentSpec::default()
                };
                let environment = Environment(BTreeMap::new());
                Command::AddAgent { spec: Box::new(spec), environment, replace: has("replace") }
            }
            "stop" => {
                Command::StopAgent { agent: rest[0].into(), reason: None, by_force: has("now") }
            }
            "remove" => Command::RemoveAgent(rest[0].into()),
            "turn" => Command::Submit(vec![self.turn(rest[0], rest[1], option("again"))]),
            "done" | "broke" => {
                let how = if verb == "done" {
                    TurnHow::Done { despite: None }
                } else {
                    let (class, message) = ("no_result".to_owned(), "it said nothing".to_owned());
                    TurnHow::Failed { class, message, remedy: Remedy::Retry }
                };
                let code = i32::from(verb == "broke");
                let turn = Some(Box::new(TurnEnd { said: "so long".into(), ..TurnEnd::of(how) }));
                let exit = Exit { turn, ..Exit::bare(How::Exited(code), None, self.now) };
                let job = self.id(rest[0]);
                let attempt = self.stored::<Job>(job.as_str()).map_or(0, |job| job.attempt);
                Command::Exited { job, attempt, exit }
            }
            "mail" => Command::SendMail(Box::new(self.letter(rest, &option))),
            "check" => Command::CheckMail {
                mailbox: rest[0].into(),
                turn: rest.get(1).map(|job| self.by(job)),
                limit: 10,
            },
            "read" => Command::ReadMail {
                mail: self.mail_id(rest[0]),
                turn: rest.get(1).map(|job| self.by(job)),
            },
            _ => return None,
        };
        Some(command)
    }

    fn turn(&mut self, name: &str, agent: &str, retries: Option<String>) -> Submission {
        let prompt = "do it".to_owned();
        let turn = Turn { agent: agent.to_owned(), prompt, ..Turn::default() };
        let known = self.stored::<Agent>(agent).map(|agent| agent.spec).unwrap_or_default();
        let mut spec = known.job_spec(turn);
        spec.retry.max = retries.map_or(0, |most| most.parse().expect("a number"));
        let environment = Environment(BTreeMap::new());
        let (id, owner) = (self.id(name), known.owner);
        let (key, project, parent, retry_of) = (None, None, None, None);
        let session = None;
        Submission { id, spec, environment, key, owner, project, parent, retry_of, session }
    }

    fn letter(&mut self, rest: &[&str], option: &dyn Fn(&str) -> Option<String>) -> Letter {
        let job = rest[1].strip_prefix("by:");
        let is_addressed = rest.get(2).is_some_and(|to| !to.contains('='));
        let to = rest
            .get(2)
            .filter(|_| is_addressed)
            .map_or_else(Vec::new, |to| to.split(',').map(str::to_owned).collect());
        Letter {
            id: self.mail_id(rest[0]),
            from: rest[1].to_owned(),
            turn: job.map(|job| self.by(job)),
            to,
            kind: option("kind").unwrap_or_default(),
            priority: MailPriority::Normal,
            subject: if option("re").is_some() { String::new() } else { "news".to_owned() },
            body: option("body").unwrap_or_default(),
            payload: option("payload"),
            reply_to: option("re").map(|name| self.mail_id(&name)),
        }
    }

    fn by(&mut self, job: &str) -> (JobId, u32) {
        let (name, attempt) = job.split_once('#').map_or((job, None), |(n, a)| (n, Some(a)));
        let id = self.id(name);
        let current = self.stored::<Job>(id.as_str()).map_or(0, |job| job.attempt);
        (id, attempt.map_or(current, |attempt| attempt.parse().expect("a number")))
    }

    fn mail_id(&mut self, name: &str) -> MailId {
        if let Some(id) = self.mails.get(name) {
            return id.clone();
        }
        let body = name.to_uppercase().replace(['I', 'L', 'O', 'U'], "Z");
        let id = MailId::parse(&format!("mail_{body:0>26}")).expect("a short plain name");
        self.mails.insert(name.to_owned(), id.clone());
        id
    }

    pub(crate) fn stored<R: Record>(&self, id: &str) -> Option<R> {
        let row = self.store.reader().expect("memory").load(R::TABLE, id).expect("memory");
        row.map(|row| R::from_row(&row).expect("it was stored by us"))
    }

    fn all<R: Record>(&self) -> Vec<R> {
        let ids = self.store.reader().expect("memory").ids(R::TABLE, "", 10_000).expect("memory");
        ids.iter().filter_map(|id| self.stored(id)).collect()
    }

    /// Gives names to turns and messages that the step made by itself.
    fn name_new(&mut self) {
        let mut jobs: Vec<Job> = self.all();
        jobs.retain(|job| job.spec.turn.is_some() && !self.names.values().any(|id| *id == job.id));
        jobs.sort_by_key(|job| job.seq);
        for job in jobs {
            let agent = job.spec.turn.expect("only turns were kept").agent;
            let number = (1..).find(|n| !self.names.contains_key(&format!("{agent}:{n}")));
            self.names.insert(format!("{agent}:{}", number.expect("some are free")), job.id);
        }
        let mut mail: Vec<Mail> = self.all();
        mail.sort_by_key(|mail| mail.seq);
        for mail in mail {
            if self.mails.values().any(|id| *id == mail.id) {
                continue;
            }
            let of = |(name, id): (&String, &MailId)| {
                (MailId::to_mailbox(id, &mail.to) == mail.id).then(|| format!("{name}>{}", mail.to))
            };
            let letter = self.mails.iter().find_map(of).filter(|_| mail.from != OURSELVES);
            let base = letter.unwrap_or_else(|| format!("{}>{}", mail.kind, mail.to));
            let numbered = (2..).map(|n| format!("{base}#{n}"));
            let mut names = std::iter::once(base.clone()).chain(numbered);
            let name = names.find(|name| !self.mails.contains_key(name)).expect("some are free");
            self.mails.insert(name, mail.id);
        }
    }

    /// The text with short names for ids.
    pub(crate) fn short(&self, text: &str) -> String {
        let jobs = self.names.iter().map(|(name, id)| (name, id.as_str()));
        let mail = self.mails.iter().map(|(name, id)| (name, id.as_str()));
        jobs.chain(mail).fold(text.to_owned(), |text, (name, id)| text.replace(id, name))
    }

    /// A line for each agent and message that is not what it was.
    pub(crate) fn agents_changed(&mut self) -> Vec<String> {
        self.name_new();
        let mut told = Vec::new();
        let agents = self.all::<Agent>().into_iter().map(|agent| {
            let what = match &agent.standing {
                Standing::Waiting { because } => format!("waits for {because}"),
                Standing::Finished { mail, .. } => format!("finished by {mail}"),
                Standing::Idle | Standing::Stopped { .. } => agent.standing.name().to_owned(),
            };
            let last = agent.last.as_ref().filter(|last| last.is_silent);
            let silent = last.map_or_else(String::new, |last| format!(", silent in {}", last.job));
            (format!("({})", agent.spec.name), format!("{what}{silent}"))
        });
        let mut mail: Vec<Mail> = self.all();
        mail.sort_by_key(|mail| mail.seq);
        let mail = mail.into_iter().map(|mail| {
            let tries =
                if mail.tries > 0 { format!(" again {}", mail.tries) } else { String::new() };
            let what = match &mail.state {
                MailState::Unread => format!("unread{tries}"),
                MailState::Taken { turn } => format!("taken by {turn}"),
                MailState::Read { turn: Some(turn), .. } => format!("read by {turn}"),
                MailState::Read { turn: None, .. } => "read".to_owned(),
                MailState::Returned { because, .. } => format!("returned: {because}"),
            };
            (mail.id.as_str().to_owned(), what)
        });
        for (name, what) in agents.chain(mail).collect::<Vec<_>>() {
            let (name, what) = (self.short(&name), self.short(&what));
            if self.shown.insert(name.clone(), what.clone()).as_ref() != Some(&what) {
                told.push(format!("{name} {what}"));
            }
        }
        told
    }

    /// What a turn's attempt was told: the messages, in order, and whether a prompt followed.
    pub(crate) fn told_to(&mut self, job: &str) -> Vec<String> {
        let id = self.id(job);
        let Some(input) = self.stored::<Input>(id.as_str()) else { return Vec::new() };
        let headers = input.prompt.lines().filter(|line| line.starts_with("[mail "));
        let mut told: Vec<String> =
            headers.filter_map(|line| Some(self.short(line.split_once("] ")?.1))).collect();
        let rest = input.prompt.rsplit("[end of the mail]").next().unwrap_or_default().trim();
        told.extend(Some(rest).filter(|rest| !rest.is_empty()).map(|rest| format!("\"{rest}\"")));
        told
    }

    /// Looks for what is in neither table: a message that was lost would be held by nobody.
    pub(crate) fn check_mail(&self) {
        for mail in self.all::<Mail>() {
            if let MailState::Taken { turn } = &mail.state {
                let job: Job = self.stored(turn.as_str()).expect("who holds mail is there");
                assert!(job.outcome().is_none(), "{} is held by an ended turn", mail.id);
                assert!(job.turn.expect("a turn").mail.contains(&mail.id), "{}", mail.id);
            }
        }
        let wrong = self.store.reader().expect("memory").check().expect("memory");
        assert_eq!(wrong, [""; 0]);
        assert_eq!(Table::ALL.len(), 20, "a new table is looked at here too");
    }
}

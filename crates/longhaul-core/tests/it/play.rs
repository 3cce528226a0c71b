//! The one fixture: `play(script)` runs an engine over the memory store and gives back the script
//! with what each line came to: state changes, refusals and wants.

use longhaul_core::command::{
    Command, Exit, How, Place, Refused, Reply, Retention, StoppedBy, Submission, Want,
};
use longhaul_core::engine::{Engine, Step};
use longhaul_core::event::{Event, NewEvent};
use longhaul_core::id::{DeliveryId, HostId, JobId, MailId};
use longhaul_core::job::{Job, JobState, Waiting};
use longhaul_core::port::{Position, Record, Store, Table};
use longhaul_core::restore::{Remains, abandon, restore};
use longhaul_core::spec::{Environment, JobSpec};
use longhaul_core::task::{Task, TaskResult};
use longhaul_core::time::{Millis, Timestamp};
use longhaul_store::MemoryStore;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Runs a script and checks what came of it.
pub(crate) fn play(script: &str, expected: &expect_test::Expect) {
    let mut stage = Stage::new();
    let mut out = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let came = stage.line(line);
        let text = if came.is_empty() { "nothing".to_owned() } else { came.join(" · ") };
        writeln!(out, "{line:<28} {text}").expect("a string takes everything");
    }
    expected.assert_eq(&out);
}

pub(crate) struct Stage {
    pub(crate) store: MemoryStore,
    pub(crate) place: Place,
    pub(crate) now: Timestamp,
    pub(crate) names: BTreeMap<String, JobId>,
    pub(crate) mails: BTreeMap<String, MailId>,
    pub(crate) shown: BTreeMap<String, String>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let place = Place {
            host: HostId::parse("host_00000000000000000000000001").expect("an id"),
            boot: "boot1".into(),
            default_slots: 2,
            retention: Retention {
                keep: Millis::from_secs(100),
                keep_failed: Millis::from_secs(200),
                jobs_max: 1_000,
                bytes_max: 1 << 40,
            },
            adopt_after: Some(Millis::from_secs(20)),
        };
        let now = Timestamp::from_millis(1_000_000);
        let (names, mails, shown) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut stage = Self { store: MemoryStore::new(), place, now, names, mails, shown };
        stage.run(vec![Command::HostUp { name: "here".into() }]);
        stage
    }

    pub(crate) fn run(&mut self, batch: Vec<Command>) -> Step {
        let engine = Engine::new(self.place.clone());
        engine.step(&mut self.store, batch, self.now).expect("memory does not fail")
    }

    pub(crate) fn line(&mut self, line: &str) -> Vec<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let Some(span) = words[0].strip_prefix('+') {
            self.now = self.now.plus(span_of(span));
            let step = self.run(Vec::new());
            return self.tell(&step);
        }
        if words[0] == "reboot" {
            self.place.boot.push('+');
            let engine = Engine::new(self.place.clone());
            let step = engine.reconcile(&mut self.store, self.now).expect("memory does not fail");
            return self.tell(&step);
        }
        if words[0] == "mend" {
            let gone: Vec<JobId> = words[1..].iter().map(|name| self.id(name)).collect();
            let step = self.mend(&gone);
            return self.tell(&step);
        }
        if words[0] == "told" {
            return self.told_to(words[1]);
        }
        if let Some(seen) = self.look(&words) {
            return seen;
        }
        let command = self.command(&words);
        let step = self.run(vec![command]);
        self.tell(&step)
    }

    /// Puts everything but the rows of these jobs into a new store.
    fn mend(&mut self, gone: &[JobId]) -> Step {
        let mut remains = Remains::default();
        let mut reader = self.store.reader().expect("memory");
        for table in Table::ALL {
            for id in reader.ids(table, "", 1_000).expect("memory") {
                let row = reader.load(table, &id).expect("memory").expect("it was listed");
                if table != Table::Job || !gone.iter().any(|job| job.as_str() == id) {
                    remains.rows.push((table, row));
                }
            }
        }
        remains.events = reader.events(None, Position(0), 1_000).expect("memory");
        let restored = restore(remains);
        self.store = MemoryStore::new();
        let mut tx = self.store.begin().expect("memory");
        for (table, row) in &restored.rows {
            tx.save(*table, row, true).expect("what is restored obeys the rules");
        }
        let entry = |event: &Event| NewEvent {
            job: event.job.clone(),
            seq: event.seq,
            at: event.at,
            body: event.body.clone(),
        };
        tx.append(&restored.events.iter().map(entry).collect::<Vec<_>>()).expect("memory");
        tx.commit().expect("memory");
        let wrong = self.store.reader().expect("memory").check().expect("memory");
        assert_eq!(wrong, [""; 0]);
        abandon(&mut self.store, &self.place, &restored.gone, self.now).expect("memory")
    }

    fn command(&mut self, words: &[&str]) -> Command {
        let has = |word: &str| words.contains(&word);
        let (verb, rest) = (words[0], &words[1..]);
        if verb == "submit" {
            return Command::Submit(vec![self.submission(rest)]);
        }
        if verb == "batch" {
            let each = rest.split(|word| *word == "|");
            return Command::Submit(each.map(|words| self.submission(words)).collect());
        }
        if let "slots" | "pause" | "resume" = verb {
            let slots = (verb == "slots").then(|| rest[1].parse().expect("a number"));
            let paused = (verb != "slots").then_some(verb == "pause");
            return Command::SetPool { pool: rest[0].into(), slots, paused };
        }
        match verb {
            "kind" => return Command::KindUp { kind: rest[0].into() },
            "up" => return Command::HostUp { name: "here".into() },
            "woke" => return Command::Woke { slept: span_of(rest[0]) },
            _ => {}
        }
        if let Some(command) = self.other_command(verb, rest) {
            return command;
        }
        let job = self.id(rest[0]);
        let attempt = self.attempt(&job, words);
        let failure = rest.get(1).map(|text| (*text).to_owned());
        match verb {
            "cancel" => {
                Command::Cancel { job, reason: None, by_force: has("now"), tree: has("tree") }
            }
            "started" => {
                let ago = words.iter().find_map(|word| word.strip_prefix("ago="));
                let ago = ago.map_or(0, |span| span_of(span).get().cast_signed());
                let at = Timestamp::from_millis(self.now.as_millis() - ago);
                Command::Started { job, attempt, at, pid: 7 }
            }
            "exited" => {
                let exit = self.exit(How::Exited(rest[1].parse().expect("a code")), words);
                Command::Exited { job, attempt, exit }
            }
            "signal" => {
                let exit = self.exit(How::Signaled(rest[1].parse().expect("a signal")), words);
                Command::Exited { job, attempt, exit }
            }
            "lost" => {
                Command::Exited { job, attempt, exit: self.exit(How::Lost("gone".into()), words) }
            }
            "returned" => {
                let text = rest[1].to_owned();
                let error = has("badly").then(|| text.clone());
                let result = Some(TaskResult { text, ..TaskResult::default() });
                let exit = self.exit(How::Returned { error, result }, words);
                Command::Exited { job, attempt, exit }
            }
            "never" => {
                let how = How::NeverStarted(Some("no folder".into()));
                Command::Exited { job, attempt, exit: self.exit(how, words) }
            }
            "quiet" => Command::Quiet { job, attempt, span: span_of(rest[1]) },
            "emit" => Command::Emit { job, attempt, report: "log".into(), body: "{}".into() },
            "cleaned" => Command::Cleaned { job, failure },
            "purge" => Command::Purge(job),
            "purged" => Command::Purged { job, failure },
            other => panic!("no such verb: {other}"),
        }
    }

    /// What a line says that is about something else than jobs.
    fn other_command(&mut self, verb: &str, rest: &[&str]) -> Option<Command> {
        let said = self.notice_command(verb, rest).or_else(|| self.turn_command(verb, rest));
        said.or_else(|| self.agent_command(verb, rest))
    }

    fn submission(&mut self, words: &[&str]) -> Submission {
        let mut spec = JobSpec::new(vec!["true".into()], "/".into());
        let mut reruns_max = 0;
        let (mut key, mut parent, mut owner, mut project, mut retry_of) =
            (None, None, None, None, None);
        for option in &words[1..] {
            let (name, value) = option.split_once('=').expect("name=value");
            let number = || value.parse().expect("a number");
            match name {
                "task" => spec.command = vec![value.into()],
                "reruns" => reruns_max = value.parse().expect("a number"),
                "lane" => spec.lane = Some(value.into()),
                "pool" => spec.pool = value.into(),
                "prio" => spec.priority = number(),
                "retry" => spec.retry.max = value.parse().expect("a number"),
                "on" => spec.retry.on = vec![value.parse().expect("a code")],
                "after" => spec.after = value.split(',').map(|name| self.id(name)).collect(),
                "any" => spec.after_any = value.split(',').map(|name| self.id(name)).collect(),
                "delay" => spec.delay = span_of(value),
                "timeout" => spec.timeout = Some(span_of(value)),
                "stall" => spec.stall = Some(span_of(value)),
                "keep" => spec.keep = Some(span_of(value)),
                "notify" => spec.notify.push(value.into()),
                "key" => key = Some(value.to_owned()),
                "owner" => owner = Some(value.to_owned()),
                "project" => project = Some(value.to_owned()),
                "again" => retry_of = Some(self.id(value)),
                "parent" => parent = Some(self.id(value)),
                "arg" => spec.command.push(value.into()),
                other => panic!("no such option: {other}"),
            }
        }
        if words.iter().any(|word| word.starts_with("task=")) {
            let (kind, input) = (spec.command[0].clone(), "{}".to_owned());
            spec.task = Some(Task { kind, input, reruns_max });
        }
        let environment = Environment(BTreeMap::new());
        let id = self.id(words[0]);
        let session = None;
        Submission { id, spec, environment, key, owner, project, parent, retry_of, session }
    }

    fn exit(&self, how: How, words: &[&str]) -> Exit {
        let stopped = [
            ("stopped", StoppedBy::Asked),
            ("flooded", StoppedBy::OutputLimit),
            ("oom", StoppedBy::Oom),
        ];
        let stopped = stopped.into_iter().find(|(word, _)| words.contains(word));
        Exit::bare(how, stopped.map(|(_, by)| by), self.now)
    }

    /// The id behind a short name; made from it, so that scripts order as they read.
    pub(crate) fn id(&mut self, name: &str) -> JobId {
        if let Some(id) = self.names.get(name) {
            return id.clone();
        }
        let body = name.to_uppercase().replace(['I', 'L', 'O', 'U'], "Z");
        let id = JobId::parse(&format!("job_{body:0>26}")).expect("a short plain name");
        self.names.entry(name.to_owned()).or_insert_with(|| id.clone());
        id
    }

    pub(crate) fn attempt(&mut self, job: &JobId, words: &[&str]) -> u32 {
        let named = words.iter().find_map(|word| word.strip_prefix('#'));
        let current = || self.load(job).map_or(0, |job| job.attempt);
        named.map_or_else(current, |number| number.parse().expect("a number"))
    }

    pub(crate) fn load(&mut self, job: &JobId) -> Option<Job> {
        let row = self.store.reader().expect("memory").load(Table::Job, job.as_str());
        row.expect("memory").map(|row| Job::from_row(&row).expect("it was stored by us"))
    }

    fn tell(&mut self, step: &Step) -> Vec<String> {
        let claims = step.replies.iter().filter_map(|reply| match reply {
            Ok(Reply::Claimed(taken)) if taken.is_empty() => Some("took nothing".to_owned()),
            Ok(Reply::Settled(0)) => Some("settled nothing".to_owned()),
            Ok(Reply::Allowed) => Some("may".to_owned()),
            Ok(Reply::Denied { reason, .. }) => Some(format!("may not: {reason}")),
            Ok(Reply::Asked(_)) => Some("asks".to_owned()),
            Ok(Reply::Unsaid) => Some("as it likes".to_owned()),
            _ => None,
        });
        let refusals = step.replies.iter().filter_map(|reply| reply.as_ref().err());
        let mut told: Vec<String> = refusals.map(|refused| self.refusal(refused)).collect();
        told.extend(claims);
        let agents = self.agents_changed();
        self.check_mail();
        for (name, id) in self.names.clone() {
            let state = self.load(&id).map_or_else(|| "gone".to_owned(), |job| describe(&job));
            let before = self.shown.insert(name.clone(), state.clone());
            if before.as_ref() != Some(&state) && !(before.is_none() && state == "gone") {
                told.push(format!("{name} {state}"));
            }
        }
        told.extend(agents);
        told.extend(self.notices_changed());
        told.extend(step.deliver.iter().map(|deliver| format!("deliver {}", self.told(deliver))));
        let mut wants = step.wants.clone();
        wants.sort();
        wants.dedup();
        told.extend(wants.iter().map(|want| format!("want {}", self.want(want))));
        let tasks = step.tasks.iter();
        told.extend(tasks.map(|want| format!("want task {}", self.want(want))));
        told
    }

    fn refusal(&self, refused: &Refused) -> String {
        let mut text = format!("refused {}: {refused}", refused.code());
        for (name, id) in &self.names {
            text = text.replace(id.as_str(), name);
            for to in self.places() {
                text = text.replace(DeliveryId::of(id, &to).as_str(), &format!("{name}>{to}"));
            }
        }
        self.short(&text)
    }

    fn want(&self, want: &Want) -> String {
        let name = self.names.iter().find(|(_, id)| *id == want.job());
        let name = name.map_or("?", |(name, _)| name.as_str());
        match want {
            Want::Start(_, n) => format!("start {name}#{n}"),
            Want::Watch(_, n) => format!("watch {name}#{n}"),
            Want::Conclude(_, n) => format!("conclude {name}#{n}"),
            Want::CallOff(_, n) => format!("call off {name}#{n}"),
            Want::Stop { attempt, by_force: false, .. } => format!("stop {name}#{attempt}"),
            Want::Stop { attempt, by_force: true, .. } => format!("kill {name}#{attempt}"),
            Want::Clean(_, n) => format!("clean {name}#{n}"),
            Want::Purge(_, n) => format!("purge {name}#{n}"),
        }
    }
}

fn describe(job: &Job) -> String {
    match &job.state {
        JobState::Queued { because: Waiting::Kind | Waiting::Parked, .. } => "aside".to_owned(),
        JobState::Queued { because: Waiting::RateLimited, is_due: false, .. } => {
            "parked".to_owned()
        }
        JobState::Queued { because: Waiting::Approval, is_due: false, .. } => "asking".to_owned(),
        JobState::Queued { .. } => job.phase().name().to_owned(),
        JobState::Stopping { by_force: true, .. } => "stopping by force".to_owned(),
        JobState::Preparing { .. }
        | JobState::Starting { .. }
        | JobState::Running { .. }
        | JobState::Stopping { .. } => job.state_name().to_owned(),
        JobState::Ended { outcome, .. } => {
            let reason = outcome.reason.map(|reason| format!("/{reason:?}").to_lowercase());
            let kind = outcome.kind.name();
            let cleanup = format!("{:?}", job.cleanup.state);
            let cleanup = cleanup.split([' ', '{']).next().unwrap_or_default().to_lowercase();
            let result = job.result.as_ref().map(|result| format!(" with {}", result.text));
            let (reason, result) = (reason.unwrap_or_default(), result.unwrap_or_default());
            format!("ended {kind}{reason}{result} cleanup {cleanup}")
        }
    }
}

pub(crate) fn span_of(text: &str) -> Millis {
    let seconds = text.strip_suffix('s').expect("seconds, as in 5s");
    Millis::from_secs(seconds.parse().expect("a number"))
}

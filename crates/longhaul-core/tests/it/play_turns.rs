//! What a script may say about turns:
//!
//! `hire A [role=R] [kind=K] [park=never|ask] [resume=fail] [budget=USD[?]] [warn=5s] [nudge=5s]
//! [ask=5s] [stop=5s] [asktool=T] [denytool=T] [askfor=5s]` · `prompt JOB A TEXT [budget=USD[?]] [retry=N] [fresh] [pool=P] [owner=O] [notify=S]` ·
//! `said JOB ENTRIES [conv=C] [other] [usd=USD] [out=TOKENS] [done] [again]` ·
//! `over JOB CODE done|cancelled|deferred=CALL|CLASS[=REMEDY] [until=5s] [conv=C] [stopped]` ·
//! `call JOB CALL TOOL` · `allow JOB` · `deny JOB` · `lively JOB`. Two only look: `input JOB` gives what
//! its attempt is told, `facts JOB` what the journal says beside starts and ends.

use crate::play::{Stage, span_of};
use longhaul_core::agent::{Agent, AgentSpec, Ladder};
use longhaul_core::command::{Command, Exit, How, StoppedBy, Submission};
use longhaul_core::event::Fact;
use longhaul_core::job::Job;
use longhaul_core::policy::ToolCall;
use longhaul_core::port::{Position, Record, Store, Table};
use longhaul_core::spec::{Environment, JobSpec};
use longhaul_core::turn::{
    Budget, Conversation, Input, Intake, Offsets, Park, Policy, Remedy, ResumeRule, Seen, Taking,
    Turn, TurnEnd, TurnHow, Used,
};
use std::collections::BTreeMap;

/// The value of `name=value` among words.
fn of<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// `2.5` dollars, in billionths.
fn nano_usd(text: &str) -> u64 {
    let (dollars, cents) = text.split_once('.').unwrap_or((text, "0"));
    let number = |text: &str| text.parse::<u64>().expect("a number");
    number(dollars) * 1_000_000_000 + number(&format!("{cents:0<9}"))
}

fn budget(words: &[&str]) -> Option<Budget> {
    of(words, "budget").map(|text| Budget {
        nano_usd_max: nano_usd(text.trim_end_matches('?')),
        is_asked: text.ends_with('?'),
    })
}

impl Stage {
    /// The command that a line about turns says; `None` for a line about something else.
    pub(crate) fn turn_command(&mut self, verb: &str, rest: &[&str]) -> Option<Command> {
        let command = match verb {
            "hire" => {
                let spec = Box::new(agent(rest));
                let environment = Environment(BTreeMap::new());
                Command::AddAgent { spec, environment, replace: true }
            }
            "prompt" => Command::Submit(vec![self.prompted(rest)]),
            "said" => Command::Ingest(Box::new(self.taking(rest))),
            "over" => {
                let job = self.id(rest[0]);
                let attempt = self.attempt(&job, rest);
                Command::Exited { exit: self.end(rest), job, attempt }
            }
            "call" => {
                let job = self.id(rest[0]);
                let attempt = self.attempt(&job, rest);
                let (call, tool) = (rest[1].to_owned(), rest[2].to_owned());
                let (key, input) = (call.clone(), "{}".into());
                let call = ToolCall { call, key, tool, input, ..ToolCall::default() };
                Command::Authorize { job, attempt, call: Box::new(call) }
            }
            "allow" | "deny" => {
                let turn = self.job_of(rest[0]).turn.expect("a turn");
                let approval = turn.asks.expect("it has asked");
                let is_allowed = verb == "allow";
                Command::Answer { approval, is_allowed, reason: None, by: "eve".into() }
            }
            "lively" => {
                let job = self.id(rest[0]);
                Command::Lively { attempt: self.attempt(&job, rest), job }
            }
            _ => return None,
        };
        Some(command)
    }

    /// What a line that only looks gives; `None` for one that does something.
    pub(crate) fn look(&mut self, words: &[&str]) -> Option<Vec<String>> {
        match words[0] {
            "input" => Some(self.input_of(words[1])),
            "facts" => Some(self.facts(words[1])),
            _ => None,
        }
    }

    fn input_of(&mut self, name: &str) -> Vec<String> {
        let job = self.id(name);
        let row = self.store.reader().expect("memory").load(Table::Input, job.as_str());
        let Some(row) = row.expect("memory") else { return Vec::new() };
        let input = Input::from_row(&row).expect("it was stored by us");
        let conversation = match input.conversation {
            Conversation::New => "anew".to_owned(),
            Conversation::Resume(id) => format!("in {id}"),
            Conversation::Deferred(id) => format!("goes on in {id}"),
        };
        let left = input.agent.budget.map(|budget| format!("{} nano-usd", budget.nano_usd_max));
        let words = input.prompt.split_whitespace().collect::<Vec<_>>().join(" ");
        let told = [Some(conversation), Some(format!("{words:?}")), left];
        told.into_iter().flatten().collect()
    }

    fn facts(&mut self, name: &str) -> Vec<String> {
        let job = self.id(name);
        let mut reader = self.store.reader().expect("memory");
        let all = reader.events(Some(job.as_str()), Position(0), 1_000).expect("memory");
        let facts = all.iter().map(|event| event.fact().map_or("said", |fact: Fact| fact.name()));
        let dull = ["created", "starting", "started", "attempt_ended", "notices_owed"];
        facts.filter(|name| !dull.contains(name)).map(str::to_owned).collect()
    }

    fn job_of(&mut self, name: &str) -> Job {
        let id = self.id(name);
        self.load(&id).expect("there is such a job")
    }

    fn prompted(&mut self, words: &[&str]) -> Submission {
        let turn = Turn {
            agent: words[1].into(),
            prompt: words[2].into(),
            budget: budget(words),
            is_fresh: words.contains(&"fresh"),
            ..Turn::default()
        };
        let mut spec = JobSpec::new(vec!["plain".into()], "/".into());
        spec.lane = Some(Agent::lane(words[1]));
        spec.turn = Some(turn);
        spec.retry.max = of(words, "retry").map_or(0, |text| text.parse().expect("a number"));
        spec.pool = of(words, "pool").unwrap_or("default").into();
        let id = self.id(words[0]);
        let environment = Environment(BTreeMap::new());
        spec.notify.extend(of(words, "notify").map(str::to_owned));
        let owner = of(words, "owner").map(str::to_owned);
        let (key, project, parent, retry_of) = (None, None, None, None);
        let session = None;
        Submission { id, spec, environment, key, owner, project, parent, retry_of, session }
    }

    fn taking(&mut self, words: &[&str]) -> Taking {
        let job = self.id(words[0]);
        let attempt = self.attempt(&job, words);
        let row = self.store.reader().expect("memory").load(Table::Intake, job.as_str());
        let intake = row.expect("memory").map(|row| Intake::from_row(&row).expect("stored by us"));
        let known = intake.filter(|intake| intake.attempt == attempt && !words.contains(&"again"));
        let from = known.map(|intake| intake.taken).unwrap_or_default();
        let entries: usize = words[1].parse().expect("a number");
        Taking {
            job,
            attempt,
            from,
            to: Offsets { out: from.out + entries as u64, ..from },
            memory: "{}".into(),
            events: vec![r#"{"kind":"log"}"#.into(); entries],
            seen: Seen {
                conversation: of(words, "conv").map(str::to_owned),
                is_mismatch: words.contains(&"other"),
                used: used(words),
                is_answered: words.contains(&"done"),
            },
        }
    }

    fn end(&self, words: &[&str]) -> Exit {
        let until = of(words, "until").map(|span| self.now.plus(span_of(span)));
        let (class, remedy) = words[2].split_once('=').unwrap_or((words[2], "retry"));
        let how = match class {
            "done" => TurnHow::Done { despite: None },
            "cancelled" => TurnHow::Cancelled,
            "deferred" => TurnHow::Deferred { call: remedy.into(), tool: "Bash".into() },
            class => TurnHow::Failed {
                class: class.into(),
                message: "as said".into(),
                remedy: match remedy {
                    "park" => Remedy::Park { until },
                    "afresh" => Remedy::Afresh,
                    "stop" => Remedy::Stop,
                    _ => Remedy::Retry,
                },
            },
        };
        let turn = TurnEnd {
            how,
            conversation: of(words, "conv").map(str::to_owned),
            is_mismatch: false,
            said: "So it is.".into(),
            used: used(words),
            is_used_whole: true,
            carry: of(words, "carry").map(str::to_owned),
            denied: 0,
            resume_command: None,
            last: Vec::new(),
        };
        let stopped = words.contains(&"stopped").then_some(StoppedBy::Asked);
        let exit = Exit::bare(How::Exited(words[1].parse().expect("a code")), stopped, self.now);
        Exit { turn: Some(Box::new(turn)), ..exit }
    }
}

fn used(words: &[&str]) -> Used {
    let output = of(words, "out").map_or(0, |text| text.parse().expect("a number"));
    Used { output, nano_usd: of(words, "usd").map(nano_usd), ..Used::default() }
}

fn agent(words: &[&str]) -> AgentSpec {
    let after = |name| of(words, name).map(span_of);
    let ladder = Ladder {
        warn_after: after("warn"),
        nudge_after: after("nudge"),
        ask_after: after("ask"),
        stop_after: after("stop"),
    };
    AgentSpec {
        name: words[0].into(),
        kind: of(words, "kind").unwrap_or("plain").into(),
        role: of(words, "role").map(str::to_owned),
        owner: Some("eve".into()),
        cwd: "/".into(),
        park: match of(words, "park") {
            Some("never") => Park::Never,
            Some("ask") => Park::Ask,
            _ => Park::UntilReset,
        },
        resume: match of(words, "resume") {
            Some("fail") => ResumeRule::Fail,
            _ => ResumeRule::FreshOnce,
        },
        budget: budget(words),
        policy: Policy {
            ask: of(words, "asktool").into_iter().map(str::to_owned).collect(),
            deny: of(words, "denytool").into_iter().map(str::to_owned).collect(),
            ask_for: after("askfor"),
            ..Policy::default()
        },
        ladder: (ladder != Ladder::default()).then_some(ladder),
        ..AgentSpec::default()
    }
}

//! What agents are like, what their children do, and what people write: all from rolls.

use super::child::Act;
use super::plan::{AGENTS, PERSON, Plan};
use longhaul_core::agent::{AgentSpec, Ladder};
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_core::role;
use longhaul_core::spec::JobSpec;
use longhaul_core::time::{Millis, Timestamp};
use longhaul_core::turn::{
    Base, Budget, Conversation, Input, Park, Policy, Remedy, ResumeRule, Turn, TurnHow,
};

/// Kinds of agents.
pub(super) const KINDS: [&str; 2] = ["alpha", "beta"];
/// A tool that policies name.
pub(super) const TOOL: &str = "Write";

/// A stream of rolls under one name.
pub(super) struct Dice<'a> {
    plan: &'a Plan,
    name: [u64; 3],
    rolled: u64,
}

impl<'a> Dice<'a> {
    pub(super) const fn new(plan: &'a Plan, name: [u64; 3]) -> Self {
        Self { plan, name, rolled: 0 }
    }

    /// A number from 0 to below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.rolled += 1;
        let [first, second, third] = self.name;
        self.plan.roll(&[first, second, third, self.rolled]) % end
    }

    pub(super) fn between(&mut self, from: u64, end: u64) -> u64 {
        from + self.below(end - from)
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).expect("less than a length")]
    }
}

/// A number for a name.
pub(super) fn number(name: &str) -> u64 {
    let step = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// An agent of this shape.
pub(super) fn agent(plan: &Plan, agent: usize, shape: u64) -> AgentSpec {
    let mut dice = Dice::new(plan, [1, agent as u64, shape]);
    let (name, parent) = AGENTS[agent];
    let ladder = Ladder {
        warn_after: Some(Millis::from_secs(2)),
        nudge_after: dice.chance(60).then_some(Millis::from_secs(4)),
        ask_after: dice.chance(60).then_some(Millis::from_secs(7)),
        stop_after: dice.chance(30).then_some(Millis::from_secs(11)),
    };
    let policy = match dice.below(5) {
        0 => Policy { ask: vec!["*".to_owned()], ..Policy::default() },
        1 => Policy {
            base: Base::Everything,
            ask: vec![TOOL.to_owned()],
            ask_for: Some(Millis::new(dice.between(1_000, 20_000))),
            ..Policy::default()
        },
        2 => Policy { deny: vec![TOOL.to_owned()], ..Policy::default() },
        _ => Policy::default(),
    };
    AgentSpec {
        name: name.to_owned(),
        kind: dice.pick(&KINDS).to_owned(),
        role: dice
            .pick(&[None, Some("builder"), Some("merger"), Some("coordinator")])
            .map(str::to_owned),
        parent: parent.map(str::to_owned),
        cwd: "/w".to_owned(),
        policy,
        budget: budget(&mut dice, 80),
        park: dice.pick(&[Park::UntilReset, Park::UntilReset, Park::Ask, Park::Never]),
        resume: dice.pick(&[ResumeRule::FreshOnce, ResumeRule::FreshOnce, ResumeRule::Fail]),
        ladder: dice.chance(50).then_some(ladder),
        owner: dice.chance(80).then(|| PERSON.to_owned()),
        timeout: dice.chance(25).then(|| Millis::new(dice.between(2_000, 20_000))),
        ..AgentSpec::default()
    }
}

fn budget(dice: &mut Dice<'_>, most: u64) -> Option<Budget> {
    let nano_usd_max = dice.between(15, most);
    let is_asked = dice.chance(50);
    dice.chance(25).then_some(Budget { nano_usd_max, is_asked })
}

/// A turn of this shape, as whoever serves people makes it of what its agent is.
pub(super) fn turn(plan: &Plan, spec: &AgentSpec, asked: u64, shape: u64) -> JobSpec {
    let mut dice = Dice::new(plan, [2, asked, shape]);
    let mut job = JobSpec::new(vec![spec.kind.clone()], spec.cwd.clone());
    job.lane = Some(longhaul_core::agent::Agent::lane(&spec.name));
    job.timeout = spec.timeout;
    job.retry.max = u32::from(dice.chance(35)) * 2;
    job.retry.delay = Millis::new(dice.below(3_000));
    job.grace = Millis::new(dice.below(4_000));
    job.delay = if dice.chance(15) { Millis::new(dice.below(20_000)) } else { Millis::ZERO };
    job.turn = Some(Turn {
        agent: spec.name.clone(),
        prompt: format!("ask {asked}"),
        budget: budget(&mut dice, 40),
        park: dice.chance(15).then_some(Park::Never),
        is_fresh: dice.chance(15),
        ..Turn::default()
    });
    job
}

/// Who a child is, for its habits.
pub(super) struct Self_<'a> {
    pub(super) job: &'a Job,
    pub(super) input: &'a Input,
    /// Turns that its agent had so far.
    pub(super) turns: u64,
    /// A call that it put off in an earlier attempt.
    pub(super) put_off: Option<String>,
    /// Whether nothing is to go wrong any more.
    pub(super) is_calm: bool,
    pub(super) now: Timestamp,
}

/// What a child of this attempt does.
pub(super) fn acts(plan: &Plan, me: &Self_<'_>) -> Vec<(u64, Act)> {
    let name = &me.input.agent.name;
    let attempt = u64::from(me.job.attempt);
    let mut dice = Dice::new(plan, [3, number(name), me.turns * 64 + attempt]);
    let fresh = format!("c-{name}-{}-{attempt}", number(me.job.id.as_str()) % 1_000_000);
    let mut acts = Vec::new();
    let conversation = match &me.input.conversation {
        Conversation::New => fresh,
        Conversation::Resume(_) if !me.is_calm && dice.chance(8) => {
            acts.push((dice.below(500), failed("resume_failed", Remedy::Afresh)));
            acts.push((dice.below(500), Act::Exit(1)));
            return acts;
        }
        Conversation::Resume(_) if !me.is_calm && dice.chance(6) => fresh,
        Conversation::Resume(known) | Conversation::Deferred(known) => known.clone(),
    };
    acts.push((dice.below(600), Act::Name(conversation)));
    if let Some(call) = &me.put_off {
        acts.push((dice.below(600), Act::Ask { call: call.clone(), defers: true }));
    }
    middle(&mut dice, me, &mut acts);
    end(&mut dice, me, &mut acts);
    acts
}

fn middle(dice: &mut Dice<'_>, me: &Self_<'_>, acts: &mut Vec<(u64, Act)>) {
    for _ in 0..dice.below(7) {
        let pause = if dice.chance(12) { dice.below(9_000) } else { dice.below(900) };
        let act = match dice.below(20) {
            0..10 => Act::Say(dice.below(6)),
            10..13 => Act::Grumble,
            13..14 => Act::Emit,
            14..15 => Act::Check,
            15..18 if !me.is_calm => mail(dice, me),
            18..20 if !me.is_calm => {
                let call = format!("call{}", dice.below(3));
                Act::Ask { call, defers: dice.chance(60) }
            }
            _ => Act::Say(1),
        };
        acts.push((pause, act));
    }
}

fn mail(dice: &mut Dice<'_>, me: &Self_<'_>) -> Act {
    let to = dice.pick(&[
        "@parent",
        "@parent",
        "@children",
        "lead",
        "ann",
        "bob",
        "cid",
        "@all",
        "@sue",
    ]);
    let kind = dice.pick(&["status", "question", "escalation"]);
    if dice.chance(15) { terminal(dice, me) } else { Act::Mail { to, kind } }
}

fn terminal(dice: &mut Dice<'_>, me: &Self_<'_>) -> Act {
    let kind = dice.pick(role::terminal_kinds(me.input.agent.role.as_deref()));
    Act::Mail { to: "@parent", kind }
}

fn end(dice: &mut Dice<'_>, me: &Self_<'_>, acts: &mut Vec<(u64, Act)>) {
    let wait = dice.below(700);
    let is_done = dice.chance(30);
    if is_done && dice.chance(70) {
        acts.push((wait, terminal(dice, me)));
    }
    let later = |span: u64| Timestamp::from_millis(me.now.as_millis()).plus(Millis::new(span));
    let done = Act::Answer(TurnHow::Done { despite: None });
    let roll = if me.is_calm { 0 } else { dice.below(100) };
    let mut answer = |act: Act| acts.push((wait, act));
    match roll {
        0..52 => answer(done),
        52..58 => answer(done),
        58..65 => answer(done),
        65..70 => {
            let until = Some(later(dice.below(60_000)));
            answer(failed("rate_limit", Remedy::Park { until }));
        }
        70..73 => answer(failed("rate_limit", Remedy::Park { until: None })),
        73..80 => answer(failed("overloaded", Remedy::Retry)),
        80..83 => answer(failed("login", Remedy::Ask)),
        83..85 => answer(failed("steps", Remedy::Stop)),
        85..87 => answer(failed("budget", Remedy::Stop)),
        87..92 => {}
        92..94 => {
            answer(Act::Answer(TurnHow::Deferred { call: "call9".into(), tool: TOOL.into() }))
        }
        _ => {
            answer(Act::Hang);
            return;
        }
    }
    if is_done && dice.chance(30) {
        // As late as it may be: it has answered already.
        acts.push((dice.below(300), terminal(dice, me)));
    }
    let leaves = match roll {
        52..58 => Act::Exit(1),
        58..65 => Act::Hang,
        0..52 | 65..85 => Act::Exit(i32::from(dice.chance(10))),
        _ => Act::Exit(i32::from(dice.chance(60))),
    };
    acts.push((dice.below(900), leaves));
}

fn failed(class: &str, remedy: Remedy) -> Act {
    let (class, message) = (class.to_owned(), "it said so".to_owned());
    Act::Answer(TurnHow::Failed { class, message, remedy })
}

/// What a message of this kind brings for programs.
pub(super) fn payload(kind: &str, agent: &str) -> Option<String> {
    let text = match kind {
        "worker_done" => {
            r#"{"taskId":"t","branch":"b","exitCode":0,"filesModified":[]}"#.to_owned()
        }
        "merged" => r#"{"branch":"b","taskId":"t","tier":"clean-merge"}"#.to_owned(),
        "merge_failed" => {
            r#"{"branch":"b","taskId":"t","conflictFiles":[],"errorMessage":"no"}"#.to_owned()
        }
        "escalation" => r#"{"severity":"warning","taskId":"t","context":"c"}"#.to_owned(),
        "health_check" => format!(r#"{{"agentName":"{agent}","checkType":"liveness"}}"#),
        _ => return None,
    };
    Some(text)
}

/// The id of the job that is asked for under this number.
pub(super) fn job_id(asked: u64) -> JobId {
    JobId::parse(&format!("job_{asked:026}")).expect("26 digits")
}

//! Turns that say nothing: what is done about it, step by step, and what counts as a sign of life.

use crate::agents_support::Team;
use crate::harness::eventually;
use serde_json::{Value, json};

/// A ladder whose every rung is near.
const LADDER: [&str; 8] =
    ["--quiet-warn", "1s", "--quiet-nudge", "2s", "--quiet-ask", "3s", "--quiet-stop", "never"];

/// The steps that were taken for a turn, in their order.
fn steps(team: &Team, job: &str) -> Vec<String> {
    let told = team.run(&["--json", "events", job]);
    let events = told.ok().lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let steps = events.filter(|event| event["kind"] == "quiet_for");
    steps.map(|event| event["step"].as_str().unwrap().to_owned()).collect()
}

/// The open questions about a turn's silence.
fn asked(team: &Team, job: &str) -> Vec<String> {
    let told = team.json(&["approvals", "--job", job]);
    let open = told["approvals"].as_array().unwrap().iter();
    let silences = open.filter(|one| one["about"] == "silence");
    silences.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// The turn once its owner was asked about it, and the question.
fn until_asked(team: &Team, job: &str) -> String {
    let mut open = vec![];
    eventually("its owner is asked", || {
        open = asked(team, job);
        !open.is_empty()
    });
    assert_eq!(open.len(), 1);
    assert_eq!(team.json(&["show", job])["turn"]["health"], "asked");
    open.remove(0)
}

#[test]
fn a_silent_turn_is_said_nudged_asked_about_and_stopped() {
    let team = Team::new();
    team.fake.script("claude.1", "say Thinking\nlinger");
    team.fake.script("claude", "done I was thinking");
    let ladder = [&LADDER[..7], &["5s"]].concat();
    team.add("fixer", &ladder);
    let job = team.turn("fixer", "Think", &[]);
    let ended = team.home.until(&job, "ended");
    assert_eq!(steps(&team, &job), ["quiet", "nudged", "asked"]);
    let outcome = &ended["outcome"];
    assert_eq!((&outcome["kind"], &outcome["reason"]), (&json!("timed_out"), &json!("stall")));
    assert_eq!(asked(&team, &job), [""; 0], "nobody is asked about what is over");
    // The nudge is a message, which its next turn reads.
    eventually("the agent has had a turn for it", || team.agent("fixer")["turns"] == 2);
    let told = team.prompts();
    assert!(told[1].contains(&format!("{job} was quiet for")), "{told:?}");
}

#[test]
fn whoever_works_or_speaks_or_reports_is_not_quiet() {
    let team = Team::new();
    team.run(&["pool", "set", "default", "--slots", "4"]).ok();
    let longhaul = env!("CARGO_BIN_EXE_longhaul");
    // Each shows one sign of life and no other, for longer than anybody's patience lasts.
    let signs = [
        ("works", ":".to_owned()),
        ("writes", "sleep 0.2; echo . >&2".to_owned()),
        ("reports", format!("sleep 0.2; {longhaul} emit progress '{{}}'")),
    ];
    let ladder = ["--kind", "plain", "--quiet-warn", "2s", "--quiet-stop", "4s", "--"];
    let hired = |name: &str, script: &str| {
        let add = [&["agent", "add", name], &ladder[..], &["sh", "-c", script]].concat();
        team.run(&add).ok();
        let job = team.turn(name, "Go on", &[]);
        team.home.until(&job, "running");
        job
    };
    let jobs = signs.map(|(name, sign)| {
        hired(name, &format!("until [ -e ../enough ]; do {sign}; done; echo done"))
    });
    // Whoever shows none is stopped, beside them and after them.
    let dead = hired("dead", "sleep 600");
    assert_eq!(team.home.until(&dead, "ended")["outcome"]["reason"], "stall");
    for job in &jobs {
        assert_eq!(team.json(&["show", job])["state"], "running");
    }
    team.home.write("../enough", "");
    for job in &jobs {
        let ended = team.home.until(job, "ended");
        assert_eq!(ended["outcome"]["kind"], "succeeded", "{ended}");
        assert_eq!(steps(&team, job), [""; 0]);
    }
}

#[test]
fn a_person_has_a_silent_turn_stopped() {
    let team = Team::new();
    team.fake.script("claude", "linger");
    team.add("fixer", &[&["--quiet-nudge", "never"][..], &LADDER[..2], &LADDER[4..]].concat());
    let job = team.turn("fixer", "Think", &[]);
    let question = until_asked(&team, &job);
    let notices = team.json(&["inbox"]).to_string();
    assert!(notices.contains(&question), "{notices}");
    team.run(&["approvals", "--deny", &question]).ok();
    let ended = team.home.until(&job, "ended");
    assert_eq!(ended["outcome"]["reason"], "stall");
    assert!(ended["outcome"]["message"].as_str().unwrap().contains("said to stop it"), "{ended}");
    assert_eq!(steps(&team, &job), ["quiet", "asked"]);
}

#[test]
fn a_person_lets_a_silent_turn_be() {
    let team = Team::new();
    team.fake.script("claude", "await ../enough\ndone Found it");
    let ladder = [&["--quiet-nudge", "never"][..], &LADDER[..2], &["--quiet-ask", "2s"]].concat();
    // Far enough from the question that whoever answers it is in time on a slow machine, too.
    team.add("fixer", &[&ladder[..], &["--quiet-stop", "14s"]].concat());
    let job = team.turn("fixer", "Think", &[]);
    let question = until_asked(&team, &job);
    team.run(&["approvals", "--allow", &question]).ok();
    // One that nobody spoke for is stopped meanwhile.
    team.fake.script("claude", "linger");
    team.add("other", &["--quiet-stop", "14s"]);
    let other = team.turn("other", "Think", &[]);
    assert_eq!(team.home.until(&other, "ended")["outcome"]["reason"], "stall");
    assert_eq!(team.json(&["show", &job])["state"], "running");
    team.home.write("../enough", "");
    assert_eq!(team.home.until(&job, "ended")["outcome"]["kind"], "succeeded");
}

#[test]
fn a_question_about_a_silence_lapses_when_it_is_broken() {
    let team = Team::new();
    team.fake.script("claude", "await ../enough\nsay Here\nawait ../done\ndone");
    team.add("fixer", &LADDER);
    let job = team.turn("fixer", "Think", &[]);
    let question = until_asked(&team, &job);
    team.home.write("../enough", "");
    eventually("nobody is asked any more", || asked(&team, &job).is_empty());
    let lapsed = team.json(&["approvals", "--job", &job, "--state", "lapsed"]);
    assert_eq!(lapsed["approvals"][0]["id"], question);
    assert_eq!(team.json(&["show", &job])["turn"]["health"], "well");
    team.run(&["approvals", "--deny", &question]).fails(3, "");
    team.home.write("../done", "");
    assert_eq!(team.home.until(&job, "ended")["outcome"]["kind"], "succeeded");
}

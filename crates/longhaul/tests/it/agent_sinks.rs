//! Ends of jobs that are told to agents: as mail, which waits for its agent and is never lost or doubled.

use crate::agents_support::Team;
use crate::harness::{eventually, signal};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::Path;

/// A team with an agent that is a sink, too.
fn team() -> Team {
    let team = Team::new();
    team.add("watcher", &[]);
    team.run(&["sink", "add", "bot", "agent", "watcher"]).ok();
    team
}

/// A job that ends, and the sink is told.
fn job(team: &Team) -> String {
    team.home.submit(&["--notify", "bot", "--", "sh", "-c", "exit 3"])
}

/// The receipt of what the sink was told of a job, once it is in this state.
fn told(team: &Team, job: &str, state: &str) -> Value {
    let mut mine = Value::Null;
    eventually("the notice has come so far", || {
        let listed = team.json(&["notices", job]);
        let mut all = listed["notices"].as_array().unwrap().iter();
        mine = all.find(|notice| notice["to"] == "sink:bot").cloned().unwrap_or_default();
        mine["state"] == state
    });
    mine
}

fn mail(team: &Team) -> Vec<Value> {
    team.json(&["mail", "list", "--to", "watcher"])["mail"].as_array().unwrap().clone()
}

fn until_read(team: &Team, count: usize) {
    eventually("all of it is read", || {
        let all = mail(team);
        all.len() == count && all.iter().all(|one| one["state"] == "read")
    });
}

#[test]
fn an_end_wakes_the_agent_that_is_to_know_of_it() {
    let team = team();
    let id = job(&team);
    let notice = told(&team, &id, "acked");
    until_read(&team, 1);
    let letter = mail(&team).remove(0);
    assert_eq!((&letter["from"], &letter["kind"]), (&json!("@longhaul"), &json!("status")));
    let notice_id = notice["id"].as_str().unwrap();
    let whole = team.json(&["mail", "read", letter["id"].as_str().unwrap()]);
    assert_eq!(whole["payload"]["id"], notice_id, "{whole}");
    let turn = team.json(&["show", letter["turn"].as_str().unwrap()]);
    assert_eq!((&turn["agent"], &turn["turn"]["is_wake"]), (&json!("watcher"), &json!(true)));
    assert!(team.prompts()[0].contains(&id), "{:?}", team.prompts());
}

#[test]
fn what_ends_while_the_agent_is_busy_waits_for_its_next_turn() {
    let team = team();
    team.fake.script("claude.1", "await ../go\ndone");
    let busy = team.turn("watcher", "Work", &[]);
    team.home.until(&busy, "running");
    let ids = [(); 3].map(|()| job(&team));
    for id in &ids {
        told(&team, id, "acked");
    }
    assert!(mail(&team).iter().all(|one| one["state"] == "unread"));
    // A daemon that dies meanwhile has nothing in its head that counts.
    let daemon = team.home.daemon_pid();
    signal(daemon, Signal::KILL);
    eventually("the daemon is gone", || !Path::new(&format!("/proc/{daemon}/exe")).exists());
    assert_eq!(mail(&team).len(), 3, "another one answers");
    team.home.write("../go", "");
    until_read(&team, 3);
    let turns: Vec<Value> = mail(&team).iter().map(|one| one["turn"].clone()).collect();
    assert!(turns.iter().all(|turn| *turn == turns[0]), "one turn for all of it: {turns:?}");
    assert_eq!(team.agent("watcher")["turns"], 2);
    let prompt = team.prompts().remove(1);
    assert!(ids.iter().all(|id| prompt.matches(id.as_str()).count() >= 1), "{prompt}");
}

#[test]
fn what_nobody_can_be_told_is_dead_until_it_is_sent_again() {
    let team = Team::new();
    team.run(&["sink", "add", "bot", "agent", "watcher"]).ok();
    let id = job(&team);
    let dead = told(&team, &id, "dead");
    team.add("watcher", &[]);
    team.run(&["notices", "--redeliver", dead["id"].as_str().unwrap()]).ok();
    told(&team, &id, "acked");
    until_read(&team, 1);
    // Of its own turns an agent is not told: each would be followed by another.
    let turn = mail(&team)[0]["turn"].as_str().unwrap().to_owned();
    team.home.until(&turn, "ended");
    let own = team.turn("watcher", "Work", &["--notify", "bot"]);
    told(&team, &own, "dead");
    assert_eq!(mail(&team).len(), 1);
}

#[test]
fn what_an_agent_cannot_be_told_for_want_of_a_turn_comes_back() {
    let team = team();
    team.fake.script("claude", "fail No");
    let id = job(&team);
    told(&team, &id, "acked");
    eventually("it is returned", || mail(&team).iter().all(|one| one["state"] == "returned"));
    let letter = mail(&team).remove(0);
    assert!(letter["returned_because"].as_str().is_some_and(|why| why.contains("No")), "{letter}");
    assert_eq!(team.agent("watcher")["turns"], letter["tries"], "each try is a turn");
}

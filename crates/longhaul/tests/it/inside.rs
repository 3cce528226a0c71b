//! What a process inside a job may ask of the daemon, whatever it hides of itself.

use crate::agents_support::FakeAgents;
use crate::harness::{Home, eventually};
use std::path::Path;

const LONGHAUL: &str = env!("CARGO_BIN_EXE_longhaul");

/// A call of the binary that keeps nothing of the environment it is made in but the home.
fn bare(home: &Home, call: &str) -> String {
    format!("env -i PATH=\"$PATH\" LONGHAUL_HOME={} {LONGHAUL} {call}", home.path().display())
}

/// Runs `script` as the tool of a turn with a policy that lets it, to the end of the turn.
fn in_a_turn(home: &Home, script: &str) -> String {
    let fake = FakeAgents::new(home);
    let path = format!("PATH={}", fake.path().into_string().unwrap());
    let agent = ["agent", "add", "ann", "--kind", "claude", "--env", &path];
    home.run(&[&agent[..], &["--allow-tool", "Bash"]].concat()).ok();
    let script = home.write("script.sh", script);
    let prompt = format!("[[bash sh {}]] [[done fine]]", script.display());
    let turn = home.json(&["turn", "ann", &prompt]);
    turn["id"].as_str().unwrap().to_owned()
}

fn said(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

#[test]
fn a_turn_with_a_policy_may_not_pass_for_its_person() {
    let home = Home::new();
    let file = home.work().join("said");
    let to = file.display();
    let calls = ["submit -- true", "approvals --allow apr_0000", "daemon stop", "prune", "list"];
    let lines = calls.map(|call| format!("{} >>{to} 2>&1; echo code $? >>{to}", bare(&home, call)));
    let job = in_a_turn(&home, &lines.join("\n"));
    home.until(&job, "ended");
    let said = said(&file);
    assert_eq!(said.matches("code 3").count(), calls.len(), "{said}");
    assert_eq!(said.matches("a turn with a policy").count(), calls.len(), "{said}");
    assert!(said.contains("longhaul mail send"), "a next step: {said}");
    let jobs = home.json(&["list"]);
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 1, "{jobs:#}");
    // A person is who they were.
    home.until(&home.submit(&["--", "true"]), "ended");
}

#[test]
fn leaving_session_and_parents_changes_nothing() {
    let home = Home::new();
    let file = home.work().join("said");
    let inner = format!(
        "{} >{to}.tmp 2>&1; mv {to}.tmp {to}",
        bare(&home, "submit -- true"),
        to = file.display()
    );
    let inner = home.write("inner.sh", inner);
    // Twice forked, with parents that have ended, and in a session of its own. What it starts would
    // be ended with the turn, so the turn waits for what it says.
    let outer = format!(
        "(setsid sh -c '(setsid sh {} &) &' &)\nwhile [ ! -e {} ]; do sleep 0.05; done",
        inner.display(),
        file.display()
    );
    let job = in_a_turn(&home, &outer);
    home.until(&job, "ended");
    let said = said(&file);
    assert!(said.contains("a turn with a policy"), "{said}");
    assert_eq!(home.json(&["list"])["jobs"].as_array().unwrap().len(), 1);
}

#[test]
fn a_turn_reads_what_is_its_own_and_not_what_is_others() {
    let home = Home::new();
    let other = home.submit(&["--", "echo", "private"]);
    home.until(&other, "ended");
    let file = home.work().join("said");
    let to = file.display();
    let lines = [
        format!("{} >>{to} 2>&1; echo code $? >>{to}", bare(&home, &format!("logs {other}"))),
        format!("{} >>{to} 2>&1; echo code $? >>{to}", bare(&home, &format!("cancel {other}"))),
        format!("{LONGHAUL} show $LONGHAUL_JOB_ID >/dev/null 2>>{to}; echo code $? >>{to}"),
    ];
    let job = in_a_turn(&home, &lines.join("\n"));
    home.until(&job, "ended");
    let said = said(&file);
    let codes: Vec<&str> = said.lines().filter(|line| line.starts_with("code ")).collect();
    assert_eq!(codes, ["code 3", "code 3", "code 0"], "{said}");
    assert!(!said.contains("private\n"), "{said}");
}

#[test]
fn a_plain_job_submits_as_ever_and_so_does_what_it_leaves_behind() {
    let home = Home::new();
    let file = home.work().join("said");
    let inner = format!("{} >{}", bare(&home, "submit -- true"), file.display());
    let inner = home.write("inner.sh", inner);
    let outer = format!(
        "(setsid sh {} &); while [ ! -s {} ]; do sleep 0.05; done",
        inner.display(),
        file.display()
    );
    let job = home.submit(&["--", "sh", "-c", &outer]);
    home.until(&job, "ended");
    eventually("a second job was accepted", || {
        home.json(&["list"])["jobs"].as_array().unwrap().len() == 2
    });
    assert!(said(&file).starts_with("job_"), "{}", said(&file));
}

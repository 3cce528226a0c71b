//! Looking at jobs and ending them: exact JSON, exit codes, and who is meant by a name.

use crate::harness::{Home, eventually, keys};
use serde_json::Value;

const JOB_KEYS: [&str; 25] = [
    "agent",
    "attempt",
    "cancel_requested_at",
    "cleanup",
    "command",
    "cwd",
    "ended_at",
    "host",
    "id",
    "labels",
    "lane",
    "name",
    "outcome",
    "owner",
    "parent",
    "pid",
    "pool",
    "priority",
    "retry_of",
    "started_at",
    "state",
    "stderr_bytes",
    "stdout_bytes",
    "submitted_at",
    "waiting_for",
];

#[test]
fn submit_prints_the_id_or_the_job() {
    let home = Home::new();
    let id = home.submit(&["--name", "first", "--label", "a=b", "--", "sh", "-c", "exit 3"]);
    assert_eq!(home.run(&["wait", &id]).code, 3);
    let job = home.json(&["submit", "--owner", "me", "--lane", "l", "--", "true"]);
    assert_eq!(keys(&job), JOB_KEYS);
    assert_eq!((job["owner"].as_str(), job["lane"].as_str()), (Some("me"), Some("l")));
}

#[test]
fn the_job_object_is_exact() {
    let home = Home::new();
    let id =
        home.submit(&["--name", "first", "--label", "a=b", "--", "sh", "-c", "echo x; exit 3"]);
    assert_eq!(home.run(&["wait", &id]).code, 3);
    let page = home.json(&["list"]);
    assert_eq!(keys(&page), ["jobs", "next_cursor"]);
    let job = &page["jobs"][0];
    assert_eq!(keys(job), JOB_KEYS);
    assert_eq!(keys(&job["outcome"]), ["exit_code", "kind", "message", "reason", "signal"]);
    assert_eq!(keys(&job["cleanup"]), ["state", "warnings"]);
    assert_eq!(job["command"], serde_json::json!(["sh", "-c", "echo x; exit 3"]));
    assert_eq!(
        (&job["outcome"]["kind"], &job["outcome"]["exit_code"]),
        (&"failed".into(), &3.into())
    );
    assert_eq!((&job["stdout_bytes"], &job["labels"]["a"]), (&2.into(), &"b".into()));
    assert!(job["ended_at"].as_str().unwrap().ends_with('Z'));
    let shown = home.show("first");
    assert!(shown["attempts"].as_array().unwrap().len() == 1, "{shown}");
    assert!(shown["history"].as_array().unwrap().len() >= 4, "{shown}");
}

#[test]
fn list_narrows_and_pages() {
    let home = Home::new();
    let good = home.submit(&["--label", "k=1", "--", "true"]);
    let bad = home.submit(&["--label", "k=2", "--", "false"]);
    let ran = home.run(&["wait", &good, &bad]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ids = |arguments: &[&str]| -> Vec<String> {
        let page = home.json(&[&["list"], arguments].concat());
        let jobs = page["jobs"].as_array().unwrap();
        jobs.iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&[]), [bad.clone(), good.clone()]);
    assert_eq!(ids(&["--outcome", "failed,lost"]), [bad.as_str()]);
    assert_eq!(ids(&["--label", "k=1"]), [good.as_str()]);
    assert_eq!(ids(&["--state", "running,queued"]), [""; 0]);
    let first = home.json(&["list", "--limit", "1"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(ids(&["--limit", "1", "--cursor", cursor]), [good]);
    home.run(&["list", "--state", "asleep"]).fails(2, "asleep");
    let table = home.run(&["list"]);
    assert!(table.ok().starts_with("JOB"), "{table:?}");
    assert!(table.ok().contains("failed (exit 1)"), "{table:?}");
}

#[test]
fn a_prefix_or_a_name_serves_and_nothing_hostile_does() {
    let home = Home::new();
    let one = home.submit(&["--name", "same", "--", "true"]);
    let two = home.submit(&["--name", "same", "--", "true"]);
    assert_eq!(home.run(&["wait", &one, &two]).code, 0);
    assert_eq!(home.show(&one[..one.len() - 1])["id"], one.as_str());
    for arguments in [["show", "same"], ["cancel", "job_0"], ["show", "job_01"], ["logs", "none"]] {
        let ran = home.run(&arguments);
        assert_eq!(ran.code, 3, "{arguments:?}: {ran:?}");
    }
    let ran = home.run(&["--json", "show", &one[..9]]);
    let error: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((ran.code, error["error"]["code"].as_str()), (3, Some("ambiguous")));
    assert!(ran.stderr.contains(&one) && ran.stderr.contains(&two), "{ran:?}");
    for hostile in ["../../etc/passwd", "job_%2e%2e", "", "a b?c#d", "job_\u{202e}", "\u{1b}[31m"] {
        let ran = home.run(&["show", "--", hostile]);
        assert!(ran.code == 3 || ran.code == 2, "{hostile:?}: {ran:?}");
    }
}

#[test]
fn logs_are_exact_and_can_be_cut() {
    let home = Home::new();
    let bytes: Vec<u8> = (0..=255).collect();
    home.write("bytes", &bytes);
    let id = home.submit(&["--", "sh", "-c", "cat bytes; printf 'a\\nb\\nc' >&2"]);
    assert_eq!(home.run(&["wait", &id]).code, 0);
    let ran = home.run(&["logs", &id]);
    assert_eq!((ran.stdout, ran.stderr.as_str()), (bytes.clone(), "a\nb\nc"));
    assert_eq!(home.run(&["logs", "--stdout", "--from", "200", &id]).stdout, &bytes[200..]);
    assert_eq!(home.run(&["logs", "--stderr", "--tail", "2", &id]).stderr, "b\nc");
    assert_eq!(home.run(&["logs", "--stderr", "-f", &id]).stderr, "a\nb\nc");
    assert_eq!(home.run(&["logs", "--attempt", "1", &id]).stdout, bytes);
    assert_eq!(home.run(&["logs", "--attempt", "9", &id]).code, 3);
    let logs = home.json(&["logs", "--stderr", &id]);
    assert_eq!(keys(&logs), ["attempt", "job", "stderr", "stdout"]);
}

#[test]
fn logs_follow_to_the_end_of_the_job() {
    let home = Home::new();
    let script = "echo one; while ! [ -e go ]; do sleep 0.02; done; echo two";
    let id = home.submit(&["--", "sh", "-c", script]);
    let child = home.spawn(&["logs", "-f", &id]);
    home.until(&id, "running");
    home.write("go", "");
    let ran = crate::harness::ran(child.wait_with_output().unwrap());
    assert_eq!(ran.ok(), "one\ntwo\n");
}

#[test]
fn events_tell_the_life_of_a_job() {
    let home = Home::new();
    let id = home.submit(&["--", "true"]);
    assert_eq!(home.run(&["wait", &id]).code, 0);
    let ran = home.run(&["--json", "events", &id]);
    let events: Vec<Value> =
        ran.ok().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    let life = ["created", "starting", "started", "attempt_ended", "ended"];
    assert_eq!(kinds[..5], life);
    // Its owner was owed the news, and has it from having waited.
    assert_eq!(kinds[5..], ["notices_owed", "notice_settled"]);
    let third = events[2]["position"].as_u64().unwrap();
    let rest = home.run(&["--json", "events", &id, "--after", &third.to_string()]);
    assert_eq!(rest.ok().lines().count(), 4);
    let followed = home.run(&["events", "-f", &id]);
    assert_eq!(followed.ok().lines().count(), 7, "{followed:?}");
}

#[test]
fn why_gives_reasons() {
    let home = Home::new();
    let first = home.submit(&["--lane", "l", "--", "sleep", "60"]);
    let second = home.submit(&["--lane", "l", "--", "true"]);
    let why = home.json(&["why", &second]);
    assert_eq!(keys(&why), ["job", "state", "why"]);
    assert!(why["why"].to_string().contains(&first), "{why}");
}

#[test]
fn wait_for_several_any_and_not_for_ever() {
    let home = Home::new();
    let long = home.submit(&["--", "sleep", "60"]);
    let good = home.submit(&["--", "true"]);
    let bad = home.submit(&["--", "sh", "-c", "exit 9"]);
    assert_eq!(home.run(&["wait", &good, &bad]).code, 0, "they have ended, which was asked");
    assert_eq!(home.run(&["wait", &good]).code, 0);
    assert_eq!(home.run(&["wait", "--any", &long, &good]).code, 0);
    home.run(&["submit", "--notify", "nobody", "--", "true"]).fails(3, "no sink");
    home.run(&["submit", "--artifact", "[", "--", "true"]).fails(2, "artifact");
    home.run(&["wait", "--timeout", "100ms", &long]).fails(5, "has not ended");
    home.run(&["wait", "--timeout", "100ms", &good, &long]).fails(5, "1 of 2");
    // Time that runs out before anything was answered says nothing about the jobs.
    assert_eq!(home.run(&["wait", "--timeout", "0s", &good]).code, 0);
    assert_eq!(home.run(&["wait", "--any", "--timeout", "0s", &good, &long]).code, 0);
    home.run(&["wait", "--timeout", "0s", &good, &long]).fails(5, "1 of 2");
    home.run(&["wait", "--timeout", "0s", "nobody"]).fails(3, "there is no job");
    home.run(&["wait", "nobody"]).fails(3, "nobody");
    let jobs = home.json(&["wait", &good]);
    assert_eq!(keys(&jobs[0])[..3], JOB_KEYS[..3]);
    assert_eq!(home.show(&long)["state"], "running");
}

#[test]
fn cancel_ends_what_runs_and_refuses_what_has_ended() {
    let home = Home::new();
    let id = home.submit(&["--", "sleep", "60"]);
    home.until(&id, "running");
    let cancelled = home.json(&["cancel", "--reason", "enough", "--wait", &id]);
    assert_eq!(keys(&cancelled), ["changed", "job"]);
    let job = home.show(&id);
    assert_eq!(job["outcome"]["kind"], "cancelled");
    assert_eq!(job["outcome"]["message"], "enough");
    assert_eq!(home.run(&["wait", &id]).code, 130);
    let ran = home.run(&["cancel", &id]);
    ran.fails(3, &id);
    ran.fails(3, "has already ended");
    home.run(&["cancel", "nobody"]).fails(3, "nobody");
}

#[test]
fn cancel_now_skips_the_grace() {
    let home = Home::new();
    let script = "trap '' TERM; touch up; while :; do sleep 0.1; done";
    let id = home.submit(&["--grace", "1h", "--", "sh", "-c", script]);
    eventually("the job runs", || home.work().join("up").exists());
    assert_eq!(home.run(&["cancel", "--now", "--wait", &id]).code, 0);
    assert_eq!(home.show(&id)["outcome"]["signal"], 9);
}

#[test]
fn retry_makes_a_new_job_that_names_the_old_one() {
    let home = Home::new();
    let old = home.submit(&["--", "sh", "-c", "exit 4"]);
    assert_eq!(home.run(&["wait", &old]).code, 4);
    let new = home.json(&["retry", &old]);
    assert_eq!(new["retry_of"], old.as_str());
    assert_ne!(new["id"], old.as_str());
    assert_eq!(home.run(&["wait", new["id"].as_str().unwrap()]).code, 4);
    let live = home.submit(&["--", "sleep", "60"]);
    assert_eq!(home.run(&["retry", &live]).code, 3);
}

#[test]
fn prune_removes_what_has_ended_and_says_why_not() {
    let home = Home::new();
    let old = home.submit(&["--", "true"]);
    let live = home.submit(&["--", "sleep", "60"]);
    assert_eq!(home.run(&["wait", &old]).code, 0);
    eventually("the job is cleaned up", || home.show(&old)["cleanup"]["state"] == "done");
    let dry = home.json(&["prune", "--older-than", "0s", "--dry-run"]);
    assert_eq!(keys(&dry), ["kept", "removed"]);
    assert_eq!(dry["removed"], serde_json::json!([old]));
    let ran = home.run(&["prune", &live]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains(&live), "{ran:?}");
    assert_eq!(home.run(&["prune", "--older-than", "0s"]).ok(), format!("{old}\n"));
    eventually("the job is gone", || home.run(&["show", &old]).code == 3);
    assert_eq!(home.show(&live)["state"], "running");
}

#[test]
fn artifacts_are_listed_verified_and_printed() {
    let home = Home::new();
    let id = home.submit(&["--artifact", "*.txt", "--", "sh", "-c", "printf hello > out.txt"]);
    assert_eq!(home.run(&["wait", &id]).code, 0);
    let listed = home.json(&["artifacts", &id]);
    let artifact = &listed["artifacts"][0];
    assert_eq!(keys(artifact), ["name", "path", "sha256", "size", "verified"]);
    assert_eq!((&artifact["name"], &artifact["size"]), (&"out.txt".into(), &5.into()));
    assert_eq!(home.run(&["artifacts", &id, "--get", "out.txt"]).ok(), "hello");
    assert_eq!(home.run(&["artifacts", &id, "--verify"]).code, 0);
    home.write("out.txt", "jello");
    assert_eq!(home.run(&["artifacts", &id, "--verify"]).code, 3);
    home.run(&["artifacts", &id, "--get", "out.txt"]).fails(3, "out.txt");
}

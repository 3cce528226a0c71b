//! `longhaul submit --batch`: all or none.

use crate::harness::Home;
use serde_json::json;

#[test]
fn a_batch_is_accepted_in_order() {
    let home = Home::new();
    let lines: String = (0..50)
        .map(|number| {
            format!(
                "{}\n",
                json!({"command": ["echo", number.to_string()], "name": format!("n{number}")})
            )
        })
        .collect();
    home.write("jobs", lines);
    let ran = home.run(&["submit", "--batch", "jobs"]);
    let ids: Vec<&str> = ran.ok().lines().collect();
    assert_eq!(ids.len(), 50);
    for number in [0, 17, 49] {
        let job = home.show(ids[number]);
        assert_eq!(job["name"], format!("n{number}"));
        assert_eq!(job["cwd"], home.work().to_str().unwrap());
    }
    let waited = home.run(&[&["wait"], &ids[..]].concat());
    assert_eq!(waited.code, 0, "{waited:?}");
    assert_eq!(home.run(&["logs", ids[17]]).ok(), "17\n");
}

#[test]
fn a_bad_line_is_named_and_nothing_is_submitted() {
    let home = Home::new();
    let good = r#"{"command":["true"]}"#;
    for (bad, words) in [
        ("{\"command\":", "line 3"),
        (r#"{"command":["true"],"tiemout":"3s"}"#, "`tiemout` is not a field"),
        (r#"{"command":["true"],"timeout":"soon"}"#, "`soon` is not a duration"),
        (r#"{"name":"x"}"#, "command"),
        (r#"{"command":["true"],"priority":12}"#, "priority"),
        (r#"{"command":[]}"#, "command"),
        (r#"{"command":["true"],"after":["job_00000000000000000000000000"]}"#, "line 3"),
    ] {
        let batch = format!("{good}\n\n{bad}\n{good}\n");
        let ran = home.run_with_stdin(&["submit", "--batch", "-"], batch.as_bytes());
        assert!(ran.code == 2 || ran.code == 3, "{bad}: {ran:?}");
        assert!(ran.stderr.contains("line 3"), "{bad}: {ran:?}");
        ran.fails(ran.code, words);
    }
    assert_eq!(home.json(&["list"])["jobs"], json!([]));
}

#[test]
fn a_batch_beyond_the_limit_is_refused_whole() {
    let home = Home::new();
    home.write("jobs", "{\"command\":[\"true\"]}\n".repeat(10_001));
    home.run(&["submit", "--batch", "jobs"]).fails(3, "10000");
    home.run(&["submit", "--batch", "none"]).fails(2, "none");
}

#[test]
fn a_batch_with_json_gives_the_ids() {
    let home = Home::new();
    home.write("jobs", "{\"command\":[\"true\"]}\n{\"command\":[\"true\"]}\n");
    let answer = home.json(&["submit", "--batch", "jobs"]);
    assert_eq!(answer["ids"].as_array().unwrap().len(), 2);
}

#[test]
fn the_batch_takes_the_callers_environment() {
    let home = Home::new();
    let line =
        json!({"command": ["sh", "-c", "echo $FROM_CALLER $FROM_LINE"], "env": {"FROM_LINE": "b"}});
    home.write("jobs", format!("{line}\n"));
    let output =
        home.command(&["submit", "--batch", "jobs"]).env("FROM_CALLER", "a").output().unwrap();
    let id = String::from_utf8(output.stdout).unwrap();
    assert_eq!(home.run(&["wait", id.trim()]).code, 0);
    assert_eq!(home.run(&["logs", id.trim()]).ok(), "a b\n");
}

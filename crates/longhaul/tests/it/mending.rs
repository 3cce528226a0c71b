//! `doctor --fix` with a store that is damaged in its middle: what can be read goes on.

use crate::harness::{Home, eventually};
use serde_json::json;

/// Bytes of a page of the database.
const PAGE: usize = 4_096;
/// What a page of a table's rows begins with.
const LEAF: u8 = 0x0d;

/// Overwrites one page that holds the row of job `hit` and nothing of `spared`.
pub(crate) fn damage(home: &Home, hit: &str, spared: &str) {
    let path = home.path().join("longhaul.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let holds = |page: &[u8], text: &str| page.windows(text.len()).any(|at| at == text.as_bytes());
    let is_hit = |page: &[u8]| {
        page[0] == LEAF && holds(page, hit) && holds(page, "\"spec\"") && !holds(page, spared)
    };
    let page = bytes.chunks_exact_mut(PAGE).find(|page| is_hit(page)).expect("a page of its own");
    page.fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
}

#[test]
fn a_running_job_is_seen_to_its_end_in_a_mended_store() {
    let home = Home::new();
    home.run(&["pool", "set", "parked", "--slots", "3"]).ok();
    home.run(&["pool", "pause", "parked"]).ok();
    let script = "echo before; until [ -e go ]; do sleep 0.05; done; echo after; exit 7";
    let running = home.submit(&["--", "sh", "-c", script]);
    home.until(&running, "running");
    let after =
        home.submit(&["--after-any", &running, "--env", "WHO=me", "--", "sh", "-c", "echo $WHO"]);
    let lines: String = (0..200)
        .map(|number| {
            format!("{}\n", json!({"command": ["true", number.to_string()], "pool": "parked"}))
        })
        .collect();
    home.write("jobs", lines);
    let parked = home.run(&["submit", "--batch", "jobs"]);
    let parked: Vec<&str> = parked.ok().lines().collect();
    home.run(&["daemon", "stop"]).ok();
    damage(&home, parked[100], &running);

    let fixed = home.run(&["doctor", "--fix"]);
    assert!(fixed.text().contains("put back "), "{fixed:?}");
    assert!(fixed.text().contains("aside into"), "{fixed:?}");
    home.write("go", "");
    let job = home.until(&running, "ended");
    assert_eq!(job["outcome"]["exit_code"], 7, "{job}");
    assert_eq!(job["attempt"], 1);
    assert_eq!(home.run(&["logs", &running]).ok(), "before\nafter\n");
    // Its environment was put back, too.
    home.until(&after, "ended");
    assert_eq!(home.run(&["logs", &after]).ok(), "me\n");

    let pools = home.json(&["pool", "list"]).to_string();
    assert!(pools.contains("parked"), "{pools}");
    let left = home.json(&["list", "--pool", "parked", "--limit", "1000"]);
    let left = left["jobs"].as_array().unwrap().len();
    assert!((150..200).contains(&left), "{left} of 200 parked jobs were put back");
    eventually("the doctor is content", || home.run(&["doctor"]).code == 0);
    let next = home.submit(&["--", "true"]);
    home.until(&next, "ended");
}

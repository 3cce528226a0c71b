//! Daemons that are killed while agents speak: the journal is as if none had been.

use crate::agents_support::FakeAgents;
use crate::daemon_crash::Site;
use crate::daemon_support::eventually;
use serde_json::Value;

/// What an agent says in these tests: enough for several commits.
const PROMPT: &str =
    "[[say begin]] [[pace 2000 4000]] [[bash true]] [[say end]] [[done all of it]]";

/// A home with an agent, whose daemon is a process of its own.
fn site() -> (Site, FakeAgents) {
    let mut site = Site::new();
    let fake = FakeAgents::within(&site.root.path().join("agents"));
    site.path = Some(fake.path());
    site.start(None);
    let added = site.cli(&["agent", "add", "worker", "--kind", "claude"]);
    assert!(added.status.success(), "{added:?}");
    (site, fake)
}

fn turn(site: &Site) -> String {
    let told = site.cli(&["turn", "worker", PROMPT]);
    assert!(told.status.success(), "{told:?}");
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}

/// The texts of all that the agent said, in the journal's order; each entry has a number of its own.
fn said(site: &Site, id: &str) -> Vec<String> {
    let told = site.cli(&["events", id, "--json"]);
    let text = String::from_utf8(told.stdout).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mine = events.filter(|event| event["kind"] == "log" && event["from"] == "agent");
    mine.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

fn expected(said: &[String]) {
    // The pace's lines begin with their numbers; the rest of each is the time.
    let words: Vec<&str> = said.iter().map(|text| text.split(' ').next().unwrap()).collect();
    assert_eq!((words.first(), words.last()), (Some(&"begin"), Some(&"all")), "{words:?}");
    let numbers: Vec<u64> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let first = numbers[0];
    assert_eq!(numbers, (first..first + 2_000).collect::<Vec<u64>>());
    assert_eq!(words.iter().filter(|word| **word == "end").count(), 1);
    assert_eq!(words.len(), 2_003, "{:?}", &words[2_000..]);
}

#[test]
fn a_daemon_that_is_killed_while_an_agent_speaks_loses_and_doubles_nothing() {
    let (mut site, fake) = site();
    let id = turn(&site);
    for known in [1, 400, 900, 1_500] {
        eventually("more of it is in the journal", || said(&site, &id).len() >= known);
        site.kill();
        site.start(None);
    }
    let job = site.wait(&id);
    assert_eq!(job["outcome"]["kind"], "succeeded", "{job}");
    assert_eq!(job["attempt"], 1);
    expected(&said(&site, &id));
    assert_eq!(fake.calls("claude").len(), 1);
}

#[cfg(feature = "failpoints")]
#[test]
fn a_crash_around_the_last_commit_of_a_turn_loses_and_doubles_nothing() {
    for point in ["intake.before_commit", "intake.after_commit", "launch.after_spec"] {
        let (mut site, fake) = site();
        site.kill();
        site.start(Some(&format!("{point}=abort")));
        let told = site.cli(&["turn", "worker", "--key", "once", PROMPT]);
        eventually("the daemon meets its point", || site.is_gone());
        site.start(None);
        let id = match String::from_utf8(told.stdout).unwrap().trim() {
            // It went before it could say.
            "" => {
                let told = site.cli(&["turn", "worker", "--key", "once", PROMPT]);
                String::from_utf8(told.stdout).unwrap().trim().to_owned()
            }
            id => id.to_owned(),
        };
        let job = site.wait(&id);
        assert_eq!(job["outcome"]["kind"], "succeeded", "{point}: {job}");
        expected(&said(&site, &id));
        assert_eq!(fake.calls("claude").len(), 1, "{point}");
    }
}

//! Inboxes: listed, followed, waited for, acknowledged; each notice to one of those who are present.

use crate::daemon_support::PATIENCE;
use crate::harness::{Home, eventually, keys, pid_of, ran, signal};
use crate::serve_support::Server;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use longhaul::api::AckAsk;
use longhaul::client::{Client, Options, Target};
use longhaul_core::port::Table;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use tower::ServiceExt;

/// Somebody who follows an inbox, and the file that it writes to.
pub(crate) struct Follower {
    pub(crate) child: Child,
    path: PathBuf,
}

impl Follower {
    pub(crate) fn start(home: &Home, name: &str, arguments: &[&str]) -> Self {
        let path = home.work().join(name);
        let mut command = home.command(&[&["--json", "inbox", "--follow"], arguments].concat());
        let child = command.stdout(File::create(&path).unwrap()).stderr(Stdio::null());
        Self { child: child.spawn().unwrap(), path }
    }

    /// What came so far, whole lines only.
    pub(crate) fn notices(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.path).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn jobs(&self) -> Vec<String> {
        self.notices().iter().map(|n| n["job"]["id"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn kill(&mut self) {
        signal(pid_of(&self.child), Signal::KILL);
        self.child.wait().unwrap();
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // Gone already if the test killed it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Ids of the jobs that an owner's inbox tells of.
pub(crate) fn waiting(home: &Home, owner: &str) -> Vec<String> {
    let page = home.json(&["inbox", "--owner", owner]);
    let notices = page["notices"].as_array().unwrap();
    notices.iter().map(|notice| notice["job"]["id"].as_str().unwrap().to_owned()).collect()
}

fn state(home: &Home, job: &str) -> Value {
    home.json(&["notices", job])["notices"][0]["state"].clone()
}

#[test]
fn a_job_that_ended_is_in_its_owners_inbox() {
    let home = Home::new();
    let script = "echo out; echo err >&2; exit 3";
    let one = home.submit(&["--name", "greet", "--", "sh", "-c", script]);
    home.until(&one, "ended");
    let page = home.json(&["inbox"]);
    assert_eq!(keys(&page), ["notices", "owner"]);
    assert_eq!(page["owner"], home.show(&one)["owner"]);
    let notice = &page["notices"][0];
    let fields = ["at", "id", "job", "notice", "output", "owner", "to", "try", "type"];
    assert_eq!(keys(notice), fields);
    assert_eq!((&notice["type"], &notice["to"]), (&json!("job.ended"), &json!("inbox")));
    assert_eq!(notice["notice"], format!("{one}:ended"));
    assert_eq!(notice["job"]["outcome"]["exit_code"], 3);
    assert_eq!(notice["output"], json!({"stdout_tail": "out\n", "stderr_tail": "err\n"}));
    assert!(notice["id"].as_str().unwrap().starts_with("dlv_"));
    let table = home.run(&["inbox"]);
    assert!(table.ok().contains("greet") && table.ok().contains("failed (exit 3)"), "{table:?}");
    // Looking claims and settles nothing.
    assert_eq!((state(&home, &one), waiting(&home, "me")), (json!("pending"), vec![]));
}

#[test]
fn what_is_acknowledged_is_gone_and_nothing_else() {
    let home = Home::new();
    let jobs: Vec<String> = (0..3).map(|_| home.submit(&["--owner", "me", "--", "true"])).collect();
    jobs.iter().for_each(|job| drop(home.until(job, "ended")));
    // They end in any order; the inbox has them in that in which they did.
    let told = waiting(&home, "me");
    assert_eq!(told.iter().collect::<BTreeSet<_>>(), jobs.iter().collect());
    let page = home.json(&["inbox", "--owner", "me"]);
    let first = page["notices"][0]["id"].as_str().unwrap();
    let theirs = home.run(&["inbox", "--owner", "you", "--ack", first]);
    theirs.fails(3, "there is no notice");
    let acked = home.json(&["inbox", "--owner", "me", "--ack", &first[..first.len() - 1]]);
    assert_eq!(acked, json!({"acked": 1}));
    assert_eq!(waiting(&home, "me"), told[1..]);
    assert_eq!(home.json(&["inbox", "--owner", "me", "--ack", first]), json!({"acked": 0}));
    assert_eq!(home.json(&["inbox", "--owner", "me", "--ack-all"]), json!({"acked": 2}));
    assert_eq!(waiting(&home, "me"), [""; 0]);
    home.run(&["inbox", "--ack", "dlv_0000"]).fails(3, "no notice");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_somebody_elses_does_not_keep_the_rest_from_being_acknowledged() {
    let home = Home::new();
    let ids: Vec<String> = ["me", "you", "me"]
        .into_iter()
        .map(|owner| {
            let job = home.submit(&["--owner", owner, "--", "true"]);
            home.until(&job, "ended");
            home.json(&["notices", &job])["notices"][0]["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let target = Target::Home(longhaul::home::Home::open(&home.path()).unwrap());
    let client = Client::connect(Options { target, token: None, autostart: false }).await.unwrap();
    let theirs = AckAsk { owner: "me".to_owned(), ids: Some(ids.clone()), all: false };
    let refused = client.acknowledge(&theirs).await.unwrap_err();
    assert_eq!(refused.code, "no_notice");
    assert_eq!(waiting(&home, "me").len(), 2, "of ids all are acknowledged or none");
    assert_eq!(client.acknowledge_what_is_ours("me", &ids).await.unwrap(), 2);
    assert_eq!((waiting(&home, "me").len(), waiting(&home, "you").len()), (0, 1));
}

#[test]
fn a_follower_gets_what_is_there_and_what_comes() {
    let home = Home::new();
    let before = home.submit(&["--owner", "me", "--", "true"]);
    home.until(&before, "ended");
    let follower = Follower::start(&home, "follower", &["--owner", "me"]);
    eventually("the old notice comes", || follower.jobs() == [before.clone()]);
    let after = home.submit(&["--owner", "me", "--", "true"]);
    eventually("the new one comes", || follower.jobs() == [before.clone(), after.clone()]);
    eventually("it is known to be sent", || state(&home, &after) == "sent");
    assert_eq!(follower.notices()[0]["try"], 1);
    // Handed over is not acknowledged.
    assert_eq!(waiting(&home, "me"), [before, after]);
}

#[test]
fn of_two_followers_each_notice_goes_to_one() {
    let home = Home::new();
    let one = Follower::start(&home, "one", &["--owner", "me", "--ack-all"]);
    let two = Follower::start(&home, "two", &["--owner", "me", "--ack-all"]);
    let jobs: BTreeSet<String> =
        (0..12).map(|_| home.submit(&["--owner", "me", "--", "true"])).collect();
    let come = || -> Vec<String> { [one.jobs(), two.jobs()].concat() };
    eventually("all are told", || come().len() >= jobs.len());
    eventually("all are acknowledged", || waiting(&home, "me").is_empty());
    assert_eq!(come().len(), jobs.len(), "none is told twice");
    assert_eq!(come().into_iter().collect::<BTreeSet<_>>(), jobs);
}

#[test]
fn what_a_killed_follower_held_comes_to_the_next() {
    let home = Home::new();
    let mut first = Follower::start(&home, "first", &["--owner", "me"]);
    let job = home.submit(&["--owner", "me", "--", "true"]);
    eventually("it is told", || first.jobs() == [job.clone()]);
    let id = first.notices()[0]["id"].clone();
    first.kill();
    let second = Follower::start(&home, "second", &["--owner", "me"]);
    eventually("it is told again", || second.jobs() == [job.clone()]);
    let again = &second.notices()[0];
    assert_eq!((&again["id"], &again["try"]), (&id, &json!(2)));
}

#[test]
fn a_follower_outlives_the_daemon() {
    let home = Home::new();
    let follower = Follower::start(&home, "follower", &["--owner", "me", "--ack-all"]);
    let before = home.submit(&["--owner", "me", "--", "true"]);
    eventually("it is told", || follower.jobs() == [before.clone()]);
    eventually("it is acknowledged", || waiting(&home, "me").is_empty());
    signal(home.daemon_pid(), Signal::KILL);
    let after = home.submit(&["--owner", "me", "--", "true"]);
    eventually("the next is told", || follower.jobs() == [before.clone(), after.clone()]);
}

#[test]
fn only_so_many_are_handed_over_unacknowledged() {
    let home = Home::new();
    let most = longhaul_core::limits::PRESENCE_HOLDS_MAX as usize;
    let count = most + 20;
    let lines = "{\"command\":[\"true\"],\"owner\":\"me\"}\n".repeat(count);
    assert_eq!(home.run_with_stdin(&["submit", "--batch", "-"], lines.as_bytes()).code, 0);
    let all_ended = || home.json(&["daemon", "status"])["jobs"]["ended"] == count;
    eventually("all have ended", all_ended);
    let follower = Follower::start(&home, "follower", &["--owner", "me"]);
    eventually("it holds what it may", || follower.jobs().len() == most);
    let sent = || home.json(&["notices", "--state", "sent,claimed", "--limit", "1000"]);
    assert_eq!(sent()["notices"].as_array().unwrap().len(), most);
    let first = follower.notices()[0]["id"].as_str().unwrap().to_owned();
    home.run(&["inbox", "--owner", "me", "--ack", &first]).ok();
    eventually("there is room for one more", || follower.jobs().len() == most + 1);
    home.run(&["inbox", "--owner", "me", "--ack-all"]).ok();
    assert_eq!(waiting(&home, "me"), [""; 0]);
}

#[test]
fn waiting_ends_with_the_first_notice_or_in_time() {
    let home = Home::new();
    home.run(&["inbox", "--owner", "me", "--wait", "--timeout", "50ms"]).fails(5, "nothing came");
    let wait = home.spawn(&["--json", "inbox", "--owner", "me", "--wait", "--ack-all"]);
    let job = home.submit(&["--owner", "me", "--", "true"]);
    let waited = ran(wait.wait_with_output().unwrap());
    let page: Value = serde_json::from_str(waited.ok()).unwrap();
    assert_eq!(keys(&page), ["notices", "owner"]);
    assert_eq!(page["notices"][0]["job"]["id"], job.as_str());
    assert_eq!(waiting(&home, "me"), [""; 0]);
    // Without --ack-all it stays.
    let kept = home.submit(&["--owner", "me", "--", "true"]);
    home.run(&["inbox", "--owner", "me", "--wait"]).ok();
    eventually("it is pending again", || state(&home, &kept) == "pending");
    assert_eq!(waiting(&home, "me"), [kept]);
}

#[test]
fn notices_go_to_their_owner_alone() {
    let home = Home::new();
    let mine = Follower::start(&home, "mine", &["--owner", "me"]);
    let job = home.submit(&["--owner", "you", "--", "true"]);
    let own = home.submit(&["--owner", "me", "--", "true"]);
    home.until(&job, "ended");
    eventually("mine comes", || mine.jobs() == [own.clone()]);
    assert_eq!(state(&home, &job), "pending");
}

#[test]
fn an_owner_that_is_away_is_stood_in_for_by_its_project() {
    let home = Home::new();
    home.write("AGENTS.md", "");
    std::fs::create_dir_all(home.path()).unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(home.path().join("config.toml"), "[owners]\nadopt_after = \"10ms\"\n").unwrap();
    let job = home.submit(&["--owner", "away", "--", "true"]);
    let other = Follower::start(&home, "other", &["--owner", "there"]);
    eventually("it is told of another's job", || other.jobs() == [job.clone()]);
    assert_eq!(other.notices()[0]["owner"], "away");
    // The origin has it back for as long as nobody acknowledged it.
    let origin = Follower::start(&home, "origin", &["--owner", "away"]);
    eventually("the origin is told", || origin.jobs() == [job.clone()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_presence_whose_connection_is_gone() {
    let server = Server::start();
    let present = || async {
        let read = server.daemon.ports.readers.read(|reader| reader.ids(Table::Presence, "", 10));
        read.await.unwrap().len()
    };
    let path = "/v1/inbox/follow?owner=me&project=%2Fp";
    let request = || Request::get(path).body(Body::empty()).unwrap();
    let (one, two) =
        tokio::join!(server.app.clone().oneshot(request()), server.app.clone().oneshot(request()));
    assert_eq!(present().await, 2);
    drop((one, two));
    let gone = async { while present().await > 0 {} };
    tokio::time::timeout(PATIENCE, gone).await.expect("the engine is told that they went");
    for bad in ["", "?owner=", "?owner=me&project=p", "?owner=a%0Ab"] {
        let answer = server.get(&format!("/v1/inbox/follow{bad}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}: {answer:?}");
    }
}

#[test]
fn a_name_with_control_characters_is_no_owner() {
    let home = Home::new();
    for bad in ["a\u{1b}[31mb", "a\nb", " "] {
        home.run(&["inbox", "--owner", bad]).fails(2, "`owner`");
        home.run(&["inbox", "--owner", bad, "--wait"]).fails(2, "`owner`");
        home.run(&["inbox", "--owner", bad, "--ack-all"]).fails(2, "`owner`");
    }
    // A directory of such a name has an owner that shows it harmlessly.
    home.write("a\u{1b}[31mb/file", "");
    let mut submit = home.command(&["--json", "submit", "--", "true"]);
    submit.current_dir(home.work().join("a\u{1b}[31mb"));
    let job: Value = serde_json::from_slice(&ran(submit.output().unwrap()).stdout).unwrap();
    let owner = job["owner"].as_str().unwrap();
    assert!(!owner.chars().any(char::is_control), "{owner}");
    home.until(job["id"].as_str().unwrap(), "ended");
    assert_eq!(waiting(&home, owner), [job["id"].as_str().unwrap()]);
}

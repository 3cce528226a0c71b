//! Whose a job is: as asked, as the environment says, or derived from where it was asked for.

use crate::harness::{Home, ran};
use crate::serve_support::Server;
use serde_json::{Value, json};

/// The owner of a job submitted by `arguments` in `directory`, below the test's working directory.
fn owner(home: &Home, directory: &str, arguments: &[&str]) -> String {
    let mut command = home.command(&[&["--json", "submit"], arguments].concat());
    command.current_dir(home.work().join(directory));
    let submitted: Value = serde_json::from_slice(&ran(command.output().unwrap()).stdout).unwrap();
    submitted["owner"].as_str().unwrap_or_else(|| panic!("{submitted}")).to_owned()
}

fn project(owner: &str) -> &str {
    owner.split_once('@').unwrap().1
}

#[test]
fn a_job_belongs_to_the_user_at_the_project_it_was_asked_for_in() {
    let home = Home::new();
    home.write("repo/.git/HEAD", "");
    home.write("repo/sub/file", "");
    home.write("repo/inner/AGENTS.md", "");
    home.write("repo/inner/deep/file", "");
    let work = home.work();
    let of = |directory: &str| owner(&home, directory, &["--", "true"]);
    let (sub, inner) = (of("repo/sub"), of("repo/inner/deep"));
    assert_eq!(project(&sub), work.join("repo").to_str().unwrap());
    assert_eq!(project(&inner), work.join("repo/inner").to_str().unwrap());
    assert!(!sub.starts_with('@'), "{sub}");
    // Who waits is where it was asked for, wherever the job runs.
    assert_eq!(owner(&home, "repo/sub", &["--cwd", "../inner", "--", "true"]), sub);
    let page = home.json(&["list", "--owner", &inner]);
    assert_eq!(page["jobs"].as_array().unwrap().len(), 1, "{page}");
}

#[test]
fn an_owner_is_named_by_option_before_variable_before_place() {
    let home = Home::new();
    let submit = |arguments: &[&str]| {
        let mut command = home.command(&[&["--json", "submit"], arguments].concat());
        let output = command.env("LONGHAUL_OWNER", "the variable").output().unwrap();
        let job: Value = serde_json::from_slice(&ran(output).stdout).unwrap();
        job["owner"].clone()
    };
    assert_eq!(submit(&["--", "true"]), "the variable");
    assert_eq!(submit(&["--owner", "the option", "--", "true"]), "the option");
}

#[test]
fn jobs_of_a_batch_belong_to_whoever_hands_it_in() {
    let home = Home::new();
    home.write("AGENTS.md", "");
    let lines =
        b"{\"command\":[\"true\"]}\n{\"command\":[\"true\"],\"owner\":\"me\",\"cwd\":\"/\"}\n";
    let batch = home.run_with_stdin(&["submit", "--batch", "-"], lines);
    let owners: Vec<String> =
        batch.ok().lines().map(|id| home.show(id)["owner"].as_str().unwrap().to_owned()).collect();
    assert_eq!(project(&owners[0]), home.work().to_str().unwrap());
    assert_eq!(owners[1], "me");
}

#[test]
fn an_owner_with_control_characters_is_refused() {
    let home = Home::new();
    for bad in ["a\u{1b}[31mb", "a\nb", " "] {
        home.run(&["submit", "--owner", bad, "--", "true"]).fails(2, "`owner`");
    }
    assert_eq!(home.json(&["list"])["jobs"], json!([]));
}

#[test]
fn a_directory_with_control_characters_still_makes_an_owner() {
    let home = Home::new();
    home.write("a\nb\u{1b}[31m/file", "");
    let owner = owner(&home, "a\nb\u{1b}[31m", &["--", "true"]);
    assert!(owner.ends_with("a\\nb\\u{1b}[31m"), "{owner}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_derives_the_owner_for_a_client_that_gives_none() {
    let server = Server::start();
    let root = server.place.root.path().canonicalize().unwrap();
    let id = server.submit("true", json!({})).await;
    let one = server.ended(&id).await["owner"].clone();
    assert_eq!(project(one.as_str().unwrap()), root.to_str().unwrap());
    let given = server.submit("true", json!({"owner": "me", "project": "/p"})).await;
    assert_eq!(server.ended(&given).await["owner"], "me");
    let batch = json!({"jobs": [server.spec("true", json!({})), server.spec("true", json!({}))]});
    let ids = server.post("/v1/batch", batch).await.json()["ids"].clone();
    for id in ids.as_array().unwrap() {
        assert_eq!(server.ended(id.as_str().unwrap()).await["owner"], one);
    }
    let retried = server.post(&format!("/v1/jobs/{given}/retry"), json!({})).await;
    assert_eq!(retried.json()["job"]["owner"], "me");
}

#[test]
fn what_a_job_starts_belongs_to_its_owner() {
    let home = Home::new();
    let program = env!("CARGO_BIN_EXE_longhaul");
    let nested = format!("{program} run -- true; {program} list --json > listed");
    home.run(&["run", "--owner", "planner", "--", "sh", "-c", &nested]).ok();
    let listed: Value =
        serde_json::from_slice(&std::fs::read(home.work().join("listed")).unwrap()).unwrap();
    let owners: Vec<&Value> =
        listed["jobs"].as_array().unwrap().iter().map(|job| &job["owner"]).collect();
    assert_eq!(owners, ["planner", "planner"]);
    // Both were waited for by who ran them, so nobody is to be told.
    assert_eq!(home.json(&["inbox", "--owner", "planner"])["notices"], json!([]));
}

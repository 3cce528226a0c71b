//! Hosted programs that ask whether they may, spend, and have others work for them: real daemon, real
//! processes, and the program itself as it is called inside of a job.

use crate::daemon_support::{Place, job, outcome, until};
use crate::serve_support::Server;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use longhaul::api::RetryAsk;
use longhaul::client::{Client, Options, Target};
use longhaul::daemon::{Daemon, HostedAsk, Ports};
use longhaul::ids;
use longhaul_core::id::JobId;
use longhaul_core::lease::{Asked, Lease};
use longhaul_core::outcome::{Ending, Reason};
use longhaul_core::time::Millis;
use serde_json::{Value, json};
use std::fmt::Write;

/// A home that hosts programs, and its daemon.
pub(crate) struct Hosting {
    place: Place,
    daemon: Daemon,
}

impl Hosting {
    /// Hosts each of these shell scripts, in which `longhaul` is this program.
    pub(crate) fn start(agents: &[(&str, &str)]) -> Self {
        let place = Place::new();
        std::fs::create_dir_all(place.home()).unwrap();
        std::fs::create_dir(place.root.path().join("work")).unwrap();
        let work = place.root.path().join("work").canonicalize().unwrap();
        let mut file = String::new();
        for (name, script) in agents {
            let program = env!("CARGO_BIN_EXE_longhaul");
            let script = format!("longhaul() {{ \"{program}\" \"$@\"; }}\n{script}");
            let command = json!(["sh", "-c", script]);
            writeln!(file, "[[agent]]\nname = \"{name}\"\ncwd = {:?}", work.to_str().unwrap())
                .unwrap();
            writeln!(file, "command = {command}").unwrap();
        }
        std::fs::write(place.home().join("agents.toml"), file).unwrap();
        let daemon = place.start();
        // Its task ends with the daemon.
        drop(daemon.serve().unwrap());
        Self { place, daemon }
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.daemon.ports
    }

    pub(crate) async fn submit(&self, agent: &str, lines: &[&str], lasts: Option<Millis>) -> JobId {
        let mut asked = Asked::new();
        for line in lines {
            let (capability, text) = line.split_once(' ').unwrap();
            asked.entry(capability.to_owned()).or_default().push(text.to_owned());
        }
        let expires_at = lasts.map(|span| self.ports().clock.now().plus(span));
        let ask = HostedAsk {
            id: ids::job_id().unwrap(),
            principal: "alice".into(),
            session: None,
            key: None,
            input: "null".into(),
            lease: Lease::parse(&asked, expires_at).unwrap(),
            trace: "0".repeat(31) + "1",
            runtime_max: None,
            parent: None,
            delegate: None,
            depth: 0,
            extensions: None,
        };
        let inventory = &self.ports().inventory;
        let agent = inventory.resolve(agent).unwrap();
        inventory.submit(&agent, ask).await.unwrap().0
    }

    /// What the journal says of a job.
    async fn journal(&self, id: &JobId) -> Vec<Value> {
        let id = id.as_str().to_owned();
        let entries = self.ports().readers.read(move |reader| reader.entries(&id, 1, 9_999));
        let entries = entries.await.unwrap();
        entries.iter().map(|entry| serde_json::from_str(&entry.body).unwrap()).collect()
    }

    /// The bodies of the events of a kind that followers of a job are told.
    pub(crate) async fn told(&self, id: &JobId, name: &str) -> Vec<Value> {
        let all = self.journal(id).await.into_iter();
        let of_kind = all.filter(|fact| fact["kind"] == "told" && fact["name"] == name);
        of_kind.map(|fact| fact["body"].clone()).collect()
    }

    async fn result(&self, id: &JobId) -> Value {
        let ended = outcome(self.ports(), id).await;
        assert!(ended.is_success(), "{ended:?}: {:#?}", self.journal(id).await);
        let structured = job(self.ports(), id).await.result.unwrap().structured.unwrap();
        serde_json::from_str(&structured).unwrap()
    }
}

#[tokio::test]
async fn a_program_is_told_what_it_may_and_what_it_may_not() {
    let script = "
        longhaul authorize fs.write out.txt && first=yes
        longhaul authorize fs.read /etc/passwd 2>denied; second=$?
        longhaul authorize tool.call web.search --call c1 --args '{\"q\":1}' || exit 9
        longhaul authorize tool.call shell --call c2 2>/dev/null && exit 9
        longhaul emit result \"[\\\"$first\\\",$second]\"
        grep -q 'does not grant `fs.read`' denied";
    let hosting = Hosting::start(&[("asker", script)]);
    let work = hosting.place.root.path().join("work").canonicalize().unwrap();
    let writes = format!("fs.write {}/**", work.display());
    let id = hosting.submit("asker", &[&writes, "tool.call web.*"], None).await;
    assert_eq!(hosting.result(&id).await, json!(["yes", 3]));
    let calls = hosting.told(&id, "tool_call").await;
    assert_eq!(calls, [json!({"tool": "web.search", "call_id": "c1", "args": {"q": 1}})]);
    let refused = hosting.told(&id, "tool_result").await;
    assert_eq!(refused[0]["call_id"], "c2");
    assert_eq!(refused[0]["error"]["code"], "PERMISSION_DENIED");
}

#[tokio::test]
async fn a_link_out_of_what_is_granted_leads_nowhere() {
    let script = "
        ln -s /etc inside
        longhaul authorize fs.read ./inside/passwd 2>/dev/null && exit 9
        ln -s nowhere dangling
        longhaul authorize fs.write dangling/new || exit 9
        longhaul emit result true";
    let hosting = Hosting::start(&[("linker", script)]);
    let work = hosting.place.root.path().join("work").canonicalize().unwrap();
    let (reads, writes) =
        (format!("fs.read {}/**", work.display()), format!("fs.write {}/**", work.display()));
    let id = hosting.submit("linker", &[&reads, &writes], None).await;
    assert_eq!(hosting.result(&id).await, json!(true));
}

#[tokio::test]
async fn what_a_program_spends_is_counted_and_then_it_may_do_nothing_more() {
    let script = "
        longhaul emit metric cost.inference 0.1 --unit USD
        longhaul authorize tool.call web || exit 9
        longhaul emit metric cost.inference -1 --unit USD 2>/dev/null && exit 9
        longhaul emit metric cost.inference 0.9 --unit USD
        longhaul --json authorize tool.call web > said; code=$?
        longhaul emit result \"$(cat said)\"
        test $code = 3";
    let hosting = Hosting::start(&[("spender", script)]);
    let id = hosting.submit("spender", &["cost.budget USD:1", "tool.call *"], None).await;
    let said = hosting.result(&id).await;
    assert_eq!((&said["is_allowed"], &said["code"]), (&json!(false), &json!("budget_exhausted")));
    let metrics = hosting.told(&id, "metric").await;
    let costs = metrics.iter().filter(|metric| metric["name"] == "cost.inference").count();
    assert_eq!(costs, 2, "what was refused is told to nobody: {metrics:?}");
    assert_eq!(metrics.last().unwrap()["value"], json!(0));
}

#[tokio::test]
async fn a_program_delegates_waits_and_has_the_result() {
    let parent = "
        longhaul delegate child --input '{\"n\":1}' --budget USD:0.50 --id one --wait > got || exit 9
        longhaul delegate child --input '{\"n\":1}' --id one > again || exit 5
        longhaul delegate nobody 2>why; test $? = 3 || exit 8
        grep -q 'no agent `nobody`' why || exit 7
        longhaul delegate child --lease '{\"fs.read\":[\"/**\"]}' 2>/dev/null; test $? = 3 || exit 6
        longhaul emit result \"$(cat got)\"";
    let child = "
        longhaul emit metric cost.x 0.2 --unit USD
        longhaul emit result \"$(cat)\"";
    let hosting = Hosting::start(&[("parent", parent), ("child", child)]);
    let lease = ["agent.delegate child", "agent.delegate nobody", "cost.budget USD:1"];
    let id = hosting.submit("parent", &lease, None).await;
    assert_eq!(hosting.result(&id).await, json!({"n": 1}));
    let row = job(hosting.ports(), &id).await;
    let left = row.account.as_ref().unwrap().remaining().iter().next().unwrap().1;
    assert_eq!(left.to_string(), "0.8", "what the child did not spend came back");
    assert_eq!((row.delegations.open, row.delegations.below), (0, 1));
    let results = hosting.told(&id, "tool_result").await;
    assert_eq!(results[0], json!({"call_id": "one", "result": {"n": 1}}));
    assert_eq!(results[1]["error"]["code"], "AGENT_NOT_AVAILABLE");
    assert_eq!(results[2]["error"]["code"], "LEASE_SUBSET_VIOLATION");
    assert_eq!(hosting.told(&id, "delegate").await.len(), 3);
}

#[tokio::test]
async fn a_child_is_ended_with_its_parent() {
    let parent = "longhaul delegate child > id; longhaul emit result \"\\\"$(cat id)\\\"\"";
    let hosting = Hosting::start(&[("parent", parent), ("child", "sleep 600")]);
    let id = hosting.submit("parent", &["agent.delegate *"], None).await;
    let child = hosting.result(&id).await;
    let child = JobId::parse(child.as_str().unwrap()).unwrap();
    let ended = outcome(hosting.ports(), &child).await;
    assert_eq!(ended.kind, Ending::Cancelled);
    until(hosting.ports(), &id, |job| job.delegations.open == 0).await;
}

/// Its budget is a part of its parent's: by itself it would spend what is set aside for nobody.
#[tokio::test]
async fn what_was_delegated_is_not_tried_again_by_itself() {
    let parent = "longhaul delegate child --budget USD:1 > id || exit 9
        longhaul emit result \"\\\"$(cat id)\\\"\"; sleep 600";
    let hosting = Hosting::start(&[("parent", parent), ("child", "exit 1")]);
    let lease = ["agent.delegate child", "cost.budget USD:1"];
    let id = hosting.submit("parent", &lease, None).await;
    until(hosting.ports(), &id, |job| job.delegations.below == 1 && job.delegations.open == 0)
        .await;
    until(hosting.ports(), &id, |job| job.result.is_some()).await;
    let child = job(hosting.ports(), &id).await.result.unwrap().structured.unwrap();
    let target = Target::Unix(hosting.ports().home.socket());
    let options = Options { target, token: None, autostart: false };
    let person = Client::connect(options).await.unwrap();
    let refused = person.retry(child.trim_matches('"'), RetryAsk::default()).await.unwrap_err();
    assert_eq!(refused.code, "delegated");
    assert_eq!(job(hosting.ports(), &id).await.delegations.open, 0);
}

#[tokio::test]
async fn a_program_is_ended_with_its_lease() {
    let hosting = Hosting::start(&[("sleeper", "sleep 600")]);
    let id = hosting.submit("sleeper", &[], Some(Millis::new(300))).await;
    let ended = outcome(hosting.ports(), &id).await;
    assert_eq!((ended.kind, ended.reason), (Ending::Failed, Some(Reason::Lease)));
}

#[tokio::test]
async fn nobody_asks_in_the_name_of_another_job() {
    let server = Server::start();
    let id = server.submit("sleep 600", json!({})).await;
    for verb in ["authorize-operation", "delegate"] {
        let body = match verb {
            "delegate" => json!({"attempt": 1, "agent": "a"}),
            _ => json!({"attempt": 1, "capability": "fs.read", "target": "/"}),
        };
        let request = Request::post(format!("/v1/jobs/{id}/{verb}"))
            .header("authorization", "Bearer not-it")
            .body(Body::from(body.to_string()))
            .unwrap();
        let answer = server.send(request).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "forbidden"));
    }
    server.post(&format!("/v1/jobs/{id}/cancel"), json!({"by_force": true})).await;
}

//! The agents that clients of others are checked against, each asked through the engine: what it tells,
//! in which order, and what comes of it.

#[path = "../../examples/arcp-agents/bodies.rs"]
pub(crate) mod bodies;

use longhaul::daemon::{Daemon, DaemonOptions, HostedAsk};
use longhaul::embed::hosting::Hosting;
use longhaul::ids;
use longhaul_core::command::Command;
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_core::lease::{Asked, Lease};
use longhaul_core::outcome::Ending;
use longhaul_core::port::{Record, Table};
use longhaul_core::time::Millis;
use serde_json::{Value, json};

struct Home {
    daemon: Daemon,
    _folder: tempfile::TempDir,
}

/// A job that is over.
struct Over {
    ending: Ending,
    /// What it gave back; the code of what went wrong otherwise.
    result: Result<Value, String>,
    /// Kinds and bodies.
    told: Vec<(String, Value)>,
    job: Job,
}

impl Home {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = env!("CARGO_BIN_EXE_longhaul").into();
        let options = DaemonOptions { program, ..DaemonOptions::new(folder.path().to_owned()) };
        let mut daemon = Daemon::start(&options).unwrap();
        daemon.up().await;
        daemon.ports.inventory.set_grace(Millis::new(100));
        bodies::register(&Hosting::of(&daemon.ports)).unwrap();
        Self { daemon, _folder: folder }
    }

    async fn submit(&self, agent: &str, input: Value, lease: Value) -> JobId {
        let inventory = &self.daemon.ports.inventory;
        let asked: Asked = serde_json::from_value(lease).unwrap();
        let ask = HostedAsk {
            id: ids::job_id().unwrap(),
            principal: "alice".into(),
            session: None,
            key: None,
            input: input.to_string(),
            lease: Lease::parse(&asked, None).unwrap(),
            trace: String::new(),
            runtime_max: None,
            parent: None,
            delegate: None,
            depth: 0,
            extensions: None,
        };
        let agent = inventory.resolve(agent).unwrap();
        inventory.submit(&agent, ask).await.unwrap().0
    }

    async fn load(&self, id: &JobId) -> Job {
        let id = id.clone();
        let read = self.daemon.ports.readers.read(move |reader| {
            Ok(Job::from_row(&reader.load(Table::Job, id.as_str())?.unwrap())?)
        });
        read.await.unwrap()
    }

    async fn over(&self, id: &JobId) -> Over {
        let mut watch = self.daemon.ports.journal.watch_job(id);
        while self.load(id).await.outcome().is_none() {
            watch.changed().await;
        }
        let (job, of) = (self.load(id).await, id.clone());
        let read =
            self.daemon.ports.readers.read(move |reader| reader.entries(of.as_str(), 1, 9_999));
        let facts = read.await.unwrap().into_iter().map(|entry| entry.body);
        let facts = facts.map(|body| serde_json::from_str::<Value>(&body).unwrap());
        let told = facts.filter(|fact| fact["kind"] == "told");
        let told =
            told.map(|fact| (fact["name"].as_str().unwrap().to_owned(), fact["body"].clone()));
        let kept = job.result.clone().unwrap_or_default();
        let result = match kept.failure {
            Some(failure) => Err(failure.code),
            None => Ok(kept.structured.map_or(Value::Null, |text| text.parse().unwrap())),
        };
        Over { ending: job.outcome().unwrap().kind, result, told: told.collect(), job }
    }

    async fn call(&self, agent: &str, input: Value, lease: Value) -> Over {
        let id = self.submit(agent, input, lease).await;
        self.over(&id).await
    }
}

fn kinds(over: &Over) -> Vec<&str> {
    over.told.iter().map(|(kind, _)| kind.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_agent_gives_back_what_it_should() {
    let home = Home::new().await;
    for (agent, input, expected) in [
        ("echo", json!({ "a": [1] }), json!({ "echoed": { "a": [1] } })),
        ("noop", Value::Null, Value::Null),
        ("count", json!({ "n": 4 }), json!({ "final": 4 })),
        ("emit", json!({ "n": 3, "size": 10 }), json!({ "emitted": 3 })),
        ("mixed", Value::Null, Value::Null),
        ("slow", json!({ "ms": 1 }), json!({ "ok": true })),
        ("stubborn", json!({ "ms": 1 }), json!({ "ok": true })),
        ("ticker", json!({ "n": 2, "intervalMs": 1 }), json!({ "ticks": 2 })),
        ("progress", Value::Null, json!({})),
        ("spender", json!({ "charges": [1] }), json!({ "remaining": null })),
        ("toolcaller", json!({ "tool": "t", "call_id": "c9" }), json!({ "done": true })),
        ("child", Value::Null, json!({ "child_done": true })),
        ("calc", Value::Null, json!({ "v": 2 })),
        ("calc@1.0.0", Value::Null, json!({ "v": 1 })),
    ] {
        let over = home.call(agent, input, json!({})).await;
        assert_eq!((over.ending, over.result), (Ending::Succeeded, Ok(expected)), "{agent}");
    }
    for (agent, code) in [
        ("boom", "INTERNAL_ERROR"),
        ("bad-chunk", "INVALID_REQUEST"),
        ("huge-chunk", "INTERNAL_ERROR"),
        ("bad-progress", "INVALID_REQUEST"),
        ("leaseop", "PERMISSION_DENIED"),
    ] {
        let input = json!({ "capability": "fs.read", "target": "/a" });
        let over = home.call(agent, input, json!({})).await;
        assert_eq!((over.ending, over.result), (Ending::Failed, Err(code.to_owned())), "{agent}");
    }
    home.daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_agent_tells_what_it_should() {
    let home = Home::new().await;
    let over = home.call("mixed", Value::Null, json!({})).await;
    let expected = [
        ("log", json!({ "level": "info", "message": "first" })),
        ("thought", json!({ "text": "thinking" })),
        ("status", json!({ "phase": "working", "message": "half way" })),
        ("metric", json!({ "name": "x", "value": 1, "unit": "count" })),
        (
            "artifact_ref",
            json!({ "uri": "mem://a/1", "content_type": "text/plain", "byte_size": 3 }),
        ),
        ("x-vendor.acme.confidence", json!({ "score": 0.87 })),
    ];
    let expected: Vec<_> =
        expected.into_iter().map(|(kind, body)| (kind.to_owned(), body)).collect();
    assert_eq!(over.told, expected);
    let over = home.call("emit", json!({ "n": 2, "size": 5 }), json!({})).await;
    assert_eq!(over.told[1].1["message"], "1 xxx");
    let over = home.call("count", json!({ "n": 2 }), json!({})).await;
    assert_eq!(over.told[0].1, json!({ "name": "progress", "value": 50, "unit": "percent" }));
    let over = home.call("progress", Value::Null, json!({})).await;
    let body = json!({ "current": 5, "total": 10, "units": "files", "message": "go" });
    assert_eq!(over.told, [("progress".to_owned(), body)]);

    let over = home.call("streamer", Value::Null, json!({})).await;
    let data: String = over.told.iter().filter_map(|(_, chunk)| chunk["data"].as_str()).collect();
    let more: Vec<_> = over.told.iter().map(|(_, chunk)| &chunk["more"]).collect();
    assert_eq!(
        (data.as_str(), more),
        ("hello, world!", vec![&json!(true), &json!(true), &json!(false)])
    );
    let (stream, result) = (over.job.stream.unwrap(), over.job.result.unwrap());
    assert_eq!((stream.bytes, stream.is_closed, result.text.as_str()), (13, true, "3 chunks"));
    let over = home.call("binstream", json!({ "bytes": 250, "chunk": 100 }), json!({})).await;
    assert_eq!((over.told.len(), over.job.stream.unwrap().bytes), (3, 250));
    let over = home.call("stream-inline", Value::Null, json!({})).await;
    assert_eq!((over.told.len(), over.result), (2, Ok(Value::Null)));
    home.daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_are_held_to_their_lease() {
    let home = Home::new().await;
    let budget = json!({ "cost.budget": ["USD:1"], "tool.call": ["web.*"] });
    let input = json!({ "charges": [0.1, 0.2], "unit": "USD" });
    let over = home.call("spender", input, budget.clone()).await;
    assert_eq!(over.result, Ok(json!({ "remaining": 0.7 })));
    let over = home.call("spender", json!({ "charges": [-1] }), budget.clone()).await;
    assert_eq!(over.result, Err("INVALID_REQUEST".to_owned()));
    let over = home.call("overspender", Value::Null, budget.clone()).await;
    assert_eq!(over.result, Ok(json!({ "done": true })));
    assert_eq!(kinds(&over), ["metric", "metric", "tool_result"]);
    assert_eq!(over.told[2].1["error"]["code"], "BUDGET_EXHAUSTED");
    let over =
        home.call("toolcaller", json!({ "tool": "web.search", "call_id": "c1" }), budget).await;
    let call = json!({ "tool": "web.search", "call_id": "c1", "args": { "q": "x" } });
    assert_eq!(over.told, [("tool_call".to_owned(), call)]);
    let read = json!({ "fs.read": ["/a/**"] });
    let input = json!({ "capability": "fs.read", "target": "/a/b", "delayMs": 1 });
    assert_eq!(home.call("leaseop", input, read).await.result, Ok(json!({ "allowed": true })));
    // A function has no folder that a relative pattern could be seen from.
    for (target, is_allowed) in [("x", true), ("/x", false), ("x/y", false)] {
        let input = json!({ "capability": "fs.read", "target": target, "delayMs": 1 });
        let over = home.call("leaseop", input, json!({ "fs.read": ["*"] })).await;
        assert_eq!(over.result.is_ok(), is_allowed, "{target}: {:?}", over.result);
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    std::fs::create_dir(root.join("in")).unwrap();
    std::os::unix::fs::symlink("/etc", root.join("in/link")).unwrap();
    let read = json!({ "fs.read": [format!("{}/in/**", root.display())] });
    let input = json!({ "capability": "fs.read", "target": root.join("in/link/passwd") });
    let over = home.call("leaseop", input, read).await;
    assert_eq!(over.result, Err("PERMISSION_DENIED".to_owned()));
    home.daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_has_its_child_work_and_both_end_when_it_is_cancelled() {
    let home = Home::new().await;
    let lease = json!({ "agent.delegate": ["*"], "tool.call": ["web.*"] });
    let input = json!({ "waitMs": 1 });
    let over = home.call("parent", input, lease.clone()).await;
    assert_eq!(over.result, Ok(json!({ "ok": true })));
    assert_eq!(kinds(&over)[0], "delegate");
    let input = json!({ "lease_request": { "tool.call": ["**"] }, "delegate_id": "d" });
    let over = home.call("parent", input, lease.clone()).await;
    assert_eq!(over.told[1].1["error"]["code"], "LEASE_SUBSET_VIOLATION");

    let input = json!({ "agent": "stubborn", "child_input": {}, "waitMs": 3_600_000 });
    let parent = home.submit("parent", input, lease).await;
    let child = loop {
        let of = parent.clone();
        let mut watch = home.daemon.ports.journal.watch_job(&parent);
        let read =
            home.daemon.ports.readers.read(move |reader| {
                reader.list(&longhaul_core::port::Filter::default(), None, 100)
            });
        let rows = read.await.unwrap();
        let mut jobs = rows.iter().map(|row| Job::from_row(row).unwrap());
        if let Some(child) = jobs.find(|job| job.parent.as_ref() == Some(&of)) {
            break child.id;
        }
        watch.changed().await;
    };
    let (job, reason) = (parent.clone(), None);
    let cancel = Command::Cancel { job, reason, by_force: false, tree: false };
    home.daemon.ports.engine.ask(cancel).await.unwrap();
    assert_eq!(home.over(&parent).await.ending, Ending::Cancelled);
    assert_eq!(home.over(&child).await.ending, Ending::Cancelled);
    home.daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_and_turns_are_hosted_as_the_file_says() {
    let home = Home::new().await;
    // What is inside a job reports at the home's socket.
    let _clients = home.daemon.serve().unwrap();
    let script = r#"input=$(cat); "$0" emit log "$input"; "$0" emit result '{"got":1}'"#;
    let longhaul = env!("CARGO_BIN_EXE_longhaul");
    let written = format!(
        r#"
[[agent]]
name = "process"
command = ["sh", "-c", '''{script}''', "{longhaul}"]

[[agent]]
name = "deaf"
grace = "200ms"
command = ["sh", "-c", "trap '' TERM; sleep 1000"]

[[agent]]
name = "turn"
kind = "plain"
extra = ["true"]
"#
    );
    std::fs::write(home.daemon.ports.home.agents(), written).unwrap();
    let over = home.call("process", json!({ "a": 1 }), json!({})).await;
    assert_eq!((over.ending, over.result), (Ending::Succeeded, Ok(json!({ "got": 1 }))));
    assert_eq!(over.told[0].1["message"], r#"{"a":1}"#);

    let id = home.submit("deaf", Value::Null, json!({})).await;
    let mut watch = home.daemon.ports.journal.watch_job(&id);
    while home.load(&id).await.state_name() != "running" {
        watch.changed().await;
    }
    let (job, reason) = (id.clone(), None);
    let cancel = Command::Cancel { job, reason, by_force: false, tree: false };
    home.daemon.ports.engine.ask(cancel).await.unwrap();
    assert_eq!(home.over(&id).await.ending, Ending::Cancelled);

    let over = home.call("turn", json!({ "prompt": "go" }), json!({})).await;
    assert_eq!(over.ending, Ending::Succeeded, "{:?}", over.job.outcome());
    let agents = home.daemon.ports.readers.read(|reader| reader.ids(Table::Agent, "", 10));
    assert_eq!(agents.await.unwrap(), [""; 0], "an agent that was made for one turn goes with it");
    home.daemon.finish().await.unwrap();
}

use super::*;
use crate::daemon::{Daemon, DaemonOptions, HostedAsk};
use crate::ids;
use longhaul_core::command::Command;
use longhaul_core::event::Fact;
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_core::lease::Asked;
use longhaul_core::outcome::Ending;
use longhaul_core::port::{Record, Table};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Notify;

struct Home {
    folder: tempfile::TempDir,
    daemon: Daemon,
}

/// A job that is over, and what was told of it.
struct Over {
    job: Job,
    told: Vec<Value>,
}

impl Over {
    fn ending(&self) -> Ending {
        self.job.outcome().unwrap().kind
    }

    /// What was told of one kind.
    fn of(&self, name: &str) -> Vec<&Value> {
        let of_kind = self.told.iter().filter(|event| event["name"] == name);
        of_kind.map(|event| &event["body"]).collect()
    }
}

async fn start(folder: &Path) -> Daemon {
    let mut daemon = Daemon::start(&DaemonOptions::new(folder.to_owned())).unwrap();
    daemon.up().await;
    daemon
}

impl Home {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let daemon = start(folder.path()).await;
        Self { folder, daemon }
    }

    fn agent(&self, reference: &str) -> Registration {
        Hosting::of(&self.daemon.ports).agent(reference)
    }

    async fn submit(&self, agent: &str, input: Value) -> JobId {
        self.submit_with(agent, input, &[]).await
    }

    async fn submit_with(&self, agent: &str, input: Value, lease: &[(&str, &str)]) -> JobId {
        let inventory = &self.daemon.ports.inventory;
        let grant = |(name, of): &(&str, &str)| ((*name).to_owned(), vec![(*of).to_owned()]);
        let asked: Asked = lease.iter().map(grant).collect();
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
            self.daemon.ports.readers.read(move |reader| reader.entries(of.as_str(), 1, 1 << 20));
        let entries = read.await.unwrap();
        let fact = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let told = entries.iter().map(|entry| fact(&entry.body));
        let seqs: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (1..=job.events).collect::<Vec<_>>(), "numbers have no gaps");
        let told = told.filter(|fact| fact["kind"] == "told").collect();
        Over { job, told }
    }

    async fn call(&self, agent: &str, input: Value) -> Over {
        let id = self.submit(agent, input).await;
        self.over(&id).await
    }

    async fn cancel(&self, id: &JobId) {
        let (job, reason) = (id.clone(), Some("enough".to_owned()));
        let cancel = Command::Cancel { job, reason, by_force: false, tree: false };
        self.daemon.ports.engine.ask(cancel).await.unwrap();
    }

    async fn finish(self) -> tempfile::TempDir {
        self.daemon.finish().await.unwrap();
        self.folder
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_a_job_with_a_result() {
    let home = Home::new().await;
    let echo = |context: AgentContext| async move {
        assert_eq!((context.principal(), context.attempt()), ("alice", 1));
        Ok(AgentOutput::from(json!({ "echoed": context.input() })).summary("said again"))
    };
    home.agent("echo").body(echo).unwrap();
    let over = home.call("echo", json!({ "a": [1, null] })).await;
    let result = over.job.result.clone().unwrap();
    assert_eq!(over.ending(), Ending::Succeeded);
    assert_eq!(result.structured.as_deref(), Some(r#"{"echoed":{"a":[1,null]}}"#));
    assert_eq!(result.text, "said again");
    home.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_at_once_costs_two_commits() {
    let home = Home::new().await;
    home.agent("noop").body(|_| async { Ok(AgentOutput::from(Value::Null)) }).unwrap();
    let over = home.call("noop", Value::Null).await;
    let id = over.job.id.clone();
    let read = home.daemon.ports.readers.read(move |reader| reader.entries(id.as_str(), 1, 100));
    let entries = read.await.unwrap();
    let kinds: Vec<&str> =
        entries.iter().filter_map(|entry| entry.fact()).map(|fact| fact.name()).collect();
    assert_eq!(kinds, ["created", "starting", "started", "attempt_ended", "ended"]);
    assert!(over.job.cleanup.notices.open == 0, "its end is owed to no inbox");
    home.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_was_told_is_there_before_the_end_and_in_order() {
    let home = Home::new().await;
    let count = |context: AgentContext| async move {
        let n = context.input().as_u64().unwrap_or(0);
        for i in 0..n {
            context.log(LogLevel::Info, &i.to_string()).await?;
        }
        Ok(AgentOutput::from(n))
    };
    home.agent("count").body(count).unwrap();
    for n in [3, 20_000] {
        let over = home.call("count", json!(n)).await;
        let logs = over.of("log");
        let expected: Vec<String> = (0..n).map(|i| i.to_string()).collect();
        let messages: Vec<&str> = logs.iter().filter_map(|log| log["message"].as_str()).collect();
        assert_eq!(messages, expected);
    }
    home.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_keeps_its_code_and_a_panic_keeps_its_secrets() {
    let home = Home::new().await;
    let own = |_| async { Err(AgentFailure::coded("PERMISSION_DENIED", "not so")) };
    home.agent("own").body(own).unwrap();
    home.agent("panics").body(|_| async { panic!("at /secret/path") }).unwrap();
    let question = |_| async {
        let nothing: Result<u8, std::num::ParseIntError> = "/secret".parse();
        Ok(AgentOutput::from(nothing?))
    };
    home.agent("fails").body(question).unwrap();
    let over = home.call("own", Value::Null).await;
    assert_eq!(over.job.outcome().unwrap().message.as_deref(), Some("not so"));
    let failure = over.job.result.unwrap().failure.unwrap();
    assert_eq!((failure.code.as_str(), failure.is_retryable), ("PERMISSION_DENIED", false));
    for agent in ["panics", "fails"] {
        let over = home.call(agent, Value::Null).await;
        assert_eq!(over.ending(), Ending::Failed);
        let words = format!("{:?}{:?}", over.job.outcome(), over.job.result);
        assert!(!words.contains("secret") && !words.contains("digit"), "{words}");
    }
    home.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_listens_is_cancelled_and_one_that_does_not_is_dropped() {
    let home = Home::new().await;
    let listens = |context: AgentContext| async move {
        context.cancelled().await;
        Ok(AgentOutput::from("too late"))
    };
    home.agent("listens").body(listens).unwrap();
    let dropped = Arc::new(AtomicU32::new(0));
    let seen = dropped.clone();
    let deaf = move |_| {
        let seen = seen.clone();
        async move {
            let _guard = Guard(seen);
            std::future::pending::<()>().await;
            Ok(AgentOutput::default())
        }
    };
    home.agent("deaf").grace(Duration::from_millis(50)).body(deaf).unwrap();
    for agent in ["listens", "deaf"] {
        let id = home.submit(agent, Value::Null).await;
        home.cancel(&id).await;
        let over = home.over(&id).await;
        assert_eq!(over.ending(), Ending::Cancelled, "{agent}");
    }
    // Its end is known before the last of it is put away.
    home.finish().await;
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

struct Guard(Arc<AtomicU32>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_body_that_cannot_be_dropped_holds_up_nobody() {
    let home = Home::new().await;
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Arc::new(std::sync::Mutex::new(held));
    let blocks = move |_| {
        let held = held.clone();
        async move {
            // Waits without ever giving its thread back, until the test lets go.
            let _released = held.lock().unwrap().recv();
            Ok(AgentOutput::from("too late"))
        }
    };
    home.agent("blocks").grace(Duration::from_millis(10)).body(blocks).unwrap();
    let id = home.submit("blocks", Value::Null).await;
    home.cancel(&id).await;
    let over = home.over(&id).await;
    assert_eq!(over.ending(), Ending::Cancelled);
    drop(release);
    assert!(home.load(&id).await.result.is_none(), "its late result is thrown away");
    home.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_told_in_pieces_where_it_is_large_or_comes_so() {
    let home = Home::new().await;
    let streams = |context: AgentContext| async move {
        let mut stream = context.stream()?;
        stream.text("hello, ").await?;
        stream.text("world").await?;
        Ok(AgentOutput::from(json!({ "inline": 1 })).summary("2 pieces"))
    };
    home.agent("streams").body(streams).unwrap();
    let large = |_| async { Ok(AgentOutput::from("é".repeat(limits::HOSTED_RESULT_BYTES_MAX))) };
    home.agent("large").body(large).unwrap();
    let bytes = |context: AgentContext| async move {
        context.stream()?.last_bytes(&[7; 1_300_000]).await?;
        Ok(AgentOutput::default())
    };
    home.agent("bytes").body(bytes).unwrap();

    let over = home.call("streams", Value::Null).await;
    let chunks = over.of("result_chunk");
    let data: Vec<_> = chunks.iter().map(|chunk| (&chunk["data"], &chunk["more"])).collect();
    let (yes, no) = (json!(true), json!(false));
    let texts = [json!("hello, "), json!("world"), json!("")];
    assert_eq!(data, [(&texts[0], &yes), (&texts[1], &yes), (&texts[2], &no)]);
    let (stream, result) = (over.job.stream.unwrap(), over.job.result.unwrap());
    assert!(stream.is_closed && stream.bytes == 12);
    assert_eq!((result.structured, result.text.as_str()), (None, "2 pieces"));

    let over = home.call("large", Value::Null).await;
    let chunks = over.of("result_chunk");
    let text: String = chunks.iter().filter_map(|chunk| chunk["data"].as_str()).collect();
    assert_eq!(text.len(), 2 * limits::HOSTED_RESULT_BYTES_MAX + 2);
    assert_eq!(over.job.stream.unwrap().bytes, text.len() as u64);

    let over = home.call("bytes", Value::Null).await;
    assert_eq!(over.of("result_chunk").len(), 3);
    assert_eq!(over.job.stream.unwrap().bytes, 1_300_000);
    home.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_piece_is_refused_to_the_body() {
    let home = Home::new().await;
    let bad = |context: AgentContext| async move {
        let (result_id, data) = ("r".to_owned(), "x".to_owned());
        let chunk = Chunk { result_id, chunk_seq: 1, data, encoding: "utf8", more: true };
        context.chunk(chunk).await?;
        Ok(AgentOutput::default())
    };
    home.agent("bad").body(bad).unwrap();
    let over = home.call("bad", Value::Null).await;
    let failure = over.job.result.unwrap().failure.unwrap();
    assert_eq!(failure.code, AgentFailure::INVALID_REQUEST);
    assert_eq!(over.told, [] as [Value; 0]);
    home.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_spent_counts_before_the_next_operation() {
    let home = Home::new().await;
    let spends = |context: AgentContext| async move {
        context.tool_call("web.search", "c0", json!({ "q": "x" })).await?;
        context.metric(Metric::new("cost.tokens", 0.5).unit("USD")).await?;
        let left = context.remaining("USD").await?.map(|amount| amount.to_json());
        assert_eq!(left.map(|left| left.to_string()).as_deref(), Some("0.5"));
        context.metric(Metric::new("cost.tokens", 0.5).unit("USD")).await?;
        let refused = context.tool_call("web.search", "c1", json!({ "q": "x" })).await;
        assert_eq!(refused.unwrap_err().code(), "BUDGET_EXHAUSTED");
        Ok(AgentOutput::from(json!({ "done": true })))
    };
    home.agent("spends").body(spends).unwrap();
    let asks = |context: AgentContext| async move {
        context.authorize("fs.read", "/etc/passwd").await?;
        Ok(AgentOutput::default())
    };
    home.agent("asks").body(asks).unwrap();
    let lease = [("cost.budget", "USD:1"), ("tool.call", "web.*")];
    let id = home.submit_with("spends", Value::Null, &lease).await;
    let over = home.over(&id).await;
    assert_eq!(over.ending(), Ending::Succeeded, "{:?}", over.job.outcome());
    let results = over.of("tool_result");
    assert_eq!(over.of("tool_call").len(), 1);
    assert_eq!(results[0]["error"]["code"], "BUDGET_EXHAUSTED");
    let over = home.call("asks", Value::Null).await;
    let failure = over.job.result.unwrap().failure.unwrap();
    assert_eq!(failure.code, "PERMISSION_DENIED");
    home.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_agent_works_under_a_part_of_the_lease() {
    let home = Home::new().await;
    home.agent("child").body(|_| async { Ok(AgentOutput::from(json!({ "child": 1 }))) }).unwrap();
    let done = Arc::new(Notify::new());
    let asked = done.clone();
    let parent = move |context: AgentContext| {
        let asked = asked.clone();
        async move {
            let ask = Delegate { id: "del_1".into(), agent: "child".into(), ..Delegate::default() };
            let child = context.delegate(ask.clone()).await?;
            let none = Delegate { id: "del_2".into(), agent: "none".into(), ..ask };
            let refused = context.delegate(none).await.unwrap_err();
            assert_eq!(refused.code(), "AGENT_NOT_AVAILABLE");
            asked.notified().await;
            Ok(AgentOutput::from(child.as_str()))
        }
    };
    home.agent("parent").body(parent).unwrap();
    let lease = [("agent.delegate", "*")];
    let id = home.submit_with("parent", Value::Null, &lease).await;
    let mut watch = home.daemon.ports.journal.watch_job(&id);
    loop {
        let of = id.clone();
        let read = home.daemon.ports.readers.read(move |reader| reader.entries(of.as_str(), 1, 99));
        let told = read.await.unwrap();
        let is_result =
            |fact: Fact| matches!(fact, Fact::Told { name, .. } if name == "tool_result");
        if told
            .iter()
            .filter_map(|entry| entry.fact())
            .filter(|fact| is_result(fact.clone()))
            .count()
            == 2
        {
            break;
        }
        watch.changed().await;
    }
    done.notify_one();
    let over = home.over(&id).await;
    assert_eq!(over.of("delegate").len(), 2);
    let child = over.job.result.unwrap().structured.unwrap();
    let child = JobId::parse(child.trim_matches('"')).unwrap();
    let child = home.over(&child).await.job;
    assert_eq!((child.parent, child.spec.hosted.unwrap().depth), (Some(id), 1));
    home.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_is_refused_leaves_no_agent_behind() {
    let home = Home::new().await;
    let written = "[[agent]]\nname = \"turn\"\nkind = \"plain\"\nextra = [\"true\"]\n";
    std::fs::write(home.daemon.ports.home.agents(), written).unwrap();
    let parent = |context: AgentContext| async move {
        let (id, agent, input) = ("d".to_owned(), "turn".to_owned(), json!("go"));
        let ask = Delegate { id, agent, input, ..Delegate::default() };
        Err(context.delegate(ask).await.unwrap_err())
    };
    home.agent("parent").body(parent).unwrap();
    let over = home.call("parent", Value::Null).await;
    assert_eq!(over.job.result.unwrap().failure.unwrap().code, "PERMISSION_DENIED");
    let agents = home.daemon.ports.readers.read(|reader| reader.ids(Table::Agent, "", 10));
    assert_eq!(agents.await.unwrap(), [""; 0]);
    home.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_began_is_lost_or_run_again_as_its_agent_says() {
    let home = Home::new().await;
    let waits = |_| async {
        std::future::pending::<()>().await;
        Ok(AgentOutput::default())
    };
    home.agent("once").body(waits).unwrap();
    home.agent("again").reruns(1).body(waits).unwrap();
    let once = home.submit("once", Value::Null).await;
    let again = home.submit("again", Value::Null).await;
    for id in [&once, &again] {
        let mut watch = home.daemon.ports.journal.watch_job(id);
        while home.load(id).await.state_name() != "running" {
            watch.changed().await;
        }
    }
    let folder = home.finish().await;
    let daemon = start(folder.path()).await;
    let home = Home { folder, daemon };
    let returns = |_| async { Ok(AgentOutput::from("again")) };
    home.agent("once").body(returns).unwrap();
    home.agent("again").reruns(1).body(returns).unwrap();
    assert_eq!(home.over(&once).await.ending(), Ending::Lost);
    assert_eq!(home.over(&again).await.ending(), Ending::Succeeded);
    home.finish().await;
}

use super::super::{Daemon, DaemonOptions, Returned};
use super::*;
use crate::ids;
use futures_util::FutureExt;
use longhaul_core::lease::{Asked, Lease};

struct Fixture {
    folder: tempfile::TempDir,
    daemon: Daemon,
}

impl Fixture {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Daemon::start(&DaemonOptions::new(folder.path().to_owned())).unwrap();
        Self { folder, daemon }
    }

    fn inventory(&self) -> &Inventory {
        &self.daemon.ports.inventory
    }

    fn write(&self, text: &str) {
        std::fs::write(self.folder.path().join("agents.toml"), text).unwrap();
    }

    fn register(&self, reference: &str, is_default: bool) {
        let (name, version) = match reference.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (reference, None),
        };
        let entry =
            Entry { is_default, ..Entry::task(name, version, format!("agent/{reference}")) };
        let body: Body = Arc::new(|_| async { Returned::default() }.boxed());
        self.inventory().register(entry, body).unwrap();
    }

    fn resolved(&self, reference: &str) -> Result<String, NoAgent> {
        self.inventory().resolve(reference).map(|agent| agent.reference())
    }
}

fn ask(input: &str) -> HostedAsk {
    HostedAsk {
        id: ids::job_id().unwrap(),
        principal: "alice".into(),
        session: None,
        key: Some("k".into()),
        input: input.into(),
        lease: Lease::default(),
        trace: String::new(),
        runtime_max: None,
        parent: None,
        delegate: None,
        depth: 0,
        extensions: None,
    }
}

fn lease(grants: &[(&str, &[&str])]) -> Lease {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    let asked: Asked = grants.iter().map(|(name, of)| ((*name).to_owned(), texts(of))).collect();
    Lease::parse(&asked, None).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_alone_means_the_default_version() {
    let home = Fixture::start();
    home.register("calc@1.0.0", false);
    home.register("calc@2.0.0", true);
    home.register("echo", false);
    home.write("[[agent]]\nname = \"calc\"\nversion = \"3\"\ntask = \"t\"\n");
    assert_eq!(home.resolved("calc").unwrap(), "calc@2.0.0");
    assert_eq!(home.resolved("calc@1.0.0").unwrap(), "calc@1.0.0");
    assert_eq!(home.resolved("echo").unwrap(), "echo");
    assert_eq!(home.resolved("Echo"), Err(NoAgent::Grammar));
    assert_eq!(home.resolved("other"), Err(NoAgent::Unknown("other".into())));
    let version = NoAgent::Version { name: "echo".into(), version: "1".into() };
    assert_eq!(home.resolved("echo@1"), Err(version));
    let calc = Offered {
        name: "calc".into(),
        versions: vec!["1.0.0".into(), "2.0.0".into(), "3".into()],
        default: Some("2.0.0".into()),
    };
    let echo = Offered { name: "echo".into(), versions: Vec::new(), default: None };
    assert_eq!(home.inventory().list(), [calc, echo]);
    home.daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_read_again_and_a_bad_one_changes_nothing() {
    let home = Fixture::start();
    home.write("[[agent]]\nname = \"a\"\nversion = \"1\"\ncommand = [\"true\"]\n");
    let first = home.inventory().resolve("a").unwrap();
    home.write("[[agent]]\nname = \"a\"\nversion = \"22\"\ncommand = [\"false\"]\n");
    assert_eq!(home.resolved("a").unwrap(), "a@22");
    assert_eq!(first.reference(), "a@1", "what was asked for stays what it was");
    home.write("[[agent]]\nname = \"a\"\n");
    assert_eq!(home.resolved("a").unwrap(), "a@22");
    assert!(home.inventory().problem().unwrap().starts_with("line 1: "));
    std::fs::remove_file(home.folder.path().join("agents.toml")).unwrap();
    assert_eq!(home.resolved("a"), Err(NoAgent::Unknown("a".into())));
    assert_eq!(home.inventory().problem(), None);
    home.daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_does_not_start_with_a_file_that_it_does_not_understand() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("agents.toml"), "[[agent]]\nname = \"A\"\n").unwrap();
    let options = DaemonOptions::new(folder.path().to_owned());
    let error = Daemon::start(&options).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("line 1: `A` is no name"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ask_becomes_a_job_of_its_sort() {
    let home = Fixture::start();
    home.register("body", false);
    home.write(
        "[[agent]]\nname = \"turn\"\nkind = \"plain\"\nextra = [\"true\"]\nbudget_usd = 2\n\
         [[agent]]\nname = \"process\"\ncommand = [\"cat\"]\ntimeout = \"5s\"\nretry = 1\n",
    );
    let inventory = home.inventory();
    let body = inventory.resolve("body").unwrap();
    let made = inventory.prepare(&body, ask("[1]")).await.unwrap().submission;
    assert_eq!((made.spec.pool.as_str(), made.spec.check()), (POOL, Ok(())));
    assert_eq!(made.spec.hosted.as_ref().unwrap().input, "[1]");
    assert!(made.key.as_ref().unwrap().starts_with("hosted/"));

    let process = inventory.resolve("process").unwrap();
    let long = Some(Millis::from_secs(60));
    let asked = HostedAsk { runtime_max: long, ..ask("{}") };
    let made = inventory.prepare(&process, asked).await.unwrap().submission;
    assert_eq!(made.spec.timeout, Some(Millis::from_secs(5)), "the shorter of both");
    let stdin = made.spec.stdin.as_ref().unwrap();
    assert_eq!(std::fs::read(home.daemon.ports.home.blob(&stdin.sha256)).unwrap(), b"{}");

    let turn = inventory.resolve("turn").unwrap();
    let made = inventory.prepare(&turn, ask(r#"{"prompt":"go"}"#)).await.unwrap();
    assert_eq!(made.submission.spec.turn.as_ref().unwrap().prompt, "go");
    assert!(matches!(&made.before[..], [Command::AddAgent { .. }]));
    let refused = inventory.prepare(&turn, ask("5")).await.unwrap_err();
    assert!(matches!(refused, NotSubmitted::Unfit(Unfit::Input(_))), "{refused}");
    home.daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_granted_no_more_than_it_may_be() {
    let home = Fixture::start();
    home.write(
        "[[agent]]\nname = \"a\"\ntask = \"t\"\n\
         lease = { \"tool.call\" = [\"web.*\"], \"cost.budget\" = [\"USD:5\", \"EUR:2\"] }\n",
    );
    let agent = home.inventory().resolve("a").unwrap();
    let granted = |asked: Lease| agent.prepare(HostedAsk { lease: asked, ..ask("null") }, None);
    let wider = granted(lease(&[("tool.call", &["**"])])).unwrap_err();
    assert!(matches!(wider, Unfit::Lease(_)), "{wider}");
    let granted = |asked: Lease| {
        let made = granted(asked).unwrap().submission;
        made.spec.hosted.unwrap().lease.asked()
    };
    let made = granted(lease(&[("tool.call", &["web.search"])]));
    assert_eq!(made["tool.call"], ["web.search"]);
    let all = ["EUR:2", "USD:5"];
    assert_eq!(made["cost.budget"], all, "who asks for no budget has the most there is");
    // Nor does anybody get around that by asking for a part of it, or for nothing by name.
    assert_eq!(granted(lease(&[("cost.budget", &[])]))["cost.budget"], all);
    let of_one = granted(lease(&[("cost.budget", &["USD:1"])]));
    assert_eq!(of_one["cost.budget"], ["USD:1", "EUR:2"]);
    home.daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_twice_is_asking_once_also_for_a_turn() {
    let home = Fixture::start();
    home.write("[[agent]]\nname = \"turn\"\nkind = \"plain\"\nextra = [\"true\"]\n");
    let inventory = home.inventory();
    let agent = inventory.resolve("turn").unwrap();
    let (first, is_new) = inventory.submit(&agent, ask("\"go\"")).await.unwrap();
    assert!(is_new);
    let again = inventory.submit(&agent, ask("\"go\"")).await.unwrap();
    assert_eq!(again, (first, false));
    assert!(inventory.submit(&agent, ask("\"other\"")).await.is_err());
    let bob = HostedAsk { principal: "bob".into(), ..ask("\"other\"") };
    assert!(inventory.submit(&agent, bob).await.unwrap().1, "keys of others are others");
    let agents = home.daemon.ports.readers.read(|reader| reader.ids(Table::Agent, "", 10));
    assert_eq!(agents.await.unwrap().len(), 2, "no agent is left of what was known already");
    home.daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_key_gives_its_job_whatever_has_become_of_its_agent() {
    let home = Fixture::start();
    let inventory = home.inventory();
    let keyed = |key: &str, input: &str| HostedAsk { key: Some(key.into()), ..ask(input) };
    home.register("body@1", true);
    home.write("[[agent]]\nname = \"tool\"\ncommand = [\"true\"]\n");
    let body = inventory.ask("body", keyed("body", "1")).await.unwrap();
    let named = inventory.ask("body@1", keyed("named", "1")).await.unwrap();
    let tool = inventory.ask("tool", keyed("tool", "1")).await.unwrap();
    // Its default is another, and it may be granted less.
    home.register("body@2", true);
    let again = inventory.ask("body", keyed("body", "1")).await.unwrap();
    assert!(!again.was.is_new());
    assert_eq!(again.id, body.id, "no version was named");
    let again = inventory.ask("body@1", keyed("named", "1")).await.unwrap();
    assert_eq!(again.id, named.id);
    let refused = inventory.ask("body@2", keyed("named", "1")).await.unwrap_err();
    let is_reused = |refused: &NotSubmitted, of: &JobId| {
        let NotSubmitted::Engine(AskError::Refused(Refused::KeyReused { job, .. })) = refused
        else {
            panic!("{refused:?}")
        };
        job == of
    };
    assert!(is_reused(&refused, &named.id));
    // It is gone.
    home.write("");
    let again = inventory.ask("tool", keyed("tool", "1")).await.unwrap();
    assert!(!again.was.is_new());
    assert_eq!(again.id, tool.id);
    let refused = inventory.ask("tool", keyed("tool", "2")).await.unwrap_err();
    assert!(is_reused(&refused, &tool.id));
    let refused = inventory.ask("tool", keyed("other", "1")).await.unwrap_err();
    assert!(matches!(refused, NotSubmitted::NoAgent(NoAgent::Unknown(_))), "{refused:?}");
    let bob = HostedAsk { principal: "bob".into(), ..keyed("tool", "1") };
    assert!(inventory.ask("tool", bob).await.is_err(), "keys of others are others");
    home.daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_key_gives_its_job_also_where_its_agent_may_be_granted_less_since() {
    let home = Fixture::start();
    let inventory = home.inventory();
    let tool = |most: &str| {
        home.write(&format!("[[agent]]\nname = \"tool\"\ncommand = [\"true\"]\n{most}\n"));
    };
    let asked = || HostedAsk { lease: lease(&[("cost.budget", &["USD:2"])]), ..ask("1") };
    tool("timeout = \"10m\"");
    let first = inventory.ask("tool", asked()).await.unwrap();
    tool("timeout = \"5m\"\nlease = { \"cost.budget\" = [\"EUR:1\", \"USD:3\"] }");
    assert_eq!(inventory.ask("tool", asked()).await.unwrap().id, first.id);
    tool("timeout = \"5m\"\nlease = { \"cost.budget\" = [\"USD:1\"] }");
    assert_eq!(inventory.ask("tool", asked()).await.unwrap().id, first.id);
    let other = HostedAsk { lease: lease(&[("cost.budget", &["USD:1"])]), ..ask("1") };
    assert!(inventory.ask("tool", other).await.is_err(), "less was asked for");
    home.daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_while_it_asks_for_a_turn_leaves_no_agent_without_one() {
    use longhaul_core::port::Table;
    let home = Fixture::start();
    home.write("[[agent]]\nname = \"turn\"\nkind = \"plain\"\nextra = [\"true\"]\n");
    let agent = home.inventory().resolve("turn").unwrap();
    // The daemon is not up, so that whatever is made stays.
    for looks in 0..40 {
        let mut asked =
            Box::pin(home.inventory().submit(&agent, HostedAsk { key: None, ..ask("\"go\"") }));
        for _ in 0..looks {
            if asked.as_mut().now_or_never().is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    let count = |table| home.daemon.ports.readers.read(move |reader| reader.ids(table, "", 99));
    let whole = async {
        loop {
            let (agents, jobs) =
                (count(Table::Agent).await.unwrap(), count(Table::Job).await.unwrap());
            if agents.len() == jobs.len() && !jobs.is_empty() {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), whole)
        .await
        .expect("each has its turn");
    home.daemon.finish().await.unwrap();
}

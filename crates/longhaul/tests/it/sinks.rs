//! Notices on their way to sinks: a real daemon, real receivers, and what is kept of each try.

use crate::daemon_support::{PATIENCE, Place, outcome, submit};
use longhaul::daemon::Ports;
use longhaul_core::command::{Command, Reply};
use longhaul_core::delivery::{Delivery, DeliveryState};
use longhaul_core::id::{DeliveryId, JobId};
use longhaul_core::port::{Record, Table};
use longhaul_core::sink::{Sink, SinkKind};
use longhaul_core::time::{Millis, Timestamp};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A webhook's receiver, and the URL that it is known by.
pub(crate) struct Receiver {
    listener: TcpListener,
    pub(crate) url: String,
}

/// What a receiver was asked.
pub(crate) struct Asked {
    wire: TcpStream,
    head: String,
    notice: Value,
}

impl Receiver {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        Self { listener, url }
    }

    pub(crate) async fn next(&self) -> Asked {
        tokio::time::timeout(PATIENCE, self.take()).await.expect("somebody asks")
    }

    /// Whether nobody waits to be taken.
    #[cfg(feature = "full-disk")]
    pub(crate) async fn is_left_alone(&self) -> bool {
        tokio::select! {
            biased;
            _ = self.listener.accept() => false,
            () = tokio::task::yield_now() => true,
        }
    }

    async fn take(&self) -> Asked {
        let (mut wire, _) = self.listener.accept().await.unwrap();
        let mut asked = vec![];
        loop {
            let text = String::from_utf8_lossy(&asked);
            if let Some((head, body)) = text.split_once("\r\n\r\n")
                && let Ok(notice) = serde_json::from_str(body)
            {
                return Asked { head: head.to_owned(), notice, wire };
            }
            assert!(wire.read_buf(&mut asked).await.unwrap() > 0, "it broke off");
        }
    }
}

impl Asked {
    pub(crate) async fn answer(mut self, text: &str) {
        self.wire.write_all(text.as_bytes()).await.unwrap();
        self.wire.shutdown().await.unwrap();
        // The one who asked hangs up once it knows the answer.
        let rest = self.wire.read_to_end(&mut vec![]).await;
        assert_eq!(rest.unwrap(), 0);
    }

    fn header(&self, name: &str) -> String {
        let line = self.head.lines().find(|line| line.starts_with(name)).expect("it is there");
        line.split_once(": ").unwrap().1.to_owned()
    }
}

pub(crate) async fn add(ports: &Ports, sink: &str, kind: SinkKind) {
    let add = Command::AddSink { sink: sink.to_owned(), kind, replace: false };
    assert_eq!(ports.engine.ask(add).await.unwrap(), Reply::Done);
}

pub(crate) fn webhook(url: &str) -> SinkKind {
    SinkKind::Webhook { url: url.to_owned(), secret_file: None }
}

fn shell(place: &Place, script: &str) -> SinkKind {
    let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    SinkKind::Exec { command, cwd: place.root.path().to_str().unwrap().to_owned() }
}

pub(crate) async fn end_a_job(place: &Place, ports: &Ports, sink: &str) -> JobId {
    let mut spec = place.shell("echo said; exit 3");
    spec.notify = vec![sink.to_owned()];
    let id = submit(ports, spec).await;
    outcome(ports, &id).await;
    id
}

pub(crate) async fn delivery(ports: &Ports, job: &JobId, sink: &str) -> Delivery {
    let id = DeliveryId::of(job, &format!("sink:{sink}"));
    let read = ports.readers.read(move |reader| {
        let row = reader.load(Table::Delivery, id.as_str())?.expect("it is owed with the end");
        Ok(Delivery::from_row(&row)?)
    });
    read.await.unwrap()
}

/// Waits until the delivery is as `is_so` wants it, and gives it.
async fn until(
    ports: &Ports,
    job: &JobId,
    sink: &str,
    is_so: impl Fn(&Delivery) -> bool,
) -> Delivery {
    let waiting = async {
        loop {
            let delivery = delivery(ports, job, sink).await;
            if is_so(&delivery) {
                return delivery;
            }
        }
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(delivery) => delivery,
        Err(_) => panic!("waited in vain: {:#?}", delivery(ports, job, sink).await),
    }
}

pub(crate) async fn until_ended(ports: &Ports, job: &JobId, sink: &str) -> Delivery {
    until(ports, job, sink, |delivery| !delivery.is_open()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_told_how_a_job_ended_and_what_it_said() {
    let (place, receiver) = (Place::new(), Receiver::new().await);
    let daemon = place.start();
    let ports = &daemon.ports;
    add(ports, "hook", webhook(&receiver.url)).await;
    let job = end_a_job(&place, ports, "hook").await;
    let asked = receiver.next().await;
    let notice = &asked.notice;
    assert_eq!(notice["type"], "job.ended");
    assert_eq!((&notice["to"], &notice["try"]), (&"sink:hook".into(), &1.into()));
    assert_eq!(notice["job"]["id"], job.as_str());
    assert_eq!(notice["job"]["outcome"]["exit_code"], 3);
    assert_eq!(notice["output"]["stdout_tail"], "said\n");
    assert_eq!(notice["id"], asked.header("webhook-id").as_str());
    asked.answer("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nthanks").await;
    let told = until_ended(ports, &job, "hook").await;
    assert_eq!(told.state_name(), "acked");
    assert_eq!(told.receipts.last().unwrap().answer, "HTTP 200: thanks");
    daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_died_before_it_answered_is_told_again_under_the_same_id() {
    let (place, receiver) = (Place::new(), Receiver::new().await);
    let daemon = place.start();
    let ports = &daemon.ports;
    add(ports, "hook", webhook(&receiver.url)).await;
    let job = end_a_job(&place, ports, "hook").await;
    let first = receiver.next().await;
    let id = first.header("webhook-id");
    drop(first);
    let second = receiver.next().await;
    assert_eq!((second.header("webhook-id"), &second.notice["try"]), (id, &2.into()));
    second.answer("HTTP/1.1 204 x\r\n\r\n").await;
    let told = until_ended(ports, &job, "hook").await;
    assert_eq!((told.state_name(), told.tries, told.failures), ("acked", 2, 1));
    daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_is_told_no_more() {
    let (place, receiver) = (Place::new(), Receiver::new().await);
    let daemon = place.start();
    let ports = &daemon.ports;
    add(ports, "hook", webhook(&receiver.url)).await;
    let job = end_a_job(&place, ports, "hook").await;
    receiver.next().await.answer("HTTP/1.1 410 Gone\r\n\r\n").await;
    let told = until_ended(ports, &job, "hook").await;
    assert_eq!((told.state_name(), told.tries), ("dead", 1));
    daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_says_when_is_left_alone_until_then() {
    let (place, receiver) = (Place::new(), Receiver::new().await);
    let daemon = place.start();
    let ports = &daemon.ports;
    add(ports, "hook", webhook(&receiver.url)).await;
    let job = end_a_job(&place, ports, "hook").await;
    let before = ports.clock.now();
    receiver.next().await.answer("HTTP/1.1 429 x\r\nretry-after: 3600\r\n\r\n").await;
    let told = until(ports, &job, "hook", |delivery| delivery.failures == 1).await;
    let DeliveryState::Pending { not_before, .. } = told.state else { panic!("{told:?}") };
    assert!(not_before >= before.plus(Millis::from_secs(3_600)), "{not_before:?}");
    daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_gets_the_notice_on_its_standard_input() {
    let place = Place::new();
    let daemon = place.start();
    let ports = &daemon.ports;
    add(ports, "file", shell(&place, "cat >notice.json; echo kept")).await;
    let job = end_a_job(&place, ports, "file").await;
    let told = until_ended(ports, &job, "file").await;
    assert_eq!(told.state_name(), "acked");
    assert_eq!(told.receipts.last().unwrap().answer, "exit code 0: kept");
    let notice = std::fs::read(place.root.path().join("notice.json")).unwrap();
    let notice: Value = serde_json::from_slice(&notice).unwrap();
    assert_eq!((&notice["id"], &notice["to"]), (&told.id.as_str().into(), &"sink:file".into()));
    daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sinks_that_never_answer_hold_up_no_other() {
    let (place, sound, silent) = (Place::new(), Receiver::new().await, Receiver::new().await);
    let daemon = place.start();
    let ports = &daemon.ports;
    add(ports, "silent", webhook(&silent.url)).await;
    add(ports, "hangs", shell(&place, "sleep 3600 & wait")).await;
    add(ports, "sound", webhook(&sound.url)).await;
    for _ in 0..10 {
        for sink in ["silent", "hangs"] {
            end_a_job(&place, ports, sink).await;
        }
    }
    let job = end_a_job(&place, ports, "sound").await;
    sound.next().await.answer("HTTP/1.1 200 OK\r\n\r\n").await;
    assert_eq!(until_ended(ports, &job, "sound").await.tries, 1);
    // All of it is dropped at once, although nobody has answered yet.
    daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_under_way_when_the_daemon_ends_is_sent_by_the_next() {
    let (place, receiver) = (Place::new(), Receiver::new().await);
    let daemon = place.start();
    add(&daemon.ports, "hook", webhook(&receiver.url)).await;
    let job = end_a_job(&place, &daemon.ports, "hook").await;
    let first = receiver.next().await;
    daemon.finish().await.unwrap();
    let daemon = place.start();
    let again = receiver.next().await;
    assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
    again.answer("HTTP/1.1 200 OK\r\n\r\n").await;
    assert_eq!(until_ended(&daemon.ports, &job, "hook").await.state_name(), "acked");
    daemon.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_can_be_tried_out() {
    let (place, receiver) = (Place::new(), Receiver::new().await);
    let daemon = place.start();
    let sink = |kind| Sink::new("x".to_owned(), kind, Timestamp::from_millis(0)).unwrap();
    let id = DeliveryId::of(&longhaul::ids::job_id().unwrap(), "a test");
    let hook = sink(webhook(&receiver.url));
    let answering = async {
        let asked = receiver.next().await;
        assert_eq!(
            (&asked.notice["type"], &asked.notice["job"]),
            (&"sink.test".into(), &Value::Null)
        );
        asked.answer("HTTP/1.1 200 OK\r\n\r\n").await;
    };
    let (tested, ()) = tokio::join!(daemon.ports.courier.test(&hook, &id), answering);
    assert_eq!((tested.ok, tested.answer.as_str()), (true, "HTTP 200"));
    let failing = sink(shell(&place, "echo no >&2; exit 4"));
    let tested = daemon.ports.courier.test(&failing, &id).await;
    assert_eq!((tested.ok, tested.answer.as_str()), (false, "exit code 4: no"));
    let agent = sink(SinkKind::Agent { agent: "a".to_owned() });
    assert!(!daemon.ports.courier.test(&agent, &id).await.ok);
    daemon.finish().await.unwrap();
}

//! The driver of deliveries: takes notices to sinks, and reports what each sink made of it. A try is
//! known by its delivery and its number; it may be wanted more than once and is made once. What is
//! under way when the daemon ends is dropped: its claim lapses, and whoever is there then sends the
//! same notice again under the same id.

mod agent;
mod answer;
mod connect;
mod desktop;
mod driver;
mod exec;
mod policy;
mod signature;
mod target;
mod webhook;

pub(super) use self::connect::Connector;
pub(super) use self::driver::CourierDriver;
pub(super) use self::exec::{End, Group, PASSED_ON};
pub use self::signature::check_secret;
pub(super) use self::target::Target;
pub use self::target::{check_url, shown_url};

use self::answer::Answer;
use self::exec::Program;
use self::webhook::Webhook;
use super::{AskError, EngineHandle, Readers, Spools};
use crate::api::Notice;
use crate::clock::wall_now;
use crate::config::Webhooks;
use crate::notice::{self, Address};
use bytes::Bytes;
use longhaul_core::approval::Approval;
use longhaul_core::command::Deliver;
use longhaul_core::delivery::{Delivery, Destination};
use longhaul_core::id::{DeliveryId, HostId};
use longhaul_core::job::Job;
use longhaul_core::port::{Reader, Record, StoreError, Table};
use longhaul_core::sink::{Sink, SinkKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Sinks tried out by hand at the same time; more wait their turn.
const TESTS_AT_ONCE_MAX: usize = 8;

/// Sends notices. Cheap to clone.
#[derive(Clone)]
pub struct Courier {
    shared: Arc<Shared>,
}

/// What a courier is given.
pub(super) struct Sources {
    pub(super) engine: EngineHandle,
    pub(super) readers: Readers,
    pub(super) spools: Spools,
    /// The home's folder, which programs are told.
    pub(super) home: PathBuf,
    pub(super) host: HostId,
    pub(super) webhooks: Webhooks,
    /// How long one try may take.
    pub(super) limit: Duration,
}

struct Shared {
    sources: Sources,
    connector: Connector,
    tests: Semaphore,
}

/// What came of trying out a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// Whether the sink took the notice.
    pub ok: bool,
    /// What it answered, or what went wrong, in words.
    pub answer: String,
}

/// One try of one notice, ready to be sent.
#[derive(Clone, Debug)]
struct Letter {
    /// The delivery's id: what a receiver drops doubles by.
    id: String,
    /// Which try.
    number: u32,
    /// The notice as JSON, the same bytes for whoever signs and whoever sends.
    body: Bytes,
}

/// What a try needs to know, as it is committed just before the try.
struct Errand {
    delivery: Delivery,
    /// Nothing if the job was removed meanwhile.
    job: Option<Job>,
    /// Nothing if the sink was removed meanwhile.
    sink: Option<Sink>,
    /// The question that is told, if it is one.
    approval: Option<Approval>,
}

impl Courier {
    pub(super) fn new(sources: Sources) -> Self {
        let webhooks = &sources.webhooks;
        let connector = Connector::new(webhooks.allow_private, webhooks.ca_file.clone());
        let tests = Semaphore::new(TESTS_AT_ONCE_MAX);
        Self { shared: Arc::new(Shared { sources, connector, tests }) }
    }

    /// Sends a notice that tells of nothing to a sink, now and once. `id` is one that no delivery
    /// has. Nothing is stored.
    pub async fn test(&self, sink: &Sink, id: &DeliveryId) -> Tested {
        let permit = self.shared.tests.acquire().await.expect("the semaphore is never closed");
        let address = address(id, 1, &sink.name);
        let answer = self.send(sink, &notice::of_test(address, wall_now())).await;
        drop(permit);
        Tested { ok: answer.verdict == answer::Verdict::Delivered, answer: answer.text }
    }

    /// Makes one try. `None` if it is not wanted any more: settled meanwhile, claimed by another,
    /// or in a later try.
    async fn deliver(&self, wanted: &Deliver) -> Result<Option<Answer>, AskError> {
        let (asked, host) = (wanted.clone(), self.shared.sources.host.clone());
        let reading = self.shared.sources.readers.read(move |reader| look(reader, &asked, &host));
        let Some(errand) = reading.await? else { return Ok(None) };
        let Some(sink) = errand.sink.filter(Sink::is_there) else {
            return Ok(Some(Answer::is_final("the sink was removed")));
        };
        let Some(job) = errand.job else {
            return Ok(Some(Answer::is_final("the job was removed")));
        };
        let address = address(&errand.delivery.id, errand.delivery.tries, &sink.name);
        let spools = self.shared.sources.spools.clone();
        // It reads what the job wrote, from a disk that may be slow.
        let making = match (errand.delivery.about, errand.approval) {
            (None, _) => {
                tokio::task::spawn_blocking(move || notice::of_ended(&spools, &job, address))
            }
            (Some(_), Some(approval)) => tokio::task::spawn_blocking(move || {
                notice::of_asked(&spools, &job, &approval, address)
            }),
            (Some(_), None) => return Ok(Some(Answer::is_final("the question was removed"))),
        };
        let notice = making.await.map_err(|error| AskError::Bug(error.to_string()))?;
        Ok(Some(self.send(&sink, &notice).await))
    }

    async fn send(&self, sink: &Sink, notice: &Notice) -> Answer {
        let body = match serde_json::to_vec(notice) {
            Ok(body) => Bytes::from(body),
            Err(error) => return Answer::failed(format!("the notice cannot be written: {error}")),
        };
        let letter = Letter { id: notice.id.clone(), number: notice.number, body };
        let (home, limit) = (&self.shared.sources.home, self.shared.sources.limit);
        match &sink.kind {
            SinkKind::Webhook { url, secret_file } => {
                let secret_file = secret_file.as_deref().map(Path::new);
                let webhook = Webhook { url, secret_file, limit };
                webhook.send(&self.shared.connector, &letter, wall_now()).await
            }
            SinkKind::Exec { command, cwd } => {
                let (command, cwd) = (command.clone(), PathBuf::from(cwd));
                let program = Program { command, cwd, environment: vec![], limit };
                program.send(&letter, home).await
            }
            SinkKind::Desktop => desktop::show(&letter, notice, home, limit).await,
            SinkKind::Agent { agent: name } => {
                agent::mail(&letter, notice, &self.shared.sources.engine, name).await
            }
        }
    }
}

fn address(id: &DeliveryId, number: u32, sink: &str) -> Address {
    Address { id: id.to_string(), number, to: format!("sink:{sink}") }
}

/// Reads what a try needs, if the delivery still wants this very try.
fn look(
    reader: &mut dyn Reader,
    wanted: &Deliver,
    host: &HostId,
) -> Result<Option<Errand>, StoreError> {
    let Some(row) = reader.load(Table::Delivery, wanted.delivery.as_str())? else {
        return Ok(None);
    };
    let delivery = Delivery::from_row(&row)?;
    if delivery.wants(host).as_ref() != Some(wanted) {
        return Ok(None);
    }
    let Destination::Sink(name) = &delivery.to else { return Ok(None) };
    let sink = reader.load(Table::Sink, name)?.as_ref().map(Sink::from_row).transpose()?;
    let job = reader.load(Table::Job, delivery.job.as_str())?;
    let job = job.as_ref().map(Job::from_row).transpose()?;
    let approval = match &delivery.about {
        Some(about) => reader.load(Table::Approval, about.as_str())?,
        None => None,
    };
    let approval = approval.as_ref().map(Approval::from_row).transpose()?;
    Ok(Some(Errand { delivery, job, sink, approval }))
}

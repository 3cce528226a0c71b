//! One typed method per request of `docs/http.md`. `job` is an id, a unique prefix of one, or a name.

use super::body::Payload;
use super::error::{ClientError, ErrorKind};
use super::events::{Events, EventsAsk};
use super::options::Options;
use super::output::{Output, OutputAsk};
use super::transport::{Answer, Ask, Transport};
use crate::api::{
    Artifacts, Batch, BatchAnswer, CancelAsk, Cancelled, Doctor, EmitAsk, JobView, JobsPage,
    PoolAsk, Pools, PruneAsk, Pruned, RetryAsk, Spec, Status, Stored, Submitted, Why,
};
use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The link of the kernel leads to what we run, even when its file has been replaced.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// A daemon, as everybody but the daemon sees it.
#[derive(Debug)]
pub struct Client {
    transport: Transport,
}

/// What a list of jobs is narrowed by; empty fields do not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobsAsk {
    /// Any of these states.
    pub states: Vec<String>,
    /// Any of these outcomes.
    pub outcomes: Vec<String>,
    /// This pool.
    pub pool: Option<String>,
    /// This lane.
    pub lane: Option<String>,
    /// This agent.
    pub agent: Option<String>,
    /// This owner.
    pub owner: Option<String>,
    /// All of these labels.
    pub labels: Vec<(String, String)>,
    /// At most this many.
    pub limit: Option<u32>,
    /// Those after a page that was given before.
    pub cursor: Option<String>,
}

/// What waiting came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Waited {
    /// The job, as it is now.
    pub job: JobView,
    /// Whether it has ended; false when the time ran out.
    pub is_ended: bool,
}

/// The bytes of an artifact, as they come.
#[derive(Debug)]
pub struct Content {
    answer: Answer,
}

impl Content {
    /// Gives the next bytes; `None` at the end, which is the whole file.
    ///
    /// # Errors
    /// Unavailable: the connection broke; what came is incomplete.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        let broke = |error| ClientError::unavailable(format!("the transfer broke off: {error}"));
        self.answer.piece().await.map_err(broke)
    }
}

impl Client {
    /// Connects; starts the daemon if there is none and that is wished.
    ///
    /// # Errors
    /// Unavailable: nobody can be reached or started; says why.
    pub async fn connect(options: Options) -> Result<Self, ClientError> {
        Self::connect_from(options, PathBuf::from(THIS_PROGRAM)).await
    }

    /// Connects; what is started if there is no daemon is `program`, not this very program. For
    /// programs that bring longhaul along without being it.
    ///
    /// # Errors
    /// As for [`Self::connect`].
    pub async fn connect_from(options: Options, program: PathBuf) -> Result<Self, ClientError> {
        Ok(Self { transport: Transport::connect(options, program, None).await? })
    }

    /// Connects to a daemon that was there before. While it is away it is waited for: somebody may be
    /// putting another one in its place.
    ///
    /// # Errors
    /// Unavailable: it did not come back within `wait`, or cannot be reached.
    pub async fn reconnect(options: Options, wait: Duration) -> Result<Self, ClientError> {
        let program = PathBuf::from(THIS_PROGRAM);
        Ok(Self { transport: Transport::connect(options, program, Some(wait)).await? })
    }

    /// `GET /v1/status`.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.get("/v1/status".to_owned()).await
    }

    /// `POST /v1/jobs`: the job is durable when this returns. Mints the id if the spec has none, so
    /// that sending it again, as happens when the daemon dies underneath, never makes two jobs.
    pub async fn submit(&self, mut spec: Spec) -> Result<Submitted, ClientError> {
        mint(&mut spec.id)?;
        self.post("/v1/jobs".to_owned(), &spec).await
    }

    /// `POST /v1/batch`: all jobs are durable when this returns, or none is there. Mints ids, too.
    pub async fn submit_batch(&self, mut batch: Batch) -> Result<BatchAnswer, ClientError> {
        batch.jobs.iter_mut().try_for_each(|spec| mint(&mut spec.id))?;
        self.post("/v1/batch".to_owned(), &batch).await
    }

    /// `GET /v1/jobs`.
    pub async fn jobs(&self, ask: &JobsAsk) -> Result<JobsPage, ClientError> {
        let (states, outcomes) = (ask.states.join(","), ask.outcomes.join(","));
        let limit = ask.limit.map(|limit| limit.to_string());
        let labels: Vec<String> = ask.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let mut wanted: Vec<(&str, &str)> = [
            ("state", Some(&states).filter(|text| !text.is_empty())),
            ("outcome", Some(&outcomes).filter(|text| !text.is_empty())),
            ("pool", ask.pool.as_ref()),
            ("lane", ask.lane.as_ref()),
            ("agent", ask.agent.as_ref()),
            ("owner", ask.owner.as_ref()),
            ("limit", limit.as_ref()),
            ("cursor", ask.cursor.as_ref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?.as_str())))
        .collect();
        wanted.extend(labels.iter().map(|label| ("label", label.as_str())));
        self.get(format!("/v1/jobs{}", query(&wanted))).await
    }

    /// `GET /v1/jobs/{job}`: everything, with attempts and history.
    pub async fn job(&self, job: &str) -> Result<JobView, ClientError> {
        self.get(format!("/v1/jobs/{}", segment(job))).await
    }

    /// `GET /v1/jobs/{job}/why`.
    pub async fn why(&self, job: &str) -> Result<Why, ClientError> {
        self.get(format!("/v1/jobs/{}/why", segment(job))).await
    }

    /// `GET /v1/jobs/{job}/wait`: until it has ended, or for `patience`. Goes on waiting when the
    /// daemon is restarted meanwhile.
    pub async fn wait(&self, job: &str, patience: Option<Duration>) -> Result<Waited, ClientError> {
        let Some(patience) = patience else { return self.wait_once(job, None).await };
        match tokio::time::timeout(patience, self.wait_once(job, None)).await {
            Ok(waited) => waited,
            Err(_) => self.wait_once(job, Some(0)).await,
        }
    }

    async fn wait_once(&self, job: &str, timeout_ms: Option<u64>) -> Result<Waited, ClientError> {
        let timeout = timeout_ms.map(|ms| format!("?timeout_ms={ms}")).unwrap_or_default();
        let ask = Ask::get(format!("/v1/jobs/{}/wait{timeout}", segment(job)));
        let (status, body) = self.transport.ask(ask).await?;
        Ok(Waited { job: parse(&body)?, is_ended: status == StatusCode::OK })
    }

    /// `GET /v1/jobs/{job}/output`.
    pub fn output(&self, ask: OutputAsk) -> Output<'_> {
        Output::new(self, ask)
    }

    /// `POST /v1/jobs/{job}/cancel`.
    pub async fn cancel(&self, job: &str, ask: &CancelAsk) -> Result<Cancelled, ClientError> {
        self.post(format!("/v1/jobs/{}/cancel", segment(job)), ask).await
    }

    /// `POST /v1/jobs/{job}/retry`. Mints the new job's id if there is none.
    pub async fn retry(&self, job: &str, mut ask: RetryAsk) -> Result<Submitted, ClientError> {
        mint(&mut ask.id)?;
        self.post(format!("/v1/jobs/{}/retry", segment(job)), &ask).await
    }

    /// `POST /v1/prune`.
    pub async fn prune(&self, ask: &PruneAsk) -> Result<Pruned, ClientError> {
        self.post("/v1/prune".to_owned(), ask).await
    }

    /// `GET /v1/pools`.
    pub async fn pools(&self) -> Result<Pools, ClientError> {
        self.get("/v1/pools".to_owned()).await
    }

    /// `PUT /v1/pools/{name}`: makes or changes a pool; gives all of them.
    pub async fn set_pool(&self, name: &str, ask: &PoolAsk) -> Result<Pools, ClientError> {
        let path = format!("/v1/pools/{}", segment(name));
        let (_, body) = self.transport.ask(Ask::new(Method::PUT, path, json(ask))).await?;
        parse(&body)
    }

    /// `GET /v1/events`.
    pub fn events(&self, ask: EventsAsk) -> Events<'_> {
        Events::new(self, ask)
    }

    /// `GET /v1/jobs/{job}/artifacts`; `verify` reads every file again.
    pub async fn artifacts(&self, job: &str, verify: bool) -> Result<Artifacts, ClientError> {
        let verify = if verify { "?verify=1" } else { "" };
        self.get(format!("/v1/jobs/{}/artifacts{verify}", segment(job))).await
    }

    /// `GET /v1/jobs/{job}/artifacts/content`: refused as `changed` before the first byte if it is
    /// not what was registered.
    pub async fn artifact_content(&self, job: &str, name: &str) -> Result<Content, ClientError> {
        let query = query(&[("name", name)]);
        let path = format!("/v1/jobs/{}/artifacts/content{query}", segment(job));
        let ask = Ask { accept: Some("application/octet-stream"), ..Ask::get(path) };
        Ok(Content { answer: self.transport.stream(&ask).await? })
    }

    /// `PUT /v1/blobs/{sha256}`: stores what `file` holds from its start, and says what that was.
    ///
    /// # Errors
    /// Usage: the file cannot be read. Otherwise as the daemon says.
    pub async fn store(&self, mut file: File) -> Result<Stored, ClientError> {
        let stored = digest(&mut file).map_err(|error| {
            ClientError::new(ErrorKind::Usage, "bad_request", format!("cannot be read: {error}"))
        })?;
        let path = format!("/v1/blobs/{}", stored.sha256);
        let payload = Payload::File(Arc::new(file), stored.size);
        self.transport.ask(Ask::new(Method::PUT, path, payload)).await?;
        Ok(stored)
    }

    /// `GET /v1/doctor`.
    pub async fn doctor(&self) -> Result<Doctor, ClientError> {
        self.get("/v1/doctor".to_owned()).await
    }

    /// `POST /v1/doctor`: mends what a running daemon can, and says what was done and what was not.
    pub async fn mend(&self) -> Result<Doctor, ClientError> {
        self.post("/v1/doctor".to_owned(), &serde_json::json!({})).await
    }

    /// `POST /v1/jobs/{job}/emit`, with the token that the job was given.
    pub async fn emit(&self, job: &str, token: &str, ask: &EmitAsk) -> Result<(), ClientError> {
        let path = format!("/v1/jobs/{}/emit", segment(job));
        let bearer = Some(token.to_owned());
        // A report has no id; sent twice it would be told twice. A result is there or not.
        let is_repeatable = ask.report == "result";
        let ask = Ask { bearer, is_repeatable, ..Ask::new(Method::POST, path, json(ask)) };
        self.transport.ask(ask).await.map(drop)
    }

    /// The same for a piece of a result. Pieces are numbered, so one that was told already and whose answer
    /// was lost is told once for all that.
    pub async fn emit_piece(
        &self,
        job: &str,
        token: &str,
        ask: &EmitAsk,
    ) -> Result<(), ClientError> {
        let path = format!("/v1/jobs/{}/emit", segment(job));
        let ask = Ask { bearer: Some(token.to_owned()), ..Ask::new(Method::POST, path, json(ask)) };
        match self.transport.ask(ask).await {
            Err(error) if error.code == "repeat" => Ok(()),
            answered => answered.map(drop),
        }
    }

    /// `POST /v1/stop`: the daemon goes, jobs go on.
    pub async fn stop(&self) -> Result<(), ClientError> {
        let ask = Ask::new(Method::POST, "/v1/stop".to_owned(), Payload::Empty);
        self.transport.ask(Ask { is_repeatable: false, ..ask }).await.map(drop)
    }

    pub(super) const fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: String) -> Result<T, ClientError> {
        let (_, body) = self.transport.ask(Ask::get(path)).await?;
        parse(&body)
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: String,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let (_, body) = self.transport.ask(Ask::new(Method::POST, path, json(body))).await?;
        parse(&body)
    }
}

pub(super) fn mint(id: &mut Option<String>) -> Result<(), ClientError> {
    if id.is_none() {
        let minted = crate::ids::job_id().map_err(|error| {
            ClientError::unavailable(format!("the system gives no random numbers: {error}"))
        })?;
        *id = Some(minted.into());
    }
    Ok(())
}

pub(super) fn json(body: &impl Serialize) -> Payload {
    let text = serde_json::to_vec(body).expect("requests are plain trees with text keys");
    Payload::Json(Bytes::from(text))
}

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(ClientError::garbled)
}

fn digest(file: &mut File) -> io::Result<Stored> {
    file.rewind()?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 64 * 1_024];
    let mut size = 0;
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            break;
        }
        hash.update(&piece[..count]);
        size += count as u64;
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Stored { sha256, size })
}

/// `text` as one segment of a path, or one value of a query: nothing in it can mean anything else.
pub(super) fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// A query with its `?`; nothing for no pairs.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}={}", segment(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_can_leave_its_segment() {
        assert_eq!(segment("job_01-a"), "job_01-a");
        assert_eq!(segment("../x y?#%"), "%2E%2E%2Fx%20y%3F%23%25");
        assert_eq!(query(&[("label", "a=b&c"), ("limit", "1")]), "?label=a%3Db%26c&limit=1");
        assert_eq!(query(&[]), "");
    }
}

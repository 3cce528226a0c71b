//! What a job left: its files as they were registered, checked again before they are handed out.

use super::Shared;
use super::digest;
use super::error::{Answer, Failure};
use super::query::Query;
use super::resolve::find;
use crate::api::{ArtifactView, Artifacts};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use longhaul_core::command::Artifact;
use longhaul_core::decide::clip;
use longhaul_core::job::Job;
use longhaul_core::spec::is_inner_path;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path as FilePath, PathBuf};

/// Bytes that are read and sent at once.
const PIECE_BYTES: usize = 64 * 1_024;

/// `GET /v1/jobs/{job}/artifacts`
pub(super) async fn list(
    State(ports): State<Shared>,
    Path(job): Path<String>,
    RawQuery(raw): RawQuery,
) -> Answer<Json<Artifacts>> {
    let verify = Query::parse(raw.as_deref(), &["verify"])?.is_on("verify")?;
    let job = find(&ports, &job).await?;
    // Reading every file again may take long: not on a thread that serves others.
    let looked = tokio::task::spawn_blocking(move || {
        let view = |artifact: &Artifact| {
            let path = place(&job, artifact);
            ArtifactView {
                verified: verify.then(|| is_unchanged(&path, artifact)),
                name: artifact.name.clone(),
                size: artifact.size,
                sha256: artifact.sha256.clone(),
                path: path.display().to_string(),
            }
        };
        job.artifacts.iter().map(view).collect()
    });
    let artifacts = looked.await.map_err(|error| Failure::bug(error.to_string()))?;
    Ok(Json(Artifacts { artifacts }))
}

/// `GET /v1/jobs/{job}/artifacts/content`
pub(super) async fn content(
    State(ports): State<Shared>,
    Path(job): Path<String>,
    RawQuery(raw): RawQuery,
) -> Answer<Response> {
    let query = Query::parse(raw.as_deref(), &["name"])?;
    let name = query.text("name").unwrap_or_default();
    let job = find(&ports, &job).await?;
    let Some(artifact) = job.artifacts.iter().find(|artifact| artifact.name == name).cloned()
    else {
        let message = format!("{} left no file `{}`", job.id, clip(name, 100));
        return Err(Failure::refused("no_artifact", message)
            .hint(format!("`longhaul artifacts {}` lists what it left", job.id)));
    };
    let path = place(&job, &artifact);
    let expected = artifact.clone();
    let opened = tokio::task::spawn_blocking(move || open_unchanged(&path, &expected)).await;
    let Some(file) = opened.map_err(|error| Failure::bug(error.to_string()))? else {
        let message = format!("`{name}` is not the file that was there when {} ended", job.id);
        return Err(Failure::refused("changed", message));
    };
    let length = artifact.size;
    let sender = Sender { file, artifact, at: 0, digest: digest::Digest::default() };
    let pieces = futures_util::stream::try_unfold(Some(sender), |sender| async move {
        let Some(sender) = sender else { return Ok::<_, io::Error>(None) };
        sender.next()
    });
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_LENGTH, length.to_string()),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

fn place(job: &Job, artifact: &Artifact) -> PathBuf {
    FilePath::new(&job.spec.cwd).join(&artifact.name)
}

fn is_unchanged(path: &FilePath, artifact: &Artifact) -> bool {
    open_unchanged(path, artifact).is_some()
}

/// Opens a file that still is what it was; `None` for everything else. A link, a pipe or a device in
/// its place is a change, and must not be waited on.
fn open_unchanged(path: &FilePath, artifact: &Artifact) -> Option<File> {
    if !is_inner_path(&artifact.name) {
        return None;
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).ok()?);
    let about = file.metadata().ok()?;
    let is_alike = about.is_file() && about.len() == artifact.size;
    let is_same = is_alike && digest::of_file(&file).is_ok_and(|found| found == artifact.sha256);
    is_same.then_some(file)
}

/// Sends a file, hashing again as it goes: it may change after it was checked. The last piece is held
/// back until the hash is right, so a reader never gets the whole of something else.
struct Sender {
    file: File,
    artifact: Artifact,
    at: u64,
    digest: digest::Digest,
}

impl Sender {
    fn next(mut self) -> io::Result<Option<(Bytes, Option<Self>)>> {
        let left = self.artifact.size - self.at;
        if left == 0 {
            return Ok(None);
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let mut piece = BytesMut::zeroed(most);
        self.file.read_exact_at(&mut piece, self.at)?;
        self.digest.take(&piece);
        self.at += most as u64;
        if self.at < self.artifact.size {
            return Ok(Some((piece.freeze(), Some(self))));
        }
        if self.digest.finish() != self.artifact.sha256 {
            return Err(io::Error::other("the file changed while it was sent"));
        }
        Ok(Some((piece.freeze(), None)))
    }
}

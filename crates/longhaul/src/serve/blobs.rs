//! Stored content: taken from the socket into a temporary file while it is hashed, and given its
//! name only when it is what it should be and durable.

use super::Shared;
use super::digest::{Digest, is_sha256};
use super::error::{Answer, Failure};
use crate::daemon::DRAFT;
use crate::home::Home;
use crate::ids;
use axum::body::{Body, BodyDataStream};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bytes::Bytes;
use futures_util::TryStreamExt;
use longhaul_core::limits;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

/// `PUT /v1/blobs/{sha256}`
pub(super) async fn store(
    State(ports): State<Shared>,
    Path(sha256): Path<String>,
    body: Body,
) -> Answer<StatusCode> {
    if !is_sha256(&sha256) {
        return Err(Failure::bad_request("content is named by 64 lower-case hexadecimal digits"));
    }
    let pieces = body.into_data_stream();
    let is_known = ports.stored.keep(&sha256).map_err(|error| disk(&error))?.is_some();
    if is_known {
        // Taken and thrown away: an answer before the end would look like a broken connection.
        receive(pieces, |_| Ok(())).await?;
        return Ok(StatusCode::NO_CONTENT);
    }
    let mut draft = Draft::create(&ports.home).map_err(|error| disk(&error))?;
    let mut digest = Digest::default();
    receive(pieces, |piece| {
        digest.take(&piece);
        draft.file.write_all(&piece)
    })
    .await?;
    let found = digest.finish();
    if found != sha256 {
        let message = format!("the body is {found}, not {sha256}");
        return Err(Failure::refused("blob_mismatch", message)
            .hint("the file may have changed while it was read; send it again"));
    }
    let target = ports.home.blob(&sha256);
    let kept = tokio::task::spawn_blocking(move || draft.keep_as(target)).await;
    kept.map_err(|error| Failure::bug(error.to_string()))?.map_err(|error| disk(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the whole body, at most as much as one blob may hold.
async fn receive(
    mut pieces: BodyDataStream,
    mut take: impl FnMut(Bytes) -> io::Result<()>,
) -> Answer<()> {
    let mut size = 0_u64;
    let broken = |error| Failure::bad_request(format!("the body broke off: {error}"));
    while let Some(piece) = pieces.try_next().await.map_err(broken)? {
        size += piece.len() as u64;
        if size > limits::BLOB_BYTES_MAX {
            let message = format!("stored content has at most {} bytes", limits::BLOB_BYTES_MAX);
            return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message));
        }
        take(piece).map_err(|error| disk(&error))?;
    }
    Ok(())
}

/// A file without its name yet; removed unless it is kept.
struct Draft {
    path: PathBuf,
    file: File,
    folder: PathBuf,
}

impl Draft {
    fn create(home: &Home) -> io::Result<Self> {
        let folder = home.blobs();
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        // Its own name each, so that two who send the same do not write into each other.
        let path = folder.join(format!("{DRAFT}{}", ids::job_id()?));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { path, file, folder })
    }

    /// Makes it durable under its name; a name that is taken holds the same bytes.
    fn keep_as(self, target: PathBuf) -> io::Result<()> {
        self.file.sync_all()?;
        fs_err::rename(&self.path, target)?;
        File::open(&self.folder)?.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Gone already if it was kept; what is left otherwise is swept one day.
        let _ = fs_err::remove_file(&self.path);
    }
}

fn disk(error: &io::Error) -> Failure {
    let is_full = matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    );
    let code = if is_full { "disk_full" } else { "unavailable" };
    Failure::unavailable(code, format!("the content cannot be stored: {error}"), 5_000)
}

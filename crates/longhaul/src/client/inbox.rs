//! An owner's presence, and the notices that it brings. The daemon knows that we are here by the
//! connection alone; when that breaks, what was not acknowledged comes again on the next one.

use super::error::{ClientError, ErrorKind};
use super::events::take_line;
use super::methods::{Client, query};
use super::transport::{Answer, Ask};
use crate::api::Wake;
use bytes::BytesMut;
use std::time::Duration;

/// Connections in a row that brought nothing, before following is given up.
const EMPTY_TRIES_MAX: u32 = 20;
/// The pause before the second connection in a row that brought nothing; doubles from there.
const PAUSE: Duration = Duration::from_millis(50);
/// No pause grows beyond this.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// An owner's presence. Dropping it ends it.
#[derive(Debug)]
pub struct Inbox<'c> {
    client: &'c Client,
    owner: String,
    project: Option<String>,
    answer: Option<Answer>,
    pending: BytesMut,
    data: Vec<u8>,
    empty_tries: u32,
}

impl<'c> Inbox<'c> {
    pub(super) fn new(client: &'c Client, owner: String, project: Option<String>) -> Self {
        let (pending, data) = (BytesMut::new(), Vec::new());
        Self { client, owner, project, answer: None, pending, data, empty_tries: 0 }
    }

    /// Gives all notices that are there, once there are some. They are ours until we acknowledge
    /// them or go; of those that nobody acknowledges only so many are given.
    ///
    /// # Errors
    /// Usage: the owner is no word. Unavailable: the daemon went away for good.
    pub async fn next(&mut self) -> Result<Wake, ClientError> {
        loop {
            while let Some(line) = take_line(&mut self.pending) {
                if let Some(wake) = self.take(&line)? {
                    return Ok(wake);
                }
            }
            if self.answer.is_none() {
                self.open().await?;
            }
            let Some(answer) = &mut self.answer else { continue };
            match answer.piece().await {
                Ok(Some(bytes)) => {
                    self.empty_tries = 0;
                    self.pending.extend_from_slice(&bytes);
                }
                // A presence has no end of its own: the daemon stops, and another one follows.
                Ok(None) | Err(_) => self.answer = None,
            }
        }
    }

    /// Takes a line of a server-sent event; gives what it carried once it is whole.
    fn take(&mut self, line: &[u8]) -> Result<Option<Wake>, ClientError> {
        if let Some(data) = line.strip_prefix(b"data:") {
            self.data.extend_from_slice(data);
            return Ok(None);
        }
        if !line.is_empty() || self.data.is_empty() {
            return Ok(None);
        }
        let data = std::mem::take(&mut self.data);
        serde_json::from_slice(&data).map(Some).map_err(ClientError::garbled)
    }

    async fn open(&mut self) -> Result<(), ClientError> {
        if self.empty_tries > 0 {
            let doubled = PAUSE.saturating_mul(1 << (self.empty_tries - 1).min(10));
            tokio::time::sleep(doubled.min(PAUSE_MAX)).await;
        }
        self.empty_tries += 1;
        if self.empty_tries > EMPTY_TRIES_MAX {
            return Err(ClientError::unavailable("the daemon goes away whenever it is asked"));
        }
        let mut wanted = vec![("owner", self.owner.as_str())];
        wanted.extend(self.project.iter().map(|project| ("project", project.as_str())));
        let path = format!("/v1/inbox/follow{}", query(&wanted));
        let ask = Ask { accept: Some("text/event-stream"), ..Ask::get(path) };
        self.pending.clear();
        self.data.clear();
        match self.client.transport().stream(&ask).await {
            Ok(answer) => {
                self.answer = Some(answer);
                Ok(())
            }
            Err(error) if passes(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Whether the daemon will answer otherwise in a moment.
fn passes(error: &ClientError) -> bool {
    error.kind == ErrorKind::Unavailable && matches!(error.code.as_str(), "busy" | "stopping")
}

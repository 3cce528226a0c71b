//! The journal as it grows. The cursor is ours: a broken connection goes on after the last position.

use super::error::ClientError;
use super::methods::{Client, query};
use super::transport::{Answer, Ask};
use crate::api::EventView;
use bytes::BytesMut;

/// Connections in a row that brought nothing new, before following is given up.
const EMPTY_TRIES_MAX: u32 = 20;

/// Which events are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventsAsk {
    /// Of this job (id, prefix or name) only.
    pub job: Option<String>,
    /// After this position; zero for all.
    pub after: u64,
    /// Whether to go on as more happens: to the end of the job, or without end.
    pub follow: bool,
    /// Only what `longhaul audit` shows: who was let do what.
    pub audit: bool,
}

/// Events as they come. Dropping it stops it.
#[derive(Debug)]
pub struct Events<'c> {
    client: &'c Client,
    ask: EventsAsk,
    answer: Option<Answer>,
    pending: BytesMut,
    empty_tries: u32,
    is_over: bool,
}

impl<'c> Events<'c> {
    pub(super) fn new(client: &'c Client, ask: EventsAsk) -> Self {
        let pending = BytesMut::new();
        Self { client, ask, answer: None, pending, empty_tries: 0, is_over: false }
    }

    /// Gives the next event; `None` at the end.
    ///
    /// # Errors
    /// Refused: there is no such job. Unavailable: the daemon went away for good.
    pub async fn next(&mut self) -> Result<Option<EventView>, ClientError> {
        loop {
            while let Some(line) = take_line(&mut self.pending) {
                if line.is_empty() {
                    continue;
                }
                let event: EventView =
                    serde_json::from_slice(&line).map_err(ClientError::garbled)?;
                (self.ask.after, self.empty_tries) = (event.position, 0);
                return Ok(Some(event));
            }
            if self.is_over {
                return Ok(None);
            }
            if self.answer.is_none() {
                self.open().await?;
            }
            let Some(answer) = &mut self.answer else { continue };
            match answer.piece().await {
                Ok(Some(bytes)) => {
                    // Even a sign of life in a time without events says that somebody is there.
                    self.empty_tries = 0;
                    self.pending.extend_from_slice(&bytes);
                }
                // The daemon ends a stream only when there is nothing more to come.
                Ok(None) => {
                    self.is_over = true;
                    // What is asked next need not connect anew.
                    if let Some(over) = self.answer.take() {
                        self.client.transport().reuse(over);
                    }
                }
                Err(_) => self.answer = None,
            }
        }
    }

    async fn open(&mut self) -> Result<(), ClientError> {
        self.empty_tries += 1;
        if self.empty_tries > EMPTY_TRIES_MAX {
            return Err(ClientError::unavailable("the daemon goes away whenever it is asked"));
        }
        let after = self.ask.after.to_string();
        let mut wanted = vec![("after", after.as_str())];
        if let Some(job) = &self.ask.job {
            wanted.push(("job", job));
        }
        if self.ask.follow {
            wanted.push(("follow", "1"));
        }
        let page = if self.ask.audit { "audit" } else { "events" };
        let path = format!("/v1/{page}{}", query(&wanted));
        let ask = Ask { accept: Some("application/x-ndjson"), ..Ask::get(path) };
        self.answer = Some(self.client.transport().stream(&ask).await?);
        self.pending.clear();
        Ok(())
    }
}

/// Takes the first whole line off what has come of a stream, without its end.
pub(super) fn take_line(pending: &mut BytesMut) -> Option<BytesMut> {
    let end = pending.iter().position(|byte| *byte == b'\n')?;
    let mut line = pending.split_to(end + 1);
    line.truncate(end);
    Some(line)
}

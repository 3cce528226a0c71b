//! A job's output as it comes. A broken connection is taken up at the byte that was reached, so what
//! comes out is what the job wrote, once and in order, whatever happens to the daemon meanwhile.

use super::error::{ClientError, ErrorKind};
use super::methods::{Client, segment};
use super::transport::{Answer, Ask};
use crate::api::{Frame, FrameDecoder, JobView};
use bytes::Bytes;
use std::fmt::Write as _;
use std::time::Duration;

/// The daemon says that it is there every 15 seconds; three misses mean that it is not.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// Connections in a row that brought nothing, before following is given up.
const EMPTY_TRIES_MAX: u32 = 20;

/// Which output is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputAsk {
    /// The job: id, prefix or name.
    pub job: String,
    /// Whether to go on to the end of the job, over all its attempts.
    pub follow: bool,
    /// From which attempt; the current one, or the first when following, if `None`.
    pub attempt: Option<u32>,
    /// From which byte of standard output; `None` leaves it out.
    pub stdout: Option<u64>,
    /// From which byte of standard error; `None` leaves it out.
    pub stderr: Option<u64>,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub enum OutputPiece {
    /// Another attempt begins.
    Attempt(u32),
    /// Bytes of standard output.
    Stdout(Bytes),
    /// Bytes of standard error.
    Stderr(Bytes),
    /// That is all; the job as it is now.
    End(Box<JobView>),
}

/// A job's output as it comes. Dropping it stops it.
#[derive(Debug)]
pub struct Output<'c> {
    client: &'c Client,
    ask: OutputAsk,
    /// The attempt that the offsets in `ask` count in, once the daemon has said so.
    told: Option<u32>,
    answer: Option<Answer>,
    decoder: FrameDecoder,
    empty_tries: u32,
    is_over: bool,
}

impl<'c> Output<'c> {
    pub(super) fn new(client: &'c Client, ask: OutputAsk) -> Self {
        let decoder = FrameDecoder::default();
        Self { client, ask, told: None, answer: None, decoder, empty_tries: 0, is_over: false }
    }

    /// Gives the next piece; `None` after [`OutputPiece::End`].
    ///
    /// # Errors
    /// Refused: there is no such job or attempt. Unavailable: the daemon went away for good.
    pub async fn next(&mut self) -> Result<Option<OutputPiece>, ClientError> {
        while !self.is_over {
            if self.answer.is_none() {
                self.open().await?;
            }
            while let Some(frame) = self.decoder.next_frame().map_err(ClientError::garbled)? {
                self.empty_tries = 0;
                if let Some(piece) = self.take(frame)? {
                    return Ok(Some(piece));
                }
            }
            let Some(answer) = &mut self.answer else { continue };
            match tokio::time::timeout(SILENCE_MAX, answer.piece()).await {
                Ok(Ok(Some(bytes))) => self.decoder.push(&bytes),
                // Broken off, or silent for too long: taken up again where it was.
                Ok(Ok(None) | Err(_)) | Err(_) => self.answer = None,
            }
        }
        Ok(None)
    }

    async fn open(&mut self) -> Result<(), ClientError> {
        self.empty_tries += 1;
        if self.empty_tries > EMPTY_TRIES_MAX {
            return Err(ClientError::unavailable("the daemon goes away whenever it is asked"));
        }
        let ask = Ask { accept: Some("application/vnd.longhaul.frames"), ..Ask::get(self.path()) };
        let answer = self.client.transport().stream(&ask).await?;
        // A name may mean another job by the time it is asked for again; an id never does.
        if let Some(id) = answer.header("longhaul-job") {
            self.ask.job = id.to_owned();
        }
        self.decoder = FrameDecoder::default();
        self.answer = Some(answer);
        Ok(())
    }

    fn path(&self) -> String {
        let mut path = format!("/v1/jobs/{}/output?", segment(&self.ask.job));
        let mut add = |name: &str, value: Option<u64>| {
            if let Some(value) = value {
                write!(path, "{name}={value}&").expect("a String takes any text");
            }
        };
        add("follow", self.ask.follow.then_some(1));
        add("attempt", self.ask.attempt.map(u64::from));
        add("stdout", self.ask.stdout);
        add("stderr", self.ask.stderr);
        path.pop();
        path
    }

    fn take(&mut self, frame: Frame) -> Result<Option<OutputPiece>, ClientError> {
        let reached = |at: &mut Option<u64>, bytes: &Bytes| {
            if let Some(at) = at {
                *at += bytes.len() as u64;
            }
        };
        Ok(match frame {
            Frame::Alive => None,
            Frame::Attempt(number) if self.told == Some(number) => None,
            Frame::Attempt(number) => {
                // The first attempt named counts from what was asked; those after it from zero.
                if self.told.is_some() {
                    self.ask.stdout = self.ask.stdout.map(|_| 0);
                    self.ask.stderr = self.ask.stderr.map(|_| 0);
                }
                (self.told, self.ask.attempt) = (Some(number), Some(number));
                Some(OutputPiece::Attempt(number))
            }
            Frame::Stdout(bytes) => {
                reached(&mut self.ask.stdout, &bytes);
                Some(OutputPiece::Stdout(bytes))
            }
            Frame::Stderr(bytes) => {
                reached(&mut self.ask.stderr, &bytes);
                Some(OutputPiece::Stderr(bytes))
            }
            Frame::End(json) => {
                self.is_over = true;
                self.answer = None;
                Some(OutputPiece::End(serde_json::from_slice(&json).map_err(ClientError::garbled)?))
            }
        })
    }

    /// The job's id, once the daemon has answered; until then what it was asked for by.
    pub fn job(&self) -> &str {
        &self.ask.job
    }
}

impl From<crate::api::BadFrame> for ClientError {
    fn from(bad: crate::api::BadFrame) -> Self {
        Self::new(ErrorKind::Bug, "bug", bad.to_string())
    }
}

//! A session with any runtime that speaks ARCP 1.1, over a WebSocket. Transports that are lost are made
//! anew, after a pause that grows, and the session is gone on with; whoever asks notices nothing but
//! the time.

mod dial;

pub use dial::Endpoint;
pub use longhaul_arcp::client::Kept;

use crate::client::error::{ClientError, ErrorKind};
use crate::clock::Elapsed;
use dial::Socket;
use futures_util::{SinkExt, StreamExt};
use longhaul_arcp::client::{
    Answer, Ask, AskId, Config, Connection, Lost, Output, Over, Told, Welcomed,
};
use longhaul_arcp::error::{Code, Denial};
use longhaul_arcp::features::Features;
use longhaul_arcp::message;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::rustls::ClientConfig;
use tokio_tungstenite::tungstenite::Message;

/// The pause before the first try to connect again; doubles from there.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// For how long a runtime that was there is tried again, if nothing else is said.
pub const GIVE_UP: Duration = Duration::from_secs(120);
/// How long a transport has to hold after the welcome to count as one that was there.
const HELD_MIN: Duration = Duration::from_secs(10);
/// How long the farewell may take.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// A session with a runtime elsewhere. Does its work while [`next`](Remote::next) is waited for, and
/// nothing in between.
pub struct Remote {
    endpoint: Endpoint,
    tls: Option<Arc<ClientConfig>>,
    machine: Connection,
    clock: Elapsed,
    link: Link,
    /// What was not taken yet.
    told: VecDeque<Told>,
    give_up: Duration,
    /// While nothing comes of it: until when we try, and after which pause again.
    trying: Option<(Instant, Duration)>,
    /// Since when we are welcome on this transport.
    welcome_since: Option<Instant>,
    /// What the session was when it was last welcomed.
    welcomed: Option<Box<Welcomed>>,
    over: Option<ClientError>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token stays out: it opens doors.
        out.debug_struct("Remote").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

enum Link {
    Up(Box<Socket>),
    /// There is none; the next try is made then.
    Down {
        at: Instant,
        why: String,
    },
}

impl Remote {
    /// Connects and is welcomed. A runtime that cannot be reached at all is told at once.
    ///
    /// # Errors
    /// Unavailable: nobody answers. Refused: the runtime does not take us.
    pub async fn connect(
        endpoint: Endpoint,
        token: Option<String>,
        give_up: Duration,
    ) -> Result<Self, ClientError> {
        Self::open(endpoint, token, give_up, None).await
    }

    /// The same, going on with a session that was left. If the runtime has it no more there is a new one:
    /// [`welcomed`](Self::welcomed) tells.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub async fn resume(
        endpoint: Endpoint,
        token: Option<String>,
        give_up: Duration,
        kept: Kept,
    ) -> Result<Self, ClientError> {
        Self::open(endpoint, token, give_up, Some(kept)).await
    }

    async fn open(
        endpoint: Endpoint,
        token: Option<String>,
        give_up: Duration,
        kept: Option<Kept>,
    ) -> Result<Self, ClientError> {
        let tls = dial::trust(&endpoint).await?;
        let name = crate::ids::presence_id().map_err(no_chance)?;
        let client = message::Client {
            name: "longhaul".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            fingerprint: None,
            principal: None,
        };
        let config = Config { client, token, features: Features::all() };
        let mut machine = Connection::new(config, name.as_str());
        if let Some(kept) = kept {
            machine.go_on_with(kept);
        }
        let clock = Elapsed::start();
        let socket = dial::dial(&endpoint, tls.as_ref()).await;
        let socket = socket.map_err(|why| unreachable(&endpoint, &why))?;
        let link = Link::Up(Box::new(socket));
        let told = VecDeque::new();
        let mut remote = Self {
            endpoint,
            tls,
            machine,
            clock,
            link,
            told,
            give_up,
            trying: Some((Instant::now() + give_up, PAUSE_MIN)),
            welcome_since: None,
            welcomed: None,
            over: None,
        };
        remote.machine.on_connected(remote.clock.now());
        while remote.welcomed.is_none() {
            remote.work().await?;
        }
        Ok(remote)
    }

    /// The session, as it was welcomed last.
    #[must_use]
    pub fn welcomed(&self) -> Option<&Welcomed> {
        self.welcomed.as_deref()
    }

    /// Asks; the answer comes with what is told.
    ///
    /// # Errors
    /// It does not fit into a frame, or too much is asked at once.
    pub fn ask(&mut self, ask: Ask) -> Result<AskId, ClientError> {
        self.machine.ask(ask).map_err(|denial| refused(&denial))
    }

    /// Wants to hear of a job no more.
    pub fn unfollow(&mut self, job_id: &str) {
        self.machine.unfollow(job_id);
    }

    /// The next thing that is told, however many transports that takes. Nothing is lost if the future
    /// is dropped.
    ///
    /// # Errors
    /// The runtime refuses us, or was away for too long.
    pub async fn next(&mut self) -> Result<Told, ClientError> {
        loop {
            if let Some(told) = self.told.pop_front() {
                return Ok(told);
            }
            self.work().await?;
        }
    }

    /// Asks and waits for the answer. What else is told meanwhile is kept for [`next`](Self::next).
    ///
    /// # Errors
    /// As for [`next`](Self::next), or the runtime says no. Unavailable, too: it is there, and for as long as
    /// one that went away is waited for it does not answer; some never answer what they do not like.
    pub async fn answer(&mut self, ask: Ask) -> Result<Answer, ClientError> {
        let id = self.ask(ask)?;
        let mut until = Instant::now() + self.give_up;
        let is_it = |told: &Told| matches!(told, Told::Answered(answered, _) if *answered == id);
        loop {
            let place = self.told.iter().position(is_it);
            if let Some(place) = place
                && let Some(Told::Answered(_, answer)) = self.told.remove(place)
            {
                return answer.map_err(|denial| refused(&denial));
            }
            if matches!(self.link, Link::Down { .. }) {
                // How long that may take is counted there; what was asked is asked again.
                self.work().await?;
                until = Instant::now() + self.give_up;
            } else {
                let worked = tokio::time::timeout_at(until, self.work()).await;
                worked.map_err(|_| unanswered(&self.endpoint))??;
            }
        }
    }

    /// Leaves. What was asked for goes on, and so can the session be gone on with for a while: what is
    /// given back says how.
    pub async fn leave(mut self) -> Option<Kept> {
        self.machine.leave(None);
        let kept = self.machine.kept();
        if self.hand_over().is_err() {
            return kept;
        }
        let Link::Up(socket) = &mut self.link else { return kept };
        let farewell = async {
            socket.close(None).await.is_ok() && {
                // Its end shows that all of it arrived.
                while socket.next().await.is_some_and(|frame| frame.is_ok()) {}
                true
            }
        };
        // Nobody waits for what does not come; the runtime finds out by itself.
        drop(tokio::time::timeout(FAREWELL_MAX, farewell).await);
        kept
    }

    /// Does one thing: takes a frame in, sends what is to be sent, or connects anew.
    async fn work(&mut self) -> Result<(), ClientError> {
        if let Some(over) = &self.over {
            return Err(over.clone());
        }
        if matches!(self.link, Link::Down { .. }) {
            return self.reconnect().await;
        }
        let until = self.trying.filter(|_| self.welcome_since.is_none()).map(|(until, _)| until);
        let carried = match until {
            None => self.carry().await,
            // Nobody waits longer for a welcome than for a runtime to come back.
            Some(until) => match tokio::time::timeout_at(until, self.carry()).await {
                Ok(carried) => carried,
                Err(_) => return Err(self.give_up(&in_words(&Lost::NoHandshake))),
            },
        };
        if let Err(why) = carried {
            self.lose(why);
        }
        Ok(())
    }

    fn give_up(&mut self, why: &str) -> ClientError {
        let gone = gone(&self.endpoint, why);
        self.over = Some(gone.clone());
        gone
    }

    /// Sends what waits, and takes in one frame or the passing of time.
    async fn carry(&mut self) -> Result<(), String> {
        self.hand_over()?;
        if self.over.is_some() {
            return Ok(());
        }
        let Link::Up(socket) = &mut self.link else { return Ok(()) };
        let due = self.machine.due_at().map(|due| self.clock.instant_of(due));
        let is_due = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        // Writing must not keep us from reading: the runtime may wait for that before it reads.
        let frame = poll_fn(|context| match socket.poll_flush_unpin(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Some(Err(error))),
            Poll::Ready(Ok(())) | Poll::Pending => socket.poll_next_unpin(context),
        });
        tokio::select! {
            frame = frame => match frame {
                Some(Ok(Message::Text(text))) => {
                    self.machine.on_message(text.as_str(), self.clock.now());
                }
                Some(Ok(Message::Close(Some(close)))) if !close.reason.is_empty() => {
                    return Err(format!("it hung up: {}", close.reason));
                }
                Some(Ok(Message::Close(_))) | None => return Err("it hung up".to_owned()),
                // The socket answers pings by itself, and nothing else has a meaning.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.to_string()),
            },
            () = is_due => self.machine.on_due(self.clock.now()),
        }
        self.hand_over()?;
        let Link::Up(socket) = &mut self.link else { return Ok(()) };
        // Whoever takes what was told may take long; what is to be sent should not wait for that.
        let begin = |context: &mut Context<'_>| Poll::Ready(socket.poll_flush_unpin(context));
        match poll_fn(begin).await {
            Poll::Ready(Err(error)) => Err(error.to_string()),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    /// Takes everything from the machine: frames to the socket's buffer, the rest to us.
    fn hand_over(&mut self) -> Result<(), String> {
        while let Some(output) = self.machine.poll() {
            match (output, &mut self.link) {
                (Output::Send(text), Link::Up(socket)) => {
                    let sent = socket.start_send_unpin(Message::text(text));
                    sent.map_err(|error| error.to_string())?;
                }
                (output, _) => self.take(output),
            }
        }
        Ok(())
    }

    fn take(&mut self, output: Output) {
        match output {
            Output::Send(_) => {}
            Output::Tell(Told::Welcomed(welcomed)) => {
                self.welcome_since = Some(Instant::now());
                self.welcomed = Some(welcomed);
            }
            Output::Tell(told) => {
                self.trying = None;
                self.told.push_back(told);
            }
            Output::Reconnect(lost) => self.lose(in_words(&lost)),
            Output::Over(Over::Left) => {}
            Output::Over(Over::Refused(denial)) => self.over = Some(refused(&denial)),
        }
    }

    /// The transport is of no use any more. Until one is, each pause is longer than the last: a runtime
    /// that welcomes us and hangs up is as good as none.
    fn lose(&mut self, why: String) {
        self.machine.on_lost();
        let now = Instant::now();
        let has_held = |since: Instant| now.duration_since(since) >= HELD_MIN;
        if self.welcome_since.take().is_some_and(has_held) {
            self.trying = None;
        }
        let (until, pause) = self.trying.unwrap_or((now + self.give_up, PAUSE_MIN));
        self.trying = Some((until, (pause * 2).min(PAUSE_MAX)));
        self.link = Link::Down { at: now + jittered(pause), why };
    }

    async fn reconnect(&mut self) -> Result<(), ClientError> {
        let Link::Down { at, why } = &self.link else { return Ok(()) };
        if self.trying.is_some_and(|(until, _)| *at >= until) {
            let why = why.clone();
            return Err(self.give_up(&why));
        }
        sleep_until(*at).await;
        match dial::dial(&self.endpoint, self.tls.as_ref()).await {
            Ok(socket) => {
                self.link = Link::Up(Box::new(socket));
                self.machine.on_connected(self.clock.now());
            }
            Err(why) => self.lose(why),
        }
        Ok(())
    }
}

/// Between half of a pause and all of it, so that clients that were cut off together do not all come
/// back together.
fn jittered(pause: Duration) -> Duration {
    let share = crate::ids::secret().map_or(u8::MAX, |bytes| bytes[0]);
    pause / 2 + pause / 2 * u32::from(share) / u32::from(u8::MAX)
}

fn in_words(lost: &Lost) -> String {
    match lost {
        Lost::Silent => "it has gone silent".to_owned(),
        Lost::Gap => "some of what it told is missing".to_owned(),
        Lost::NoHandshake => "it does not welcome us".to_owned(),
        Lost::Told(denial) => format!("it says {}: {}", denial.code.name(), denial.message),
    }
}

fn no_chance(error: std::io::Error) -> ClientError {
    ClientError::unavailable(format!("no random numbers: {error}"))
}

fn unreachable(endpoint: &Endpoint, why: &str) -> ClientError {
    let url = endpoint.url();
    let error =
        ClientError::unavailable(format!("the runtime at `{url}` cannot be reached: {why}"));
    if !why.starts_with(dial::UNTRUSTED) {
        return error;
    }
    error.hint(
        "`SSL_CERT_FILE` names a file of certificates to trust; one that signs itself is made by `openssl \
         req -x509` with `-addext basicConstraints=critical,CA:FALSE`",
    )
}

fn unanswered(endpoint: &Endpoint) -> ClientError {
    let url = endpoint.url();
    ClientError::unavailable(format!("the runtime at `{url}` is there and does not answer"))
        .hint("it may have done what it was asked: `show` tells; `--give-up` says how long to wait")
}

fn gone(endpoint: &Endpoint, why: &str) -> ClientError {
    let url = endpoint.url();
    ClientError::unavailable(format!(
        "the runtime at `{url}` went away and did not come back: {why}"
    ))
    .hint("jobs go on without us; ask again later, with the same `--key` for a submission")
}

/// A no of the runtime, as an error.
#[must_use]
pub fn refused(denial: &Denial) -> ClientError {
    let (kind, code) = match denial.code {
        Code::JobNotFound => (ErrorKind::Refused, "not_found"),
        Code::DuplicateKey => (ErrorKind::Refused, "key_reused"),
        Code::AgentNotAvailable | Code::AgentVersionNotAvailable => {
            (ErrorKind::Refused, "no_agent")
        }
        Code::PermissionDenied | Code::LeaseSubsetViolation | Code::Unauthenticated => {
            (ErrorKind::Refused, "forbidden")
        }
        Code::LeaseExpired | Code::BudgetExhausted => (ErrorKind::Refused, "budget_spent"),
        Code::InvalidRequest => (ErrorKind::Usage, "bad_request"),
        Code::Cancelled
        | Code::Timeout
        | Code::ResumeWindowExpired
        | Code::HeartbeatLost
        | Code::InternalError => (ErrorKind::Unavailable, "unavailable"),
    };
    let name = denial.code.name();
    ClientError::new(kind, code, format!("the runtime says {name}: {}", denial.message))
}

#[cfg(test)]
mod tests;

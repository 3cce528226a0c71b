//! Connections: made when needed, kept for the next request, repeated when the daemon went away in
//! between. One request at a time per connection; a stream keeps its connection to itself.

use super::autostart;
use super::body::{Outgoing, Payload};
use super::error::{ClientError, ErrorKind};
use super::options::{Options, Target};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::AbortHandle;

/// How often a request is repeated on a new connection before we say that nobody answers.
const TRIES_MAX: u32 = 20;
/// How often a daemon may go away in the middle of its answer.
const ANSWER_TRIES_MAX: u32 = 5;
/// A daemon that had a question for this long did not go away because of it: tries count anew.
const STEADY: Duration = Duration::from_secs(1);
/// How long a daemon that was there and went away is waited for when we may not start one.
const RETURN_MAX: Duration = Duration::from_secs(10);
/// Between two looks whether somebody listens.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often a daemon that is busy or stopping is asked again, and after which pause.
const BUSY_TRIES_MAX: u32 = 50;
const BUSY_PAUSE: Duration = Duration::from_millis(200);
/// Connections that wait for the next request.
const IDLE_MAX: usize = 4;
/// Bytes of an answer that is taken whole.
const ANSWER_BYTES_MAX: usize = 256 * 1_024 * 1_024;

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) method: Method,
    /// With its query, escaped.
    pub(super) path: String,
    pub(super) payload: Payload,
    /// What answer is wanted, if not JSON.
    pub(super) accept: Option<&'static str>,
    /// Proof that the asker is a job.
    pub(super) bearer: Option<String>,
    /// Whether doing it twice is the same as doing it once.
    pub(super) is_repeatable: bool,
}

impl Ask {
    /// A question, which may be asked as often as one likes.
    pub(super) fn get(path: String) -> Self {
        Self::new(Method::GET, path, Payload::Empty)
    }

    /// A request with a body, made so that repeating it is harmless.
    pub(super) const fn new(method: Method, path: String, payload: Payload) -> Self {
        Self { method, path, payload, accept: None, bearer: None, is_repeatable: true }
    }
}

/// Connections to one daemon.
#[derive(Debug)]
pub(super) struct Transport {
    options: Options,
    /// What is started if there is no daemon.
    program: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

/// One connection and the task that drives it, which ends with it.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<Outgoing>,
    driver: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// An answer whose body has not been read. Holds its connection, or nobody would read the socket.
#[derive(Debug)]
pub(super) struct Answer {
    response: Response<Incoming>,
    connection: Connection,
}

impl Transport {
    /// Connects, so that a daemon that cannot be reached is told at once; or, where it was there before,
    /// once it has been waited for.
    pub(super) async fn connect(
        options: Options,
        program: PathBuf,
        wait: Option<Duration>,
    ) -> Result<Self, ClientError> {
        let transport = Self { options, program, idle: Mutex::default() };
        let first = transport.reach(wait).await?;
        transport.keep(first);
        Ok(transport)
    }

    /// Connects to the daemon, starting it if there is none and that is wished. `wait` says that it was
    /// there before: for so long it is waited for.
    async fn reach(&self, wait: Option<Duration>) -> Result<Connection, ClientError> {
        let options = &self.options;
        let error = match dial(&options.target).await {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        if !is_absence(&error) {
            return Err(unreachable_at(&options.target, &error));
        }
        match (&options.target, wait) {
            (Target::Home(home), _) if options.autostart => {
                let look = || async { dial(&options.target).await.ok() };
                let what = autostart::Start { home, program: &self.program };
                autostart::start(what, look).await
            }
            (target, Some(wait)) => wait_for_return(target, wait).await,
            (Target::Home(_), None) => {
                let message = "no daemon is running";
                let error = ClientError::new(ErrorKind::Unavailable, "not_running", message);
                Err(error.hint(
                    "`longhaul daemon start` starts one; so does any command unless \
                                `LONGHAUL_AUTOSTART=0`",
                ))
            }
            (target @ (Target::Unix(_) | Target::Tcp(_)), None) => {
                Err(unreachable_at(target, &error))
            }
        }
    }

    /// Sends and takes the whole answer. An error status is an error.
    pub(super) async fn ask(&self, ask: Ask) -> Result<(StatusCode, Bytes), ClientError> {
        let mut busy_tries = 0;
        let mut tries = 0;
        while tries < ANSWER_TRIES_MAX {
            let answer = self.open(&ask).await?;
            match self.collect(answer).await {
                Ok((status, body)) if status.is_success() => return Ok((status, body)),
                Ok((status, body)) => {
                    let error = ClientError::answered(status, &body);
                    let passes = matches!(error.code.as_str(), "busy" | "stopping");
                    if !passes || busy_tries == BUSY_TRIES_MAX {
                        return Err(error);
                    }
                    // Nothing was done, so even what must not be repeated may be asked again.
                    busy_tries += 1;
                    tokio::time::sleep(BUSY_PAUSE).await;
                }
                // The daemon went away in the middle of its answer.
                Err(error) if !ask.is_repeatable => return Err(broken(&error)),
                Err(_) => tries += 1,
            }
        }
        Err(ClientError::unavailable("the daemon goes away before it has answered"))
    }

    /// Sends and gives the answer's body as it comes. An error status is an error.
    pub(super) async fn stream(&self, ask: &Ask) -> Result<Answer, ClientError> {
        let answer = self.open(ask).await?;
        let status = answer.response.status();
        if status.is_success() {
            return Ok(answer);
        }
        let (_, body) = self.collect(answer).await.map_err(|error| broken(&error))?;
        Err(ClientError::answered(status, &body))
    }

    /// Sends until somebody answers.
    async fn open(&self, ask: &Ask) -> Result<Answer, ClientError> {
        let mut last = None;
        let mut tries = 0;
        while tries < TRIES_MAX {
            tries += 1;
            let (mut connection, is_kept) = match self.take_idle() {
                Some(connection) => (connection, true),
                None => (self.reach(Some(RETURN_MAX)).await?, false),
            };
            let request = self.request(ask)?;
            if connection.sender.ready().await.is_err() {
                continue;
            }
            let mut sent = pin!(connection.sender.send_request(request));
            let answered = match tokio::time::timeout(STEADY, &mut sent).await {
                Ok(answered) => answered,
                // Some questions are answered when a job has ended, after many lives of daemons.
                Err(_) => {
                    tries = 0;
                    sent.await
                }
            };
            match answered {
                Ok(response) => return Ok(Answer { response, connection }),
                // On a kept connection this is how a daemon that went away long ago shows itself.
                Err(error) if ask.is_repeatable || (is_kept && error.is_canceled()) => {
                    last = Some(error);
                }
                Err(error) => return Err(broken(&error)),
            }
        }
        Err(last.map_or_else(|| ClientError::unavailable("nobody answers"), |error| broken(&error)))
    }

    fn request(&self, ask: &Ask) -> Result<Request<Outgoing>, ClientError> {
        let host = match &self.options.target {
            Target::Tcp(authority) => authority.as_str(),
            Target::Home(_) | Target::Unix(_) => "longhaul",
        };
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(&ask.path)
            .header(HOST, host)
            .header(ACCEPT, ask.accept.unwrap_or("application/json"));
        if matches!(ask.payload, Payload::Json(_)) {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(token) = ask.bearer.as_ref().or(self.options.token.as_ref()) {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        request.body(ask.payload.body()).map_err(|error| {
            ClientError::new(ErrorKind::Usage, "bad_request", format!("no such request: {error}"))
        })
    }

    async fn collect(&self, answer: Answer) -> Result<(StatusCode, Bytes), hyper::Error> {
        let Answer { response, connection } = answer;
        let status = response.status();
        let mut body = response.into_body();
        let mut whole = Vec::new();
        while let Some(frame) = body.frame().await {
            if let Ok(piece) = frame?.into_data() {
                whole.extend_from_slice(&piece);
            }
            if whole.len() > ANSWER_BYTES_MAX {
                break;
            }
        }
        self.keep(connection);
        Ok((status, Bytes::from(whole)))
    }

    /// Keeps the connection of an answer that was read to its end.
    pub(super) fn reuse(&self, answer: Answer) {
        self.keep(answer.connection);
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|connection| !connection.sender.is_closed());
        idle.pop()
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX && !connection.sender.is_closed() {
            idle.push(connection);
        }
    }
}

impl Answer {
    /// A header of the answer.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// The connection broke; what came before is good.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, hyper::Error> {
        while let Some(frame) = self.response.body_mut().frame().await {
            if let Ok(piece) = frame?.into_data() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}

fn broken(error: &hyper::Error) -> ClientError {
    ClientError::unavailable(format!("the conversation with the daemon broke off: {error}"))
}

async fn wait_for_return(target: &Target, wait: Duration) -> Result<Connection, ClientError> {
    let came = tokio::time::timeout(wait, async {
        loop {
            match dial(target).await {
                Ok(connection) => return Ok(connection),
                Err(error) if is_absence(&error) => tokio::time::sleep(LOOK_EVERY).await,
                Err(error) => return Err(unreachable_at(target, &error)),
            }
        }
    });
    came.await.unwrap_or_else(|_| {
        let error = ClientError::unavailable("the daemon went away and did not come back");
        Err(error.hint("jobs go on without it; `longhaul daemon start` starts one"))
    })
}

fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, NotFound, WouldBlock};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | NotFound | WouldBlock)
}

fn unreachable_at(target: &Target, error: &io::Error) -> ClientError {
    let place = match target {
        Target::Home(home) => home.socket().display().to_string(),
        Target::Unix(path) => path.display().to_string(),
        Target::Tcp(authority) => authority.clone(),
    };
    ClientError::unavailable(format!("the daemon at `{place}` cannot be reached: {error}"))
}

async fn dial(target: &Target) -> io::Result<Connection> {
    match target {
        Target::Home(home) => converse(UnixStream::connect(home.socket()).await?).await,
        Target::Unix(path) => converse(UnixStream::connect(path).await?).await,
        Target::Tcp(authority) => {
            let stream = TcpStream::connect(authority).await?;
            stream.set_nodelay(true)?;
            converse(stream).await
        }
    }
}

async fn converse<S>(stream: S) -> io::Result<Connection>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // Ends with the connection; `Connection` aborts it when it is dropped.
    let driver = tokio::spawn(connection).abort_handle();
    Ok(Connection { sender, driver })
}

//! Starts the daemon of a home in the background. Many clients may find at once that there is none:
//! one of them starts it, the others wait for it, and all end up connected to the same. A daemon that
//! has the home but lets nobody in is on its way in or out: it is waited for, too.

use super::error::{ClientError, ErrorKind};
use crate::api::ErrorBody;
use crate::home::Home;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

/// How long a daemon may take to come up. It opens a database, perhaps after a crash.
const START_MAX: Duration = Duration::from_secs(30);
/// Between two looks whether the daemon that somebody else starts is there.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How many daemons may come up and be gone before we have connected.
const LIVES_MAX: u32 = 20;
/// Bytes of the log's end that are shown when a start failed.
const LOG_BYTES_SHOWN: u64 = 2_048;
/// Bytes of what a daemon says first.
const WORD_BYTES_MAX: usize = 16 * 1_024;
/// Variables that make a process part of a job. A daemon with them would be ended with that job.
const OF_A_JOB: [&str; 4] =
    ["LONGHAUL_JOB_ID", "LONGHAUL_ATTEMPT", "LONGHAUL_SOCKET", "LONGHAUL_JOB_TOKEN"];

/// What is started, and for which home.
pub(super) struct Start<'a> {
    pub(super) home: &'a Home,
    pub(super) program: &'a Path,
}

/// How a daemon that we started began.
enum Beginning {
    /// It said that clients can connect.
    Up,
    /// It left because the home was not free.
    HomeTaken,
}

/// Sees to it that a daemon runs, and connects with `look`.
pub(super) async fn start<T, F>(what: Start<'_>, look: impl Fn() -> F) -> Result<T, ClientError>
where
    F: Future<Output = Option<T>>,
{
    let started = tokio::time::timeout(START_MAX, async {
        loop {
            if let Some(turn) = take_turn(what.home)? {
                let found = start_in_turn(&what, &look).await;
                drop(turn);
                return found;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            if let Some(found) = look().await {
                return Ok(found);
            }
        }
    });
    started.await.unwrap_or_else(|_| Err(late(what.home)))
}

/// Starts daemons until one of them, or of anybody's, lets us in.
async fn start_in_turn<T, F>(what: &Start<'_>, look: &impl Fn() -> F) -> Result<T, ClientError>
where
    F: Future<Output = Option<T>>,
{
    let mut lives = 0;
    loop {
        // Whoever had the turn before us, or whoever has the home, may let us in by now.
        if let Some(found) = look().await {
            return Ok(found);
        }
        // A lock that cannot be looked at is told about by the daemon that we start.
        let holder = what.home.holder().unwrap_or_default();
        if holder.is_some_and(|holder| !holder.is_private) {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        let before = log_bytes(what.home);
        match start_one(what, before).await? {
            Beginning::Up => lives += 1,
            Beginning::HomeTaken => refuse_private(what.home)?,
        }
        // Gone again at once, it was stopped or killed by somebody, or it cannot live here.
        if lives > LIVES_MAX {
            let message = format!("{lives} daemons came up and were gone at once");
            return Err(failed(message, what.home, before));
        }
    }
}

/// Who never lets clients in is not waited for. Asked only after a daemon had the patience to try
/// for the lock: what lies beside it may be older than who has it.
fn refuse_private(home: &Home) -> Result<(), ClientError> {
    let holder = home.holder().unwrap_or_default().filter(|holder| holder.is_private);
    let Some(pid) = holder.and_then(|holder| holder.pid) else { return Ok(()) };
    let message = format!("process {pid} has the home and lets no client in");
    let error = ClientError::new(ErrorKind::Unavailable, "already_running", message);
    Err(error.hint("it is a program that embeds longhaul without serving; ask that program"))
}

/// What is told when the time has run out.
fn late(home: &Home) -> ClientError {
    let seconds = START_MAX.as_secs();
    let pid = home.holder().unwrap_or_default().and_then(|holder| holder.pid);
    let Some(pid) = pid else {
        return failed(format!("the daemon has not come up in {seconds} s"), home, 0);
    };
    let message = format!("process {pid} has had the home and let nobody in for {seconds} s");
    ClientError::new(ErrorKind::Unavailable, "start_failed", message).hint(format!(
        "if it is a daemon, killing it ends no job; `{}` may say what it does",
        home.log().display()
    ))
}

/// The right to start a daemon, held through a lock that the kernel gives back if we die.
fn take_turn(home: &Home) -> Result<Option<File>, ClientError> {
    let path = home.path().join("start.lock");
    let opened =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = opened.map_err(|error| cannot_write(&path.display().to_string(), &error))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(cannot_write(&path.display().to_string(), &error.into())),
    }
}

async fn start_one(what: &Start<'_>, before: u64) -> Result<Beginning, ClientError> {
    let home = what.home;
    let path = home.log();
    let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    let log = opened.map_err(|error| cannot_write(&path.display().to_string(), &error))?;
    let mut child = spawn(what, log)
        .map_err(|error| failed(format!("no daemon can be started: {error}"), home, before))?;
    let word = first_word(&mut child).await;
    if word.as_deref().is_ok_and(|word| word.starts_with(b"ready")) {
        return Ok(Beginning::Up);
    }
    // It says in JSON why it leaves, so that the reason keeps its code. That another daemon has the
    // home is no failure: we only have to find it, or to try again once it has left.
    let why: Option<ErrorBody> = word.ok().and_then(|word| serde_json::from_slice(&word).ok());
    match why {
        Some(ErrorBody { error }) if error.code == "already_running" => Ok(Beginning::HomeTaken),
        Some(ErrorBody { error }) => {
            let failed = ClientError::new(ErrorKind::Unavailable, &error.code, error.message);
            Err(ClientError { hint: error.hint, ..failed })
        }
        None => Err(failed("the daemon did not come up".to_owned(), home, before)),
    }
}

/// Spawns without a terminal of its own to hang on to: the daemon makes its own session.
fn spawn(what: &Start<'_>, log: File) -> io::Result<Child> {
    let mut command = Command::new(what.program);
    command
        .args(["--json", "daemon", "run", "--background"])
        .env("LONGHAUL_HOME", what.home.path())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log);
    for name in OF_A_JOB {
        command.env_remove(name);
    }
    command.spawn()
}

/// What the daemon says first: `ready` once it listens, or the error that it leaves with.
async fn first_word(child: &mut Child) -> io::Result<Vec<u8>> {
    let stdout = child.stdout.take().expect("it was asked for when it was spawned");
    let mut pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(stdout))?;
    let mut word = Vec::new();
    let mut piece = [0; 64];
    loop {
        let count = pipe.read(&mut piece).await?;
        word.extend_from_slice(&piece[..count]);
        if count == 0 || word.contains(&b'\n') || word.len() > WORD_BYTES_MAX {
            return Ok(word);
        }
    }
}

fn cannot_write(path: &str, error: &io::Error) -> ClientError {
    ClientError::new(
        ErrorKind::Unavailable,
        "start_failed",
        format!("no daemon can be started: `{path}` cannot be opened: {error}"),
    )
}

/// What is told when there is no daemon in the end: the words of the log since `before`.
fn failed(message: String, home: &Home, before: u64) -> ClientError {
    let path = home.log();
    let text = tail(&path, before).unwrap_or_default();
    let message = if text.is_empty() { message } else { format!("{message}:\n{text}") };
    ClientError::new(ErrorKind::Unavailable, "start_failed", message)
        .hint(format!("`{}` has all that it said", path.display()))
}

/// Where in the log the words of the next daemon begin.
fn log_bytes(home: &Home) -> u64 {
    std::fs::metadata(home.log()).map_or(0, |about| about.len())
}

fn tail(path: &Path, before: u64) -> io::Result<String> {
    let mut log = File::open(path)?;
    let end = log.metadata()?.len();
    log.seek(SeekFrom::Start(before.max(end.saturating_sub(LOG_BYTES_SHOWN)).min(end)))?;
    let mut bytes = Vec::new();
    log.take(LOG_BYTES_SHOWN).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

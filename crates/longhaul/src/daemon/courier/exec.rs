//! A notice on a program's standard input. The program has a process group of its own, and when it
//! is over so is all of that group: a sink is a filter, not a way to start servers. Nothing here
//! waits for the end of a pipe, which belongs to whoever of its children still holds it.

use super::Letter;
use super::answer::{ANSWER_BYTES_MAX, Answer, sentence};
use crate::daemon::readable::readable;
use longhaul_core::time::Millis;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;
use tokio::time::timeout;

/// Between the request to end and the end by force.
const GRACE: Duration = Duration::from_secs(1);
/// How long a program that was ended by force may take to go; one that the kernel holds goes later.
const GONE_WAIT_MAX: Duration = Duration::from_secs(1);
/// The exit code by which a program asks for another try later (`EX_TEMPFAIL` of sysexits).
const EXIT_LATER: i32 = 75;
/// How much later.
const LATER: Millis = Millis::from_secs(60);
/// What a program gets of the daemon's own environment. The rest is nobody else's business, and a
/// program that worked in a terminal needs these.
pub(in crate::daemon) const PASSED_ON: [&str; 6] =
    ["PATH", "HOME", "LANG", "USER", "SHELL", "TERM"];
/// Bytes read at once.
const CHUNK_BYTES: usize = 4_096;
/// Bytes taken from a pipe once its program is over: what a pipe holds. A child that got away may
/// write for ever.
const REST_BYTES_MAX: usize = 64 * 1_024;

/// A program, as its sink has it.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) command: Vec<String>,
    /// Absolute path of the directory it runs in.
    pub(super) cwd: PathBuf,
    /// Further entries of its environment.
    pub(super) environment: Vec<(&'static str, OsString)>,
    /// How long it may take.
    pub(super) limit: Duration,
}

impl Program {
    /// Runs the program once, with the notice on its standard input.
    pub(super) async fn send(&self, letter: &Letter, home: &Path) -> Answer {
        let Some(name) = self.command.first() else {
            return Answer::failed("the sink names no program");
        };
        let command = match self.command(name, letter, home) {
            Ok(command) => command,
            Err(why) => return Answer::failed(why),
        };
        // Its own thread: a program on a server that is away takes long to start.
        let starting = tokio::task::spawn_blocking(move || Group::start(command));
        let started = starting.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        let mut group = match started {
            Ok(group) => group,
            Err(error) => return Answer::failed(format!("`{name}` cannot be started: {error}")),
        };
        match group.attend(&letter.body, self.limit).await {
            Ok(end) => judge(&end, self.limit),
            Err(error) => Answer::failed(format!("`{name}` cannot be watched: {error}")),
        }
    }

    fn command(&self, name: &str, letter: &Letter, home: &Path) -> Result<Command, String> {
        // Said apart, because the system names neither when one of the two is missing.
        if !self.cwd.is_dir() {
            return Err(format!("`{}` is not a directory to run in", self.cwd.display()));
        }
        let passed_on = PASSED_ON.iter().filter_map(|key| Some((key, std::env::var_os(key)?)));
        let mut command = Command::new(name);
        command
            .args(&self.command[1..])
            .current_dir(&self.cwd)
            .env_clear()
            .envs(passed_on)
            .envs(self.environment.iter().cloned())
            .env("LONGHAUL_NOTICE_ID", &letter.id)
            .env("LONGHAUL_NOTICE_TRY", letter.number.to_string())
            .env("LONGHAUL_HOME", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        Ok(command)
    }
}

/// How a program ended, and what it said last.
pub(in crate::daemon) struct End {
    pub(in crate::daemon) status: Option<ExitStatus>,
    pub(in crate::daemon) was_late: bool,
    /// The last of what it wrote.
    pub(in crate::daemon) stdout: Vec<u8>,
    pub(in crate::daemon) stderr: Vec<u8>,
}

fn judge(end: &End, limit: Duration) -> Answer {
    let said = if end.stderr.is_empty() { &end.stdout } else { &end.stderr };
    if end.was_late {
        let head = format!("ended by force after {} s", limit.as_secs_f32());
        return Answer::failed(sentence(&head, said));
    }
    let code = end.status.and_then(|status| status.code());
    match (code, end.status.and_then(|status| status.signal())) {
        (Some(0), _) => Answer::delivered(sentence("exit code 0", &end.stdout)),
        (Some(EXIT_LATER), _) => Answer::later(sentence("exit code 75, later", said), Some(LATER)),
        (Some(code), _) => Answer::failed(sentence(&format!("exit code {code}"), said)),
        (None, Some(signal)) => Answer::failed(sentence(&format!("signal {signal}"), said)),
        (None, None) => Answer::failed(sentence("ended in an unknown way", said)),
    }
}

/// A program and what it starts. While the leader is not waited for, its number cannot become
/// anybody else's, and with it the group's: only until then is the group signalled.
pub(in crate::daemon) struct Group {
    leader: Option<Child>,
}

impl Group {
    pub(in crate::daemon) fn start(mut command: Command) -> io::Result<Self> {
        Ok(Self { leader: Some(command.spawn()?) })
    }

    async fn attend(&mut self, body: &[u8], limit: Duration) -> io::Result<End> {
        self.converse(body, limit, ANSWER_BYTES_MAX).await
    }

    /// Gives the program its input, and waits for its end. Keeps the last `kept_max` bytes of what it
    /// writes on each of its outputs. To be called once.
    pub(in crate::daemon) async fn converse(
        &mut self,
        body: &[u8],
        limit: Duration,
        kept_max: usize,
    ) -> io::Result<End> {
        let leader = self.leader.as_mut().expect("attended once");
        let stdin = leader.stdin.take().map(OwnedFd::from).map(pipe::Sender::from_owned_fd);
        let stdout = leader.stdout.take().map(OwnedFd::from);
        let stderr = leader.stderr.take().map(OwnedFd::from);
        let (mut stdout, mut stderr) = (Tail::of(stdout, kept_max)?, Tail::of(stderr, kept_max)?);
        let leader = pid(leader);
        let gone = readable(pidfd_open(leader, PidfdFlags::NONBLOCK)?)?;
        let was_late = {
            let talking = async {
                tokio::join!(feed(stdin, body), stdout.follow(), stderr.follow());
                std::future::pending::<Infallible>().await
            };
            tokio::select! {
                biased;
                was_late = until_over(&gone, leader, limit) => was_late?,
                never = talking => match never {},
            }
        };
        // Whom the leader leaves behind would hold the pipes, and do who knows what for how long.
        signal(leader, Signal::KILL);
        stdout.take_rest();
        stderr.take_rest();
        let status = self.leader.take().map(|mut leader| leader.try_wait()).transpose()?;
        Ok(End {
            status: status.flatten(),
            was_late,
            stdout: stdout.kept.into(),
            stderr: stderr.kept.into(),
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(mut leader) = self.leader.take() else { return };
        signal(pid(&leader), Signal::KILL);
        // One that does not go at once is taken by the system when this process ends.
        if let Err(error) = leader.try_wait() {
            tracing::warn!(%error, "a sink's program was not waited for");
        }
    }
}

fn pid(child: &Child) -> Pid {
    let number = i32::try_from(child.id()).expect("a process id is a small number");
    Pid::from_raw(number).expect("a process id is not zero")
}

/// A group that is gone already needs no signal.
fn signal(leader: Pid, signal: Signal) {
    if let Err(error) = kill_process_group(leader, signal)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(%error, "a sink's program cannot be signalled");
    }
}

/// Comes back once the leader is over, by itself or by force; says whether it was by force.
async fn until_over(gone: &AsyncFd<OwnedFd>, leader: Pid, limit: Duration) -> io::Result<bool> {
    if let Ok(ready) = timeout(limit, gone.readable()).await {
        return ready.map(|_| false);
    }
    signal(leader, Signal::TERM);
    if let Ok(ready) = timeout(GRACE, gone.readable()).await {
        return ready.map(|_| true);
    }
    signal(leader, Signal::KILL);
    match timeout(GONE_WAIT_MAX, gone.readable()).await {
        Ok(ready) => ready.map(|_| true),
        Err(_) => Ok(true),
    }
}

/// Writes the notice. A program need not read it: that is no failure of ours.
async fn feed(stdin: Option<io::Result<pipe::Sender>>, body: &[u8]) {
    if let Some(Ok(mut stdin)) = stdin
        && let Err(error) = stdin.write_all(body).await
    {
        tracing::debug!(%error, "a sink's program did not read its notice");
    }
}

/// The last of what comes out of a pipe; all of it is taken, so that nobody has to wait to write.
struct Tail {
    pipe: Option<pipe::Receiver>,
    kept: VecDeque<u8>,
    kept_max: usize,
}

impl Tail {
    fn of(pipe: Option<OwnedFd>, kept_max: usize) -> io::Result<Self> {
        let pipe = pipe.map(pipe::Receiver::from_owned_fd).transpose()?;
        Ok(Self { pipe, kept: VecDeque::new(), kept_max })
    }

    /// Reads until nobody can write any more.
    async fn follow(&mut self) {
        while let Some(pipe) = &self.pipe {
            if pipe.readable().await.is_err() {
                return;
            }
            self.take_chunk();
        }
    }

    /// Takes what is there, without waiting for more.
    fn take_rest(&mut self) {
        let mut left = REST_BYTES_MAX;
        while left > 0 {
            let Some(taken) = self.take_chunk() else { return };
            left = left.saturating_sub(taken);
        }
    }

    /// Takes a chunk, if one is there; the pipe goes once it is at its end.
    fn take_chunk(&mut self) -> Option<usize> {
        let mut chunk = [0; CHUNK_BYTES];
        match self.pipe.as_ref()?.try_read(&mut chunk) {
            Ok(taken) if taken > 0 => {
                self.kept.extend(&chunk[..taken]);
                let surplus = self.kept.len().saturating_sub(self.kept_max);
                self.kept.drain(..surplus);
                Some(taken)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Ok(_) | Err(_) => {
                self.pipe = None;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;

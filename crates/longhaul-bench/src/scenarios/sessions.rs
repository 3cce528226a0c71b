//! "My clients come over a WebSocket: what does a job cost them, how fast are they told, what does one
//! hold that says nothing, and how long until one is told again after a crash?" The server is the
//! example that hosts the agents, over a home on the disk; its answers wait for the disk.

mod client;

use crate::baseline::SyncedAppend;
use crate::bench::Bench;
use crate::clock::{self, Started};
use crate::peers::{Sdk, Served};
use crate::processes::{self, Process};
use crate::report::{Figure, Line, Reach, Unit};
use crate::stats::Samples;
use anyhow::{Context, Result, ensure};
use client::Client;
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const NAME: &str = "sessions";
/// Of one round.
const JOBS: usize = 1_000;
/// Of one round.
const APPENDS: usize = 100;
const WARM_UP: usize = 50;
/// Jobs of one session that have not ended.
const IN_FLIGHT: usize = 64;
const EVENTS: u64 = 100_000;
/// Bytes of each of them.
const EVENT_BYTES: usize = 70;
const SESSIONS: usize = 1_000;
/// The runtime in TypeScript with its log in memory, on a machine like the one that the figures in
/// `docs/benchmarks.md` come from: it is not installed beside us, so its figures are told and not run.
const PEER_JOBS: f64 = 717.0;
const PEER_JOBS_IN_FLIGHT: f64 = 920.0;
const PEER_EVENTS: f64 = 12_527.0;
const SESSION_BYTES_MAX: f64 = 10.0 * 1_024.0;
const FIRST_FRAME_MS_MAX: f64 = 100.0;
const LOOK: Duration = Duration::from_millis(5);
/// Until a server that was just asked something is at rest again.
const REST: Duration = Duration::from_secs(2);

/// The example, serving a home. Dropping it ends it and what it started.
struct Server {
    program: PathBuf,
    home: PathBuf,
    at: SocketAddr,
    child: Child,
}

impl Server {
    fn start(bench: &Bench, name: &str) -> Result<Self> {
        let home = bench.fresh(name)?;
        rustix::fs::chmod(&home, rustix::fs::Mode::RWXU)?;
        let beside = bench.longhaul.parent().context("a program lies in a folder")?;
        let program = beside.join("examples/arcp-agents");
        ensure!(program.is_file(), "there is no {}", program.display());
        // The kernel names a port that nobody has; it is free again before the server asks for it.
        let at = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = spawn(&program, &home, at)?;
        let server = Self { program, home, at, child };
        server.ready()?;
        Ok(server)
    }

    /// Waits until somebody is welcomed.
    fn ready(&self) -> Result<()> {
        clock::until("the server welcomes somebody", LOOK, || {
            Ok(Client::open(self.at, None).ok().map(drop))
        })
    }

    fn process(&self) -> Result<Process> {
        Ok(Process(i32::try_from(self.child.id())?))
    }

    /// Kills it, and starts another over the same home.
    fn crash(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.child = spawn(&self.program, &self.home, self.at)?;
        self.ready()
    }
}

fn spawn(program: &PathBuf, home: &PathBuf, at: SocketAddr) -> Result<Child> {
    let mut command = Command::new(program);
    command.arg("--listen").arg(at.to_string()).args(["--token", "tok=alice"]);
    command.arg("--home").arg(home).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null()).current_dir(home);
    command.spawn().with_context(|| format!("{} does not start", program.display()))
}

impl Drop for Server {
    fn drop(&mut self) {
        // What cannot be ended here is ended by the last sweep of the whole run.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
        let _swept = processes::sweep(&self.home);
        let _gone = fs_err::remove_dir_all(&self.home);
    }
}

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let theirs =
        bench.peers.sdk.as_ref().map(|sdk| sdk.serve(bench, "sessions-sdk")).transpose()?;
    let name = bench.peers.sdk.as_ref().map(Sdk::described);
    let theirs = theirs.as_ref().zip(name.as_deref());
    let mut lines = jobs(bench, theirs)?;
    lines.extend(events(bench, theirs)?);
    lines.push(idle(bench)?);
    if theirs.is_none() {
        let why = "the SDK for Python is not installed".to_owned();
        lines.push(Line::unmeasured(NAME, "jobs and events of the SDK for Python", why));
    }
    Ok(lines)
}

/// How fast jobs that do nothing are done, one after the other and many at a time.
#[derive(Default)]
struct Rates {
    took: Samples,
    one: Samples,
    many: Samples,
}

impl Rates {
    #[expect(clippy::cast_precision_loss, reason = "a thousand jobs")]
    fn round(&mut self, client: &mut Client) -> Result<()> {
        let rate = |started: &Started| JOBS as f64 / (started.elapsed_ms() / 1_000.0);
        let started = Started::now();
        for _ in 0..JOBS {
            self.took.push(clock::timed(|| client.noop())?);
        }
        self.one.push(rate(&started));
        let started = Started::now();
        let (mut submitted, mut ended) = (0, 0);
        while ended < JOBS {
            while submitted < JOBS && submitted - ended < IN_FLIGHT {
                client.submit("noop", &Value::Null)?;
                submitted += 1;
            }
            ended += usize::from(client.next()?["type"] == "job.result");
        }
        self.many.push(rate(&started));
        Ok(())
    }
}

/// A client that has seen the first jobs done.
fn warm(at: SocketAddr) -> Result<Client> {
    let mut client = Client::open(at, None)?;
    for _ in 0..WARM_UP {
        client.noop()?;
    }
    Ok(client)
}

/// In rounds, in turns with the peer and with what the disk costs whoever promises something.
fn jobs(bench: &Bench, theirs: Option<(&Served, &str)>) -> Result<Vec<Line>> {
    let server = Server::start(bench, "sessions-jobs")?;
    let mut client = warm(server.at)?;
    let mut peer = theirs.map(|(served, _)| warm(served.at)).transpose()?;
    let mut disk = SyncedAppend::open(&bench.folder)?;
    let (mut rates, mut beside, mut appends) =
        (Rates::default(), Rates::default(), Samples::default());
    for _ in 0..bench.args.runs {
        rates.round(&mut client)?;
        if let Some(peer) = &mut peer {
            beside.round(peer)?;
        }
        for _ in 0..APPENDS {
            appends.push(clock::timed(|| disk.append())?);
        }
    }
    let (one, many) = (rates.one.median(), rates.many.median());
    let line = |what: String, rates: &Samples| {
        Line::new(NAME, what, Figure::runs(rates, Unit::JobsPerSecond))
    };
    let at_once = format!("such jobs, {IN_FLIGHT} in flight");
    let (times_one, times_many) = (3.0 * PEER_JOBS, 10.0 * PEER_JOBS_IN_FLIGHT);
    let mut lines = vec![
        Line::new(
            NAME,
            "a job that does nothing, asked for to its result",
            Figure::latencies(&rates.took),
        ),
        Line::new(NAME, "append 300 B + fdatasync", Figure::latencies(&appends)),
        line("such jobs, one at a time".to_owned(), &rates.one).reach(Reach::at_least(
            "3 × the runtime in TypeScript (717)",
            one,
            times_one,
        )),
        line(at_once, &rates.many).reach(Reach::at_least(
            "10 × the runtime in TypeScript (920)",
            many,
            times_many,
        )),
    ];
    if let Some((_, name)) = theirs {
        lines.push(line(format!("{name}, one at a time"), &beside.one).beside(one));
        lines.push(line(format!("{name}, {IN_FLIGHT} in flight"), &beside.many).beside(many));
    }
    Ok(lines)
}

/// One job that tells a hundred thousand things. Gives how many came in a second, and the number of the
/// last thing that was told.
#[expect(clippy::cast_precision_loss, reason = "a hundred thousand events")]
fn hear(client: &mut Client) -> Result<(f64, u64)> {
    let started = Started::now();
    client.submit("emit", &json!({ "n": EVENTS, "size": EVENT_BYTES }))?;
    let (mut logs, mut last) = (0_u64, 0);
    loop {
        let frame = client.next()?;
        if let Some(seq) = frame["event_seq"].as_u64() {
            ensure!(seq == last + 1, "{seq} follows {last}");
            last = seq;
        }
        logs += u64::from(frame["payload"]["kind"] == "log");
        if frame["type"] == "job.result" {
            break;
        }
    }
    ensure!(logs == EVENTS, "{logs} of {EVENTS} events came");
    Ok((EVENTS as f64 / (started.elapsed_ms() / 1_000.0), last))
}

/// Such a job; and the same again after a crash.
fn events(bench: &Bench, theirs: Option<(&Served, &str)>) -> Result<Vec<Line>> {
    let mut server = Server::start(bench, "sessions-events")?;
    let mut client = Client::open(server.at, None)?;
    let (told, last) = hear(&mut client)?;
    let session = client.leave();
    server.crash()?;
    let started = Started::now();
    let mut client = Client::open(server.at, Some(&session))?;
    let first = client.next()?;
    let until_first = started.elapsed_ms();
    ensure!(first["event_seq"] == 1, "{first} comes first");
    for seq in 2..=last {
        let frame = client.next()?;
        ensure!(frame["event_seq"] == seq, "{frame} comes where {seq} is due");
    }
    let all = started.elapsed_ms();
    let reach = Reach::at_most("first frame < 100 ms", until_first, FIRST_FRAME_MS_MAX);
    let mut lines = vec![
        Line::new(
            NAME,
            format!("{EVENTS} events of one job, to one client"),
            Figure::once(told, Unit::EventsPerSecond),
        )
        .reach(Reach::at_least(
            "10 × the runtime in TypeScript (12,527)",
            told,
            10.0 * PEER_EVENTS,
        )),
        Line::new(
            NAME,
            "all of them again after kill -9: the first, from hello",
            Figure::once(until_first, Unit::Milliseconds),
        )
        .reach(reach),
        Line::new(NAME, "the same: the last", Figure::once(all, Unit::Milliseconds)),
    ];
    if let Some((served, name)) = theirs {
        let (figure, _) = hear(&mut Client::open(served.at, None)?)?;
        let figure = Figure::once(figure, Unit::EventsPerSecond);
        lines.push(Line::new(NAME, format!("{name}, {EVENTS} events"), figure).beside(told));
    }
    Ok(lines)
}

/// Sessions that say nothing.
#[expect(clippy::cast_precision_loss, reason = "a thousand sessions")]
fn idle(bench: &Bench) -> Result<Line> {
    let server = Server::start(bench, "sessions-idle")?;
    let process = server.process()?;
    // What the first ones make it allocate once is not theirs.
    let mut clients = vec![Client::open(server.at, None)?, Client::open(server.at, None)?];
    clock::rest(REST);
    let before = process.private_mib()?;
    for _ in 0..SESSIONS {
        clients.push(Client::open(server.at, None)?);
    }
    clock::rest(REST);
    let each = (process.private_mib()? - before) * 1_024.0 * 1_024.0 / SESSIONS as f64;
    Ok(Line::new(
        NAME,
        format!("one of {SESSIONS} sessions that say nothing (private)"),
        Figure::once(each, Unit::Bytes),
    )
    .reach(Reach::at_most("< 10 KiB", each, SESSION_BYTES_MAX)))
}

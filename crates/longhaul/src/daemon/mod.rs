//! The daemon: one engine that decides, drivers that make its wants true, servers that ask.
//!
//! [`engine`] is the only holder of the store. [`supervisor`] starts, watches and ends attempts, by
//! files alone, so that killing the daemon at any moment costs nothing. Everybody else gets
//! [`Ports`] and asks. This file is the composition root: what is started when, and ended when.

mod board;
mod courier;
mod denials;
mod doors;
mod doubts;
mod engine;
mod feeds;
mod handle;
mod hosted;
mod inbox;
mod issuer;
mod journal;
mod limits;
mod listen;
mod lock;
mod log;
mod mend;
mod options;
mod parked;
mod presences;
mod readable;
mod readers;
mod room;
mod spools;
mod stop;
mod stored;
mod supervisor;
mod tasks;
mod tokens;
mod turns;
mod worktrees;

pub use courier::{Courier, Tested, check_secret, check_url, shown_url};
pub use denials::Denials;
pub use doors::{Doors, IssuerSetting, PassingToken, Principal, Proof, SigningAlgorithm, Standing};
pub use doubts::Doubts;
pub use feeds::{Feeds, Seat};
pub use handle::{AskError, EngineHandle};
pub use hosted::{
    Agent, DelegateAsk, Delegated, Entry, HostedAsk, Inventory, NoAgent, NotRegistered,
    NotSubmitted, Offered, POOL, Prepared, Reference, Submitted, Unfit, Work, entry as told_entry,
    entry_of as told_entry_of, is_name, is_version,
};
pub use issuer::{Credentials, Provided};
pub use journal::{InboxWatch, JobWatch, Journal, Watch};
pub use mend::{inspect, repair};
pub use options::{DaemonError, DaemonOptions};
pub use presences::{Connected, Presences};
pub use readers::Readers;
pub use room::Room;
pub use spools::{Growth, Spools, Stream};
pub use stop::StopSwitch;
pub(crate) use stored::DRAFT;
pub use stored::Stored;
pub use tasks::{Body, CLOSURE, Closure, Returned, Run, StopCause, TaskToken, Tasks, Voice};
pub use tokens::Tokens;
pub use turns::is_needed;
pub use worktrees::{Ignored, Reaped, Worktree, Worktrees};

use self::board::Board;
use self::courier::{CourierDriver, Sources};
use self::engine::{EngineParts, EngineThread};
use self::inbox::Inbox;
use self::issuer::IssuerDriver;
use self::lock::HomeLock;
use self::supervisor::{Site, Supervisor};
use self::tasks::{Placed, TaskDriver};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::home::Home;
use crate::serve::{Listen, Server};
use longhaul_core::command::{Deliver, Place, Want};
use longhaul_core::credential::Issue;
use longhaul_core::engine::Engine;
use longhaul_core::id::HostId;
use longhaul_core::port::{Reader, Store};
use longhaul_core::time::Timestamp;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::task::{JoinHandle, JoinSet};

/// What the servers get of the daemon. Cheap to clone.
#[derive(Clone)]
pub struct Ports {
    /// Asks.
    pub engine: EngineHandle,
    /// Learns of commits.
    pub journal: Journal,
    /// Reads rows and the journal.
    pub readers: Readers,
    /// Reads what jobs wrote.
    pub spools: Spools,
    /// Inputs and attachments.
    pub stored: Stored,
    /// Writes down who was turned away.
    pub denials: Denials,
    /// Checks what jobs prove themselves with.
    pub tokens: Tokens,
    /// Attempts that nothing can be done about.
    pub doubts: Doubts,
    /// Owners' connections.
    pub presences: Presences,
    /// Looks at tokens.
    pub doors: Doors,
    /// Clients' connections, woken by what their sessions are told.
    pub feeds: Feeds,
    /// Tries out sinks.
    pub courier: Courier,
    /// Functions of this process that are run as jobs.
    pub tasks: Tasks,
    /// Agents that can be asked for.
    pub inventory: Inventory,
    /// Credentials of jobs.
    pub credentials: Credentials,
    /// Worktrees that agents work in.
    pub worktrees: Worktrees,
    /// Where everything lies.
    pub home: Home,
    /// The settings.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// This machine.
    pub host: HostId,
    /// Since when the daemon is up.
    pub started_at: Timestamp,
    /// Stops the daemon.
    pub stop: StopSwitch,
}

/// How long acts and requests that are under way at the stop are waited for.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// Threads that run futures; deciding and blocking have their own.
const WORKERS: usize = 2;
/// Threads that may block at the same time.
const BLOCKING_MAX: usize = 16;
/// How long such a thread stays when it has nothing to do: its stack is most of what idling costs.
const BLOCKING_IDLE_MAX: Duration = Duration::from_secs(1);
/// With fewer descriptors than this one reader has to do for all.
const DESCRIPTORS_FEW: u64 = 128;

/// Runs a daemon until it is stopped, on a runtime of its own.
///
/// # Errors
/// See [`DaemonError`].
pub fn run_blocking(options: &DaemonOptions) -> Result<(), DaemonError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING_MAX)
        .thread_keep_alive(BLOCKING_IDLE_MAX)
        .enable_all()
        .build()
        .map_err(|source| DaemonError::io(&options.home, source))?;
    let result = runtime.block_on(run(options));
    runtime.shutdown_timeout(DRAIN_MAX);
    result
}

/// Runs a daemon until somebody stops it: by [`StopSwitch`], `SIGTERM` or `SIGINT`.
///
/// # Errors
/// See [`DaemonError`].
pub async fn run(options: &DaemonOptions) -> Result<(), DaemonError> {
    if options.background {
        // Refused to whoever leads a group already, which is as good.
        let _ = rustix::process::setsid();
    } else {
        log::to_terminal();
    }
    let mut daemon = Daemon::start(options)?;
    daemon.up().await;
    let listener = listen::clients(&daemon.ports.home)?;
    let network = match &options.listen {
        Some(listen) => Some(Server::open(listen, &daemon.ports).await?),
        None => None,
    };
    if options.background {
        announce(&daemon.ports.home)?;
    }
    rustix::process::chdir("/").map_err(|error| DaemonError::io(Path::new("/"), error.into()))?;
    tracing::info!(home = %daemon.ports.home.path().display(), "up");
    let served = serve_until_stopped(listener, network, &daemon.ports).await;
    let finished = daemon.finish().await;
    tracing::info!("down");
    finished.and(served)
}

/// Says `ready` to whoever waits for it, and leaves the terminal.
fn announce(home: &Home) -> Result<(), DaemonError> {
    use std::io::Write;
    // Whoever started us may not wait for it.
    let _ = io::stdout().write_all(b"ready\n").and_then(|()| io::stdout().flush());
    log::to_file(home).map_err(|source| DaemonError::io(&home.log(), source))
}

async fn serve_until_stopped(
    listener: UnixListener,
    network: Option<Server>,
    ports: &Ports,
) -> Result<(), DaemonError> {
    let mut signals = JoinSet::new();
    for kind in [signal_kind::TERMINATE, signal_kind::INTERRUPT] {
        let stop = ports.stop.clone();
        let mut signal = tokio::signal::unix::signal(kind())
            .map_err(|source| DaemonError::io(ports.home.path(), source))?;
        signals.spawn(async move {
            signal.recv().await;
            stop.stop();
        });
    }
    let network = async {
        if let Some(network) = network {
            network.run().await;
        }
    };
    tokio::join!(crate::serve::run(listener, ports.clone()), network);
    // Servers that come back by themselves take the daemon with them: it is of no use without.
    ports.stop.stop();
    Ok(())
}

mod signal_kind {
    use tokio::signal::unix::SignalKind;
    pub(super) const TERMINATE: fn() -> SignalKind = SignalKind::terminate;
    pub(super) const INTERRUPT: fn() -> SignalKind = SignalKind::interrupt;
}

/// A daemon without its servers: engine and supervisor run, [`Ports`] are open.
pub struct Daemon {
    /// What servers get.
    pub ports: Ports,
    engine: EngineThread,
    drivers: JoinSet<()>,
    lock: HomeLock,
}

/// This boot of the machine, and the home's clock in it.
fn clock_of(home: &Home) -> Result<(String, Clock), DaemonError> {
    let boot = longhaul_shim::identity::boot_id()
        .map_err(|source| DaemonError::io(Path::new("/proc"), source))?;
    let clock = Clock::start(&home.clock(), &boot);
    clock.save().map_err(|source| DaemonError::io(&home.clock(), source))?;
    Ok((boot, clock))
}

impl Daemon {
    /// Starts everything in its order: the home and its lock, the store, the engine, the drivers.
    /// To be called inside a runtime.
    ///
    /// # Errors
    /// See [`DaemonError`]; nothing was started then.
    pub fn start(options: &DaemonOptions) -> Result<Self, DaemonError> {
        let home = Home::open(&options.home)?;
        let config = Config::load(&home)?;
        let lock = HomeLock::take(&home)?;
        let (nofile, descriptors_max) = limits::raise_descriptors();
        let tokens = Tokens::new(lock::secret(&home)?);
        let (sealing_key, host) = (lock::sealing_key(&home)?, lock::host(&home)?);
        lock::make_folders(&home)?;
        let (boot, clock) = clock_of(&home)?;
        let (store, readers) = open_store(&home, descriptors_max)?;

        let inbox = Arc::new(Inbox::default());
        let (journal, stop, boards) = (Journal::new(), StopSwitch::new(), Boards::default());
        let (feeds, placed) = (Feeds::default(), Placed::default());
        let (folder, low_bytes) = (home.path().to_owned(), config.low_disk_bytes);
        let handle = EngineHandle::new(Arc::clone(&inbox), folder, low_bytes, stop.clone());
        let stored = Stored::new(home.clone(), config.blob_grace);
        let parts = EngineParts {
            engine: Engine::new(place(&config, host.clone(), boot)),
            store,
            inbox,
            journal: journal.clone(),
            feeds: feeds.clone(),
            board: Arc::clone(&boards.processes),
            tasks: Arc::clone(&boards.tasks),
            placed: placed.clone(),
            letters: Arc::clone(&boards.letters),
            issues: Arc::clone(&boards.issues),
            stored: stored.clone(),
            clock: clock.clone(),
            stop: stop.clone(),
        };
        let (readers, spools) = (Readers::new(readers), Spools::new(home.clone()));
        let tasks = Tasks::new(handle.clone(), readers.clone(), clock.clone(), placed);
        let credentials =
            Credentials::new(&config, &sealing_key, readers.clone(), home.path(), host.clone());
        let ports = Ports {
            credentials,
            inventory: Inventory::new(&home, handle.clone(), stored.clone(), tasks.clone())?,
            courier: courier(&handle, &readers, &spools, home.path(), &host, &config),
            denials: Denials::new(handle.clone(), clock.clone()),
            tasks,
            doors: doors(&home, &readers, &clock, options, &config)?,
            engine: handle,
            journal,
            readers,
            spools,
            stored,
            tokens,
            doubts: Doubts::default(),
            presences: Presences::default(),
            feeds,
            started_at: clock.now(),
            worktrees: Worktrees::new(&home),
            home,
            config,
            clock,
            host,
            stop,
        };
        let hints = listen::hints(&ports.home);
        let engine = EngineThread::start(parts, host_name())
            .map_err(|source| DaemonError::io(ports.home.path(), source))?;
        let site = site(&ports, &options.program, nofile);
        let (board, stop) = (Arc::clone(&boards.processes), ports.stop.clone());
        let supervisor = Supervisor::new(site, board, hints, stop, descriptors_max);
        let drivers = start_drivers(&ports, supervisor, boards);
        Ok(Self { ports, engine, drivers, lock })
    }

    /// Comes back once the host is up and whoever is let in finds what the first step makes.
    pub async fn up(&mut self) {
        self.engine.first_turn().await;
    }

    /// Lets clients in at the home's socket, beside what this process asks itself.
    ///
    /// # Errors
    /// [`DaemonError::Io`]: the socket cannot be made.
    pub fn serve(&self) -> Result<JoinHandle<()>, DaemonError> {
        let listener = listen::clients(&self.ports.home)?;
        Ok(tokio::spawn(crate::serve::run(listener, self.ports.clone())))
    }

    /// Lets clients in over a network. Gives where.
    ///
    /// # Errors
    /// As for [`Server::open`].
    pub async fn listen(&self, at: &Listen) -> Result<(SocketAddr, JoinHandle<()>), DaemonError> {
        let server = Server::open(at, &self.ports).await?;
        Ok((server.address(), tokio::spawn(server.run())))
    }

    /// Says that [`Self::serve`] will not be called, so that no client waits for it.
    ///
    /// # Errors
    /// [`DaemonError::Io`]: it cannot be written beside the home's lock.
    pub fn keep_private(&mut self) -> Result<(), DaemonError> {
        let path = self.ports.home.lock();
        self.lock.keep_private().map_err(|source| DaemonError::io(&path, source))
    }

    /// Ends everything in its order. Shims and their jobs go on.
    ///
    /// # Errors
    /// What made the engine stop by itself, if that is why.
    pub async fn finish(mut self) -> Result<(), DaemonError> {
        self.ports.stop.stop();
        let all = async { while self.drivers.join_next().await.is_some() {} };
        let drained = tokio::time::timeout(DRAIN_MAX, all).await;
        if drained.is_err() {
            tracing::warn!("a driver did not come to its end");
        }
        listen::remove(&self.ports.home);
        if tokio::time::timeout(DRAIN_MAX, self.ports.readers.close()).await.is_err() {
            tracing::warn!("somebody still reads; the store is put away at the next start");
        }
        let engine = self.engine;
        let finished = tokio::task::spawn_blocking(move || engine.finish()).await;
        if let Err(error) = self.ports.clock.save() {
            tracing::warn!(%error, "the clock's anchor could not be saved");
        }
        finished.unwrap_or(Ok(())).map_err(DaemonError::from)
    }
}

fn courier(
    engine: &EngineHandle,
    readers: &Readers,
    spools: &Spools,
    home: &Path,
    host: &HostId,
    config: &Config,
) -> Courier {
    Courier::new(Sources {
        engine: engine.clone(),
        readers: readers.clone(),
        spools: spools.clone(),
        home: home.to_owned(),
        host: host.clone(),
        webhooks: config.webhooks.clone(),
        limit: config.try_timeout,
    })
}

/// Where the engine leaves what each driver is to make true.
#[derive(Default)]
struct Boards {
    processes: Arc<Board<Want>>,
    tasks: Arc<Board<Want>>,
    letters: Arc<Board<Deliver>>,
    issues: Arc<Board<Issue>>,
}

fn start_drivers(ports: &Ports, supervisor: Supervisor, boards: Boards) -> JoinSet<()> {
    let mut drivers = JoinSet::new();
    drivers.spawn(supervisor.run());
    drivers.spawn(CourierDriver::new(ports, boards.letters).run());
    drivers.spawn(IssuerDriver::new(ports, boards.issues).run());
    drivers.spawn(TaskDriver::new(ports.tasks.clone(), boards.tasks, ports.stop.clone()).run());
    let (readers, clock) = (ports.readers.clone(), ports.clock.clone());
    drivers.spawn(ports.stored.clone().run(readers, clock, ports.stop.clone()));
    drivers.spawn(ports.presences.clone().run(ports.engine.clone(), ports.stop.clone()));
    drivers
}

fn doors(
    home: &Home,
    readers: &Readers,
    clock: &Clock,
    options: &DaemonOptions,
    config: &Config,
) -> Result<Doors, DaemonError> {
    let issuers = &config.listen.issuers;
    let doors = Doors::new(readers.clone(), clock.clone(), &options.tokens, issuers);
    doors.map_err(|message| ConfigError::Bad { path: home.config(), message }.into())
}

fn place(config: &Config, host: HostId, boot: String) -> Place {
    Place {
        host,
        boot,
        default_slots: config.default_slots,
        retention: config.retention.clone(),
        adopt_after: config.adopt_after,
    }
}

fn site(ports: &Ports, program: &Path, nofile: Option<(u64, u64)>) -> Site {
    Site {
        engine: ports.engine.clone(),
        readers: ports.readers.clone(),
        spools: ports.spools.clone(),
        worktrees: ports.worktrees.clone(),
        home: ports.home.clone(),
        config: ports.config.clone(),
        clock: ports.clock.clone(),
        tokens: ports.tokens.clone(),
        credentials: ports.credentials.clone(),
        doubts: ports.doubts.clone(),
        program: program.to_owned(),
        nofile,
    }
}

type Opened = (Box<dyn Store>, Vec<Box<dyn Reader>>);

fn open_store(home: &Home, descriptors_max: u64) -> Result<Opened, DaemonError> {
    let store = longhaul_store::open(&home.db())?;
    let count = if descriptors_max < DESCRIPTORS_FEW { 1 } else { readers::READERS };
    let readers = (0..count).map(|_| store.reader()).collect::<Result<_, _>>()?;
    Ok((Box::new(store), readers))
}

/// The machine's name, for people.
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

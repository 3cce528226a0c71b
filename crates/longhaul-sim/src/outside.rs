//! The outside world: attempt folders with the evidence that shims leave in them, processes, and a
//! machine for each host. It obeys the contract of the attempt folder and knows no job.

use crate::courier::Taken;
use crate::script::{Child, Ends};
use longhaul_core::command::{Exit, How, StoppedBy};
use longhaul_core::id::JobId;
use longhaul_core::time::Timestamp;
use std::collections::BTreeMap;

/// An attempt: the job and its number.
pub(crate) type Key = (JobId, u32);

/// What happens out there, each some milliseconds after its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// A shim that was launched in this boot reaches the lock.
    ShimArrives { key: Key, boot: u32 },
    /// The process passes its gate and runs.
    Begins { key: Key, boot: u32 },
    /// The process comes to its own end.
    EndsByItself { key: Key, boot: u32 },
    /// A signal has its effect.
    EndsBySignal { key: Key, boot: u32, signal: i32 },
    /// The shim has ended what was left and writes how it went.
    Recorded { key: Key, boot: u32, how: How, stopped: Option<StoppedBy> },
    /// The shim is killed.
    ShimDies { key: Key, boot: u32 },
    /// The host's driver is told to look at the folder.
    Hint { key: Key },
}

/// Who holds an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shim {
    /// Nobody yet.
    None,
    /// A shim holds the lock, and no process runs yet.
    Holds,
    /// A shim holds the lock of a running process.
    Runs,
    /// The shim has left.
    Gone,
}

/// One attempt's folder, and the truth behind it.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    /// At which host it lies.
    pub(crate) host: usize,
    /// In which boot it was made.
    pub(crate) boot: u32,
    /// Who holds it.
    pub(crate) shim: Shim,
    /// Whether `pid.json` is there, and since when the process runs.
    pub(crate) began: Option<u64>,
    /// Whether anything of it runs.
    pub(crate) is_alive: bool,
    /// The exit record.
    pub(crate) record: Option<Record>,
    /// Asked to end; by force or not.
    pub(crate) stop: Option<bool>,
    child: Child,
}

/// `exit.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// How it went.
    pub(crate) how: How,
    /// Who stopped it.
    pub(crate) stopped: Option<StoppedBy>,
}

/// What a look at a folder shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// There is a record.
    Over,
    /// The lock is held, and a process is there.
    Runs,
    /// The lock is held, and no process is there yet.
    Holds,
    /// Nothing was ever begun.
    NeverBegun,
    /// It was begun, and nobody holds it.
    Orphaned,
}

/// All hosts' folders and processes.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    /// Folders that are there.
    pub(crate) folders: BTreeMap<Key, Folder>,
    /// The boot that each host is in.
    pub(crate) boots: Vec<u32>,
    /// A moment at which one job had two processes, if there was one.
    pub(crate) twins: Option<String>,
    /// Processes that ran, ever.
    pub(crate) begun: u64,
    /// What receivers took.
    pub(crate) taken: Taken,
}

/// Happenings that follow, and after how many milliseconds.
pub(crate) type Later = Vec<(u64, Happening)>;

impl Folder {
    /// What a look shows.
    pub(crate) const fn evidence(&self) -> Evidence {
        match (&self.record, self.shim, self.began) {
            (Some(_), _, _) => Evidence::Over,
            (None, Shim::Runs, _) => Evidence::Runs,
            (None, Shim::Holds, _) => Evidence::Holds,
            (None, Shim::None | Shim::Gone, None) => Evidence::NeverBegun,
            (None, Shim::None | Shim::Gone, Some(_)) => Evidence::Orphaned,
        }
    }

    /// The exit record in core's words.
    pub(crate) fn exit(&self, now: Timestamp) -> Option<Exit> {
        let record = self.record.clone()?;
        Some(Exit {
            how: record.how,
            stopped: record.stopped,
            started_at: None,
            ended_at: now,
            stdout_bytes: 100,
            stderr_bytes: 1,
            cpu_ms: 1,
            rss_bytes_max: 1,
            leftovers: None,
            artifacts: Vec::new(),
            warnings: Vec::new(),
            turn: None,
        })
    }

    /// From when on its process shows no sign of life, if it runs.
    pub(crate) fn quiet_since(&self) -> Option<u64> {
        let began = self.began.filter(|_| self.shim == Shim::Runs)?;
        Some(began + self.child.quiet_from?)
    }

    /// Writes a record, unless there is one: the first is the only one.
    pub(crate) fn write(&mut self, how: How, stopped: Option<StoppedBy>) {
        self.shim = Shim::Gone;
        self.is_alive = false;
        self.record.get_or_insert(Record { how, stopped });
    }
}

impl Outside {
    /// Launches a shim into the folder, made if it is not there. A second shim finds the lock taken.
    pub(crate) fn launch(&mut self, key: &Key, host: usize, child: &Child) -> Later {
        let boot = self.boots[host];
        self.folders.entry(key.clone()).or_insert_with(|| Folder {
            host,
            boot,
            shim: Shim::None,
            began: None,
            is_alive: false,
            record: None,
            stop: None,
            child: child.clone(),
        });
        let arrives = Happening::ShimArrives { key: key.clone(), boot };
        child.launch.map(|after| (after, arrives)).into_iter().collect()
    }

    /// Asks the shim to end its process, or to kill all of it.
    pub(crate) fn signal(&mut self, key: &Key, by_force: bool) -> Later {
        let Some(folder) = self.folders.get_mut(key) else { return Vec::new() };
        folder.stop = Some(by_force || folder.stop == Some(true));
        if folder.shim == Shim::Runs { effect(key, folder) } else { Vec::new() }
    }

    /// The machine restarts: what ran is gone, what was written stays.
    pub(crate) fn reboot(&mut self, host: usize) {
        self.boots[host] += 1;
        for folder in self.folders.values_mut().filter(|folder| folder.host == host) {
            folder.is_alive = false;
            folder.shim = if folder.record.is_some() { Shim::Gone } else { Shim::None };
        }
    }

    /// Lets something happen; gives what follows, and the attempt to look at.
    pub(crate) fn happen(&mut self, what: Happening, at: u64) -> Later {
        match what {
            Happening::ShimArrives { key, boot } => self.arrive(key, boot),
            Happening::Begins { key, boot } => self.begin(&key, boot, at),
            Happening::EndsByItself { key, boot } => self.end(&key, boot, None),
            Happening::EndsBySignal { key, boot, signal } => self.end(&key, boot, Some(signal)),
            Happening::Recorded { key, boot, how, stopped } => {
                if let Some(folder) = self.held(&key, boot) {
                    folder.write(how, stopped);
                    return vec![(1, Happening::Hint { key })];
                }
                Vec::new()
            }
            Happening::ShimDies { key, boot } => {
                if let Some(folder) = self.held(&key, boot).filter(|f| f.shim == Shim::Runs) {
                    folder.shim = Shim::Gone;
                }
                Vec::new()
            }
            Happening::Hint { .. } => Vec::new(),
        }
    }

    /// The folder, if a shim of this boot holds it.
    fn held(&mut self, key: &Key, boot: u32) -> Option<&mut Folder> {
        let current = self.folders.get(key).map(|folder| self.boots[folder.host]);
        let folder = self.folders.get_mut(key)?;
        let is_held = matches!(folder.shim, Shim::Holds | Shim::Runs);
        (current == Some(boot) && is_held).then_some(folder)
    }

    fn arrive(&mut self, key: Key, boot: u32) -> Later {
        let Some(folder) = self.folders.get_mut(&key) else { return Vec::new() };
        let is_barred = folder.record.is_some() || folder.began.is_some();
        if self.boots[folder.host] != boot || folder.shim != Shim::None || is_barred {
            return Vec::new();
        }
        folder.shim = Shim::Holds;
        vec![(folder.child.spawn, Happening::Begins { key, boot })]
    }

    fn begin(&mut self, key: &Key, boot: u32, at: u64) -> Later {
        let Some(folder) = self.held(key, boot) else { return Vec::new() };
        (folder.shim, folder.began, folder.is_alive) = (Shim::Runs, Some(at), true);
        let child = folder.child.clone();
        let mut later = vec![(1, Happening::Hint { key: key.clone() })];
        if folder.stop.is_some() {
            later.extend(effect(key, folder));
        }
        self.begun += 1;
        let (first, last) = ((key.0.clone(), 0), (key.0.clone(), u32::MAX));
        let alive = self.folders.range(first..=last).filter(|(_, folder)| folder.is_alive);
        if alive.count() > 1 {
            self.twins = Some(format!("{} runs twice", crate::script::Label::of(&key.0)));
        }
        let own = child.runs.map(|ms| (ms, Happening::EndsByItself { key: key.clone(), boot }));
        let dies = child.shim_dies.map(|ms| (ms, Happening::ShimDies { key: key.clone(), boot }));
        later.extend(own.into_iter().chain(dies));
        later
    }

    fn end(&mut self, key: &Key, boot: u32, signal: Option<i32>) -> Later {
        let Some(folder) = self.held(key, boot).filter(|folder| folder.shim == Shim::Runs) else {
            return Vec::new();
        };
        let asked = folder.stop.map(|_| StoppedBy::Asked);
        let (how, stopped) = match (signal, folder.child.ends) {
            // One that obeys may tidy up and leave with a code of its own.
            (Some(15), Ends::Code(17)) => (How::Exited(0), asked),
            (Some(signal), _) => (How::Signaled(signal), asked),
            (None, Ends::Code(code)) => (How::Exited(code), None),
            (None, Ends::Signal(signal)) => (How::Signaled(signal), None),
            (None, Ends::Oom) => (How::Signaled(9), Some(StoppedBy::Oom)),
            (None, Ends::OutputLimit) => (How::Signaled(9), Some(StoppedBy::OutputLimit)),
            (None, Ends::NoProgram) => (How::SpawnFailed("no such program".to_owned()), None),
        };
        vec![(folder.child.leftovers, Happening::Recorded { key: key.clone(), boot, how, stopped })]
    }
}

/// What a signal leads to.
fn effect(key: &Key, folder: &Folder) -> Later {
    let ends = |signal| Happening::EndsBySignal { key: key.clone(), boot: folder.boot, signal };
    match (folder.stop, folder.child.obeys) {
        (Some(true), _) => vec![(5, ends(9))],
        (Some(false), Some(after)) => vec![(after, ends(15))],
        (Some(false), None) | (None, _) => Vec::new(),
    }
}

//! The driver of attempts: makes true what jobs want of the outside world, and reports what became
//! of it. Goes by attempt folders alone, before and after a restart, so the daemon may be killed at
//! any moment. Wants may come twice or not at all; each act looks first and then does what is
//! missing.
//!
//! One loop decides what is looked at when; the looking, in [`launch`], [`watch`], [`stop`],
//! [`evidence`] and [`clean`], blocks and runs beside it, one act a job at a time.

mod activity;
mod artifacts;
mod care;
mod clean;
mod evidence;
mod folders;
mod launch;
mod site;
mod stop;
mod turn;
mod watch;

pub(super) use site::Site;

use self::activity::Patience;
use self::care::{Care, Order};
use self::evidence::{Left, Seen, Subject, Vigil};
use super::board::Board;
use super::stop::StopSwitch;
use longhaul_core::command::Want;
use longhaul_core::id::JobId;
use longhaul_shim::files::PidRecord;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixDatagram;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Acts that block at the same time: launches above all, each of which forks twice.
const ACTS_MAX: usize = 8;
/// Jobs whose artifacts are read at the same time, beside the acts: large files may take minutes,
/// in which other jobs must start and stop.
const READINGS_MAX: usize = 2;
/// File descriptors that are left for everything but watching shims.
const DESCRIPTORS_KEPT: u64 = 256;
/// Bytes of a hint; longer ones are none of ours.
const HINT_BYTES: usize = 256;

/// The running driver.
pub(super) struct Supervisor {
    site: Arc<Site>,
    board: Arc<Board<Want>>,
    hints: Option<UnixDatagram>,
    stop: StopSwitch,
    permits: Arc<Semaphore>,
    readings: Arc<Semaphore>,
    closings: Arc<Semaphore>,
    cares: BTreeMap<JobId, Care>,
    /// Shims that are waited for by handle, and how many may be.
    handles: u64,
    handles_max: u64,
    tasks: JoinSet<Done>,
}

/// What one of the supervisor's own tasks came to.
enum Done {
    /// An act is over.
    Acted(Want, Seen),
    /// It is time to look at a job again.
    LookAgain(JobId),
    /// The shim of a job's attempt is gone, or cannot be waited for.
    ShimGone(JobId, u32, bool),
    /// Nothing further.
    Nothing,
}

/// What wakes the loop.
enum Happening {
    Wanted(Vec<Want>),
    Hinted(String),
    HintsGone,
    Done(Done),
    Stopped,
}

impl Supervisor {
    /// A driver that is not running yet. `descriptors_max` is how many files may be open.
    pub(super) fn new(
        site: Site,
        board: Arc<Board<Want>>,
        hints: Option<UnixDatagram>,
        stop: StopSwitch,
        descriptors_max: u64,
    ) -> Self {
        Self {
            site: Arc::new(site),
            board,
            hints,
            stop,
            permits: Arc::new(Semaphore::new(ACTS_MAX)),
            readings: Arc::new(Semaphore::new(READINGS_MAX)),
            closings: Arc::new(Semaphore::new(turn::CLOSINGS_MAX)),
            cares: BTreeMap::new(),
            handles: 0,
            handles_max: descriptors_max.saturating_sub(DESCRIPTORS_KEPT),
            tasks: JoinSet::new(),
        }
    }

    /// Runs until the daemon stops. Shims are left alone then; acts that began come to their end.
    pub(super) async fn run(mut self) {
        loop {
            match self.next().await {
                Happening::Wanted(wants) => wants.into_iter().for_each(|want| self.want(want)),
                Happening::Hinted(text) => self.hinted(&text),
                Happening::HintsGone => self.hints = None,
                Happening::Done(done) => self.done(done),
                Happening::Stopped => break,
            }
        }
        self.tasks.shutdown().await;
    }

    async fn next(&mut self) -> Happening {
        let mut text = [0; HINT_BYTES];
        tokio::select! {
            () = self.stop.stopped() => Happening::Stopped,
            Some(done) = self.tasks.join_next() => match done {
                Ok(done) => Happening::Done(done),
                Err(error) if error.is_cancelled() => Happening::Done(Done::Nothing),
                Err(error) => {
                    tracing::error!(%error, "an act of the supervisor panicked");
                    Happening::Done(Done::Nothing)
                }
            },
            wants = self.board.take() => Happening::Wanted(wants),
            hint = receive(self.hints.as_ref(), &mut text) => match hint {
                Ok(bytes) => Happening::Hinted(String::from_utf8_lossy(&text[..bytes]).into()),
                Err(error) => {
                    tracing::warn!(%error, "no more hints can be taken");
                    Happening::HintsGone
                }
            },
        }
    }

    fn want(&mut self, want: Want) {
        let job = want.job().clone();
        let care = self.cares.entry(job.clone()).or_insert_with(|| Care::new(want.clone()));
        if care.take_up(want) {
            self.handles -= 1;
        }
        self.act(&job);
    }

    /// A shim says that its folder is worth a look. The text is believed only as far as it names a
    /// job that we care about anyway.
    fn hinted(&mut self, text: &str) {
        let job = text.rsplit_once('.').and_then(|(job, _)| JobId::parse(job).ok());
        if let Some(job) = job {
            self.act(&job);
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Acted(want, seen) => self.acted(&want, seen),
            Done::LookAgain(job) => self.act(&job),
            Done::ShimGone(job, attempt, was_waited_for) => {
                let Some(care) = self.cares.get_mut(&job) else { return };
                // Whoever let go of the wait has counted it already.
                if care.attempt() != attempt || care.watch.take().is_none() {
                    return;
                }
                self.handles -= 1;
                // What cannot be waited for is looked at when reconciling asks.
                if was_waited_for {
                    self.act(&job);
                }
            }
            Done::Nothing => {}
        }
    }

    /// Begins what a job wants, or remembers to, if something is being done for it already.
    fn act(&mut self, job: &JobId) {
        let Some(care) = self.cares.get_mut(job) else { return };
        let Some(order) = care.begin(self.site.clock.awake_ms()) else { return };
        let (site, permits) = (Arc::clone(&self.site), Arc::clone(&self.permits));
        let (readings, closings) = (Arc::clone(&self.readings), Arc::clone(&self.closings));
        let follower = care.follower.clone();
        self.tasks.spawn(async move {
            let (want, here) = (order.want.clone(), Arc::clone(&site));
            let seen = match blocking(&permits, move || perform(&here, &order)).await {
                Seen::Left(left) => match turn::finish(&site, &closings, *left, follower).await {
                    Some(left) => blocking(&readings, move || read_and_report(&site, left)).await,
                    None => Seen::Doubt,
                },
                seen => seen,
            };
            Done::Acted(want, seen)
        });
    }

    fn acted(&mut self, want: &Want, seen: Seen) {
        let job = want.job();
        let Some(care) = self.cares.get_mut(job) else { return };
        let again = care.end(want, &seen, self.site.clock.awake_ms());
        match seen {
            Seen::Over | Seen::Done if !again => {
                let care = self.cares.remove(job).expect("it was there above");
                self.handles -= u64::from(care.let_go());
                return;
            }
            Seen::Runs(pid, vigil) if !again => self.attend(job, pid, &vigil),
            Seen::Soon | Seen::Launched if !again => {
                let (pause, job) = (care.pause(), job.clone());
                self.tasks.spawn(async move {
                    tokio::time::sleep(pause).await;
                    Done::LookAgain(job)
                });
            }
            Seen::Over
            | Seen::Done
            | Seen::Runs(..)
            | Seen::Soon
            | Seen::Launched
            | Seen::Left(_)
            | Seen::Doubt => {}
        }
        if again {
            self.act(job);
        }
    }

    /// Waits for the shim's end, looks for signs of life if the job asked for that, and takes what
    /// a turn writes.
    fn attend(&mut self, job: &JobId, pid: PidRecord, vigil: &Vigil) {
        let Some(care) = self.cares.get_mut(job) else { return };
        let subject = Subject { job: job.clone(), attempt: care.attempt() };
        if care.watch.is_none() && self.handles < self.handles_max {
            self.handles += 1;
            let (shim, subject) = (pid.shim, subject.clone());
            let waiting = async move {
                let waited = watch::until_gone(shim).await.is_ok();
                Done::ShimGone(subject.job, subject.attempt, waited)
            };
            care.watch = Some(self.tasks.spawn(waiting));
        }
        if vigil.is_turn && care.follower.is_none() {
            let following = self.site.follower(&subject).follow();
            care.follower = Some(self.tasks.spawn(async move {
                following.await;
                Done::Nothing
            }));
        }
        let patience = Patience::new(vigil.stall, &vigil.rungs);
        if let Some(patience) = patience.filter(|_| care.sampler.is_none() && care.may_stall()) {
            let site = Arc::clone(&self.site);
            let sampling = async move {
                activity::sample(site, subject, pid, patience).await;
                Done::Nothing
            };
            care.sampler = Some(self.tasks.spawn(sampling));
        }
    }
}

/// Runs what blocks, as soon as there is a permit for it.
async fn blocking(permits: &Semaphore, act: impl FnOnce() -> Seen + Send + 'static) -> Seen {
    let _permit = permits.acquire().await.expect("the semaphore is never closed");
    tokio::task::spawn_blocking(act).await.unwrap_or_else(|error| {
        tracing::error!(%error, "an act panicked");
        Seen::Doubt
    })
}

/// Reads the files that an attempt left, and reports its end with them. Blocks, perhaps for long.
fn read_and_report(site: &Site, left: Left) -> Seen {
    let mut exit = left.exit;
    let found = artifacts::collect(left.cwd.as_ref(), &left.patterns);
    exit.artifacts = found.artifacts;
    exit.warnings.extend(found.warnings);
    left.subject.ended(site, left.start, exit)
}

/// Does what is wanted, as far as the folder says that it is missing. Blocks.
fn perform(site: &Site, order: &Order) -> Seen {
    let subject = |job: &JobId, attempt: u32| Subject { job: job.clone(), attempt };
    match &order.want {
        Want::Start(job, attempt) => subject(job, *attempt).start(site, order.on_its_way),
        Want::Watch(job, attempt) => subject(job, *attempt).watch(site, order.is_known),
        Want::Conclude(job, attempt) => subject(job, *attempt).conclude(site),
        Want::CallOff(job, attempt) => subject(job, *attempt).call_off(site),
        Want::Stop { job, attempt, .. } => {
            subject(job, *attempt).stop(site, order.ask, !order.is_known)
        }
        Want::Clean(job, attempts) => clean::clean(site, job, *attempts),
        Want::Purge(job, attempts) => clean::purge(site, job, *attempts),
    }
}

async fn receive(hints: Option<&UnixDatagram>, text: &mut [u8]) -> std::io::Result<usize> {
    match hints {
        Some(hints) => hints.recv(text).await,
        None => std::future::pending().await,
    }
}

/// Between two looks at something that is on its way: soon at first, then less and less often,
/// until reconciling alone asks again.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(10),
    Duration::from_millis(40),
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_millis(1_000),
    Duration::from_millis(2_000),
];

//! From what a folder proves to what the engine is told. Only an outcome in the folder is reported
//! as an end; what cannot be believed is a doubt, which a person sees and nobody acts on.

use super::site::Site;
use longhaul_core::command::{Command, Exit, How, StoppedBy};
use longhaul_core::event::Leftovers;
use longhaul_core::id::JobId;
use longhaul_core::time::{Millis, Timestamp};
use longhaul_shim::evidence::{self, Buried, Evidence, Tombstone};
use longhaul_shim::files::{self, ExitRecord, PidRecord};
use longhaul_shim::folder::{Folder, FolderError};
use longhaul_shim::{identity, orphans};
use std::time::Duration;

/// How long one look goes on ending what a dead shim left; the next look goes on from there.
const REMAINS_PATIENCE: Duration = Duration::from_secs(2);
/// What a job ends as whose shim was killed.
const SHIM_DIED: &str = "what watched it was killed, and its end is not known";
/// What a job ends as that ran when the machine went down.
const RESTARTED: &str = "the machine restarted while it ran";

/// What is said of a folder that does not carry its attempt's token.
pub(super) const PLANTED: &str = "a folder that we did not make is in its place";

/// One attempt of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) job: JobId,
    pub(super) attempt: u32,
}

/// What an act came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    /// It is over, and that was reported.
    Over,
    /// A shim holds it and its child was let run. With what is to be done for as long as it does.
    Runs(PidRecord, Vigil),
    /// Something is on its way: look again soon.
    Soon,
    /// A shim was launched: look again soon.
    Launched,
    /// What was wanted of an ended job is done.
    Done,
    /// Nothing can be said or done; reconciling asks again.
    Doubt,
    /// It is over, and before that is reported the files that it left are to be read.
    Left(Box<Left>),
}

/// What is to be done for an attempt for as long as it runs; nothing where that is done already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Vigil {
    /// How long it may show no sign of life, if that was asked for.
    pub(super) stall: Option<Millis>,
    /// After how long without one something is done about it, for a turn.
    pub(super) rungs: Vec<Millis>,
    /// Whether somebody has to read what it writes.
    pub(super) is_turn: bool,
}

/// An end that is known and not yet reported.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Left {
    pub(super) subject: Subject,
    /// What is reported with it and before it.
    pub(super) start: Option<Command>,
    pub(super) exit: Exit,
    /// Whether its output is still to be taken, and says more about its end.
    pub(super) is_turn: bool,
    /// Where files are looked for, and which.
    pub(super) cwd: String,
    pub(super) patterns: Vec<String>,
}

/// Which clock a record's times are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Boot {
    /// This one: the time since boot counts, whatever the wall clock did.
    This,
    /// An earlier one: only the wall clock says anything.
    Earlier,
}

impl Subject {
    /// Reports that the attempt's process runs.
    pub(super) fn started(&self, site: &Site, pid: &PidRecord) -> Command {
        Command::Started {
            job: self.job.clone(),
            attempt: self.attempt,
            at: site.clock.from_boot_ms(pid.started_boot_ms),
            pid: pid.child.pid.unsigned_abs(),
        }
    }

    /// Reports an outcome; together with the start, if the engine may not know of it, so that both
    /// are one commit.
    pub(super) fn over(
        &self,
        site: &Site,
        folder: &Folder,
        record: &ExitRecord,
        boot: Boot,
        tell_start: bool,
    ) -> Seen {
        let exit = exit_of(site, record, boot);
        let job = match site.job(&self.job) {
            Ok(Some(job)) => job,
            Ok(None) => return Seen::Over,
            Err(error) => {
                tracing::warn!(job = %self.job, %error, "an end could not be reported");
                return Seen::Doubt;
            }
        };
        let mut start = None;
        let ran = matches!(exit.how, How::Exited(_) | How::Signaled(_) | How::Lost(_));
        if tell_start
            && ran
            && let (Some(at), Ok(Some(pid))) = (exit.started_at, folder.read_pid())
        {
            let pid = pid.child.pid.unsigned_abs();
            start =
                Some(Command::Started { job: self.job.clone(), attempt: self.attempt, at, pid });
        }
        // What was barred before it began has said nothing, and may be launched again.
        let is_turn = job.spec.turn.is_some() && !matches!(exit.how, How::NeverStarted(_));
        let has_files = !job.spec.artifacts.is_empty() && exit.started_at.is_some();
        if is_turn || has_files {
            // A turn may have run elsewhere than its agent's directory.
            let spec = folder.read_spec().ok().flatten().filter(|_| is_turn);
            let cwd = spec.map_or(job.spec.cwd, |spec| spec.cwd.to_string_lossy().into_owned());
            let patterns = job.spec.artifacts;
            let left = Left { subject: self.clone(), start, exit, is_turn, cwd, patterns };
            return Seen::Left(Box::new(left));
        }
        self.ended(site, start, exit)
    }

    /// Reports an end, and the start that belongs before it.
    pub(super) fn ended(&self, site: &Site, start: Option<Command>, exit: Exit) -> Seen {
        let exited = self.exited(exit);
        site.engine.report(start.into_iter().chain([exited]).collect());
        site.doubts.settle(&self.job, self.attempt);
        Seen::Over
    }

    /// Reports that nothing began and nothing will, with proof in the folder.
    pub(super) fn never_started(
        &self,
        site: &Site,
        record: &ExitRecord,
        reason: Option<String>,
    ) -> Seen {
        let exit = Exit { how: How::NeverStarted(reason), ..exit_of(site, record, Boot::This) };
        site.engine.report(vec![self.exited(exit)]);
        site.doubts.settle(&self.job, self.attempt);
        Seen::Over
    }

    /// The shim is gone and left no outcome: ends what it left, by proof, and reports it lost once
    /// nothing of it can be left.
    pub(super) fn shim_died(
        &self,
        site: &Site,
        folder: &Folder,
        pid: &PidRecord,
        tell_start: bool,
    ) -> Seen {
        let token = site.tokens.of(&self.job, self.attempt);
        let left = match orphans::end_by_token(&token, REMAINS_PATIENCE) {
            Ok(ended) => ended.left.len(),
            Err(error) => {
                return self.doubt(site, &format!("its remains cannot be found: {error}"));
            }
        };
        if left > 0 {
            return self.doubt(site, &format!("{left} of its processes cannot be ended"));
        }
        // A child that took the token out of its environment cannot be proven ours, only alive.
        let is_here = identity::is_here(pid).unwrap_or(true);
        if is_here && pid.child.is_alive() {
            let pid = pid.child.pid;
            return self.doubt(site, &format!("its process {pid} lives and cannot be proven its"));
        }
        let boot = if is_here { Boot::This } else { Boot::Earlier };
        self.lost(site, folder, SHIM_DIED, boot, tell_start)
    }

    /// The attempt belongs to an earlier boot: only an outcome counts, everything else is lost.
    pub(super) fn conclude(&self, site: &Site) -> Seen {
        let folder = match self.open_or_make(site) {
            Ok(folder) => folder,
            Err(error) => return self.doubt(site, &error.to_string()),
        };
        match evidence::look(&folder) {
            Evidence::Over(record) => self.over(site, &folder, &record, Boot::Earlier, true),
            Evidence::Alive(_) => self.doubt(
                site,
                "somebody holds its lock, although it was launched before the machine restarted",
            ),
            // Files may be torn by the fall; that nothing of an earlier boot lives is certain.
            Evidence::NeverBegun | Evidence::ShimDied(_) | Evidence::Unknown(_) => {
                self.lost(site, &folder, RESTARTED, Boot::Earlier, true)
            }
        }
    }

    fn lost(
        &self,
        site: &Site,
        folder: &Folder,
        message: &str,
        boot: Boot,
        tell_start: bool,
    ) -> Seen {
        let tombstone = Tombstone {
            job: self.job.to_string(),
            attempt: self.attempt,
            lost: Some(message.to_owned()),
        };
        match evidence::bury(folder, tombstone) {
            Ok(Buried::Written(record) | Buried::Found(Evidence::Over(record))) => {
                self.over(site, folder, &record, boot, tell_start)
            }
            Ok(Buried::Found(found)) => self.doubt(site, &format!("it is not over: {found:?}")),
            Err(error) => self.doubt(site, &format!("it could not be buried: {error}")),
        }
    }

    /// Opens the folder, or makes it where it is missing: for tombstones.
    pub(super) fn open_or_make(&self, site: &Site) -> Result<Folder, FolderError> {
        let path = site.home.attempt(&self.job, self.attempt);
        match Folder::open(&path) {
            Err(FolderError::Missing) => Folder::create(&path),
            result => result,
        }
    }

    /// Writes down that nothing can be said about the attempt, and why.
    pub(super) fn doubt(&self, site: &Site, why: &str) -> Seen {
        site.doubts.raise(&self.job, self.attempt, why);
        Seen::Doubt
    }

    fn exited(&self, exit: Exit) -> Command {
        Command::Exited { job: self.job.clone(), attempt: self.attempt, exit }
    }
}

/// What an outcome says, in core's words.
pub(super) fn exit_of(site: &Site, record: &ExitRecord, boot: Boot) -> Exit {
    let time = |wall_ms, boot_ms| match boot {
        Boot::This => site.clock.from_boot_ms(boot_ms),
        Boot::Earlier => Timestamp::from_millis(wall_ms),
    };
    let has_started = record.started_wall_ms != 0 || record.started_boot_ms != 0;
    let left = &record.leftovers;
    Exit {
        how: how_of(&record.how),
        stopped: record.stopped.map(|stopped| match stopped {
            files::Stopped::Asked => StoppedBy::Asked,
            files::Stopped::OutputLimit => StoppedBy::OutputLimit,
            files::Stopped::Oom => StoppedBy::Oom,
        }),
        started_at: has_started.then(|| time(record.started_wall_ms, record.started_boot_ms)),
        ended_at: time(record.ended_wall_ms, record.ended_boot_ms),
        stdout_bytes: record.stdout_bytes,
        stderr_bytes: record.stderr_bytes,
        cpu_ms: record.cpu_ms,
        rss_bytes_max: record.rss_bytes_max,
        leftovers: (left.found > 0).then(|| Leftovers {
            found: left.found,
            names: left.names.clone(),
            ended: left.ended,
        }),
        artifacts: Vec::new(),
        warnings: Vec::new(),
        turn: None,
    }
}

fn how_of(how: &files::How) -> How {
    match how {
        files::How::Exited(code) => How::Exited(*code),
        files::How::Signaled(signal) => How::Signaled(*signal),
        files::How::SpawnFailed { message, .. } => How::SpawnFailed(message.clone()),
        files::How::NeverStarted => How::NeverStarted(None),
        files::How::Lost { message } => How::Lost(message.clone()),
    }
}

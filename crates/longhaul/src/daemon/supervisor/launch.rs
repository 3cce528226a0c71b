//! Want `Start`: the attempt shall run. Makes the folder, puts in it what the attempt needs, and
//! runs ourselves as its shim. Whatever is there already is looked at first: a folder that is not
//! ours by proof is never used.

use super::evidence::{Boot, PLANTED, Seen, Subject, exit_of};
use super::folders;
use super::site::Site;
use crate::config::Cgroup;
use crate::daemon::AskError;
use crate::daemon::turns::{self, Outfit, Unfit};
use longhaul_core::command::{Exit, How};
use longhaul_core::job::Job;
use longhaul_core::spec::{Environment, LeftoverRule};
use longhaul_shim::evidence::{self, Buried, Evidence, Tombstone};
use longhaul_shim::failpoint;
use longhaul_shim::files::{ExitRecord, LeftoversPolicy, Pty, Spec, TOKEN_VARIABLE, VERSION};
use longhaul_shim::folder::{Folder, FolderError};
use std::collections::BTreeMap;
use std::io;
use std::process::{Command, Stdio};

/// Whether a shim of this attempt was launched a moment ago and may still be on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnItsWay {
    /// A second one would only find the lock taken.
    Yes,
    /// None was, or it should have come by now.
    No,
}

/// Why nothing was launched.
#[derive(Debug, thiserror::Error)]
pub(super) enum LaunchError {
    #[error("{0}: {source}", source = .0.source_text())]
    Folder(#[from] FolderError),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Shim(String),
    /// Trying again would come to the same.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error("{0}")]
    Rows(#[from] AskError),
}

impl LaunchError {
    /// Whether the disk had no room for what the attempt needs: it is no fault of the job's.
    fn is_want_of_room(&self) -> bool {
        let (Self::Folder(FolderError::Io { source: error, .. }) | Self::Io(error)) = self else {
            return false;
        };
        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// Folder errors keep their cause apart; a reason for people wants both.
trait SourceText {
    fn source_text(&self) -> String;
}

impl SourceText for FolderError {
    fn source_text(&self) -> String {
        std::error::Error::source(self).map_or_else(String::new, ToString::to_string)
    }
}

impl Subject {
    /// Makes the attempt run, unless evidence shows that it does or did. Blocks.
    pub(super) fn start(&self, site: &Site, on_its_way: OnItsWay) -> Seen {
        let path = site.home.attempt(&self.job, self.attempt);
        let folder = match Folder::open(&path) {
            Ok(folder) => folder,
            Err(FolderError::Missing) => match Folder::create(&path) {
                Ok(folder) => return self.launch(site, &folder),
                Err(error) => return self.unlaunched(site, None, &error.into()),
            },
            Err(error) => return self.doubt(site, &error.to_string()),
        };
        if !self.is_ours(site, &folder) {
            return self.doubt(site, PLANTED);
        }
        match evidence::look(&folder) {
            Evidence::Over(record) => self.over(site, &folder, &record, Boot::This, true),
            Evidence::Alive(Some(pid)) => self.runs(site, pid),
            Evidence::Alive(None) => Seen::Soon,
            Evidence::NeverBegun if on_its_way == OnItsWay::Yes => Seen::Soon,
            Evidence::NeverBegun => self.launch(site, &folder),
            Evidence::ShimDied(pid) => self.shim_died(site, &folder, &pid, true),
            Evidence::Unknown(why) => self.doubt(site, &why),
        }
    }

    /// Reports the start, and what a sampler needs to know.
    fn runs(&self, site: &Site, pid: longhaul_shim::files::PidRecord) -> Seen {
        site.engine.report(vec![self.started(site, &pid)]);
        site.doubts.settle(&self.job, self.attempt);
        self.keep(site, pid)
    }

    /// Whether we made this folder: it carries this attempt's token, or nothing at all yet.
    pub(super) fn is_ours(&self, site: &Site, folder: &Folder) -> bool {
        match folder.read_spec() {
            Ok(Some(spec)) => {
                let token = spec.env.iter().find(|(name, _)| name == TOKEN_VARIABLE);
                token.is_some_and(|(_, token)| site.tokens.is_of(token, &self.job, self.attempt))
            }
            // A crash before the spec was written, or a tombstone that could not be.
            Ok(None) => {
                folders::holds_only(folder, &["spec.tmp", "lock", "exit.tmp"]).unwrap_or(false)
            }
            Err(_) => false,
        }
    }

    fn launch(&self, site: &Site, folder: &Folder) -> Seen {
        let (job, environment) = match (site.job(&self.job), site.environment(&self.job)) {
            (Ok(Some(job)), Ok(Some(stored))) => (job, stored.environment),
            (Ok(Some(_)), Ok(None)) => {
                let reason = "its environment is not there any more".to_owned();
                return self.bar(site, folder, Some(reason));
            }
            // Removed meanwhile: nobody wants it to run.
            (Ok(None), Ok(_)) => return Seen::Doubt,
            (Err(error), _) | (_, Err(error)) => {
                tracing::warn!(job = %self.job, %error, "a job could not be read to be launched");
                return Seen::Doubt;
            }
        };
        match self.try_launch(site, folder, &job, environment) {
            Ok(()) => Seen::Launched,
            Err(error) => self.unlaunched(site, Some(folder), &error),
        }
    }

    fn try_launch(
        &self,
        site: &Site,
        folder: &Folder,
        job: &Job,
        environment: Environment,
    ) -> Result<(), LaunchError> {
        let outfit = match &job.spec.turn {
            Some(turn) => self.turn_outfit(site, job, &turn.agent, &environment)?,
            None => Outfit {
                argv: job.spec.command.clone(),
                cwd: job.spec.cwd.clone(),
                environment: environment.0,
                stdin: None,
                files: vec![],
            },
        };
        // First: a folder that holds anything else is known as ours by what stands in it.
        let credentials =
            site.readers.read_blocking(|reader| site.credentials.variables(reader, job))?;
        folder.write_spec(&self.spec(site, job, &outfit, credentials))?;
        if let Some(blob) = &job.spec.stdin {
            folders::copy_input(folder, &site.home.blob(&blob.sha256))?;
        } else if let Some(text) = &outfit.stdin {
            folders::write_input(folder, text)?;
        }
        for attachment in &job.spec.attachments {
            folders::copy_attachment(folder, &site.home.blob(&attachment.blob.sha256), attachment)?;
        }
        for (name, text) in &outfit.files {
            folders::write_for_turn(folder, name, text)?;
        }
        failpoint::at("launch.after_spec");
        self.run_shim(site)?;
        failpoint::at("launch.after_fork");
        Ok(())
    }

    fn run_shim(&self, site: &Site) -> Result<(), LaunchError> {
        let mut command = Command::new(&site.program);
        command
            .arg("shim")
            .arg(site.home.attempt(&self.job, self.attempt))
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        #[cfg(feature = "failpoints")]
        if let Some(plan) = std::env::var_os("LONGHAUL_FAILPOINTS") {
            command.env("LONGHAUL_FAILPOINTS", plan);
        }
        // The process we wait for only forks the shim away from us.
        let status = command.status()?;
        if status.success() {
            Ok(())
        } else {
            Err(LaunchError::Shim(format!("its shim could not be started ({status})")))
        }
    }

    fn spec(
        &self,
        site: &Site,
        job: &Job,
        outfit: &Outfit,
        credentials: BTreeMap<String, String>,
    ) -> Spec {
        let mut variables = outfit.environment.clone();
        variables.extend(credentials);
        let ours = [
            ("LONGHAUL_JOB_ID", self.job.to_string()),
            ("LONGHAUL_ATTEMPT", self.attempt.to_string()),
            ("LONGHAUL_HOME", site.home.path().display().to_string()),
            ("LONGHAUL_SOCKET", site.home.socket().display().to_string()),
            (TOKEN_VARIABLE, site.tokens.of(&self.job, self.attempt)),
        ];
        variables.extend(ours.map(|(name, value)| (name.to_owned(), value)));
        if let Some(owner) = &job.owner {
            // What it starts is told to whom it is told to, unless somebody said otherwise.
            variables.entry("LONGHAUL_OWNER".to_owned()).or_insert_with(|| owner.clone());
        }
        if !job.spec.attachments.is_empty() {
            let folder = site.home.attempt(&self.job, self.attempt).join("attach");
            variables.insert("LONGHAUL_ATTACHMENTS".to_owned(), folder.display().to_string());
        }
        Spec {
            version: VERSION,
            job: self.job.to_string(),
            attempt: self.attempt,
            argv: outfit.argv.clone(),
            cwd: outfit.cwd.clone().into(),
            env: variables.into_iter().collect(),
            stdin: job.spec.stdin.is_some() || outfit.stdin.is_some(),
            pty: job.spec.pty.map(|size| Pty { rows: size.rows, cols: size.cols }),
            output_bytes_max: Some(job.spec.output_bytes_max),
            memory_bytes_max: job.spec.memory_bytes_max,
            leftovers: match job.spec.leftovers {
                LeftoverRule::Kill => LeftoversPolicy::Kill,
                LeftoverRule::Report => LeftoversPolicy::Report,
            },
            hint_socket: Some(site.home.hints()),
            cgroup: site.config.cgroup == Cgroup::Auto,
            nofile: site.nofile,
            umask: None,
        }
    }

    /// Nothing was launched: bars the attempt for ever and says why. Where not even that can be
    /// written, or the disk is full, nothing is reported, and reconciling comes back to it: a queue
    /// that meets a full disk at night is there in the morning.
    fn unlaunched(&self, site: &Site, folder: Option<&Folder>, error: &LaunchError) -> Seen {
        let reason = format!("it could not be launched: {error}");
        tracing::warn!(job = %self.job, attempt = self.attempt, %error, "not launched");
        let Some(folder) = folder.filter(|_| !error.is_want_of_room()) else {
            return self.doubt(site, &reason);
        };
        match error {
            LaunchError::Unfit(_) => self.bar_and(site, folder, |record| {
                let turn = Some(Box::new(turns::unfit(&reason)));
                let bare = exit_of(site, record, Boot::This);
                self.ended(site, None, Exit { how: How::SpawnFailed(reason), turn, ..bare })
            }),
            // What comes to nothing because of a row that cannot be read for now is asked for again.
            LaunchError::Rows(_) => Seen::Doubt,
            LaunchError::Folder(_) | LaunchError::Io(_) | LaunchError::Shim(_) => {
                self.bar_with_room(site, folder, reason)
            }
        }
    }

    /// Bars an attempt whose launch came to nothing, unless the disk is nearly full: then that is
    /// why, and it must not count as one of the launches that a job has.
    pub(super) fn bar_with_room(&self, site: &Site, folder: &Folder, reason: String) -> Seen {
        match site.engine.shortage() {
            Some(shortage) => self.doubt(site, &format!("its launch waits for room: {shortage}")),
            None => self.bar(site, folder, Some(reason)),
        }
    }

    /// Makes "never begun" final and reports it; whatever is found instead decides.
    pub(super) fn bar(&self, site: &Site, folder: &Folder, reason: Option<String>) -> Seen {
        self.bar_and(site, folder, |record| self.never_started(site, record, reason))
    }

    fn bar_and(
        &self,
        site: &Site,
        folder: &Folder,
        report: impl FnOnce(&ExitRecord) -> Seen,
    ) -> Seen {
        let tombstone = Tombstone { job: self.job.to_string(), attempt: self.attempt, lost: None };
        match evidence::bury(folder, tombstone) {
            Ok(Buried::Written(record)) => report(&record),
            Ok(Buried::Found(Evidence::Over(record))) => {
                self.over(site, folder, &record, Boot::This, true)
            }
            Ok(Buried::Found(Evidence::Alive(_) | Evidence::NeverBegun)) => Seen::Soon,
            Ok(Buried::Found(Evidence::ShimDied(pid))) => self.shim_died(site, folder, &pid, true),
            Ok(Buried::Found(Evidence::Unknown(why))) => self.doubt(site, &why),
            Err(error) => self.doubt(site, &format!("it could not be barred: {error}")),
        }
    }
}

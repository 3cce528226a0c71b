//! From options to a durable job: puts the spec together, stores what goes with it, and hands it in
//! under an id made here, so that an answer that is lost on the way can be asked for again.

use super::Caller;
use super::attach::{self, Attached};
use super::environment::JobEnvironment;
use super::error::CliError;
use super::options::JobOptions;
use super::owner::Owner;
use super::stdin;
use crate::api::{Attach, Spec, Stored, Submitted, Terminal, Variables};
use crate::client::Client;
use longhaul_core::id::JobId;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// A job that is ready to be handed in, with the open files that go with it.
#[derive(Debug)]
pub(super) struct Submission {
    spec: Spec,
    attached: Vec<Attached>,
    stdin: Option<File>,
}

impl Submission {
    /// Checks what can be checked here and opens all files; asks the daemon nothing.
    pub(super) fn prepare(
        options: &JobOptions,
        command: Vec<String>,
        caller: &Caller,
    ) -> Result<Self, CliError> {
        let cwd = working_directory(options.cwd.as_deref())?;
        let environment = options.environment.resolve(std::env::vars_os())?;
        say_left_out(caller, &environment);
        let attached = attach::find(&cwd, &options.files.attach)?;
        let stdin = options.files.stdin.as_deref().map(stdin::open).transpose()?;
        let cwd = text_of(cwd)?;
        Ok(Self { spec: spec(options, command, cwd, environment)?, attached, stdin })
    }

    /// The id that the job will have.
    pub(super) fn id(&self) -> &str {
        self.spec.id.as_deref().expect("prepare() made one")
    }

    /// Stores the files and hands the job in; it is durable when this gives the answer.
    pub(super) async fn hand_in(
        mut self,
        client: &Client,
        caller: &Caller,
    ) -> Result<Submitted, CliError> {
        let bar = caller.output.progress(self.attached.len() as u64, "storing attachments");
        for attached in self.attached {
            let Stored { sha256, size } = store(client, attached.file, &attached.path).await?;
            let executable = attached.is_executable;
            self.spec.attach.push(Attach { path: attached.path, sha256, size, executable });
            bar.inc(1);
        }
        bar.finish_and_clear();
        if let Some(file) = self.stdin {
            self.spec.stdin = Some(store(client, file, "--stdin").await?);
        }
        Ok(client.submit(self.spec).await?)
    }
}

/// Puts the options under the names of a job spec.
fn spec(
    options: &JobOptions,
    command: Vec<String>,
    cwd: String,
    environment: JobEnvironment,
) -> Result<Spec, CliError> {
    let JobOptions { when, ends, files, limits, .. } = options;
    let owner = Owner::of_caller(options.owner.as_deref());
    Ok(Spec {
        id: Some(fresh_id()?),
        command,
        name: options.name.clone(),
        cwd: Some(cwd),
        env: Variables(environment.set),
        base_env: Some(Variables(environment.base)),
        env_inherited: Some(environment.is_inherited),
        labels: labels(&options.labels)?,
        pool: when.pool.clone(),
        lane: when.lane.clone(),
        priority: when.priority,
        after: when.after.clone(),
        after_any: when.after_any.clone(),
        delay: when.delay,
        at: when.at,
        timeout: ends.timeout,
        stall: ends.stall,
        grace: ends.grace,
        retry: ends.retry,
        retry_delay: ends.retry_delay,
        retry_on: ends.retry_on.clone(),
        key: options.key.clone(),
        owner: Some(owner.name),
        project: Some(owner.project),
        parent: parent(),
        notify: ends.notify.clone(),
        artifact: files.artifact.clone(),
        attach: Vec::new(),
        stdin: None,
        max_output: limits.max_output,
        memory: limits.memory,
        keep: ends.keep,
        pty: files.pty.then(terminal),
        leftovers: None,
    })
}

/// Makes the id of a new job.
pub(super) fn fresh_id() -> Result<String, CliError> {
    let id = crate::ids::job_id().map_err(|error| {
        CliError::unavailable("unavailable", format!("no id could be made: {error}"))
    })?;
    Ok(id.as_str().to_owned())
}

/// The job that we run in, if we do. What is no id cannot be one of ours.
pub(super) fn parent() -> Option<String> {
    std::env::var("LONGHAUL_JOB_ID").ok().filter(|id| JobId::parse(id).is_ok())
}

/// Says which variables of the caller no job spec can hold; a job that misses one should not be a
/// riddle.
pub(super) fn say_left_out(caller: &Caller, environment: &JobEnvironment) {
    if !environment.left_out.is_empty() {
        let names = environment.left_out.join(", ");
        caller.output.note(&format!("left out of the environment, not being UTF-8: {names}"));
    }
}

/// The directory that a job runs in, as an absolute path without links.
pub(super) fn working_directory(asked: Option<&Path>) -> Result<PathBuf, CliError> {
    let path = asked.unwrap_or_else(|| Path::new("."));
    let real = fs_err::canonicalize(path).map_err(|error| {
        CliError::usage(format!(
            "the working directory `{}` cannot be used: {}",
            path.display(),
            reason(&error)
        ))
    })?;
    if !real.is_dir() {
        return Err(CliError::usage(format!("`{}` is not a directory", path.display())));
    }
    Ok(real)
}

/// The system's words alone; the path is named beside them.
fn reason(error: &io::Error) -> String {
    error
        .raw_os_error()
        .map_or_else(|| error.to_string(), |code| io::Error::from_raw_os_error(code).to_string())
}

/// A path as JSON can hold it.
pub(super) fn text_of(path: PathBuf) -> Result<String, CliError> {
    path.into_os_string().into_string().map_err(|path| {
        CliError::usage(format!("the path `{}` is not UTF-8", Path::new(&path).display()))
    })
}

/// Labels as they were given.
pub(super) fn labels(pairs: &[String]) -> Result<BTreeMap<String, String>, CliError> {
    pairs
        .iter()
        .map(|pair| {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| CliError::usage(format!("`--label {pair}` is not KEY=VALUE")))?;
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}

/// The size of our own terminal, or the one that terminals have had for fifty years.
fn terminal() -> Terminal {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
    size.filter(|size| size.ws_row > 0 && size.ws_col > 0).map_or(
        Terminal { rows: 24, cols: 80 },
        |size| Terminal { rows: size.ws_row, cols: size.ws_col },
    )
}

/// Stores an open file by its content, read from this handle alone.
async fn store(client: &Client, file: File, name: &str) -> Result<Stored, CliError> {
    client.store(file).await.map_err(|error| {
        let error = CliError::from(error);
        CliError { message: format!("`{name}` could not be stored: {}", error.message), ..error }
    })
}

//! Plans a child, forks it behind a gate, and says in words why it did not become its program.
//!
//! All that needs memory happens in [`Plan::of`], before the fork: [`crate::exec`] runs between
//! fork and exec, where nothing may allocate.

use std::ffi::CString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::Mode;
use rustix::process::{Resource, getrlimit};

use crate::exec::{self, Stage};
use crate::files::{How, Spec};
use crate::{platform, record};

/// Where programs are looked for when the child's environment has no `PATH`.
const PATH_WITHOUT_ONE: &str = "/usr/local/bin:/usr/bin:/bin";

/// Everything a child needs, in the form the kernel takes it.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What to try to execute, in this order.
    pub(crate) programs: Vec<CString>,
    pub(crate) argv: Vec<CString>,
    pub(crate) env: Vec<CString>,
    pub(crate) cwd: CString,
    pub(crate) nofile: Option<(u64, u64)>,
    pub(crate) umask: Mode,
}

/// What the child gets as its standard streams.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) stdin: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
    /// Whether they are a terminal, to become the controlling one of the child's session.
    pub(crate) terminal: bool,
}

/// A forked child that has not run anything yet.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) pid: i32,
    gate: OwnedFd,
    report: OwnedFd,
}

/// Where a child that did not become its program tells why.
#[derive(Debug)]
pub(crate) struct Report(OwnedFd);

impl Plan {
    /// Plans what the spec asks for; `umask` is used where the spec names none.
    pub(crate) fn of(spec: &Spec, umask: Mode) -> Result<Self, How> {
        let program = spec.argv.first().filter(|program| !program.is_empty());
        let Some(program) = program else {
            return Err(failed(libc::EINVAL, "there is no program to run".to_owned()));
        };
        Ok(Self {
            programs: candidates(program, spec)?,
            argv: spec
                .argv
                .iter()
                .map(|text| c_string(text.as_str(), "argument"))
                .collect::<Result<_, _>>()?,
            env: environment(spec)?,
            cwd: c_string(spec.cwd.as_os_str().as_bytes(), "working directory")?,
            nofile: spec.nofile.map(within_ours),
            umask: spec.umask.map_or(umask, |bits| Mode::from_raw_mode(bits.into())),
        })
    }

    /// Forks the child. It makes its own session and waits at the gate; if we end before opening
    /// it, the child ends too and has run nothing. `lock` is closed in the child at once, so that
    /// it never proves a dead shim alive.
    pub(crate) fn fork(&self, streams: &Streams, lock: BorrowedFd<'_>) -> io::Result<Waiting> {
        let (gate_read, gate) = platform::pipe()?;
        let (report, report_write) = platform::pipe()?;
        let pointers = exec::Pointers::of(self);
        let ends = exec::Ends { gate_read, gate_write: &gate, report_write, lock };
        let pid = exec::fork_into(self, &pointers, streams, &ends)?;
        Ok(Waiting { pid, gate, report })
    }
}

impl Waiting {
    /// Lets the child run. It may fail to become its program; see [`Report::why_not`].
    pub(crate) fn open_gate(self) -> Report {
        // A child that is gone already cannot read; its end is seen where all ends are.
        let _ = rustix::io::write(&self.gate, &[1]);
        Report(self.report)
    }
}

impl Report {
    /// Why the child, which has ended, never became its program; `None` if it did.
    pub(crate) fn why_not(&self, spec: &Spec) -> Option<How> {
        let mut bytes = [0; exec::REPORT_BYTES];
        let got = rustix::io::retry_on_intr(|| rustix::io::read(&self.0, &mut bytes)).ok()?;
        let (stage, errno) = exec::parse(bytes.get(..got)?)?;
        let program = spec.argv.first().map_or("", String::as_str);
        let message = match stage {
            Stage::Cwd => format!(
                "could not enter the working directory `{}`: {}",
                spec.cwd.display(),
                reason(errno)
            ),
            Stage::Exec if errno == libc::ENOENT && !program.contains('/') => {
                format!("could not run `{program}`: not found in PATH")
            }
            Stage::Exec if errno == libc::ENOENT && spec.cwd.join(program).exists() => {
                format!("could not run `{program}`: its interpreter or loader does not exist")
            }
            Stage::Exec => format!("could not run `{program}`: {}", reason(errno)),
            Stage::Streams => {
                format!("could not give `{program}` its standard streams: {}", reason(errno))
            }
            Stage::Limits => {
                format!("could not set the limit of open files for `{program}`: {}", reason(errno))
            }
        };
        Some(failed(errno, message))
    }
}

/// The outcome of a child that was never run.
pub(crate) fn failed(errno: i32, mut message: String) -> How {
    record::shorten(&mut message);
    How::SpawnFailed { errno, message }
}

/// In words that fit after "could not run `x`: ".
pub(crate) fn reason(errno: i32) -> String {
    match errno {
        libc::ENOENT => "it does not exist".to_owned(),
        libc::EACCES => "permission denied (is it executable, and not a folder?)".to_owned(),
        libc::ENOEXEC => "not an executable format (does a script lack its `#!` line?)".to_owned(),
        libc::ENOTDIR => "a part of its path is not a folder".to_owned(),
        libc::E2BIG => "arguments and environment are too long".to_owned(),
        libc::ETXTBSY => "somebody is writing to it".to_owned(),
        _ => io::Error::from_raw_os_error(errno).to_string(),
    }
}

/// A hard limit can only be lowered, so more than we have ourselves cannot be given.
fn within_ours((soft, hard): (u64, u64)) -> (u64, u64) {
    let ours = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let hard = hard.min(ours);
    (soft.min(hard), hard)
}

/// As `execvp` looks for programs, but in the child's `PATH` and not in ours.
fn candidates(program: &str, spec: &Spec) -> Result<Vec<CString>, How> {
    if program.contains('/') {
        return Ok(vec![c_string(program, "program")?]);
    }
    let path = spec.env.iter().find(|(name, _)| name == "PATH");
    let path = path.map_or(PATH_WITHOUT_ONE, |(_, value)| value);
    path.split(':')
        // An empty entry means the working directory.
        .map(|folder| if folder.is_empty() { "." } else { folder })
        .map(|folder| c_string(Path::new(folder).join(program).as_os_str().as_bytes(), "program"))
        .collect()
}

fn environment(spec: &Spec) -> Result<Vec<CString>, How> {
    let entry = |(name, value): &(String, String)| {
        c_string([name.as_str(), value.as_str()].join("="), "environment")
    };
    spec.env.iter().map(entry).collect()
}

fn c_string(text: impl Into<Vec<u8>>, what: &str) -> Result<CString, How> {
    CString::new(text)
        .map_err(|_| failed(libc::EINVAL, format!("the {what} holds a NUL character")))
}

//! Attachments: which files `--attach` means, and their content. Every step of a path goes through a
//! handle of the directory before it and follows no link by itself, so a directory that is swapped
//! for a link between two looks leads nowhere: what is hashed and sent comes from the very handle
//! that was checked. Links are read and resolved here, and must stay inside the working directory.

#[cfg(test)]
mod tests;

use super::error::CliError;
use longhaul_core::limits;
use rustix::fs::{self, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

/// Links on the way of one path, as in the kernel.
const LINKS_MAX: u32 = 40;
/// How deep a directory may go, so that links cannot make it endless.
const DEPTH_MAX: usize = 64;

/// A file that goes with the job.
#[derive(Debug)]
pub(super) struct Attached {
    /// Where it lies, relative to the job's working directory.
    pub(super) path: String,
    /// The open file; its content is read from here and nowhere else.
    pub(super) file: File,
    /// Whether its owner may execute it.
    pub(super) is_executable: bool,
}

/// Finds all files that `paths` mean, seen from `cwd`: directories with all they hold, sorted.
///
/// Refuses what is blank, missing, outside of `cwd` or no file, each in its own words.
pub(super) fn find(cwd: &Path, paths: &[PathBuf]) -> Result<Vec<Attached>, CliError> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let root = open_directory(fs::CWD, cwd).map_err(|errno| {
        CliError::usage(format!(
            "the working directory `{}` cannot be opened: {errno}",
            cwd.display()
        ))
    })?;
    let mut search = Search { cwd: cwd.to_owned(), root, found: BTreeMap::new() };
    for path in paths {
        search.add(path)?;
    }
    Ok(search.found.into_values().collect())
}

struct Search {
    cwd: PathBuf,
    root: OwnedFd,
    found: BTreeMap<String, Attached>,
}

/// What a path turned out to be.
enum Place {
    File(File),
    Directory(Vec<OwnedFd>),
}

/// Why a path cannot be attached.
enum Problem {
    LeadsOut,
    Missing,
    TooManyLinks,
    NoFile,
    Errno(Errno),
}

impl Search {
    fn add(&mut self, path: &Path) -> Result<(), CliError> {
        let inner = self.inner(path)?;
        let name = inner.join("/");
        let parts = inner.iter().map(|part| Step::Down(part.clone())).collect();
        let place = self.resolve(parts).map_err(|problem| refusal(&name, &problem))?;
        match place {
            Place::File(file) => self.keep(name, file),
            Place::Directory(stack) => self.expand(&name, &stack, inner, 0),
        }
    }

    /// The names that lead from the working directory to `path`, by its text alone.
    fn inner(&self, path: &Path) -> Result<Vec<String>, CliError> {
        let shown = path.display();
        let refuse = |problem: &str| CliError::usage(format!("`--attach {shown}` {problem}"));
        let text = path.to_str().ok_or_else(|| refuse("is not UTF-8"))?;
        if text.trim().is_empty() {
            return Err(CliError::usage("`--attach` was given a blank path"));
        }
        let real = path.is_absolute().then(|| self.beneath(path));
        let relative = match &real {
            Some(Some(relative)) => relative,
            Some(None) => {
                let cwd = self.cwd.display();
                return Err(refuse(&format!("lies outside of the working directory `{cwd}`"))
                    .hint("`--cwd DIR` sets the working directory"));
            }
            None => path,
        };
        let mut names = Vec::new();
        for component in relative.components() {
            match component {
                Component::Normal(name) => names.push(name.to_string_lossy().into_owned()),
                Component::CurDir => {}
                Component::ParentDir => {
                    return Err(refuse("goes up with `..`")
                        .hint("attachments lie inside the working directory"));
                }
                Component::RootDir | Component::Prefix(_) => {
                    return Err(refuse("is not a path inside the working directory"));
                }
            }
        }
        Ok(names)
    }

    /// What of an absolute path lies below the working directory, by its text or, if it was named
    /// through a link above, by that of its folder. Only text: the walk begins at our handle.
    fn beneath(&self, path: &Path) -> Option<PathBuf> {
        let below = |path: &Path| path.strip_prefix(&self.cwd).map(Path::to_owned).ok();
        below(path).or_else(|| {
            let folder = fs_err::canonicalize(path.parent()?).ok()?;
            below(&folder.join(path.file_name()?))
        })
    }

    /// Walks from the root of the search, one name at a time.
    fn resolve(&self, steps: VecDeque<Step>) -> Result<Place, Problem> {
        let root = copy(&self.root).map_err(Problem::Errno)?;
        self.resolve_from(vec![root], steps)
    }

    fn resolve_from(
        &self,
        mut stack: Vec<OwnedFd>,
        mut steps: VecDeque<Step>,
    ) -> Result<Place, Problem> {
        let mut links = 0;
        while let Some(step) = steps.pop_front() {
            let name = match step {
                Step::Up if stack.len() == 1 => return Err(Problem::LeadsOut),
                Step::Up => {
                    stack.pop();
                    continue;
                }
                Step::Top => {
                    stack.truncate(1);
                    continue;
                }
                Step::Down(name) => name,
            };
            let here = stack.last().expect("the root is never taken off");
            match open(here, &name)? {
                Opened::Directory(directory) => stack.push(directory),
                Opened::File(file) if steps.is_empty() => return Ok(Place::File(file)),
                Opened::File(_) => return Err(Problem::Missing),
                Opened::Link(target) => {
                    links += 1;
                    if links > LINKS_MAX {
                        return Err(Problem::TooManyLinks);
                    }
                    for step in self.steps_of(&target)?.into_iter().rev() {
                        steps.push_front(step);
                    }
                }
            }
        }
        Ok(Place::Directory(stack))
    }

    /// What a link says. An absolute one counts as inside if its text begins with the working
    /// directory: it is then walked from our handle, so the text cannot lead elsewhere.
    fn steps_of(&self, target: &Path) -> Result<Vec<Step>, Problem> {
        let mut steps = Vec::new();
        let relative = if target.is_absolute() {
            steps.push(Step::Top);
            target.strip_prefix(&self.cwd).map_err(|_| Problem::LeadsOut)?
        } else {
            target
        };
        for component in relative.components() {
            match component {
                Component::Normal(name) => {
                    steps.push(Step::Down(name.to_string_lossy().into_owned()));
                }
                Component::ParentDir => steps.push(Step::Up),
                Component::CurDir => {}
                Component::RootDir | Component::Prefix(_) => return Err(Problem::LeadsOut),
            }
        }
        Ok(steps)
    }

    fn expand(
        &mut self,
        name: &str,
        stack: &[OwnedFd],
        inner: Vec<String>,
        depth: usize,
    ) -> Result<(), CliError> {
        if depth > DEPTH_MAX {
            return Err(refusal(name, &Problem::TooManyLinks));
        }
        let here = stack.last().expect("a directory was opened");
        for entry in entries(here).map_err(|errno| refusal(name, &Problem::Errno(errno)))? {
            let mut path = inner.clone();
            path.push(entry.clone());
            let shown = path.join("/");
            let copies: Result<Vec<OwnedFd>, Errno> = stack.iter().map(copy).collect();
            let copies = copies.map_err(|errno| refusal(&shown, &Problem::Errno(errno)))?;
            let steps = VecDeque::from([Step::Down(entry)]);
            let place =
                self.resolve_from(copies, steps).map_err(|problem| refusal(&shown, &problem))?;
            match place {
                Place::File(file) => self.keep(shown, file)?,
                Place::Directory(deeper) => self.expand(&shown, &deeper, path, depth + 1)?,
            }
        }
        Ok(())
    }

    fn keep(&mut self, path: String, file: File) -> Result<(), CliError> {
        let errno = |errno: Errno| refusal(&path, &Problem::Errno(errno));
        let stat = fs::fstat(&file).map_err(errno)?;
        if u64::try_from(stat.st_size).unwrap_or(0) > limits::BLOB_BYTES_MAX {
            return Err(CliError::usage(format!(
                "`{path}` cannot be attached: it is larger than {} bytes",
                limits::BLOB_BYTES_MAX
            )));
        }
        let is_executable = Mode::from_raw_mode(stat.st_mode).contains(Mode::XUSR);
        self.found.insert(path.clone(), Attached { path, file, is_executable });
        if self.found.len() > limits::ATTACHMENTS_MAX {
            return Err(CliError::usage(format!(
                "more than {} files would be attached, which is the limit",
                limits::ATTACHMENTS_MAX
            )));
        }
        Ok(())
    }
}

/// One step of a walk.
enum Step {
    Down(String),
    Up,
    Top,
}

enum Opened {
    Directory(OwnedFd),
    File(File),
    Link(PathBuf),
}

/// Opens what `name` is in `directory`, following nothing. The kind is taken from the opened handle,
/// never from an earlier look at the name.
fn open(directory: &OwnedFd, name: &str) -> Result<Opened, Problem> {
    // Without NONBLOCK, a named pipe in the directory would hang us here.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match fs::openat(directory, name, flags, Mode::empty()) {
        Ok(opened) => {
            let stat = fs::fstat(&opened).map_err(Problem::Errno)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => Ok(Opened::Directory(opened)),
                FileType::RegularFile => Ok(Opened::File(File::from(opened))),
                _ => Err(Problem::NoFile),
            }
        }
        Err(Errno::LOOP | Errno::MLINK) => {
            let target = fs::readlinkat(directory, name, Vec::new()).map_err(problem)?;
            let target = target.into_string().map_err(|_| Problem::LeadsOut)?;
            Ok(Opened::Link(PathBuf::from(target)))
        }
        // Sockets cannot be opened at all.
        Err(Errno::NXIO) => Err(Problem::NoFile),
        Err(errno) => Err(problem(errno)),
    }
}

fn copy(directory: &OwnedFd) -> Result<OwnedFd, Errno> {
    rustix::io::fcntl_dupfd_cloexec(directory, 0)
}

fn problem(errno: Errno) -> Problem {
    match errno {
        Errno::NOENT | Errno::NOTDIR => Problem::Missing,
        other => Problem::Errno(other),
    }
}

fn open_directory(at: impl AsFd, path: &Path) -> Result<OwnedFd, Errno> {
    fs::openat(at, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// What a directory holds, sorted by name so that the same tree gives the same job.
fn entries(directory: &OwnedFd) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    for entry in fs::Dir::read_from(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn refusal(path: &str, problem: &Problem) -> CliError {
    let what = match problem {
        Problem::LeadsOut => "a symbolic link on its way leads out of the working directory".into(),
        Problem::Missing => "there is no such file".into(),
        Problem::TooManyLinks => "too many links or directories lie on its way".into(),
        Problem::NoFile => "it is neither a file nor a directory".into(),
        Problem::Errno(errno) => format!("{}", std::io::Error::from(*errno)),
    };
    CliError::usage(format!("`{path}` cannot be attached: {what}"))
}

//! Reads `/proc`. Every reader copes with a process that ends while it is being read.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use crate::files::Process;

/// One line of `/proc/PID/stat`.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    /// Who it is.
    pub(crate) process: Process,
    /// Its parent's pid.
    pub(crate) parent: i32,
    /// The session it is in: the pid of the process that made it.
    pub(crate) session: i32,
    /// The kernel's short name for it; any bytes, control characters replaced.
    pub(crate) comm: String,
    /// Whether it has ended and only waits to be reaped.
    pub(crate) ended: bool,
    /// Processor time of itself and of the children it has reaped, in clock ticks.
    pub(crate) cpu_ticks: u64,
    /// Resident memory in bytes, shared pages included.
    pub(crate) rss_bytes: u64,
}

/// Id of this boot.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Inode of our pid namespace.
pub(crate) fn pid_ns() -> io::Result<u64> {
    Ok(fs::metadata("/proc/self/ns/pid")?.ino())
}

/// Status of one process; `None` if there is none of that pid.
pub(crate) fn status_of(pid: i32) -> Option<Status> {
    parse(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Status of every process we can see.
pub(crate) fn everyone() -> io::Result<Vec<Status>> {
    let pids = numbers("/proc")?;
    Ok(pids.into_iter().filter_map(status_of).collect())
}

/// Pids whose parent is `pid`; may miss some while they are being made or reaped.
pub(crate) fn children_of(pid: i32) -> Vec<i32> {
    let tasks = format!("/proc/{pid}/task");
    let mut found = Vec::new();
    for task in numbers(&tasks).unwrap_or_default() {
        match fs::read_to_string(format!("{tasks}/{task}/children")) {
            Ok(list) => found.extend(list.split_whitespace().filter_map(|n| n.parse::<i32>().ok())),
            // A kernel without CONFIG_PROC_CHILDREN: ask every process for its parent instead.
            Err(e) if e.kind() == io::ErrorKind::NotFound && status_of(pid).is_some() => {
                let everyone = everyone().unwrap_or_default();
                return everyone
                    .into_iter()
                    .filter(|status| status.parent == pid)
                    .map(|status| status.process.pid)
                    .collect();
            }
            Err(_) => {}
        }
    }
    found
}

/// Whether the process was started with exactly this environment entry. False if that cannot be
/// told, because it has ended or is not ours to read.
pub(crate) fn environment_holds(pid: i32, entry: &str) -> bool {
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|bytes| bytes.split(|byte| *byte == 0).any(|held| held == entry.as_bytes()))
}

/// The value of this variable that the process was started with; `None` if it had none, or if that
/// cannot be told, or is no text.
pub(crate) fn variable_of(pid: i32, name: &str) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let value = bytes.split(|byte| *byte == 0).find_map(|held| {
        held.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
    })?;
    String::from_utf8(value.to_vec()).ok()
}

/// What the process was told to hold, if it was started as a shim is.
pub(crate) fn shim_argument(pid: i32) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut parts = bytes.split(|byte| *byte == 0).skip(1);
    if parts.next()? != b"shim" {
        return None;
    }
    String::from_utf8(parts.next()?.to_vec()).ok()
}

/// Whether the process has the file of this device and inode open. False if that cannot be told.
pub(crate) fn has_open(pid: i32, device: u64, inode: u64) -> bool {
    let folder = format!("/proc/{pid}/fd");
    numbers(&folder).unwrap_or_default().into_iter().any(|fd| {
        fs::metadata(format!("{folder}/{fd}"))
            .is_ok_and(|file| file.dev() == device && file.ino() == inode)
    })
}

/// Whether the process keeps jobs: our own program as a daemon or as a shim. Going by the file's
/// name, so that the program of another release counts too.
pub(crate) fn is_keeper(pid: i32) -> bool {
    let program = |who: &str| {
        let link = fs::read_link(format!("/proc/{who}/exe")).ok()?;
        let name = link.file_name()?.to_str()?;
        Some(name.trim_end_matches(" (deleted)").to_owned())
    };
    let part = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let part = part.split(|byte| *byte == 0).nth(1);
    matches!(part, Some(b"daemon" | b"shim")) && program(&pid.to_string()) == program("self")
}

/// Memory that is fairly this process's: pages it shares count in parts. `None` if unknown.
pub(crate) fn private_bytes(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// How many clock ticks a second has.
pub(crate) fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

fn numbers(folder: &str) -> io::Result<Vec<i32>> {
    let entries = fs::read_dir(folder)?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}

/// The name may hold spaces, parentheses and any byte, so the fields begin after the last `)`.
fn parse(pid: i32, line: &[u8]) -> Option<Status> {
    let name_starts = line.iter().position(|byte| *byte == b'(')? + 1;
    let name_ends = line.iter().rposition(|byte| *byte == b')')?;
    let comm = String::from_utf8_lossy(line.get(name_starts..name_ends)?)
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    let rest = std::str::from_utf8(line.get(name_ends + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    // Field numbers of proc(5) less three: state is the third and comes first here.
    Some(Status {
        process: Process { pid, start_ticks: number(19)? },
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        comm,
        ended: matches!(*fields.first()?, "Z" | "X" | "x"),
        cpu_ticks: number(11)? + number(12)? + number(13)? + number(14)?,
        rss_bytes: number(21)? * rustix::param::page_size() as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_parentheses_spaces_and_a_fake_line() {
        let line =
            b"7 (a) R 1 (b c\xff) S 5 7 7 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 4242 1 3 18";
        let status = parse(7, line).unwrap();
        assert_eq!(status.process, Process { pid: 7, start_ticks: 4242 });
        assert_eq!((status.parent, status.ended, status.cpu_ticks), (5, false, 100));
        assert_eq!(status.comm, "a) R 1 (b c\u{fffd}");
        assert_eq!(status.rss_bytes, 3 * rustix::param::page_size() as u64);
    }

    #[test]
    fn no_prefix_of_a_line_panics() {
        let line = fs::read("/proc/self/stat").unwrap();
        for end in 0..line.len() {
            let _ = parse(1, &line[..end]);
        }
        assert!(parse(1, &line).is_some());
    }

    #[test]
    fn we_see_ourselves_and_our_environment_exactly() {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        assert!(everyone().unwrap().iter().any(|status| status.process.pid == pid));
        let (name, value) =
            std::env::vars().find(|(_, value)| value.len() > 1).expect("some variable is set");
        assert!(environment_holds(pid, &format!("{name}={value}")));
        assert!(!environment_holds(pid, &format!("{name}={}", &value[..value.len() - 1])));
    }
}

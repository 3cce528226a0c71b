//! Looks at processes through `/proc`: whose they are, what they cost, and their end.

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::time::Duration;

use crate::clock;

/// What a tick of `stat` stands for: USER_HZ is 100 wherever Linux runs.
const TICK_NS: u64 = 10_000_000;

/// A process that was alive when it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process(pub(crate) i32);

impl Process {
    /// Nanoseconds on a core, of all the threads it ever had.
    ///
    /// Of a single thread the kernel tells nanoseconds; a hundred quiet processes, counted in
    /// ticks, would each round to nothing. With more threads only the ticks also count those that
    /// have ended.
    pub(crate) fn cpu_ns(self) -> Result<u64> {
        let threads = fs_err::read_dir(format!("/proc/{}/task", self.0))?.count();
        if threads == 1 {
            return self.sum_of_threads("schedstat", |text| text.split(' ').next()?.parse().ok());
        }
        let stat = fs_err::read_to_string(format!("/proc/{}/stat", self.0))?;
        // The name in brackets may hold blanks and brackets; user and system time are 14 and 15.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        let ticks = ticks.sum::<Result<u64, _>>().with_context(|| format!("odd: {stat}"))?;
        Ok(ticks * TICK_NS)
    }

    /// How often its threads gave up the core by themselves; those that have ended do not count.
    pub(crate) fn voluntary_switches(self) -> Result<u64> {
        self.sum_of_threads("status", |text| {
            let line = text.lines().find(|line| line.starts_with("voluntary_ctxt_switches:"))?;
            line.split_whitespace().nth(1)?.parse().ok()
        })
    }

    /// Resident memory, in MiB.
    pub(crate) fn resident_mib(self) -> Result<f64> {
        self.kib("status", &["VmRSS:"])
    }

    /// The most memory that was ever resident, in MiB.
    pub(crate) fn most_resident_mib(self) -> Result<f64> {
        self.kib("status", &["VmHWM:"])
    }

    /// Bytes that it had written to disks, or will have once the kernel gets to it.
    pub(crate) fn written_bytes(self) -> Result<u64> {
        let text = fs_err::read_to_string(format!("/proc/{}/io", self.0))?;
        let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        let bytes = line.and_then(|bytes| bytes.trim().parse().ok());
        bytes.with_context(|| format!("odd: {text}"))
    }

    /// Memory that nobody shares with it, in MiB.
    pub(crate) fn private_mib(self) -> Result<f64> {
        self.kib("smaps_rollup", &["Private_Clean:", "Private_Dirty:"])
    }

    /// Whether it runs this program.
    pub(crate) fn runs(self, program: &Path) -> bool {
        fs_err::read_link(format!("/proc/{}/exe", self.0)).is_ok_and(|exe| exe == program)
    }

    /// How many other processes it holds a handle of (a pidfd), as one who waits for their end does.
    pub(crate) fn process_handles(self) -> Result<usize> {
        let mut handles = 0;
        for entry in fs_err::read_dir(format!("/proc/{}/fd", self.0))? {
            // It may close one between the listing and the look.
            let target = fs_err::read_link(entry?.path()).unwrap_or_default();
            handles += usize::from(target == Path::new("anon_inode:[pidfd]"));
        }
        Ok(handles)
    }

    /// Sends SIGKILL; one that is gone already is no error.
    pub(crate) fn kill(self) {
        if let Some(pid) = Pid::from_raw(self.0) {
            // Gone is what was wanted, and another user's cannot be ours.
            let _gone = kill_process(pid, Signal::KILL);
        }
    }

    pub(crate) fn is_alive(self) -> bool {
        let stat = fs_err::read_to_string(format!("/proc/{}/stat", self.0)).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
    }

    fn kib(self, file: &str, names: &[&str]) -> Result<f64> {
        let text = fs_err::read_to_string(format!("/proc/{}/{file}", self.0))?;
        let lines = text.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
        let kib = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        Ok(kib.sum::<f64>() / 1024.0)
    }

    fn sum_of_threads(self, file: &str, value: impl Fn(&str) -> Option<u64>) -> Result<u64> {
        let mut sum = 0;
        for thread in fs_err::read_dir(format!("/proc/{}/task", self.0))? {
            // A thread may end between the listing and the look.
            let Ok(text) = fs_err::read_to_string(thread?.path().join(file)) else { continue };
            sum += value(text.trim()).with_context(|| format!("{file} of {} is odd", self.0))?;
        }
        Ok(sum)
    }
}

/// Nanoseconds on a core of all our children that are over and were waited for, and of theirs.
pub(crate) fn own_children_cpu_ns() -> Result<u64> {
    let stat = fs_err::read_to_string("/proc/self/stat")?;
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    // Times of children are 16 and 17.
    let ticks = rest.split_whitespace().skip(13).take(2).map(str::parse::<u64>);
    let ticks = ticks.sum::<Result<u64, _>>().with_context(|| format!("odd: {stat}"))?;
    Ok(ticks * TICK_NS)
}

/// Every process whose environment or words name `folder`, ourselves excepted.
///
/// All that is measured gets its places under one folder of ours, and children inherit them, so
/// this finds whatever was started, however it detached itself.
pub(crate) fn of_folder(folder: &Path) -> Result<Vec<Process>> {
    let folder = folder.as_os_str().as_encoded_bytes();
    let own = i32::try_from(std::process::id())?;
    let mut found = vec![];
    for entry in fs_err::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // Other users' processes cannot be read and are not ours.
        let named = ["environ", "cmdline"].iter().any(|file| {
            fs_err::read(format!("/proc/{pid}/{file}")).is_ok_and(|text| names(&text, folder))
        });
        if named && pid != own {
            found.push(Process(pid));
        }
    }
    Ok(found)
}

/// Whether the folder itself, not one whose name only begins like it, is named.
fn names(text: &[u8], folder: &[u8]) -> bool {
    text.windows(folder.len() + 1).any(|window| {
        window.starts_with(folder) && matches!(window.last(), Some(b'/' | 0 | b'"' | b':'))
    })
}

/// Ends, by force, every process of `folder`, and waits until they are gone.
pub(crate) fn sweep(folder: &Path) -> Result<()> {
    clock::until("the processes of a scenario are gone", Duration::from_millis(5), || {
        let found = of_folder(folder)?;
        found.iter().for_each(|process| process.kill());
        Ok(found.is_empty().then_some(()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_whose_name_only_begins_alike_is_not_meant() {
        assert!(names(b"A=1\0HOME=/x/run-1\0", b"/x/run-1"));
        assert!(names(b"shim\0/x/run-1/attempts/a.1\0", b"/x/run-1"));
        assert!(!names(b"HOME=/x/run-12\0", b"/x/run-1"));
    }

    #[test]
    fn this_process_costs_something() {
        let own = Process(i32::try_from(std::process::id()).unwrap());
        assert!(own.is_alive());
        assert!(own.resident_mib().unwrap() > 0.1);
        assert!(own.private_mib().unwrap() > 0.0);
        own.cpu_ns().unwrap();
        own.voluntary_switches().unwrap();
    }
}

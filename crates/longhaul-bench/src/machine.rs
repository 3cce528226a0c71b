//! Says on what machine the figures were taken, without naming it or its folders.

use std::path::Path;

/// Processor, cores, memory, kernel and file system, in one line each.
pub(crate) fn described(folder: &Path) -> Vec<String> {
    let text = |path: &str| fs_err::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let processor = text("/proc/cpuinfo")
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned());
    let memory: u64 = text("/proc/meminfo")
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    let load = text("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ");
    vec![
        format!("processor: {processor}, {cores} cores"),
        format!("memory: {} GiB", memory.div_ceil(1 << 20)),
        format!("kernel: {}", text("/proc/sys/kernel/osrelease").trim()),
        format!("file system: {}", file_system(folder)),
        format!("load before (1, 5, 15 min): {load}"),
    ]
}

/// The type of the file system that holds the folder; the longest mount point that leads to it.
fn file_system(folder: &Path) -> String {
    let mounts = fs_err::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let holding = mounts.filter(|(point, _)| folder.starts_with(point));
    let nearest = holding.max_by_key(|(point, _)| point.len());
    nearest.map_or_else(|| "unknown".to_owned(), |(_, kind)| kind.to_owned())
}

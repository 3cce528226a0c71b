//! Keeps a tree of processes within its memory, where the kernel is not asked to.

use crate::files::Process;
use crate::{platform, tree};

/// How often the tree is measured, in milliseconds.
pub(crate) const SAMPLE_MS: i64 = 100;

/// Whether the descendants of `root` together hold more than `bytes_max`.
///
/// Adding up resident sizes is cheap but counts shared pages once for each holder, and forked
/// workers share most of theirs. So the sum only raises the question; fair shares answer it.
pub(crate) fn is_over(root: Process, bytes_max: u64) -> bool {
    let processes = tree::descendants(root);
    let resident: u64 = processes.iter().map(|status| status.rss_bytes).sum();
    resident > bytes_max && {
        let fair = |status: &platform::Status| {
            platform::private_bytes(status.process.pid).unwrap_or(status.rss_bytes)
        };
        processes.iter().map(fair).sum::<u64>() > bytes_max
    }
}

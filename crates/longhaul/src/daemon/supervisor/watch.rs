//! Want `Watch`: somebody shall report how the attempt ends. A look at the folder, again at each
//! hint and when the shim's process is gone.

use super::evidence::{Boot, Seen, Subject, Vigil};
use super::site::Site;
use crate::daemon::readable::readable;
use longhaul_shim::evidence::{self, Evidence};
use longhaul_shim::files::{PidRecord, Process};
use longhaul_shim::folder::Folder;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io;

impl Subject {
    /// Looks at an attempt that is known to run. Blocks.
    pub(super) fn watch(&self, site: &Site, is_known: bool) -> Seen {
        let folder = match Folder::open(&site.home.attempt(&self.job, self.attempt)) {
            Ok(folder) => folder,
            Err(error) => return self.doubt(site, &error.to_string()),
        };
        match evidence::look(&folder) {
            Evidence::Over(record) => self.over(site, &folder, &record, Boot::This, false),
            Evidence::Alive(Some(pid)) => {
                site.doubts.settle(&self.job, self.attempt);
                if is_known { Seen::Runs(pid, Vigil::default()) } else { self.keep(site, pid) }
            }
            Evidence::Alive(None) => Seen::Soon,
            Evidence::ShimDied(pid) => self.shim_died(site, &folder, &pid, false),
            Evidence::NeverBegun => {
                self.doubt(site, "it was reported to run, and its folder says that it never began")
            }
            Evidence::Unknown(why) => self.doubt(site, &why),
        }
    }

    /// Adds what is to be done for as long as it runs. Blocks.
    pub(super) fn keep(&self, site: &Site, pid: PidRecord) -> Seen {
        let vigil = match site.job(&self.job) {
            Ok(Some(job)) => Vigil {
                stall: job.spec.stall,
                rungs: if job.spec.turn.is_some() { self.rungs(site) } else { vec![] },
                is_turn: job.spec.turn.is_some(),
            },
            Ok(None) => Vigil::default(),
            // Nobody is stopped because a row could not be read.
            Err(error) => {
                tracing::warn!(job = %self.job, %error, "a job could not be read");
                Vigil::default()
            }
        };
        Seen::Runs(pid, vigil)
    }
}

/// Comes back once this very process is gone. An error says that it cannot be waited for.
pub(super) async fn until_gone(process: Process) -> io::Result<()> {
    let Some(pid) = Pid::from_raw(process.pid) else { return Ok(()) };
    let handle = match pidfd_open(pid, PidfdFlags::NONBLOCK) {
        Ok(handle) => handle,
        Err(rustix::io::Errno::SRCH) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let handle = readable(handle)?;
    // The handle names whoever has the pid now; from here on that cannot change.
    if !process.is_alive() {
        return Ok(());
    }
    handle.readable().await.map(drop)
}

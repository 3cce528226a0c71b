//! Wants `Stop` and `CallOff`: the attempt shall end, or shall not begin. Signals go to the shim
//! alone, after its identity is proven; the end is reported from evidence only.

use super::evidence::{Boot, PLANTED, Seen, Subject, Vigil};
use super::site::Site;
use longhaul_shim::evidence::{self, Evidence};
use longhaul_shim::folder::Folder;
use longhaul_shim::identity::{Ask, ask_shim};

impl Subject {
    /// Ends the attempt. `ask` is what its shim is to be told, or `None` if it was told already.
    /// Blocks.
    pub(super) fn stop(&self, site: &Site, ask: Option<Ask>, tell_start: bool) -> Seen {
        let folder = match self.open_or_make(site) {
            Ok(folder) => folder,
            Err(error) => return self.doubt(site, &error.to_string()),
        };
        match evidence::look(&folder) {
            Evidence::Alive(Some(pid)) => {
                if tell_start {
                    site.engine.report(vec![self.started(site, &pid)]);
                }
                match ask.map_or(Ok(true), |ask| ask_shim(&folder, &pid, ask)) {
                    Ok(true) => {
                        site.doubts.settle(&self.job, self.attempt);
                        Seen::Runs(pid, Vigil::default())
                    }
                    // It went while we looked; its folder says more by now.
                    Ok(false) => Seen::Soon,
                    Err(error) => self.doubt(site, &format!("its shim cannot be told: {error}")),
                }
            }
            found => self.not_running(site, &folder, found, None),
        }
    }

    /// Bars an attempt whose launch takes too long; one that has begun after all goes on. Blocks.
    pub(super) fn call_off(&self, site: &Site) -> Seen {
        let folder = match self.open_or_make(site) {
            Ok(folder) => folder,
            Err(error) => return self.doubt(site, &error.to_string()),
        };
        match evidence::look(&folder) {
            Evidence::Alive(Some(pid)) => {
                site.engine.report(vec![self.started(site, &pid)]);
                site.doubts.settle(&self.job, self.attempt);
                self.keep(site, pid)
            }
            found => {
                self.not_running(site, &folder, found, Some("its launch took too long".to_owned()))
            }
        }
    }

    /// What an attempt comes to that shall not go on and whose child is not known to run. `reason`
    /// is why it is barred if it never began.
    fn not_running(
        &self,
        site: &Site,
        folder: &Folder,
        found: Evidence,
        reason: Option<String>,
    ) -> Seen {
        match found {
            Evidence::Over(record) => self.over(site, folder, &record, Boot::This, true),
            Evidence::Alive(_) => Seen::Soon,
            Evidence::NeverBegun | Evidence::ShimDied(_) if !self.is_ours(site, folder) => {
                self.doubt(site, PLANTED)
            }
            Evidence::NeverBegun => match reason {
                Some(reason) => self.bar_with_room(site, folder, reason),
                None => self.bar(site, folder, None),
            },
            Evidence::ShimDied(pid) => self.shim_died(site, folder, &pid, true),
            Evidence::Unknown(why) => self.doubt(site, &why),
        }
    }
}

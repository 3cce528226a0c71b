//! Wants `Stop` and `CallOff`: the attempt shall end, or shall not begin. Signals go to the shim
//! alone, after its identity is proven; the end is reported from evidence only.

use super::evidence::{Boot, PLANTED, Seen, Subject};
use super::site::Site;
use longhaul_shim::evidence::{self, Evidence};
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
            Evidence::Over(record) => self.over(site, &folder, &record, Boot::This, true),
            Evidence::Alive(Some(pid)) => {
                if tell_start {
                    site.engine.report(vec![self.started(site, &pid)]);
                }
                match ask.map_or(Ok(true), |ask| ask_shim(&folder, &pid, ask)) {
                    Ok(true) => {
                        site.doubts.settle(&self.job, self.attempt);
                        Seen::Runs(pid, None)
                    }
                    // It went while we looked; its folder says more by now.
                    Ok(false) => Seen::Soon,
                    Err(error) => self.doubt(site, &format!("its shim cannot be told: {error}")),
                }
            }
            Evidence::Alive(None) => Seen::Soon,
            Evidence::NeverBegun if self.is_ours(site, &folder) => self.bar(site, &folder, None),
            Evidence::ShimDied(pid) if self.is_ours(site, &folder) => {
                self.shim_died(site, &folder, &pid, true)
            }
            Evidence::NeverBegun | Evidence::ShimDied(_) => self.doubt(site, PLANTED),
            Evidence::Unknown(why) => self.doubt(site, &why),
        }
    }

    /// Bars an attempt whose launch takes too long; one that has begun after all goes on. Blocks.
    pub(super) fn call_off(&self, site: &Site) -> Seen {
        let folder = match self.open_or_make(site) {
            Ok(folder) => folder,
            Err(error) => return self.doubt(site, &error.to_string()),
        };
        match evidence::look(&folder) {
            Evidence::Over(record) => self.over(site, &folder, &record, Boot::This, true),
            Evidence::Alive(Some(pid)) => {
                site.engine.report(vec![self.started(site, &pid)]);
                site.doubts.settle(&self.job, self.attempt);
                self.with_stall(site, pid)
            }
            Evidence::Alive(None) => Seen::Soon,
            Evidence::NeverBegun if self.is_ours(site, &folder) => {
                self.bar(site, &folder, Some("its launch took too long".to_owned()))
            }
            Evidence::ShimDied(pid) if self.is_ours(site, &folder) => {
                self.shim_died(site, &folder, &pid, true)
            }
            Evidence::NeverBegun | Evidence::ShimDied(_) => self.doubt(site, PLANTED),
            Evidence::Unknown(why) => self.doubt(site, &why),
        }
    }
}

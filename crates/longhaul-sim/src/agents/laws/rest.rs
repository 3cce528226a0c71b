//! When faults are over and all hours have come, everything has come to its end.

use super::super::life::{Law, Life};
use longhaul_core::approval::Approval;
use longhaul_core::mail::MailState;

impl Life {
    pub(in super::super) fn at_rest(&mut self) -> Law {
        let open = self.rows.jobs.values().find(|job| job.outcome().is_none());
        self.holds("every turn ends", open.is_none(), || format!("{open:?}"))?;
        let alive = self.children.values().find(|child| child.over.is_none());
        self.holds("no child outlives its turn", alive.is_none(), || format!("{alive:?}"))?;
        for child in self.children.values() {
            let said = self.said_of(&child.key);
            let all = child.all_events().len();
            let is_over = said == all || child.never_began();
            self.holds("no output is lost", is_over, || {
                format!("{:?}: {said} of {all}", child.key)
            })?;
        }
        let asked = self.rows.approvals.values().find(|asked| Approval::is_open(asked));
        self.holds("no question stays open", asked.is_none(), || format!("{asked:?}"))?;
        for mail in self.rows.mail.values().filter(|mail| !mail.to.starts_with('@')) {
            let budget = self.rows.agents.get(&mail.to).and_then(|agent| {
                let most = agent.spec.budget?.nano_usd_max + agent.nano_usd_more;
                Some(agent.used.nano_usd.unwrap_or(0) >= most)
            });
            let is_settled =
                matches!(mail.state, MailState::Read { .. } | MailState::Returned { .. });
            self.holds("all mail is read or returned", is_settled || budget == Some(true), || {
                format!("{mail:?}")
            })?;
        }
        self.holds("nothing is kept of what turns are told", self.rows.inputs.is_empty(), || {
            format!("{:?}", self.rows.inputs)
        })
    }
}

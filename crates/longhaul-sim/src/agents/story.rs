//! What a step changed, in a line each, for whoever reads why a life broke a law.

use super::life::Life;
use super::rows::Changes;

impl Life {
    pub(super) fn note_changes(&mut self, changes: &Changes) {
        if self.story.is_none() {
            return;
        }
        for (id, change) in &changes.jobs {
            if let Some(job) = &change.after {
                let line = format!("  {id} #{} {:?}", job.attempt, job.state);
                self.note(|| line);
            }
        }
        for (name, change) in &changes.agents {
            let line = format!("  {name} {:?}", change.after.as_ref().map(|agent| &agent.standing));
            self.note(|| line);
        }
        for change in changes.mail.values() {
            if let Some(mail) = &change.after {
                let line = format!(
                    "  {} {} {} → {} {:?} tries {}",
                    mail.id, mail.kind, mail.from, mail.to, mail.state, mail.tries
                );
                self.note(|| line);
            }
        }
        for (id, change) in &changes.approvals {
            let line = format!("  {id} {:?}", change.after.as_ref().map(|asked| &asked.state));
            self.note(|| line);
        }
        for (kind, change) in &changes.quotas {
            let line = format!("  limit of {kind}: {:?}", change.after);
            self.note(|| line);
        }
    }
}

//! What each ask should be answered, by what was there before.

use super::family::{Member, has};
use super::leases::{CURRENCIES, is_granted, is_within};
use super::life::Life;
use super::rows::Rows;
use crate::course::Broken;
use longhaul_core::command::{Command, Entry, Refused, Reply};
use longhaul_core::delegation::{Delegation, DenialCode, OperationAsk};
use longhaul_core::hosted::Hosted;
use longhaul_core::id::JobId;
use longhaul_core::job::JobState;
use longhaul_core::lease::{AGENT_DELEGATE, MODEL_USE};
use longhaul_core::limits;

/// A yes, or which no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    /// It is this job, which is there already.
    Known(JobId),
    No(DenialCode),
    /// Nobody who may ask this asks.
    Refused(&'static str),
}

impl Answer {
    fn of(reply: &Result<Reply, Refused>) -> Self {
        match reply {
            Ok(Reply::Denied { code, .. }) => Self::No(*code),
            Ok(Reply::Submitted(jobs)) if !jobs[0].1.is_new() => Self::Known(jobs[0].0.clone()),
            Ok(_) => Self::Yes,
            Err(refused) => Self::Refused(refused.code()),
        }
    }
}

impl Life {
    /// An ask that came alone was answered as it should be.
    pub(super) fn answered(
        &mut self,
        before: &Rows,
        command: &Command,
        reply: &Result<Reply, Refused>,
    ) -> Result<(), Broken> {
        let given = Answer::of(reply);
        let (law, right) = match command {
            Command::AuthorizeOperation { job, attempt, ask } => {
                let right = self.leave(before, (job, *attempt), ask);
                self.count_leave(&right, job, ask);
                ("an operation is granted as the lease says", right)
            }
            Command::Delegate { parent, attempt, ask } => {
                let right = self.delegation(before, (parent, *attempt), ask);
                self.count_delegation(&right, parent, ask);
                ("a job delegates what it may and has", right)
            }
            Command::Tell { job, attempt, entries } => {
                let right = self.telling(before, (job, *attempt), entries);
                self.tally.pieces_twice += u64::from(right == Answer::Refused("repeat"));
                self.tally.pieces_refused += u64::from(right == Answer::Refused("bad_piece"));
                self.tally.pieces_too_large += u64::from(right == Answer::Refused("too_many"));
                ("what attempts tell is taken, pieces in their order", right)
            }
            _ => return Ok(()),
        };
        self.holds(law, given == right, || {
            format!("{command:?} was answered {reply:?}, should be {right:?}")
        })
    }

    fn leave(&self, before: &Rows, (job, attempt): (&JobId, u32), ask: &OperationAsk) -> Answer {
        if !is_active(before, job, attempt) {
            return Answer::Refused("stale");
        }
        let member = &self.family.members[job];
        if let Some(no) = self.standing(before, job) {
            return Answer::No(no);
        }
        let is_free = ask.capability == MODEL_USE && !member.asked.contains_key(MODEL_USE);
        let is_granted = is_free || is_granted(&member.asked, &ask.capability, &ask.target);
        if is_granted { Answer::Yes } else { Answer::No(DenialCode::PermissionDenied) }
    }

    /// Whether its time is over, or all is spent that it could spend of anything.
    fn standing(&self, before: &Rows, job: &JobId) -> Option<DenialCode> {
        if self.family.members[job].expires_at.is_some_and(|at| self.course.at >= at) {
            return Some(DenialCode::LeaseExpired);
        }
        let is_spent = |currency: &&'static str| {
            let payer =
                self.family.chain(job).find(|(_, known)| known.granted.contains_key(*currency));
            payer.is_some_and(|(payer, _)| has(before, payer, currency) <= 0)
        };
        CURRENCIES.iter().any(is_spent).then_some(DenialCode::BudgetExhausted)
    }

    fn delegation(
        &self,
        before: &Rows,
        (parent, attempt): (&JobId, u32),
        ask: &Delegation,
    ) -> Answer {
        if !is_active(before, parent, attempt) {
            return Answer::Refused("stale");
        }
        let above = &self.family.members[parent];
        let of =
            |id: &&JobId| self.family.members[*id].name == ask.id && before.jobs.contains_key(*id);
        if let Some(known) = above.children.iter().find(of) {
            let asked = ask.child.as_ref().ok().and_then(|child| child.spec.hosted.as_deref());
            let hosted = before.jobs[known].spec.hosted.as_deref().expect("all are hosted");
            let is_same =
                |asked: &Hosted| asked.agent == hosted.agent && asked.input == hosted.input;
            let is_known = asked.is_none_or(is_same);
            return if is_known {
                Answer::Known(known.clone())
            } else {
                Answer::No(DenialCode::DuplicateKey)
            };
        }
        let Ok(child) = &ask.child else { return Answer::No(DenialCode::AgentNotAvailable) };
        let asked = child.spec.hosted.as_deref().expect("all are hosted");
        if !self.may_hand_on(before, (parent, above), asked) {
            return Answer::No(DenialCode::LeaseSubsetViolation);
        }
        if !is_granted(&above.asked, AGENT_DELEGATE, &asked.agent) {
            return Answer::No(DenialCode::PermissionDenied);
        }
        if let Some(no) = self.standing(before, parent) {
            return Answer::No(no);
        }
        if above.depth >= limits::DELEGATION_DEPTH_MAX {
            return Answer::No(DenialCode::PermissionDenied);
        }
        let open = self.family.open(parent).count();
        if open >= limits::DELEGATIONS_OPEN_MAX as usize {
            return Answer::No(DenialCode::TooMany);
        }
        let is_fruitful = |member: &Member| member.below >= limits::DELEGATIONS_BELOW_MAX;
        if self.family.chain(parent).any(|(_, member)| is_fruitful(member)) {
            return Answer::No(DenialCode::PermissionDenied);
        }
        if self.is_full(before, parent) {
            return Answer::No(DenialCode::TooMany);
        }
        Answer::Yes
    }

    /// Whether a lease is a part of what the parent may, has, and has for so long.
    fn may_hand_on(
        &self,
        before: &Rows,
        (parent, above): (&JobId, &Member),
        asked: &Hosted,
    ) -> bool {
        let texts = asked.lease.asked();
        let at = asked.lease.expires_at().map(|at| u64::try_from(at.as_millis()).unwrap_or(0));
        let is_in_time = at.is_none_or(|at| above.expires_at.is_none_or(|end| at <= end));
        let is_there = super::leases::budget_of(&texts).into_iter().all(|(currency, cents)| {
            above.granted.get(currency).is_some_and(|granted| cents <= *granted)
                && cents <= has(before, parent, currency)
        });
        is_within(&texts, &above.asked) && is_in_time && is_there
    }

    fn is_full(&self, before: &Rows, parent: &JobId) -> bool {
        let Some(session) = &before.jobs[parent].session else { return false };
        let of = before.open().filter(|job| job.session.as_ref() == Some(session)).count();
        of >= limits::SESSION_JOBS_MAX as usize
    }

    fn telling(&self, before: &Rows, (job, attempt): (&JobId, u32), entries: &[Entry]) -> Answer {
        if !is_active(before, job, attempt) {
            return Answer::Refused("stale");
        }
        let member = &self.family.members[job];
        let is_poor = before.jobs[job].session.as_ref() == Some(&self.sessions[1]);
        for piece in entries.iter().filter_map(|entry| entry.piece.as_ref()) {
            // Whoever asked for it has not agreed on results in pieces.
            if is_poor && piece.seq == 0 {
                return Answer::Refused("bad_piece");
            }
            if let Err(why) = member.may_follow(attempt, piece) {
                return Answer::Refused(why);
            }
        }
        Answer::Yes
    }

    fn count_leave(&mut self, right: &Answer, job: &JobId, ask: &OperationAsk) {
        let is_free = ask.capability == MODEL_USE
            && !self.family.members.get(job).is_some_and(|it| it.asked.contains_key(MODEL_USE));
        let tally = &mut self.tally;
        let counted = match right {
            Answer::Yes if is_free => &mut tally.models_free,
            Answer::Yes | Answer::Known(_) => &mut tally.allowed,
            Answer::No(DenialCode::LeaseExpired) => &mut tally.denied_late,
            Answer::No(DenialCode::BudgetExhausted) => &mut tally.denied_spent,
            Answer::No(_) => &mut tally.denied,
            Answer::Refused(_) => &mut tally.stale,
        };
        *counted += 1;
    }

    fn count_delegation(&mut self, right: &Answer, parent: &JobId, ask: &Delegation) {
        let is_deep = |member: &Member| member.depth >= limits::DELEGATION_DEPTH_MAX;
        let is_deep = self.family.members.get(parent).is_some_and(is_deep);
        let asked = ask.child.as_ref().ok().and_then(|child| child.spec.hosted.as_deref());
        let has_budget = asked.is_some_and(|asked| asked.lease.budget().is_some());
        let tally = &mut self.tally;
        let counted = match right {
            Answer::Yes if has_budget => &mut tally.delegated_with_budget,
            Answer::Yes => &mut tally.delegated_without,
            Answer::Known(_) => &mut tally.delegated_again,
            Answer::No(DenialCode::DuplicateKey) => &mut tally.name_taken,
            Answer::No(DenialCode::LeaseSubsetViolation) => &mut tally.wider,
            Answer::No(DenialCode::LeaseExpired) => &mut tally.delegated_late,
            Answer::No(DenialCode::BudgetExhausted) => &mut tally.delegated_spent,
            Answer::No(DenialCode::AgentNotAvailable) => &mut tally.no_such_agent,
            Answer::No(DenialCode::TooMany) => &mut tally.too_many,
            Answer::No(_) if is_deep => &mut tally.too_deep,
            Answer::No(_) => &mut tally.may_not_delegate,
            Answer::Refused(_) => &mut tally.stale,
        };
        *counted += 1;
    }
}

/// Whether this attempt goes on.
fn is_active(rows: &Rows, job: &JobId, attempt: u32) -> bool {
    rows.jobs.get(job).is_some_and(|job| {
        let goes_on = match job.state {
            JobState::Starting { .. } | JobState::Running { .. } | JobState::Stopping { .. } => {
                true
            }
            JobState::Preparing { .. } | JobState::Queued { .. } | JobState::Ended { .. } => false,
        };
        goes_on && job.attempt == attempt
    })
}

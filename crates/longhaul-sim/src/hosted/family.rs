//! Who was given what by whom, what of it was spent, and what each delegation should come to: kept
//! apart from the rows, and moved by commands, their answers and the journal alone.

use super::leases::{Money, budget_of, money_of};
use super::rows::{Entry, Rows};
use longhaul_core::command::{Command, Known, Piece, Refused, Reply, Submission};
use longhaul_core::delegation::DenialCode;
use longhaul_core::engine::Step;
use longhaul_core::event::Fact;
use longhaul_core::hosted::Hosted;
use longhaul_core::id::JobId;
use longhaul_core::lease::{Asked, MODEL_USE};
use longhaul_core::limits;
use std::collections::{BTreeMap, BTreeSet};

/// A job, as it should be.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) parent: Option<JobId>,
    /// What its parent calls it.
    pub(super) name: String,
    /// Its lease, with what it inherits.
    pub(super) asked: Asked,
    pub(super) expires_at: Option<u64>,
    pub(super) depth: u32,
    pub(super) children: BTreeSet<JobId>,
    /// How many were ever delegated below it.
    pub(super) below: u32,
    pub(super) granted: Money,
    /// What was charged to its account first.
    pub(super) spent: Money,
    pub(super) has_ended: bool,
    /// What it had left when it had ended, and all that it delegated.
    pub(super) rest: Option<Money>,
    /// What it has given back in pieces.
    pub(super) stream: Option<Stream>,
}

/// A result that is given in pieces.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    attempt: u32,
    result: String,
    next: u64,
    is_closed: bool,
}

/// How often a delegation should have been answered, and was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Results {
    pub(super) due: u64,
    pub(super) told: u64,
}

/// All that should be so.
#[derive(Clone, Debug, Default)]
pub(super) struct Family {
    pub(super) members: BTreeMap<JobId, Member>,
    pub(super) results: BTreeMap<(JobId, String), Results>,
}

impl Family {
    /// Takes in what a step came to.
    pub(super) fn take(&mut self, batch: &[Command], step: &Step, rows: &Rows, written: &[Entry]) {
        for (command, reply) in batch.iter().zip(&step.replies) {
            self.command(command, reply);
        }
        for entry in written {
            self.written(entry);
        }
        let has_ended = |entry: &Entry| matches!(entry.fact, Fact::Ended { .. });
        if written.iter().any(has_ended) {
            self.close(rows);
        }
    }

    fn command(&mut self, command: &Command, reply: &Result<Reply, Refused>) {
        match (command, reply) {
            (Command::Submit(jobs), Ok(Reply::Submitted(accepted))) => {
                for (asked, _) in jobs.iter().zip(accepted).filter(|(_, (_, was))| was.is_new()) {
                    let member = member(hosted(asked), String::new(), None);
                    self.members.insert(asked.id.clone(), member);
                }
            }
            (Command::Delegate { parent, ask, .. }, Ok(Reply::Submitted(accepted))) => {
                let Some((id, Known::Not)) = accepted.first() else { return };
                let child = ask.child.as_ref().expect("it was accepted");
                let above = self.members.get_mut(parent).expect("all are known");
                above.children.insert(id.clone());
                let above = Some((parent, &*above));
                let member = member(hosted(child), ask.id.clone(), above);
                self.members.insert(id.clone(), member);
                let above: Vec<JobId> = self.chain(parent).map(|(id, _)| id.clone()).collect();
                for id in above {
                    self.members.get_mut(&id).expect("it was just seen").below += 1;
                }
            }
            (Command::Delegate { parent, ask, .. }, Ok(Reply::Denied { code, .. }))
                if *code != DenialCode::DuplicateKey =>
            {
                self.results.entry((parent.clone(), ask.id.clone())).or_default().due += 1;
            }
            (Command::Tell { job, attempt, entries }, Ok(_)) => {
                for entry in entries {
                    if let Some((currency, amount)) = &entry.charge {
                        let mut cost = longhaul_core::amounts::Amounts::default();
                        cost.add(currency.clone(), *amount).expect("it is small");
                        self.charge(job, &money_of(&cost));
                    }
                    if let Some(piece) = &entry.piece {
                        let member = self.members.get_mut(job).expect("all are known");
                        member.follow_on(*attempt, piece);
                    }
                }
            }
            _ => {}
        }
    }

    /// The first that has a budget of a currency is charged, whatever it has left.
    fn charge(&mut self, job: &JobId, cost: &Money) {
        for (currency, cents) in cost {
            let payer = self.chain(job).find(|(_, known)| known.granted.contains_key(currency));
            let Some(payer) = payer.map(|(id, _)| id.clone()) else { continue };
            let payer = self.members.get_mut(&payer).expect("it was just seen");
            *payer.spent.entry(currency).or_default() += cents;
        }
    }

    /// A job, who delegated it, and so on.
    pub(super) fn chain(&self, job: &JobId) -> impl Iterator<Item = (&JobId, &Member)> {
        let first = self.members.get_key_value(job);
        std::iter::successors(first, |(_, member)| {
            self.members.get_key_value(member.parent.as_ref()?)
        })
    }

    fn written(&mut self, entry: &Entry) {
        let Some(job) = &entry.job else { return };
        match &entry.fact {
            Fact::Ended { .. } => {
                let member = self.members.get_mut(job).expect("all are known");
                member.has_ended = true;
                let (parent, name) = (member.parent.clone(), member.name.clone());
                // Who has ended is told nothing more.
                if let Some(parent) = parent.filter(|parent| !self.members[parent].has_ended) {
                    self.results.entry((parent, name)).or_default().due += 1;
                }
            }
            Fact::Told { name, body, .. } if name == "tool_result" => {
                let call = body["call_id"].as_str().unwrap_or_default();
                if call.starts_with("part") {
                    self.results.entry((job.clone(), call.to_owned())).or_default().told += 1;
                }
            }
            _ => {}
        }
    }

    /// Whoever has ended, and all whose children have, is done with. Children come after parents.
    fn close(&mut self, rows: &Rows) {
        let ids: Vec<JobId> = self.members.keys().rev().cloned().collect();
        for id in ids {
            let member = &self.members[&id];
            let goes_on = |child: &JobId| self.members[child].rest.is_none();
            if !member.has_ended || member.rest.is_some() || member.children.iter().any(goes_on) {
                continue;
            }
            let account = rows.jobs.get(&id).and_then(|job| job.account.as_ref());
            let rest = account.map(|account| money_of(account.remaining())).unwrap_or_default();
            self.members.get_mut(&id).expect("it was just seen").rest = Some(rest);
        }
    }

    /// Children that go on, or have some that do.
    pub(super) fn open(&self, job: &JobId) -> impl Iterator<Item = (&JobId, &Member)> {
        let children = self.members[job].children.iter().map(|id| (id, &self.members[id]));
        children.filter(|(_, child)| child.rest.is_none())
    }

    /// What a job that goes on should have left of a currency: without what it set aside, and what it
    /// paid for those who had not enough of that.
    pub(super) fn left(&self, job: &JobId, currency: &'static str, rows: &Rows) -> i64 {
        let of = |money: &Money| money.get(currency).copied().unwrap_or(0);
        let member = &self.members[job];
        let mut left = of(&member.granted) - of(&member.spent);
        for (id, child) in member.children.iter().map(|id| (id, &self.members[id])) {
            left -= match &child.rest {
                Some(left) => of(&child.granted) - of(left),
                None => of(&child.granted) + claims(rows, id, currency) - has(rows, id, currency),
            };
        }
        left
    }
}

/// What would come back to who set it aside, if a job ended now: with what others have paid for it.
pub(super) fn claims(rows: &Rows, job: &JobId, currency: &'static str) -> i64 {
    let account = rows.jobs.get(job).and_then(|job| job.account.as_ref());
    let rest = account.map(|account| money_of(&account.rest())).unwrap_or_default();
    rest.get(currency).copied().unwrap_or(0)
}

/// What the account of a job says that it has left.
pub(super) fn has(rows: &Rows, job: &JobId, currency: &'static str) -> i64 {
    let account = rows.jobs.get(job).and_then(|job| job.account.as_ref());
    let left = account.map(|account| money_of(account.remaining())).unwrap_or_default();
    left.get(currency).copied().unwrap_or(0)
}

fn hosted(asked: &Submission) -> &Hosted {
    asked.spec.hosted.as_deref().expect("all are hosted")
}

fn member(hosted: &Hosted, name: String, above: Option<(&JobId, &Member)>) -> Member {
    let mut asked = hosted.lease.asked();
    let millis = |at: longhaul_core::time::Timestamp| u64::try_from(at.as_millis()).unwrap_or(0);
    let mut expires_at = hosted.lease.expires_at().map(millis);
    if let Some((_, above)) = above {
        expires_at = expires_at.or(above.expires_at);
        if let (None, Some(models)) = (asked.get(MODEL_USE), above.asked.get(MODEL_USE)) {
            asked.insert(MODEL_USE.to_owned(), models.clone());
        }
    }
    let granted = budget_of(&asked);
    Member {
        parent: above.map(|(id, _)| id.clone()),
        name,
        asked,
        expires_at,
        depth: above.map_or(0, |(_, above)| above.depth + 1),
        children: BTreeSet::new(),
        below: 0,
        granted,
        spent: Money::new(),
        has_ended: false,
        rest: None,
        stream: None,
    }
}

impl Member {
    /// Whether a piece of a result is the next one of this attempt, or why not.
    pub(super) fn may_follow(&self, attempt: u32, piece: &Piece) -> Result<(), &'static str> {
        let known = self.stream.as_ref();
        let is_next = match known.filter(|known| known.attempt == attempt) {
            None => piece.seq == 0 && known.is_none_or(|before| before.result != piece.result),
            Some(known) if known.result == piece.result && known.next == piece.seq + 1 => {
                return Err("repeat");
            }
            Some(known) => {
                !known.is_closed && known.next == piece.seq && known.result == piece.result
            }
        };
        if !is_next {
            return Err("bad_piece");
        }
        if piece.bytes > limits::PIECE_BYTES_MAX { Err("too_many") } else { Ok(()) }
    }

    fn follow_on(&mut self, attempt: u32, piece: &Piece) {
        let (result, next) = (piece.result.clone(), piece.seq + 1);
        self.stream = Some(Stream { attempt, result, next, is_closed: piece.is_last });
    }
}

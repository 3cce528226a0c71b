//! A store that bends what is written of agents, their turns and their mail, or that finds the wrong
//! rows, in one way each.

use longhaul_core::agent::{Agent, Standing};
use longhaul_core::approval::{Approval, ApprovalState};
use longhaul_core::event::NewEvent;
use longhaul_core::job::{Job, JobState, Waiting};
use longhaul_core::mail::{Mail, MailState};
use longhaul_core::port::{Position, Reader, Record, Row, Store, StoreError, Table, Tx};
use longhaul_core::quota::Quota;
use longhaul_core::time::{Millis, Timestamp};
use longhaul_core::turn::{Input, Intake};

/// In which way a store is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bend {
    LosesMail,
    FindsMailBackwards,
    FindsNoMail,
    FindsNoTurns,
    FindsNoChildren,
    ReadsFailedMail,
    NeverCountsTries,
    LosesReturnNotes,
    LosesDeaths,
    FinishesNobody,
    LosesInputs,
    KeepsInputs,
    ForgetsMailInPrompts,
    LosesIntakes,
    LosesEntries,
    DoublesEntries,
    CountsParksAsFailures,
    LosesLimits,
    LosesQuestions,
    AnswersByItself,
    LosesUse,
    KeepsSecrets,
    StopsNobody,
    WaitsForEver,
    CallsAllIdle,
    ForgetsConversations,
}

impl Bend {
    pub(crate) const ALL: [Self; 26] = [
        Self::LosesMail,
        Self::FindsMailBackwards,
        Self::FindsNoMail,
        Self::FindsNoTurns,
        Self::FindsNoChildren,
        Self::ReadsFailedMail,
        Self::NeverCountsTries,
        Self::LosesReturnNotes,
        Self::LosesDeaths,
        Self::FinishesNobody,
        Self::LosesInputs,
        Self::KeepsInputs,
        Self::ForgetsMailInPrompts,
        Self::LosesIntakes,
        Self::LosesEntries,
        Self::DoublesEntries,
        Self::CountsParksAsFailures,
        Self::LosesLimits,
        Self::LosesQuestions,
        Self::AnswersByItself,
        Self::LosesUse,
        Self::KeepsSecrets,
        Self::StopsNobody,
        Self::WaitsForEver,
        Self::CallsAllIdle,
        Self::ForgetsConversations,
    ];
}

/// A store with a bend in front of it.
pub(crate) struct Bent<'a> {
    pub(crate) inner: &'a mut dyn Store,
    pub(crate) bend: Bend,
}

impl Store for Bent<'_> {
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>, StoreError> {
        Ok(Box::new(BentTx { inner: self.inner.begin()?, bend: self.bend }))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.inner.reader()
    }
}

fn changed<T: Record>(row: &Row, change: impl FnOnce(&mut T)) -> Row {
    let mut value = T::from_row(row).expect("the engine wrote it");
    change(&mut value);
    value.to_row()
}

fn bent_mail(bend: Bend, mail: &mut Mail) {
    match (bend, &mail.state) {
        (Bend::ReadsFailedMail, MailState::Unread) if mail.tries > 0 => {
            mail.state = MailState::Read { at: mail.sent_at, turn: None };
            mail.tries = 0;
        }
        (Bend::NeverCountsTries, _) => mail.tries = 0,
        _ => {}
    }
}

fn bent_job(bend: Bend, job: &mut Job) {
    let parks = job.turn.as_ref().map_or(0, |turn| turn.parks);
    match (bend, &mut job.state) {
        (Bend::CountsParksAsFailures, JobState::Queued { because: Waiting::RateLimited, .. }) => {
            job.failures += parks;
        }
        (
            Bend::WaitsForEver,
            JobState::Queued { is_due, not_before, because: Waiting::Approval },
        ) if *is_due => {
            (*is_due, *not_before) = (false, Timestamp::from_millis(i64::MAX));
        }
        _ => {}
    }
}

fn bent_agent(bend: Bend, agent: &mut Agent) {
    match (bend, &agent.standing) {
        (Bend::FinishesNobody, Standing::Finished { mail, .. }) => {
            let (mail, last) = (mail.clone(), agent.last.clone());
            let at = agent.added_at;
            // By a turn that did not end so: its newest, whichever that is, under another's name.
            if let Some(last) = last {
                agent.standing = Standing::Finished { at, mail, turn: other(&last.job) };
            }
        }
        (Bend::StopsNobody, Standing::Stopped { .. }) => agent.standing = Standing::Idle,
        (Bend::CallsAllIdle, Standing::Waiting { .. }) => agent.standing = Standing::Idle,
        (Bend::ForgetsConversations, _) => agent.conversation = None,
        (Bend::LosesUse, _) => agent.used = longhaul_core::turn::Used::default(),
        _ => {}
    }
}

fn other(job: &longhaul_core::id::JobId) -> longhaul_core::id::JobId {
    let text = job.as_str();
    let end = if text.ends_with('0') { "1" } else { "0" };
    let text = format!("{}{end}", &text[..text.len() - 1]);
    longhaul_core::id::JobId::parse(&text).expect("as good as the other")
}

struct BentTx<'a> {
    inner: Box<dyn Tx + 'a>,
    bend: Bend,
}

impl BentTx<'_> {
    /// What is written instead; nothing at all if `None`.
    fn bent(&self, table: Table, row: &Row, new: bool) -> Option<Row> {
        let bend = self.bend;
        let lost = match (bend, table) {
            (Bend::LosesMail, Table::Mail) => new && row.id.as_bytes().last() == Some(&b'3'),
            (Bend::LosesReturnNotes, Table::Mail) => row.name.as_deref() == Some("returned"),
            (Bend::LosesDeaths, Table::Mail) => row.name.as_deref() == Some("worker_died"),
            (Bend::LosesInputs, Table::Input) => true,
            (Bend::LosesIntakes, Table::Intake) => new,
            (Bend::LosesLimits, Table::Quota) => true,
            (Bend::LosesQuestions, Table::Approval) => new,
            _ => false,
        };
        if lost {
            return None;
        }
        Some(match table {
            Table::Mail => changed(row, |mail| bent_mail(bend, mail)),
            Table::Job => changed(row, |job| bent_job(bend, job)),
            Table::Agent => changed(row, |agent| bent_agent(bend, agent)),
            Table::Input if bend == Bend::ForgetsMailInPrompts => {
                changed(row, |input: &mut Input| input.prompt = "Do.".to_owned())
            }
            Table::Approval if bend == Bend::AnswersByItself => {
                changed(row, |asked: &mut Approval| {
                    let (at, by) = (asked.asked_at, "nobody".to_owned());
                    asked.state = ApprovalState::Allowed { at, by };
                })
            }
            Table::Intake if bend == Bend::LosesEntries => {
                changed(row, |intake: &mut Intake| intake.taken.err += 7)
            }
            Table::Quota if bend == Bend::LosesLimits => {
                changed(row, |quota: &mut Quota| quota.until = quota.until.plus(Millis::new(1)))
            }
            _ => row.clone(),
        })
    }
}

impl Tx for BentTx<'_> {
    fn save(&mut self, table: Table, row: &Row, new: bool) -> Result<(), StoreError> {
        let Some(row) = self.bent(table, row, new) else { return Ok(()) };
        // What was lost when it was new is not there to be changed.
        let is_there = new || self.inner.load(table, &row.id)?.is_some();
        if is_there { self.inner.save(table, &row, new) } else { Ok(()) }
    }

    fn remove(&mut self, table: Table, id: &str) -> Result<(), StoreError> {
        match (self.bend, table) {
            (Bend::KeepsInputs, Table::Input) | (Bend::KeepsSecrets, Table::AgentEnvironment) => {
                Ok(())
            }
            _ => self.inner.remove(table, id),
        }
    }

    fn append(&mut self, events: &[NewEvent]) -> Result<Position, StoreError> {
        if self.bend != Bend::DoublesEntries {
            return self.inner.append(events);
        }
        let is_said = |event: &&NewEvent| event.body.contains("\"said\"");
        let twice = events.iter().filter(is_said).chain(events).cloned();
        self.inner.append(&twice.collect::<Vec<_>>())
    }

    fn children(
        &mut self,
        table: Table,
        parent: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let is_blind = self.bend == Bend::FindsNoChildren && table == Table::Agent;
        self.inner.children(table, parent, after, if is_blind { 0 } else { limit })
    }

    fn unread(&mut self, mailbox: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        match self.bend {
            Bend::FindsNoMail => Ok(Vec::new()),
            Bend::FindsMailBackwards => {
                let mut all = self.inner.unread(mailbox, u32::MAX)?;
                all.reverse();
                all.truncate(limit.min(1) as usize);
                Ok(all)
            }
            _ => self.inner.unread(mailbox, limit),
        }
    }

    fn open_jobs_in_lane(&mut self, lane: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let limit = if self.bend == Bend::FindsNoTurns { 0 } else { limit };
        self.inner.open_jobs_in_lane(lane, limit)
    }

    longhaul_store::tx_passes_on! {
        load, head, forget, trim_general, due, next_due, runnable, occupied, lane_head, active_on,
        ids, by_key, oldest_ended, ended_totals, next_in_lanes, waiting_in_lane, open_in_lane,
        active_in_pool, active_in_lane, unread_count, oldest_ended_mail, ended_mail_count, commit
    }
}

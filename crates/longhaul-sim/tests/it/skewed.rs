//! A store that bends what is written of hosted jobs and of their credentials, in one way each. The
//! ways that an engine bends commands and answers are named here too.

use longhaul_core::credential::{Credential, CredentialState};
use longhaul_core::event::NewEvent;
use longhaul_core::job::Job;
use longhaul_core::lease::Lease;
use longhaul_core::port::{Position, Reader, Record, Row, Store, StoreError, Table, Tx};

/// In which way it is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skew {
    SpendsNothing,
    LosesAccounts,
    ForgetsDepth,
    LosesExpiry,
    CountsNothingOpen,
    FindsNoChildren,
    LosesResults,
    MisnamesResults,
    LosesStreams,
    BelievesFailures,
    KeepsCredentials,
    NeverStuck,
    ForgetsDoubt,
    LosesRotations,
    ChargesTwice,
    ChargesLess,
    WidensLeases,
    AllowsAll,
    DeniesAll,
    TakesStaleReports,
    WantsNothing,
    GivesToAll,
    TriesForOthers,
    HidesDecisions,
    HidesRevocations,
}

impl Skew {
    pub(crate) const ALL: [Self; 25] = [
        Self::SpendsNothing,
        Self::LosesAccounts,
        Self::ForgetsDepth,
        Self::LosesExpiry,
        Self::CountsNothingOpen,
        Self::FindsNoChildren,
        Self::LosesResults,
        Self::MisnamesResults,
        Self::LosesStreams,
        Self::BelievesFailures,
        Self::KeepsCredentials,
        Self::NeverStuck,
        Self::ForgetsDoubt,
        Self::LosesRotations,
        Self::ChargesTwice,
        Self::ChargesLess,
        Self::WidensLeases,
        Self::AllowsAll,
        Self::DeniesAll,
        Self::TakesStaleReports,
        Self::WantsNothing,
        Self::GivesToAll,
        Self::TriesForOthers,
        Self::HidesDecisions,
        Self::HidesRevocations,
    ];
}

/// A store with a skew in front of it.
pub(crate) struct Skewed<'a> {
    pub(crate) inner: &'a mut dyn Store,
    pub(crate) skew: Skew,
}

impl Store for Skewed<'_> {
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>, StoreError> {
        Ok(Box::new(SkewedTx { inner: self.inner.begin()?, skew: self.skew }))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.inner.reader()
    }
}

struct SkewedTx<'a> {
    inner: Box<dyn Tx + 'a>,
    skew: Skew,
}

fn of<T: Record>(row: &Row) -> T {
    T::from_row(row).expect("the engine wrote it")
}

fn bent_job(skew: Skew, job: &mut Job, before: Option<&Job>) {
    let hosted = job.spec.hosted.as_deref_mut().expect("all are hosted");
    let is_child = hosted.delegate.is_some();
    match skew {
        Skew::SpendsNothing => {
            if let Some(before) = before {
                job.account.clone_from(&before.account);
            }
        }
        Skew::LosesAccounts if is_child => job.account = None,
        Skew::ForgetsDepth => hosted.depth = 0,
        Skew::LosesExpiry if is_child => {
            hosted.lease = Lease::parse(&hosted.lease.asked(), None).expect("it was one");
        }
        Skew::CountsNothingOpen => job.delegations.open = 0,
        Skew::LosesStreams => job.stream = None,
        _ => {}
    }
}

fn bent_credential(skew: Skew, row: &mut Credential) {
    match (skew, &row.state) {
        (Skew::NeverStuck, CredentialState::Stuck) => row.state = CredentialState::Revoked,
        (Skew::ForgetsDoubt, _) => row.doubtful_until = None,
        _ => {}
    }
}

impl Tx for SkewedTx<'_> {
    fn save(&mut self, table: Table, row: &Row, new: bool) -> Result<(), StoreError> {
        let row = match table {
            Table::Job => {
                let before = self.inner.load(table, &row.id)?.map(|row| of::<Job>(&row));
                let mut job = of::<Job>(row);
                bent_job(self.skew, &mut job, before.as_ref());
                job.to_row()
            }
            Table::Credential => {
                let before = self.inner.load(table, &row.id)?.map(|row| of::<Credential>(&row));
                let was_active = before.as_ref().is_some_and(Credential::is_active);
                let mut credential = of::<Credential>(row);
                let is_rotated = credential.replaces.is_some() && credential.is_active();
                let is_lost = match self.skew {
                    Skew::KeepsCredentials => was_active && !credential.is_active(),
                    Skew::LosesRotations => is_rotated,
                    _ => false,
                };
                if is_lost {
                    return Ok(());
                }
                bent_credential(self.skew, &mut credential);
                credential.to_row()
            }
            _ => row.clone(),
        };
        self.inner.save(table, &row, new)
    }

    fn append(&mut self, events: &[NewEvent]) -> Result<Position, StoreError> {
        let is_result = |event: &NewEvent| event.body.contains(r#""name":"tool_result""#);
        let mut events = events.to_vec();
        let is =
            |event: &NewEvent, kind: &str| event.body.starts_with(&format!(r#"{{"kind":"{kind}""#));
        match self.skew {
            Skew::HidesDecisions => events.retain(|event| !is(event, "operation_decided")),
            Skew::HidesRevocations => events.retain(|event| !is(event, "credential_revoked")),
            Skew::LosesResults => events.retain(|event| !is_result(event)),
            Skew::MisnamesResults => {
                for event in events.iter_mut().filter(|event| is_result(event)) {
                    event.body = event.body.replace(r#""part "#, r#""part of "#);
                }
            }
            _ => {}
        }
        self.inner.append(&events)
    }

    fn children(
        &mut self,
        table: Table,
        parent: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let is_blind = self.skew == Skew::FindsNoChildren && table == Table::Job;
        self.inner.children(table, parent, after, if is_blind { 0 } else { limit })
    }

    longhaul_store::tx_passes_on! {
        load, remove, head, forget, trim_general, due, next_due, runnable, occupied, lane_head,
        active_on, ids, by_key, oldest_ended, ended_totals, next_in_lanes, waiting_in_lane,
        open_in_lane, active_in_pool, active_in_lane, unread, unread_count, oldest_ended_mail,
        ended_mail_count, open_jobs_in_lane, commit
    }
}

//! The loop that takes up what is wanted. Nothing is remembered of what was done: a report that was not
//! committed is wanted again, and an issuer that is asked twice makes one credential.

use super::Credentials;
use crate::daemon::board::Board;
use crate::daemon::{EngineHandle, Ports, StopSwitch};
use longhaul_core::command::Command;
use longhaul_core::credential::Issue;
use longhaul_core::id::CredentialId;
use longhaul_shim::failpoint;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Credentials that are asked about at the same time; more wait their turn.
const AT_ONCE_MAX: usize = 16;

/// The running driver.
pub(in crate::daemon) struct IssuerDriver {
    credentials: Credentials,
    engine: EngineHandle,
    board: Arc<Board<Issue>>,
    stop: StopSwitch,
    /// What goes on; and what is to follow it, if something else is wanted by now.
    under_way: BTreeMap<CredentialId, (Issue, Option<Issue>)>,
    permits: Arc<Semaphore>,
    tries: JoinSet<(Issue, Option<Command>)>,
}

impl IssuerDriver {
    /// A driver that is not running yet.
    pub(in crate::daemon) fn new(ports: &Ports, board: Arc<Board<Issue>>) -> Self {
        Self {
            credentials: ports.credentials.clone(),
            engine: ports.engine.clone(),
            board,
            stop: ports.stop.clone(),
            under_way: BTreeMap::new(),
            permits: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            tries: JoinSet::new(),
        }
    }

    /// Runs until the daemon stops. Tries that are under way are dropped then, and wanted again by
    /// whoever comes up next.
    pub(in crate::daemon) async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                () = self.stop.stopped() => return,
                Some(tried) = self.tries.join_next() => match tried {
                    Ok((wanted, report)) => self.tried(&wanted, report),
                    Err(error) => tracing::error!(%error, "a try panicked"),
                },
                wanted = self.board.take() => wanted.into_iter().for_each(|want| self.want(want)),
            }
        }
    }

    fn want(&mut self, wanted: Issue) {
        match self.under_way.get_mut(wanted.credential()) {
            Some((goes_on, _)) if *goes_on == wanted => {}
            Some((_, next)) => *next = Some(wanted),
            None => self.begin(wanted),
        }
    }

    fn begin(&mut self, wanted: Issue) {
        self.under_way.insert(wanted.credential().clone(), (wanted.clone(), None));
        let (credentials, permits) = (self.credentials.clone(), Arc::clone(&self.permits));
        self.tries.spawn(async move {
            let _permit = permits.acquire().await.expect("the semaphore is never closed");
            let report = match credentials.act(&wanted).await {
                Ok(report) => report,
                // Nobody was asked for anything; reconciling wants it again.
                Err(error) => {
                    let credential = wanted.credential();
                    tracing::warn!(%credential, %error, "a credential was not read");
                    None
                }
            };
            (wanted, report)
        });
    }

    fn tried(&mut self, wanted: &Issue, report: Option<Command>) {
        let next = self.under_way.remove(wanted.credential()).and_then(|(_, next)| next);
        if let Some(report) = report {
            failpoint::at("issuer.after_try");
            self.engine.report(vec![report]);
        }
        if let Some(next) = next {
            self.begin(next);
        }
    }
}

//! The loop that takes up what is wanted. A try goes on until its report is committed: whoever asks the
//! rows what they want before that is told of the same try again, and it must not be made twice. What a
//! try came to is kept if its report could not be committed, and reported when it is wanted again.

use super::Credentials;
use crate::daemon::board::Board;
use crate::daemon::{AskError, EngineHandle, Ports, StopSwitch};
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
    /// Reports that were not committed, each until its credential wants something again.
    uncommitted: BTreeMap<CredentialId, (Issue, Command)>,
    permits: Arc<Semaphore>,
    /// Each gives its report back if that was not committed.
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
            uncommitted: BTreeMap::new(),
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
                    Ok((wanted, uncommitted)) => self.tried(wanted, uncommitted),
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
        let known = self.uncommitted.remove(wanted.credential());
        let known = known.and_then(|(tried, report)| (tried == wanted).then_some(report));
        let (credentials, permits) = (self.credentials.clone(), Arc::clone(&self.permits));
        let engine = self.engine.clone();
        self.tries.spawn(async move {
            let report = match known {
                Some(report) => Some(report),
                None => attempt(&credentials, &permits, &wanted).await,
            };
            let Some(report) = report else { return (wanted, None) };
            match engine.report_committed(report.clone()).await {
                Ok(()) | Err(AskError::Refused(_)) => (wanted, None),
                Err(AskError::Unavailable { .. } | AskError::Bug(_)) => (wanted, Some(report)),
            }
        });
    }

    fn tried(&mut self, wanted: Issue, uncommitted: Option<Command>) {
        let credential = wanted.credential().clone();
        let next = self.under_way.remove(&credential).and_then(|(_, next)| next);
        if let Some(report) = uncommitted {
            self.uncommitted.insert(credential, (wanted, report));
        }
        if let Some(next) = next {
            self.begin(next);
        }
    }
}

/// Makes one try, as soon as there is a permit for it, and gives its report.
async fn attempt(
    credentials: &Credentials,
    permits: &Semaphore,
    wanted: &Issue,
) -> Option<Command> {
    let _permit = permits.acquire().await.expect("the semaphore is never closed");
    match credentials.act(wanted).await {
        Ok(report) => report.inspect(|_| failpoint::at("issuer.after_try")),
        // Nobody was asked for anything; reconciling wants it again.
        Err(error) => {
            let credential = wanted.credential();
            tracing::warn!(%credential, %error, "a credential was not read");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{host, job};
    use super::*;
    use crate::config::{CommandIssuer, Config, Issuer, IssuerKind};
    use crate::daemon::engine::readers_of;
    use crate::daemon::inbox::{Entry, Inbox};
    use crate::home::Home;
    use longhaul_core::credential::Credential;
    use longhaul_core::port::{Record, Table};
    use longhaul_core::time::Timestamp;
    use std::path::Path;

    /// A driver of two credentials that are to be minted, in front of an engine that is played by the
    /// test: nothing is committed unless that says so.
    struct Play {
        folder: tempfile::TempDir,
        inbox: Arc<Inbox>,
        board: Arc<Board<Issue>>,
        stop: StopSwitch,
        wanted: [Issue; 2],
    }

    impl Play {
        fn begin() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (inbox, stop) = (Arc::new(Inbox::default()), StopSwitch::new());
            let credentials = ["one", "other"].map(|issuer| {
                Credential::new(&job(&[]).id, issuer, &host(), Timestamp::from_millis(1_000_000))
            });
            let mut rows = vec![(Table::Job, job(&[]).to_row())];
            rows.extend(credentials.iter().map(|one| (Table::Credential, one.to_row())));
            let readers = readers_of(&rows);
            let wanted = credentials.map(|one| one.wants(&host()).unwrap());
            let engine =
                EngineHandle::new(Arc::clone(&inbox), folder.path().to_owned(), 0, stop.clone());
            let board = Arc::new(Board::default());
            let driver = IssuerDriver {
                credentials: Credentials::new(
                    &settings(folder.path()),
                    &[7; crate::ids::SECRET_BYTES],
                    readers,
                    folder.path(),
                    host(),
                ),
                engine,
                board: Arc::clone(&board),
                stop: stop.clone(),
                under_way: BTreeMap::new(),
                uncommitted: BTreeMap::new(),
                permits: Arc::new(Semaphore::new(1)),
                tries: JoinSet::new(),
            };
            tokio::spawn(driver.run());
            Self { folder, inbox, board, stop, wanted }
        }

        /// What is reported next. It is not committed before it is answered.
        async fn reported(&self) -> (Command, Entry) {
            let inbox = Arc::clone(&self.inbox);
            let batch = tokio::task::spawn_blocking(move || inbox.wait_batch(None)).await.unwrap();
            let [mut entry] = <[Entry; 1]>::try_from(batch.entries).ok().unwrap();
            (entry.commands.remove(0), entry)
        }

        /// Says what a row wants, as reconciling does, and comes back once the driver knows.
        async fn want(&self, wanted: &Issue) {
            self.board.pin(vec![wanted.clone()]);
            while !self.board.is_empty() {
                tokio::task::yield_now().await;
            }
        }

        /// How often the program was asked.
        fn asked(&self) -> usize {
            let asked = std::fs::read_to_string(self.folder.path().join("asked"));
            asked.unwrap_or_default().lines().count()
        }
    }

    impl Drop for Play {
        fn drop(&mut self) {
            self.stop.stop();
        }
    }

    /// Two issuers that are one program, which notes each time that it is asked.
    fn settings(folder: &Path) -> Config {
        let script = "echo asked >> asked; echo '{\"value\":\"v\",\"endpoint\":\"http://e\"}'";
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let kind = IssuerKind::Command(CommandIssuer { command, env: vec![] });
        let issuer =
            |name: &str| (name.to_owned(), Issuer { kind: kind.clone(), rotate_every: None });
        let plain = Config::load(&Home::open(&folder.join("home")).unwrap()).unwrap();
        Config { issuers: ["one", "other"].map(issuer).into(), ..plain }
    }

    #[tokio::test]
    async fn a_try_goes_on_until_its_report_is_committed() {
        let play = Play::begin();
        let [one, other] = &play.wanted;
        play.want(one).await;
        let (made, held) = play.reported().await;
        assert!(
            matches!(&made, Command::Minted { credential, .. } if credential == one.credential())
        );
        // Reconciling looks just before the commit, and wants it still.
        play.want(one).await;
        play.want(other).await;
        let (next, _) = play.reported().await;
        assert!(
            matches!(&next, Command::Minted { credential, .. } if credential == other.credential()),
            "the try whose report is held back was made again: {next:?}"
        );
        assert_eq!(play.asked(), 2);
        drop(held);
    }
}

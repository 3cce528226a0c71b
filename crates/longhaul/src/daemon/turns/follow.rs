//! Somebody follows what a turn writes, for as long as it runs. One commit a job is under way at a
//! time: a slow disk makes the batches larger, and what waits lies in the spool. After any doubt the
//! row is read again, and says where to go on.

use super::asked::{Unfit, adapter, remembered};
use super::masks::Masks;
use super::reading::{Reading, Sizes, Unreadable};
use crate::daemon::{AskError, Credentials, EngineHandle, Readers, Spools};
use crate::home::Home;
use longhaul_agents::{Adapter, Memory};
use longhaul_core::agent::AgentEnvironment;
use longhaul_core::command::{Command, Refused};
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_core::port::{Reader, Record, StoreError, Table};
use longhaul_core::turn::{Input, Intake as Stored, Taking};
use longhaul_shim::failpoint;
use longhaul_shim::folder::{Folder, FolderError};
use std::ops::ControlFlow;
use std::time::Duration;

/// At most this often what a turn wrote is committed while it keeps up: many turns write a little
/// all the time, and each commit writes its rows anew.
const PACE: Duration = Duration::from_millis(40);
/// After what should not happen, until it is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Follows one attempt of one turn.
#[derive(Clone)]
pub(in crate::daemon) struct Follower {
    pub(in crate::daemon) engine: EngineHandle,
    pub(in crate::daemon) readers: Readers,
    pub(in crate::daemon) spools: Spools,
    pub(in crate::daemon) home: Home,
    pub(in crate::daemon) credentials: Credentials,
    pub(in crate::daemon) job: JobId,
    pub(in crate::daemon) attempt: u32,
}

/// What became of taking an attempt's output to its end.
pub(in crate::daemon) enum Closing {
    /// All is committed.
    Closed(Box<Closed>),
    /// The attempt is not the current one any more, or its job is gone.
    Unwanted,
    /// The daemon stops; the next one goes on.
    NotNow,
}

/// What an attempt's output came to, as it is committed.
pub(in crate::daemon) struct Closed {
    pub(super) job: Job,
    pub(super) adapter: &'static dyn Adapter,
    pub(super) memory: Memory,
}

/// What is stored of an attempt.
struct Known {
    job: Job,
    input: Option<Input>,
    stored: Option<Stored>,
    /// What its agent was given and must not be seen to say.
    masks: Masks,
}

/// Why nobody can follow for now.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Rows(#[from] AskError),
    #[error(transparent)]
    Output(#[from] Unreadable),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error("reading it panicked")]
    Panicked(#[source] tokio::task::JoinError),
}

/// What a commit came to.
enum Committed {
    Yes,
    /// Somebody else took it: the row says from where to go on.
    Elsewhere,
    /// Nobody wants it any more.
    Over,
    /// Not now.
    Later(Duration),
    /// Never: we broke, and asking again would change nothing.
    Never,
}

impl Follower {
    /// Follows until nobody wants more of this attempt. May be dropped at any moment.
    pub(in crate::daemon) async fn follow(self) {
        loop {
            let pause = match self.follow_from_row().await {
                Ok(None) => return,
                Ok(Some(pause)) => pause,
                Err(error) => {
                    tracing::warn!(job = %self.job, %error, "a turn's output cannot be followed");
                    AGAIN_AFTER
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Follows from where the row says; `None` once there is nothing to follow, else after how long
    /// to look at the row again.
    async fn follow_from_row(&self) -> Result<Option<Duration>, FollowError> {
        let Some((mut reading, _)) = self.reading().await? else { return Ok(None) };
        if reading.is_closed() {
            return Ok(None);
        }
        let mut growth = self.spools.growth(&self.job, self.attempt).paced(PACE);
        let mut ready = self.next(&mut reading)?;
        loop {
            let Some(taking) = ready.take() else {
                growth.grew().await;
                ready = self.next(&mut reading)?;
                continue;
            };
            let committing = self.commit(taking);
            let committed = if reading.is_behind() {
                // The next batch is made while this one is committed.
                let me = self.clone();
                let reading_on = tokio::task::spawn_blocking(move || {
                    let next = me.next(&mut reading);
                    (reading, next)
                });
                let (committed, read) = tokio::join!(committing, reading_on);
                let next = read.map_err(FollowError::Panicked)?;
                reading = next.0;
                ready = next.1?;
                committed
            } else {
                committing.await
            };
            match committed {
                Committed::Yes => {}
                Committed::Elsewhere => return Ok(Some(Duration::ZERO)),
                Committed::Over | Committed::Never => return Ok(None),
                Committed::Later(pause) => return Ok(Some(pause)),
            }
            if ready.is_none() {
                growth.grew().await;
                ready = self.next(&mut reading)?;
            }
        }
    }

    fn next(&self, reading: &mut Reading) -> Result<Option<Taking>, FollowError> {
        self.open(reading)?;
        Ok(reading.next()?)
    }

    /// Opens what is to be read, once it is there.
    fn open(&self, reading: &mut Reading) -> Result<(), Unreadable> {
        if reading.is_open() {
            return Ok(());
        }
        reading.open(&Folder::open(&self.home.attempt(&self.job, self.attempt))?)
    }

    /// Takes what is left of an attempt that is over, up to the sizes that its two streams ended
    /// with. Comes back when all of it is committed, however long that takes.
    pub(in crate::daemon) async fn close(&self, sizes: (u64, u64)) -> Closing {
        let sizes = Sizes { out: sizes.0, err: sizes.1 };
        loop {
            let pause = match self.close_from_row(sizes).await {
                Ok(ControlFlow::Break(closing)) => return closing,
                Ok(ControlFlow::Continue(pause)) => pause,
                Err(FollowError::Unfit(_)) => return Closing::Unwanted,
                Err(error) => {
                    tracing::warn!(job = %self.job, %error, "a turn's output cannot be taken");
                    AGAIN_AFTER
                }
            };
            if self.engine.is_stopping() {
                return Closing::NotNow;
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// The same from where the row says; breaks with what became of it, or goes on after a while.
    async fn close_from_row(
        &self,
        sizes: Sizes,
    ) -> Result<ControlFlow<Closing, Duration>, FollowError> {
        let Some((mut reading, job)) = self.reading().await? else {
            return Ok(ControlFlow::Break(Closing::Unwanted));
        };
        let mut is_wanted = true;
        loop {
            let me = self.clone();
            let read = tokio::task::spawn_blocking(move || {
                let taking = me.last(&mut reading, sizes);
                (reading, taking)
            });
            let taking;
            (reading, taking) = read.await.map_err(FollowError::Panicked)?;
            let Some(taking) = taking else { break };
            if !is_wanted {
                continue;
            }
            failpoint::at("intake.before_commit");
            match self.commit(taking).await {
                Committed::Yes => failpoint::at("intake.after_commit"),
                Committed::Elsewhere => return Ok(ControlFlow::Continue(Duration::ZERO)),
                Committed::Over => return Ok(ControlFlow::Break(Closing::Unwanted)),
                Committed::Later(pause) => return Ok(ControlFlow::Continue(pause)),
                // How it ended is still to be known.
                Committed::Never => is_wanted = false,
            }
        }
        let (adapter, memory) = (reading.adapter(), reading.memory().clone());
        Ok(ControlFlow::Break(Closing::Closed(Box::new(Closed { job, adapter, memory }))))
    }

    fn last(&self, reading: &mut Reading, sizes: Sizes) -> Option<Taking> {
        let taking = self.open(reading).and_then(|()| reading.last(sizes));
        taking.unwrap_or_else(|error: Unreadable| {
            // What ran there took it away, or put something else in its place: that is its end.
            tracing::warn!(job = %self.job, %error, "the rest of a turn's output is lost");
            Some(reading.cut())
        })
    }

    /// Begins to read where the row says; nothing if the job is gone.
    async fn reading(&self) -> Result<Option<(Reading, Job)>, FollowError> {
        let subject = (self.job.clone(), self.attempt);
        let known =
            self.readers.glance(|reader| known(reader, &subject, &self.credentials)).await?;
        let Some(Known { job, input, stored, masks }) = known else { return Ok(None) };
        // A turn's command is its kind; what it was given says more as long as it is there.
        let kind = input.as_ref().map_or(&job.spec.command[0], |input| &input.agent.kind);
        let turn = input.as_ref().map(|input| remembered(&job, input)).unwrap_or_default();
        let subject = (self.job.clone(), self.attempt);
        let reading = Reading::new(subject, adapter(kind)?, &turn, stored.as_ref());
        Ok(Some((reading.masking(masks), job)))
    }

    async fn commit(&self, taking: Taking) -> Committed {
        match self.engine.ask(Command::Ingest(Box::new(taking))).await {
            Ok(_) => Committed::Yes,
            Err(AskError::Refused(Refused::AlreadyTaken { .. })) => Committed::Elsewhere,
            Err(AskError::Refused(
                Refused::Stale(_) | Refused::NotFound(_) | Refused::Ended { .. },
            )) => Committed::Over,
            Err(AskError::Unavailable { retry_after_ms, .. }) => {
                Committed::Later(Duration::from_millis(retry_after_ms))
            }
            Err(error @ (AskError::Refused(_) | AskError::Bug(_))) => {
                tracing::error!(job = %self.job, %error, "a turn's output was not taken");
                Committed::Never
            }
        }
    }
}

fn known(
    reader: &mut dyn Reader,
    (job, attempt): &(JobId, u32),
    credentials: &Credentials,
) -> Result<Option<Known>, StoreError> {
    let Some(row) = reader.load(Table::Job, job.as_str())? else { return Ok(None) };
    let input = reader.load(Table::Input, job.as_str())?;
    let input = input.as_ref().map(Input::from_row).transpose()?;
    let stored = reader.load(Table::Intake, job.as_str())?;
    let stored = stored.as_ref().map(Stored::from_row).transpose()?;
    let job = Job::from_row(&row)?;
    let agent = job.spec.turn.as_ref().map_or("", |turn| turn.agent.as_str());
    let environment = reader.load(Table::AgentEnvironment, agent)?;
    let environment = environment.as_ref().map(AgentEnvironment::from_row).transpose()?;
    let mut given = environment.map(|row| row.environment.0).unwrap_or_default();
    given.extend(credentials.variables(reader, &job)?);
    Ok(Some(Known {
        job,
        input: input.filter(|input| input.attempt == *attempt),
        stored: stored.filter(|stored| stored.attempt == *attempt),
        masks: Masks::of(&given),
    }))
}

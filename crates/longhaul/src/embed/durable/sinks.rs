//! Sinks as presences: an owner is present while its sink is registered, claims what it is owed, and
//! acknowledges what the sink took.

use super::{Durable, Registered, load, owner_name, shown};
use crate::daemon::AskError;
use crate::embed::runner::panicked;
use crate::embed::sinks::{Notice, Sink, SinkFailure};
use crate::embed::{Owner, SinkGuard};
use crate::ids;
use futures_util::FutureExt;
use longhaul_core::command::{Command, Reply};
use longhaul_core::delivery::{Delivery, inbox_lane};
use longhaul_core::id::{DeliveryId, JobId, PresenceId};
use longhaul_core::job::Job;
use longhaul_core::limits;
use longhaul_core::port::{Reader, Record, StoreError, Table};
use longhaul_core::roster::News;
use std::future::{Future, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;
use tokio::task::JoinSet;

/// After the engine could not answer.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// One try at telling an owner, as its notice knows it.
#[derive(Clone, Debug)]
pub(in crate::embed) struct Told {
    pub(in crate::embed) delivery: DeliveryId,
    number: u32,
    durable: Weak<Durable>,
}

impl Told {
    /// Whether this try is still the one that counts.
    pub(in crate::embed) fn is_current(&self) -> bool {
        let Some(durable) = self.durable.upgrade() else { return false };
        let delivery = durable.look(|reader| load_delivery(reader, &self.delivery));
        delivery.is_some_and(|delivery| self.is_of(&delivery))
    }

    fn is_of(&self, delivery: &Delivery) -> bool {
        delivery.held_by().is_some() && delivery.tries == self.number
    }
}

/// One delivery that was claimed, with what it tells.
struct Claimed {
    delivery: DeliveryId,
    number: u32,
    job: Job,
    news: Arc<News>,
}

impl Durable {
    pub(in crate::embed) fn sink(self: &Arc<Self>, owner: &Owner, sink: Sink) -> SinkGuard {
        let name = owner_name(owner).to_owned();
        let presence = Presence { durable: self.clone(), owner: name.clone(), sink };
        let task = self.runtime.spawn(presence.run(self.ports.clone()));
        let mut state = self.state();
        state.sinks_made += 1;
        let number = state.sinks_made;
        let registered = Registered { number, presence: task.abort_handle() };
        // The last one counts.
        if let Some(before) = state.sinks.insert(name.clone(), registered) {
            before.presence.abort();
        }
        SinkGuard::of_durable(Arc::downgrade(self), name, number)
    }

    /// False if another took its place.
    pub(in crate::embed) fn remove_sink(&self, owner: &str, number: u64) -> bool {
        let mut state = self.state();
        if state.sinks.get(owner).is_none_or(|sink| sink.number != number) {
            return false;
        }
        if let Some(sink) = state.sinks.remove(owner) {
            sink.presence.abort();
        }
        true
    }
}

struct Presence {
    durable: Arc<Durable>,
    owner: String,
    sink: Sink,
}

impl Presence {
    /// Runs until it is aborted or the daemon stops. The kernel of it is one connection: dropping
    /// that gives back what was claimed and not told.
    async fn run(self, ports: crate::daemon::Ports) {
        let Ok(id) = ids::presence_id() else {
            tracing::error!(owner = self.owner, "no random numbers: its sink gets nothing");
            return;
        };
        // Both begin before the engine knows of the presence, so that nothing falls between.
        let mut news = ports.journal.watch_inbox(inbox_lane(&self.owner));
        let _connected = ports.presences.connected(id.clone());
        let here = || {
            let (presence, owner) = (id.clone(), self.owner.clone());
            Command::Present { presence, owner, project: None }
        };
        while let Err(error) = ports.engine.ask(here()).await {
            tracing::warn!(owner = self.owner, %error, "its sink is not known yet");
            if matches!(error, AskError::Refused(_)) || ports.engine.is_stopping() {
                return;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
        let (durable, sink) = (self.durable, self.sink);
        let (mut tries, mut held) = (JoinSet::new(), Vec::new());
        loop {
            // Before the look, so that no end of a watch falls between.
            let mut unwatched = pin!(durable.changed.notified());
            unwatched.as_mut().enable();
            let room = durable.options.tries_max().saturating_sub(tries.len());
            held.extend(durable.claim(&id, room).await);
            let (mut free, watched): (Vec<_>, Vec<_>) =
                held.into_iter().partition(|one: &Claimed| !durable.is_watched(&one.job.id));
            held = free.split_off(free.len().min(room));
            held.extend(watched);
            for one in free {
                if let Some(rest) = durable.clone().begin(&sink, one).await {
                    tries.spawn(rest);
                }
            }
            tokio::select! {
                () = ports.stop.stopped() => return,
                () = news.changed() => {}
                () = unwatched => {}
                Some(_) = tries.join_next() => {}
            }
        }
    }
}

impl Durable {
    pub(super) fn is_watched(&self, job: &JobId) -> bool {
        self.state().watches.contains_key(job)
    }

    /// Claims what there is, oldest first; what nobody wants to be told is settled.
    async fn claim(&self, presence: &PresenceId, room: usize) -> Vec<Claimed> {
        let limit = u32::try_from(room).unwrap_or(u32::MAX).min(limits::PRESENCE_HOLDS_MAX);
        if limit == 0 {
            return Vec::new();
        }
        let asked = Command::Claim { presence: presence.clone(), limit };
        let Ok(Reply::Claimed(claimed)) = self.ports.engine.ask(asked).await else {
            return Vec::new();
        };
        if claimed.is_empty() {
            return Vec::new();
        }
        let sent = claimed.iter().map(|(delivery, number)| Command::Sent {
            delivery: delivery.clone(),
            number: *number,
        });
        self.ports.engine.report(sent.collect());
        let read = self.ports.readers.read(move |reader| {
            let mut found = Vec::with_capacity(claimed.len());
            for (id, number) in claimed {
                let Some(delivery) = load_delivery(reader, &id)? else { continue };
                let Some(job) = load(reader, &delivery.job)? else { continue };
                let news = shown::news(&job, &delivery, number).map(Arc::new);
                found.extend(news.map(|news| Claimed { delivery: id, number, job, news }));
            }
            Ok(found)
        });
        let found = read.await.unwrap_or_else(|error| {
            tracing::error!(%error, "what is owed cannot be read");
            Vec::new()
        });
        let (told, unwanted) =
            found.into_iter().partition::<Vec<_>, _>(|one| shown::is_to_be_told(&one.job));
        for one in unwanted {
            self.acknowledge_one(&one).await;
        }
        told
    }

    /// Calls the sink and lets it begin, here, so that tries begin in order. Gives the rest of the try;
    /// none if the notice has been settled while it was held back.
    async fn begin(
        self: Arc<Self>,
        sink: &Sink,
        one: Claimed,
    ) -> Option<impl Future<Output = ()> + Send + 'static> {
        let told = Told {
            delivery: one.delivery.clone(),
            number: one.number,
            durable: Arc::downgrade(&self),
        };
        let id = one.delivery.clone();
        let read = self.ports.readers.read(move |reader| load_delivery(reader, &id)).await;
        if !read.is_ok_and(|delivery| delivery.is_some_and(|row| told.is_of(&row))) {
            return None;
        }
        let notice = Notice::of_durable(one.news.clone(), told);
        let telling = match catch_unwind(AssertUnwindSafe(|| sink(notice))) {
            Ok(telling) => telling,
            Err(panic) => ready(Err(SinkFailure(panicked(&*panic)))).boxed(),
        };
        let mut telling = AssertUnwindSafe(telling).catch_unwind();
        let begun = poll_fn(|context| Poll::Ready(telling.poll_unpin(context))).await;
        Some(async move {
            let most = self.options.try_max();
            let result = match begun {
                Poll::Ready(result) => Ok(result),
                Poll::Pending => tokio::time::timeout(most, telling).await,
            };
            let failed = match result {
                Ok(Ok(Ok(()))) => return self.acknowledge_one(&one).await,
                Ok(Ok(Err(SinkFailure(words)))) => words,
                Ok(Err(panic)) => panicked(&*panic),
                Err(_) => format!("it took longer than {} ms", most.as_millis()),
            };
            self.ports.engine.report(vec![Command::DeliveryFailed {
                delivery: one.delivery,
                number: one.number,
                answer: failed,
                again_after: None,
                is_final: false,
            }]);
        })
    }

    async fn acknowledge_one(&self, one: &Claimed) {
        let owner = one.job.owner.clone().unwrap_or_default();
        let deliveries = vec![one.delivery.clone()];
        let asked = self.ports.engine.ask(Command::Acknowledge { owner, deliveries }).await;
        if let Err(error) = asked {
            // It is claimed again after a while, and told again under the same id.
            tracing::warn!(delivery = %one.delivery, %error, "that it was told is not recorded");
        }
    }
}

fn load_delivery(reader: &mut dyn Reader, id: &DeliveryId) -> Result<Option<Delivery>, StoreError> {
    let row = reader.load(Table::Delivery, id.as_str())?;
    Ok(row.as_ref().map(Delivery::from_row).transpose()?)
}

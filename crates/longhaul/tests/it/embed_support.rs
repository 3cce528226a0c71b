//! What the scenarios of in-process jobs share: time is tokio's and stands still until it is moved.

use longhaul::embed::{Context, Ending, Jobs, Notice, Options, Slots, Spec};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

pub(crate) const LONG: Duration = Duration::from_secs(3_600);

pub(crate) fn with_slots(slots: u32) -> Jobs {
    Jobs::ephemeral(Options::default().slots(Slots::fixed(slots)))
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Lets every task go on until all of them wait.
pub(crate) async fn rest() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Moves the time in small steps, so that what is due at different times happens in order.
pub(crate) async fn pass(millis: u64) {
    rest().await;
    let mut left = millis;
    while left > 0 {
        let step = left.min(50);
        tokio::time::advance(ms(step)).await;
        rest().await;
        left -= step;
    }
}

/// Moves the time at once.
pub(crate) async fn leap(millis: u64) {
    rest().await;
    tokio::time::advance(ms(millis)).await;
    rest().await;
}

/// A body that never ends and never listens.
pub(crate) fn hang(
    _context: Context,
) -> impl Future<Output = longhaul::embed::BodyResult> + Send + 'static {
    std::future::pending()
}

/// A body that ends when it is cancelled.
pub(crate) async fn obey(context: Context) -> longhaul::embed::BodyResult {
    context.cancelled().await;
    Ok("stopped".into())
}

/// A body that returns at once.
pub(crate) async fn done(context: Context) -> longhaul::embed::BodyResult {
    Ok(format!("result of {}", context.id()).into())
}

/// What a sink was given: when, and the notice.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<(Instant, Notice)>>>);

impl Told {
    pub(crate) fn note(&self, notice: Notice) {
        self.0.lock().unwrap().push((Instant::now(), notice));
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(_, notice)| notice.id().to_string()).collect()
    }

    pub(crate) fn notices(&self) -> Vec<Notice> {
        self.0.lock().unwrap().iter().map(|(_, notice)| notice.clone()).collect()
    }

    /// Milliseconds between one call and the next.
    pub(crate) fn gaps(&self) -> Vec<u128> {
        let calls = self.0.lock().unwrap();
        calls.windows(2).map(|pair| (pair[1].0 - pair[0].0).as_millis()).collect()
    }
}

/// A sink that takes everything.
pub(crate) fn listen(jobs: &Jobs, owner: &str) -> Told {
    let told = Told::default();
    let theirs = told.clone();
    jobs.sink(owner, move |notice| {
        theirs.note(notice);
        async { Ok(()) }
    });
    told
}

/// A sink that takes nothing.
pub(crate) fn refuse(jobs: &Jobs, owner: &str) -> Told {
    let told = Told::default();
    let theirs = told.clone();
    jobs.sink(owner, move |notice| {
        theirs.note(notice);
        async { Err(longhaul::embed::SinkFailure::new("no room")) }
    });
    told
}

/// Registers a job of `owner` that is done at once, and waits for it.
pub(crate) async fn finish(jobs: &Jobs, owner: &str, id: &str) -> Ending {
    let job = jobs.register(Spec::of(owner).id(id), done).unwrap();
    job.wait().await.ending
}

//! Work that outlives its program: what ended is told after a restart, and what was interrupted is run
//! again if its kind says so. `cargo run --example embed_durable`
//!
//! One program plays three lives here, one after the other, on one home.

use longhaul::embed::{BodyResult, Context, Failure, Jobs, Options, Spec};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

type Failed = Box<dyn std::error::Error>;

/// How long anything may take here.
const BUDGET: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let home = std::env::temp_dir().join(format!("longhaul-example-{}", std::process::id()));
    interrupted(&home).await?;
    unattended(&home).await?;
    told(&home).await?;
    std::fs::remove_dir_all(&home)?;
    Ok(())
}

/// The first life ends while its work runs. An index may be begun twice, and says so.
async fn interrupted(home: &Path) -> Result<(), Failed> {
    let jobs = Jobs::durable(home, Options::default()).await?;
    jobs.kind_rerun("index", 3, |context: Context, _input: Value| async move {
        let stop = context.cancelled().await;
        Err(Failure::new(format!("interrupted: {}", stop.words())))
    });
    jobs.start(Spec::of("alice").id("index"), "index", json!({ "files": 42 }))?;
    // A closure cannot outlive its process: the next one tells that it was lost.
    jobs.register(Spec::of("alice").id("closure"), |context| async move {
        let stop = context.cancelled().await;
        Err(Failure::new(format!("interrupted: {}", stop.words())))
    })?;
    while jobs.totals().alive < 2 {
        tokio::task::yield_now().await;
    }
    let another = Jobs::durable(home, Options::default()).await;
    say(&format!("a second program on the same home: {}", another.expect_err("it is taken")));
    let disposed = jobs.dispose(BUDGET).await;
    say(&format!("the first life ends with {} bodies left", disposed.bodies_left));
    Ok(())
}

/// The second life does the work again, and nobody is there to be told.
async fn unattended(home: &Path) -> Result<(), Failed> {
    let jobs = Jobs::durable(home, Options::default()).await?;
    jobs.kind_rerun("index", 3, index);
    jobs.wait_for_owner("alice", BUDGET, false).await;
    let disposed = jobs.dispose(BUDGET).await;
    say(&format!("the second life ends with {} results untold", disposed.undelivered));
    Ok(())
}

/// In the third life the owner is back.
async fn told(home: &Path) -> Result<(), Failed> {
    let jobs = Jobs::durable(home, Options::default()).await?;
    jobs.sink("alice", |notice| async move {
        say(&format!("alice is told: {} {}: {}", notice.id(), notice.outcome(), notice.text()));
        Ok(())
    });
    let drained = jobs.drain(BUDGET, "alice").await;
    assert!(drained.is_all_told(), "{drained:?}");
    assert!(jobs.dispose(BUDGET).await.is_clean());
    Ok(())
}

async fn index(context: Context, input: Value) -> BodyResult {
    Ok(format!("{} files, attempt {}", input["files"], context.attempt()).into())
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn say(words: &str) {
    println!("{words}");
}

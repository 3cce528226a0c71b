//! Work inside one program as jobs: an owner with its sink, a job that is cancelled, and an orderly
//! end. `cargo run --example embed`

use longhaul::embed::{Jobs, Options, Retry, Slots, Spec, Waited};
use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

type Failed = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let keep = |letter: longhaul::embed::DeadLetter| say(&format!("undelivered: {letter:?}"));
    let jobs = Jobs::ephemeral(Options::default().slots(Slots::fixed(4)).on_undelivered(keep));

    // Whoever starts work says where its results go, before or after it ended.
    jobs.sink("alice", |notice| async move {
        say(&format!("alice is told: {} {}: {}", notice.id(), notice.outcome(), notice.text()));
        Ok(())
    });

    // A kind is a body with a name; it can be run again when it fails.
    let failures = AtomicU32::new(1);
    jobs.kind("index", move |context, input| {
        let fails = failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        async move {
            context.progress("reading");
            if fails.is_ok() {
                return Err(longhaul::embed::Failure::new("the index was busy"));
            }
            Ok(format!("{} files, attempt {}", input["files"], context.attempt()).into())
        }
    });
    let retry = Retry { times: 2, delay: Duration::from_millis(10) };
    let spec = Spec::of("alice").id("index").label("index the tree").retry(retry);
    let index = jobs.start(spec, "index", serde_json::json!({ "files": 42 }))?;

    // Cancelling is cooperative: this body listens.
    let server = jobs.register(Spec::of("alice").id("server"), |context| async move {
        let stop = context.cancelled().await;
        Ok(format!("closed: {}", stop.words()).into())
    })?;
    assert!(jobs.get("bob", "server").is_none(), "another owner's job does not exist");
    assert!(jobs.cancel("alice", "server", "no longer needed"));
    say(&format!("server: {}", server.wait().await.ending.name()));
    say(&format!("index: {}", index.wait().await.ending.name()));

    // Whoever waits for a result has it, and is not told of it as well.
    jobs.register(Spec::of("alice").id("sum").queued(), |context| async move {
        context.mark_running().await?;
        Ok((1..=100).sum::<u32>().to_string().into())
    })?;
    let patience = Duration::from_secs(10);
    match jobs.wait("alice", &["sum"], patience, pending::<()>()).await? {
        Waited::Finished(ends) => say(&format!("fetched: {:?}", ends[0].verdict.output)),
        other => return Err(format!("no sum: {other:?}").into()),
    }

    let drained = jobs.drain(Duration::from_secs(1), "alice").await;
    assert!(drained.is_all_told(), "{drained:?}");
    let disposed = jobs.dispose(Duration::from_secs(3)).await;
    assert!(disposed.is_clean(), "{disposed:?}");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example shows what happens")]
fn say(words: &str) {
    println!("{words}");
}

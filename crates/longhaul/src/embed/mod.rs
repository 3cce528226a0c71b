//! In-process jobs: what a program embeds so that its own async work has owners, results that reach
//! them, cancellation, limits and an end.
//!
//! [`Jobs`] is the whole of it, cheap to clone. Bodies are closures ([`Jobs::register`]) or kinds
//! that were made known before ([`Jobs::kind`], [`Jobs::start`]). Each end is told to the owner's
//! sink ([`Jobs::sink`]), again until the sink took it, and what cannot be told becomes a dead
//! letter. There are two modes behind one type. *Ephemeral* ([`Jobs::ephemeral`]): everything is in
//! memory, nothing polls, a job costs microseconds, and it all ends with the process. *Durable*
//! ([`Jobs::durable`]): the jobs are in a home on disk, and what this process did not come to is told,
//! or run again, by the next.
//!
//! ```
//! use longhaul::embed::{Jobs, Options, Spec};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let jobs = Jobs::ephemeral(Options::default());
//! jobs.sink("alice", |notice| async move {
//!     println!("{} {}: {}", notice.id(), notice.outcome(), notice.text());
//!     Ok(())
//! });
//! let job = jobs.register(Spec::of("alice").id("sum"), |_context| async move {
//!     Ok((1..=10).sum::<u32>().to_string().into())
//! })?;
//! assert_eq!(job.wait().await.output.unwrap().text, "55");
//! assert!(jobs.dispose(std::time::Duration::from_secs(3)).await.is_clean());
//! # Ok(())
//! # }
//! ```
//!
//! An owner sees its own jobs and nobody else's: asked about another's, the answer is that there is
//! none. The machine below, `longhaul_core::roster`, decides everything and is simulated; what is
//! here runs bodies, calls sinks and sleeps until something is due.

mod body;
mod core_loop;
mod durable;
mod handle;
pub mod hosting;
mod jobs;
mod options;
mod refused;
mod runner;
mod shutdown;
mod sinks;
mod spec;
mod timer;
mod token;
mod waiting;

pub use body::{BodyResult, Context, Failure};
pub use handle::JobHandle;
pub use jobs::Jobs;
pub use longhaul_core::outcome::Ending;
pub use longhaul_core::roster::{
    DeadLetter, DeliveryStanding, Id, Left, News, Node, Notify, Output, Owing, Snapshot, Standing,
    Stop, Totals, Verdict,
};
pub use options::{Options, Slots};
pub use refused::{OpenError, Refused};
pub use shutdown::{Disposed, Drained, Reaped};
pub use sinks::{Notice, SinkFailure, SinkGuard};
pub use spec::{Owner, Retry, Scope, Spec};
pub use token::{CancelToken, Cancelled};
pub use waiting::{Blocked, Finished, Waited, Watch};

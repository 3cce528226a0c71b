//! How everything that is not the daemon speaks with it: typed methods over HTTP on the home's unix
//! socket, or over TCP to a daemon elsewhere. Starts the daemon when there is none, and takes broken
//! conversations up again, so that a daemon may be killed under a follower without anybody noticing.

mod agents;
mod approvals;
pub mod arcp;
mod autostart;
mod body;
mod credentials;
mod error;
mod events;
mod inbox;
mod methods;
mod notices;
mod operations;
mod options;
mod output;
mod stdio;
mod tokens;
mod transport;

pub use agents::MailListAsk;
pub use approvals::ApprovalsAsk;
pub use error::{ClientError, ErrorKind};
pub use events::{Events, EventsAsk};
pub use inbox::Inbox;
pub use methods::{Client, Content, JobsAsk, Waited};
pub use notices::NoticesAsk;
pub use options::{Options, Target};
pub use output::{Output, OutputAsk, OutputPiece};
pub use stdio::carry;

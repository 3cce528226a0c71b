//! The shapes on the wire, exactly as `docs/http.md` has them: what is asked, what is answered, how
//! durations, sizes and times are written, and the frames of an output stream. Knows neither end:
//! the server converts from core's types by hand, the client only parses.

mod answers;
mod asks;
mod codes;
mod frames;
mod job;
mod notice;
mod sink;
mod spec;
mod time;
mod units;

pub use answers::{
    ArtifactView, Artifacts, BatchAnswer, Cancelled, Doctor, ErrorBody, ErrorView, Finding,
    JobsPage, Kept, Level, PoolView, Pools, Pruned, Status, Submitted, Why,
};
pub use asks::{Batch, CancelAsk, EmitAsk, PoolAsk, PruneAsk, RetryAsk};
pub use codes::{codes, explain};
pub use frames::{BadFrame, Frame, FrameDecoder, FrameKind, frame_header};
pub use job::{
    AttemptView, CleanupState, CleanupView, EventView, JobView, LeftoversView, OriginView,
    OutcomeKind, OutcomeView, ResultView, State, TaskView,
};
pub use notice::{
    AckAsk, Acked, DeliveriesPage, DeliveryStage, DeliveryView, Fetched, InboxPage, Notice,
    NoticeKind, OutputTail, ReceiptView, SettleAsk, SettledAnswer, Wake,
};
pub use sink::{SinkAsk, SinkTested, SinkView, Sinks};
pub use spec::{Attach, BadField, Leftovers, Spec, Stored, Terminal, Variables};
pub use time::{BadTime, Time};
pub use units::{BadUnit, Size, Span};

//! The shapes on the wire, exactly as `docs/http.md` has them: what is asked, what is answered, how
//! durations, sizes and times are written, and the frames of an output stream. Knows neither end:
//! the server converts from core's types by hand, the client only parses.

mod agent;
mod answers;
mod approval;
mod asks;
mod codes;
mod credential;
mod frames;
mod job;
mod mail;
mod money;
mod notice;
mod operation;
mod sink;
mod spec;
mod time;
mod token;
mod turn;
mod units;

pub use agent::{
    After, AgentAsk, AgentState, AgentView, Agents, BudgetAsk, BudgetView, LastTurnView, ParkRule,
    PolicyView, QuietView, Resume, StopAgentAsk, TurnHow, UsedView, WorkspaceView,
};
pub use answers::{
    ArtifactView, Artifacts, BatchAnswer, Cancelled, Doctor, ErrorBody, ErrorView, Finding,
    JobsPage, Kept, Level, PoolView, Pools, Pruned, Status, Submitted, Why,
};
pub use approval::{
    ApprovalAsk, ApprovalState, ApprovalView, ApprovalsPage, AuthorizeAnswer, AuthorizeAsk,
    ToolDecision,
};
pub use asks::{Batch, CancelAsk, EmitAsk, PoolAsk, PruneAsk, RetryAsk};
pub use codes::{codes, explain};
pub use credential::{CredentialView, CredentialsView, RotateAsk, Rotated};
pub use frames::{BadFrame, Frame, FrameDecoder, FrameKind, frame_header};
pub use job::{
    AttemptView, CleanupState, CleanupView, EventView, JobView, LeftoversView, OriginView,
    OutcomeKind, OutcomeView, ResultView, State, TaskView,
};
pub use mail::{
    ByTurn, MailAsk, MailBatch, MailCheckAsk, MailPage, MailPriority, MailReadAsk, MailState,
    MailView,
};
pub use money::{BadMoney, Usd};
pub use notice::{
    AckAsk, Acked, DeliveriesPage, DeliveryStage, DeliveryView, Fetched, InboxPage, Notice,
    NoticeKind, OutputTail, ReceiptView, SettleAsk, SettledAnswer, Wake,
};
pub use operation::{CallAsk, DelegateAnswer, DelegateAsk, OperationAnswer, OperationAsk};
pub use sink::{SinkAsk, SinkTested, SinkView, Sinks};
pub use spec::{Attach, BadField, Leftovers, Spec, Stored, Terminal, Variables};
pub use time::{BadTime, Time};
pub use token::{TokenAsk, TokenRole, TokenView, Tokens, TokensRevoked};
pub use turn::{Health, TurnAsk, TurnEndView, TurnView};
pub use units::{BadUnit, Size, Span};

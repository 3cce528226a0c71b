//! Our end of a connection: what a client says goes in, what it is answered and what the runtime has
//! to be asked come out.
//!
//! One input, then [`Connection::poll`] until nothing comes. Whoever drives it carries the asks to the
//! engine, the feed to it, and, when it says [`Output::Close`] or the transport ends, detaches the
//! session; the session can be gone on with all the same.

mod ask;

pub use ask::{
    Answer, Answered, Ask, AskId, Cancelling, Close, Fed, Following, Knock, Listed, Listing,
    Opened, Output, Submission, Submitted, Subscribing,
};

//! Every limit of this crate, with its unit. A peer is a stranger: whatever is kept of one is bounded
//! here.

use longhaul_core::time::Millis;

/// Bytes of one frame that is taken in. A larger one is not read at all.
pub const INBOUND_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of one frame that is sent. Known clients read no more than 1 MiB, and some count their own
/// framing in.
pub const OUTBOUND_BYTES_MAX: usize = 1_000_000;

/// Bytes of one frame that is sent to a client whose buffers are smaller.
pub const OUTBOUND_SMALL_BYTES_MAX: usize = 900 * 1024;

/// Bytes of a piece of a result as it is written: with all that stands around it, it fits into the
/// smallest of these frames.
pub const PIECE_WRITTEN_BYTES_MAX: usize = OUTBOUND_SMALL_BYTES_MAX - 4 * 1024;

/// Objects and arrays within each other in one frame.
pub const DEPTH_MAX: usize = 100;

/// Bytes of an envelope's id, of a session's and of a job's, as a peer writes them.
pub const ID_BYTES_MAX: usize = 256;

/// Bytes of an idempotency key.
pub const KEY_BYTES_MAX: usize = 1024;

/// How long a connection may take until it is welcomed.
pub const HANDSHAKE_MAX: Millis = Millis::from_secs(10);

/// Attempts at a handshake on one connection. A refused token is not tried again at all.
pub const HANDSHAKE_TRIES_MAX: u32 = 3;

/// Frames before the handshake that are dropped, until the connection is.
pub const STRAY_FRAMES_MAX: u32 = 16;

/// Requests of one connection that wait for their answers; while there are so many, nothing more is to
/// be read.
pub const OPEN_ASKS_MAX: usize = 256;

/// Envelope ids that are remembered, so that a frame that is sent again is not done again.
pub const SEEN_IDS_MAX: usize = 256;

/// How long nothing is told to a client after its subscription was confirmed, if it gets ready for what
/// comes only then.
pub const SUBSCRIBED_REST: Millis = Millis::new(100);

/// Jobs of which a connection remembers that its peer was told of them.
pub const KNOWN_JOBS_MAX: usize = 4096;

/// Bytes of outgoing frames that wait to be taken; beyond it no more of the feed is wanted.
pub const OUTBOX_BYTES_MAX: usize = 1024 * 1024;

/// Entries of one page of a listing.
pub const PAGE_ENTRIES_MAX: u64 = 1000;

/// Entries of one page of a listing if nothing is said.
pub const PAGE_ENTRIES: u64 = 100;

/// Silent intervals after which a peer is taken for dead.
pub const SILENT_INTERVALS_MAX: u64 = 2;

/// Asks of a client that what is said about an unknown job waits for, so that it is not taken for the
/// answer to one of them.
pub const MISTAKEN_ASKS_MAX: u64 = 512;

/// Refused cancellations that wait until no submission is open.
pub const LATE_REPLIES_MAX: usize = 64;

/// Bytes of the body of one event, as JSON.
pub const EVENT_BYTES_MAX: usize = 512 * 1024;

/// Bytes of an event's kind.
pub const EVENT_KIND_BYTES_MAX: usize = 128;

/// Bytes of one piece of a result, decoded. Larger ones are refused; those that would make too large a
/// frame are split by whoever tells them.
pub const CHUNK_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of one piece of a result as it is sent, decoded: its frame has room for it in base64.
pub const CHUNK_SENT_BYTES_MAX: usize = 512 * 1024;

/// Bytes of a result's name.
pub const RESULT_ID_BYTES_MAX: usize = 128;

/// Bytes of a reason, and of what an error says in words.
pub const REASON_BYTES_MAX: usize = 1024;

/// Bytes of all pieces of one result together, decoded.
pub const RESULT_BYTES_MAX: u64 = 256 * 1024 * 1024;

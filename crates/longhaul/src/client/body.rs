//! What a request carries: nothing, a text, or a file that is read as the socket takes it.

use bytes::{Bytes, BytesMut};
use futures_util::stream::try_unfold;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes of a file that are held at once.
const PIECE_BYTES: usize = 64 * 1_024;

/// What a request carries. Made anew for every try, so that a broken one can be repeated.
#[derive(Clone, Debug)]
pub(super) enum Payload {
    /// Nothing.
    Empty,
    /// A JSON text.
    Json(Bytes),
    /// This many bytes from the start of a file.
    File(Arc<File>, u64),
}

/// The body of one try.
pub(super) type Outgoing = UnsyncBoxBody<Bytes, io::Error>;

impl Payload {
    /// The body of one try.
    pub(super) fn body(&self) -> Outgoing {
        match self {
            Self::Empty => whole(Bytes::new()),
            Self::Json(text) => whole(text.clone()),
            Self::File(file, size) => {
                let start = Stretch { file: Arc::clone(file), at: 0, end: *size };
                // A local file answers at once; a thread for it would cost more than the wait.
                let pieces = try_unfold(start, |stretch| async move { stretch.next() });
                StreamBody::new(pieces).boxed_unsync()
            }
        }
    }
}

fn whole(text: Bytes) -> Outgoing {
    Full::new(text).map_err(|never| match never {}).boxed_unsync()
}

/// What is still to be sent of a file. Reads at offsets of its own: a try that broke off leaves
/// nothing behind for the next.
struct Stretch {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Stretch {
    fn next(mut self) -> io::Result<Option<(Frame<Bytes>, Self)>> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(None);
        }
        let mut piece = BytesMut::zeroed(left.min(PIECE_BYTES));
        let count = self.file.read_at(&mut piece, self.at)?;
        if count == 0 {
            return Err(io::Error::other("the file became shorter while it was sent"));
        }
        piece.truncate(count);
        self.at += count as u64;
        Ok(Some((Frame::data(piece.freeze()), self)))
    }
}

//! What a request carries: nothing, a text, or a file that is read as the socket takes it.

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

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

impl Payload {
    /// The body of one try.
    pub(super) fn body(&self) -> Outgoing {
        match self {
            Self::Empty => Outgoing::Text(None),
            Self::Json(text) => Outgoing::Text(Some(text.clone())),
            Self::File(file, size) => Outgoing::File { file: Arc::clone(file), at: 0, end: *size },
        }
    }
}

/// The body of one try.
#[derive(Debug)]
pub(super) enum Outgoing {
    Text(Option<Bytes>),
    File { file: Arc<File>, at: u64, end: u64 },
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(match self.get_mut() {
            Self::Text(text) => text.take().map(|text| Ok(Frame::data(text))),
            Self::File { at, end, .. } if *at >= *end => None,
            // A local file answers at once; a thread for it would cost more than the wait.
            Self::File { file, at, end } => Some(read_piece(file, at, *end).map(Frame::data)),
        })
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.is_none(),
            Self::File { at, end, .. } => at >= end,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Text(text) => text.as_ref().map_or(0, |text| text.len() as u64),
            Self::File { at, end, .. } => end.saturating_sub(*at),
        })
    }
}

fn read_piece(file: &File, at: &mut u64, end: u64) -> io::Result<Bytes> {
    let left = usize::try_from(end - *at).unwrap_or(usize::MAX);
    let mut piece = BytesMut::zeroed(left.min(PIECE_BYTES));
    let count = file.read_at(&mut piece, *at)?;
    if count == 0 {
        return Err(io::Error::other("the file became shorter while it was sent"));
    }
    piece.truncate(count);
    *at += count as u64;
    Ok(piece.freeze())
}

//! The frames of an output stream: one kind byte, a 32-bit big-endian length, that many bytes. Both
//! ends use this one description. Meaning and order are in `docs/http.md`.

use bytes::{Buf, Bytes, BytesMut};

/// Bytes before a frame's payload.
const HEADER_BYTES: usize = 5;
/// Bytes of the longest payload that is believed; ours are far shorter but for the job object.
const PAYLOAD_BYTES_MAX: usize = 64 * 1_024 * 1_024;

/// What a frame's kind byte says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// An attempt begins; its number in decimal.
    Attempt,
    /// Bytes of standard output.
    Stdout,
    /// Bytes of standard error.
    Stderr,
    /// Nothing; somebody is there.
    Alive,
    /// The last: the job object.
    End,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// An attempt begins; offsets start at zero again.
    Attempt(u32),
    /// Bytes of standard output, in order.
    Stdout(Bytes),
    /// Bytes of standard error, in order.
    Stderr(Bytes),
    /// Nothing; somebody is there.
    Alive,
    /// The last: the job object, as JSON.
    End(Bytes),
}

/// What came is no stream of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the output stream is garbled")]
pub struct BadFrame;

impl FrameKind {
    const ALL: [(u8, Self); 5] = [
        (b'A', Self::Attempt),
        (b'1', Self::Stdout),
        (b'2', Self::Stderr),
        (b'K', Self::Alive),
        (b'E', Self::End),
    ];

    /// The kind byte.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Attempt => b'A',
            Self::Stdout => b'1',
            Self::Stderr => b'2',
            Self::Alive => b'K',
            Self::End => b'E',
        }
    }
}

/// What goes before a payload of `length` bytes.
pub fn frame_header(kind: FrameKind, length: u32) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = length.to_be_bytes();
    [kind.byte(), a, b, c, d]
}

/// Takes a stream in pieces of any size and gives its frames.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    pending: BytesMut,
}

impl FrameDecoder {
    /// Takes the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.pending.extend_from_slice(piece);
    }

    /// Whether the stream could end here: nothing of a frame has come without its rest.
    pub fn is_between_frames(&self) -> bool {
        self.pending.is_empty()
    }

    /// Gives the next whole frame; `None` until more has come.
    ///
    /// # Errors
    /// [`BadFrame`]: drop the connection; nothing after this can be believed.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, BadFrame> {
        let Some((header, _)) = self.pending.split_first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let [kind, length @ ..] = *header;
        let (_, kind) =
            FrameKind::ALL.into_iter().find(|(byte, _)| *byte == kind).ok_or(BadFrame)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > PAYLOAD_BYTES_MAX {
            return Err(BadFrame);
        }
        if self.pending.len() < HEADER_BYTES + length {
            self.pending.reserve(HEADER_BYTES + length - self.pending.len());
            return Ok(None);
        }
        self.pending.advance(HEADER_BYTES);
        let payload = self.pending.split_to(length).freeze();
        Ok(Some(match kind {
            FrameKind::Attempt => {
                let text = std::str::from_utf8(&payload).map_err(|_| BadFrame)?;
                Frame::Attempt(text.parse().map_err(|_| BadFrame)?)
            }
            FrameKind::Stdout => Frame::Stdout(payload),
            FrameKind::Stderr => Frame::Stderr(payload),
            FrameKind::Alive => Frame::Alive,
            FrameKind::End => Frame::End(payload),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Vec<u8> {
        let frames: [(FrameKind, &[u8]); 5] = [
            (FrameKind::Attempt, b"12"),
            (FrameKind::Stdout, b"out\0\xff"),
            (FrameKind::Alive, b""),
            (FrameKind::Stderr, b"err"),
            (FrameKind::End, b"{}"),
        ];
        let mut stream = Vec::new();
        for (kind, payload) in frames {
            stream.extend(frame_header(kind, u32::try_from(payload.len()).unwrap()));
            stream.extend(payload);
        }
        stream
    }

    #[test]
    fn how_the_stream_is_cut_changes_nothing() {
        let expected = vec![
            Frame::Attempt(12),
            Frame::Stdout(Bytes::from_static(b"out\0\xff")),
            Frame::Alive,
            Frame::Stderr(Bytes::from_static(b"err")),
            Frame::End(Bytes::from_static(b"{}")),
        ];
        for size in [1, 2, 3, 7, 1_000] {
            let mut decoder = FrameDecoder::default();
            let mut found = Vec::new();
            for piece in stream().chunks(size) {
                decoder.push(piece);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    found.push(frame);
                }
            }
            assert!(decoder.is_between_frames());
            assert_eq!(found, expected, "cut by {size}");
        }
    }

    #[test]
    fn garbage_is_refused_and_a_huge_length_is_not_waited_for() {
        for bytes in [&b"X\0\0\0\0"[..], b"A\0\0\0\x01x", b"1\xff\xff\xff\xff"] {
            let mut decoder = FrameDecoder::default();
            decoder.push(bytes);
            assert_eq!(decoder.next_frame(), Err(BadFrame));
        }
    }
}

//! Results that are told in pieces: because they are large, or before all of them is there.

use super::context::AgentContext;
use super::events::Chunk;
use super::failure::AgentFailure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longhaul_core::limits;

/// Bytes of a piece that we cut ourselves: with all that stands around it in a frame, and as base64, it
/// stays under a mebibyte.
pub(super) const PIECE_BYTES: usize = 512 * 1_024;

/// How far a result is told that comes in pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pieces {
    /// The result's name.
    pub(super) result_id: String,
    /// The number of the next.
    next: u64,
    bytes: u64,
    pub(super) is_closed: bool,
}

impl Pieces {
    /// Takes a piece for the next one. The engine looks at the same; but what it refuses is known only
    /// when the body has gone on.
    pub(super) fn follow_on(
        known: Option<&Self>,
        chunk: &Chunk,
    ) -> Result<(Self, u64), AgentFailure> {
        let invalid = |words: String| Err(AgentFailure::invalid(words));
        let first = Self { result_id: chunk.result_id.clone(), ..Self::default() };
        let known = known.unwrap_or(&first);
        if chunk.result_id.is_empty() {
            return invalid("a result in pieces has a name".to_owned());
        }
        if known.is_closed {
            return invalid(format!("`{}` had its last piece", known.result_id));
        }
        if known.result_id != chunk.result_id {
            return invalid(format!("`{}` is not `{}`", chunk.result_id, known.result_id));
        }
        if known.next != chunk.chunk_seq {
            let (seq, next) = (chunk.chunk_seq, known.next);
            return invalid(format!("piece {seq} comes where {next} is due"));
        }
        let size = size_of(chunk)?;
        let bytes = known.bytes.saturating_add(size);
        for (size, most, what) in [
            (size, limits::PIECE_BYTES_MAX, "a piece of a result"),
            (bytes, limits::PIECES_BYTES_MAX, "a result"),
        ] {
            if size > most {
                let words = format!("{what} has at most {most} bytes, and this has {size}");
                return Err(AgentFailure::new(words));
            }
        }
        let (next, is_closed) = (known.next + 1, !chunk.more);
        Ok((Self { next, bytes, is_closed, ..known.clone() }, size))
    }

    /// A piece that ends it and adds nothing.
    pub(super) fn last(&self) -> Chunk {
        Chunk {
            result_id: self.result_id.clone(),
            chunk_seq: self.next,
            data: String::new(),
            encoding: "utf8",
            more: false,
        }
    }
}

/// Bytes of a piece, decoded.
fn size_of(chunk: &Chunk) -> Result<u64, AgentFailure> {
    if chunk.encoding == "base64" {
        let decoded = STANDARD.decode(&chunk.data);
        let decoded = decoded.map_err(|_| AgentFailure::invalid("the piece is not base64"))?;
        return Ok(decoded.len() as u64);
    }
    Ok(chunk.data.len() as u64)
}

/// A result that is told piece by piece. Dropped before its end, it is ended when the body returns.
#[derive(Debug)]
pub struct ResultStream<'a> {
    pub(super) context: &'a AgentContext,
    pub(super) result_id: String,
    pub(super) next: u64,
}

impl ResultStream<'_> {
    /// The result's name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.result_id
    }

    /// Tells more of it, as text; in several pieces if it is long.
    ///
    /// # Errors
    /// The result is too large, or the job is over.
    pub async fn text(&mut self, text: &str) -> Result<(), AgentFailure> {
        self.cut_text(text, true).await
    }

    /// Tells the last of it, as text.
    ///
    /// # Errors
    /// As for [`Self::text`].
    pub async fn last_text(mut self, text: &str) -> Result<(), AgentFailure> {
        self.cut_text(text, false).await
    }

    /// Tells more of it, as bytes; in several pieces if there are many.
    ///
    /// # Errors
    /// As for [`Self::text`].
    pub async fn bytes(&mut self, bytes: &[u8]) -> Result<(), AgentFailure> {
        self.cut_bytes(bytes, true).await
    }

    /// Tells the last of it, as bytes.
    ///
    /// # Errors
    /// As for [`Self::text`].
    pub async fn last_bytes(mut self, bytes: &[u8]) -> Result<(), AgentFailure> {
        self.cut_bytes(bytes, false).await
    }

    async fn cut_text(&mut self, mut text: &str, more: bool) -> Result<(), AgentFailure> {
        while text.len() > PIECE_BYTES {
            let mut end = PIECE_BYTES;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            let (piece, rest) = text.split_at(end);
            self.tell(piece.to_owned(), "utf8", true).await?;
            text = rest;
        }
        self.tell(text.to_owned(), "utf8", more).await
    }

    async fn cut_bytes(&mut self, bytes: &[u8], more: bool) -> Result<(), AgentFailure> {
        let count = bytes.chunks(PIECE_BYTES).len().max(1);
        for index in 0..count {
            let piece = bytes.chunks(PIECE_BYTES).nth(index).unwrap_or_default();
            let has_more = more || index + 1 < count;
            self.tell(STANDARD.encode(piece), "base64", has_more).await?;
        }
        Ok(())
    }

    async fn tell(
        &mut self,
        data: String,
        encoding: &'static str,
        more: bool,
    ) -> Result<(), AgentFailure> {
        let (result_id, chunk_seq) = (self.result_id.clone(), self.next);
        self.context.chunk(Chunk { result_id, chunk_seq, data, encoding, more }).await?;
        self.next += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(seq: u64, data: &str, more: bool) -> Chunk {
        let (result_id, data) = ("r".to_owned(), data.to_owned());
        Chunk { result_id, chunk_seq: seq, data, encoding: "utf8", more }
    }

    #[test]
    fn pieces_come_one_after_another_until_the_last() {
        let (first, size) = Pieces::follow_on(None, &chunk(0, "hé", true)).unwrap();
        assert_eq!(size, 3);
        let (last, _) = Pieces::follow_on(Some(&first), &first.last()).unwrap();
        assert!(last.is_closed && last.bytes == 3);
        for bad in [
            Pieces::follow_on(None, &chunk(1, "", true)),
            Pieces::follow_on(Some(&first), &chunk(0, "", true)),
            Pieces::follow_on(Some(&last), &chunk(2, "", true)),
            Pieces::follow_on(Some(&first), &Chunk { result_id: "s".into(), ..first.last() }),
            Pieces::follow_on(Some(&first), &Chunk { encoding: "base64", ..chunk(1, "?", true) }),
        ] {
            assert_eq!(bad.unwrap_err().code(), AgentFailure::INVALID_REQUEST);
        }
    }

    #[test]
    fn a_piece_that_is_too_large_is_a_fault() {
        let most = usize::try_from(limits::PIECE_BYTES_MAX).unwrap();
        assert!(Pieces::follow_on(None, &chunk(0, &"x".repeat(most), true)).is_ok());
        let refused = Pieces::follow_on(None, &chunk(0, &"x".repeat(most + 1), true)).unwrap_err();
        assert_eq!(refused.code(), AgentFailure::INTERNAL_ERROR);
    }
}

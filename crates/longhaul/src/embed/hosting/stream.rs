//! Results that are told in pieces: because they are large, or before all of them is there.

use super::context::AgentContext;
use super::events::Chunk;
use super::failure::{AgentFailure, unanswered};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longhaul_core::command::Piece;
use longhaul_core::job::ResultStream as Pieces;

/// Bytes of a piece that we cut ourselves: with all that stands around it in a frame, and as base64, it
/// stays under a mebibyte.
pub(super) const PIECE_BYTES: usize = 512 * 1_024;

/// Bytes of such a piece as it is written, where much of it has to be escaped.
const PIECE_BYTES_WRITTEN: usize = 700 * 1_024;

/// So much of a text as one piece may have, as it is and as it is written.
fn first_piece(text: &str) -> usize {
    let mut written = 0;
    for (at, character) in text.char_indices() {
        written += written_bytes(character);
        if at + character.len_utf8() > PIECE_BYTES || written > PIECE_BYTES_WRITTEN {
            return at;
        }
    }
    text.len()
}

/// Bytes of a character as JSON writes it.
const fn written_bytes(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\u{0}'..='\u{1f}' => 6,
        other => other.len_utf8(),
    }
}

/// A piece that ends a result and adds nothing.
pub(super) fn last_of(pieces: &Pieces) -> Chunk {
    Chunk {
        result_id: pieces.id.clone(),
        chunk_seq: pieces.next,
        data: String::new(),
        encoding: "utf8",
        more: false,
    }
}

/// Takes a piece for the next one. The engine looks at the same; but what it refuses is known only when
/// the body has gone on.
pub(super) fn follow_on(known: Option<&Pieces>, piece: Piece) -> Result<Pieces, AgentFailure> {
    Pieces::follow_on(known, piece).map_err(|refused| unanswered(&refused.into()))
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
        loop {
            let (piece, rest) = text.split_at(first_piece(text));
            let is_last = rest.is_empty();
            self.tell(piece.to_owned(), "utf8", more || !is_last).await?;
            if is_last {
                return Ok(());
            }
            text = rest;
        }
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
    use longhaul_arcp::limits::PIECE_WRITTEN_BYTES_MAX;
    use longhaul_core::limits;

    fn chunk(seq: u64, data: &str, more: bool) -> Chunk {
        let (result_id, data) = ("r".to_owned(), data.to_owned());
        Chunk { result_id, chunk_seq: seq, data, encoding: "utf8", more }
    }

    fn taken(known: Option<&Pieces>, chunk: &Chunk) -> Result<Pieces, AgentFailure> {
        follow_on(known, chunk.entry()?.piece.expect("it is a piece"))
    }

    #[test]
    fn pieces_come_one_after_another_until_the_last() {
        let first = taken(None, &chunk(0, "hé", true)).unwrap();
        assert_eq!(first.bytes, 3);
        let last = taken(Some(&first), &last_of(&first)).unwrap();
        assert!(last.is_closed && last.bytes == 3);
        for bad in [
            taken(None, &chunk(1, "", true)),
            taken(Some(&first), &chunk(0, "", true)),
            taken(Some(&last), &chunk(2, "", true)),
            taken(Some(&first), &Chunk { result_id: "s".into(), ..last_of(&first) }),
            taken(Some(&first), &Chunk { encoding: "base64", ..chunk(1, "?", true) }),
            taken(None, &Chunk { result_id: String::new(), ..chunk(0, "", true) }),
        ] {
            assert_eq!(bad.unwrap_err().code(), AgentFailure::INVALID_REQUEST);
        }
    }

    #[test]
    fn a_piece_that_is_too_large_is_a_fault() {
        let most = usize::try_from(limits::PIECE_BYTES_MAX).unwrap();
        let fits = PIECE_WRITTEN_BYTES_MAX - 1_024;
        assert!(taken(None, &chunk(0, &"x".repeat(fits), true)).is_ok());
        for data in ["x".repeat(most + 1), "\"".repeat(fits / 2 + 1_024)] {
            let refused = taken(None, &chunk(0, &data, true)).unwrap_err();
            assert_eq!(refused.code(), AgentFailure::INTERNAL_ERROR);
        }
    }

    #[test]
    fn a_text_is_cut_so_that_each_piece_can_be_written() {
        for unit in ["x", "\"", "\u{1}", "é\n", "\u{1F600}"] {
            let text = unit.repeat(2 * PIECE_BYTES / unit.len());
            let (mut rest, mut pieces) = (text.as_str(), 0);
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(first_piece(rest));
                assert!(!piece.is_empty() && piece.len() <= PIECE_BYTES);
                let written = serde_json::to_string(piece).unwrap().len() - 2;
                assert!(written <= PIECE_BYTES_WRITTEN, "{written} bytes of {unit:?}");
                (rest, pieces) = (after, pieces + 1);
            }
            assert!((2..=20).contains(&pieces), "{pieces} of {unit:?}");
        }
    }
}

//! Results that come in pieces: decoded, and looked at for gaps. The pieces themselves are handed on
//! at once; nothing of a result is kept here.

use super::ask::{Gave, Piece};
use crate::limits::{CHUNK_BYTES_MAX, RESULT_BYTES_MAX};
use crate::message::{Encoding, ResultChunk};
use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// Some write the filling at the end of a text and some do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How far the pieces of one job's result have come.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    result_id: Option<String>,
    next: u64,
    bytes: u64,
    is_over: bool,
    /// Why they cannot make a whole any more.
    fault: Option<String>,
}

impl Pieces {
    /// Takes a piece in. [arcp §8.4] One result, counted from zero, nothing behind the last. Whoever is
    /// begun anew begins its result anew, under another name: then that one counts.
    pub(super) fn take(&mut self, chunk: ResultChunk) -> Result<Piece, String> {
        let is_other = self.result_id.as_ref().is_some_and(|known| *known != chunk.result_id);
        if is_other && chunk.chunk_seq == 0 {
            *self = Self::default();
        }
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        self.taken(chunk).inspect_err(|fault| self.fault = Some(fault.clone()))
    }

    fn taken(&mut self, chunk: ResultChunk) -> Result<Piece, String> {
        let known = self.result_id.get_or_insert_with(|| chunk.result_id.clone());
        if *known != chunk.result_id {
            return Err(format!(
                "pieces of `{}` stand between those of `{known}`",
                chunk.result_id
            ));
        }
        if self.is_over {
            return Err(format!("a piece of `{known}` stands behind its last"));
        }
        if chunk.chunk_seq != self.next {
            let (next, seq) = (self.next, chunk.chunk_seq);
            return Err(format!("piece {next} of `{known}` is missing before piece {seq}"));
        }
        let bytes = match chunk.encoding {
            Encoding::Utf8 => chunk.data.into_bytes(),
            Encoding::Base64 => BASE64
                .decode(&chunk.data)
                .map_err(|error| format!("piece {} of `{known}`: {error}", self.next))?,
        };
        let size = bytes.len() as u64;
        if bytes.len() > CHUNK_BYTES_MAX || self.bytes + size > RESULT_BYTES_MAX {
            return Err(format!("`{known}` is larger than a result may be"));
        }
        self.next += 1;
        self.bytes += size;
        self.is_over = !chunk.more;
        Ok(Piece { result_id: chunk.result_id, bytes, is_last: !chunk.more })
    }

    /// Whether anything came.
    pub(super) const fn is_empty(&self) -> bool {
        self.result_id.is_none()
    }

    /// What all pieces together are, where the end says that the result is `result_id`.
    pub(super) fn whole(self, result_id: Option<String>) -> Gave {
        match (self.fault, self.result_id, result_id) {
            (Some(fault), _, _) => Gave::Broken(fault),
            (None, Some(own), Some(said)) if own != said => {
                Gave::Broken(format!("the pieces are of `{own}`, and the result is `{said}`"))
            }
            (None, Some(own), _) if !self.is_over => {
                Gave::Broken(format!("the last piece of `{own}` is missing"))
            }
            (None, Some(result_id), _) | (None, None, Some(result_id)) => {
                Gave::Pieces { result_id, bytes: self.bytes }
            }
            (None, None, None) => Gave::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(seq: u64, data: &str, encoding: Encoding, more: bool) -> ResultChunk {
        let (result_id, data) = ("res_1".to_owned(), data.to_owned());
        ResultChunk { result_id, chunk_seq: seq, data, encoding, more }
    }

    fn whole(pieces: Pieces) -> String {
        format!("{:?}", pieces.whole(Some("res_1".to_owned())))
    }

    #[test]
    fn pieces_in_order_make_a_whole() {
        let mut pieces = Pieces::default();
        assert_eq!(
            pieces.take(chunk(0, "né", Encoding::Utf8, true)).unwrap().bytes,
            "né".as_bytes()
        );
        for (seq, text) in [(1, "BwcH"), (2, "Bw=="), (3, "Bw")] {
            let piece = pieces.take(chunk(seq, text, Encoding::Base64, seq < 3)).unwrap();
            assert_eq!((piece.bytes[0], piece.is_last), (7, seq == 3));
        }
        assert_eq!(whole(pieces), r#"Pieces { result_id: "res_1", bytes: 8 }"#);
    }

    #[test]
    fn what_is_begun_anew_under_another_name_is_a_whole_of_its_own() {
        let mut pieces = Pieces::default();
        pieces.take(chunk(0, "half of", Encoding::Utf8, true)).unwrap();
        let other = |seq: u64, more: bool| ResultChunk {
            result_id: "res_2".to_owned(),
            ..chunk(seq, "x", Encoding::Utf8, more)
        };
        pieces.take(other(0, true)).unwrap();
        pieces.take(other(1, false)).unwrap();
        let all = format!("{:?}", pieces.whole(Some("res_2".to_owned())));
        assert_eq!(all, r#"Pieces { result_id: "res_2", bytes: 2 }"#);
    }

    #[test]
    fn what_cannot_be_a_whole_is_told_so_once_and_for_all() {
        let other =
            ResultChunk { result_id: "res_2".to_owned(), ..chunk(1, "", Encoding::Utf8, true) };
        let large = "x".repeat(CHUNK_BYTES_MAX + 1);
        let faults: [&[ResultChunk]; 5] = [
            &[chunk(1, "", Encoding::Utf8, true)],
            &[chunk(0, "", Encoding::Utf8, true), other],
            &[chunk(0, "", Encoding::Utf8, false), chunk(1, "", Encoding::Utf8, false)],
            &[chunk(0, "?", Encoding::Base64, true)],
            &[chunk(0, &large, Encoding::Utf8, true)],
        ];
        for chunks in faults {
            let mut pieces = Pieces::default();
            let taken: Vec<_> = chunks.iter().cloned().map(|chunk| pieces.take(chunk)).collect();
            let fault = taken.last().unwrap().clone().unwrap_err();
            assert!(pieces.take(chunk(0, "", Encoding::Utf8, false)).is_err());
            assert_eq!(whole(pieces), format!("Broken({fault:?})"));
        }
    }

    #[test]
    fn an_end_before_the_last_piece_is_no_whole() {
        let mut pieces = Pieces::default();
        pieces.take(chunk(0, "x", Encoding::Utf8, true)).unwrap();
        assert!(whole(pieces).starts_with("Broken"));
        assert!(matches!(Pieces::default().whole(None), Gave::Nothing));
    }
}

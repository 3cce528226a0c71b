//! `longhaul emit result --stream`: a result that is told piece by piece, as it comes.

use super::Caller;
use super::error::{CliError, Leave};
use super::inside::Place;
use crate::api::EmitAsk;
use crate::ids;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::io::Read;

/// Bytes of a piece: whatever has to be escaped in it, a frame has room for it.
const PIECE_BYTES: usize = 128 * 1_024;
/// The report that is a piece of a result.
const REPORT: &str = "result_chunk";

/// Reports all that comes on the standard input as this job's result.
pub(super) async fn report(
    caller: &Caller,
    place: &Place,
    is_binary: bool,
) -> Result<Leave, CliError> {
    let no_chance =
        |error| CliError::unavailable("unavailable", format!("no random numbers: {error}"));
    let result_id = ids::result_id().map_err(no_chance)?;
    let client = place.client().await?;
    let (mut held, mut buffer) = (Vec::new(), vec![0; PIECE_BYTES]);
    let (mut seq, mut bytes) = (0_u64, 0_usize);
    loop {
        let count = read(&mut buffer[..PIECE_BYTES - held.len()])?;
        held.extend_from_slice(&buffer[..count]);
        let is_last = count == 0;
        bytes += count;
        let Some((data, encoding)) = cut(&mut held, is_binary, is_last)? else { continue };
        let body = json!({ "result_id": result_id, "chunk_seq": seq, "data": data,
            "encoding": encoding, "more": !is_last });
        let ask = EmitAsk { attempt: place.attempt, report: REPORT.to_owned(), body };
        client.emit_piece(&place.job, &place.token, &ask).await?;
        seq += 1;
        if is_last {
            break;
        }
    }
    if caller.output.json {
        caller.output.value(&json!({ "job": place.job, "report": "result",
            "result_id": result_id, "pieces": seq, "bytes": bytes }))?;
    }
    Ok(Leave::OK)
}

fn read(buffer: &mut [u8]) -> Result<usize, CliError> {
    let unreadable = |error| CliError::usage(format!("standard input cannot be read: {error}"));
    loop {
        match std::io::stdin().lock().read(buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            read => return read.map_err(unreadable),
        }
    }
}

/// Takes out of `held` what can be told: bytes as they are, of text whole characters. Nothing if there is
/// nothing, unless it is the end, which is told.
fn cut(
    held: &mut Vec<u8>,
    is_binary: bool,
    is_last: bool,
) -> Result<Option<(String, &'static str)>, CliError> {
    let (data, encoding) = if is_binary {
        (STANDARD.encode(std::mem::take(held)), "base64")
    } else {
        let whole = match std::str::from_utf8(held) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() && !is_last => error.valid_up_to(),
            Err(_) => {
                return Err(CliError::usage("standard input is no text")
                    .hint("`--binary` takes it as bytes"));
            }
        };
        let rest = held.split_off(whole);
        let text = String::from_utf8(std::mem::replace(held, rest));
        (text.expect("it was looked at"), "utf8")
    };
    Ok((is_last || !data.is_empty()).then_some((data, encoding)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        let mut held = "h\u{e9}".as_bytes()[..2].to_vec();
        assert_eq!(cut(&mut held, false, false).unwrap(), Some(("h".to_owned(), "utf8")));
        assert_eq!(cut(&mut held, false, false).unwrap(), None);
        assert!(cut(&mut held, false, true).is_err(), "half a character is no text");
        held.push(0xa9);
        let last = ("\u{e9}".to_owned(), "utf8");
        assert_eq!(cut(&mut held, false, true).unwrap(), Some(last));
        assert_eq!(cut(&mut held, false, true).unwrap(), Some((String::new(), "utf8")));
    }

    #[test]
    fn bytes_are_told_as_they_come() {
        let mut held = vec![0xff, 0x00];
        assert!(cut(&mut held.clone(), false, false).is_err());
        assert_eq!(cut(&mut held, true, false).unwrap(), Some(("/wA=".to_owned(), "base64")));
        assert_eq!(cut(&mut held, true, false).unwrap(), None);
    }
}

//! What a job may tell: the bodies of the kinds that the protocol reserves are checked before they are
//! told, for what was told is told as it is for ever.

use crate::error::{Code, Denial};
use crate::limits::{
    CHUNK_BYTES_MAX, EVENT_BYTES_MAX, EVENT_KIND_BYTES_MAX, PIECE_WRITTEN_BYTES_MAX,
    RESULT_ID_BYTES_MAX,
};
use crate::message::{
    ArtifactRef, Delegate, Encoding, Log, Metric, Progress, ResultChunk, Status, Thought, ToolCall,
    ToolResult,
};
use longhaul_core::credential::ROTATED;
use serde::de::DeserializeOwned;

/// What a body that was found good has to say to whoever keeps books.
#[derive(Clone, Debug, PartialEq)]
pub enum Checked {
    /// Nothing.
    Plain,
    /// A number, which may be a cost.
    Metric(Metric),
    /// A piece of a result, of so many bytes when decoded.
    Piece(Piece),
}

/// A piece of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which result.
    pub result_id: String,
    /// Which piece, from zero.
    pub chunk_seq: u64,
    /// Bytes, decoded.
    pub bytes: u64,
    /// Whether it is the last.
    pub is_last: bool,
}

/// Looks at an event before it is told. [arcp §8.2] The kinds of the protocol have their shapes, and
/// whoever wants others brings a name of its own.
///
/// `body` is JSON text. Whether pieces come in order is not looked at here, and no cost is counted.
pub fn check(kind: &str, body: &str) -> Result<Checked, Denial> {
    if kind.is_empty() || kind.len() > EVENT_KIND_BYTES_MAX {
        return Err(invalid(format!("an event's kind has 1 to {EVENT_KIND_BYTES_MAX} bytes")));
    }
    // A piece may be larger than that by itself, and has its own limit.
    if body.len() > EVENT_BYTES_MAX && kind != "result_chunk" {
        return Err(invalid(format!("a `{kind}` event has at most {EVENT_BYTES_MAX} bytes")));
    }
    match kind {
        "log" => parse::<Log>(kind, body).map(|_| Checked::Plain),
        "thought" => parse::<Thought>(kind, body).map(|_| Checked::Plain),
        "tool_call" => parse::<ToolCall>(kind, body).map(|_| Checked::Plain),
        "tool_result" => tool_result(&parse(kind, body)?),
        "status" => status(&parse(kind, body)?),
        "metric" => parse(kind, body).map(Checked::Metric),
        "artifact_ref" => parse::<ArtifactRef>(kind, body).map(|_| Checked::Plain),
        "delegate" => parse::<Delegate>(kind, body).map(|_| Checked::Plain),
        "progress" => progress(&parse(kind, body)?),
        "result_chunk" => piece(parse(kind, body)?).and_then(|piece| fits(piece, body.len())),
        vendors if is_vendor_kind(vendors) => any(kind, body),
        _ => Err(invalid(format!(
            "`{kind}` is no kind of event; kinds of your own begin with `x-vendor.`"
        ))),
    }
}

/// Whether `kind` may be a vendor's.
pub fn is_vendor_kind(kind: &str) -> bool {
    let fits = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-');
    kind.strip_prefix("x-vendor.").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(fits))
}

fn parse<T: DeserializeOwned>(kind: &str, body: &str) -> Result<T, Denial> {
    // A structure could be read from an array of its fields too; on the wire that is a mistake.
    if !body.trim_start().starts_with('{') {
        return Err(invalid(format!("the body of a `{kind}` event must be an object")));
    }
    serde_json::from_str(body).map_err(|error| invalid(format!("`{kind}`: {error}")))
}

fn any(kind: &str, body: &str) -> Result<Checked, Denial> {
    let read: Result<&serde_json::value::RawValue, _> = serde_json::from_str(body);
    read.map(|_| Checked::Plain).map_err(|error| invalid(format!("`{kind}`: {error}")))
}

/// [arcp §9.8.2] That a credential was replaced is the runtime's to say: what it adds for whoever may have
/// the value is kept from everybody else, and what a job says is kept from nobody.
fn status(status: &Status) -> Result<Checked, Denial> {
    if status.phase == ROTATED {
        return Err(invalid(format!("`{ROTATED}` is told by the runtime, and by nobody else")));
    }
    Ok(Checked::Plain)
}

fn tool_result(result: &ToolResult) -> Result<Checked, Denial> {
    if result.result.is_some() && result.error.is_some() {
        return Err(invalid("a `tool_result` has a result or an error, not both"));
    }
    Ok(Checked::Plain)
}

/// [arcp §8.2.1] What is done is never less than nothing, nor more than there is.
fn progress(progress: &Progress) -> Result<Checked, Denial> {
    let current = progress.current.as_f64().unwrap_or(f64::NAN);
    let total =
        progress.total.as_ref().map_or(f64::INFINITY, |total| total.as_f64().unwrap_or(f64::NAN));
    if current >= 0.0 && total >= 0.0 && current <= total {
        return Ok(Checked::Plain);
    }
    Err(invalid("`progress` needs 0 ≤ current ≤ total"))
}

/// [arcp §14] A piece that is larger than a piece may be is a fault of the runtime's rules, not of the
/// request, and is told as one.
fn piece(chunk: ResultChunk) -> Result<Checked, Denial> {
    if chunk.result_id.len() > RESULT_ID_BYTES_MAX {
        return Err(invalid(format!("`result_id` has at most {RESULT_ID_BYTES_MAX} bytes")));
    }
    let bytes = match chunk.encoding {
        Encoding::Utf8 => chunk.data.len(),
        Encoding::Base64 => decoded_bytes(&chunk.data)
            .ok_or_else(|| invalid("the `data` of a `result_chunk` is not base64"))?,
    };
    if bytes > CHUNK_BYTES_MAX {
        let words = format!(
            "a piece of a result has at most {CHUNK_BYTES_MAX} bytes, this one has {bytes}"
        );
        return Err(Denial::new(Code::InternalError, words));
    }
    let (result_id, chunk_seq) = (chunk.result_id, chunk.chunk_seq);
    Ok(Checked::Piece(Piece { result_id, chunk_seq, bytes: bytes as u64, is_last: !chunk.more }))
}

/// What does not fit into a frame would never arrive, and its result would have a hole.
fn fits(piece: Checked, written_bytes: usize) -> Result<Checked, Denial> {
    if written_bytes > PIECE_WRITTEN_BYTES_MAX {
        let words = format!(
            "a piece of a result has at most {PIECE_WRITTEN_BYTES_MAX} bytes as it is written, this \
             one has {written_bytes}"
        );
        return Err(Denial::new(Code::InternalError, words));
    }
    Ok(piece)
}

/// How many bytes a base64 text stands for; nothing if it is none.
fn decoded_bytes(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    let is_digit =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    let is_whole = padding <= 2 && (padding == 0 || text.len().is_multiple_of(4));
    let fits = digits.len() % 4 != 1 && digits.bytes().all(is_digit);
    (is_whole && fits).then_some(digits.len() * 3 / 4)
}

fn invalid(message: impl Into<String>) -> Denial {
    Denial::new(Code::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_kinds_are_held_to_their_shape() {
        for (kind, body) in [
            ("log", r#"{"level":"info","message":"m","fields":1}"#),
            ("thought", r#"{"text":""}"#),
            ("tool_call", r#"{"tool":"t","call_id":"c"}"#),
            ("tool_result", r#"{"call_id":"c","result":null}"#),
            ("tool_result", r#"{"call_id":"c","error":{"code":"TIMEOUT","message":""}}"#),
            ("status", r#"{"phase":"p","message":"m","id":"more is passed on"}"#),
            ("metric", r#"{"name":"n","value":-1.5,"dims":{"a":"b"},"dimensions":{"a":"b"}}"#),
            ("artifact_ref", r#"{"uri":"mem://a","content_type":"text/plain","byte_size":3}"#),
            ("delegate", r#"{"delegate_id":"d","agent":"a","input":{}}"#),
            ("progress", r#"{"current":0}"#),
            ("progress", r#"{"current":5,"total":5}"#),
            ("x-vendor.acme.confidence", "0.87"),
        ] {
            assert!(check(kind, body).is_ok(), "{kind} {body}: {:?}", check(kind, body));
        }
    }

    #[test]
    fn what_nobody_could_read_is_refused_before_it_is_told() {
        for (kind, body) in [
            ("log", r#"{"level":"loud","message":"m"}"#),
            ("log", r#"["info","m"]"#),
            ("thought", "{}"),
            ("tool_call", r#"{"tool":"","call_id":"c"}"#),
            (
                "tool_result",
                r#"{"call_id":"c","result":1,"error":{"code":"TIMEOUT","message":""}}"#,
            ),
            ("tool_result", r#"{"call_id":"c","error":{"code":"TEAPOT","message":""}}"#),
            ("metric", r#"{"name":"n","value":"1"}"#),
            ("metric", r#"{"name":"n","value":1e999}"#),
            ("status", r#"{"phase":"credential_rotated","id":"c","value":"a secret"}"#),
            ("progress", r#"{"current":2,"total":1}"#),
            ("progress", r#"{"current":-1}"#),
            (
                "result_chunk",
                r#"{"result_id":"r","chunk_seq":0,"data":"a","encoding":"base64","more":true}"#,
            ),
            (
                "result_chunk",
                r#"{"result_id":"r","chunk_seq":-1,"data":"","encoding":"utf8","more":true}"#,
            ),
            ("x-vendor.", "{}"),
            ("x-vendor.A", "{}"),
            ("x-vendor.a", "{"),
            ("foo", "{}"),
            ("", "{}"),
        ] {
            assert_eq!(check(kind, body).unwrap_err().code, Code::InvalidRequest, "{kind} {body}");
        }
    }

    #[test]
    fn a_piece_is_measured_as_what_it_stands_for() {
        let chunk = |data: &str, encoding: &str| {
            let body = serde_json::json!({"result_id": "r", "chunk_seq": 2, "data": data,
                "encoding": encoding, "more": false});
            check("result_chunk", &body.to_string())
        };
        let bytes = |checked: Result<Checked, Denial>| match checked.unwrap() {
            Checked::Piece(piece) => piece.bytes,
            other => panic!("{other:?}"),
        };
        assert_eq!(bytes(chunk("hé", "utf8")), 3);
        assert_eq!(bytes(chunk("BwcH", "base64")), 3);
        assert_eq!(bytes(chunk("Bw==", "base64")), 1);
        assert_eq!(bytes(chunk("Bw", "base64")), 1);
        let around = PIECE_WRITTEN_BYTES_MAX - 256;
        assert!(chunk(&"x".repeat(around), "utf8").is_ok());
        for too_large in ["x".repeat(CHUNK_BYTES_MAX + 1), "\"".repeat(around / 2 + 256)] {
            assert_eq!(chunk(&too_large, "utf8").unwrap_err().code, Code::InternalError);
        }
    }

    #[test]
    fn an_event_has_its_limits() {
        let text = "x".repeat(EVENT_BYTES_MAX);
        assert!(check("thought", &format!(r#"{{"text":"{text}"}}"#)).is_err());
        assert!(check(&format!("x-vendor.{}", "a".repeat(EVENT_KIND_BYTES_MAX)), "{}").is_err());
    }
}

//! Bodies of requests, read whole; errors name the field and never repeat much of what came.

use super::error::{Answer, Failure};
use serde::de::DeserializeOwned;

/// Characters of the parser's words that are passed on; they may quote what came.
const WORDS_MAX: usize = 300;

/// Reads a JSON body; no body is an empty object, since every field of ours may be left out.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Answer<T> {
    let owned = if body.is_empty() { b"{}" } else { body };
    parse_borrowed(owned)
}

/// The same for a type that keeps pieces of the body as they are.
pub(super) fn parse_borrowed<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Answer<T> {
    serde_json::from_slice(body).map_err(|error| {
        let words: String = error.to_string().chars().take(WORDS_MAX).collect();
        Failure::bad_request(format!("the body cannot be read: {words}"))
    })
}

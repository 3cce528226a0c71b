//! What follows the `?`. A parameter nobody knows is refused by name, as fields of bodies are.

use super::error::{Answer, Failure};
use longhaul_core::decide::clip;
use std::str::FromStr;

/// Parameters in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads a query. Refuses what is not in `known`, and escapes that make no text.
    pub(super) fn parse(raw: Option<&str>, known: &[&str]) -> Answer<Self> {
        let query = Self::of_any(raw)?;
        if let Some((name, _)) = query.pairs.iter().find(|(name, _)| !known.contains(&&**name)) {
            let message = format!("there is no parameter `{}`", clip(name, 100));
            let hint = format!("this path knows {}", known.join(", "));
            return Err(Failure::bad_request(message).hint(hint));
        }
        Ok(query)
    }

    /// Reads the query of whatever path, for who looks at it before the path does.
    pub(super) fn of_any(raw: Option<&str>) -> Answer<Self> {
        let pairs = raw.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((unescape(name)?, unescape(value)?))
        });
        Ok(Self { pairs: pairs.collect::<Answer<_>>()? })
    }

    /// The value of a parameter that was given exactly once.
    pub(super) fn only(&self, name: &str) -> Option<&str> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// The last value of a parameter; `None` if it is absent or empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let mut values = self.pairs.iter().filter(|(known, _)| known == name);
        values.next_back().map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values of a parameter.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A comma-separated list, over all times it was given.
    pub(super) fn words(&self, name: &str) -> Vec<String> {
        let words = self.all(name).flat_map(|value| value.split(','));
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    /// A number; refuses what is none.
    pub(super) fn number<T: FromStr>(&self, name: &str) -> Answer<Option<T>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            Failure::bad_request(format!("`{name}` is not a number in range: `{}`", clip(text, 40)))
        })
    }

    /// Whether a switch is on: `1` or `true`.
    pub(super) fn is_on(&self, name: &str) -> Answer<bool> {
        match self.text(name) {
            None | Some("0" | "false") => Ok(false),
            Some("1" | "true") => Ok(true),
            Some(_) => Err(Failure::bad_request(format!("`{name}` is neither 0 nor 1"))),
        }
    }
}

fn unescape(text: &str) -> Answer<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        let byte = match (first, rest) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                hex(*high)? << 4 | hex(*low)?
            }
            (b'%', _) => return Err(bad_escape()),
            (b'+', _) => b' ',
            (plain, _) => plain,
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).map_err(|_| bad_escape())
}

fn hex(digit: u8) -> Answer<u8> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(bad_escape()),
    }
}

fn bad_escape() -> Failure {
    Failure::bad_request("the query has an escape that makes no text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_unknown_ones_named() {
        let query = Query::parse(Some("a=1&b=x%3Dy+z&a=2&c="), &["a", "b", "c"]).unwrap();
        assert_eq!(query.number::<u32>("a").unwrap(), Some(2));
        assert_eq!(query.text("b"), Some("x=y z"));
        assert_eq!(query.text("c"), None);
        assert_eq!(query.words("a"), ["1", "2"]);
        let refused = Query::parse(Some("limt=1"), &["limit"]).unwrap_err();
        assert_eq!(refused.into_message(), "there is no parameter `limt`");
        for bad in ["a=%", "a=%f", "a=%zz", "a=%ff", "a=%+1"] {
            assert!(Query::parse(Some(bad), &["a"]).is_err(), "{bad}");
        }
        assert!(query.number::<u8>("b").is_err());
    }
}

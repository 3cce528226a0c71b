//! How hosted agents are named: `name`, or `name@version`.

use std::fmt;

/// Bytes of a name, and of a version.
const WORD_BYTES_MAX: usize = 128;

/// Which agent somebody asks for, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its version; whichever is the usual one if none was written.
    pub version: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// Reads a reference; `None` if it is none.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let is_good = is_name(name) && version.is_none_or(is_version);
        is_good.then_some(Self { name, version })
    }
}

impl fmt::Display for Reference<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name)?;
        self.version.map_or(Ok(()), |version| write!(out, "@{version}"))
    }
}

/// Whether this can be the name of a hosted agent: small letters, digits, and, not first, `.`, `_`, `-`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let is_first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= WORD_BYTES_MAX
        && text.bytes().next().is_some_and(is_first)
        && text.bytes().all(|byte| is_first(byte) || b"._-".contains(&byte))
}

/// Whether this can be a version of a hosted agent: letters, digits, `.`, `+`, `_`, `-`.
#[must_use]
pub fn is_version(text: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b".+_-".contains(&byte);
    (1..=WORD_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_split_at_its_first_at() {
        let calc = Reference { name: "calc", version: Some("2.0.0-rc.1+x_y") };
        assert_eq!(Reference::parse("calc@2.0.0-rc.1+x_y"), Some(calc.clone()));
        assert_eq!(calc.to_string(), "calc@2.0.0-rc.1+x_y");
        assert_eq!(Reference::parse("0a.b_c-d").unwrap().version, None);
        for bad in ["", "@1", "Calc", ".a", "-a", "a b", "a/b", "a@", "a@1@2", "a@1 ", "ä"] {
            assert_eq!(Reference::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn names_and_versions_are_short() {
        let long = "a".repeat(WORD_BYTES_MAX + 1);
        assert!(is_name(&long[1..]) && is_version(&long[1..]));
        assert!(!is_name(&long) && !is_version(&long));
    }
}

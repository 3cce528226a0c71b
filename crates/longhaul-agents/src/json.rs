//! JSON looked at without building it: a line of 8 MiB costs its own bytes and no more.
//!
//! A value is a slice of the line. Going one level down scans that slice; what nobody asks for is
//! never decoded. Strings with lone surrogates, which JavaScript writes, are read all the same.

use crate::limits::{FIELDS_MAX, ITEMS_MAX};
use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// One value, as it stands in the line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    /// The value's own text.
    pub(crate) fn raw(self) -> &'a str {
        self.0
    }

    pub(crate) fn object(self) -> Option<Object<'a>> {
        Object::parse(self.0)
    }

    /// The string, or nothing if it is not one.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        let inside = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if !inside.contains('\\') {
            return Some(Cow::Borrowed(inside));
        }
        Some(Cow::Owned(unescape(inside)))
    }

    pub(crate) fn u64(self) -> Option<u64> {
        serde_json::from_str(self.0).ok()
    }

    pub(crate) fn i64(self) -> Option<i64> {
        serde_json::from_str(self.0).ok()
    }

    pub(crate) fn f64(self) -> Option<f64> {
        serde_json::from_str(self.0).ok()
    }

    pub(crate) fn bool(self) -> Option<bool> {
        serde_json::from_str(self.0).ok()
    }

    pub(crate) fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// The elements of an array, the first `ITEMS_MAX` of them; none of anything else.
    pub(crate) fn items(self) -> Vec<Self> {
        let mut source = serde_json::Deserializer::from_str(self.0);
        source.deserialize_seq(Items).unwrap_or_default()
    }
}

/// The fields of one object, in their order, the first `FIELDS_MAX` of them.
#[derive(Debug, Default)]
pub(crate) struct Object<'a> {
    fields: Vec<(Cow<'a, str>, Json<'a>)>,
}

impl<'a> Object<'a> {
    /// Reads an object, or nothing if the text is anything else. The whole text is checked.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        if !text.trim_start().starts_with('{') {
            return None;
        }
        let mut source = serde_json::Deserializer::from_str(text);
        let found = source.deserialize_map(Fields).ok()?;
        source.end().ok()?;
        Some(found)
    }

    /// A field that is there and not null.
    pub(crate) fn get(&self, name: &str) -> Option<Json<'a>> {
        // The last of two fields of one name wins, as in JavaScript.
        let found = self.fields.iter().rev().find(|(key, _)| key == name)?;
        Some(found.1).filter(|value| !value.is_null())
    }

    pub(crate) fn object(&self, name: &str) -> Option<Self> {
        self.get(name)?.object()
    }

    pub(crate) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name)?.text()
    }

    pub(crate) fn u64(&self, name: &str) -> Option<u64> {
        self.get(name)?.u64()
    }

    pub(crate) fn f64(&self, name: &str) -> Option<f64> {
        self.get(name)?.f64()
    }

    pub(crate) fn i64(&self, name: &str) -> Option<i64> {
        self.get(name)?.i64()
    }

    pub(crate) fn bool(&self, name: &str) -> Option<bool> {
        self.get(name)?.bool()
    }

    pub(crate) fn items(&self, name: &str) -> Vec<Json<'a>> {
        self.get(name).map(Json::items).unwrap_or_default()
    }

    /// The field's text, or nothing as text: for `match`.
    pub(crate) fn word(&self, name: &str) -> Cow<'a, str> {
        self.text(name).unwrap_or_default()
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, Json<'a>)> {
        self.fields.iter().map(|(name, value)| (name.as_ref(), *value))
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Object::default();
        while let Some(key) = map.next_key_seed(Key)? {
            if found.fields.len() < FIELDS_MAX {
                let value: &RawValue = map.next_value()?;
                found.fields.push((key, Json(value.get())));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

struct Items;

impl<'de> Visitor<'de> for Items {
    type Value = Vec<Json<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut found = vec![];
        while found.len() < ITEMS_MAX {
            let Some(value) = seq.next_element::<&RawValue>()? else { return Ok(found) };
            found.push(Json(value.get()));
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }
}

/// A key, borrowed when it has no escapes: serde's own `Cow` always copies.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Self::Value, D::Error> {
        source.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// Undoes the escapes of a JSON string that was scanned before. What stands for no character
/// becomes the replacement character.
fn unescape(inside: &str) -> String {
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let mut after = rest[at + 1..].chars();
        let escape = after.next();
        rest = after.as_str();
        match escape {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('u') => rest = unicode(rest, &mut text),
            Some(other) => text.push(other),
            None => {}
        }
    }
    text.push_str(rest);
    text
}

/// Reads the four digits after `\u`, and the second half of a pair if there is one.
fn unicode<'a>(rest: &'a str, text: &mut String) -> &'a str {
    let Some((first, after)) = unit(rest) else {
        text.push(char::REPLACEMENT_CHARACTER);
        return rest;
    };
    let second = after.strip_prefix("\\u").and_then(unit);
    if let (0xD800..=0xDBFF, Some((low @ 0xDC00..=0xDFFF, end))) = (first, second) {
        let code = 0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00);
        text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        return end;
    }
    text.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
    after
}

fn unit(text: &str) -> Option<(u32, &str)> {
    let digits = text.get(..4)?;
    Some((u32::from_str_radix(digits, 16).ok()?, &text[4..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_at_any_depth_and_the_last_of_a_name_wins() {
        let object = Object::parse(r#" {"a":{"b":[1,"x\n",null]},"c":1,"c":2} "#).unwrap();
        let items = object.object("a").unwrap().items("b");
        assert_eq!(items[0].u64(), Some(1));
        assert_eq!(items[1].text().unwrap(), "x\n");
        assert!(items[2].is_null());
        assert_eq!(object.u64("c"), Some(2));
        assert!(object.get("d").is_none());
    }

    #[test]
    fn what_is_no_object_or_only_part_of_one_is_nothing() {
        for text in ["null", "42", "[]", "\"x\"", "", "{", "{\"a\":", "{} {}", "{\"a\":tru}"] {
            assert!(Object::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn lone_surrogates_and_pairs_are_read() {
        let object = Object::parse(r#"{"a":"\ud83d","b":"\ud83d\ude00","c":"\u00e9\u12"}"#);
        // The last field has an escape that is no JSON, so the whole is none.
        assert!(object.is_none());
        let object = Object::parse(r#"{"a":"x\ud83dy","b":"\ud83d\ude00","c":"\u00e9"}"#).unwrap();
        assert_eq!(object.text("a").unwrap(), "x\u{fffd}y");
        assert_eq!(object.text("b").unwrap(), "😀");
        assert_eq!(object.text("c").unwrap(), "é");
    }

    #[test]
    fn a_crowd_of_fields_or_elements_is_cut() {
        let fields: Vec<String> = (0..1_000).map(|n| format!("\"k{n}\":{n}")).collect();
        let object = format!("{{{}}}", fields.join(","));
        assert_eq!(Object::parse(&object).unwrap().fields.len(), FIELDS_MAX);
        let array = format!("[{}]", vec!["1"; 1_000].join(","));
        assert_eq!(Json(&array).items().len(), ITEMS_MAX);
    }

    #[test]
    fn deep_nesting_is_no_recursion() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Object::parse(&deep).unwrap().get("a").is_some());
    }
}

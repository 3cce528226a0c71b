//! Functions and modules in blanked source: name, first line, last line.

use super::repo::File;
use super::source::{line_of, words};

/// An item with a body. Lines count from 1 and include the signature and the closing brace.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item<'a> {
    pub name: &'a str,
    pub first: usize,
    pub last: usize,
}

impl Item<'_> {
    pub(super) fn contains(&self, line: usize) -> bool {
        (self.first..=self.last).contains(&line)
    }
}

/// Every function with a body, nested ones too.
pub(super) fn functions(file: &File) -> Vec<Item<'_>> {
    bodies(&file.source.code, "fn")
}

/// Every module written out in place.
pub(super) fn inline_modules(file: &File) -> Vec<Item<'_>> {
    bodies(&file.source.code, "mod")
}

/// The first line of the part of a file that only tests see, if it has one.
///
/// Tests stand last in a file, so all that follows the attribute is theirs.
pub(super) fn tests_begin(file: &File) -> Option<usize> {
    if file.path.contains("/tests/") {
        return Some(1);
    }
    file.source.code.find("#[cfg(test)]\nmod ").map(|offset| line_of(&file.source.code, offset))
}

fn bodies<'a>(code: &'a str, keyword: &str) -> Vec<Item<'a>> {
    let mut found = vec![];
    let mut named = false;
    for (offset, word) in words(code) {
        if named && let Some(length) = body_end(&code[offset..]) {
            let (first, last) = (line_of(code, offset), line_of(code, offset + length));
            found.push(Item { name: word, first, last });
        }
        // `fn(u8)` is a type: nothing but a space may stand between the keyword and a name.
        let end = offset + word.len();
        named = word == keyword
            && code[end..].trim_start().starts_with(|c: char| c.is_alphabetic() || c == '_');
    }
    found
}

/// How far it is to the brace that closes the body, or nothing for a declaration without one.
fn body_end(code: &str) -> Option<usize> {
    let mut brackets = 0;
    let mut braces = 0;
    for (offset, c) in code.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            // The `;` of `[u8; 4]` is inside brackets; that of a declaration is not.
            ';' if brackets == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces == 0 && brackets == 0 {
                    return Some(offset);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(text: &str) -> Vec<(String, usize, usize)> {
        let file = File::new("a.rs", text.as_bytes());
        functions(&file).iter().map(|f| (f.name.to_owned(), f.first, f.last)).collect()
    }

    #[test]
    fn a_function_reaches_to_its_own_brace() {
        let text = "fn a(x: [u8; 4]) -> u8\nwhere u8: Copy,\n{\n  if x { \"}\" }\n}\nfn b() {}\n";
        assert_eq!(spans(text), [("a".to_owned(), 1, 5), ("b".to_owned(), 6, 6)]);
    }

    #[test]
    fn declarations_and_function_types_have_no_body() {
        assert_eq!(spans("trait T { fn a(&self) -> u8; }\ntype F = fn(u8) -> u8;\n"), []);
    }

    #[test]
    fn nested_functions_are_seen() {
        let text = "fn a() {\n fn b() {\n }\n}\n";
        assert_eq!(spans(text), [("a".to_owned(), 1, 4), ("b".to_owned(), 2, 3)]);
    }

    #[test]
    fn tests_begin_at_their_attribute_or_with_the_file() {
        let inside = File::new("crates/a/src/x.rs", b"fn a() {}\n#[cfg(test)]\nmod tests {}\n");
        let outside = File::new("crates/a/tests/it/x.rs", b"fn a() {}\n");
        let none = File::new("crates/a/src/y.rs", b"#[cfg(test)]\nfn a() {}\n");
        assert_eq!([&inside, &outside, &none].map(tests_begin), [Some(2), Some(1), None]);
    }
}

//! Rust source with what the compiler skips blanked out, line for line.
//!
//! Not a parser: it knows comments, strings, characters and lifetimes, which is all that keeps a
//! brace or a word in prose from being mistaken for code.

/// Two views of one file; both have its line breaks where they were.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Neither comments nor what is inside strings and characters.
    pub code: String,
    /// No comments; strings are kept.
    pub uncommented: String,
}

/// What the scanner is looking at.
#[derive(Clone, Copy)]
enum Part {
    Code,
    Text,
    Comment,
}

impl Source {
    pub(super) fn of(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut source = Self::default();
        let mut at = 0;
        while at < chars.len() {
            let (part, length) = part_at(&chars, at);
            for &c in &chars[at..at + length] {
                source.push(part, c);
            }
            at += length;
        }
        source
    }

    fn push(&mut self, part: Part, c: char) {
        let blank = if c == '\n' { '\n' } else { ' ' };
        let (code, uncommented) = match part {
            Part::Code => (c, c),
            Part::Text => (blank, c),
            Part::Comment => (blank, blank),
        };
        self.code.push(code);
        self.uncommented.push(uncommented);
    }
}

/// The part that begins at `at`, and how many characters it has: at least one.
fn part_at(chars: &[char], at: usize) -> (Part, usize) {
    let next = chars.get(at + 1).copied();
    let inside_word = at > 0 && is_word(chars[at - 1]);
    match chars[at] {
        '/' if next == Some('/') => (Part::Comment, until_line_end(&chars[at..])),
        '/' if next == Some('*') => (Part::Comment, block_comment(&chars[at..])),
        '"' => (Part::Text, string(&chars[at..])),
        '\'' => character(&chars[at..]).map_or((Part::Code, 1), |length| (Part::Text, length)),
        'r' | 'b' | 'c' if !inside_word => {
            raw_string(&chars[at..]).map_or((Part::Code, 1), |length| (Part::Text, length))
        }
        _ => (Part::Code, 1),
    }
}

fn until_line_end(chars: &[char]) -> usize {
    chars.iter().position(|&c| c == '\n').unwrap_or(chars.len())
}

/// Block comments nest.
fn block_comment(chars: &[char]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at.min(chars.len())
}

fn string(chars: &[char]) -> usize {
    let mut at = 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// The length of a character literal, or nothing if the quote begins a lifetime.
fn character(chars: &[char]) -> Option<usize> {
    match (chars.get(1)?, chars.get(2)?) {
        ('\\', _) => chars.iter().skip(3).position(|&c| c == '\'').map(|length| length + 4),
        (_, '\'') => Some(3),
        _ => None,
    }
}

/// The length of `r"…"`, `br#"…"#` and the like, or nothing if this is an ordinary word.
fn raw_string(chars: &[char]) -> Option<usize> {
    let letters = chars.iter().take(2).take_while(|c| matches!(c, 'r' | 'b' | 'c')).count();
    let raw = chars[..letters].contains(&'r');
    let fences = chars[letters..].iter().take_while(|&&c| c == '#').count();
    let open = letters + fences;
    if chars.get(open) != Some(&'"') || (!raw && fences > 0) {
        return None;
    }
    if !raw {
        return Some(letters + string(&chars[letters..]));
    }
    let mut close = vec!['"'];
    close.resize(fences + 1, '#');
    let body = &chars[open + 1..];
    let end = body.windows(close.len()).position(|window| window == close.as_slice());
    Some(end.map_or(chars.len(), |end| open + 1 + end + close.len()))
}

/// Whether a character may be part of an identifier.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Every identifier, keyword and number, with the byte where it begins.
pub(super) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = code;
    std::iter::from_fn(move || {
        let start = rest.find(is_word)?;
        let length = rest[start..].find(|c| !is_word(c)).unwrap_or(rest.len() - start);
        let offset = code.len() - rest.len() + start;
        rest = &rest[start + length..];
        Some((offset, &code[offset..offset + length]))
    })
}

/// The line, from 1, that holds the byte at `offset`.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset].iter().filter(|&&b| b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        let source = Source::of(text);
        assert_eq!(
            source.code.matches('\n').count(),
            text.matches('\n').count(),
            "lines must stay"
        );
        source.code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_go_and_may_nest() {
        assert_eq!(code("a // b { \nc /* d /* e */ f\n */ g"), "a c g");
        assert_eq!(code("a /* never closed"), "a");
    }

    #[test]
    fn strings_of_every_kind_go() {
        assert_eq!(code(r#"a("b \" }", c)"#), "a( , c)");
        assert_eq!(code(r##"a(r#"b " } "#, b"}", br"\", c"x")"##), "a( , , , )");
        assert_eq!(code("crab(x)"), "crab(x)");
    }

    #[test]
    fn characters_go_and_lifetimes_stay() {
        assert_eq!(
            code(r"f('{', '\'', '\u{7d}') + &'a str + 'b: loop {}"),
            "f( , , ) + &'a str + 'b: loop {}"
        );
    }

    #[test]
    fn the_uncommented_view_keeps_strings() {
        assert_eq!(Source::of("x(\"sql\") // http").uncommented.trim_end(), "x(\"sql\")");
    }

    #[test]
    fn words_have_their_place() {
        let found: Vec<_> = words("fn a_1(b)\n c").collect();
        assert_eq!(found, [(0, "fn"), (3, "a_1"), (7, "b"), (11, "c")]);
        assert_eq!(line_of("fn a_1(b)\n c", 11), 2);
    }
}

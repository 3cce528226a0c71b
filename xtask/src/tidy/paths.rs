//! Every path a Rust file names, `use` groups spelled out: `use a::{b, c::d}` is `a::b`, `a::c::d`.

use super::items;
use super::repo::File;
use super::source::{is_word, line_of};

/// A path as written, or with `self` and `super` resolved, and its line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub line: usize,
    pub names: Vec<String>,
}

/// The paths of a file of a crate, with `self::` and `super::` turned into `crate::…`.
pub(super) fn resolved(file: &File) -> Vec<Path> {
    let inline = items::inline_modules(file);
    let home = module_of(&file.path);
    let mut found = written(&file.source.code);
    for path in &mut found {
        if !matches!(path.names[0].as_str(), "self" | "super") {
            continue;
        }
        let around = inline.iter().filter(|module| module.contains(path.line));
        let mut full = home.clone();
        full.extend(around.map(|module| module.name.to_owned()));
        let mut rest = path.names.as_slice();
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "self" => {}
                "super" => drop(full.pop()),
                _ => break,
            }
            rest = others;
        }
        full.extend(rest.iter().cloned());
        path.names = full;
    }
    found
}

/// `crates/x/src/a/b.rs` is `crate::a::b`; `mod.rs`, `lib.rs` and `main.rs` are their folder.
fn module_of(path: &str) -> Vec<String> {
    let inside = path.split_once("/src/").map_or(path, |(_, inside)| inside);
    let names = inside.trim_end_matches(".rs").split('/');
    let names = names.filter(|name| !matches!(*name, "mod" | "lib" | "main"));
    std::iter::once("crate").chain(names).map(str::to_owned).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Separator,
    Open,
    Close,
    Comma,
    Other,
}

fn tokens(code: &str) -> Vec<(usize, Token<'_>)> {
    let mut found = vec![];
    let mut at = 0;
    while let Some(c) = code[at..].chars().next() {
        let rest = &code[at..];
        let (token, length) = match c {
            c if is_word(c) => {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                (Some(Token::Word(&rest[..length])), length)
            }
            ':' if rest.starts_with("::") => (Some(Token::Separator), 2),
            '{' => (Some(Token::Open), 1),
            '}' => (Some(Token::Close), 1),
            ',' => (Some(Token::Comma), 1),
            c if c.is_whitespace() => (None, c.len_utf8()),
            c => (Some(Token::Other), c.len_utf8()),
        };
        found.extend(token.map(|token| (at, token)));
        at += length;
    }
    found
}

fn written(code: &str) -> Vec<Path> {
    let tokens = tokens(code);
    let mut found = vec![];
    let mut at = 0;
    while at < tokens.len() {
        if matches!(tokens[at].1, Token::Word(_)) {
            at = read(code, &tokens, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads the path, or tree of paths, that begins at token `at`; returns the token after it.
fn read(
    code: &str,
    tokens: &[(usize, Token<'_>)],
    mut at: usize,
    prefix: &[String],
    found: &mut Vec<Path>,
) -> usize {
    let token = |at: usize| tokens.get(at).map_or(Token::Other, |(_, token)| *token);
    let line = line_of(code, tokens[at].0);
    let mut names = prefix.to_vec();
    while let Token::Word(word) = token(at) {
        names.push(word.to_owned());
        at += 1;
        if token(at) != Token::Separator {
            break;
        }
        at += 1;
        // Only in a `use` does a group follow the separator.
        if token(at) == Token::Open {
            at += 1;
            while !matches!(token(at), Token::Close) && at < tokens.len() {
                if matches!(token(at), Token::Word(_)) {
                    at = read(code, tokens, at, &names, found);
                }
                // What stands between an entry and its comma is `as` and another name, or `*`.
                while !matches!(token(at), Token::Close | Token::Comma) && at < tokens.len() {
                    at += 1;
                }
                at += usize::from(token(at) == Token::Comma);
            }
            return at + 1;
        }
    }
    found.push(Path { line, names });
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(path: &str, text: &str) -> Vec<String> {
        let found = resolved(&File::new(path, text.as_bytes()));
        let long = found.iter().filter(|path| path.names.len() > 1);
        long.map(|path| format!("{} {}", path.line, path.names.join("::"))).collect()
    }

    #[test]
    fn groups_are_spelled_out() {
        let text =
            "use crate::{a::B,\n  c::{self, d::*, E as F},\n};\nfn x() { y(g::h::<u8>()) }\n";
        let want =
            ["1 crate::a::B", "2 crate::c::self", "2 crate::c::d", "2 crate::c::E", "4 g::h"];
        assert_eq!(paths("crates/x/src/a.rs", text), want);
    }

    #[test]
    fn relative_paths_are_resolved_from_where_they_stand() {
        let text = "use super::args;\nuse self::own;\nmod tests {\n use super::super::args;\n}\n";
        let want = ["1 crate::cli::args", "2 crate::cli::run::own", "4 crate::cli::args"];
        assert_eq!(paths("crates/longhaul/src/cli/run.rs", text), want);
        assert_eq!(
            paths("crates/longhaul/src/cli/mod.rs", "use super::daemon;"),
            ["1 crate::daemon"]
        );
    }
}

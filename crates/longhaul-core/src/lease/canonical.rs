//! One text for one thing. Patterns and targets go through the same rules, so that two ways to write
//! a URL or a path cannot mean two things to a lease. What could be read in two ways is refused.

use super::{FS_READ, FS_WRITE, NET_FETCH};
use crate::limits;

/// Bytes that a URL may hold as they are, besides letters and digits and what is decoded.
const URL_BYTES: &[u8] = b"!$&'()*+,;=:@/?[]";

/// Schemes whose port may be left out.
const DEFAULT_PORTS: [(&str, &str); 5] =
    [("http", "80"), ("https", "443"), ("ws", "80"), ("wss", "443"), ("ftp", "21")];

/// A URL, or a pattern of URLs, cut where wildcards must not reach across.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UrlParts<'a> {
    /// All before the query.
    pub(super) path: &'a str,
    /// Scheme and authority.
    pub(super) origin: Option<&'a str>,
}

impl<'a> UrlParts<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let path = text.split('?').next().unwrap_or(text);
        let origin = cut_scheme(path).map(|(scheme, rest)| {
            let authority = rest.split('/').next().unwrap_or(rest);
            &path[..scheme.len() + 3 + authority.len()]
        });
        Self { path, origin }
    }
}

/// Whether targets of a capability are URLs.
pub(super) fn is_url(capability: &str) -> bool {
    capability == NET_FETCH
}

/// Whether targets of a capability are paths of files.
pub(super) fn is_path(capability: &str) -> bool {
    capability == FS_READ || capability == FS_WRITE
}

pub(super) fn pattern(capability: &str, text: &str) -> Result<String, &'static str> {
    check_text(text)?;
    if is_url(capability) {
        url_pattern(text)
    } else if is_path(capability) {
        path_pattern(text)
    } else {
        Ok(text.to_owned())
    }
}

/// A name is what it is.
pub(super) fn name(text: &str) -> Result<String, &'static str> {
    check_target(text)?;
    Ok(text.to_owned())
}

/// A path, and the same seen from the working directory if it is in it. Absolute if it can be.
pub(super) fn path(
    text: &str,
    cwd: Option<&str>,
) -> Result<(String, Option<String>), &'static str> {
    check_target(text)?;
    let cwd = cwd.filter(|cwd| cwd.starts_with('/'));
    let base = cwd.map(|cwd| resolve(&[], cwd)).transpose()?.unwrap_or_default();
    if text.starts_with('/') {
        let segments = resolve(&[], text)?;
        let relative = cwd.and_then(|_| segments.strip_prefix(base.as_slice())).map(relative);
        return Ok((format!("/{}", segments.join("/")), relative));
    }
    if cwd.is_none() {
        return Ok((relative(&resolve_below(text)?), None));
    }
    let segments = resolve(&base, text)?;
    let below = segments.strip_prefix(base.as_slice()).map(relative);
    Ok((format!("/{}", segments.join("/")), below))
}

/// A URL with its scheme and host in small letters, without a default port and a fragment, its dot
/// segments resolved, and its escapes in one form.
pub(super) fn url(text: &str) -> Result<String, &'static str> {
    check_target(text)?;
    let text = text.split('#').next().unwrap_or(text);
    let Some((scheme, rest)) = cut_scheme(text) else { return Err("it is no absolute URL") };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    if !is_scheme {
        return Err("its scheme is none");
    }
    let scheme = scheme.to_ascii_lowercase();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let authority = authority_of_url(&scheme, authority)?;
    let (path, query) = cut_query(rest);
    let path = resolve_url_path(&escapes(path, Part::Path)?, path)?;
    let query = query.map(|query| escapes(query, Part::Query)).transpose()?;
    let canonical = match query {
        Some(query) => format!("{scheme}://{authority}{path}?{query}"),
        None => format!("{scheme}://{authority}{path}"),
    };
    check_length(&canonical)?;
    Ok(canonical)
}

fn check_target(text: &str) -> Result<(), &'static str> {
    check_text(text)?;
    check_length(text)
}

fn check_length(text: &str) -> Result<(), &'static str> {
    if text.len() > limits::TARGET_BYTES_MAX {
        return Err("it is too long");
    }
    Ok(())
}

fn check_text(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.contains('\\') {
        return Err("it has a backslash, which some take for a slash");
    }
    if text.chars().any(char::is_control) {
        return Err("it has a control character");
    }
    Ok(())
}

/// The scheme and what follows its `://`, if the text begins with one.
fn cut_scheme(text: &str) -> Option<(&str, &str)> {
    text.split_once("://").filter(|(scheme, _)| !scheme.contains(['/', '?']))
}

fn cut_query(text: &str) -> (&str, Option<&str>) {
    match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    }
}

/// The segments of a path below a base; `..` at the root stays at the root, as the kernel has it.
fn resolve<'a>(base: &[&'a str], path: &'a str) -> Result<Vec<&'a str>, &'static str> {
    let mut segments = base.to_vec();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    if segments.iter().map(|segment| segment.len() + 1).sum::<usize>() > limits::TARGET_BYTES_MAX {
        return Err("it is too long");
    }
    Ok(segments)
}

/// The same for a path of which nobody knows where it begins.
fn resolve_below(path: &str) -> Result<Vec<&str>, &'static str> {
    let mut segments = vec![];
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." if segments.pop().is_some() => {}
            ".." => return Err("it leads out of the folder that it is relative to"),
            name => segments.push(name),
        }
    }
    Ok(segments)
}

fn relative(segments: &[&str]) -> String {
    if segments.is_empty() { ".".to_owned() } else { segments.join("/") }
}

fn path_pattern(text: &str) -> Result<String, &'static str> {
    let segments: Vec<&str> = text.split('/').filter(|segment| !segment.is_empty()).collect();
    check_dots(&segments)?;
    let root = if text.starts_with('/') { "/" } else { "" };
    Ok(format!("{root}{}", segments.join("/")))
}

fn check_dots(segments: &[&str]) -> Result<(), &'static str> {
    if segments.iter().any(|segment| matches!(*segment, "." | "..")) {
        return Err("a pattern has no `.` and no `..` in its path");
    }
    Ok(())
}

fn url_pattern(text: &str) -> Result<String, &'static str> {
    if text.contains('#') {
        return Err("a URL is compared without its fragment");
    }
    let (origin, rest) = match cut_scheme(text) {
        None => (String::new(), text),
        Some((scheme, rest)) => {
            let scheme = scheme.to_ascii_lowercase();
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at(end);
            let authority = authority_of_pattern(&scheme, authority)?;
            (format!("{scheme}://{authority}"), rest)
        }
    };
    let (path, query) = cut_query(rest);
    let path = escapes(path, Part::Path)?;
    check_dots(&path.split('/').collect::<Vec<_>>())?;
    Ok(match query {
        Some(query) => format!("{origin}{path}?{}", escapes(query, Part::Query)?),
        None => format!("{origin}{path}"),
    })
}

/// Resolves dots in a path that is escaped canonically; `raw` is the same as it was written.
fn resolve_url_path(path: &str, raw: &str) -> Result<String, &'static str> {
    let Some(below) = path.strip_prefix('/') else { return Ok(String::new()) };
    let raw: Vec<&str> = raw.split('/').skip(1).collect();
    let segments: Vec<&str> = below.split('/').collect();
    let last = segments.len() - 1;
    let mut kept: Vec<&str> = vec![];
    for (index, segment) in segments.iter().enumerate() {
        match *segment {
            dots @ ("." | "..") => {
                if raw.get(index) != Some(&dots) {
                    return Err("it has escaped dots, which some resolve and some do not");
                }
                if dots == ".." {
                    kept.pop();
                }
                if index == last {
                    kept.push("");
                }
            }
            "" if index != last => {
                return Err("it has an empty segment, which some drop and some do not");
            }
            segment => kept.push(segment),
        }
    }
    Ok(format!("/{}", kept.join("/")))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Query,
}

/// Escapes in one form: none for what needs none, capital digits for the others.
fn escapes(text: &str, part: Part) -> Result<String, &'static str> {
    let mut canonical = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b' ' {
            return Err("it has a space; write it as `%20`");
        }
        if byte != b'%' {
            if is_unreserved(byte) || URL_BYTES.contains(&byte) {
                canonical.push(char::from(byte));
            } else {
                push_escaped(&mut canonical, byte);
            }
            continue;
        }
        let digits = [bytes.next().unwrap_or(0), bytes.next().unwrap_or(0)];
        let Some(value) = hex(digits) else { return Err("it has a `%` without two hex digits") };
        if is_unreserved(value) {
            canonical.push(char::from(value));
            continue;
        }
        if part == Part::Path && (matches!(value, b'/' | b'\\') || value.is_ascii_control()) {
            return Err("it has an escaped slash, backslash or control character");
        }
        push_escaped(&mut canonical, value);
    }
    Ok(canonical)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn push_escaped(text: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(char::from(DIGITS[usize::from(byte >> 4)]));
    text.push(char::from(DIGITS[usize::from(byte & 15)]));
}

fn hex(digits: [u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}

fn authority_of_url(scheme: &str, authority: &str) -> Result<String, &'static str> {
    if authority.contains('@') {
        return Err("it names a user before its host");
    }
    let authority = authority.to_ascii_lowercase();
    let (host, port) = match authority.rsplit_once(':') {
        // Colons inside brackets are of an address.
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority.as_str(), None),
    };
    let is_address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|host| !host.is_empty() && host.bytes().all(is_of_address));
    let is_name = !host.is_empty()
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    if !is_address && !is_name {
        return Err("its host is no plain name or address");
    }
    let Some(port) = port.filter(|port| !port.is_empty()) else { return Ok(host.to_owned()) };
    let is_digits = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(number) if is_digits && is_default(scheme, &number.to_string()) => Ok(host.to_owned()),
        Ok(number) if is_digits => Ok(format!("{host}:{number}")),
        _ => Err("its port is none"),
    }
}

fn authority_of_pattern(scheme: &str, authority: &str) -> Result<String, &'static str> {
    let is_known = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'-' | b'_' | b'*' | b':' | b'[' | b']')
    };
    // Colons inside brackets are of an address.
    let ports = authority.rsplit(']').next().unwrap_or(authority).matches(':').count();
    if !authority.bytes().all(is_known) || ports > 1 {
        return Err("its host is no plain name or address with wildcards");
    }
    let authority = authority.to_ascii_lowercase();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.is_empty() || is_default(scheme, port) => host,
        _ => authority.as_str(),
    };
    Ok(host.to_owned())
}

fn is_of_address(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')
}

fn is_default(scheme: &str, port: &str) -> bool {
    DEFAULT_PORTS.contains(&(scheme, port))
}

//! What a user of a queue without webhooks hooks in instead: a program that posts one. It is this
//! binary, which starts faster than `curl` would, so that the peer is not charged for that.

use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::net::TcpStream;

/// The word that makes this binary tell: `tell PORT`; whatever a queue adds is not looked at.
pub(crate) const WORD: &str = "tell";

/// Posts to the receiver of this port and waits for its answer.
pub(crate) fn work(words: &[String]) -> Result<()> {
    let port = words.first().and_then(|word| word.parse().ok());
    let port: u16 = port.with_context(|| format!("usage: {WORD} PORT"))?;
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let body = "{}";
    write!(
        stream,
        "POST /told HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = vec![];
    stream.read_to_end(&mut answer)?;
    Ok(())
}

/// A command line of the shell that tells the receiver of this port.
pub(crate) fn shell_line(port: u16) -> Result<String> {
    let own = std::env::current_exe()?;
    let own = own.to_str().context("the benchmark's path is not UTF-8")?;
    Ok(format!("'{own}' {WORD} {port}"))
}

//! One kept HTTP/1.1 connection over the daemon's socket: just enough to ask and to time the
//! answer. The product's own client is asynchronous, and its cost is not what is measured here.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// An answer later than this is a hang.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// A connection that is kept over many requests.
pub(crate) struct Connection {
    reader: BufReader<UnixStream>,
}

impl Connection {
    pub(crate) fn open(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket).context("failed to connect to the daemon")?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        Ok(Self { reader: BufReader::new(stream) })
    }

    pub(crate) fn get(&mut self, path: &str) -> Result<Value> {
        self.ask("GET", path, None)
    }

    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        self.ask("POST", path, Some(body))
    }

    pub(crate) fn put(&mut self, path: &str, body: &Value) -> Result<Value> {
        self.ask("PUT", path, Some(body))
    }

    /// Sends one request and returns the answer's JSON; whatever is not 2xx is an error.
    fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        // One write: head and body in two would wait for the peer between them.
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.reader.get_mut().write_all(request.as_bytes())?;
        let (status, answer) =
            read_answer(&mut self.reader).with_context(|| format!("{method} {path}"))?;
        if !(200..300).contains(&status) {
            bail!("{method} {path}: {status} {}", String::from_utf8_lossy(&answer));
        }
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer).with_context(|| format!("{method} {path}: not JSON"))
    }
}

/// Server-sent events, one after another, for as long as there are any.
pub(crate) struct EventStream {
    pieces: BufReader<Pieces>,
}

impl EventStream {
    pub(crate) fn open(socket: &Path, path: &str) -> Result<Self> {
        let mut reader = Connection::open(socket)?.reader;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
        reader.get_mut().write_all(request.as_bytes())?;
        let first = read_line(&mut reader)?;
        if first.split(' ').nth(1) != Some("200") {
            bail!("{path}: {first}");
        }
        while !read_line(&mut reader)?.is_empty() {}
        Ok(Self { pieces: BufReader::new(Pieces { reader, left: 0 }) })
    }

    /// What the next event carries.
    pub(crate) fn next_data(&mut self) -> Result<String> {
        loop {
            let mut line = String::new();
            if self.pieces.read_line(&mut line)? == 0 {
                bail!("the stream of events has ended");
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return Ok(data.trim_end().to_owned());
            }
        }
    }
}

/// The body of a chunked answer, without the marks between its pieces.
struct Pieces {
    reader: BufReader<UnixStream>,
    left: usize,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            let mut size = String::new();
            self.reader.read_line(&mut size)?;
            self.left = usize::from_str_radix(size.trim(), 16).map_err(std::io::Error::other)?;
        }
        let most = into.len().min(self.left);
        let read = self.reader.read(&mut into[..most])?;
        self.left -= read;
        if self.left == 0 {
            self.reader.read_line(&mut String::new())?;
        }
        Ok(read)
    }
}

fn read_answer(reader: &mut impl BufRead) -> Result<(u16, Vec<u8>)> {
    let first = read_line(reader)?;
    let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.with_context(|| format!("not a status line: {first:?}"))?;
    let mut length = 0;
    let mut chunked = false;
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) =
            line.split_once(':').with_context(|| format!("not a header: {line}"))?;
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse()?,
            "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
    let mut body = vec![];
    if !chunked {
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
        return Ok((status, body));
    }
    loop {
        let size = usize::from_str_radix(read_line(reader)?.trim(), 16)?;
        reader.by_ref().take(size as u64).read_to_end(&mut body)?;
        read_line(reader)?;
        if size == 0 {
            return Ok((status, body));
        }
    }
}

fn read_line(reader: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        bail!("the daemon closed the connection");
    }
    line.truncate(line.trim_end().len());
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_answers_on_one_connection_are_told_apart() {
        let wire = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 404 Not Found\r\n\
                    Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n";
        let mut reader = wire.as_bytes();
        assert_eq!(read_answer(&mut reader).unwrap(), (200, b"{}".to_vec()));
        assert_eq!(read_answer(&mut reader).unwrap(), (404, b"{\"a\":1}".to_vec()));
        assert!(read_answer(&mut reader).is_err());
    }
}

//! A receiver of webhooks on loopback. What it answers stands in the path: `/hang…` is taken and
//! never answered, `/later…` is told to come again in an hour, all else is thanked for.

use crate::clock;
use anyhow::{Context, Result};
use rustix::net::{Shutdown, listen, shutdown};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Threads that take requests: a request is in the kernel already when it is taken.
const THREADS: usize = 4;
/// Connections that may wait to be taken. What the standard library asks for is fewer than a daemon
/// opens at once, and one that is turned away comes again a second later.
const BACKLOG: i32 = 4_096;
/// A notice later than this does not come.
const PATIENCE: Duration = Duration::from_secs(120);

/// A request that was read to its end.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) path: String,
    /// On the clock that all processes share.
    pub(crate) at_ms: f64,
}

/// A running receiver. Dropping it ends its threads and lets go of what hangs.
pub(crate) struct Receiver {
    listener: Arc<TcpListener>,
    port: u16,
    arrivals: mpsc::Receiver<Arrival>,
    threads: Vec<JoinHandle<()>>,
}

impl Receiver {
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listen(&listener, BACKLOG)?;
        let port = listener.local_addr()?.port();
        let listener = Arc::new(listener);
        let (arrived, arrivals) = mpsc::channel();
        let hanging = Arc::new(Mutex::new(vec![]));
        let mut threads = vec![];
        for _ in 0..THREADS {
            let (listener, arrived) = (Arc::clone(&listener), arrived.clone());
            let hanging = Arc::clone(&hanging);
            threads.push(thread::spawn(move || {
                // An error is either a connection that broke, or our own end.
                while let Ok((stream, _)) = listener.accept() {
                    let Ok((arrival, stream)) = take(stream) else { continue };
                    if let Some(stream) = stream {
                        hanging.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
                    }
                    if arrived.send(arrival).is_err() {
                        return;
                    }
                }
            }));
        }
        Ok(Self { listener, port, arrivals, threads })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The address of a path here.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// The next request that came.
    pub(crate) fn next(&self) -> Result<Arrival> {
        self.arrivals.recv_timeout(PATIENCE).map_err(|why| match why {
            RecvTimeoutError::Timeout => anyhow::anyhow!("no notice came within two minutes"),
            RecvTimeoutError::Disconnected => anyhow::anyhow!("the receiver has ended"),
        })
    }

    /// The next request of a path that begins like this; others are let go by.
    pub(crate) fn next_of(&self, beginning: &str) -> Result<Arrival> {
        loop {
            let arrival = self.next()?;
            if arrival.path.starts_with(beginning) {
                return Ok(arrival);
            }
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // Ends every accept(); the threads then end by themselves.
        let _ended = shutdown(&*self.listener, Shutdown::Both);
        for thread in self.threads.drain(..) {
            let _joined = thread.join();
        }
    }
}

/// Reads one request and answers it; gives the connection back if it shall hang.
fn take(stream: TcpStream) -> Result<(Arrival, Option<TcpStream>)> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let path = first.split(' ').nth(1).context("not a request line")?.to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim_end().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').context("not a header")?;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let at_ms = clock::monotonic_ms();
    let mut stream = reader.into_inner();
    let hangs = path.starts_with("/hang");
    if !hangs {
        let status = if path.starts_with("/later") {
            "503 Service Unavailable\r\nRetry-After: 3600"
        } else {
            "204 No Content"
        };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes())?;
    }
    Ok((Arrival { path, at_ms }, hangs.then_some(stream)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::teller;

    #[test]
    fn what_is_told_arrives() {
        let receiver = Receiver::start().unwrap();
        teller::work(&[receiver.port().to_string()]).unwrap();
        let arrival = receiver.next().unwrap();
        assert_eq!(arrival.path, "/told");
        assert!(arrival.at_ms > 0.0);
    }
}

//! A disk that fills up between a sink's answer and its being recorded. Only where the gate says that
//! mounting is possible.

use crate::daemon_support::Place;
use crate::sinks::{Receiver, add, delivery, end_a_job, until_ended, webhook};
use longhaul::daemon::{AskError, Ports};
use longhaul_core::command::Command;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::io::Write;
use std::path::PathBuf;

/// Bytes of the whole file system.
const SIZE: &std::ffi::CStr = c"size=8m,mode=0700";
const CHUNK_BYTES: usize = 4_096;

/// A file system that ends with the test, with a home on it.
pub(crate) struct Small {
    pub(crate) place: Place,
}

impl Small {
    pub(crate) fn new() -> Self {
        let place = Place::new();
        std::fs::create_dir(place.home()).unwrap();
        mount("none", place.home(), "tmpfs", MountFlags::NODEV, SIZE)
            .expect("where the full-disk tests are asked for, mounting is permitted");
        std::fs::write(place.home().join("config.toml"), "low_disk_bytes = 0\n").unwrap();
        Self { place }
    }

    pub(crate) fn ballast(&self) -> PathBuf {
        self.place.home().join("ballast")
    }

    /// Takes every byte that is free.
    pub(crate) fn fill(&self) {
        let mut ballast = std::fs::File::create(self.ballast()).unwrap();
        let chunk = [0; CHUNK_BYTES];
        while ballast.write_all(&chunk).is_ok() {}
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Whatever failed, what is mounted must not outlive the test.
        let _ = unmount(self.place.home(), UnmountFlags::DETACH);
    }
}

pub(crate) async fn until_refused(ports: &Ports) -> AskError {
    for number in 0_u64.. {
        let url = format!("http://127.0.0.1:9/{number}/{}", "x".repeat(4_000));
        let sink = "other".to_owned();
        let add = Command::AddSink { sink, kind: webhook(&url), replace: true };
        if let Err(refused) = ports.engine.ask(add).await {
            return refused;
        }
    }
    unreachable!("a disk of a few bytes fills up")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_found_no_room_is_not_asked_for_again() {
    let (small, receiver) = (Small::new(), Receiver::new().await);
    let daemon = small.place.start();
    let ports = &daemon.ports;
    add(ports, "hook", webhook(&receiver.url)).await;
    let job = end_a_job(&small.place, ports, "hook").await;
    let asked = receiver.next().await;
    small.fill();
    let refused = until_refused(ports).await;
    assert!(refused.to_string().contains("full"), "{refused}");
    asked.answer("HTTP/1.1 200 OK\r\n\r\n").await;
    // Reports are decided before asks: once this is refused, so was what the sink answered.
    until_refused(ports).await;
    assert_eq!(delivery(ports, &job, "hook").await.state_name(), "claimed");
    std::fs::remove_file(small.ballast()).unwrap();
    let told = until_ended(ports, &job, "hook").await;
    assert_eq!((told.state_name(), told.tries, told.lapses), ("acked", 1, 0));
    assert!(receiver.is_left_alone().await);
    daemon.finish().await.unwrap();
}

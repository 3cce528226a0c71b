//! Every shape of a file that a release has written is read as it was meant, and what a later
//! release wrote is refused instead of guessed at. A fixture is added with a release, never edited.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use longhaul_shim::evidence::{Evidence, look};
use longhaul_shim::files::{ExitRecord, How, LeftoversPolicy, Pty, Stopped};
use longhaul_shim::identity::{self, Ask};
use serde_json::Value;

use crate::harness::{Attempt, attempt, sh};

const SPECS: [&str; 2] =
    [include_str!("../fixtures/v1/spec.json"), include_str!("../fixtures/v1/spec-terminal.json")];
const PID: &str = include_str!("../fixtures/v1/pid.json");
const EXITS: [&str; 5] = [
    include_str!("../fixtures/v1/exit.json"),
    include_str!("../fixtures/v1/exit-signaled.json"),
    include_str!("../fixtures/v1/exit-spawn-failed.json"),
    include_str!("../fixtures/v1/exit-never-started.json"),
    include_str!("../fixtures/v1/exit-lost.json"),
];

fn put(attempt: &Attempt, name: &str, text: &str) {
    let path = attempt.path(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The file as a later release might write it: more fields, and perhaps another version.
fn later(text: &str, version: u32) -> String {
    let mut file: Value = serde_json::from_str(text).unwrap();
    file["version"] = version.into();
    file["of_a_later_release"] = serde_json::json!({"is": ["ignored"]});
    file.to_string()
}

#[test]
fn every_ending_that_was_ever_recorded_is_read() {
    let attempt = sh("true");
    let records: Vec<ExitRecord> = EXITS
        .iter()
        .map(|text| {
            put(&attempt, "exit.json", &later(text, 1));
            let Evidence::Over(record) = look(&attempt.folder) else { panic!("{text}") };
            let plain: Value = serde_json::from_str(text).unwrap();
            let again = serde_json::to_value(&record).unwrap();
            for (field, value) in again.as_object().unwrap() {
                assert_eq!(&plain[field], value, "{field} is not what it was");
            }
            record
        })
        .collect();
    let stopped: Vec<_> = records.iter().map(|record| record.stopped).collect();
    let all = [None, Some(Stopped::Oom), None, Some(Stopped::Asked), Some(Stopped::OutputLimit)];
    assert_eq!(stopped, all);
    assert_eq!(records[1].leftovers.names, ["sleep(7)", "sh(8)"]);
    assert!(matches!(&records[2].how, How::SpawnFailed { errno: 2, .. }));
    assert_eq!(records[3].how, How::NeverStarted);
    assert!(matches!(&records[4].how, How::Lost { message } if message == "its shim died"));
}

#[test]
fn every_specification_that_was_ever_written_is_read() {
    let attempt = sh("true");
    let read = |text: &str| {
        put(&attempt, "spec.json", &later(text, 1));
        attempt.folder.read_spec().unwrap().unwrap()
    };
    let [plain, terminal] = SPECS.map(read);
    assert_eq!((plain.pty, plain.leftovers), (None, LeftoversPolicy::Kill));
    assert_eq!((plain.nofile, plain.umask, plain.cgroup), (None, None, true));
    assert_eq!((terminal.pty, terminal.stdin), (Some(Pty { rows: 24, cols: 80 }), true));
    assert_eq!((terminal.nofile, terminal.umask), (Some((1_024, 1_048_576)), Some(18)));
    assert_eq!(terminal.leftovers, LeftoversPolicy::Report);
    assert_eq!(terminal.memory_bytes_max, Some(268_435_456));
}

#[test]
fn what_a_later_release_wrote_is_refused_not_guessed_at() {
    let attempt = sh("touch ran");
    for text in SPECS {
        put(&attempt, "spec.json", &later(text, 2));
        assert!(attempt.folder.read_spec().is_err(), "{text}");
    }
    attempt.launch();
    assert!(!attempt.cwd().join("ran").exists());
    put(&attempt, "pid.json", &later(PID, 2));
    assert!(attempt.folder.read_pid().is_err());
    assert!(matches!(look(&attempt.folder), Evidence::Unknown(_)));
    for text in EXITS {
        put(&attempt, "exit.json", &later(text, 2));
        assert!(matches!(look(&attempt.folder), Evidence::Unknown(_)), "{text}");
    }
}

#[test]
fn a_record_of_another_boot_or_another_pid_namespace_reaches_nobody() {
    let attempt = attempt(&["sleep", "60"], |_| {});
    attempt.launch();
    let record = attempt.until_begun();
    let mut other_boot = record.clone();
    other_boot.boot_id = "00000000-0000-0000-0000-000000000000".to_owned();
    let mut other_namespace = record.clone();
    other_namespace.pid_ns += 1;
    for stranger in [other_boot, other_namespace] {
        // The process is there, has the right number and start time, and even holds the lock.
        assert!(!identity::is_here(&stranger).unwrap());
        assert!(!identity::ask_shim(&attempt.folder, &stranger, Ask::EndByForce).unwrap());
    }
    assert_eq!(record.pid_ns, fs::metadata("/proc/self/ns/pid").unwrap().ino());
    assert!(record.shim.is_alive() && record.child.is_alive());
    assert!(identity::ask_shim(&attempt.folder, &record, Ask::EndByForce).unwrap());
    assert_eq!(attempt.until_over().stopped, Some(Stopped::Asked));
}

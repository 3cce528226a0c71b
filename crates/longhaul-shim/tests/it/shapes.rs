//! Every shape of a file that a release has written is read as it was meant, and what a later
//! release wrote is refused instead of guessed at. A fixture is added with a release, never edited.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use longhaul_shim::evidence::{Evidence, look};
use longhaul_shim::files::{ExitRecord, How, LeftoversPolicy, Pty, Stopped};
use longhaul_shim::folder::{Folder, FolderError};
use longhaul_shim::identity::{self, Ask};
use proptest::prelude::*;
use proptest::sample::Index;
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

/// Reads the file as what its name says it is: whether it was taken, or why not.
fn read(attempt: &Attempt, name: &str) -> Result<bool, FolderError> {
    let folder = &attempt.folder;
    match name {
        "spec.json" => folder.read_spec().map(|found| found.is_some()),
        "pid.json" => folder.read_pid().map(|found| found.is_some()),
        _ => folder.read_exit().map(|found| found.is_some()),
    }
}

/// Every fixture, with the name it has in a folder.
fn shapes() -> Vec<(&'static str, &'static str)> {
    let specs = SPECS.map(|text| ("spec.json", text));
    let exits = EXITS.map(|text| ("exit.json", text));
    [&specs[..], &exits[..], &[("pid.json", PID)]].concat()
}

#[test]
fn a_file_cut_short_anywhere_is_never_taken_for_a_whole_one() {
    let attempt = sh("true");
    for (name, text) in shapes() {
        let text = text.trim_end();
        for end in 0..text.len() {
            put(&attempt, name, &text[..end]);
            assert!(read(&attempt, name).is_err(), "{name} cut to {end} bytes: {text}");
        }
        put(&attempt, name, text);
        assert!(read(&attempt, name).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_bytes_in_a_file_make_its_reader_panic_or_guess(
        which in 0..8_usize,
        harms in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..8),
        more in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let attempt = sh("true");
        let (name, text) = shapes()[which];
        let mut bytes = text.as_bytes().to_vec();
        for (at, with) in harms {
            let at = at.index(bytes.len());
            bytes[at] = with;
        }
        bytes.extend(more);
        let path = attempt.path(name);
        fs::write(&path, &bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let taken = read(&attempt, name);
        let is_json = serde_json::from_slice::<Value>(&bytes).is_ok();
        prop_assert!(taken.is_err() || is_json, "{:?}", String::from_utf8_lossy(&bytes));
        let verdict = look(&attempt.folder);
        let is_unknown = matches!(verdict, Evidence::Unknown(_));
        prop_assert!(name == "spec.json" || taken.is_ok() || is_unknown, "{:?}", verdict);
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

#[test]
fn a_folder_of_somebody_else_is_refused_whatever_it_holds() {
    let attempt = sh("true");
    let mut foreign = attempt.path("");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&foreign, Some(12_345), Some(12_345)).unwrap();
    } else {
        foreign = "/usr".into();
    }
    assert_ne!(fs::metadata(&foreign).unwrap().uid(), rustix::process::geteuid().as_raw());
    assert!(matches!(Folder::open(&foreign), Err(FolderError::Refused { .. })));
}

//! The evidence table, for every mixture of files.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use longhaul_shim::evidence::{Evidence, look};
use longhaul_shim::files::{ExitRecord, How, Leftovers, PidRecord, Process, VERSION};
use longhaul_shim::folder::{Folder, FolderError};
use longhaul_shim::identity::{self, Ask};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::harness::sh;

fn exit_record() -> ExitRecord {
    ExitRecord {
        version: VERSION,
        job: "job_1".to_owned(),
        attempt: 1,
        how: How::Exited(0),
        stopped: None,
        cpu_ms: 1,
        rss_bytes_max: 2,
        stdout_bytes: 3,
        stderr_bytes: 4,
        started_wall_ms: 5,
        started_boot_ms: 6,
        ended_wall_ms: 7,
        ended_boot_ms: 8,
        leftovers: Leftovers::none(),
    }
}

fn pid_record(shim: Process) -> PidRecord {
    PidRecord {
        version: VERSION,
        boot_id: identity::boot_id().unwrap(),
        pid_ns: 1,
        shim,
        child: shim,
        started_wall_ms: 0,
        started_boot_ms: 0,
    }
}

/// What may be found under a name.
#[derive(Clone, Debug)]
enum Found {
    Nothing,
    Whole,
    Torn(Index),
    Bytes(Vec<u8>),
    Newer,
    Link,
    Folder,
    Open,
    Fifo,
}

fn found() -> impl Strategy<Value = Found> {
    prop_oneof![
        3 => Just(Found::Nothing),
        3 => Just(Found::Whole),
        2 => any::<Index>().prop_map(Found::Torn),
        1 => proptest::collection::vec(any::<u8>(), 0..64).prop_map(Found::Bytes),
        1 => Just(Found::Newer),
        1 => Just(Found::Link),
        1 => Just(Found::Folder),
        1 => Just(Found::Open),
        1 => Just(Found::Fifo),
    ]
}

/// Whether there is something there that cannot be read as what it should be.
impl Found {
    fn is_bad(&self) -> bool {
        !matches!(self, Self::Nothing | Self::Whole)
    }

    fn put(&self, path: &Path, whole: &str) {
        let write = |bytes: &[u8], mode| {
            fs::write(path, bytes).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        match self {
            Self::Nothing => {}
            Self::Whole => write(whole.as_bytes(), 0o600),
            Self::Torn(at) => write(&whole.as_bytes()[..at.index(whole.len())], 0o600),
            Self::Bytes(bytes) => write(bytes, 0o600),
            Self::Newer => write(br#"{"version":2,"how":"no idea"}"#, 0o600),
            Self::Link => {
                let target = path.with_extension("target");
                fs::write(&target, whole).unwrap();
                fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
                symlink(&target, path).unwrap();
            }
            Self::Folder => fs::create_dir(path).unwrap(),
            Self::Open => write(whole.as_bytes(), 0o644),
            Self::Fifo => {
                let path = path.to_str().unwrap();
                assert!(
                    Command::new("mkfifo").args(["-m", "600", path]).status().unwrap().success()
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_mixture_of_files_gives_the_one_verdict(
        exit in found(), pid in found(), lock in any::<Option<bool>>(),
    ) {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(&root.path().join("a")).unwrap();
        let path = |name: &str| root.path().join("a").join(name);
        let pid_record = pid_record(Process { pid: 1, start_ticks: 2 });
        exit.put(&path("exit.json"), &serde_json::to_string(&exit_record()).unwrap());
        pid.put(&path("pid.json"), &serde_json::to_string(&pid_record).unwrap());
        let holder = lock.map(|held| {
            Found::Whole.put(&path("lock"), "");
            let file = File::open(path("lock")).unwrap();
            if held {
                file.lock().unwrap();
            }
            file
        });
        let verdict = look(&folder);
        drop(holder);
        // The table, in the order in which its columns decide.
        let pid_seen = matches!(pid, Found::Whole).then(|| pid_record.clone());
        let expected = match (&exit, lock) {
            (exit, _) if exit.is_bad() => None,
            (Found::Whole, _) => Some(Evidence::Over(exit_record())),
            _ if pid.is_bad() => None,
            (_, Some(true)) => Some(Evidence::Alive(pid_seen)),
            (_, Some(false)) => Some(pid_seen.map_or(Evidence::NeverBegun, Evidence::ShimDied)),
            (_, None) if pid_seen.is_some() => None,
            (_, None) => Some(Evidence::NeverBegun),
        };
        match expected {
            Some(expected) => prop_assert_eq!(verdict, expected),
            None => prop_assert!(matches!(verdict, Evidence::Unknown(_)), "{:?}", verdict),
        }
    }
}

#[test]
fn a_folder_that_is_a_link_or_open_to_others_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let real = root.path().join("real");
    Folder::create(&real).unwrap();
    symlink(&real, root.path().join("link")).unwrap();
    let refused = |path: &str| {
        matches!(Folder::open(&root.path().join(path)), Err(FolderError::Refused { .. }))
    };
    assert!(refused("link"));
    fs::set_permissions(&real, fs::Permissions::from_mode(0o750)).unwrap();
    assert!(refused("real"));
    assert!(matches!(Folder::open(&root.path().join("none")), Err(FolderError::Missing)));
}

#[test]
fn a_shim_refuses_a_folder_that_is_a_link() {
    let attempt = sh("touch ran");
    let link = attempt.cwd().join("link");
    symlink(attempt.path(""), &link).unwrap();
    let status = Command::new(crate::harness::program("shim")).arg(&link).status().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(!attempt.path("lock").exists());
}

#[test]
fn a_planted_record_reaches_no_stranger() {
    let attempt = sh("true");
    let mut stranger = Command::new("sleep").arg("60").spawn().unwrap();
    let shim = Process::of(i32::try_from(stranger.id()).unwrap()).unwrap();
    // Everything about it is right, except that it does not hold the lock.
    let mut record = pid_record(shim);
    record.pid_ns =
        std::os::unix::fs::MetadataExt::ino(&fs::metadata("/proc/self/ns/pid").unwrap());
    attempt.folder.write_pid(&record).unwrap();
    Found::Whole.put(&attempt.path("lock"), "");
    let lock = File::open(attempt.path("lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(look(&attempt.folder), Evidence::Alive(Some(record.clone())));
    assert!(!identity::ask_shim(&attempt.folder, &record, Ask::EndByForce).unwrap());
    drop(lock);
    assert_eq!(look(&attempt.folder), Evidence::ShimDied(record));
    assert!(stranger.try_wait().unwrap().is_none());
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn what_is_said_of_a_garbled_file_does_not_quote_it() {
    let attempt = sh("true");
    Found::Bytes(br#"{"version":1,"env":"s3cret"}"#.to_vec()).put(&attempt.path("exit.json"), "");
    let Evidence::Unknown(reason) = look(&attempt.folder) else { panic!("it made sense") };
    assert!(reason.contains("exit.json") && !reason.contains("s3cret"), "{reason}");
}

#[test]
fn what_an_earlier_release_wrote_is_read() {
    let attempt = sh("true");
    for (name, text) in [
        ("exit.json", include_str!("../fixtures/v1/exit.json")),
        ("pid.json", include_str!("../fixtures/v1/pid.json")),
        ("spec.json", include_str!("../fixtures/v1/spec.json")),
    ] {
        Found::Whole.put(&attempt.path(name), text);
    }
    let exit = attempt.folder.read_exit().unwrap().unwrap();
    assert_eq!((exit.how, exit.leftovers.ended), (How::Exited(3), true));
    assert_eq!(attempt.folder.read_pid().unwrap().unwrap().child.start_ticks, 100);
    let spec = attempt.folder.read_spec().unwrap().unwrap();
    assert_eq!((spec.argv.len(), spec.nofile, spec.umask), (2, None, None));
}

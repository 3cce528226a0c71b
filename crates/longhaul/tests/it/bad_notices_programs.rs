//! Programs as sinks on a bad day: whatever they leave behind, the notice is settled and they are gone.

use crate::bad_notices_support::{
    SHORT_TRIES, add_script, answers, configure, ends, until, until_so,
};
use crate::harness::{Home, eventually};
use serde_json::json;
use std::path::Path;

/// Whether the process that wrote its number into this file is there and no zombie.
fn is_alive(home: &Home, file: &str) -> bool {
    let pid = std::fs::read_to_string(home.work().join(file)).unwrap();
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
}

#[test]
fn a_program_that_leaves_a_child_behind_has_told_and_the_child_is_ended() {
    let home = Home::new();
    // The child holds both pipes and would outlive everything.
    add_script(&home, "forks", "sleep 3600 & echo $! >child; cat >/dev/null; echo took");
    let job = ends(&home, &["forks"]);
    let told = until(&home, &job, "sink:forks", "acked");
    assert_eq!(answers(&told), ["exit code 0: took"]);
    eventually("what it left behind is gone", || !is_alive(&home, "child"));
}

#[test]
fn a_program_that_forks_and_hangs_is_ended_with_all_that_is_its() {
    let home = Home::new();
    configure(&home, SHORT_TRIES);
    let script = "trap '' TERM; (trap '' TERM; sleep 3600) & echo $! >child; echo $$ >leader; \
        echo stuck; while :; do wait; done";
    add_script(&home, "hangs", script);
    add_script(&home, "sound", "cat >/dev/null");
    let job = ends(&home, &["hangs", "sound"]);
    until(&home, &job, "sink:sound", "acked");
    let tried = until_so(&home, &job, "sink:hangs", |notice| notice["failures"] == 1);
    assert_eq!(answers(&tried), ["ended by force after 0.7 s: stuck"]);
    // The next try is another process, so the numbers in the files may be of that one by now.
    home.run(&["sink", "remove", "hangs"]).ok();
    until(&home, &job, "sink:hangs", "dead");
    eventually("all of it is gone", || !is_alive(&home, "child") && !is_alive(&home, "leader"));
}

#[test]
fn a_child_that_got_out_of_the_group_holds_nobody_up() {
    let home = Home::new();
    configure(&home, SHORT_TRIES);
    add_script(&home, "away", "setsid sleep 30 & echo $! >child; echo took; cat >/dev/null");
    for _ in 0..3 {
        let job = ends(&home, &["away"]);
        let told = until(&home, &job, "sink:away", "acked");
        assert_eq!(
            (&told["try"], answers(&told)),
            (&json!(1), vec!["exit code 0: took".to_owned()])
        );
    }
}

#[test]
fn a_program_that_is_gone_meanwhile_is_tried_again() {
    let home = Home::new();
    let path = home.write("tell", "#!/bin/sh\ncat >told\n");
    let set_mode = |mode| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    };
    set_mode(0o755);
    home.run(&["sink", "add", "file", "exec", "--", path.to_str().unwrap()]).ok();
    set_mode(0o644);
    let job = ends(&home, &["file"]);
    let tried = until_so(&home, &job, "sink:file", |notice| notice["failures"] == 1);
    assert!(answers(&tried)[0].contains("cannot be started"), "{tried}");
    set_mode(0o755);
    until(&home, &job, "sink:file", "acked");
    let notice = std::fs::read_to_string(home.work().join("told")).unwrap();
    assert!(notice.contains(tried["id"].as_str().unwrap()), "{notice}");
}

//! With real programs, short ones and such that do not want to end.

use super::super::answer::Verdict;
use super::*;
use bytes::Bytes;

/// Far longer than these programs take.
const AMPLE: Duration = Duration::from_secs(30);
/// For programs that do not end: the shorter, the quicker the test.
const BRIEF: Duration = Duration::from_millis(200);

fn letter(body: &str) -> Letter {
    Letter { id: "dlv_1".to_owned(), number: 3, body: Bytes::copy_from_slice(body.as_bytes()) }
}

async fn run(script: &str, limit: Duration) -> Answer {
    let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    let program = Program { command, cwd: PathBuf::from("/"), environment: vec![], limit };
    program.send(&letter("{\"x\":1}"), Path::new("/home-of-ours")).await
}

#[tokio::test]
async fn a_program_gets_the_notice_and_says_that_it_has_it() {
    let script = "cat; echo \" $LONGHAUL_NOTICE_ID $LONGHAUL_NOTICE_TRY $LONGHAUL_HOME $PWD\"";
    let answer = run(script, AMPLE).await;
    assert_eq!(answer, Answer::delivered("exit code 0: {\"x\":1} dlv_1 3 /home-of-ours /"));
}

#[tokio::test]
async fn a_program_gets_only_what_it_needs_of_the_environment() {
    let answer = run("env | cut -d= -f1 | sort", AMPLE).await;
    let known = [&PASSED_ON[..], &["PWD", "SHLVL", "_", "OLDPWD"]].concat();
    let others: Vec<&str> = answer.text["exit code 0: ".len()..]
        .split(' ')
        .filter(|name| !known.contains(name) && !name.starts_with("LONGHAUL_"))
        .collect();
    assert_eq!(others, [""; 0]);
    // The tests themselves run with far more than that.
    assert!(std::env::vars_os().count() > 9);
}

#[tokio::test]
async fn exit_code_75_means_later() {
    let answer = run("echo busy >&2; exit 75", AMPLE).await;
    assert_eq!(answer, Answer::later("exit code 75, later: busy", Some(LATER)));
}

#[tokio::test]
async fn a_failure_says_how_and_why() {
    assert_eq!(run("echo no >&2; exit 3", AMPLE).await, Answer::failed("exit code 3: no"));
    assert_eq!(run("kill -9 $$", AMPLE).await, Answer::failed("signal 9"));
    let answer =
        run("echo $$; cat /dev/zero | tr '\\0' x | head -c 300000 >&2; exit 1", AMPLE).await;
    assert_eq!(answer.verdict, Verdict::Failed { again_after: None });
    assert!(answer.text.len() < 2_000, "{} bytes", answer.text.len());
}

#[tokio::test]
async fn a_program_that_reads_nothing_is_no_failure() {
    let command = ["/bin/sh", "-c", "exit 0"].map(str::to_owned).to_vec();
    let program = Program { command, cwd: PathBuf::from("/"), environment: vec![], limit: AMPLE };
    let answer = program.send(&letter(&"x".repeat(1_000_000)), Path::new("/")).await;
    assert_eq!(answer, Answer::delivered("exit code 0"));
}

#[tokio::test]
async fn what_cannot_be_started_is_said() {
    let program = |command: &str, cwd: &str| Program {
        command: vec![command.to_owned()],
        cwd: PathBuf::from(cwd),
        environment: vec![],
        limit: AMPLE,
    };
    let answer = program("/no/such/program", "/").send(&letter(""), Path::new("/")).await;
    assert!(answer.text.starts_with("`/no/such/program` cannot be started: "), "{answer:?}");
    let answer = program("true", "/no/such/folder").send(&letter(""), Path::new("/")).await;
    assert_eq!(answer, Answer::failed("`/no/such/folder` is not a directory to run in"));
}

/// The child says its number, keeps our pipes, and would sleep for an hour.
#[tokio::test]
async fn a_program_that_forks_and_ends_holds_up_nothing_and_leaves_nothing() {
    let answer = run("sleep 3600 & echo $!; exit 0", AMPLE).await;
    assert_eq!(answer.verdict, Verdict::Delivered);
    is_gone(answer.text.strip_prefix("exit code 0: ").unwrap()).await;
}

#[tokio::test]
async fn a_program_that_hangs_is_ended_with_its_children() {
    let answer = run("sleep 3600 & echo $!; wait", BRIEF).await;
    let child = answer.text.strip_prefix("ended by force after 0.2 s: ").unwrap();
    is_gone(child).await;
}

#[tokio::test]
async fn a_program_that_does_not_want_to_end_is_ended_by_force() {
    let answer = run("trap '' TERM; echo $$; sleep 3600 & wait; sleep 3600", BRIEF).await;
    let leader = answer.text.strip_prefix("ended by force after 0.2 s: ").unwrap();
    is_gone(leader).await;
}

#[tokio::test]
async fn a_try_that_is_given_up_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("pid");
    let script = format!("echo $$ >{0}.new; mv {0}.new {0}; sleep 3600", said.display());
    let trying = tokio::spawn(async move { run(&script, AMPLE).await });
    eventually(|| said.exists()).await;
    trying.abort();
    assert!(trying.await.is_err());
    is_gone(fs_err::read_to_string(&said).unwrap().trim()).await;
}

/// Comes back once a process is no more, or nothing but a name in the table.
async fn is_gone(pid: &str) {
    let stat = format!("/proc/{pid}/stat");
    eventually(|| fs_err::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))).await;
}

async fn eventually(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    timeout(AMPLE, waiting).await.expect("it becomes so");
}

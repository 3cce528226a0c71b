//! Issuers against a gateway that answers, and such that do not: real sockets and programs.

use super::*;
use crate::config::{CommandIssuer, IssuerKey, LiteLlm};
use longhaul_core::hosted::Hosted;
use longhaul_core::lease::Lease;
use longhaul_core::spec::{Environment, JobSpec};
use longhaul_core::time::Timestamp;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);
/// Far longer than a program on this machine takes.
const AMPLE: Duration = Duration::from_secs(30);

pub(super) fn host() -> HostId {
    HostId::parse("host_00000000000000000000000001").unwrap()
}

fn ask(is_mint: bool) -> Ask {
    let job = job(&[("cost.budget", &["USD:1.50"]), ("model.use", &["claude-*"])]);
    asked_for(vec![job], is_mint)
}

fn asked_for(chain: Vec<Job>, is_mint: bool) -> Ask {
    let credential = Credential::new(&chain[0].id, "gateway", &host(), NOW);
    let (id, number) = (credential.id.clone(), credential.number);
    let wanted = if is_mint { Issue::Mint(id, number) } else { Issue::Revoke(id, number) };
    Ask::of(&wanted, credential, chain)
}

pub(super) fn job(lease: &[(&str, &[&str])]) -> Job {
    let id = JobId::parse("job_00000000000000000000000001").unwrap();
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    let asked = lease.iter().map(|(name, of)| ((*name).to_owned(), texts(of))).collect();
    let lease = Lease::parse(&asked, Some(Timestamp::from_millis(61_000_000))).unwrap();
    let hosted = Hosted { agent: "echo".into(), input: "1".into(), lease, ..Hosted::default() };
    let spec = JobSpec::new(vec!["true".into()], "/".into());
    let submission = longhaul_core::command::Submission {
        id,
        spec: JobSpec { hosted: Some(Box::new(hosted)), ..spec },
        environment: Environment(BTreeMap::new()),
        key: None,
        owner: None,
        project: None,
        parent: None,
        retry_of: None,
        session: None,
    };
    Job::new(submission, 1, 0, false, NOW)
}

/// A gateway that gives these answers, one a connection, and then what it was asked.
async fn gateway(answers: Vec<(u16, &'static str)>) -> (LiteLlm, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (mut wire, _) = listener.accept().await.unwrap();
            asked.push(request(&mut wire).await);
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n");
            wire.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
        asked
    });
    let folder = tempfile::tempdir().unwrap().keep();
    let key = folder.join("key");
    std::fs::write(&key, "sk-master\n").unwrap();
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    let endpoint = "http://gateway/v1".to_owned();
    (LiteLlm { url, endpoint, key: IssuerKey::File(key), models: None }, serving)
}

async fn request(wire: &mut tokio::net::TcpStream) -> String {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.unwrap_or("0").parse().unwrap() {
                return text;
            }
        }
        let mut chunk = [0; 4_096];
        let taken = wire.read(&mut chunk).await.unwrap();
        assert!(taken > 0, "half a request: {text}");
        read.extend(&chunk[..taken]);
    }
}

fn connector() -> Connector {
    Connector::new(true, None)
}

const MADE: &str = r#"{"key":"sk-value","token_id":"hash","expires":null}"#;
const TAKEN: &str = r#"{"error":{"message":"Key with alias 'x' already exists","code":"400"}}"#;
const GONE: &str = r#"{"error":{"message":"No keys found","code":"404"}}"#;

#[tokio::test]
async fn a_key_is_bounded_by_the_lease_of_its_job() {
    let (settings, serving) = gateway(vec![(200, MADE)]).await;
    let connector = connector();
    let gateway = Gateway { settings: &settings, connector: &connector };
    let issued = gateway.mint(&ask(true), NOW).await.unwrap();
    assert_eq!((issued.value.as_str(), issued.handle.as_deref()), ("sk-value", Some("hash")));
    assert!(!format!("{issued:?}").contains("sk-value"));
    let asked = serving.await.unwrap().remove(0);
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /key/generate HTTP/1.1"), "{head}");
    assert!(head.contains("authorization: Bearer sk-master"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    let name = ask(true).credential.id;
    assert_eq!(
        body,
        json!({
            "key_alias": name.as_str(), "duration": "60000s", "models": ["claude-*"],
            "max_budget": 1.5,
            "metadata": { "agent": "echo", "credential": name.as_str(), "job": "job_00000000000000000000000001" },
        })
    );
    let shown = shown(&ask(true), &issued);
    assert_eq!(shown["constraints"]["cost.budget"], json!(["USD:1.5"]));
    assert_eq!(shown["constraints"]["model.use"], json!(["claude-*"]));
    assert!(!shown.to_string().contains("sk-value"));
}

#[tokio::test]
async fn a_key_is_for_no_more_than_is_granted_also_where_that_is_nothing() {
    let (settings, serving) = gateway(vec![(200, MADE)]).await;
    let connector = connector();
    let gateway = Gateway { settings: &settings, connector: &connector };
    // Without a budget of its own it spends what those above it have.
    let child = job(&[("model.use", &[]), ("cost.budget", &["EUR:2"])]);
    let parent = job(&[("cost.budget", &["EUR:5", "USD:3"])]);
    let ask = asked_for(vec![child, parent], true);
    let issued = gateway.mint(&ask, NOW).await.unwrap();
    let asked = serving.await.unwrap().remove(0);
    let body: Value = serde_json::from_str(asked.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(
        body["models"],
        json!(["no-model-is-granted"]),
        "an empty list would be all of them"
    );
    assert_eq!(body["max_budget"], 3);
    let shown = shown(&ask, &issued);
    assert_eq!(shown["constraints"]["model.use"], json!([]));
    assert_eq!(shown["constraints"]["cost.budget"], json!(["EUR:2", "USD:3"]));
}

#[tokio::test]
async fn what_an_earlier_try_made_is_deleted_first() {
    let (settings, serving) = gateway(vec![(400, TAKEN), (200, "{}"), (200, MADE)]).await;
    let connector = connector();
    let gateway = Gateway { settings: &settings, connector: &connector };
    assert_eq!(gateway.mint(&ask(true), NOW).await.unwrap().value, "sk-value");
    let asked = serving.await.unwrap();
    let paths: Vec<&str> = asked.iter().map(|asked| asked.split(' ').nth(1).unwrap()).collect();
    assert_eq!(paths, ["/key/generate", "/key/delete", "/key/generate"]);
}

#[tokio::test]
async fn what_a_gateway_says_decides_whether_it_is_asked_again() {
    let not_found = r#"{"detail":"Not Found"}"#;
    for (status, body, is_final) in [
        (500, "oops", false),
        (429, "{}", false),
        (401, r#"{"error":{"message":"bad key"}}"#, true),
        (404, not_found, true),
        (200, "not JSON sk-leak", false),
        (200, r#"{"other":"sk-leak"}"#, false),
    ] {
        let (settings, _serving) = gateway(vec![(status, body)]).await;
        let connector = connector();
        let gateway = Gateway { settings: &settings, connector: &connector };
        let failed = gateway.mint(&ask(true), NOW).await.unwrap_err();
        assert_eq!(failed.is_final, is_final, "{status}: {failed:?}");
        assert!(!failed.problem.contains("sk-leak"), "{failed:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_gone_is_revoked_and_a_wrong_address_is_not_that() {
    for (status, body, is_revoked) in [
        (200, "{}", true),
        (404, GONE, true),
        (404, r#"{"detail":"Not Found"}"#, false),
        (404, "<html>", false),
        (500, "{}", false),
    ] {
        let (settings, serving) = gateway(vec![(status, body)]).await;
        let connector = connector();
        let gateway = Gateway { settings: &settings, connector: &connector };
        let revoked = gateway.revoke(&ask(false)).await;
        assert_eq!(revoked.is_ok(), is_revoked, "{status} {body}: {revoked:?}");
        let asked = serving.await.unwrap().remove(0);
        assert!(
            asked.contains(&format!(r#"{{"key_aliases":["{}"]}}"#, ask(false).name())),
            "{asked}"
        );
    }
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_asked_again() {
    let (settings, serving) = gateway(vec![]).await;
    serving.await.unwrap();
    let connector = connector();
    let gateway = Gateway { settings: &settings, connector: &connector };
    let failed = gateway.mint(&ask(true), NOW).await.unwrap_err();
    assert!(!failed.is_final && failed.problem.contains("connected"), "{failed:?}");
}

/// A gateway that says just this, of an answer, and hangs up; or that says it and then nothing more.
async fn says(
    words: String,
    hangs_up: bool,
) -> (LiteLlm, JoinHandle<Option<tokio::net::TcpStream>>) {
    let (settings, serving) = gateway(vec![]).await;
    serving.await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut wire, _) = listener.accept().await.unwrap();
        request(&mut wire).await;
        // Who has heard enough hangs up first.
        let _ = wire.write_all(words.as_bytes()).await;
        (!hangs_up).then_some(wire)
    });
    (LiteLlm { url, ..settings }, serving)
}

#[tokio::test]
async fn half_an_answer_is_no_answer_and_says_nothing_of_what_it_held() {
    let endless = format!("content-length: 9000000\r\n\r\n{}", "sk-leak".repeat(1_000_000));
    for said in [
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 X\r\n",
        "HTTP/1.1 200 X\r\ncontent-length: 500\r\n\r\n{\"key\":\"sk-leak\"}",
        "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n11\r\n{\"key\":\"sk-leak\"}\r\n",
        "HTTP/1.1 200 X\r\n\r\n{\"key\":\"sk-leak\"",
        &format!("HTTP/1.1 200 X\r\n{endless}"),
    ] {
        let (settings, _serving) = says(said.to_owned(), true).await;
        let connector = connector();
        let gateway = Gateway { settings: &settings, connector: &connector };
        let failed = gateway.mint(&ask(true), NOW).await.unwrap_err();
        let begins: String = said.chars().take(40).collect();
        assert!(!failed.is_final && !failed.problem.contains("sk-leak"), "{begins}: {failed:?}");
    }
}

#[tokio::test]
async fn an_answer_is_heard_whose_connection_stays_open() {
    let said = format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\n\r\n{MADE}", MADE.len());
    let (settings, serving) = says(said, false).await;
    let connector = connector();
    let gateway = Gateway { settings: &settings, connector: &connector };
    assert_eq!(gateway.mint(&ask(true), NOW).await.unwrap().value, "sk-value");
    assert!(serving.await.unwrap().is_some());
}

fn program(script: &str) -> CommandIssuer {
    let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    CommandIssuer { command, env: vec![] }
}

#[tokio::test]
async fn a_program_is_asked_by_json_and_answers_by_json() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"cat > asked; echo '{"value":"v-secret","endpoint":"http://e","handle":"h"}'"#;
    let issued = command::mint(&program(script), &ask(true), folder.path(), AMPLE).await.unwrap();
    assert_eq!((issued.value.as_str(), issued.endpoint.as_str()), ("v-secret", "http://e"));
    let asked: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("asked")).unwrap()).unwrap();
    assert_eq!((&asked["action"], &asked["agent"]), (&json!("mint"), &json!("echo")));
    assert_eq!((&asked["budget"], &asked["handle"]), (&json!({ "USD": 1.5 }), &Value::Null));
    assert_eq!(asked["lease"]["model.use"], json!(["claude-*"]));
    command::revoke(&program("grep -q revoke"), &ask(false), folder.path(), AMPLE).await.unwrap();
}

#[tokio::test]
async fn a_program_that_fails_says_why_and_never_what_it_made() {
    let folder = tempfile::tempdir().unwrap();
    for (script, is_final, says) in [
        ("echo no power >&2; exit 3", false, "no power"),
        ("echo never >&2; exit 77", true, "never"),
        ("echo 'v-leak'", false, "not the JSON"),
        ("echo '{\"value\":\"\",\"endpoint\":\"v-leak\"}'", false, "no value"),
        ("head -c 100000 /dev/zero", false, "not the JSON"),
        ("kill -9 $$", false, "killed"),
    ] {
        let failed = command::mint(&program(script), &ask(true), folder.path(), AMPLE).await;
        let failed = failed.unwrap_err();
        assert_eq!(failed.is_final, is_final, "{script}: {failed:?}");
        assert!(failed.problem.contains(says) && !failed.problem.contains("v-leak"), "{failed:?}");
    }
    let brief = Duration::from_millis(50);
    let late = command::mint(&program("exec sleep 60"), &ask(true), folder.path(), brief).await;
    assert!(late.unwrap_err().problem.contains("ended after"));
}

#[test]
fn variables_are_named_after_their_issuer() {
    assert_eq!(variable("my-gateway.2"), "LONGHAUL_CREDENTIAL_MY_GATEWAY_2");
}

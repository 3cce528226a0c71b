//! The receiver of webhooks that the page on waiting shows, run against what a sink is really sent.

use crate::harness::{Home, eventually};
use crate::pages::{fenced, read};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// A notice as a webhook gets it, to the byte.
fn captured(home: &Home, secret: &Path) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let file = secret.to_str().unwrap();
    home.run(&["sink", "add", "ci", "webhook", &url, "--secret-file", file]).ok();
    let job = home.submit(&["--notify", "ci", "--", "true"]);
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = Vec::new();
    let is_whole = |request: &[u8]| request.ends_with(b"\"stderr_tail\":\"\"}}");
    while !is_whole(&request) {
        let mut bytes = [0; 4_096];
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "it ended early: {}", String::from_utf8_lossy(&request));
        request.extend(&bytes[..count]);
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    home.until(&job, "ended");
    request
}

#[test]
fn the_receiver_on_the_page_checks_signatures_and_drops_doubles() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("not run: there is no python3, which the gate has");
        return;
    }
    let home = Home::new();
    let secret = home.write("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    let request = captured(&home, &secret);
    let script = home.write("receiver.py", &fenced(&read("docs/waiting.md"), "python")[0]);
    let taken = home.work().join("taken");
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut receiver = Command::new("python3");
    receiver.arg(script).arg(address.port().to_string()).current_dir(home.work());
    receiver.stdout(File::create(&taken).unwrap()).stderr(Stdio::null());
    let mut receiver = receiver.spawn().unwrap();
    eventually("it listens", || TcpStream::connect(address).is_ok());
    let send = |request: &[u8]| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let mut forged = request.clone();
    let last = forged.len() - 1;
    forged[last] = b' ';
    let answers = [&forged, &request, &request].map(|request| send(request));
    receiver.kill().unwrap();
    receiver.wait().unwrap();
    for (answer, code) in answers.iter().zip(["401", "204", "204"]) {
        assert!(answer.split(' ').nth(1) == Some(code), "{answer}");
    }
    let taken = std::fs::read_to_string(taken).unwrap();
    assert_eq!(taken.lines().count(), 1, "{taken}");
    assert!(taken.contains("job.ended"), "{taken}");
}

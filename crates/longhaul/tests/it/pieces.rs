//! Results that programs tell in pieces, by the command that they are told with inside of a job.

use crate::daemon_support::{job, outcome};
use crate::leases::Hosting;
use serde_json::{Value, json};

#[tokio::test]
async fn a_program_tells_its_result_piece_by_piece_as_it_comes() {
    let script = r#"
        { printf 'h\303'; sync; printf '\251llo'; } |
            longhaul --json emit result --stream > said || exit 9
        grep -q '"bytes": *6' said || exit 8
        longhaul emit result 1 2>why && exit 7
        grep -q 'whole or in pieces' why || exit 6
        echo more | longhaul emit result --stream 2>why && exit 5
        grep -q 'had its last piece' why || exit 4"#;
    let hosting = Hosting::start(&[("streamer", script)]);
    let id = hosting.submit("streamer", &[], None).await;
    let ended = outcome(hosting.ports(), &id).await;
    assert!(ended.is_success(), "{ended:?}");
    let pieces = hosting.told(&id, "result_chunk").await;
    let text: String = pieces.iter().map(|piece| piece["data"].as_str().unwrap()).collect();
    assert_eq!(text, "héllo");
    let last = pieces.last().unwrap();
    assert_eq!((&last["more"], &last["chunk_seq"]), (&json!(false), &json!(pieces.len() - 1)));
    let row = job(hosting.ports(), &id).await;
    let stream = row.stream.unwrap();
    assert!(stream.is_closed && stream.bytes == 6 && row.result.is_none());
}

#[tokio::test]
async fn a_program_tells_bytes_as_what_they_are_and_no_text_that_is_none() {
    let script = r#"
        printf 'ok\377' | longhaul emit result --stream 2>why; test $? = 2 || exit 9
        grep -q 'is no text' why || exit 8"#;
    let bytes = r#"head -c 300000 /dev/zero | longhaul emit result --stream --binary"#;
    let hosting = Hosting::start(&[("texts", script), ("bytes", bytes)]);
    let id = hosting.submit("texts", &[], None).await;
    assert!(outcome(hosting.ports(), &id).await.is_success());
    assert_eq!(hosting.told(&id, "result_chunk").await, [Value::Null; 0]);
    let id = hosting.submit("bytes", &[], None).await;
    assert!(outcome(hosting.ports(), &id).await.is_success());
    let pieces = hosting.told(&id, "result_chunk").await;
    assert!(pieces.len() > 2 && pieces[0]["encoding"] == "base64");
    assert_eq!(job(hosting.ports(), &id).await.stream.unwrap().bytes, 300_000);
}

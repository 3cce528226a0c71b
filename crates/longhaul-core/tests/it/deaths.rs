//! What is told of a turn that died, of one that went silent, and of mail that nobody read.

use crate::play::Stage;
use longhaul_core::mail::{Mail, MailPriority, OURSELVES};
use longhaul_core::mail_kind;
use longhaul_core::port::{Store, Table};
use serde_json::{Value, json};

fn after(lines: &[&str]) -> Vec<Mail> {
    let mut stage = Stage::new();
    for line in lines {
        let came = stage.line(line);
        assert!(!came.iter().any(|came| came.starts_with("refused")), "{line}: {came:?}");
    }
    let ids = stage.store.reader().expect("memory").ids(Table::Mail, "", 100).expect("memory");
    let mut mail: Vec<Mail> = ids.iter().filter_map(|id| stage.stored(id)).collect();
    mail.retain(|mail| mail.from == OURSELVES);
    mail.sort_by_key(|mail| mail.seq);
    mail
}

fn payload(mail: &Mail) -> Value {
    let text = mail.payload.as_deref().expect("there is one");
    assert_eq!(mail_kind::check(&mail.kind, Some(text)), Ok(()));
    serde_json::from_str(text).expect("it was checked")
}

const TWO: [&str; 3] = ["agent top", "agent b role=builder parent=top", "turn t b"];

#[test]
fn a_death_is_told_with_its_evidence() {
    let told = after(&[&TWO[..], &["broke t"]].concat());
    let [died] = &told[..] else { panic!("one is told, not {}", told.len()) };
    assert_eq!((died.to.as_str(), died.priority), ("top", MailPriority::High));
    assert_eq!(died.subject, "worker_died: b");
    let told = payload(died);
    let names = ["agentName", "capability", "taskId", "terminatedBy", "said", "resume"];
    let found: Vec<&Value> = names.iter().map(|name| &told[*name]).collect();
    assert_eq!(
        found,
        [
            &json!("b"),
            &json!("builder"),
            &json!(null),
            &json!("runner"),
            &json!("so long"),
            &json!(null)
        ]
    );
    let exit = json!({ "outcome": "failed", "reason": "no_result", "code": 1, "signal": null });
    assert_eq!(told["exit"], exit);
    assert_eq!(told["reason"], "its turn failed: no_result: it said nothing");
    assert_eq!(told["lastActivity"], "1970-01-01T00:16:40.000Z");
    for words in ["b: its turn failed", "Exit code: 1", "It said last: so long", "send mail to b"] {
        assert!(died.body.contains(words), "{}", died.body);
    }
}

#[test]
fn a_silent_end_says_which_mail_was_owed() {
    let told = after(&[&TWO[..], &["done t"]].concat());
    let [silent] = &told[..] else { panic!("one is told, not {}", told.len()) };
    let reason = payload(silent)["reason"].as_str().expect("text").to_owned();
    assert!(reason.contains("done, worker_done, result"), "{reason}");
}

#[test]
fn returned_mail_says_what_it_was_and_stays_in_its_thread() {
    let told = after(&["agent a", "agent b", "turn t b", "mail m1 a b", "stop b"]);
    let [returned] = &told[..] else { panic!("one is told, not {}", told.len()) };
    assert_eq!((returned.kind.as_str(), returned.to.as_str()), (mail_kind::RETURNED, "a"));
    assert_eq!(returned.subject, "Returned: news");
    assert_eq!(Some(&returned.thread), returned.reply_to.as_ref());
    let told = payload(returned);
    let names = ["mail", "to", "kind", "because", "tries"];
    let found: Vec<&Value> = names.iter().map(|name| &told[*name]).collect();
    let mail = json!(returned.thread);
    assert_eq!(found, [&mail, &json!("b"), &json!("status"), &json!("`b` is stopped"), &json!(0)]);
}

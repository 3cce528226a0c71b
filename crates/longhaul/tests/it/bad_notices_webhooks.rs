//! Receivers of webhooks on a bad day: no news is lost for it, and nobody else waits for it.

use crate::bad_notices_support::{
    Answer, Receiver, SHORT_TRIES, add_webhook, answers, configure, ends, owed, says, until,
    until_so,
};
use crate::harness::Home;
use serde_json::json;

/// Bytes of what a receiver says about its trouble.
const ERROR_BYTES: usize = 64 * 1_024;

#[test]
fn a_receiver_that_takes_it_and_dies_before_it_answers_gets_it_again() {
    let home = Home::new();
    let script = |before, _: &_| if before == 0 { Answer::Dies } else { says("200 OK") };
    let receiver = Receiver::start(script);
    add_webhook(&home, "ci", &receiver);
    let job = ends(&home, &["ci"]);
    let told = until(&home, &job, "sink:ci", "acked");
    assert_eq!((&told["try"], &told["failures"]), (&json!(2), &json!(1)));
    assert_eq!(receiver.ids(), [told["id"].as_str().unwrap(); 2]);
    assert!(answers(&told)[0].starts_with("no answer: "), "{told}");
    assert_eq!(answers(&told)[1], "HTTP 200: ok");
}

#[test]
fn an_answer_that_comes_too_late_does_not_count() {
    let home = Home::new();
    configure(&home, SHORT_TRIES);
    let script = |before, _: &_| if before == 0 { Answer::TooLate } else { says("200 OK") };
    let receiver = Receiver::start(script);
    add_webhook(&home, "ci", &receiver);
    let job = ends(&home, &["ci"]);
    let told = until(&home, &job, "sink:ci", "acked");
    assert_eq!(told["try"], 2);
    assert_eq!(receiver.ids(), [told["id"].as_str().unwrap(); 2]);
    assert_eq!(answers(&told), ["no answer within 0.7 s", "HTTP 200: ok"]);
}

#[test]
fn a_receiver_that_wants_no_more_gets_no_more() {
    let home = Home::new();
    let receiver = Receiver::start(|_, _| says("410 Gone"));
    add_webhook(&home, "ci", &receiver);
    let job = ends(&home, &["ci"]);
    let dead = until(&home, &job, "sink:ci", "dead");
    assert!(dead["dead_because"].as_str().unwrap().contains("410"), "{dead}");
    assert_eq!((receiver.times(&job), &dead["try"]), (1, &json!(1)));
    let why = home.json(&["why", &job])["why"].to_string();
    assert!(why.contains("410"), "{why}");
}

#[test]
fn a_receiver_that_never_answers_holds_up_nobody_and_is_given_up_each_time() {
    let home = Home::new();
    configure(&home, SHORT_TRIES);
    let silent = Receiver::start(|_, _| Answer::Never);
    let sound = Receiver::start(|_, _| says("200 OK"));
    add_webhook(&home, "silent", &silent);
    add_webhook(&home, "sound", &sound);
    let jobs: Vec<String> = (0..20).map(|_| ends(&home, &["silent", "sound"])).collect();
    for job in &jobs {
        assert_eq!(until(&home, job, "sink:sound", "acked")["try"], 1);
    }
    // The silent one's notices take turns, oldest first; the first comes round again.
    let tried =
        until_so(&home, &jobs[0], "sink:silent", |notice| notice["failures"].as_u64() >= Some(2));
    assert!(answers(&tried).iter().all(|answer| answer == "no answer within 0.7 s"), "{tried}");
    assert_eq!(sound.ids().len(), jobs.len());
    let listed = home.json(&["sink", "list"])["sinks"].clone();
    let of = |name| listed.as_array().unwrap().iter().find(|sink| sink["name"] == name).unwrap();
    assert!(of("silent")["trouble"].as_u64() >= Some(2), "{listed}");
    assert_eq!((&of("silent")["pending"], &of("sound")["trouble"]), (&json!(20), &json!(0)));
}

#[test]
fn a_redirect_leads_a_notice_nowhere() {
    let home = Home::new();
    let inside = Receiver::start(|_, _| says("200 OK"));
    let targets = [inside.url.clone(), "http://169.254.169.254/latest/".to_owned()];
    let redirecting = Receiver::start(move |before, _| {
        let target = &targets[before.min(1)];
        says(&format!("{} Elsewhere\r\nlocation: {target}", if before == 0 { 302 } else { 307 }))
    });
    add_webhook(&home, "ci", &redirecting);
    let job = ends(&home, &["ci"]);
    let tried = until_so(&home, &job, "sink:ci", |notice| notice["failures"].as_u64() >= Some(2));
    let said = answers(&tried);
    assert!(said[0].contains("HTTP 302") && said[1].contains("HTTP 307"), "{tried}");
    assert!(said.iter().all(|answer| answer.contains("never followed")), "{tried}");
    assert_eq!(inside.ids(), [""; 0], "it was followed");
}

#[test]
fn of_a_very_long_complaint_the_first_words_are_kept() {
    let home = Home::new();
    let noise = "\u{1b}[31mno\u{7} ".repeat(ERROR_BYTES / 8);
    let receiver =
        Receiver::start(move |_, _| Answer::Says("500 Trouble".to_owned(), noise.clone()));
    add_webhook(&home, "ci", &receiver);
    let script = format!("head -c {ERROR_BYTES} /dev/zero | tr '\\0' 'e' >&2; exit 9");
    crate::bad_notices_support::add_script(&home, "loud", &script);
    let job = ends(&home, &["ci", "loud"]);
    for place in ["sink:ci", "sink:loud"] {
        let tried = until_so(&home, &job, place, |notice| notice["failures"].as_u64() >= Some(2));
        for answer in answers(&tried) {
            assert!(answer.len() <= longhaul_core::limits::ANSWER_BYTES_MAX, "{}", answer.len());
            assert!(!answer.chars().any(char::is_control), "{answer}");
            assert!(answer.contains("500") || answer.contains("exit code 9"), "{answer}");
        }
    }
    let table = home.run(&["notices", &job]);
    assert!(!table.ok().contains('\u{1b}'), "{table:?}");
    let log = std::fs::read_to_string(home.path().join("daemon.log")).unwrap_or_default();
    assert!(!log.contains('\u{1b}'), "the log would move its reader's cursor");
}

#[test]
fn of_a_job_that_wrote_very_much_the_last_words_are_told() {
    let home = Home::new();
    let receiver = Receiver::start(|_, _| says("200 OK"));
    add_webhook(&home, "ci", &receiver);
    let script =
        format!("head -c {ERROR_BYTES} /dev/zero | tr '\\0' 'e' >&2; printf end >&2; exit 1");
    let job = home.submit(&["--notify", "ci", "--", "sh", "-c", &script]);
    until(&home, &job, "sink:ci", "acked");
    let notice = &receiver.notices()[0];
    let tail = notice["output"]["stderr_tail"].as_str().unwrap();
    assert!(tail.ends_with("eend") && tail.len() <= 2_048, "{}", tail.len());
    assert!(notice.to_string().len() < 16 * 1_024, "{}", notice.to_string().len());
    assert_eq!(owed(&home, &job, "inbox")["state"], "pending");
}

//! "A thousand notices wait for another try: what does it cost?" Their sink said to come again in an
//! hour, so that nothing is due while the daemon is watched.

use crate::bench::Bench;
use crate::clock;
use crate::cost::{REST, over_a_while};
use crate::receiver::Receiver;
use crate::report::{Figure, Line, Reach, Unit};
use crate::subject::{self, Subject};
use anyhow::Result;
use serde_json::{Value, json};

const NAME: &str = "backoff";
const NOTICES: usize = 1_000;
/// Of a core; the clock that counts it ticks a hundred times a second.
const PERCENT_MAX: f64 = 0.5;
/// A second: what may be left to do for a daemon that polls nothing.
const SWITCHES_MAX: f64 = 0.5;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let receiver = Receiver::start()?;
    let subject = Subject::start(bench, "backoff")?;
    let mut connection = subject.connect()?;
    subject::add_webhook(&mut connection, "later", &receiver.url("later"))?;
    clock::rest(REST);
    let daemon = [subject.daemon()?];
    let without = over_a_while(&daemon)?;

    subject::pause(&mut connection, true)?;
    let first = subject::submit(&mut connection, &subject::noop())?;
    let mut spec = subject::noop();
    spec["after"] = json!([first]);
    spec["notify"] = json!(["later"]);
    let specs: Vec<Value> = vec![spec; NOTICES];
    subject::submit_all(&mut connection, &specs)?;
    let started = clock::Started::now();
    subject::cancel(&mut connection, &first)?;
    for _ in 0..NOTICES {
        receiver.next()?;
    }
    let put_off_ms = started.elapsed_ms();
    clock::rest(REST);
    let owed = subject::owed(&mut connection, "later")?;
    anyhow::ensure!(owed == NOTICES as u64, "{owed} of {NOTICES} notices are owed");
    let with = over_a_while(&daemon)?;

    let what = format!("daemon with {NOTICES} notices in backoff, 20 s");
    let switches = with.switches_per_second;
    Ok(vec![
        Line::new(NAME, what, with.figure()).reach(Reach::at_most(
            "< 0.5 %",
            with.percent,
            PERCENT_MAX,
        )),
        Line::new(NAME, "voluntary switches of it", with.switches()).reach(Reach::at_most(
            "nothing polls: < 0.5 a second",
            switches,
            SWITCHES_MAX,
        )),
        Line::new(NAME, "the same daemon before, 20 s", without.figure()),
        Line::new(NAME, "voluntary switches of it", without.switches()),
        Line::new(
            NAME,
            format!("{NOTICES} outcomes, each sent once and put off"),
            Figure::once(put_off_ms, Unit::Milliseconds),
        ),
    ])
}

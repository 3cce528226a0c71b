//! What a client's user is told, whatever runtimes do and transports suffer.

mod dialects;
mod pair;
mod world;

use super::*;
use crate::trace::Trace;

const FEATURES: [&str; 5] = ["heartbeat", "ack", "list_jobs", "subscribe", "result_chunk"];

fn config() -> Config {
    let client = message::Client {
        name: "tester".to_owned(),
        version: "1".to_owned(),
        fingerprint: None,
        principal: None,
    };
    Config { client, token: Some("tok".to_owned()), features: Features::named(FEATURES) }
}

fn submission(number: u64) -> Ask {
    Ask::Submit(Box::new(Submission {
        agent: "count".to_owned(),
        input: None,
        lease: message::LeaseMap::new(),
        constraints: None,
        key: format!("key-{number}"),
        is_key_fresh: true,
        runtime_secs_max: None,
        trace: Trace::parse(&format!("{:032x}", number + 1)).unwrap(),
    }))
}

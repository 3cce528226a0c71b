//! A command that knows nothing of any of this: what it says are its lines.

use super::{Call, Dialect, Failure, Finished, Refusal, Scene};
use crate::session::NoSession;

pub(super) struct Plain;

impl Dialect for Plain {
    fn begin(&self, _scene: &Scene) -> Vec<String> {
        vec![]
    }

    fn said(&self, _scene: &Scene, text: &str) -> Vec<String> {
        vec![text.to_owned()]
    }

    fn thought(&self, _scene: &Scene, _text: &str) -> Vec<String> {
        vec![]
    }

    fn called(&self, _scene: &Scene, call: &Call) -> Vec<String> {
        vec![format!("$ {}", call.args["command"].as_str().unwrap_or(&call.tool))]
    }

    fn finished(&self, _scene: &Scene, _call: &Call, how: &Finished) -> Vec<String> {
        how.output.lines().map(str::to_owned).collect()
    }

    fn done(&self, _scene: &Scene) -> Vec<String> {
        vec![]
    }

    fn failed(&self, _scene: &Scene, failure: &Failure) -> Vec<String> {
        vec![failure.message.clone()]
    }

    fn refused(&self, _why: &NoSession) -> Refusal {
        Refusal { lines: vec![], stderr: "no such conversation".to_owned(), code: 1 }
    }
}

//! Kinds of mail and what each must bring: a message that a program acts on is checked when it is
//! sent, not when it is read.

use crate::spec::{BadSpec, bad};
use serde_json::{Map, Value};

/// What a field of a payload holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Text.
    Text,
    /// Text or nothing at all.
    TextOrNull,
    /// A whole number.
    Number,
    /// Yes or no.
    Flag,
    /// A list of texts.
    Texts,
    /// A list of anything, not empty.
    Options,
}

impl Holds {
    fn fits(self, value: &Value) -> bool {
        let list = value.as_array();
        match self {
            Self::Text => value.is_string(),
            Self::TextOrNull => value.is_string() || value.is_null(),
            Self::Number => value.is_i64() || value.is_u64(),
            Self::Flag => value.is_boolean(),
            Self::Texts => list.is_some_and(|texts| texts.iter().all(Value::is_string)),
            Self::Options => list.is_some_and(|options| !options.is_empty()),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::TextOrNull => "text or null",
            Self::Number => "a whole number",
            Self::Flag => "true or false",
            Self::Texts => "a list of texts",
            Self::Options => "a list that is not empty",
        }
    }
}

/// A kind of mail.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// What its payload must hold. Where nothing must be, the payload may be left out.
    pub required: &'static [(&'static str, Holds)],
    /// What its payload may hold beside; more than that is not looked at.
    pub optional: &'static [(&'static str, Holds)],
}

/// The kind of a message of which none is named.
pub const DEFAULT: &str = "status";
/// The kind of what tells a sender that a message could not be delivered. Ours alone.
pub const RETURNED: &str = "returned";
/// The kind of what tells that a turn died, or ended without what its agent's role owes.
pub const WORKER_DIED: &str = "worker_died";

const fn free(name: &'static str) -> Kind {
    Kind { name, required: &[], optional: &[] }
}

const fn strict(name: &'static str, required: &'static [(&'static str, Holds)]) -> Kind {
    Kind { name, required, optional: &[] }
}

/// All kinds.
pub const KINDS: [Kind; 16] = {
    use Holds::{Flag, Number, Options, Text, TextOrNull, Texts};
    [
        free(DEFAULT),
        free("question"),
        free("result"),
        free("error"),
        free("done"),
        free(RETURNED),
        strict(
            "worker_done",
            &[
                ("taskId", TextOrNull),
                ("branch", TextOrNull),
                ("exitCode", Number),
                ("filesModified", Texts),
            ],
        ),
        Kind {
            name: WORKER_DIED,
            required: &[("agentName", Text), ("reason", Text)],
            optional: &[
                ("capability", TextOrNull),
                ("taskId", TextOrNull),
                ("lastActivity", TextOrNull),
                ("terminatedBy", Text),
            ],
        },
        strict(
            "merge_ready",
            &[
                ("branch", Text),
                ("taskId", TextOrNull),
                ("agentName", Text),
                ("filesModified", Texts),
            ],
        ),
        strict("merged", &[("branch", Text), ("taskId", TextOrNull), ("tier", Text)]),
        strict(
            "merge_failed",
            &[
                ("branch", Text),
                ("taskId", TextOrNull),
                ("conflictFiles", Texts),
                ("errorMessage", Text),
            ],
        ),
        strict("escalation", &[("severity", Text), ("taskId", TextOrNull), ("context", Text)]),
        strict("health_check", &[("agentName", Text), ("checkType", Text)]),
        Kind {
            name: "dispatch",
            required: &[
                ("taskId", Text),
                ("specPath", TextOrNull),
                ("capability", Text),
                ("fileScope", Texts),
            ],
            optional: &[("skipScouts", Flag), ("skipReview", Flag), ("maxAgents", Number)],
        },
        strict(
            "assign",
            &[("taskId", Text), ("specPath", TextOrNull), ("workerName", Text), ("branch", Text)],
        ),
        Kind {
            name: "decision_gate",
            required: &[("options", Options), ("context", Text)],
            optional: &[("deadline", TextOrNull)],
        },
    ]
};

/// Whether whoever sends this kind waits for an answer.
pub fn asks(kind: &str) -> bool {
    matches!(kind, "question" | "decision_gate")
}

/// Refuses a kind that there is not, and a payload that does not fit it.
///
/// # Errors
/// [`BadSpec`] names the field.
pub fn check(kind: &str, payload: Option<&str>) -> Result<(), BadSpec> {
    let Some(known) = KINDS.iter().find(|known| known.name == kind) else {
        let names: Vec<&str> = KINDS.iter().map(|known| known.name).collect();
        return Err(bad("kind", &format!("is none of {}", names.join(", "))));
    };
    let Some(text) = payload else {
        let Some((first, _)) = known.required.first() else { return Ok(()) };
        return Err(bad("payload", &format!("is missing; `{kind}` needs one with `{first}`")));
    };
    let fields: Map<String, Value> =
        serde_json::from_str(text).map_err(|_| bad("payload", "is no JSON object"))?;
    for (name, holds) in known.required {
        if !fields.get(*name).is_some_and(|value| holds.fits(value)) {
            let needs = format!("of kind `{kind}` needs `{name}`: {}", holds.words());
            return Err(bad("payload", &needs));
        }
    }
    for (name, holds) in known.optional {
        if fields.get(*name).is_some_and(|value| !holds.fits(value)) {
            let may = format!("of kind `{kind}` may hold `{name}` as {}", holds.words());
            return Err(bad("payload", &may));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: &str, payload: Option<&str>) -> Option<String> {
        check(kind, payload).err().map(|bad| bad.to_string())
    }

    #[test]
    fn free_kinds_take_any_object_or_none() {
        for kind in ["status", "question", "result", "error", "done", "returned"] {
            for payload in [None, Some("{}"), Some(" {\"any\": [1]} ")] {
                assert_eq!(problem(kind, payload), None, "{kind} {payload:?}");
            }
        }
    }

    #[test]
    fn each_kind_takes_what_it_is_said_to_bring() {
        let whole = r#"{"taskId":"t","branch":"b","exitCode":0,"filesModified":["f"],
            "agentName":"a","reason":"r","capability":null,"lastActivity":null,
            "terminatedBy":"runner","tier":"clean","conflictFiles":[],"errorMessage":"e",
            "severity":"warning","context":"c","checkType":"liveness","specPath":"s",
            "fileScope":[],"skipScouts":true,"skipReview":false,"maxAgents":3,"workerName":"w",
            "options":["a","b"],"deadline":"2026-01-31T12:00:00Z","more":{}}"#;
        for kind in KINDS {
            let mut fields: Map<String, Value> = serde_json::from_str(whole).expect("an object");
            if kind.name == "dispatch" {
                fields.insert("capability".into(), "builder".into());
            }
            let text = |fields: &Map<String, Value>| serde_json::to_string(fields).expect("plain");
            assert_eq!(problem(kind.name, Some(&text(&fields))), None);
            for (name, _) in kind.required {
                let mut fewer = fields.clone();
                fewer.remove(*name);
                let found = problem(kind.name, Some(&text(&fewer))).expect("it is missing");
                assert!(found.contains(name), "{found}");
            }
            for (name, _) in kind.required.iter().chain(kind.optional) {
                let mut other = fields.clone();
                other.insert((*name).to_owned(), serde_json::json!({ "of": "another type" }));
                let found = problem(kind.name, Some(&text(&other))).expect("it is of another type");
                assert!(found.contains(name), "{found}");
            }
            assert_eq!(problem(kind.name, None).is_some(), !kind.required.is_empty());
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        let of = |kind, payload| problem(kind, payload).expect("it is refused");
        assert!(of("wish", None).starts_with("`kind` is none of status, question,"));
        for payload in ["", "[]", "1", "null", "{", "\"text\"", "{}x"] {
            assert_eq!(of("status", Some(payload)), "`payload` is no JSON object");
        }
        assert_eq!(
            of("worker_done", Some(r#"{"taskId":null,"branch":"b","exitCode":0.5}"#)),
            "`payload` of kind `worker_done` needs `exitCode`: a whole number"
        );
        assert_eq!(
            of("worker_done", None),
            "`payload` is missing; `worker_done` needs one with `taskId`"
        );
    }
}

//! What the domain refuses, as it is answered: under which status, and with what to do next.

use axum::http::StatusCode;
use longhaul_core::command::Refused;

/// Under which status a refusal is answered.
pub(super) fn status(refused: &Refused) -> StatusCode {
    match refused {
        Refused::NotFound(_)
        | Refused::NoPool(_)
        | Refused::NoSink(_)
        | Refused::NoDelivery(_)
        | Refused::NoAgent(_)
        | Refused::NoMail(_)
        | Refused::NoSession(_)
        | Refused::NoCredential { .. }
        | Refused::NoApproval(_) => StatusCode::NOT_FOUND,
        Refused::WrongToken(_) | Refused::NotYours(_) => StatusCode::FORBIDDEN,
        Refused::BadSpec(_) | Refused::BadPiece(_) | Refused::BadCharge(_) => {
            StatusCode::BAD_REQUEST
        }
        Refused::InBatch { refused, .. } => status(refused),
        Refused::Ended { .. }
        | Refused::NotEnded { .. }
        | Refused::NotCleaned { .. }
        | Refused::KeyReused { .. }
        | Refused::IdTaken(_)
        | Refused::TooMany { .. }
        | Refused::SinkTaken(_)
        | Refused::NotDead { .. }
        | Refused::StillOwed { .. }
        | Refused::NotPresent(_)
        | Refused::AgentTaken(_)
        | Refused::AgentEnded { .. }
        | Refused::AgentBusy { .. }
        | Refused::NoRecipients(_)
        | Refused::Answered { .. }
        | Refused::AlreadyTaken { .. }
        | Refused::BudgetSpent(_)
        | Refused::FeedGone { .. }
        | Refused::TokenTaken
        | Refused::StaleConnection(_)
        | Refused::StaleDelivery(_)
        | Refused::StaleCredential(_)
        | Refused::Stale(_)
        | Refused::Repeat => StatusCode::CONFLICT,
    }
}

/// What to do next, where there is something.
pub(super) fn hint(refused: &Refused) -> Option<String> {
    let text = match refused {
        Refused::NotFound(_) => "`longhaul list` shows what there is".to_owned(),
        Refused::NoPool(name) => format!("`longhaul pool set {name} --slots 4` makes it"),
        Refused::NoSink(name) => {
            format!("`longhaul sink add {name} …` makes it; `longhaul sink list` shows all")
        }
        Refused::SinkTaken(name) => {
            format!("`longhaul sink add {name} … --replace` puts this in its place")
        }
        Refused::NoDelivery(_) => "`longhaul notices` shows what there is".to_owned(),
        Refused::NotDead { delivery, .. } => {
            format!("`longhaul notices` says how {delivery} stands")
        }
        Refused::StillOwed { job, .. } => format!(
            "`longhaul notices {job}` says who; `longhaul show {job} --settle` settles its owner's"
        ),
        Refused::NoAgent(name) => no_agent(name),
        Refused::AgentTaken(name) => format!("`longhaul agent add {name} … --replace` changes it"),
        Refused::AgentEnded { agent, .. } => {
            format!("`longhaul agent show {agent}` says when and why")
        }
        Refused::AgentBusy { agent, .. } => format!("`longhaul agent stop {agent}` ends it"),
        Refused::NoRecipients(_) => "`longhaul agent list` shows who there is".to_owned(),
        Refused::NoMail(_) => "`longhaul mail list` shows what there is".to_owned(),
        Refused::NoApproval(_) | Refused::Answered { .. } => {
            "`longhaul approvals` shows what waits for an answer".to_owned()
        }
        Refused::BudgetSpent(name) => format!("`longhaul agent show {name}` says what it used"),
        Refused::Ended { job, .. } => format!("`longhaul retry {job}` starts it again"),
        Refused::NotEnded { job, .. } => {
            format!("`longhaul wait {job}` waits for it, `longhaul cancel {job}` ends it")
        }
        Refused::NotCleaned { job, .. } => format!("`longhaul why {job}` says what is missing"),
        Refused::KeyReused { job, .. } => {
            format!("`longhaul show {job}` is the job of that key; use another key")
        }
        Refused::NoCredential { job, .. } => {
            format!("`longhaul credentials list {job}` shows what it has")
        }
        Refused::InBatch { refused, .. } => return hint(refused),
        Refused::BadSpec(_)
        | Refused::IdTaken(_)
        | Refused::TooMany { .. }
        | Refused::NotPresent(_)
        | Refused::NoSession(_)
        | Refused::WrongToken(_)
        | Refused::FeedGone { .. }
        | Refused::StaleConnection(_)
        | Refused::NotYours(_)
        | Refused::TokenTaken
        | Refused::BadPiece(_)
        | Refused::BadCharge(_)
        | Refused::StaleDelivery(_)
        | Refused::StaleCredential(_)
        | Refused::Stale(_)
        | Refused::AlreadyTaken { .. }
        | Refused::Repeat => return None,
    };
    Some(text)
}

fn no_agent(name: &str) -> String {
    // Nobody can be called like a group.
    if name.starts_with('@') {
        return "`longhaul agent list` shows who there is; a person is `@` and the owner of an agent"
            .to_owned();
    }
    format!("`longhaul agent add {name} --kind …` makes it; `longhaul agent list` shows all")
}

//! Tool calls that ask whether they may run; questions, and the answers of people.

use super::Shared;
use super::body::parse;
use super::digest::hex_of;
use super::error::{Answer, Failure};
use super::operations::all_lead_to;
use super::proof::proven;
use super::query::Query;
use super::resolve::{CANDIDATES_MAX, as_prefix, find, reread};
use super::spec::home_folder;
use crate::api::{
    ApprovalAsk, ApprovalState, ApprovalView, ApprovalsPage, AuthorizeAnswer, AuthorizeAsk,
    ToolDecision,
};
use crate::project::{owner_in, project_of};
use crate::views;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use longhaul_core::approval::Approval;
use longhaul_core::command::{Command, Refused, Reply};
use longhaul_core::decide::clip;
use longhaul_core::id::{ApprovalId, JobId};
use longhaul_core::limits;
use longhaul_core::policy::ToolCall;
use longhaul_core::port::{Reader, Record, StoreError, Table};
use longhaul_core::spec::check_word;
use std::time::Duration;

/// Questions on one page unless the asker says otherwise, and at most.
const PAGE_APPROVALS_MAX: u32 = 1_000;
/// The longest that one request is held until a person has answered; then it is asked again.
const HELD_MAX: Duration = Duration::from_secs(24 * 3_600);

/// `POST /v1/jobs/{job}/authorize`
pub(super) async fn authorize(
    State(ports): State<Shared>,
    Path(job): Path<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<Json<AuthorizeAnswer>> {
    let query = Query::parse(raw.as_deref(), &["wait_ms"])?;
    let patience = query.number("wait_ms")?.map(Duration::from_millis);
    let ask: AuthorizeAsk = parse(&body)?;
    let job = proven(&ports, &headers, &job, ask.attempt)?;
    check_word("tool", &ask.tool).map_err(|bad| Failure::bad_request(bad.to_string()))?;
    // Watched before it is asked, so that no answer falls between.
    let mut watch = ports.journal.watch_job(&job);
    let command = command(&ports, job, ask).await?;
    let asked = match ports.engine.ask(command.clone()).await? {
        Reply::Asked(asked) => asked,
        reply => return Ok(Json(answer(reply)?)),
    };
    let until_answered = async {
        loop {
            watch.changed().await;
            let id = asked.clone();
            let known = ports.readers.read(move |reader| load(reader, &id)).await?;
            if !known.is_some_and(|approval| approval.is_open()) {
                return Ok::<_, Failure>(());
            }
        }
    };
    let patience = patience.unwrap_or_default().min(HELD_MAX);
    match tokio::time::timeout(patience, until_answered).await {
        Ok(answered) => {
            answered?;
            Ok(Json(answer(ports.engine.ask(command).await?)?))
        }
        Err(_) => Ok(Json(answer(Reply::Asked(asked))?)),
    }
}

async fn command(ports: &Shared, job: JobId, ask: AuthorizeAsk) -> Answer<Command> {
    let AuthorizeAsk {
        attempt,
        tool,
        call,
        asks_again,
        command,
        mut writes,
        mut reads,
        fetches,
        input,
    } = ask;
    let row = reread(ports, &job).await?;
    if let Some(row) = row.filter(|row| row.spec.hosted.is_some()) {
        // A lease is about the files that are touched, whatever they are called on the way.
        writes.extend(all_lead_to(&row.spec.cwd, writes.clone()).await?);
        reads.extend(all_lead_to(&row.spec.cwd, reads.clone()).await?);
    }
    let input = input.to_string();
    let key = if asks_again && !call.is_empty() {
        call.clone()
    } else {
        // A CLI that tries a call again gives it another name, and may not be asked about for ever.
        hex_of(format!("{tool}\0{input}").as_bytes())
    };
    let input = clip(&input, limits::TOOL_INPUT_BYTES_MAX);
    let call = ToolCall { call, key, tool, command, writes, reads, fetches, input };
    Ok(Command::Authorize { job, attempt, call: Box::new(call) })
}

fn answer(reply: Reply) -> Answer<AuthorizeAnswer> {
    let plain = |decision| AuthorizeAnswer { decision, reason: None, approval: None };
    Ok(match reply {
        Reply::Allowed => plain(ToolDecision::Allowed),
        Reply::Unsaid => plain(ToolDecision::Unsaid),
        Reply::Denied { reason, code: _ } => {
            AuthorizeAnswer { reason: Some(reason), ..plain(ToolDecision::Denied) }
        }
        Reply::Asked(id) => {
            AuthorizeAnswer { approval: Some(id.to_string()), ..plain(ToolDecision::Asked) }
        }
        _ => return Err(super::jobs::odd_reply()),
    })
}

/// `GET /v1/approvals`
pub(super) async fn list(
    State(ports): State<Shared>,
    RawQuery(raw): RawQuery,
) -> Answer<Json<ApprovalsPage>> {
    let known = ["job", "state", "owner", "agent", "limit", "cursor"];
    let query = Query::parse(raw.as_deref(), &known)?;
    let states = query.words("state");
    super::jobs::check_words("state", &states, &ApprovalState::ALL.map(ApprovalState::name))?;
    let job = match query.text("job") {
        Some(job) => Some(find(&ports, job).await?.id.to_string()),
        None => None,
    };
    let (owner, agent) = (query.text("owner"), query.text("agent"));
    let (owner, agent) = (owner.map(str::to_owned), agent.map(str::to_owned));
    let limit = query.number("limit")?.unwrap_or(PAGE_APPROVALS_MAX).clamp(1, PAGE_APPROVALS_MAX);
    let mut after = query.text("cursor").unwrap_or_default().to_owned();
    let page = ports.readers.read(move |reader| {
        let mut approvals: Vec<ApprovalView> = Vec::new();
        loop {
            let rows = reader.rows(Table::Approval, job.as_deref(), &after, PAGE_APPROVALS_MAX)?;
            let is_last = rows.len() < PAGE_APPROVALS_MAX as usize;
            for row in rows {
                if approvals.len() >= limit as usize {
                    return Ok(ApprovalsPage { approvals, next_cursor: Some(after) });
                }
                after.clone_from(&row.id);
                let approval = Approval::from_row(&row)?;
                let fits = |wanted: &Option<String>, is: Option<&str>| {
                    wanted.as_deref().is_none_or(|wanted| Some(wanted) == is)
                };
                let is_wanted =
                    states.is_empty() || states.iter().any(|state| state == approval.state.name());
                if is_wanted
                    && fits(&owner, approval.owner.as_deref())
                    && fits(&agent, Some(&approval.agent))
                {
                    approvals.push(views::approval(&approval));
                }
            }
            if is_last {
                return Ok(ApprovalsPage { approvals, next_cursor: None });
            }
        }
    });
    Ok(Json(page.await?))
}

/// `POST /v1/approvals/{id}`
pub(super) async fn decide(
    State(ports): State<Shared>,
    Path(text): Path<String>,
    body: Bytes,
) -> Answer<Json<ApprovalView>> {
    let ApprovalAsk { allow, reason, by } = parse(&body)?;
    let by = by.unwrap_or_else(|| owner_in(&project_of(std::path::Path::new(&home_folder()))));
    check_word("by", &by).map_err(|bad| Failure::bad_request(bad.to_string()))?;
    let approval = meant(&ports, &text).await?;
    let answer = Command::Answer { approval: approval.clone(), is_allowed: allow, reason, by };
    ports.engine.ask(answer).await?;
    let id = approval.clone();
    let known = ports.readers.read(move |reader| load(reader, &id)).await?;
    let known = known.ok_or_else(|| Failure::from(Refused::NoApproval(approval)))?;
    Ok(Json(views::approval(&known)))
}

/// The question that a text means: a whole id, or a unique prefix of one.
pub(super) async fn meant(ports: &Shared, text: &str) -> Answer<ApprovalId> {
    if let Ok(id) = ApprovalId::parse(text) {
        return Ok(id);
    }
    let unknown = || {
        let message = format!("there is no question `{}`", clip(text, 100));
        Failure::new(StatusCode::NOT_FOUND, "no_approval", message)
            .hint("`longhaul approvals` shows what waits for an answer")
    };
    let prefix = as_prefix(ApprovalId::PREFIX, text).ok_or_else(unknown)?;
    let found = ports
        .readers
        .read(move |reader| reader.by_prefix(Table::Approval, &prefix, CANDIDATES_MAX))
        .await?;
    match found.as_slice() {
        [one] => ApprovalId::parse(one).map_err(|_| unknown()),
        [] => Err(unknown()),
        _ => Err(Failure::ambiguous(text, found)),
    }
}

/// Loads a question by its id.
pub(super) fn load(
    reader: &mut dyn Reader,
    id: &ApprovalId,
) -> Result<Option<Approval>, StoreError> {
    let row = reader.load(Table::Approval, id.as_str())?;
    Ok(row.as_ref().map(Approval::from_row).transpose()?)
}

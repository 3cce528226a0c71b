//! What a process inside a job may ask for. One table: whatever is not in it is refused, so that a
//! route that is added later is a person's until somebody decides otherwise.

use super::agents::load_agent;
use super::error::{Answer, Failure};
use super::peer::{Bounds, Inside, Peer};
use super::proof::bearer;
use super::query::Query;
use super::resolve::{find, load, reread};
use super::{Shared, approvals, mail};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_core::limits;
use longhaul_core::port::{Reader, StoreError};
use longhaul_core::turn::Policy;

/// Jobs above one that are looked at to see whether it is below another.
const ABOVE_MAX: u32 = limits::DELEGATION_DEPTH_MAX + limits::AGENT_DEPTH_MAX;

/// What a request is about, as far as a job's bounds go.
#[derive(Debug, PartialEq, Eq)]
enum Wanted<'a> {
    /// Nothing that is anybody's.
    Anybodys,
    /// Jobs, or entries of the journal, that the query names by this field.
    Listed(&'static str),
    /// A job and what it wrote, to be read.
    Read(&'a str),
    /// A job, to be done something about.
    Child(&'a str),
    /// What the attempt itself reports, or asks leave for.
    Own(&'a str),
    /// Mail, sent or taken.
    Post,
    /// The mail of a mailbox.
    Mailbox,
    /// One message.
    Letter(&'a str),
    /// An answer to a question.
    Approval(&'a str),
    /// Anything else.
    Other,
}

/// Lets pass what the one who asks may ask for.
pub(super) async fn guard(State(ports): State<Shared>, request: Request, next: Next) -> Response {
    let Some(Peer::Inside(inside)) = request.extensions().get::<Peer>().cloned() else {
        return next.run(request).await;
    };
    // The body cannot be looked at, and so cannot be held while rows are read.
    let (head, body) = request.into_parts();
    match check(&ports, &inside, &head).await {
        Ok(()) => next.run(Request::from_parts(head, body)).await,
        Err(failure) => failure.into_response(),
    }
}

/// Refuses what processes of this job may not ask for.
async fn check(ports: &Shared, inside: &Inside, head: &Parts) -> Answer<()> {
    let bounds = inside.bounds.get_or_try_init(|| bounds_of(ports, &inside.job)).await?;
    let wanted = wanted(&head.method, head.uri.path());
    if *bounds == Bounds::Free {
        return match wanted {
            Wanted::Approval(id) => not_its_own(ports, inside, id).await,
            _ => Ok(()),
        };
    }
    let may = match wanted {
        Wanted::Anybodys => true,
        Wanted::Listed(field) => match Query::of_any(head.uri.query())?.only(field) {
            Some(job) => is_within(ports, inside, job, true).await?,
            None => false,
        },
        Wanted::Read(job) => is_within(ports, inside, job, true).await?,
        Wanted::Child(job) => is_within(ports, inside, job, false).await?,
        Wanted::Own(job) => job == inside.job.as_str() && is_proven(ports, inside, head),
        Wanted::Post => is_proven(ports, inside, head),
        Wanted::Mailbox => {
            let query = Query::of_any(head.uri.query())?;
            ["to", "from"].iter().any(|end| query.only(end).is_some_and(|at| is_of(bounds, at)))
        }
        Wanted::Letter(id) => {
            let letter = mail::find(ports, id).await?;
            is_of(bounds, &letter.to) || is_of(bounds, &letter.from)
        }
        Wanted::Approval(_) | Wanted::Other => false,
    };
    if may { Ok(()) } else { Err(inside_job(inside, bounds)) }
}

fn wanted<'a>(method: &Method, path: &'a str) -> Wanted<'a> {
    let Some(path) = path.strip_prefix("/v1/") else { return Wanted::Other };
    let parts: Vec<&str> = path.split('/').collect();
    match (method.as_str(), parts.as_slice()) {
        ("GET", ["status"] | ["agents"]) => Wanted::Anybodys,
        ("GET", ["jobs"]) => Wanted::Listed("parent"),
        ("GET", ["events"]) => Wanted::Listed("job"),
        ("GET", ["jobs", job, ..]) => Wanted::Read(job),
        ("POST", ["jobs", job, "cancel" | "settle"]) => Wanted::Child(job),
        ("POST", ["jobs", job, "emit" | "authorize" | "authorize-operation" | "delegate"]) => {
            Wanted::Own(job)
        }
        ("GET", ["mail"]) => Wanted::Mailbox,
        ("GET", ["mail", id]) => Wanted::Letter(id),
        ("POST", ["mail", ..]) => Wanted::Post,
        ("POST", ["approvals", id]) => Wanted::Approval(id),
        _ => Wanted::Other,
    }
}

/// What processes of this job may ask for. One that is not there any more has nothing left to ask.
async fn bounds_of(ports: &Shared, job: &JobId) -> Answer<Bounds> {
    let Some(job) = reread(ports, job).await? else { return Ok(Bounds::Lease) };
    if job.spec.hosted.is_some() {
        return Ok(Bounds::Lease);
    }
    let Some(turn) = &job.spec.turn else { return Ok(Bounds::Free) };
    let agent = turn.agent.clone();
    let policy = match &turn.policy {
        Some(policy) => Some(policy.clone()),
        None => {
            let name = agent.clone();
            let loaded = ports.readers.glance(|reader| load_agent(reader, &name)).await?;
            loaded.map(|agent| agent.spec.policy)
        }
    };
    let is_bound = policy.is_some_and(|policy| policy != Policy::default());
    Ok(if is_bound { Bounds::Policy(agent) } else { Bounds::Free })
}

/// Whether `text` means a job that is the asker's own, if that counts, or below it.
async fn is_within(ports: &Shared, inside: &Inside, text: &str, own: bool) -> Answer<bool> {
    let job = find(ports, text).await?;
    if job.id == inside.job {
        return Ok(own);
    }
    is_below(ports, job, &inside.job).await
}

async fn is_below(ports: &Shared, job: Job, above: &JobId) -> Answer<bool> {
    let above = above.clone();
    Ok(ports.readers.glance(|reader| descends(reader, &job, &above)).await?)
}

fn descends(reader: &mut dyn Reader, job: &Job, above: &JobId) -> Result<bool, StoreError> {
    let mut parent = job.parent.clone();
    for _ in 0..ABOVE_MAX {
        let Some(id) = parent else { return Ok(false) };
        if id == *above {
            return Ok(true);
        }
        parent = load(reader, &id)?.and_then(|job| job.parent);
    }
    Ok(false)
}

/// Refuses an answer to a question about the job that the answer comes from, or one above it.
async fn not_its_own(ports: &Shared, inside: &Inside, id: &str) -> Answer<()> {
    let id = approvals::meant(ports, id).await?;
    let asked = ports.readers.glance(|reader| approvals::load(reader, &id)).await?;
    let Some(asked) = asked else { return Ok(()) };
    let Some(own) = reread(ports, &inside.job).await? else { return Ok(()) };
    if asked.job == own.id || is_below(ports, own, &asked.job).await? {
        let message = format!("{} may not answer a question that is about itself", inside.job);
        return Err(refusal(message).hint("a person answers, with `longhaul approvals`, outside"));
    }
    Ok(())
}

fn is_proven(ports: &Shared, inside: &Inside, head: &Parts) -> bool {
    let token = bearer(&head.headers).unwrap_or_default();
    ports.tokens.is_of(token, &inside.job, inside.attempt)
}

/// Whether a mailbox is that of the agent whose turn asks.
fn is_of(bounds: &Bounds, mailbox: &str) -> bool {
    matches!(bounds, Bounds::Policy(agent) if agent == mailbox)
}

fn inside_job(inside: &Inside, bounds: &Bounds) -> Failure {
    let job = &inside.job;
    match bounds {
        Bounds::Policy(_) => refusal(format!(
            "this comes from inside {job}, a turn with a policy, and is not for it to ask"
        ))
        .hint("`longhaul mail send` asks another agent or a person; a person can do this outside"),
        Bounds::Lease | Bounds::Free => refusal(format!(
            "this comes from inside {job}, which works under a lease, and is not for it to ask"
        ))
        .hint("`longhaul delegate` starts other agents under a part of the lease"),
    }
}

fn refusal(message: String) -> Failure {
    Failure::new(StatusCode::FORBIDDEN, "inside_job", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_table_is_a_persons() {
        for (method, path) in [
            (Method::POST, "/v1/jobs"),
            (Method::POST, "/v1/batch"),
            (Method::POST, "/v1/stop"),
            (Method::POST, "/v1/jobs/a/retry"),
            (Method::POST, "/v1/agents/a/turns"),
            (Method::PUT, "/v1/agents/a"),
            (Method::PUT, "/v1/sinks/a"),
            (Method::POST, "/v1/tokens"),
            (Method::POST, "/v1/prune"),
            (Method::GET, "/v1/audit"),
            (Method::GET, "/v1/inbox"),
            (Method::GET, "/arcp"),
            (Method::DELETE, "/v1/jobs/a"),
        ] {
            assert_eq!(wanted(&method, path), Wanted::Other, "{method} {path}");
        }
    }

    #[test]
    fn what_an_attempt_is_for_is_in_the_table() {
        let wanted = |method, path| wanted(&method, path);
        assert_eq!(wanted(Method::POST, "/v1/jobs/a/emit"), Wanted::Own("a"));
        assert_eq!(wanted(Method::POST, "/v1/jobs/a/delegate"), Wanted::Own("a"));
        assert_eq!(wanted(Method::POST, "/v1/jobs/a/authorize-operation"), Wanted::Own("a"));
        assert_eq!(wanted(Method::POST, "/v1/jobs/a/cancel"), Wanted::Child("a"));
        assert_eq!(wanted(Method::GET, "/v1/jobs/a/wait"), Wanted::Read("a"));
        assert_eq!(wanted(Method::POST, "/v1/mail/check"), Wanted::Post);
        assert_eq!(wanted(Method::POST, "/v1/approvals/a"), Wanted::Approval("a"));
    }
}

//! A client comes in: with a token, to a new session or to its old one.

use super::drive::Line;
use super::{From, denial};
use crate::daemon::{AskError, EngineHandle, Principal, Proof, Seat, Standing};
use crate::ids;
use longhaul_arcp::error::{Code, Denial};
use longhaul_arcp::message::{AgentEntry, ResumeRequest};
use longhaul_arcp::server::{Knock, Opened};
use longhaul_core::command::{Command, Reply};
use longhaul_core::id::{ConnectionId, SessionId};
use longhaul_core::session::Resume;
use longhaul_core::token::TokenRole;
use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

/// When a session that could not be let go is tried again; twice as long each time.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// The longest that this takes.
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(10);

/// A connection that has its session. Dropping it lets the session go, which can then be gone on with
/// elsewhere.
pub(super) struct Held {
    pub(super) seat: Seat,
    pub(super) principal: Principal,
    pub(super) standing: Standing,
    engine: EngineHandle,
}

impl Drop for Held {
    fn drop(&mut self) {
        let session = self.seat.session().clone();
        let connection = self.seat.connection().clone();
        let detach = Command::DetachSession { session, connection };
        let engine = self.engine.clone();
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                let leave = async move { let_go(|| engine.ask(detach.clone())).await };
                drop(runtime.spawn(leave));
            }
            // Whoever ends with the runtime ends with the daemon.
            Err(_) => self.engine.report(vec![detach]),
        }
    }
}

/// Asks until it is committed that nobody has the session any more, also where the disk is full at this
/// moment: who is thought to be there is kept for ever. That it was committed and the answer was lost is
/// no harm, for the connection is the fence.
async fn let_go<F>(mut ask: impl FnMut() -> F)
where
    F: Future<Output = Result<Reply, AskError>>,
{
    let mut wait = AGAIN_AFTER;
    loop {
        match ask().await {
            Ok(_) | Err(AskError::Refused(_)) => return,
            // The next start lets go of all.
            Err(AskError::Unavailable { code: "stopping", .. }) => return,
            Err(error @ (AskError::Unavailable { .. } | AskError::Bug(_))) => {
                tracing::warn!(%error, "a session could not be let go; it is tried again");
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(AGAIN_AFTER_MAX);
    }
}

/// Looks at the token, then opens a session or goes on with an old one.
pub(super) async fn knock(line: &Line, knock: Knock) -> Result<(Opened, Held), Denial> {
    let connection = ids::connection_id().map_err(no_chance)?;
    let principal = principal(line, &knock).await?;
    if let Some(guest) = &line.guest {
        guest.is_welcome();
    }
    let features = knock.features.names().into_iter().collect();
    match knock.resume {
        Some(resume) => go_on(line, principal, resume, features, connection).await,
        None => {
            let client = format!("{} {}", knock.client.name, knock.client.version);
            open(line, principal, client, features, connection).await
        }
    }
}

/// Who asks. Only for an old session, and only in the message that is made for that, does the session's
/// own token say so.
async fn principal(line: &Line, knock: &Knock) -> Result<Principal, Denial> {
    let ports = &line.host.ports;
    if let (From::Home, Some(name)) = (line.host.from, &line.vouched) {
        return Ok(Principal { name: name.clone(), is_operator: false, proof: Proof::Word });
    }
    let known = match (&knock.token, &knock.resume) {
        (Some(token), _) => ports.doors.principal(token).await.map_err(denial)?,
        (None, Some(resume)) => owner(line, resume).await.map_err(denial)?,
        (None, None) => None,
    };
    if let Some(known) = known {
        return Ok(known);
    }
    let from =
        line.guest.as_ref().map_or_else(|| "this machine".to_owned(), |guest| guest.address());
    ports.denials.note("login", &from, None);
    let late = line.guest.as_ref().and_then(|guest| guest.failed(ports.clock.now()));
    if let Some(late) = late {
        tokio::time::sleep(late).await;
    }
    Err(Denial::new(Code::Unauthenticated, "the token is good for nothing here"))
}

/// Whom the session belongs to that is asked for with its newest token.
async fn owner(line: &Line, resume: &ResumeRequest) -> Result<Option<Principal>, AskError> {
    let Some(id) = session_of(resume) else { return Ok(None) };
    let readers = &line.host.ports.readers;
    let session = readers.glance(move |reader| super::stored(reader, &id)).await?;
    let sha256 = ids::sha256_hex(&resume.resume_token);
    let session = session.filter(|session| session.is_resumed_by(&sha256));
    let Some(session) = session else { return Ok(None) };
    // Whose tokens were revoked, or are over and not given out here, has to bring a good one.
    let role = line.host.ports.doors.role_of(&session.principal).await?;
    Ok(role.map(|role| Principal {
        name: session.principal,
        is_operator: session.is_operator && role == TokenRole::Operator,
        proof: Proof::Token,
    }))
}

/// Which session is asked for. Clients that do not say so bring a token that does.
fn session_of(resume: &ResumeRequest) -> Option<SessionId> {
    match &resume.session_id {
        Some(id) => SessionId::parse(id).ok(),
        None => ids::session_of(&resume.resume_token),
    }
}

async fn open(
    line: &Line,
    principal: Principal,
    client: String,
    features: BTreeSet<String>,
    connection: ConnectionId,
) -> Result<(Opened, Held), Denial> {
    let session = ids::session_id().map_err(no_chance)?;
    let resume_token = ids::resume_token(&session).map_err(no_chance)?;
    let held = hold(line, principal, &session, &connection);
    let command = Command::OpenSession {
        session,
        principal: held.principal.name.clone(),
        is_operator: held.principal.is_operator,
        client,
        features,
        token_sha256: ids::sha256_hex(&resume_token),
        window: line.host.ports.config.sessions.window,
        connection,
    };
    line.host.ports.engine.ask(command).await.map_err(denial)?;
    Ok((opened(line, &held, resume_token, 0), held))
}

async fn go_on(
    line: &Line,
    principal: Principal,
    asked: ResumeRequest,
    features: BTreeSet<String>,
    connection: ConnectionId,
) -> Result<(Opened, Held), Denial> {
    let gone = || Denial::new(Code::ResumeWindowExpired, "there is no such session");
    let session = session_of(&asked).ok_or_else(gone)?;
    let resume_token = ids::resume_token(&session).map_err(no_chance)?;
    let held = hold(line, principal, &session, &connection);
    let after = asked.last_event_seq;
    let command = Command::ResumeSession(Box::new(Resume {
        session: session.clone(),
        principal: held.principal.name.clone(),
        is_operator: held.principal.is_operator,
        token_sha256: ids::sha256_hex(&asked.resume_token),
        next_sha256: ids::sha256_hex(&resume_token),
        after,
        features,
        connection,
    }));
    match line.host.ports.engine.ask(command).await.map_err(denial)? {
        Reply::Attached { displaced, .. } => {
            if let Some(displaced) = displaced {
                line.host.ports.feeds.displace(&session, &displaced);
            }
            Ok((opened(line, &held, resume_token, after), held))
        }
        _ => Err(Denial::internal()),
    }
}

/// Takes the seat before the engine gives the session away: nothing can be missed then.
fn hold(line: &Line, principal: Principal, session: &SessionId, connection: &ConnectionId) -> Held {
    let ports = &line.host.ports;
    let seat = ports.feeds.watch(session, connection);
    let standing = ports.doors.standing(&principal);
    Held { seat, principal, standing, engine: ports.engine.clone() }
}

fn opened(line: &Line, held: &Held, resume_token: String, after: u64) -> Opened {
    let ports = &line.host.ports;
    let agents = ports.inventory.list().into_iter().map(|offered| AgentEntry {
        name: offered.name,
        versions: offered.versions,
        default: offered.default,
    });
    Opened {
        session_id: held.seat.session().to_string(),
        resume_token,
        window: ports.config.sessions.window,
        agents: agents.collect(),
        after,
        profile: ports.config.sessions.profiles.get(&held.principal.name).copied(),
    }
}

fn no_chance(error: io::Error) -> Denial {
    tracing::error!(%error, "no random numbers");
    Denial::internal()
}

#[cfg(test)]
mod tests {
    use super::*;
    use longhaul_core::command::Refused;
    use std::future::ready;

    fn unavailable(code: &'static str) -> Result<Reply, AskError> {
        Err(AskError::Unavailable { code, message: "not now".to_owned(), retry_after_ms: 1 })
    }

    /// How often it is asked where these are the answers.
    async fn asked(answers: Vec<Result<Reply, AskError>>) -> usize {
        let (mut answers, mut times) = (answers.into_iter(), 0);
        let ask = || {
            times += 1;
            ready(answers.next().expect("it is asked no more once it is clear"))
        };
        let_go(ask).await;
        times
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_let_go_again_until_that_is_committed() {
        let mut answers = vec![unavailable("disk_full"); 20];
        answers.extend([unavailable("busy"), unavailable("store_failed"), Ok(Reply::Done)]);
        assert_eq!(asked(answers).await, 23);
        let session = SessionId::parse(&format!("sess_{}", "0".repeat(26))).unwrap();
        let stale = Err(AskError::Refused(Refused::StaleConnection(session)));
        assert_eq!(asked(vec![unavailable("disk_full"), stale]).await, 2);
        assert_eq!(asked(vec![unavailable("stopping")]).await, 1);
    }
}

//! Sessions: opened, gone on with, told of jobs, ended.

use crate::command::{Command, Refused, Reply};
use crate::event::Fact;
use crate::feed::Span;
use crate::id::{ConnectionId, JobId, SessionId};
use crate::limits;
use crate::port::Table;
use crate::session::{Resume, Session, SessionState};
use crate::spec::check_word;
use crate::time::Millis;
use crate::world::{Fault, World, session_ids};

/// Opens a session.
pub(super) fn open(world: &mut World<'_>, command: Command) -> Result<Reply, Fault> {
    let Command::OpenSession {
        session: id,
        principal,
        is_operator,
        client,
        features,
        token_sha256,
        window,
        connection,
    } = command
    else {
        unreachable!("the match of all commands hands over this one only")
    };
    check_word("principal", &principal).map_err(Refused::from)?;
    check_features(&features)?;
    let all = [
        (
            "sessions",
            world.scan()?.ids(Table::Session, "", limits::SESSIONS_MAX)?.len(),
            limits::SESSIONS_MAX,
        ),
        (
            "sessions of one principal",
            world
                .scan()?
                .children(Table::Session, &principal, "", limits::SESSIONS_PER_PRINCIPAL_MAX)?
                .len(),
            limits::SESSIONS_PER_PRINCIPAL_MAX,
        ),
    ];
    for (what, count, most) in all {
        if count >= most as usize {
            return Err(Refused::TooMany { what, limit: most.into() }.into());
        }
    }
    let host = world.place().host.clone();
    let opened_at = world.now();
    let slot = world.session_slot(&id)?;
    if slot.is_some() {
        return Err(Refused::NoSession(id).into());
    }
    *slot = Some(Session {
        id,
        principal,
        is_operator,
        client: super::clip(&client, limits::WORD_BYTES_MAX),
        features,
        token_sha256,
        state: SessionState::Attached { connection, host },
        opened_at,
        window,
        newest: 0,
        acked: 0,
        floor: 0,
        runs: 0,
        tail: None,
        follows: std::collections::BTreeSet::new(),
        open: 0,
        is_lagging: false,
    });
    Ok(Reply::Attached { newest: 0, displaced: None })
}

fn check_features(features: &std::collections::BTreeSet<String>) -> Result<(), Refused> {
    if features.len() > limits::FEATURES_MAX {
        let limit = limits::FEATURES_MAX as u64;
        return Err(Refused::TooMany { what: "features", limit });
    }
    features.iter().try_for_each(|feature| check_word("feature", feature)).map_err(Refused::from)
}

/// A client goes on with its session on another connection.
pub(super) fn resume(world: &mut World<'_>, ask: &Resume) -> Result<Reply, Fault> {
    check_features(&ask.features)?;
    let now = world.now();
    let host = world.place().host.clone();
    let session = world.session(&ask.session)?;
    let was_operator = session.is_operator;
    let displaced = session.resume(ask, &host, now)?;
    let newest = session.newest;
    if was_operator && !ask.is_operator {
        let_others_go(world, &ask.session)?;
    }
    Ok(Reply::Attached { newest, displaced })
}

/// Who was an operator and is none any more is told only of its own jobs from now on.
fn let_others_go(world: &mut World<'_>, id: &SessionId) -> Result<(), Fault> {
    let session = world.session(id)?;
    let (principal, follows) = (session.principal.clone(), session.follows.clone());
    for job in follows {
        let owner = world.find_job(&job)?.and_then(|job| job.owner.as_ref());
        if owner.is_some_and(|owner| *owner != principal) {
            world.session(id)?.follows.remove(&job);
            world.job(&job)?.followers.retain(|follower| follower != id);
        }
    }
    Ok(())
}

/// The client is done with what it was told.
pub(super) fn acknowledge(
    world: &mut World<'_>,
    id: &SessionId,
    connection: &ConnectionId,
    seq: u64,
) -> Result<Reply, Fault> {
    world.session(id)?.acknowledge(connection, seq)?;
    Ok(Reply::Done)
}

/// A connection is gone.
pub(super) fn detach(
    world: &mut World<'_>,
    id: &SessionId,
    connection: &ConnectionId,
) -> Result<Reply, Fault> {
    let now = world.now();
    world.session(id)?.detach(connection, now)?;
    Ok(Reply::Done)
}

/// Ends a session on its client's word.
pub(super) fn close(
    world: &mut World<'_>,
    id: &SessionId,
    connection: &ConnectionId,
) -> Result<Reply, Fault> {
    let now = world.now();
    world.session(id)?.detach(connection, now)?;
    end(world, id)?;
    Ok(Reply::Done)
}

/// Tells a session of a job from now on.
pub(super) fn follow(
    world: &mut World<'_>,
    id: &SessionId,
    job: &JobId,
    after: Option<u64>,
) -> Result<Reply, Fault> {
    let session = world.session(id)?.clone();
    if session.is_over() {
        return Err(Refused::NoSession(id.clone()).into());
    }
    check_right(world, id, job)?;
    let row = world.job(job)?;
    let is_over = row.outcome().is_some();
    let told = row.told.clone();
    if !is_over && !row.followers.contains(id) {
        add_follower(world, id, job)?;
    }
    // What this step recorded is told at its commit to whoever follows it by then; to who comes too late
    // for that, here.
    let is_told = world.find_job(job)?.is_some_and(|row| row.followers.contains(id));
    let news = world.news_from(job).filter(|_| is_told);
    let end = news.unwrap_or(u64::MAX);
    let newest = session.newest;
    if let Some(after) = after {
        let spans = told.iter().filter_map(|span| span.within(after.saturating_add(1), end));
        tell_again(world, id, job, spans.collect())?;
    }
    let replayed = world.session(id)?.newest - newest;
    let (session, principal) = (id.clone(), session.principal);
    world.record(job, &Fact::Followed { session, principal })?;
    Ok(Reply::Followed { newest, replayed })
}

/// Refuses to tell a session of a job that is neither its principal's nor open to operators.
pub(super) fn check_right(world: &mut World<'_>, id: &SessionId, job: &JobId) -> Result<(), Fault> {
    let session = world.session(id)?;
    let principal = session.principal.clone();
    let is_operator = session.is_operator;
    let row = world.find_job(job)?.ok_or_else(|| Refused::NotFound(job.clone()))?;
    if is_operator || row.owner.as_ref() == Some(&principal) {
        return Ok(());
    }
    Err(Refused::NotYours(job.clone()).into())
}

fn tell_again(
    world: &mut World<'_>,
    id: &SessionId,
    job: &JobId,
    spans: Vec<Span>,
) -> Result<(), Fault> {
    for span in spans {
        let finished = world.session(id)?.tell(job, span);
        world.keep(id, [finished])?;
    }
    Ok(())
}

/// Makes a session one of those that are told of an open job.
pub(super) fn add_follower(
    world: &mut World<'_>,
    id: &SessionId,
    job: &JobId,
) -> Result<(), Fault> {
    let session = world.session(id)?;
    if session.follows.len() >= limits::SESSION_FOLLOWS_MAX {
        let limit = limits::SESSION_FOLLOWS_MAX as u64;
        return Err(Refused::TooMany { what: "jobs that one session follows", limit }.into());
    }
    session.follows.insert(job.clone());
    let row = world.job(job)?;
    if row.followers.len() >= limits::FOLLOWERS_MAX {
        let limit = limits::FOLLOWERS_MAX as u64;
        return Err(Refused::TooMany { what: "sessions that follow one job", limit }.into());
    }
    if !row.followers.contains(id) {
        row.followers.push(id.clone());
    }
    Ok(())
}

/// Tells a session no more of a job. Who asked for the job goes on being told.
pub(super) fn unfollow(world: &mut World<'_>, id: &SessionId, job: &JobId) -> Result<Reply, Fault> {
    let is_asker = |row: &crate::job::Job| row.session.as_ref() == Some(id);
    if world.find_job(job)?.is_none_or(is_asker) {
        return Ok(Reply::Done);
    }
    world.session(id)?.follows.remove(job);
    world.job(job)?.followers.retain(|follower| follower != id);
    Ok(Reply::Done)
}

/// A job is asked for by a session. Refuses one that is over, or has too many open.
pub(super) fn asks(world: &mut World<'_>, id: &SessionId, job: &JobId) -> Result<(), Fault> {
    let session = world.session(id)?;
    if session.is_over() {
        return Err(Refused::NoSession(id.clone()).into());
    }
    if session.open >= limits::SESSION_JOBS_MAX {
        let limit = limits::SESSION_JOBS_MAX.into();
        return Err(Refused::TooMany { what: "open jobs of one session", limit }.into());
    }
    session.open += 1;
    session.follows.insert(job.clone());
    Ok(())
}

/// Whatever was connected to this host's last daemon is not any more.
pub(super) fn all_detached(world: &mut World<'_>) -> Result<(), Fault> {
    let (host, now) = (world.place().host.clone(), world.now());
    let mut after = String::new();
    loop {
        let ids = world.scan()?.ids(Table::Session, &after, limits::FEED_RUNS_AT_ONCE)?;
        let Some(last) = ids.last() else { return Ok(()) };
        after.clone_from(last);
        for id in session_ids(ids)? {
            let is_here = |session: &Session| matches!(&session.state, SessionState::Attached { host: at, .. } if *at == host);
            if world.find_session(&id)?.is_some_and(is_here) {
                world.session(&id)?.lost(now);
            }
        }
    }
}

/// The machine slept: who is away has as much time as before.
pub(super) fn woke(world: &mut World<'_>, slept: Millis) -> Result<(), Fault> {
    let mut after = String::new();
    loop {
        let ids = world.scan()?.ids(Table::Session, &after, limits::FEED_RUNS_AT_ONCE)?;
        let Some(last) = ids.last() else { return Ok(()) };
        after.clone_from(last);
        for id in session_ids(ids)? {
            world.session(&id)?.woke(slept);
        }
    }
}

/// A session's hour has come: it is over, or more of what it left is removed.
pub(crate) fn due_session(world: &mut World<'_>, id: &str) -> Result<(), Fault> {
    let now = world.now();
    for id in session_ids(vec![id.to_owned()])? {
        let session = world.session(&id)?;
        if session.due_at().is_none_or(|at| at > now) {
            continue;
        }
        if session.is_over() {
            sweep(world, &id)?;
        } else {
            end(world, &id)?;
        }
    }
    Ok(())
}

/// It is over: nobody tells it of anything any more. Its jobs go on.
fn end(world: &mut World<'_>, id: &SessionId) -> Result<(), Fault> {
    let now = world.now();
    let session = world.session(id)?;
    session.end(now);
    let follows = std::mem::take(&mut session.follows);
    for job in follows {
        if world.find_job(&job)?.is_some() {
            world.job(&job)?.followers.retain(|follower| follower != id);
        }
    }
    Ok(())
}

/// Removes what a session that is over has left, so much in one step; and then the session.
fn sweep(world: &mut World<'_>, id: &SessionId) -> Result<(), Fault> {
    let rows = world.children(Table::Feed, id.as_str(), limits::FEED_RUNS_AT_ONCE)?;
    if rows.is_empty() {
        *world.session_slot(id)? = None;
        return Ok(());
    }
    for row in rows {
        *world.feed_row(&row)? = None;
    }
    let now = world.now();
    world.session(id)?.end(now);
    Ok(())
}

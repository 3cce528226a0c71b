//! One connection: what comes in goes to the machine of the protocol, what that wants is done, and what
//! it says goes out. Asks are under way side by side; the machine keeps their answers in order.

use super::feed::{Page, Reading};
use super::knock::{self, Held};
use super::wire::{Came, Wire};
use super::{Host, cancel, denial, list, submit, subscribe};
use crate::daemon::{AskError, Ports, Principal};
use crate::ids;
use crate::serve::listen::Guest;
use axum::extract::ws::WebSocket;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use longhaul_arcp::error::Denial;
use longhaul_arcp::features::{Feature, Features};
use longhaul_arcp::frames::Frames;
use longhaul_arcp::profile::Profile;
use longhaul_arcp::server::{Answer, Answered, Ask, AskId, Close, Connection, Output};
use longhaul_core::command::Command;
use longhaul_core::id::{ConnectionId, SessionId};
use longhaul_core::job::Job;
use longhaul_core::port::Reader;
use longhaul_core::time::{Millis, Timestamp};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// Numbers that are read without changing the thread: changing it twice takes as long as reading some
/// dozens.
const LITTLE: u64 = 64;
/// How long nothing has to be due.
const IDLE_MAX: Millis = Millis::from_secs(3_600);

/// How a connection came to us.
pub(super) struct Line {
    pub(super) host: Arc<Host>,
    /// Whoever it is at the other end, if that is over a network.
    pub(super) guest: Option<Arc<Guest>>,
    /// Whom the person at the home's own socket vouches for.
    pub(super) vouched: Option<String>,
}

/// A session as requests see it.
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) connection: ConnectionId,
    pub(super) principal: Principal,
    pub(super) profile: Profile,
    features: Features,
    line: Arc<Line>,
}

impl Session {
    pub(super) fn ports(&self) -> &Ports {
        &self.line.host.ports
    }

    /// Whether whoever asks may know of the job.
    pub(super) fn may_see(&self, job: &Job) -> bool {
        self.principal.is_operator || job.owner.as_ref() == Some(&self.principal.name)
    }

    /// Whether both ends agreed on it.
    pub(super) fn has(&self, feature: Feature) -> bool {
        self.features.has(feature)
    }

    pub(super) fn frames(&self) -> Frames {
        Frames::new(self.id.as_str(), self.profile, &self.features)
    }
}

/// An ask under way; whoever knocked holds a session afterwards.
type Asking = BoxFuture<'static, (AskId, Answered, Option<Held>)>;
/// A piece of the feed that is being read.
type Paging = BoxFuture<'static, Result<(Reading, Page), AskError>>;

/// How far the feed is read.
enum Feed {
    /// There is no session yet, or the feed is over.
    None,
    Idle(Box<Reading>),
    Paging(Paging),
}

struct Drive {
    line: Arc<Line>,
    connection: Connection,
    wire: Wire,
    asks: FuturesUnordered<Asking>,
    held: Option<Held>,
    session: Option<Arc<Session>>,
    feed: Feed,
    /// Whether there may be more of the feed than was read.
    has_news: bool,
    /// When the client last took something, or nothing was there to take.
    moved_at: Timestamp,
}

/// What happened next.
enum Happened {
    Came(Came),
    Sent(bool),
    Answered(AskId, Answered, Option<Held>),
    Paged(Result<(Reading, Page), AskError>),
    News(News),
    Due,
    Stopped,
}

/// What is heard of a session that is held.
enum News {
    /// It was told something.
    Told,
    /// Another connection has it now.
    Displaced,
    /// What its client came in with is good for nothing any more.
    Lapsed,
}

/// Drives a connection to its end.
pub(super) async fn run(line: Line, socket: WebSocket) {
    let name = match ids::connection_id() {
        Ok(name) => name,
        Err(error) => return tracing::error!(%error, "no random numbers"),
    };
    let now = line.host.ports.clock.now();
    let connection = Connection::new(line.host.config.clone(), name.as_str(), now);
    let stop = line.host.ports.stop.clone();
    let mut drive = Box::new(Drive {
        line: Arc::new(line),
        connection,
        wire: Wire::new(socket),
        asks: FuturesUnordered::new(),
        held: None,
        session: None,
        feed: Feed::None,
        has_news: false,
        moved_at: now,
    });
    let mut stopped = std::pin::pin!(stop.stopped());
    let mut is_stopping = false;
    loop {
        if let Some(close) = drive.obey() {
            return drive.part(&close).await;
        }
        let happened = tokio::select! {
            biased;
            () = &mut stopped, if !is_stopping => Happened::Stopped,
            happened = drive.next() => happened,
        };
        is_stopping |= matches!(happened, Happened::Stopped);
        match drive.take(happened) {
            ControlFlow::Continue(()) => {}
            ControlFlow::Break(None) => return,
            ControlFlow::Break(Some(close)) => {
                // What it did not take is told again when it comes back, not before it hears why.
                drive.wire.outgoing.forget();
                return drive.part(&close).await;
            }
        }
    }
}

impl Drive {
    fn now(&self) -> Timestamp {
        self.line.host.ports.clock.now()
    }

    /// Does what the machine wants done, as far as it can be done at once. Gives how the connection is
    /// to be ended, if it is.
    fn obey(&mut self) -> Option<Close> {
        while self.wire.outgoing.has_room() {
            match self.connection.poll() {
                None => break,
                Some(Output::Send(text)) => self.wire.outgoing.push(text),
                Some(Output::Ask(id, ask)) => {
                    let asking = self.ask(id, ask);
                    self.asks.push(asking);
                }
                Some(Output::Follow { after }) => self.follow(after),
                Some(Output::Close(close)) => return Some(close),
            }
        }
        self.read_on();
        None
    }

    /// What happens next, whatever it is.
    async fn next(&mut self) -> Happened {
        let now = self.line.host.ports.clock.now();
        let wait = self.patience(now);
        let Self { connection, wire, asks, held, feed, .. } = self;
        let is_listening = connection.wants_message();
        let Wire { outgoing, incoming } = wire;
        let is_sending = outgoing.is_sending();
        tokio::select! {
            biased;
            news = news(held) => Happened::News(news),
            Some((id, answered, held)) = asks.next() => Happened::Answered(id, answered, held),
            paged = paged(feed) => Happened::Paged(paged),
            is_open = outgoing.send_some(), if is_sending => Happened::Sent(is_open),
            came = incoming.next(), if is_listening => Happened::Came(came),
            () = tokio::time::sleep(wait) => Happened::Due,
        }
    }

    /// How long to wait at most before looking at the time.
    fn patience(&self, now: Timestamp) -> Duration {
        let stalls_at = self.wire.outgoing.is_sending().then(|| self.stalls_at());
        let lapses_at = self.held.as_ref().and_then(|held| held.standing.until());
        let due_at = self.connection.due_at().into_iter().chain(stalls_at).chain(lapses_at).min();
        let wait = due_at.map_or(IDLE_MAX, |at| at.since(now).min(IDLE_MAX));
        Duration::from_millis(wait.get())
    }

    /// When a client that takes nothing of what is being sent is given up.
    fn stalls_at(&self) -> Timestamp {
        self.moved_at.plus(self.line.host.ports.config.sessions.patience)
    }

    /// Ends the connection. The session can be gone on with from now on, however long the farewell takes.
    async fn part(self: Box<Self>, close: &Close) {
        let Self { wire, held, .. } = *self;
        drop(held);
        wire.close(close).await;
    }

    /// Breaks if there is nothing more to be done: the transport is gone, or a farewell is all that is
    /// left to say.
    fn take(&mut self, happened: Happened) -> ControlFlow<Option<Close>> {
        let now = self.now();
        if !self.wire.outgoing.is_sending() {
            self.moved_at = now;
        }
        let lapses_at = self.held.as_ref().and_then(|held| held.standing.until());
        if lapses_at.is_some_and(|until| now >= until) {
            // Whatever is asked from now on is not done; the session can be gone on with.
            self.connection.end(Close::LAPSED);
        }
        match happened {
            Happened::Came(Came::Text(text)) => self.connection.on_message(text.as_str(), now),
            Happened::Came(Came::Nothing) => {}
            Happened::Came(Came::Unfit(close)) => self.connection.end(close),
            Happened::Came(Came::Gone) | Happened::Sent(false) => return ControlFlow::Break(None),
            // Nothing may be said after a farewell but the same.
            Happened::Came(Came::Farewell) => return ControlFlow::Break(Some(Close::BYE)),
            Happened::Sent(true) => self.moved_at = now,
            Happened::Answered(id, answered, held) => {
                if held.is_some() {
                    self.held = held;
                }
                self.connection.on_answer(id, answered, now);
            }
            Happened::Paged(paged) => self.paged(paged, now),
            Happened::News(News::Told) => self.has_news = true,
            Happened::News(News::Displaced) => {
                self.held = None;
                self.connection.end(Close::DISPLACED);
            }
            Happened::News(News::Lapsed) => self.connection.end(Close::LAPSED),
            Happened::Stopped => self.connection.end(Close::RESTART),
            Happened::Due => {
                if self.wire.outgoing.is_sending() && now >= self.stalls_at() {
                    tracing::debug!("a client that reads nothing is disconnected");
                    return ControlFlow::Break(Some(Close::SLOW));
                }
                self.connection.on_due(now);
            }
        }
        ControlFlow::Continue(())
    }

    fn paged(&mut self, paged: Result<(Reading, Page), AskError>, now: Timestamp) {
        match paged {
            Ok((reading, page)) => {
                self.feed = Feed::Idle(Box::new(reading));
                self.has_news |= !page.is_all;
                self.connection.on_feed(page.fed, now);
                if page.is_gone {
                    self.connection.end(Close::SLOW);
                }
            }
            Err(error) => {
                tracing::error!(%error, "a session's feed cannot be read");
                self.feed = Feed::None;
                self.connection.end(Close::FAULT);
            }
        }
    }

    /// The client is welcome: from now on there is a session, and a feed.
    fn follow(&mut self, after: u64) {
        let Some(held) = &self.held else { return };
        let session = Arc::new(Session {
            id: held.seat.session().clone(),
            connection: held.seat.connection().clone(),
            principal: held.principal.clone(),
            profile: self.connection.profile(),
            features: self.connection.features().cloned().unwrap_or_default(),
            line: Arc::clone(&self.line),
        });
        self.feed = Feed::Idle(Box::new(Reading::new(&session, session.frames(), after)));
        self.session = Some(session);
        self.has_news = true;
    }

    /// Reads the next piece of the feed, if there may be one and there is room for it.
    fn read_on(&mut self) {
        if !(self.has_news && self.connection.wants_feed()) {
            return;
        }
        match std::mem::replace(&mut self.feed, Feed::None) {
            Feed::Idle(mut reading) => {
                self.has_news = false;
                let readers = self.line.host.ports.readers.clone();
                let newest = self.held.as_ref().map_or(0, |held| held.seat.newest());
                // Of a session that was only just taken up nobody knows here how much there is.
                let is_little = newest > reading.at() && newest - reading.at() <= LITTLE;
                self.feed = Feed::Paging(Box::pin(async move {
                    let read = move |reader: &mut dyn Reader| {
                        let page = reading.page(reader)?;
                        Ok((*reading, page))
                    };
                    if is_little { readers.glance(read).await } else { readers.read(read).await }
                }));
            }
            other => self.feed = other,
        }
    }

    fn ask(&self, id: AskId, ask: Ask) -> Asking {
        let ask = match ask {
            Ask::Knock(asked) => {
                let line = Arc::clone(&self.line);
                // To its end, whatever becomes of the connection: a session that was given away must
                // be let go again.
                let task = tokio::spawn(async move { knock::knock(&line, *asked).await });
                return Box::pin(async move {
                    match task.await {
                        Ok(Ok((opened, held))) => {
                            (id, Ok(Answer::Opened(Box::new(opened))), Some(held))
                        }
                        Ok(Err(denial)) => (id, Err(denial), None),
                        Err(_) => (id, Err(Denial::internal()), None),
                    }
                });
            }
            other => other,
        };
        let Some(session) = self.session.clone() else {
            return Box::pin(async move { (id, Err(Denial::internal()), None) });
        };
        Box::pin(async move { (id, asked(&session, ask).await, None) })
    }
}

async fn asked(session: &Session, ask: Ask) -> Answered {
    match ask {
        Ask::Knock(_) => Err(Denial::internal()),
        Ask::Submit(asked) => {
            submit::submit(session, *asked).await.map(|done| Answer::Submitted(Box::new(done)))
        }
        Ask::Cancel(asked) => cancel::cancel(session, asked).await.map(|()| Answer::Done),
        Ask::List(asked) => list::list(session, asked).await.map(Answer::Listed),
        Ask::Subscribe(asked) => {
            let following = subscribe::subscribe(session, asked).await;
            following.map(|following| Answer::Following(Box::new(following)))
        }
        Ask::Unsubscribe { job_id } => {
            subscribe::unsubscribe(session, &job_id).await.map(|()| Answer::Done)
        }
        Ask::Acknowledge { event_seq: seq } => {
            let (id, connection) = (session.id.clone(), session.connection.clone());
            tell(session, Command::AcknowledgeFeed { session: id, connection, seq }).await
        }
        Ask::Leave { reason } => {
            tracing::debug!(session = %session.id, reason, "a client leaves");
            let (id, connection) = (session.id.clone(), session.connection.clone());
            tell(session, Command::DetachSession { session: id, connection }).await
        }
    }
}

async fn tell(session: &Session, command: Command) -> Answered {
    session.ports().engine.ask(command).await.map(|_| Answer::Done).map_err(denial)
}

/// What is heard next of the session that is held. May be dropped at any moment.
async fn news(held: &mut Option<Held>) -> News {
    let Some(held) = held else { return std::future::pending().await };
    let Held { seat, standing, .. } = held;
    tokio::select! {
        biased;
        () = standing.lapsed() => News::Lapsed,
        is_ours = seat.news() => if is_ours { News::Told } else { News::Displaced },
    }
}

async fn paged(feed: &mut Feed) -> Result<(Reading, Page), AskError> {
    match feed {
        Feed::Paging(paging) => paging.await,
        Feed::None | Feed::Idle(_) => std::future::pending().await,
    }
}

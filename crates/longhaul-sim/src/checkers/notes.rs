//! Notices as the naive model knows them: who is owed what, who holds it, who knows. It answers every
//! command about them; what time and couriers did afterwards is checked by [`super::standing`].

use super::Seen;
use crate::snapshot::Snapshot;
use longhaul_core::command::{Command, Reply};
use longhaul_core::delivery::{Claimant, Delivery, DeliveryState, Destination, Settled};
use longhaul_core::id::{DeliveryId, HostId, JobId, PresenceId};
use longhaul_core::limits;
use longhaul_core::owner::OwnerState;
use longhaul_core::sink::SinkKind;
use longhaul_core::time::{Millis, Timestamp};
use std::collections::BTreeMap;

type Right = Result<Reply, &'static str>;

/// Who holds a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By<'a> {
    Courier(&'a HostId),
    Presence { id: &'a PresenceId, owner: &'a str, host: &'a HostId },
}

/// Where a notice is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Is<'a> {
    Ready,
    /// Not before a moment between these.
    Waits(Timestamp, Timestamp),
    Held {
        by: By<'a>,
        until: Timestamp,
        is_sent: bool,
    },
    Knows {
        by: String,
        how: Settled,
    },
    Dead,
}

/// One notice.
#[derive(Clone, Debug)]
pub(super) struct Note<'a> {
    pub(super) job: JobId,
    /// The sink, or none for the owner.
    pub(super) sink: Option<&'a str>,
    pub(super) owner: Option<&'a str>,
    pub(super) project: Option<&'a str>,
    pub(super) seq: u64,
    pub(super) tries: u32,
    pub(super) failures: u32,
    pub(super) lapses: u32,
    pub(super) since: Timestamp,
    pub(super) is: Is<'a>,
}

/// A sink.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) kind: &'a SinkKind,
    pub(super) is_there: bool,
    pub(super) trouble: u32,
}

/// A connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Here<'a> {
    pub(super) owner: &'a str,
    pub(super) project: Option<&'a str>,
    pub(super) host: &'a HostId,
}

/// All of them.
#[derive(Clone)]
pub(super) struct Notes<'a> {
    pub(super) all: BTreeMap<DeliveryId, Note<'a>>,
    pub(super) sinks: BTreeMap<&'a str, Place<'a>>,
    pub(super) here: BTreeMap<&'a PresenceId, Here<'a>>,
    /// Owners whose notices others may have.
    open: Vec<&'a str>,
    me: &'a HostId,
    now: Timestamp,
    /// Only asked for the order of what this step made.
    after: &'a Snapshot,
}

impl<'a> By<'a> {
    pub(super) const fn of(claimant: &'a Claimant) -> Self {
        match claimant {
            Claimant::Courier(host) => Self::Courier(host),
            Claimant::Presence { id, owner, host } => {
                Self::Presence { id, owner: owner.as_str(), host }
            }
        }
    }

    const fn host(self) -> &'a HostId {
        match self {
            Self::Courier(host) | Self::Presence { host, .. } => host,
        }
    }
}

impl<'a> Note<'a> {
    fn of(delivery: &'a Delivery) -> Self {
        let is = match &delivery.state {
            DeliveryState::Pending { is_due: true, .. } => Is::Ready,
            DeliveryState::Pending { not_before, .. } => Is::Waits(*not_before, *not_before),
            DeliveryState::Claimed { by, until } => {
                Is::Held { by: By::of(by), until: *until, is_sent: false }
            }
            DeliveryState::Sent { by, ack_by } => {
                Is::Held { by: By::of(by), until: *ack_by, is_sent: true }
            }
            DeliveryState::Acked { by, how, .. } => Is::Knows { by: by.clone(), how: *how },
            DeliveryState::Dead { .. } => Is::Dead,
        };
        let sink = match &delivery.to {
            Destination::Inbox => None,
            Destination::Sink(name) => Some(name.as_str()),
        };
        Self {
            job: delivery.job.clone(),
            sink,
            owner: delivery.owner.as_deref(),
            project: delivery.project.as_deref(),
            seq: delivery.seq,
            tries: delivery.tries,
            failures: delivery.failures,
            lapses: delivery.lapses,
            since: delivery.owed_since,
            is,
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self.is, Is::Ready | Is::Waits(..) | Is::Held { .. })
    }

    fn is_held_by(&self, presence: &PresenceId) -> bool {
        matches!(&self.is, Is::Held { by: By::Presence { id, .. }, .. } if *id == presence)
    }

    fn is_for(&self, owner: &str) -> bool {
        self.sink.is_none() && self.owner == Some(owner)
    }
}

/// Doubling, capped, less at most a quarter.
pub(super) fn backoff(tries: u32, most: Millis) -> (Millis, Millis) {
    let whole = (1_000_u64 << (tries.max(1) - 1).min(30)).min(most.get());
    (Millis::new(whole - whole / 4), Millis::new(whole))
}

impl<'a> Notes<'a> {
    pub(super) fn of(seen: &Seen<'a>) -> Self {
        let before = seen.before;
        let all = before.deliveries.iter().map(|(id, owed)| (id.clone(), Note::of(&owed.delivery)));
        let sinks = before.sinks.values().map(|sink| {
            let (is_there, trouble) = (sink.removed_at.is_none(), sink.trouble);
            (sink.name.as_str(), Place { kind: &sink.kind, is_there, trouble })
        });
        let here = before.presences.values().map(|here| {
            let (owner, project) = (here.owner.as_str(), here.project.as_deref());
            (&here.id, Here { owner, project, host: &here.host })
        });
        let is_open = |state: &OwnerState| matches!(state, OwnerState::Open { .. });
        let open = before.owners.values().filter(|owner| is_open(&owner.state));
        Self {
            all: all.collect(),
            sinks: sinks.collect(),
            here: here.collect(),
            open: open.map(|owner| owner.name.as_str()).collect(),
            me: &seen.place.host,
            now: seen.now,
            after: seen.after,
        }
    }

    /// A job has ended: this owner and these sinks are to be told.
    pub(super) fn owe(
        &mut self,
        job: &JobId,
        owner: Option<&'a str>,
        project: Option<&'a str>,
        sinks: &'a [String],
    ) {
        let sinks = sinks.iter().map(|sink| Some(sink.as_str()));
        for sink in owner.map(|_| None).into_iter().chain(sinks) {
            let place = sink.map_or_else(|| "inbox".to_owned(), |sink| format!("sink:{sink}"));
            let id = DeliveryId::of(job, &place);
            let note = Note {
                job: job.clone(),
                sink,
                owner,
                project,
                seq: self.after.delivery(&id).map_or(u64::MAX, |delivery| delivery.seq),
                tries: 0,
                failures: 0,
                lapses: 0,
                since: self.now,
                is: Is::Ready,
            };
            self.all.entry(id).or_insert(note);
        }
    }

    /// Whether all are told of this job, or given up.
    pub(super) fn are_closed(&self, job: &JobId) -> bool {
        !self.all.values().any(|note| note.job == *job && note.is_open())
    }

    /// Nobody needs the news of `old` any more.
    pub(super) fn supersede(&mut self, old: &JobId, new: &JobId) {
        for note in self.all.values_mut().filter(|note| note.job == *old && note.is_open()) {
            note.is = Is::Knows { by: new.to_string(), how: Settled::Retried };
        }
    }

    pub(super) fn add_sink(&mut self, name: &'a str, kind: &'a SinkKind, replace: bool) -> Right {
        match self.sinks.get(name).filter(|sink| sink.is_there) {
            Some(sink) if sink.kind == kind => return Ok(Reply::Done),
            Some(_) if !replace => return Err("sink_taken"),
            Some(_) | None => {}
        }
        self.sinks.insert(name, Place { kind, is_there: true, trouble: 0 });
        Ok(Reply::Done)
    }

    pub(super) fn has_sink(&self, name: &str) -> bool {
        self.sinks.get(name).is_some_and(|sink| sink.is_there)
    }

    pub(super) fn remove_sink(&mut self, name: &str) -> Right {
        let sink = self.sinks.get_mut(name).filter(|sink| sink.is_there).ok_or("no_sink")?;
        sink.is_there = false;
        Ok(Reply::Done)
    }

    pub(super) fn claim(&mut self, presence: &'a PresenceId, limit: u32) -> Right {
        let here = *self.here.get(presence).ok_or("not_present")?;
        let held = self.all.values().filter(|note| note.is_held_by(presence)).count();
        let room = (limit.min(limits::PRESENCE_HOLDS_MAX) as usize)
            .min((limits::PRESENCE_HOLDS_MAX as usize).saturating_sub(held));
        let ready = self.all.iter().filter(|(_, note)| note.is == Is::Ready);
        let mut found: Vec<_> = ready
            .filter(|(_, note)| {
                let is_left = note.project.is_some()
                    && note.project == here.project
                    && note.owner.is_some_and(|owner| self.open.contains(&owner));
                note.sink.is_none() && (note.owner == Some(here.owner) || is_left)
            })
            .map(|(id, note)| (note.owner != Some(here.owner), note.owner, note.seq, id.clone()))
            .collect();
        found.sort();
        found.truncate(room);
        let until = self.now.plus(limits::CLAIM_MAX);
        let by = By::Presence { id: presence, owner: here.owner, host: here.host };
        let mut claimed = Vec::new();
        for (.., id) in found {
            let note = self.all.get_mut(&id).expect("it was found above");
            note.tries += 1;
            note.is = Is::Held { by, until, is_sent: false };
            claimed.push((id, note.tries));
        }
        Ok(Reply::Claimed(claimed))
    }

    pub(super) fn acknowledge(&mut self, owner: &str, ids: &[DeliveryId]) -> Right {
        let before = self.all.clone();
        let mut settled = 0;
        for id in ids {
            let is_held = |note: &Note<'_>| match &note.is {
                Is::Held { by: By::Presence { owner: holder, .. }, .. } => *holder == owner,
                Is::Held { .. } | Is::Ready | Is::Waits(..) | Is::Knows { .. } | Is::Dead => false,
            };
            let note = self.all.get_mut(id).filter(|note| note.is_for(owner) || is_held(note));
            let Some(note) = note else {
                self.all = before;
                return Err("no_notice");
            };
            settled += u32::from(know(note, owner, Settled::Acked));
        }
        Ok(Reply::Settled(settled))
    }

    pub(super) fn acknowledge_all(&mut self, owner: &str) -> Right {
        let mine = self.all.values_mut().filter(|note| note.is_for(owner));
        let settled: u32 = mine.map(|note| u32::from(know(note, owner, Settled::Acked))).sum();
        Ok(Reply::Settled(settled))
    }

    pub(super) fn settle(&mut self, job: &JobId, owner: &str, how: Settled) -> Right {
        let mine = self.all.values_mut().filter(|note| note.is_for(owner) && note.job == *job);
        Ok(Reply::Settled(mine.map(|note| u32::from(know(note, owner, how))).sum()))
    }

    pub(super) fn redeliver(&mut self, id: &DeliveryId, goes: impl Fn(&JobId) -> bool) -> Right {
        let note = self.all.get(id).ok_or("no_notice")?;
        if note.sink.is_some_and(|sink| !self.has_sink(sink)) {
            return Err("no_sink");
        }
        if note.is != Is::Dead {
            return Err("not_dead");
        }
        if goes(&note.job) {
            return Err("not_found");
        }
        let note = self.all.get_mut(id).expect("it was found above");
        (note.failures, note.lapses, note.since, note.is) = (0, 0, self.now, Is::Ready);
        Ok(Reply::Done)
    }

    pub(super) fn present(
        &mut self,
        presence: &'a PresenceId,
        owner: &'a str,
        project: Option<&'a str>,
    ) -> Right {
        if self.here.contains_key(presence) {
            return Err("repeat");
        }
        self.here.insert(presence, Here { owner, project, host: self.me });
        self.open.retain(|open| *open != owner);
        for note in self.all.values_mut().filter(|note| note.is_for(owner)) {
            if matches!(note.is, Is::Held { by: By::Presence { owner: holder, .. }, .. } if holder != owner)
            {
                note.is = Is::Ready;
            }
        }
        Ok(Reply::Done)
    }

    pub(super) fn absent(&mut self, presence: &PresenceId) -> Right {
        self.here.remove(presence).ok_or("repeat")?;
        for note in self.all.values_mut().filter(|note| note.is_held_by(presence)) {
            note.is = Is::Ready;
        }
        Ok(Reply::Done)
    }

    /// Nobody is connected to this host any more.
    pub(super) fn host_up(&mut self) {
        let gone = self.here.iter().filter(|(_, here)| here.host == self.me);
        for presence in gone.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.absent(presence).expect("it was found above");
        }
    }

    pub(super) fn woke(&mut self, slept: Millis) {
        for note in self.all.values_mut() {
            if let Is::Held { by, until, .. } = &mut note.is
                && by.host() == self.me
            {
                *until = until.plus(slept);
            }
        }
    }

    fn current(&mut self, id: &DeliveryId, number: u32) -> Result<&mut Note<'a>, &'static str> {
        let note = self.all.get_mut(id).ok_or("no_notice")?;
        let is_current = matches!(note.is, Is::Held { .. }) && note.tries == number;
        if is_current { Ok(note) } else { Err("stale") }
    }

    pub(super) fn sent(&mut self, id: &DeliveryId, number: u32) -> Right {
        let ack_by = self.now.plus(limits::INBOX_ACK_MAX);
        match &mut self.current(id, number)?.is {
            Is::Held { is_sent: true, .. } => Err("repeat"),
            Is::Held { is_sent, until, .. } => {
                (*is_sent, *until) = (true, ack_by);
                Ok(Reply::Done)
            }
            Is::Ready | Is::Waits(..) | Is::Knows { .. } | Is::Dead => Err("stale"),
        }
    }

    /// Gives the job whose end its sink knows now.
    pub(super) fn delivered(
        &mut self,
        id: &DeliveryId,
        number: u32,
    ) -> Result<JobId, &'static str> {
        let note = self.current(id, number)?;
        let sink = note.sink.unwrap_or_default();
        note.is = Is::Knows { by: format!("sink:{sink}"), how: Settled::Answered };
        let job = note.job.clone();
        if let Some(place) = self.sinks.get_mut(sink) {
            place.trouble = 0;
        }
        Ok(job)
    }

    pub(super) fn failed(&mut self, command: &Command) -> Right {
        let Command::DeliveryFailed { delivery, number, again_after, is_final, .. } = command
        else {
            unreachable!("asked with nothing else");
        };
        let now = self.now;
        let note = self.current(delivery, *number)?;
        note.failures += 1;
        let is_old = now.since(note.since) > limits::DELIVERY_AGE_MAX
            && note.failures >= limits::DELIVERY_AGED_TRIES_MIN;
        note.is = if *is_final || note.failures >= limits::DELIVERY_TRIES_MAX || is_old {
            Is::Dead
        } else {
            let put_off = again_after.unwrap_or(Millis::ZERO).min(limits::PUT_OFF_MAX);
            let (least, most) = backoff(note.failures, limits::DELIVERY_DELAY_MAX);
            Is::Waits(now.plus(least.max(put_off)), now.plus(most.max(put_off)))
        };
        if let Some(place) = note.sink.and_then(|sink| self.sinks.get_mut(sink)) {
            place.trouble += 1;
        }
        Ok(Reply::Done)
    }
}

/// Whether that was news.
fn know(note: &mut Note<'_>, by: &str, how: Settled) -> bool {
    let is_news = note.is_open();
    if is_news {
        note.is = Is::Knows { by: by.to_owned(), how };
    }
    is_news
}

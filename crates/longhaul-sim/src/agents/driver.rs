//! The driver of turns on each host: it meets wants by the evidence that children leave, follows what
//! they write, and knows nothing else. What it has in memory is lost in a crash.

use super::child::{Child, Key, Over};
use super::habits::{self, Self_};
use super::life::{Asker, Broken, Follow, Law, Life, Next};
use longhaul_core::command::{Command, Exit, How, Refused, Reply, StoppedBy, Want};
use longhaul_core::time::Millis;
use longhaul_core::turn::{Conversation, Input, Intake, Offsets, Taking, TurnHow};

/// A child that is silent for so long may be said to be.
const QUIET_MS: u64 = 2_000;

impl Life {
    /// Makes a want true, or sees that it is.
    pub(super) fn meet(&mut self, want: &Want, host: usize) -> Law {
        match want {
            Want::Clean(job, _) => {
                let report = Command::Cleaned { job: job.clone(), failure: None };
                self.tell_host(host, report, Asker::Nobody);
            }
            Want::Purge(job, _) => {
                let report = Command::Purged { job: job.clone(), failure: None };
                self.tell_host(host, report, Asker::Nobody);
            }
            Want::Start(job, attempt) => self.start(&(job.clone(), *attempt), host),
            Want::Watch(job, attempt) | Want::Conclude(job, attempt) => {
                let key = (job.clone(), *attempt);
                let is_gone = !self.children.contains_key(&key);
                if is_gone && (matches!(want, Want::Watch(..)) || !self.launching.contains(&key)) {
                    self.barred.insert(key.clone());
                    self.exits(&key, host, How::Lost("no trace of it".to_owned()));
                } else {
                    self.follow(&key, host);
                }
            }
            Want::CallOff(job, attempt) => self.call_off(&(job.clone(), *attempt), host),
            Want::Stop { job, attempt, by_force } => {
                let key = (job.clone(), *attempt);
                if self.children.contains_key(&key) {
                    self.follow(&key, host);
                    self.signal(&key, *by_force);
                } else {
                    self.call_off(&key, host);
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, key: &Key, host: usize) {
        if self.children.contains_key(key) {
            self.follow(key, host);
            self.started(key, host);
        } else if self.barred.contains(key) {
            self.exits(key, host, How::NeverStarted(None));
        } else if self.launching.insert(key.clone()) {
            let rolled = self.plan.roll(&[30, habits::number(key.0.as_str()), key.1.into()]);
            let is_slow = self.plan.is_faulty && !self.is_calm() && rolled % 100 < 2;
            let span = if is_slow { 40_000 } else { rolled % 800 };
            self.push(self.at + span, Next::Launch(key.clone(), host));
        }
    }

    fn call_off(&mut self, key: &Key, host: usize) {
        if self.children.contains_key(key) {
            self.follow(key, host);
            self.started(key, host);
            return;
        }
        self.launching.remove(key);
        self.barred.insert(key.clone());
        self.count("launches called off");
        self.exits(key, host, How::NeverStarted(None));
    }

    /// The shim is there, and so is its child.
    pub(super) fn launch(&mut self, key: &Key, host: usize) -> Law {
        if !self.launching.remove(key) || self.barred.contains(key) {
            return Ok(());
        }
        let job = self.rows.jobs.get(key.0.as_str());
        let is_wanted = |job: &&longhaul_core::job::Job| {
            let place = &self.hosts[host].place;
            job.attempt == key.1 && job.host.as_ref() == Some(&place.host)
        };
        let Some(job) = job.filter(is_wanted) else { return Ok(()) };
        let input = self.rows.inputs.get(key.0.as_str()).filter(|input| input.attempt == key.1);
        let Some(input) = input else {
            let what = format!("{key:?} is launched without");
            return Err(Broken { law: "an attempt is given its input", what });
        };
        let name = &input.agent.name;
        let turns = self.rows.agents.get(name).map_or(0, |agent| agent.turns);
        let me = Self_ {
            job,
            input,
            turns,
            put_off: self
                .laws
                .put_off
                .get(key.0.as_str())
                .cloned()
                .filter(|_| matches!(input.conversation, Conversation::Deferred(_))),
            is_calm: self.is_calm(),
            now: self.wall(host),
        };
        let rolled = self.plan.roll(&[31, habits::number(name), turns, key.1.into()]);
        let child = Child {
            key: key.clone(),
            host,
            agent: name.clone(),
            resumed: resumed(input),
            acts: habits::acts(&self.plan, &me),
            done: 0,
            lines: Vec::new(),
            over: None,
            obeys: (rolled % 100 < 80).then_some(rolled / 128 % 3_000),
            is_asked_to_stop: false,
        };
        self.laws.launched(key, &child)?;
        for (_, act) in &child.acts {
            if let super::child::Act::Name(conversation) = act {
                let kind = input.agent.kind.clone();
                self.laws.held_with.entry(conversation.clone()).or_insert(kind);
            }
        }
        self.note(|| format!("launch {key:?}: {:?}", child.acts));
        self.count("children");
        self.active_at.insert(key.clone(), self.at);
        let first = child.acts[0].0;
        let mut child = child;
        if self.plan.is_faulty && !self.is_calm() && rolled / 7 % 100 < 3 {
            let how = How::SpawnFailed("no such program".to_owned());
            child.over = Some(Over { how, stopped: None });
        }
        self.children.insert(key.clone(), child);
        self.push(self.at + first, Next::Act(key.clone()));
        if self.hosts[host].is_up {
            self.follow(key, host);
        }
        Ok(())
    }

    /// Asks a child to end, or kills it.
    fn signal(&mut self, key: &Key, by_force: bool) {
        let Some(child) = self.children.get_mut(key).filter(|child| child.over.is_none()) else {
            return;
        };
        if by_force {
            child.over = Some(Over { how: How::Signaled(9), stopped: Some(StoppedBy::Asked) });
        } else if !std::mem::replace(&mut child.is_asked_to_stop, true)
            && let Some(after) = child.obeys
        {
            self.push(self.at + after, Next::Dies(key.clone()));
        }
    }

    /// A child that was asked to end does; some finish what they were at.
    pub(super) fn obey(&mut self, key: &Key) {
        let Some(child) = self.children.get_mut(key).filter(|child| child.over.is_none()) else {
            return;
        };
        let how = if child.obeys.is_some_and(|after| after % 4 == 0) && child.answer().is_none() {
            child.write(&super::child::Act::Answer(TurnHow::Done { despite: None }));
            How::Exited(0)
        } else {
            How::Signaled(15)
        };
        child.over = Some(Over { how, stopped: Some(StoppedBy::Asked) });
    }

    /// Watches a child from now on.
    fn follow(&mut self, key: &Key, host: usize) {
        let process = self.hosts[host].process;
        let is_new = !self.hosts[host].follows.contains_key(key);
        if is_new {
            self.hosts[host].follows.insert(key.clone(), Follow::default());
            self.push(self.at, Next::Look(key.clone(), host, process));
            self.started(key, host);
        }
    }

    fn started(&mut self, key: &Key, host: usize) {
        let has_begun = self.children.get(key).is_some_and(|child| !child.never_began());
        if has_begun && !self.fails(32, 15) {
            let at = self.wall(host);
            let report = Command::Started { job: key.0.clone(), attempt: key.1, at, pid: 7 };
            self.tell_host(host, report, Asker::Nobody);
        }
    }

    /// Looks how far a child is, and reports what is new.
    pub(super) fn look(&mut self, key: &Key, host: usize) {
        let process = self.hosts[host].process;
        let Some(follow) = self.hosts[host].follows.get(key).cloned() else { return };
        let Some(child) = self.children.get(key).cloned() else { return };
        if follow.is_busy {
            return;
        }
        let mut follow = follow;
        if follow.upto.is_none() {
            let intake = self.rows.intakes.get(key.0.as_str());
            let intake = intake.filter(|intake| intake.attempt == key.1);
            let taken = intake.map(|intake| intake.taken).unwrap_or_default();
            (follow.upto, follow.is_closed) = (child.lines_to(taken), taken.is_closed);
        }
        let Some(from) = follow.upto else { return };
        let most = 1 + usize::try_from(self.plan.roll(&[33, self.steps]) % 6).expect("small");
        let to = (from + most).min(child.lines.len());
        let is_last = child.over.is_some() && to == child.lines.len();
        let rolled = self.plan.roll(&[34, self.steps, self.at]);
        if follow.is_closed && child.over.is_some() {
            let exit = child.exit(self.wall(host)).expect("it is over");
            self.busy(key, host);
            let command = Command::Exited { job: key.0.clone(), attempt: key.1, exit };
            self.tell_host(host, command, Asker::Witness(key.clone()));
        } else if to > from || is_last {
            let is_closed = is_last && (to == from || rolled.is_multiple_of(2));
            self.busy(key, host);
            let taking = taking(&child, from, to, is_closed);
            self.take(key, host, taking, to);
        } else {
            self.silence(key, host, &follow);
            self.push(self.at + 200 + rolled % 1_300, Next::Look(key.clone(), host, process));
        }
    }

    fn busy(&mut self, key: &Key, host: usize) {
        if let Some(follow) = self.hosts[host].follows.get_mut(key) {
            follow.is_busy = true;
        }
    }

    fn take(&mut self, key: &Key, host: usize, taking: Taking, to: usize) {
        if self.fails(35, 6) {
            // The same again, some time later, as from somebody who does not know.
            let late = self.plan.roll(&[36, self.steps]) % 12_000;
            let again = Command::Ingest(Box::new(taking.clone()));
            self.count("takings said again");
            self.push(self.at + late, Next::Ask(Box::new(again)));
        }
        let command = Command::Ingest(Box::new(taking));
        self.tell_host(host, command, Asker::Follower(key.clone(), to));
    }

    /// Says how long a child has shown no sign of life, or that it shows one again.
    fn silence(&mut self, key: &Key, host: usize, follow: &Follow) {
        let since = self.active_at.get(key).copied().unwrap_or(self.at);
        let span = self.at - since;
        let (job, attempt) = key.clone();
        if span >= QUIET_MS && !self.fails(37, 30) {
            self.set_quiet(key, host, true);
            self.count("said to be quiet");
            let report = Command::Quiet { job, attempt, span: Millis::new(span) };
            self.tell_host(host, report, Asker::Nobody);
        } else if span < QUIET_MS && follow.is_quiet {
            self.set_quiet(key, host, false);
            self.tell_host(host, Command::Lively { job, attempt }, Asker::Nobody);
        }
    }

    fn set_quiet(&mut self, key: &Key, host: usize, is_quiet: bool) {
        if let Some(follow) = self.hosts[host].follows.get_mut(key) {
            follow.is_quiet = is_quiet;
        }
    }

    pub(super) fn follower_answered(
        &mut self,
        host: usize,
        key: &Key,
        to: usize,
        command: &Command,
        reply: &Result<Reply, Refused>,
    ) {
        let process = self.hosts[host].process;
        let child = self.children.get(key);
        let Some(follow) = self.hosts[host].follows.get_mut(key) else { return };
        follow.is_busy = false;
        let is_closed = matches!(command, Command::Ingest(taking) if taking.to.is_closed);
        match reply {
            Ok(_) => (follow.upto, follow.is_closed) = (Some(to), is_closed),
            Err(Refused::AlreadyTaken { taken, .. }) => {
                follow.upto = child.and_then(|child| child.lines_to(*taken));
                follow.is_closed = taken.is_closed;
            }
            Err(_) => {
                self.hosts[host].follows.remove(key);
                return;
            }
        }
        let soon = self.plan.roll(&[38, self.steps]) % 400;
        self.push(self.at + soon, Next::Look(key.clone(), host, process));
    }

    pub(super) fn witness_answered(
        &mut self,
        host: usize,
        key: &Key,
        _reply: &Result<Reply, Refused>,
    ) {
        // Taken or of no use: there is nothing more to be said.
        self.hosts[host].follows.remove(key);
    }

    /// Reports the end of what left no output at all.
    fn exits(&mut self, key: &Key, host: usize, how: How) {
        let exit = Exit::bare(how, None, self.wall(host));
        let command = Command::Exited { job: key.0.clone(), attempt: key.1, exit };
        self.tell_host(host, command, Asker::Nobody);
    }
}

fn taking(child: &Child, from: usize, to: usize, is_closed: bool) -> Taking {
    let ends = |lines, is_closed| Offsets { is_closed, ..child.offsets(lines) };
    Taking {
        job: child.key.0.clone(),
        attempt: child.key.1,
        from: ends(from, false),
        to: ends(to, is_closed),
        memory: format!("{{\"lines\":{to}}}"),
        events: child.events(from, to),
        seen: child.seen(to),
    }
}

/// What the memory of an adapter is after so many lines.
pub(super) fn memory_after(intake: &Intake) -> Option<usize> {
    let text = intake.memory.strip_prefix("{\"lines\":")?;
    text.strip_suffix('}')?.parse().ok()
}

fn resumed(input: &Input) -> Option<String> {
    match &input.conversation {
        Conversation::New => None,
        Conversation::Resume(known) | Conversation::Deferred(known) => Some(known.clone()),
    }
}

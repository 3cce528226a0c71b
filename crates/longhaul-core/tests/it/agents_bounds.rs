//! What is bounded about agents and mail, at its bounds.

use crate::play::Stage;
use longhaul_core::agent::AgentSpec;
use longhaul_core::command::{Command, Refused, Reply};
use longhaul_core::engine::Engine;
use longhaul_core::id::MailId;
use longhaul_core::limits;
use longhaul_core::mail::{Letter, Mail, MailPriority, MailState};
use longhaul_core::port::{Record, Store, Table};
use longhaul_core::spec::Environment;
use std::collections::BTreeMap;

fn mail_id(number: u64) -> MailId {
    MailId::parse(&format!("mail_{number:026}")).expect("digits")
}

fn letter(number: u64, from: &str, to: &str) -> Command {
    Command::SendMail(Box::new(Letter {
        id: mail_id(number),
        from: from.to_owned(),
        turn: None,
        to: vec![to.to_owned()],
        kind: String::new(),
        priority: MailPriority::Normal,
        subject: "news".to_owned(),
        body: String::new(),
        payload: None,
        reply_to: None,
    }))
}

fn agent(name: &str, parent: Option<&str>) -> Command {
    let spec = AgentSpec {
        name: name.to_owned(),
        kind: "plain".to_owned(),
        parent: parent.map(str::to_owned),
        cwd: "/w".to_owned(),
        ..AgentSpec::default()
    };
    let environment = Environment(BTreeMap::new());
    Command::AddAgent { spec: Box::new(spec), environment, replace: true }
}

fn done(stage: &mut Stage, batch: Vec<Command>) -> Vec<Reply> {
    let replies = stage.run(batch).replies;
    replies.into_iter().map(|reply| reply.expect("it is accepted")).collect()
}

fn states(stage: &Stage, of: &str) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    let mut reader = stage.store.reader().expect("memory");
    for id in reader.ids(Table::Mail, "", 10_000).expect("memory") {
        let mail: Mail = stage.stored(&id).expect("it was listed");
        if mail.to == of {
            *counts.entry(mail.state.name()).or_default() += 1;
        }
    }
    counts
}

#[test]
fn an_agent_that_ends_with_much_mail_returns_it_in_several_steps_and_all_of_it() {
    let mut stage = Stage::new();
    let many = 3 * u64::from(limits::STEP_MAIL_MAX) + 10;
    let nobody = Command::SetPool { pool: "default".into(), slots: Some(0), paused: None };
    done(&mut stage, vec![nobody, agent("ann", None)]);
    done(&mut stage, (1..=many).map(|number| letter(number, "@me", "ann")).collect());
    let refused = stage.run(vec![Command::RemoveAgent("ann".into())]).replies;
    assert!(matches!(&refused[..], [Err(Refused::AgentBusy { .. })]), "{refused:?}");
    let stop = Command::StopAgent { agent: "ann".into(), reason: None, by_force: false };
    let mut step = stage.run(vec![stop]);
    // What the command leaves is due at once, also in its own step.
    assert_eq!(states(&stage, "ann")["returned"], 2 * limits::STEP_MAIL_MAX as usize);
    let mut steps = 0;
    while step.next_due == Some(stage.now) && steps < 10 {
        step = stage.run(Vec::new());
        steps += 1;
    }
    let many = usize::try_from(many).expect("a few hundred");
    assert_eq!(states(&stage, "ann"), BTreeMap::from([("returned", many)]));
    assert_eq!(states(&stage, "@me"), BTreeMap::from([("unread", many)]));
}

#[test]
fn a_turn_takes_so_many_messages_and_the_rest_wait_for_the_next() {
    let mut stage = Stage::new();
    let many = u64::from(limits::MAIL_PER_TURN_MAX) + 1;
    let mut batch = vec![agent("ann", None)];
    batch.extend((1..=many).map(|number| letter(number, "@me", "ann")));
    done(&mut stage, batch);
    let taken = limits::MAIL_PER_TURN_MAX as usize;
    assert_eq!(states(&stage, "ann"), BTreeMap::from([("taken", taken), ("unread", 1)]));
    let newest: Mail = stage.stored(mail_id(many).as_str()).expect("it was sent");
    assert_eq!(newest.state, MailState::Unread);
}

#[test]
fn agents_work_for_each_other_only_so_deep_and_so_many() {
    let mut stage = Stage::new();
    let name = |depth: u32| format!("a{depth}");
    done(&mut stage, vec![agent(&name(0), None)]);
    for depth in 1..=limits::AGENT_DEPTH_MAX {
        done(&mut stage, vec![agent(&name(depth), Some(&name(depth - 1)))]);
    }
    let deepest = limits::AGENT_DEPTH_MAX;
    let replies = stage.run(vec![agent("deeper", Some(&name(deepest)))]).replies;
    let refused = Refused::TooMany { what: "agents above one", limit: deepest.into() };
    assert_eq!(replies, [Err(refused)]);
    done(&mut stage, vec![agent("top", None)]);
    for from in (0..limits::CHILDREN_MAX).step_by(500) {
        let some = (from..from + 500).map(|n| agent(&format!("c{n}"), Some("top")));
        done(&mut stage, some.collect());
    }
    let replies = stage.run(vec![agent("more", Some("top"))]).replies;
    let limit = limits::CHILDREN_MAX.into();
    let refused = Refused::TooMany { what: "agents that work for one", limit };
    assert_eq!(replies, [Err(refused)]);
}

#[test]
fn of_old_mail_the_newest_are_kept() {
    let mut stage = Stage::new();
    let (kept, more) = (limits::MAIL_KEPT_MAX, u64::from(limits::STEP_MAIL_MAX) + 5);
    let mut tx = stage.store.begin().expect("memory");
    let state = MailState::Read { at: stage.now, turn: None };
    let read = Mail::ours(mail_id(0), "@me".into(), "status", "s".into(), stage.now);
    let mut row = Mail { state, ..read }.to_row();
    for number in 1..=kept + more {
        (row.id, row.seq) = (format!("mail_{number:026}"), number);
        tx.save(Table::Mail, &row, true).expect("memory");
    }
    tx.commit().expect("memory");
    let engine = Engine::new(stage.place.clone());
    let mut rounds = Vec::new();
    for _ in 0..3 {
        let (_, is_more) = engine.retain(&mut stage.store, stage.now).expect("memory");
        rounds.push(is_more);
    }
    assert_eq!(rounds, [true, false, false]);
    let is_there = |number| stage.stored::<Mail>(mail_id(number).as_str()).is_some();
    assert!(!is_there(1) && !is_there(more) && is_there(more + 1) && is_there(kept + more));
}

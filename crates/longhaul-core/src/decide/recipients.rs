//! Whom a letter is for: names, groups and the boxes of people, made into mailboxes. All are there
//! and read their mail, or the letter is refused.

use super::standing;
use crate::agent::AgentSpec;
use crate::command::Refused;
use crate::id::JobId;
use crate::limits;
use crate::mail::{Mail, OURSELVES, person_box};
use crate::port::Table;
use crate::world::{Fault, World};
use std::collections::BTreeSet;

/// Who sends a letter.
pub(super) struct Sender {
    /// Where answers go.
    pub(super) mailbox: String,
    /// The agent, if it is one.
    pub(super) agent: Option<AgentSpec>,
    /// The turn, if it is one.
    pub(super) turn: Option<JobId>,
}

/// The mailboxes that are meant, each once, in the order in which they were named.
pub(super) fn address(
    world: &mut World<'_>,
    sender: &Sender,
    named: &[String],
    answered: Option<&Mail>,
) -> Result<Vec<String>, Fault> {
    let mut to = Addressed::default();
    if let (true, Some(mail)) = (named.is_empty(), answered) {
        let is_own = mail.from == sender.mailbox;
        let other = if is_own { mail.to.clone() } else { mail.from.clone() };
        to.add(reached(world, &other)?)?;
    }
    for word in named {
        match word.strip_prefix('@') {
            None => to.add(reached(world, word)?)?,
            Some("parent") => to.add(parent(world, sender)?)?,
            Some("children") => {
                for child in children(world, sender)? {
                    to.add(child)?;
                }
            }
            Some(group) => {
                for member in members(world, sender, group)? {
                    to.add(member)?;
                }
            }
        }
    }
    if to.in_order.is_empty() {
        return Err(Refused::NoRecipients("no recipient is named".to_owned()).into());
    }
    Ok(to.in_order)
}

#[derive(Default)]
struct Addressed {
    in_order: Vec<String>,
    known: BTreeSet<String>,
}

impl Addressed {
    fn add(&mut self, mailbox: String) -> Result<(), Refused> {
        if self.known.insert(mailbox.clone()) {
            self.in_order.push(mailbox);
        }
        if self.in_order.len() > limits::RECIPIENTS_MAX {
            let limit = limits::RECIPIENTS_MAX as u64;
            return Err(Refused::TooMany { what: "mailboxes for one letter", limit });
        }
        Ok(())
    }
}

/// One mailbox, if somebody reads it.
fn reached(world: &mut World<'_>, mailbox: &str) -> Result<String, Fault> {
    if mailbox == OURSELVES {
        let why = "longhaul reads no mail; say whom it is for".to_owned();
        return Err(Refused::NoRecipients(why).into());
    }
    if mailbox.starts_with('@') {
        return Ok(mailbox.to_owned());
    }
    let agent = world.find_agent(mailbox)?;
    let agent = agent.ok_or_else(|| Refused::NoAgent(mailbox.to_owned()))?;
    if agent.is_ended() {
        let (agent, state) = (mailbox.to_owned(), agent.standing.name());
        return Err(Refused::AgentEnded { agent, state }.into());
    }
    Ok(mailbox.to_owned())
}

fn parent(world: &mut World<'_>, sender: &Sender) -> Result<String, Fault> {
    let agent = sender.agent.as_ref().ok_or_else(|| nobody("@parent", "no agent sends it"))?;
    match (&agent.parent, &agent.owner) {
        (Some(parent), _) => reached(world, parent),
        (None, Some(owner)) => Ok(person_box(owner)),
        (None, None) => {
            let why = format!("`{}` works for nobody", agent.name);
            Err(nobody("@parent", &why).into())
        }
    }
}

fn children(world: &mut World<'_>, sender: &Sender) -> Result<Vec<String>, Fault> {
    let agent = sender.agent.as_ref().ok_or_else(|| nobody("@children", "no agent sends it"))?;
    let name = agent.name.clone();
    let children = standing::living_children(world, &name, limits::CHILDREN_MAX)?;
    if children.is_empty() {
        return Err(nobody("@children", &format!("nobody works for `{name}`")).into());
    }
    Ok(children)
}

fn nobody(group: &str, why: &str) -> Refused {
    Refused::NoRecipients(format!("`{group}`: {why}"))
}

/// The agents of a group that have not ended, but for the sender; or the box of a person who owns
/// agents. A role goes before a person of its name.
fn members(world: &mut World<'_>, sender: &Sender, group: &str) -> Result<Vec<String>, Fault> {
    let mut living = Vec::new();
    let (mut is_role, mut is_owner) = (group == "all", false);
    let is_of = |spec: &AgentSpec| {
        let role = spec.role.as_deref();
        group == "all" || role == Some(group) || role.is_some() && role == group.strip_suffix('s')
    };
    let all = world.scan()?.ids(Table::Agent, "", limits::AGENTS_MAX)?;
    for name in all {
        let Some(agent) = world.find_agent(&name)? else { continue };
        is_owner |= agent.spec.owner.as_deref() == Some(group);
        is_role |= is_of(&agent.spec);
        if is_of(&agent.spec) && !agent.is_ended() && name != sender.mailbox {
            living.push(name);
        }
    }
    if !living.is_empty() {
        return Ok(living);
    }
    if is_owner && group != "all" && person_box(group) != OURSELVES {
        return Ok(vec![person_box(group)]);
    }
    if is_role {
        return Err(nobody(&format!("@{group}"), "nobody else is there").into());
    }
    Err(Refused::NoAgent(format!("@{group}")).into())
}

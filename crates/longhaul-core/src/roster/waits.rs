//! Who waits for whom. A wait goes on when one of what it waits for can; if all of them wait for the
//! one who asks, it would never end, and is refused.

use super::{Key, OwnerName, Refused, Roster};
use crate::limits;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Who waits, or is waited for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// An agent: an owner of jobs, by its name.
    Agent(Arc<str>),
    /// A job.
    Job(Key),
}

/// Names one wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitKey(u64);

#[derive(Debug, Default)]
pub(super) struct Waits {
    /// What each waiter waits for, by wait.
    open: BTreeMap<Node, BTreeMap<WaitKey, Vec<Node>>>,
    waiters: BTreeMap<WaitKey, Node>,
}

impl Roster {
    /// Says that `waiter` waits, from now to [`Self::stopped_waiting`], until one of `targets` is
    /// there. Refuses what would never end, and nothing to wait for is such a thing.
    pub fn wait_for(&mut self, waiter: Node, targets: Vec<Node>) -> Result<WaitKey, Refused> {
        if self.waits.waiters.len() >= limits::BLOCKED_MAX {
            return Err(Refused::TooMany { jobs: limits::BLOCKED_MAX });
        }
        if !self.somebody_can_go_on(&waiter, &targets) {
            let names: Vec<String> = targets.iter().map(|node| self.named(node)).collect();
            let (names, waiter) = (names.join(", "), self.named(&waiter));
            return Err(Refused::Deadlock(format!(
                "{names} cannot go on before {waiter}, which asks to wait for it"
            )));
        }
        let key = WaitKey(self.turn());
        self.waits.open.entry(waiter.clone()).or_default().insert(key, targets);
        self.waits.waiters.insert(key, waiter);
        Ok(key)
    }

    /// The wait is over, with or without what was waited for.
    pub fn stopped_waiting(&mut self, wait: WaitKey) {
        let Some(waiter) = self.waits.waiters.remove(&wait) else { return };
        let Some(open) = self.waits.open.get_mut(&waiter) else { return };
        open.remove(&wait);
        if open.is_empty() {
            self.waits.open.remove(&waiter);
        }
    }

    /// The agent that an owner of jobs is.
    pub fn agent(owner: &OwnerName) -> Option<Node> {
        owner.clone().map(Node::Agent)
    }

    /// Whether any of `targets`, or of what they wait for, waits for nothing.
    fn somebody_can_go_on(&self, waiter: &Node, targets: &[Node]) -> bool {
        let mut seen = BTreeSet::from([waiter.clone()]);
        let mut open: Vec<Node> = targets.to_vec();
        while let Some(node) = open.pop() {
            if !seen.insert(node.clone()) {
                continue;
            }
            let next = self.waited_for_by(&node);
            if next.is_empty() {
                return true;
            }
            open.extend(next);
        }
        false
    }

    fn waited_for_by(&self, node: &Node) -> Vec<Node> {
        if let Node::Job(key) = node
            && self.rows.get(*key).is_none_or(super::row::Row::is_over)
        {
            return Vec::new();
        }
        let open = self.waits.open.get(node);
        let mut next: Vec<Node> =
            open.map(|open| open.values().flatten().cloned().collect()).unwrap_or_default();
        // A job that is an agent's work goes on as that agent does.
        if let Node::Job(key) = node
            && let Some(agent) = self.rows.get(*key).and_then(|row| row.agent.clone())
        {
            next.push(Node::Agent(agent));
        }
        next
    }

    fn named(&self, node: &Node) -> String {
        match node {
            Node::Agent(name) => format!("agent `{name}`"),
            Node::Job(key) => {
                let id = self.rows.get(*key).map(|row| row.id.to_string());
                format!("job `{}`", id.unwrap_or_default())
            }
        }
    }
}

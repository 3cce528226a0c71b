//! No coin is spent twice, whoever delegates, spends, ends or is lost, in any order.

use crate::delegation::{ask, delegate, ends};
use crate::leases::{lease, run, started};
use crate::play_sessions::{Home, job};
use longhaul_core::amounts::{Account, Amount, Currency};
use longhaul_core::command::{Command, Entry, How, Known, Reply};
use longhaul_core::delegation::OperationAsk;
use longhaul_core::job::{Job, JobState};
use longhaul_core::lease::Lease;
use longhaul_core::time::Millis;
use proptest::prelude::*;

/// What the root may spend, in cents.
const GRANT: i64 = 1_000;

/// Something that happens, about one of the jobs that there are.
#[derive(Clone, Debug)]
enum Happening {
    /// It delegates, with so many cents of its own or with none.
    Delegates { who: usize, cents: Option<i64> },
    /// It asks whether it may do something, and if so, spends.
    Spends { who: usize, cents: i64 },
    /// It ends.
    Ends { who: usize, is_well: bool },
    /// It is lost with its process, and tried again.
    IsLost { who: usize },
    /// The daemon comes up anew.
    Restart,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let who = || 0..20_usize;
    let one = prop_oneof![
        4 => (who(), prop::option::of(0..400_i64))
            .prop_map(|(who, cents)| Happening::Delegates { who, cents }),
        6 => (who(), 0..300_i64).prop_map(|(who, cents)| Happening::Spends { who, cents }),
        2 => (who(), any::<bool>()).prop_map(|(who, is_well)| Happening::Ends { who, is_well }),
        1 => who().prop_map(|who| Happening::IsLost { who }),
        1 => Just(Happening::Restart),
    ];
    prop::collection::vec(one, 1..60)
}

fn usd(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn left(account: &Account) -> i64 {
    let left = account.remaining().of(&Currency::usd()).unwrap_or_default();
    let cents = left.to_json().as_f64().unwrap() * 100.0;
    format!("{cents:.0}").parse().unwrap()
}

struct Tree {
    home: Home,
    jobs: u32,
    /// Cents that were charged.
    spent: i64,
    /// Cents by which single charges were more than there was.
    over: i64,
}

impl Tree {
    fn new() -> Self {
        let mut home = Home::new();
        home.open(1, "alice");
        let granted =
            lease(&home, &[&format!("cost.budget USD:{}", usd(GRANT)), "agent.delegate *"], None);
        run(&mut home, 1, granted);
        Self { home, jobs: 1, spent: 0, over: 0 }
    }

    fn pick(&self, who: usize) -> Option<u32> {
        let running = (1..=self.jobs)
            .filter(|number| matches!(self.home.job(*number).state, JobState::Running { .. }));
        let running: Vec<u32> = running.collect();
        (!running.is_empty()).then(|| running[who % running.len()])
    }

    fn happens(&mut self, happening: &Happening) {
        match happening {
            Happening::Delegates { who, cents } => {
                let Some(parent) = self.pick(*who) else { return };
                let budget = cents.map(|cents| format!("cost.budget USD:{}", usd(cents)));
                let lines: Vec<&str> =
                    budget.as_deref().into_iter().chain(["agent.delegate *"]).collect();
                let granted: Lease = lease(&self.home, &lines, None);
                let child = self.jobs + 1;
                let asked = ask(child, granted);
                let first = delegate(&mut self.home, parent, asked.clone()).unwrap();
                if let Reply::Submitted(_) = first {
                    self.jobs = child;
                    let again = delegate(&mut self.home, parent, asked).unwrap();
                    assert_eq!(again, Reply::Submitted(vec![(job(child), Known::Open)]));
                    started(&mut self.home, child, 1);
                }
            }
            Happening::Spends { who, cents } => {
                if let Some(who) = self.pick(*who) {
                    self.spends(who, *cents);
                }
            }
            Happening::Ends { who, is_well } => {
                let Some(who) = self.pick(*who).filter(|who| *who != 1) else { return };
                ends(&mut self.home, who, How::Exited(i32::from(!is_well)));
            }
            Happening::IsLost { who } => {
                let Some(who) = self.pick(*who) else { return };
                ends(&mut self.home, who, How::Lost("gone".into()));
            }
            Happening::Restart => self.home.up(),
        }
        self.others_end();
    }

    fn spends(&mut self, who: u32, cents: i64) {
        let attempt = self.home.job(who).attempt;
        let ask = OperationAsk {
            capability: "agent.delegate".into(),
            target: "x".into(),
            ..OperationAsk::default()
        };
        let may = Command::AuthorizeOperation { job: job(who), attempt, ask: Box::new(ask) };
        if self.home.ask(may).unwrap() != Reply::Allowed {
            return;
        }
        let entry = Entry {
            text: r#"{"kind":"told","name":"metric","body":{}}"#.into(),
            charge: Some((Currency::usd(), Amount::parse(&usd(cents)).unwrap())),
            piece: None,
        };
        let before = self.available(who);
        let tell = Command::Tell { job: job(who), attempt, entries: vec![entry] };
        self.home.ask(tell).unwrap();
        self.spent += cents;
        self.over += (cents - before).max(0);
    }

    /// What a job and those above it have, together.
    fn available(&self, who: u32) -> i64 {
        let mut sum = 0;
        let mut next = Some(job(who));
        while let Some(id) = next.take() {
            let row: Job = self.home.row(id.as_str()).unwrap();
            sum += row.account.as_ref().map_or(0, |account| left(account).max(0));
            next = row.parent.clone();
        }
        sum
    }

    /// Whoever is to end, does.
    fn others_end(&mut self) {
        for number in 1..=self.jobs {
            if matches!(self.home.job(number).state, JobState::Stopping { .. }) {
                ends(&mut self.home, number, How::Signaled(15));
            }
        }
    }

    /// What all who go on could spend at the most, what is left of the root's own even below zero.
    fn spendable(&self) -> i64 {
        let jobs = (1..=self.jobs).map(|number| (number, self.home.job(number)));
        let goes_on = |job: &Job| job.outcome().is_none() || job.delegations.open > 0;
        let each = jobs.filter_map(|(number, job)| {
            let left = left(job.account.as_ref()?);
            if number == 1 { Some(left) } else { goes_on(&job).then(|| left.max(0)) }
        });
        each.sum()
    }
}

/// Its parent has paid already for what its own child then brings back.
#[test]
fn what_comes_back_to_who_was_helped_out_goes_on_to_who_helped() {
    let mut tree = Tree::new();
    let delegates = |who, cents| Happening::Delegates { who, cents };
    // The second has 66; a part of that is its child's, and another child spends 66 of it.
    for happening in [delegates(0, Some(66)), delegates(1, Some(1)), delegates(1, None)] {
        tree.happens(&happening);
    }
    tree.happens(&Happening::Spends { who: 3, cents: 66 });
    assert_eq!(left(tree.home.job(1).account.as_ref().unwrap()), GRANT - 66 - 1);
    for who in [3, 2, 1] {
        tree.happens(&Happening::Ends { who, is_well: true });
    }
    assert_eq!(left(tree.home.job(1).account.as_ref().unwrap()), GRANT - 66);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_all_could_spend_and_what_was_spent_is_never_more_than_what_was_granted(
        story in happenings()
    ) {
        let mut tree = Tree::new();
        for happening in &story {
            tree.happens(happening);
            let (spendable, spent) = (tree.spendable(), tree.spent);
            prop_assert!(spendable + spent <= GRANT, "{spendable} + {spent} after {happening:?}");
            prop_assert!(spendable >= -tree.over, "{spendable} below what was charged too much");
        }
        let cancel = Command::Cancel { job: job(1), reason: None, by_force: false, tree: false };
        if tree.home.job(1).outcome().is_none() {
            tree.home.ask(cancel).unwrap();
        }
        tree.others_end();
        tree.home.wait(Millis::from_secs(60));
        for number in 1..=tree.jobs {
            let ended = tree.home.job(number);
            prop_assert!(ended.outcome().is_some(), "{number} is {:?}", ended.state);
            prop_assert_eq!(ended.delegations.open, 0, "of {}", number);
        }
        if tree.over == 0 {
            prop_assert_eq!(tree.spendable() + tree.spent, GRANT, "what nobody spent came back");
        }
    }
}

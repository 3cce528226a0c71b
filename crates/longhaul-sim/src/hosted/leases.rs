//! Leases once more, as plainly as possible: a small world of targets, each looked at by itself, and
//! money in whole cents.

use crate::random::Random;
use longhaul_core::amounts::{Amount, Amounts, Currency};
use longhaul_core::lease::{AGENT_DELEGATE, Asked, COST_BUDGET, FS_READ, MODEL_USE, TOOL_CALL};
use std::collections::BTreeMap;

/// So much of each currency, in hundredths.
pub(super) type Money = BTreeMap<&'static str, i64>;

/// What there is to spend.
pub(super) const CURRENCIES: [&str; 2] = ["USD", "tok"];

/// A capability, the targets that there are, and the patterns that are granted.
type Part = (&'static str, &'static [&'static str], &'static [&'static str]);

const WORLD: [Part; 4] = [
    (
        FS_READ,
        &["/a", "/a/b", "/a/c", "/a/b/c", "/b", "/b/a", "/b/a/c", "/ab"],
        &["/**", "/a/**", "/a/*", "/a", "/b/**", "/*", "/a/b", "/b/*", "/a*"],
    ),
    (TOOL_CALL, &["x", "y", "xy"], &["*", "x", "y", "x*"]),
    (AGENT_DELEGATE, &["child", "chore", "other"], &["*", "*", "child", "ch*", "other"]),
    (MODEL_USE, &["small", "large", "smallest"], &["*", "small", "small*", "large"]),
];

/// Whether a pattern of this world means a target.
fn is_meant(pattern: &str, target: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let target: Vec<&str> = target.split('/').collect();
    for (place, part) in pattern.iter().enumerate() {
        if *part == "**" {
            return true;
        }
        let is_so = target.get(place).is_some_and(|name| match part.strip_suffix('*') {
            Some("") => !name.is_empty(),
            Some(start) => name.starts_with(start),
            None => name == part,
        });
        if !is_so {
            return false;
        }
    }
    pattern.len() == target.len()
}

/// Whether a lease of these texts grants this.
pub(super) fn is_granted(asked: &Asked, capability: &str, target: &str) -> bool {
    asked.get(capability).into_iter().flatten().any(|pattern| is_meant(pattern, target))
}

/// Whether whatever is granted by the one is granted by the other, pattern by pattern.
pub(super) fn is_within(child: &Asked, parent: &Asked) -> bool {
    WORLD.iter().all(|(capability, targets, _)| {
        let of = |asked: &Asked| asked.get(*capability).cloned().unwrap_or_default();
        of(child).iter().all(|inner| {
            of(parent).iter().any(|outer| {
                targets.iter().all(|target| !is_meant(inner, target) || is_meant(outer, target))
            })
        })
    })
}

/// Any target, of any capability.
pub(super) fn some_target(random: &mut Random) -> (&'static str, &'static str) {
    let (capability, targets, _) = *random.pick(&WORLD);
    (capability, *random.pick(targets))
}

/// A lease as a person asks for it.
pub(super) fn some_lease(random: &mut Random) -> Asked {
    let mut asked = Asked::new();
    for (capability, _, patterns) in WORLD {
        if random.chance(if capability == AGENT_DELEGATE { 92 } else { 75 }) {
            let some = (0..random.between(1, 3)).map(|_| (*random.pick(patterns)).to_owned());
            asked.insert(capability.to_owned(), some.collect());
        }
    }
    let mut budget = Vec::new();
    for (currency, percent) in CURRENCIES.iter().zip([85, 30]) {
        if random.chance(percent) {
            budget.push(format!("{currency}:{}", in_units(random.below(1_200).cast_signed())));
        }
    }
    if !budget.is_empty() {
        asked.insert(COST_BUDGET.to_owned(), budget);
    }
    asked
}

/// A lease as it is asked for below another: mostly a part of that, at times something else.
pub(super) fn some_part(random: &mut Random, above: &Asked, has: &Money) -> Asked {
    let mut asked = Asked::new();
    for (capability, _, patterns) in WORLD {
        let granted = above.get(capability).filter(|granted| !granted.is_empty());
        let text = match granted {
            Some(granted) if random.chance(90) => random.pick(granted).as_str(),
            None if random.chance(96) => continue,
            Some(_) | None => *random.pick(patterns),
        };
        if random.chance(if capability == AGENT_DELEGATE { 80 } else { 50 }) {
            asked.insert(capability.to_owned(), vec![text.to_owned()]);
        }
    }
    let mut budget = Vec::new();
    for currency in CURRENCIES {
        let most = match has.get(currency) {
            Some(left) if random.chance(95) => (*left).clamp(0, 350),
            None if random.chance(98) => continue,
            Some(_) | None => 900,
        };
        if random.chance(60) {
            let cents = random.below(most.cast_unsigned() + 1).cast_signed();
            budget.push(format!("{currency}:{}", in_units(cents)));
        }
    }
    if !budget.is_empty() {
        asked.insert(COST_BUDGET.to_owned(), budget);
    }
    asked
}

/// A lease to have any agent work, and nothing else.
pub(super) fn fruitful() -> Asked {
    Asked::from([(AGENT_DELEGATE.to_owned(), vec!["*".to_owned()])])
}

/// What a lease of these texts says may be spent.
pub(super) fn budget_of(asked: &Asked) -> Money {
    let mut money = Money::new();
    let texts = asked.get(COST_BUDGET).into_iter().flatten();
    for (currency, amount) in texts.filter_map(|text| text.split_once(':')) {
        let known = CURRENCIES.iter().find(|known| **known == currency);
        *money.entry(known.expect("a currency of this world")).or_default() += cents(amount);
    }
    money
}

/// The same, from a row.
pub(super) fn money_of(amounts: &Amounts) -> Money {
    let of = |currency: &'static str| {
        let known = Currency::parse(currency).expect("a currency of this world");
        amounts.of(&known).map(|amount| (currency, cents(&amount.to_string())))
    };
    CURRENCIES.iter().filter_map(|currency| of(currency)).collect()
}

pub(super) fn amount(cents: i64) -> Amount {
    Amount::parse(&in_units(cents)).expect("digits with a point")
}

fn in_units(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn cents(text: &str) -> i64 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (units, rest) = digits.split_once('.').unwrap_or((digits, ""));
    assert!(rest.len() <= 2, "there is nothing finer than cents in this world: {text}");
    sign * format!("{units}{rest:0<2}").parse::<i64>().expect("digits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use longhaul_core::lease::{Lease, Operation};
    use longhaul_core::time::Timestamp;

    #[test]
    fn the_small_world_tells_all_of_its_patterns_apart() {
        for (capability, targets, patterns) in WORLD {
            for outer in patterns {
                let asked = |text: &str| Asked::from([(capability.into(), vec![text.into()])]);
                let lease = |text: &str| Lease::parse(&asked(text), None).expect("a good text");
                for target in targets {
                    let operation =
                        Operation::new(capability, target, None).expect("a good target");
                    let is_so =
                        lease(outer).authorize(&operation, Timestamp::from_millis(0)).is_ok();
                    assert_eq!(
                        is_granted(&asked(outer), capability, target),
                        is_so,
                        "{outer} {target}"
                    );
                }
                for inner in patterns {
                    let is_so = lease(outer).narrow(&lease(inner)).is_ok();
                    assert_eq!(
                        is_within(&asked(inner), &asked(outer)),
                        is_so,
                        "{inner} in {outer}"
                    );
                }
            }
        }
    }

    #[test]
    fn cents_are_read_as_they_are_written() {
        for cents_in in [0, 7, 70, 107, 1_230] {
            assert_eq!(cents(&in_units(cents_in)), cents_in);
        }
        assert_eq!((cents("-0.5"), cents("3"), cents("-12.05")), (-50, 300, -1_205));
    }
}

//! Amounts by example, and the laws of accounts.

use super::*;
use crate::id::JobId;
use proptest::prelude::*;

fn amounts(texts: &[&str]) -> Amounts {
    Amounts::parse(texts.iter().copied()).unwrap()
}

fn amount(text: &str) -> Amount {
    Amount::parse(text).unwrap()
}

fn usd() -> Currency {
    Currency::usd()
}

fn child(number: usize) -> JobId {
    JobId::parse(&format!("job_01JD000000000000000000000{number}")).unwrap()
}

fn left(account: &Account) -> Amount {
    account.remaining().of(&usd()).unwrap()
}

fn spend(account: &mut Account, text: &str) -> Debited {
    account.debit(&usd(), amount(text)).unwrap().unwrap()
}

#[test]
fn a_budget_is_read_by_its_grammar() {
    for (text, expected) in [
        ("USD:1.25", "USD 1.25"),
        ("usd:0", "usd 0"),
        ("a-b_C9:007.10", "a-b_C9 7.1"),
        ("USD:1234567890123456789012345678", "USD 1234567890123456789012345678"),
        ("USD:0.0000000000000000000000000001", "USD 0.0000000000000000000000000001"),
    ] {
        let amounts = amounts(&[text]);
        let (currency, amount) = amounts.iter().next().unwrap();
        assert_eq!(format!("{currency} {amount}"), expected);
    }
    let long = format!("USD:{}", "9".repeat(400));
    let many = format!("USD:{}", "9".repeat(29));
    let fine = format!("USD:0.{}1", "0".repeat(28));
    let named = format!("{}:1", "A".repeat(33));
    for text in [
        "",
        "USD",
        "USD:",
        ":5",
        "USD:-1",
        "USD:+1",
        "USD:1e3",
        "USD:1E3",
        "USD:1.",
        "USD:.5",
        "USD: 1",
        "USD:1 ",
        " USD:1",
        "USD:1,5",
        "USD:1.2.3",
        "USD:NaN",
        "USD:inf",
        "US D:1",
        "1USD:1",
        "_USD:1",
        "ÜSD:1",
        "USD:१",
        "USD:1:2",
        &long,
        &many,
        &fine,
        &named,
    ] {
        let bad = Amounts::parse([text]).unwrap_err();
        assert_eq!(bad.text, text);
        assert!(!bad.to_string().is_empty());
    }
}

#[test]
fn a_currency_that_stands_twice_has_the_sum() {
    let both = amounts(&["USD:1.5", "EUR:2", "USD:0.25"]);
    assert_eq!(both.of(&usd()), Some(amount("1.75")));
    assert_eq!(both.of(&Currency::parse("EUR").unwrap()), Some(amount("2")));
    assert_eq!(both.of(&Currency::parse("usd").unwrap()), None);
    let much = format!("USD:{}", "9".repeat(28));
    let bad = Amounts::parse([much.as_str(), "USD:1"]).unwrap_err();
    assert_eq!(bad.to_string(), "its sum with the others has too many digits");
    let bad = Amounts::parse([much.as_str(), "USD:0.1"]).unwrap_err();
    assert_eq!(bad.text, "USD:0.1");
}

#[test]
fn a_number_is_taken_by_its_text() {
    for (text, expected) in [
        ("0.1", "0.1"),
        ("1e-7", "0.0000001"),
        ("1.5E+3", "1500"),
        ("-0.0", "0"),
        ("-0e99999999999999999999", "0"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("12345678901234567890", "12345678901234567890"),
        ("1e27", "1000000000000000000000000000"),
        ("1e-300", "0.0000000000000000000000000001"),
        ("1e-99999999999999999999", "0.0000000000000000000000000001"),
        ("0.00000000000000000000000000011", "0.0000000000000000000000000002"),
        ("9.99999999999999999999999999999", "10"),
        ("123456789.12345678901234567891", "123456789.1234567890123456790"),
    ] {
        let taken = Amount::from_number_text(text).unwrap();
        assert_eq!(taken, amount(expected), "{text}");
    }
    for (text, expected) in [
        ("-0.01", BadCharge::Negative),
        ("-1e-400", BadCharge::Negative),
        ("1e28", BadCharge::TooLarge),
        ("1e999999999999999999999", BadCharge::TooLarge),
        ("NaN", BadCharge::NotFinite),
        ("-inf", BadCharge::NotFinite),
        ("1e", BadCharge::NotFinite),
        ("0x10", BadCharge::NotFinite),
        ("", BadCharge::NotFinite),
    ] {
        assert_eq!(Amount::from_number_text(text), Err(expected), "{text}");
    }
    for (json, expected) in [("0.1", "0.1"), ("3", "3"), ("1e-7", "0.0000001"), ("2.50", "2.5")] {
        let number: serde_json::Number = serde_json::from_str(json).unwrap();
        assert_eq!(Amount::from_json(&number), Ok(amount(expected)));
    }
}

#[test]
fn an_amount_leaves_as_the_nearest_number_and_is_stored_whole() {
    for (text, json) in
        [("1", "1"), ("1.50", "1.5"), ("0.1", "0.1"), ("0", "0"), ("0.0000001", "1e-7")]
    {
        assert_eq!(amount(text).to_json().to_string(), json);
    }
    assert_eq!(amount("9999999999999999999999999999").to_json().as_f64(), Some(1e28));
    assert_eq!(Amount::from_nano_usd(1_250_000_000).to_string(), "1.25");
    assert_eq!(Amount::from_nano_usd(u64::MAX).to_string(), "18446744073.709551615");

    let mut account = Account::new(amounts(&["USD:1.50", "tokens:10"]));
    spend(&mut account, "2");
    account.reserve(&child(1), &amounts(&["tokens:3"])).unwrap();
    let text = serde_json::to_string(&account).unwrap();
    assert!(text.contains(r#""remaining":{"USD":"-0.5","tokens":"7"}"#), "{text}");
    assert_eq!(serde_json::from_str::<Account>(&text).unwrap(), account);
    assert!(serde_json::from_str::<Amounts>(r#"{"":"1"}"#).is_err());
    assert!(serde_json::from_str::<Amounts>(r#"{"USD":"x"}"#).is_err());
}

#[test]
fn ten_times_a_tenth_is_one() {
    let mut account = Account::new(amounts(&["USD:1"]));
    for _ in 0..9 {
        assert!(!spend(&mut account, "0.1").crossed);
        assert_eq!(account.is_exhausted(), None);
    }
    let last = spend(&mut account, "0.1");
    assert_eq!(last.remaining, Amount::ZERO);
    assert!(last.crossed && last.must_tell && last.over == Amount::ZERO);
    assert_eq!(account.is_exhausted(), Some(&usd()));
}

#[test]
fn charges_of_other_currencies_and_negative_ones_change_nothing() {
    let mut account = Account::new(amounts(&["USD:1"]));
    let before = account.clone();
    let euro = Currency::parse("EUR").unwrap();
    assert_eq!(account.debit(&euro, amount("5")), Ok(None));
    assert_eq!(account.debit(&usd(), amount("1").negated()), Err(BadCharge::Negative));
    assert_eq!(account, before);
    assert_eq!(
        Account::new(amounts(&["USD:5", "tokens:0"])).is_exhausted().unwrap().as_str(),
        "tokens"
    );
    assert_eq!(Account::default().is_exhausted(), None);
}

#[test]
fn what_is_left_is_told_at_first_after_a_change_and_at_the_end() {
    let told = |initial: &str, charges: &[&str]| -> Vec<bool> {
        let mut account = Account::new(amounts(&[initial]));
        charges.iter().map(|charge| spend(&mut account, charge).must_tell).collect()
    };
    assert_eq!(told("USD:100", &["0", "4.99", "0.01", "4", "1"]), [true, false, true, false, true]);
    assert_eq!(
        told("USD:1", &["0.1", "0.5", "0.4", "0.1", "0.9"]),
        [true, false, true, false, true]
    );
    assert_eq!(told("USD:0", &["1", "0.5", "0.5"]), [true, false, true]);
}

#[test]
fn a_child_has_what_was_set_aside_and_its_rest_comes_back_once() {
    let mut parent = Account::new(amounts(&["USD:10", "tokens:5"]));
    let short = parent.reserve(&child(1), &amounts(&["USD:4", "tokens:6"])).unwrap_err();
    assert_eq!(short.currency.as_str(), "tokens");
    assert_eq!(parent, Account::new(amounts(&["USD:10", "tokens:5"])));
    let short = parent.reserve(&child(1), &amounts(&["EUR:0"])).unwrap_err();
    assert_eq!(short.to_string(), "there is not enough EUR left");

    parent.reserve(&child(1), &amounts(&["USD:6"])).unwrap();
    assert!(parent.reserve(&child(2), &amounts(&["USD:4.01"])).is_err());
    parent.reserve(&child(2), &amounts(&["USD:4"])).unwrap();
    assert_eq!(parent.is_exhausted(), Some(&usd()));

    parent.refund(&child(1), &amounts(&["USD:2.5"]));
    parent.refund(&child(1), &amounts(&["USD:2.5"]));
    assert_eq!(left(&parent), amount("2.5"));
    parent.refund(&child(2), &amounts(&["USD:400", "tokens:400"]));
    assert_eq!(left(&parent), amount("6.5"));
    assert_eq!(parent.remaining().of(&Currency::parse("tokens").unwrap()), Some(amount("5")));
    assert!(parent.reserved().is_empty());
}

#[test]
fn what_a_child_spends_beyond_its_own_is_its_parents_to_pay_at_once() {
    let mut parent = Account::new(amounts(&["USD:10"]));
    parent.reserve(&child(1), &amounts(&["USD:4"])).unwrap();
    let mut own = Account::new(amounts(&["USD:4"]));
    let paid = charge(&mut [&mut own, &mut parent], &usd(), amount("5")).unwrap();
    assert_eq!(paid.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [0, 1]);
    assert_eq!((left(&own).to_string().as_str(), left(&parent)), ("-1", amount("5")));
    let rest = own.remaining().clone();
    parent.refund(&child(1), &rest);
    assert_eq!(left(&parent), amount("5"));
}

#[test]
fn who_has_no_budget_of_a_currency_spends_its_parents() {
    let mut parent = Account::new(amounts(&["USD:1", "EUR:0"]));
    let mut own = Account::new(amounts(&["EUR:2"]));
    assert_eq!(exhausted(&[&own, &parent]), None);
    let paid = charge(&mut [&mut own, &mut parent], &usd(), amount("1")).unwrap();
    assert_eq!(paid.len(), 1);
    assert_eq!(left(&parent), Amount::ZERO);
    assert_eq!(exhausted(&[&own, &parent]), Some(&usd()));
    assert_eq!(charge(&mut [], &usd(), amount("1")), Ok(vec![]));
}

#[test]
fn what_cannot_be_kept_whole_is_rounded_against_who_spends() {
    let most = "9".repeat(28);
    let mut account = Account::new(amounts(&[&format!("USD:{most}")]));
    let least = amount("0.0000000000000000000000000001");
    let debited = account.debit(&usd(), least).unwrap().unwrap();
    assert!(debited.remaining < amount(&most));
    for _ in 0..20 {
        account.debit(&usd(), amount(&most)).unwrap();
    }
    assert!(left(&account) < Amount::ZERO);
    assert_eq!(account.debit(&usd(), amount(&most)).unwrap().unwrap().over, amount(&most));
}

fn charge_text() -> impl Strategy<Value = String> {
    prop_oneof!["[0-9]{1,2}", "[0-9]\\.[0-9]{1,3}", "0\\.0{0,15}[0-9]{1,7}"]
}

proptest! {
    /// However it is spread, set aside and given back: what may still be spent is what was granted
    /// without what was charged.
    #[test]
    fn a_family_never_has_more_than_was_granted_and_not_charged(
        steps in prop::collection::vec((0..3_u8, 0..4_usize, charge_text()), 1..25),
    ) {
        let mut root = Account::new(amounts(&["USD:100"]));
        let mut children: Vec<Option<Account>> = vec![None; 4];
        let mut charged = Amount::ZERO;
        for (kind, place, text) in steps {
            let sum = amount(&text);
            match (kind, children[place].take()) {
                (0, None) => {
                    let given = amounts(&[&format!("USD:{text}")]);
                    let is_enough = sum <= left(&root);
                    prop_assert_eq!(root.reserve(&child(place), &given).is_ok(), is_enough);
                    children[place] = is_enough.then(|| Account::new(given));
                }
                (1, Some(own)) => root.refund(&child(place), own.remaining()),
                (_, own) => {
                    children[place] = own;
                    let own = children[place].as_mut();
                    let mut chain: Vec<&mut Account> = own.into_iter().chain([&mut root]).collect();
                    charge(&mut chain, &usd(), sum).unwrap();
                    charged = charged.plus(sum).unwrap();
                }
            }
            let of_children = children.iter().flatten().map(|own| left(own).max(Amount::ZERO));
            let all = of_children.fold(left(&root), |all, own| all.plus(own).unwrap());
            prop_assert_eq!(all, amount("100").plus(charged.negated()).unwrap());
        }
    }

    #[test]
    fn refunds_never_exceed_what_was_set_aside(
        given in charge_text(), rest in charge_text(), again in charge_text(),
    ) {
        let mut root = Account::new(amounts(&["USD:100"]));
        root.reserve(&child(0), &amounts(&[&format!("USD:{given}")])).unwrap();
        for rest in [rest, again] {
            root.refund(&child(0), &amounts(&[&format!("USD:{rest}")]));
            prop_assert!(left(&root) <= amount("100"));
        }
    }

    #[test]
    fn sums_are_never_rounded_up(
        a in any::<(i128, u32)>(), b in any::<(i128, u32)>(), shift in 32..127_u32,
    ) {
        let read = |(mantissa, scale): (i128, u32)| {
            Decimal::try_from_i128_with_scale(mantissa >> shift, scale % 29).ok().map(Amount::of)
        };
        if let (Some(a), Some(b)) = (read(a), read(b)) {
            let less = a.plus_down(b);
            if let Some(sum) = a.plus(b) {
                prop_assert_eq!(less, sum);
            }
            // Without what was dropped by rounding, either number is at most the rest.
            prop_assert!(less.minus_down(b) <= a && less.minus_down(a) <= b);
        }
    }

    #[test]
    fn no_text_is_too_strange_for_an_amount(text in ".*", number in "-?[0-9]{0,40}\\.?[0-9]{0,40}(e[+-]?[0-9]{0,5})?") {
        for text in [text, number] {
            if let Ok(amount) = Amount::parse(&text) {
                prop_assert_eq!(Amount::from_number_text(&text), Ok(amount));
                prop_assert_eq!(Amount::parse(&amount.to_string()), Ok(amount));
                let json = serde_json::to_string(&amount).unwrap();
                prop_assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
            }
            if let Ok(amount) = Amount::from_number_text(&text) {
                let exact: f64 = text.parse().unwrap();
                prop_assert!((amount.to_json().as_f64().unwrap() - exact).abs() <= exact * 1e-15 + 1e-28);
            }
            let _ = Amounts::parse([text.as_str(), &format!("USD:{text}")]);
        }
    }
}

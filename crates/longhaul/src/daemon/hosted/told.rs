//! What a hosted job tells: looked at before it is told, in the words of the protocol, and put as the
//! engine takes it. What costs something is charged, and what is a piece of a result is counted.

use longhaul_arcp::error::{Code, Denial};
use longhaul_arcp::event::{self, Checked};
use longhaul_arcp::message::Metric;
use longhaul_core::amounts::{Amount, Currency};
use longhaul_core::command::{Entry, Piece};
use serde_json::Value;

/// What every metric that costs something begins with.
const COSTS: &str = "cost.";
/// The metric that says what is left: ours to tell, and no cost.
const REMAINING: &str = "cost.budget.remaining";

/// An event as it is told.
///
/// # Errors
/// [`Denial`]: nobody could read it, or it cannot be charged; nothing is to be told.
pub fn entry(kind: &str, body: &Value) -> Result<Entry, Denial> {
    entry_of(kind, &body.to_string())
}

/// An event as it is told, whose body is JSON text already.
///
/// # Errors
/// As for [`entry`].
pub fn entry_of(kind: &str, body: &str) -> Result<Entry, Denial> {
    let (charge, piece) = match event::check(kind, body)? {
        Checked::Plain => (None, None),
        Checked::Metric(metric) => (charge(&metric)?, None),
        Checked::Piece(piece) => (None, Some(counted(piece))),
    };
    // A kind that was found good needs no escaping.
    let text = [r#"{"kind":"told","name":""#, kind, r#"","body":"#, body, "}"].concat();
    Ok(Entry { text, charge, piece })
}

fn counted(piece: event::Piece) -> Piece {
    let event::Piece { result_id, chunk_seq, bytes, is_last } = piece;
    Piece { result: result_id, seq: chunk_seq, bytes, is_last }
}

/// What a metric costs; nothing if it says no currency.
fn charge(metric: &Metric) -> Result<Option<(Currency, Amount)>, Denial> {
    if !metric.name.starts_with(COSTS) || metric.name == REMAINING {
        return Ok(None);
    }
    let amount = Amount::from_json(&metric.value).map_err(|bad| {
        Denial::new(Code::InvalidRequest, format!("`{}` is not told: {bad}", metric.name))
    })?;
    let currency = metric.unit.as_deref().and_then(Currency::parse);
    Ok(currency.map(|currency| (currency, amount)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use longhaul_core::event::Fact;
    use serde_json::json;

    fn charged(body: &Value) -> Option<(String, String)> {
        let charge = entry("metric", body).unwrap().charge;
        charge.map(|(currency, amount)| (currency.to_string(), amount.to_string()))
    }

    #[test]
    fn only_costs_in_a_currency_are_charged_and_to_the_last_digit() {
        let metric = |name: &str, unit: &str| json!({ "name": name, "value": 0.1, "unit": unit });
        let tenth = Some(("USD".to_owned(), "0.1".to_owned()));
        assert_eq!(charged(&metric("cost.inference", "USD")), tenth);
        assert_eq!(charged(&metric("cost.budget.remaining", "USD")), None);
        assert_eq!(charged(&metric("latency", "USD")), None);
        assert_eq!(charged(&metric("cost.x", "1 USD")), None);
        assert_eq!(charged(&json!({ "name": "cost.x", "value": 1 })), None);
    }

    #[test]
    fn nobody_is_paid_for_spending() {
        let body = json!({ "name": "cost.x", "value": -1, "unit": "USD" });
        assert_eq!(entry("metric", &body).unwrap_err().code, Code::InvalidRequest);
    }

    #[test]
    fn what_is_told_is_a_fact_of_the_journal() {
        let body = json!({ "level": "info", "message": "m" });
        let told: Fact = serde_json::from_str(&entry("log", &body).unwrap().text).unwrap();
        assert_eq!(told, Fact::Told { name: "log".to_owned(), body, decided: false });
        assert!(entry("log", &json!({ "level": "loud" })).is_err());
    }
}

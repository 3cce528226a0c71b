//! What jobs spend, and what they may do.

use crate::amounts::{Amount, Currency};
use crate::command::Refused;
use crate::event::Fact;
use crate::id::JobId;
use crate::world::{Fault, World};
use serde_json::json;

/// Charges a job. Gives the entry that tells what is left, where that is to be told.
pub(super) fn charge(
    world: &mut World<'_>,
    id: &JobId,
    currency: &Currency,
    amount: Amount,
) -> Result<Option<String>, Fault> {
    let Some(account) = world.job(id)?.account.as_mut() else { return Ok(None) };
    let debited =
        account.debit(currency, amount).map_err(|bad| Refused::BadCharge(bad.to_string()))?;
    let Some(debited) = debited.filter(|debited| debited.must_tell) else { return Ok(None) };
    let value = debited.remaining.to_json();
    let body =
        json!({ "name": "cost.budget.remaining", "value": value, "unit": currency.as_str() });
    let fact = Fact::Told { name: "metric".to_owned(), body };
    Ok(Some(serde_json::to_string(&fact).expect("facts are plain trees with text keys")))
}

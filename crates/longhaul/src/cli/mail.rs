//! `longhaul mail`: what agents and people write to each other. Inside a turn it is the turn's agent
//! who writes and reads, proven by the attempt's token; outside it is the caller's own box.

use super::error::{CliError, Leave};
use super::inside::Place;
use super::output::{Output, Tone, plain};
use super::owner::Owner;
use super::{Caller, list};
use crate::api::{
    ByTurn, MailAsk, MailBatch, MailCheckAsk, MailPriority, MailReadAsk, MailState, MailView,
};
use crate::client::{Client, MailListAsk};
use crate::clock;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use serde_json::Value;
use std::io::Read;

/// Characters of an id that say when it was made, and two more.
const ID_CHARS: usize = "mail_".len() + 12;

/// Send and read mail between agents and people
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Examples:
  longhaul mail send --to fixer --subject 'Tests fail on main' --body 'See job nightly'
  longhaul mail send --to @parent --subject Done --kind done
  longhaul mail check
  longhaul mail list --to fixer --unread

Mail to an idle agent wakes it: a turn begins with all that it has not read, and how the turn ends decides \
whether the mail was read. Recipients are agents, or groups: @all, @ROLE, @parent, @children, and @OWNER \
for a person. Inside a turn, its agent writes and reads; outside, you do.")]
pub(super) struct Mail {
    #[command(subcommand)]
    command: MailCommand,
}

#[derive(Debug, clap::Subcommand)]
enum MailCommand {
    Send(Send),
    List(List),
    /// Show a message; it is read if it is to you
    Read {
        /// Which message
        #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
        id: String,
    },
    /// Take the unread mail, oldest first
    Check {
        /// Whose mail [default: that of the turn's agent, or your own]
        #[arg(long, value_name = "A")]
        agent: Option<String>,
    },
    /// Show all messages of a thread, oldest first
    Thread {
        /// Any message of it
        #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
        id: String,
    },
}

/// Send a message to one mailbox or several
#[derive(Debug, clap::Args)]
struct Send {
    /// Send it to this agent or group; may be repeated, and be left out in a reply
    #[arg(long, value_name = "A", required_unless_present = "reply_to")]
    to: Vec<String>,
    /// Say what it is about; may be left out in a reply
    #[arg(long, value_name = "S", required_unless_present = "reply_to")]
    subject: Option<String>,
    /// Say this; `-` reads it from stdin
    #[arg(long, value_name = "B|-")]
    body: Option<String>,
    /// Say what kind of message it is, such as status, question, result, done or worker_done [default:
    /// status]
    #[arg(long, value_name = "K")]
    kind: Option<String>,
    /// Say how much it presses: low, normal, high or urgent
    #[arg(long, value_name = "P", default_value = "normal", value_parser = priorities())]
    #[arg(hide_possible_values = true)]
    priority: MailPriority,
    /// Tell programs this, as a JSON object; what must be in it depends on the kind
    #[arg(long, value_name = "JSON")]
    payload: Option<String>,
    /// Answer this message, in its thread
    #[arg(long, value_name = "ID")]
    reply_to: Option<String>,
}

/// List messages, newest first; reads none of them
#[derive(Debug, clap::Args)]
struct List {
    /// Only in the mailbox of this agent, or of `@OWNER`
    #[arg(long, value_name = "A")]
    to: Option<String>,
    /// Only from this agent, or from `@OWNER`
    #[arg(long, value_name = "A")]
    from: Option<String>,
    /// Only what nobody has read or taken
    #[arg(long, conflicts_with = "state")]
    unread: bool,
    /// Only these states: unread, taken, read, returned
    #[arg(long, value_name = "S", value_delimiter = ',', value_parser = states())]
    #[arg(hide_possible_values = true)]
    state: Vec<String>,
    /// Only this kind
    #[arg(long, value_name = "K")]
    kind: Option<String>,
    /// Only the thread of this message
    #[arg(long, value_name = "ID")]
    thread: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Go on where an earlier list ended: its `next_cursor`
    #[arg(long, value_name = "C")]
    cursor: Option<String>,
}

fn states() -> PossibleValuesParser {
    MailState::ALL.map(MailState::name).into()
}

fn priorities() -> impl TypedValueParser<Value = MailPriority> {
    PossibleValuesParser::new(["low", "normal", "high", "urgent"]).map(|word| match word.as_str() {
        "low" => MailPriority::Low,
        "high" => MailPriority::High,
        "urgent" => MailPriority::Urgent,
        _ => MailPriority::Normal,
    })
}

/// Who writes or reads: a turn that can prove itself, or a person.
struct Correspondent {
    client: Client,
    turn: Option<ByTurn>,
    token: Option<String>,
    owner: Option<String>,
}

impl Correspondent {
    async fn find(caller: &Caller) -> Result<Self, CliError> {
        let Some(place) = Place::of_caller()? else {
            let owner = Some(Owner::of_caller(None).name);
            return Ok(Self { client: caller.client().await?, turn: None, token: None, owner });
        };
        let client = place.client().await?;
        let turn = Some(ByTurn { job: place.job, attempt: place.attempt });
        Ok(Self { client, turn, token: Some(place.token), owner: None })
    }
}

impl Mail {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        match self.command {
            MailCommand::Send(send) => send.run(caller).await?,
            MailCommand::List(list) => list.run(caller).await?,
            MailCommand::Read { id } => {
                let who = Correspondent::find(caller).await?;
                let ask = MailReadAsk { turn: who.turn, owner: who.owner };
                let mail = who.client.read_mail(&id, &ask, who.token.as_deref()).await?;
                if caller.output.json {
                    caller.output.value(&mail)?;
                } else {
                    caller.output.line(&in_full(&mail, &caller.output))?;
                }
            }
            MailCommand::Check { agent } => {
                let who = Correspondent::find(caller).await?;
                let ask = MailCheckAsk { agent, limit: None, turn: who.turn, owner: who.owner };
                let handed = who.client.check_mail(&ask, who.token.as_deref()).await?;
                show_whole(&handed, "no unread mail", caller)?;
            }
            MailCommand::Thread { id } => {
                let thread = caller.client().await?.thread(&id).await?;
                show_whole(&thread, "no mail", caller)?;
            }
        }
        Ok(Leave::OK)
    }
}

impl Send {
    async fn run(self, caller: &Caller) -> Result<(), CliError> {
        let ask = self.ask()?;
        let who = Correspondent::find(caller).await?;
        let ask = MailAsk { turn: who.turn, owner: who.owner, ..ask };
        let sent = who.client.send_mail(ask, who.token.as_deref()).await?;
        if caller.output.json {
            return caller.output.value(&sent);
        }
        for mail in &sent.mail {
            caller.output.line(&mail.id)?;
        }
        Ok(())
    }

    fn ask(self) -> Result<MailAsk, CliError> {
        let payload = self.payload.as_deref().map(payload).transpose()?;
        Ok(MailAsk {
            id: None,
            to: self.to,
            subject: self.subject,
            body: self.body.map(body).transpose()?.unwrap_or_default(),
            kind: self.kind,
            priority: self.priority,
            payload,
            reply_to: self.reply_to,
            turn: None,
            owner: None,
        })
    }
}

fn payload(text: &str) -> Result<Value, CliError> {
    let bad = |why: String| {
        CliError::usage(format!("`--payload` is not a JSON object: {why}"))
            .hint("write it like `--payload '{\"taskId\":\"t1\"}'`")
    };
    let value: Value = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
    if value.is_object() { Ok(value) } else { Err(bad("it is another value".to_owned())) }
}

fn body(given: String) -> Result<String, CliError> {
    if given != "-" {
        return Ok(given);
    }
    let mut read = String::new();
    std::io::stdin()
        .lock()
        .read_to_string(&mut read)
        .map_err(|error| CliError::usage(format!("standard input cannot be read: {error}")))?;
    Ok(read)
}

impl List {
    async fn run(self, caller: &Caller) -> Result<(), CliError> {
        let states =
            if self.unread { vec![MailState::Unread.name().to_owned()] } else { self.state };
        let ask = MailListAsk {
            to: self.to,
            from: self.from,
            thread: self.thread,
            states,
            kind: self.kind,
            limit: self.limit,
            cursor: self.cursor,
        };
        let page = caller.client().await?.mail(&ask).await?;
        if caller.output.json {
            return caller.output.value(&page);
        }
        if page.mail.is_empty() {
            caller.output.note("no mail");
            return Ok(());
        }
        let now = clock::wall_now().as_millis();
        let rows = page.mail.iter().map(|mail| row(mail, now)).collect();
        let head = ["MAIL", "STATE", "FROM", "TO", "KIND", "SUBJECT", "AGE"];
        caller.output.table(&head, rows)?;
        if let Some(cursor) = page.next_cursor {
            caller.output.note(&format!("more with `--cursor {cursor}`"));
        }
        Ok(())
    }
}

fn row(mail: &MailView, now: i64) -> Vec<(Tone, String)> {
    let presses = match mail.priority {
        MailPriority::Low => Tone::Faint,
        MailPriority::Normal => Tone::Plain,
        MailPriority::High | MailPriority::Urgent => Tone::Doubtful,
    };
    vec![
        (Tone::Plain, mail.id.get(..ID_CHARS).unwrap_or(&mail.id).to_owned()),
        (tone(mail.state), mail.state.name().to_owned()),
        (Tone::Plain, list::clipped(&mail.from)),
        (Tone::Plain, list::clipped(&mail.to)),
        (Tone::Faint, plain(&mail.kind)),
        (presses, list::clipped(&mail.subject)),
        (Tone::Faint, list::in_short(now - mail.sent_at.0)),
    ]
}

const fn tone(state: MailState) -> Tone {
    match state {
        MailState::Unread => Tone::Doubtful,
        MailState::Taken => Tone::Live,
        MailState::Read => Tone::Faint,
        MailState::Returned => Tone::Bad,
    }
}

fn show_whole(mail: &MailBatch, nothing: &str, caller: &Caller) -> Result<(), CliError> {
    if caller.output.json {
        return caller.output.value(mail);
    }
    if mail.mail.is_empty() {
        caller.output.note(nothing);
        return Ok(());
    }
    let texts: Vec<String> = mail.mail.iter().map(|mail| in_full(mail, &caller.output)).collect();
    caller.output.line(&texts.join("\n\n"))
}

/// A message as a letter: its head in lines, then what it says.
fn in_full(mail: &MailView, output: &Output) -> String {
    let id = output.toned(Tone::Faint, &mail.id);
    let state = output.toned(tone(mail.state), mail.state.name());
    let mut text = format!("{id}  {state}\n");
    let mut pair = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("  {name:<9} {}\n", plain(value)));
        }
    };
    pair("from", &mail.from);
    pair("to", &mail.to);
    pair("sent", &mail.sent_at.to_string());
    pair("subject", &mail.subject);
    let presses = match mail.priority {
        MailPriority::Normal => String::new(),
        other => format!(", {}", other.name()),
    };
    pair("kind", &format!("{}{presses}", mail.kind));
    pair("answers", mail.reply_to.as_deref().unwrap_or_default());
    pair("payload", &mail.payload.as_ref().map(Value::to_string).unwrap_or_default());
    pair("returned", mail.returned_because.as_deref().unwrap_or_default());
    if !mail.body.is_empty() {
        text.push('\n');
        let lines = mail.body.lines().map(|line| line.split('\t').map(plain).collect::<Vec<_>>());
        for line in lines {
            text.push_str(&format!("{}\n", line.join("\t")));
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_an_object() {
        assert!(payload(r#"{"taskId":"t"}"#).is_ok());
        for bad in ["", "[1]", "3", "{", "null"] {
            assert!(payload(bad).is_err(), "{bad}");
        }
    }
}

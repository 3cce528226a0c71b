//! Options that say what an agent, or one turn of it, may do and cost.

use crate::api::{After, BudgetAsk, ParkRule, PolicyView, QuietView, Resume, Span, Usd};
use clap::builder::{PossibleValuesParser, TypedValueParser};

const MAY: &str = "What it may do";
const COSTS: &str = "What it may cost";
const TROUBLE: &str = "When there is trouble";
const QUIET: &str = "When it is quiet";

/// What an agent or a turn may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(super) struct PolicyOptions {
    /// Allow this tool, by the CLI's name for it, perhaps with a `*` at its end; what is not named
    /// is refused then. May be repeated
    #[arg(long, value_name = "T", help_heading = MAY)]
    allow_tool: Vec<String>,
    /// Refuse this tool, whatever else is said; may be repeated
    #[arg(long, value_name = "T", help_heading = MAY)]
    deny_tool: Vec<String>,
    /// Ask a person each time before this tool runs; may be repeated
    #[arg(long, value_name = "T", help_heading = MAY)]
    ask_tool: Vec<String>,
    /// Allow writing in this folder below the working directory, and nowhere else; may be repeated
    #[arg(long, value_name = "D", help_heading = MAY)]
    write_under: Vec<String>,
    /// Allow everything without asking: for a machine that may be lost
    #[arg(long, help_heading = MAY, conflicts_with_all = ["allow_tool", "write_under"])]
    everything: bool,
    /// Wait this long for a person's answer, then take it for a no [default: for ever]
    #[arg(long, value_name = "D", help_heading = MAY)]
    ask_for: Option<Span>,
}

impl PolicyOptions {
    /// What was said; `None` if nothing was.
    pub(super) fn said(&self) -> Option<PolicyView> {
        (self != &Self::default()).then(|| PolicyView {
            allow_tool: self.allow_tool.clone(),
            deny_tool: self.deny_tool.clone(),
            ask_tool: self.ask_tool.clone(),
            write_under: self.write_under.clone(),
            everything: self.everything,
            ask_for: self.ask_for,
        })
    }
}

/// What an agent or a turn may cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(super) struct BudgetOptions {
    /// Stop it when it has cost this much, such as `2usd`
    #[arg(long, value_name = "USD", help_heading = COSTS)]
    budget: Option<Usd>,
    /// Ask a person before it is stopped for its budget
    #[arg(long, help_heading = COSTS, requires = "budget")]
    budget_ask: bool,
}

impl BudgetOptions {
    /// What was said; `None` if nothing was.
    pub(super) fn said(&self) -> Option<BudgetAsk> {
        self.budget.map(|usd_max| BudgetAsk { usd_max, ask: self.budget_ask })
    }
}

/// What becomes of a turn that its vendor does not let go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(super) struct TroubleOptions {
    /// Let a turn that meets a limit of the vendor fail, wait until that ends, or wait for a person:
    /// never, until-reset or ask [default: until-reset]
    #[arg(long, value_name = "WHEN", help_heading = TROUBLE, value_parser = parks())]
    #[arg(hide_possible_values = true)]
    pub(super) park: Option<ParkRule>,
    /// Begin a new conversation, once, where the old one cannot be resumed, or fail: fresh or fail
    /// [default: fresh]
    #[arg(long, value_name = "HOW", help_heading = TROUBLE, value_parser = resumes())]
    #[arg(hide_possible_values = true)]
    pub(super) resume: Option<Resume>,
}

fn parks() -> impl TypedValueParser<Value = ParkRule> {
    PossibleValuesParser::new(["never", "until-reset", "ask"]).map(|word| match word.as_str() {
        "never" => ParkRule::Never,
        "ask" => ParkRule::Ask,
        _ => ParkRule::UntilReset,
    })
}

fn resumes() -> impl TypedValueParser<Value = Resume> {
    PossibleValuesParser::new(["fresh", "fail"]).map(|word| match word.as_str() {
        "fail" => Resume::Fail,
        _ => Resume::Fresh,
    })
}

/// After how long a silence what is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(super) struct QuietOptions {
    /// Say so when a turn is quiet for this long, or `never` [default: as its role has it]
    #[arg(long, value_name = "D", help_heading = QUIET)]
    quiet_warn: Option<After>,
    /// Send it a message for its next turn
    #[arg(long, value_name = "D", help_heading = QUIET)]
    quiet_nudge: Option<After>,
    /// Ask its owner about it
    #[arg(long, value_name = "D", help_heading = QUIET)]
    quiet_ask: Option<After>,
    /// Stop the turn
    #[arg(long, value_name = "D", help_heading = QUIET)]
    quiet_stop: Option<After>,
}

impl QuietOptions {
    pub(super) fn said(&self) -> QuietView {
        QuietView {
            warn: self.quiet_warn,
            nudge: self.quiet_nudge,
            ask: self.quiet_ask,
            stop: self.quiet_stop,
        }
    }
}

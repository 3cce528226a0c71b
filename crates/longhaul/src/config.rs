//! What a user may set: `<home>/config.toml`, then the environment. Every default stands here with
//! its reason; a key that is not known is refused by name, because a misspelt limit is no limit.

mod issuers;
mod network;

pub use issuers::{CommandIssuer, Issuer, IssuerKey, IssuerKind, LiteLlm};
pub use network::{Listening, Sessions};

use self::network::{FileListen, FileSessions};
use crate::home::Home;
use longhaul_core::command::Retention;
use longhaul_core::limits;
use longhaul_core::spec::LeftoverRule;
use longhaul_core::time::Millis;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// The settings of one daemon, as they were when it started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Slots of the pool `default` when it is first made.
    pub default_slots: u32,
    /// How long ended jobs are kept, and how many.
    pub retention: Retention,
    /// How long an owner is away before others of its project may have its notices; never if `None`.
    pub adopt_after: Option<Millis>,
    /// What becomes of processes that a job leaves running, unless the job says otherwise.
    pub leftovers: LeftoverRule,
    /// Whether attempts get a cgroup of their own where that is possible.
    pub cgroup: Cgroup,
    /// Bytes that must be free where the home lies for anything to be submitted.
    pub low_disk_bytes: u64,
    /// How long stored content that no job names is kept.
    pub blob_grace: Millis,
    /// How long one try at a sink may take. At most [`TRY_TIMEOUT_MAX`].
    pub try_timeout: Duration,
    /// How notices are sent by HTTP.
    pub webhooks: Webhooks,
    /// Who may ask over a network.
    pub listen: Listening,
    /// How sessions are kept.
    pub sessions: Sessions,
    /// Who makes and revokes the credentials of jobs, by name.
    pub issuers: BTreeMap<String, Issuer>,
}

/// How notices are sent by HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Webhooks {
    /// Whether a name may lead to a private address. A URL that says the address itself always may.
    pub allow_private: bool,
    /// A file of certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// Whether attempts get a cgroup of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cgroup {
    /// Where the system lets us make one.
    Auto,
    /// Never.
    Off,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("`{}` cannot be read: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's own error.
        source: io::Error,
    },
    /// The file says something that is no setting.
    #[error("`{}` is not understood: {message}", path.display())]
    Bad {
        /// Which file.
        path: PathBuf,
        /// Where, and what is wrong.
        message: String,
    },
    /// A variable of the environment says something that is no setting.
    #[error("`{name}` is not a number: `{value}`")]
    BadVariable {
        /// Which variable.
        name: &'static str,
        /// What it says.
        value: String,
    },
}

/// The file's shape; what is absent has its default.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    default_slots: Option<u32>,
    leftovers: Option<LeftoverRule>,
    cgroup: Option<Cgroup>,
    low_disk_bytes: Option<u64>,
    blob_grace_secs: Option<u64>,
    retention: FileRetention,
    owners: FileOwners,
    sinks: FileSinks,
    webhooks: FileWebhooks,
    listen: FileListen,
    sessions: FileSessions,
    issuer: BTreeMap<String, issuers::Written>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FileOwners {
    adopt_after: Option<AdoptAfter>,
}

/// A duration, or `"never"`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct AdoptAfter(Option<Millis>);

impl TryFrom<String> for AdoptAfter {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self(None));
        }
        let span: crate::api::Span =
            text.parse().map_err(|bad: crate::api::BadUnit| bad.to_string())?;
        Ok(Self(Some(Millis::new(span.0))))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FileSinks {
    try_timeout: Option<TryTimeout>,
}

/// A duration within its bounds.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct TryTimeout(Duration);

impl TryFrom<String> for TryTimeout {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let span: crate::api::Span =
            text.parse().map_err(|bad: crate::api::BadUnit| bad.to_string())?;
        let limit = Duration::from_millis(span.0);
        if limit.is_zero() || limit > TRY_TIMEOUT_MAX {
            let most = TRY_TIMEOUT_MAX.as_secs();
            return Err(format!("`{text}` is not more than nothing and at most {most} s"));
        }
        Ok(Self(limit))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FileWebhooks {
    /// Not by default: whoever answers for a name could lead a notice anywhere in this network.
    allow_private: bool,
    ca_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FileRetention {
    keep_days: Option<u64>,
    keep_failed_days: Option<u64>,
    jobs_max: Option<u64>,
    bytes_max: Option<u64>,
}

/// Two weeks: long enough to look back over a holiday.
const KEEP_DAYS: u64 = 14;
/// What failed is looked into later than what went well.
const KEEP_FAILED_DAYS: u64 = 30;
/// As many rows as a list of jobs is still quick with.
const JOBS_MAX: u64 = 100_000;
/// A home should not surprise anyone who looks at a laptop's disk.
const BYTES_MAX: u64 = 20 * 1_024 * 1_024 * 1_024;
/// Room for the outcomes of a thousand attempts and for the database's own writing.
const LOW_DISK_BYTES: u64 = 16 * 1_024 * 1_024;
/// Between storing content and naming it lies one request, or a person who retries an upload.
const BLOB_GRACE_SECS: u64 = 3_600;
/// Whoever receives a notice has time to store it, and none to work it off.
const TRY_TIMEOUT: Duration = Duration::from_secs(10);
/// A claim is good for twice as long, so a try is over before anybody else may make the next.
pub const TRY_TIMEOUT_MAX: Duration = Duration::from_secs(30);
/// Even on one processor a job that waits for the network must not hold up the next.
const SLOTS_MIN: u32 = 2;

impl Config {
    /// Reads the home's settings; a home without any has the defaults.
    pub fn load(home: &Home) -> Result<Self, ConfigError> {
        let path = home.config();
        let text = match fs_err::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ConfigError::Unreadable { path, source }),
        };
        let mut config = Self::parse(&text)
            .map_err(|error| ConfigError::Bad { path, message: error.to_string() })?;
        if let Some(bytes) = from_environment("LONGHAUL_LOW_DISK_BYTES")? {
            config.low_disk_bytes = bytes;
        }
        if let Some(slots) = from_environment("LONGHAUL_DEFAULT_SLOTS")? {
            config.default_slots = u32::try_from(slots).unwrap_or(u32::MAX);
        }
        Ok(config)
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let file: File = toml::from_str(text)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cores = u32::try_from(cores).unwrap_or(u32::MAX);
        let kept = file.retention;
        Ok(Self {
            default_slots: file.default_slots.unwrap_or_else(|| cores.max(SLOTS_MIN)),
            retention: Retention {
                keep: days(kept.keep_days.unwrap_or(KEEP_DAYS)),
                keep_failed: days(kept.keep_failed_days.unwrap_or(KEEP_FAILED_DAYS)),
                jobs_max: kept.jobs_max.unwrap_or(JOBS_MAX),
                bytes_max: kept.bytes_max.unwrap_or(BYTES_MAX),
            },
            adopt_after: match file.owners.adopt_after {
                Some(AdoptAfter(after)) => after,
                None => Some(limits::ADOPT_AFTER_DEFAULT),
            },
            leftovers: file.leftovers.unwrap_or(LeftoverRule::Kill),
            cgroup: file.cgroup.unwrap_or(Cgroup::Auto),
            low_disk_bytes: file.low_disk_bytes.unwrap_or(LOW_DISK_BYTES),
            blob_grace: Millis::from_secs(file.blob_grace_secs.unwrap_or(BLOB_GRACE_SECS)),
            try_timeout: file.sinks.try_timeout.map_or(TRY_TIMEOUT, |TryTimeout(limit)| limit),
            webhooks: Webhooks {
                allow_private: file.webhooks.allow_private,
                ca_file: file.webhooks.ca_file,
            },
            listen: file.listen.into_listening(),
            sessions: file.sessions.into_sessions(),
            issuers: issuers::read(file.issuer).map_err(serde::de::Error::custom)?,
        })
    }
}

fn days(days: u64) -> Millis {
    Millis::from_secs(days.saturating_mul(86_400))
}

fn from_environment(name: &'static str) -> Result<Option<u64>, ConfigError> {
    let Some(value) = std::env::var_os(name) else { return Ok(None) };
    let value = value.to_string_lossy().into_owned();
    match value.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(ConfigError::BadVariable { name, value }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_gives_the_defaults() {
        let config = Config::parse("").unwrap();
        assert!(config.default_slots >= 2);
        assert_eq!(config.retention.keep, Millis::from_secs(14 * 86_400));
        assert_eq!(config.cgroup, Cgroup::Auto);
    }

    #[test]
    fn what_is_set_counts_and_the_rest_stays() {
        let text = "default_slots = 7\ncgroup = \"off\"\n[retention]\njobs_max = 5\n";
        let config = Config::parse(text).unwrap();
        assert_eq!((config.default_slots, config.cgroup), (7, Cgroup::Off));
        assert_eq!(config.retention.jobs_max, 5);
        assert_eq!(config.retention.keep_failed, Millis::from_secs(30 * 86_400));
    }

    #[test]
    fn names_lead_to_private_addresses_only_if_that_is_set() {
        assert_eq!(Config::parse("").unwrap().webhooks, Webhooks::default());
        let text = "[webhooks]\nallow_private = true\nca_file = \"/etc/own.pem\"\n";
        let webhooks = Config::parse(text).unwrap().webhooks;
        assert!(webhooks.allow_private);
        assert_eq!(webhooks.ca_file, Some(PathBuf::from("/etc/own.pem")));
    }

    #[test]
    fn a_try_at_a_sink_takes_as_long_as_is_set_within_bounds() {
        let limit = |text: &str| Config::parse(&format!("[sinks]\ntry_timeout = \"{text}\"\n"));
        assert_eq!(Config::parse("").unwrap().try_timeout, TRY_TIMEOUT);
        assert_eq!(limit("200ms").unwrap().try_timeout, Duration::from_millis(200));
        assert_eq!(limit("30s").unwrap().try_timeout, TRY_TIMEOUT_MAX);
        for bad in ["0s", "30001ms", "10", "never"] {
            let error = limit(bad).unwrap_err().to_string();
            assert!(error.contains(bad), "{error}");
        }
    }

    #[test]
    fn unknown_keys_are_refused_by_name() {
        for text in ["slotz = 3\n", "[retention]\nkeep_dais = 1\n", "[webhooks]\nallow = true\n"] {
            let error = Config::parse(text).unwrap_err().to_string();
            assert!(error.contains("unknown field"), "{error}");
        }
    }
}

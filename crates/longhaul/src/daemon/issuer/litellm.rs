//! Virtual keys of a LiteLLM gateway. A key is called by its credential's id (`key_alias`), of which a
//! gateway has one at most: a try that nobody heard the end of is found again by it.

use super::http::post;
use super::request::{Ask, Failed, Issued};
use crate::config::{IssuerKey, LiteLlm};
use crate::daemon::courier::Connector;
use hyper::StatusCode;
use longhaul_core::time::{Millis, Timestamp};
use serde_json::{Map, Value, json};

/// How long a key is good when its job's lease does not say: revoking is what ends it, and this is for
/// a home that never comes back.
const DURATION_DEFAULT: Millis = Millis::from_secs(30 * 24 * 3_600);
/// What a key is for where nothing is granted: to a gateway an empty list is every model that it has.
const NO_MODEL: &str = "no-model-is-granted";
/// Characters of a gateway's own words that are kept.
const WORDS_CHARS_MAX: usize = 300;

/// One gateway.
pub(super) struct Gateway<'a> {
    pub(super) settings: &'a LiteLlm,
    pub(super) connector: &'a Connector,
}

impl Gateway<'_> {
    /// Makes a key, in place of one that an earlier try may have made.
    pub(super) async fn mint(&self, ask: &Ask, now: Timestamp) -> Result<Issued, Failed> {
        let models = ask.models().or_else(|| self.settings.models.clone());
        let body = self.key(ask, models.as_deref(), now);
        let (mut status, mut said) = self.ask("key/generate", &body).await?;
        if is_taken(status, said.as_ref()) {
            self.revoke(ask).await?;
            (status, said) = self.ask("key/generate", &body).await?;
        }
        if !status.is_success() {
            return Err(refused(status, said.as_ref()));
        }
        let text = |field: &str| Some(said.as_ref()?.get(field)?.as_str()?.to_owned());
        // Its words are not repeated: they may hold the key.
        let value = text("key").filter(|key| !key.is_empty());
        let value = value.ok_or_else(|| Failed::now("the gateway's answer holds no key"))?;
        let handle = text("token_id").or_else(|| text("token"));
        let handle = handle.filter(|handle| *handle != value);
        Ok(Issued { value, handle, endpoint: self.settings.endpoint.clone(), models })
    }

    /// Deletes the key. One that is not there is deleted.
    pub(super) async fn revoke(&self, ask: &Ask) -> Result<(), Failed> {
        let body = json!({ "key_aliases": [ask.name()] });
        let (status, said) = self.ask("key/delete", &body).await?;
        if status.is_success() || is_gone(status, said.as_ref()) {
            return Ok(());
        }
        Err(refused(status, said.as_ref()))
    }

    fn key(&self, ask: &Ask, models: Option<&[String]>, now: Timestamp) -> Value {
        let left = ask.expires_at().map_or(DURATION_DEFAULT, |at| at.since(now));
        let mut metadata = Map::new();
        metadata.insert("credential".to_owned(), json!(ask.name()));
        metadata.insert("job".to_owned(), json!(ask.credential.job.as_str()));
        metadata.extend(ask.agent().map(|agent| ("agent".to_owned(), json!(agent))));
        let mut key = Map::new();
        key.insert("key_alias".to_owned(), json!(ask.name()));
        key.insert("duration".to_owned(), json!(format!("{}s", left.get().div_ceil(1_000).max(1))));
        key.insert("metadata".to_owned(), Value::Object(metadata));
        if let Some(models) = models {
            let models = if models.is_empty() { json!([NO_MODEL]) } else { json!(models) };
            key.insert("models".to_owned(), models);
        }
        // The gateway counts in dollars.
        if let Some(most) = ask.budget().remove("USD") {
            key.insert("max_budget".to_owned(), most);
        }
        Value::Object(key)
    }

    async fn ask(&self, path: &str, body: &Value) -> Result<(StatusCode, Option<Value>), Failed> {
        let key = master_key(&self.settings.key).await?;
        let url = format!("{}/{path}", self.settings.url.trim_end_matches('/'));
        post(self.connector, &url, &key, body).await
    }
}

/// Read anew for each request, so that replacing it is all it takes.
async fn master_key(of: &IssuerKey) -> Result<String, Failed> {
    match of {
        IssuerKey::Env(name) => match std::env::var(name) {
            Ok(key) if !key.trim().is_empty() => Ok(key.trim().to_owned()),
            Ok(_) | Err(_) => Err(Failed::now(format!("`{name}` is not set for the daemon"))),
        },
        IssuerKey::File(path) => {
            let path = path.clone();
            // A file on a server that is away would hold up a thread that others need.
            let reading = tokio::task::spawn_blocking(move || crate::secret_file::read(&path));
            let bytes = reading.await.unwrap_or_else(|error| Err(error.to_string()));
            let key = String::from_utf8(bytes.map_err(Failed::now)?);
            let key = key.map_err(|_| Failed::now("the issuer's key is no text"))?;
            Ok(key.trim().to_owned())
        }
    }
}

fn words(said: Option<&Value>) -> String {
    let said = said.map(|said| {
        let error = said.get("error").unwrap_or(said);
        let message = error.get("message").or_else(|| error.get("detail")).unwrap_or(error);
        message.as_str().map_or_else(|| message.to_string(), str::to_owned)
    });
    let said = said.unwrap_or_default();
    said.chars().filter(|character| !character.is_control()).take(WORDS_CHARS_MAX).collect()
}

fn refused(status: StatusCode, said: Option<&Value>) -> Failed {
    let problem = format!("the gateway says {}: {}", status.as_u16(), words(said));
    let may_pass = status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    if may_pass { Failed::now(problem) } else { Failed::for_good(problem) }
}

/// Whether there is a key of that name already.
fn is_taken(status: StatusCode, said: Option<&Value>) -> bool {
    let words = words(said).to_lowercase();
    status.is_client_error() && words.contains("alias") && words.contains("exist")
}

/// Whether the gateway itself, and not something before it, says that there is no such key.
fn is_gone(status: StatusCode, said: Option<&Value>) -> bool {
    let is_its_own = said.is_some_and(|said| said.get("error").is_some());
    let words = words(said).to_lowercase();
    let is_missing = ["not found", "no keys", "not all keys", "does not exist"];
    is_its_own
        && (status == StatusCode::NOT_FOUND
            || status == StatusCode::BAD_REQUEST
                && is_missing.iter().any(|say| words.contains(say)))
}

//! One table from what went wrong to what is answered: status, code, words, and what to do next.

use super::refusals;
use crate::api::{ErrorBody, ErrorView};
use crate::daemon::AskError;
use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use longhaul_core::command::Refused;
use longhaul_core::decide::clip;
use longhaul_core::limits;

/// An answer that is an error.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    status: StatusCode,
    /// Boxed: every route gives one of these, and almost never.
    error: Box<ErrorView>,
    retry_after_ms: Option<u64>,
}

/// What routes give.
pub(super) type Answer<T> = Result<T, Failure>;

impl Failure {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let message = clip(&message.into(), limits::MESSAGE_BYTES_MAX);
        let code = code.to_owned();
        let error = ErrorView { code, message, hint: None, index: None, candidates: None };
        Self { status, error: Box::new(error), retry_after_ms: None }
    }

    /// The request cannot be understood.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// The spec cannot be accepted.
    pub(super) fn bad_spec(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_spec", message)
    }

    /// The domain said no, in a way that core does not know of.
    pub(super) fn refused(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// Not now.
    pub(super) fn unavailable(code: &str, message: impl Into<String>, retry_after_ms: u64) -> Self {
        let failure = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message);
        Self { retry_after_ms: Some(retry_after_ms), ..failure }
    }

    /// We broke.
    pub(super) fn bug(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", message)
    }

    pub(super) fn not_found(what: &str) -> Self {
        let message = format!("there is no job `{}`", clip(what, 100));
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
            .hint("`longhaul list` shows what there is; ended jobs are removed after a while")
    }

    pub(super) fn ambiguous(what: &str, candidates: Vec<String>) -> Self {
        let named = candidates.join(", ");
        let message = format!("`{}` may mean several: {named}", clip(what, 100));
        let mut failure = Self::new(StatusCode::NOT_FOUND, "ambiguous", message)
            .hint("give more characters of the id, or all of it");
        failure.error.candidates = Some(candidates);
        failure
    }

    /// The same, with what to do next.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.error.hint = Some(hint.into());
        self
    }

    /// The same, about one job of a batch.
    pub(super) fn at(mut self, index: usize) -> Self {
        self.error.index = Some(index);
        self
    }

    /// The words, for lists of what was kept and why.
    pub(super) fn into_message(self) -> String {
        self.error.message
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if self.status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(message = self.error.message, "answered with a bug");
        }
        let mut response = (self.status, Json(ErrorBody { error: *self.error })).into_response();
        if let Some(ms) = self.retry_after_ms {
            let seconds = HeaderValue::from(ms.div_ceil(1_000));
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused(refused) => refused.into(),
            AskError::Unavailable { code, message, retry_after_ms } => {
                Self::unavailable(code, message, retry_after_ms)
            }
            AskError::Bug(message) => Self::bug(message),
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let status = refusals::status(&refused);
        let mut failure = Self::new(status, refused.code(), refused.to_string());
        failure.error.hint = refusals::hint(&refused);
        if let Refused::InBatch { index, .. } = refused {
            failure = failure.at(index);
        }
        failure
    }
}

/// Gives an error of the framework's own our form; leaves everything else as it is.
pub(super) async fn in_our_form(response: Response) -> Response {
    let status = response.status();
    let is_json =
        response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (code, message) = match status {
        StatusCode::NOT_FOUND => ("bad_request", "there is nothing at this path".to_owned()),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("bad_request", "this path does not know that method".to_owned())
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            ("too_large", format!("a body has at most {} bytes", limits::REQUEST_BYTES_MAX))
        }
        _ if status.is_client_error() => {
            ("bad_request", "the request cannot be understood".to_owned())
        }
        _ => ("bug", format!("the request came to nothing ({status})")),
    };
    Failure::new(status, code, message).into_response()
}

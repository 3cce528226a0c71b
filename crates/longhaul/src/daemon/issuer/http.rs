//! One request by HTTP and its whole answer, on a connection of its own.

use super::request::Failed;
use crate::daemon::courier::{Connector, Target};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;

/// Bytes of an answer. What a gateway says about one key is a few thousand.
const ANSWER_BYTES_MAX: usize = 256 * 1_024;
const AGENT: &str = concat!("longhaul/", env!("CARGO_PKG_VERSION"));

/// Puts JSON to a URL with a bearer token. Gives the status and what was said, which may be no JSON.
/// Sets no limit on how long that takes.
pub(super) async fn post(
    connector: &Connector,
    url: &str,
    token: &str,
    body: &Value,
) -> Result<(StatusCode, Option<Value>), Failed> {
    let target = Target::parse(url).map_err(Failed::for_good)?;
    let request = Request::post(&target.asks_for)
        .header(HOST, &target.authority)
        .header(USER_AGENT, AGENT)
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "close")
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .body(Full::new(Bytes::from(body.to_string())))
        // Its own words may quote the token.
        .map_err(|_| Failed::for_good("the issuer's key cannot be sent in a header"))?;
    let wire = connector.connect(&target).await.map_err(Failed::now)?;
    let broken = |error: hyper::Error| Failed::now(format!("no answer: {error}"));
    let (mut sender, connection) = http1::handshake(TokioIo::new(wire)).await.map_err(broken)?;
    let asked = async {
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let said = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let said = said.map_err(|error| Failed::now(format!("half an answer: {error}")))?;
        Ok((head.status, serde_json::from_slice(&said.to_bytes()).ok()))
    };
    let mut asked = std::pin::pin!(asked);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        answer = &mut asked => return answer,
        // How it ended, the request learns as well, and what was read before is still there.
        _ = &mut connection => {}
    }
    asked.await
}

//! The agents: small functions, each of which does one thing that a client of the protocol must cope
//! with.

use longhaul::daemon::NotRegistered;
use longhaul::embed::hosting::{
    AgentContext, AgentFailure, AgentOutput, AgentResult, ArtifactRef, Chunk, Delegate, Hosting,
    LogLevel, Metric, Progress,
};
use longhaul_core::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long `parent` waits for its child where nobody says how long.
const CHILD_WAIT: Duration = Duration::from_secs(1);

/// Registers all of them.
pub(crate) fn register(hosting: &Hosting) -> Result<(), NotRegistered> {
    hosting.agent("echo").body(echo)?;
    hosting.agent("noop").body(|_| async { Ok(Value::Null.into()) })?;
    hosting.agent("count").body(count)?;
    hosting.agent("emit").body(emit)?;
    hosting.agent("mixed").body(mixed)?;
    hosting.agent("boom").body(|_| async { Err(AgentFailure::new("boom")) })?;
    hosting.agent("slow").body(slow)?;
    hosting.agent("stubborn").body(stubborn)?;
    hosting.agent("ticker").body(ticker)?;
    hosting.agent("streamer").body(streamer)?;
    hosting.agent("binstream").body(binstream)?;
    hosting.agent("stream-inline").body(stream_inline)?;
    hosting.agent("bad-chunk").body(|context| lone_chunk(context, 1, 1))?;
    hosting.agent("huge-chunk").body(|context| lone_chunk(context, 0, 1_024 * 1_024 + 1))?;
    hosting.agent("progress").body(|context| progress(context, 5, 10))?;
    hosting.agent("bad-progress").body(|context| progress(context, 2, 1))?;
    hosting.agent("spender").body(spender)?;
    hosting.agent("overspender").body(overspender)?;
    hosting.agent("toolcaller").body(toolcaller)?;
    hosting.agent("leaseop").body(leaseop)?;
    hosting.agent("parent").body(parent)?;
    hosting.agent("child").body(|_| async { Ok(json!({ "child_done": true }).into()) })?;
    hosting.agent("calc@1.0.0").body(|_| async { Ok(json!({ "v": 1 }).into()) })?;
    hosting.agent("calc@2.0.0").default().body(|_| async { Ok(json!({ "v": 2 }).into()) })
}

async fn echo(context: AgentContext) -> AgentResult {
    Ok(json!({ "echoed": context.input() }).into())
}

async fn count(context: AgentContext) -> AgentResult {
    let n = number(&context, "n").unwrap_or(0);
    for i in 1..=n {
        let percent = i as f64 * 100.0 / n as f64;
        context.metric(Metric::new("progress", percent).unit("percent")).await?;
    }
    Ok(json!({ "final": n }).into())
}

async fn emit(context: AgentContext) -> AgentResult {
    let n = number(&context, "n").unwrap_or(0);
    let size = usize::try_from(number(&context, "size").unwrap_or(0)).unwrap_or(usize::MAX);
    let mut message = String::new();
    for i in 0..n {
        message.clear();
        message.push_str(&i.to_string());
        message.push(' ');
        message.extend(std::iter::repeat_n('x', size.saturating_sub(message.len())));
        context.log(LogLevel::Info, &message).await?;
    }
    Ok(json!({ "emitted": n }).into())
}

async fn mixed(context: AgentContext) -> AgentResult {
    context.log(LogLevel::Info, "first").await?;
    context.thought("thinking").await?;
    context.status("working", Some("half way")).await?;
    context.metric(Metric::new("x", 1.0).unit("count")).await?;
    let artifact = ArtifactRef {
        uri: "mem://a/1".to_owned(),
        content_type: "text/plain".to_owned(),
        byte_size: Some(3),
        sha256: None,
    };
    context.artifact(artifact).await?;
    context.event("x-vendor.acme.confidence", &json!({ "score": 0.87 })).await?;
    Ok(Value::Null.into())
}

/// Waits for as long as was asked, or for ever; ends when it is asked to.
async fn slow(context: AgentContext) -> AgentResult {
    let wait = number(&context, "ms").map(Duration::from_millis);
    pause(&context, wait).await?;
    Ok(json!({ "ok": true }).into())
}

/// The same, and deaf.
async fn stubborn(context: AgentContext) -> AgentResult {
    match number(&context, "ms") {
        Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
        None => std::future::pending().await,
    }
    Ok(json!({ "ok": true }).into())
}

async fn ticker(context: AgentContext) -> AgentResult {
    let n = number(&context, "n").unwrap_or(0);
    let interval = Duration::from_millis(number(&context, "intervalMs").unwrap_or(0));
    for i in 0..n {
        context.log(LogLevel::Info, &format!("tick {i}")).await?;
        pause(&context, Some(interval)).await?;
    }
    Ok(json!({ "ticks": n }).into())
}

async fn streamer(context: AgentContext) -> AgentResult {
    let mut stream = context.stream()?;
    stream.text("hello, ").await?;
    stream.text("world").await?;
    stream.last_text("!").await?;
    Ok(AgentOutput::default().summary("3 chunks"))
}

async fn binstream(context: AgentContext) -> AgentResult {
    let size = |field| number(&context, field).and_then(|n| usize::try_from(n).ok());
    let bytes = vec![7_u8; size("bytes").unwrap_or(0)];
    let chunk = size("chunk").unwrap_or(64 * 1_024).max(1);
    let mut stream = context.stream()?;
    let mut pieces = bytes.chunks(chunk).peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            stream.last_bytes(piece).await?;
            return Ok(AgentOutput::default());
        }
        stream.bytes(piece).await?;
    }
    stream.last_bytes(&[]).await?;
    Ok(AgentOutput::default())
}

async fn stream_inline(context: AgentContext) -> AgentResult {
    context.stream()?.text("x").await?;
    Ok(json!({ "inline": 1 }).into())
}

async fn lone_chunk(context: AgentContext, chunk_seq: u64, size: usize) -> AgentResult {
    let result_id = format!("res_{}", context.job());
    let (data, encoding) = ("x".repeat(size), "utf8");
    context.chunk(Chunk { result_id, chunk_seq, data, encoding, more: true }).await?;
    Ok(AgentOutput::default())
}

async fn progress(context: AgentContext, current: u64, total: u64) -> AgentResult {
    let (units, message) = (Some("files".to_owned()), Some("go".to_owned()));
    context.progress(Progress { current, total: Some(total), units, message }).await?;
    Ok(json!({}).into())
}

async fn spender(context: AgentContext) -> AgentResult {
    let unit = text(&context, "unit").unwrap_or("USD");
    let wait = number(&context, "pauseMs").map(Duration::from_millis);
    let charges = context.input().get("charges").and_then(Value::as_array);
    for charge in charges.into_iter().flatten() {
        let cost = Metric::new("cost.inference", charge.as_f64().unwrap_or(f64::NAN));
        context.metric(cost.unit(unit)).await?;
        if wait.is_some() {
            pause(&context, wait).await?;
        }
    }
    let left = context.remaining(unit).await?.map(|amount| amount.to_json());
    Ok(json!({ "remaining": left }).into())
}

async fn overspender(context: AgentContext) -> AgentResult {
    let cost = context.input().get("cost").and_then(Value::as_f64).unwrap_or(100.0);
    context.metric(Metric::new("cost.tokens", cost).unit("USD")).await?;
    call(&context, "web.search", "c1").await;
    Ok(json!({ "done": true }).into())
}

async fn toolcaller(context: AgentContext) -> AgentResult {
    let tool = text(&context, "tool").unwrap_or("web.search");
    call(&context, tool, text(&context, "call_id").unwrap_or("c1")).await;
    Ok(json!({ "done": true }).into())
}

/// Calls a tool. That it may not be called was told to whoever follows, and is no reason to end.
async fn call(context: &AgentContext, tool: &str, call_id: &str) {
    if let Err(refused) = context.tool_call(tool, call_id, json!({ "q": "x" })).await {
        tracing::debug!(code = refused.code(), "refused");
    }
}

async fn leaseop(context: AgentContext) -> AgentResult {
    if let Some(ms) = number(&context, "delayMs") {
        pause(&context, Some(Duration::from_millis(ms))).await?;
    }
    let capability = text(&context, "capability").unwrap_or_default();
    context.authorize(capability, text(&context, "target").unwrap_or_default()).await?;
    Ok(json!({ "allowed": true }).into())
}

async fn parent(context: AgentContext) -> AgentResult {
    let input = context.input();
    let lease = input.get("lease_request").filter(|lease| !lease.is_null());
    let lease: Result<BTreeMap<String, Vec<String>>, _> =
        lease.map_or(Ok(BTreeMap::new()), |lease| serde_json::from_value(lease.clone()));
    let lease = lease.map_err(|_| invalid("`lease_request` is no lease"))?;
    let expires_at = input.get("lease_constraints").and_then(|asked| asked.get("expires_at"));
    let expires_at = expires_at.map(moment).transpose()?;
    let delegate = Delegate {
        id: text(&context, "delegate_id").unwrap_or("del_1").to_owned(),
        agent: text(&context, "agent").unwrap_or("child").to_owned(),
        input: input.get("child_input").cloned().unwrap_or(Value::Null),
        lease,
        expires_at,
    };
    let delegated = context.delegate(delegate).await;
    if let Err(refused) = &delegated {
        // It was told to whoever follows.
        tracing::debug!(code = refused.code(), "refused");
    }
    // A child ends with its parent: one that may take as long as it likes is waited for a moment.
    let moment = delegated.is_ok().then_some(CHILD_WAIT);
    let wait = number(&context, "waitMs").map(Duration::from_millis).or(moment);
    if wait.is_some() {
        pause(&context, wait).await?;
    }
    Ok(json!({ "ok": true }).into())
}

fn moment(asked: &Value) -> Result<Timestamp, AgentFailure> {
    let read = asked.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let millis = read.map(|moment| moment.as_millisecond());
    millis.map(Timestamp::from_millis).ok_or_else(|| invalid("`expires_at` is no moment"))
}

/// Waits, for ever if `None`, unless it is asked to end.
async fn pause(context: &AgentContext, wait: Option<Duration>) -> Result<(), AgentFailure> {
    let waited = async {
        match wait {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        _ = context.cancelled() => Err(AgentFailure::coded("CANCELLED", "it was asked to end")),
        () = waited => Ok(()),
    }
}

fn number(context: &AgentContext, field: &str) -> Option<u64> {
    context.input().get(field)?.as_u64()
}

fn text<'a>(context: &'a AgentContext, field: &str) -> Option<&'a str> {
    context.input().get(field)?.as_str()
}

fn invalid(message: &str) -> AgentFailure {
    AgentFailure::coded(AgentFailure::INVALID_REQUEST, message)
}

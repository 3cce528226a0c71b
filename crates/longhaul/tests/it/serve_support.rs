//! The routes of a daemon in this process, asked without a socket.

use crate::daemon_support::{PATIENCE, Place};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request, StatusCode};
use longhaul::api::{Frame, FrameDecoder};
use longhaul::daemon::Daemon;
use longhaul::serve::router;
use serde_json::{Value, json};
use tower::ServiceExt;

/// A daemon and its routes.
pub(crate) struct Server {
    pub(crate) place: Place,
    pub(crate) daemon: Daemon,
    pub(crate) app: Router,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The code of an error, which must have our form.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_else(|| panic!("no code: {self:?}")).into()
    }

    pub(crate) fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        let place = Place::new();
        let daemon = place.start();
        let app = router(daemon.ports.clone());
        Self { place, daemon, app }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let answered = async {
            let response = self.app.clone().oneshot(request).await.unwrap();
            let status = response.status();
            Answer { status, body: to_bytes(response.into_body(), usize::MAX).await.unwrap() }
        };
        tokio::time::timeout(PATIENCE, answered).await.expect("an answer comes in time")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn put(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(Method::PUT).uri(path);
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Request::post(path).body(Body::from(body.to_string())).unwrap()).await
    }

    /// Submits a shell script, with more fields, and gives the job's id.
    pub(crate) async fn submit(&self, script: &str, more: Value) -> String {
        let answer = self.post("/v1/jobs", self.spec(script, more)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.json()["job"]["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn spec(&self, script: &str, more: Value) -> Value {
        let mut spec = json!({"command": ["sh", "-c", script], "cwd": self.place.root.path()});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    }

    /// Waits for the job's end and gives it.
    pub(crate) async fn ended(&self, job: &str) -> Value {
        let answer = self.get(&format!("/v1/jobs/{job}/wait")).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()
    }

    pub(crate) async fn frames(&self, path: &str) -> Vec<Frame> {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let mut decoder = FrameDecoder::default();
        decoder.push(&answer.body);
        let mut frames = Vec::new();
        while let Some(frame) = decoder.next_frame().unwrap() {
            frames.push(frame);
        }
        assert!(decoder.is_between_frames());
        frames
    }
}

//! How what followers send is read, and how they are answered.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::answer::JSON;
use crate::hook::Around;
use crate::input::read_json;
use crate::problem::{Problem, ProblemKind};

/// Reads what a follower sends.
pub(super) async fn read<T: DeserializeOwned>(
    around: Around<'_>,
    body: Body,
) -> Result<T, Problem> {
    let reading = Limited::new(body, MOST_BYTES).collect();
    let read = timeout(around.patience.body, reading).await;
    let Ok(Ok(read)) = read else {
        let detail = format!("the body could not be read; it has at most {MOST_BYTES} bytes");
        return Err(Problem::new(ProblemKind::TooLarge, detail));
    };
    read_json(&read.to_bytes())
}

pub(super) fn other_schema() -> Problem {
    let detail = "the follower has another schema; install the same version";
    Problem::new(ProblemKind::Conflict, detail)
}

pub(super) fn too_often(seconds: u64) -> Problem {
    Problem {
        retry_after: Some(seconds),
        ..Problem::new(ProblemKind::TooManyRequests, "too many requests")
    }
}

pub(super) fn json(told: &impl serde::Serialize) -> Result<String, Problem> {
    serde_json::to_string(told).map_err(|_| Problem::unavailable("the answer can't be written"))
}

pub(super) fn answer(text: String) -> Response<Body> {
    let mut response = Response::new(text.into());
    let kind = HeaderValue::from_static(JSON);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Says that a snapshot is asked for.
pub(super) fn behind() -> Response<Body> {
    let mut response = answer(r#"{"snapshot":true}"#.into());
    *response.status_mut() = StatusCode::GONE;
    response
}

/// Twice as many as there are followers.
pub(super) const MOST_KNOWN: usize = 2_000;
/// Room for so many items, or sessions, with the longest names.
const MOST_BYTES: usize = 256 * 1_024;

//! Why a request was not answered as it was meant: one form for all of them.

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use countersign_admin::{AdminError, ErrorKind};
use countersign_core::store::StoreError;
use serde_json::json;

/// What kind of problem it is. Programs read its word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ProblemKind {
    Conflict,
    Exists,
    Forbidden,
    InUse,
    Invalid,
    MethodNotAllowed,
    MfaRequired,
    NotFound,
    PreconditionFailed,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
}

impl ProblemKind {
    /// All of them.
    pub(crate) const ALL: [Self; 14] = [
        Self::Conflict,
        Self::Exists,
        Self::Forbidden,
        Self::InUse,
        Self::Invalid,
        Self::MethodNotAllowed,
        Self::MfaRequired,
        Self::NotFound,
        Self::PreconditionFailed,
        Self::TooLarge,
        Self::TooManyRequests,
        Self::Unauthenticated,
        Self::Unavailable,
        Self::UnsupportedMediaType,
    ];

    /// The words of all of them.
    pub(crate) const WORDS: [&'static str; 14] = {
        let mut words = [""; 14];
        let mut rest = Self::ALL.as_slice();
        let mut unset = words.as_mut_slice();
        while let ([kind, kinds @ ..], [word, others @ ..]) = (rest, unset) {
            *word = kind.as_str();
            (rest, unset) = (kinds, others);
        }
        words
    };

    /// The word that programs read.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Exists => "exists",
            Self::Forbidden => "forbidden",
            Self::InUse => "in-use",
            Self::Invalid => "invalid",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::MfaRequired => "mfa-required",
            Self::NotFound => "not-found",
            Self::PreconditionFailed => "precondition-failed",
            Self::TooLarge => "too-large",
            Self::TooManyRequests => "too-many-requests",
            Self::Unauthenticated => "unauthenticated",
            Self::Unavailable => "unavailable",
            Self::UnsupportedMediaType => "unsupported-media-type",
        }
    }

    /// The status that goes with it.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Conflict | Self::Exists | Self::InUse => StatusCode::CONFLICT,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::MfaRequired | Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }
}

impl From<ErrorKind> for ProblemKind {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Conflict => Self::Conflict,
            ErrorKind::Exists => Self::Exists,
            ErrorKind::Forbidden => Self::Forbidden,
            ErrorKind::InUse => Self::InUse,
            ErrorKind::Invalid => Self::Invalid,
            // It is at another path.
            ErrorKind::NotFound | ErrorKind::WrongKind => Self::NotFound,
            ErrorKind::Unavailable | _ => Self::Unavailable,
        }
    }
}

/// A problem: its kind, and one line for people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Problem {
    pub(crate) kind: ProblemKind,
    pub(crate) detail: String,
    /// After how many seconds it is worth another try.
    pub(crate) retry_after: Option<u64>,
    /// The methods that would do.
    pub(crate) allow: Option<HeaderValue>,
}

impl Problem {
    pub(crate) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            retry_after: None,
            allow: None,
        }
    }

    /// What is asked for makes no sense.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Invalid, detail)
    }

    /// There is no such thing.
    pub(crate) fn not_found() -> Self {
        Self::new(ProblemKind::NotFound, "there is nothing at this path")
    }

    /// The asker did not say who it is, or not well.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            ProblemKind::Unauthenticated,
            "sign in, or send an API token: `Authorization: Bearer …`",
        )
    }

    /// It can't be answered now.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self {
            retry_after: Some(1),
            ..Self::new(ProblemKind::Unavailable, detail)
        }
    }

    /// The answer that tells it.
    pub(crate) fn response(self) -> Response<Body> {
        let told = self.clone();
        let status = self.kind.status();
        let body = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or_default(),
            "status": status.as_u16(),
            "detail": self.detail,
            "kind": self.kind.as_str(),
        });
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Some(methods) = self.allow {
            headers.insert(ALLOW, methods);
        }
        if status == StatusCode::UNAUTHORIZED {
            // Not `Basic`, for which browsers ask by a window of their own.
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // For a door, which tells it in its own way.
        response.extensions_mut().insert(told);
        response
    }
}

impl From<AdminError> for Problem {
    /// What is wrong with the store is for the log: it names files.
    fn from(error: AdminError) -> Self {
        let kind = ProblemKind::from(error.kind());
        if kind != ProblemKind::Unavailable {
            return Self::new(kind, error.to_string());
        }
        tracing::error!(%error, "a command could not be run");
        Self::unavailable(STORE_UNAVAILABLE)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        AdminError::from(error).into()
    }
}

/// The media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";
const STORE_UNAVAILABLE: &str = "the store can't be used now; the service's log says why";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_word_of_its_own_and_a_status_that_is_a_refusal() {
        let mut words: Vec<_> = ProblemKind::ALL.iter().map(|kind| kind.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), ProblemKind::ALL.len());
        for kind in ProblemKind::ALL {
            let status = kind.status();
            assert!(status.is_client_error() || status == StatusCode::SERVICE_UNAVAILABLE);
        }
    }
}

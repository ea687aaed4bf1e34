//! What a route answers.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderName, LINK, LOCATION, SET_COOKIE};
use axum::http::{HeaderValue, Response, StatusCode};
use countersign_core::secret::Secret;
use serde::Serialize;

use crate::call::Call;
use crate::conditional::EntityTag;
use crate::events::Opening;
use crate::problem::Problem;

/// What a route answers.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) content: Content,
}

/// What an answer consists of.
pub(crate) enum Content {
    /// The rest is done after a pause, in which the thread does something else.
    Later(Duration, Rest),
    Nothing,
    /// It goes on until one of the two ends it.
    Stream(Opening),
    Text(Vec<u8>),
}

/// What a browser is to keep.
pub(crate) enum Cookie<'a> {
    Forget,
    Keep {
        secret: &'a Secret,
        /// How long.
        seconds: u64,
    },
}

/// What is left to do.
pub(crate) type Rest = Box<dyn FnOnce(&mut Call<'_>) -> Result<Answer, Problem> + Send>;

impl Answer {
    /// What was asked for.
    pub(crate) fn ok(view: &impl Serialize) -> Result<Self, Problem> {
        Self::json(StatusCode::OK, view)
    }

    /// One thing, with a tag that says which version of it this is.
    pub(crate) fn tagged(view: &impl Serialize) -> Result<Self, Problem> {
        let text = to_json(view)?;
        let tag = EntityTag::of(&text);
        let mut answer = Self::text(StatusCode::OK, JSON, text);
        answer.headers.push(header(ETAG, &tag.to_string())?);
        Ok(answer)
    }

    /// Something new, and where it is.
    pub(crate) fn created(path: &[&str], view: &impl Serialize) -> Result<Self, Problem> {
        let mut answer = Self::json(StatusCode::CREATED, view)?;
        answer.headers.push(header(LOCATION, &location(path))?);
        Ok(answer)
    }

    /// The same, a part of a list, which says at which path the rest begins.
    pub(crate) fn with_next(mut self, path: &str, after: Option<&str>) -> Result<Self, Problem> {
        if let Some(after) = after {
            let query = serde_urlencoded::to_string([("after", after)]).unwrap_or_default();
            let link = format!("<{path}?{query}>; rel=\"next\"");
            self.headers.push(header(LINK, &link)?);
        }
        Ok(self)
    }

    /// It is gone.
    pub(crate) fn deleted() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            headers: Vec::new(),
            content: Content::Nothing,
        }
    }

    /// The same, which has a browser keep something, or forget it.
    pub(crate) fn with_cookie(mut self, name: &str, cookie: Cookie<'_>) -> Result<Self, Problem> {
        let (value, life) = match cookie {
            Cookie::Forget => (String::new(), 0),
            Cookie::Keep { secret, seconds } => (
                String::from_utf8_lossy(secret.expose()).into_owned(),
                seconds,
            ),
        };
        let text =
            format!("{name}={value}; Path=/; Max-Age={life}; Secure; HttpOnly; SameSite=Strict");
        let (name, mut value) = header(SET_COOKIE, &text)?;
        value.set_sensitive(true);
        self.headers.push((name, value));
        Ok(self)
    }

    /// The same, with a header more.
    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Result<Self, Problem> {
        self.headers.push(header(name, value)?);
        Ok(self)
    }

    /// The tag that says which version of a thing it shows.
    pub(crate) fn tag(&self) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, tag) = headers.find(|(name, _)| name == ETAG)?;
        tag.to_str().ok()
    }

    /// The same, as far as the cookies that `other` has a browser keep.
    pub(crate) fn with_cookies_of(mut self, other: &Self) -> Self {
        let cookies = other.headers.iter().filter(|(name, _)| name == SET_COOKIE);
        self.headers.extend(cookies.cloned());
        self
    }

    /// Another place to look at.
    pub(crate) fn see_other(place: &str) -> Result<Self, Problem> {
        let nothing = Self {
            status: StatusCode::SEE_OTHER,
            headers: Vec::new(),
            content: Content::Nothing,
        };
        nothing.with(LOCATION, place)
    }

    /// Text of some kind.
    pub(crate) fn text(status: StatusCode, kind: &'static str, text: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![(CONTENT_TYPE, HeaderValue::from_static(kind))],
            content: Content::Text(text),
        }
    }

    /// What `rest` answers, after a pause.
    pub(crate) fn later(
        pause: Duration,
        rest: impl FnOnce(&mut Call<'_>) -> Result<Self, Problem> + Send + 'static,
    ) -> Self {
        Self {
            status: StatusCode::OK,
            headers: Vec::new(),
            content: Content::Later(pause, Box::new(rest)),
        }
    }

    /// What happens, as it happens.
    pub(crate) fn stream(opening: Opening) -> Self {
        let kind = HeaderValue::from_static(EVENT_STREAM);
        // Proxies that gather answers before they hand them on are asked not to.
        let unbuffered = HeaderName::from_static("x-accel-buffering");
        Self {
            status: StatusCode::OK,
            headers: vec![
                (CONTENT_TYPE, kind),
                (unbuffered, HeaderValue::from_static("no")),
            ],
            content: Content::Stream(opening),
        }
    }

    /// The response.
    pub(crate) fn response(self, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }

    /// The response of an answer that is whole already.
    pub(crate) fn whole_response(mut self) -> Response<Body> {
        let content = core::mem::replace(&mut self.content, Content::Nothing);
        let body = match content {
            Content::Text(text) => text.into(),
            Content::Later(..) | Content::Nothing | Content::Stream(_) => Body::empty(),
        };
        self.response(body)
    }

    /// A view, with this status.
    pub(crate) fn json(status: StatusCode, view: &impl Serialize) -> Result<Self, Problem> {
        Ok(Self::text(status, JSON, to_json(view)?))
    }
}

/// A view as the service writes it.
pub(crate) fn to_json(view: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(view).map_err(|error| {
        tracing::error!(%error, "an answer could not be written");
        Problem::unavailable("the answer could not be written")
    })
}

/// The path of a thing, each part of it encoded.
fn location(path: &[&str]) -> String {
    let mut location = "/api/v1".to_owned();
    for part in path {
        location.push('/');
        location.push_str(&part_of_address(part));
    }
    location
}

/// A text as one part of an address's path.
pub(crate) fn part_of_address(text: &str) -> String {
    let mut part = String::new();
    for byte in text.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte);
        if is_plain {
            part.push(char::from(byte));
        } else {
            part.push_str(&format!("%{byte:02X}"));
        }
    }
    part
}

fn header(name: HeaderName, value: &str) -> Result<(HeaderName, HeaderValue), Problem> {
    let value = HeaderValue::from_str(value);
    let value = value.map_err(|_| Problem::unavailable("the answer could not be written"))?;
    Ok((name, value))
}

/// The media type of what is answered.
pub(crate) const JSON: &str = "application/json";
/// The media type of events.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_thing_is_encoded() {
        let place = location(&["credentials", "a/b ü%@acme"]);
        assert_eq!(place, "/api/v1/credentials/a%2Fb%20%C3%BC%25@acme");
    }
}

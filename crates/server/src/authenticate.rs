//! Who sends a request: by an API token, a web session, or a name with its password.

use std::net::IpAddr;

use axum::http::header::{AUTHORIZATION, COOKIE as COOKIE_HEADER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_admin::sign_in::{
    Authenticated, PresentedCode, SignIn, SignInRefusal, check_password, find_api_token,
    find_web_session,
};
use countersign_core::secret::Secret;
use zeroize::Zeroizing;

use crate::app::App;
use crate::browser::is_browser;
use crate::call::{Who, now};
use crate::door::Door;
use crate::problem::{Problem, ProblemKind};

/// What a request shows of who sends it.
enum Shown {
    /// A name and a password.
    Basic(String, Secret),
    /// An API token.
    Bearer(Secret),
    /// The cookie of a web session.
    Cookie(Secret),
}

/// Finds out who sends a request from `client`.
pub(crate) async fn authenticate(
    app: &App,
    request: &Parts,
    client: IpAddr,
) -> Result<Who, Problem> {
    #[cfg(test)]
    if let Some(who) = app.everybody.lock().ok().and_then(|who| who.clone()) {
        return Ok(who);
    }
    let found = match shown(&request.headers)? {
        Shown::Basic(..) if is_browser(&request.headers) && !is_at_door(request) => {
            // Browsers would go on to send it with what other pages make them send.
            return Err(Problem::unauthenticated());
        }
        Shown::Basic(name, password) => {
            let guard = app.guard.clone();
            let browser = cookie(&request.headers, BROWSER_COOKIE);
            let check = move |store: &mut _| {
                let presented = SignIn {
                    name: &name,
                    password,
                    code: PresentedCode::Appended,
                    address: Some(&client.to_string()),
                    known: browser.as_ref(),
                };
                check_password(store, &guard, presented, now())
            };
            Some(app.hashers.run(check).await??)
        }
        Shown::Bearer(token) => {
            let find = move |store: &mut _| find_api_token(store, &token, now());
            app.workers.run(find).await??
        }
        Shown::Cookie(secret) => {
            let find = move |store: &mut _| find_web_session(store, &secret, now());
            app.workers.run(find).await??
        }
    };
    found.map(Who::from).ok_or_else(Problem::unauthenticated)
}

/// Says whether a request came to a door. There the pages of a vendor's system send what
/// they always sent; `check_origin` turns away what those of others send.
fn is_at_door(request: &Parts) -> bool {
    request.extensions.get::<Door>().is_some()
}

impl From<Authenticated> for Who {
    fn from(found: Authenticated) -> Self {
        Self {
            actor: found.actor(),
            name: found.name,
            authority: found.authority,
        }
    }
}

impl From<SignInRefusal> for Problem {
    fn from(refusal: SignInRefusal) -> Self {
        let kind = match refusal {
            SignInRefusal::CodeNeeded => ProblemKind::MfaRequired,
            SignInRefusal::TooMany => ProblemKind::TooManyRequests,
            SignInRefusal::Unavailable(error) => return error.into(),
            SignInRefusal::Wrong => ProblemKind::Unauthenticated,
        };
        Self {
            retry_after: (kind == ProblemKind::TooManyRequests).then_some(60),
            ..Self::new(kind, refusal.to_string())
        }
    }
}

/// Reads what a request shows. What can't be read shows nobody.
fn shown(headers: &HeaderMap) -> Result<Shown, Problem> {
    let mut said = headers.get_all(AUTHORIZATION).iter();
    let said = match (said.next(), said.next()) {
        (None, _) => {
            let session = cookie(headers, COOKIE).map(Shown::Cookie);
            return session.ok_or_else(Problem::unauthenticated);
        }
        (Some(said), None) => said,
        (Some(_), Some(_)) => return Err(Problem::unauthenticated()),
    };
    read_authorization(said).ok_or_else(Problem::unauthenticated)
}

fn read_authorization(said: &HeaderValue) -> Option<Shown> {
    let (scheme, said) = said.to_str().ok()?.split_once(' ')?;
    let said = said.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Shown::Bearer(Secret::new(said.as_bytes().to_vec())));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = Zeroizing::new(STANDARD.decode(said).ok()?);
    let end = pair.iter().position(|byte| *byte == b':')?;
    let (name, password) = pair.split_at_checked(end)?;
    let (_, password) = password.split_first()?;
    let name = core::str::from_utf8(name).ok()?.to_owned();
    Some(Shown::Basic(name, Secret::new(password.to_vec())))
}

/// What a cookie holds; nothing where it is there twice, as only one of them can be
/// ours.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<Secret> {
    let headers = headers.get_all(COOKIE_HEADER).iter();
    let texts = headers.filter_map(|header| header.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';'));
    let mut values = pairs.filter_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    });
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    Some(Secret::new(value.as_bytes().to_vec()))
}

/// The web session that a header names as deviceWISE's clients do; none where it is there
/// twice.
pub(crate) fn session_named(headers: &HeaderMap) -> Option<Secret> {
    let mut named = headers.get_all(&SESSION_ID).iter();
    let (Some(named), None) = (named.next(), named.next()) else {
        return None;
    };
    Some(Secret::new(named.as_bytes().to_vec()))
}

static SESSION_ID: HeaderName = HeaderName::from_static("sessionid");
/// The cookie that a web session is known by.
pub(crate) const COOKIE: &str = "__Host-countersign";
/// The cookie that a browser is known by that signed in before.
pub(crate) const BROWSER_COOKIE: &str = "__Host-countersign-browser";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_read_in_one_way_alone_shows_nobody() {
        let read = |named: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in named {
                headers.append(*name, value.parse().unwrap());
            }
            match shown(&headers) {
                Ok(Shown::Basic(name, password)) => {
                    let password = String::from_utf8_lossy(password.expose()).into_owned();
                    format!("{name} {password}")
                }
                Ok(Shown::Bearer(token)) => String::from_utf8_lossy(token.expose()).into_owned(),
                Ok(Shown::Cookie(it)) => format!("cookie {}", String::from_utf8_lossy(it.expose())),
                Err(problem) => problem.kind.as_str().to_owned(),
            }
        };
        let nobody = "unauthenticated";
        for (headers, found) in [
            (&[][..], nobody),
            (&[("authorization", "Bearer abc")], "abc"),
            (&[("authorization", "bearer  abc")], "abc"),
            (&[("authorization", "Bearer")], nobody),
            (&[("authorization", "Digest abc")], nobody),
            (&[("authorization", "Basic amFuZTphOmI=")], "jane a:b"),
            (&[("authorization", "Basic amFuZQ==")], nobody),
            (&[("authorization", "Basic /w==")], nobody),
            (&[("authorization", "Basic ???")], nobody),
            (
                &[("authorization", "Bearer a"), ("authorization", "Bearer b")],
                nobody,
            ),
            (&[("cookie", "a=b; __Host-countersign=s; c=d")], "cookie s"),
            (
                &[("cookie", "__Host-countersign=s; __Host-countersign=t")],
                nobody,
            ),
            (&[("cookie", "x__Host-countersign=s")], nobody),
            // What is said goes before what a browser keeps.
            (
                &[
                    ("authorization", "nonsense"),
                    ("cookie", "__Host-countersign=s"),
                ],
                nobody,
            ),
        ] {
            assert_eq!(read(headers), found, "{headers:?}");
        }
    }
}

//! What a browser may be made to do by a page that is not ours: nothing.

use std::net::IpAddr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Method, Uri};

use crate::problem::{Problem, ProblemKind};

/// The names by which this service is called.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts(pub(crate) Vec<String>);

impl Hosts {
    /// Checks that a request is meant for this service, which it came to at `local`,
    /// and not for a name that somebody lets lead here. Says which name was used.
    pub(crate) fn check(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        local: IpAddr,
    ) -> Result<Authority, Problem> {
        let wrong = || {
            let detail = "this service is not called that; `--host` says what it is called";
            Problem::new(ProblemKind::Forbidden, detail)
        };
        let mut named = headers.get_all(HOST).iter();
        let (Some(named), None) = (named.next(), named.next()) else {
            return Err(wrong());
        };
        let named: Authority = named.as_bytes().try_into().map_err(|_| wrong())?;
        let is_same = uri.authority().is_none_or(|it| *it == named);
        let has_user = named.as_str().contains('@');
        if is_same && !has_user && self.are(named.host(), local) {
            Ok(named)
        } else {
            Err(wrong())
        }
    }

    fn are(&self, host: &str, local: IpAddr) -> bool {
        let is_ours = |name: &String| name.eq_ignore_ascii_case(host);
        if self.0.iter().any(is_ours) {
            return true;
        }
        let local = local.to_canonical();
        let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let address: Option<IpAddr> = bare.unwrap_or(host).parse().ok();
        address == Some(local) || local.is_loopback() && host.eq_ignore_ascii_case("localhost")
    }
}

/// Checks that what a browser sends was sent by a page of ours. What is no browser
/// sends neither of the two headers.
pub(crate) fn check_origin(
    method: &Method,
    headers: &HeaderMap,
    host: &Authority,
) -> Result<(), Problem> {
    if method.is_safe() {
        return Ok(());
    }
    let foreign = || {
        let detail = "a page of another site may not do this";
        Err(Problem::new(ProblemKind::Forbidden, detail))
    };
    for origin in headers.get_all(ORIGIN) {
        let origin: Option<Uri> = origin.to_str().ok().and_then(|it| it.parse().ok());
        let is_ours = origin.is_some_and(|origin| {
            let is_web = matches!(origin.scheme_str(), Some("http" | "https"));
            is_web
                && origin
                    .authority()
                    .is_some_and(|it| is_one(&origin, it, host))
        });
        if !is_ours {
            return foreign();
        }
    }
    let mut sites = headers.get_all(&SEC_FETCH_SITE).iter();
    if sites.any(|site| site != "same-origin") {
        return foreign();
    }
    Ok(())
}

/// Says whether an origin is that of a host; a port that goes without saying need
/// not be said.
fn is_one(origin: &Uri, named: &Authority, host: &Authority) -> bool {
    let usual = match origin.scheme_str() {
        Some("https") => 443,
        _ => 80,
    };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(usual);
    named.host().eq_ignore_ascii_case(host.host()) && port(named) == port(host)
}

/// Says whether a browser sends a request, as browsers say by themselves.
pub(crate) fn is_browser(headers: &HeaderMap) -> bool {
    let mut names = headers.keys();
    names.any(|name| name.as_str().starts_with("sec-fetch-"))
}

/// Says whether a request says which page it was sent by. `check_origin` lets none pass
/// that says another than ours.
pub(crate) fn names_page(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) || headers.contains_key(&SEC_FETCH_SITE)
}

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(named: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in named {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_host_must_be_ours_and_named_once() {
        let hosts = Hosts(vec!["iot.example.com".into()]);
        let check = |local: &str, named: &[(&'static str, &str)]| {
            let uri = Uri::from_static("/healthz");
            hosts
                .check(&uri, &headers(named), local.parse().unwrap())
                .is_ok()
        };
        for (local, host, is_ours) in [
            ("127.0.0.1", "iot.example.com", true),
            ("127.0.0.1", "IOT.example.com:8443", true),
            ("127.0.0.1", "localhost:8080", true),
            ("127.0.0.1", "127.0.0.1:8080", true),
            ("127.0.0.1", "127.0.0.2:8080", false),
            ("::1", "[::1]:8080", true),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "localhost", false),
            ("192.0.2.1", "evil.example", false),
            ("192.0.2.1", "iot.example.com.evil.example", false),
            ("192.0.2.1", "user@iot.example.com", false),
            ("192.0.2.1", "", false),
        ] {
            assert_eq!(check(local, &[("host", host)]), is_ours, "{local} {host}");
        }
        assert!(!check("127.0.0.1", &[]));
        let twice = [("host", "localhost"), ("host", "localhost")];
        assert!(!check("127.0.0.1", &twice));
        let absolute = Uri::from_static("http://evil.example/healthz");
        let local = "127.0.0.1".parse().unwrap();
        assert!(
            hosts
                .check(&absolute, &headers(&[("host", "localhost")]), local)
                .is_err()
        );
    }

    #[test]
    fn a_page_of_another_site_may_only_look() {
        let host = Authority::from_static("iot.example.com:8443");
        let may = |method: Method, named: &[(&'static str, &str)]| {
            check_origin(&method, &headers(named), &host).is_ok()
        };
        let ours = "https://iot.example.com:8443";
        for (named, is_ours) in [
            (&[][..], true),
            (&[("origin", ours)], true),
            (&[("origin", ours), ("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", ours), ("sec-fetch-site", "cross-site")], false),
            (&[("origin", "null")], false),
            (&[("origin", "https://iot.example.com")], false),
            (&[("origin", "https://evil.example:8443")], false),
            (&[("origin", "file://iot.example.com:8443")], false),
            (
                &[("origin", ours), ("origin", "https://evil.example")],
                false,
            ),
        ] {
            assert_eq!(may(Method::POST, named), is_ours, "{named:?}");
            assert!(may(Method::GET, named));
        }
        let plain = Authority::from_static("iot.example.com");
        let origin = headers(&[("origin", "https://iot.example.com:443")]);
        assert!(check_origin(&Method::PUT, &origin, &plain).is_ok());
    }
}

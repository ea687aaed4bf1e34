//! The parts of addresses of the web (RFC 3986), as far as they are asked for.

use core::net::Ipv6Addr;

/// The host and the port of an authority. An address of IPv6 has its brackets no longer.
///
/// There is none where it has any other shape, or says a name or a password.
#[must_use]
pub fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        (host, (!port.is_empty()).then(|| port.strip_prefix(':')))
    } else {
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(Some(port))),
            None => (authority, None),
        };
        if host.is_empty() || !host.bytes().all(is_good) {
            return None;
        }
        (host, port)
    };
    match port {
        None => Some((host, None)),
        Some(port) => Some((host, Some(port_of(port?)?))),
    }
}

fn port_of(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port > 0)
}

/// The scheme, the authority, and what follows it, which begins with `/` or `?` or is
/// empty.
#[must_use]
pub fn parts(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    Some((scheme, authority, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_its_port_are_told_apart() {
        for (authority, told) in [
            ("127.0.0.1:18083", Some(("127.0.0.1", Some(18_083)))),
            ("emqx.example", Some(("emqx.example", None))),
            ("[::1]:1", Some(("::1", Some(1)))),
            ("[::1]", Some(("::1", None))),
            ("", None),
            (":80", None),
            ("a:", None),
            ("a:0", None),
            ("a:+1", None),
            ("a:65536", None),
            ("a:1:2", None),
            ("user@a", None),
            ("a b", None),
            ("[::1", None),
            ("[::1]1", None),
            ("[a]", None),
        ] {
            assert_eq!(host_and_port(authority), told, "{authority}");
        }
    }

    #[test]
    fn the_parts_are_told_apart() {
        assert_eq!(parts("https://a:1/b?c"), Some(("https", "a:1", "/b?c")));
        assert_eq!(parts("https://a?c"), Some(("https", "a", "?c")));
        assert_eq!(parts("http://a"), Some(("http", "a", "")));
        assert_eq!(parts("a/b"), None);
    }
}

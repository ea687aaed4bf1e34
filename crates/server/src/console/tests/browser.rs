//! A browser without scripts.

use serde_json::json;

use crate::fixture::{Reply, Server};

/// Somebody who looks at pages.
pub(super) struct Browser<'a> {
    server: &'a Server,
    cookies: String,
}

impl<'a> Browser<'a> {
    /// Somebody who is not signed in.
    pub(super) fn of(server: &'a Server) -> Self {
        Self {
            server,
            cookies: String::new(),
        }
    }

    /// A platform administrator who is signed in.
    pub(super) fn of_administrator(server: &'a Server) -> Self {
        let user = json!({ "email": ADA, "password": PASSWORD, "platform_admin": true });
        server.become_somebody(Some(countersign_admin::Authority::Platform));
        server.post("/api/v1/users", user).with(201);
        server.become_somebody(None);
        let mut browser = Self::of(server);
        browser.sign_in(ADA).with(303);
        browser
    }

    pub(super) fn sign_in(&mut self, email: &str) -> Reply {
        self.post("/sign-in", &[("email", email), ("password", PASSWORD)])
    }

    /// What it keeps, which is what another one would have to steal.
    pub(super) fn same(&self) -> Self {
        Self {
            server: self.server,
            cookies: self.cookies.clone(),
        }
    }

    pub(super) fn get(&self, path: &str) -> Reply {
        let headers = self.headers("GET", path);
        let reply = self.server.send(format!("{headers}\r\n").as_bytes());
        check(path, reply.expect("an answer"))
    }

    /// Sends a form of ours.
    pub(super) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let origin = format!("Origin: http://{}\r\n", self.server.address);
        self.post_with(path, fields, &origin)
    }

    /// Sends a form, and says by headers where it comes from.
    pub(super) fn post_with(&mut self, path: &str, fields: &[(&str, &str)], more: &str) -> Reply {
        let body = serde_urlencoded::to_string(fields).unwrap();
        let headers = self.headers("POST", path);
        let kind = "Content-Type: application/x-www-form-urlencoded";
        let length = body.len();
        let request = format!("{headers}{kind}\r\nContent-Length: {length}\r\n{more}\r\n{body}");
        let reply = check(
            path,
            self.server.send(request.as_bytes()).expect("an answer"),
        );
        if let Some(kept) = reply.header("set-cookie") {
            let pairs = kept.split('\n').map(|it| it.split(';').next().unwrap());
            self.cookies = pairs.collect::<Vec<_>>().join("; ");
        }
        reply
    }

    fn headers(&self, method: &str, path: &str) -> String {
        let host = self.server.address;
        let cookies = &self.cookies;
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nCookie: {cookies}\r\n\
             Connection: close\r\n"
        )
    }
}

/// The value of a hidden field of the form with this action.
pub(super) fn hidden(page: &Reply, action: &str, field: &str) -> String {
    let form = format!("action=\"{action}\"");
    let form = page
        .text
        .split_once(&form)
        .unwrap_or_else(|| panic!("{action}: {page:?}"));
    let name = format!("name=\"{field}\" value=\"");
    let (_, rest) = form.1.split_once(&name).unwrap();
    let value = rest.split('"').next().unwrap();
    value.replace("&quot;", "\"")
}

/// Checks what holds for every page.
fn check(path: &str, reply: Reply) -> Reply {
    let kind = reply.header("content-type").unwrap_or_default();
    if !kind.starts_with("text/html") {
        return reply;
    }
    well_formed(&reply.text).unwrap_or_else(|wrong| panic!("{path}: {wrong}: {}", reply.text));
    assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
    assert_eq!(
        reply.header("referrer-policy"),
        Some("same-origin"),
        "{path}"
    );
    let policy = reply.header("content-security-policy");
    let meant = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
    assert_eq!(policy, Some(meant), "{path}");
    for never in [
        " style=\"",
        "<style",
        " onclick",
        "javascript:",
        "//cdn",
        "src=\"http",
        "href=\"http",
    ] {
        assert!(!reply.text.contains(never), "{path}: {never}");
    }
    reply
}

/// Says what is wrong with the tags of a page.
fn well_formed(page: &str) -> Result<(), String> {
    const VOID: [&str; 5] = ["img", "input", "link", "meta", "br"];
    let page = page
        .strip_prefix("<!DOCTYPE html>")
        .ok_or("no document type")?;
    let mut open = Vec::new();
    let mut ids = Vec::new();
    for tag in page.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').ok_or("a tag without end")?;
        let name = tag.split(' ').next().unwrap_or_default();
        let quotes = tag.matches('"').count();
        if quotes % 2 == 1 {
            return Err(format!("<{tag}> has half a value"));
        }
        ids.extend(
            tag.split_once(" id=\"")
                .and_then(|it| it.1.split('"').next()),
        );
        if let Some(name) = name.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> ends what did not begin"));
            }
        } else if !VOID.contains(&name) && !tag.ends_with('/') {
            open.push(name);
        }
    }
    let count = ids.len();
    ids.sort_unstable();
    // The menu is there twice, for wide screens and narrow ones, without ids.
    ids.dedup();
    if ids.len() != count {
        return Err("an id is there twice".into());
    }
    open.pop()
        .map_or(Ok(()), |name| Err(format!("<{name}> does not end")))
}

pub(super) const ADA: &str = "ada@mail.test";
pub(super) const PASSWORD: &str = "correct horse battery";

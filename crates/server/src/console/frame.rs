//! What is around every page: head, menu, and what it says to browsers.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use maud::{DOCTYPE, Markup, html};

use super::assets::{ICON, SCRIPT, STYLE};
use crate::answer::Answer;
use crate::problem::Problem;

/// A page, before it is answered.
pub(super) struct Frame<'a> {
    pub(super) title: &'a str,
    /// The path that the menu shows as the one where one is.
    pub(super) here: &'a str,
    /// Who is signed in; without anybody there is no menu.
    pub(super) who: Option<&'a str>,
    pub(super) status: StatusCode,
    pub(super) main: Markup,
}

impl Frame<'_> {
    pub(super) fn answer(self) -> Result<Answer, Problem> {
        let status = self.status;
        let text = self.document().into_string().into_bytes();
        Answer::text(status, HTML, text)
            .with(CONTENT_SECURITY_POLICY, POLICY)?
            .with(REFERRER_POLICY, "same-origin")
    }

    fn document(self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · Countersign" }
                    link rel="icon" type="image/svg+xml" href=(ICON.address());
                    link rel="stylesheet" href=(STYLE.address());
                    script type="module" src=(SCRIPT.address()) {}
                }
                body.alone[self.who.is_none()] {
                    a.skip href="#main" { "Skip to the content" }
                    (header(self.here, self.who))
                    main id="main" tabindex="-1" { (self.main) }
                }
            }
        }
    }
}

fn header(here: &str, who: Option<&str>) -> Markup {
    let Some(who) = who else {
        return html! {
            header.top { (brand("/")) }
        };
    };
    html! {
        header.top {
            (brand("/find"))
            details.menu {
                summary { span.bars aria-hidden="true" {} "Menu" }
                (menu(here, who))
            }
        }
        div.side { (brand("/find")) (menu(here, who)) }
    }
}

fn brand(to: &str) -> Markup {
    html! {
        a.brand href=(to) {
            img src=(ICON.address()) alt="" width="28" height="28";
            span { "Countersign" }
        }
    }
}

fn menu(here: &str, who: &str) -> Markup {
    html! {
        nav aria-label="Pages" {
            @for (group, pages) in MENU {
                p.group { (group) }
                ul {
                    @for (path, name) in *pages {
                        li {
                            @if *path == here {
                                a href=(path) aria-current="page" { (name) }
                            } @else {
                                a href=(path) { (name) }
                            }
                        }
                    }
                }
            }
        }
        form.out method="post" action="/sign-out" {
            a.me href="/me" aria-current=[(here == "/me").then_some("page")] { bdi { (who) } }
            button.quiet type="submit" { "Sign out" }
        }
    }
}

/// A page that tells a problem.
pub(super) fn problem(problem: &Problem) -> Result<Answer, Problem> {
    let status = problem.kind.status();
    let title = status.canonical_reason().unwrap_or_default();
    let main = html! {
        div.problem role="alert" {
            p.code { (status.as_str()) }
            h1 { (title) }
            p { bdi { (problem.detail) } "." }
            @if let Some(seconds) = problem.retry_after {
                p { "Try again in " (seconds) " s." }
            }
            p { a.button href="/find" { "To the console" } }
        }
    };
    Frame {
        title,
        here: "",
        who: None,
        status,
        main,
    }
    .answer()
}

pub(super) const HTML: &str = "text/html; charset=utf-8";
const POLICY: &str =
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
/// All pages of the menu.
const MENU: &[(&str, &[(&str, &str)])] = &[
    (
        "Clients",
        &[
            ("/find", "Find"),
            ("/connected", "Connected"),
            ("/refused", "Refused"),
            ("/bans", "Bans"),
            ("/why", "Why"),
            ("/connectivity", "Connectivity"),
        ],
    ),
    (
        "Rules",
        &[
            ("/tenants", "Tenants"),
            ("/roles", "Roles"),
            ("/operators", "Operators"),
            ("/applications", "Applications"),
            ("/things", "Things"),
            ("/schemes", "Schemes"),
            ("/authorities", "Authorities"),
            ("/issuers", "Issuers"),
        ],
    ),
    (
        "Administration",
        &[
            ("/people", "People"),
            ("/tokens", "Tokens"),
            ("/jwts", "JWTs"),
            ("/jwts/keys", "Signing keys"),
            ("/brokers", "Brokers"),
            ("/other-brokers", "Other brokers"),
            ("/followers", "Followers"),
            ("/settings", "Settings"),
            ("/audit", "Audit"),
        ],
    ),
];

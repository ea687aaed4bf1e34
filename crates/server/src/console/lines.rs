//! What several pages show alike: clients, rules, changes.

use maud::{Markup, html};
use serde_json::Value;

use super::form::Form;
use super::pieces::{Field, choice, dash, hidden, link, list, name, text};

/// The name of a client, which leads to its credential where it has one.
pub(super) fn client(item: &Value) -> Markup {
    match item["username"].as_str() {
        Some(username) => link("/credentials", username),
        None => html! { span.none { "without a login" } },
    }
}

/// The fields of a rule that is given.
pub(super) fn rule_fields(said: &Form) -> Markup {
    let said_or = |word, usual| said.text(word).unwrap_or(usual);
    html! {
        div.pair {
            (choice("effect", "Effect", &[("allow", "allow"), ("deny", "deny")], said_or("effect", "allow")))
            (choice("action", "Action", &[("publish", "publish"), ("subscribe", "subscribe"), ("both", "both")], said_or("action", "publish")))
        }
        (Field::new("pattern", "Topics").of(said).required().hint("Such as acme/${username}/#.").show())
    }
}

/// The button that ends a session.
pub(super) fn kick(session: &str, back: &str) -> Markup {
    html! {
        form method="post" action="/connected/kick" {
            (hidden("session", session))
            (hidden("back", back))
            button.quiet type="submit" { "Kick" }
        }
    }
}

/// What an act changed.
pub(super) fn changes(row: &Value) -> Markup {
    let changes = list(row, "changes");
    html! {
        @if changes.is_empty() { (dash()) } @else {
            details.changes {
                summary { (changes.len()) " fields" }
                ul {
                    @for change in changes {
                        li { (name(text(change, "field"))) ": "
                            (name(&change["before"].to_string())) " → " (name(&change["after"].to_string())) }
                    }
                }
            }
        }
    }
}

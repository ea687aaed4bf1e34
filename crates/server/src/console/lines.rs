//! What several pages show alike: clients, rules, changes.

use maud::{Markup, html};
use serde_json::Value;

use super::acts::Act;
use super::entry;
use super::form::Form;
use super::pieces::{Field, choice, dash, form_key, hidden, link, list, name, text};
use crate::call::Call;
use crate::problem::Problem;

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
                summary { @if changes.len() == 1 { "1 field" } @else { (changes.len()) " fields" } }
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

/// The form of an act, with what it will do; `live` is how many live sessions the thing has,
/// where it has such.
pub(super) fn act_form(
    call: &Call<'_>,
    act: &Act,
    path: &str,
    version: &str,
    live: Option<usize>,
    it: &Value,
) -> Result<Markup, Problem> {
    let key = match act.secret {
        Some(_) => form_key(call)?,
        None => html! {},
    };
    let live = live.filter(|_| act.ends_sessions);
    Ok(html! {
        details.act.final[act.is_final] {
            summary { (act.label) }
            form method="post" action={ (path) "/" (act.word) } data-secret[act.secret.is_some()] {
                (key)
                (hidden(VERSION, version))
                p { (act.says) }
                @if let Some(live) = live { (effect_on_sessions(live)) }
                (entry::fields(act.asks, &Form::default(), it))
                p.actions { button.danger[act.is_final] type="submit" { (act.label) } }
            }
        }
    })
}

pub(super) fn delete_form(path: &str, named: &str, effect: Markup) -> Markup {
    html! {
        details.act.final {
            summary { "Delete" }
            form method="post" action={ (path) "/delete" } {
                p { "It is gone, with its rules and its secrets; the audit stays. This can't be undone." }
                (effect)
                p.actions { button.danger type="submit" { "Delete " (name(named)) } }
            }
        }
    }
}

/// What an act does to live sessions.
pub(super) fn effect_on_sessions(live: usize) -> Markup {
    html! {
        p.effect {
            @match live {
                0 => "It has no live session now.",
                1 => "Its live session ends at once.",
                count => { (count) " live sessions end at once." },
            }
        }
    }
}

/// The button that takes a rule away.
pub(super) fn without_rule(path: &str, rule: &Value) -> Markup {
    html! {
        form method="post" action={ (path) "/unrule" } {
            (hidden("action", text(rule, "action")))
            (hidden("pattern", text(rule, "pattern")))
            button.quiet type="submit" { "Take away" }
        }
    }
}

/// The field with the version that was shown.
pub(super) const VERSION: &str = "version";

//! Pieces of pages: fields, buttons, tables, states, times.

use countersign_core::time::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

use super::form::Form;
use crate::call::Call;
use crate::problem::Problem;

/// The text of a member; nothing where it has none.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The texts of a member.
pub(super) fn texts<'a>(value: &'a Value, key: &str) -> Vec<&'a str> {
    list(value, key).iter().filter_map(Value::as_str).collect()
}

/// What a member lists.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// A word that somebody else chose, so that it is a text and turns nothing around.
pub(super) fn name(text: &str) -> Markup {
    html! { bdi.name.long[text.len() > LONG].short[text.len() <= SHORT] { (text) } }
}

/// What is longer is broken anywhere, lest it makes its column wider than the page.
const LONG: usize = 32;
/// What is no longer stays in one line of a table.
const SHORT: usize = 16;

/// The same of a member, or a dash.
pub(super) fn name_or_dash(value: &Value, key: &str) -> Markup {
    match value[key].as_str() {
        Some(text) if !text.is_empty() => name(text),
        _ => dash(),
    }
}

/// Several of them.
pub(super) fn names(texts: &[&str]) -> Markup {
    html! {
        @if texts.is_empty() { (dash()) }
        @for (place, text) in texts.iter().enumerate() {
            @if place > 0 { ", " }
            (name(text))
        }
    }
}

pub(super) fn dash() -> Markup {
    html! { span.none { span aria-hidden="true" { "–" } span.hidden { "none" } } }
}

/// A link to a thing by its name.
pub(super) fn link(folder: &str, text: &str) -> Markup {
    let part = crate::answer::part_of_address(text);
    html! { a href={ (folder) "/" (part) } { (name(text)) } }
}

/// The state of a credential: a mark and a word, never a colour alone.
pub(super) fn state(word: &str) -> Markup {
    let mark = match word {
        "Active" => "●",
        "Inactive" => "○",
        "Suspended" => "❚❚",
        "Revoked" => "✕",
        _ => "·",
    };
    tag(&word.to_ascii_lowercase(), mark, word)
}

/// A verdict or an outcome.
pub(super) fn verdict(word: &str) -> Markup {
    match word {
        "allow" | "done" => tag("active", "✓", word),
        "deny" | "denied" | "refused" => tag("revoked", "✕", word),
        _ => tag("inactive", "·", word),
    }
}

pub(super) fn tag(class: &str, mark: &str, word: &str) -> Markup {
    html! { span class={ "tag " (class) } { span.mark aria-hidden="true" { (mark) } (word) } }
}

/// An instant, as the time that passed since, or will until then.
pub(super) fn when(value: &Value, key: &str, now: Timestamp) -> Markup {
    let Some(text) = value[key].as_str() else {
        return dash();
    };
    let Ok(instant) = text.parse::<jiff::Timestamp>() else {
        return name(text);
    };
    let seconds = instant.as_millisecond().saturating_sub(now.as_millis()) / 1_000;
    let exact = instant.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    html! { time datetime=(text) title=(exact) { (distance(seconds)) } }
}

fn distance(seconds: i64) -> String {
    let away = seconds.unsigned_abs();
    let (count, unit) = match away {
        0..=9 if seconds <= 0 => return "just now".to_owned(),
        0..=119 => (away, "s"),
        120..=7_199 => (away / 60, "min"),
        7_200..=172_799 => (away / 3_600, "h"),
        172_800..=63_071_999 => (away / 86_400, "days"),
        _ => (away / 31_536_000, "years"),
    };
    if seconds > 0 {
        format!("in {count} {unit}")
    } else {
        format!("{count} {unit} ago")
    }
}

/// A table. On narrow screens each cell says what it is.
pub(super) fn table(caption: &str, heads: &[&str], rows: &[Vec<Markup>]) -> Markup {
    rows_of(caption, heads, rows.iter().map(|cells| (None, cells)))
}

/// A table that is live. A row with the same key stays the same one, whatever comes
/// before it, so that a click that has begun on it is not another row's.
pub(super) fn live_table(caption: &str, heads: &[&str], rows: &[(String, Vec<Markup>)]) -> Markup {
    let rows = rows.iter().map(|(key, cells)| (Some(key.as_str()), cells));
    rows_of(caption, heads, rows)
}

fn rows_of<'a>(
    caption: &str,
    heads: &[&str],
    rows: impl Iterator<Item = (Option<&'a str>, &'a Vec<Markup>)>,
) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption.hidden { (caption) }
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody {
                    @for (key, row) in rows {
                        tr data-key=[key] {
                            @for (cell, head) in row.iter().zip(heads) {
                                // One piece, however much it holds: it stands beside what it is.
                                td data-head=(head) { div { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What there is where there is nothing.
pub(super) fn empty(words: &str) -> Markup {
    html! { p.empty { (words) } }
}

/// Where a list goes on.
pub(super) fn pager(path: &str, words: &Form, listed: &Value) -> Markup {
    let next = listed["next"].as_str();
    let is_behind = words.exact("after").is_some();
    html! {
        @if next.is_some() || is_behind {
            nav.pager aria-label="Parts of the list" {
                @if is_behind {
                    a.button.quiet href=(words.address(path, &[("after", None)])) { "To the start" }
                }
                @if let Some(next) = next {
                    a.button href=(words.address(path, &[("after", Some(next))])) { "Next" }
                }
            }
        }
    }
}

/// A field of one line.
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    pub(super) label: &'a str,
    pub(super) kind: &'a str,
    pub(super) hint: &'a str,
    pub(super) value: &'a str,
    /// What browsers fill in.
    pub(super) fill: &'a str,
    pub(super) is_required: bool,
    /// The list of what may be meant.
    pub(super) list: Option<&'a str>,
}

impl<'a> Field<'a> {
    pub(super) fn new(name: &'a str, label: &'a str) -> Self {
        Self {
            name,
            label,
            kind: "text",
            hint: "",
            value: "",
            fill: "off",
            is_required: false,
            list: None,
        }
    }

    pub(super) fn hint(self, hint: &'a str) -> Self {
        Self { hint, ..self }
    }

    pub(super) fn value(self, value: &'a str) -> Self {
        Self { value, ..self }
    }

    /// The same with what a form says.
    pub(super) fn of(self, form: &'a Form) -> Self {
        let value = form.exact(self.name).unwrap_or(self.value);
        Self { value, ..self }
    }

    pub(super) fn required(self) -> Self {
        Self {
            is_required: true,
            ..self
        }
    }

    /// The same for a password, which is never filled with one that was said.
    pub(super) fn password(self, fill: &'a str) -> Self {
        Self {
            kind: "password",
            fill,
            value: "",
            ..self
        }
    }

    pub(super) fn filled(self, fill: &'a str) -> Self {
        Self { fill, ..self }
    }

    pub(super) fn list(self, list: &'a str) -> Self {
        Self {
            list: Some(list),
            ..self
        }
    }

    pub(super) fn show(self) -> Markup {
        html! {
            label.field {
                span.label {
                    (self.label)
                    @if !self.is_required && self.kind != "search" { span.optional { " optional" } }
                }
                input name=(self.name) type=(self.kind) value=[Some(self.value).filter(|it| !it.is_empty())]
                    required[self.is_required] autocomplete=(self.fill) autocapitalize="none"
                    spellcheck="false" list=[self.list];
                @if !self.hint.is_empty() { span.hint { (self.hint) } }
            }
        }
    }
}

/// A field of which one of some words is chosen.
pub(super) fn choice(name: &str, label: &str, words: &[(&str, &str)], chosen: &str) -> Markup {
    html! {
        label.field {
            span.label { (label) }
            select name=(name) {
                @for (word, shown) in words {
                    option value=(word) selected[*word == chosen] { (shown) }
                }
            }
        }
    }
}

/// A box to tick.
pub(super) fn tick(name: &str, label: &str, is_ticked: bool) -> Markup {
    html! {
        label.tick {
            input type="checkbox" name=(name) value="yes" checked[is_ticked];
            span { (label) }
        }
    }
}

pub(super) fn hidden(name: &str, value: &str) -> Markup {
    html! { input type="hidden" name=(name) value=(value); }
}

/// The hidden key of a form that may be sent once.
pub(super) fn form_key(call: &Call<'_>) -> Result<Markup, Problem> {
    Ok(hidden(super::page::FORM_KEY, &call.form_key()?))
}

/// What went wrong with a form.
pub(super) fn wrong(problem: Option<&Problem>) -> Markup {
    html! {
        @if let Some(problem) = problem {
            div.notice.bad role="alert" {
                span.mark aria-hidden="true" { "✕" }
                p { strong { "Not done. " } bdi { (problem.detail) } "." }
            }
        }
    }
}

/// What was done.
pub(super) fn done(words: &str, undo: Option<Markup>) -> Markup {
    html! {
        div.notice.good role="status" {
            span.mark aria-hidden="true" { "✓" }
            p { (words) }
            @if let Some(undo) = undo { (undo) }
        }
    }
}

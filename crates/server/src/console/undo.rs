//! What undoes an act: the form of its inverse, with what was so before.
//!
//! The service keeps it, and the page that says what was done shows it, once. So no address
//! can be made up that has somebody undo something that was not done.

use maud::{Markup, html};
use serde_json::Value;

use super::entry::{Entry, filled};
use super::form::Form;
use super::lines::VERSION;
use super::pieces::{hidden, text};
use crate::answer::Answer;
use crate::call::Call;
use crate::problem::Problem;
use crate::visitors::Undo;

impl Undo {
    /// The inverse that is sent to this address, without fields.
    pub(super) fn at(action: String) -> Self {
        Self {
            action,
            fields: Vec::new(),
        }
    }

    pub(super) fn with(mut self, name: &str, said: &str) -> Self {
        self.fields.push((name.to_owned(), said.to_owned()));
        self
    }

    /// The same, with what fields of a form say.
    pub(super) fn with_said(self, said: &Form, names: &[&str]) -> Self {
        let said = names
            .iter()
            .filter_map(|name| Some((*name, said.exact(name)?)));
        said.fold(self, |undo, (name, said)| undo.with(name, said))
    }

    /// The same, with what fields hold of a thing as it was.
    pub(super) fn with_filled(mut self, entries: &[Entry], of: &Value) -> Self {
        self.fields.extend(filled(entries, of));
        self
    }

    /// The same, unless something else was changed since this version.
    pub(super) fn since(self, version: Option<&str>) -> Self {
        match version {
            Some(version) => self.with(VERSION, version),
            None => self,
        }
    }
}

impl Call<'_> {
    /// Leads to the page that says what was done, which can undo it.
    pub(super) fn did(&self, place: &str, undo: Option<Undo>) -> Result<Answer, Problem> {
        let undo = undo.filter(|undo| undo.bytes() <= Undo::MOST_BYTES);
        let Some(undo) = undo else {
            return Answer::see_other(place);
        };
        let key = self.visitors.undos.keep(&self.who()?.actor, undo);
        Answer::see_other(&format!("{place}&{UNDO}={key}"))
    }

    /// The button that undoes what was done just now.
    pub(super) fn undo(&self, words: &Form) -> Option<Markup> {
        let actor = &self.who().ok()?.actor;
        let undo = self.visitors.undos.take(actor, words.exact(UNDO)?)?;
        Some(html! {
            form method="post" action=(undo.action) {
                @for (name, said) in &undo.fields { (hidden(name, said)) }
                button.quiet type="submit" { "Undo" }
            }
        })
    }
}

/// What takes a rule away that is given; nothing where one of the same topics was there,
/// which would go, too.
pub(super) fn of_rule(path: &str, rules: &[Value], said: &Form) -> Option<Undo> {
    let is_there = rules.iter().any(|rule| is_meant(rule, said));
    (!is_there).then(|| Undo::at(format!("{path}/unrule")).with_said(said, RULE_NAMES))
}

/// What gives a rule again that is taken away.
pub(super) fn of_unrule(path: &str, rules: &[Value], said: &Form) -> Option<Undo> {
    let mut meant = rules.iter().filter(|rule| is_meant(rule, said));
    let (Some(rule), None) = (meant.next(), meant.next()) else {
        return None;
    };
    Some(Undo::at(format!("{path}/rule")).with_filled(RULE, rule))
}

/// Whether a form is about this rule.
fn is_meant(rule: &Value, said: &Form) -> bool {
    let same = |key| said.text(key).unwrap_or_default() == text(rule, key);
    ["action", "pattern", "group"].into_iter().all(same)
}

/// What is asked for a rule.
pub(super) const RULE: &[Entry] = &[
    Entry::line("effect", "Effect"),
    Entry::line("action", "Action"),
    Entry::line("pattern", "Topics"),
    Entry::line("group", "Only in group"),
    Entry::number("max_qos", "QoS at most"),
    Entry::tick("no_retain", "No retained messages"),
    Entry::tick("literal", "As written"),
];
/// What says which rule is taken away.
const RULE_NAMES: &[&str] = &[
    "action",
    "pattern",
    "group",
    "max_qos",
    "no_retain",
    "literal",
];
const UNDO: &str = "undo";

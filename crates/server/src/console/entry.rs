//! Fields of forms as data: what each looks like, and what it says to REST.

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::form::Form;
use super::pieces::{Field, choice, tick};
use crate::problem::Problem;

/// A field of a form.
pub(super) struct Entry {
    name: &'static str,
    label: &'static str,
    kind: Kind,
    hint: &'static str,
    /// What it holds before anybody wrote something.
    usual: &'static str,
    /// The member that it fills; dots lead into objects.
    member: &'static str,
    is_required: bool,
    /// Whether it is shown where more is asked for.
    is_more: bool,
}

enum Kind {
    Line,
    /// Several, with spaces or commas.
    Words,
    Number,
    Password(&'static str),
    /// Several lines.
    Area,
    /// JSON, in several lines.
    Json,
    /// Lines such as `KEY=VALUE`.
    Map,
    Choice(&'static [(&'static str, &'static str)]),
    Tick,
    /// A box that says no, too.
    Switch,
}

impl Entry {
    const fn new(name: &'static str, label: &'static str, kind: Kind) -> Self {
        Self {
            name,
            label,
            kind,
            hint: "",
            usual: "",
            member: name,
            is_required: false,
            is_more: false,
        }
    }

    pub(super) const fn line(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, Kind::Line)
    }

    pub(super) const fn words(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, Kind::Words)
    }

    pub(super) const fn number(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, Kind::Number)
    }

    /// One that is never shown again, and what browsers fill in.
    pub(super) const fn password(
        name: &'static str,
        label: &'static str,
        fill: &'static str,
    ) -> Self {
        Self::new(name, label, Kind::Password(fill))
    }

    pub(super) const fn area(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, Kind::Area)
    }

    pub(super) const fn json(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, Kind::Json)
    }

    pub(super) const fn map(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, Kind::Map)
    }

    pub(super) const fn tick(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, Kind::Tick)
    }

    pub(super) const fn switch(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, Kind::Switch)
    }

    /// One of some words.
    pub(super) const fn choice(
        name: &'static str,
        label: &'static str,
        words: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self::new(name, label, Kind::Choice(words))
    }

    pub(super) const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }

    pub(super) const fn usual(mut self, usual: &'static str) -> Self {
        self.usual = usual;
        self
    }

    /// The same, which fills another member than the one of its name; the empty one is
    /// all of them.
    pub(super) const fn fills(mut self, member: &'static str) -> Self {
        self.member = member;
        self
    }

    pub(super) const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    pub(super) const fn more(mut self) -> Self {
        self.is_more = true;
        self
    }

    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it stands beside others.
    const fn is_short(&self) -> bool {
        !matches!(
            self.kind,
            Kind::Area | Kind::Json | Kind::Map | Kind::Tick | Kind::Switch
        )
    }

    /// What it holds: what was said, else what the thing has that it is about.
    fn held(&self, said: &Form, of: &Value) -> String {
        match (said.exact(self.name), &of[self.member]) {
            (Some(said), _) => said.to_owned(),
            (None, Value::String(text)) => text.clone(),
            (None, Value::Number(number)) => number.to_string(),
            (None, Value::Array(all)) => {
                let all: Vec<_> = all.iter().filter_map(Value::as_str).collect();
                all.join(", ")
            }
            (None, _) => self.usual.to_owned(),
        }
    }

    fn show(&self, said: &Form, of: &Value) -> Markup {
        let held = self.held(said, of);
        match self.kind {
            Kind::Choice(words) => choice(self.name, self.label, words, &held),
            Kind::Tick => {
                let is_so = of[self.member].as_bool() == Some(true);
                tick(self.name, self.label, said.is_ticked(self.name) || is_so)
            }
            Kind::Switch => {
                let is_so = match said.is_empty() {
                    true => of[self.member].as_bool() == Some(true),
                    false => said.is_ticked(self.name),
                };
                tick(self.name, self.label, is_so)
            }
            Kind::Area | Kind::Json | Kind::Map => html! {
                label.field {
                    span.label { (self.label) @if !self.is_required { span.optional { " optional" } } }
                    textarea name=(self.name) rows="6" required[self.is_required] spellcheck="false" autocomplete="off" { (held) }
                    @if !self.hint.is_empty() { span.hint { (self.hint) } }
                }
            },
            Kind::Line | Kind::Words => self.field().value(&held).show(),
            Kind::Number => {
                let field = self.field().value(&held);
                Field {
                    kind: "number",
                    ..field
                }
                .show()
            }
            Kind::Password(fill) => self.field().password(fill).show(),
        }
    }

    fn field(&self) -> Field<'static> {
        let field = Field::new(self.name, self.label).hint(self.hint);
        match self.is_required {
            true => field.required(),
            false => field,
        }
    }

    /// What it says; nothing where it is empty.
    fn value(&self, said: &Form) -> Result<Option<Value>, Problem> {
        let wrong = |what: &str| Problem::invalid(format!("`{}` {what}", self.member));
        Ok(match self.kind {
            Kind::Line | Kind::Choice(_) => said.text(self.name).map(Value::from),
            Kind::Password(_) | Kind::Area => said.exact(self.name).map(Value::from),
            Kind::Words => {
                let words = said.words(self.name);
                (!words.is_empty()).then(|| words.into())
            }
            Kind::Number => match said.text(self.name).map(str::parse::<u64>) {
                Some(Ok(number)) => Some(number.into()),
                Some(Err(_)) => return Err(wrong("is not a whole number")),
                None => None,
            },
            Kind::Json => match said.text(self.name).map(serde_json::from_str) {
                Some(Ok(json)) => Some(json),
                Some(Err(_)) => return Err(wrong("is not JSON")),
                None => None,
            },
            Kind::Map => {
                let lines = said.text(self.name).unwrap_or_default().lines();
                let lines = lines.map(str::trim).filter(|line| !line.is_empty());
                let pairs = lines.map(|line| {
                    let (key, value) = line.split_once('=')?;
                    Some((key.trim().to_owned(), value.trim().into()))
                });
                let pairs: Option<Map<_, _>> = pairs.collect();
                let pairs = pairs.ok_or_else(|| wrong("has a line without `=`"))?;
                (!pairs.is_empty()).then_some(Value::Object(pairs))
            }
            Kind::Tick => said.is_ticked(self.name).then_some(Value::Bool(true)),
            Kind::Switch => Some(said.is_ticked(self.name).into()),
        })
    }
}

/// The fields of a form, filled with what was said, or with what the thing has that they
/// are about.
pub(super) fn fields(entries: &[Entry], said: &Form, of: &Value) -> Markup {
    let (more, first): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|it| it.is_more);
    let is_said = more.iter().any(|it| said.is_ticked(it.name));
    html! {
        (side_by_side(&first, said, of))
        @if !more.is_empty() {
            details open[is_said] {
                summary { "More" }
                (side_by_side(&more, said, of))
            }
        }
    }
}

fn side_by_side(entries: &[&Entry], said: &Form, of: &Value) -> Markup {
    let (short, long): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|it| it.is_short());
    html! {
        @if !short.is_empty() {
            div.pair { @for entry in short { (entry.show(said, of)) } }
        }
        @for entry in long { (entry.show(said, of)) }
    }
}

/// What fields hold of a thing, as a form says it.
pub(super) fn filled(entries: &[Entry], of: &Value) -> Vec<(String, String)> {
    let said = entries.iter().map(|entry| {
        let held = match entry.kind {
            Kind::Tick | Kind::Switch if of[entry.member].as_bool() == Some(true) => {
                "yes".to_owned()
            }
            Kind::Tick | Kind::Switch | Kind::Password(_) => String::new(),
            Kind::Line
            | Kind::Words
            | Kind::Number
            | Kind::Area
            | Kind::Json
            | Kind::Map
            | Kind::Choice(_) => entry.held(&Form::default(), of),
        };
        (entry.name.to_owned(), held)
    });
    said.filter(|(_, held)| !held.is_empty()).collect()
}

/// What a form says, as the body of a request.
pub(super) fn body(entries: &[Entry], said: &Form) -> Result<Value, Problem> {
    let mut body = Map::new();
    for entry in entries {
        let Some(value) = entry.value(said)? else {
            continue;
        };
        if let ("", Value::Object(all)) = (entry.member, &value) {
            body.extend(all.clone());
            continue;
        }
        match entry.member.split_once('.') {
            None => drop(body.insert(entry.member.to_owned(), value)),
            Some((outer, inner)) => {
                let object = body.entry(outer).or_insert_with(|| Map::new().into());
                if let Value::Object(object) = object {
                    object.insert(inner.to_owned(), value);
                }
            }
        }
    }
    Ok(Value::Object(body))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALL: &[Entry] = &[
        Entry::line("name", "Name").required(),
        Entry::words("from", "From"),
        Entry::number("max", "At most"),
        Entry::line("kick", "Kick").fills("kick.url"),
        Entry::password("login", "Login", "off").fills("kick.login"),
        Entry::map("roles", "Roles").more(),
        Entry::json("keys", "Keys").more(),
        Entry::tick("force", "Also then"),
        Entry::switch("rehash", "Anew"),
    ];

    fn said(fields: &[(&str, &str)]) -> Form {
        Form::read(serde_urlencoded::to_string(fields).unwrap().as_bytes()).unwrap()
    }

    #[test]
    fn a_form_says_what_is_filled_in_and_nothing_else() {
        assert_eq!(
            body(ALL, &Form::default()).unwrap(),
            json!({ "rehash": false })
        );
        let fields = [
            ("name", " edge "),
            ("from", "a, b c"),
            ("max", "12"),
            ("kick", "http://x"),
            ("login", " spaces stay "),
            ("roles", "x = ops\n\ny=readers"),
            ("keys", "{\"keys\":[]}"),
            ("force", "yes"),
            ("other", "nobody asked"),
        ];
        let told = json!({
            "name": "edge", "from": ["a", "b", "c"], "max": 12,
            "kick": { "url": "http://x", "login": " spaces stay " },
            "roles": { "x": "ops", "y": "readers" }, "keys": { "keys": [] }, "force": true,
            "rehash": false,
        });
        assert_eq!(body(ALL, &said(&fields)).unwrap(), told);
    }

    #[test]
    fn what_cannot_be_read_is_said_by_the_name_of_the_member() {
        for (name, text, told) in [
            ("max", "-1", "`max` is not a whole number"),
            ("roles", "x", "`roles` has a line without `=`"),
            ("keys", "{", "`keys` is not JSON"),
        ] {
            let problem = body(ALL, &said(&[(name, text)])).unwrap_err();
            assert_eq!(problem.detail, told);
        }
    }

    #[test]
    fn what_was_said_is_shown_again_but_no_password() {
        let fields = [("name", "<edge>"), ("login", "a secret"), ("keys", "{")];
        let shown = super::fields(ALL, &said(&fields), &json!({ "max": 7 })).into_string();
        assert!(shown.contains("value=\"&lt;edge&gt;\"") && shown.contains("value=\"7\""));
        assert!(shown.contains("{</textarea>") && shown.contains("<details open>"));
        assert!(!shown.contains("a secret"));
    }
}

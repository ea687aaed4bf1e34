//! What the page of a credential shows.

use maud::{Markup, html};
use serde_json::{Value, json};

use crate::answer::part_of_address;
use crate::call::Call;
use crate::console::acts;
use crate::console::ask::{Ask, Told};
use crate::console::form::Form;
use crate::console::limits;
use crate::console::lines::{
    VERSION, act_form, changes, client, delete_form, effect_on_sessions, kick, rule_fields,
    without_rule,
};
use crate::console::pieces::{
    Field, dash, done, empty, hidden, list, name, name_or_dash, names, state, table, text, texts,
    verdict, when,
};
use crate::problem::Problem;

/// A credential that is shown.
pub(super) struct Shown {
    pub(super) name: String,
    /// The address of its page.
    pub(super) path: String,
    pub(super) credential: Told,
    /// What keeps it out, and what it did.
    pub(super) why: Value,
    /// So many live sessions it has.
    pub(super) live: usize,
}

impl Shown {
    fn value(&self) -> &Value {
        &self.credential.value
    }

    pub(super) fn state(&self) -> &str {
        text(self.value(), "state")
    }

    pub(super) fn head(&self) -> Markup {
        html! {
            p.crumb { a href="/find" { "Find" } " / credential" }
            div.head { h1 { (name(&self.name)) } (state(self.state())) }
        }
    }

    /// Says what was done, as long as that is so.
    pub(super) fn done(&self, call: &Call<'_>, words: &Form) -> Markup {
        let word = words.text("done").unwrap_or_default();
        if word == "change" {
            return done("It is changed.", call.undo(words));
        }
        let Some(act) = acts::act(word) else {
            return html! {};
        };
        let is_so = match act.word {
            "suspend" => self.state() == "Suspended",
            "reactivate" => ["Active", "Inactive"].contains(&self.state()),
            "revoke" => self.state() == "Revoked",
            _ => true,
        };
        if !is_so {
            return html! {};
        }
        done(act.done, call.undo(words))
    }

    pub(super) fn facts(&self, call: &Call<'_>) -> Markup {
        let it = self.value();
        let attributes = it["attributes"].as_object();
        let attributes = attributes.into_iter().flatten();
        let reasons = texts(&self.why, "reasons");
        html! {
            section.card aria-labelledby="facts" {
                h2 id="facts" { "What it is" }
                @if !reasons.is_empty() {
                    p.keeps { (verdict("refused")) " A login would be refused now: " strong { (names(&reasons)) } ". "
                        a href={ "/why?name=" (part_of_address(&self.name)) } { "Why" } }
                }
                dl {
                    dt { "Description" } dd { (name_or_dash(it, "description")) }
                    dt { "Tenant" } dd { (name_or_dash(it, "tenant")) }
                    dt { "Scheme" } dd { (name_or_dash(it, "scheme")) }
                    dt { "Groups" } dd { (names(&texts(it, "groups"))) }
                    dt { "Roles" } dd { (names(&texts(it, "roles"))) }
                    dt { "Client ids" } dd { (name_or_dash(it, "client_id")) }
                    dt { "Secret" } dd { "generation " (it["generation"]) @if it["last_used_at"].is_string() { ", last used " (when(it, "last_used_at", call.now)) } @else { ", never used" } }
                    dt { "Made" } dd { (when(it, "created_at", call.now)) }
                    dt { "Begins" } dd { (when(it, "not_before", call.now)) }
                    dt { "Ends" } dd { (when(it, "expires_at", call.now)) }
                    @if it["revoked_reason"].is_string() { dt { "Revoked because" } dd { (name_or_dash(it, "revoked_reason")) } }
                    @for (key, value) in attributes {
                        dt { (name(key)) } dd { (name(value.as_str().unwrap_or_default())) }
                    }
                }
            }
        }
    }

    pub(super) fn sessions(&self, call: &Call<'_>) -> Markup {
        let row = |item: &Value| {
            vec![
                client(item),
                name(text(item, "client_id")),
                name_or_dash(item, "address"),
                name_or_dash(item, "broker"),
                when(item, "connected_at", call.now),
                kick(text(item, "session"), &self.path),
            ]
        };
        let rows: Vec<_> = list(&self.why, "sessions").iter().map(row).collect();
        let login = |item: &Value| {
            vec![
                when(item, "time", call.now),
                verdict(text(item, "outcome")),
                name_or_dash(item, "cause"),
                html! { (item["count"]) },
                name_or_dash(item, "address"),
                name_or_dash(item, "client_id"),
            ]
        };
        let logins: Vec<_> = list(&self.why, "last_logins")
            .iter()
            .take(10)
            .map(login)
            .collect();
        html! {
            section.card aria-labelledby="sessions" {
                h2 id="sessions" { "Sessions" }
                @if rows.is_empty() { (empty("It is not connected.")) }
                @else { (table("Live sessions", &["Name", "Client id", "Address", "Broker", "Since", "Act"], &rows)) }
                h3 { "Last logins" }
                @if logins.is_empty() { (empty("None is known.")) }
                @else { (table("Last logins", &["When", "Outcome", "Cause", "Count", "Address", "Client id"], &logins)) }
            }
        }
    }

    /// All rules that count for it, and where each comes from.
    pub(super) fn rules(&self, call: &mut Call<'_>) -> Result<Markup, Problem> {
        let username = self.value()["username"].as_str().unwrap_or(&self.name);
        let question = json!({ "check": "publish", "username": username, "topic": "x" });
        let answer = Ask::post("/api/v1/check").body(question).value(call);
        let considered = answer.unwrap_or_default();
        let row = |rule: &Value| {
            let source = text(rule, "source");
            let is_own = source == "credential";
            vec![
                verdict(text(rule, "effect")),
                html! { (text(rule, "action")) },
                html! { code { (name(text(rule, "pattern"))) } },
                html! {
                    (name(source))
                    @if let Some(group) = rule["group"].as_str() { " of group " (name(group)) }
                },
                if is_own {
                    without_rule(&self.path, rule)
                } else {
                    dash()
                },
            ]
        };
        let rows: Vec<_> = list(&considered, "considered").iter().map(row).collect();
        Ok(html! {
            section.card aria-labelledby="rules" {
                h2 id="rules" { "Rules" }
                @if rows.is_empty() { (empty("No rule counts for it.")) }
                @else { (table("Effective rules", &["Effect", "Action", "Topics", "From", "Act"], &rows)) }
                details {
                    summary { "Give it a rule of its own" }
                    form method="post" action={ (self.path) "/rule" } {
                        (rule_fields(&Form::default()))
                        p.actions { button type="submit" { "Give the rule" } }
                    }
                }
            }
        })
    }

    pub(super) fn history(&self, call: &mut Call<'_>) -> Result<Markup, Problem> {
        let listed = Ask::get("/api/v1/audit")
            .word("name", Some(&self.name))
            .word("tenant", self.value()["tenant"].as_str())
            .word("limit", Some("1000"))
            .value(call);
        // Who sees the credential may perhaps not see the audit.
        let listed = listed.unwrap_or_default();
        let row = |item: &Value| {
            vec![
                when(item, "time", call.now),
                name(text(item, "act")),
                verdict(text(item, "outcome")),
                name_or_dash(item, "actor"),
                changes(item),
            ]
        };
        let rows: Vec<_> = list(&listed, "items")
            .iter()
            .rev()
            .take(20)
            .map(row)
            .collect();
        Ok(html! {
            section.card aria-labelledby="history" {
                h2 id="history" { "History" }
                @if rows.is_empty() { (empty("Nothing that you may see.")) }
                @else { (table("History", &["When", "Act", "Outcome", "By", "Changes"], &rows)) }
            }
        })
    }

    pub(super) fn acts(&self, call: &mut Call<'_>) -> Result<Markup, Problem> {
        let version = self.credential.tag.as_deref().unwrap_or_default();
        let mut shown = Vec::new();
        for act in &acts::ALL {
            if (act.is_there)(self.value()) {
                let live = Some(self.live);
                shown.push(act_form(
                    call,
                    act,
                    &self.path,
                    version,
                    live,
                    self.value(),
                )?);
            }
        }
        let parts = [("name", &*self.name)];
        let limits = limits::form(call, &limits::OF_CREDENTIAL, &parts, &self.path)?;
        Ok(html! {
            h2 { "Acts" }
            @for act in shown { (act) }
            @if self.state() != "Revoked" { (self.change()) (limits) }
            (delete_form(&self.path, &self.name, effect_on_sessions(self.live)))
        })
    }

    fn change(&self) -> Markup {
        let it = self.value();
        let (groups, roles) = (
            texts(it, "groups").join(", "),
            texts(it, "roles").join(", "),
        );
        html! {
            details.act {
                summary { "Change" }
                form method="post" action={ (self.path) "/change" } {
                    (hidden(VERSION, self.credential.tag.as_deref().unwrap_or_default()))
                    p { "Other rights reach live sessions at once." }
                    (Field::new("description", "Description").value(text(it, "description")).show())
                    (Field::new("groups", "Groups").value(&groups).hint("Several with commas.").show())
                    (Field::new("roles", "Roles").value(&roles).hint("Several with commas.").show())
                    (Field::new("expires_at", "Ends").value(text(it, "expires_at")).hint("Such as 2030-01-31T12:00:00Z.").show())
                    p.actions { button type="submit" { "Change" } }
                }
            }
        }
    }
}

//! A new secret, which is shown this once.

use maud::{Markup, html};
use serde_json::Value;

use super::ask::Ask;
use super::page;
use super::pieces::{list, text, texts};
use crate::answer::Answer;
use crate::call::Call;
use crate::problem::Problem;

/// What is shown once where something is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Secret {
    /// The member that has it.
    pub(super) key: &'static str,
    /// What it is for.
    pub(super) title: &'static str,
}

impl Secret {
    /// One that takes the place of another.
    pub(super) const NEW: Self = Self::of("The new secret");

    /// The secret of this.
    pub(super) const fn of(title: &'static str) -> Self {
        Self {
            key: "secret",
            title,
        }
    }
}

/// A new secret, as REST told it.
pub(super) struct NewSecret<'a> {
    /// All of it.
    pub(super) told: &'a Value,
    /// The member that has it.
    pub(super) key: &'a str,
    /// What it is for.
    pub(super) title: &'a str,
    /// Where its tenant's clients connect, if clients log in with it.
    pub(super) tenant: Option<&'a str>,
    /// The page to go on to.
    pub(super) back: &'a str,
}

impl NewSecret<'_> {
    /// The page that shows it.
    pub(super) fn answer(&self, call: &mut Call<'_>, here: &str) -> Result<Answer, Problem> {
        let main = self.show(call)?;
        page::show(call, here, self.title, main)
    }

    fn show(&self, call: &mut Call<'_>) -> Result<Markup, Problem> {
        let secret = text(self.told, self.key);
        let json = serde_json::to_string_pretty(self.told).unwrap_or_default();
        let command = match self.tenant {
            Some(tenant) => Some(self.command(call, tenant)?),
            None => None,
        };
        let more = [
            ("username", "Username"),
            ("name", "Name"),
            ("client_id", "Client id"),
            ("otpauth", "Address for an authenticator app"),
        ];
        let codes = texts(self.told, "recovery_codes").join("\n");
        let is_named = self.told["username"].is_string();
        let more = more.iter().filter_map(|(key, label)| {
            let value = self.told[*key].as_str()?;
            let is_said = *key == "name" && is_named;
            (value != secret && !is_said).then_some((*key, *label, value))
        });
        let until = self.told["old_secret_until"].as_str();
        Ok(html! {
            section.secret aria-labelledby="secret-title" data-back=(self.back) {
                h1 id="secret-title" { (self.title) }
                p { "It is shown this once. Keep it now: nobody can look it up later, only replace it." }
                @if let Some(until) = until { p { "The old secret works beside it until " time { (until) } "." } }
                @for (key, label, value) in more { (copied(key, label, value)) }
                (copied("secret", if self.key == "secret" { "Secret" } else { "Token" }, secret))
                @if !codes.is_empty() { (copied("codes", "Recovery codes, each good once", &codes)) }
                @if let Some(command) = command { (copied("command", "Try it", &command)) }
                (copied("json", "As JSON", &json))
                p.actions { a.button href=(self.back) { "I have kept it" } }
            }
        })
    }

    /// A line that publishes something with it.
    fn command(&self, call: &mut Call<'_>, tenant: &str) -> Result<String, Problem> {
        let place = Ask::get("/api/v1/listeners")
            .word("tenant", Some(tenant))
            .value(call);
        let place = place.unwrap_or_default();
        let listener = list(&place, "items").iter().find(|it| it["port"].is_u64());
        let host = listener.map_or("localhost", |it| text(it, "host"));
        let port = listener.and_then(|it| it["port"].as_u64()).unwrap_or(1883);
        let mut line = format!("mosquitto_pub -h {} -p {port}", quoted(host));
        if let Some(username) = self.told["username"].as_str() {
            line.push_str(&format!(" -u {}", quoted(username)));
        }
        line.push_str(&format!(" -P {}", quoted(text(self.told, self.key))));
        if let Some(client_id) = self.told["client_id"].as_str() {
            line.push_str(&format!(" -i {}", quoted(client_id)));
        }
        line.push_str(&format!(
            " -t {} -m hello",
            quoted(&format!("{tenant}/hello"))
        ));
        Ok(line)
    }
}

/// A value that can be copied.
pub(super) fn copied(key: &str, label: &str, value: &str) -> Markup {
    let id = format!("copied-{key}");
    html! {
        div.copied {
            span.label id={ (id) "-label" } { (label) }
            pre id=(id) tabindex="0" aria-labelledby={ (id) "-label" } { code { (value) } }
            button.quiet.live type="button" data-copy=(id) { "Copy" }
        }
    }
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-._@/:".contains(it);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_of_a_shell_holds_anything() {
        assert_eq!(quoted("dev1@acme"), "dev1@acme");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("a'$(b)"), "'a'\\''$(b)'");
    }
}

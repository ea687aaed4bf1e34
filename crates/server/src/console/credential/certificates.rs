//! The certificates that stand for a credential.

use maud::{Markup, html};
use serde_json::Value;

use super::shown::Shown;
use crate::call::Call;
use crate::console::acts::Act;
use crate::console::ask::Ask;
use crate::console::entry::{self, Entry};
use crate::console::form::Form;
use crate::console::pieces::{empty, hidden, list, name, table, text, when};

/// Has a certificate stand for it.
pub(super) static CERTIFY: Act = Act {
    word: "certify",
    path: "/api/v1/credentials/{name}/certificates",
    asks: &[
        Entry::line("until", "Until")
            .hint("Such as 2030-01-31T12:00:00Z; as long as it is valid without it."),
        Entry::line("fingerprint", "Or its fingerprint alone")
            .hint("SHA-256, 64 digits. For who administers the whole store."),
        Entry::area("pem", "The certificate").hint("As text (PEM)."),
    ],
    ..Act::USUAL
};
/// The route that has one stand for it no longer.
pub(super) const UNCERTIFY: &str = "/api/v1/credentials/{name}/certificates/{fingerprint}";

impl Shown {
    /// Those that there are, and a form for one more; nothing where there can be none.
    pub(super) fn certificates(&self, call: &mut Call<'_>) -> Markup {
        let listed = Ask::get(CERTIFY.path).about("name", &self.name).value(call);
        let Ok(listed) = listed else {
            return html! {};
        };
        let row = |item: &Value| {
            let fingerprint = text(item, "fingerprint");
            vec![
                html! { code { (name(fingerprint)) } },
                when(item, "ends_at", call.now),
                when(item, "added_at", call.now),
                html! {
                    form method="post" action={ (self.path) "/uncertify" } {
                        (hidden("fingerprint", fingerprint))
                        button.quiet type="submit" { "Take away" }
                    }
                },
            ]
        };
        let rows: Vec<_> = list(&listed, "items").iter().map(row).collect();
        html! {
            section.card aria-labelledby="certificates" {
                h2 id="certificates" { "Certificates" }
                @if rows.is_empty() { (empty("No certificate stands for it: it logs in with a secret, or by an authority of its tenant.")) }
                @else { (table("Certificates", &["Fingerprint", "Ends", "Added", "Act"], &rows)) }
                @if self.state() != "Revoked" {
                    details {
                        summary { "Have a certificate stand for it" }
                        form method="post" action={ (self.path) "/" (CERTIFY.word) } {
                            (entry::fields(CERTIFY.asks, &Form::default(), &Value::Null))
                            p.actions { button type="submit" { "Add the certificate" } }
                        }
                    }
                }
            }
        }
    }
}

//! Tokens (JWT) of our own, which let somebody in for a while, and the keys that sign them.

use serde_json::Value;

use super::acts::Act;
use super::ask::Ask;
use super::entry::Entry;
use super::listing::Cell::{Made, Text, Texts, Time};
use super::listing::{Listing, New, Own, Tenants};
use super::pieces::tag;
use super::secret::Secret;

pub(super) static JWTS: Listing = Listing {
    path: "/jwts",
    acts_at: "/jwts/{act}",
    title: "JWTs",
    lead: "Tokens that let a client in for a while, with the rules of a role. The token is the client's password.",
    route: "/api/v1/jwts",
    parts: &[("jti", "jti")],
    tenants: Tenants::Narrowed,
    columns: &[
        ("For", Text("whoami")),
        ("Tenant", Text("tenant")),
        ("Role", Text("role")),
        ("Things", Texts("things")),
        ("Made by", Text("issuer")),
        ("Made", Time("issued_at")),
        ("Ends", Time("expires_at")),
        (
            "State",
            Made(|item, _| match item["valid"].as_bool() {
                Some(true) => tag("active", "●", "valid"),
                _ if item["revoked_at"].is_string() => tag("revoked", "✕", "revoked"),
                _ => tag("inactive", "○", "not valid"),
            }),
        ),
    ],
    empty: "There are no tokens that have not ended long since. Make one by the form below.",
    new: Some(New {
        title: "A new token",
        label: "Make the token",
        asks: &[
            Entry::line("of", "Tenant").fills("tenant").required(),
            Entry::line("role", "Role")
                .required()
                .hint("Whose rules it has."),
            Entry::line("whoami", "For")
                .required()
                .hint("Whom it is for."),
            Entry::line("ttl", "It lasts").hint("Such as 8h; 1h without it."),
            Entry::words("things", "Only for these things").hint("Several with spaces."),
            Entry::line("as", "Made by")
                .hint("Where that is not you: a user, an application or a thing."),
        ],
        done: "",
        secret: Some(Secret {
            key: "token",
            title: "The new token",
        }),
        undo: None,
        is_for_platform: false,
    }),
    acts: &[
        Act {
            word: "revoke",
            path: "/api/v1/jwts/{jti}",
            how: Ask::delete,
            label: "Revoke",
            done: "The token is revoked, and sessions that it opened ended.",
            is_there: is_valid,
            removes: true,
            ..Act::USUAL
        },
        Act {
            word: "revoke-all",
            path: "/api/v1/jwts/revoke",
            label: "Revoke all that somebody made",
            says: "All their tokens that have not ended are revoked, and sessions that these opened end.",
            asks: &[
                Entry::line("issuer", "Made by")
                    .required()
                    .hint("A user, an application or a thing."),
                Entry::line("of", "Of the tenant")
                    .fills("tenant")
                    .hint("Of this one alone. Who administers one tenant names it."),
            ],
            done: "All those tokens are revoked, and sessions that they opened ended.",
            is_final: true,
            is_about_many: true,
            ..Act::USUAL
        },
    ],
    own: Own::Row,
};

pub(super) static KEYS: Listing = Listing {
    path: "/jwts/keys",
    acts_at: "/jwts/keys/{act}",
    title: "Signing keys",
    lead: "What signs the tokens (JWT) of a tenant. The newest one signs; others count for as long as it says. A new one is made on the tenant's page.",
    route: "/api/v1/tenants/{tenant}/keys",
    parts: &[("tenant", "tenant"), ("key", "key")],
    tenants: Tenants::One,
    columns: &[
        ("Key", Text("key")),
        ("Made", Time("created_at")),
        ("Ends", Time("ends_at")),
        (
            "State",
            Made(
                |item, _| match (is_valid(item), item["ends_at"].is_string()) {
                    (true, false) => tag("active", "●", "signs"),
                    (true, true) => tag("active", "●", "counts"),
                    (false, _) => tag("inactive", "○", "counts no more"),
                },
            ),
        ),
    ],
    empty: "This tenant has no keys. The first token makes one.",
    new: None,
    acts: &[Act {
        word: "revoke",
        path: "/api/v1/jwts/revoke",
        label: "Revoke all that it signed",
        asks: &[Entry::line("key", "Key")],
        done: "The key counts no more, and the tokens that it signed are revoked. Sessions that they opened ended.",
        is_there: is_valid,
        ..Act::USUAL
    }],
    own: Own::Row,
};

fn is_valid(item: &Value) -> bool {
    item["valid"].as_bool() == Some(true)
}

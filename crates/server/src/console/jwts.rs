//! Tokens (JWT) of our own, which let somebody in for a while.

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
    acts: &[Act {
        word: "revoke",
        path: "/api/v1/jwts/{jti}",
        how: Ask::delete,
        label: "Revoke",
        done: "The token is revoked, and sessions that it opened ended.",
        is_there: |item| item["valid"].as_bool() == Some(true),
        removes: true,
        ..Act::USUAL
    }],
    own: Own::Row,
};

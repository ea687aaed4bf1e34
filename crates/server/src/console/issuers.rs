//! Issuers of others, whose tokens (JWT) name credentials of a tenant.

use maud::{Markup, html};
use serde_json::Value;

use super::acts::Act;
use super::ask::Ask;
use super::authorities::{AUTO_REGISTER, MAX, REGISTERS, ROLE};
use super::entry::Entry;
use super::listing::Cell::{Made, Text, Texts, Time};
use super::listing::{Listing, New, Own, OwnPage, Tenants};
use super::pieces::{dash, list, name, name_or_dash, text};

pub(super) static ISSUERS: Listing = Listing {
    path: "/issuers",
    acts_at: "/issuers/{name}/{act}",
    title: "Issuers",
    lead: "Issuers of others, each of which speaks for one tenant: a token (JWT) that it signed is the password of a credential of that tenant.",
    route: "/api/v1/issuers",
    parts: &[("name", "name")],
    tenants: Tenants::Narrowed,
    columns: &[
        ("Name", Text("name")),
        ("Tenant", Text("tenant")),
        ("Issuer", Text("iss")),
        ("Audience", Text("audience")),
        ("Signs by", Texts("alg")),
        ("Keys since", Time("keys_at")),
        ("Last problem", Text("problem")),
    ],
    empty: "There are no issuers. Devices that bring tokens of an identity provider need one: add it by the form below.",
    new: Some(New {
        title: "A new issuer",
        label: "Add the issuer",
        asks: &[
            Entry::line("name", "Name")
                .required()
                .hint("What to call it here."),
            Entry::line("tenant", "Tenant").required(),
            Entry::line("iss", "Issuer")
                .required()
                .hint("The claim iss of its tokens."),
            Entry::line("audience", "Audience")
                .required()
                .hint("The claim aud: whom its tokens are for."),
            Entry::words("alg", "Signs by")
                .required()
                .hint("Of RS256, PS256, ES256 and EdDSA; several with spaces."),
            JWKS_URL,
            JWKS,
            PEM.more(),
            ALLOW_PRIVATE.more(),
            MAX_KEY_AGE.more(),
            Entry::line("identity", "What names the credential")
                .more()
                .hint("sub, client_id or claim:NAME; sub without it."),
            Entry::line("role_claim", "The claim that lists roles").more(),
            Entry::map("role_map", "What its words mean")
                .more()
                .hint("Lines such as WORD=ROLE."),
            AUTO_REGISTER,
            ROLE,
            MAX,
        ],
        done: "The issuer speaks for its tenant from now on.",
        secret: None,
        undo: Some("remove"),
        is_for_platform: false,
    }),
    acts: &[
        Act {
            word: "refresh",
            path: "/api/v1/issuers/{name}/refresh",
            label: "Fetch its keys now",
            says: "This service asks for them in a moment; until then those count that there are.",
            done: "Its keys are being fetched. Look at this page again to see what came of it.",
            is_there: |it| it["jwks_url"].is_string(),
            ..Act::USUAL
        },
        Act {
            word: "keys",
            path: "/api/v1/issuers/{name}",
            how: Ask::patch,
            label: "Give it other keys",
            says: "Tokens under the keys before prove nothing from then on. Sessions that they opened go on until their tokens end.",
            asks: &[JWKS_URL, MAX_KEY_AGE, JWKS, PEM, ALLOW_PRIVATE],
            done: "It has other keys.",
            ..Act::USUAL
        },
        Act {
            word: "revoke",
            path: "/api/v1/issuers/{name}/revoke",
            label: "Revoke a token",
            says: "The token with this id lets nobody in any more, and sessions that it opened end. This can't be undone.",
            asks: &[Entry::line("jti", "Its id")
                .required()
                .hint("The claim jti.")],
            done: "The token is revoked, and sessions that it opened ended.",
            is_final: true,
            ..Act::USUAL
        },
        Act {
            word: "forget",
            path: "/api/v1/issuers/{name}/forget",
            label: "Let a deleted device come again",
            says: "A device that came by this issuer and that somebody deleted is kept out; it may register again then.",
            asks: &[Entry::line("identity", "What its tokens call it").required()],
            done: "The device may register again.",
            ..Act::USUAL
        },
        Act {
            word: "remove",
            path: "/api/v1/issuers/{name}",
            how: Ask::delete,
            label: "Remove",
            says: "Its tokens let nobody in any more, and sessions that they opened end.",
            done: "The issuer is removed, and the sessions that its tokens opened ended.",
            is_final: true,
            removes: true,
            ..Act::USUAL
        },
    ],
    own: Own::Page(OwnPage {
        at: "/issuers/{name}",
        route: "/api/v1/issuers/{name}",
        facts: &[
            ("Tenant", Text("tenant")),
            ("Issuer", Text("iss")),
            ("Audience", Text("audience")),
            ("Signs by", Texts("alg")),
            ("What names the credential", Text("identity")),
            ("Claim of roles", Text("role_claim")),
            ("What its words mean", Made(|item, _| roles(item))),
            ("Keys", Made(|item, _| keys(item))),
            ("Keys since", Time("keys_at")),
            ("Fetched from", Text("jwks_url")),
            ("Last fetched", Time("fetched_at")),
            ("Last tried", Time("tried_at")),
            ("Last problem", Text("problem")),
            ("Fetched keys count for", Text("max_key_age")),
            REGISTERS,
            ("Added", Time("added_at")),
        ],
    }),
};

fn roles(item: &Value) -> Markup {
    let roles = item["role_map"].as_object();
    html! {
        @if roles.is_none_or(|it| it.is_empty()) { (dash()) }
        @for (word, role) in roles.into_iter().flatten() {
            div { (name(word)) ": the role " (name(role.as_str().unwrap_or_default())) }
        }
    }
}

fn keys(item: &Value) -> Markup {
    html! {
        @if list(item, "keys").is_empty() { (dash()) }
        @for key in list(item, "keys") {
            div { (text(key, "alg")) " " code { (name_or_dash(key, "kid")) } }
        }
    }
}

const JWKS_URL: Entry = Entry::line("jwks_url", "Where its keys are fetched")
    .hint("An https address; this service asks there each hour. Or give them below.");
const JWKS: Entry = Entry::json("jwks", "Its keys as a JWK Set");
const PEM: Entry = Entry::area("pem", "Its keys as PEM");
const ALLOW_PRIVATE: Entry = Entry::tick("allow_private", "Fetch them from a private address, too");
const MAX_KEY_AGE: Entry = Entry::line("max_key_age", "Fetched keys count for")
    .hint("While they can't be fetched again, such as 7d.");

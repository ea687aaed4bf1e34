//! Authorities (CAs) of tenants: whose certificates name which credentials.

use maud::html;

use super::acts::Act;
use super::ask::Ask;
use super::entry::Entry;
use super::listing::Cell::{Made, Text, Time};
use super::listing::{Listing, New, Own, OwnPage, Tenants};
use super::pieces::{name, text};

pub(super) static AUTHORITIES: Listing = Listing {
    path: "/authorities",
    acts_at: "/authorities/{fingerprint}/{act}",
    title: "Authorities",
    lead: "Authorities (CAs), each of which speaks for one tenant: a certificate that it signed itself names a credential of that tenant.",
    route: "/api/v1/authorities",
    parts: &[("fingerprint", "fingerprint")],
    tenants: Tenants::Narrowed,
    columns: &[
        ("Authority", Text("subject")),
        ("Tenant", Text("tenant")),
        (
            "Names by",
            Made(|item, _| html! { (text(item, "identity")) " " code { (text(item, "pattern")) } }),
        ),
        ("Ends", Time("not_after")),
        (
            "Fingerprint",
            Made(|item, _| {
                let whole = text(item, "fingerprint");
                html! { code.name title=(whole) { (whole.get(..16).unwrap_or_default()) "…" } }
            }),
        ),
    ],
    empty: "There are no authorities. Devices that have certificates need one: add it by the form below.",
    new: Some(New {
        title: "A new authority",
        label: "Add the authority",
        asks: &[
            Entry::line("tenant", "Tenant").required(),
            Entry::choice("identity", "What of a certificate is the name", IDENTITIES).usual("cn"),
            Entry::line("pattern", "What that looks like")
                .usual("${name}")
                .hint("${name} stands for the name."),
            Entry::area("pem", "Its certificate").required().hint(
                "As text (PEM): of the authority that signs the devices' certificates, not of one above it.",
            ),
            AUTO_REGISTER,
            ROLE,
            MAX,
        ],
        done: "The authority speaks for its tenant from now on.",
        secret: None,
        undo: Some("remove"),
        is_for_platform: false,
    }),
    acts: &[
        Act {
            word: "forget",
            path: "/api/v1/authorities/{fingerprint}/forget",
            label: "Let a deleted device come again",
            says: "A device that this authority registered and somebody deleted is kept out; it may register again then.",
            asks: &[Entry::line("name", "Its name").required()],
            done: "The device may register again.",
            ..Act::USUAL
        },
        Act {
            word: "remove",
            path: "/api/v1/authorities/{fingerprint}",
            how: Ask::delete,
            label: "Remove",
            says: "Certificates that it signed name nobody any more, and sessions that it vouched for end.",
            done: "The authority is removed, and the sessions that it vouched for ended.",
            is_final: true,
            removes: true,
            ..Act::USUAL
        },
    ],
    own: Own::Page(OwnPage {
        at: "/authorities/{fingerprint}",
        route: "/api/v1/authorities/{fingerprint}",
        facts: &[
            ("Tenant", Text("tenant")),
            (
                "Fingerprint",
                Made(|item, _| html! { code { (name(text(item, "fingerprint"))) } }),
            ),
            ("Key", Text("key")),
            ("Names by", Text("identity")),
            ("What that looks like", Text("pattern")),
            ("Begins", Time("not_before")),
            ("Ends", Time("not_after")),
            ("Added", Time("added_at")),
            REGISTERS,
        ],
    }),
};

/// Whether one makes devices that nobody made.
pub(super) const REGISTERS: super::listing::Column = (
    "New devices",
    Made(|item, _| match item["auto_register"].as_bool() {
        Some(true) => {
            html! { "are made with the role " (name(text(item, "role"))) ": " (item["registered"]) " of " (item["max"]) " so far" }
        }
        _ => html! { "are not made" },
    }),
);
pub(super) const AUTO_REGISTER: Entry = Entry::tick(
    "auto_register",
    "Make devices that nobody made when they first come",
)
.more();
pub(super) const ROLE: Entry = Entry::line("role", "Their role").more();
pub(super) const MAX: Entry = Entry::number("max", "So many at most").more();

const IDENTITIES: &[(&str, &str)] = &[
    ("cn", "Common name"),
    ("san-dns", "DNS name"),
    ("san-uri", "URI"),
    ("san-email", "E-mail address"),
    ("serial", "Serial number"),
    ("subject", "Whole subject"),
];

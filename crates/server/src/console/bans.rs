//! Bans: addresses and client ids that are kept out.

use maud::html;

use super::acts::Act;
use super::ask::Ask;
use super::entry::Entry;
use super::listing::Cell::{Made, Text, Time};
use super::listing::{Listing, NEW, New, Own, Tenants};
use super::pieces::{name, text};

pub(super) static BANS: Listing = Listing {
    path: "/bans",
    acts_at: "/bans/{act}",
    title: "Bans",
    lead: "Who is refused before anything is looked up: clients from an address, or with a client id.",
    route: "/api/v1/bans",
    parts: &[("id", "id")],
    tenants: Tenants::Narrowed,
    columns: &[
        (
            "Kept out",
            Made(|item, _| match item["address"].as_str() {
                Some(address) => html! { "the address " (name(address)) },
                None => html! { "the client id " (name(text(item, "client_id"))) },
            }),
        ),
        ("Tenant", Text("tenant")),
        ("Until", Time("until")),
        ("Reason", Text("reason")),
        ("By", Text("created_by")),
        ("Made", Time("created_at")),
    ],
    empty: "Nobody is banned here. Ban an address or a client id by the form below.",
    new: Some(New {
        title: "A new ban",
        label: "Ban",
        asks: &[
            Entry::line("address", "Address or network")
                .hint("Such as 192.0.2.7 or 192.0.2.0/24. It keeps out clients of all tenants."),
            Entry::line("client_id", "Client id").hint("Instead of an address."),
            Entry::line("of", "Of the tenant")
                .fills("tenant")
                .hint("With a client id: principals of this tenant alone."),
            Entry::line("until", "Until")
                .hint("Such as 2030-01-31T12:00:00Z; for good without it."),
            Entry::line("reason", "Why"),
            Entry::tick(
                "force",
                "Also if that keeps out my own address, or a platform administrator",
            ),
        ],
        done: "The ban counts from now on, and whom it is about is not connected any more.",
        secret: None,
        undo: Some("remove"),
        is_for_platform: false,
    }),
    acts: &[Act {
        word: "remove",
        path: "/api/v1/bans/{id}",
        how: Ask::delete,
        label: "Lift",
        done: "The ban is lifted.",
        undo: Some(NEW),
        removes: true,
        ..Act::USUAL
    }],
    own: Own::Row,
};

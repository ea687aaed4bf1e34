//! Applications and their things.

use maud::html;

use super::acts::{Act, OVERLAP};
use super::ask::Ask;
use super::entry::Entry;
use super::listing::Cell::{Made, Text, Texts, Time};
use super::listing::{Listing, New, Own, OwnPage, Tenants};
use super::pieces::tag;
use super::secret::Secret;

pub(super) static APPLICATIONS: Listing = Listing {
    path: "/applications",
    acts_at: "/applications/{tenant}/{application}/{act}",
    title: "Applications",
    lead: "Each owns a token that its things present: one secret, many clients.",
    route: "/api/v1/tenants/{tenant}/applications",
    parts: &[("tenant", "tenant"), ("application", "name")],
    tenants: Tenants::One,
    columns: &[
        ("Name", Text("name")),
        ("Roles of its things", Texts("roles")),
        ("New things", REGISTERS),
        ("Made", Time("created_at")),
    ],
    empty: "This tenant has no applications. Make one by the form below, and things of it then.",
    new: Some(New {
        title: "A new application",
        label: "Make the application",
        asks: &[
            Entry::line("name", "Name").required(),
            Entry::words("roles", "Roles of its things").hint("Several with commas."),
            Entry::number("max", "So many new things at most").more(),
            Entry::line("pattern", "Keys that it takes")
                .hint("Such as pump-*; all without it.")
                .more(),
            Entry::tick(
                "auto_register",
                "Make things that nobody made when they first come",
            )
            .more(),
            Entry::tick(
                "org_admin",
                "Let sessions of its things administer the tenant",
            )
            .more(),
        ],
        done: "",
        secret: Some(Secret::of("The new application")),
        undo: None,
        is_for_platform: false,
    }),
    acts: &[
        Act {
            word: "rotate",
            path: "/api/v1/tenants/{tenant}/applications/{application}/rotate",
            label: "New token",
            says: "Its things need the new token, which is shown once. With an overlap the old one works for that long beside it; without one, the sessions of its things end.",
            asks: &[OVERLAP],
            secret: Some(Secret::NEW),
            ..Act::USUAL
        },
        Act {
            word: "delete",
            path: "/api/v1/tenants/{tenant}/applications/{application}",
            how: Ask::delete,
            label: "Delete",
            says: "It is gone, with all its things, and their sessions end. This can't be undone.",
            done: "The application was deleted, with its things.",
            is_final: true,
            removes: true,
            ..Act::USUAL
        },
    ],
    own: Own::Page(OwnPage {
        at: "/applications/{tenant}/{application}",
        route: "/api/v1/tenants/{tenant}/applications/{application}",
        facts: &[
            ("Tenant", Text("tenant")),
            ("Roles of its things", Texts("roles")),
            (
                "Administers the tenant",
                Made(|item, _| match item["org_admin"].as_bool() {
                    Some(true) => html! { "yes, by sessions of its things" },
                    _ => html! { "no" },
                }),
            ),
            ("New things", REGISTERS),
            ("Keys that it takes", Text("pattern")),
            ("Made", Time("created_at")),
            ("The old token works", Time("old_secret_until")),
        ],
    }),
};

const REGISTERS: super::listing::Cell = Made(|item, _| match item["auto_register"].as_bool() {
    Some(true) => html! { "are made: " (item["registered"]) " of " (item["max"]) " so far" },
    _ => html! { "are not made" },
});

pub(super) static THINGS: Listing = Listing {
    path: "/things",
    acts_at: "/things/{act}",
    title: "Things",
    lead: "The clients of applications: each logs in with its key, and with the token of its application.",
    route: "/api/v1/tenants/{tenant}/things",
    parts: &[("tenant", "tenant"), ("key", "key")],
    tenants: Tenants::One,
    columns: &[
        ("Key", Text("key")),
        ("Application", Text("application")),
        (
            "Application id",
            Made(|item, _| match item["app_id_bound"].as_bool() {
                Some(true) => tag("active", "●", "bound"),
                _ => tag("inactive", "○", "not bound yet"),
            }),
        ),
        ("Made", Time("created_at")),
        ("Last used", Time("last_used_at")),
    ],
    empty: "This tenant has no things. Make one by the form below, of an application that there is.",
    new: Some(New {
        title: "A new thing",
        label: "Make the thing",
        asks: &[
            Entry::line("key", "Its key").required(),
            Entry::line("application", "Application").required(),
        ],
        done: "The thing is made. It logs in with the token of its application.",
        secret: None,
        undo: Some("delete"),
        is_for_platform: false,
    }),
    acts: &[
        Act {
            word: "untie",
            path: "/api/v1/tenants/{tenant}/things/{key}/untie",
            label: "Forget its id",
            done: "Its application id is forgotten: the next one that it comes with is bound.",
            is_there: |item| item["app_id_bound"].as_bool() == Some(true),
            ..Act::USUAL
        },
        Act {
            word: "delete",
            path: "/api/v1/tenants/{tenant}/things/{key}",
            how: Ask::delete,
            label: "Delete",
            done: "The thing was deleted, and its sessions ended.",
            removes: true,
            ..Act::USUAL
        },
    ],
    own: Own::Row,
};

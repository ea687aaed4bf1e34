//! Followers: whose brokers' machines keep a replica of this store.

use maud::{Markup, html};
use serde_json::Value;

use super::acts::Act;
use super::ask::Ask;
use super::entry::Entry;
use super::listing::Cell::{Made, Text, Time};
use super::listing::{Listing, New, Own, OwnPage, Tenants};
use super::pieces::{dash, names, tag, texts};
use super::secret::Secret;

pub(super) static FOLLOWERS: Listing = Listing {
    path: "/followers",
    acts_at: "/followers/{name}/{act}",
    title: "Followers",
    lead: "The machines of brokers that keep a replica of this store, by countersign follow.",
    route: "/api/v1/followers",
    parts: &[("name", "name")],
    tenants: Tenants::Any,
    columns: &[
        ("Name", Text("name")),
        ("Told of", Made(|item, _| told_of(item))),
        ("Replica", Made(|item, _| behind(item))),
        ("Last heard of", Time("last_seen")),
        ("Secret since", Time("rotated_at")),
    ],
    empty: "No broker elsewhere follows this store. Make a follower for each by the form below, and start countersign follow beside it.",
    new: Some(New {
        title: "A new follower",
        label: "Make the follower",
        asks: &[
            Entry::line("name", "Name")
                .required()
                .hint("That of the broker."),
            Entry::words("tenants", "Tenants that it is told of")
                .hint("Several with spaces; all of them, and operators, where none are said."),
        ],
        done: "",
        secret: Some(Secret::of("The new follower")),
        undo: None,
        is_for_platform: false,
    }),
    acts: &[
        Act {
            word: "tenants",
            path: "/api/v1/followers/{name}",
            how: Ask::patch,
            label: "Tell it of other tenants",
            says: "Its replica loses tenants that are not said, with their sessions there.",
            asks: &[Entry::words("tenants", "Tenants that it is told of")
                .required()
                .hint("Several with spaces.")],
            done: "It is told of these tenants from now on.",
            undo: Some("tenants"),
            is_there: |it| it["tenants"].is_array(),
            ..Act::USUAL
        },
        Act {
            word: "rotate",
            path: "/api/v1/followers/{name}/rotate",
            label: "New secret",
            says: "Its secret stops working at once. Its brokers go on with what they have until it comes with the new one.",
            secret: Some(Secret::NEW),
            ..Act::USUAL
        },
        Act {
            word: "delete",
            path: "/api/v1/followers/{name}",
            how: Ask::delete,
            label: "Delete",
            says: "It is told nothing more. Its replica stays as it is, and so do the logins there, until somebody removes it. This can't be undone.",
            done: "The follower is deleted, and is told nothing more.",
            is_final: true,
            removes: true,
            ..Act::USUAL
        },
    ],
    own: Own::Page(OwnPage {
        at: "/followers/{name}",
        route: "/api/v1/followers/{name}",
        facts: &[
            ("Told of", Made(|item, _| told_of(item))),
            ("Replica", Made(|item, _| behind(item))),
            (
                "Position in the log",
                Made(
                    |item, _| match (item["position"].as_i64(), item["last_seen"].is_string()) {
                        (Some(position), _) => html! { (position) },
                        (None, true) => html! { "it takes a snapshot" },
                        (None, false) => dash(),
                    },
                ),
            ),
            ("Last heard of", Time("last_seen")),
            ("Made", Time("created_at")),
            ("Secret since", Time("rotated_at")),
        ],
    }),
};

fn told_of(item: &Value) -> Markup {
    match item["tenants"].is_array() {
        true => names(&texts(item, "tenants")),
        false => html! { "all tenants, and operators" },
    }
}

/// How far its replica is behind.
fn behind(item: &Value) -> Markup {
    match (item["last_seen"].is_string(), item["lag"].as_u64()) {
        (false, _) => tag("inactive", "○", "never heard of"),
        (true, Some(0)) => tag("active", "●", "up to date"),
        (true, Some(lag)) => tag("suspended", "❚❚", &format!("{lag} changes behind")),
        (true, None) => tag("inactive", "○", "without a replica yet"),
    }
}

//! Schemes: how kinds of credentials are made.

use maud::{Markup, html};
use serde_json::Value;

use super::acts::Act;
use super::ask::Ask;
use super::entry::Entry;
use super::listing::Cell::{Made, Text};
use super::listing::{Listing, New, Own, OwnPage, Tenants};
use super::pieces::{name, names, texts};

pub(super) static SCHEMES: Listing = Listing {
    path: "/schemes",
    acts_at: "/schemes/{scheme}/{act}",
    title: "Schemes",
    lead: "How kinds of credentials are made: what names, client ids and secrets look like, and what each may do without a role.",
    route: "/api/v1/schemes",
    parts: &[("scheme", "name")],
    tenants: Tenants::Any,
    columns: &[
        ("Name", Text("name")),
        ("Login name", Text("login_name")),
        ("Client ids", Text("client_id")),
        ("Secret", Text("secret_shape")),
        (
            "May use",
            Made(|item, _| {
                let (publish, subscribe) = (texts(item, "publish"), texts(item, "subscribe"));
                html! {
                    @if publish == subscribe { (names(&publish)) } @else {
                        div { "publish " (names(&publish)) }
                        div { "subscribe " (names(&subscribe)) }
                    }
                }
            }),
        ),
    ],
    empty: "There are no schemes.",
    new: Some(New {
        title: "A new scheme",
        label: "Add the scheme",
        asks: &[Entry::json("fields", "Its fields, as JSON")
            .fills("")
            .required()
            .hint("Begin with those of a scheme that there is, under another name.")],
        done: "The scheme is there for new credentials.",
        secret: None,
        undo: Some("remove"),
        is_for_platform: false,
    }),
    acts: &[Act {
        word: "remove",
        path: "/api/v1/schemes/{scheme}",
        how: Ask::delete,
        label: "Remove",
        says: "Only a scheme that was added, and that no credential has, can be removed.",
        done: "The scheme is removed.",
        is_final: true,
        removes: true,
        ..Act::USUAL
    }],
    own: Own::Page(OwnPage {
        at: "/schemes/{scheme}",
        route: "/api/v1/schemes/{scheme}",
        facts: &[
            ("Fields", Made(|item, _| fields(item))),
            (
                "As JSON",
                Made(|item, _| {
                    let json = serde_json::to_string_pretty(item).unwrap_or_default();
                    html! { pre tabindex="0" { code { (json) } } }
                }),
            ),
        ],
    }),
};

fn fields(item: &Value) -> Markup {
    let fields = item.as_object().into_iter().flatten();
    html! {
        @for (key, value) in fields {
            div {
                code { (key) } ": "
                @match value {
                    Value::String(text) => (name(text)),
                    Value::Array(all) => (names(&all.iter().filter_map(Value::as_str).collect::<Vec<_>>())),
                    value => (value),
                }
            }
        }
    }
}

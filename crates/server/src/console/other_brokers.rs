//! Hooks, by which other brokers ask who may come in.

use maud::html;

use super::acts::Act;
use super::ask::Ask;
use super::entry::Entry;
use super::listing::Cell::{Made, Text, Texts, Time};
use super::listing::{Listing, New, Own, Tenants};
use super::pieces::{name, names, text, texts};
use super::secret::Secret;

pub(super) static HOOKS: Listing = Listing {
    path: "/other-brokers",
    acts_at: "/other-brokers/{act}",
    title: "Other brokers",
    lead: "Hooks: by which other brokers ask over HTTP who may come in, and what they may do.",
    route: "/api/v1/hooks",
    parts: &[("name", "name")],
    tenants: Tenants::Any,
    columns: &[
        ("Name", Text("name")),
        (
            "Kind",
            Made(|item, _| {
                let hosts = texts(item, "vhosts");
                html! {
                    (name(text(item, "kind")))
                    @if !hosts.is_empty() { div.hint { "hosts " (names(&hosts)) } }
                }
            }),
        ),
        ("Tenant", Text("tenant")),
        ("From", Texts("from")),
        (
            "Paths",
            Made(|item, _| html! { @for path in texts(item, "paths") { div { (name(path)) } } }),
        ),
        ("Ends sessions at", Text("kick")),
        ("Secret since", Time("rotated_at")),
    ],
    empty: "No other broker asks. Make a hook for one by the form below.",
    new: Some(New {
        title: "A new hook",
        label: "Make the hook",
        asks: &[
            Entry::line("name", "Name").required(),
            Entry::choice("kind", "What asks", KINDS).usual("emqx"),
            Entry::line("tenant", "Tenant").hint("Principals of this tenant alone."),
            Entry::words("from", "Asks from")
                .hint("Addresses or networks; several with spaces. This machine alone without it."),
            Entry::line("kick", "Ends sessions at")
                .fills("kick.url")
                .hint("The address of the API of the broker, which ends what may not go on."),
            Entry::password("login", "With the login", "off")
                .fills("kick.login")
                .hint("NAME:PASSWORD of the broker."),
            Entry::words("vhosts", "Virtual hosts")
                .hint("Of RabbitMQ, which clients may use; / alone without it.")
                .more(),
        ],
        done: "",
        secret: Some(Secret::of("The new hook")),
        undo: None,
        is_for_platform: false,
    }),
    acts: &[
        Act {
            word: "rotate",
            path: "/api/v1/hooks/{name}/rotate",
            label: "New secret",
            secret: Some(Secret::NEW),
            ..Act::USUAL
        },
        Act {
            word: "delete",
            path: "/api/v1/hooks/{name}",
            how: Ask::delete,
            label: "Delete",
            done: "The hook is gone. A broker that asks by it is answered nothing.",
            removes: true,
            ..Act::USUAL
        },
    ],
    own: Own::Row,
};

const KINDS: &[(&str, &str)] = &[
    ("emqx", "EMQX"),
    ("goauth", "mosquitto-go-auth, amqtt"),
    ("rabbitmq", "RabbitMQ"),
    ("rmqtt", "rmqtt"),
];

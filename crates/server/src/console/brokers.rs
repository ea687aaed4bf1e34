//! Brokers that use the store.

use super::acts::Act;
use super::ask::Ask;
use super::listing::Cell::{Made, Text, Time};
use super::listing::{Listing, Own, Tenants};
use super::pieces::tag;

pub(super) static BROKERS: Listing = Listing {
    path: "/brokers",
    acts_at: "/brokers/{act}",
    title: "Brokers",
    lead: "The brokers that use this store. One that is gone for good can be forgotten, with what it left behind as connected.",
    route: "/api/v1/brokers",
    parts: &[("broker", "name")],
    tenants: Tenants::Any,
    columns: &[
        ("Name", Text("name")),
        (
            "State",
            Made(|item, _| match item["alive"].as_bool() {
                Some(true) => tag("active", "●", "alive"),
                _ => tag("suspended", "❚❚", "not alive"),
            }),
        ),
        (
            "Sessions",
            Made(|item, _| maud::html! { (item["sessions"]) }),
        ),
        ("Version", Text("version")),
        ("Plugin", Text("plugin_version")),
        ("Machine", Text("host")),
        ("Since", Time("since")),
        ("Seen", Time("last_seen")),
    ],
    empty: "No broker uses this store yet. A Mosquitto does whose configuration loads the plugin with this store.",
    new: None,
    acts: &[Act {
        word: "forget",
        path: "/api/v1/brokers/{broker}",
        how: Ask::delete,
        label: "Forget",
        done: "The broker is forgotten.",
        is_there: |item| item["alive"].as_bool() != Some(true),
        removes: true,
        ..Act::USUAL
    }],
    own: Own::Row,
};

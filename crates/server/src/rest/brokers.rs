//! The brokers that use the store.

use countersign_admin::broker::{ForgetBroker, KnownListener, ListBrokers, ListListeners, forget};
use countersign_admin::view::BrokerView;
use countersign_core::name::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PageWords, part, whole};
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{Nothing, Text};
use crate::problem::Problem;
use crate::route::{Route, delete, get};
use crate::shape::{MAYBE_TEXT, Shape};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/brokers", "List the brokers, alive or not", list).answers_page(&BROKER),
        delete(
            "/api/v1/brokers/{broker}",
            "Forget a broker that is gone for good",
            remove,
        )
        .answers_nothing(),
        get(
            "/api/v1/listeners",
            "List where clients of a tenant connect, as far as it is known",
            listeners,
        )
        .answers_page(&LISTENER),
    ]
}

fn list(call: &mut Call<'_>, words: PageWords, _: Nothing) -> Result<Answer, Problem> {
    let listed = call.run(&ListBrokers(words.page()?))?;
    part(
        listed.rows.iter().map(BrokerView::of).collect(),
        listed.next,
    )
}

fn remove(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let command = ForgetBroker(call.part("broker")?);
    call.with_context(|store, context| forget(store, context, &command))?;
    call.counts.add_acts("broker.forget", 1);
    Ok(Answer::deleted())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListenerWords {
    tenant: Text<TenantId>,
}

/// Where clients connect.
#[derive(Serialize)]
struct ListenerView {
    broker: String,
    host: Option<String>,
    port: Option<u16>,
    tls: bool,
}

fn listeners(call: &mut Call<'_>, words: ListenerWords, _: Nothing) -> Result<Answer, Problem> {
    let listeners = call.run(&ListListeners(words.tenant.0))?.into_iter();
    let view = |listener: KnownListener| ListenerView {
        broker: listener.broker,
        host: listener.host,
        port: listener.port,
        tls: listener.is_tls,
    };
    whole(listeners.map(view).collect())
}

const LISTENER: Shape = Shape::Named(
    "Listener",
    &Shape::Object(&[
        ("broker", Shape::Text),
        ("host", MAYBE_TEXT),
        ("port", Shape::Maybe(&Shape::Integer)),
        ("tls", Shape::Bool),
    ]),
);
const BROKER: Shape = Shape::Named(
    "Broker",
    &Shape::Object(&[
        ("name", Shape::Text),
        ("alive", Shape::Bool),
        ("version", MAYBE_TEXT),
        ("plugin_version", MAYBE_TEXT),
        ("host", MAYBE_TEXT),
        ("since", MAYBE_TEXT),
        ("sessions", Shape::Integer),
        ("last_seen", Shape::Text),
        ("options", Shape::Maybe(&OPTIONS)),
    ]),
);
const OPTIONS: Shape = Shape::Object(&[
    ("default_tenant", MAYBE_TEXT),
    ("dynsec_tenant", Shape::Absent(&Shape::Text)),
    ("listeners", Shape::Map(&Shape::Text)),
    ("tls_listeners", Shape::List(&Shape::Integer)),
]);

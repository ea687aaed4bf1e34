//! Limits of a credential, a role or a tenant: a form on its page.

use maud::{Markup, html};

use super::acts::Act;
use super::ask::Ask;
use super::entry::Entry;
use super::lines::act_form;
use crate::call::Call;
use crate::problem::Problem;

/// The last part of the address of these acts.
pub(super) const LIMITS: &str = "limits";

pub(super) static OF_CREDENTIAL: Act = Act {
    path: "/api/v1/credentials/{name}/limits",
    says: "For all its sessions on a broker together. The tightest counts of these, those of its roles and those of its tenant; empty is not limited.",
    ..USUAL
};
pub(super) static OF_ROLE: Act = Act {
    path: "/api/v1/tenants/{tenant}/roles/{role}/limits",
    says: "For each that holds the role, on each broker. Empty is not limited.",
    ..USUAL
};
pub(super) static OF_TENANT: Act = Act {
    path: "/api/v1/tenants/{tenant}/limits",
    says: "For all clients of the tenant together, on each broker. Empty is not limited.",
    asks: &[
        CONNECTIONS,
        MESSAGES,
        BYTES,
        PAYLOAD,
        Entry::number("share", "Per cent of it for one session").hint("50 without it."),
    ],
    ..USUAL
};
const USUAL: Act = Act {
    word: LIMITS,
    how: Ask::put,
    label: "Limit",
    asks: &[CONNECTIONS, MESSAGES, BYTES, PAYLOAD],
    done: "Its limits are as you said, and sessions follow them.",
    ..Act::USUAL
};
const CONNECTIONS: Entry = Entry::number("connections", "Connections at a time");
const MESSAGES: Entry = Entry::number("messages_per_second", "Messages in a second");
const BYTES: Entry = Entry::number("bytes_per_second", "Bytes in a second");
const PAYLOAD: Entry = Entry::number("payload", "Bytes of one message");

/// The form, where the asker may see the limits and there can be some.
pub(super) fn form(
    call: &mut Call<'_>,
    act: &Act,
    parts: &[(&str, &str)],
    path: &str,
) -> Result<Markup, Problem> {
    let parts = parts.iter();
    let ask = parts.fold(Ask::get(act.path), |ask, (part, text)| {
        ask.about(part, text)
    });
    match ask.told(call) {
        Ok(told) => {
            let version = told.tag.as_deref().unwrap_or_default();
            act_form(call, act, path, version, None, &told.value)
        }
        Err(_) => Ok(html! {}),
    }
}

//! Clients without a login: what lets them in there, and what here.

use countersign_config::{BrokerConfig, ListenerConfig, Source, is_on};
use countersign_core::name::TenantId;
use countersign_core::tenant::Authentication;

use crate::plan::desired::Outcome;

/// Whether a configuration lets clients in without a login at all its listeners; and
/// what is told where some of them do and others do not.
pub(super) fn admission<'a>(
    config: &'a BrokerConfig,
    listeners: &[&'a ListenerConfig],
) -> (bool, Option<(&'a Source, Outcome)>) {
    if listeners.is_empty() {
        let said = config.global.allow_anonymous.as_ref();
        let admits = said.is_none() || is_on(said);
        return (admits && config.allows_anonymous(None), None);
    }
    let is_open = |listener: &&&ListenerConfig| config.allows_anonymous(Some(listener));
    let open = listeners.iter().filter(is_open).count();
    if open == 0 || open == listeners.len() {
        return (open > 0, None);
    }
    let said = listeners.iter().find(is_open).and_then(|listener| {
        let own = listener.security.allow_anonymous.as_ref();
        own.or(config.security(Some(listener)).allow_anonymous.as_ref())
    });
    let told = said.map(|said| {
        let why = "not all listeners let clients in without a login, and a tenant does so at all \
                   or at none: here at none";
        let fix = "give these clients a login, or a tenant of their own at that port \
                   (`plugin_opt_listener_PORT`, Mosquitto 2.1); `tenant set --authentication \
                   optional` lets them in at all";
        (&said.at, Outcome::lost(why, fix))
    });
    (false, told)
}

/// What is lost of `allow_anonymous` in a tenant that is there already and lets in more
/// than the source does.
pub(super) fn misfit(
    tenant: &TenantId,
    mode: Authentication,
    admits: Option<bool>,
) -> Option<Outcome> {
    let (how, wanted) = match (mode, admits) {
        (Authentication::Optional, Some(false)) => ("without a login", Authentication::Required),
        (Authentication::Off, Some(false) | None) => (
            "without a login or with a wrong one",
            Authentication::Required,
        ),
        (Authentication::Off, Some(true)) => ("with a wrong login", Authentication::Optional),
        (Authentication::Required, _) | (Authentication::Optional, Some(true) | None) => {
            return None;
        }
    };
    let why = format!(
        "tenant `{tenant}` lets clients in {how} (`{mode}`), which the source does not; lines for \
         clients without a login are given to nobody"
    );
    let fix = format!("`tenant set {tenant} --authentication {wanted}`");
    Some(Outcome::lost(why, fix))
}

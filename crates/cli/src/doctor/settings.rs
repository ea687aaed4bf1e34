//! What the broker's settings, the plugin's options and the store make of each
//! other.

use countersign_config::{BrokerConfig, is_on};
use countersign_core::connect::Reservation;
use countersign_core::name::TenantId;
use countersign_core::options::Options;

use super::listeners::{each, is_guarded, shown};
use super::store::Content;
use super::{Problem, Report};

pub(super) fn check(
    report: &mut Report,
    config: &BrokerConfig,
    options: Option<&Options>,
    content: &Content,
) {
    if let Some(options) = options {
        report.note_all("tenants", missing_tenants(options, content));
        report.note("default-tenant", stays_somewhere(config, options, content));
    }
    report.note("anonymous", reloads_well(config, content));
    report.note("retain-source", asks_for_authors(config, content));
    report.note("connection-messages", keeps_secrets(config, content));
    report.note("session-expiry", gives_sessions_up(config));
    report.note_all("bridges", stealable_bridges(config, content));
}

/// Tenants that options name and the store does not have.
fn missing_tenants(options: &Options, content: &Content) -> Vec<Problem> {
    let Some(tenants) = &content.tenants else {
        return Vec::new();
    };
    let is_missing = |id: &TenantId| tenants.iter().all(|tenant| tenant.id != *id);
    let default = options.default_tenant.iter();
    let default = default.map(|id| ("plugin_opt_default_tenant".to_owned(), id));
    let listeners = options.listeners.iter();
    let listeners = listeners.map(|(port, id)| (format!("plugin_opt_listener_{port}"), id));
    let dynsec = options.dynsec_tenant.iter();
    let dynsec = dynsec.map(|id| ("plugin_opt_dynsec_tenant".to_owned(), id));
    let missing = default
        .chain(dynsec)
        .chain(listeners)
        .filter(|(_, id)| is_missing(id));
    let problems = missing.map(|(option, id)| {
        Problem::new(
            format!("`{option} {id}` names a tenant that does not exist"),
            format!("correct it, or `countersign tenant create {id}`"),
        )
    });
    problems.collect()
}

/// Checks that clients without a login are in a tenant before they speak.
fn stays_somewhere(
    config: &BrokerConfig,
    options: &Options,
    content: &Content,
) -> Result<(), Problem> {
    let has_tenant = |port: u16| options.listeners.contains_key(&port);
    let all_have = !config.listeners.is_empty()
        && config
            .listeners
            .iter()
            .all(|listener| has_tenant(listener.port));
    if !content.admits_anonymous() || options.default_tenant.is_some() || all_have {
        return Ok(());
    }
    Err(Problem::warning(
        "a tenant admits clients without a login, which belong to the tenant of the first topic \
         that they touch; one that comes back to a stored session gets no message until then",
        "write `plugin_opt_default_tenant` with that tenant's id",
    ))
}

fn reloads_well(config: &BrokerConfig, content: &Content) -> Result<(), Problem> {
    if !content.admits_anonymous() {
        return Ok(());
    }
    let mut guarded = each(config).filter(|listener| is_guarded(config, *listener));
    let Some(strict) = guarded.find(|listener| !config.allows_anonymous(*listener)) else {
        return Ok(());
    };
    Err(Problem::new(
        format!(
            "a tenant admits clients without a login, and Mosquitto drops those of {} on SIGHUP, \
             as `allow_anonymous` is false",
            shown(strict)
        ),
        "write `allow_anonymous true`; Countersign still decides who gets in",
    ))
}

fn asks_for_authors(config: &BrokerConfig, content: &Content) -> Result<(), Problem> {
    let tenants = content.tenants.as_ref().map_or(0, Vec::len);
    if tenants < 2 || is_on(config.check_retain_source.as_ref()) {
        return Ok(());
    }
    Err(Problem::new(
        format!(
            "there are {tenants} tenants, and without `check_retain_source true` a namespace that \
             goes to another tenant takes its retained messages along"
        ),
        "write `check_retain_source true`",
    ))
}

fn keeps_secrets(config: &BrokerConfig, content: &Content) -> Result<(), Problem> {
    let Some(scheme) = content.show_secrets.first() else {
        return Ok(());
    };
    let is_hidden = config.connection_messages.as_ref();
    if is_hidden.is_some_and(|messages| !messages.value) {
        return Ok(());
    }
    Err(Problem::new(
        format!(
            "clients of scheme `{scheme}` present a secret as user name or client id, and \
             Mosquitto writes both into its log"
        ),
        "write `connection_messages false`; Countersign's own lines show such names masked",
    ))
}

fn gives_sessions_up(config: &BrokerConfig) -> Result<(), Problem> {
    if config.persistent_client_expiration.is_some() {
        return Ok(());
    }
    Err(Problem::warning(
        "stored sessions of clients that never come back are kept for ever, with what is queued \
         for them",
        "write `persistent_client_expiration 30d`: so long Countersign holds a client id that is \
         not used",
    ))
}

/// Outgoing bridges whose client id a device could present: on Mosquitto 2.0
/// one that neither begins with `local.` nor is reserved. 2.1 tells Countersign
/// about bridges.
fn stealable_bridges(config: &BrokerConfig, content: &Content) -> Vec<Problem> {
    if config.only_2_1.is_some() {
        return Vec::new();
    }
    let tenants = content.tenants.iter().flatten();
    let reserved: Vec<_> = tenants
        .filter_map(|tenant| tenant.client_id_prefix.as_ref())
        .collect();
    let problems = config.bridges.iter().filter_map(|bridge| {
        let id = bridge.local_client_id.as_deref()?;
        let is_reserved = |prefix: &str| id.starts_with(prefix);
        let is_kept = Reservation::untold(id.as_bytes()) != Reservation::Free;
        if is_kept || reserved.iter().any(|prefix| is_reserved(prefix.as_str())) {
            return None;
        }
        Some(Problem::warning(
            format!(
                "{}: the bridge `{}` has the client id `{id}` here, and before Mosquitto 2.1 any \
                 device may present it, which cuts the bridge",
                bridge.at, bridge.name
            ),
            format!(
                "leave `local_clientid` away, or `countersign tenant create bridges \
                 --client-id-prefix {id}`"
            ),
        ))
    });
    problems.collect()
}

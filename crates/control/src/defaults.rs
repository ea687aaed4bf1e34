//! What is allowed where no rule matches: the rules of a role that all clients hold, those
//! without a login as well.

use countersign_admin::role::{CreateRole, NewRole, RewriteRole};
use countersign_admin::tenant::{RoleChanges, SetTenant, ShowTenant, TenantChanges};
use countersign_admin::{AdminError, Tx};
use countersign_core::name::TenantId;
use countersign_core::role::RoleName;
use countersign_core::rule::{Action, Effect, Pattern, Rule};

use crate::acl::DEFAULT_ROLE;
use crate::json::Json;
use crate::order::Order;
use crate::params::{Params, said};

/// What is allowed.
struct Defaults {
    send: bool,
    subscribe: bool,
}

impl Defaults {
    fn of(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Self, AdminError> {
        let given = tx.run(&ShowTenant(tenant.clone()))?.default_roles;
        let role = name()?;
        let role = match given.contains(&role) {
            true => tx.role(tenant, &role)?,
            false => None,
        };
        let allows = |action: Action| {
            let mut rules = role.iter().flat_map(|role| &role.rules);
            rules.any(|it| {
                let rule = &it.rule;
                rule.effect() == Effect::Allow
                    && (rule.action() == action || rule.action() == Action::Both)
                    && rule.pattern().as_str() == "#"
            })
        };
        Ok(Self {
            send: allows(Action::Publish),
            subscribe: allows(Action::Subscribe),
        })
    }
}

fn name() -> Result<RoleName, AdminError> {
    RoleName::parse(DEFAULT_ROLE).map_err(|why| said(&why.to_string()))
}

pub(crate) fn get(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Option<Json>, AdminError> {
    let defaults = Defaults::of(tx, tenant)?;
    let acls = [
        ("publishClientSend", defaults.send),
        ("publishClientReceive", true),
        ("subscribe", defaults.subscribe),
        ("unsubscribe", true),
    ];
    let acls = acls.map(|(kind, allow)| {
        Json::Object(vec![
            ("acltype".into(), Json::text(kind)),
            ("allow".into(), Json::Bool(allow)),
        ])
    });
    let acls = Json::Array(acls.into());
    Ok(Some(Json::Object(vec![("acls".into(), acls)])))
}

pub(crate) fn set(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let otherwise = "Missing/invalid actions array";
    let items = params.list("acls", otherwise)?;
    let items = items.ok_or_else(|| said(otherwise))?;
    let mut defaults = Defaults::of(tx, tenant)?;
    for item in items {
        let (Some(kind), Some(Json::Bool(allow))) = (
            item.member("acltype").and_then(Json::as_text),
            item.member("allow"),
        ) else {
            continue;
        };
        match kind.to_ascii_lowercase().as_str() {
            "publishclientsend" => defaults.send = *allow,
            "subscribe" => defaults.subscribe = *allow,
            "publishclientreceive" if !allow => {
                return Err(said(
                    "`publishClientReceive` can't be denied by default here: what `subscribe` and \
                     `publishClientReceive` allow is one rule; allow less to subscribe to",
                ));
            }
            "unsubscribe" if !allow => {
                return Err(said(
                    "`unsubscribe` can't be denied by default here: UNSUBSCRIBE is always allowed",
                ));
            }
            _ => {}
        }
    }
    write(tx, tenant, &defaults)?;
    Order::read(tx, tenant)?.check_denies(None)?;
    Ok(None)
}

/// Writes the rules of the role, and gives it to all clients, with a login or without.
fn write(tx: &mut Tx<'_>, tenant: &TenantId, defaults: &Defaults) -> Result<(), AdminError> {
    let shown = tx.run(&ShowTenant(tenant.clone()))?;
    let mut wanted = Vec::new();
    if defaults.send {
        wanted.push((Action::Publish, "#"));
    }
    if defaults.subscribe {
        wanted.push((Action::Subscribe, "#"));
        if shown.sys_read {
            wanted.push((Action::Subscribe, "$SYS/#"));
        }
    }
    let rules = wanted.into_iter().filter_map(|(action, pattern)| {
        let pattern = Pattern::parse(pattern).ok()?;
        Some(Rule::allow(action, pattern))
    });
    let rules: Vec<Rule> = rules.collect();
    let role = name()?;
    let is_there = tx.role(tenant, &role)?.is_some();
    if rules.is_empty() && !is_there {
        return Ok(());
    }
    if !is_there {
        tx.run(&CreateRole(NewRole {
            tenant: tenant.clone(),
            name: role.clone(),
            description: None,
            no_wildcards: false,
        }))?;
    }
    tx.run(&RewriteRole {
        tenant: tenant.clone(),
        name: role.clone(),
        description: None,
        no_wildcards: None,
        rules: Some(rules),
    })?;
    let missing = |held: &[RoleName]| RoleChanges {
        add: if held.contains(&role) {
            Vec::new()
        } else {
            vec![role.clone()]
        },
        remove: Vec::new(),
    };
    let changes = TenantChanges {
        default_roles: missing(&shown.default_roles),
        // There it holds for clients without a login as well, besides what they may already.
        anonymous_roles: missing(&shown.anonymous_roles),
        anonymous_rights: Some(shown.anonymous_rights),
        ..TenantChanges::default()
    };
    if changes.default_roles.add.is_empty() && changes.anonymous_roles.add.is_empty() {
        return Ok(());
    }
    let id = tenant.clone();
    tx.run(&SetTenant { id, changes }).map(drop)
}

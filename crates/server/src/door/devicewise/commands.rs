//! The commands of a message: those that sessions give over MQTT.

use core::time::Duration;

use countersign_admin::account::{ListOwnWebSessions, ShowMe, SwitchTenant};
use countersign_admin::jwt::{CreateToken, Issuer, NewToken};
use countersign_admin::tenant::FindTenant;
use countersign_admin::thing::UntieThing;
use countersign_admin::user::ShownUser;
use countersign_admin::{Authority, SignedInUser};
use countersign_core::jwt::{Ttl, Whoami};
use countersign_core::name::TenantId;
use countersign_core::role::RoleName;
use countersign_core::time::rfc3339;
use countersign_core::user::{Grant, GrantedRight};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{CONFLICT, Failure, MALFORMED, NOT_FOUND, WRONG_PARAMETER, WRONG_SESSION, read};
use crate::call::Call;
use crate::input::{DeviceName, Text};
use crate::problem::ProblemKind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Command {
    command: String,
    #[serde(default)]
    params: Option<Map<String, Value>>,
}

/// Gives one command.
pub(super) fn give(call: &mut Call<'_>, command: Value) -> Result<Value, Failure> {
    let odd = || Failure::new(MALFORMED, "a command is `{\"command\", \"params\"}`");
    let Value::Object(command) = command else {
        return Err(odd());
    };
    let Command { command, params } = read(command).map_err(|_| odd())?;
    let params = params.unwrap_or_default();
    match &*command {
        "session.info" => info(call),
        "session.org.list" => list_organisations(call),
        "session.org.switch" => switch(call, read(params)?),
        "session.jwt.create" => make_token(call, read(params)?),
        "thing.appid.reset" => {
            let Key { key } = read(params)?;
            let (tenant, DeviceName(key)) = (organisation(call)?, key.0);
            call.run(&UntieThing {
                key: key.clone(),
                tenant,
            })?;
            Ok(json!({ "key": key.as_str() }))
        }
        "thing.bind" => {
            let text = "only an application binds things";
            Err(Failure::new(WRONG_SESSION, text))
        }
        _ => Err(Failure::new(UNKNOWN_COMMAND, "there is no such command")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    key: Text<DeviceName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Organisation {
    key: Text<TenantId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Token {
    role: Text<RoleName>,
    whoami: Text<Whoami>,
    #[serde(default)]
    thing_keys: Option<Vec<Text<DeviceName>>>,
    /// In seconds.
    #[serde(default)]
    ttl: Option<u64>,
}

fn make_token(call: &mut Call<'_>, said: Token) -> Result<Value, Failure> {
    let ttl = said
        .ttl
        .map(|seconds| Ttl::new(Duration::from_secs(seconds)));
    let ttl = ttl
        .transpose()
        .map_err(|error| Failure::new(WRONG_PARAMETER, format!("`ttl`: {error}")))?;
    let things = said.thing_keys.unwrap_or_default().into_iter();
    let tenant = organisation(call)?;
    let made = call.run(&CreateToken(NewToken {
        tenant,
        role: said.role.0,
        whoami: said.whoami.0,
        things: things.map(|Text(DeviceName(key))| key).collect(),
        ttl: ttl.unwrap_or_default(),
        issuer: Issuer::Caller,
    }))?;
    Ok(json!({
        "token": String::from_utf8_lossy(made.token.expose()),
        "jti": made.record.id.to_string(),
        "expiresAt": rfc3339(made.record.expires_at),
    }))
}

fn info(call: &mut Call<'_>) -> Result<Value, Failure> {
    let me = user(call)?;
    let tenant = organisation(call).ok();
    let grant = tenant.as_ref().and_then(|tenant| {
        let user = me.as_ref()?.user.kind.user()?;
        user.grant_in(tenant)
    });
    let role = grant.and_then(|grant| role_of(&grant.right));
    let is_admin = grant.is_some_and(Grant::is_org_admin);
    Ok(json!({
        "username": call.who()?.name,
        "kind": if me.is_some() { "user" } else { "token" },
        "orgKey": tenant.as_ref().map(TenantId::as_str),
        "role": role,
        "roles": role.into_iter().collect::<Vec<_>>(),
        "orgAdmin": is_admin,
    }))
}

fn list_organisations(call: &mut Call<'_>) -> Result<Value, Failure> {
    let me = user(call)?;
    let current = organisation(call).ok();
    let about = me.as_ref().and_then(|me| me.user.kind.user());
    let grants = about.into_iter().flat_map(|user| &user.grants);
    let organisations = grants.map(|grant| {
        json!({
            "key": grant.tenant.as_str(),
            "role": role_of(&grant.right),
            "orgAdmin": grant.is_org_admin(),
            "current": current.as_ref() == Some(&grant.tenant),
        })
    });
    Ok(json!({ "orgs": organisations.collect::<Vec<_>>() }))
}

fn role_of(right: &GrantedRight) -> Option<&str> {
    match right {
        GrantedRight::OrgAdmin | GrantedRight::Viewer => None,
        GrantedRight::Role(role) => Some(role.as_str()),
    }
}

/// Has the session work in another tenant, and no other session.
fn switch(call: &mut Call<'_>, said: Organisation) -> Result<Value, Failure> {
    let Organisation { key: Text(tenant) } = said;
    if !is_in_session(call)? {
        let text = "only the session of a user switches";
        return Err(Failure::new(WRONG_SESSION, text));
    }
    check_granted(call, &tenant)?;
    if call
        .asked
        .door_tenant
        .as_ref()
        .is_some_and(|only| *only != tenant)
    {
        let text = "the door leads to another tenant";
        return Err(Failure::new(CONFLICT, text));
    }
    call.run(&SwitchTenant(tenant.clone()))?;
    Ok(json!({ "orgKey": tenant.as_str() }))
}

/// Checks that a user may work in a tenant. One that there is not and one of others are
/// not told from each other.
fn check_granted(call: &mut Call<'_>, tenant: &TenantId) -> Result<(), Failure> {
    let me = user(call)?;
    let about = me.as_ref().and_then(|me| me.user.kind.user());
    if about.is_some_and(|user| user.grant_in(tenant).is_some()) {
        return Ok(());
    }
    // A platform administrator needs no grant.
    let named = Some(tenant.clone());
    match call.run(&FindTenant { named }) {
        Ok(_) => Ok(()),
        Err(problem) if matches!(problem.kind, ProblemKind::Forbidden | ProblemKind::NotFound) => {
            let text = "the user is granted no such tenant";
            Err(Failure::new(NOT_FOUND, text))
        }
        Err(problem) => Err(problem.into()),
    }
}

/// The tenant that the asker works in: the one that the session switched to, else that
/// of the door, else the only one that the asker has.
fn organisation(call: &mut Call<'_>) -> Result<TenantId, Failure> {
    let switched = switched(call)?;
    let named = switched.or_else(|| call.asked.door_tenant.clone());
    if let Some(tenant) = named {
        check_granted(call, &tenant)?;
        return Ok(tenant);
    }
    let me = user(call)?;
    let about = me.as_ref().and_then(|me| me.user.kind.user());
    match about.map(|user| &*user.grants) {
        Some([only]) => Ok(only.tenant.clone()),
        Some([]) | None => Ok(call.run(&FindTenant { named: None })?),
        Some(_) => Err(Failure::new(NOT_FOUND, "switch to a tenant first")),
    }
}

/// The user who asks; none where it is an API token.
fn user(call: &mut Call<'_>) -> Result<Option<ShownUser>, Failure> {
    match call.who()?.authority {
        Authority::User(_) => Ok(Some(call.run(&ShowMe)?)),
        Authority::Operator(_)
        | Authority::Platform
        | Authority::Session(_)
        | Authority::Token(_) => Ok(None),
    }
}

/// The tenant that the session which asks switched to.
fn switched(call: &mut Call<'_>) -> Result<Option<TenantId>, Failure> {
    if !is_in_session(call)? {
        return Ok(None);
    }
    let own = call.run(&ListOwnWebSessions)?;
    let current = own.into_iter().find(|it| it.is_current);
    Ok(current.and_then(|it| it.session.tenant))
}

/// Whether a session asks, and not a request by itself.
fn is_in_session(call: &Call<'_>) -> Result<bool, Failure> {
    match call.who()?.authority {
        Authority::User(SignedInUser { session, .. }) => Ok(session.is_some()),
        Authority::Operator(_)
        | Authority::Platform
        | Authority::Session(_)
        | Authority::Token(_) => Ok(false),
    }
}

const UNKNOWN_COMMAND: i32 = -91_002;

//! Tenants.

use core::time::Duration;

use axum::http::StatusCode;
use countersign_admin::tenant::{
    CreateTenant, DeleteTenant, ListTenants, NewTenant, RoleChanges, SetTenant, ShowTenant,
    TenantChanges, TenantDeletion, TenantDeletionSteps,
};
use countersign_admin::view::{LoserView, TenantView};
use countersign_admin::{Command as _, Mode};
use countersign_core::client_id::ClientId;
use countersign_core::lockout::LockoutPolicy;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::tenant::{Authentication, DefaultRights, SubscribeMode, Tenant};
use countersign_core::topic::TopicFilter;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Cascade, PageWords, TakingWords, difference, losers, part, whole};
use crate::answer::Answer;
use crate::call::{Call, IsPermitted};
use crate::input::{Json, Nothing, Said, Text, taken};
use crate::problem::Problem;
use crate::route::{Route, delete, get, patch, post};
use crate::shape::{LOSER, MAYBE_TEXT, Shape, TEXTS};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/tenants", "List the tenants", list).answers_page(&TENANT),
        post("/api/v1/tenants", "Make a tenant", create)
            .answers(StatusCode::CREATED, TENANT)
            .answers_page(&LOSER),
        get("/api/v1/tenants/{tenant}", "Show a tenant", show).answers_tagged(TENANT),
        patch("/api/v1/tenants/{tenant}", "Change a tenant", change)
            .answers_tagged(Shape::OneOf(&TENANT, &Shape::Page(&LOSER)))
            .conditional(),
        delete("/api/v1/tenants/{tenant}", "Delete a tenant", remove)
            .answers_nothing()
            .conditional(),
    ]
}

fn list(call: &mut Call<'_>, words: PageWords, _: Nothing) -> Result<Answer, Problem> {
    let listed = call.run(&ListTenants(words.page()?))?;
    let items = listed.rows.iter().map(TenantView::of).collect();
    part(items, listed.next.map(|next| next.to_string()))
}

fn show(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let id = call.part("tenant")?;
    call.show(&ShowTenant(id), TenantView::of)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    id: Text<TenantId>,
    /// Topics that it owns; without any, all below its id.
    #[serde(default)]
    namespaces: Vec<Text<TopicFilter>>,
    #[serde(default)]
    authentication: Said<Text<Authentication>>,
    #[serde(default)]
    subscribe: Said<Text<SubscribeMode>>,
    #[serde(default)]
    client_id_prefix: Option<Text<ClientId>>,
    #[serde(default)]
    lockout: Option<Text<LockoutPolicy>>,
    #[serde(default)]
    default_rights: Said<Text<DefaultRights>>,
}

fn create(call: &mut Call<'_>, words: TakingWords, body: Json<New>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let usual = NewTenant::new(said.id.0);
    let new = NewTenant {
        namespaces: taken(said.namespaces),
        authentication: said.authentication.value().unwrap_or(usual.authentication),
        subscribe: said.subscribe.value().unwrap_or(usual.subscribe),
        client_id_prefix: said.client_id_prefix.map(|Text(prefix)| prefix),
        lockout: said.lockout.map(|Text(policy)| policy),
        default_rights: said.default_rights.value().unwrap_or(usual.default_rights),
        id: usual.id,
    };
    let command = CreateTenant(new);
    if words.dry_run {
        return losers(call, command);
    }
    let tenant = call.run(&words.taking(command))?;
    Answer::created(&["tenants", tenant.id.as_str()], &TenantView::of(&tenant))
}

/// What to change; what is not said stays.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Changes {
    authentication: Said<Text<Authentication>>,
    subscribe: Said<Text<SubscribeMode>>,
    /// All topics that it owns from then on.
    namespaces: Said<Vec<Text<TopicFilter>>>,
    client_id_prefix: Said<Option<Text<ClientId>>>,
    lockout: Said<Option<Text<LockoutPolicy>>>,
    default_rights: Said<Text<DefaultRights>>,
    /// All roles that its devices and things hold from then on.
    default_roles: Said<Vec<Text<RoleName>>>,
    anonymous_rights: Said<Text<DefaultRights>>,
    /// All roles that its clients without a login hold from then on.
    anonymous_roles: Said<Vec<Text<RoleName>>>,
    sys_read: Said<bool>,
    name_prefix: Said<Option<Text<LoginName>>>,
}

impl Changes {
    /// What to change of a tenant as it was found.
    fn of(&self, tenant: &Tenant) -> TenantChanges {
        let said = self.clone();
        let namespaces = said.namespaces.0.map(taken);
        let owned: Vec<_> = tenant.namespaces.iter().cloned().collect();
        let (add_namespaces, remove_namespaces) = difference(namespaces, &owned);
        let roles = |said: Said<Vec<Text<RoleName>>>, given: &[RoleName]| {
            let (add, remove) = difference(said.0.map(taken), given);
            RoleChanges { add, remove }
        };
        TenantChanges {
            authentication: said.authentication.value(),
            subscribe: said.subscribe.value(),
            add_namespaces,
            remove_namespaces,
            client_id_prefix: said.client_id_prefix.value_or_null(),
            lockout: said.lockout.value_or_null(),
            default_rights: said.default_rights.value(),
            anonymous_rights: said.anonymous_rights.value(),
            default_roles: roles(said.default_roles, &tenant.default_roles),
            anonymous_roles: roles(said.anonymous_roles, &tenant.anonymous_roles),
            sys_read: said.sys_read.0,
            name_prefix: said.name_prefix.value_or_null(),
        }
    }
}

fn change(call: &mut Call<'_>, words: TakingWords, body: Json<Changes>) -> Result<Answer, Problem> {
    let id: TenantId = call.part("tenant")?;
    let Json(said) = body;
    let command = |tenant: &Tenant| {
        let changes = said.of(tenant);
        let id = id.clone();
        (!changes.is_empty()).then_some(SetTenant { id, changes })
    };
    let show = ShowTenant(id.clone());
    if words.dry_run {
        let tenant = call.run(&show)?;
        return match command(&tenant) {
            Some(command) => losers(call, command),
            None => whole(Vec::<LoserView>::new()),
        };
    }
    let change = |tenant: &Tenant| Ok(command(tenant).map(|command| words.taking(command)));
    call.merge(&show, TenantView::of, change, Mode::Commit)
}

fn remove(call: &mut Call<'_>, words: Cascade, _: Nothing) -> Result<Answer, Problem> {
    let id: TenantId = call.part("tenant")?;
    let deletion = DeleteTenant {
        id: id.clone(),
        deletion: if words.cascade {
            TenantDeletion::WithEverything
        } else {
            TenantDeletion::OnlyEmpty
        },
    };
    let show = ShowTenant(id);
    let may = IsPermitted(deletion.needs());
    call.run_if_matches(&show, TenantView::of, &may, Mode::Commit)?;
    go_on(call, TenantDeletionSteps::of(deletion))
}

/// Takes one step, and lets others have the thread before the next.
fn go_on(call: &mut Call<'_>, mut steps: TenantDeletionSteps) -> Result<Answer, Problem> {
    match call.with_context(|store, context| steps.next(store, context))? {
        None => {
            call.counts.add_acts("tenant.delete", 1);
            Ok(Answer::deleted())
        }
        Some(_) => Ok(Answer::later(Duration::ZERO, |call| go_on(call, steps))),
    }
}

const TENANT: Shape = Shape::Named(
    "Tenant",
    &Shape::Object(&[
        ("id", Shape::Text),
        ("namespaces", TEXTS),
        (
            "authentication",
            Shape::Word(&["required", "optional", "off"]),
        ),
        ("subscribe", Shape::Word(&["strict", "filtered"])),
        ("client_id_prefix", MAYBE_TEXT),
        ("lockout", MAYBE_TEXT),
        ("default_rights", Shape::Word(&["namespaces", "none"])),
        ("default_roles", TEXTS),
        ("anonymous_rights", Shape::Word(&["namespaces", "none"])),
        ("anonymous_roles", TEXTS),
        ("sys_read", Shape::Bool),
        ("name_prefix", MAYBE_TEXT),
        ("created_at", Shape::Text),
    ]),
);

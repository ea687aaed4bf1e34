//! Roles of a tenant: their rules, and the groups that hold them.

use axum::http::StatusCode;
use countersign_admin::Mode;
use countersign_admin::role::{
    AssignRole, Assignment, ChangeEffect, ChangeRoleRules, CreateRole, DeleteRole, ListRoles,
    NewRole, PreviewAssignment, PreviewRoleRules, RoleDeletion, RoleRuleWarnings, SetRole,
    ShowRole, ShownRole, UnassignRole,
};
use countersign_admin::text::FreeText;
use countersign_admin::view::{EffectView, RoleView};
use countersign_core::name::TenantId;
use countersign_core::role::RoleName;
use schemars::JsonSchema;
use serde::Deserialize;

use super::rules::{NewRoleRule, RuleWords, Warned};
use super::{Cascade, DryRun, PageWords, page_in_tenant, part, whole};
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{Json, Nothing, Said, Text};
use crate::problem::Problem;
use crate::route::{Route, delete, get, patch, post, put};
use crate::shape::{EFFECT, MAYBE_TEXT, RULE, Shape, TEXTS};

pub(super) fn routes() -> Vec<Route> {
    const ROLES: &str = "/api/v1/tenants/{tenant}/roles";
    const ROLE: &str = "/api/v1/tenants/{tenant}/roles/{role}";
    const RULES: &str = "/api/v1/tenants/{tenant}/roles/{role}/rules";
    const GROUP: &str = "/api/v1/tenants/{tenant}/roles/{role}/groups/{group}";
    vec![
        get(ROLES, "List the roles of a tenant", list).answers_page(&self::ROLE),
        post(ROLES, "Make a role without rules", create).answers(StatusCode::CREATED, self::ROLE),
        get(ROLE, "Show a role and its rules", show).answers_tagged(self::ROLE),
        patch(ROLE, "Change a role", change)
            .answers_tagged(self::ROLE)
            .conditional(),
        delete(ROLE, "Delete a role", remove)
            .answers_nothing()
            .conditional(),
        post(RULES, "Give a role a rule", add_rule)
            .answers(StatusCode::CREATED, WARNED_ROLE)
            .answers_page(&EFFECT)
            .conditional(),
        delete(RULES, "Take rules from a role", remove_rule)
            .answers_nothing()
            .answers_page(&EFFECT)
            .conditional(),
        put(GROUP, "Let a group hold a role", assign)
            .answers(
                StatusCode::OK,
                Shape::OneOf(&self::ROLE, &Shape::Page(&EFFECT)),
            )
            .conditional(),
        delete(GROUP, "Take a role from a group", unassign)
            .answers_nothing()
            .answers_page(&EFFECT)
            .conditional(),
    ]
}

fn list(call: &mut Call<'_>, words: PageWords, _: Nothing) -> Result<Answer, Problem> {
    let tenant: TenantId = call.part("tenant")?;
    let page = page_in_tenant(&words, &tenant)?;
    let tenant = Some(tenant);
    let listed = call.run(&ListRoles { tenant, page })?;
    let next = listed.next.map(|(_, name)| name.to_string());
    part(listed.rows.iter().map(RoleView::of).collect(), next)
}

/// The role that a path names.
fn named(call: &Call<'_>) -> Result<ShowRole, Problem> {
    Ok(ShowRole {
        tenant: call.part("tenant")?,
        name: call.part("role")?,
    })
}

fn show(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let role = named(call)?;
    call.show(&role, RoleView::of)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    name: Text<RoleName>,
    #[serde(default)]
    description: Option<Text<FreeText>>,
    /// It grants no SUBSCRIBE with `+` or `#`.
    #[serde(default)]
    no_wildcards: bool,
}

fn create(call: &mut Call<'_>, _: Nothing, body: Json<New>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let tenant: TenantId = call.part("tenant")?;
    let shown = call.run(&CreateRole(NewRole {
        tenant: tenant.clone(),
        name: said.name.0,
        description: said.description.map(|Text(text)| text),
        no_wildcards: said.no_wildcards,
    }))?;
    let path = [
        "tenants",
        tenant.as_str(),
        "roles",
        shown.role.name.as_str(),
    ];
    Answer::created(&path, &RoleView::of(&shown))
}

/// What to change; what is not said stays.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Changes {
    no_wildcards: Said<bool>,
}

fn change(call: &mut Call<'_>, _: Nothing, body: Json<Changes>) -> Result<Answer, Problem> {
    let role = named(call)?;
    let Json(said) = body;
    let change = |_: &ShownRole| {
        Ok(said.no_wildcards.0.map(|no_wildcards| SetRole {
            tenant: role.tenant.clone(),
            name: role.name.clone(),
            no_wildcards,
        }))
    };
    call.merge(&role, RoleView::of, change, Mode::Commit)
}

fn remove(call: &mut Call<'_>, words: Cascade, _: Nothing) -> Result<Answer, Problem> {
    let role = named(call)?;
    let deletion = DeleteRole {
        tenant: role.tenant.clone(),
        name: role.name.clone(),
        deletion: if words.cascade {
            RoleDeletion::WithGrants
        } else {
            RoleDeletion::OnlyUnused
        },
    };
    call.run_if_matches(&role, RoleView::of, &deletion, Mode::Commit)?;
    Ok(Answer::deleted())
}

fn add_rule(
    call: &mut Call<'_>,
    words: DryRun,
    body: Json<NewRoleRule>,
) -> Result<Answer, Problem> {
    let role = named(call)?;
    let (change, group) = body.0.change()?;
    let (tenant, name) = (role.tenant.clone(), role.name.clone());
    let path = ["tenants", tenant.as_str(), "roles", name.as_str()];
    let change = ChangeRoleRules {
        tenant: role.tenant.clone(),
        name: role.name.clone(),
        change,
        group,
    };
    if words.dry_run {
        return effects(&call.run(&PreviewRoleRules(change))?);
    }
    // Looking at all holders takes longer than brokers may wait for the lock.
    let warnings = call.run(&RoleRuleWarnings(change.clone()))?;
    let shown = call.run_if_matches(&role, RoleView::of, &change, Mode::Commit)?;
    Answer::created(&path, &Warned::new(RoleView::of(&shown), &warnings))
}

fn remove_rule(call: &mut Call<'_>, words: RuleWords, _: Nothing) -> Result<Answer, Problem> {
    let role = named(call)?;
    let is_dry_run = words.dry_run;
    let (change, group) = words.change()?;
    let change = ChangeRoleRules {
        tenant: role.tenant.clone(),
        name: role.name.clone(),
        change,
        group,
    };
    if is_dry_run {
        return effects(&call.run(&PreviewRoleRules(change))?);
    }
    call.run_if_matches(&role, RoleView::of, &change, Mode::Commit)?;
    Ok(Answer::deleted())
}

/// That a group holds a role, as a path names both.
fn assignment(call: &Call<'_>) -> Result<Assignment, Problem> {
    Ok(Assignment {
        tenant: call.part("tenant")?,
        role: call.part("role")?,
        group: call.part("group")?,
    })
}

fn assign(call: &mut Call<'_>, words: DryRun, _: Nothing) -> Result<Answer, Problem> {
    let of = assignment(call)?;
    if words.dry_run {
        let is_to_be_held = true;
        return effects(&call.run(&PreviewAssignment { of, is_to_be_held })?);
    }
    let role = named(call)?;
    let shown = call.run_if_matches(&role, RoleView::of, &AssignRole(of), Mode::Commit)?;
    Answer::ok(&RoleView::of(&shown))
}

fn unassign(call: &mut Call<'_>, words: DryRun, _: Nothing) -> Result<Answer, Problem> {
    let of = assignment(call)?;
    if words.dry_run {
        let is_to_be_held = false;
        return effects(&call.run(&PreviewAssignment { of, is_to_be_held })?);
    }
    let role = named(call)?;
    call.run_if_matches(&role, RoleView::of, &UnassignRole(of), Mode::Commit)?;
    Ok(Answer::deleted())
}

/// Answers with who would gain or lose what.
fn effects(effects: &[ChangeEffect]) -> Result<Answer, Problem> {
    whole(effects.iter().map(EffectView::of).collect())
}

const ROLE_FIELDS: [(&str, Shape); 6] = [
    ("name", Shape::Text),
    ("tenant", Shape::Text),
    ("description", MAYBE_TEXT),
    ("no_wildcards", Shape::Bool),
    ("groups", TEXTS),
    ("rules", Shape::List(&RULE)),
];
const ROLE: Shape = Shape::Named("Role", &Shape::Object(&ROLE_FIELDS));
const WARNED_ROLE: Shape = Shape::With(&ROLE_FIELDS, &[("warnings", TEXTS)]);

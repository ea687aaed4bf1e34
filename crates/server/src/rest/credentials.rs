//! Credentials of devices and services.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use countersign_admin::credential::{
    CreateCredential, CredentialChanges, DeleteCredential, ListCredentials, NewCredential,
    SetCredential, ShowCredential, ShownCredential,
};
use countersign_admin::password::ChosenPassword;
use countersign_admin::secret::NewSecret;
use countersign_admin::text::FreeText;
use countersign_admin::view::{CredentialView, IssuedCredentialView};
use countersign_core::client_id::ClientIdRule;
use countersign_core::lifecycle::State;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::scheme::SchemeName;
use countersign_core::store::CredentialQuery;
use countersign_core::time::{Timestamp, rfc3339};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{DryRun, TakingWords, difference, losers, page_of, part};
use crate::answer::Answer;
use crate::call::{Call, mode_of};
use crate::input::{FromText as _, Json, Nothing, Said, Text, taken};
use crate::problem::Problem;
use crate::route::{Route, delete, get, patch, post};
use crate::shape::{LOSER, MAYBE_TEXT, Shape, TEXTS};

mod acts;
mod bulk;
mod certificates;
mod rules;
mod why;

pub(super) fn routes() -> Vec<Route> {
    let all = vec![
        get("/api/v1/credentials", "List credentials", list).answers_page(&CREDENTIAL),
        post("/api/v1/credentials", "Make a credential", create)
            .answers(StatusCode::CREATED, ISSUED)
            .answers_page(&LOSER),
        get("/api/v1/credentials/{name}", "Show a credential", show).answers_tagged(CREDENTIAL),
        patch("/api/v1/credentials/{name}", "Change a credential", change)
            .answers_tagged(CREDENTIAL)
            .conditional(),
        delete("/api/v1/credentials/{name}", "Delete a credential", remove)
            .answers_nothing()
            .conditional(),
    ];
    let more = [
        acts::routes(),
        bulk::routes(),
        certificates::routes(),
        rules::routes(),
        why::routes(),
    ];
    all.into_iter().chain(more.into_iter().flatten()).collect()
}

/// Which credentials are asked for: all that is said must be so.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ListWords {
    /// Behind this name.
    after: Option<String>,
    /// With an end before then.
    expires_before: Option<Text<Timestamp>>,
    /// In this group or below it, by one of its groups.
    group: Option<Text<GroupPath>>,
    /// At most so many, from 1 to 1000; 100 where it is not said.
    limit: Option<u64>,
    /// With a name that begins so.
    prefix: Option<Text<LoginName>>,
    /// With this role, held by itself.
    role: Option<Text<RoleName>>,
    scheme: Option<Text<SchemeName>>,
    state: Option<Text<State>>,
    tenant: Option<Text<TenantId>>,
    /// Neither made nor used since then, and without a live session.
    unused_since: Option<Text<Timestamp>>,
}

fn list(call: &mut Call<'_>, words: ListWords, _: Nothing) -> Result<Answer, Problem> {
    let page = page_of(words.after.as_deref(), words.limit, LoginName::from_text)?;
    let value = |Text(value)| value;
    let query = CredentialQuery {
        tenant: words.tenant.map(value),
        state: words.state.map(|Text(state)| state),
        group: words.group.map(|Text(group)| group),
        within: None,
        scheme: words.scheme.map(|Text(scheme)| scheme),
        role: words.role.map(|Text(role)| role),
        name_prefix: words.prefix.map(|Text(prefix)| prefix),
        attributes: BTreeMap::new(),
        unused_since: words.unused_since.map(|Text(time)| time),
        expires_before: words.expires_before.map(|Text(time)| time),
    };
    let found = call.run(&ListCredentials { query, page })?;
    let items = found.iter();
    let items = items.map(|(credential, scheme)| CredentialView::of(credential, scheme));
    let next = found.listed.next.as_ref().map(ToString::to_string);
    part(items.collect(), next)
}

fn show(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let name = call.part("name")?;
    call.show(&ShowCredential(name), view)
}

fn view(shown: &ShownCredential) -> CredentialView {
    CredentialView::of(&shown.credential, shown.scheme.as_ref())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    /// The name, without the tenant that some schemes add to it. Schemes that make
    /// names need none.
    #[serde(default)]
    name: Option<String>,
    tenant: Text<TenantId>,
    /// The scheme it is made by; `basic` where it is not said.
    #[serde(default)]
    scheme: Said<Text<SchemeName>>,
    /// The groups that it is in; the first is its oldest.
    #[serde(default)]
    groups: Vec<Text<GroupPath>>,
    #[serde(default)]
    description: Option<Text<FreeText>>,
    /// A password that a person chose. Without it and `secret`, one is generated.
    #[serde(default)]
    password: Option<Text<ChosenPassword>>,
    /// A secret that was given out elsewhere, in a form that the scheme accepts.
    #[serde(default)]
    secret: Option<Text<ChosenPassword>>,
    /// Take `secret` over even if it has fewer than 64 random bits.
    #[serde(default)]
    weak: bool,
    /// Which client ids it may connect with.
    #[serde(default)]
    client_id: Option<Text<ClientIdRule>>,
    #[serde(default)]
    roles: Vec<Text<RoleName>>,
    /// Values for rules and for people.
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    expires_at: Option<Text<Timestamp>>,
    #[serde(default)]
    not_before: Option<Text<Timestamp>>,
    /// Let a listener with certificates or pre-shared keys vouch for it.
    #[serde(default)]
    external_identity: bool,
}

fn create(call: &mut Call<'_>, words: TakingWords, body: Json<New>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let secret = match (said.password, said.secret) {
        (None, None) if said.weak => {
            return Err(Problem::invalid("`weak` is about a `secret`"));
        }
        (None, None) => NewSecret::Generated,
        (Some(Text(password)), None) => NewSecret::Chosen(password),
        (None, Some(Text(secret))) => NewSecret::TakenOver {
            secret,
            may_be_weak: said.weak,
        },
        (Some(_), Some(_)) => {
            return Err(Problem::invalid("give `password` or `secret`, not both"));
        }
    };
    let scheme = match said.scheme.value() {
        Some(scheme) => scheme,
        None => SchemeName::from_text(BASIC).map_err(Problem::invalid)?,
    };
    let expires_at = said.expires_at.map(|Text(time)| time);
    check_to_come(expires_at, call.now)?;
    let command = CreateCredential(NewCredential {
        name: said.name,
        tenant: said.tenant.0,
        scheme,
        secret,
        client_id_rule: said.client_id.map(|Text(rule)| rule),
        roles: taken(said.roles),
        groups: taken(said.groups),
        description: said.description.map(|Text(text)| text),
        attributes: said.attributes,
        not_before: said.not_before.map(|Text(time)| time),
        expires_at,
        external_identity: said.external_identity,
        keeps_at: false,
    });
    if words.dry_run {
        return losers(call, command);
    }
    let issued = call.run(&words.taking(command))?;
    let name = issued.described.credential.name.to_string();
    Answer::created(&["credentials", &name], &IssuedCredentialView::of(&issued))
}

/// Checks that an end is still to come: what has ended before it began is a mistake.
fn check_to_come(end: Option<Timestamp>, now: Timestamp) -> Result<(), Problem> {
    match end {
        Some(end) if end <= now => Err(Problem::invalid(format!(
            "`expires_at` is {}, which is past",
            rfc3339(end)
        ))),
        Some(_) | None => Ok(()),
    }
}

/// What to change; what is not said stays.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Changes {
    description: Said<Option<Text<FreeText>>>,
    /// All groups that it is in from then on, in the order of joining.
    groups: Said<Vec<Text<GroupPath>>>,
    /// All roles that it holds from then on.
    roles: Said<Vec<Text<RoleName>>>,
    /// Values by key; `null` takes a key away, and keys that are not said stay.
    attributes: BTreeMap<String, Option<String>>,
    expires_at: Said<Option<Text<Timestamp>>>,
    /// Which client ids it may connect with.
    client_id: Said<Text<ClientIdRule>>,
}

impl Changes {
    /// What to change of a credential as it was found; none where that is nothing.
    fn of(
        &self,
        shown: &ShownCredential,
        now: Timestamp,
    ) -> Result<Option<CredentialChanges>, Problem> {
        let (said, credential) = (self.clone(), &shown.credential);
        let (add_groups, remove_groups) = difference(said.groups.0.map(taken), &credential.groups);
        let (add_roles, remove_roles) = difference(said.roles.0.map(taken), &credential.roles);
        let changes = CredentialChanges {
            add_groups,
            remove_groups,
            add_roles,
            remove_roles,
            ..values(
                said.description,
                said.attributes,
                said.expires_at,
                said.client_id,
                now,
            )?
        };
        Ok((changes != CredentialChanges::default()).then_some(changes))
    }
}

/// What a change of one credential and a change of many say alike.
fn values(
    description: Said<Option<Text<FreeText>>>,
    attributes: BTreeMap<String, Option<String>>,
    expires_at: Said<Option<Text<Timestamp>>>,
    client_id: Said<Text<ClientIdRule>>,
    now: Timestamp,
) -> Result<CredentialChanges, Problem> {
    let nothing = FreeText::from_text("").map_err(Problem::invalid)?;
    let description = description.value_or_null();
    let expires_at = expires_at.value_or_null();
    check_to_come(expires_at.flatten(), now)?;
    let attributes = attributes.into_iter();
    let attributes = attributes.map(|(key, value)| (key, value.unwrap_or_default()));
    Ok(CredentialChanges {
        description: description.map(|text| text.unwrap_or(nothing)),
        attributes: attributes.collect(),
        expires_at,
        client_id_rule: client_id.value(),
        ..CredentialChanges::default()
    })
}

fn change(call: &mut Call<'_>, words: DryRun, body: Json<Changes>) -> Result<Answer, Problem> {
    let name: LoginName = call.part("name")?;
    let (Json(said), now) = (body, call.now);
    let change = |shown: &ShownCredential| {
        let name = name.clone();
        let changes = said.of(shown, now)?;
        Ok(changes.map(|changes| SetCredential { name, changes }))
    };
    let show = ShowCredential(name.clone());
    call.merge(&show, view, change, mode_of(words.dry_run))
}

fn remove(call: &mut Call<'_>, words: DryRun, _: Nothing) -> Result<Answer, Problem> {
    let name: LoginName = call.part("name")?;
    let (show, mode) = (ShowCredential(name.clone()), mode_of(words.dry_run));
    call.run_if_matches(&show, view, &DeleteCredential(name), mode)?;
    Ok(Answer::deleted())
}

const BASIC: &str = "basic";

pub(super) const CREDENTIAL: Shape = Shape::Named(
    "Credential",
    &Shape::Object(&[
        ("id", Shape::Integer),
        ("name", Shape::Text),
        ("tenant", MAYBE_TEXT),
        ("scheme", Shape::Text),
        ("username", Shape::Text),
        ("client_id", MAYBE_TEXT),
        ("state", STATE),
        ("group", MAYBE_TEXT),
        ("groups", TEXTS),
        ("description", MAYBE_TEXT),
        ("created_at", Shape::Text),
        ("token", Shape::Absent(&MAYBE_TEXT)),
        ("auth_type", Shape::Absent(&MAYBE_TEXT)),
        ("device_id", Shape::Absent(&MAYBE_TEXT)),
        ("updated_at", Shape::Text),
        ("last_used_at", MAYBE_TEXT),
        ("not_before", MAYBE_TEXT),
        ("expires_at", MAYBE_TEXT),
        ("roles", TEXTS),
        ("attributes", Shape::Map(&Shape::Text)),
        ("generation", Shape::Integer),
        ("revoked_reason", MAYBE_TEXT),
    ]),
);
pub(super) const STATE: Shape = Shape::Word(&["Inactive", "Active", "Suspended", "Revoked"]);
const ISSUED: Shape = Shape::Named(
    "IssuedCredential",
    &Shape::Object(&[
        ("id", Shape::Integer),
        ("name", Shape::Text),
        ("tenant", MAYBE_TEXT),
        ("scheme", Shape::Text),
        ("username", Shape::Text),
        ("client_id", MAYBE_TEXT),
        ("secret", MAYBE_TEXT),
        ("state", STATE),
        ("group", MAYBE_TEXT),
        ("groups", TEXTS),
        ("description", MAYBE_TEXT),
        ("created_at", Shape::Text),
        ("token", Shape::Absent(&MAYBE_TEXT)),
        ("auth_type", Shape::Absent(&MAYBE_TEXT)),
        ("device_id", Shape::Absent(&MAYBE_TEXT)),
    ]),
);

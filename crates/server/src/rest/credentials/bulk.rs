//! Acts on many credentials.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use countersign_admin::Mode;
use countersign_admin::credential::{CredentialChanges, ManyAct, Target};
use countersign_admin::secret::Overlap;
use countersign_admin::text::FreeText;
use countersign_admin::view::ManyView;
use countersign_core::client_id::ClientIdRule;
use countersign_core::lifecycle::State;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::scheme::SchemeName;
use countersign_core::store::CredentialQuery;
use countersign_core::time::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::values;
use crate::answer::Answer;
use crate::call::{Call, mode_of};
use crate::input::{Json, Said, Text, taken};
use crate::many::{Running, selected};
use crate::problem::Problem;
use crate::rest::DryRun;
use crate::route::{Route, post};
use crate::shape::{EFFECT, MAYBE_TEXT, Shape, TEXTS};

pub(super) fn routes() -> Vec<Route> {
    vec![
        post(
            "/api/v1/credentials/bulk",
            "Do something to many credentials",
            bulk,
        )
        .answers(StatusCode::OK, REPORT),
    ]
}

/// What is done, and to which: names or a selection.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Bulk {
    act: Act,
    #[serde(default)]
    names: Option<Vec<Text<LoginName>>>,
    #[serde(default)]
    selection: Option<Selection>,
    /// Say what would be done to which, and change nothing.
    #[serde(default)]
    dry_run: bool,
    /// Why they are revoked, for those who look it up later.
    #[serde(default)]
    reason: Option<Text<FreeText>>,
    /// For how long an old secret works beside the new one of `rotate`.
    #[serde(default)]
    overlap: Option<Text<Duration>>,
    /// Until the new one of `rotate` is first used, or the overlap ends.
    #[serde(default)]
    until_used: bool,
    /// What `set` changes.
    #[serde(default)]
    changes: Option<Changes>,
}

/// What to change of each; what is not said stays, and what is not there need not be
/// taken away.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Changes {
    description: Said<Option<Text<FreeText>>>,
    /// Groups that it joins, in this order.
    add_groups: Vec<Text<GroupPath>>,
    /// Groups that it leaves.
    remove_groups: Vec<Text<GroupPath>>,
    /// Roles that it holds from then on.
    add_roles: Vec<Text<RoleName>>,
    /// Roles that it no longer holds.
    remove_roles: Vec<Text<RoleName>>,
    /// Values by key; `null` takes a key away, and keys that are not said stay.
    attributes: BTreeMap<String, Option<String>>,
    expires_at: Said<Option<Text<Timestamp>>>,
    /// Which client ids it may connect with.
    client_id: Said<Text<ClientIdRule>>,
}

impl Changes {
    fn changes(self, now: Timestamp) -> Result<CredentialChanges, Problem> {
        let values = values(
            self.description,
            self.attributes,
            self.expires_at,
            self.client_id,
            now,
        );
        let changes = CredentialChanges {
            add_groups: taken(self.add_groups),
            remove_groups: taken(self.remove_groups),
            add_roles: taken(self.add_roles),
            remove_roles: taken(self.remove_roles),
            ..values?
        };
        if changes == CredentialChanges::default() {
            return Err(Problem::invalid("`set` needs `changes`"));
        }
        Ok(changes)
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Act {
    Delete,
    Reactivate,
    ResetPassword,
    Revoke,
    Rotate,
    Set,
    Suspend,
}

/// What credentials are, to be selected by: all that is said must be so.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Selection {
    /// All that the rest of it does not leave out. Without it, something must.
    all: bool,
    /// With an end before then.
    expires_before: Option<Text<Timestamp>>,
    /// In this group or below it, by one of its groups.
    group: Option<Text<GroupPath>>,
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

impl Selection {
    fn query(self) -> Result<CredentialQuery, Problem> {
        let says_something = [
            self.expires_before.is_some(),
            self.group.is_some(),
            self.prefix.is_some(),
            self.role.is_some(),
            self.scheme.is_some(),
            self.state.is_some(),
            self.tenant.is_some(),
            self.unused_since.is_some(),
        ];
        if !self.all && !says_something.contains(&true) {
            let detail = "`selection` selects nothing in particular; `all` is all";
            return Err(Problem::invalid(detail));
        }
        Ok(CredentialQuery {
            tenant: self.tenant.map(|Text(tenant)| tenant),
            state: self.state.map(|Text(state)| state),
            group: self.group.map(|Text(group)| group),
            within: None,
            scheme: self.scheme.map(|Text(scheme)| scheme),
            role: self.role.map(|Text(role)| role),
            name_prefix: self.prefix.map(|Text(prefix)| prefix),
            attributes: BTreeMap::new(),
            unused_since: self.unused_since.map(|Text(time)| time),
            expires_before: self.expires_before.map(|Text(time)| time),
        })
    }
}

impl Bulk {
    fn act(&mut self, now: Timestamp) -> Result<ManyAct, Problem> {
        let changes = self.changes.take();
        if changes.is_some() && self.act != Act::Set {
            return Err(Problem::invalid("`changes` goes with `set` alone"));
        }
        let reason = self.reason.take().map(|Text(reason)| reason);
        if reason.is_some() && self.act != Act::Revoke {
            return Err(Problem::invalid("`reason` goes with `revoke` alone"));
        }
        let overlap = self.overlap.take().map(|Text(overlap)| overlap);
        let overlap = Overlap::of(overlap, self.until_used);
        if overlap != Overlap::None && self.act != Act::Rotate {
            return Err(Problem::invalid(
                "`overlap` and `until_used` go with `rotate` alone",
            ));
        }
        Ok(match self.act {
            Act::Delete => ManyAct::Delete,
            Act::Reactivate => ManyAct::Reactivate,
            Act::ResetPassword => ManyAct::ResetPassword,
            Act::Revoke => ManyAct::Revoke(reason),
            Act::Rotate => ManyAct::Rotate(overlap),
            Act::Set => ManyAct::Set(Box::new(changes.unwrap_or_default().changes(now)?)),
            Act::Suspend => ManyAct::Suspend,
        })
    }

    /// Those that are meant, and what those must still be that were not named.
    fn targets(&mut self, call: &mut Call<'_>) -> Result<(CredentialQuery, Vec<Target>), Problem> {
        let query = match (self.names.take(), self.selection.take()) {
            (Some(names), None) => {
                let names: BTreeSet<_> = taken(names).into_iter().collect();
                let named = names.into_iter().map(|name| Target { name, id: None });
                return Ok((CredentialQuery::default(), named.collect()));
            }
            (None, Some(selection)) => selection.query()?,
            _ => return Err(Problem::invalid("give either `names` or a `selection`")),
        };
        let found = selected(call, &query)?;
        Ok((query, found))
    }
}

fn bulk(call: &mut Call<'_>, words: DryRun, body: Json<Bulk>) -> Result<Answer, Problem> {
    let Json(mut bulk) = body;
    let mode = mode_of(words.dry_run || bulk.dry_run);
    let act = bulk.act(call.now)?;
    let (selection, targets) = bulk.targets(call)?;
    let makes_secrets = matches!(act, ManyAct::ResetPassword | ManyAct::Rotate(_));
    let is_dry_run = mode == Mode::DryRun;
    if makes_secrets && !is_dry_run && targets.len() > ManyView::MOST_SHOWN {
        let most = ManyView::MOST_SHOWN;
        let detail = format!("more than {most} secrets are not answered; select fewer");
        return Err(Problem::invalid(detail));
    }
    let running = Running::new(act, selection, targets, mode);
    running.go_on(call, Answer::ok)
}

const REPORT: Shape = Shape::Named(
    "ManyDone",
    &Shape::Object(&[
        ("dry_run", Shape::Absent(&Shape::Bool)),
        ("matched", Shape::Integer),
        ("done", Shape::Integer),
        ("skipped", Shape::Integer),
        (
            "failed",
            Shape::List(&Shape::Object(&[
                ("name", Shape::Text),
                ("error", Shape::Text),
            ])),
        ),
        ("sessions_ended", Shape::Integer),
        (
            "stopped",
            Shape::Absent(&Shape::Object(&[
                ("after", MAYBE_TEXT),
                ("error", Shape::Text),
            ])),
        ),
        ("names", Shape::Absent(&TEXTS)),
        ("effects", Shape::Absent(&Shape::List(&EFFECT))),
        (
            "secrets",
            Shape::Absent(&Shape::List(&Shape::Object(&[
                ("name", Shape::Text),
                ("secret", Shape::Text),
            ]))),
        ),
    ]),
);

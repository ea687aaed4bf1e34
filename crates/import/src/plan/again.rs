//! What becomes of an object that an earlier import made: nothing where its source
//! is the same, and where it is not, what the source has changed.

use std::collections::BTreeMap;

use countersign_admin::credential::CredentialChanges;
use countersign_admin::import::{
    ImportedRole, KnownCredential, UpdateImportedCredential, UpdateImportedRole,
};
use countersign_admin::text::FreeText;
use countersign_core::imported::{ImportMark, PartDigest};
use countersign_core::lifecycle::State;
use countersign_core::name::GroupPath;
use countersign_core::role::{RoleName, RoleRule};
use countersign_core::rule::Rule;

use super::desired::{DesiredCredential, DesiredRole, DesiredRule, rules_of};
use super::made::{self, Parts, rule_part};
use super::planner::Planner;
use super::step::{MOST_IN_A_STEP, Step};

impl Planner<'_> {
    /// A role that an earlier import made.
    pub(super) fn role_again(
        &mut self,
        role: &mut DesiredRole,
        imported: &ImportedRole,
        mark: &ImportMark,
    ) {
        let known = &imported.role;
        let rules = rules_of(&role.rules);
        let parts = made::parts_of_role(role, &rules);
        if parts == mark.parts {
            self.told.count_unchanged();
            return;
        }
        if !self.options.update {
            let lost = lose_new_rules(&mut role.rules, &mark.parts);
            if !lost {
                role.items
                    .iter_mut()
                    .for_each(|item| item.lose(CHANGED, UPDATE));
            }
            return;
        }
        let unbound = |rule| RoleRule { rule, group: None };
        let (bound, own): (Vec<RoleRule>, Vec<RoleRule>) = known
            .rules
            .iter()
            .cloned()
            .partition(|rule| rule.group.is_some());
        let own: Vec<Rule> = own.into_iter().map(|rule| rule.rule).collect();
        let merged = merged_rules(&own, &rules, &mark.parts, &parts);
        let wildcards = PartDigest::of("no-wildcards", &role.no_wildcards.to_string());
        let step = Step::UpdateRole(UpdateImportedRole {
            tenant: self.options.tenant.id.clone(),
            name: role.name.clone(),
            rules: bound
                .into_iter()
                .chain(merged.into_iter().map(unbound))
                .collect(),
            no_wildcards: if mark.parts.contains(&wildcards) {
                known.no_wildcards
            } else {
                role.no_wildcards
            },
            assign: new_only(
                role.groups.iter().map(|joined| &joined.group),
                &imported.groups,
                |group| !mark.parts.contains(&group_part(group)),
            ),
            unassign: gone_only(&imported.groups, &mark.parts, &parts, group_part),
            mark: self.mark(parts),
        });
        self.steps.push(step);
    }

    /// A credential that an earlier import made.
    pub(super) fn known_credential(
        &mut self,
        wanted: &mut DesiredCredential,
        known: &KnownCredential,
    ) {
        match credential_again(wanted, known, self.source, self.options.update) {
            Again::Told => {}
            Again::Unchanged => self.told.count_unchanged(),
            Again::Update(update) => self.updates.push(*update),
        }
        if self.updates.len() >= MOST_IN_A_STEP {
            self.flush();
        }
    }
}

/// What becomes of a credential that an earlier import made.
pub(super) enum Again {
    /// What there is to say is told of its lines.
    Told,
    /// It is as its source has it.
    Unchanged,
    /// It is changed after its source.
    Update(Box<UpdateImportedCredential>),
}

/// Holds a credential that an earlier import made against what its source wants now.
pub(super) fn credential_again(
    wanted: &mut DesiredCredential,
    known: &KnownCredential,
    source: &str,
    may_update: bool,
) -> Again {
    let Some(mark) = &known.mark else {
        return Again::Told;
    };
    let rules = rules_of(&wanted.rules);
    let parts = made::parts_of_credential(wanted, &rules);
    if parts == mark.parts {
        return Again::Unchanged;
    }
    if known.credential.state == State::Revoked {
        if let Some(item) = wanted.items().next() {
            item.change("it is Revoked here, and stays as it is");
        }
        return Again::Told;
    }
    if !may_update {
        lose_what_is_new(wanted, &mark.parts);
        return Again::Told;
    }
    Again::Update(Box::new(update(
        wanted,
        known,
        mark,
        &rules,
        ImportMark {
            source: source.into(),
            parts,
            secret: None,
        },
    )))
}

fn update(
    wanted: &mut DesiredCredential,
    known: &KnownCredential,
    mark: &ImportMark,
    rules: &[Rule],
    now: ImportMark,
) -> UpdateImportedCredential {
    let parts = &now.parts;
    let stored = &known.credential;
    let is_new = |part: PartDigest| !mark.parts.contains(&part);
    let merged = merged_rules(&stored.rules, rules, &mark.parts, parts);
    let attribute_part =
        |key: &str, value: &str| PartDigest::of("attribute", &format!("{key}={value}"));
    let mut attributes: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in &stored.attributes {
        let part = attribute_part(key, value);
        if mark.parts.contains(&part) && !parts.contains(&part) {
            attributes.insert(key.clone(), String::new());
        }
    }
    for (key, value) in &wanted.attributes {
        if is_new(attribute_part(key, value)) {
            attributes.insert(key.clone(), value.clone());
        }
    }
    let wanted_roles = wanted.roles.iter().map(|held| &held.role);
    let wanted_groups = wanted.groups.iter().map(|joined| &joined.group);
    let changes = CredentialChanges {
        description: is_new(made::description_part(wanted))
            .then(|| {
                wanted
                    .description
                    .clone()
                    .or_else(|| FreeText::parse("").ok())
            })
            .flatten(),
        attributes,
        client_id_rule: is_new(made::client_id_part(wanted)).then(|| wanted.client_id_rule.clone()),
        add_groups: new_only(wanted_groups, &stored.groups, |group| {
            is_new(group_part(group))
        }),
        remove_groups: gone_only(&stored.groups, &mark.parts, parts, group_part),
        add_roles: new_only(wanted_roles, &stored.roles, |role| is_new(role_part(role))),
        remove_roles: gone_only(&stored.roles, &mark.parts, parts, role_part),
        expires_at: is_new(made::expiry_part(wanted)).then_some(wanted.expires_at),
    };
    let has_changes = changes.description.is_some()
        || changes.client_id_rule.is_some()
        || changes.expires_at.is_some()
        || !changes.attributes.is_empty()
        || !changes.add_groups.is_empty()
        || !changes.remove_groups.is_empty()
        || !changes.add_roles.is_empty()
        || !changes.remove_roles.is_empty();
    let is_suspended = stored.state == State::Suspended;
    let suspended = (is_new(made::state_part(wanted)) && is_suspended != wanted.is_suspended)
        .then_some(wanted.is_suspended);
    let mut password = None;
    if is_new(made::password_part(&wanted.password)) {
        let is_untouched = stored
            .secrets
            .iter()
            .map(|secret| secret.id)
            .eq(mark.secret);
        let given = wanted.password.password.take();
        let kept = match (&given, is_untouched) {
            (Some(_), true) => None,
            (Some(_), false) => Some("its password was changed here, and stays"),
            (None, _) => Some("it has no password any more there, and keeps the one it has here"),
        };
        match kept {
            None => password = given,
            Some(how) => {
                let own = wanted.items.first_mut();
                if let Some(item) = wanted.password.item.as_mut().or(own) {
                    item.change(how);
                }
            }
        }
    }
    UpdateImportedCredential {
        name: stored.name.clone(),
        password,
        rules: (merged != stored.rules).then_some(merged),
        changes: has_changes.then_some(changes),
        suspended,
        mark: now,
    }
}

/// The rules that are stored, without those that the source no longer has, and with
/// those that it has had only since.
fn merged_rules(stored: &[Rule], wanted: &[Rule], before: &Parts, now: &Parts) -> Vec<Rule> {
    let stays = |rule: &&Rule| {
        let part = rule_part(rule);
        !before.contains(&part) || now.contains(&part)
    };
    let is_new = |rule: &&Rule| !before.contains(&rule_part(rule)) && !stored.contains(rule);
    let kept = stored.iter().filter(stays);
    kept.chain(wanted.iter().filter(is_new)).cloned().collect()
}

/// What the source has only since an earlier import, and the store does not have.
fn new_only<'a, T: Clone + PartialEq + 'a>(
    wanted: impl Iterator<Item = &'a T>,
    stored: &[T],
    is_new: impl Fn(&T) -> bool,
) -> Vec<T> {
    let new = wanted.filter(|it| is_new(it) && !stored.contains(it));
    new.cloned().collect()
}

/// What the store has of an earlier import, and the source no longer has.
fn gone_only<T: Clone>(
    stored: &[T],
    before: &Parts,
    now: &Parts,
    part: impl Fn(&T) -> PartDigest,
) -> Vec<T> {
    let is_gone = |it: &&T| before.contains(&part(it)) && !now.contains(&part(it));
    stored.iter().filter(is_gone).cloned().collect()
}

fn role_part(role: &RoleName) -> PartDigest {
    PartDigest::of("role", role.as_str())
}

fn group_part(group: &GroupPath) -> PartDigest {
    PartDigest::of("group", group.as_str())
}

/// Gives up what the source has only since an earlier import.
fn lose_what_is_new(wanted: &mut DesiredCredential, before: &Parts) {
    let mut lost = lose_new_rules(&mut wanted.rules, before);
    if !before.contains(&made::password_part(&wanted.password))
        && let Some(item) = &mut wanted.password.item
    {
        item.lose(CHANGED, UPDATE);
        lost = true;
    }
    if !lost && let Some(item) = wanted.items().next() {
        item.lose(CHANGED, UPDATE);
    }
}

/// Gives up the rules that the source has only since an earlier import; says
/// whether there are such.
fn lose_new_rules(rules: &mut [DesiredRule], before: &Parts) -> bool {
    let mut lost = false;
    for desired in rules {
        if let (Some(rule), Some(item)) = (&desired.rule, &mut desired.item)
            && !before.contains(&rule_part(rule))
        {
            item.lose(CHANGED, UPDATE);
            lost = true;
        }
    }
    lost
}

const CHANGED: &str = "an earlier import made it, and the source has changed it since";
const UPDATE: &str = "import with --update";

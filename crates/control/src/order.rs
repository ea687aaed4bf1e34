//! Whether what dynamic-security would answer can be said here, where a deny always wins:
//! for each holder of several roles, in the order in which they are asked there.

use std::collections::BTreeMap;

use countersign_admin::{AdminError, ErrorKind, Tx};
use countersign_core::credential::Credential;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::{Role, RoleName};
use countersign_core::store::{CredentialQuery, StoreError, all_rows, each_row};

use crate::acl::{
    ALLOW_LESS, AclKind, DEFAULT_PRIORITY, DEFAULT_ROLE, DENY_WINS, Reach, TAKES_MORE, WITHHOLD,
    asked_before, place,
};
use crate::note::{self, ClientNote, GroupNote};
use crate::role_acls::{Acl, acls_of};

/// The roles of a tenant, with their rules in the order in which they are asked.
pub(crate) struct Order {
    tenant: TenantId,
    roles: BTreeMap<RoleName, Asked>,
    /// Whether SUBSCRIBE is allowed where no rule matches.
    subscribes: bool,
}

/// A role as it is asked.
struct Asked {
    acls: Vec<Acl>,
    no_wildcards: bool,
}

/// Which of the rules of a role are new.
pub(crate) type IsNew<'a> = &'a dyn Fn(&Acl) -> bool;

impl Order {
    /// Reads all roles of a tenant, as they are in the midst of the command.
    pub(crate) fn read(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Self, AdminError> {
        let mut roles = BTreeMap::new();
        let mut subscribes = false;
        for role in all_rows(|page| tx.roles(Some(tenant), page))? {
            let note = note::of(tx, tenant, role.name.as_str())?;
            let mut acls = acls_of(&role, &note);
            if role.name.as_str() == DEFAULT_ROLE {
                let mut acls = acls.iter();
                subscribes = !role.no_wildcards && acls.any(|acl| acl.kind.is_subscribe());
                continue;
            }
            acls.sort_by_key(|acl| place(acl.kind, acl.priority));
            let Role {
                name, no_wildcards, ..
            } = role;
            roles.insert(name, Asked { acls, no_wildcards });
        }
        Ok(Self {
            tenant: tenant.clone(),
            roles,
            subscribes,
        })
    }

    /// Checks a role of which these rules are new, for itself and with all who hold it.
    pub(crate) fn check_role(
        &self,
        tx: &mut Tx<'_>,
        name: &RoleName,
        is_new: IsNew<'_>,
    ) -> Result<(), AdminError> {
        let Some(asked) = self.roles.get(name) else {
            return Ok(());
        };
        for (at, first) in asked.acls.iter().enumerate() {
            for second in asked.acls.iter().skip(at.saturating_add(1)) {
                if (is_new(first) || is_new(second)) && overtakes(first, second) {
                    return Err(overtaken((name, first), (name, second)));
                }
            }
        }
        self.check_denies(Some((name, is_new)))?;
        if asked.no_wildcards && self.subscribes {
            return Err(self.with_default(name));
        }
        if !self.may_conflict(name, is_new) {
            return Ok(());
        }
        let tenant = self.tenant.clone();
        for id in tx.holders_of_role(&tenant, name)? {
            if let Some(holder) = tx.credential_by_id(id)? {
                self.check_sequence(&self.sequence(tx, &holder)?, name, is_new)?;
            }
        }
        for group in tx.groups_of_role(&tenant, name)? {
            self.check_group(tx, &group, name, is_new)?;
        }
        Ok(())
    }

    /// Checks what a client holds, of which this role is new.
    pub(crate) fn check_client(
        &self,
        tx: &mut Tx<'_>,
        client: &Credential,
        new: &RoleName,
    ) -> Result<(), AdminError> {
        if !self.may_conflict(new, &|_| true) {
            return Ok(());
        }
        self.check_sequence(&self.sequence(tx, client)?, new, &|_| true)
    }

    /// Checks what the clients of a group hold, of which this role, or these rules of it,
    /// are new; and the group by itself, as clients without a login may have it.
    pub(crate) fn check_group(
        &self,
        tx: &mut Tx<'_>,
        group: &GroupPath,
        new: &RoleName,
        is_new: IsNew<'_>,
    ) -> Result<(), AdminError> {
        if !self.may_conflict(new, is_new) {
            return Ok(());
        }
        self.check_sequence(&self.roles_of_group(tx, group)?, new, is_new)?;
        for member in members(tx, &self.tenant, group)? {
            self.check_sequence(&self.sequence(tx, &member)?, new, is_new)?;
        }
        Ok(())
    }

    /// Checks that no SUBSCRIBE goes past a deny of a SUBSCRIBE: with all rules, or those
    /// of a role that are new. What is allowed by default is new with all.
    pub(crate) fn check_denies(
        &self,
        new: Option<(&RoleName, IsNew<'_>)>,
    ) -> Result<(), AdminError> {
        let is_new =
            |name: &RoleName, acl: &Acl| new.is_none_or(|(of, is_new)| of == name && is_new(acl));
        let all = || {
            let roles = self.roles.iter();
            roles.flat_map(|(name, asked)| asked.acls.iter().map(move |acl| (name, acl)))
        };
        for (of, deny) in
            all().filter(|(_, acl)| !acl.is_allowed && acl.kind == AclKind::SubscribePattern)
        {
            let goes_past = |allow: Reach<'_>| allow.goes_past(reach(deny));
            let withholds =
                |(_, acl): (&RoleName, &Acl)| !acl.is_allowed && reach(acl).withholds(reach(deny));
            if all().any(withholds) {
                continue;
            }
            let past = all().find(|(name, acl)| {
                acl.is_allowed && (is_new(name, acl) || is_new(of, deny)) && goes_past(reach(acl))
            });
            if let Some((name, acl)) = past {
                let (deny, allow) = (told(of, deny), told(name, acl));
                return Err(cannot(format!(
                    "{deny}, and {allow}: {TAKES_MORE}; {WITHHOLD}"
                )));
            }
            let everything = Reach {
                kind: AclKind::SubscribePattern,
                filter: "#",
            };
            if self.subscribes && is_new(of, deny) && goes_past(everything) {
                let deny = told(of, deny);
                return Err(cannot(format!(
                    "{deny}, and SUBSCRIBE is allowed by default: {TAKES_MORE}; {WITHHOLD}"
                )));
            }
        }
        match self.roles.iter().find(|(_, asked)| asked.no_wildcards) {
            Some((name, _)) if self.subscribes && new.is_none() => Err(self.with_default(name)),
            Some(_) | None => Ok(()),
        }
    }

    fn with_default(&self, name: &RoleName) -> AdminError {
        cannot(format!(
            "role `{name}` has `allowwildcardsubs` false, and SUBSCRIBE is allowed by default: \
             there it keeps its holders from wildcards, here they are granted by default"
        ))
    }

    /// Whether a role could be in the way of another one, whoever holds both.
    fn may_conflict(&self, name: &RoleName, is_new: IsNew<'_>) -> bool {
        let others = self.roles.keys().filter(|other| *other != name);
        others.into_iter().any(|other| {
            self.conflict(name, other, name, is_new).is_some()
                || self.conflict(other, name, name, is_new).is_some()
        })
    }

    /// Checks roles in the order in which they are asked, with the new rules of one.
    fn check_sequence(
        &self,
        sequence: &[RoleName],
        new: &RoleName,
        is_new: IsNew<'_>,
    ) -> Result<(), AdminError> {
        for (at, first) in sequence.iter().enumerate() {
            for second in sequence.iter().skip(at.saturating_add(1)) {
                let conflict = || self.conflict(first, second, new, is_new);
                if first != second
                    && (first == new || second == new)
                    && let Some(error) = conflict()
                {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Why two roles can't be held by one, the first of which is asked first.
    fn conflict(
        &self,
        first: &RoleName,
        second: &RoleName,
        new: &RoleName,
        is_new: IsNew<'_>,
    ) -> Option<AdminError> {
        let (one, other) = (self.roles.get(first)?, self.roles.get(second)?);
        for allow in &one.acls {
            for deny in &other.acls {
                let counts = (first == new && is_new(allow)) || (second == new && is_new(deny));
                if counts && overtakes(allow, deny) {
                    return Some(overtaken((first, allow), (second, deny)));
                }
            }
        }
        let mut acls = other.acls.iter();
        let grants = acls
            .any(|acl| acl.is_allowed && acl.kind.is_subscribe() && acl.reach.contains(['+', '#']));
        if !one.no_wildcards || other.no_wildcards || !grants {
            return None;
        }
        Some(cannot(format!(
            "role `{first}` has `allowwildcardsubs` false and role `{second}`, which is asked \
             after it, grants wildcards: there the one keeps from what the other grants, here it \
             is granted"
        )))
    }

    /// The roles of a client, in the order in which they are asked.
    fn sequence(&self, tx: &mut Tx<'_>, client: &Credential) -> Result<Vec<RoleName>, StoreError> {
        let note: ClientNote = note::of(tx, &self.tenant, client.name.as_str())?;
        let mut sequence = sorted(&client.roles, RoleName::as_str, &note.roles);
        for group in sorted(&client.groups, GroupPath::as_str, &note.groups) {
            sequence.extend(self.roles_of_group(tx, &group)?);
        }
        Ok(sequence)
    }

    fn roles_of_group(
        &self,
        tx: &mut Tx<'_>,
        group: &GroupPath,
    ) -> Result<Vec<RoleName>, StoreError> {
        let held = tx.roles_of_group(&self.tenant, group)?;
        let note: GroupNote = note::of(tx, &self.tenant, group.as_str())?;
        Ok(sorted(&held, RoleName::as_str, &note.roles))
    }
}

/// Things in the order in which they are asked, or listed.
pub(crate) fn sorted<T: Clone>(
    things: &[T],
    name: impl Fn(&T) -> &str,
    priorities: &BTreeMap<String, i64>,
) -> Vec<T> {
    let priority = |thing: &T| priorities.get(name(thing)).copied();
    let key = |thing| (priority(thing).unwrap_or(DEFAULT_PRIORITY), name(thing));
    let mut sorted: Vec<&T> = things.iter().collect();
    sorted.sort_by(|one, other| asked_before(key(one), key(other)));
    sorted.into_iter().cloned().collect()
}

/// The clients that are in this very group.
pub(crate) fn members(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    group: &GroupPath,
) -> Result<Vec<Credential>, StoreError> {
    let query = CredentialQuery {
        tenant: Some(tenant.clone()),
        group: Some(group.clone()),
        ..CredentialQuery::default()
    };
    let mut found = Vec::new();
    each_row(
        |page| tx.credentials(&query, page),
        |credential: Credential| {
            if credential.groups.contains(group) {
                found.push(credential);
            }
            Ok(())
        },
    )?;
    Ok(found)
}

fn overtakes(first: &Acl, second: &Acl) -> bool {
    first.is_allowed && !second.is_allowed && reach(first).meets_deny(reach(second))
}

fn reach(acl: &Acl) -> Reach<'_> {
    Reach {
        kind: acl.kind,
        filter: &acl.reach,
    }
}

/// The refusal of an allow that comes before a deny, which names both.
fn overtaken(allow: (&RoleName, &Acl), deny: (&RoleName, &Acl)) -> AdminError {
    let (allow, deny) = (told(allow.0, allow.1), told(deny.0, deny.1));
    cannot(format!(
        "{allow} comes before {deny} there, and {DENY_WINS}; {ALLOW_LESS}, or give the deny the \
         higher priority"
    ))
}

fn told(role: &RoleName, acl: &Acl) -> String {
    let effect = if acl.is_allowed { "allow" } else { "deny" };
    let kind = acl.kind.as_str();
    format!(
        "`{kind} {}` ({effect}, priority {}) of role `{role}`",
        acl.topic, acl.priority
    )
}

/// What can't be said here.
pub(crate) fn cannot(message: String) -> AdminError {
    AdminError::of_door(ErrorKind::Conflict, message)
}

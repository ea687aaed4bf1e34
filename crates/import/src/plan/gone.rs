//! What an earlier import of this kind made, and its source no longer has. To pass it over
//! would leave rights that nobody has there.

use std::collections::HashSet;

use countersign_admin::import::{ImportedTenant, ListImported};
use countersign_admin::{Context, run};
use countersign_core::name::LoginName;
use countersign_core::rule::Effect;
use countersign_core::store::AdminStore;

use super::desired::{Desired, DesiredRole, Item, Outcome};
use super::made;
use crate::import_error::ImportError;
use crate::place::Place;

/// What a source has, to find what it no longer has.
pub(super) struct Gone {
    source: &'static str,
    /// The source as a whole; none where it says nothing at all.
    whole: Option<Place>,
    names: HashSet<LoginName>,
}

impl Gone {
    /// Looks at what a source wants.
    pub(super) fn of(desired: &Desired) -> Self {
        let logins = desired.credentials.iter();
        let logins = logins.filter_map(|credential| credential.login.as_ref().ok());
        Self {
            source: desired.source,
            whole: desired.whole(),
            names: logins.cloned().collect(),
        }
    }

    /// Roles of the tenant that are to have no rules any more, and no group to hold them.
    pub(super) fn roles(&self, found: &ImportedTenant, desired: &Desired) -> Vec<DesiredRole> {
        let Some(whole) = &self.whole else {
            return Vec::new();
        };
        let wanted: HashSet<_> = desired.roles.iter().map(|role| &role.name).collect();
        let gone = found.roles.iter().filter(|(name, role)| {
            let mark = role.mark.as_ref();
            let empty = made::parts_of_role(&DesiredRole::new((*name).clone()), &[]);
            mark.is_some_and(|mark| *mark.source == *self.source && mark.parts != empty)
                && !wanted.contains(name)
        });
        gone.map(|(name, _)| DesiredRole {
            items: vec![tell(whole, name.as_str(), TAKEN_AWAY.into())],
            ..DesiredRole::new(name.clone())
        })
        .collect()
    }

    /// Of such roles, takes those out that deny something: who holds one could do more
    /// without it. Says what is told of them.
    pub(super) fn denying(
        &self,
        found: &ImportedTenant,
        roles: &mut Vec<DesiredRole>,
    ) -> Vec<Item> {
        let denies = |role: &mut DesiredRole| {
            let known = found.roles.get(&role.name);
            let mut rules = known.into_iter().flat_map(|known| &known.role.rules);
            rules.any(|bound| bound.rule.effect() == Effect::Deny)
        };
        let denying = roles.extract_if(.., denies);
        let told = denying.zip(self.whole.iter().cycle());
        told.map(|(role, whole)| tell(whole, role.name.as_str(), DENIES.into()))
            .collect()
    }

    /// Tells of credentials that may still be used here. None is stopped by that: another
    /// source may have them.
    pub(super) fn credentials<S: AdminStore>(
        &self,
        store: &mut S,
        context: &mut Context<'_>,
        found: &ImportedTenant,
    ) -> Result<Vec<Item>, ImportError> {
        let (Some(whole), Some(tenant)) = (&self.whole, &found.tenant) else {
            return Ok(Vec::new());
        };
        let list = ListImported {
            tenant: tenant.id.clone(),
            source: self.source,
        };
        let mut imported = run(store, context, &list)?;
        imported.retain(|name| !self.names.contains(name));
        let tell = |name: LoginName| tell(whole, name.as_str(), MAY_LOG_IN.into());
        Ok(imported.into_iter().map(tell).collect())
    }

    /// What is told where nothing of it is changed: users may come one by one.
    pub(super) fn sum(
        &self,
        found: &ImportedTenant,
        roles: &[DesiredRole],
        credentials: &[Item],
    ) -> Option<Item> {
        let (whole, tenant) = self.whole.as_ref().zip(found.tenant.as_ref())?;
        let (roles, credentials) = (roles.len(), credentials.len());
        (roles > 0 || credentials > 0).then(|| {
            let how = format!(
                "{credentials} credentials and {roles} roles of earlier imports are not in this \
                 source, and stay as they are; --update takes the rules of such roles away, and \
                 tells which they are"
            );
            tell(whole, tenant.id.as_str(), how)
        })
    }
}

impl Desired {
    /// The source as a whole, if it says anything.
    fn whole(&self) -> Option<Place> {
        let of_roles = self.roles.iter().flat_map(|role| {
            let rules = role.rules.iter().filter_map(|rule| rule.item.as_ref());
            role.items.iter().chain(rules)
        });
        let of_credentials = self.credentials.iter().flat_map(|credential| {
            let rules = credential
                .rules
                .iter()
                .filter_map(|rule| rule.item.as_ref());
            let password = credential.password.item.iter();
            credential.items.iter().chain(rules).chain(password)
        });
        let mut items = self.items.iter().chain(of_credentials).chain(of_roles);
        items.next().map(|item| item.place.whole())
    }
}

fn tell(whole: &Place, what: &str, how: String) -> Item {
    Item::new(whole.clone(), what, Outcome::Changed(how.into()))
}

const TAKEN_AWAY: &str = "the source no longer has it: its rules are taken away";
const DENIES: &str = "the source no longer has it, and it denies something, so it stays: unless \
     another source has it, `role delete` it";
const MAY_LOG_IN: &str = "an earlier import made it, and the source no longer has it: here it may \
     still log in; unless another source has it, `credential suspend` or `credential delete` it";

//! What credentials would gain and lose by a change of what they say.

use std::collections::BTreeMap;

use countersign_core::access::AccessSubject;
use countersign_core::name::LoginName;
use countersign_core::store::Intent;

use super::{CredentialChanges, require_tenant};
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::difference::{ChangeEffect, PossibleClientIds, RightsContext};
use crate::error::AdminError;
use crate::lookup;

/// Says which of these credentials would gain or lose what if each was changed so;
/// those to which it makes no difference are left out, and so are those that are not
/// there. What is not there need not be taken away.
#[derive(Clone, Debug)]
pub struct PreviewChanges {
    /// Their names.
    pub names: Vec<LoginName>,
    /// What to change.
    pub changes: CredentialChanges,
}

impl Command for PreviewChanges {
    type Output = Vec<ChangeEffect>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        let first = self.names.first().cloned();
        first.map_or(Permission::Platform, Permission::Change)
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<ChangeEffect>, AdminError> {
        let mut policies = BTreeMap::new();
        let mut told = Vec::new();
        for name in &self.names {
            let Some(before) = tx.credential(name)? else {
                continue;
            };
            tx.require(&Permission::Change(name.clone()))?;
            let tenant = require_tenant(&before)?;
            let policy = match policies.get(tenant) {
                Some(policy) => policy,
                None => {
                    let found = lookup::tenant(tx, tenant)?;
                    let policy = RightsContext::read(tx, Some(found))?;
                    policies.entry(tenant.clone()).or_insert(policy)
                }
            };
            let Ok(after) = self.changes.fitted(&before).made_to(&before) else {
                continue;
            };
            let rights = |it| policy.access(AccessSubject::of_credential(it));
            let (then, now) = (rights(&before)?, rights(&after)?);
            let sessions = lookup::live_sessions(tx, before.id)?;
            let connected: Vec<_> = sessions.into_iter().map(|it| it.client_id).collect();
            let ids = PossibleClientIds::of(&before, &[&then, &now]);
            let difference = policy.compare(&then, &now, &connected, &ids);
            if !difference.is_none() {
                told.push(ChangeEffect {
                    name: before.name.clone(),
                    is_connected: !connected.is_empty(),
                    gains: difference.gains,
                    loses: difference.loses,
                });
            }
        }
        Ok(told)
    }
}

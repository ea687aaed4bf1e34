//! Tenants that the options name: that one does not exist is said once, and
//! again after a reload, since a host starts all the same.

use std::collections::BTreeSet;

use countersign_core::name::TenantId;
use countersign_core::options::Options;

use crate::cache::store_snapshot::StoreSnapshot;
use crate::host::{Directive, LogLevel};

/// What was said of them.
#[derive(Debug)]
pub(crate) struct NamedTenants {
    missing: BTreeSet<(String, TenantId)>,
    /// The options or the tenants may be others since it was looked.
    is_due: bool,
}

impl NamedTenants {
    /// Nothing was looked at yet.
    pub(crate) fn new() -> Self {
        Self {
            missing: BTreeSet::new(),
            is_due: true,
        }
    }

    /// Says whether there is something to look at.
    pub(crate) fn is_due(&self) -> bool {
        self.is_due
    }

    /// Has it looked again: the tenants changed.
    pub(crate) fn look_again(&mut self) {
        self.is_due = true;
    }

    /// Has all of it said again: the host reads its options again.
    pub(crate) fn say_again(&mut self) {
        *self = Self::new();
    }

    /// Says which tenants are missing that were not known to be.
    pub(crate) fn check(
        &mut self,
        options: &Options,
        snapshot: &StoreSnapshot,
        directives: &mut Vec<Directive>,
    ) {
        if !core::mem::take(&mut self.is_due) {
            return;
        }
        let listeners = options
            .listeners
            .iter()
            .map(|(port, tenant)| (format!("listener_{port}"), tenant));
        let default = options.default_tenant.iter();
        let named = default.map(|tenant| ("default_tenant".to_owned(), tenant));
        let dynsec = options.dynsec_tenant.iter();
        let dynsec = dynsec.map(|tenant| ("dynsec_tenant".to_owned(), tenant));
        let missing: BTreeSet<_> = named
            .chain(dynsec)
            .chain(listeners)
            .filter(|(_, tenant)| !snapshot.has_tenant(tenant) && !snapshot.is_damaged(tenant))
            .map(|(option, tenant)| (option, tenant.clone()))
            .collect();
        for (option, tenant) in missing.difference(&self.missing) {
            let effect = if option.starts_with("listener_") {
                "only operators can log in there"
            } else if option == "dynsec_tenant" {
                "its commands are refused"
            } else {
                "clients without a tenant in their name are refused"
            };
            directives.push(Directive::Log {
                level: LogLevel::Warning,
                line: format!(
                    "option `{option}` names tenant `{tenant}`, which does not exist: {effect}"
                ),
            });
        }
        self.missing = missing;
    }
}

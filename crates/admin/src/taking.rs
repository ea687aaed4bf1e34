//! Taking topics from the tenant that owns `#`.
//!
//! That tenant owns all that no other does. So a new namespace of another
//! tenant, and the first credential by a scheme with default rules, takes topics
//! from it, which a platform administrator has to want.

use countersign_core::change::Change;
use countersign_core::name::TenantId;
use countersign_core::store::Intent;
use countersign_core::tenant::{SubscribeMode, Tenant};
use countersign_core::topic::TopicFilter;
use serde::Serialize;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::password::ChosenPassword;

mod preview;

pub use self::preview::{Loser, PreviewTaking};

/// Whether an act may take topics from the tenant that owns `#`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Taking {
    /// It may, and the tenant filters what it subscribes to from then on: one
    /// that is strict may subscribe to `#` only while nobody else owns
    /// anything.
    Filtering,
    /// It may, and the tenant stays strict if it is.
    KeepingStrict,
    /// It may not.
    #[default]
    Refused,
}

/// A command that takes topics from the tenant that owns `#`, as far as `taking`
/// says so; without it, no command does.
#[derive(Clone, Debug)]
pub struct TakeFromRest<C> {
    /// The command.
    pub command: C,
    /// Whether it may take topics.
    pub taking: Taking,
}

impl<C: Command> Command for TakeFromRest<C> {
    type Output = C::Output;

    fn needs(&self) -> Permission {
        self.command.needs()
    }

    fn intent(&self) -> Intent {
        self.command.intent()
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        self.command.passwords()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<C::Output, AdminError> {
        let before = core::mem::replace(&mut tx.taking, self.taking);
        let output = self.command.apply(tx);
        tx.taking = before;
        output
    }
}

/// An act that can take topics from the tenant that owns `#`.
pub trait Plan: Command {
    /// What it would take. Refuses what the act would refuse, but for the taking
    /// itself.
    ///
    /// # Errors
    ///
    /// As [`Command::apply`].
    fn plan(&self, tx: &mut Tx<'_>) -> Result<Option<Taken>, AdminError>;
}

/// What an act takes from the tenant that owns `#`.
#[derive(Clone, Debug)]
pub struct Taken {
    owner: Tenant,
    taker: TenantId,
    topics: Vec<TopicFilter>,
}

impl Taken {
    /// What `taker` takes by owning these topics, or reaching them by a scheme;
    /// nothing where it owns `#` itself, and where no tenant does.
    pub(crate) fn of(
        tenants: Vec<Tenant>,
        taker: &TenantId,
        topics: Vec<TopicFilter>,
    ) -> Option<Self> {
        let owner = rest_owner(tenants).filter(|owner| owner.id != *taker)?;
        (!topics.is_empty()).then(|| Self {
            owner,
            taker: taker.clone(),
            topics,
        })
    }

    /// Checks that it may be taken.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] when the caller is not a platform administrator or
    /// did not say that it may be taken.
    pub(crate) fn check(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let Self { owner, taker, .. } = self;
        let named = self.topics().join("`, `");
        if !tx.may(&Permission::Platform) {
            // Whose they are is not the caller's business.
            return Err(AdminError::new(
                ErrorKind::Forbidden,
                Subject::nameless(Noun::Caller),
                format!(
                    "tenant `{taker}` does not own `{named}` so far; a platform administrator \
                     decides who does"
                ),
            ));
        }
        match tx.taking {
            Taking::Refused => Err(AdminError::new(
                ErrorKind::Conflict,
                Subject::in_tenant(Noun::Rest, &named, taker),
                format!(
                    "tenant `{taker}` would take `{named}` from tenant `{}`, which owns `#`",
                    owner.id
                ),
            )),
            Taking::Filtering | Taking::KeepingStrict => Ok(()),
        }
    }

    /// Takes it, if it may be taken.
    ///
    /// # Errors
    ///
    /// As [`Taken::check`].
    pub(crate) fn take(self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        self.check(tx)?;
        let mut owner = self.owner.clone();
        if tx.taking == Taking::Filtering {
            owner.subscribe = SubscribeMode::Filtered;
        }
        let before = Loss {
            subscribe: self.owner.subscribe.as_str(),
            taken: None,
        };
        tx.put_tenant(&owner)?;
        let after = Loss {
            subscribe: owner.subscribe.as_str(),
            taken: Some(self.topics()),
        };
        tx.record("tenant.set", owner.id.as_str(), Some(&before), Some(&after));
        tx.changed(Change::Tenant(owner.id));
        Ok(())
    }

    fn topics(&self) -> Vec<&str> {
        self.topics.iter().map(TopicFilter::as_str).collect()
    }
}

/// What the audit keeps of topics that were taken.
#[derive(Serialize)]
struct Loss<'a> {
    subscribe: &'static str,
    taken: Option<Vec<&'a str>>,
}

/// The tenant that owns `#`.
pub(crate) fn rest_owner(tenants: Vec<Tenant>) -> Option<Tenant> {
    let mut tenants = tenants.into_iter();
    tenants.find(|tenant| tenant.namespaces.hold_rest())
}

#[cfg(test)]
mod tests;

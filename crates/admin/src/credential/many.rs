//! One act on many credentials, a few in each transaction.
//!
//! Which they are is fixed before the first is changed, so that no act reaches more
//! than what its caller was told of. Each is looked at again in the transaction that
//! changes it: one that is not what was asked for any more is passed over. One that
//! has become so meanwhile is left to the next time.

use std::sync::Arc;

use countersign_core::client_id::ClientId;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::lifecycle::State;
use countersign_core::name::LoginName;
use countersign_core::presence::Presence;
use countersign_core::store::{AdminStore, CredentialQuery, Page, StoreError};

use super::{
    CredentialChanges, DeleteCredential, ListCredentials, ReactivateCredential, ResetPassword,
    RevokeCredential, RotateCredential, SetCredential, SuspendCredential, selected,
};
use crate::caller::Permission;
use crate::command::{Command, Mode, Tx, run, run_all};
use crate::context::Context;
use crate::error::{AdminError, ErrorKind, Noun};
use crate::lookup;
use crate::secret::{IssuedCredential, NewSecret, Overlap};
use crate::text::FreeText;

/// What can be done to many credentials.
#[derive(Clone, Debug)]
pub enum ManyAct {
    /// They are deleted.
    Delete,
    /// Their suspension is lifted.
    Reactivate,
    /// Each gets a generated secret in place of all that it has.
    ResetPassword,
    /// They are stopped for good, for this reason.
    Revoke(Option<FreeText>),
    /// Each gets a generated secret, beside which the old one may work for a while.
    Rotate(Overlap),
    /// They are changed. What is not there need not be taken away.
    Set(Box<CredentialChanges>),
    /// They are stopped for now.
    Suspend,
}

/// One of the credentials that an act is done to.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Target {
    /// Its name.
    pub name: LoginName,
    /// Its number, where it was found by what it is, and not named.
    pub id: Option<CredentialId>,
}

/// An act on one of many credentials.
#[derive(Clone, Debug)]
pub struct ActOnTarget {
    /// What is done.
    pub act: Arc<ManyAct>,
    /// What it must still be, where it was found by that.
    pub selection: Arc<CredentialQuery>,
    /// Which one.
    pub target: Target,
}

/// What became of one of many credentials.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub enum TargetOutcome {
    /// The act was done.
    Done {
        /// Its new secret, where it was given one.
        issued: Option<Box<IssuedCredential>>,
        /// How many live sessions end by it.
        sessions_ended: u64,
    },
    /// It was so already, or it is not what was asked for any more.
    Skipped,
}

/// What became of some credentials, in their order.
#[derive(Default)]
#[expect(missing_debug_implementations, reason = "it holds secrets")]
pub struct Step {
    /// Of each, as far as they were reached.
    pub outcomes: Vec<Result<TargetOutcome, AdminError>>,
    /// Why those behind were not reached.
    pub stopped: Option<AdminError>,
}

/// Acts on some credentials in one transaction; where one of them is refused, on each
/// in a transaction of its own, so that all others are done.
///
/// `keep` is handed what was given a new secret before that is committed. What it fails
/// with stops the step; that secret was not given then.
pub fn act_on<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    acts: &[ActOnTarget],
    mode: Mode,
    keep: &mut dyn FnMut(&[&IssuedCredential]) -> Result<(), AdminError>,
) -> Step {
    let mut step = Step::default();
    let is_refusal = |error: &AdminError| error.kind() != ErrorKind::Unavailable;
    let mut run =
        |acts: &[ActOnTarget]| run_all(store, context, acts, mode, |it| keep(&issued(it)));
    match run(acts) {
        Ok(outcomes) => step.outcomes.extend(outcomes.into_iter().map(Ok)),
        Err(error) if !is_refusal(&error) => step.stopped = Some(error),
        Err(error) if acts.len() < 2 => step.outcomes.push(Err(error)),
        Err(_) => {
            for act in acts {
                match run(core::slice::from_ref(act)) {
                    Ok(outcomes) => step.outcomes.extend(outcomes.into_iter().map(Ok)),
                    Err(error) if is_refusal(&error) => step.outcomes.push(Err(error)),
                    Err(error) => {
                        step.stopped = Some(error);
                        break;
                    }
                }
            }
        }
    }
    step
}

/// Finds the credentials that an act is done to, in the order of their names.
///
/// # Errors
///
/// Returns [`AdminError`] when the caller may not see them, when there are more than
/// `most`, and when the store can't be read.
pub fn find_targets<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    mut list: ListCredentials,
    most: usize,
) -> Result<Vec<Target>, AdminError> {
    let mut targets = Vec::new();
    loop {
        let page = run(store, context, &list)?;
        let found = page.listed.rows.into_iter().map(|credential| Target {
            id: Some(credential.id),
            name: credential.name,
        });
        targets.extend(found);
        if targets.len() > most {
            let text = format!("more than {most} credentials are selected; select fewer");
            return Err(AdminError::invalid(Noun::Credential, "", text));
        }
        if page.listed.next.is_none() {
            return Ok(targets);
        }
        list.page.after = page.listed.next;
    }
}

fn issued(outcomes: &[TargetOutcome]) -> Vec<&IssuedCredential> {
    let issued = outcomes.iter().filter_map(|outcome| match outcome {
        TargetOutcome::Done { issued, .. } => issued.as_deref(),
        TargetOutcome::Skipped => None,
    });
    issued.collect()
}

impl Command for ActOnTarget {
    type Output = TargetOutcome;

    fn needs(&self) -> Permission {
        let name = self.target.name.clone();
        match &*self.act {
            ManyAct::Delete | ManyAct::Set(_) => Permission::Change(name),
            ManyAct::Reactivate
            | ManyAct::ResetPassword
            | ManyAct::Revoke(_)
            | ManyAct::Rotate(_)
            | ManyAct::Suspend => Permission::Operate(name),
        }
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<TargetOutcome, AdminError> {
        let Some(found) = self.found(tx)? else {
            return Ok(TargetOutcome::Skipped);
        };
        if self.act.is_done(&found) {
            return Ok(TargetOutcome::Skipped);
        }
        let sessions_ended = self.act.count_ended(tx, &found)?;
        let issued = self.act.done_to(tx, &found)?;
        Ok(TargetOutcome::Done {
            issued: issued.map(Box::new),
            sessions_ended,
        })
    }
}

impl ActOnTarget {
    /// So many a transaction: brokers wait for its lock.
    pub const AT_ONCE: usize = 50;

    /// The same act on each of these.
    #[must_use]
    pub fn all(
        act: &Arc<ManyAct>,
        selection: &Arc<CredentialQuery>,
        targets: &[Target],
    ) -> Vec<Self> {
        let on = |target: &Target| Self {
            act: Arc::clone(act),
            selection: Arc::clone(selection),
            target: target.clone(),
        };
        targets.iter().map(on).collect()
    }

    /// The credential; none where it is not what was asked for any more.
    fn found(&self, tx: &mut Tx<'_>) -> Result<Option<Credential>, AdminError> {
        let Target { name, id } = &self.target;
        if id.is_none() {
            return Ok(Some(lookup::credential(tx, name)?.credential));
        }
        // Of all names that begin with this one, it is the first.
        let query = CredentialQuery {
            name_prefix: Some(name.clone()),
            ..CredentialQuery::clone(&self.selection)
        };
        let first = Page {
            after: None,
            limit: 1,
        };
        let found = selected(tx, query, &first)?.rows.pop();
        Ok(found.filter(|found| Some(found.id) == *id && found.name == *name))
    }
}

impl ManyAct {
    /// What the audit calls it.
    #[must_use]
    pub const fn audited_as(&self) -> &'static str {
        match self {
            Self::Delete => "credential.delete",
            Self::Reactivate => "credential.reactivate",
            Self::ResetPassword => "credential.reset-password",
            Self::Revoke(_) => "credential.revoke",
            Self::Rotate(_) => "credential.rotate",
            Self::Set(_) => "credential.set",
            Self::Suspend => "credential.suspend",
        }
    }

    /// Says whether a credential is already what it would be then.
    fn is_done(&self, credential: &Credential) -> bool {
        let state = credential.state;
        match self {
            Self::Delete | Self::ResetPassword | Self::Rotate(_) => false,
            Self::Reactivate => matches!(state, State::Active | State::Inactive),
            Self::Revoke(_) => state == State::Revoked,
            Self::Set(changes) => changes.fitted(credential).change_nothing(credential),
            Self::Suspend => state == State::Suspended,
        }
    }

    fn done_to(
        &self,
        tx: &mut Tx<'_>,
        credential: &Credential,
    ) -> Result<Option<IssuedCredential>, AdminError> {
        let name = credential.name.clone();
        match self {
            Self::Delete => tx.run(&DeleteCredential(name))?,
            Self::Reactivate => drop(tx.run(&ReactivateCredential(name))?),
            Self::ResetPassword => {
                let secret = NewSecret::Generated;
                return tx.run(&ResetPassword { name, secret }).map(Some);
            }
            Self::Revoke(reason) => {
                let reason = reason.clone();
                tx.run(&RevokeCredential { name, reason })?;
            }
            Self::Rotate(overlap) => {
                let overlap = *overlap;
                return tx.run(&RotateCredential { name, overlap }).map(Some);
            }
            Self::Set(changes) => {
                let changes = changes.fitted(credential);
                tx.run(&SetCredential { name, changes })?;
            }
            Self::Suspend => drop(tx.run(&SuspendCredential(name))?),
        }
        Ok(None)
    }

    /// How many live sessions of a credential end by it.
    fn count_ended(&self, tx: &mut Tx<'_>, credential: &Credential) -> Result<u64, StoreError> {
        let ends = |presence: &Presence| match self {
            Self::Delete | Self::ResetPassword | Self::Revoke(_) | Self::Suspend => true,
            Self::Reactivate => false,
            Self::Rotate(overlap) => *overlap == Overlap::None,
            Self::Set(changes) => changes.client_id_rule.as_ref().is_some_and(|rule| {
                let id = ClientId::parse(&presence.client_id);
                id.is_ok_and(|id| !rule.admits(&id, credential.name.as_str(), None, None))
            }),
        };
        let sessions = lookup::live_sessions(tx, credential.id)?;
        let ended = sessions.iter().filter(|session| ends(session)).count();
        Ok(u64::try_from(ended).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests;

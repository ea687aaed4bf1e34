//! The acts of a credential's life: suspend, reactivate, revoke, delete and
//! untie (design §3).

use countersign_core::change::Change;
use countersign_core::credential::Credential;
use countersign_core::lifecycle::Act;
use countersign_core::name::LoginName;
use countersign_core::store::{AdminStore, AdminTransaction as _, Intent};

use super::{CredentialError, act_on, find, transition};
use crate::context::Context;
use crate::text::Text;
use crate::view::CredentialTrace;

/// Stops a credential for now. Its sessions end.
///
/// # Errors
///
/// Returns [`CredentialError`] when there is none, when its state does not
/// allow it, or when the store can't be written; nothing changed then.
pub fn suspend<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    name: &LoginName,
) -> Result<Credential, CredentialError> {
    let (credential, ()) = act_on(store, context, name, "credential.suspend", |_, credential| {
        credential.state = transition(credential, Act::Suspend)?;
        // A reactivation that follows at once must not save the sessions.
        credential.generation = credential.generation.next();
        Ok(())
    })?;
    Ok(credential)
}

/// Lifts a suspension.
///
/// # Errors
///
/// As [`suspend`].
pub fn reactivate<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    name: &LoginName,
) -> Result<Credential, CredentialError> {
    let (credential, ()) = act_on(store, context, name, "credential.reactivate", |_, credential| {
        let ever_used = credential.ever_used;
        credential.state = transition(credential, Act::Reactivate { ever_used })?;
        Ok(())
    })?;
    Ok(credential)
}

/// Stops a credential for good. Its sessions end.
///
/// # Errors
///
/// As [`suspend`].
pub fn revoke<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    name: &LoginName,
    reason: Option<Text>,
) -> Result<Credential, CredentialError> {
    let (credential, ()) = act_on(store, context, name, "credential.revoke", |_, credential| {
        credential.state = transition(credential, Act::Revoke)?;
        credential.revoked_reason = reason.and_then(Text::into_filled);
        Ok(())
    })?;
    Ok(credential)
}

/// Deletes a credential, in whatever state. Its sessions end, and one made
/// later under the same name is another.
///
/// # Errors
///
/// Returns [`CredentialError`] when there is none or the store can't be
/// written; nothing changed then.
pub fn delete<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    name: &LoginName,
) -> Result<(), CredentialError> {
    let mut transaction = store.begin(Intent::Write)?;
    let credential = find(&mut transaction, name)?;
    transaction.delete_credential(credential.id)?;
    let before = CredentialTrace::of(&credential);
    let row = context.audit(
        "credential.delete",
        name.as_str(),
        Some(&before),
        None::<&CredentialTrace>,
    );
    transaction.commit(&[row], &[Change::Credential(credential.id)])?;
    Ok(())
}

/// Takes away the tie to the client id that a credential was first used with.
/// Its sessions end, and the next client ties it anew.
///
/// # Errors
///
/// Returns [`CredentialError`] when there is none, when it is not tied, or
/// when the store can't be written; nothing changed then.
pub fn untie<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    name: &LoginName,
) -> Result<Credential, CredentialError> {
    let (credential, ()) = act_on(store, context, name, "credential.untie", |_, credential| {
        if credential.client_id_tie.take().is_none() {
            return Err(CredentialError::NotTied { name: name.clone() });
        }
        // The client it was tied to must not stay beside the next one.
        credential.generation = credential.generation.next();
        Ok(())
    })?;
    Ok(credential)
}

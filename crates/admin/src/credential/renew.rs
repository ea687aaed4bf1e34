//! New secrets for old credentials: reset and rotation (design §3).

use core::time::Duration;

use countersign_core::credential::Credential;
use countersign_core::lifecycle::Act;
use countersign_core::name::LoginName;
use countersign_core::secret::StoredSecret;
use countersign_core::store::{AdminStore, AdminTransaction, Intent};
use countersign_core::time::Timestamp;

use super::{CredentialError, Issued, act_on, find, transition};
use crate::context::Context;
use crate::password::{NewSecret, PreparedSecret};

/// How long the old secret works beside the new one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Overlap {
    /// For so long.
    For(Duration),
    /// For so long, and not after the new one was first used.
    ForUntilUsed(Duration),
    /// Not at all: its sessions end.
    None,
    /// Until the new one is first used.
    UntilUsed,
}

impl Overlap {
    /// When the old secret ends by itself, if it does.
    fn ends_at(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::For(duration) | Self::ForUntilUsed(duration) => Some(now.plus(duration)),
            Self::None | Self::UntilUsed => None,
        }
    }

    fn until_used(self) -> bool {
        match self {
            Self::ForUntilUsed(_) | Self::UntilUsed => true,
            Self::For(_) | Self::None => false,
        }
    }
}

/// Replaces all secrets of a credential at once. Its sessions end; its state
/// stays.
///
/// # Errors
///
/// Returns [`CredentialError`] when there is none, when it is revoked, or when
/// the store can't be written; nothing changed then.
pub fn reset_password<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    name: &LoginName,
    secret: NewSecret,
) -> Result<Issued, CredentialError> {
    // What can be refused is refused before a password is hashed.
    let params = {
        let mut transaction = store.begin(Intent::Read)?;
        transition(&find(&mut transaction, name)?, Act::ResetPassword)?;
        transaction.settings()?.argon2
    };
    let secret = secret.prepare(context, params)?;
    let verifier = &secret.verifier;
    let act = "credential.reset-password";
    let (credential, ()) = act_on(store, context, name, act, |transaction, credential| {
        credential.state = transition(credential, Act::ResetPassword)?;
        remove_secrets(transaction, credential, |_| true)?;
        transaction.add_secret(credential.id, verifier)?;
        credential.generation = credential.generation.next();
        Ok(())
    })?;
    Ok(Issued {
        credential,
        secret: secret.shown_once,
        old_secret_until: None,
    })
}

/// Gives a credential a new generated secret. With an overlap the old one
/// works for a while, and no session ends; without one, sessions end.
///
/// A credential holds at most two secrets. While one overlap runs, another is
/// refused: to drop the oldest secret would cut off clients that were
/// promised time.
///
/// # Errors
///
/// Returns [`CredentialError`] when there is none, when it is revoked, when an
/// overlap runs already, or when the store can't be written; nothing changed
/// then.
pub fn rotate<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    name: &LoginName,
    overlap: Overlap,
) -> Result<Issued, CredentialError> {
    let secret = PreparedSecret::generate(context)?;
    let verifier = &secret.verifier;
    let now = context.now;
    let act = "credential.rotate";
    let (credential, until) = act_on(store, context, name, act, |transaction, credential| {
        credential.state = transition(credential, Act::Rotate)?;
        let until = match overlap {
            Overlap::None => {
                remove_secrets(transaction, credential, |_| true)?;
                credential.generation = credential.generation.next();
                None
            }
            Overlap::For(_) | Overlap::ForUntilUsed(_) | Overlap::UntilUsed => {
                remove_secrets(transaction, credential, |secret| !secret.is_usable(now))?;
                keep_for_a_while(transaction, credential, overlap, now)?
            }
        };
        transaction.add_secret(credential.id, verifier)?;
        Ok(until)
    })?;
    Ok(Issued {
        credential,
        secret: secret.shown_once,
        old_secret_until: until,
    })
}

/// Limits the one usable secret of a credential to `overlap`.
fn keep_for_a_while<T: AdminTransaction>(
    transaction: &mut T,
    credential: &Credential,
    overlap: Overlap,
    now: Timestamp,
) -> Result<Option<Timestamp>, CredentialError> {
    let mut usable = credential.secrets.iter().filter(|secret| secret.is_usable(now));
    let old = usable.next();
    if usable.next().is_some() {
        return Err(CredentialError::OverlapRunning {
            name: credential.name.clone(),
        });
    }
    let until = overlap.ends_at(now);
    if let Some(old) = old {
        transaction.limit_secret(old.id, until, overlap.until_used())?;
    }
    Ok(until)
}

fn remove_secrets<T: AdminTransaction>(
    transaction: &mut T,
    credential: &Credential,
    goes: impl Fn(&StoredSecret) -> bool,
) -> Result<(), CredentialError> {
    for secret in credential.secrets.iter().filter(|secret| goes(secret)) {
        transaction.remove_secret(secret.id)?;
    }
    Ok(())
}

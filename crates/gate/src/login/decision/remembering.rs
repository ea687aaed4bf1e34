//! Remembering the password that let a client in.

use std::sync::Arc;

use countersign_core::connect::{Admission, Proof};
use countersign_core::secret::Verifier;

use crate::login::hash_pool::RehashJob;
use crate::login::slow_check::HashResult;
use crate::state::State;

/// Remembers the password that let a client in; returns it if it is hashed in
/// another way than it should be.
pub(super) fn remember<S>(
    state: &mut State<S>,
    admission: &Admission,
    hash_result: &HashResult,
) -> Option<RehashJob> {
    let identity = &admission.identity;
    let (Some(credential), Some(Proof::Secret(secret))) = (identity.credential(), identity.proof())
    else {
        return None;
    };
    let about = hash_result.proves(credential.id, secret)?;
    state
        .verifier
        .remember(about, secret, &hash_result.presented);
    let mut secrets = credential.secrets.iter();
    let stored = secrets.find(|stored| stored.id == secret)?;
    let settings = &state.view.snapshot.settings;
    let wanted = settings.argon2;
    match &stored.verifier {
        Verifier::Password(hash) if settings.rehash && hash.params() != Some(wanted) => {
            Some(RehashJob {
                secret,
                presented: Arc::clone(&hash_result.presented),
                old: hash.clone(),
                wanted,
            })
        }
        Verifier::Digest(_) | Verifier::Password(_) => None,
    }
}

//! What a slow check of a secret must find out, and what it found.

use std::sync::Arc;

use countersign_core::credential::{Credential, CredentialId, Generation};
use countersign_core::reason::Reason;
use countersign_core::secret::{PasswordHash, Secret, SecretDigest, SecretId};

use crate::login::hash_pool::HashOutcome;

/// A credential as it was when a slow check of its secrets began.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct CredentialVersion {
    pub(crate) id: CredentialId,
    pub(crate) generation: Generation,
}

impl CredentialVersion {
    pub(crate) fn of(credential: &Credential) -> Self {
        Self {
            id: credential.id,
            generation: credential.generation,
        }
    }
}

/// What a slow check must find out.
#[derive(Clone)]
pub(crate) struct HashRequest {
    /// The credential; none if no credential has the name.
    pub(crate) about: Option<CredentialVersion>,
    /// The name of whom it is about.
    pub(crate) name: Option<Arc<str>>,
    /// What is compared, which need not be all that was presented.
    pub(crate) presented: Arc<Secret>,
    pub(crate) passwords: Vec<(SecretId, PasswordHash)>,
    /// The secret that it is known to be. Only the time of a wrong one is to be
    /// spent, before the client hears that it is refused.
    pub(crate) proved: Option<SecretId>,
    /// Why the login is refused whatever is found, where that is counted already: a
    /// password that was verified before came with a wrong code.
    pub(crate) failed: Option<Reason>,
}

impl HashRequest {
    /// How many rounds of PBKDF2 a check takes, if a right secret would be found at
    /// once.
    pub(crate) fn quick_rounds(&self) -> Option<u32> {
        if self.passwords.is_empty() {
            return None;
        }
        let mut passwords = self.passwords.iter();
        passwords.try_fold(0, |rounds: u32, (_, hash)| {
            Some(rounds.saturating_add(hash.quick_rounds()?))
        })
    }

    /// What was found out, and about whom.
    pub(crate) fn answered(&self, found: HashOutcome) -> HashResult {
        HashResult {
            about: self.about,
            presented: Arc::clone(&self.presented),
            found,
            failed: self.failed,
        }
    }
}

/// What a slow check found out, and about whom.
#[derive(Clone)]
pub(crate) struct HashResult {
    pub(crate) about: Option<CredentialVersion>,
    /// What was compared.
    pub(crate) presented: Arc<Secret>,
    pub(crate) found: HashOutcome,
    /// See [`HashRequest::failed`].
    pub(crate) failed: Option<Reason>,
}

impl HashResult {
    /// Says whether this is what was compared. Which part of what a client
    /// presents is its password may have changed meanwhile.
    pub(crate) fn is_about(&self, presented: &Secret) -> bool {
        SecretDigest::of(&self.presented) == SecretDigest::of(presented)
    }

    /// The credential and the password of it that were found, if this is the
    /// secret by which somebody was let in.
    pub(crate) fn proves(&self, id: CredentialId, proved: SecretId) -> Option<CredentialVersion> {
        let is_it = self.found.secret() == Some(proved);
        self.about.filter(|about| is_it && about.id == id)
    }

    /// The same for a decision at another time.
    pub(crate) fn settled(self) -> Self {
        let found = self.found.settled();
        Self { found, ..self }
    }
}

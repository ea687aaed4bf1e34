//! Comparing secrets: digests at once, passwords slowly and once.

use std::collections::HashMap;

use countersign_core::connect::{Checked, SecretCheck, Wasted};
use countersign_core::credential::{Credential, CredentialId, Generation};
use countersign_core::scheme::NameForm;
use countersign_core::secret::{
    Argon2Params, PasswordHash, Secret, SecretDigest, SecretId, Tag, TagKey, Verifier,
};
use countersign_core::time::Timestamp;

/// Compares secrets on the thread that asks, and remembers, in memory alone,
/// which passwords it has verified.
pub(crate) struct Comparer {
    key: TagKey,
    verified: HashMap<CredentialId, Verified>,
    /// Matches nothing; hashing against it costs what hashing costs.
    dummy: Option<PasswordHash>,
}

/// The verified passwords of one credential in one generation.
struct Verified {
    generation: Generation,
    tags: Vec<(SecretId, Tag)>,
}

impl Comparer {
    pub(crate) fn new(key: TagKey, argon2: Argon2Params) -> Self {
        Self {
            key,
            verified: HashMap::new(),
            dummy: PasswordHash::unmatchable(argon2).ok(),
        }
    }

    /// Takes over how passwords are hashed now.
    pub(crate) fn set_argon2(&mut self, argon2: Argon2Params) {
        self.dummy = PasswordHash::unmatchable(argon2).ok();
    }

    /// Forgets what was verified for a credential that changed.
    pub(crate) fn forget(&mut self, credential: CredentialId) {
        self.verified.remove(&credential);
    }

    /// The tag of what a session presented, by which it is recognised when
    /// its host asks again.
    pub(crate) fn session_tag(&self, client_id: &str, secret: Option<&Secret>) -> Tag {
        match secret {
            Some(secret) => self.key.tag(&[b"session", client_id.as_bytes()], secret),
            None => {
                let nothing = Secret::new(Vec::new());
                self.key.tag(
                    &[b"session without password", client_id.as_bytes()],
                    &nothing,
                )
            }
        }
    }

    fn credential_tag(&self, credential: &Credential, presented: &Secret) -> Tag {
        let id = credential.id.0.to_le_bytes();
        let generation = credential.generation.0.to_le_bytes();
        self.key.tag(&[b"credential", &id, &generation], presented)
    }

    fn recognised(&self, credential: &Credential, tag: Tag) -> Option<SecretId> {
        let verified = self.verified.get(&credential.id)?;
        if verified.generation != credential.generation {
            return None;
        }
        verified
            .tags
            .iter()
            .find(|(_, known)| *known == tag)
            .map(|(secret, _)| *secret)
    }

    fn remember(&mut self, credential: &Credential, secret: SecretId, tag: Tag) {
        if self.verified.len() >= MOST_VERIFIED && !self.verified.contains_key(&credential.id) {
            // Any one: whoever it was costs one hash more.
            if let Some(id) = self.verified.keys().next().copied() {
                self.verified.remove(&id);
            }
        }
        let verified = self
            .verified
            .entry(credential.id)
            .or_insert_with(|| Verified {
                generation: credential.generation,
                tags: Vec::with_capacity(1),
            });
        if verified.generation != credential.generation {
            verified.generation = credential.generation;
            verified.tags.clear();
        }
        verified.tags.retain(|(known, _)| *known != secret);
        verified.tags.push((secret, tag));
    }

    /// Compares with the passwords that work at `now`, or wastes the time
    /// where there are none.
    fn compare_passwords(
        &mut self,
        credential: &Credential,
        presented: &Secret,
        form: NameForm,
        now: Timestamp,
    ) -> Option<SecretId> {
        let tag = self.credential_tag(credential, presented);
        let works = |id: SecretId| {
            credential
                .secrets
                .iter()
                .any(|stored| stored.id == id && stored.is_usable(now))
        };
        if let Some(secret) = self
            .recognised(credential, tag)
            .filter(|secret| works(*secret))
        {
            return Some(secret);
        }
        let mut hashed = false;
        for stored in credential
            .secrets
            .iter()
            .filter(|stored| stored.is_usable(now))
        {
            match &stored.verifier {
                Verifier::Digest(_) => {}
                Verifier::Password(hash) => {
                    hashed = true;
                    if hash.verify(presented) {
                        self.remember(credential, stored.id, tag);
                        return Some(stored.id);
                    }
                }
            }
        }
        if !hashed {
            self.hash_in_vain(presented, form);
        }
        None
    }

    /// Takes the time that a slow check takes, unless names of this form never
    /// have a secret that needs one.
    fn hash_in_vain(&self, presented: &Secret, form: NameForm) {
        if let Some(dummy) = self.dummy.as_ref().filter(|_| !form.is_cheap()) {
            let _never = core::hint::black_box(dummy.verify(presented));
        }
    }
}

impl SecretCheck for Comparer {
    fn compare(
        &mut self,
        credential: &Credential,
        presented: &Secret,
        form: NameForm,
        now: Timestamp,
    ) -> Checked {
        let digest = SecretDigest::of(presented);
        let by_digest = credential
            .secrets
            .iter()
            .find(|stored| match &stored.verifier {
                Verifier::Digest(known) => *known == digest && stored.is_usable(now),
                Verifier::Password(_) => false,
            });
        let secret = match by_digest {
            Some(stored) => Some(stored.id),
            None => self.compare_passwords(credential, presented, form, now),
        };
        secret.map_or(Checked::Mismatch, Checked::Match)
    }

    fn waste(&mut self, presented: &Secret, form: NameForm) -> Wasted {
        self.hash_in_vain(presented, form);
        Wasted::Done
    }
}

/// So many credentials are recognised without hashing; about 130 bytes each.
const MOST_VERIFIED: usize = 1 << 20;

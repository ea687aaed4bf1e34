//! Comparing secrets: digests at once, passwords slowly and once.
//!
//! No password is hashed here. Where one must be, [`Comparison`] gives a
//! [`HashRequest`]; the gate has it hashed and decides again with the
//! [`HashResult`].
//!
//! A password is remembered only once it let a client in. Where a remembered
//! password is presented, or one whose hash is cheaper than ours, and the login
//! is refused all the same, the refusal takes as long as that of a wrong
//! password. So the time of a refusal does not tell that a password is right.

use core::cell::OnceCell;
use std::sync::Arc;

use countersign_core::certificate::{AuthorityKey, Fingerprint, Leaf};
use countersign_core::connect::{DummyVerified, SecretCheck, SecretVerdict, SignatureVerdict};
use countersign_core::credential::{Credential, CredentialId, Generation};
use countersign_core::issuer::{IssuerRecord, PresentedToken};
use countersign_core::number_map::NumberMap;
use countersign_core::scheme::NameForm;
use countersign_core::secret::{
    Argon2Params, PasswordHash, Secret, SecretDigest, SecretId, Tag, TagKey, Verifier,
};
use countersign_core::time::Timestamp;

use crate::config::GateError;
use crate::login::hash_pool::HashOutcome;
use crate::login::slow_check::{CredentialVersion, HashRequest, HashResult};

pub(crate) use self::signature_checks::SignatureChecks;

mod signature_checks;

/// Remembers, in memory alone, which passwords were verified.
pub(crate) struct SecretVerifier {
    key: TagKey,
    verified: NumberMap<CredentialId, VerifiedPasswords>,
    /// Matches nothing; hashing against it costs what hashing costs.
    dummy: Option<PasswordHash>,
}

/// The verified passwords of one credential in one generation.
struct VerifiedPasswords {
    generation: Generation,
    tags: Vec<(SecretId, Tag)>,
}

impl SecretVerifier {
    /// Makes tags with a key that is drawn now.
    ///
    /// # Errors
    ///
    /// Returns [`GateError`] when there are no random bytes.
    pub(crate) fn new(argon2: Argon2Params) -> Result<Self, GateError> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|_| GateError::NoRandomness)?;
        Ok(Self::with_key(TagKey::new(random), argon2))
    }

    fn with_key(key: TagKey, argon2: Argon2Params) -> Self {
        Self {
            key,
            verified: NumberMap::default(),
            dummy: PasswordHash::unmatchable(argon2).ok(),
        }
    }

    /// Takes over how passwords are hashed now.
    pub(crate) fn set_argon2(&mut self, argon2: Argon2Params) {
        self.dummy = PasswordHash::unmatchable(argon2).ok();
    }

    /// Says whether a password of this credential was verified, and not merely
    /// a digest.
    pub(crate) fn has_verified(&self, credential: CredentialId) -> bool {
        self.verified.contains_key(&credential)
    }

    /// Forgets what was verified: the store is another one.
    pub(crate) fn forget_all(&mut self) {
        self.verified.clear();
    }

    /// Forgets what was verified for a credential that changed.
    pub(crate) fn forget(&mut self, credential: CredentialId) {
        self.verified.remove(&credential);
    }

    /// Remembers that this secret is that one of a credential.
    pub(crate) fn remember(
        &mut self,
        version: CredentialVersion,
        secret: SecretId,
        presented: &Secret,
    ) {
        let tag = self.credential_tag(version, presented);
        let CredentialVersion { id, generation } = version;
        if self.verified.len() >= MOST_VERIFIED && !self.verified.contains_key(&id) {
            // Any one: whoever it was costs one hash more.
            if let Some(id) = self.verified.keys().next().copied() {
                self.verified.remove(&id);
            }
        }
        let verified = self
            .verified
            .entry(id)
            .or_insert_with(|| VerifiedPasswords {
                generation,
                tags: Vec::with_capacity(1),
            });
        if verified.generation > generation {
            return;
        }
        if verified.generation < generation {
            verified.generation = generation;
            verified.tags.clear();
        }
        verified.tags.retain(|(known, _)| *known != secret);
        verified.tags.push((secret, tag));
    }

    /// What tags are made with.
    pub(crate) fn key(&self) -> &TagKey {
        &self.key
    }

    /// What hashing against costs what hashing costs.
    pub(crate) fn dummy(&self) -> Option<PasswordHash> {
        self.dummy.clone()
    }

    fn credential_tag(&self, version: CredentialVersion, presented: &Secret) -> Tag {
        let id = version.id.0.to_le_bytes();
        let generation = version.generation.0.to_le_bytes();
        self.key.tag(&[b"credential", &id, &generation], presented)
    }

    /// The password that was verified before and works at `now`.
    fn recognised(
        &self,
        credential: &Credential,
        presented: &Secret,
        now: Timestamp,
    ) -> Option<SecretId> {
        let version = CredentialVersion::of(credential);
        let verified = self.verified.get(&version.id)?;
        if verified.generation != version.generation {
            return None;
        }
        let tag = self.credential_tag(version, presented);
        verified
            .tags
            .iter()
            .find(|(_, known)| *known == tag)
            .map(|(secret, _)| *secret)
            .filter(|secret| is_usable(credential, *secret, now))
    }
}

fn is_usable(credential: &Credential, secret: SecretId, now: Timestamp) -> bool {
    credential
        .secrets
        .iter()
        .any(|stored| stored.id == secret && stored.is_usable(now))
}

/// A copy of what is presented, to be checked later.
fn kept(presented: &Secret) -> Arc<Secret> {
    Arc::new(Secret::presented(presented.expose()))
}

/// Compares secrets for one decision: digests and what was verified before at
/// once, and the rest with what a slow check found, or by asking for one.
pub(crate) struct Comparison<'a> {
    secret_verifier: &'a SecretVerifier,
    signature_checks: &'a mut SignatureChecks,
    hash_result: Option<&'a HashResult>,
    /// Whether other plugins judge names that no credential has.
    leaves_unknown: bool,
    hash_request: Option<HashRequest>,
}

impl<'a> Comparison<'a> {
    pub(crate) fn new(
        secret_verifier: &'a SecretVerifier,
        signature_checks: &'a mut SignatureChecks,
        hash_result: Option<&'a HashResult>,
        leaves_unknown: bool,
    ) -> Self {
        Self {
            secret_verifier,
            signature_checks,
            hash_result,
            leaves_unknown,
            hash_request: None,
        }
    }

    /// What is to be found out before there can be a decision, or before one
    /// may be heard of that admits no client.
    pub(crate) fn hash_request(self) -> Option<HashRequest> {
        self.hash_request
    }

    fn ask(
        &mut self,
        credential: &Credential,
        presented: &Secret,
        passwords: Vec<(SecretId, PasswordHash)>,
        proved: Option<SecretId>,
    ) -> SecretVerdict {
        self.hash_request = Some(HashRequest {
            about: Some(CredentialVersion::of(credential)),
            name: Some(credential.name.shared()),
            presented: kept(presented),
            passwords,
            proved,
            failed: None,
        });
        proved.map_or(SecretVerdict::Waiting, SecretVerdict::Match)
    }

    fn conclude(
        hash_result: &HashResult,
        credential: &Credential,
        presented: &Secret,
        now: Timestamp,
    ) -> SecretVerdict {
        if !hash_result.is_about(presented) {
            return SecretVerdict::OverBudget;
        }
        let is_same = hash_result.about == Some(CredentialVersion::of(credential));
        if !is_same && credential.is_in_force(now).is_ok() {
            // It was about something else, so nothing is known of this.
            return SecretVerdict::OverBudget;
        }
        let was_same = hash_result.about.map(|version| version.id) == Some(credential.id);
        match (hash_result.found, hash_result.found.secret()) {
            // Refused either way, but for its true cause.
            (_, Some(secret)) if !is_same && was_same => SecretVerdict::Match(secret),
            (_, Some(_)) if !is_same => SecretVerdict::OverBudget,
            (HashOutcome::Failed, _) => SecretVerdict::OverBudget,
            (_, Some(secret)) if is_usable(credential, secret, now) => SecretVerdict::Match(secret),
            (_, Some(_) | None) => SecretVerdict::Mismatch,
        }
    }
}

impl SecretCheck for Comparison<'_> {
    fn is_signed(
        &mut self,
        fingerprint: &Fingerprint,
        leaf: &dyn Leaf,
        key: &AuthorityKey,
    ) -> SignatureVerdict {
        self.signature_checks.look(fingerprint, leaf, key)
    }

    fn is_issued(&mut self, token: &dyn PresentedToken, issuer: &IssuerRecord) -> SignatureVerdict {
        self.signature_checks.look_at_token(token, issuer)
    }

    fn compare(
        &mut self,
        credential: &Credential,
        presented: &Secret,
        form: &dyn Fn() -> NameForm,
        now: Timestamp,
    ) -> SecretVerdict {
        let digest = OnceCell::new();
        let by_digest = credential.secrets.iter().find(|stored| {
            let is_of_digest = matches!(stored.verifier, Verifier::Digest(_));
            is_of_digest
                && stored.is_digest(digest.get_or_init(|| SecretDigest::of(presented)))
                && stored.is_usable(now)
        });
        // Of 128 random bits nobody learns anything from how long it takes.
        if let Some(stored) = by_digest {
            return SecretVerdict::Match(stored.id);
        }
        let passwords: Vec<_> = credential
            .secrets
            .iter()
            .filter(|stored| stored.is_usable(now))
            .filter_map(|stored| match &stored.verifier {
                Verifier::Digest(_) => None,
                Verifier::Password(hash) => Some((stored.id, hash.clone())),
            })
            .collect();
        if passwords.is_empty() && form().is_cheap() {
            return SecretVerdict::Mismatch;
        }
        let recognised = self.secret_verifier.recognised(credential, presented, now);
        let Some(hash_result) = self.hash_result else {
            return self.ask(credential, presented, passwords, recognised);
        };
        let verdict = match recognised {
            _ if hash_result.found == HashOutcome::Failed => SecretVerdict::OverBudget,
            Some(secret) => SecretVerdict::Match(secret),
            None => Self::conclude(hash_result, credential, presented, now),
        };
        if let SecretVerdict::Match(secret) = verdict
            && let HashOutcome::QuickMatch(_) = hash_result.found
        {
            // What a wrong one costs besides its own hash.
            return self.ask(credential, presented, Vec::new(), Some(secret));
        }
        verdict
    }

    fn dummy_verify(&mut self, presented: &Secret, form: NameForm) -> DummyVerified {
        if form.is_cheap() || self.leaves_unknown {
            return DummyVerified::Done;
        }
        match self.hash_result {
            Some(hash_result) if hash_result.found == HashOutcome::Failed => {
                DummyVerified::OverBudget
            }
            Some(_) => DummyVerified::Done,
            None => {
                self.hash_request = Some(HashRequest {
                    about: None,
                    name: None,
                    presented: kept(presented),
                    passwords: Vec::new(),
                    proved: None,
                    failed: None,
                });
                DummyVerified::Waiting
            }
        }
    }
}

/// So many credentials are recognised without hashing; about 130 bytes each.
const MOST_VERIFIED: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_so_many_credentials_passwords_are_remembered_and_the_next_pushes_one_out() {
        let argon2 = Argon2Params::parse("m=8,t=1,p=1").unwrap();
        let mut secret_verifier = SecretVerifier::with_key(TagKey::new([0; 32]), argon2);
        let generation = Generation(1);
        let ids = (0..).map(CredentialId).take(MOST_VERIFIED);
        secret_verifier.verified.extend(ids.map(|id| {
            let tags = Vec::new();
            (id, VerifiedPasswords { generation, tags })
        }));
        let id = CredentialId(-1);
        let version = CredentialVersion { id, generation };
        // What one credential has is bounded by the secrets that it has.
        for round in 0..3 {
            let presented = Secret::new(vec![round]);
            secret_verifier.remember(version, SecretId(1), &presented);
        }
        assert_eq!(secret_verifier.verified.len(), MOST_VERIFIED);
        assert_eq!(secret_verifier.verified.get(&id).unwrap().tags.len(), 1);
    }
}

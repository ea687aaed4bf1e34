//! Comparing secrets: digests at once, passwords slowly and once.
//!
//! Nothing is hashed slowly here. Where that must be, [`Comparison`] asks, and
//! whoever decides finds an answer and decides again.
//!
//! A password is remembered only once it let somebody in. Where one is known and
//! its login is refused all the same, that costs what a wrong password costs:
//! nobody learns from how long a refusal takes that a password is right.

use std::sync::Arc;

use countersign_core::connect::{Checked, SecretCheck, Wasted};
use countersign_core::credential::{Credential, CredentialId, Generation};
use countersign_core::scheme::NameForm;
use countersign_core::secret::{
    Argon2Params, PasswordHash, Secret, SecretDigest, SecretId, Tag, TagKey, Verifier,
};
use countersign_core::time::Timestamp;

use crate::hashing::Found;
use crate::numbers::NumberMap;

/// Remembers, in memory alone, which passwords were verified.
pub(crate) struct Comparer {
    key: TagKey,
    verified: NumberMap<CredentialId, Verified>,
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

    /// Remembers that this secret is that one of a credential.
    pub(crate) fn remember(&mut self, subject: Subject, secret: SecretId, presented: &Secret) {
        let tag = self.credential_tag(subject, presented);
        let Subject { id, generation } = subject;
        if self.verified.len() >= MOST_VERIFIED && !self.verified.contains_key(&id) {
            // Any one: whoever it was costs one hash more.
            if let Some(id) = self.verified.keys().next().copied() {
                self.verified.remove(&id);
            }
        }
        let verified = self.verified.entry(id).or_insert_with(|| Verified {
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

    fn credential_tag(&self, subject: Subject, presented: &Secret) -> Tag {
        let id = subject.id.0.to_le_bytes();
        let generation = subject.generation.0.to_le_bytes();
        self.key.tag(&[b"credential", &id, &generation], presented)
    }

    /// The password that was verified before and works at `now`.
    fn recognised(
        &self,
        credential: &Credential,
        presented: &Secret,
        now: Timestamp,
    ) -> Option<SecretId> {
        let subject = Subject::of(credential);
        let verified = self.verified.get(&subject.id)?;
        if verified.generation != subject.generation {
            return None;
        }
        let tag = self.credential_tag(subject, presented);
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

/// A credential as it was when a slow check of its secrets began.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Subject {
    id: CredentialId,
    generation: Generation,
}

impl Subject {
    fn of(credential: &Credential) -> Self {
        Self {
            id: credential.id,
            generation: credential.generation,
        }
    }
}

/// What a slow check must find out.
pub(crate) struct Question {
    /// About whom; none if nobody has the name.
    pub(crate) about: Option<Subject>,
    /// The name of whom it is about.
    pub(crate) name: Option<Arc<str>>,
    /// What is compared, which need not be all that was presented.
    pub(crate) presented: Arc<Secret>,
    pub(crate) passwords: Vec<(SecretId, PasswordHash)>,
}

/// What a slow check found out, and about whom.
#[derive(Clone)]
pub(crate) struct Learned {
    pub(crate) about: Option<Subject>,
    /// What was compared.
    pub(crate) presented: Arc<Secret>,
    pub(crate) found: Found,
}

impl Learned {
    /// Says whether this is what was compared. Which part of what a client
    /// presents is its password may have changed meanwhile.
    fn is_about(&self, presented: &Secret) -> bool {
        SecretDigest::of(&self.presented) == SecretDigest::of(presented)
    }

    /// The credential and the password of it that were found, if this is the
    /// secret by which somebody was let in.
    pub(crate) fn proves(&self, id: CredentialId, proved: SecretId) -> Option<Subject> {
        let is_it = self.found == Found::Match(proved);
        self.about.filter(|about| is_it && about.id == id)
    }
}

/// A copy of what is presented, for whoever checks it later.
fn kept(presented: &Secret) -> Arc<Secret> {
    Arc::new(Secret::presented(presented.expose()))
}

/// Compares secrets for one decision: digests and what was verified before at
/// once, and the rest with what a slow check found, or by asking for one.
pub(crate) struct Comparison<'a> {
    comparer: &'a Comparer,
    learned: Option<&'a Learned>,
    /// Whether others judge the names that nobody here has.
    leaves_unknown: bool,
    question: Option<Question>,
}

impl<'a> Comparison<'a> {
    pub(crate) fn new(
        comparer: &'a Comparer,
        learned: Option<&'a Learned>,
        leaves_unknown: bool,
    ) -> Self {
        Self {
            comparer,
            learned,
            leaves_unknown,
            question: None,
        }
    }

    /// What is to be found out before there can be a decision, or before one may
    /// be heard of that lets nobody in.
    pub(crate) fn question(self) -> Option<Question> {
        self.question
    }

    fn ask(
        &mut self,
        credential: &Credential,
        presented: &Secret,
        passwords: Vec<(SecretId, PasswordHash)>,
    ) -> Checked {
        self.question = Some(Question {
            about: Some(Subject::of(credential)),
            name: Some(credential.name.shared()),
            presented: kept(presented),
            passwords,
        });
        Checked::Waiting
    }

    fn conclude(
        learned: &Learned,
        credential: &Credential,
        presented: &Secret,
        now: Timestamp,
    ) -> Checked {
        if !learned.is_about(presented) {
            return Checked::OverBudget;
        }
        let is_same = learned.about == Some(Subject::of(credential));
        if !is_same && credential.is_in_force(now).is_ok() {
            // It was about something else, so nothing is known of this.
            return Checked::OverBudget;
        }
        let was_same = learned.about.map(|subject| subject.id) == Some(credential.id);
        match learned.found {
            // Refused either way, but for its true cause.
            Found::Match(secret) if !is_same && was_same => Checked::Match(secret),
            Found::Match(_) if !is_same => Checked::OverBudget,
            Found::Failed => Checked::OverBudget,
            Found::Nothing => Checked::Mismatch,
            Found::Match(secret) if is_usable(credential, secret, now) => Checked::Match(secret),
            Found::Match(_) => Checked::Mismatch,
        }
    }
}

impl SecretCheck for Comparison<'_> {
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
            })
            .map(|stored| stored.id);
        // Of 128 random bits nobody learns anything from how long it takes.
        if let Some(secret) = by_digest {
            return Checked::Match(secret);
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
        if passwords.is_empty() && form.is_cheap() {
            return Checked::Mismatch;
        }
        let recognised = self.comparer.recognised(credential, presented, now);
        match (recognised, self.learned) {
            (_, Some(learned)) if learned.found == Found::Failed => Checked::OverBudget,
            (Some(secret), Some(_)) => Checked::Match(secret),
            (Some(secret), None) => {
                self.ask(credential, presented, passwords);
                Checked::Match(secret)
            }
            (None, Some(learned)) => Self::conclude(learned, credential, presented, now),
            (None, None) => self.ask(credential, presented, passwords),
        }
    }

    fn waste(&mut self, presented: &Secret, form: NameForm) -> Wasted {
        if form.is_cheap() || self.leaves_unknown {
            return Wasted::Done;
        }
        match self.learned {
            Some(learned) if learned.found == Found::Failed => Wasted::OverBudget,
            Some(_) => Wasted::Done,
            None => {
                self.question = Some(Question {
                    about: None,
                    name: None,
                    presented: kept(presented),
                    passwords: Vec::new(),
                });
                Wasted::Waiting
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
        let mut comparer = Comparer::new(TagKey::new([0; 32]), argon2);
        let generation = Generation(1);
        let ids = (0..).map(CredentialId).take(MOST_VERIFIED);
        comparer.verified.extend(ids.map(|id| {
            let tags = Vec::new();
            (id, Verified { generation, tags })
        }));
        let id = CredentialId(-1);
        let subject = Subject { id, generation };
        // What one credential has is bounded by the secrets that it has.
        for round in 0..3 {
            let presented = Secret::new(vec![round]);
            comparer.remember(subject, SecretId(1), &presented);
        }
        assert_eq!(comparer.verified.len(), MOST_VERIFIED);
        assert_eq!(comparer.verified.get(&id).unwrap().tags.len(), 1);
    }
}

//! Comparing the passwords of users who sign in.

use core::cell::Cell;

use countersign_core::connect::{DummyVerified, ProvedUser, SecretCheck, SecretVerdict};
use countersign_core::credential::Credential;
use countersign_core::scheme::NameForm;
use countersign_core::secret::{PasswordHash, Secret, SecretDigest, SecretId, Verifier as Stored};
use countersign_core::time::Timestamp;

use super::SignInGuard;

/// Compares by hashing here and now, once: what let somebody in before is recognised.
/// A refusal costs one hash of ours, whatever is stored.
pub(super) struct Verifier<'a> {
    guard: &'a SignInGuard,
    /// Matches nothing.
    dummy: Option<&'a PasswordHash>,
    /// Whether what a wrong password costs was not spent yet.
    is_owed: Cell<bool>,
    /// The password that was found right.
    matched: Option<Secret>,
}

impl<'a> Verifier<'a> {
    pub(super) fn new(guard: &'a SignInGuard, dummy: Option<&'a PasswordHash>) -> Self {
        Self {
            guard,
            dummy,
            is_owed: Cell::new(false),
            matched: None,
        }
    }

    fn spend(&self, presented: &Secret) {
        if let Some(dummy) = self.dummy {
            let _never = dummy.verify(presented);
        }
        self.is_owed.set(false);
    }

    /// Spends what a wrong password costs, where a right one was recognised and lets
    /// nobody in.
    pub(super) fn spend_owed(&self, presented: &Secret) {
        if self.is_owed.get() {
            self.spend(presented);
        }
    }

    /// Remembers the password of a user who was let in.
    pub(super) fn remember(&self, proved: &ProvedUser) {
        if let Some(matched) = &self.matched {
            self.guard
                .remember(&proved.credential, proved.secret, matched);
        }
    }

    fn found(&mut self, secret: SecretId, presented: &Secret) -> SecretVerdict {
        self.matched = Some(Secret::presented(presented.expose()));
        SecretVerdict::Match(secret)
    }
}

impl SecretCheck for Verifier<'_> {
    fn compare(
        &mut self,
        credential: &Credential,
        presented: &Secret,
        _form: &dyn Fn() -> NameForm,
        now: Timestamp,
    ) -> SecretVerdict {
        let usable = || credential.secrets.iter().filter(|it| it.is_usable(now));
        let recognised = self.guard.recognised(credential, presented);
        let recognised = recognised.filter(|id| usable().any(|it| it.id == *id));
        if let Some(secret) = recognised {
            self.is_owed.set(true);
            return self.found(secret, presented);
        }
        let mut has_cost = false;
        for stored in usable() {
            let is_it = match &stored.verifier {
                Stored::Digest(digest) => *digest == SecretDigest::of(presented),
                Stored::Password(hash) => {
                    let is_it = hash.verify(presented);
                    has_cost |= hash.params().is_some();
                    is_it
                }
            };
            if is_it {
                self.is_owed.set(!has_cost);
                return self.found(stored.id, presented);
            }
        }
        if !has_cost {
            self.spend(presented);
        }
        SecretVerdict::Mismatch
    }

    fn dummy_verify(&mut self, presented: &Secret, _form: NameForm) -> DummyVerified {
        self.spend(presented);
        DummyVerified::Done
    }
}

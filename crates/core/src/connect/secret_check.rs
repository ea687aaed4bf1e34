//! What is asked about what a client presents.

use crate::certificate::{AuthorityKey, Fingerprint, Leaf};
use crate::credential::Credential;
use crate::issuer::{IssuerRecord, PresentedToken};
use crate::scheme::NameForm;
use crate::secret::{Secret, SecretId};
use crate::time::Timestamp;

/// Compares secrets for [`decide`](super::decide), at whatever speed its host can afford.
pub trait SecretCheck {
    /// Says whether `presented` is a secret of `credential` that works at
    /// `now`.
    ///
    /// A mismatch costs what the shape of the presented name costs, whatever
    /// is stored: where a password could be expected, one slow hash. A generated
    /// secret that matches needs no look at that shape.
    fn compare(
        &mut self,
        credential: &Credential,
        presented: &Secret,
        form: &dyn Fn() -> NameForm,
        now: Timestamp,
    ) -> SecretVerdict;

    /// Spends what [`SecretCheck::compare`] would have cost, for a name that no
    /// credential has.
    fn dummy_verify(&mut self, presented: &Secret, form: NameForm) -> DummyVerified;

    /// Says whether the holder of `key` signed the certificate with this fingerprint,
    /// which `leaf` was read of.
    fn is_signed(
        &mut self,
        fingerprint: &Fingerprint,
        leaf: &dyn Leaf,
        key: &AuthorityKey,
    ) -> SignatureVerdict {
        let _not_remembered = fingerprint;
        SignatureVerdict::of(leaf.is_signed_with(key))
    }

    /// Says whether an issuer signed a token that says so.
    fn is_issued(&mut self, token: &dyn PresentedToken, issuer: &IssuerRecord) -> SignatureVerdict {
        SignatureVerdict::of(token.is_signed_by(issuer))
    }
}

/// What looking at a signature came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignatureVerdict {
    /// The holder of the key signed it.
    Valid,
    /// Somebody else did.
    Invalid,
    /// It was not looked at: too many were asked for.
    OverBudget,
}

impl SignatureVerdict {
    /// Of a signature that was looked at.
    #[must_use]
    pub const fn of(is_valid: bool) -> Self {
        if is_valid { Self::Valid } else { Self::Invalid }
    }
}

/// What a comparison of secrets came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SecretVerdict {
    /// It is this secret of the credential.
    Match(SecretId),
    /// It is none of them.
    Mismatch,
    /// It was not compared: too many slow checks were asked for.
    OverBudget,
    /// It is being compared on another thread.
    Waiting,
}

/// What wasting the time of a comparison came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DummyVerified {
    /// The time was spent.
    Done,
    /// Too many slow checks were asked for.
    OverBudget,
    /// It is being spent on another thread.
    Waiting,
}

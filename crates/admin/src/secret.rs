//! Secrets of principals: where they come from, how they are given and taken
//! away, and how long an old one works beside a new one.

use core::time::Duration;

use countersign_core::credential::{Credential, CredentialId};
use countersign_core::name::LoginName;
use countersign_core::scheme::{DraftSecret, GivenSecret, Scheme, Schemes};
use countersign_core::secret::{PasswordHash, Secret, SecretDigest, StoredSecret, Verifier};
use countersign_core::store::{StoreError, StoreErrorKind};
use countersign_core::time::Timestamp;

use zeroize::Zeroizing;

use crate::command::Tx;
use crate::context::{RandomError, RandomSource};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{Rows, ShownCredential};
use crate::password::{ChosenPassword, PasswordError};

/// Makes a secret of 128 random bits.
///
/// # Errors
///
/// Returns [`RandomError`] when there is no randomness.
pub(crate) fn random_secret(random: &mut dyn RandomSource) -> Result<Secret, RandomError> {
    let mut bits = Zeroizing::new([0; 16]);
    random.fill(&mut *bits)?;
    Ok(Secret::generate(*bits))
}

/// A credential that was given a new secret.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct IssuedCredential {
    /// The credential as it is now.
    pub described: ShownCredential,
    /// Its new secret, to be shown this once; none if a person chose it.
    pub secret: Option<Secret>,
    /// Until when its old secret works too, if there is such an instant.
    pub old_secret_until: Option<Timestamp>,
}

/// Where the secret of a credential comes from.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub enum NewSecret {
    /// A person chose it.
    Chosen(ChosenPassword),
    /// It is made from randomness, and shown once.
    Generated,
    /// It was given out elsewhere, and is taken over.
    TakenOver {
        /// The secret.
        secret: ChosenPassword,
        /// Whether it may have fewer than 64 random bits. It is hashed like a
        /// password then.
        may_be_weak: bool,
    },
}

impl NewSecret {
    /// The password that a person chose, for the runner to hash.
    pub(crate) fn password(&self) -> Option<&ChosenPassword> {
        match self {
            Self::Chosen(password) => Some(password),
            Self::TakenOver {
                secret,
                may_be_weak: true,
            } => Some(secret),
            Self::Generated | Self::TakenOver { .. } => None,
        }
    }

    /// What a scheme is given.
    ///
    /// Where the scheme does not say how short a password may be, it may not be
    /// empty.
    pub(crate) fn given(&self, scheme: &Scheme) -> Result<GivenSecret<'_>, PasswordError> {
        let password = match self {
            Self::Chosen(password) => password.secret(),
            Self::Generated => return Ok(GivenSecret::Made),
            Self::TakenOver {
                secret,
                may_be_weak,
            } => {
                return Ok(GivenSecret::TakenOver {
                    secret: secret.secret(),
                    may_be_weak: *may_be_weak,
                });
            }
        };
        let says_fewest = scheme
            .chosen_secrets()
            .is_some_and(|limits| limits.fewest.is_some());
        if password.expose().is_empty() && !says_fewest {
            return Err(PasswordError::Empty);
        }
        Ok(GivenSecret::Chosen(password))
    }

    /// Makes what is stored of this secret for `name`, as its scheme says.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] when the scheme makes or takes no such secret, or
    /// when there is no randomness.
    pub(crate) fn drafted(
        &self,
        tx: &mut Tx<'_>,
        name: &LoginName,
        scheme: &Scheme,
        known: &Schemes,
    ) -> Result<PreparedSecret<'_>, AdminError> {
        let given = self.given(scheme)?;
        let draft = scheme.draft_secret(name, given, known, tx.random)?;
        self.stored(tx, draft)
    }

    /// Makes what is stored of a secret that a scheme has drafted.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] when the scheme wants a password and none was
    /// chosen.
    pub(crate) fn stored(
        &self,
        tx: &mut Tx<'_>,
        draft: DraftSecret,
    ) -> Result<PreparedSecret<'_>, AdminError> {
        let hashed = |tx: &mut Tx<'_>, password| {
            Ok(PreparedSecret {
                verifier: Verifier::Password(tx.hash_of(password)?),
                shown_once: None,
                taken_over: None,
            })
        };
        match (draft, self) {
            (DraftSecret::Generated(secret), _) => Ok(PreparedSecret::of(secret)),
            (DraftSecret::Chosen, Self::Chosen(password)) => hashed(tx, password),
            (DraftSecret::Weak, Self::TakenOver { secret, .. }) => hashed(tx, secret),
            (DraftSecret::TakenOver, Self::TakenOver { secret, .. }) => Ok(PreparedSecret {
                verifier: Verifier::Digest(SecretDigest::of(secret.secret())),
                shown_once: None,
                taken_over: Some(secret.secret()),
            }),
            (DraftSecret::Chosen | DraftSecret::TakenOver | DraftSecret::Weak, _) => {
                Err(PasswordError::Empty.into())
            }
        }
    }
}

/// A secret that is about to be stored.
pub(crate) struct PreparedSecret<'a> {
    /// What is stored of it.
    pub(crate) verifier: Verifier,
    /// The secret itself, if the caller does not know it.
    pub(crate) shown_once: Option<Secret>,
    /// The secret itself, if it was given out elsewhere and is kept as a digest.
    taken_over: Option<&'a Secret>,
}

impl PreparedSecret<'_> {
    /// Keeps the hash of a password that was chosen elsewhere.
    pub(crate) fn hashed(hash: PasswordHash) -> Self {
        Self {
            verifier: Verifier::Password(hash),
            shown_once: None,
            taken_over: None,
        }
    }

    /// Takes over a secret that was made from randomness.
    pub(crate) fn of(made: Secret) -> Self {
        Self {
            verifier: Verifier::Digest(SecretDigest::of(&made)),
            shown_once: Some(made),
            taken_over: None,
        }
    }
}

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
    /// The overlap of a duration, if one is said, and of whether it ends when the new
    /// secret is first used.
    #[must_use]
    pub fn of(duration: Option<Duration>, until_used: bool) -> Self {
        match (duration, until_used) {
            (None, false) => Self::None,
            (None, true) => Self::UntilUsed,
            (Some(duration), false) => Self::For(duration),
            (Some(duration), true) => Self::ForUntilUsed(duration),
        }
    }

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

/// Gives a credential one more secret, and says what is stored. Of one that serves
/// as a name, what it begins with is kept too, for people to tell it from others.
///
/// # Errors
///
/// Returns [`AdminError`] when another credential has the secret, and when the store
/// can't be written.
pub(crate) fn add(
    rows: &mut Rows<'_>,
    credential: CredentialId,
    secret: &PreparedSecret<'_>,
    scheme: &Scheme,
) -> Result<StoredSecret, AdminError> {
    let added = rows.add_secret(credential, &secret.verifier);
    let id = added.map_err(|error| {
        if error.kind() == StoreErrorKind::Conflict {
            in_use()
        } else {
            error.into()
        }
    })?;
    let known = secret.shown_once.as_ref().or(secret.taken_over);
    let known = known.filter(|_| scheme.shows_secrets());
    let hint = known.and_then(|known| hint_of(known, scheme));
    if let Some(hint) = hint {
        rows.put_hint(id, hint)?;
    }
    Ok(StoredSecret {
        id,
        verifier: secret.verifier.clone(),
        ends_at: None,
        until_used: false,
        hint: hint.map(Into::into),
    })
}

/// Checks that no credential has a secret, as [`add`] does.
///
/// # Errors
///
/// As [`add`].
pub(crate) fn check_free(
    rows: &mut Rows<'_>,
    secret: &PreparedSecret<'_>,
) -> Result<(), AdminError> {
    match &secret.verifier {
        Verifier::Digest(digest) if rows.is_secret_taken(digest)? => Err(in_use()),
        // One that is hashed has a salt of its own.
        Verifier::Digest(_) | Verifier::Password(_) => Ok(()),
    }
}

fn in_use() -> AdminError {
    let subject = Subject::nameless(Noun::Password);
    let message = "the secret is in use already; each credential has its own";
    AdminError::new(ErrorKind::Exists, subject, message)
}

/// Takes from a credential the secrets that `goes` tells.
///
/// # Errors
///
/// Returns [`StoreError`] when the store can't be written. So do all below.
pub(crate) fn remove(
    rows: &mut Rows<'_>,
    credential: &Credential,
    goes: impl Fn(&StoredSecret) -> bool,
) -> Result<(), StoreError> {
    for secret in credential.secrets.iter().filter(|secret| goes(secret)) {
        rows.remove_secret(secret.id)?;
    }
    Ok(())
}

/// Makes room for a new secret of a credential, beside which the old one works
/// for a while; until when, if there is such an instant.
///
/// Without an overlap the credential's generation is raised, by which its
/// sessions end.
///
/// # Errors
///
/// Returns [`AdminError`] when an overlap runs already, and when the store can't
/// be written.
pub(crate) fn retire(
    rows: &mut Rows<'_>,
    credential: &mut Credential,
    overlap: Overlap,
    now: Timestamp,
) -> Result<Option<Timestamp>, AdminError> {
    if overlap == Overlap::None {
        remove(rows, credential, |_| true)?;
        credential.generation = credential.generation.next();
        return Ok(None);
    }
    remove(rows, credential, |secret| !secret.is_usable(now))?;
    let mut usable = credential
        .secrets
        .iter()
        .filter(|secret| secret.is_usable(now));
    let old = usable.next();
    if usable.next().is_some() {
        let name = &credential.name;
        return Err(AdminError::new(
            ErrorKind::Conflict,
            Subject::new(Noun::Credential, name),
            format!(
                "cannot rotate `{name}` with an overlap: its last rotation still keeps an older \
                 secret; wait for its end, or rotate without an overlap to stop the older secrets \
                 at once"
            ),
        ));
    }
    let until = overlap.ends_at(now);
    if let Some(old) = old {
        rows.limit_secret(old.id, until, overlap.until_used())?;
    }
    Ok(until)
}

/// How all secrets of the scheme begin, and a little more, which is not missed: of
/// one that may have fewer random bits than those that are made, nothing is kept.
fn hint_of<'a>(known: &'a Secret, scheme: &Scheme) -> Option<&'a str> {
    let text = core::str::from_utf8(known.expose()).ok()?;
    let length = scheme.secrets_begin().len().saturating_add(TELLING);
    let start = text.get(..length)?;
    scheme.secret_shape().matches(text).then_some(start)
}

/// How many characters tell one secret from most others.
const TELLING: usize = 4;

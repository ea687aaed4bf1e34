//! What a service remembers of sign-ins: failures by name and address, which passwords
//! it verified, and which browsers signed in before.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_core::backoff::{Attempt, Backoff, Burst, Origin};
use countersign_core::credential::{Credential, CredentialId, Generation};
use countersign_core::lockout::{Lockout, LockoutPolicy};
use countersign_core::name::LoginName;
use countersign_core::options::{Millis, Percent};
use countersign_core::secret::{Secret, SecretDigest, SecretId, Tag, TagKey};
use countersign_core::time::Timestamp;

use super::SignInRefusal;
use crate::context::{RandomError, RandomSource};
use crate::error::{AdminError, ErrorKind, Noun, Subject};

/// What a service remembers of sign-ins, for as long as its process lives. All threads
/// share one.
///
/// Where a user last signed in from, and a browser that signed in before, have counters
/// of their own: whoever fails elsewhere neither uses them up nor locks the user out of
/// there.
pub struct SignInGuard {
    key: TagKey,
    memory: Mutex<Memory>,
}

struct Memory {
    backoff: Backoff,
    /// What failed at places that are known, which the lock of the store does not hold
    /// up.
    counted: BTreeMap<(LoginName, Origin), Lockout>,
    /// Whose browsers these are, by the digest of what they present.
    browsers: BTreeMap<[u8; 32], LoginName>,
    /// Passwords that let somebody in.
    verified: BTreeMap<CredentialId, Verified>,
}

struct Verified {
    generation: Generation,
    secret: SecretId,
    tag: Tag,
}

/// Who tries to sign in, and from where.
pub(super) struct Place {
    pub(super) name: LoginName,
    /// The address.
    address: Origin,
    /// What failures are counted by: the browser where it is known, else the address.
    origin: Origin,
    /// Whether this user signed in from here last, or with this browser.
    pub(super) is_known: bool,
}

impl SignInGuard {
    /// Remembers nothing yet.
    ///
    /// # Errors
    ///
    /// Returns [`RandomError`] when there is no randomness.
    pub fn new(random: &mut dyn RandomSource) -> Result<Self, RandomError> {
        let mut key = [0; 32];
        random.fill(&mut key)?;
        Ok(Self {
            key: TagKey::new(key),
            memory: Mutex::new(Memory {
                backoff: Backoff::new(Percent::default(), Millis::default()),
                counted: BTreeMap::new(),
                browsers: BTreeMap::new(),
                verified: BTreeMap::new(),
            }),
        })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Nothing in it can be half done.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn place_of(
        &self,
        name: &LoginName,
        address: Option<&str>,
        known: Option<&Secret>,
    ) -> Place {
        let address = Origin::of(address);
        let memory = self.memory();
        let attempt = Attempt {
            origin: address,
            name: name.as_str(),
        };
        let digest = known.map(SecretDigest::of);
        let digest = digest.as_ref().map(SecretDigest::as_bytes);
        let browser = digest.filter(|digest| memory.browsers.get(*digest) == Some(name));
        Place {
            name: name.clone(),
            address,
            origin: browser.map_or(address, Origin::of_known),
            is_known: browser.is_some() || memory.backoff.is_from_known_origin(&attempt),
        }
    }

    /// Says whether a password may be checked.
    pub(super) fn check_allowed(&self, place: &Place, now: Timestamp) -> Result<(), SignInRefusal> {
        let allowed = self.memory().backoff.check_allowed(&place.attempt(), now);
        allowed.map_err(|burst| match burst {
            Burst::Name => SignInRefusal::Wrong,
            Burst::Origin => SignInRefusal::TooMany,
        })
    }

    /// What is counted against the user at a place that is known.
    pub(super) fn counted(&self, place: &Place) -> Option<Lockout> {
        let counted = self.memory().counted.get(&place.key()).copied();
        place.is_known.then(|| counted.unwrap_or_default())
    }

    /// Takes note of a sign-in that was refused; with `policy`, one that counts.
    pub(super) fn failed(&self, place: &Place, policy: Option<&LockoutPolicy>, now: Timestamp) {
        let mut memory = self.memory();
        memory.backoff.failed(&place.attempt(), now);
        let Some(policy) = policy.filter(|_| place.is_known) else {
            return;
        };
        let key = place.key();
        if memory.counted.len() >= MOST_COUNTED && !memory.counted.contains_key(&key) {
            // Any one; what the store counts is not forgotten.
            memory.counted.pop_first();
        }
        let counted = memory.counted.entry(key).or_default();
        *counted = counted.after_failure(policy, now);
    }

    /// Takes note of a sign-in that was right.
    pub(super) fn succeeded(&self, place: &Place) {
        let mut memory = self.memory();
        memory.counted.remove(&place.key());
        let at_address = Attempt {
            origin: place.address,
            name: place.name.as_str(),
        };
        memory.backoff.succeeded(&at_address);
    }

    /// Has a browser known from now on by `new`, unless it presented that it is.
    pub(super) fn make_known(
        &self,
        place: &Place,
        was_known: Option<&Secret>,
        new: Secret,
    ) -> Option<Secret> {
        let mut memory = self.memory();
        let is_his = |secret: &Secret| {
            memory.browsers.get(SecretDigest::of(secret).as_bytes()) == Some(&place.name)
        };
        if was_known.is_some_and(is_his) {
            return None;
        }
        if memory.browsers.len() >= MOST_BROWSERS {
            // Any one: by digest they are in no order.
            memory.browsers.pop_first();
        }
        let digest = *SecretDigest::of(&new).as_bytes();
        memory.browsers.insert(digest, place.name.clone());
        Some(new)
    }

    /// The secret of a user that this was when it was verified last.
    pub(super) fn recognised(&self, user: &Credential, presented: &Secret) -> Option<SecretId> {
        let tag = self.tag(user, presented);
        let memory = self.memory();
        let verified = memory.verified.get(&user.id)?;
        let is_it = verified.generation == user.generation && verified.tag == tag;
        is_it.then_some(verified.secret)
    }

    /// Remembers that a password let a user in.
    pub(super) fn remember(&self, user: &Credential, secret: SecretId, presented: &Secret) {
        let verified = Verified {
            generation: user.generation,
            secret,
            tag: self.tag(user, presented),
        };
        let mut memory = self.memory();
        if memory.verified.len() >= MOST_VERIFIED && !memory.verified.contains_key(&user.id) {
            // Any one: it costs one hash more.
            memory.verified.pop_first();
        }
        memory.verified.insert(user.id, verified);
    }

    fn tag(&self, user: &Credential, presented: &Secret) -> Tag {
        let id = user.id.0.to_le_bytes();
        let generation = user.generation.0.to_le_bytes();
        self.key.tag(&[b"user", &id, &generation], presented)
    }
}

impl Place {
    fn attempt(&self) -> Attempt<'_> {
        Attempt {
            origin: self.origin,
            name: self.name.as_str(),
        }
    }

    fn key(&self) -> (LoginName, Origin) {
        (self.name.clone(), self.origin)
    }
}

impl fmt::Debug for SignInGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignInGuard(…)")
    }
}

/// There are as many web sessions as there may be.
pub(super) fn full() -> AdminError {
    AdminError::new(
        ErrorKind::Unavailable,
        Subject::nameless(Noun::WebSession),
        "too many users are signed in; try later",
    )
}

const MOST_COUNTED: usize = 16_384;
const MOST_BROWSERS: usize = 65_536;
const MOST_VERIFIED: usize = 65_536;

#[cfg(test)]
mod tests {
    use countersign_core::kind::Kind;
    use countersign_core::scheme::SchemeName;

    use super::*;
    use crate::OsRandom;
    use crate::fixture::login_name;

    #[test]
    fn what_a_service_remembers_of_sign_ins_is_bounded() {
        let guard = SignInGuard::new(&mut OsRandom).unwrap();
        let now = Timestamp::from_millis(1_700_000_000_000);
        let secret = |number: usize| Secret::new(number.to_le_bytes().to_vec());
        let jane = login_name("jane@mail.test");
        for number in 0..=MOST_BROWSERS {
            let place = guard.place_of(&jane, None, None);
            guard.make_known(&place, None, secret(number));
        }
        assert_eq!(guard.memory().browsers.len(), MOST_BROWSERS);
        let mut user = Credential::new(
            jane.clone(),
            Kind::User(Box::default()),
            None,
            SchemeName::basic(),
            now,
        );
        for number in 0..=i64::try_from(MOST_VERIFIED).unwrap() {
            user.id = CredentialId(number);
            guard.remember(&user, SecretId(1), &secret(1));
        }
        assert_eq!(guard.memory().verified.len(), MOST_VERIFIED);
        let policy = LockoutPolicy::default();
        for number in 0..=MOST_COUNTED {
            let name = login_name(&format!("n{number}"));
            let place = Place {
                origin: Origin::of(None),
                address: Origin::of(None),
                is_known: true,
                name,
            };
            guard.failed(&place, Some(&policy), now);
        }
        assert_eq!(guard.memory().counted.len(), MOST_COUNTED);
    }
}

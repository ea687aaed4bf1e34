//! What a centre seals for the machine of a follower, and no other machine opens.
//!
//! X25519 (RFC 7748) with a key pair of its own for each thing that is sealed; SHA-256 over
//! the shared secret and both public keys; and [`SealKey`] under what comes of that.

use countersign_core::follower::MachineKey;
use countersign_core::seal::{SealKey, Sealed};
use sha2::{Digest as _, Sha256};
use x25519_dalek::{PublicKey, SharedSecret, StaticSecret};
use zeroize::Zeroizing;

/// The private key of a follower's machine.
pub(crate) struct MachineSecret(StaticSecret);

impl MachineSecret {
    /// The one that follows from the key file beside a replica.
    pub(crate) fn of(key: &SealKey) -> Self {
        Self(StaticSecret::from(*key.derive("machine-key")))
    }

    /// The public key.
    pub(crate) fn public(&self) -> MachineKey {
        MachineKey::from_bytes(PublicKey::from(&self.0).to_bytes())
    }

    /// Opens what [`seal`] made for this machine, the same purpose and the same subject.
    pub(crate) fn open(
        &self,
        purpose: &str,
        subject: &[u8],
        sealed: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let (sender, sealed) = sealed.split_first_chunk::<32>()?;
        let sender = PublicKey::from(*sender);
        let key = key_of(&self.0.diffie_hellman(&sender), &sender, &self.public())?;
        let sealed = Sealed::from_bytes(sealed.to_vec());
        key.open(purpose, subject, &sealed).ok()
    }
}

/// Seals something for a machine: `public key (32) ‖ sealed`. None without randomness, and
/// for a key that is none.
pub(crate) fn seal(
    machine: &MachineKey,
    purpose: &str,
    subject: &[u8],
    plaintext: &[u8],
) -> Option<Vec<u8>> {
    let (mut private, mut nonce) = (Zeroizing::new([0; 32]), [0; 24]);
    getrandom::fill(&mut *private).ok()?;
    getrandom::fill(&mut nonce).ok()?;
    let private = StaticSecret::from(*private);
    let sender = PublicKey::from(&private);
    let shared = private.diffie_hellman(&PublicKey::from(*machine.as_bytes()));
    let key = key_of(&shared, &sender, machine)?;
    let sealed = key.seal(purpose, subject, nonce, plaintext).ok()?;
    let mut told = sender.to_bytes().to_vec();
    told.extend_from_slice(sealed.as_bytes());
    Some(told)
}

/// The key between two key pairs; none where everybody knows it (RFC 7748 §6.1).
fn key_of(shared: &SharedSecret, sender: &PublicKey, machine: &MachineKey) -> Option<SealKey> {
    let mut hasher = Sha256::new();
    hasher.update(b"countersign/machine-seal/v1");
    hasher.update(shared.as_bytes());
    hasher.update(sender.as_bytes());
    hasher.update(machine.as_bytes());
    let key = Zeroizing::new(<[u8; 32]>::from(hasher.finalize()));
    shared.was_contributory().then(|| SealKey::new(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> MachineSecret {
        MachineSecret::of(&SealKey::new([byte; 32]))
    }

    #[test]
    fn the_machine_that_it_is_sealed_for_opens_it_and_nothing_else_does() {
        let machine = secret(1);
        let sealed = seal(&machine.public(), "p", b"jane", b"seed").unwrap();
        let opened = machine.open("p", b"jane", &sealed).unwrap();
        assert_eq!(opened.as_slice(), b"seed");
        assert!(secret(2).open("p", b"jane", &sealed).is_none());
        assert!(machine.open("q", b"jane", &sealed).is_none());
        assert!(machine.open("p", b"joe", &sealed).is_none());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            let opened = machine.open("p", b"jane", &changed);
            // X25519 takes no heed of the highest bit of a public key; the key is bound to it.
            assert!(opened.is_none(), "byte {place}");
        }
        for length in 0..sealed.len() {
            assert!(machine.open("p", b"jane", &sealed[..length]).is_none());
        }
    }

    #[test]
    fn nothing_is_sealed_the_same_twice() {
        let machine = secret(1).public();
        let seal = || seal(&machine, "p", b"jane", b"seed").unwrap();
        assert_ne!(seal()[..32], seal()[..32]);
    }

    #[test]
    fn nothing_is_sealed_for_a_key_whose_secrets_everybody_knows() {
        for known in [[0; 32], {
            let mut one = [0; 32];
            one[0] = 1;
            one
        }] {
            assert!(seal(&MachineKey::from_bytes(known), "p", b"", b"seed").is_none());
        }
    }

    #[test]
    fn the_key_of_a_machine_follows_from_its_key_file_and_does_not_tell_it() {
        assert_eq!(secret(1).public(), secret(1).public());
        assert_ne!(secret(1).public(), secret(2).public());
        assert_ne!(secret(1).0.to_bytes(), [1; 32]);
    }
}

//! Seeds of second factors: the centre tells them sealed for this machine, and the replica
//! keeps them sealed with its own key file, as any store does.

use countersign_core::follower::MachineKey;
use countersign_core::seal::SealKey;
use countersign_core::store::{GateStore, ReplicaObject};
use countersign_core::user::SEED;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::machine_seal::MachineSecret;
use crate::told_seed::ToldSeed;

/// What opens the seeds that are told, and seals them anew.
pub(super) struct Seeds {
    key: SealKey,
    secret: MachineSecret,
    /// Whether some were not told last.
    is_missing: bool,
}

impl Seeds {
    /// By the key file beside a replica; none where there is none.
    pub(super) fn of(store: &impl GateStore) -> Option<Self> {
        let key = store.read_key().key?;
        Some(Self {
            secret: MachineSecret::of(&key),
            key,
            is_missing: false,
        })
    }

    /// The key that the centre seals them for.
    pub(super) fn machine(&self) -> MachineKey {
        self.secret.public()
    }

    /// Seals the seeds among some objects for the replica. Those that this machine can't
    /// open are left out, and their users are refused. Says whether there are some, where
    /// there were none.
    pub(super) fn take(&mut self, objects: &mut [ReplicaObject]) -> bool {
        let mut seeds = objects.iter_mut().filter_map(ToldSeed::of).peekable();
        if seeds.peek().is_none() {
            return false;
        }
        let was_missing = core::mem::take(&mut self.is_missing);
        for seed in seeds {
            let subject = seed.name.as_str().as_bytes();
            let opened = self.secret.open(SEED, subject, seed.bytes);
            let sealed = opened.and_then(|opened| {
                let nonce = self.nonce(subject, &opened);
                self.key.seal(SEED, subject, nonce, &opened).ok()
            });
            self.is_missing |= sealed.is_none();
            *seed.bytes = sealed.map_or_else(Vec::new, |sealed| sealed.as_bytes().to_vec());
        }
        self.is_missing && !was_missing
    }

    /// A nonce for this seed alone. What did not change is sealed as before, so that taking
    /// it again changes nothing.
    fn nonce(&self, subject: &[u8], seed: &[u8]) -> [u8; 24] {
        let mut hasher = Sha256::new();
        hasher.update(b"countersign/seed-nonce/v1");
        hasher.update(*self.key.derive("seed-nonce"));
        hasher.update(
            u64::try_from(subject.len())
                .unwrap_or(u64::MAX)
                .to_le_bytes(),
        );
        hasher.update(subject);
        hasher.update(seed);
        let digest = Zeroizing::new(<[u8; 32]>::from(hasher.finalize()));
        let mut nonce = [0; 24];
        for (to, from) in nonce.iter_mut().zip(digest.iter()) {
            *to = *from;
        }
        nonce
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::seal::Sealed;
    use countersign_core::store::{Cell, ObjectName, TableRow};

    use super::*;
    use crate::machine_seal::seal;

    fn seeds(key: u8) -> Seeds {
        let key = SealKey::new([key; 32]);
        Seeds {
            secret: MachineSecret::of(&key),
            key,
            is_missing: false,
        }
    }

    fn told(seed: Vec<u8>) -> [ReplicaObject; 1] {
        let row = |table: &str, column: &str, cell| TableRow {
            table: table.into(),
            cells: vec![(column.into(), cell)],
        };
        [ReplicaObject {
            object: ObjectName {
                kind: "credential".into(),
                number: Some(1),
                tenant: None,
                name: None,
            },
            rows: vec![
                row("credential", "name", Cell::Text("jane@mail.test".into())),
                row("person", "seed", Cell::Bytes(seed)),
            ],
        }]
    }

    fn taken(seeds: &mut Seeds, seed: Vec<u8>) -> (bool, Vec<u8>) {
        let mut objects = told(seed);
        let is_missing = seeds.take(&mut objects);
        let [object] = &mut objects;
        (is_missing, ToldSeed::of(object).unwrap().bytes.clone())
    }

    #[test]
    fn a_seed_that_is_told_is_sealed_with_the_replicas_own_key_and_always_the_same() {
        let mut seeds = seeds(1);
        let seal = || seal(&seeds.machine(), SEED, b"jane@mail.test", b"seed").unwrap();
        let [first, second] = [seal(), seal()].map(|told| taken(&mut seeds, told));
        assert_eq!(first, second);
        let sealed = Sealed::from_bytes(first.1);
        let opened = seeds.key.open(SEED, b"jane@mail.test", &sealed).unwrap();
        assert_eq!(opened.as_slice(), b"seed");
    }

    #[test]
    fn a_seed_that_this_machine_can_not_open_is_left_out_and_that_is_said_once() {
        let mut mine = seeds(1);
        let others = seal(&seeds(2).machine(), SEED, b"jane@mail.test", b"seed").unwrap();
        for (told, is_said) in [(others, true), (Vec::new(), false)] {
            assert_eq!(taken(&mut mine, told), (is_said, Vec::new()));
        }
        assert!(!mine.take(&mut []));
        assert!(mine.is_missing);
    }
}

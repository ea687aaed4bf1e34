//! Checks of hashes that take next to no time, where there is no time for others.
//!
//! Hashes of other systems may be a thousand times cheaper than ours. A client
//! that presents a right secret of such a hash is let in, however busy its broker
//! is. All others hear that there is no time, and hear it as late, whether or not
//! there is such a name and however its password is hashed. See decision 10.

use countersign_core::secret::{HashMemory, PasswordHash};

use crate::login::hash_pool::{HashOutcome, found_among};
use crate::login::slow_check::HashRequest;

/// Checks quick hashes.
#[derive(Default)]
pub(crate) struct QuickChecks {
    memory: HashMemory,
    /// Whether there is such a hash, as far as the logins until now show.
    are_needed: bool,
}

impl QuickChecks {
    /// Takes note of how the passwords of a name are hashed that logs in. Without a
    /// quick hash anywhere, no name costs anything here.
    pub(crate) fn meet(&mut self, request: &HashRequest) {
        self.are_needed |= request.quick_rounds().is_some();
    }

    /// Says which secret it is, if all hashes are quick; else says nothing.
    pub(crate) fn check(&mut self, request: &HashRequest) -> HashOutcome {
        if request.quick_rounds().is_none() {
            return HashOutcome::Failed;
        }
        let found = found_among(&request.passwords, &request.presented, &mut self.memory);
        // A wrong one is judged as one of which nothing is known.
        found.map_or(HashOutcome::Failed, HashOutcome::QuickMatch)
    }

    /// Spends what a check costs beyond what it has cost already.
    pub(crate) fn spend_rest(&self, request: &HashRequest) {
        if self.are_needed {
            PasswordHash::spend_quick(&request.presented, rest_of(request));
        }
    }
}

/// The rounds that a check has not cost.
fn rest_of(request: &HashRequest) -> u32 {
    ROUNDS.saturating_sub(request.quick_rounds().unwrap_or(0))
}

/// What each check costs: as many rounds as two secrets may take.
const ROUNDS: u32 = PasswordHash::MOST_QUICK.saturating_mul(2);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use countersign_core::secret::{Argon2Params, Secret, SecretId};

    use super::*;

    const ONE: &str = "$6$AAECAwQFBgcICQoL$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/1QZ0zZg==";
    const HUNDRED: &str = "$7$101$AAECAwQFBgcICQoL$CmWjm9GQ0b/TFtVqI++DmxHzRaZvVjKradTSgwsqtaLZH66zJbhnLlRf+TNl+5gPVd9Iq12DdIfQYk2veiOjDQ==";

    fn request(passwords: &[PasswordHash], presented: &[u8]) -> HashRequest {
        let ids = (1..).map(SecretId);
        HashRequest {
            about: None,
            name: None,
            presented: Arc::new(Secret::new(presented.to_vec())),
            passwords: ids.zip(passwords.iter().cloned()).collect(),
            proved: None,
            failed: None,
        }
    }

    #[test]
    fn every_name_costs_as_many_rounds_whether_or_not_its_hash_is_quick() {
        let ours = PasswordHash::unmatchable(Argon2Params::default()).unwrap();
        let parse = |text| PasswordHash::parse(text).unwrap();
        for (passwords, own, right) in [
            (vec![], 0, "right"),
            (vec![ours.clone()], 0, "right"),
            (vec![parse(ONE), ours], 0, "correct horse"),
            (vec![parse(ONE)], 1, "correct horse"),
            (vec![parse(HUNDRED)], 101, "right"),
            (vec![parse(ONE), parse(HUNDRED)], 102, "right"),
        ] {
            let mut checks = QuickChecks::default();
            let wrong = request(&passwords, b"wrong");
            checks.meet(&wrong);
            assert_eq!(checks.are_needed, own > 0);
            assert_eq!(checks.check(&wrong), HashOutcome::Failed);
            assert_eq!(own + rest_of(&wrong), ROUNDS);
            let found = checks.check(&request(&passwords, right.as_bytes()));
            assert_eq!(found.secret().is_some(), own > 0);
        }
    }
}

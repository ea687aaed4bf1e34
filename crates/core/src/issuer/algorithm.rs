//! The algorithms that a token may be signed by.

use core::fmt;
use core::str::FromStr;

/// One algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA with the curve P-256 and SHA-256.
    Es256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::EdDsa, Self::Es256, Self::Ps256, Self::Rs256];

    /// How a header writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }

    /// The one that a header means, spelled as it is registered.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// The algorithms that an issuer signs by: at least one, each once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Algorithms(Vec<Algorithm>);

impl Algorithms {
    /// Says whether one is among them.
    #[must_use]
    pub fn contains(&self, algorithm: Algorithm) -> bool {
        self.0.contains(&algorithm)
    }

    /// All of them, in the order of their names.
    #[must_use]
    pub fn as_slice(&self) -> &[Algorithm] {
        &self.0
    }
}

impl FromStr for Algorithms {
    type Err = AlgorithmsError;

    /// Reads names that commas stand between.
    fn from_str(text: &str) -> Result<Self, AlgorithmsError> {
        let mut algorithms = Vec::new();
        for name in text.split(',') {
            let algorithm = Algorithm::of_name(name).ok_or(AlgorithmsError::Unknown)?;
            if algorithms.contains(&algorithm) {
                return Err(AlgorithmsError::Twice(algorithm.name()));
            }
            algorithms.push(algorithm);
        }
        algorithms.sort_unstable();
        Ok(Self(algorithms))
    }
}

impl fmt::Display for Algorithms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|one| one.name()).collect();
        f.write_str(&names.join(","))
    }
}

/// A text names no algorithms.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AlgorithmsError {
    /// One is named twice.
    #[error("`{0}` is named twice")]
    Twice(&'static str),
    /// One is none of ours.
    #[error("an algorithm is `RS256`, `PS256`, `ES256` or `EdDSA`, several with `,` between them")]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_are_read_as_they_are_registered() {
        let read = |text: &str| text.parse::<Algorithms>().map(|all| all.to_string());
        assert_eq!(read("RS256,ES256"), Ok("ES256,RS256".into()));
        assert_eq!(read("EdDSA"), Ok("EdDSA".into()));
        assert_eq!(read("RS256,RS256"), Err(AlgorithmsError::Twice("RS256")));
        for bad in [
            "",
            "none",
            "HS256",
            "rs256",
            "RS256,",
            "RS256, ES256",
            "RS512",
        ] {
            assert_eq!(read(bad), Err(AlgorithmsError::Unknown), "{bad}");
        }
    }
}

//! The Mosquittos that there are.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error};

/// The Mosquittos that Countersign is held to.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Version {
    /// Debian bookworm's.
    V2_0_11,
    /// bookworm-backports'.
    V2_0_21,
    /// The newest 2.1 that sid has.
    V2_1,
}

impl Version {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::V2_0_11, Self::V2_0_21, Self::V2_1];

    /// Its name, such as `2.1`.
    pub fn name(self) -> &'static str {
        match self {
            Self::V2_0_11 => "2.0.11",
            Self::V2_0_21 => "2.0.21",
            Self::V2_1 => "2.1",
        }
    }

    /// Whether it is of the 2.0 line, which can't wait for a verdict and does
    /// not tell a plugin the listener.
    pub fn is_2_0(self) -> bool {
        self != Self::V2_1
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let mut all = Self::ALL.into_iter();
        all.find(|version| version.name() == name)
            .with_context(|| format!("there is no broker `{name}`"))
    }
}

//! Which keys a command prints, known before it runs: what `--field` may ask for.

use crate::error::CliError;

/// What a command prints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shows {
    keys: &'static [&'static [&'static str]],
    once: Option<Once>,
}

/// What is made now and shown this once: to print something else would lose it.
#[derive(Clone, Copy, Debug)]
enum Once {
    /// Several things, of which one key would lose the others.
    Several,
    /// What has this key.
    Under(&'static str),
}

impl Shows {
    /// No document with keys.
    pub(crate) const NOTHING: Self = Self::all_of(&[]);

    /// A document with these keys, or a list of such.
    pub(crate) const fn all_of(keys: &'static [&'static [&'static str]]) -> Self {
        Self { keys, once: None }
    }

    /// The same, and what has this key is shown this once, where something is made.
    pub(crate) const fn once(self, key: &'static str, is_made: bool) -> Self {
        let once = if is_made {
            Some(Once::Under(key))
        } else {
            None
        };
        Self { once, ..self }
    }

    /// The same, where more than one thing is shown this once.
    pub(crate) const fn all_once(self) -> Self {
        Self {
            once: Some(Once::Several),
            ..self
        }
    }

    /// The key that is asked for, if it may be.
    pub(crate) fn field(self, asked: &str) -> Result<&'static str, CliError> {
        let mut keys = self.keys.iter().copied().flatten();
        let Some(key) = keys.clone().find(|key| **key == asked) else {
            let known: Vec<_> = keys.by_ref().map(|key| format!("`{key}`")).collect();
            return Err(CliError::usage(if known.is_empty() {
                "this prints nothing that has keys; leave --field out".into()
            } else {
                format!(
                    "`{asked}` is not a key of what this prints; its keys are {}",
                    known.join(", ")
                )
            }));
        };
        match self.once {
            Some(Once::Under(secret)) if secret != *key => Err(CliError::usage(format!(
                "`{asked}` alone would lose `{secret}`, which is made now and shown this once; \
                 give --field {secret}, or -o json",
            ))),
            Some(Once::Several) => Err(CliError::usage(format!(
                "`{asked}` alone would lose the rest of what is made now and shown this once; \
                 give -o json"
            ))),
            Some(Once::Under(_)) | None => Ok(key),
        }
    }
}

//! Acts on what is still as the asker last saw it: `ETag` and `If-Match`.

use core::fmt;

use axum::http::HeaderMap;
use axum::http::header::IF_MATCH;
use countersign_admin::password::ChosenPassword;
use countersign_admin::{AdminError, Command, Permission, Tx};
use countersign_core::hex;
use countersign_core::store::Intent;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::problem::{Problem, ProblemKind};

/// Which version of a thing an answer shows: a digest of what is shown, but for what
/// happens to it without anybody changing it. Or a device that logs in, and keys that are
/// fetched, would keep an administrator from acting.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct EntityTag([u8; 16]);

impl EntityTag {
    /// The tag of what is shown.
    pub(crate) fn of(shown: &[u8]) -> Self {
        let digest = match serde_json::from_slice::<Map<String, Value>>(shown) {
            Ok(mut shown) => {
                shown.retain(|key, _| !HAPPENS.contains(&key.as_str()));
                Sha256::digest(Value::Object(shown).to_string())
            }
            Err(_) => Sha256::digest(shown),
        };
        let mut tag = [0; 16];
        tag.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self(tag)
    }
}

/// What is shown of a thing and happens to it.
const HAPPENS: [&str; 4] = ["fetched_at", "last_used_at", "problem", "tried_at"];

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", hex::encode(&self.0))
    }
}

/// Which versions an act is meant for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Versions {
    /// Whichever there is.
    Any,
    /// One of these, as they are written in a header.
    These(Vec<String>),
}

impl Versions {
    /// Those that a request names.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut tags = Vec::new();
        for value in headers.get_all(IF_MATCH) {
            let value = value.to_str();
            let value = value.map_err(|_| Problem::invalid("`If-Match` is no list of tags"))?;
            tags.extend(value.split(',').map(|tag| tag.trim().to_owned()));
        }
        if tags.is_empty() || tags.iter().any(|tag| tag == "*") {
            return Ok(Self::Any);
        }
        Ok(Self::These(tags))
    }

    pub(crate) fn admit(&self, tag: &EntityTag) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.contains(&tag.to_string()),
        }
    }
}

/// A command that is applied if what it is about is a version that is meant. What it
/// answers is none where it is another one; nothing changed then.
pub(crate) struct IfMatches<'a, S: Command, C> {
    pub(crate) versions: &'a Versions,
    /// Looks at what it is about.
    pub(crate) show: &'a S,
    /// What is shown of that.
    pub(crate) shown: &'a Shown<'a, S::Output>,
    pub(crate) act: &'a C,
}

/// What is shown of something.
pub(crate) type Shown<'a, T> = dyn Fn(&T) -> Result<Vec<u8>, Problem> + 'a;

impl<S: Command, C: Command> Command for IfMatches<'_, S, C> {
    type Output = Option<C::Output>;

    fn needs(&self) -> Permission {
        self.act.needs()
    }

    fn intent(&self) -> Intent {
        self.act.intent()
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        self.act.passwords()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Option<C::Output>, AdminError> {
        if *self.versions != Versions::Any {
            let found = tx.run(self.show)?;
            let shown = (self.shown)(&found).unwrap_or_default();
            if !self.versions.admit(&EntityTag::of(&shown)) {
                return Ok(None);
            }
        }
        self.act.apply(tx).map(Some)
    }
}

/// What there is is not what was meant.
pub(crate) fn is_another_version() -> Problem {
    Problem::new(
        ProblemKind::PreconditionFailed,
        "it was changed since; look at it again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_quoted_and_another_one_for_other_content() {
        let tag = EntityTag::of(b"{}").to_string();
        assert_eq!(tag.len(), 34);
        assert!(tag.starts_with('"') && tag.ends_with('"'));
        assert_ne!(EntityTag::of(b"{}"), EntityTag::of(b"[]"));
    }

    #[test]
    fn what_happens_to_a_thing_makes_no_other_version_of_it() {
        let shown = br#"{"name":"sso","tried_at":null,"problem":null}"#;
        let tried = br#"{"name":"sso","tried_at":"2026-01-01T00:00:00Z","problem":"away"}"#;
        assert_eq!(EntityTag::of(shown), EntityTag::of(tried));
        let changed = br#"{"name":"sso","iss":"x","tried_at":null,"problem":null}"#;
        assert_ne!(EntityTag::of(shown), EntityTag::of(changed));
    }

    #[test]
    fn a_header_names_several_tags_and_a_star_is_any() {
        let versions = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_MATCH, text.parse().unwrap());
            Versions::of(&headers).unwrap()
        };
        let tag = EntityTag::of(b"{}");
        assert_eq!(Versions::of(&HeaderMap::new()).unwrap(), Versions::Any);
        assert_eq!(versions("*"), Versions::Any);
        assert!(!versions("\"x\"").admit(&tag));
        assert!(!versions("").admit(&tag));
        let listed = format!("\"x\", {tag}");
        let listed = Versions::These(listed.split(", ").map(str::to_owned).collect());
        assert!(listed.admit(&tag));
        // A weak tag does not say that it is the same.
        let weak = Versions::These(vec![format!("W/{tag}")]);
        assert!(!weak.admit(&tag));
    }
}

//! Hooks, as they are shown.

use countersign_core::hook::{Hook, Vhost};
use serde::Serialize;

use super::{SecretText, rfc3339};
use crate::hook::IssuedHook;

/// All that is shown of a hook. The audit keeps the same.
#[derive(Clone, Debug, Serialize)]
pub struct HookView {
    name: String,
    kind: &'static str,
    tenant: Option<String>,
    from: Vec<String>,
    paths: Vec<String>,
    kick: Option<String>,
    vhosts: Vec<String>,
    created_at: String,
    rotated_at: String,
}

impl HookView {
    /// The view of a hook.
    #[must_use]
    pub fn of(hook: &Hook) -> Self {
        Self {
            name: hook.name.to_string(),
            kind: hook.kind.as_str(),
            tenant: hook.tenant.as_ref().map(ToString::to_string),
            from: hook.from.iter().map(ToString::to_string).collect(),
            paths: paths(hook, ""),
            kick: hook.kick.as_ref().map(|kick| kick.url.as_str().to_owned()),
            vhosts: hook
                .vhosts
                .iter()
                .map(Vhost::as_str)
                .map(Into::into)
                .collect(),
            created_at: rfc3339(hook.created_at),
            rotated_at: rfc3339(hook.rotated_at),
        }
    }
}

/// What the making of a hook, and of a new secret for it, answers with.
///
/// It holds the secret, which is printed this once and nowhere else.
#[derive(Serialize)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct IssuedHookView {
    name: String,
    kind: &'static str,
    secret: SecretText,
    paths: Vec<String>,
    secret_paths: Vec<SecretText>,
}

impl IssuedHookView {
    /// The view of a hook that was given its secret just now.
    #[must_use]
    pub fn of(issued: &IssuedHook) -> Self {
        let IssuedHook { secret, hook } = issued;
        let shown = String::from_utf8_lossy(secret.expose());
        let with_secret = paths(hook, &format!("/{shown}"));
        Self {
            name: hook.name.to_string(),
            kind: hook.kind.as_str(),
            secret: secret.into(),
            paths: paths(hook, ""),
            secret_paths: with_secret.into_iter().map(SecretText::from).collect(),
        }
    }
}

/// The paths that a hook's broker asks at: those that take the secret in a header, or
/// those that have it in them.
fn paths(hook: &Hook, secret: &str) -> Vec<String> {
    let (name, questions) = (&hook.name, hook.kind.questions().iter());
    let path = |question| format!("/hooks/{name}{secret}/{question}");
    questions.map(path).collect()
}

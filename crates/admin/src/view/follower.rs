//! Followers, as they are shown.

use countersign_core::follower::Follower;
use serde::Serialize;

use super::{SecretText, rfc3339};
use crate::follower::{FollowerStatus, IssuedFollower};

/// All that is shown of a follower. The audit keeps the same.
#[derive(Clone, Debug, Serialize)]
pub struct FollowerView {
    name: String,
    tenants: Option<Vec<String>>,
    position: Option<i64>,
    lag: Option<u64>,
    last_seen: Option<String>,
    created_at: String,
    rotated_at: String,
}

impl FollowerView {
    /// The view of a follower.
    #[must_use]
    pub fn of(follower: &Follower) -> Self {
        let texts = |ids: &Vec<_>| ids.iter().map(ToString::to_string).collect();
        Self {
            name: follower.name.to_string(),
            tenants: follower.tenants.as_ref().map(texts),
            position: follower.progress.and_then(|it| it.position),
            lag: follower.lag,
            last_seen: follower.progress.map(|it| rfc3339(it.at)),
            created_at: rfc3339(follower.created_at),
            rotated_at: rfc3339(follower.rotated_at),
        }
    }
}

/// What the making of a follower, and of a new secret for it, answers with.
///
/// It holds the secret, which is printed this once and nowhere else.
#[derive(Serialize)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct IssuedFollowerView {
    name: String,
    tenants: Option<Vec<String>>,
    secret: SecretText,
}

impl IssuedFollowerView {
    /// The view of a follower that was given its secret just now.
    #[must_use]
    pub fn of(issued: &IssuedFollower) -> Self {
        let FollowerView { name, tenants, .. } = FollowerView::of(&issued.follower);
        Self {
            name,
            tenants,
            secret: (&issued.secret).into(),
        }
    }
}

/// How a follower does.
#[derive(Clone, Debug, Serialize)]
pub struct FollowerStatusView {
    name: String,
    heard: bool,
    last_seen: Option<String>,
    position: Option<i64>,
    lag: Option<u64>,
    schema: Option<u32>,
    waiting: Option<u32>,
    refused: u64,
    sessions: u64,
}

impl FollowerStatusView {
    /// The view of how a follower does.
    #[must_use]
    pub fn of(status: &FollowerStatus) -> Self {
        let FollowerStatus {
            follower,
            is_heard,
            sessions,
        } = status;
        let FollowerView {
            name,
            position,
            lag,
            last_seen,
            ..
        } = FollowerView::of(follower);
        Self {
            name,
            heard: *is_heard,
            last_seen,
            position,
            lag,
            schema: follower.progress.and_then(|it| it.schema),
            waiting: follower.progress.and_then(|it| it.waiting),
            refused: follower.refused,
            sessions: *sessions,
        }
    }
}

//! What followers say of who is connected at their brokers.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Response;
use countersign_core::ledger::FollowerLedger as _;
use countersign_core::secret::SecretDigest;
use countersign_core::told_sessions::{MOST_TOLD, ToldSessions};
use countersign_sqlite::newest_schema;

use super::answers::{MOST_KNOWN, answer, behind, json, other_schema, read, too_often};
use crate::hook::Around;
use crate::problem::Problem;
use crate::rate::Rates;
use crate::who::now;

/// How far the telling of each follower is.
pub(super) struct Telling {
    parts: Rates,
    /// By the digest of its secret: the telling, and the part that comes next.
    next: Mutex<HashMap<[u8; 32], (i64, u64)>>,
}

impl Default for Telling {
    fn default() -> Self {
        Self {
            parts: Rates::of(EACH_PART, PARTS),
            next: Mutex::default(),
        }
    }
}

impl Telling {
    /// Whether this part comes next. From then on the one after it does, unless
    /// something goes wrong.
    fn begin(&self, digest: &SecretDigest, told: &ToldSessions) -> bool {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let key = digest.as_bytes();
        if told.part > 0 && next.get(key) != Some(&(told.telling, told.part)) {
            return false;
        }
        if next.len() >= MOST_KNOWN && !next.contains_key(key) {
            // Who told before begins anew.
            next.clear();
        }
        next.insert(*key, (told.telling, told.part.saturating_add(1)));
        true
    }

    fn forget(&self, digest: &SecretDigest) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.remove(digest.as_bytes());
    }
}

impl Telling {
    /// Takes a part of what a follower says of who is connected. None where there is no
    /// follower with this secret.
    pub(super) async fn take(
        &self,
        around: Around<'_>,
        digest: &SecretDigest,
        body: Body,
        mut may_audit: impl FnMut() -> Option<u64> + Send + 'static,
    ) -> Result<Option<Response<Body>>, Problem> {
        if let Err(seconds) = self.parts.take_of(digest, Instant::now()) {
            return Err(too_often(seconds));
        }
        let told: ToldSessions = read(around, body).await?;
        if told.schema != newest_schema() {
            return Err(other_schema());
        }
        if told.len() > MOST_TOLD {
            let detail = format!("`here` and `gone`: at most {MOST_TOLD} sessions");
            return Err(Problem::invalid(detail));
        }
        if !self.begin(digest, &told) {
            return Ok(Some(behind()));
        }
        let secret = digest.clone();
        let taken = around
            .workers
            .run(move |store| store.take_sessions(&secret, &told, &mut may_audit, now()))
            .await;
        if !matches!(taken, Ok(Ok(_))) {
            self.forget(digest);
        }
        let Some(judged) = taken?? else {
            return Ok(None);
        };
        if judged.refused > 0 {
            tracing::warn!(
                follower = %judged.follower.name,
                refused = judged.refused,
                "a follower told of sessions that it may not have"
            );
        }
        Ok(Some(answer(json(&judged.answer)?)))
    }
}

/// A follower may tell ten parts a second for a long time,
const EACH_PART: Duration = Duration::from_millis(100);
/// and 20 at once.
const PARTS: Duration = Duration::from_secs(2);

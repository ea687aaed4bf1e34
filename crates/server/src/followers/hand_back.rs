//! What followers hand back, on its way to those who judge it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Response;
use countersign_core::hand_back::{HandBack, MOST_ITEMS};
use countersign_core::ledger::FollowerLedger as _;
use countersign_core::secret::SecretDigest;
use countersign_sqlite::newest_schema;

use super::Followers;
use super::answers::{MOST_KNOWN, answer, json, other_schema, read, too_often};
use crate::hook::Around;
use crate::problem::Problem;
use crate::rate::Rates;
use crate::who::now;

/// How often what is handed back is judged, and how much of what is refused is written
/// down.
pub(super) struct Judging {
    batches: Rates,
    entries: Rates,
    /// How many refusals of each were not written down since the last one that was.
    unsaid: Mutex<HashMap<[u8; 32], u64>>,
}

impl Default for Judging {
    fn default() -> Self {
        Self {
            batches: Rates::of(EACH_BATCH, BATCHES),
            entries: Rates::of(EACH_ENTRY, ENTRIES),
            unsaid: Mutex::default(),
        }
    }
}

impl Judging {
    /// Whether a refusal is written down by itself, with how many were not before.
    pub(super) fn may_audit(&self, digest: &SecretDigest, instant: Instant) -> Option<u64> {
        let may = self.entries.take_of(digest, instant).is_ok();
        // Nothing under this lock can panic half done.
        let mut unsaid = self.unsaid.lock().unwrap_or_else(PoisonError::into_inner);
        if may {
            return Some(unsaid.remove(digest.as_bytes()).unwrap_or_default());
        }
        if unsaid.len() < MOST_KNOWN || unsaid.contains_key(digest.as_bytes()) {
            let count = unsaid.entry(*digest.as_bytes()).or_default();
            *count = count.saturating_add(1);
        }
        None
    }
}

impl Followers {
    /// Has judged what a follower hands back.
    pub(super) async fn take_hand_back(
        &self,
        around: Around<'_>,
        digest: &SecretDigest,
        body: Body,
    ) -> Result<Response<Body>, Problem> {
        if let Err(seconds) = self.judging.batches.take_of(digest, Instant::now()) {
            return Err(too_often(seconds));
        }
        let handed: HandBack = read(around, body).await?;
        check(&handed)?;
        let (secret, judging) = (digest.clone(), Arc::clone(&self.judging));
        let taken = around.workers.run(move |store| {
            let mut may_audit = || judging.may_audit(&secret, Instant::now());
            store.take_hand_back(&secret, &handed, &mut may_audit, now())
        });
        let judged = taken.await??.ok_or_else(|| self.gone(around, digest))?;
        if judged.refused > 0 {
            tracing::warn!(
                follower = %judged.follower.name,
                refused = judged.refused,
                "a follower handed back what it may not"
            );
        }
        Ok(answer(json(&judged.answer)?))
    }
}

/// Checks what is handed back.
fn check(handed: &HandBack) -> Result<(), Problem> {
    if handed.schema != newest_schema() {
        return Err(other_schema());
    }
    let mut pairs = handed.items.iter().zip(handed.items.iter().skip(1));
    if handed.items.len() > MOST_ITEMS || !pairs.all(|(one, next)| one.seq < next.seq) {
        let detail = format!("`items`: at most {MOST_ITEMS}, in the order of their numbers");
        return Err(Problem::invalid(detail));
    }
    Ok(())
}

/// A follower may hand back ten times a second for a long time,
const EACH_BATCH: Duration = Duration::from_millis(100);
/// and 20 times at once.
const BATCHES: Duration = Duration::from_secs(2);
/// A refusal is written down once in ten seconds for a long time,
const EACH_ENTRY: Duration = Duration::from_secs(10);
/// and 100 at once.
const ENTRIES: Duration = Duration::from_secs(1_000);

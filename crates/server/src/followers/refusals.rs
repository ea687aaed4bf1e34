//! What followers say of who was refused at their brokers.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Response;
use countersign_core::ledger::FollowerLedger as _;
use countersign_core::secret::SecretDigest;
use countersign_core::told_refusals::{MOST_TOLD, ToldRefusals};
use countersign_sqlite::newest_schema;

use super::Followers;
use super::answers::{answer, json, other_schema, read, too_often};
use crate::hook::Around;
use crate::problem::Problem;
use crate::rate::Rates;
use crate::who::now;

/// How often followers may tell.
pub(super) fn rates() -> Rates {
    Rates::of(EACH, BURST)
}

impl Followers {
    /// Takes what a follower says of who was refused.
    pub(super) async fn hear_refusals(
        &self,
        around: Around<'_>,
        digest: &SecretDigest,
        body: Body,
    ) -> Result<Response<Body>, Problem> {
        if let Err(seconds) = self.refusals.take_of(digest, Instant::now()) {
            return Err(too_often(seconds));
        }
        let told: ToldRefusals = read(around, body).await?;
        if told.schema != newest_schema() {
            return Err(other_schema());
        }
        if told.rows.len() > MOST_TOLD {
            return Err(Problem::invalid(format!("`rows`: at most {MOST_TOLD}")));
        }
        let (secret, judging) = (digest.clone(), self.judging.clone());
        let taken = around.workers.run(move |store| {
            let mut may_audit = || judging.may_audit(&secret, Instant::now());
            store.hear_refusals(&secret, &told, &mut may_audit, now())
        });
        let judged = taken.await??.ok_or_else(|| self.gone(around, digest))?;
        if judged.refused > 0 {
            tracing::warn!(
                follower = %judged.follower.name,
                refused = judged.refused,
                "a follower told of refusals that no broker has"
            );
        }
        Ok(answer(json(&judged.answer)?))
    }
}

/// A follower may tell four times a minute for a long time,
const EACH: Duration = Duration::from_secs(15);
/// and eight times at once.
const BURST: Duration = Duration::from_secs(120);

//! Telling the centre who was refused at the broker.
//!
//! The replica's audit has that as sums of minutes that are over. Up to which row the centre
//! was told, the centre says.

use std::time::{Duration, Instant};

use countersign_core::told_refusals::TakenRefusals;
use countersign_sqlite::SqliteStore;

use super::FollowError;
use super::centre::{Answered, Centre, CentreError};
use crate::who::now;

/// How far the centre is told.
pub(super) struct Refusals {
    /// The last row that it was told of; none until it says so.
    last: Option<i64>,
    next_at: Instant,
}

impl Refusals {
    pub(super) fn new() -> Self {
        Self {
            last: None,
            next_at: Instant::now(),
        }
    }

    /// Whether it is time to look.
    pub(super) fn is_due(&self) -> bool {
        Instant::now() >= self.next_at
    }

    /// Looks who was refused, and tells it if there is something to tell.
    ///
    /// # Errors
    ///
    /// Returns [`FollowError`] when that did not go well; what is told is as before.
    pub(super) fn step(
        &mut self,
        store: &SqliteStore,
        centre: &mut Centre<'_>,
    ) -> Result<(), FollowError> {
        self.rest(EACH_LOOK);
        let told = store.refusals_to_tell(self.last.unwrap_or(0), now())?;
        if self.last.is_some_and(|last| told.last <= last) {
            return Ok(());
        }
        let body = serde_json::to_string(&told).map_err(|_| CentreError::Nonsense)?;
        match centre.ask::<TakenRefusals>(PATH, Some(&body)) {
            Ok(Answered::Told(taken)) => self.last = Some(taken.last),
            Ok(Answered::Behind) => return Err(CentreError::Nonsense.into()),
            // It waits for its turn, and nothing else does.
            Err(CentreError::Status(429)) => self.rest(TOO_OFTEN),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn rest(&mut self, rest: Duration) {
        let now = Instant::now();
        self.next_at = now.checked_add(rest).unwrap_or(now);
    }
}

const PATH: &str = "/replication/v1/refusals";
/// Sums come once a minute.
const EACH_LOOK: Duration = Duration::from_secs(5);
const TOO_OFTEN: Duration = Duration::from_secs(30);

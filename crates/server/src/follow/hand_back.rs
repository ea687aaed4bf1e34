//! Handing back to the centre what the broker wrote to its replica, and who is connected.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use countersign_core::hand_back::HandedBack;
use countersign_core::store::GateStore as _;
use countersign_sqlite::SqliteStore;

use super::centre::{Answered, Centre};
use super::refusals::Refusals;
use super::sessions::Sessions;
use super::{A_MOMENT, CentreError, FollowError, pause, sleep};
use crate::who::now;

/// Hands back what the broker writes until `is_over`, as it is written. What goes wrong is
/// told once, and tried again.
pub(super) fn hand_back(
    store: &mut SqliteStore,
    centre: &mut Centre<'_>,
    is_over: &AtomicBool,
    tell: &Sender<String>,
) {
    let (mut failures, mut trouble) = (0_u32, None);
    let mut empty_at = None;
    let (mut sessions, mut refusals) = (Sessions::new(), Refusals::new());
    while !is_over.load(Ordering::Relaxed) {
        // While nobody commits, there is nothing new.
        let mark = store.mark().ok();
        let is_new = mark.is_none() || mark != empty_at;
        if !is_new && !sessions.is_due(mark) && !refusals.is_due() {
            sleep(A_MOMENT, is_over);
            continue;
        }
        let mut one_round = || {
            if is_new && !one_batch(store, centre)? {
                return Ok(());
            }
            empty_at = mark;
            if sessions.is_due(mark) {
                sessions.step(store, centre, mark)?;
            }
            if refusals.is_due() {
                refusals.step(store, centre)?;
            }
            Ok::<_, FollowError>(())
        };
        match one_round() {
            Ok(()) => (failures, trouble) = (0, None),
            Err(error) => {
                let error = error.to_string();
                if trouble.as_ref() != Some(&error) {
                    // Whoever listens may be gone, as it is over.
                    let _ = tell.send(format!("what the broker wrote waits: {error}"));
                    trouble = Some(error);
                }
                failures = failures.saturating_add(1);
                sleep(pause(failures), is_over);
            }
        }
    }
}

/// Hands back as much as goes at once; says whether there was nothing.
fn one_batch(store: &mut SqliteStore, centre: &mut Centre<'_>) -> Result<bool, FollowError> {
    let Some(handed) = store.to_hand_back()? else {
        return Ok(true);
    };
    let body = serde_json::to_string(&handed).map_err(|_| CentreError::Nonsense)?;
    let answer: HandedBack = match centre.ask(PATH, Some(&body))? {
        Answered::Told(answer) => answer,
        Answered::Behind => return Err(CentreError::Nonsense.into()),
    };
    store.settle_hand_back(&handed, &answer, now())?;
    Ok(false)
}

const PATH: &str = "/replication/v1/hand-back";

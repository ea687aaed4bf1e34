//! `countersign follow`: a replica beside a broker is kept equal to its centre.
//!
//! One thread asks the centre and writes the store, another hands back what the broker
//! wrote, and nothing else waits for either: the broker reads its own file. What the centre does not answer within a bounded time
//! is asked again, later each time, and not by all followers at once.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use countersign_core::store::{
    GateStore as _, ReplicaChanges, ReplicaObject, ReplicaPlace, StoreError,
};
use countersign_sqlite::{SqliteStore, newest_schema};
use countersign_store::AnyStore;
use zeroize::Zeroizing;

use self::centre::{Answered, Centre};
pub use self::centre::{CentreError, CentreUrl, CentreUrlError};
pub use self::health::Health;
use self::seeds::Seeds;
use crate::who::now;

mod centre;
mod hand_back;
mod health;
mod refusals;
mod seeds;
mod sessions;
mod snapshot;

/// Whom to follow.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct Following {
    /// Where the centre is.
    pub source: CentreUrl,
    /// The follower's secret.
    pub secret: Zeroizing<String>,
    /// Who may have signed the centre's certificate, PEM; the system knows otherwise.
    pub authorities: Option<PathBuf>,
}

/// What happens meanwhile.
#[derive(Debug)]
pub enum FollowNews {
    /// The centre answers, after it did not or for the first time.
    Connected,
    /// The replica is equal to its centre, after a snapshot of so many objects.
    Snapshot(u64),
    /// So many objects of a snapshot are here.
    Progress(u64),
    /// Something went wrong; it is tried again.
    Trouble(String),
}

/// Why nothing can be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The centre can't be asked as it was said.
    #[error(transparent)]
    Centre(#[from] CentreError),
    /// The store can't become a replica.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are no more threads.
    #[error("could not start a thread: {0}")]
    Thread(#[source] io::Error),
}

/// Follows a centre until `is_over`, and says meanwhile how that goes, where it is asked.
///
/// # Errors
///
/// Returns [`FollowError`] when it can't begin. What goes wrong later is told, and tried
/// again.
pub fn follow(
    mut store: SqliteStore,
    following: &Following,
    health: Option<Health>,
    is_over: &AtomicBool,
    mut tell: impl FnMut(FollowNews),
) -> Result<(), FollowError> {
    let _lock = store.hold_for_service()?;
    store.become_replica(&following.source.to_string())?;
    let mut centre = Centre::of(following, Seeds::of(&store))?;
    let (mut broker, mut other) = (store.reopen()?, Centre::of(following, None)?);
    let (trouble, of_hand_back) = mpsc::channel();
    let watched = match health {
        Some(health) => Some((health, AnyStore::from(store.reopen()?), trouble.clone())),
        None => None,
    };
    std::thread::scope(|scope| {
        let handing = std::thread::Builder::new()
            .name("countersign-hand-back".into())
            .spawn_scoped(scope, || {
                hand_back::hand_back(&mut broker, &mut other, is_over, &trouble);
            });
        handing.map_err(FollowError::Thread)?;
        if let Some((health, store, unwell)) = watched {
            let watching = std::thread::Builder::new()
                .name("countersign-health".into())
                .spawn_scoped(scope, move || {
                    if let Err(error) = health.answer(&store, is_over) {
                        // Whoever listens may be gone, as it is over.
                        let _ = unwell.send(format!("nobody is told how it goes: {error}"));
                    }
                });
            watching.map_err(FollowError::Thread)?;
        }
        take(&mut store, &mut centre, is_over, &of_hand_back, &mut tell);
        Ok(())
    })
}

/// Takes what the centre tells until `is_over`.
fn take(
    store: &mut SqliteStore,
    centre: &mut Centre<'_>,
    is_over: &AtomicBool,
    of_hand_back: &Receiver<String>,
    tell: &mut impl FnMut(FollowNews),
) {
    let (mut failures, mut trouble) = (0_u32, Some(String::new()));
    let mut is_behind = false;
    while !is_over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let done = step(store, centre, is_behind, is_over, tell);
        let rest = match done {
            Ok(next) => {
                if trouble.take().is_some() {
                    tell(FollowNews::Connected);
                }
                failures = 0;
                is_behind = next == Next::Snapshot;
                AT_LEAST.saturating_sub(begun.elapsed())
            }
            Err(error) => {
                let error = error.to_string();
                if trouble.as_ref() != Some(&error) {
                    tell(FollowNews::Trouble(error.clone()));
                    trouble = Some(error);
                }
                failures = failures.saturating_add(1);
                pause(failures)
            }
        };
        // While the centre is away, that is said already.
        for said in of_hand_back.try_iter() {
            if trouble.is_none() {
                tell(FollowNews::Trouble(said));
            }
        }
        sleep(rest, is_over);
    }
}

/// What comes next.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Next {
    Changes,
    Snapshot,
}

/// Takes a snapshot, or what changed.
fn step(
    store: &mut SqliteStore,
    centre: &mut Centre<'_>,
    is_behind: bool,
    is_over: &AtomicBool,
    tell: &mut impl FnMut(FollowNews),
) -> Result<Next, FollowError> {
    let place = store.replica()?.and_then(|it| it.place);
    let Some(place) = place.filter(|_| !is_behind) else {
        return snapshot::snapshot(store, centre, is_over, tell);
    };
    let waiting = store.count_to_hand_back()?;
    match changes(centre, place, WAIT, waiting, tell)? {
        None => Ok(Next::Snapshot),
        Some(changes) if changes.place == place && changes.objects.is_empty() => {
            store.note_contact(place, now())?;
            Ok(Next::Changes)
        }
        Some(changes) => {
            store.take_changes(&changes, now())?;
            Ok(Next::Changes)
        }
    }
}

/// What changed since a place; none where a snapshot is needed.
fn changes(
    centre: &mut Centre<'_>,
    place: ReplicaPlace,
    wait: u64,
    waiting: u32,
    tell: &mut impl FnMut(FollowNews),
) -> Result<Option<ReplicaChanges>, FollowError> {
    let schema = newest_schema();
    let path = format!(
        "/replication/v1/changes?after={place}&wait={wait}&schema={schema}&waiting={waiting}"
    );
    let told = centre.ask::<ReplicaChanges>(&path, None)?;
    Ok(match told {
        Answered::Told(mut changes) => {
            open_seeds(centre, &mut changes.objects, tell);
            Some(changes)
        }
        Answered::Behind => None,
    })
}

fn open_seeds(
    centre: &mut Centre<'_>,
    objects: &mut [ReplicaObject],
    tell: &mut impl FnMut(FollowNews),
) {
    if centre.open_seeds(objects) {
        tell(FollowNews::Trouble(SEEDS_MISSING.into()));
    }
}

/// How long nothing is tried after so many failures: between a half and the whole of
/// what doubles each time, so that followers do not come back at once.
fn pause(failures: u32) -> Duration {
    let longest = FIRST_PAUSE
        .saturating_mul(1_u32.checked_shl(failures.min(8)).unwrap_or(1))
        .min(LONGEST_PAUSE);
    let mut byte = [0];
    // Without randomness all come back at once, which is all.
    let _ = getrandom::fill(&mut byte);
    let [byte] = byte;
    let half = longest.checked_div(2).unwrap_or(longest);
    let part = half.saturating_mul(byte.into()).checked_div(255);
    half.saturating_add(part.unwrap_or_default())
}

/// Sleeps, unless it is over.
fn sleep(rest: Duration, is_over: &AtomicBool) {
    let until = Instant::now().checked_add(rest);
    while let Some(left) = until.map(|until| until.saturating_duration_since(Instant::now()))
        && !left.is_zero()
        && !is_over.load(Ordering::Relaxed)
    {
        std::thread::sleep(left.min(A_MOMENT));
    }
}

const SEEDS_MISSING: &str = "the centre did not tell second factors, so their users are refused \
    here: it has no key file that opens them, or took another machine for this follower; \
    `countersign follower rotate` there, with the new secret here, lets it take this one";
/// So many seconds the centre waits for something to change.
const WAIT: u64 = 2;
/// Between two questions lies so much at least, so that what is done at once comes at
/// once.
const AT_LEAST: Duration = Duration::from_millis(15);
const A_MOMENT: Duration = Duration::from_millis(50);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_up_to_an_end_and_differs() {
        for failures in 1..100 {
            let taken = pause(failures);
            assert!(taken >= FIRST_PAUSE && taken <= LONGEST_PAUSE, "{taken:?}");
        }
        assert!(pause(1) <= FIRST_PAUSE * 2);
        assert!(pause(50) >= LONGEST_PAUSE / 2);
        let several: std::collections::BTreeSet<_> = (0..50).map(|_| pause(50)).collect();
        assert!(several.len() > 5);
    }
}

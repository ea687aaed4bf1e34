//! A snapshot of the centre: while one page is kept, the next one is read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use countersign_core::store::{ObjectName, ReplicaPlace, SnapshotPage};
use countersign_sqlite::{SqliteStore, StagedSnapshot};

use super::centre::{Answered, Centre, CentreError};
use super::{FollowError, FollowNews, Next, SEEDS_MISSING, changes};
use crate::who::now;

/// Reads all that may be known, and then takes it at once.
pub(super) fn snapshot(
    store: &mut SqliteStore,
    centre: &mut Centre<'_>,
    is_over: &AtomicBool,
    tell: &mut impl FnMut(FollowNews),
) -> Result<Next, FollowError> {
    let mut staged = StagedSnapshot::begin(store)?;
    let mut objects: u64 = 0;
    let Some(first) = stage(&mut staged, &mut objects, centre, is_over, tell)? else {
        return Ok(Next::Snapshot);
    };
    let waiting = store.count_to_hand_back()?;
    let Some(changes) = changes(centre, first, 0, waiting, tell)? else {
        return Ok(Next::Snapshot);
    };
    staged.replace(&changes.objects)?;
    store.take_snapshot(&staged, changes.place, now())?;
    tell(FollowNews::Snapshot(objects));
    Ok(Next::Changes)
}

/// Keeps all pages. Returns the place of the first one; none where they are not whole.
fn stage(
    staged: &mut StagedSnapshot,
    objects: &mut u64,
    centre: &mut Centre<'_>,
    is_over: &AtomicBool,
    tell: &mut impl FnMut(FollowNews),
) -> Result<Option<ReplicaPlace>, FollowError> {
    std::thread::scope(|scope| {
        let (hand_over, pages) = sync_channel(0);
        std::thread::Builder::new()
            .name("countersign-snapshot".into())
            .spawn_scoped(scope, move || {
                if let Err(error) = read_pages(centre, is_over, &hand_over) {
                    // Whoever keeps them may have failed before.
                    let _ = hand_over.send(Err(error));
                }
            })
            .map_err(FollowError::Thread)?;
        let mut first = None;
        for read in pages {
            let ReadPage { page, lacks_seeds } = read?;
            if lacks_seeds {
                tell(FollowNews::Trouble(SEEDS_MISSING.into()));
            }
            staged.add(&page.objects)?;
            let count = u64::try_from(page.objects.len()).unwrap_or(u64::MAX);
            *objects = objects.saturating_add(count);
            tell(FollowNews::Progress(*objects));
            let first = *first.get_or_insert(page.place);
            if page.next.is_none() {
                return Ok(Some(first));
            }
        }
        Ok(None)
    })
}

struct ReadPage {
    page: SnapshotPage,
    /// Whether seeds were left out that may not be.
    lacks_seeds: bool,
}

/// Hands all pages over, unless it is over or nobody takes them.
fn read_pages(
    centre: &mut Centre<'_>,
    is_over: &AtomicBool,
    hand_over: &SyncSender<Result<ReadPage, CentreError>>,
) -> Result<(), CentreError> {
    let mut after = None;
    while !is_over.load(Ordering::Relaxed) {
        let mut page: SnapshotPage = match centre.ask(&page_path(after.as_ref()), None)? {
            Answered::Told(page) => page,
            Answered::Behind => return Ok(()),
        };
        let lacks_seeds = centre.open_seeds(&mut page.objects);
        after = page.next.clone();
        let read = Ok(ReadPage { page, lacks_seeds });
        if hand_over.send(read).is_err() || after.is_none() {
            break;
        }
    }
    Ok(())
}

fn page_path(after: Option<&ObjectName>) -> String {
    let mut path = "/replication/v1/snapshot".to_owned();
    let Some(after) = after else {
        return path;
    };
    let number = after.number.map(|it| it.to_string());
    let words = [
        ("kind", Some(&after.kind)),
        ("number", number.as_ref()),
        ("tenant", after.tenant.as_ref()),
        ("name", after.name.as_ref()),
    ];
    let words = words
        .into_iter()
        .filter_map(|(word, said)| Some((word, said?)));
    if let Ok(query) = serde_urlencoded::to_string(words.collect::<Vec<_>>()) {
        path.push('?');
        path.push_str(&query);
    }
    path
}

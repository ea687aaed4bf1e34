//! Keeps the keys fresh that issuers publish at an address.
//!
//! What is due is read from the store, so it makes no difference who asked for it, or how
//! many services there are.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use countersign_admin::issuer::{ListDueKeys, NoteFetchedKeys, Noted};
use countersign_admin::{Caller, Command, Context, OsRandom};
use countersign_core::issuer::{IssuerId, KeySource};
use countersign_issuer::MOST_BYTES;
use tokio::task::{Id, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::app::App;
use crate::fetch::fetch;
use crate::who::now;

/// Fetches keys when they are due, for as long as the service runs.
pub(crate) async fn keep_keys_fresh(app: Arc<App>) {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut fetching = JoinSet::new();
    let mut busy = HashMap::<Id, IssuerId>::new();
    loop {
        tokio::select! {
            Some(done) = fetching.join_next_with_id() => {
                let id = done.map_or_else(|error| error.id(), |(id, ())| id);
                busy.remove(&id);
            }
            _ = looks.tick() => {
                // What can't be looked at now is looked at the next time.
                let due = run(&app, ListDueKeys).await.unwrap_or_default();
                let fetched = busy.values().copied().collect();
                for (issuer, source) in next(due, &fetched) {
                    let fetch = fetch_and_note(Arc::clone(&app), issuer, source);
                    busy.insert(fetching.spawn(fetch).id(), issuer);
                }
            }
        }
    }
}

/// Those of the due ones that are fetched next, beside those that are `fetched` now.
fn next<T>(due: Vec<(IssuerId, T)>, fetched: &HashSet<IssuerId>) -> Vec<(IssuerId, T)> {
    let mut next = due;
    next.retain(|(issuer, _)| !fetched.contains(issuer));
    next.truncate(MOST_AT_ONCE.saturating_sub(fetched.len()));
    next
}

async fn fetch_and_note(app: Arc<App>, issuer: IssuerId, from: KeySource) {
    let fetched = fetch(&from.place, MOST_BYTES).await;
    let note = NoteFetchedKeys {
        issuer,
        from,
        fetched: fetched.map_err(|error| error.to_string()),
    };
    match run(&app, note).await {
        Some(Noted::Changed(issuer)) => {
            tracing::info!(issuer = issuer.as_str(), "other keys were fetched");
        }
        Some(Noted::Failed(issuer, problem)) => {
            let issuer = issuer.as_str();
            tracing::warn!(issuer, "its keys could not be fetched: {problem}");
        }
        Some(Noted::Gone | Noted::Same) => {}
        // Whoever publishes them is not to be asked again and again for it.
        None => sleep(A_MINUTE).await,
    }
}

/// Runs a command of the service itself; none where the store can't be used.
async fn run<C>(app: &App, command: C) -> Option<C::Output>
where
    C: Command + Send + 'static,
    C::Output: Send + 'static,
{
    let run = move |store: &mut _| {
        let mut context = Context {
            now: now(),
            caller: Caller::owner("serve"),
            random: &mut OsRandom,
        };
        countersign_admin::run(store, &mut context, &command).ok()
    };
    app.workers.run(run).await.ok().flatten()
}

/// So often it is looked what is due, for which an administrator may wait.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Of so many issuers keys are fetched at once.
const MOST_AT_ONCE: usize = 8;
const A_MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_keys_are_fetched_at_once_and_none_twice() {
        let due = || (0..20).map(|number| (IssuerId(number), ())).collect();
        let numbers = |fetched: &HashSet<_>| {
            let next = next(due(), fetched).into_iter();
            next.map(|(IssuerId(number), ())| number)
                .collect::<Vec<_>>()
        };
        assert_eq!(numbers(&HashSet::new()), [0, 1, 2, 3, 4, 5, 6, 7]);
        let fetched = [0, 2, 99].map(IssuerId).into();
        assert_eq!(numbers(&fetched), [1, 3, 4, 5, 6]);
        let fetched = (30..38).map(IssuerId).collect();
        assert_eq!(numbers(&fetched), [0; 0]);
    }
}

//! A replica and its centre, seen from either end.

use core::time::Duration;

use countersign_core::follower::Follower;
use countersign_core::store::ReplicaState;
use countersign_core::time::{Timestamp, rfc3339};

use super::Problem;

/// Whether a replica hears from its centre; if so, what it knows of it.
pub(super) fn replica(state: &ReplicaState, now: Timestamp) -> Result<String, Problem> {
    let source = &state.source;
    let Some(place) = state.place else {
        return Err(Problem::new(
            format!("this store is to be a replica of {source}, and has no snapshot of it yet"),
            FOLLOW,
        ));
    };
    let position = place.seq;
    let about = format!("replica of {source}, at change {position}");
    let Some(at) = state.contact_at else {
        return Err(Problem::warning(
            format!("{about}, never heard of since"),
            FOLLOW,
        ));
    };
    let heard = rfc3339(at);
    if is_lately(at, now) {
        Ok(format!("{about}, heard of at {heard}"))
    } else {
        Err(Problem::warning(
            format!("{about}, last heard of at {heard}: what changed since does not hold here"),
            FOLLOW,
        ))
    }
}

/// What is wrong with a follower of this store.
pub(super) fn follower(follower: &Follower, now: Timestamp) -> Option<Problem> {
    let name = &follower.name;
    let fix = format!(
        "see whether `countersign follow` runs there; `countersign follower delete {name}` if it \
         is gone for good"
    );
    let Some(progress) = follower.progress else {
        let never = format!("follower `{name}` never asked");
        return Some(Problem::warning(never, fix));
    };
    if is_lately(progress.at, now) {
        return None;
    }
    let at = rfc3339(progress.at);
    let behind = match follower.lag {
        None => String::new(),
        Some(lag) => format!(", and is {lag} changes behind"),
    };
    let late = format!("follower `{name}` last asked at {at}{behind}");
    Some(Problem::warning(late, fix))
}

fn is_lately(at: Timestamp, now: Timestamp) -> bool {
    let apart = at.as_millis().abs_diff(now.as_millis());
    Duration::from_millis(apart) <= LATELY
}

const FOLLOW: &str = "see whether `countersign follow` runs here, and what it says";
/// A follower asks every two seconds; that it did is written down every ten.
const LATELY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_says_where_it_is_and_a_late_one_is_a_problem() {
        let at = |second: i64| Timestamp::from_millis(second * 1_000);
        let heard = ReplicaState {
            source: "https://centre.example.com".into(),
            place: "1.7.3".parse().ok(),
            contact_at: Some(at(100)),
        };
        assert!(heard.place.is_some());
        let told = replica(&heard, at(160)).unwrap();
        assert!(
            told.starts_with("replica of https://centre.example.com, at change 7,"),
            "{told}"
        );
        for late in [at(161), at(39)] {
            let problem = replica(&heard, late).unwrap_err();
            assert!(
                problem.problem.contains("at change 7, last heard of"),
                "{problem:?}"
            );
        }
        let begun = ReplicaState {
            place: None,
            ..heard
        };
        assert!(
            replica(&begun, at(100))
                .unwrap_err()
                .problem
                .contains("no snapshot")
        );
    }
}

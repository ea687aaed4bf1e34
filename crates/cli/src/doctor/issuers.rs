//! The keys of issuers that are fetched.

use countersign_core::issuer::IssuerRecord;
use countersign_core::time::{Timestamp, rfc3339};

use super::Problem;

/// What is wrong with the keys of an issuer, if they are fetched.
pub(super) fn problem(
    issuer: &IssuerRecord,
    now: Timestamp,
    is_service_alive: bool,
) -> Option<Problem> {
    let source = issuer.source.as_ref()?;
    let (name, url) = (&issuer.name, &source.place.url);
    let why = match source.problem.as_deref() {
        _ if !is_service_alive => "no `countersign serve` runs, which fetches them",
        Some(problem) => problem,
        None if issuer.has_keys(now) => return None,
        None => "they are about to be fetched",
    };
    let last = match source.fetched_at {
        Some(at) => format!("last fetched at {}", rfc3339(at)),
        None => "never fetched".into(),
    };
    let fix = if is_service_alive {
        format!("see that `{url}` answers; `countersign issuer refresh {name}` tries again")
    } else {
        "run `countersign serve` on this store".into()
    };
    let about = format!("the keys of issuer `{name}` were {last}: {why}");
    Some(if issuer.has_keys(now) {
        let end = rfc3339(source.keys_end_at());
        Problem::warning(format!("{about}; they count until {end}"), fix)
    } else {
        Problem::new(format!("{about}; its tokens are refused"), fix)
    })
}

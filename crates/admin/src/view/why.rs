//! What is known of a name, as it is shown.

use std::collections::BTreeMap;

use countersign_core::audit::{AuditEntry, AuditRow};
use countersign_core::reason::Reason;
use countersign_core::time::rfc3339;
use serde::Serialize;
use serde_json::Value;

use super::ClientView;
use crate::why::NameReport;

/// Why a name's client can't connect, or may not do something.
#[derive(Clone, Debug, Serialize)]
pub struct WhyView {
    name: String,
    /// None where nothing has the name.
    state: Option<&'static str>,
    /// Why a CONNECT would be refused now; none if it would not.
    reasons: Vec<&'static str>,
    sessions: Vec<ClientView>,
    last_logins: Vec<LastLoginView>,
    denied: Vec<DeniedView>,
}

/// A login that was let in, or those of a minute that were refused.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
struct LastLoginView {
    time: String,
    outcome: &'static str,
    cause: Option<&'static str>,
    count: i64,
    address: Option<String>,
    client_id: Option<String>,
}

/// What sessions wanted to do with a topic, and may not.
#[derive(Clone, Debug, Serialize)]
struct DeniedView {
    topic: String,
    act: String,
    cause: Option<&'static str>,
    count: i64,
    last: String,
}

impl WhyView {
    /// The view of what is known of a name, and of why a CONNECT would be refused
    /// now.
    #[must_use]
    pub fn of(report: &NameReport, refusal: Option<Reason>) -> Self {
        let sessions = &report.sessions;
        let credential = report.credential.as_ref();
        Self {
            name: report.shown.clone(),
            state: credential.map(|credential| credential.state.as_str()),
            reasons: refusal.map(Reason::as_str).into_iter().collect(),
            sessions: sessions
                .iter()
                .map(|session| ClientView::of(session, false))
                .collect(),
            last_logins: last_logins(report),
            denied: denied(&report.denied),
        }
    }
}

/// The newest logins, newest first. Of those that were let in, the store has the
/// ones that live, and when the last one was.
fn last_logins(report: &NameReport) -> Vec<LastLoginView> {
    let refused = report
        .refused
        .iter()
        .map(|AuditRow { entry, .. }| LastLoginView {
            time: rfc3339(entry.time),
            outcome: entry.outcome.as_str(),
            cause: entry.cause.map(Reason::as_str),
            count: entry.count,
            address: entry.address.clone(),
            client_id: entry.client_id.clone(),
        });
    let live = report.sessions.iter().map(|session| {
        let presence = &session.presence;
        let client_id = Some(presence.client_id.to_string());
        done(
            rfc3339(presence.connected_at),
            presence.address.as_deref().map(str::to_owned),
            client_id,
        )
    });
    let mut logins: Vec<_> = refused.chain(live).collect();
    let last = report.credential.as_ref().and_then(|it| it.last_used_at);
    let last = last.map(rfc3339);
    let is_known = |last: &String| {
        let is_it = |login: &LastLoginView| login.outcome == DONE && login.time == *last;
        logins.iter().any(is_it)
    };
    if let Some(last) = last.filter(|last| !is_known(last)) {
        logins.push(done(last, None, None));
    }
    logins.sort();
    logins.reverse();
    logins.truncate(MOST_SHOWN);
    logins
}

fn done(time: String, address: Option<String>, client_id: Option<String>) -> LastLoginView {
    LastLoginView {
        time,
        outcome: DONE,
        cause: None,
        count: 1,
        address,
        client_id,
    }
}

/// What was denied by topic, act and cause, newest first.
fn denied(rows: &[AuditRow]) -> Vec<DeniedView> {
    let mut sums: BTreeMap<_, DeniedView> = BTreeMap::new();
    for AuditRow { entry, .. } in rows {
        let topic = entry.topic.clone().unwrap_or_default();
        let last = last_of(entry);
        let sum = sums
            .entry((topic.clone(), entry.act.clone(), entry.cause))
            .or_insert_with(|| DeniedView {
                topic,
                act: entry.act.clone(),
                cause: entry.cause.map(Reason::as_str),
                count: 0,
                last: last.clone(),
            });
        sum.count = sum.count.saturating_add(entry.count);
        sum.last = last.max(core::mem::take(&mut sum.last));
    }
    let mut sums: Vec<_> = sums.into_values().collect();
    sums.sort_by(|one, other| other.last.cmp(&one.last));
    sums.truncate(MOST_SHOWN);
    sums
}

/// When the last use of a row was denied; of a row that stands for many principals,
/// when its minute began.
fn last_of(entry: &AuditEntry) -> String {
    let about = entry.after.as_deref();
    let about = about.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let last = about.as_ref().and_then(|about| about.get("last")?.as_str());
    last.map_or_else(|| rfc3339(entry.time), str::to_owned)
}

const DONE: &str = "done";
const MOST_SHOWN: usize = 50;

//! The audit: what was done by whom, and what was refused.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_admin::audit::{FindAuditRow, ListAuditPage, ShowAuditHeads, VerifyAudit};
use countersign_admin::view::AuditView;
use countersign_core::audit::{AuditHead, AuditKey, AuditOutcome};
use countersign_core::name::TenantId;
use countersign_core::store::AuditQuery;
use countersign_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{page_of, part};
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{Nothing, Text};
use crate::problem::Problem;
use crate::route::{Route, get};
use crate::shape::{MAYBE_TEXT, Shape};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/audit", "List the audit, newest last", list).answers_page(&ROW),
        get("/api/v1/audit/head", "Show the heads of its chains", head)
            .answers(StatusCode::OK, HEADS),
        get(
            "/api/v1/audit/verify",
            "Look whether it was tampered with",
            verify,
        )
        .answers(StatusCode::OK, VERIFIED),
        get("/api/v1/audit/{id}", "Show a row", show).answers(StatusCode::OK, ROW),
    ]
}

/// Which rows are asked for: all that is said must be so.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ListWords {
    act: Option<String>,
    actor: Option<String>,
    /// Of clients from this address.
    address: Option<String>,
    /// Behind this: the `next` of the part before.
    after: Option<String>,
    /// At most so many, from 1 to 1000; 100 where it is not said.
    limit: Option<u64>,
    /// About this name.
    name: Option<String>,
    outcome: Option<Text<AuditOutcome>>,
    since: Option<Text<Timestamp>>,
    /// About this tenant and what is in it.
    tenant: Option<Text<TenantId>>,
    until: Option<Text<Timestamp>>,
}

fn list(call: &mut Call<'_>, words: ListWords, _: Nothing) -> Result<Answer, Problem> {
    let page = page_of(words.after.as_deref(), words.limit, read_key)?;
    let query = AuditQuery {
        since: words.since.map(|Text(time)| time),
        until: words.until.map(|Text(time)| time),
        subject: words.name,
        actor: words.actor,
        act: words.act,
        outcome: words.outcome.map(|Text(outcome)| outcome),
        tenant: words.tenant.map(|Text(tenant)| tenant),
        address: words.address,
        limit: None,
    };
    let listed = call.run(&ListAuditPage { query, page })?;
    let next = listed.next.as_ref().map(write_key);
    part(listed.rows.iter().map(AuditView::of).collect(), next)
}

fn write_key(key: &AuditKey) -> String {
    let AuditKey { time, sum, id } = key;
    URL_SAFE_NO_PAD.encode(format!("{} {id} {sum}", time.as_millis()))
}

fn read_key(text: &str) -> Result<AuditKey, String> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut parts = text.splitn(3, ' ');
        let (time, id, sum) = (parts.next()?, parts.next()?, parts.next()?);
        Some(AuditKey {
            time: Timestamp::from_millis(time.parse().ok()?),
            sum: sum.to_owned(),
            id: id.parse().ok()?,
        })
    };
    read().ok_or_else(|| "it is not the `next` of a listing".to_owned())
}

fn show(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let id: String = call.part("id")?;
    let id = id.parse().map_err(|_| Problem::not_found())?;
    let found = call.run(&FindAuditRow(id))?;
    Answer::ok(&AuditView::of(&found.ok_or_else(Problem::not_found)?))
}

#[derive(Serialize)]
struct Heads {
    acts: String,
    refusals: String,
}

fn head(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let heads = call.run(&ShowAuditHeads)?;
    Answer::ok(&Heads {
        acts: heads.acts.to_string(),
        refusals: heads.refusals.to_string(),
    })
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct VerifyWords {
    /// A head that was kept: nothing up to there was changed, cut or left out.
    expect: Option<Text<AuditHead>>,
}

/// What became of a look at the audit.
#[derive(Serialize)]
struct Verified {
    intact: bool,
    rows: Option<u64>,
    problem: Option<String>,
}

fn verify(call: &mut Call<'_>, words: VerifyWords, _: Nothing) -> Result<Answer, Problem> {
    let expected = words.expect.map(|Text(head)| head);
    let check = call.run(&VerifyAudit(expected.into_iter().collect()))?;
    let (rows, problem) = match check.intact() {
        Ok(rows) => (Some(rows), None),
        Err(problem) => (None, Some(problem)),
    };
    Answer::ok(&Verified {
        intact: problem.is_none(),
        rows,
        problem,
    })
}

const ROW: Shape = Shape::Named(
    "AuditRow",
    &Shape::Object(&[
        ("id", Shape::Maybe(&Shape::Integer)),
        ("time", Shape::Text),
        ("actor", Shape::Text),
        ("act", Shape::Text),
        ("subject", Shape::Text),
        ("outcome", Shape::Text),
        ("cause", MAYBE_TEXT),
        ("count", Shape::Integer),
        ("address", MAYBE_TEXT),
        ("client_id", MAYBE_TEXT),
        ("topic", MAYBE_TEXT),
        (
            "changes",
            Shape::List(&Shape::Object(&[
                ("field", Shape::Text),
                ("before", Shape::Anything),
                ("after", Shape::Anything),
            ])),
        ),
    ]),
);
const HEADS: Shape = Shape::Object(&[("acts", Shape::Text), ("refusals", Shape::Text)]);
const VERIFIED: Shape = Shape::Object(&[
    ("intact", Shape::Bool),
    ("rows", Shape::Maybe(&Shape::Integer)),
    ("problem", MAYBE_TEXT),
]);

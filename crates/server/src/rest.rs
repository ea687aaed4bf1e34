//! The REST interface, a module for each noun.

use countersign_admin::taking::{Plan, PreviewTaking, TakeFromRest, Taking};
use countersign_admin::view::LoserView;
use countersign_core::name::TenantId;
use countersign_core::store::{Keyed, Page};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::call::Call;
use crate::input::{FromText, Text};
use crate::metrics;
use crate::problem::Problem;
use crate::route::Route;

mod applications;
mod audit;
mod authorities;
mod bans;
mod brokers;
mod check;
pub(crate) mod clients;
mod credentials;
mod events;
mod followers;
mod hooks;
mod issuers;
mod jwts;
mod limits;
mod me;
mod operators;
mod registering;
mod roles;
mod rules;
mod schemes;
mod session;
mod settings;
mod stats;
mod tenants;
mod things;
mod tokens;
mod users;

/// All routes.
pub(crate) fn routes() -> Vec<Route> {
    [
        tenants::routes(),
        roles::routes(),
        applications::routes(),
        things::routes(),
        credentials::routes(),
        operators::routes(),
        users::routes(),
        session::routes(),
        me::routes(),
        tokens::routes(),
        jwts::routes(),
        schemes::routes(),
        settings::routes(),
        bans::routes(),
        limits::routes(),
        authorities::routes(),
        issuers::routes(),
        brokers::routes(),
        followers::routes(),
        hooks::routes(),
        check::routes(),
        clients::routes(),
        audit::routes(),
        events::routes(),
        stats::routes(),
        metrics::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Some of a listing, and where the rest begins.
#[derive(Serialize)]
struct Part<T> {
    items: Vec<T>,
    next: Option<String>,
}

/// Answers with a part of a listing. A place in it is the text of a key.
fn part<T: Serialize>(items: Vec<T>, next: Option<String>) -> Result<Answer, Problem> {
    Answer::ok(&Part { items, next })
}

/// Answers with all there is.
fn whole<T: Serialize>(items: Vec<T>) -> Result<Answer, Problem> {
    part(items, None)
}

/// A row of a listing that a command gives whole.
struct Row<K, V> {
    key: K,
    view: V,
}

impl<K: Clone, V> Keyed for Row<K, V> {
    type Key = K;

    fn key(&self) -> K {
        self.key.clone()
    }
}

/// Answers with the part of all rows that a page asks for, in the order of their keys.
fn part_of_all<K: Clone + Ord + ToString, V: Serialize>(
    rows: impl Iterator<Item = Row<K, V>>,
    page: &Page<K>,
) -> Result<Answer, Problem> {
    let is_behind = |row: &Row<K, V>| page.after.as_ref().is_none_or(|after| row.key > *after);
    let mut rows: Vec<_> = rows.filter(is_behind).collect();
    rows.sort_by(|one, other| one.key.cmp(&other.key));
    let listed = page.listed(rows);
    let next = listed.next.map(|key| key.to_string());
    part(listed.rows.into_iter().map(|row| row.view).collect(), next)
}

/// Which part of a listing is asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct PageWords {
    /// Behind this: the `next` of the part before.
    after: Option<String>,
    /// At most so many, from 1 to 1000; 100 where it is not said.
    limit: Option<u64>,
}

impl PageWords {
    /// The page, whose keys are read from text.
    fn page<K: FromText>(&self) -> Result<Page<K>, Problem> {
        page_of(self.after.as_deref(), self.limit, K::from_text)
    }
}

/// The same, and of which tenant.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct PageOfTenantWords {
    /// Behind this: the `next` of the part before.
    after: Option<String>,
    /// At most so many, from 1 to 1000; 100 where it is not said.
    limit: Option<u64>,
    /// Of this tenant alone.
    tenant: Option<Text<TenantId>>,
}

impl PageOfTenantWords {
    /// The page, whose keys are read so.
    fn page<K>(&self, read: fn(&str) -> Result<K, String>) -> Result<Page<K>, Problem> {
        page_of(self.after.as_deref(), self.limit, read)
    }

    fn tenant(self) -> Option<TenantId> {
        self.tenant.map(|Text(tenant)| tenant)
    }
}

/// The page of a listing that goes by tenant and name, in one tenant.
fn page_in_tenant<K: FromText>(
    words: &PageWords,
    tenant: &TenantId,
) -> Result<Page<(TenantId, K)>, Problem> {
    let read = |text: &str| Ok((tenant.clone(), K::from_text(text)?));
    page_of(words.after.as_deref(), words.limit, read)
}

/// The page behind a place.
fn page_of<K>(
    after: Option<&str>,
    limit: Option<u64>,
    read: impl FnOnce(&str) -> Result<K, String>,
) -> Result<Page<K>, Problem> {
    let after = after.map(read).transpose();
    let after = after.map_err(|error| Problem::invalid(format!("`after`: {error}")))?;
    let limit = limit.unwrap_or(USUAL_LIMIT);
    if !(1..=MOST_LISTED).contains(&limit) {
        let detail = format!("`limit` is from 1 to {MOST_LISTED}");
        return Err(Problem::invalid(detail));
    }
    Ok(Page { after, limit })
}

/// Answers with who would lose what by an act, to the tenant's harm that owns `#`.
fn losers(call: &mut Call<'_>, command: impl Plan) -> Result<Answer, Problem> {
    let losers = call.run(&PreviewTaking(command))?;
    whole(losers.iter().map(LoserView::of).collect())
}

/// Whether something is only tried.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct DryRun {
    /// Say what would be done, and change nothing.
    dry_run: bool,
}

/// Whether what depends on a thing goes with it.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Cascade {
    /// Let all that depends on it go with it.
    cascade: bool,
}

/// What may be done to the tenant that owns `#`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TakingWords {
    /// Say who would lose which topics, and change nothing.
    dry_run: bool,
    /// Take the topics, if they are the tenant's that owns `#`.
    take: bool,
    /// Leave that tenant `strict`. It means something with `take` alone.
    keep_strict: bool,
}

impl TakingWords {
    /// A command that takes topics as far as they say.
    fn taking<C>(self, command: C) -> TakeFromRest<C> {
        let taking = match (self.take, self.keep_strict) {
            (false, _) => Taking::Refused,
            (true, false) => Taking::Filtering,
            (true, true) => Taking::KeepingStrict,
        };
        TakeFromRest { command, taking }
    }
}

/// What is to be added to what there is, and taken from it, for it to be what is said.
fn difference<T: Clone + PartialEq>(said: Option<Vec<T>>, there: &[T]) -> (Vec<T>, Vec<T>) {
    let Some(said) = said else {
        return (Vec::new(), Vec::new());
    };
    let removed = there
        .iter()
        .filter(|it| !said.contains(it))
        .cloned()
        .collect();
    let mut added: Vec<T> = Vec::new();
    for it in said {
        if !there.contains(&it) && !added.contains(&it) {
            added.push(it);
        }
    }
    (added, removed)
}

const USUAL_LIMIT: u64 = 100;
const MOST_LISTED: u64 = 1_000;

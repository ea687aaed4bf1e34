//! The store's content.

use core::time::Duration;
use std::collections::HashSet;
use std::path::Path;

use countersign_admin::Command;
use countersign_admin::audit::{ListAudit, VerifyAudit};
use countersign_admin::authority::ListAuthorities;
use countersign_admin::follower::ListFollowers;
use countersign_admin::issuer::ListIssuers;
use countersign_admin::scheme::{ListReplacedSchemes, ListRevealingSchemes};
use countersign_admin::sealed::CountSealed;
use countersign_admin::settings::ShowSettings;
use countersign_admin::tenant::ListTenants;
use countersign_core::ledger::is_full_of_client_ids;
use countersign_core::name::LoginName;
use countersign_core::scheme::SchemeName;
use countersign_core::store::{
    AdminStore as _, AuditQuery, Directory as _, GateStore as _, Intent, StoreError,
    StoreErrorKind, all_rows,
};
use countersign_core::tenant::Tenant;
use countersign_core::time::{Timestamp, rfc3339};
use countersign_sqlite::SqliteStore;
use countersign_store::AnyStore;

use super::{Problem, Report, fleet, issuers, server};
use crate::identity::ActingAs;
use crate::invocation::{as_caller, now, open_at};
use crate::output::Output;
use crate::store_place::StorePlace;

/// What of a store matters to a broker's configuration. All of it is empty
/// where the store can't be used.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// The names with a credential, of those that were asked for; none if they
    /// can't be read.
    pub(super) names: Option<HashSet<LoginName>>,
    /// The schemes in use whose clients show their secret.
    pub(super) show_secrets: Vec<SchemeName>,
    /// The tenants; none if they can't be read.
    pub(super) tenants: Option<Vec<Tenant>>,
}

impl Content {
    /// Whether a tenant admits clients without a login.
    pub(super) fn admits_anonymous(&self) -> bool {
        let mut tenants = self.tenants.iter().flatten();
        tenants.any(|tenant| tenant.authentication.admits_anonymous())
    }
}

/// Checks the store and says what of it matters elsewhere.
///
/// `names` are those that something else in the broker's configuration knows.
pub(super) fn check(
    report: &mut Report,
    place: &StorePlace,
    output: Output,
    names: impl Iterator<Item = LoginName>,
) -> Content {
    // Whoever could swap the store's files is who reads them.
    let acting = place.guarded().map(ActingAs::for_keeper_of).transpose();
    let opened = acting
        .map_err(|failure| {
            let fix = "keep the store where one user alone may write";
            Problem::new(failure.text(), fix)
        })
        .and_then(|acting| match open_at(place, output) {
            Ok(store) => Ok((acting, store)),
            Err(error) => Err(unusable(place, &error)),
        });
    let Some((_acting, mut store)) = report.take("store", opened) else {
        return Content::default();
    };
    match &mut store {
        AnyStore::File(file) => report.note("integrity", integrity(file)),
        // Whether a database is whole is for PostgreSQL to say.
        AnyStore::Postgres(database) => match database.server_facts() {
            Ok(facts) => report.note_all("server", server::problems(&facts)),
            Err(error) => report.note("server", Err(unusable(place, &error))),
        },
    }
    report.note("records", records(&mut store));
    report.note("audit", audit_chain(&mut store));
    report.note("argon2", argon2(&mut store));
    report.note("clock", clock(&mut store, now()));
    report.note("schemes", replaced_schemes(&mut store));
    report.note("sealed", opens_what_is_sealed(&mut store, place));
    match ended_authorities(&mut store, now()) {
        Ok(ended) => report.note_all("authorities", ended),
        Err(problem) => report.note("authorities", Err(problem)),
    }
    match look(&mut store, &ListIssuers::default()) {
        Ok(all) => {
            let is_service_alive = store.is_service_alive();
            let problem = |issuer| issuers::problem(issuer, now(), is_service_alive);
            report.note_all("issuers", all.iter().filter_map(problem));
        }
        Err(problem) => report.note("issuers", Err(problem)),
    }
    match store.replica() {
        Ok(None) => {}
        Ok(Some(state)) => report.note_found("replica", fleet::replica(&state, now()).map(Some)),
        Err(error) => report.note("replica", Err(unusable(place, &error))),
    }
    let followers = all_rows(|page| look(&mut store, &ListFollowers(page.clone())));
    match followers {
        Ok(all) => {
            let late = |follower| fleet::follower(follower, now());
            report.note_all("followers", all.iter().filter_map(late));
        }
        Err(problem) => report.note("followers", Err(problem)),
    }
    Content {
        names: with_credential(&mut store, names).ok(),
        show_secrets: look(&mut store, &ListRevealingSchemes).unwrap_or_default(),
        tenants: all_rows(|page| look(&mut store, &ListTenants(page.clone()))).ok(),
    }
}

/// Those of `names` that have a credential; one that can't be read is one.
fn with_credential(
    store: &mut AnyStore,
    names: impl Iterator<Item = LoginName>,
) -> Result<HashSet<LoginName>, StoreError> {
    let mut known = HashSet::new();
    for name in names {
        match store.credential(&name) {
            Ok(None) => continue,
            Err(error) if !error.is_of_one_record() => return Err(error),
            Ok(Some(_)) | Err(_) => known.insert(name),
        };
    }
    Ok(known)
}

/// There is no store.
pub(super) fn missing(path: &Path) -> Problem {
    let path = path.display();
    Problem::new(
        format!("there is no store `{path}`"),
        format!("countersign --store {path} init --owner mosquitto"),
    )
}

fn unusable(place: &StorePlace, error: &StoreError) -> Problem {
    let Some(path) = place.file() else {
        return Problem::new(error.to_string(), remedy_in_database(error));
    };
    if error.kind() == StoreErrorKind::Missing {
        return missing(path);
    }
    Problem::new(error.to_string(), remedy(error))
}

fn remedy_in_database(error: &StoreError) -> &'static str {
    match error.kind() {
        StoreErrorKind::Busy => "look for what holds a lock: `pg_stat_activity` names it",
        StoreErrorKind::Damaged => "stop the services and restore a backup of the database",
        StoreErrorKind::Missing => "name the database; `countersign init` makes a store in it",
        StoreErrorKind::ReadOnly => "name the server that takes changes, and a user who may",
        StoreErrorKind::Full | StoreErrorKind::Newer | StoreErrorKind::Older => remedy(error),
        StoreErrorKind::Unavailable | StoreErrorKind::Conflict | _ => {
            "look at the address, at the network, and at the server's log"
        }
    }
}

fn remedy(error: &StoreError) -> &'static str {
    match error.kind() {
        StoreErrorKind::Busy => "find out who holds the store's lock: `fuser -v` names them",
        StoreErrorKind::Damaged => "stop the brokers and restore a backup",
        StoreErrorKind::Full => "free some space on the disk",
        StoreErrorKind::Newer => "install the version that made it, or a later one",
        StoreErrorKind::Older => "restart the brokers with this version's plugin",
        StoreErrorKind::ReadOnly | StoreErrorKind::Unavailable => {
            "run this as root, or give the store to the user who runs it"
        }
        StoreErrorKind::Conflict | StoreErrorKind::Missing | _ => "look at the path",
    }
}

/// Looks at the store's content.
fn look<C: Command>(store: &mut AnyStore, command: &C) -> Result<C::Output, Problem> {
    let looked = as_caller(|context| countersign_admin::run(store, context, command));
    looked.map_err(|error| {
        let remedy = error.store().map_or("look at the path", remedy_of(store));
        Problem::new(error.to_string(), remedy)
    })
}

/// What helps where a store can't be used.
fn remedy_of(store: &AnyStore) -> fn(&StoreError) -> &'static str {
    match store {
        AnyStore::File(_) => remedy,
        AnyStore::Postgres(_) => remedy_in_database,
    }
}

fn integrity(store: &SqliteStore) -> Result<(), Problem> {
    let found = store
        .quick_check()
        .map_err(|error| Problem::new(error.to_string(), remedy(&error)))?;
    match found.first() {
        None => Ok(()),
        Some(first) => Err(Problem::new(
            format!("the store is damaged: {first}"),
            "stop the brokers and restore a backup",
        )),
    }
}

/// Whether the schemes that are built in are those that the store has.
fn replaced_schemes(store: &mut AnyStore) -> Result<(), Problem> {
    let replaced = look(store, &ListReplacedSchemes)?;
    let Some(name) = replaced.first() else {
        return Ok(());
    };
    Err(Problem::warning(
        format!(
            "the store has a scheme `{name}` of its own, which stands in the place of the built-in one"
        ),
        format!(
            "if the built-in one is wanted, make a copy of it under another name: `scheme show {name}` and `scheme add`, then `scheme remove {name}`"
        ),
    ))
}

/// The authorities whose certificates have ended, or will before anybody may look again.
fn ended_authorities(store: &mut AnyStore, now: Timestamp) -> Result<Vec<Problem>, Problem> {
    let authorities = look(store, &ListAuthorities::default())?;
    let ending = authorities
        .into_iter()
        .filter(|it| it.validity.is_over(now.plus(A_MONTH)));
    let told = ending.map(|authority| {
        let (subject, tenant) = (&authority.subject, &authority.tenant);
        let end = rfc3339(authority.validity.not_after);
        let verb = if authority.validity.is_over(now) {
            "ended"
        } else {
            "ends"
        };
        Problem::warning(
            format!(
                "the certificate of the authority `{subject}` of tenant `{tenant}` {verb} at \
                 {end}: a broker lets no device of it in that trusts no newer one"
            ),
            format!(
                "put a newer certificate of its key into `cafile`; then `ca remove {}` and \
                 `ca add` with that one, which ends its sessions once",
                authority.fingerprint
            ),
        )
    });
    Ok(told.collect())
}

/// Whether every record can be read as a broker reads it.
fn records(store: &mut AnyStore) -> Result<(), Problem> {
    let remedy = remedy_of(store);
    let unusable = |error: StoreError| Problem::new(error.to_string(), remedy(&error));
    let unreadable = store.unreadable_records().map_err(unusable)?;
    let is_full = store
        .begin(Intent::Read)
        .and_then(|mut transaction| is_full_of_client_ids(&mut transaction))
        .map_err(unusable)?;
    if unreadable.is_empty() && is_full {
        return Err(Problem::new(
            "the store remembers as many client ids as it has room for: a credential over \
             its `client_id_limit` gets no more",
            "find who uses so many: `countersign audit list` has those that are refused \
             (client-id-limit); delete or revoke them",
        ));
    }
    if unreadable.is_empty() {
        return Ok(());
    }
    Err(Problem::new(
        format!("these records can't be read: {}", unreadable.join(", ")),
        "restore a backup, or delete them and make them again; until then they admit no client",
    ))
}

fn audit_chain(store: &mut AnyStore) -> Result<(), Problem> {
    let check = look(store, &VerifyAudit::default())?;
    check.intact().map(|_| ()).map_err(|problem| {
        Problem::new(
            problem,
            "find out who wrote to the store besides Countersign",
        )
    })
}

fn argon2(store: &mut AnyStore) -> Result<(), Problem> {
    let settings = look(store, &ShowSettings)?;
    if settings.argon2.meets_owasp_minimum() {
        return Ok(());
    }
    Err(Problem::new(
        format!(
            "chosen passwords are hashed with {}, which is below OWASP's minimum",
            settings.argon2
        ),
        "countersign settings set --argon2 m=19456,t=2,p=1",
    ))
}

fn clock(store: &mut AnyStore, now: Timestamp) -> Result<(), Problem> {
    let newest = AuditQuery {
        limit: Some(1),
        ..AuditQuery::default()
    };
    let rows = look(store, &ListAudit(newest))?;
    match rows.last() {
        Some(row) if row.entry.time > now.plus(TOLERATED) => Err(Problem::new(
            format!(
                "the last act was at {}, and it is {} now",
                rfc3339(row.entry.time),
                rfc3339(now)
            ),
            "set this machine's clock, which expiry and lockouts go by",
        )),
        Some(_) | None => Ok(()),
    }
}

/// Checks that the key file opens what is sealed with it: seeds of second
/// factors, and keys of tokens.
fn opens_what_is_sealed(store: &mut AnyStore, place: &StorePlace) -> Result<(), Problem> {
    let sealed = look(store, &CountSealed)?;
    if sealed.unreadable == 0 {
        return Ok(());
    }
    let key = place.key();
    let key = key.map_or_else(|| "of --key-file".into(), |key| key.display().to_string());
    let needed = format!(
        "{} users with a second factor and {} keys of tokens",
        sealed.second_factors, sealed.signing_keys
    );
    let problem = if sealed.has_key {
        format!(
            "the key file `{key}` is another one than {} of {needed} were sealed with; those users \
             are refused, and tokens can't be made",
            sealed.unreadable
        )
    } else {
        format!(
            "the key file `{key}` is missing or no key file, and {needed} need it; those users are \
             refused, and tokens can't be made"
        )
    };
    Err(Problem::new(
        problem,
        "restore it from a backup; if it is lost, `countersign user mfa disable` lets each of them \
         in again, and `countersign jwt rotate-key` makes another key",
    ))
}

const TOLERATED: Duration = Duration::from_secs(60);

const A_MONTH: Duration = Duration::from_secs(30 * 86_400);

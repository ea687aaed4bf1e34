//! What statements cost that others wait for.

use std::collections::BTreeSet;

use countersign_core::lifecycle::State;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::scheme::SchemeName;
use countersign_core::store::{CredentialQuery, Settings};
use countersign_core::time::Timestamp;
use rusqlite::StatementStatus;
use tempfile::TempDir;

use self::sources::Statement;
use crate::SqliteStore;
use crate::page_query::text;
use crate::rare::Rare;
use crate::{
    api_tokens, applications, authorities, client_id_bindings, client_ids, credential_kind,
    credential_reader, credentials, groups, listings, lockouts, log_position, presence,
    pruned_client_ids, stored_sessions, tenants, tokens, users, web_sessions,
};

#[expect(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "what reads a source wrongly fails the test"
)]
mod sources;

/// What is looked up while a broker waits, and what goes with a tenant.
const LOOK_UPS: &[&str] = &[
    client_id_bindings::BOUND_TO,
    client_id_bindings::CLIENT_ID_OF,
    tenants::LAST_PREFIX,
    stored_sessions::RECORD,
    stored_sessions::HOLDING,
    client_ids::COUNTS,
    pruned_client_ids::PRUNED,
    client_ids::COUNT_OF_CREDENTIAL,
    client_ids::COUNT_UNAUTHENTICATED,
    client_ids::UNUSED_SINCE,
    client_ids::USED_AFTER,
    presence::IS_CONNECTED,
    presence::WITH_CLIENT_ID,
    presence::OF_CREDENTIAL,
    presence::SESSION,
    log_position::STANDING,
    credential_reader::BY_NAME,
    credential_reader::BY_DIGEST,
    credential_reader::BY_ID,
    credential_kind::APPLICATION,
    groups::OF_CREDENTIAL,
    groups::ROLES,
    users::PERSON,
    users::GRANTS,
    users::RECOVERY_CODES,
    lockouts::LOCKOUT,
    tokens::KEY,
    tokens::TOKEN,
    tokens::THINGS,
    applications::REMOVE_SOME_THINGS,
    credentials::REMOVE_SOME,
    authorities::BY_ID,
    authorities::BY_KEY_ID,
    authorities::BY_SIGNER,
    api_tokens::BY_ID,
    api_tokens::BY_DIGEST,
    web_sessions::BY_ID,
    web_sessions::BY_DIGEST,
];

#[test]
fn a_look_up_is_planned_once_whatever_is_bound() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("x.db");
    let store = SqliteStore::create(path, &Settings::default()).unwrap();
    for sql in LOOK_UPS {
        let mut statement = store.connection.prepare(sql).unwrap();
        for number in 1..5 {
            let parameters = vec![number; statement.parameter_count()];
            let mut rows = statement
                .query(rusqlite::params_from_iter(parameters))
                .unwrap();
            while rows.next().unwrap().is_some() {}
        }
        let planned_again = statement.get_status(StatementStatus::RePrepare);
        assert_eq!(planned_again, 0, "{sql}");
    }
}

/// The steps in which SQLite carries a statement out.
fn plan(store: &SqliteStore, sql: &str) -> rusqlite::Result<Vec<String>> {
    let explain = format!("EXPLAIN QUERY PLAN {sql}");
    let mut plan = store.connection.prepare(&explain)?;
    let parameters = vec![None::<i64>; plan.parameter_count()];
    let steps = plan.query_map(rusqlite::params_from_iter(parameters), |row| row.get(3))?;
    steps.collect()
}

/// Whether a step looks at each row of a table, or sorts rows. The one row that all
/// else is joined to is none.
fn takes_all_rows(step: &str) -> bool {
    let is_one_row = step.contains("CONSTANT ROW") || step.starts_with("SCAN (subquery");
    let sorts = step.contains("TEMP B-TREE") || step.contains("AUTOMATIC");
    sorts || (step.starts_with("SCAN") && !is_one_row)
}

/// The files whose statements may take all rows of a table: nothing waits for them.
const OFF_THE_WAY: &[(&str, &str)] = &[
    ("audit/verify.rs", "the audit is walked from end to end"),
    ("backup.rs", "all is copied"),
    (
        "tables/staged.rs",
        "an export is checked in a database of its own",
    ),
    ("shared/records.rs", "doctor reads every record"),
    ("upgrade.rs", "no broker uses the store yet"),
];

/// The other statements that take all rows of a table or sort some, by their files and
/// steps, and why they may.
const WHOLE_TABLES: &[(&str, &str, &str)] = &[
    (
        "audit/chain.rs",
        "SCAN sqlite_sequence",
        "it has one row for each table",
    ),
    (
        "authorities.rs",
        "SCAN certificate_authority",
        "there are 1,024 at most, and they are listed",
    ),
    ("brokers.rs", "SCAN broker", "brokers are few"),
    (
        "changes.rs",
        "SCAN change",
        "the first rows in the order of its key",
    ),
    (
        "presence.rs",
        "SCAN presence",
        "`clients count` counts all, and locks nothing",
    ),
    (
        "presence.rs",
        "SCAN presence USING INDEX presence_of_follower",
        "`clients count` counts all of followers, and locks nothing",
    ),
    (
        "replication/hand_back.rs",
        "SCAN hand_back USING INDEX hand_back_to_send",
        "the first rows of an index",
    ),
    (
        "shared/log.rs",
        "SCAN object_change",
        "the last row in the order of its key, or the first ones",
    ),
    (
        "roles.rs",
        "USE TEMP B-TREE FOR ORDER BY",
        "the holders of one role",
    ),
    (
        "schema.rs",
        "SCAN sqlite_schema",
        "the schema does not grow",
    ),
    (
        "schemes.rs",
        "SCAN scheme_field",
        "made schemes, when one has changed",
    ),
    (
        "schemes.rs",
        "SCAN used",
        "one row for each scheme, found by an index",
    ),
    (
        "schemes.rs",
        "SCAN user",
        "one row for each tenant, found by an index",
    ),
    ("issuers.rs", "SCAN issuer", "it has 1,024 rows at most"),
    (
        "key_sources.rs",
        "SCAN issuer_source",
        "it has a row of each issuer at most",
    ),
    ("settings.rs", "SCAN setting", "one row for each setting"),
    ("tables/fill.rs", "SCAN setting", "one row for each setting"),
    (
        "tenants.rs",
        "SCAN tenant",
        "all tenants, when one has changed",
    ),
    (
        "tenants.rs",
        "SCAN tenant USING INDEX tenant_open",
        "it has those alone that are found",
    ),
    (
        "tenants.rs",
        "USE TEMP B-TREE FOR ORDER BY",
        "the roles that one tenant gives",
    ),
    (
        "users.rs",
        "SCAN person USING COVERING INDEX person_of_platform",
        "it has those alone that are found",
    ),
    (
        "web_sessions.rs",
        "SCAN web_session USING COVERING INDEX web_session_by_use",
        "it has 10,000 rows at most, and they are counted when somebody signs in",
    ),
];

/// What stands in the sources and is part of a statement alone, by its file.
const PARTS: &[(&str, &str)] = &[
    ("rare.rs", "SELECT count(*) FROM ({} LIMIT ?)"),
    ("replication/difference.rs", "SELECT {columns} FROM {name}"),
    ("replication/difference.rs", "UPDATE {} SET is_new = 1"),
    ("replication/news.rs", "SELECT {column} FROM {table} WHERE"),
    ("replication/replica.rs", "SELECT EXISTS (SELECT 1 FROM {})"),
    (
        "replication/replica.rs",
        "SELECT {columns} FROM {name} WHERE {new}",
    ),
    ("replication/snapshot.rs", "DELETE FROM {} WHERE"),
    ("replication/writer.rs", "DELETE FROM {name} WHERE"),
    ("replication/writer.rs", "INSERT INTO {name} ({all})"),
    (
        "replication/writer.rs",
        "SELECT {columns} FROM {table} WHERE",
    ),
    ("replication/writer.rs", "UPDATE SET {}"),
    ("replication/writer.rs", "UPDATE {name} SET {} WHERE"),
    ("shared/export.rs", "SELECT count(*) FROM {}"),
    (
        "shared/kind.rs",
        "SELECT 1 FROM credential WHERE name = ?1 AND",
    ),
    ("shared/shape.rs", "SELECT {columns} FROM \"{name}\""),
    (
        "shared/source.rs",
        "SELECT id FROM token WHERE issuer IN {}",
    ),
    ("shared/source.rs", "SELECT {columns} FROM {table} WHERE"),
    ("shared/source.rs", "SELECT {distinct}{columns} FROM"),
    (
        "shared/source/lockouts.rs",
        "SELECT lockout.name FROM credential JOIN lockout",
    ),
    ("tables/content.rs", "SELECT {columns} FROM {table}"),
    ("tables/fill.rs", "SELECT EXISTS (SELECT 1 FROM {})"),
    ("tables/staged.rs", "DELETE FROM \"{}\""),
];

#[test]
fn no_statement_takes_longer_the_more_rows_there_are_but_those_that_say_why() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("x.db");
    let store = SqliteStore::create(path, &Settings::default()).unwrap();
    let (mut whole, mut parts, mut others) = (BTreeSet::new(), BTreeSet::new(), 0);
    for Statement { file, sql } in sources::statements() {
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        let Ok(steps) = plan(&store, &sql) else {
            parts.insert((file, sql));
            continue;
        };
        let steps: Vec<_> = steps.into_iter().filter(|it| takes_all_rows(it)).collect();
        if steps.is_empty() {
            others += 1;
        }
        for step in steps {
            whole.insert((file.clone(), step, sql.clone()));
        }
    }
    assert!(others > 120, "{others}");
    let unexplained: Vec<_> = whole
        .iter()
        .filter(|(file, step, _)| {
            let is_off = OFF_THE_WAY.iter().any(|(off, _)| off == file);
            !is_off && !WHOLE_TABLES.iter().any(|it| (it.0, it.1) == (file, step))
        })
        .collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    for (file, step, _) in WHOLE_TABLES {
        let is_there = whole.iter().any(|it| (&*it.0, &*it.1) == (*file, *step));
        assert!(is_there, "{file}: {step}");
    }
    let is_known = |file: &str, sql: &str| {
        let mut known = PARTS.iter();
        known.any(|(of, beginning)| *of == file && sql.starts_with(beginning))
    };
    parts.retain(|(file, sql)| !is_known(file, sql));
    assert!(parts.is_empty(), "{parts:#?}");
}

/// Whatever is asked for, a page of credentials is read in the order of names up to its
/// last row, but where what is asked for is rare: then its few are found and sorted.
#[test]
fn no_page_of_credentials_is_sorted_but_of_what_is_rare() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("x.db");
    let store = SqliteStore::create(path, &Settings::default()).unwrap();
    let asked: [fn(&mut CredentialQuery); 10] = [
        |_| (),
        |it| it.state = Some(State::Suspended),
        |it| it.group = Some(GroupPath::parse("plant").unwrap()),
        |it| it.within = Some(GroupPath::parse("plant").unwrap()),
        |it| it.scheme = Some(SchemeName::plain()),
        |it| it.role = Some(RoleName::parse("reader").unwrap()),
        |it| it.name_prefix = Some(LoginName::parse("dev").unwrap()),
        |it| it.attributes = [("line".into(), "4".into())].into(),
        |it| it.unused_since = Some(Timestamp::from_millis(1)),
        |it| it.expires_before = Some(Timestamp::from_millis(1)),
    ];
    for ask in asked {
        for tenant in [None, Some(TenantId::parse("acme").unwrap())] {
            for after in [None, Some(["dev1@acme"].map(text))] {
                let mut query = CredentialQuery {
                    tenant: tenant.clone(),
                    ..CredentialQuery::default()
                };
                ask(&mut query);
                for rare in [None]
                    .into_iter()
                    .chain(Rare::conditions(&query).into_iter().map(Some))
                {
                    let rare = rare.as_ref();
                    let sought = listings::devices_asked_for(&query, rare);
                    let key = listings::key_of_devices(rare);
                    let (sql, _) = sought.page([key], after.clone(), 100);
                    let steps = plan(&store, &sql).unwrap();
                    let has = |what: &str| steps.iter().any(|step| step.contains(what));
                    assert_eq!(has("TEMP B-TREE"), rare.is_some(), "{query:?}: {steps:#?}");
                    let by_number = has("SEARCH credential USING INTEGER PRIMARY KEY (rowid=?)");
                    assert_eq!(by_number, rare.is_some(), "{query:?}: {steps:#?}");
                    let scans = steps.iter().any(|step| step.starts_with("SCAN"));
                    assert!(rare.is_none() || !scans, "{query:?}: {steps:#?}");
                }
            }
        }
    }
}

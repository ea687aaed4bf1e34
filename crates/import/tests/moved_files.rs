//! What becomes of Mosquitto's files, and of mosquitto-go-auth's files and database:
//! `tests/cases/import/mosquitto.toml` and `go_auth.toml`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may")]

#[cfg(test)]
mod common;

use std::fs;
use std::path::{Path, PathBuf};

use countersign_admin::Context;
use countersign_admin::tenant::{CreateTenant, NewTenant};
use countersign_core::tenant::{Authentication, DefaultRights};
use countersign_import::source::go_auth::Queries;
use countersign_import::{GoAuthSource, ImportError, ImportOptions, MosquittoSource, Plan};
use countersign_testkit::MemoryStore;
use countersign_testkit::cases::{Case, load};
use rusqlite::Connection;
use serde::Deserialize;

use self::common::{Fixture, HASH, names, told};

#[derive(Debug, Deserialize)]
struct MovedCase {
    config: Option<String>,
    passwords: Option<String>,
    acl: Option<String>,
    sql: Option<String>,
    #[serde(default)]
    no_acl_query: bool,
    namespace: Option<String>,
    tenant: Option<String>,
    #[serde(default)]
    operators: Vec<String>,
    #[serde(default)]
    accept_weak: bool,
    told: Vec<String>,
    kept: u64,
    made: Vec<String>,
}

/// The files of a case.
struct Files {
    config: Option<PathBuf>,
    passwords: Option<PathBuf>,
    acl: Option<PathBuf>,
    database: Option<PathBuf>,
    queries: Queries,
}

impl Files {
    fn write(folder: &Path, case: &MovedCase) -> Self {
        let place = folder.display().to_string();
        let hashed = |text: &str| {
            let hashed = text.replace("HASH", HASH).replace("PASSWORD", PASSWORD);
            hashed.replace("FOLDER", &place)
        };
        let write = |file: &str, text: &Option<String>| -> Option<PathBuf> {
            let path = folder.join(file);
            fs::write(&path, hashed(text.as_ref()?)).unwrap();
            Some(path)
        };
        let mut queries = Queries::default();
        queries.acl.take_if(|_| case.no_acl_query);
        Self {
            config: write("conf", &case.config),
            passwords: write("passwords", &case.passwords),
            acl: write("acl", &case.acl),
            database: case.sql.as_ref().map(|rows| {
                let path = folder.join("db");
                let connection = Connection::open(&path).unwrap();
                connection.execute_batch(TABLES).unwrap();
                connection.execute_batch(&hashed(rows)).unwrap();
                path
            }),
            queries,
        }
    }

    fn of_mosquitto(
        &self,
        store: &mut MemoryStore,
        context: &mut Context<'_>,
        options: &ImportOptions,
    ) -> Result<Plan, ImportError> {
        let source = match &self.config {
            Some(config) => MosquittoSource::read_config(config),
            None => MosquittoSource::read_files(self.passwords.as_deref(), self.acl.as_deref()),
        };
        source?.plan(store, context, options)
    }

    fn of_go_auth(
        &self,
        store: &mut MemoryStore,
        context: &mut Context<'_>,
        options: &ImportOptions,
    ) -> Result<Plan, ImportError> {
        let source = match (&self.passwords, &self.acl, &self.database) {
            (Some(passwords), Some(acl), None) => GoAuthSource::read_files(passwords, acl),
            (None, None, Some(database)) => GoAuthSource::read_database(database, &self.queries),
            _ => panic!("a case has both files, or rows"),
        };
        source?.plan(store, context, options)
    }
}

/// Plans what files come to.
type Planning =
    fn(&Files, &mut MemoryStore, &mut Context<'_>, &ImportOptions) -> Result<Plan, ImportError>;

fn try_all(kind: &str, plan: Planning) {
    let mut wrong = Vec::new();
    for Case { name, fields, .. } in load::<MovedCase>(kind).unwrap() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::write(folder.path(), &fields);
        let mut fixture = Fixture::new(fields.namespace.as_deref().unwrap_or("home/#"));
        fixture.options.operators = names(&fields.operators);
        fixture.options.accept_weak = fields.accept_weak;
        if let Some(mode) = &fields.tenant {
            let options = &fixture.options.tenant;
            let tenant = NewTenant {
                namespaces: options.namespaces.clone(),
                authentication: Authentication::parse(mode).unwrap(),
                default_rights: DefaultRights::Nothing,
                ..NewTenant::new(options.id.clone())
            };
            fixture.run(&CreateTenant(tenant));
        }
        let report =
            fixture.import(|store, context, options| plan(&files, store, context, options));
        let folder = folder.path().display().to_string();
        let mut expected = fields.told.clone();
        expected.sort();
        let is = (told(&report, &folder), report.kept, fixture.lines());
        if is != (expected, fields.kept, fields.made) {
            wrong.push((name, is, report));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_line_of_mosquittos_files_is_kept_changed_or_lost_and_the_second_time_nothing_is_to_do() {
    try_all("import/mosquitto", Files::of_mosquitto);
}

#[test]
fn so_is_every_line_and_row_of_mosquitto_go_auth() {
    try_all("import/go_auth", Files::of_go_auth);
}

#[test]
fn of_a_superuser_whose_password_does_not_come_along_both_are_told() {
    let case = MovedCase {
        config: None,
        passwords: None,
        acl: None,
        sql: Some(
            "INSERT INTO test_user VALUES (1, 'root', '{SSHA}c2FsdGVk', 1), (2, 'admin', NULL, 1);"
                .into(),
        ),
        no_acl_query: false,
        namespace: None,
        tenant: None,
        operators: Vec::new(),
        accept_weak: false,
        told: Vec::new(),
        kept: 0,
        made: Vec::new(),
    };
    let folder = tempfile::tempdir().unwrap();
    let files = Files::write(folder.path(), &case);
    let mut fixture = Fixture::new("#");
    let report =
        fixture.import(|store, context, options| files.of_go_auth(store, context, options));
    let lost: Vec<_> = report
        .lost
        .iter()
        .map(|it| (&*it.what, &*it.why, &*it.fix))
        .collect();
    let [(admin, admin_why, _), (root, root_why, root_fix)] = lost.as_slice() else {
        panic!("{lost:?}");
    };
    assert_eq!((*root, *admin), ("root", "admin"));
    for why in [root_why, admin_why] {
        assert!(why.starts_with("a superuser publishes to `$SYS`"), "{why}");
    }
    assert!(
        admin_why.ends_with("; it has no password, so it can't log in"),
        "{admin_why}"
    );
    let (_, of_password) = root_why.rsplit_once("; ").unwrap();
    assert!(of_password.contains("hash"), "{root_why}");
    let fix = "make the user an operator with --operators, or accept it; set another password: `credential reset-password`";
    assert_eq!(*root_fix, fix);
}

/// Those of mosquitto-go-auth's examples.
const TABLES: &str = "
    CREATE TABLE test_user (id INTEGER PRIMARY KEY, username, password_hash, is_admin);
    CREATE TABLE test_acl (test_user_id INTEGER, topic, rw INTEGER);";

/// A hash that mosquitto-go-auth makes.
const PASSWORD: &str = "PBKDF2$sha512$1000$AAECAwQFBgcICQoLDA0ODw==$Xpx07WjVx4vCIvrmBRj8uOoVVtGqJqtUv2J5bhizSQs7osCteF7W4A61dZDqSIqQjO+dxO6p5FT/Uy7QRBXSXA==";

//! What followers of a store in a database are told, and how replicas take it.

#![cfg(test)]

mod common;

use std::collections::BTreeSet;

use countersign_core::follower::{Follower, FollowerName};
use countersign_core::name::TenantId;
use countersign_core::secret::{Secret, SecretDigest};
use countersign_core::store::rows::FollowerRows as _;
use countersign_core::store::{
    AdminStore as _, AdminTransaction as _, ExportPart, ExportScope, Intent, KickedThere,
    ReplicaPlace, Settings, SinceThen, StoreError,
};
use countersign_core::time::Timestamp;
use countersign_postgres::PostgresStore;
use countersign_sql::{FOLLOWED, FollowedTable, KeyPart};
use countersign_sqlite::{SqliteStore, StagedSnapshot};
use tempfile::TempDir;

use self::common::{Database, Sql, fresh};

/// What is printed where this fails is what a migration needs.
#[test]
fn each_change_of_a_followed_table_is_written_down() {
    let (store, database) = fresh();
    drop(store);
    let sql = database.sql();
    let mut missing = String::new();
    for followed in FOLLOWED {
        let columns = sql.text(&format!(
            "SELECT string_agg(attname::text, ', ' ORDER BY attnum) FROM pg_attribute
             WHERE attrelid = 'countersign.{}'::regclass AND attnum > 0",
            followed.name
        ));
        let trigger = trigger(followed, &columns);
        if !MIGRATION.contains(&trigger) {
            missing.push_str(&trigger);
            missing.push('\n');
        }
    }
    assert!(missing.is_empty(), "{missing}");
    let there = MIGRATION.matches("CREATE TRIGGER followed_").count();
    assert_eq!(there, FOLLOWED.len());
}

/// What has the log tell of each change of a row.
fn trigger(followed: &FollowedTable, columns: &str) -> String {
    let [mut number, mut text] = ["NULL".to_owned(), "NULL".to_owned()];
    for (column, part) in followed.object {
        match part {
            KeyPart::Number => number = format!("NEW.{column}"),
            KeyPart::Tenant => {}
            KeyPart::Name => text = format!("NEW.{column}"),
        }
    }
    let heeded: Vec<_> = columns
        .split(", ")
        .filter(|column| !followed.unheeded.contains(column))
        .collect();
    let of = if followed.unheeded.is_empty() {
        String::new()
    } else {
        format!(" OF {}", heeded.join(", "))
    };
    format!(
        "CREATE FUNCTION tell_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM follower) THEN
        IF TG_OP = 'DELETE' THEN NEW := OLD; END IF;
        PERFORM add_object_change('{kind}', {number}, {tenant}, {text});
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER followed_{table} AFTER INSERT OR DELETE OR UPDATE{of} ON {table}
    FOR EACH ROW EXECUTE FUNCTION tell_{table}();
",
        table = followed.name,
        kind = followed.kind.as_str(),
        tenant = followed.tenant.replace("ROW", "NEW"),
    )
}

#[test]
fn a_replica_is_what_its_centre_is_after_a_snapshot_and_after_each_change() {
    let mut pair = Pair::of(None);
    pair.follow();
    pair.assert_equal();
    for acts in ACTS {
        pair.sql.run(acts);
        pair.follow();
        pair.assert_equal();
    }
}

#[test]
fn a_follower_of_a_tenant_has_what_is_that_tenants_and_no_more() {
    let mut pair = Pair::of(Some(&["acme"]));
    pair.follow();
    pair.assert_equal();
    let rows = pair.rows_of_replica();
    assert!(rows.iter().any(|row| row.contains("dev1@acme")));
    assert!(!rows.iter().any(|row| row.contains("dev1@other")));
    for acts in ACTS {
        pair.sql.run(acts);
        pair.follow();
        pair.assert_equal();
    }
}

#[test]
fn a_snapshot_is_read_page_by_page() {
    let mut pair = Pair::of(None);
    pair.sql.run(
        "INSERT INTO credential (id, name, tenant, scheme, state, ever_used, generation,
             client_id_rule, external_identity, created_at, updated_at)
             SELECT i, 'n' || i || '@acme', 'acme', 'basic', 'Active', 1, 1, 'any', 0, 1, 1
             FROM generate_series(1000, 9000) i",
    );
    assert!(pair.follow() > 3);
    pair.assert_equal();
}

#[test]
fn what_only_brokers_write_is_not_told() {
    let mut pair = Pair::of(None);
    pair.follow();
    let last = pair.centre.last_object_change().unwrap();
    pair.sql
        .run("UPDATE credential SET last_used_at = 9; UPDATE person SET last_tenant = 'acme'");
    assert_eq!(pair.centre.last_object_change().unwrap(), last);
    pair.sql.run("UPDATE credential SET description = 'x'");
    assert!(pair.centre.last_object_change().unwrap() > last);
}

#[test]
fn without_a_follower_nothing_is_written_down() {
    let (mut store, database) = fresh();
    database.sql().run(&sample());
    assert_eq!(store.last_object_change().unwrap(), 0);
}

#[test]
fn a_follower_that_is_too_far_behind_has_to_begin_anew() {
    let mut pair = Pair::of(None);
    pair.follow();
    pair.sql.run(
        "SELECT add_object_change('setting', NULL, NULL, 'x') FROM generate_series(1, 100000)",
    );
    let kept = pair.sql.number("SELECT count(*) FROM object_change");
    assert_eq!(kept, 100_000);
    let told = pair
        .centre
        .changes_for_follower(&pair.secret, pair.place.unwrap());
    assert!(matches!(told.unwrap().unwrap().1, SinceThen::Behind));
    pair.follow();
    pair.assert_equal();
}

#[test]
fn the_log_is_shortened_from_its_beginning_and_never_to_its_end() {
    let mut pair = Pair::of(None);
    pair.follow();
    pair.sql
        .run("UPDATE credential SET description = 'x'; UPDATE object_change SET at = seq");
    let last = pair.centre.last_object_change().unwrap();
    let mut cut = |before, most| {
        let mut transaction = pair.centre.begin(Intent::Write).unwrap();
        let cut = transaction.cut_told(Timestamp::from_millis(before), most);
        let first = transaction.first_told().unwrap();
        transaction.commit(&[], &[]).unwrap();
        (cut.unwrap(), first)
    };
    assert_eq!(cut(4, 2), (2, 3));
    assert_eq!(cut(4, 9), (1, 4));
    let (_, first) = cut(i64::MAX, 1_000);
    assert_eq!(first, last);
}

#[test]
fn a_request_to_kick_is_told_to_whom_it_concerns() {
    let mut pair = Pair::of(None);
    pair.follow();
    pair.sql.run(
        "INSERT INTO kick_request (at, client_id) VALUES (1, 'ab');
         INSERT INTO kick_request (at, follower, broker, session) VALUES (1, 'edge', '', 7);
         INSERT INTO kick_request (at, follower, broker, session) VALUES (1, 'else', '', 8);
         INSERT INTO kick_request (at, broker, session) VALUES (1, 'here', 9)",
    );
    let told = pair
        .centre
        .changes_for_follower(&pair.secret, pair.place.unwrap());
    let SinceThen::Changes(changes) = told.unwrap().unwrap().1 else {
        panic!("it is behind");
    };
    let asked: Vec<_> = changes.kicks.into_iter().map(|it| it.what).collect();
    let expected = [
        KickedThere::ClientId("ab".into()),
        KickedThere::Session {
            broker: None,
            session: 7,
        },
    ];
    assert_eq!(asked, expected);
}

/// Acts of a centre, each of which changes what followers have.
const ACTS: &[&str] = &[
    "UPDATE credential SET state = 'Suspended', updated_at = 2 WHERE id = 3",
    "DELETE FROM secret; INSERT INTO secret (credential, phc) VALUES (4, '$x')",
    "UPDATE person_grant SET org_admin = 1, role = NULL; DELETE FROM role WHERE tenant = 'acme'",
    "INSERT INTO role (tenant, name, created_at) VALUES ('acme', 'ops', 2)",
    "INSERT INTO credential_role VALUES (3, 'ops', 'acme')",
    "UPDATE lockout SET failures = 3",
    "DELETE FROM person_grant",
    "INSERT INTO person_grant (credential, tenant, org_admin) VALUES (6, 'acme', 1)",
    "DELETE FROM certificate",
    "INSERT INTO issuer_revocation VALUES (1, 't-2', 4)",
    "DELETE FROM issuer",
    "DELETE FROM ban",
    "UPDATE tenant SET client_id_prefix = 'b' WHERE id = 'other'",
    "UPDATE tenant SET client_id_prefix = NULL WHERE id = 'other';
     UPDATE tenant SET client_id_prefix = 'b' WHERE id = 'acme'",
    // What refers to each other is made anew, and under the names of what went.
    "DELETE FROM credential WHERE id = 3;
     INSERT INTO credential (id, name, tenant, scheme, state, ever_used, generation,
         client_id_rule, external_identity, created_at, updated_at)
         VALUES (200, 'dev1@acme', 'acme', 'mine', 'Active', 1, 7, 'any', 0, 1, 1)",
    "DELETE FROM lockout; DELETE FROM credential WHERE id = 6",
    "DELETE FROM tenant WHERE id = 'acme'",
    "DELETE FROM scheme_field",
];

/// A centre in a database, and a replica of it in a file.
struct Pair {
    centre: PostgresStore,
    sql: Sql,
    replica: SqliteStore,
    secret: SecretDigest,
    place: Option<ReplicaPlace>,
    now: i64,
    _directory: TempDir,
    _database: Database,
}

impl Pair {
    /// A centre with the sample, and a follower of these tenants.
    fn of(tenants: Option<&[&str]>) -> Self {
        let (mut centre, database) = fresh();
        let sql = database.sql();
        sql.run("SET search_path = countersign; SET enable_seqscan = off");
        sql.run(&sample());
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("replica.db");
        let mut replica = SqliteStore::create(path, &Settings::default()).unwrap();
        replica.become_replica("http://127.0.0.1:1").unwrap();
        let secret = SecretDigest::of(&Secret::new(b"s".to_vec()));
        let parse = |ids: &[&str]| ids.iter().map(|id| TenantId::parse(id).unwrap()).collect();
        let follower = Follower {
            name: FollowerName::parse("edge").unwrap(),
            tenants: tenants.map(parse),
            digest: secret.clone(),
            era: 1,
            created_at: Timestamp::from_millis(1),
            rotated_at: Timestamp::from_millis(1),
            progress: None,
            lag: None,
            refused: 0,
            machine: None,
        };
        let mut transaction = centre.begin(Intent::Write).unwrap();
        transaction.put_follower(&follower).unwrap();
        transaction.commit(&[], &[]).unwrap();
        Self {
            centre,
            sql,
            replica,
            secret,
            place: None,
            now: 0,
            _directory: directory,
            _database: database,
        }
    }

    /// Has the replica take what is told, from the beginning where it is too far behind;
    /// returns how many pages it was.
    fn follow(&mut self) -> usize {
        self.now = self.now.saturating_add(1);
        let now = Timestamp::from_millis(self.now);
        if let Some(place) = self.place {
            let told = self.centre.changes_for_follower(&self.secret, place);
            if let SinceThen::Changes(changes) = told.unwrap().unwrap().1 {
                self.replica.take_changes(&changes, now).unwrap();
                self.place = Some(changes.place);
                return 1;
            }
        }
        let mut staged = StagedSnapshot::begin(&self.replica).unwrap();
        let (mut after, mut place, mut pages) = (None, None, 0);
        loop {
            let page = self.centre.snapshot_page(&self.secret, after.as_ref());
            let (_, page) = page.unwrap().unwrap();
            staged.add(&page.objects).unwrap();
            place.get_or_insert(page.place);
            pages = usize::saturating_add(pages, 1);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        self.place = place;
        let place = place.unwrap();
        self.replica.take_snapshot(&staged, place, now).unwrap();
        pages
    }

    /// Fails unless each row of the replica is what the centre tells, and no other.
    fn assert_equal(&mut self) {
        let mut theirs = BTreeSet::new();
        let mut after = None;
        loop {
            let page = self.centre.snapshot_page(&self.secret, after.as_ref());
            let (_, page) = page.unwrap().unwrap();
            let rows = page.objects.iter().flat_map(|it| &it.rows);
            theirs.extend(rows.map(|row| serde_json::to_string(row).unwrap()));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let ours = self.rows_of_replica();
        let missing: Vec<_> = theirs.difference(&ours).collect();
        let more: Vec<_> = ours.difference(&theirs).collect();
        assert!(
            missing.is_empty() && more.is_empty(),
            "{missing:#?}\n{more:#?}"
        );
    }

    fn rows_of_replica(&self) -> BTreeSet<String> {
        let mut rows = BTreeSet::new();
        let exported = self.replica.export(&ExportScope::default(), |part| {
            if let ExportPart::Row(row) = part
                && FOLLOWED.iter().any(|it| it.name == row.table)
            {
                rows.insert(serde_json::to_string(&row).unwrap());
            }
            Ok::<_, StoreError>(())
        });
        exported.unwrap();
        rows
    }
}

/// The sample of the store in a file, as PostgreSQL writes it.
fn sample() -> String {
    let sample = include_str!("../../store-sqlite/src/tables/sample.sql");
    let mut text = String::from("SET search_path = countersign;\n");
    let mut rest = sample;
    while let Some((before, after)) = rest.split_once(" x'") {
        let (digits, after) = after.split_once('\'').unwrap();
        text.push_str(before);
        text.push_str(&format!(" '\\x{digits}'::bytea"));
        rest = after;
    }
    text.push_str(rest);
    text.replace("zeroblob(32)", "decode(repeat('00', 32), 'hex')")
}

const MIGRATION: &str = include_str!("../migrations/0001.sql");

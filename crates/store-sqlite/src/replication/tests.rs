//! Which tables followers have, and that a replica is equal to its centre.

use std::collections::BTreeSet;

use countersign_core::follower::{Follower, FollowerName};
use countersign_core::name::TenantId;
use countersign_core::secret::{Secret, SecretDigest};
use countersign_core::store::rows::FollowerRows as _;
use countersign_core::store::{
    AdminStore as _, AdminTransaction as _, ExportScope, GateStore as _, Intent, ReplicaPlace,
    Settings, SinceThen,
};
use countersign_core::time::Timestamp;
use countersign_sql::{
    EXPORTED, FOLLOWED, FollowedTable, KeyPart, ROWS_OF_SCHEMA, SqlReader as _, quote,
};
use tempfile::TempDir;

use super::*;
use crate::schema::{self, MIGRATIONS};
use crate::sql_reader::State;
use crate::store::SqliteStore;
use crate::tables::shape_of;

mod asked;
mod equal;
mod handed;
mod kept;
mod model;
mod seen;

fn fresh(directory: &TempDir, name: &str) -> SqliteStore {
    SqliteStore::create(directory.path().join(name), &Settings::default()).unwrap()
}

fn column(store: &SqliteStore, sql: &str) -> Vec<String> {
    let mut statement = store.connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn each_table_is_followed_or_it_says_why_not() {
    let directory = TempDir::new().unwrap();
    let store = fresh(&directory, "x.db");
    let there: BTreeSet<_> = column(
        &store,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
    )
    .into_iter()
    .collect();
    let followed = FOLLOWED.iter().map(|it| it.name);
    let not_followed = NOT_FOLLOWED.iter().map(|(name, _)| *name);
    let known: Vec<_> = followed.chain(not_followed).map(str::to_owned).collect();
    let is_known: BTreeSet<_> = known.iter().cloned().collect();
    assert_eq!(known.len(), is_known.len());
    assert_eq!(
        there, is_known,
        "name a new table in `FOLLOWED` or, with a reason, in `NOT_FOLLOWED`"
    );
}

/// What is printed where this fails is what a migration needs.
#[test]
fn each_change_of_a_followed_table_is_written_down() {
    let directory = TempDir::new().unwrap();
    let store = fresh(&directory, "x.db");
    let plain =
        |text: &str| text.replace(|it: char| it.is_whitespace() || it == ';' || it == '"', "");
    let there = column(
        &store,
        "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'followed\\_%' ESCAPE '\\'",
    );
    let mut there: BTreeSet<_> = there.iter().map(|sql| plain(sql)).collect();
    let mut missing = Vec::new();
    for followed in FOLLOWED {
        let shape = shape_of(&store.connection, followed.name).unwrap().unwrap();
        let columns: Vec<_> = shape.columns.iter().map(|it| it.name.clone()).collect();
        for trigger in triggers(followed, &columns) {
            if !there.remove(&plain(&trigger)) {
                missing.push(trigger);
            }
        }
    }
    assert!(
        missing.is_empty() && there.is_empty(),
        "missing:\n{}\nnot wanted: {there:?}",
        missing.join("\n\n")
    );
}

#[test]
fn each_followed_table_stands_after_those_that_it_refers_to() {
    let directory = TempDir::new().unwrap();
    let store = fresh(&directory, "x.db");
    let mut before = BTreeSet::new();
    for table in FOLLOWED {
        before.insert(table.name.to_owned());
        let sql = format!(
            "SELECT \"table\" FROM pragma_foreign_key_list('{}')",
            table.name
        );
        for target in column(&store, &sql) {
            assert!(
                before.contains(&target),
                "{} refers to {target}",
                table.name
            );
        }
    }
}

/// However large the store is, the rows of one object are found by an index.
#[test]
fn no_object_is_looked_for_in_a_whole_table() {
    let directory = TempDir::new().unwrap();
    let store = fresh(&directory, "x.db");
    for table in FOLLOWED {
        let parts: Vec<_> = table.object.iter().map(|(_, part)| *part).collect();
        let columns: Vec<_> = table.object.iter().map(|(it, _)| quote(it)).collect();
        let one = object::conditions(table.object);
        let many = format!("({}) IN {}", columns.join(", "), State::list(1, &parts));
        for of in [one, many] {
            assert_is_found_by_index(&store, table.name, &of);
        }
    }
}

fn assert_is_found_by_index(store: &SqliteStore, table: &str, of: &str) {
    let sql = format!("EXPLAIN QUERY PLAN SELECT * FROM \"{table}\" WHERE {of}");
    let mut plan = store.connection.prepare(&sql).unwrap();
    let values = vec![None::<i64>; plan.parameter_count()];
    let steps = plan.query_map(rusqlite::params_from_iter(values), |row| {
        row.get::<_, String>(3)
    });
    for step in steps.unwrap() {
        let step = step.unwrap();
        assert!(
            !step.starts_with(&format!("SCAN {table}")),
            "{table}: {step}"
        );
    }
}

/// What followers are told of is of the schema that replicas have.
#[test]
fn rows_are_told_of_the_newest_schema() {
    assert_eq!(ROWS_OF_SCHEMA, schema::newest(MIGRATIONS));
}

/// What an export of a tenant leaves out no follower of a tenant is told.
#[test]
fn what_exports_withhold_is_masked() {
    let directory = TempDir::new().unwrap();
    let store = fresh(&directory, "x.db");
    let scope = ExportScope {
        tenant: Some(TenantId::parse("t").unwrap()),
        with_sealed: false,
    };
    let mut withheld = 0;
    for followed in FOLLOWED {
        let shape = shape_of(&store.connection, followed.name);
        let exported = EXPORTED.iter().find(|it| it.name == followed.name).unwrap();
        for column in shape.unwrap().unwrap().columns {
            if exported.shown::<State<'_>>(&column.name, &scope) != quote(&column.name) {
                let mut masked = followed.masked.iter();
                assert!(masked.any(|(it, _)| *it == column.name), "{}", column.name);
                withheld += 1;
            }
        }
    }
    assert_eq!(withheld, 3);
}

/// What followers do not have, and why.
const NOT_FOLLOWED: &[(&str, &str)] = &[
    ("api_token", "nobody asks the service of a replica"),
    ("arriving_session", "each broker has its own"),
    ("audit", "each store has its own"),
    ("audit_chain", "each store has its own"),
    ("broker", "each store has its own"),
    ("change", "it is made anew of what changes in the replica"),
    ("credential_import", "imports are run at the centre"),
    ("follower", "a follower has none"),
    ("follower_tenant", "a follower has none"),
    (
        "control_note",
        "notes of commands decide nothing, and commands are for the centre",
    ),
    (
        "hand_back",
        "what the broker wrote goes from the replica to its centre",
    ),
    ("hook", "hooks are answered by the service of the centre"),
    ("kick_request", "each store has its own"),
    ("object_change", "a follower has none"),
    ("presence", "each broker has its own"),
    (
        "pruned_session",
        "client ids belong to somebody at one broker",
    ),
    ("recovery_code", "codes are used up at the centre alone"),
    ("refusal", "each broker counts by itself"),
    (
        "registered_name",
        "the centre says which names were registered before",
    ),
    ("replica", "it says what the replica is"),
    ("role_import", "imports are run at the centre"),
    ("session_change", "it counts rows of this store"),
    (
        "stored_session",
        "client ids belong to somebody at one broker",
    ),
    ("web_session", "nobody signs in at a replica"),
];

/// What has the log tell of each change of a row: statements that make triggers. A
/// migration holds them.
fn triggers(followed: &FollowedTable, columns: &[String]) -> Vec<String> {
    let heeded: Vec<_> = columns
        .iter()
        .filter(|column| !followed.unheeded.contains(&column.as_str()))
        .map(String::as_str)
        .collect();
    let of = if followed.unheeded.is_empty() {
        String::new()
    } else {
        format!(" OF {}", heeded.join(", "))
    };
    [
        ("added", "INSERT".to_owned(), "NEW"),
        ("changed", format!("UPDATE{of}"), "NEW"),
        ("removed", "DELETE".to_owned(), "OLD"),
    ]
    .into_iter()
    .map(|(name, when, row)| {
        let tenant = followed.tenant.replace("ROW", row);
        let [mut number, mut text] = ["NULL".to_owned(), "NULL".to_owned()];
        for (column, part) in followed.object {
            match part {
                KeyPart::Number => number = format!("{row}.{column}"),
                KeyPart::Tenant => {}
                KeyPart::Name => text = format!("{row}.{column}"),
            }
        }
        format!(
            "CREATE TRIGGER followed_{table}_{name} AFTER {when} ON {table}\n\
                 WHEN EXISTS (SELECT 1 FROM follower) BEGIN\n    \
                 INSERT INTO object_change (kind, number, tenant, name)\n        \
                 VALUES ('{kind}', {number}, {tenant}, {text});\nEND;",
            table = followed.name,
            kind = followed.kind.as_str(),
        )
    })
    .collect()
}

/// A centre, and a replica of it.
struct Pair {
    centre: SqliteStore,
    replica: SqliteStore,
    secret: SecretDigest,
    place: Option<ReplicaPlace>,
    now: i64,
    _directory: TempDir,
}

impl Pair {
    /// A centre with the sample, and a follower of these tenants.
    fn of(tenants: Option<&[&str]>) -> Self {
        let directory = TempDir::new().unwrap();
        let centre = fresh(&directory, "centre.db");
        let sample = include_str!("../tables/sample.sql");
        centre.connection.execute_batch(sample).unwrap();
        let mut pair = Self {
            centre,
            replica: fresh(&directory, "replica.db"),
            secret: SecretDigest::of(&Secret::new(b"s".to_vec())),
            place: None,
            now: 0,
            _directory: directory,
        };
        pair.put_follower(tenants, 1);
        pair.replica.become_replica("http://127.0.0.1:1").unwrap();
        pair
    }

    fn put_follower(&mut self, tenants: Option<&[&str]>, era: i64) {
        put_follower(&mut self.centre, "edge", &self.secret, tenants, era);
    }

    /// Has the centre do something.
    fn act(&self, sql: &str) {
        self.centre.connection.execute_batch(sql).unwrap();
    }

    fn since(&self, place: ReplicaPlace) -> SinceThen {
        let told = self
            .centre
            .changes_for_follower(&self.secret, place)
            .unwrap();
        told.unwrap().1
    }

    /// Has the replica follow up to now.
    fn follow(&mut self) {
        self.now = self.now.saturating_add(1);
        let now = Timestamp::from_millis(self.now);
        if let Some(place) = self.place
            && let SinceThen::Changes(changes) = self.since(place)
        {
            self.replica.take_changes(&changes, now).unwrap();
            self.place = Some(changes.place);
            return;
        }
        self.snapshot(|_| ());
    }

    /// Has the replica take a snapshot. `between` is done at the centre after each page.
    fn snapshot(&mut self, mut between: impl FnMut(&Self)) {
        let now = Timestamp::from_millis(self.now);
        let read = || between(self);
        let (staged, place) = read_snapshot(&self.centre, &self.secret, &self.replica, read);
        self.replica.take_snapshot(&staged, place, now).unwrap();
        self.place = Some(place);
    }

    fn assert_equal(&self) {
        assert_equal(&self.centre, &self.secret, &self.replica);
    }
}

/// Reads all that a follower may know.
fn read_snapshot(
    centre: &SqliteStore,
    secret: &SecretDigest,
    replica: &SqliteStore,
    mut between: impl FnMut(),
) -> (StagedSnapshot, ReplicaPlace) {
    let mut staged = StagedSnapshot::begin(replica).unwrap();
    let (mut after, mut place) = (None, None);
    loop {
        let page = centre.snapshot_page(secret, after.as_ref()).unwrap();
        let (_, page) = page.unwrap();
        staged.add(&page.objects).unwrap();
        place.get_or_insert(page.place);
        between();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let told = centre.changes_for_follower(secret, place.unwrap()).unwrap();
    let SinceThen::Changes(changes) = told.unwrap().1 else {
        panic!("behind at once");
    };
    staged.replace(&changes.objects).unwrap();
    (staged, changes.place)
}

/// Fails unless each row of the replica is what the centre tells, and no other.
fn assert_equal(centre: &SqliteStore, secret: &SecretDigest, replica: &SqliteStore) {
    let mut theirs = BTreeSet::new();
    let mut after = None;
    loop {
        let page = centre.snapshot_page(secret, after.as_ref()).unwrap();
        let (_, page) = page.unwrap();
        let rows = page.objects.iter().flat_map(|it| &it.rows);
        theirs.extend(rows.map(|row| serde_json::to_string(row).unwrap()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut ours = BTreeSet::new();
    for followed in FOLLOWED {
        let shape = shape_of(&replica.connection, followed.name);
        let shape = shape.unwrap().unwrap();
        let rows = State(&replica.connection).rows(&shape.select(quote, "true"), &[]);
        for cells in rows.unwrap() {
            let row = shape.row::<State<'_>>(cells).unwrap();
            ours.insert(serde_json::to_string(&row).unwrap());
        }
    }
    let missing: Vec<_> = theirs.difference(&ours).collect();
    let more: Vec<_> = ours.difference(&theirs).collect();
    assert!(
        missing.is_empty() && more.is_empty(),
        "{missing:#?}\n{more:#?}"
    );
    let broken = column(replica, "SELECT \"table\" FROM pragma_foreign_key_check");
    assert!(broken.is_empty(), "{broken:?}");
}

/// Makes a follower, or tells it of other tenants.
fn put_follower(
    centre: &mut SqliteStore,
    name: &str,
    secret: &SecretDigest,
    tenants: Option<&[&str]>,
    era: i64,
) {
    let parse = |ids: &[&str]| ids.iter().map(|id| TenantId::parse(id).unwrap()).collect();
    let follower = Follower {
        name: FollowerName::parse(name).unwrap(),
        tenants: tenants.map(parse),
        digest: secret.clone(),
        era,
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
}

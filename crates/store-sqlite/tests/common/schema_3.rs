//! A store as the version before this schema left it.

use std::path::Path;

use rusqlite::Connection;

/// Writes a store of schema 3, with the tenant `acme`, its role `ops`, its
/// credential `dev1@acme`, the operator `root`, and a session of the broker `edge`.
pub(crate) fn write_schema_3(path: &Path) {
    countersign_sqlite::create_private(path).unwrap();
    let connection = Connection::open(path).unwrap();
    for step in [
        "PRAGMA journal_mode = WAL;",
        include_str!("../../migrations/0001.sql"),
        include_str!("../../migrations/0002.sql"),
        include_str!("../../migrations/0003.sql"),
        "PRAGMA application_id = 0x4353676e; PRAGMA user_version = 3;
         INSERT INTO setting VALUES ('argon2', 'm=8,t=1,p=1'), ('client_id_hold', '1500');
         INSERT INTO tenant (id, authentication, subscribe, client_id_prefix, created_at)
         VALUES ('acme', 'required', 'strict', NULL, 0);
         INSERT INTO namespace VALUES ('acme', 0, 'acme/#');
         INSERT INTO role VALUES ('acme', 'ops', NULL, 1);
         INSERT INTO credential
             (id, name, tenant, scheme, state, ever_used, generation, client_id_rule,
              external_identity, created_at, updated_at)
         VALUES (7, 'dev1@acme', 'acme', 'basic', 'Inactive', 0, 1, 'any', 0, 1, 1),
                (8, 'root', NULL, 'basic', 'Active', 1, 1, 'any', 0, 1, 1);
         INSERT INTO presence
             (broker, session, client_id, protocol, connected_at, authenticated, stored)
         VALUES ('edge', 1, 'c', 4, 1, 0, 0);",
    ] {
        connection.execute_batch(step).unwrap();
    }
}

/// A connection that keeps the log beside the store.
pub(crate) fn open_as_a_broker_does(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection
        .query_row("SELECT count(*) FROM tenant", [], |_| Ok(()))
        .unwrap();
    connection
}

//! A PostgreSQL that all tests of a program share, and a store for each.

use std::future::Future;
use std::sync::{LazyLock, Mutex};

use countersign_core::store::Settings;
use countersign_postgres::{Address, PostgresStore};
use countersign_testkit::postgres::Postgres;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls};

/// An empty store in a database of its own, which the next test takes over.
pub(crate) fn fresh() -> (PostgresStore, Database) {
    let database = Database::free();
    (database.open(), database)
}

/// A database with a store in it, until it is given back.
pub(crate) struct Database {
    name: String,
}

impl Database {
    /// One that no test uses. To make one takes longer than to empty it.
    pub(crate) fn free() -> Self {
        let used_before = FREE.lock().unwrap().pop();
        let name = used_before.unwrap_or_else(|| {
            let name = SERVER.database().unwrap();
            let address = Address::parse(&SERVER.url(&name)).unwrap();
            drop(PostgresStore::create(address, &Settings::default()).unwrap());
            Sql::on(&name).run(KEEP_AS_IT_IS);
            name
        });
        Self { name }
    }

    /// Opens the store in it.
    pub(crate) fn open(&self) -> PostgresStore {
        PostgresStore::open(self.address()).unwrap()
    }

    /// Its address.
    pub(crate) fn address(&self) -> Address {
        Address::parse(&SERVER.url(&self.name)).unwrap()
    }

    /// What runs statements on it, as somebody else.
    pub(crate) fn sql(&self) -> Sql {
        Sql::on(&self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.sql().run(EMPTY);
        FREE.lock().unwrap().push(self.name.clone());
    }
}

/// Somebody else's connection.
pub(crate) struct Sql {
    client: Client,
    runtime: Runtime,
}

impl Sql {
    fn on(database: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(async {
            let url = SERVER.url(database);
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
            tokio::spawn(connection);
            client
        });
        Self { client, runtime }
    }

    /// Runs statements.
    pub(crate) fn run(&self, statements: &str) {
        self.wait_for(self.client.batch_execute(statements));
    }

    /// The number that a query finds.
    pub(crate) fn number(&self, query: &str) -> i64 {
        self.wait_for(self.client.query_one(query, &[])).get(0)
    }

    /// The text that a query finds.
    pub(crate) fn text(&self, query: &str) -> String {
        self.wait_for(self.client.query_one(query, &[])).get(0)
    }

    fn wait_for<T>(&self, answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> T {
        self.runtime.block_on(answer).unwrap()
    }
}

/// Ended with the program.
pub(crate) static SERVER: LazyLock<Postgres> = LazyLock::new(|| Postgres::start().unwrap());

/// Databases that no test uses.
static FREE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Copies what is in the tables of an empty store.
const KEEP_AS_IT_IS: &str = "
    CREATE SCHEMA kept;
    DO $$ DECLARE it record; BEGIN
        FOR it IN SELECT tablename FROM pg_tables WHERE schemaname = 'countersign' LOOP
            EXECUTE format('CREATE TABLE kept.%I AS TABLE countersign.%I', it.tablename,
                           it.tablename);
        END LOOP;
    END $$;";

/// Makes it an empty store again, which nobody uses.
const EMPTY: &str = "
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET session_replication_role = replica;
    DO $$ DECLARE it record; BEGIN
        FOR it IN SELECT tablename FROM pg_tables WHERE schemaname = 'countersign' LOOP
            EXECUTE format('DELETE FROM countersign.%I', it.tablename);
            EXECUTE format('INSERT INTO countersign.%I SELECT * FROM kept.%I', it.tablename,
                           it.tablename);
        END LOOP;
        FOR it IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'countersign' LOOP
            EXECUTE format('ALTER SEQUENCE countersign.%I RESTART', it.sequencename);
        END LOOP;
    END $$;";

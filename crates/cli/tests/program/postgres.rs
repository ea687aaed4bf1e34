//! The program and the service on a PostgreSQL, which the tests start.

use std::fs::Permissions;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use countersign_testkit::postgres::Postgres;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::serve::Service;
use crate::support::{Fixture, Ran, finish};

mod dump;
mod health;
mod reached;

const LONGEST: Duration = Duration::from_secs(60);

/// What tests share that do not end it. Ended with the program.
static SHARED: LazyLock<Arc<Postgres>> = LazyLock::new(|| Arc::new(Postgres::start().unwrap()));

/// A database, and the program on it.
struct Database {
    fixture: Fixture,
    server: Arc<Postgres>,
    name: String,
    url: String,
}

impl Database {
    /// One that holds no store.
    fn empty() -> Self {
        Self::empty_on(&SHARED)
    }

    /// One of this server.
    fn empty_on(server: &Arc<Postgres>) -> Self {
        let name = server.database().unwrap();
        Self {
            fixture: Fixture::empty(),
            url: server.url(&name),
            name,
            server: Arc::clone(server),
        }
    }

    /// One with a store in it.
    fn new() -> Self {
        Self::new_on(&SHARED)
    }

    /// The same of this server.
    fn new_on(server: &Arc<Postgres>) -> Self {
        let database = Self::empty_on(server);
        database.run("init --argon2 m=8,t=1,p=1").done();
        database
    }

    /// The same of a server that is this test's alone.
    fn alone(server: Postgres) -> Self {
        Self::new_on(&Arc::new(server))
    }

    /// The server, to be ended or begun.
    fn server(&mut self) -> &mut Postgres {
        Arc::get_mut(&mut self.server).unwrap()
    }

    fn key(&self) -> PathBuf {
        self.fixture.directory.path().join("fleet.key")
    }

    fn command(&self) -> Command {
        self.command_at(&self.url)
    }

    fn command_at(&self, url: &str) -> Command {
        let mut command = self.fixture.command();
        command
            .env("COUNTERSIGN_STORE", url)
            .env("COUNTERSIGN_KEY_FILE", self.key())
            .env_remove("PGPASSFILE")
            .env_remove("PGPASSWORD")
            .env_remove("PGSERVICE")
            .env_remove("PGSERVICEFILE")
            .env("HOME", self.fixture.directory.path());
        command
    }

    fn run(&self, line: &str) -> Ran {
        finish(self.command().args(line.split_whitespace()))
    }

    fn json(&self, line: &str) -> Value {
        self.run(&format!("{line} --json")).done().json()
    }

    /// What asking this of another address is refused with.
    fn refused_at(&self, url: &str) -> String {
        let refused = finish(self.command_at(url).args(["tenant", "list"])).refused(3);
        assert!(!refused.contains("opensesame"), "{refused}");
        refused
    }
}

#[test]
fn a_store_in_a_file_moves_into_the_database_and_back() {
    let file = Fixture::with_credential();
    for line in [
        "role create ops --tenant acme",
        "role allow ops publish acme/x --tenant acme",
        "user grant jane@example.com --tenant acme --org-admin",
        "user mfa enrol jane@example.com",
    ] {
        if line.starts_with("user grant") {
            let made = "user create jane@example.com --password-stdin";
            file.run_with(made, b"correct horse battery").done();
        }
        file.run(line).done();
    }
    let export = file.directory.path().join("all.jsonl");
    let all = export.display();
    file.run(&format!("export {all} --with-sealed")).done();
    let text = std::fs::read_to_string(&export).unwrap();
    let database = Database::new();
    // Seeds open under the key that they were sealed with alone.
    let line = format!("import countersign {all}");
    let refused = database.run(&line).refused(1);
    assert!(refused.contains("another key file"), "{refused}");
    let key = |fixture: &Fixture| fixture.directory.path().join("store.db.key");
    std::fs::copy(key(&file), database.key()).unwrap();
    let dry = database.json(&format!("{line} --dry-run"));
    assert_eq!(database.json("tenant list"), json!([]), "{dry}");
    let report = database.json(&line);
    assert_eq!(report["created"]["credentials"], 2, "{report}");
    for list in [
        "tenant list",
        "credential list",
        "role show ops --tenant acme",
    ] {
        assert_eq!(database.json(list), file.json(list), "{list}");
    }
    let again = database.run(&line).refused(1);
    assert!(
        again.contains("the store holds something already"),
        "{again}"
    );
    // What comes out is what came in, and goes into a file again.
    let whole = database.run("export - --with-sealed").done().stdout;
    assert!(whole == text, "the export of the database is another");
    let back = database.fixture.directory.path().join("back.jsonl");
    let told = database.json(&format!("export {} --with-sealed", back.display()));
    assert_eq!(told["rows"], text.lines().count() - 1);
    let mode = back.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let other = Fixture::new();
    std::fs::copy(key(&file), key(&other)).unwrap();
    let line = format!("import countersign {}", back.display());
    other.run(&line).done();
    assert!(other.run("export - --with-sealed").done().stdout == text);
    let acts = database.json("audit list --limit 1");
    assert_eq!(
        (&acts[0]["act"], &acts[0]["subject"]),
        (&json!("export"), &json!("store"))
    );
}

#[test]
fn what_other_systems_read_is_written_of_a_database_as_of_a_file() {
    let file = Fixture::with_credential();
    let database = Database::new();
    database.run("tenant create acme").done();
    database.run("credential create dev1 --tenant acme").done();
    let written = |folder: &Path, run: &dyn Fn(&str) -> Ran| {
        let [passwords, acl, json] = ["passwd", "acl", "json"].map(|name| folder.join(name));
        let reports = [
            format!(
                "export mosquitto --tenant acme --passwords {} --acl {} --json",
                passwords.display(),
                acl.display()
            ),
            format!(
                "export dynamic-security --tenant acme {} --json",
                json.display()
            ),
        ];
        let reports = reports.map(|line| run(&line).done().json());
        (reports, std::fs::read_to_string(acl).unwrap())
    };
    let of_file = written(file.directory.path(), &|line| file.run(line));
    let folder = database.fixture.directory.path();
    assert_eq!(written(folder, &|line| database.run(line)), of_file);
}

#[test]
fn fleet_init_makes_a_store_in_the_database_that_it_names() {
    let database = Database::empty();
    let run = |words: &[&str]| {
        let mut command = database.command();
        command.env_remove("COUNTERSIGN_STORE").args(words);
        finish(&mut command)
    };
    let made = run(&["fleet", "init", &database.url, "--json"])
        .done()
        .json();
    assert!(
        made["path"].as_str().unwrap().contains(&database.name),
        "{made}"
    );
    assert!(database.key().is_file(), "the key file");
    database.run("tenant create acme").done();
    let again = run(&["fleet", "init", &database.url]).refused(1);
    assert!(again.contains("holds a store"), "{again}");
    let wrong = run(&["fleet", "init", "fleet.db"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("postgres://USER@HOST/DATABASE"));
    let compacted = database.json("fleet compact --before 1d");
    assert_eq!(compacted, json!({ "removed": 0, "behind": [] }));
}

#[test]
fn every_day_work_is_done_in_a_database_as_in_a_file() {
    let database = Database::empty();
    let refused = database.run("tenant list").refused(3);
    assert!(
        refused.contains("holds no store of Countersign"),
        "{refused}"
    );
    let made = database.run("init --argon2 m=8,t=1,p=1").done();
    let told = format!("store made in `{}`", database.name);
    assert!(made.stdout.contains(&told), "{made:?}");
    let mode = database.key().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = database.run("init").refused(1);
    assert!(again.contains("holds a store"), "{again}");
    for line in [
        "tenant create acme",
        "role create ops --tenant acme",
        "role allow ops --tenant acme subscribe acme/+/state",
        "credential create dev1 --tenant acme",
        "credential suspend dev1@acme",
        "credential reactivate dev1@acme",
        "user create jane@example.com --password-stdin",
        "user grant jane@example.com --tenant acme --org-admin",
        // Its seed is sealed with the key file.
        "user mfa enrol jane@example.com",
        "token create --scope tenant:acme",
        "follower create edge",
        "settings set --client-id-hold 30d",
    ] {
        let input = database.fixture.directory.path().join("input");
        std::fs::write(&input, "a password of hers\n").unwrap();
        let input = std::fs::File::open(&input).unwrap();
        let mut command = database.command();
        finish(command.args(line.split_whitespace()).stdin(input)).warned();
    }
    let shown = database.json("credential show dev1@acme");
    assert_eq!(shown["state"], "Inactive");
    assert_eq!(database.json("tenant list")[0]["id"], "acme");
    assert_eq!(database.json("token list")[0]["scope"], "tenant:acme");
    let acts = database.json("audit list");
    let acts: Vec<_> = acts.as_array().unwrap().iter().collect();
    assert_eq!(acts[0]["act"], "store.create");
    assert_eq!(acts.len(), 13, "{acts:?}");
    database.run("audit verify").done();
    let sealed = || {
        let health = database.run("doctor --json").json();
        let found = health.as_array().unwrap().iter();
        let mut found = found.filter(|it| it["check"] == "sealed");
        found.next().unwrap()["ok"].clone()
    };
    assert_eq!(sealed(), true);
    std::fs::remove_file(database.key()).unwrap();
    assert_eq!(sealed(), false);
    for (line, told) in [
        ("backup copy.db", "is copied by `pg_dump "),
        ("restore copy.db", "is restored by `pg_restore "),
        ("doctor --config x.conf", "needs a store in a file"),
    ] {
        let ran = database.run(line);
        assert!(ran.stderr.contains(told), "{line}: {ran:?}");
        assert_ne!(ran.code, Some(0));
        let left = database.fixture.files();
        assert!(
            !left.iter().any(|name| name.starts_with("copy")),
            "{left:?}"
        );
    }
}

#[test]
fn what_keeps_a_database_from_being_used_is_told_without_its_secrets() {
    let database = Database::alone(Postgres::start().unwrap());
    let folder = database
        .server
        .folder()
        .to_str()
        .unwrap()
        .replace('/', "%2F");
    for (url, told) in [
        ("postgres:fleet", "postgres://USER@HOST/DATABASE"),
        ("postgres://anna@localhost", "it names no database"),
        ("postgres://anna:opensesame@localhost/fleet", "PGPASSFILE"),
        (
            "postgres://anna@localhost/fleet?password=opensesame",
            "PGPASSFILE",
        ),
        (
            "postgres://anna@db.example/fleet?sslmode=disable",
            "for this machine alone",
        ),
        ("postgres://anna@127.0.0.1:1/fleet", "does not answer"),
        ("postgres://anna@%2Fnowhere/fleet", "does not answer"),
    ] {
        let refused = database.refused_at(url);
        assert!(refused.contains(told), "{url}: {refused}");
    }
    let refused = database.refused_at(&database.server.url("nothing"));
    assert!(refused.contains("createdb makes one"), "{refused}");
    // A user with a password.
    let rules = database.server.sql("postgres", "SHOW hba_file").unwrap();
    let ruled = format!(
        "CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'opensesame';
         COPY (VALUES ('local all guarded scram-sha-256'), ('local all all trust')) TO '{rules}';
         SELECT pg_reload_conf()"
    );
    for statement in ruled.split(';') {
        database.server.sql("postgres", statement).unwrap();
    }
    let url = format!("postgres://guarded@{folder}/test0");
    let begun = Instant::now();
    loop {
        let ran = finish(database.command_at(&url).args(["tenant", "list"]));
        if ran.code != Some(0) {
            break;
        }
        assert!(begun.elapsed() < LONGEST, "nobody asks for the password");
    }
    let refused = database.refused_at(&url);
    assert!(refused.contains("asks for a password"), "{refused}");
    let passwords = database.fixture.directory.path().join("passwords");
    let with = |password: &str| {
        std::fs::write(&passwords, format!("*:*:*:guarded:{password}\n")).unwrap();
        std::fs::set_permissions(&passwords, Permissions::from_mode(0o600)).unwrap();
        let mut command = database.command_at(&url);
        command
            .env("PGPASSFILE", &passwords)
            .args(["tenant", "list"]);
        finish(&mut command)
    };
    let refused = with("openbarley").refused(3);
    assert!(refused.contains("does not let this user in"), "{refused}");
    assert!(!refused.contains("openbarley"), "{refused}");
    with("opensesame").done();
    let mut command = database.command_at(&url);
    command.env("PGPASSWORD", "opensesame");
    finish(command.args(["tenant", "list"])).done();
}

/// Asks a service something; the status and the document that it answers.
fn ask(at: SocketAddr, token: &str, what: &str, body: Option<&Value>) -> (u16, Value) {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(LONGEST)).unwrap();
    let length = body.len();
    write!(
        stream,
        "{what} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[test]
fn two_services_on_one_database_do_the_same_work_and_outlive_its_failure() {
    let mut database = Database::alone(Postgres::start().unwrap());
    let token = database.json("token create --scope platform")["secret"].clone();
    let token = token.as_str().unwrap();
    let other_log = Fixture::empty();
    let start = |fixture: &Fixture| {
        let mut command = database.command();
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        let mut service = Service::start(fixture, &mut command);
        let address: SocketAddr = service.wait_for("listening on http://").parse().unwrap();
        (service, address)
    };
    let (one, at_one) = start(&database.fixture);
    let (two, at_two) = start(&other_log);
    let acme = json!({ "id": "acme" });
    let made = ask(at_one, token, "POST /api/v1/tenants", Some(&acme));
    assert_eq!(made.0, 201, "{made:?}");
    let seen = ask(at_two, token, "GET /api/v1/tenants/acme", None);
    assert_eq!((seen.0, &seen.1["id"]), (200, &json!("acme")));
    let device = json!({ "name": "dev1", "tenant": "acme" });
    let made = ask(at_two, token, "POST /api/v1/credentials", Some(&device));
    assert_eq!(made.0, 201, "{made:?}");
    database.run("credential suspend dev1@acme").done();
    let seen = ask(at_one, token, "GET /api/v1/credentials/dev1@acme", None);
    assert_eq!(seen.1["state"], "Suspended", "{seen:?}");
    // What can't be looked up is an error, and never an empty answer.
    database.server().crash().unwrap();
    for at in [at_one, at_two] {
        let (status, problem) = ask(at, token, "GET /api/v1/tenants", None);
        assert_eq!((status, &problem["kind"]), (503, &json!("unavailable")));
    }
    database.server().start_again().unwrap();
    for at in [at_one, at_two] {
        let (status, tenants) = ask(at, token, "GET /api/v1/tenants", None);
        assert_eq!((status, &tenants["items"][0]["id"]), (200, &json!("acme")));
    }
    for service in [one, two] {
        let log = service.log();
        assert!(!log.contains("panicked"), "{log}");
        assert_eq!(service.end(Signal::SIGTERM), Some(0));
    }
}

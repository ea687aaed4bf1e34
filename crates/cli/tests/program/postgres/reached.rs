//! How a database is reached: by TLS, with a client's certificate, by the name of a service.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock};

use countersign_testkit::postgres::Postgres;
use nix::sys::signal::Signal;

use super::{Database, ask};
use crate::serve::Service;
use crate::support::{Ran, finish};

/// Makes a certificate, signed by itself or by `ca` of the same folder, and its key.
fn certify(folder: &Path, name: &str, subject: &str, more: &[&str]) {
    let file = |end: &str| folder.join(format!("{name}.{end}"));
    let mut openssl = Command::new("openssl");
    openssl
        .args("req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:P-256".split(' '))
        .args(["-subj", subject])
        .args(more)
        .arg("-keyout")
        .arg(file("key"))
        .arg("-out")
        .arg(file("crt"));
    if name != "ca" && name != "stranger" {
        openssl
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-CA"])
            .arg(folder.join("ca.crt"))
            .arg("-CAkey")
            .arg(folder.join("ca.key"));
    }
    let made = openssl.output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// Who connects by TCP shows a certificate with their own name, or says a password.
const RULES: &str = "local all all trust
hostssl all certified 127.0.0.1/32 trust clientcert=verify-full
hostssl all guarded 127.0.0.1/32 scram-sha-256
";

const USERS: &str = "CREATE ROLE certified LOGIN SUPERUSER;
    CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'opensesame'";

/// A server that is reached by TLS, and the certificate and the key of the authority that
/// certified it. Ended with the program.
static BY_TLS: LazyLock<([Vec<u8>; 2], Arc<Postgres>)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let names = "subjectAltName=DNS:localhost";
    certify(folder.path(), "ca", "/CN=Test Authority", &[]);
    certify(
        folder.path(),
        "server",
        "/CN=localhost",
        &["-addext", names],
    );
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let server = Postgres::start_on_tcp(
        "ssl = on\nssl_ca_file = 'ca.crt'\n",
        &[
            ("ca.crt", read("ca.crt")),
            ("server.crt", read("server.crt")),
            ("server.key", read("server.key")),
            ("pg_hba.conf", RULES.into()),
        ],
    );
    let server = server.unwrap();
    server.sql("postgres", USERS).unwrap();
    (["ca.crt", "ca.key"].map(read), Arc::new(server))
});

/// A database with a store that is reached by TLS, and certificates beside its key file.
fn certified() -> Database {
    let (authority, server) = &*BY_TLS;
    let database = Database::new_on(server);
    let here = database.fixture.directory.path();
    for (file, content) in ["ca.crt", "ca.key"].iter().zip(authority) {
        fs::write(here.join(file), content).unwrap();
    }
    for (name, subject) in [("certified", "/CN=certified"), ("other", "/CN=other")] {
        certify(here, name, subject, &[]);
    }
    certify(here, "stranger", "/CN=Test Authority", &[]);
    database
}

impl Database {
    /// The path of a file beside the store's key.
    fn beside(&self, file: &str) -> String {
        let path = self.fixture.directory.path().join(file);
        path.display().to_string()
    }

    /// What `tenant list` comes to at an address.
    fn list_at(&self, url: &str) -> Ran {
        finish(self.command_at(url).args(["tenant", "list"]))
    }

    fn write(&self, file: &str, text: &str, mode: u32) {
        let path = self.beside(file);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn a_certificate_of_ones_own_opens_a_database_by_tls() {
    let database = certified();
    let port = database.server.port();
    let roots = format!("sslrootcert={}", database.beside("ca.crt"));
    let shows = |name: &str| {
        let [certificate, key] =
            ["crt", "key"].map(|end| database.beside(&format!("{name}.{end}")));
        format!("sslcert={certificate}&sslkey={key}")
    };
    let name = &database.name;
    let at = |user: &str, host: &str, words: &[&str]| {
        let words = words.join("&");
        database.list_at(&format!("postgres://{user}@{host}:{port}/{name}?{words}"))
    };
    at("certified", "localhost", &[&roots, &shows("certified")]).done();
    let told = |ran: Ran, what: &str| {
        let refused = ran.refused(3);
        assert!(refused.contains(what), "{refused}");
        assert!(!refused.contains("opensesame"), "{refused}");
    };
    // Neither without one, nor with another's, nor in another's name.
    told(
        at("certified", "localhost", &[&roots]),
        "does not let this user in",
    );
    let other = shows("other");
    told(
        at("certified", "localhost", &[&roots, &other]),
        "does not let this user in",
    );
    let stranger = format!("sslrootcert={}", database.beside("stranger.crt"));
    told(
        at("certified", "localhost", &[&stranger, &shows("certified")]),
        "certificate",
    );
    told(
        at("certified", "127.0.0.1", &[&roots, &shows("certified")]),
        "certificate",
    );
    // A key that others may read is not read, and one that is not the certificate's.
    let mixed = format!(
        "sslcert={}&sslkey={}",
        database.beside("certified.crt"),
        database.beside("other.key")
    );
    told(
        at("certified", "localhost", &[&roots, &mixed]),
        "is not the private key of",
    );
    fs::set_permissions(
        database.beside("certified.key"),
        Permissions::from_mode(0o644),
    )
    .unwrap();
    told(
        at("certified", "localhost", &[&roots, &shows("certified")]),
        "others may read it; chmod 600",
    );
    let alone = format!("sslcert={}", database.beside("certified.crt"));
    told(
        at("certified", "localhost", &[&roots, &alone]),
        "go together",
    );
}

#[test]
fn a_certificate_that_was_renewed_is_shown_where_a_connection_is_made_anew() {
    let database = certified();
    let token = database.json("token create --scope platform")["secret"].clone();
    let token = token.as_str().unwrap();
    let url = format!(
        "postgres://certified@localhost:{}/{}?sslrootcert={}&sslcert={}&sslkey={}",
        database.server.port(),
        database.name,
        database.beside("ca.crt"),
        database.beside("shown.crt"),
        database.beside("shown.key"),
    );
    let show = |name: &str| {
        for end in ["crt", "key"] {
            let from = database.beside(&format!("{name}.{end}"));
            fs::copy(from, database.beside(&format!("shown.{end}"))).unwrap();
        }
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE usename = 'certified' AND datname = current_database()";
        database.server.sql(&database.name, cut).unwrap();
    };
    show("certified");
    let mut command = database.command_at(&url);
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    let mut service = Service::start(&database.fixture, &mut command);
    let at: SocketAddr = service.wait_for("listening on http://").parse().unwrap();
    let answer = || ask(at, token, "GET /api/v1/tenants", None).0;
    assert_eq!(answer(), 200);
    show("other");
    assert_eq!(answer(), 503);
    fs::remove_file(database.beside("shown.key")).unwrap();
    assert_eq!(answer(), 503);
    show("certified");
    assert_eq!(answer(), 200);
    let log = service.log();
    assert!(!log.contains("panicked"), "{log}");
    assert_eq!(service.end(Signal::SIGTERM), Some(0));
}

#[test]
fn a_service_says_what_an_address_leaves_out() {
    let database = certified();
    let (port, name) = (database.server.port(), &database.name);
    let [roots, certificate, key] =
        ["ca.crt", "certified.crt", "certified.key"].map(|file| database.beside(file));
    let by_password = format!(
        "[guarded]\nhost=localhost\nport={port}\ndbname={name}\nuser=guarded\n\
         sslrootcert={roots}\npassword=opensesame\n"
    );
    let services = format!(
        "# all of them\n[certified]\nhost=localhost\nport={port}\ndbname={name}\nuser=certified\n\
         application_name=shared\nsslmode=verify-full\nsslrootcert={roots}\n\
         sslcert={certificate}\nsslkey={key}\n\n[strange]\nhost=localhost\nchannel_binding=require\n\
         \n[remote]\nhost=localhost\nhostaddr=203.0.113.5\nsslmode=disable\ndbname={name}\n"
    );
    database.write(".pg_service.conf", &services, 0o644);
    database.list_at("postgres://?service=certified").done();
    let mut command = database.command_at("postgres://");
    command.env("PGSERVICE", "certified");
    finish(command.args(["tenant", "list"])).done();
    let refused = |url: &str| database.refused_at(url);
    // What the address says itself counts.
    let other = refused("postgres:///nothing?service=certified");
    assert!(other.contains("there is no `nothing`"), "{other}");
    let other = refused("postgres://other@?service=certified");
    assert!(other.contains("does not let this user in"), "{other}");
    for (service, told) in [
        ("nobody", "has no service `nobody`"),
        ("strange", "says `channel_binding`, which is not taken"),
        ("remote", "for this machine alone"),
    ] {
        let refused = refused(&format!("postgres://?service={service}"));
        assert!(refused.contains(told), "{refused}");
    }
    // A password counts where nobody else may read it, and is never shown.
    let url = "postgres://?service=guarded";
    database.write("services", &by_password, 0o640);
    let with_file = || {
        let mut command = database.command_at(url);
        command.env("PGSERVICEFILE", database.beside("services"));
        finish(command.args(["tenant", "list"]))
    };
    let open = with_file().refused(3);
    assert!(
        open.contains("has a password, and others may read it"),
        "{open}"
    );
    assert!(!open.contains("opensesame"), "{open}");
    database.write("services", &by_password, 0o600);
    with_file().done();
    let wrong = by_password.replace("opensesame", "openbarley");
    database.write("services", &wrong, 0o600);
    let wrong = with_file().refused(3);
    assert!(wrong.contains("does not let this user in"), "{wrong}");
    assert!(!wrong.contains("openbarley"), "{wrong}");
}

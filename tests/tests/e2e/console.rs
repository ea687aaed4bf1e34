//! The console in a browser.

use std::time::Duration;
use std::{env, fs};

use countersign_testkit::service::Service;
use countersign_testkit::token_issuer::TokenIssuer;
use countersign_testkit::tools::{Output, Tool};
use countersign_testkit::{Broker, Cli, Version, artifacts};
use countersign_tests::Fixture;
use countersign_tests::authority::Authority;
use serde_json::json;

use crate::certificates::{DEVICES, asking};
use crate::issuers::{HOUR, claims};
use crate::tls::tls;

/// Who signs in, in the scripts.
pub(crate) const ADA: &str = "ada@mail.test";

/// What a stranger may call things, to see whether it is shown as text.
const HOSTILE: &str = "<img src=x onerror=alert(1)> \"'` \u{202e} gnp \u{1f980}";

/// `tests/console/walk.mjs` walks through all pages: with a mouse, by keyboard alone,
/// without scripts, dark and light, wide and narrow. With `COUNTERSIGN_WALK=all` it does so
/// in each of these ways; without it, in some that `COUNTERSIGN_SEED` chooses; with the name
/// of a sort of thing, that alone is made, changed and removed.
#[test]
fn every_page_and_act_works_in_a_browser() {
    let authority = Authority::new();
    authority.further("devices", DEVICES, None);
    authority.sign_by("devices", "hose", &["-subj", "/CN=hose.acme"]);
    let fixture = Fixture::start_with(Version::V2_1, |it| asking(it, &authority));
    for tenant in ["acme", "hall"] {
        fixture.tenant(tenant, &[]);
    }
    for name in ["dev1", "dev2"] {
        fixture.credential(name, "acme");
    }
    let strange = format!(
        "<img src=x onerror=alert(1)>\"'&\u{1f980}{}",
        "x".repeat(210)
    );
    let described = ["--description", HOSTILE, "--client-id", "any"];
    let hostile = fixture.credential_with("hostile", "acme", &described);
    let fingerprint = with_things(&fixture, &strange);
    // Each way forgets one; the last stays to be looked at.
    let is_all = env::var("COUNTERSIGN_WALK").is_ok_and(|it| it == "all");
    for number in 0..if is_all { 17 } else { 2 } {
        gone(&fixture, &format!("gone{number}"));
    }
    let issuer = TokenIssuer::new(1);
    let service = fixture.serve();
    let code = service.first_code().unwrap();
    let tool = in_a_browser("walk.mjs", &fixture, &service)
        .env("FIRST_CODE", code)
        .env("HOSTILE", HOSTILE)
        .env("HOSTILE_SECRET", hostile.secret)
        .env("STRANGE", format!("{strange}@acme"))
        .env("FINGERPRINT", fingerprint)
        .env("TLS_PORT", tls(&fixture).to_string())
        .env("CERTIFICATES", authority.path(""))
        .env("JWKS", issuer.jwks())
        .env("TOKEN", issuer.sign(&claims(HOSTILE, "mast", 2 * HOUR)))
        .env("SEED", env::var("COUNTERSIGN_SEED").unwrap_or("1".into()));
    let (asked, most) = match env::var("COUNTERSIGN_WALK").as_deref() {
        Ok("all") => (("ALL_WAYS", "yes".to_owned()), 3_600),
        Ok(sort) => (("ONLY", sort.to_owned()), 480),
        Err(_) => (("ONLY", String::new()), 480),
    };
    succeeds(tool.env(asked.0, asked.1), most);
}

/// `tests/console/crowd.mjs` watches the list of who is connected while a crowd comes and
/// goes. `COUNTERSIGN_CROWD` says how many are there, and how often somebody is waited for.
#[test]
fn the_live_list_stays_whole_and_small_while_a_crowd_comes_and_goes() {
    let fixture = Fixture::start(Version::V2_1);
    fixture.tenant("acme", &[]);
    let any = ["--client-id", "any"];
    let logins = ["crowd", "guest"].map(|it| fixture.credential_with(it, "acme", &any));
    let logins = logins.map(|it| [it.username, it.secret]);
    somebody(&fixture.cli, ADA);
    said(
        &fixture.cli,
        &["user", "set", ADA, "--platform-admin", "true"],
    );
    let service = fixture.serve();
    let (crowd, guests) = match env::var("COUNTERSIGN_CROWD") {
        Ok(crowd) => (crowd, "20"),
        Err(_) => ("1000".to_owned(), "3"),
    };
    let tool = in_a_browser("crowd.mjs", &fixture, &service)
        .env("LOGINS", json!(logins).to_string())
        .env("CROWD", crowd)
        .env("GUESTS", guests);
    succeeds(tool, 240);
}

/// A script of `tests/console`, which looks at this service with a browser.
pub(crate) fn in_a_browser(script: &str, fixture: &Fixture, service: &Service) -> Tool {
    let script = artifacts::workspace().join("tests/console").join(script);
    Tool::new("node")
        .args([script])
        .env("NODE_FOLDER", artifacts::node().unwrap())
        .env("CHROMIUM", chromium())
        .env("CONSOLE", format!("http://{}", service.address))
        .env("BROKER_PORT", fixture.port().to_string())
}

/// Chromium without windows, which takes a third of the CPU; else the whole one.
fn chromium() -> &'static str {
    let shell = "/usr/bin/chromium-headless-shell";
    if fs::exists(shell).unwrap() {
        shell
    } else {
        "/usr/bin/chromium"
    }
}

/// Has a script do what it does, within so many seconds.
pub(crate) fn succeeds(script: Tool, most: u64) {
    let Output {
        code,
        stdout,
        stderr,
    } = script.run(Duration::from_secs(most)).unwrap();
    println!("{stdout}");
    assert_eq!(code, Some(0), "{stdout}{stderr}");
}

/// A broker that used the store once, and does no more.
pub(crate) fn gone(fixture: &Fixture, name: &str) {
    let mut broker = Broker::builder(fixture.broker.version())
        .plugin(artifacts::plugin().unwrap())
        .plugin_option("store", fixture.cli.store().display())
        .plugin_option("broker", name)
        .start()
        .unwrap();
    // Not by SIGTERM, which Mosquitto loses until its loop runs.
    broker.kill_9().unwrap();
}

/// Makes something of each sort, whose names and descriptions are those that a stranger may
/// choose; returns the fingerprint of the authority.
fn with_things(fixture: &Fixture, strange: &str) -> String {
    let cli = &fixture.cli;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (jwks, pem) = (
        file("jwks.json", JWKS),
        file("ca.pem", &certificate("p256")),
    );
    let (acme, readers) = (["--tenant", "acme"], ["--role", "readers"]);
    let made: &[&[&str]] = &[
        &["role", "create", "readers", "--description", HOSTILE],
        &["role", "allow", "readers", "subscribe", "acme/#"],
        &["role", "assign", "readers", "--group", "HALL"],
        &["credential", "create", strange, "--group", "HALL"],
        &["application", "create", "fleet", "--org-admin"],
        &["thing", "create", "<b>pump", "--application", "fleet"],
        &[
            "jwt", "create", "--role", "readers", "--whoami", "report", "--as", "fleet",
        ],
        &["ban", "add", "--client-id", "<b>pump", "--reason", HOSTILE],
        &["hook", "create", "edge", "--kind", "rabbitmq"],
        &["follower", "create", "edge"],
    ];
    for arguments in made {
        said(cli, &[arguments, &acme[..]].concat());
    }
    said(
        cli,
        &["operator", "create", "bridge", "--publish", "acme/<b>/#"],
    );
    said(
        cli,
        &["operator", "set", "bridge", "--description", HOSTILE],
    );
    let issuer = [
        "issuer",
        "add",
        "sso",
        "--iss",
        "https://sso.example/<b>",
        "--alg",
        "EdDSA",
    ];
    let keys = [
        "--audience",
        HOSTILE.trim(),
        "--jwks",
        &jwks,
        "--role-map",
        "<b>ops=readers",
    ];
    let claim = ["--role-claim", "realm.roles", "--auto-register"];
    said(cli, &[&issuer[..], &acme, &keys, &claim, &readers].concat());
    let authority = ["ca", "add", "--pem", &pem, "--identity", "san-dns"];
    let added = cli.json(&[&authority[..], &acme].concat());
    added["fingerprint"].as_str().unwrap().to_owned()
}

/// Makes somebody who may sign in.
pub(crate) fn somebody(cli: &Cli, name: &str) {
    let create = ["user", "create", name, "--password-stdin"];
    cli.json_with_stdin(&create, b"correct horse battery");
}

pub(crate) fn said(cli: &Cli, arguments: &[&str]) {
    let told = cli.run(arguments);
    assert_eq!(told.code, Some(0), "{arguments:?}: {}", told.stderr);
}

/// A certificate that signed itself.
pub(crate) fn certificate(label: &str) -> String {
    let all = include_str!("../../../crates/certificate/tests/signed.pem");
    let (_, pem) = all.split_once(&format!("\n{label}:\n")).unwrap();
    let end = "-----END CERTIFICATE-----\n";
    let (pem, _) = pem.split_once(end).unwrap();
    format!("{pem}{end}")
}

pub(crate) const JWKS: &str =
    include_str!("../../../crates/issuer/tests/keys/issuer.jwks.json").trim_ascii_end();

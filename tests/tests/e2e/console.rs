//! The console in a browser.

use std::time::Duration;
use std::{env, fs};

use countersign_testkit::tools::{Output, Tool};
use countersign_testkit::{Cli, Version, artifacts};
use countersign_tests::Fixture;
use serde_json::{Map, Value};

/// What a stranger may call things, to see whether it is shown as text.
const HOSTILE: &str = "<img src=x onerror=alert(1)> \"'` \u{202e} gnp \u{1f980}";

/// `tests/console/walk.mjs` walks through all pages: with a mouse, by keyboard alone,
/// without scripts, dark and light, wide and narrow. With `COUNTERSIGN_WALK=all` it does so
/// in each of these ways; without it, in some that `COUNTERSIGN_SEED` chooses; with the name
/// of a sort of thing, that alone is made, changed and removed.
#[test]
fn every_page_and_act_works_in_a_browser() {
    let fixture = Fixture::start(Version::V2_1);
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
    let fingerprint = with_things(&fixture, &strange);
    let service = fixture.serve();
    let code = service.first_code().unwrap();
    let node = artifacts::node().unwrap();
    let walk = artifacts::workspace().join("tests/console/walk.mjs");
    let mut tool = Tool::new("node")
        .args([walk])
        .env("NODE_FOLDER", node)
        .env("CHROMIUM", "/usr/bin/chromium")
        .env("CONSOLE", format!("http://{}", service.address))
        .env("FIRST_CODE", code)
        .env("BROKER_PORT", fixture.port().to_string())
        .env("HOSTILE", HOSTILE)
        .env("STRANGE", format!("{strange}@acme"))
        .env("FINGERPRINT", fingerprint)
        .env("AUTHORITY", certificate("p384"))
        .env("JWKS", JWKS)
        .env("SEED", env::var("COUNTERSIGN_SEED").unwrap_or("1".into()));
    if let Some(folder) = env::var_os("COUNTERSIGN_SCREENSHOTS") {
        tool = tool.env("PICTURES", folder);
        tool = tool.env("CLIENTS", with_a_plant(&fixture));
    }
    let (asked, most) = match env::var("COUNTERSIGN_WALK").as_deref() {
        Ok("all") => (("ALL_WAYS", "yes".to_owned()), 1_800),
        Ok(sort) => (("ONLY", sort.to_owned()), 480),
        Err(_) => (("ONLY", String::new()), 480),
    };
    let tool = tool.env(asked.0, asked.1);
    let Output {
        code,
        stdout,
        stderr,
    } = tool.run(Duration::from_secs(most)).unwrap();
    println!("{stdout}");
    assert_eq!(code, Some(0), "{stdout}{stderr}");
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
        &["credential", "create", "hostile", "--description", HOSTILE],
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

/// Makes a tenant that is good to look at; returns the names and secrets of devices that
/// connect, as JSON.
fn with_a_plant(fixture: &Fixture) -> String {
    let cli = &fixture.cli;
    let folder = tempfile::tempdir().unwrap();
    let jwks = folder.path().join("jwks.json");
    fs::write(&jwks, JWKS).unwrap();
    for made in [
        "tenant create plant",
        "role create telemetry --tenant plant --description Readings",
        "role allow telemetry publish plant/${username}/state --tenant plant",
        "role allow telemetry subscribe plant/${username}/set --tenant plant",
        "role deny telemetry publish plant/+/audit --tenant plant",
        "role assign telemetry --tenant plant --group HALL1",
        "role create dashboards --tenant plant",
        "role allow dashboards subscribe plant/+/state --tenant plant",
        "application create reports --tenant plant --role dashboards",
        "application create portal --tenant plant --role dashboards --org-admin",
        "thing create screen-1 --tenant plant --application reports",
        "thing create screen-2 --tenant plant --application reports",
        "thing create tablet-7 --tenant plant --application portal",
        "jwt create --tenant plant --role dashboards --whoami shift-lead --ttl 8h --as portal",
        "jwt create --tenant plant --role dashboards --whoami visitor --as portal",
    ] {
        said(cli, &made.split(' ').collect::<Vec<_>>());
    }
    let sso = "issuer add plant-sso --tenant plant --iss https://sso.plant.example --alg EdDSA \
               --audience mqtt --role-claim realm.roles --role-map operator=dashboards --jwks";
    let sso: Vec<_> = sso.split_whitespace().chain(jwks.to_str()).collect();
    said(cli, &sso);
    let mut clients = Map::new();
    for (name, group, description) in [
        ("gateway-1", "HALL1", "Gateway of hall 1"),
        ("pump-1", "HALL1.LINE1", "Feed pump, line 1"),
        ("pump-2", "HALL1.LINE1", "Return pump, line 1"),
        ("pump-3", "HALL1.LINE2", "Feed pump, line 2"),
        ("pump-7", "HALL2", "Spare pump"),
        ("valve-1", "HALL1.LINE1", "Inlet valve, line 1"),
        ("valve-4", "HALL2", "Outlet valve, hall 2"),
    ] {
        let create = ["credential", "create", name, "--tenant", "plant"];
        let more = ["--group", group, "--description", description];
        let made = cli.json(&[&create[..], &more].concat());
        if group != "HALL2" {
            clients.insert(format!("{name}@plant"), made["secret"].clone());
        }
    }
    said(cli, &["credential", "suspend", "valve-4@plant"]);
    Value::Object(clients).to_string()
}

fn said(cli: &Cli, arguments: &[&str]) {
    let told = cli.run(arguments);
    assert_eq!(told.code, Some(0), "{arguments:?}: {}", told.stderr);
}

/// A certificate that signed itself.
fn certificate(label: &str) -> String {
    let all = include_str!("../../../crates/certificate/tests/signed.pem");
    let (_, pem) = all.split_once(&format!("\n{label}:\n")).unwrap();
    let end = "-----END CERTIFICATE-----\n";
    let (pem, _) = pem.split_once(end).unwrap();
    format!("{pem}{end}")
}

const JWKS: &str =
    include_str!("../../../crates/issuer/tests/keys/issuer.jwks.json").trim_ascii_end();

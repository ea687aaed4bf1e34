//! Pictures of the console, for the documents.

use std::{env, fs};

use countersign_testkit::Version;
use countersign_tests::Fixture;
use serde_json::{Map, Value};

use crate::console::{ADA, JWKS, certificate, gone, in_a_browser, said, somebody, succeeds};

/// `tests/console/pictures.mjs` takes them, into the folder that `COUNTERSIGN_SCREENSHOTS`
/// names.
#[test]
#[ignore = "`cargo xtask screenshots` runs it: it tests nothing"]
fn pictures_of_the_console_are_taken() {
    let folder = env::var_os("COUNTERSIGN_SCREENSHOTS").unwrap();
    let fixture = Fixture::start_with(Version::V2_1, |it| it.plugin_option("broker", "hall-1"));
    // Without users yet, as the page for the first one is only shown then.
    let service = fixture.serve();
    for name in [ADA, "jane@plant.example", "joe@plant.example"] {
        somebody(&fixture.cli, name);
    }
    said(
        &fixture.cli,
        &["user", "set", ADA, "--platform-admin", "true"],
    );
    let clients = with_a_plant(&fixture);
    gone(&fixture, "hall-2");
    let tool = in_a_browser("pictures.mjs", &fixture, &service)
        .env("PICTURES", folder)
        .env("FIRST_CODE", service.first_code().unwrap())
        .env("CLIENTS", clients)
        .env("FINGERPRINT", fingerprint(&fixture));
    succeeds(tool, 480);
}

/// The fingerprint of the plant's authority.
fn fingerprint(fixture: &Fixture) -> String {
    let listed = fixture.cli.json(&["ca", "list"]);
    listed[0]["fingerprint"].as_str().unwrap().to_owned()
}

/// Makes a tenant that is good to look at; returns the names and secrets of devices that
/// connect, as JSON.
fn with_a_plant(fixture: &Fixture) -> String {
    let cli = &fixture.cli;
    let folder = tempfile::tempdir().unwrap();
    let (jwks, pem) = (
        folder.path().join("jwks.json"),
        folder.path().join("ca.pem"),
    );
    fs::write(&jwks, JWKS).unwrap();
    fs::write(&pem, certificate("p384")).unwrap();
    for made in [
        "tenant create plant",
        "role create telemetry --tenant plant --description Readings_and_commands",
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
        "tenant create laboratory --authentication optional",
        "operator create bridge --publish # --subscribe #",
        "operator set bridge --description To_the_cloud",
        "operator create monitor --subscribe $SYS/#",
        "follower create hall-3 --tenant plant",
        "follower create hall-4 --tenant plant --tenant laboratory",
        "hook create line-2 --kind rabbitmq --tenant plant",
        "hook create cloud --kind emqx --tenant plant --from 192.0.2.0/24",
        "token create --scope tenant:plant --description The_build --expires 30d",
        "token create --scope viewer:plant --description Dashboards",
        "user grant jane@plant.example --tenant plant --org-admin",
        "user grant jane@plant.example --tenant laboratory --viewer",
        "user grant joe@plant.example --tenant plant --role dashboards --group HALL1",
        "ban add --address 198.51.100.0/24 --until 24h --reason Guesses_passwords",
        "ban add --client-id pump-9 --tenant plant --reason Stolen",
    ] {
        let words: Vec<_> = made.split(' ').map(|it| it.replace('_', " ")).collect();
        said(cli, &words.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let sso = "issuer add plant-sso --tenant plant --iss https://sso.plant.example --alg EdDSA \
               --audience mqtt --role-claim realm.roles --role-map operator=dashboards --jwks";
    let sso: Vec<_> = sso.split_whitespace().chain(jwks.to_str()).collect();
    said(cli, &sso);
    let authority = "ca add --tenant plant --identity san-dns --pattern ${name}.plant.example \
                     --role telemetry --auto-register --max 200 --pem";
    let authority: Vec<_> = authority.split_whitespace().chain(pem.to_str()).collect();
    said(cli, &authority);
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

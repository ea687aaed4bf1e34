//! The console in a browser.

use std::env;
use std::time::Duration;

use countersign_testkit::tools::{Output, Tool};
use countersign_testkit::{Version, artifacts};
use countersign_tests::Fixture;

/// What a stranger may call things, to see whether it is shown as text.
const HOSTILE: &str = "<img src=x onerror=alert(1)> \"'` \u{202e} gnp \u{1f980}";

/// `tests/console/walk.mjs` walks through all pages: with a mouse, by keyboard alone,
/// without scripts, dark and light, wide and narrow.
#[test]
fn every_page_and_act_works_in_a_browser() {
    let fixture = Fixture::start(Version::V2_1);
    fixture.tenant("acme", &[]);
    for name in ["dev1", "dev2"] {
        fixture.credential(name, "acme");
    }
    let cli = &fixture.cli;
    let said = |arguments: &[&str]| {
        let told = cli.run(arguments);
        assert_eq!(told.code, Some(0), "{arguments:?}: {}", told.stderr);
    };
    let hostile = ["credential", "create", "hostile", "--tenant", "acme"];
    said(&[&hostile[..], &["--description", HOSTILE]].concat());
    said(&["role", "create", "readers", "--tenant", "acme"]);
    said(&[
        "role",
        "allow",
        "readers",
        "--tenant",
        "acme",
        "subscribe",
        "acme/#",
    ]);
    said(&["operator", "create", "bridge", "--publish", "acme/#"]);
    said(&["follower", "create", "edge", "--tenant", "acme"]);
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
        .env("BROKER_PORT", fixture.port().to_string());
    for (said, told) in [
        ("COUNTERSIGN_SCREENSHOTS", "PICTURES"),
        ("COUNTERSIGN_SCREENSHOTS_OF_ALL", "PICTURES_OF_ALL"),
    ] {
        if let Some(folder) = env::var_os(said) {
            tool = tool.env(told, folder);
        }
    }
    let Output {
        code,
        stdout,
        stderr,
    } = tool.run(Duration::from_secs(240)).unwrap();
    println!("{stdout}");
    assert_eq!(code, Some(0), "{stdout}{stderr}");
}

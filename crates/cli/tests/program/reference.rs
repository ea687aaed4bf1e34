//! `docs/reference`: what the code itself says of commands, options, schemes,
//! reasons and keys. `cargo xtask codegen --only reference` writes it.

use std::fs;
use std::path::Path;

use countersign_core::options::OPTIONS;
use countersign_core::reason::Reason;
use countersign_core::store::GateStore as _;
use countersign_sqlite::SqliteStore;
use serde_json::Value;

use crate::clients::connect;
use crate::support::{Fixture, helps};

/// Set by `cargo xtask codegen`, to have the pages written.
const WRITE: &str = "COUNTERSIGN_WRITE_REFERENCE";

/// Compares a page with what is committed, or writes it.
fn hold(name: &str, about: &str, content: &str) {
    let note = "<!-- Written by `cargo xtask codegen --only reference`. Do not edit. -->";
    let fresh = format!("# {about}\n\n{note}\n\n{}\n", content.trim_end());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    let path = folder.join(name);
    if std::env::var_os(WRITE).is_some() {
        fs::create_dir_all(&folder).unwrap();
        fs::write(&path, fresh).unwrap();
        return;
    }
    let current = fs::read_to_string(&path).unwrap_or_default();
    let mut lines = current.lines().zip(fresh.lines());
    let different = lines.find(|(current, fresh)| current != fresh);
    assert!(
        current == fresh,
        "docs/reference/{name} is out of date: run `cargo xtask codegen --only reference`\n\
         {different:?}"
    );
}

#[test]
fn the_reference_of_commands_is_current() {
    let mut page = String::from(
        "What `--help` says of each command. [The guide](../guide.md) shows them at work.\n\n",
    );
    for (words, help) in helps("80") {
        let title = [&["countersign".to_owned()], words.as_slice()].concat();
        let lines: Vec<_> = help.lines().map(str::trim_end).collect();
        page += &format!(
            "## {}\n\n```text\n{}\n```\n\n",
            title.join(" "),
            lines.join("\n")
        );
    }
    assert!(page.matches("\n## ").count() > 60);
    hold("commands.md", "Commands and exit codes", &page);
}

#[test]
fn the_reference_of_options_is_current() {
    let mut page = String::from(
        "They stand below the plugin's line in `mosquitto.conf`; \
         [Mosquitto's configuration](../mosquitto.md) says how. Hosts that embed Countersign \
         give them without `plugin_opt_`.\n\n\
         | option | what it is for | value | without it |\n|---|---|---|---|\n",
    );
    for option in OPTIONS {
        page += &format!(
            "| `plugin_opt_{}` | {} | {} | {} |\n",
            option.name, option.about, option.value, option.without
        );
    }
    hold("options.md", "Options of the plugin", &page);
}

#[test]
fn the_reference_of_reasons_is_current() {
    let mut page = String::from(
        "Why something was refused, in the words of the audit (`cause`), the broker's log, `check` \
         (`reason`) and `why` (`reasons`). \
         [When a device is refused](../troubleshooting.md) says what to do about it.\n\n\
         | reason | meaning |\n|---|---|\n",
    );
    for reason in Reason::ALL {
        page += &format!("| `{}` | {} |\n", reason.as_str(), reason.about());
    }
    hold("reasons.md", "Reasons", &page);
}

#[test]
fn every_reason_has_its_place_where_people_look_for_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/troubleshooting.md");
    let page = fs::read_to_string(path).unwrap();
    for reason in Reason::ALL {
        let reason = reason.as_str();
        assert!(page.contains(&format!("`{reason}`")), "{reason}");
    }
}

#[test]
fn the_reference_of_schemes_is_current() {
    let fixture = Fixture::new();
    let mut page = String::from(
        "The schemes that are built in, as `countersign scheme show` prints them; \
         [Schemes](../schemes.md) says how to write one of your own.\n\n",
    );
    for scheme in fixture.json("scheme list").as_array().unwrap() {
        let name = scheme["name"].as_str().unwrap();
        let shown = fixture.run(&format!("scheme show {name}")).done().stdout;
        page += &format!("## {name}\n\n```toml\n{}\n```\n\n", shown.trim_end());
    }
    hold("schemes.md", "Schemes that are built in", &page);
}

/// A command whose answer is shown, and what must be done before it.
const ANSWERS: &[&str] = &[
    "tenant create acme",
    "tenant show acme",
    "role create reader --tenant acme",
    "role allow reader --tenant acme subscribe acme/+/state",
    "role show reader --tenant acme",
    "credential create dev1 --tenant acme --role reader",
    "credential create pump --tenant acme --scheme impact",
    "credential create --tenant acme --scheme vwire",
    "credential show dev1@acme",
    "credential rotate dev1@acme --overlap 1h",
    "credential set --tenant acme --description hall --yes",
    "credential suspend dev1@acme",
    "operator create monitor --subscribe #",
    "operator show monitor",
    "user create jane@example.com --password-stdin",
    "user grant jane@example.com --tenant acme --org-admin",
    "user show jane@example.com",
    "user mfa enrol jane@example.com",
    "application create fleet --tenant acme",
    "application show fleet --tenant acme",
    "thing create pump-1 --tenant acme --application fleet",
    "jwt create --tenant acme --role reader --whoami report --as jane@example.com",
    "jwt list",
    "jwt keys --tenant acme",
    "jwt rotate-key --tenant acme",
    "scheme show basic",
    "settings show",
    "clients list",
    "clients count",
    "check connect --username dev1@acme --client-id c1",
    "check subscribe --username dev1@acme acme/#",
    "why dev1@acme",
    "audit list",
    "audit head",
    "audit verify",
    "doctor",
    "tenant delete acme --cascade",
];

/// The keys of an answer, with those of what it holds.
fn keys_of(value: &Value) -> String {
    if let Some(fields) = value.as_object() {
        let keys = fields.iter().map(|(key, value)| {
            let is_of_objects = value.get(0).is_some_and(Value::is_object);
            // What the keys of attributes are is up to who sets them.
            if is_of_objects || (value.is_object() && key != "attributes") {
                format!("{key}: {}", keys_of(value))
            } else {
                key.clone()
            }
        });
        return format!("{{{}}}", keys.collect::<Vec<_>>().join(", "));
    }
    let first = value.get(0).map(keys_of).unwrap_or_default();
    format!("[{first}]")
}

#[test]
fn the_reference_of_keys_is_current() {
    let fixture = Fixture::new();
    let mut store = SqliteStore::open(fixture.store()).unwrap();
    let _alive = store.lock_broker("b1").unwrap();
    connect(&mut store, 7, "c1");
    let mut page = String::from(
        "What programs are told with `--json`: an object, or an array of them for a listing. A key \
         that is there stays, with its meaning; new ones may come. What is absent is `null`, times \
         are RFC 3339 in UTC. An answer of one command stands for those of its kind.\n\n\
         | command | keys |\n|---|---|\n",
    );
    for line in ANSWERS {
        let ran = fixture.run_with(&format!("{line} --json"), b"correct horse battery\n");
        let answer: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| {
            panic!("{line}: {error}: {ran:?}");
        });
        page += &format!("| `{line}` | `{}` |\n", keys_of(&answer));
    }
    hold("json.md", "Keys of JSON", &page);
}

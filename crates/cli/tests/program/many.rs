//! Acts on many credentials at once.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use countersign_core::store::GateStore as _;
use serde_json::{Value, json};

use crate::support::{Fixture, finish, keys};

/// A store with six devices, of which three are pumps.
fn with_devices() -> Fixture {
    let fixture = Fixture::new();
    fixture.run("tenant create acme").done();
    let table = "name,groups,attr.line\np1,DM.PUMPS,4\np2,DM.PUMPS,5\np3,DM.PUMPS.OLD,4\n\
                 v1,DM.VALVES,4\nx1,DMX,\nx2,,\n";
    fs::write(fixture.directory.path().join("devices.csv"), table).unwrap();
    let path = fixture.directory.path().join("devices.csv");
    fixture
        .run(&format!("import csv {} --tenant acme", path.display()))
        .done();
    fixture
}

/// The names of those in this state, without their tenant.
fn names(fixture: &Fixture, line: &str) -> String {
    let list = fixture.json(&format!("credential list {line}"));
    let names = list.as_array().unwrap().iter();
    let names = names.map(|row| row["name"].as_str().unwrap().trim_end_matches("@acme"));
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_selection_is_all_that_is_said_of_it() {
    let fixture = with_devices();
    fixture.run("role create ops --tenant acme").done();
    fixture
        .run("credential set x2@acme --add-role ops --expires +1d")
        .done();
    for (selection, found) in [
        ("--tenant acme", "p1 p2 p3 v1 x1 x2"),
        ("--group DM", "p1 p2 p3 v1"),
        ("--group DM.PUMPS --with-attr line=4", "p1 p3"),
        ("--name-prefix p", "p1 p2 p3"),
        ("--tenant acme --role ops", "x2"),
        ("--expires-before +2d", "x2"),
        ("--expires-before +1h", ""),
        ("--unused-since 1d", ""),
        ("--scheme basic --state Inactive --group DMX", "x1"),
        ("--state Active", ""),
    ] {
        assert_eq!(names(&fixture, selection), found, "{selection}");
    }
    let said = fixture.run("credential list --scheme none").refused(1);
    assert!(said.contains("there is no scheme `none`"), "{said}");
    let said = fixture
        .run("credential list --tenant acme --role none")
        .refused(1);
    assert!(said.contains("has no role `none`"), "{said}");
}

#[test]
fn a_dry_run_says_what_would_be_done_and_then_it_is() {
    let fixture = with_devices();
    let before = fixture.content();
    let tried = fixture.json("credential suspend --tenant acme --group DM.PUMPS --dry-run");
    let expected = json!({
        "dry_run": true, "matched": 3, "done": 3, "skipped": 0, "failed": [], "sessions_ended": 0,
        "names": ["p1@acme", "p2@acme", "p3@acme"],
    });
    assert_eq!(tried, expected);
    assert_eq!(fixture.content(), before);
    let done = fixture.json("credential suspend --tenant acme --group DM.PUMPS");
    assert_eq!(
        keys(&done),
        ["matched", "done", "skipped", "failed", "sessions_ended"]
    );
    assert_eq!((&done["matched"], &done["done"]), (&json!(3), &json!(3)));
    assert_eq!(names(&fixture, "--state Suspended"), "p1 p2 p3");
    // What is so already is passed over, and that is no failure.
    let again = fixture.json("credential suspend --tenant acme --group DM");
    assert_eq!((&again["done"], &again["skipped"]), (&json!(1), &json!(3)));
    let none = fixture.json("credential suspend --tenant acme --group NONE");
    assert_eq!((&none["matched"], &none["done"]), (&json!(0), &json!(0)));
    let text = fixture
        .run("credential reactivate --group DM")
        .done()
        .stdout;
    assert_eq!(text, "✔ 4 of 4 credentials reactivated\n");
    assert_eq!(names(&fixture, "--state Suspended"), "");
}

#[test]
fn of_many_each_is_done_that_can_be_and_the_code_says_whether_all_were() {
    let fixture = with_devices();
    fixture.run("credential revoke v1@acme").done();
    let ran = fixture.run("credential suspend p1@acme none@acme v1@acme x1@acme --json");
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let told = ran.json();
    assert_eq!((&told["matched"], &told["done"]), (&json!(4), &json!(2)));
    let failed: Vec<_> = told["failed"].as_array().unwrap().iter().collect();
    assert_eq!(failed[0]["name"], "none@acme");
    assert_eq!(failed[0]["error"], "there is no credential `none@acme`");
    assert_eq!(
        failed[1]["error"],
        "cannot suspend `v1@acme`: it is Revoked"
    );
    assert_eq!(names(&fixture, "--state Suspended"), "p1 x1");
    let said = fixture
        .run("credential suspend none@acme v1@acme")
        .refused(1);
    assert!(
        said.contains("none of 2 was done: there is no credential"),
        "{said}"
    );
    // One name alone is one credential, and operators are taken, too.
    fixture.run("operator create bridge").done();
    let said = fixture.run("credential suspend p1@acme").refused(1);
    assert!(said.contains("it is Suspended"), "{said}");
    let done = fixture.json("credential suspend bridge x2@acme");
    assert_eq!(done["done"], 2);
}

#[test]
fn names_are_read_from_a_file_or_from_standard_input_once_each() {
    let fixture = with_devices();
    let ran = fixture.run_with(
        "credential revoke --from-file - --reason sold --json",
        b"p2@acme\n\np1@acme\np2@acme\n",
    );
    assert_eq!(ran.done().json()["matched"], 2);
    assert_eq!(names(&fixture, "--state Revoked"), "p1 p2");
    let shown = fixture.json("credential show p1@acme");
    assert_eq!(shown["revoked_reason"], "sold");
    let path = fixture.directory.path().join("names");
    fs::write(&path, "x1@acme\nx2@acme\nv1@acme\n").unwrap();
    let path = path.display();
    let line = format!("credential delete --from-file {path} --after v1@acme");
    assert_eq!(fixture.json(&line)["done"], 2);
    assert_eq!(names(&fixture, ""), "p1 p2 p3 v1");
    fs::write(fixture.directory.path().join("names"), "v1@acme\na#b\n").unwrap();
    let said = fixture
        .run(&format!("credential delete --from-file {path}"))
        .refused(1);
    assert!(
        said.contains("line 2: ") && said.contains("can't hold `#`"),
        "{said}"
    );
    assert_eq!(names(&fixture, ""), "p1 p2 p3 v1");
}

#[test]
fn new_secrets_are_given_out_once_in_a_file_or_in_the_answer() {
    let fixture = with_devices();
    let file = fixture.directory.path().join("new.csv");
    let rotate = "credential rotate --tenant acme --group DM.PUMPS --overlap 24h";
    let line = format!("{rotate} --output {}", file.display());
    let tried = fixture.json(&format!("{line} --dry-run"));
    assert_eq!(tried["done"], 3);
    assert!(!file.exists());
    let done = fixture.run(&format!("{line} --json")).done();
    assert!(!done.stdout.contains("cs_"), "{done:?}");
    let written = fs::read_to_string(&file).unwrap();
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let mut rows = written.lines();
    assert_eq!(rows.next(), Some("name,secret"));
    let made: Vec<_> = rows.map(|row| row.split_once(',').unwrap()).collect();
    let of: Vec<_> = made.iter().map(|(name, _)| *name).collect();
    assert_eq!(of, ["p1@acme", "p2@acme", "p3@acme"]);
    for (name, secret) in &made {
        let check =
            format!("check connect --username {name} --client-id c --password-stdin --json");
        let ran = fixture.run_with(&check, secret.as_bytes());
        assert_eq!(ran.json()["verdict"], "allow", "{name}");
    }
    // A second file of that name is refused before anything is made.
    let before = fixture.content();
    let said = fixture.run(&line).refused(1);
    assert!(said.contains("exists already"), "{said}");
    assert_eq!(fixture.content(), before);
    let shown = fixture.json("credential reset-password x1@acme x2@acme");
    let secrets = shown["secrets"].as_array().unwrap();
    assert_eq!(secrets.len(), 2);
    assert_eq!(keys(&secrets[0]), ["name", "secret"]);
    assert!(secrets[1]["secret"].as_str().unwrap().starts_with("cs_"));
    assert!(
        !fixture
            .content()
            .contains(secrets[1]["secret"].as_str().unwrap())
    );
}

#[test]
fn a_dry_run_of_a_change_says_who_would_gain_and_lose_what() {
    let fixture = with_devices();
    fixture.run("role create reader --tenant acme").done();
    fixture
        .run("role deny reader --tenant acme publish acme/meters/#")
        .done();
    let line =
        "credential set --group DM.PUMPS --add-role reader --remove-group DM.PUMPS --add-group NEW";
    let tried = fixture.json(&format!("{line} --dry-run"));
    assert_eq!(tried["effects"].as_array().unwrap().len(), 3);
    let first = &tried["effects"][0];
    assert_eq!(first["name"], "p1@acme");
    assert_eq!(first["loses"][0]["pattern"], "acme/meters/#", "{first}");
    assert_eq!(names(&fixture, "--group NEW"), "");
    assert_eq!(fixture.json(line)["done"], 3);
    assert_eq!(names(&fixture, "--group NEW --role reader"), "p1 p2 p3");
    let left = fixture.json("credential show p3@acme");
    assert_eq!(left["groups"], json!(["DM.PUMPS.OLD", "NEW"]));
    let again = fixture.json(line);
    assert_eq!(
        (&again["matched"], &again["skipped"]),
        (&json!(1), &json!(1))
    );
}

#[test]
fn sessions_that_end_are_counted_and_a_live_one_is_not_unused() {
    let fixture = with_devices();
    let mut store = countersign_sqlite::SqliteStore::open(fixture.store()).unwrap();
    let _alive = store.lock_broker("b1").unwrap();
    let id = |name: &str| {
        let shown = fixture.json(&format!("credential show {name}"));
        shown["id"].as_i64().unwrap()
    };
    for (number, name) in [(1, "p1@acme"), (2, "p1@acme"), (3, "x1@acme")] {
        crate::clients::connect_as(&mut store, number, name, Some(id(name)));
    }
    let tried = fixture.json("credential suspend --group DM --dry-run");
    assert_eq!(tried["sessions_ended"], 2);
    let rotated = fixture.json("credential rotate --group DM --overlap 1h --dry-run");
    assert_eq!(rotated["sessions_ended"], 0);
    let done = fixture.json("credential rotate --all --dry-run");
    assert_eq!(done["sessions_ended"], 3);
    // All were made just now.
    assert_eq!(names(&fixture, "--unused-since 1s --name-prefix x1"), "");
}

#[test]
fn a_person_at_a_terminal_is_asked_first() {
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("skipped, as there is no `script` to make a terminal with");
        return;
    }
    let fixture = with_devices();
    let program = env!("CARGO_BIN_EXE_countersign");
    let answering = |answer: &str, line: &str| {
        let mut child = Command::new("script")
            .args(["-qec", &format!("{program} {line}"), "/dev/null"])
            .env("COUNTERSIGN_STORE", fixture.store())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, answer.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        drop(input);
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let line = "credential suspend --group DM.PUMPS";
    let (code, said) = answering("n\n", line);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("Suspend 3 credentials? [y/N] "), "{said}");
    assert!(said.contains("nothing was changed"), "{said}");
    assert_eq!(names(&fixture, "--state Suspended"), "");
    let (code, said) = answering("y\n", line);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(names(&fixture, "--state Suspended"), "p1 p2 p3");
    let (code, said) = answering(
        "",
        &format!("{} --yes", line.replace("suspend", "reactivate")),
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("[y/N]"), "{said}");
    assert_eq!(names(&fixture, "--state Suspended"), "");
}

#[test]
fn many_are_done_in_steps() {
    let fixture = Fixture::new();
    fixture.run("tenant create acme").done();
    let rows: String = (0..120).map(|number| format!("d{number:03}\n")).collect();
    let path = fixture.directory.path().join("many.csv");
    fs::write(&path, format!("name\n{rows}")).unwrap();
    let line = format!("import csv {} --tenant acme", path.display());
    fixture.run(&line).done();
    fixture.run("credential revoke d060@acme").done();
    let ran = finish(
        fixture
            .command()
            .args(["credential", "suspend", "--all", "--json"]),
    );
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let told: Value = ran.json();
    assert_eq!(
        (&told["matched"], &told["done"]),
        (&json!(120), &json!(119))
    );
    assert_eq!(told["failed"][0]["name"], "d060@acme");
}

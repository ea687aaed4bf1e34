//! Completions: which names a shell is told, and what a real bash makes of them.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use crate::support::{Fixture, finish};

fn filled() -> Fixture {
    let fixture = Fixture::with_credential();
    for line in [
        "tenant create acme2",
        "credential create dev2 --tenant acme",
        "role create reader --tenant acme",
        "role create reader --tenant acme2",
        "role create writer --tenant acme2",
        "role create meter --tenant acme2",
        "role assign meter --tenant acme2 --group DM.W",
        "credential create pump7 --tenant acme2 --group DM.X --group Z",
        "operator create device-monitor",
        "application create fleet --tenant acme",
        "thing create pump-1 --tenant acme --application fleet",
        "follower create depot",
        "hook create emqx-1 --kind emqx --tenant acme",
    ] {
        fixture.run(line).done();
    }
    let create = "user create dev@example.com --password-stdin";
    fixture.run_with(create, b"correct horse battery").done();
    fixture
}

/// What bash's script would be told for these words, the last of which is being
/// typed.
fn told(fixture: &Fixture, words: &str) -> Vec<String> {
    let mut command = fixture.command();
    command.env("COUNTERSIGN_COMPLETE", "bash").arg("--");
    let ran = finish(command.arg("countersign").args(words.split(' ')));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    // The command's options are told beside its names.
    let asked = words.rsplit(' ').next().unwrap();
    let lines = ran.stdout.lines();
    let lines = lines.filter(|line| asked.starts_with('-') || !line.starts_with('-'));
    lines.map(str::to_owned).collect()
}

#[test]
fn names_come_from_the_store_by_what_they_name() {
    let fixture = filled();
    for (words, expected) in [
        ("tenant show acme", &["acme", "acme2"] as &[&str]),
        ("tenant show acme2", &["acme2"]),
        ("tenant create acm", &[]),
        (
            "credential show de",
            &[
                "dev1@acme",
                "dev2@acme",
                "device-monitor",
                "dev@example.com",
            ],
        ),
        ("credential show dev1@", &["dev1@acme"]),
        ("credential suspend --tenant acme2 dev1", &[]),
        ("credential create dev", &[]),
        ("credential list --tenant=acme2", &["--tenant=acme2"]),
        ("role show --tenant acme2 ", &["meter", "reader", "writer"]),
        (
            "role assign meter --tenant acme2 --group ",
            &["DM.W", "DM.X", "Z"],
        ),
        (
            "role assign meter --tenant acme2 --group DM.",
            &["DM.W", "DM.X"],
        ),
        ("role assign meter --tenant acme --group D", &[]),
        ("credential list --tenant acme2 --group Z", &["Z"]),
        ("credential change pump7@acme2 --add-group D", &[]),
        ("role show r", &[]),
        ("credential create x --tenant acme --role r", &["reader"]),
        ("operator show d", &["device-monitor"]),
        ("user show d", &["dev@example.com"]),
        ("application show --tenant acme f", &["fleet"]),
        ("thing show --tenant acme p", &["pump-1"]),
        ("scheme show vwire-", &["vwire-compat", "vwire-token"]),
        ("why dev1", &["dev1@acme"]),
        ("follower rotate de", &["depot"]),
        ("follower create de", &[]),
        ("hook show emqx-1", &["emqx-1"]),
        ("hook delete dev", &[]),
        ("issuer show dev", &[]),
        ("issuer add dev", &[]),
        ("certificate add dev1", &["dev1@acme"]),
        ("ca show ", &[]),
    ] {
        assert_eq!(told(&fixture, words), expected, "{words}");
    }
}

#[test]
fn a_store_that_cannot_be_read_gives_no_names_and_no_complaint() {
    let fixture = Fixture::empty();
    assert_eq!(told(&fixture, "tenant show a"), [""; 0]);
    fs::write(fixture.store(), "no store").unwrap();
    assert_eq!(told(&fixture, "tenant show a"), [""; 0]);
    assert_eq!(fixture.files(), ["store.db"]);
}

#[test]
fn a_secret_name_is_told_by_its_handle_alone() {
    let fixture = Fixture::new();
    fixture.run("tenant create acme").done();
    let made = fixture.json("credential create lamp --tenant acme --scheme vwire-token");
    let token = made["username"].as_str().unwrap();
    assert!(token.starts_with("dt_"), "{made}");
    assert_eq!(
        told(
            &fixture,
            &format!("credential show {}", token.get(..8).unwrap())
        ),
        [""; 0]
    );
    assert_eq!(told(&fixture, "credential show lamp"), ["lamp@acme"]);
}

#[test]
fn no_shell_is_told_more_than_a_hundred_names() {
    let fixture = Fixture::new();
    fixture.run("tenant create acme").done();
    let names: String = (0..150).map(|number| format!("dev{number}\n")).collect();
    let table = fixture.directory.path().join("names.csv");
    fs::write(&table, format!("name\n{names}")).unwrap();
    let import = format!(
        "import csv {} --tenant acme --scheme basic",
        table.display()
    );
    fixture.run(&import).done();
    assert_eq!(told(&fixture, "credential show dev").len(), 100);
}

/// Types into a bash on a terminal, and returns all that stood on it.
fn typed(fixture: &Fixture, keys: &str) -> String {
    let folder = fixture.directory.path();
    let program = folder.join("countersign");
    if !program.exists() {
        symlink(env!("CARGO_BIN_EXE_countersign"), program).unwrap();
    }
    let begin = "PS1='$ '; source <(countersign completions bash)\n";
    let input = folder.join("keys");
    fs::write(&input, format!("{begin}{keys}\nexit\n")).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let output = Command::new("script")
        .args([
            "--quiet",
            "--command",
            "bash --noprofile --norc -i",
            "/dev/null",
        ])
        .env("COUNTERSIGN_STORE", fixture.store())
        .env("PATH", path)
        .env("TERM", "dumb")
        .env("INPUTRC", "/dev/null")
        .env_remove("SUDO_USER")
        .current_dir(folder)
        .stdin(Stdio::from(fs::File::open(input).unwrap()))
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_real_bash_completes_names_behind_an_at_sign_and_an_equals_sign() {
    let fixture = filled();
    let seen = typed(&fixture, "countersign credential show dev1@a\t --json");
    assert!(seen.contains("\"name\": \"dev1@acme\""), "{seen}");
    let seen = typed(
        &fixture,
        "countersign role show writer --tenant=acme2\t --json",
    );
    assert!(seen.contains("\"name\": \"writer\""), "{seen}");
}

#[test]
fn a_real_bash_quotes_what_a_name_would_have_it_run() {
    let fixture = Fixture::new();
    fixture.run("tenant create acme").done();
    for name in ["x$(touch harm)", "y';touch harm;'", "z *"] {
        let create = [
            "credential",
            "create",
            name,
            "--tenant",
            "acme",
            "--scheme",
            "plain",
        ];
        fixture.run_words(&create).done();
        let begin = name.chars().next().unwrap();
        let seen = typed(
            &fixture,
            &format!("countersign credential show {begin}\t --json"),
        );
        assert!(seen.contains(&format!("\"name\": \"{name}\"")), "{seen}");
        // Within quotes it is not completed, as its own would end them.
        typed(
            &fixture,
            &format!("countersign credential show '{begin}\t' --json"),
        );
        assert!(!fixture.files().contains(&"harm".to_owned()), "{name}");
    }
}

#[test]
fn fish_completes_names_of_the_store() {
    if Command::new("fish").arg("--version").output().is_err() {
        eprintln!("skipped, as there is no fish");
        return;
    }
    let fixture = filled();
    let program = env!("CARGO_BIN_EXE_countersign");
    let folder = std::path::Path::new(program).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("fish");
    command
        .args(["--no-config", "--command"])
        .arg("countersign completions fish | source; complete -C 'countersign tenant show acme'")
        .env("COUNTERSIGN_STORE", fixture.store())
        .env("HOME", fixture.directory.path())
        .env("PATH", path);
    assert_eq!(finish(&mut command).done().stdout, "acme\nacme2\n");
}

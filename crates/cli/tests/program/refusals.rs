//! Bad input: one clear line, the right code, and nothing changed.

use countersign_core::store::GateStore as _;
use countersign_sqlite::SqliteStore;

use crate::support::{DEVICE_PEM, Fixture, JWKS, finish, is_root};

/// The cases of `refusals.txt`: a command line, how it ends, and what is said.
fn cases() -> impl Iterator<Item = (&'static str, i32, &'static str)> {
    let lines = include_str!("refusals.txt").lines();
    let is_case = |line: &&str| !line.is_empty() && !line.starts_with('#');
    lines.filter(is_case).map(|line| {
        let (command, needle) = line.split_once(" => ").unwrap();
        let (code, words) = command.split_once(' ').unwrap();
        (words, code.parse().unwrap(), needle)
    })
}

fn words(line: &str) -> Vec<String> {
    line.split(' ')
        .filter(|word| !word.is_empty())
        .map(|word| match word {
            "''" => String::new(),
            "JWKS" => JWKS.into(),
            "PEM" => DEVICE_PEM.into(),
            word => word
                .replace('_', " ")
                .replace("\\n", "\n")
                .replace("\\e", "\u{1b}"),
        })
        .collect()
}

#[test]
fn bad_input_is_one_line_and_changes_nothing() {
    let fixture = Fixture::with_credential();
    fixture
        .run("credential create revoked --tenant acme")
        .done();
    fixture.run("credential revoke revoked@acme").done();
    fixture.run("role create ops --tenant acme").done();
    fixture.run("operator create bridge").done();
    fixture
        .run_with("user create jane@mail.test --password-stdin", b"hunter2")
        .done();
    fixture
        .run("user grant jane@mail.test --tenant acme --org-admin")
        .done();
    fixture.run("application create fleet --tenant acme").done();
    fixture
        .run("thing create pump --tenant acme --application fleet")
        .done();
    let (content, files) = (fixture.content(), fixture.files());
    for (line, code, needle) in cases() {
        let words = words(line);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let said = fixture.run_words(&words).refused(code);
        assert!(
            needle.split('|').any(|needle| said.contains(needle)),
            "{line}: {said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
    assert_eq!(fixture.content(), content);
    assert_eq!(fixture.files(), files);
}

#[test]
fn a_password_that_brokers_would_cut_or_refuse_is_refused() {
    let fixture = Fixture::with_credential();
    let content = fixture.content();
    let too_long = [b'x'; 1_025];
    let cases: [(&[u8], &str); 5] = [
        (b"", "can't be empty"),
        (b"\nsecond line", "can't be empty"),
        (b"a\0b", "NUL"),
        (&too_long, "1024"),
        (&[b'x'; 100_000], "1024"),
    ];
    for (input, needle) in cases {
        for line in ["create x --tenant acme", "reset-password dev1@acme"] {
            let line = format!("credential {line} --password-stdin");
            let said = fixture.run_with(&line, input).refused(1);
            assert!(said.contains(needle), "{said}");
        }
    }
    assert_eq!(fixture.content(), content);
}

#[test]
fn a_password_is_all_bytes_up_to_the_first_newline() {
    let fixture = Fixture::with_credential();
    let cases: [(&[u8], &[u8], bool); 6] = [
        (b"pass word\nrest", b"pass word", true),
        (b"pass word\nrest", b"pass word\nother rest", true),
        (b"pw\r\n", b"pw\r", true),
        (b"pw\r\n", b"pw", false),
        (b"\xff\xfe", b"\xff\xfe", true),
        (&[b'x'; 1_024], &[b'x'; 1_024], true),
    ];
    for (stored, presented, right) in cases {
        let ran = fixture.run_with(
            "credential reset-password dev1@acme --password-stdin",
            stored,
        );
        assert_eq!(ran.code, Some(0), "{ran:?}");
        // What is odd is told, and stored all the same.
        let told = |word: &str| ran.stderr.contains(word);
        assert_eq!(
            told("carriage return"),
            stored.starts_with(b"pw\r"),
            "{ran:?}"
        );
        assert_eq!(told("fewer than 5"), stored.len() < 5, "{ran:?}");
        let line = "check connect --username dev1@acme --client-id c --password-stdin";
        let ran = fixture.run_with(line, presented);
        assert_eq!(
            ran.code,
            Some(if right { 0 } else { 1 }),
            "{stored:?} {presented:?}"
        );
    }
}

#[test]
fn help_and_version_are_no_failures() {
    let fixture = Fixture::empty();
    for line in [
        "--help",
        "--version",
        "help",
        "credential --help",
        "credential create --help",
        "user mfa enrol --help",
        "jwt create --help",
    ] {
        let ran = fixture.run(line);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{line}");
        assert!(!ran.stdout.is_empty(), "{line}");
    }
}

#[test]
fn completions_and_manual_pages_are_made_without_a_store() {
    let fixture = Fixture::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = fixture.run(&format!("completions {shell}")).done().stdout;
        assert!(script.contains("COUNTERSIGN_COMPLETE"), "{shell}");
    }
    let pages = fixture.directory.path().to_str().unwrap();
    fixture.run_words(&["man", pages]).done();
    assert!(
        fixture
            .files()
            .contains(&"countersign-credential-create.1".into())
    );
    for page in [
        "user-mfa-enrol",
        "application-rotate",
        "thing-untie",
        "jwt-rotate-key",
    ] {
        assert!(
            fixture.files().contains(&format!("countersign-{page}.1")),
            "{page}"
        );
    }
}

#[test]
fn a_command_without_its_subcommand_prints_its_help_and_is_a_misuse() {
    let fixture = Fixture::empty();
    for (line, needle) in [("", "credential"), ("operator", "allow")] {
        let ran = fixture.run(line);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert_eq!(ran.stdout, "");
        assert!(ran.stderr.contains("Usage:"), "{ran:?}");
        assert!(ran.stderr.contains(needle), "{ran:?}");
    }
}

#[test]
fn what_could_never_be_used_is_not_made() {
    let fixture = Fixture::with_credential();
    let content = fixture.content();
    for line in [
        "credential create late --tenant acme --expires 2020-01-01",
        "credential set dev1@acme --expires 2020-01-01",
        "credential set dev1@acme --expires -1h",
    ] {
        let said = fixture.run(line).refused(1);
        assert!(said.contains("is past"), "{said}");
    }
    for name in ["a\u{202e}b", "a\u{200b}b", "@acme"] {
        fixture
            .run(&format!("credential create {name} --tenant acme"))
            .refused(1);
    }
    fixture.run("operator create a\u{202e}b").refused(1);
    assert_eq!(fixture.content(), content);
    fixture
        .run("credential create dev2@acme --tenant acme")
        .done();
    fixture.run("credential show dev2@acme").done();
}

#[test]
fn an_operator_is_told_the_commands_that_are_for_it() {
    let fixture = Fixture::with_credential();
    fixture.run("operator create op").done();
    let said = fixture.run("credential set op --description x").refused(1);
    for command in ["operator allow|deny|remove", "credential suspend"] {
        assert!(
            said.contains(command) || said.contains("`operator"),
            "{said}"
        );
    }
    fixture.run("operator allow op subscribe $SYS/#").done();
    let shown = fixture.run("operator show op").done().stdout;
    assert!(shown.contains("$SYS/#"), "{shown}");
    fixture.run("operator remove op subscribe $SYS/#").done();
    fixture
        .run("operator allow dev1@acme publish acme/x")
        .refused(1);
}

#[test]
fn a_read_only_file_system_is_named_as_one() {
    if !is_root("a_read_only_file_system_is_named_as_one") {
        return;
    }
    let fixture = Fixture::empty();
    let script = "mount -t tmpfs -o size=8m tmpfs \"$1\" || exit 99; \
                  \"$2\" init && mount -o remount,ro \"$1\"; \"$2\" tenant create acme";
    let output = std::process::Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(fixture.directory.path())
        .arg(env!("CARGO_BIN_EXE_countersign"))
        .env("COUNTERSIGN_STORE", fixture.store())
        .output();
    let output = match output {
        Ok(output) if output.status.code() != Some(99) => output,
        Ok(_) | Err(_) => {
            eprintln!("skipped, as nothing can be mounted here");
            return;
        }
    };
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("read-only file system"), "{said}");
    assert!(said.contains("ReadWritePaths="), "{said}");
}

/// What a name, an argument or a client id may hold to end a line, to command a
/// terminal, or not to be seen.
const HOSTILE: &str = "x\n\r\u{1b}[2J\u{9b}31m\u{7f}\u{202e}";

/// Says whether each line of a text is one, and commands no terminal.
fn is_plain(text: &str) -> bool {
    let is_plain = |line: &str| !line.contains(countersign_core::given::is_kept_off);
    text.split('\n').all(is_plain)
}

#[test]
fn no_argument_makes_two_lines_of_one_or_commands_a_terminal() {
    let fixture = Fixture::with_credential();
    let mut tried = std::collections::BTreeSet::new();
    for (line, _, _) in cases() {
        let words = words(line);
        for (index, _) in words.iter().enumerate().skip(1) {
            let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
            words[index] = HOSTILE;
            // What stands behind the first odd word is hardly looked at.
            if !tried.insert(words[..=index].join(" ")) {
                continue;
            }
            let mut command = fixture.command();
            // Some of these words are files to be written.
            command.current_dir(fixture.directory.path()).args(&words);
            let ran = finish(&mut command);
            assert!(is_plain(&ran.stdout), "{words:?}: {ran:?}");
            let said = ran.stderr.trim_end();
            assert!(is_plain(said) && !said.contains('\n'), "{words:?}: {ran:?}");
        }
    }
}

#[test]
fn what_a_client_calls_itself_commands_no_administrators_terminal() {
    let fixture = Fixture::with_credential();
    let broker = SqliteStore::open(fixture.store()).unwrap();
    let _alive = broker.lock_broker("b").unwrap();
    let connection = rusqlite::Connection::open(fixture.store()).unwrap();
    connection
        .execute(
            "INSERT INTO presence
                 (broker, session, client_id, username, address, tenant, protocol, connected_at,
                  authenticated, stored, tie)
             VALUES ('b', 1, ?1, ?1, ?1, 'acme', 4, 1, 1, 0, zeroblob(32))",
            [HOSTILE],
        )
        .unwrap();
    connection
        .execute(
            "INSERT INTO refusal
                 (minute, broker, subject, address, cause, client_id, topic, act, count)
             VALUES (1, ?1, ?1, ?1, 'unknown-name', ?1, ?1, 'publish', 1)",
            [HOSTILE],
        )
        .unwrap();
    connection
        .execute("UPDATE audit SET actor = ?1, subject = ?1", [HOSTILE])
        .unwrap();
    for line in [
        "clients list",
        "audit list",
        "audit show 1",
        "audit verify",
        "doctor",
    ] {
        for format in ["", " --json"] {
            let ran = fixture.run(&format!("{line}{format}"));
            assert!(is_plain(&ran.stdout), "{ran:?}");
            assert!(is_plain(&ran.stderr), "{ran:?}");
        }
    }
    assert!(fixture.run("clients list").stdout.contains("[2J"));
    let listed = fixture.json("clients list");
    assert_eq!(listed[0]["client_id"], HOSTILE);
}

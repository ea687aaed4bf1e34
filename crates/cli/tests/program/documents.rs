//! Every example that a reader may paste into a shell: those of `--help`, of
//! README and of the pages in `docs`. Each is run by `sh` as it stands, must do what its
//! comment says, and must reach the program word by word as it is printed.
//!
//! What a comment behind a line says: `allow` and `deny` are the verdict of a
//! `check`; `exit N` is the code; without any the line must be done.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::{DEVICE_PEM, ED25519_PEM, JWKS, P256_PEM, helps};

/// A folder with a store and a shell in it.
struct DocumentFixture {
    folder: TempDir,
    shell: &'static str,
}

/// What a shell made of a line.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    said: String,
    printed: String,
    /// The words that the program was given, each time it was called.
    words: Vec<String>,
}

impl DocumentFixture {
    fn new() -> Self {
        let fixture = Self {
            folder: tempfile::tempdir().unwrap(),
            shell: "sh",
        };
        for folder in [
            "bin",
            "store",
            "work",
            "etc/mosquitto",
            "etc/bash_completion.d",
            "usr/local/share/man/man1",
            "var/backups",
        ] {
            fs::create_dir_all(fixture.path(folder)).unwrap();
        }
        let shim = fixture.path("bin/countersign");
        let text = format!(
            "#!/bin/sh\nprintf '%s\\0' \"$@\" >> '{}'\nexec '{}' \"$@\"\n",
            fixture.path("words").display(),
            env!("CARGO_BIN_EXE_countersign"),
        );
        fs::write(&shim, text).unwrap();
        fs::set_permissions(shim, fs::Permissions::from_mode(0o755)).unwrap();
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective());
        let config = format!(
            "user {}\nplugin {}\nplugin_opt_store {}\ncheck_retain_source true\npassword_file {}\nacl_file {}\n",
            user.unwrap().unwrap().name,
            fixture.path("libmosquitto_countersign.so").display(),
            fixture.path("store/countersign.db").display(),
            fixture.path("etc/mosquitto/passwd").display(),
            fixture.path("etc/mosquitto/acl").display(),
        );
        fs::create_dir_all(fixture.path("var/lib/mosquitto")).unwrap();
        let json = fixture.path("var/lib/mosquitto/dynamic-security.json");
        fs::write(json, "{}").unwrap();
        fs::write(fixture.path("etc/mosquitto/passwd"), "").unwrap();
        fs::write(fixture.path("etc/mosquitto/acl"), "topic read home/news\n").unwrap();
        fs::write(fixture.path("libmosquitto_countersign.so"), "").unwrap();
        fs::write(fixture.path("etc/mosquitto/mosquitto.conf"), config).unwrap();
        for name in ["dev1", "meter1", "meter2", "ca", "acme-ca"] {
            fs::copy(DEVICE_PEM, fixture.path(&format!("work/{name}.crt"))).unwrap();
        }
        for (from, to) in [
            (JWKS, "sso.jwks.json"),
            (P256_PEM, "plant.pub.pem"),
            (ED25519_PEM, "sso.pub"),
        ] {
            fs::copy(from, fixture.path(&format!("work/{to}"))).unwrap();
        }
        let question = r#"{"check":"publish","username":"dev1@acme","topic":"acme/x"}"#;
        fs::write(fixture.path("work/questions.jsonl"), question).unwrap();
        fixture
    }

    /// One whose lines are run by this shell.
    fn with(shell: &'static str) -> Self {
        Self {
            shell,
            ..Self::new()
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a line as it stands, but for where it may write and whose it makes
    /// things.
    fn run(&self, line: &str) -> Ran {
        let root = self.folder.path().display().to_string();
        let here = self.inside(&line.replace("--owner mosquitto", "--owner $(id -un)"));
        let _ = fs::remove_file(self.path("words"));
        let path = format!("{root}/bin:{}", std::env::var("PATH").unwrap());
        let output = Command::new(self.shell)
            .args(["-euc", &here])
            .current_dir(self.path("work"))
            .env("PATH", path)
            .env("COUNTERSIGN_STORE", self.path("store/countersign.db"))
            .env("PASSWORD", "correct horse battery")
            .env_remove("SUDO_USER")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let words = fs::read(self.path("words")).unwrap_or_default();
        let words = String::from_utf8(words).unwrap().replace(&root, "");
        let mut words: Vec<String> = words.split_terminator('\0').map(Into::into).collect();
        let mut owner = words.iter_mut().skip_while(|word| *word != "--owner");
        if let Some(owner) = owner.nth(1) {
            *owner = "mosquitto".into();
        }
        Ran {
            code: output.status.code(),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
            printed: String::from_utf8_lossy(&output.stdout).into_owned(),
            words,
        }
    }

    /// A text in which absolute paths lie in this folder.
    fn inside(&self, text: &str) -> String {
        let root = self.folder.path().display();
        let mut inside = text.to_owned();
        for folder in ["/etc/", "/usr/", "/var/"] {
            inside = inside.replace(&format!(" {folder}"), &format!(" {root}{folder}"));
        }
        inside
    }

    /// Puts a state of a store in the place of this one's.
    fn restore(&self, state: &Path) {
        fs::remove_dir_all(self.path("store")).unwrap();
        fs::create_dir(self.path("store")).unwrap();
        for file in fs::read_dir(state).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), self.path("store").join(file.file_name())).unwrap();
        }
    }
}

/// A line of a shell, and what its comment says of it.
#[derive(Debug)]
struct Line {
    command: String,
    comment: String,
}

impl Line {
    /// Reads a line. A comment has two spaces before it; a `#` behind one is an
    /// argument that somebody forgot to quote.
    fn read(line: &str) -> Self {
        let (command, comment) = line.split_once("  #").unwrap_or((line, ""));
        Self {
            command: command.trim().into(),
            comment: comment.trim().into(),
        }
    }

    fn code(&self) -> i32 {
        if self.comment.starts_with("deny") {
            return 1;
        }
        if REFUSED_HERE
            .iter()
            .any(|(start, _)| self.command.starts_with(start))
        {
            return 1;
        }
        let code = self.comment.strip_prefix("exit ");
        let code = code.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
        code.map_or(0, |code| code.parse().unwrap())
    }

    /// The words that the line shows to its reader.
    fn words(&self) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quote = None;
        for letter in self.command.chars() {
            match (quote, letter) {
                (None, '\'' | '"') => quote = Some(letter),
                (Some(open), _) if open == letter => quote = None,
                (None, ' ') => words.push(String::new()),
                _ => words.last_mut().unwrap().push(letter),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    /// The words that a shell could mistake.
    fn shown(&self) -> Vec<String> {
        let special = |word: &String| {
            word.contains(['#', '+', '$']) && !word.starts_with("$(") && word != "$PASSWORD"
        };
        self.words().into_iter().filter(special).collect()
    }

    /// What the program must be given, where the line calls it once and nothing
    /// else.
    fn arguments(&self) -> Option<Vec<String>> {
        let arguments = self.command.strip_prefix("countersign ")?;
        let is_more =
            arguments.contains(['|', '>', '<', ';', '&', '`']) || arguments.contains("$(");
        (!is_more).then(|| self.words().split_off(1))
    }

    /// Says what is wrong with how it ran, if anything.
    fn judge(&self, ran: &Ran) -> Result<(), String> {
        if ran.code != Some(self.code()) {
            return Err(format!(
                "{:?} instead of {}: {}",
                ran.code,
                self.code(),
                ran.said
            ));
        }
        if let Some(arguments) = self.arguments()
            && !ran.words.starts_with(&arguments)
        {
            return Err(format!(
                "the shell hands {:?} over and not {arguments:?}",
                ran.words
            ));
        }
        for word in self.shown() {
            if !ran.words.contains(&word) {
                return Err(format!("the shell does not hand `{word}` over: quote it"));
            }
        }
        Ok(())
    }
}

/// What a store is made of in which the examples of `--help` hold: a state
/// before each line and one behind the last.
const STEPS: &[&str] = &[
    "countersign init",
    "countersign export export.jsonl",
    "countersign tenant create acme",
    "countersign tenant create globex",
    "printf %s \"$PASSWORD\" | countersign credential create dev1 --tenant acme --password-stdin",
    "countersign credential create dev2 --tenant acme",
    "countersign role create ops --tenant acme",
    "countersign role create reader --tenant acme",
    "countersign role allow ops --tenant acme subscribe 'acme/+/state'",
    "countersign role deny ops --tenant acme both 'acme/secret/#'",
    "countersign role assign ops --tenant acme --group DM.X",
    "countersign operator create monitor --subscribe '$SYS/#'",
    "countersign operator create bridge --publish '#' --subscribe '#'",
    "printf %s \"$PASSWORD\" | countersign user create jane@example.com --password-stdin",
    "printf %s \"$PASSWORD\" | countersign user create joe@example.com --password-stdin",
    "countersign user grant jane@example.com --tenant acme --org-admin",
    "countersign user grant joe@example.com --tenant acme --role reader",
    "printf %s \"$PASSWORD\" | countersign user create ann@example.com --password-stdin",
    "countersign token create --scope viewer:acme",
    "countersign hook create edge --kind rabbitmq",
    "countersign follower create edge",
    "countersign follower create plant --tenant acme",
    "countersign application create fleet --tenant acme",
    "countersign application create portal --tenant acme --org-admin",
    "countersign thing create pump-1 --tenant acme --application fleet",
    "countersign user mfa enrol jane@example.com",
    "countersign scheme show vwire | sed 's/^name = .*/name = \"my-scheme\"/' > my-scheme.toml",
    "countersign scheme add my-scheme.toml",
    "countersign credential deny dev1@acme both 'acme/secret/#'",
    "countersign certificate add dev1@acme --fingerprint e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "countersign certificate add dev1@acme --pem dev1.crt",
    "countersign issuer add sso --tenant acme --iss https://sso.example.com --jwks sso.jwks.json --alg EdDSA --audience mqtt",
    "countersign ban add --address 192.0.2.0/24",
    "countersign ban add --client-id pump-7",
    "countersign credential suspend dev1@acme",
];

/// Lines that are refused here, with code 1, as they name what only a broker or
/// chance makes; and why.
const REFUSED_HERE: &[(&str, &str)] = &[
    ("countersign audit verify --expect", "the head is made up"),
    (
        "countersign broker forget edge-7",
        "no broker has used the store",
    ),
    (
        "countersign check connect --username dev1@acme --client-id c1 --listener 8883 --broker edge-7",
        "no broker has used the store",
    ),
    (
        "countersign check connect --username jwt",
        "there is no token to read",
    ),
    (
        "countersign check publish --username jwt",
        "there is no token to read",
    ),
    ("countersign ca forget", "the fingerprint is made up"),
    ("countersign ca remove", "the fingerprint is made up"),
    ("countersign ca show", "the fingerprint is made up"),
    ("countersign clients release", "no client was connected"),
    ("countersign credential untie", "no client was connected"),
    ("countersign issuer forget", "no device was registered"),
    ("countersign issuer refresh", "no service runs"),
    ("countersign jwt revoke 0011", "the number is made up"),
    ("countersign jwt revoke --key", "the number is made up"),
    ("countersign restore", "there is a store already"),
    ("countersign thing untie", "no client was connected"),
    (
        "countersign user mfa disable",
        "nobody confirmed a second factor",
    ),
    ("countersign user unlock", "nobody failed to log in"),
];

/// Lines of `--help` that can't be run here, and why.
const NOT_RUN: &[(&str, &str)] = &[
    (
        "fleet init postgres://",
        "a test of the program on PostgreSQL does",
    ),
    ("--follow", "it runs until it is ended"),
    ("--watch", "it runs until it is ended"),
    ("countersign serve", "it runs until it is ended"),
    ("countersign follow ", "it runs until it is ended"),
    ("sudo ", "it changes the user"),
    ("countersign clients kick", "it needs a broker"),
    (
        "countersign user mfa confirm",
        "it needs a code of this minute",
    ),
];

fn is_not_run(command: &str) -> bool {
    NOT_RUN.iter().any(|(part, _)| command.contains(part))
}

/// The examples of a help, as they are printed.
fn examples(help: &str) -> String {
    let examples = help.split_once("Examples:\n").map_or("", |(_, rest)| rest);
    let examples = examples.lines().take_while(|line| line.starts_with("  "));
    examples.map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_example_of_help_fits_a_terminal_of_80_columns() {
    let (narrow, wide) = (helps("80"), helps("1000"));
    assert_eq!(narrow.len(), wide.len());
    for ((command, narrow), (_, wide)) in narrow.iter().zip(&wide) {
        let examples = examples(wide);
        assert!(
            narrow.contains(&examples),
            "{command:?} breaks them: {narrow}"
        );
        for line in examples.lines() {
            assert!(line.chars().count() <= 80, "{command:?}: {line}");
        }
    }
}

#[test]
fn every_example_of_help_runs_in_a_shell_as_it_stands() {
    let fixture = DocumentFixture::with("bash");
    let states = tempfile::tempdir().unwrap();
    let state = |number: usize| states.path().join(number.to_string());
    let keep = |number: usize| {
        fs::create_dir(state(number)).unwrap();
        for file in fs::read_dir(fixture.path("store")).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), state(number).join(file.file_name())).unwrap();
        }
    };
    keep(0);
    for (number, step) in STEPS.iter().enumerate() {
        let ran = fixture.run(step);
        assert_eq!(ran.code, Some(0), "{step}: {ran:?}");
        keep(number + 1);
    }
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (words, help) in helps("1000") {
        let command = words.join(" ");
        let examples = lines(&examples(&help));
        assert!(!examples.is_empty(), "`{command}` has no examples");
        fixture.restore(&state(STEPS.len()));
        for line in examples.iter().filter(|line| !is_not_run(&line.command)) {
            tried += 1;
            // Where the lines above it lead, else in some state of a store.
            let mut result = line.judge(&fixture.run(&answered(&line.command)));
            let first = result.clone();
            for number in (0..=STEPS.len()).rev() {
                if result.is_ok() {
                    break;
                }
                fixture.restore(&state(number));
                result = line.judge(&fixture.run(&answered(&line.command)));
            }
            if result.is_err() {
                wrong.push(format!(
                    "countersign {command} --help: {}\n    {}",
                    line.command,
                    first.unwrap_err()
                ));
                fixture.restore(&state(STEPS.len()));
            }
        }
    }
    assert!(tried > 60, "only {tried} examples were found");
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Lines of the documents that are not run here, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "apt ",
        "a test of the packages does, on a Debian of its own",
    ),
    ("cargo ", "building; `cargo xtask test` does"),
    ("install ", "what was built is installed"),
    (
        "cp examples/",
        "an end-to-end test loads the plugin by each of these files",
    ),
    (
        "cp /usr/share/doc/",
        "a test of the packages does, on a Debian of its own",
    ),
    ("cd ", "the folder of the service"),
    ("cp -p old/", "the files of the service"),
    ("mkdir old", "the files of the service"),
    ("systemctl ", "the service; end-to-end tests start brokers"),
    ("rm ", "what was installed"),
    ("openssl ", "an end-to-end test does"),
    ("sudo ", "it changes the user"),
    (
        "mosquitto_",
        "it needs a broker; an end-to-end test follows README with one",
    ),
    (
        "countersign user mfa confirm",
        "it needs a code of this minute",
    ),
];

/// What a reader does where a line waits for it.
const ANSWERED: &[&str] = &["countersign user create", "countersign user reset-password"];

/// A line as its reader has it run: who is asked for a password types it.
fn answered(command: &str) -> String {
    let is_asked = ANSWERED.iter().any(|start| command.starts_with(start));
    if is_asked && !command.contains("--password-stdin") {
        format!("printf %s \"$PASSWORD\" | {command} --password-stdin")
    } else {
        command.into()
    }
}

/// A document, as it is written.
fn text(document: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(document);
    fs::read_to_string(path).unwrap()
}

/// The lines of a shell block.
fn lines(block: &str) -> Vec<Line> {
    let parts: Vec<_> = block.split("\\\n").map(str::trim).collect();
    let joined = parts.join(" ");
    let commands = joined
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    commands.map(Line::read).collect()
}

/// Writes the files that a document shows.
fn write_files(document: &str, fixture: &DocumentFixture) {
    for file in text(document).split("<!-- file: ").skip(1) {
        let (name, rest) = file.split_once(" -->\n```").unwrap();
        let (_, rest) = rest.split_once('\n').unwrap();
        let (content, _) = rest.split_once("```").unwrap();
        let path = match name.strip_prefix('/') {
            Some(absolute) => fixture.path(absolute),
            None => fixture.path("work").join(name),
        };
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, fixture.inside(content)).unwrap();
    }
}

/// Makes the databases of which a document shows what they are made by.
fn write_databases(document: &str, fixture: &DocumentFixture) {
    for database in text(document).split("<!-- sql: /").skip(1) {
        let (name, rest) = database.split_once(" -->\n```\n").unwrap();
        let (statements, _) = rest.split_once("```").unwrap();
        let connection = rusqlite::Connection::open(fixture.path(name)).unwrap();
        connection.execute_batch(statements).unwrap();
    }
}

/// What is wrong with a line that is run here, if anything.
fn refused(line: &Line, fixture: &DocumentFixture) -> Option<String> {
    let mut elsewhere = ELSEWHERE.iter();
    if elsewhere.any(|(part, _)| line.command.starts_with(part)) {
        return None;
    }
    let ran = fixture.run(&answered(&line.command));
    let why = line.judge(&ran).err()?;
    Some(format!("{}\n    {why}", line.command))
}

/// Follows a document from its first line to its last, its transcripts among them, which
/// must print what they show.
fn follow(document: &str, fixture: &DocumentFixture) {
    write_files(document, fixture);
    let root = fixture.folder.path().display().to_string();
    let mut wrong = Vec::new();
    let text = text(document);
    let parts: Vec<_> = text.split("```").collect();
    for [before, block] in parts.as_chunks().0 {
        if before.trim_end().ends_with("-->") && before.contains("<!-- on a broker; ") {
            continue;
        }
        if let Some(shown) = block.strip_prefix("console\n$ ") {
            let (line, expected) = shown.split_once('\n').unwrap();
            let line = Line::read(line);
            let ran = fixture.run(&line.command);
            let printed = ran.printed.replace(&root, "");
            if ran.code != Some(line.code()) || printed != expected {
                wrong.push(format!("{}\n{printed}{}", line.command, ran.said));
            }
        }
        let lines = lines(block.strip_prefix("sh\n").unwrap_or_default());
        wrong.extend(lines.iter().filter_map(|line| refused(line, fixture)));
    }
    assert!(wrong.is_empty(), "{document}:\n{}", wrong.join("\n"));
}

#[test]
fn the_readme_can_be_followed_line_by_line() {
    let fixture = DocumentFixture::new();
    follow("README.md", &fixture);
}

/// Pages that are followed in this order, in one store.
const PAGES: &[&str] = &[
    "docs/guide.md",
    "docs/install.md",
    "docs/mosquitto.md",
    "docs/people.md",
    "docs/schemes.md",
    "docs/limits.md",
    "docs/tls.md",
    "docs/issuers.md",
    "docs/bridges.md",
    "docs/brokers.md",
    "docs/hooks.md",
    "docs/fleet.md",
    "docs/dynamic-security.md",
    "docs/audit.md",
    "docs/troubleshooting.md",
    "docs/passwords.md",
    "docs/upgrade.md",
    "docs/uninstall.md",
    "docs/faq.md",
];

/// Pages with examples that other tests run, or none does.
const OTHER_PAGES: &[(&str, &str)] = &[
    (
        "docs/embedding.md",
        "`tests/tests/embed/guide.rs` follows it",
    ),
    (
        "docs/moving-in.md",
        "it is followed in a store of its own, below",
    ),
    ("docs/performance.md", "benches, which take minutes"),
    ("docs/service.md", "`tests/tests/e2e/pages.rs` follows it"),
];

#[test]
fn the_guide_and_the_pages_beside_it_can_be_followed_line_by_line() {
    let fixture = DocumentFixture::new();
    assert_eq!(fixture.run("countersign init").code, Some(0));
    for page in PAGES {
        follow(page, &fixture);
    }
}

#[test]
fn every_page_with_examples_is_followed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for file in fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name();
        let page = format!("docs/{}", name.to_str().unwrap());
        let others = OTHER_PAGES.iter().map(|(page, _)| page);
        if !page.ends_with(".md") || PAGES.iter().chain(others).any(|it| *it == page) {
            continue;
        }
        let text = text(&page);
        assert!(
            !text.contains("```sh\n") && !text.contains("```console\n"),
            "{page}"
        );
    }
}

/// The commands of a document in their order, those of transcripts among them; what they
/// print of this folder is told without it.
#[test]
fn the_way_in_and_back_can_be_followed_and_prints_what_it_shows() {
    let document = "docs/moving-in.md";
    let fixture = DocumentFixture::new();
    assert_eq!(fixture.run("countersign init").code, Some(0));
    write_databases(document, &fixture);
    follow(document, &fixture);
}

#[test]
fn what_a_shell_makes_of_an_example_is_found_out() {
    let fixture = DocumentFixture::new();
    for step in ["countersign init", "countersign tenant create acme"] {
        assert_eq!(fixture.run(step).code, Some(0));
    }
    for line in [
        "countersign operator create a --publish # --subscribe #",
        "countersign operator create b --subscribe $SYS/#",
        "countersign operator create c --subscribe \"$HOME/#\"",
        "countersign tenant show nobody",
    ] {
        let line = Line::read(line);
        assert!(line.judge(&fixture.run(&line.command)).is_err(), "{line:?}");
    }
    let line = Line::read("countersign tenant create Plant A");
    assert_eq!(line.arguments().unwrap().len(), 4);
    let line = Line::read("countersign operator create d --subscribe '$SYS/#'  # done");
    assert_eq!(line.judge(&fixture.run(&line.command)), Ok(()));
}

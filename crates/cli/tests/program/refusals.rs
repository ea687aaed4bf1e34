//! Bad input: one clear line, the right code, and nothing changed.

use countersign_core::store::GateStore as _;
use countersign_sqlite::SqliteStore;

use crate::support::{Fixture, finish, is_root};

/// A command line, how it ends, and what the line on standard error says.
/// `_` stands for a space inside of a word and `''` for an empty word.
const CASES: &[(&str, i32, &str)] = &[
    // A command that there is not.
    ("nonsense", 2, "`nonsense`|'nonsense'"),
    ("tenant create acme2 --nonsense", 2, "--nonsense"),
    (
        "credential create x --tenant acme --password hunter2",
        2,
        "--password",
    ),
    // Init.
    ("init", 1, "exists already"),
    ("init --argon2 m=1,t=1,p=1", 2, "m=19456,t=2,p=1"),
    (
        "init --owner nobody-of-this-name",
        1,
        "no user `nobody-of-this-name`",
    ),
    // Settings.
    ("settings set", 2, "nothing to set"),
    ("settings set --argon2 much", 2, "`much`"),
    // Tenants.
    ("tenant create", 2, "<TENANT>"),
    ("tenant create ACME", 2, "`ACME` is not a valid tenant id"),
    ("tenant create a.b", 2, "`a.b` is not a valid tenant id"),
    ("tenant create ''", 2, "is not a valid tenant id"),
    ("tenant create acme", 1, "exists already"),
    ("tenant create x --namespace #", 2, "begins with a wildcard"),
    (
        "tenant create x --namespace $SYS/#",
        2,
        "belong to the broker",
    ),
    ("tenant create x --namespace a/#/b", 2, "not the last level"),
    (
        "tenant create x --namespace ${username}/#",
        2,
        "without variables",
    ),
    (
        "tenant create x --namespace acme/x",
        1,
        "overlaps `acme/#` of tenant `acme`",
    ),
    (
        "tenant create x --namespace a/# --namespace a/#",
        1,
        "already",
    ),
    (
        "tenant create x --authentication on",
        2,
        "`required`, `optional` or `off`",
    ),
    (
        "tenant create x --subscribe loose",
        2,
        "`strict` or `filtered`",
    ),
    ("tenant create x --client-id-prefix a+", 2, "client id"),
    ("tenant show none", 1, "no tenant `none`"),
    (
        "tenant set none --authentication off",
        1,
        "no tenant `none`",
    ),
    ("tenant set acme", 2, "nothing to set"),
    (
        "tenant set acme --remove-namespace acme/#",
        1,
        "must keep a namespace",
    ),
    (
        "tenant set acme --remove-namespace other/#",
        1,
        "does not own",
    ),
    ("tenant set acme --add-namespace acme/#", 1, "already"),
    ("tenant delete none", 1, "no tenant `none`"),
    ("tenant delete acme", 1, "--cascade"),
    // Credentials.
    ("credential create x", 2, "--tenant"),
    ("credential create --tenant acme", 2, "give NAME"),
    ("credential create x --tenant none", 1, "no tenant `none`"),
    (
        "credential create dev1 --tenant acme",
        1,
        "`dev1@acme` exists already",
    ),
    ("credential create '' --tenant acme", 1, "can't be empty"),
    ("credential create a+b --tenant acme", 1, "can't hold `+`"),
    ("credential create a#b --tenant acme", 1, "can't hold `#`"),
    ("credential create _a --tenant acme", 1, "space"),
    (
        "credential create a\n --tenant acme",
        1,
        "control character",
    ),
    (
        "credential create x --tenant acme --scheme magic",
        1,
        "no scheme `magic`",
    ),
    (
        "credential create x --tenant acme --group a..b",
        2,
        "is not a valid group",
    ),
    (
        "credential create x --tenant acme --client-id exact:",
        2,
        "is not a valid client-id rule",
    ),
    (
        "credential create x --tenant acme --client-id none",
        2,
        "is not a valid client-id rule",
    ),
    (
        "credential create x --tenant acme --attr novalue",
        2,
        "KEY=VALUE",
    ),
    (
        "credential create x --tenant acme --attr a=1 --attr a=2",
        2,
        "twice",
    ),
    (
        "credential create x --tenant acme --expires soon",
        2,
        "is not a valid instant",
    ),
    (
        "credential create x --tenant acme --expires +5",
        2,
        "is not a valid instant",
    ),
    (
        "credential create x --tenant acme --expires +1h --not-before +2h",
        1,
        "never be used",
    ),
    (
        "credential create x --tenant acme --description a\u{1b}[2J",
        2,
        "control characters",
    ),
    (
        "credential create x --tenant acme --generate --password-stdin",
        2,
        "--password-stdin",
    ),
    (
        "credential create x --tenant acme --password-stdin",
        1,
        "can't be empty",
    ),
    ("credential list --tenant none", 1, "no tenant `none`"),
    (
        "credential list --state suspended",
        2,
        "is not a valid state",
    ),
    ("credential list --limit -1", 2, "-1"),
    ("credential show dev2@acme", 1, "no credential `dev2@acme`"),
    ("credential show dev1", 1, "like `dev1@acme`"),
    ("credential show a#b", 2, "can't hold `#`"),
    ("credential show", 2, "<NAME>"),
    ("credential delete dev2@acme", 1, "no credential"),
    ("credential suspend dev2@acme", 1, "no credential"),
    (
        "credential suspend revoked@acme",
        1,
        "cannot suspend `revoked@acme`: it is Revoked",
    ),
    (
        "credential reactivate dev1@acme",
        1,
        "cannot reactivate `dev1@acme`: it is Inactive",
    ),
    ("credential reactivate revoked@acme", 1, "it is Revoked"),
    ("credential revoke revoked@acme", 1, "it is Revoked"),
    ("credential reset-password revoked@acme", 1, "it is Revoked"),
    ("credential reset-password dev2@acme", 1, "no credential"),
    (
        "credential reset-password dev1@acme --password-stdin",
        1,
        "can't be empty",
    ),
    ("credential rotate revoked@acme", 1, "it is Revoked"),
    (
        "credential rotate dev1@acme --overlap 24",
        2,
        "is not a valid duration",
    ),
    (
        "credential rotate dev1@acme --overlap 0s",
        2,
        "is not a valid duration",
    ),
    ("credential untie dev1@acme", 1, "not tied"),
    ("credential set dev1@acme", 2, "nothing to set"),
    (
        "credential set dev1@acme --expires tomorrow",
        2,
        "is not a valid instant",
    ),
    (
        "credential set dev2@acme --description x",
        1,
        "no credential",
    ),
    (
        "credential set dev1@acme --attr ü=1",
        2,
        "is not a valid attribute",
    ),
    (
        "credential create x --tenant acme --role none",
        1,
        "no role `none`",
    ),
    (
        "credential create x --tenant acme --role a/b",
        2,
        "not a valid role name",
    ),
    (
        "credential create x --tenant acme --scheme A",
        2,
        "is not a valid scheme name",
    ),
    (
        "credential create x --tenant acme --scheme application",
        1,
        "belong to an application",
    ),
    (
        "credential create --tenant acme --scheme impact",
        2,
        "give NAME",
    ),
    (
        "credential create x --tenant acme --scheme vwire",
        1,
        "has not the shape",
    ),
    (
        "credential create --tenant acme --scheme vwire --client-id any",
        1,
        "by its own rule, `same-as-username`",
    ),
    (
        "credential create --tenant acme --scheme vwire --attr device=x",
        1,
        "filled by scheme `vwire`",
    ),
    (
        "credential create a@b --tenant acme --scheme impact",
        1,
        "`@` stands before the tenant of others",
    ),
    (
        "credential create straße --tenant acme --scheme impact",
        1,
        "`ß` can't be",
    ),
    ("credential set dev1@acme --add-role none", 1, "no role"),
    (
        "credential set dev1@acme --remove-role ops",
        1,
        "does not hold role `ops`",
    ),
    (
        "credential set dev1@acme --client-id same-as-secret --add-role ops --remove-role ops",
        1,
        "does not hold",
    ),
    ("credential show bridge", 1, "is an operator"),
    ("credential delete bridge", 1, "is an operator"),
    ("credential untie bridge", 1, "is an operator"),
    ("credential set bridge --description x", 1, "is an operator"),
    // Rules.
    ("credential allow dev1@acme write a", 2, "`write`"),
    ("credential allow dev1@acme publish", 2, "<PATTERN>"),
    (
        "credential allow dev1@acme publish a/#/b",
        2,
        "not the last level",
    ),
    (
        "credential allow dev1@acme publish a/${user}",
        2,
        "is not a valid variable",
    ),
    (
        "credential allow dev1@acme publish $share/g/a",
        2,
        "leave out `$share` and the group",
    ),
    (
        "credential allow dev1@acme subscribe $SYS/#",
        1,
        "for operators, not for tenants",
    ),
    (
        "credential allow dev1@acme publish a --max-qos 3",
        2,
        "is not a valid QoS",
    ),
    (
        "credential allow dev1@acme both a --max-qos 1",
        2,
        "for `publish` alone",
    ),
    (
        "credential deny dev1@acme publish a --no-retain",
        2,
        "a deny rule has no",
    ),
    ("credential allow none@acme publish a", 1, "no credential"),
    (
        "credential remove dev1@acme publish a",
        1,
        "no rule for `publish a` to remove",
    ),
    // Roles.
    (
        "role create ops --tenant acme",
        1,
        "has a role `ops` already",
    ),
    ("role create ops --tenant none", 1, "no tenant `none`"),
    ("role create ops", 2, "--tenant"),
    ("role create a/b --tenant acme", 2, "not a valid role name"),
    ("role show none --tenant acme", 1, "no role `none`"),
    ("role delete none --tenant acme", 1, "no role `none`"),
    ("role list --tenant none", 1, "no tenant `none`"),
    ("role allow none --tenant acme both a", 1, "no role `none`"),
    (
        "role allow ops --tenant acme both $CONTROL/#",
        1,
        "for operators, not for tenants",
    ),
    (
        "role allow ops --tenant acme both $CONTROL/# --dry-run",
        1,
        "for operators, not for tenants",
    ),
    (
        "role allow ops --tenant acme both $share/g/a",
        2,
        "leave out `$share`",
    ),
    (
        "role allow ops --tenant acme both a --group a..b",
        2,
        "is not a valid group",
    ),
    ("role remove ops --tenant acme both a", 1, "no rule for"),
    (
        "role remove ops --tenant acme both a --dry-run",
        1,
        "no rule for",
    ),
    // Operators.
    ("operator create", 2, "<NAME>"),
    ("operator create bridge", 1, "`bridge` exists already"),
    ("operator create a@acme", 1, "is not a valid operator name"),
    ("operator create a+b", 2, "can't hold `+`"),
    (
        "operator create x --publish $share/g/a",
        2,
        "leave out `$share`",
    ),
    ("operator create x --password-stdin", 1, "can't be empty"),
    ("operator show none", 1, "no operator `none`"),
    ("operator show dev1@acme", 1, "no operator `dev1@acme`"),
    ("operator delete dev1@acme", 1, "no operator"),
    // Schemes.
    (
        "scheme show none",
        1,
        "no scheme `none`; known are `application`",
    ),
    ("scheme show A", 2, "is not a valid scheme name"),
    ("scheme add /none.toml", 1, "could not read `/none.toml`"),
    ("scheme remove basic", 1, "is built in"),
    ("scheme remove none", 1, "no scheme `none`"),
    // The rest.
    ("clients release nobody", 1, "no credential holds"),
    ("clients release ''", 2, "client id"),
    (
        "settings set --client-id-hold forever",
        2,
        "is not a valid duration",
    ),
    ("check", 2, "nothing to check"),
    ("check publish acme/x", 2, "--username"),
    ("check publish --username dev1@acme", 2, "<TOPIC>"),
    (
        "check publish --username dev1@acme --qos 3 acme/x",
        2,
        "is not a valid QoS",
    ),
    ("check --batch /none", 1, "could not read `/none`"),
    (
        "check publish --username dev1@acme acme/x --config /none",
        1,
        "could not read `/none`",
    ),
    (
        "check connect --username x --client-id y --listener 99999",
        2,
        "99999",
    ),
    (
        "check connect --username x --client-id y --address here",
        2,
        "here",
    ),
    ("check connect --username dev1@acme", 2, "--client-id"),
    ("clients list --tenant none", 1, "no tenant `none`"),
    ("clients count --tenant none", 1, "no tenant `none`"),
    ("clients kick ''", 2, "can't be empty"),
    ("audit prune", 2, "--before"),
    ("audit prune --before then", 2, "for two hours ago"),
    ("audit list --limit many", 2, "many"),
    ("backup", 2, "<FILE>"),
    ("backup /none/x.db", 1, "/none/x.db"),
    ("completions csh", 2, "csh"),
    ("man /none", 1, "no directory `/none`"),
    ("--store '' tenant list", 2, "--store"),
    // Lockout policies.
    (
        "settings set --lockout 5",
        2,
        "`failures=5,step=5m,longest=30m`",
    ),
    (
        "tenant set acme --lockout off",
        2,
        "`off` is not a valid lockout policy",
    ),
    // Users.
    (
        "user create jane",
        2,
        "`jane` is not a valid e-mail address",
    ),
    (
        "user create jane@acme",
        2,
        "`jane@acme` is not a valid e-mail address",
    ),
    ("user create joe@mail.test", 2, "--password-stdin"),
    (
        "user show joe@mail.test",
        1,
        "there is no user `joe@mail.test`",
    ),
    ("user delete joe@mail.test", 1, "there is no user"),
    ("user unlock joe@mail.test", 1, "there is no user"),
    ("user unlock jane@mail.test", 1, "is not locked"),
    (
        "user grant jane@mail.test --tenant acme",
        2,
        "--role <ROLE>|--org-admin",
    ),
    (
        "user grant jane@mail.test --tenant acme --role ops --org-admin",
        2,
        "cannot be used with",
    ),
    (
        "user grant jane@mail.test --tenant none --org-admin",
        1,
        "no tenant `none`",
    ),
    (
        "user grant jane@mail.test --tenant acme --role none",
        1,
        "no role `none`",
    ),
    (
        "user grant jane@mail.test --tenant acme --org-admin",
        1,
        "just that",
    ),
    (
        "user grant jane@mail.test --tenant acme --role ops --group a..b",
        2,
        "a..b",
    ),
    (
        "user ungrant joe@mail.test --tenant acme",
        1,
        "there is no user",
    ),
    ("user mfa confirm jane@mail.test", 2, "--code-stdin"),
    ("user mfa disable jane@mail.test", 1, "has no second factor"),
    (
        "credential show jane@mail.test",
        1,
        "is a user; use the commands of `user`",
    ),
    ("credential suspend jane@mail.test", 1, "is a user"),
    ("operator delete jane@mail.test", 1, "is a user"),
    // Applications and things.
    ("application create fleet", 2, "--tenant"),
    (
        "application create a/b --tenant acme",
        2,
        "is not a valid application name",
    ),
    (
        "application create fleet --tenant acme",
        1,
        "has an application `fleet` already",
    ),
    (
        "application create x --tenant acme --role none",
        1,
        "no role `none`",
    ),
    (
        "application show none --tenant acme",
        1,
        "no application `none`",
    ),
    (
        "application rotate none --tenant acme",
        1,
        "no application `none`",
    ),
    (
        "application rotate fleet --tenant acme --overlap 0s",
        2,
        "0s",
    ),
    (
        "thing create pump --tenant acme --application fleet",
        1,
        "exists already",
    ),
    (
        "thing create x --tenant acme --application none",
        1,
        "no application `none`",
    ),
    (
        "thing create a+b --tenant acme --application fleet",
        2,
        "can't hold `+`",
    ),
    (
        "thing create a/b --tenant acme --application fleet",
        1,
        "holds `/`",
    ),
    (
        "thing create jwt --tenant acme --application fleet",
        1,
        "is kept for tokens",
    ),
    ("thing list --application fleet", 2, "--tenant"),
    ("thing show none --tenant acme", 1, "no thing `none`"),
    ("thing untie pump --tenant acme", 1, "not tied"),
    (
        "credential delete pump",
        1,
        "is a thing; use the commands of `thing`",
    ),
    (
        "credential show application:fleet@acme",
        1,
        "is an application",
    ),
    (
        "credential create jwt:x --tenant acme",
        1,
        "is kept for tokens",
    ),
    ("operator create jwt", 1, "is kept for tokens"),
    // Tokens.
    (
        "jwt create --tenant acme --role none --whoami me --as jane@mail.test",
        1,
        "no role `none`",
    ),
    (
        "jwt create --tenant acme --role ops --whoami me --as fleet",
        1,
        "does not administer tenant `acme`",
    ),
    (
        "jwt create --tenant acme --role ops --whoami me --as none",
        1,
        "nobody is called `none`",
    ),
    (
        "jwt create --tenant acme --role ops --whoami a@b --as jane@mail.test",
        2,
        "can't name a token's bearer",
    ),
    (
        "jwt create --tenant acme --role ops --whoami me --as jane@mail.test --thing none",
        1,
        "no thing `none`",
    ),
    (
        "jwt create --tenant acme --role ops --whoami me --as jane@mail.test --ttl 25h",
        2,
        "from 1 second to 24 hours",
    ),
    ("jwt revoke", 2, "JTI|--issuer"),
    ("jwt revoke x", 2, "is not a valid token id"),
    (
        "jwt revoke 00112233445566778899aabbccddeeff",
        1,
        "there is no token",
    ),
    ("jwt revoke --key k-none", 1, "there is no key `k-none`"),
    ("jwt revoke --issuer none", 1, "nobody is called `none`"),
    ("jwt rotate-key --tenant none", 1, "no tenant `none`"),
    ("tenant delete acme", 1, "1 applications, 1 things"),
    (
        "--store /none/x.db tenant list",
        1,
        "`/none/x.db` does not exist; `countersign init` makes one",
    ),
    ("--store /dev/null tenant list", 1, "/dev/null"),
    ("--store / tenant list", 1, "`/`"),
];

fn words(line: &str) -> Vec<String> {
    line.split(' ')
        .filter(|word| !word.is_empty())
        .map(|word| {
            if word == "''" {
                String::new()
            } else {
                word.replace('_', " ")
            }
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
    for (line, code, needle) in CASES {
        let words = words(line);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let said = fixture.run_words(&words).refused(*code);
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
        assert!(script.contains("reset-password"), "{shell}");
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
    for (line, _, _) in CASES {
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
            "INSERT INTO refusal (minute, broker, subject, address, cause, client_id, count)
             VALUES (1, ?1, ?1, ?1, 'unknown-name', ?1, 1)",
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

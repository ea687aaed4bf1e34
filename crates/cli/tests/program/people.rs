//! Users: people with a password, a second factor and grants.

use countersign_core::time::Timestamp;
use countersign_core::totp::{Seed, Step};
use serde_json::{Value, json};

use crate::support::{Fixture, keys};

const SHOWN: [&str; 9] = [
    "email",
    "platform_admin",
    "mfa",
    "locked_until",
    "grants",
    "created_at",
    "updated_at",
    "last_used_at",
    "generation",
];
const JANE: &str = "jane@mail.test";

/// A store with a tenant, a role, and a user with nothing granted.
fn fixture() -> Fixture {
    let fixture = Fixture::with_credential();
    fixture.run("role create ops --tenant acme").done();
    fixture
        .run_with("user create Jane@Mail.Test --password-stdin", b"hunter2\n")
        .done();
    fixture
}

/// Enrols and returns the seed, and all that was printed.
fn enrol(fixture: &Fixture) -> (Seed, Value) {
    let enrolled = fixture.json(&format!("user mfa enrol {JANE}"));
    let text = enrolled["secret"].as_str().unwrap();
    let bits: Vec<_> = text
        .bytes()
        .flat_map(|digit| {
            let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
            let value = digits.iter().position(|known| *known == digit).unwrap();
            (0..5).rev().map(move |place| value >> place & 1 == 1)
        })
        .collect();
    let bytes: Vec<_> = bits
        .chunks(8)
        .map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit)))
        .collect();
    (Seed::from_bytes(&bytes).unwrap(), enrolled)
}

/// The code of this moment, or of a later step.
fn code(seed: &Seed, later: i64) -> String {
    let now = Timestamp::from_millis(jiff::Timestamp::now().as_millisecond());
    let Step(step) = Step::at(now);
    String::from_utf8(seed.code_at(Step(step.saturating_add(later))).to_vec()).unwrap()
}

fn reason(fixture: &Fixture, line: &str, password: &str) -> String {
    let ran = fixture.run_with(
        &format!("{line} --password-stdin --json"),
        password.as_bytes(),
    );
    ran.json()["reason"].as_str().unwrap().into()
}

#[test]
fn users_have_their_keys() {
    let fixture = fixture();
    let shown = fixture.json(&format!("user show {JANE}"));
    assert_eq!(keys(&shown), SHOWN);
    assert_eq!(shown["email"], JANE);
    assert_eq!(shown["mfa"], false);
    assert_eq!(shown["locked_until"], Value::Null);
    assert_eq!(shown["grants"], json!([]));
    let granted = fixture.json(&format!("user grant {JANE} --tenant acme --org-admin"));
    assert_eq!(keys(&granted), SHOWN);
    assert_eq!(
        granted["grants"],
        json!([{ "tenant": "acme", "role": null, "org_admin": true, "viewer": false, "group": null }])
    );
    let line = format!("user grant {JANE} --tenant acme --role ops --group DM.X");
    let grants = json!([{ "tenant": "acme", "role": "ops", "org_admin": false, "viewer": false, "group": "DM.X" }]);
    assert_eq!(fixture.json(&line)["grants"], grants);
    assert_eq!(fixture.json("user list")[0]["grants"], grants);
    let people = fixture.run("user list").done().stdout;
    assert!(
        people.contains("role ops of group DM.X in acme"),
        "{people}"
    );
    let ungranted = fixture.json(&format!("user ungrant {JANE} --tenant acme"));
    assert_eq!(ungranted["grants"], json!([]));
    let line = format!("user reset-password {JANE} --password-stdin --json");
    let reset = fixture.run_with(&line, b"hunter3").done().json();
    assert_eq!(
        (keys(&reset), &reset["generation"]),
        (SHOWN.to_vec(), &json!(2))
    );
    assert_eq!(
        fixture.json(&format!("user delete {JANE}")),
        json!({ "deleted": JANE })
    );
    assert_eq!(fixture.json("user list"), json!([]));
    assert_eq!(fixture.json("credential list").as_array().unwrap().len(), 1);
}

#[test]
fn a_users_password_is_asked_for_and_never_shown() {
    let fixture = fixture();
    for line in [
        "user create joe@mail.test",
        "user reset-password jane@mail.test",
    ] {
        let said = fixture.run(line).refused(2);
        assert!(said.contains("--password-stdin"), "{said}");
    }
    assert!(!fixture.content().contains("hunter"));
    let line = format!("check connect --username {JANE} --client-id c");
    assert_eq!(reason(&fixture, &line, "hunter2"), "unknown-tenant");
    fixture
        .run(&format!("user grant {JANE} --tenant acme --org-admin"))
        .done();
    assert_eq!(reason(&fixture, &line, "hunter2"), "ok");
    assert_eq!(reason(&fixture, &line, "hunter3"), "bad-secret");
}

#[test]
fn a_second_factor_is_enrolled_confirmed_and_taken_away() {
    let fixture = fixture();
    fixture
        .run(&format!("user grant {JANE} --tenant acme --org-admin"))
        .done();
    let (seed, enrolled) = enrol(&fixture);
    assert_eq!(keys(&enrolled), ["otpauth", "secret", "recovery_codes"]);
    let uri = enrolled["otpauth"].as_str().unwrap();
    let secret = enrolled["secret"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/Countersign:jane%40mail.test?secret="));
    assert!(uri.contains(secret));
    assert_eq!(enrolled["recovery_codes"].as_array().unwrap().len(), 10);
    let line = format!("check connect --username {JANE} --client-id c");
    assert_eq!(reason(&fixture, &line, "hunter2"), "ok");
    assert_eq!(fixture.json(&format!("user show {JANE}"))["mfa"], false);
    let confirm = format!("user mfa confirm {JANE}");
    let said = fixture.run(&confirm).refused(2);
    assert!(said.contains("--code-stdin"), "{said}");
    let confirm = format!("{confirm} --code-stdin --json");
    let said = fixture.run_with(&confirm, b"12345").refused(1);
    assert!(
        said.contains("this is not a code of `jane@mail.test`"),
        "{said}"
    );
    let now = code(&seed, 0);
    let (start, end) = now.split_at(3);
    let confirmed = fixture.run_with(&confirm, format!("{start} {end}\n").as_bytes());
    let confirmed = confirmed.done().json();
    assert_eq!(
        (keys(&confirmed), &confirmed["mfa"]),
        (SHOWN.to_vec(), &json!(true))
    );
    assert_eq!(reason(&fixture, &line, "hunter2"), "mfa-required");
    assert_eq!(
        reason(&fixture, &line, &format!("hunter2{now}")),
        "mfa-required"
    );
    let next = code(&seed, 1);
    assert_eq!(reason(&fixture, &line, &format!("hunter2{next}")), "ok");
    // Whoever asks about topics asks for a session that is there.
    let ran = fixture.run(&format!("check publish --username {JANE} acme/x"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let content = fixture.content();
    let again = fixture.run(&format!("user mfa enrol {JANE}")).refused(1);
    assert!(again.contains("user mfa disable"), "{again}");
    assert_eq!(fixture.content(), content);
    let off = fixture.json(&format!("user mfa disable {JANE}"));
    assert_eq!(off["mfa"], false);
    assert_eq!(reason(&fixture, &line, "hunter2"), "ok");
    let content = fixture.content();
    assert!(!content.contains(secret));
}

#[test]
fn people_read_recovery_codes_line_by_line() {
    let fixture = fixture();
    let printed = fixture.run(&format!("user mfa enrol {JANE}")).done().stdout;
    let codes = printed.lines().filter(|line| {
        let last = line.split_whitespace().last().unwrap_or_default();
        last.len() == 19 && last.matches('-').count() == 3
    });
    assert_eq!(codes.count(), 10, "{printed}");
    assert!(printed.contains("user mfa confirm"), "{printed}");
    assert!(!printed.contains('\u{2588}'), "{printed}");
}

#[test]
fn what_needs_the_key_file_names_it_and_the_rest_goes_on() {
    let fixture = fixture();
    fixture
        .run(&format!("user grant {JANE} --tenant acme --org-admin"))
        .done();
    let (seed, _) = enrol(&fixture);
    let line = format!("user mfa confirm {JANE} --code-stdin");
    fixture.run_with(&line, code(&seed, 0).as_bytes()).done();
    fixture
        .run_with("user create joe@mail.test --password-stdin", b"hunter2")
        .done();
    let key = fixture.directory.path().join("store.db.key");
    std::fs::remove_file(&key).unwrap();
    let content = fixture.content();
    for line in [
        "user mfa enrol joe@mail.test",
        "jwt create --tenant acme --role ops --whoami me --as jane@mail.test",
        "jwt rotate-key --tenant acme",
    ] {
        let said = fixture.run(line).refused(1);
        let name = format!("`{}`: ", key.display());
        assert!(said.contains(&name) && said.contains("missing"), "{said}");
    }
    assert_eq!(fixture.content(), content);
    let ran = fixture.run("doctor --json");
    let finding = |check: &str| {
        let findings = ran.json();
        let mut findings = findings.as_array().unwrap().clone().into_iter();
        findings.find(|row| row["check"] == check).unwrap()
    };
    let problem = finding("sealed")["problem"].as_str().unwrap().to_owned();
    assert!(
        problem.contains("1 users with a second factor"),
        "{problem}"
    );
    assert!(
        finding("sealed")["fix"]
            .as_str()
            .unwrap()
            .contains("user mfa disable")
    );
    let check = format!("check connect --username {JANE} --client-id c");
    assert_eq!(reason(&fixture, &check, "hunter2"), "mfa-required");
    fixture.run(&format!("user mfa disable {JANE}")).done();
    assert_eq!(reason(&fixture, &check, "hunter2"), "ok");
}

#[test]
fn a_user_administers_the_platform_or_sees_a_tenant() {
    let fixture = fixture();
    let created = fixture
        .run_with(
            "user create root --platform-admin --password-stdin --json",
            b"x\n",
        )
        .json();
    assert_eq!(created["email"], "root");
    assert_eq!(created["platform_admin"], true);
    let set = fixture.json("user set root --platform-admin false");
    assert_eq!(set["platform_admin"], false);
    let granted = fixture.json("user grant root --tenant acme --viewer --group DM");
    assert_eq!(
        granted["grants"],
        json!([{
            "tenant": "acme", "role": null, "org_admin": false, "viewer": true, "group": "DM",
        }])
    );
    // It lets nobody use a topic.
    let line = "check subscribe --username root --client-id c acme/#";
    assert_eq!(reason(&fixture, line, "x"), "no-rule");
}

#[test]
fn an_api_token_is_made_listed_and_revoked() {
    let fixture = fixture();
    let created = fixture.json("token create --scope tenant:acme --expires 1d --description build");
    assert_eq!(keys(&created), ["id", "scope", "secret", "expires_at"]);
    assert_eq!(created["scope"], "tenant:acme");
    let secret = created["secret"].as_str().unwrap();
    assert!(secret.starts_with("cs_"), "{secret}");
    let listed = fixture.json("token list --tenant acme");
    let shown = listed.as_array().unwrap().first().unwrap();
    assert_eq!(
        keys(shown),
        [
            "id",
            "scope",
            "owner",
            "created_by",
            "description",
            "created_at",
            "expires_at",
            "last_used_at",
        ]
    );
    assert_eq!(shown["description"], "build");
    assert!(!listed.to_string().contains(secret));
    let id = created["id"].as_i64().unwrap();
    let revoked = fixture.json(&format!("token revoke {id}"));
    assert_eq!(&revoked, shown);
    assert_eq!(fixture.json("token list"), json!([]));
}

#[test]
fn a_follower_has_these_keys_and_its_secret_is_shown_once() {
    let fixture = fixture();
    let created = fixture.json("follower create west --tenant acme");
    assert_eq!(keys(&created), ["name", "tenants", "secret"]);
    let secret = created["secret"].as_str().unwrap();
    let shown = fixture.json("follower show west");
    let known = [
        "name",
        "tenants",
        "position",
        "lag",
        "last_seen",
        "created_at",
        "rotated_at",
    ];
    assert_eq!(keys(&shown), known);
    assert_eq!(shown["tenants"], json!(["acme"]));
    for unknown in ["position", "lag", "last_seen"] {
        assert_eq!(shown[unknown], Value::Null);
    }
    assert!(!shown.to_string().contains(secret));
    assert_eq!(fixture.json("follower list"), json!([shown]));
    let status = json!({
        "name": "west", "heard": false, "last_seen": null, "position": null, "lag": null,
        "schema": null, "waiting": null, "refused": 0, "sessions": 0,
    });
    assert_eq!(fixture.json("fleet status"), json!([status]));
    let rotated = fixture.json("follower rotate west");
    assert_ne!(rotated["secret"], created["secret"]);
    let none = fixture.json("follower set west --remove-tenant acme");
    assert_eq!(none["tenants"], json!([]));
    let deleted = fixture.json("follower delete west");
    assert_eq!(deleted, json!({ "deleted": "west" }));
    let of_all = fixture.json("follower create west");
    assert_eq!(of_all["tenants"], Value::Null);
}

#[test]
fn a_hook_has_these_keys_and_its_secret_is_shown_once() {
    let fixture = fixture();
    let line = "hook create edge --kind goauth --tenant acme --from 10.0.0.0/8 --from ::1";
    let created = fixture.json(line);
    let known = ["name", "kind", "secret", "paths", "secret_paths"];
    assert_eq!(keys(&created), known);
    let secret = created["secret"].as_str().unwrap();
    let with_secret = |last| format!("/hooks/edge/{secret}/{last}");
    assert_eq!(
        created["secret_paths"],
        json!(["user", "superuser", "acl"].map(with_secret))
    );
    let shown = fixture.json("hook show edge");
    let known = [
        "name",
        "kind",
        "tenant",
        "from",
        "paths",
        "kick",
        "vhosts",
        "created_at",
        "rotated_at",
    ];
    assert_eq!(keys(&shown), known);
    assert_eq!(shown["from"], json!(["10.0.0.0/8", "::1"]));
    assert_eq!(shown["paths"], created["paths"]);
    assert!(!shown.to_string().contains(secret));
    assert_eq!(fixture.json("hook list"), json!([shown]));
    let rotated = fixture.json("hook rotate edge");
    assert_ne!(rotated["secret"], created["secret"]);
    assert_eq!(
        fixture.json("hook delete edge"),
        json!({ "deleted": "edge" })
    );
    assert_eq!(fixture.json("hook list"), json!([]));
}

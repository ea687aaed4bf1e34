//! Applications with their things, and tokens (JWT).

use serde_json::{Value, json};

use crate::support::{Fixture, keys};

const THING: [&str; 8] = [
    "key",
    "tenant",
    "application",
    "app_id_bound",
    "created_at",
    "updated_at",
    "last_used_at",
    "generation",
];
const TOKEN: [&str; 11] = [
    "jti",
    "tenant",
    "whoami",
    "role",
    "things",
    "issuer",
    "key",
    "issued_at",
    "expires_at",
    "revoked_at",
    "valid",
];

/// A store with a tenant, a role, an administrator, and an application with a
/// thing.
fn fixture() -> (Fixture, String) {
    let fixture = Fixture::with_credential();
    fixture.run("role create ops --tenant acme").done();
    fixture
        .run("role allow ops --tenant acme both acme/#")
        .done();
    fixture
        .run_with("user create jane@mail.test --password-stdin", b"hunter2")
        .done();
    fixture
        .run("user grant jane@mail.test --tenant acme --org-admin")
        .done();
    let made = fixture.json("application create fleet --tenant acme --role ops");
    fixture
        .run("thing create pump --tenant acme --application fleet")
        .done();
    (fixture, made["secret"].as_str().unwrap().into())
}

fn reason(fixture: &Fixture, line: &str, password: &str) -> String {
    let ran = fixture.run_with(
        &format!("{line} --password-stdin --json"),
        password.as_bytes(),
    );
    ran.json()["reason"].as_str().unwrap().into()
}

const CREATE: &str = "jwt create --tenant acme --role ops --whoami portal --as jane@mail.test";

#[test]
fn applications_have_their_keys() {
    let (fixture, token) = fixture();
    assert_eq!(token.len(), 32);
    let line =
        "application create portal --tenant acme --org-admin --auto-register --max 5 --pattern p-*";
    let made = fixture.json(line);
    assert_eq!(keys(&made), ["name", "tenant", "secret"]);
    assert_eq!(made["name"], "portal");
    let shown = fixture.json("application show portal --tenant acme");
    assert_eq!(
        keys(&shown),
        [
            "name",
            "tenant",
            "roles",
            "org_admin",
            "auto_register",
            "max",
            "pattern",
            "registered",
            "created_at",
            "updated_at",
            "generation",
            "old_secret_until"
        ]
    );
    assert_eq!(
        (&shown["org_admin"], &shown["auto_register"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        (&shown["max"], &shown["pattern"], &shown["registered"]),
        (&json!(5), &json!("p-*"), &json!(0))
    );
    let fleet = fixture.json("application show fleet --tenant acme");
    assert_eq!(
        (&fleet["auto_register"], &fleet["max"]),
        (&json!(false), &json!(null))
    );
    for line in [
        "--max 5",
        "--auto-register --max 0",
        "--auto-register --pattern a/b",
    ] {
        let line = format!("application create more --tenant acme {line}");
        fixture.run(&line).refused(2);
    }
    assert_eq!(
        fixture.json("application list").as_array().unwrap().len(),
        2
    );
    let rotated = fixture.json("application rotate fleet --tenant acme --overlap 24h");
    assert_eq!(
        keys(&rotated),
        ["name", "tenant", "secret", "old_secret_until"]
    );
    let check = "check connect --username pump --client-id id";
    let second = rotated["secret"].as_str().unwrap();
    assert_eq!(reason(&fixture, check, &token), "ok");
    assert_eq!(reason(&fixture, check, second), "ok");
    assert!(!fixture.content().contains(second));
    let third = fixture.json("application rotate fleet --tenant acme");
    assert_eq!(keys(&third), ["name", "tenant", "secret"]);
    assert_eq!(reason(&fixture, check, second), "bad-secret");
    assert_eq!(
        fixture.json("application delete fleet --tenant acme"),
        json!({ "deleted": "fleet" })
    );
    assert_eq!(fixture.json("thing list"), json!([]));
}

#[test]
fn things_have_their_keys() {
    let (fixture, token) = fixture();
    let made = fixture.json("thing create valve --tenant acme --application fleet");
    assert_eq!(keys(&made), THING);
    assert_eq!(made["application"], "fleet");
    assert_eq!(made["app_id_bound"], false);
    assert_eq!(fixture.json("thing show valve --tenant acme"), made);
    let of_fleet = fixture.json("thing list --tenant acme --application fleet");
    assert_eq!(of_fleet.as_array().unwrap().len(), 2);
    let untied = fixture.run("thing untie valve --tenant acme").refused(1);
    assert!(untied.contains("not tied"), "{untied}");
    let check = "check connect --username valve --client-id id";
    assert_eq!(reason(&fixture, check, &token), "ok");
    assert_eq!(
        fixture.json("thing delete valve --tenant acme"),
        json!({ "deleted": "valve" })
    );
    let ran = fixture.run("check publish --username pump thing/pump/x --json");
    assert_eq!(ran.json()["verdict"], "allow", "{ran:?}");
    let ran = fixture.run("check publish --username pump thing/valve/x --json");
    assert_eq!(ran.json()["reason"], "no-rule");
}

#[test]
fn tokens_have_their_keys_and_let_their_bearer_in() {
    let (fixture, _) = fixture();
    let made = fixture.json(&format!("{CREATE} --thing pump --ttl 15m"));
    assert_eq!(keys(&made), ["token", "jti", "expires_at"]);
    let token = made["token"].as_str().unwrap();
    let listed = fixture.json("jwt list --tenant acme");
    let listed = &listed[0];
    assert_eq!(keys(listed), TOKEN);
    assert_eq!(listed["whoami"], "portal");
    assert_eq!(listed["issuer"], "jane@mail.test");
    assert_eq!(listed["things"], json!(["pump"]));
    assert_eq!(
        (&listed["valid"], &listed["revoked_at"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(listed["expires_at"], made["expires_at"]);
    for username in ["jwt", "portal"] {
        let check = format!("check connect --username {username} --client-id c");
        assert_eq!(reason(&fixture, &check, token), "ok");
    }
    let publish = "check publish --username jwt";
    assert_eq!(reason(&fixture, &format!("{publish} acme/x"), token), "ok");
    assert_eq!(
        reason(&fixture, &format!("{publish} other/x"), token),
        "no-rule"
    );
    assert!(!fixture.content().contains(token));
    let jti = made["jti"].as_str().unwrap();
    let revoked = fixture.json(&format!("jwt revoke {jti}"));
    assert_eq!(keys(&revoked), TOKEN);
    assert_eq!(revoked["valid"], false);
    let check = "check connect --username jwt --client-id c";
    assert_eq!(reason(&fixture, check, token), "revoked");
    let again = fixture.run(&format!("jwt revoke {jti}")).refused(1);
    assert!(again.contains("revoked already"), "{again}");
}

#[test]
fn tokens_go_together_by_issuer_by_key_and_with_the_right_of_who_made_them() {
    let (fixture, _) = fixture();
    let check = "check connect --username jwt --client-id c";
    let token = || {
        let made = fixture.json(CREATE);
        made["token"].as_str().unwrap().to_owned()
    };
    let first = token();
    let revoked = fixture.json("jwt revoke --issuer jane@mail.test");
    assert_eq!(revoked.as_array().unwrap().len(), 1);
    assert_eq!(
        fixture.json("jwt revoke --issuer jane@mail.test"),
        json!([])
    );
    assert_eq!(reason(&fixture, check, &first), "revoked");
    let second = token();
    let rotated = fixture.json("jwt rotate-key --tenant acme");
    assert_eq!(
        keys(&rotated),
        ["key", "tenant", "created_at", "old_key_until"]
    );
    assert_eq!(reason(&fixture, check, &second), "ok");
    let listed = fixture.json("jwt list");
    let key = listed[1]["key"].as_str().unwrap();
    let revoked = fixture.json(&format!("jwt revoke --key {key}"));
    assert_eq!(revoked.as_array().unwrap().len(), 1);
    assert_eq!(reason(&fixture, check, &second), "revoked");
    let third = token();
    assert_eq!(reason(&fixture, check, &third), "ok");
    fixture
        .run("user ungrant jane@mail.test --tenant acme")
        .done();
    assert_eq!(reason(&fixture, check, &third), "revoked");
}

#[test]
fn a_token_lasts_as_long_as_it_may_and_not_longer() {
    let (fixture, _) = fixture();
    for (ttl, code) in [
        ("1s", 0),
        ("24h", 0),
        ("86401s", 2),
        ("2d", 2),
        ("0s", 2),
        ("-1s", 2),
    ] {
        let ran = fixture.run(&format!("{CREATE} --ttl={ttl}"));
        assert_eq!(ran.code, Some(code), "{ttl}: {ran:?}");
    }
    assert_eq!(fixture.json("jwt list").as_array().unwrap().len(), 2);
}

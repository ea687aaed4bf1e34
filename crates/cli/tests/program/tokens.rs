//! Applications with their things, and tokens (JWT).

use serde_json::{Value, json};

use crate::support::{Shop, keys};

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
fn shop() -> (Shop, String) {
    let shop = Shop::with_credential();
    shop.run("role create ops --tenant acme").done();
    shop.run("role allow ops --tenant acme both acme/#").done();
    shop.run_with("user create jane@mail.test --password-stdin", b"hunter2")
        .done();
    shop.run("user grant jane@mail.test --tenant acme --org-admin")
        .done();
    let made = shop.json("application create fleet --tenant acme --role ops");
    shop.run("thing create pump --tenant acme --application fleet")
        .done();
    (shop, made["secret"].as_str().unwrap().into())
}

fn reason(shop: &Shop, line: &str, password: &str) -> String {
    let ran = shop.run_with(
        &format!("{line} --password-stdin --json"),
        password.as_bytes(),
    );
    ran.json()["reason"].as_str().unwrap().into()
}

const CREATE: &str = "jwt create --tenant acme --role ops --whoami portal --as jane@mail.test";

#[test]
fn applications_have_their_keys() {
    let (shop, token) = shop();
    assert_eq!(token.len(), 32);
    let line =
        "application create portal --tenant acme --org-admin --auto-register --max 5 --pattern p-*";
    let made = shop.json(line);
    assert_eq!(keys(&made), ["name", "tenant", "secret"]);
    assert_eq!(made["name"], "portal");
    let shown = shop.json("application show portal --tenant acme");
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
    let fleet = shop.json("application show fleet --tenant acme");
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
        shop.run(&line).refused(2);
    }
    assert_eq!(shop.json("application list").as_array().unwrap().len(), 2);
    let rotated = shop.json("application rotate fleet --tenant acme --overlap 24h");
    assert_eq!(
        keys(&rotated),
        ["name", "tenant", "secret", "old_secret_until"]
    );
    let check = "check connect --username pump --client-id id";
    let second = rotated["secret"].as_str().unwrap();
    assert_eq!(reason(&shop, check, &token), "ok");
    assert_eq!(reason(&shop, check, second), "ok");
    assert!(!shop.content().contains(second));
    let third = shop.json("application rotate fleet --tenant acme");
    assert_eq!(keys(&third), ["name", "tenant", "secret"]);
    assert_eq!(reason(&shop, check, second), "bad-secret");
    assert_eq!(
        shop.json("application delete fleet --tenant acme"),
        json!({ "deleted": "fleet" })
    );
    assert_eq!(shop.json("thing list"), json!([]));
}

#[test]
fn things_have_their_keys() {
    let (shop, token) = shop();
    let made = shop.json("thing create valve --tenant acme --application fleet");
    assert_eq!(keys(&made), THING);
    assert_eq!(made["application"], "fleet");
    assert_eq!(made["app_id_bound"], false);
    assert_eq!(shop.json("thing show valve --tenant acme"), made);
    let of_fleet = shop.json("thing list --tenant acme --application fleet");
    assert_eq!(of_fleet.as_array().unwrap().len(), 2);
    let untied = shop.run("thing untie valve --tenant acme").refused(1);
    assert!(untied.contains("not tied"), "{untied}");
    let check = "check connect --username valve --client-id id";
    assert_eq!(reason(&shop, check, &token), "ok");
    assert_eq!(
        shop.json("thing delete valve --tenant acme"),
        json!({ "deleted": "valve" })
    );
    let ran = shop.run("check publish --username pump thing/pump/x --json");
    assert_eq!(ran.json()["verdict"], "allow", "{ran:?}");
    let ran = shop.run("check publish --username pump thing/valve/x --json");
    assert_eq!(ran.json()["reason"], "no-rule");
}

#[test]
fn tokens_have_their_keys_and_let_their_bearer_in() {
    let (shop, _) = shop();
    let made = shop.json(&format!("{CREATE} --thing pump --ttl 15m"));
    assert_eq!(keys(&made), ["token", "jti", "expires_at"]);
    let token = made["token"].as_str().unwrap();
    let listed = shop.json("jwt list --tenant acme");
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
        assert_eq!(reason(&shop, &check, token), "ok");
    }
    let publish = "check publish --username jwt";
    assert_eq!(reason(&shop, &format!("{publish} acme/x"), token), "ok");
    assert_eq!(
        reason(&shop, &format!("{publish} other/x"), token),
        "no-rule"
    );
    assert!(!shop.content().contains(token));
    let jti = made["jti"].as_str().unwrap();
    let revoked = shop.json(&format!("jwt revoke {jti}"));
    assert_eq!(keys(&revoked), TOKEN);
    assert_eq!(revoked["valid"], false);
    let check = "check connect --username jwt --client-id c";
    assert_eq!(reason(&shop, check, token), "revoked");
    let again = shop.run(&format!("jwt revoke {jti}")).refused(1);
    assert!(again.contains("revoked already"), "{again}");
}

#[test]
fn tokens_go_together_by_issuer_by_key_and_with_the_right_of_who_made_them() {
    let (shop, _) = shop();
    let check = "check connect --username jwt --client-id c";
    let token = || {
        let made = shop.json(CREATE);
        made["token"].as_str().unwrap().to_owned()
    };
    let first = token();
    let revoked = shop.json("jwt revoke --issuer jane@mail.test");
    assert_eq!(revoked.as_array().unwrap().len(), 1);
    assert_eq!(shop.json("jwt revoke --issuer jane@mail.test"), json!([]));
    assert_eq!(reason(&shop, check, &first), "revoked");
    let second = token();
    let rotated = shop.json("jwt rotate-key --tenant acme");
    assert_eq!(
        keys(&rotated),
        ["key", "tenant", "created_at", "old_key_until"]
    );
    assert_eq!(reason(&shop, check, &second), "ok");
    let listed = shop.json("jwt list");
    let key = listed[1]["key"].as_str().unwrap();
    let revoked = shop.json(&format!("jwt revoke --key {key}"));
    assert_eq!(revoked.as_array().unwrap().len(), 1);
    assert_eq!(reason(&shop, check, &second), "revoked");
    let third = token();
    assert_eq!(reason(&shop, check, &third), "ok");
    shop.run("user ungrant jane@mail.test --tenant acme").done();
    assert_eq!(reason(&shop, check, &third), "revoked");
}

#[test]
fn a_token_lasts_as_long_as_it_may_and_not_longer() {
    let (shop, _) = shop();
    for (ttl, code) in [
        ("1s", 0),
        ("24h", 0),
        ("86401s", 2),
        ("2d", 2),
        ("0s", 2),
        ("-1s", 2),
    ] {
        let ran = shop.run(&format!("{CREATE} --ttl={ttl}"));
        assert_eq!(ran.code, Some(code), "{ttl}: {ran:?}");
    }
    assert_eq!(shop.json("jwt list").as_array().unwrap().len(), 2);
}

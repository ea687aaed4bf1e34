//! What programs are told: the keys of `--json`, to the letter.

use serde_json::{Value, json};

use crate::support::{DEVICE_PEM, Fixture, JWKS, finish, is_root, keys};

const CREATED: [&str; 12] = [
    "id",
    "name",
    "tenant",
    "scheme",
    "username",
    "client_id",
    "secret",
    "state",
    "group",
    "groups",
    "description",
    "created_at",
];
const SHOWN: [&str; 19] = [
    "id",
    "name",
    "tenant",
    "scheme",
    "username",
    "client_id",
    "state",
    "group",
    "groups",
    "description",
    "created_at",
    "updated_at",
    "last_used_at",
    "not_before",
    "expires_at",
    "roles",
    "attributes",
    "generation",
    "revoked_reason",
];
const TENANT: [&str; 13] = [
    "id",
    "namespaces",
    "authentication",
    "subscribe",
    "client_id_prefix",
    "lockout",
    "default_rights",
    "default_roles",
    "anonymous_rights",
    "anonymous_roles",
    "sys_read",
    "name_prefix",
    "created_at",
];

fn first(value: &Value) -> &Value {
    value.as_array().unwrap().first().unwrap()
}

#[test]
fn a_certificate_has_these_keys() {
    let fixture = Fixture::with_credential();
    let added = fixture.json(&format!(
        "certificate add dev1@acme --until 2030-01-01 --pem {DEVICE_PEM}"
    ));
    let listed = fixture.json("certificate list dev1@acme");
    assert_eq!(listed, json!([added]));
    let known = [
        "fingerprint",
        "name",
        "not_before",
        "not_after",
        "until",
        "ends_at",
        "added_at",
    ];
    assert_eq!(keys(&added), known);
    assert_eq!(added["name"], "dev1@acme");
    assert_eq!(added["until"], "2030-01-01T00:00:00.000Z");
    assert_eq!(added["ends_at"], added["until"]);
    let fingerprint = added["fingerprint"].as_str().unwrap();
    let audited = fixture.json("audit list --act certificate.add");
    let changed = &first(&audited)["changes"];
    assert_eq!(first(changed)["after"], fingerprint, "{changed}");
    let removed = fixture.json(&format!(
        "certificate remove dev1@acme {}",
        fingerprint.to_uppercase()
    ));
    assert_eq!(removed, json!({ "deleted": fingerprint }));
    assert_eq!(fixture.json("certificate list dev1@acme"), json!([]));
    let unread = fixture.json(&format!(
        "certificate add dev1@acme --fingerprint {}",
        "ab".repeat(32)
    ));
    assert_eq!(unread["not_after"], Value::Null);
    assert_eq!(unread["ends_at"], Value::Null);
}

#[test]
fn an_authority_has_these_keys() {
    let fixture = Fixture::with_credential();
    let add = format!("ca add --tenant acme --identity cn --pem {DEVICE_PEM}");
    let added = fixture.json(&add);
    assert_eq!(fixture.json("ca list"), json!([added]));
    assert_eq!(fixture.json("ca list --tenant acme"), json!([added]));
    let known = [
        "fingerprint",
        "tenant",
        "subject",
        "key",
        "identity",
        "pattern",
        "auto_register",
        "role",
        "max",
        "registered",
        "not_before",
        "not_after",
        "added_at",
    ];
    assert_eq!(keys(&added), known);
    assert_eq!(added["tenant"], "acme");
    assert_eq!(added["subject"], "CN=device");
    assert_eq!(added["key"], "p-256");
    assert_eq!(added["pattern"], "${name}");
    assert_eq!(added["auto_register"], false);
    assert_eq!(added["max"], Value::Null);
    let fingerprint = added["fingerprint"].as_str().unwrap();
    assert_eq!(fixture.json(&format!("ca show {fingerprint}")), added);
    let again = fixture.run(&add);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("a key is one tenant's"), "{again:?}");
    let removed = fixture.json(&format!("ca remove {fingerprint}"));
    assert_eq!(removed, json!({ "deleted": fingerprint }));
    assert_eq!(fixture.json("ca list"), json!([]));
    fixture.json("role create ops --tenant acme");
    let registering = fixture.json(&format!("{add} --auto-register --role ops"));
    for (key, value) in [
        ("auto_register", json!(true)),
        ("role", json!("ops")),
        ("max", json!(1_000)),
        ("registered", json!(0)),
    ] {
        assert_eq!(registering[key], value, "{key}");
    }
}

#[test]
fn a_ban_has_these_keys() {
    let fixture = Fixture::with_credential();
    let network = fixture.json("ban add --address 192.0.2.0/24 --until 2030-01-01 --reason noisy");
    let of_id = fixture.json("ban add --client-id pump --tenant acme");
    let listed = fixture.json("ban list");
    assert_eq!(listed, json!([network, of_id]));
    let known = [
        "id",
        "address",
        "client_id",
        "tenant",
        "until",
        "reason",
        "created_by",
        "created_at",
    ];
    assert_eq!(keys(&network), known);
    assert_eq!(network["address"], "192.0.2.0/24");
    assert_eq!(network["until"], "2030-01-01T00:00:00.000Z");
    assert_eq!(network["reason"], "noisy");
    assert_eq!(of_id["client_id"], "pump");
    assert_eq!(of_id["tenant"], "acme");
    let asked = "check connect --username dev1@acme --client-id x --address 192.0.2.9 --json";
    let answer = fixture.run(asked);
    assert_eq!(answer.code, Some(1));
    assert!(answer.stdout.contains("\"banned\""), "{}", answer.stdout);
    let why = fixture.json("why dev1@acme --client-id pump");
    assert_eq!(why["reasons"], json!(["banned"]));
    let id = &network["id"];
    let removed = fixture.json(&format!("ban remove {id}"));
    assert_eq!(removed, json!({ "deleted": id }));
    let removed = fixture.json("ban remove --client-id pump --tenant acme");
    assert_eq!(removed, json!({ "deleted": of_id["id"] }));
    assert_eq!(fixture.json("ban list"), json!([]));
}

#[test]
fn an_issuer_has_these_keys() {
    let fixture = Fixture::with_credential();
    fixture.json("role create ops --tenant acme");
    let add = format!(
        "issuer add sso --tenant acme --iss https://sso.example --jwks {JWKS} --alg EdDSA \
         --audience mqtt --role-claim roles --role-map operator=ops"
    );
    let added = fixture.json(&add);
    assert_eq!(fixture.json("issuer list"), json!([added]));
    assert_eq!(fixture.json("issuer list --tenant acme"), json!([added]));
    let known = [
        "name",
        "tenant",
        "iss",
        "audience",
        "alg",
        "identity",
        "role_claim",
        "role_map",
        "auto_register",
        "role",
        "max",
        "registered",
        "keys",
        "keys_at",
        "jwks_url",
        "allow_private",
        "max_key_age",
        "fetched_at",
        "tried_at",
        "problem",
        "added_at",
    ];
    assert_eq!(keys(&added), known);
    assert_eq!(added["jwks_url"], Value::Null);
    assert_eq!(added["alg"], json!(["EdDSA"]));
    assert_eq!(added["identity"], "sub");
    assert_eq!(added["role_map"], json!({ "operator": "ops" }));
    assert_eq!(added["keys"], json!([{ "kid": "key-1", "alg": "EdDSA" }]));
    assert_eq!(fixture.json("issuer show sso"), added);
    let set = fixture.json(&format!("issuer set sso --jwks {JWKS}"));
    assert_eq!(keys(&set), known);
    let revoked = fixture.json("issuer revoke sso t-1");
    assert_eq!(revoked, json!({ "revoked": "t-1" }));
    assert_eq!(fixture.run("issuer revoke sso t-1").code, Some(1));
    let fetch = fixture.json("issuer set sso --jwks-url https://sso.example/keys");
    assert_eq!(fetch["jwks_url"], "https://sso.example/keys");
    assert_eq!(fetch["allow_private"], false);
    assert_eq!(fetch["max_key_age"], "7d");
    assert_eq!(fetch["fetched_at"], Value::Null);
    assert_eq!(
        fetch["keys"], set["keys"],
        "they count until others are fetched"
    );
    let alone = fixture.run("issuer refresh sso");
    assert_eq!(alone.code, Some(1));
    assert!(
        alone.stderr.contains("no `countersign serve` runs"),
        "{alone:?}"
    );
    assert_eq!(
        fixture.json("issuer remove sso"),
        json!({ "deleted": "sso" })
    );
    assert_eq!(fixture.json("issuer list"), json!([]));
    let registering = fixture.json(&format!("{add} --auto-register --role ops --max 5"));
    assert_eq!(registering["auto_register"], true);
    assert_eq!(registering["role"], "ops");
    assert_eq!(registering["max"], 5);
    // What a broker would have written.
    let gone = "INSERT INTO registered_name VALUES ('acme', 'gone@acme')";
    let connection = rusqlite::Connection::open(fixture.store()).unwrap();
    connection.execute(gone, []).unwrap();
    let forgotten = fixture.json("issuer forget sso gone");
    assert_eq!(forgotten, json!({ "forgotten": "gone@acme" }));
    assert_eq!(fixture.run("issuer forget sso gone").code, Some(1));
}

#[test]
fn limits_have_these_keys() {
    let fixture = Fixture::with_credential();
    let of_one = fixture.json("limit set dev1@acme --connections 2 --payload 4096");
    let known = [
        "name",
        "role",
        "tenant",
        "connections",
        "messages_per_second",
        "bytes_per_second",
        "payload",
        "share",
    ];
    assert_eq!(keys(&of_one), known);
    assert_eq!(of_one["name"], "dev1@acme");
    assert_eq!(of_one["connections"], 2);
    assert_eq!(of_one["messages_per_second"], json!(null));
    let of_tenant =
        "limit set --tenant acme --messages-per-second 5 --bytes-per-second 7 --share 20";
    let of_tenant = fixture.json(of_tenant);
    assert_eq!(of_tenant["tenant"], "acme");
    assert_eq!(of_tenant["share"], 20);
    assert_eq!(fixture.json("limit show --tenant acme"), of_tenant);
    assert_eq!(fixture.json("limit clear dev1@acme"), of_one);
    let none = fixture.json("limit show dev1@acme");
    assert_eq!(none["connections"], json!(null));
}

#[test]
fn tenants_have_their_keys() {
    let fixture = Fixture::new();
    for line in [
        "tenant create acme",
        "tenant show acme",
        "tenant set acme --subscribe filtered",
    ] {
        assert_eq!(keys(&fixture.json(line)), TENANT, "{line}");
    }
    let list = fixture.json("tenant list");
    assert_eq!(keys(first(&list)), TENANT);
    let tenant = fixture.json("tenant show acme");
    assert_eq!(tenant["namespaces"], json!(["acme/#"]));
    assert_eq!(tenant["authentication"], "required");
    assert_eq!(tenant["subscribe"], "filtered");
    assert_eq!(tenant["client_id_prefix"], Value::Null);
    assert_eq!(
        fixture.json("tenant delete acme"),
        json!({ "deleted": "acme" })
    );
    assert_eq!(fixture.json("tenant list"), json!([]));
}

#[test]
fn credentials_have_their_keys() {
    let fixture = Fixture::with_credential();
    let created = fixture.json("credential create dev2 --tenant acme");
    assert_eq!(keys(&created), CREATED);
    assert_eq!(created["name"], "dev2@acme");
    assert_eq!(created["username"], "dev2@acme");
    assert_eq!(created["tenant"], "acme");
    assert_eq!(created["scheme"], "basic");
    assert_eq!(created["state"], "Inactive");
    assert_eq!(created["client_id"], Value::Null);
    let secret = created["secret"].as_str().unwrap();
    assert!(secret.len() == 35 && secret.starts_with("cs_"), "{secret}");
    for (line, state) in [
        ("show dev2@acme", "Inactive"),
        ("suspend dev2@acme", "Suspended"),
        ("reactivate dev2@acme", "Inactive"),
        ("set dev2@acme --attr a=b", "Inactive"),
        ("revoke dev2@acme --reason lost", "Revoked"),
    ] {
        let shown = fixture.json(&format!("credential {line}"));
        assert_eq!(keys(&shown), SHOWN, "{line}");
        assert_eq!(shown["state"], state, "{line}");
        assert_eq!(shown["roles"], json!([]));
    }
    let shown = fixture.json("credential show dev2@acme");
    assert_eq!(shown["attributes"], json!({ "a": "b" }));
    assert_eq!(shown["revoked_reason"], "lost");
    assert_eq!(shown["generation"], 2);
    let list = fixture.json("credential list --state Revoked");
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(keys(first(&list)), SHOWN);
    assert_eq!(
        fixture.json("credential delete dev2@acme"),
        json!({ "deleted": "dev2@acme" })
    );
    assert_eq!(fixture.json("credential list --state Revoked"), json!([]));
}

#[test]
fn the_client_id_is_the_one_to_present_or_null() {
    let fixture = Fixture::with_credential();
    for (name, rule, client_id) in [
        ("a", "any", Value::Null),
        ("b", "first-use", Value::Null),
        ("c", "prefix:c-", Value::Null),
        ("d", "exact:d:1", json!("d:1")),
        ("e", "same-as-username", json!("e@acme")),
    ] {
        let line = format!("credential create {name} --tenant acme --client-id {rule}");
        assert_eq!(fixture.json(&line)["client_id"], client_id, "{rule}");
    }
}

#[test]
fn new_secrets_have_their_keys() {
    let fixture = Fixture::with_credential();
    let renewed = ["username", "secret", "generation", "old_secret_until"];
    let reset = fixture.json("credential reset-password dev1@acme");
    assert_eq!(keys(&reset), renewed);
    assert_eq!(reset["username"], "dev1@acme");
    assert_eq!(reset["generation"], 2);
    assert_eq!(reset["old_secret_until"], Value::Null);
    let rotated = fixture.json("credential rotate dev1@acme --overlap 24h");
    assert_eq!(keys(&rotated), renewed);
    assert_eq!(rotated["generation"], 2);
    assert!(rotated["old_secret_until"].as_str().unwrap().ends_with('Z'));
    let rotated = fixture.json("credential rotate dev1@acme");
    assert_eq!(rotated["generation"], 3);
    assert_eq!(rotated["old_secret_until"], Value::Null);
}

#[test]
fn a_chosen_password_is_never_printed() {
    let fixture = Fixture::with_credential();
    let line = "credential create dev2 --tenant acme --password-stdin --json";
    let created = fixture.run_with(line, b"hunter2\n").done();
    assert_eq!(created.json()["secret"], Value::Null);
    let line = "credential reset-password dev2@acme --password-stdin --json";
    let reset = fixture.run_with(line, b"hunter3").done();
    assert_eq!(reset.json()["secret"], Value::Null);
    assert!(!fixture.content().contains("hunter"));
}

#[test]
fn everything_else_has_its_keys() {
    let fixture = Fixture::with_credential();
    assert_eq!(
        fixture.json("settings show"),
        json!({
            "argon2": "m=8,t=1,p=1",
            "client_id_hold": "30d",
            "keep_refusals": "90d",
            "client_id_limit": 1000,
            "lockout": "failures=5,step=5m,longest=30m",
            "rehash": true,
            "auto_ban": "off"
        })
    );
    assert_eq!(
        fixture.json("settings set --argon2 m=16,t=1,p=1 --client-id-hold 36h --lockout failures=3,step=90s,longest=1h --auto-ban 20/600s:60m"),
        json!({
            "argon2": "m=16,t=1,p=1",
            "client_id_hold": "36h",
            "keep_refusals": "90d",
            "client_id_limit": 1000,
            "lockout": "failures=3,step=90s,longest=1h",
            "rehash": true,
            "auto_ban": "20/10m:1h"
        })
    );
    assert_eq!(fixture.json("clients list"), json!([]));
    assert_eq!(fixture.json("clients count"), json!({ "connected": 0 }));
    let row = [
        "id",
        "time",
        "actor",
        "act",
        "subject",
        "outcome",
        "cause",
        "count",
        "address",
        "client_id",
        "topic",
        "changes",
    ];
    let audit = fixture.json("audit list");
    for entry in audit.as_array().unwrap() {
        assert_eq!(keys(entry), row);
        assert!(
            entry["actor"].as_str().unwrap().starts_with("cli:"),
            "{entry}"
        );
    }
    let acts: Vec<_> = audit
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["act"])
        .collect();
    assert_eq!(
        acts,
        [
            "store.create",
            "tenant.create",
            "credential.create",
            "settings.set"
        ]
    );
    let backup = fixture.directory.path().join("copy.db");
    let ran = fixture
        .run_words(&["backup", backup.to_str().unwrap(), "--json"])
        .done();
    assert_eq!(ran.json(), json!({ "path": backup }));
}

#[test]
fn a_check_answers_with_a_verdict_and_exits_by_it() {
    let fixture = Fixture::with_credential();
    let line = "check connect --username dev1@acme --client-id c --json";
    let allowed = json!({ "verdict": "allow", "reason": "ok", "rule": null, "considered": [] });
    assert_eq!(fixture.run(line).done().json(), allowed);
    let content = fixture.content();
    let denied = fixture.run_with(&format!("{line} --password-stdin"), b"wrong");
    assert_eq!((denied.code, denied.stderr.as_str()), (Some(1), ""));
    assert_eq!(denied.json()["verdict"], "deny");
    assert_eq!(denied.json()["reason"], "bad-secret");
    for (name, reason) in [
        ("dev2@acme", "unknown-name"),
        ("dev1@none", "unknown-tenant"),
        ("a#b", "malformed"),
    ] {
        let line = format!("check connect --username {name} --client-id c --json");
        assert_eq!(fixture.run(&line).json()["reason"], reason, "{name}");
    }
    assert_eq!(fixture.content(), content);
}

#[test]
fn a_list_is_cut_as_asked() {
    let fixture = Fixture::with_credential();
    for name in ["a", "b"] {
        fixture
            .run(&format!(
                "credential create {name} --tenant acme --group DM.{name}"
            ))
            .done();
    }
    let names = |line: &str| -> Vec<String> {
        let list = fixture.json(&format!("credential list {line}"));
        let names = list.as_array().unwrap().iter();
        names
            .map(|row| row["name"].as_str().unwrap().into())
            .collect()
    };
    assert_eq!(names("--tenant acme"), ["a@acme", "b@acme", "dev1@acme"]);
    assert_eq!(names("--limit 1 --after a@acme"), ["b@acme"]);
    assert_eq!(names("--group DM"), ["a@acme", "b@acme"]);
    assert_eq!(names("--group DM.a"), ["a@acme"]);
    fixture.run("credential set b@acme --add-group X.Y").done();
    assert_eq!(names("--group X"), ["b@acme"]);
    let audit = fixture.json("audit list --name a@acme");
    assert_eq!(audit.as_array().unwrap().len(), 1);
    assert_eq!(
        fixture
            .json("audit list --limit 2")
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(fixture.json("audit list --since +1h"), json!([]));
}

#[test]
fn people_read_the_same_as_text() {
    let fixture = Fixture::with_credential();
    let shown = fixture.run("credential show dev1@acme").done().stdout;
    assert!(shown.contains("\nstate           Inactive\n"), "{shown}");
    let list = fixture.run("credential list").done().stdout;
    assert_eq!(list.lines().count(), 2, "{list}");
    assert!(list.starts_with("NAME       STATE "), "{list}");
}

#[test]
fn who_stops_reading_is_told_no_failure() {
    let fixture = Fixture::with_credential();
    for line in [
        "credential list --json",
        "credential show dev1@acme",
        "audit list",
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran = finish(fixture.command().args(line.split(' ')).stdout(writer));
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{line}");
    }
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let ran = finish(fixture.command().args(["credential", "list"]).stdout(full));
    ran.refused(1);
}

#[test]
fn the_audit_names_who_called_sudo_as_a_hint_where_the_kernel_knows_no_login() {
    if !is_root("the_audit_names_who_called_sudo_as_a_hint_where_the_kernel_knows_no_login") {
        return;
    }
    let login = std::fs::read_to_string("/proc/self/loginuid").unwrap_or_default();
    if login.trim() != u32::MAX.to_string() {
        return;
    }
    let fixture = Fixture::new();
    for (tenant, caller, actor) in [
        ("a", "nobody", "cli:root (SUDO_USER is nobody)"),
        ("b", "no such user", "cli:root"),
        ("c", "", "cli:root"),
    ] {
        let mut command = fixture.command();
        finish(
            command
                .args(["tenant", "create", tenant])
                .env("SUDO_USER", caller),
        )
        .done();
        let audit = fixture.json(&format!("audit list --name {tenant}"));
        assert_eq!(first(&audit)["actor"], actor, "{caller}");
    }
}

#[test]
fn the_audit_names_who_logged_in_as_the_kernel_says() {
    if !is_root("the_audit_names_who_logged_in_as_the_kernel_says") {
        return;
    }
    let fixture = Fixture::new();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    // Only a login that is not set can be set, and not everywhere.
    let script = format!(
        "echo {} > /proc/self/loginuid && exec \"$0\" tenant create acme",
        nobody.uid
    );
    let mut command = std::process::Command::new("sh");
    let ran = finish(
        command
            .args(["-c", &script, env!("CARGO_BIN_EXE_countersign")])
            .env("COUNTERSIGN_STORE", fixture.store())
            .env("SUDO_USER", "daemon"),
    );
    if ran.code != Some(0) {
        eprintln!("skipped, as the login can't be set here: {ran:?}");
        return;
    }
    let audit = fixture.json("audit list --name acme");
    assert_eq!(first(&audit)["actor"], "cli:nobody as root");
}

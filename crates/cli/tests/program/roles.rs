//! Roles and rules.

use serde_json::{Value, json};

use crate::support::{Fixture, keys};

fn rule(effect: &str, action: &str, pattern: &str) -> Value {
    json!({
        "effect": effect,
        "action": action,
        "pattern": pattern,
        "max_qos": null,
        "no_retain": false,
        "literal": false,
    })
}

#[test]
fn roles_have_their_keys() {
    let fixture = Fixture::with_credential();
    let made = fixture.json("role create ops --tenant acme --description maintenance");
    assert_eq!(
        keys(&made),
        [
            "name",
            "tenant",
            "description",
            "no_wildcards",
            "groups",
            "rules"
        ]
    );
    assert_eq!(
        made,
        json!({
            "name": "ops", "tenant": "acme", "description": "maintenance", "no_wildcards": false,
            "groups": [], "rules": []
        })
    );
    fixture
        .run("role allow ops --tenant acme subscribe acme/+/state")
        .done();
    fixture
        .run("role deny ops --tenant acme both acme/secret/#")
        .done();
    let allowed = fixture.json(
        "role allow ops --tenant acme publish acme/${group} --group DM --max-qos 1 --no-retain",
    );
    let limited = json!({
        "effect": "allow",
        "action": "publish",
        "pattern": "acme/${group}",
        "max_qos": 1,
        "no_retain": true,
        "literal": false,
        "group": "DM",
    });
    let rules = json!([
        rule("allow", "subscribe", "acme/+/state"),
        rule("deny", "both", "acme/secret/#"),
        limited,
    ]);
    assert_eq!(allowed["rules"], rules);
    assert_eq!(
        keys(&allowed["rules"][0]),
        [
            "effect",
            "action",
            "pattern",
            "max_qos",
            "no_retain",
            "literal"
        ]
    );
    assert_eq!(fixture.json("role show ops --tenant acme"), allowed);
    assert_eq!(fixture.json("role list"), json!([allowed]));
    let said = fixture
        .run("role remove ops --tenant acme publish acme/${group}")
        .refused(1);
    assert!(said.contains("no rule for"), "{said}");
    let removed = fixture.json("role remove ops --tenant acme publish acme/${group} --group DM");
    assert_eq!(removed["rules"].as_array().unwrap().len(), 2);
    let removed = fixture.json("role remove ops --tenant acme both acme/secret/#");
    assert_eq!(
        removed["rules"],
        json!([rule("allow", "subscribe", "acme/+/state")])
    );
    let text = fixture.run("role show ops --tenant acme").done().stdout;
    assert!(
        text.contains("\nrules         allow subscribe acme/+/state\n"),
        "{text}"
    );
    let deleted = fixture.json("role delete ops --tenant acme");
    assert_eq!(deleted, json!({ "deleted": "ops" }));
    assert_eq!(fixture.json("role list --tenant acme"), json!([]));
}

#[test]
fn a_group_is_given_a_role_and_all_who_are_told_of_it_have_it() {
    let fixture = Fixture::with_credential();
    for line in [
        "tenant set acme --default-rights none",
        "role create ops --tenant acme",
        "role allow ops --tenant acme publish acme/${group}/x",
    ] {
        fixture.run(line).done();
    }
    let made = fixture.json("credential create dev2 --tenant acme --group DM.X --group B");
    assert_eq!(
        (&made["group"], &made["groups"]),
        (&json!("DM.X"), &json!(["DM.X", "B"]))
    );
    let told = fixture.json("role assign ops --tenant acme --group DM --dry-run");
    let gains = [
        json!({ "action": "publish", "pattern": "acme/B/x" }),
        json!({ "action": "publish", "pattern": "acme/DM.X/x" }),
    ];
    let effect = json!({ "name": "dev2@acme", "connected": false, "gains": gains, "loses": [] });
    assert_eq!(told, json!([effect]));
    assert_eq!(
        fixture.json("role show ops --tenant acme")["groups"],
        json!([])
    );
    let shown = fixture.json("role assign ops --tenant acme --group DM");
    assert_eq!(shown["groups"], json!(["DM"]));
    assert_eq!(fixture.json("role show ops --tenant acme"), shown);
    assert_eq!(fixture.json("role list --tenant acme"), json!([shown]));
    let check = "check publish --username dev2@acme --client-id c acme/B/x --json";
    let answer = fixture.run(check).done().json();
    assert_eq!(answer["rule"]["source"], "role:ops");
    assert_eq!(answer["rule"]["group"], "DM");
    assert_eq!(answer["considered"][0]["group"], "DM");
    assert_eq!(answer["variables"]["${group}"], "DM.X, B");
    let said = fixture
        .run("role assign ops --tenant acme --group DM")
        .refused(1);
    assert!(said.contains("holds role `ops` already"), "{said}");
    let said = fixture.run("role delete ops --tenant acme").refused(1);
    assert!(said.contains("in use, 1 times"), "{said}");
    let set = fixture.json("credential set dev2@acme --remove-group DM.X --add-group C");
    assert_eq!(
        (&set["group"], &set["groups"]),
        (&json!("B"), &json!(["B", "C"]))
    );
    assert_eq!(fixture.run(check).json()["verdict"], "deny");
    let shown = fixture.json("role unassign ops --tenant acme --group DM");
    assert_eq!(shown["groups"], json!([]));
    let said = fixture
        .run("role unassign ops --tenant acme --group DM")
        .refused(1);
    assert!(said.contains("does not hold role `ops`"), "{said}");
    let rows = fixture.json("audit list --name ops@acme");
    let acts: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["act"])
        .collect();
    assert_eq!(acts[acts.len() - 2..], ["role.assign", "role.unassign"]);
    let changes = &rows[acts.len() - 2]["changes"];
    assert_eq!(
        changes,
        &json!([{ "field": "groups", "before": [], "after": ["DM"] }])
    );
}

#[test]
fn a_role_in_use_goes_only_with_a_cascade() {
    let fixture = Fixture::with_credential();
    fixture.run("role create ops --tenant acme").done();
    let shown = fixture.json("credential set dev1@acme --add-role ops");
    assert_eq!(shown["roles"], json!(["ops"]));
    let made = fixture.json("credential create dev2 --tenant acme --role ops");
    assert_eq!(made["state"], "Inactive");
    assert_eq!(
        fixture.json("credential show dev2@acme")["roles"],
        json!(["ops"])
    );
    let said = fixture.run("role delete ops --tenant acme").refused(1);
    assert!(said.contains("--cascade"), "{said}");
    let shown = fixture.json("credential set dev2@acme --remove-role ops");
    assert_eq!(shown["roles"], json!([]));
    fixture
        .run("role delete ops --tenant acme --cascade")
        .done();
    assert_eq!(
        fixture.json("credential show dev1@acme")["roles"],
        json!([])
    );
}

#[test]
fn a_credential_has_rules_of_its_own() {
    let fixture = Fixture::with_credential();
    fixture.run("tenant set acme --default-rights none").done();
    let line = "credential allow dev1@acme publish acme/a --max-qos 1 --no-retain";
    let shown = fixture.json(line);
    assert_eq!(shown, fixture.json("credential show dev1@acme"));
    fixture
        .run("credential deny dev1@acme both acme/secret/#")
        .done();
    let text = fixture.run("credential show dev1@acme").done().stdout;
    let lines = "rules           allow publish acme/a max_qos 1 no_retain\n                \
                 deny both acme/secret/#\n";
    assert!(text.ends_with(lines), "{text}");
    fixture
        .run("credential remove dev1@acme both acme/secret/#")
        .done();
    let text = fixture
        .run("credential remove dev1@acme publish acme/a")
        .done()
        .stdout;
    assert!(!text.contains("rules"), "{text}");
    let acts: Vec<_> = fixture
        .json("audit list --name dev1@acme")
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["act"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        acts,
        [
            "credential.create",
            "credential.allow",
            "credential.deny",
            "credential.remove",
            "credential.remove"
        ]
    );
}

#[test]
fn a_dry_run_says_who_would_gain_or_lose_what_and_changes_nothing() {
    let fixture = Fixture::new();
    fixture.run("tenant create acme").done();
    fixture.run("role create ops --tenant acme").done();
    for device in ["VW-AAAAAA", "VW-BBBBBB"] {
        let line = format!("credential create {device} --tenant acme --scheme vwire --role ops");
        fixture.run(&line).done();
    }
    fixture
        .run("credential create VW-CCCCCC --tenant acme --scheme vwire")
        .done();
    let content = fixture.content();
    let allow = "role allow ops --tenant acme publish acme/${username}/x --dry-run";
    let preview = fixture.json(allow);
    let gain = |name: &str| {
        let pattern = format!("acme/{name}/x");
        json!({
            "name": name,
            "connected": false,
            "gains": [{ "action": "publish", "pattern": pattern }],
            "loses": [],
        })
    };
    assert_eq!(preview, json!([gain("VW-AAAAAA"), gain("VW-BBBBBB")]));
    let text = fixture.run(allow).done().stdout;
    assert!(
        text.contains("VW-BBBBBB  no         publish acme/VW-BBBBBB/x"),
        "{text}"
    );
    let deny = fixture.json("role deny ops --tenant acme subscribe vwire/+/cmd/# --dry-run");
    assert_eq!(deny[0]["name"], "VW-AAAAAA", "{deny}");
    assert_eq!(fixture.content(), content);
    fixture
        .run("role allow ops --tenant acme publish acme/${username}/x")
        .done();
    let remove = "role remove ops --tenant acme publish acme/${username}/x --dry-run";
    assert_eq!(
        fixture.json(remove)[0]["loses"],
        json!([{ "action": "publish", "pattern": "acme/VW-AAAAAA/x" }])
    );
    assert_eq!(
        fixture.json("role allow ops --tenant acme both other/# --dry-run"),
        json!([])
    );
}

//! Roles and rules.

use serde_json::{Value, json};

use crate::support::{Shop, keys};

fn rule(effect: &str, action: &str, pattern: &str) -> Value {
    json!({
        "effect": effect,
        "action": action,
        "pattern": pattern,
        "max_qos": null,
        "no_retain": false,
    })
}

#[test]
fn roles_have_their_keys() {
    let shop = Shop::with_credential();
    let made = shop.json("role create ops --tenant acme --description maintenance");
    assert_eq!(keys(&made), ["name", "tenant", "description", "rules"]);
    assert_eq!(
        made,
        json!({ "name": "ops", "tenant": "acme", "description": "maintenance", "rules": [] })
    );
    shop.run("role allow ops --tenant acme subscribe acme/+/state")
        .done();
    shop.run("role deny ops --tenant acme both acme/secret/#")
        .done();
    let allowed = shop.json(
        "role allow ops --tenant acme publish acme/${group} --group DM --max-qos 1 --no-retain",
    );
    let limited = json!({
        "effect": "allow",
        "action": "publish",
        "pattern": "acme/${group}",
        "max_qos": 1,
        "no_retain": true,
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
        ["effect", "action", "pattern", "max_qos", "no_retain"]
    );
    assert_eq!(shop.json("role show ops --tenant acme"), allowed);
    assert_eq!(shop.json("role list"), json!([allowed]));
    let said = shop
        .run("role remove ops --tenant acme publish acme/${group}")
        .refused(1);
    assert!(said.contains("no rule for"), "{said}");
    let removed = shop.json("role remove ops --tenant acme publish acme/${group} --group DM");
    assert_eq!(removed["rules"].as_array().unwrap().len(), 2);
    let removed = shop.json("role remove ops --tenant acme both acme/secret/#");
    assert_eq!(
        removed["rules"],
        json!([rule("allow", "subscribe", "acme/+/state")])
    );
    let text = shop.run("role show ops --tenant acme").done().stdout;
    assert!(
        text.contains("\nrules        allow subscribe acme/+/state\n"),
        "{text}"
    );
    let deleted = shop.json("role delete ops --tenant acme");
    assert_eq!(deleted, json!({ "deleted": "ops" }));
    assert_eq!(shop.json("role list --tenant acme"), json!([]));
}

#[test]
fn a_role_in_use_goes_only_with_a_cascade() {
    let shop = Shop::with_credential();
    shop.run("role create ops --tenant acme").done();
    let shown = shop.json("credential set dev1@acme --add-role ops");
    assert_eq!(shown["roles"], json!(["ops"]));
    let made = shop.json("credential create dev2 --tenant acme --role ops");
    assert_eq!(made["state"], "Inactive");
    assert_eq!(
        shop.json("credential show dev2@acme")["roles"],
        json!(["ops"])
    );
    let said = shop.run("role delete ops --tenant acme").refused(1);
    assert!(said.contains("--cascade"), "{said}");
    let shown = shop.json("credential set dev2@acme --remove-role ops");
    assert_eq!(shown["roles"], json!([]));
    shop.run("role delete ops --tenant acme --cascade").done();
    assert_eq!(shop.json("credential show dev1@acme")["roles"], json!([]));
}

#[test]
fn a_credential_has_rules_of_its_own() {
    let shop = Shop::with_credential();
    shop.run("tenant set acme --default-rights none").done();
    let line = "credential allow dev1@acme publish acme/a --max-qos 1 --no-retain";
    let shown = shop.json(line);
    assert_eq!(shown, shop.json("credential show dev1@acme"));
    shop.run("credential deny dev1@acme both acme/secret/#")
        .done();
    let text = shop.run("credential show dev1@acme").done().stdout;
    let lines = "rules           allow publish acme/a max_qos 1 no_retain\n                \
                 deny both acme/secret/#\n";
    assert!(text.ends_with(lines), "{text}");
    shop.run("credential remove dev1@acme both acme/secret/#")
        .done();
    let text = shop
        .run("credential remove dev1@acme publish acme/a")
        .done()
        .stdout;
    assert!(!text.contains("rules"), "{text}");
    let acts: Vec<_> = shop
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
    let shop = Shop::new();
    shop.run("tenant create acme").done();
    shop.run("role create ops --tenant acme").done();
    for device in ["VW-AAAAAA", "VW-BBBBBB"] {
        let line = format!("credential create {device} --tenant acme --scheme vwire --role ops");
        shop.run(&line).done();
    }
    shop.run("credential create VW-CCCCCC --tenant acme --scheme vwire")
        .done();
    let content = shop.content();
    let allow = "role allow ops --tenant acme publish acme/${username}/x --dry-run";
    let preview = shop.json(allow);
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
    let text = shop.run(allow).done().stdout;
    assert!(
        text.contains("VW-BBBBBB  no         publish acme/VW-BBBBBB/x"),
        "{text}"
    );
    let deny = shop.json("role deny ops --tenant acme subscribe vwire/+/cmd/# --dry-run");
    assert_eq!(deny[0]["name"], "VW-AAAAAA", "{deny}");
    assert_eq!(shop.content(), content);
    shop.run("role allow ops --tenant acme publish acme/${username}/x")
        .done();
    let remove = "role remove ops --tenant acme publish acme/${username}/x --dry-run";
    assert_eq!(
        shop.json(remove)[0]["loses"],
        json!([{ "action": "publish", "pattern": "acme/VW-AAAAAA/x" }])
    );
    assert_eq!(
        shop.json("role allow ops --tenant acme both other/# --dry-run"),
        json!([])
    );
}

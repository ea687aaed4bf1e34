//! Commands on roles and their rules.

use countersign_admin::role::ChangeRoleRules;
use countersign_admin::rule::RuleChange;
use countersign_core::role::RoleName;
use countersign_core::rule::{Action, Pattern, Rule};
use serde_json::{Value, json};

use crate::fixture::{Fixture, tenant};

#[test]
fn the_rules_of_a_role_are_shown_as_they_were_given_and_are_rules_here() {
    let mut fixture = Fixture::new();
    let acl = |kind: &str, topic: &str, priority: i64, allow: bool| json!({ "acltype": kind, "topic": topic, "priority": priority, "allow": allow });
    fixture.done(
        json!({ "command": "createRole", "rolename": "r", "textname": "R",
        "textdescription": "d", "acls": [
            acl("subscribePattern", "acme/%u/#", 0, true),
            acl("PUBLISHCLIENTSEND", "acme/%c/x", 7, true),
            acl("publishClientReceive", "acme/#", 0, true),
            acl("unsubscribePattern", "#", 0, true),
            acl("subscribeLiteral", "#", 0, false),
            { "acltype": "nothing", "topic": "acme/a", "allow": true },
            { "topic": "acme/a" }, 7] }),
    );
    assert_eq!(
        fixture.rules("r"),
        [
            "allow subscribe acme/${username}/#",
            "allow publish acme/${client_id}/x",
            "deny subscribe # literal",
        ]
    );
    let get = json!({ "command": "getRole", "rolename": "r" });
    let shown = |more: &[Value]| {
        let mut acls = vec![
            acl("publishClientSend", "acme/%c/x", 7, true),
            acl("publishClientReceive", "acme/#", 0, true),
            acl("subscribeLiteral", "#", 0, false),
            acl("subscribePattern", "acme/%u/#", 0, true),
        ];
        acls.extend(more.iter().cloned());
        acls.push(acl("unsubscribePattern", "#", 0, true));
        json!({ "role": { "rolename": "r", "textname": "R", "textdescription": "d",
            "allowwildcardsubs": true, "acls": acls } })
    };
    assert_eq!(fixture.done(get.clone()), shown(&[]));
    let add = json!({ "command": "addRoleACL", "rolename": "r", "acltype": "subscribePattern",
        "topic": "acme/news", "priority": -3, "allow": true });
    fixture.done(add.clone());
    assert_eq!(fixture.refused(add), "ACL with this topic already exists");
    let added = acl("subscribePattern", "acme/news", -3, true);
    assert_eq!(fixture.done(get.clone()), shown(&[added]));
    let remove = json!({ "command": "removeRoleACL", "rolename": "r",
        "acltype": "subscribePattern", "topic": "acme/news" });
    fixture.done(remove.clone());
    assert_eq!(fixture.refused(remove), "ACL not found");
    assert_eq!(fixture.done(get.clone()), shown(&[]));

    // What was given here is shown, too, and goes with the others.
    let both = Rule::allow(Action::Both, Pattern::parse("acme/b").unwrap());
    fixture
        .run(&ChangeRoleRules {
            tenant: tenant(),
            name: RoleName::parse("r").unwrap(),
            change: RuleChange::Add(both),
            group: None,
        })
        .unwrap();
    let mut role = fixture.done(get.clone());
    let acls = role["role"]["acls"].take();
    let of_b = |it: &&Value| it["topic"] == "acme/b";
    assert_eq!(acls.as_array().unwrap().iter().filter(of_b).count(), 2);
    fixture.done(json!({ "command": "removeRoleACL", "rolename": "r",
        "acltype": "publishClientSend", "topic": "acme/b" }));
    let rules = fixture.rules("r");
    assert!(
        rules.contains(&"allow subscribe acme/b".to_owned()),
        "{rules:?}"
    );
    fixture.done(
        json!({ "command": "modifyRole", "rolename": "r", "textname": "",
        "allowwildcardsubs": false, "acls": [] }),
    );
    assert_eq!(fixture.rules("r"), [] as [&str; 0]);
    assert_eq!(
        fixture.done(get),
        json!({ "role": { "rolename": "r", "textdescription": "d", "allowwildcardsubs": false,
            "acls": [] } })
    );
    for (command, why) in [
        (
            json!({ "command": "modifyRole", "rolename": "none" }),
            "Role does not exist",
        ),
        (
            json!({ "command": "createRole", "rolename": "r" }),
            "Role already exists",
        ),
        (
            json!({ "command": "createRole", "rolename": "" }),
            "Empty rolename",
        ),
        (
            json!({ "command": "createRole", "rolename": "s", "allowwildcardsubs": 1 }),
            "Invalid allowwildcardsubs",
        ),
        (
            json!({ "command": "addRoleACL", "rolename": "r", "acltype": "x", "topic": "a" }),
            "Unknown acltype",
        ),
        (
            json!({ "command": "addRoleACL", "rolename": "r" }),
            "Invalid/missing acltype",
        ),
        (
            json!({ "command": "addRoleACL", "rolename": "r", "acltype": "subscribeLiteral" }),
            "Invalid/missing topic",
        ),
        (
            json!({ "command": "addRoleACL", "rolename": "r", "acltype": "subscribeLiteral",
                "topic": "a/#/b" }),
            "Invalid ACL topic",
        ),
        (
            json!({ "command": "addRoleACL", "rolename": "none" }),
            "Role not found",
        ),
        (
            json!({ "command": "deleteRole", "rolename": "none" }),
            "Role not found",
        ),
    ] {
        assert_eq!(fixture.refused(command.clone()), why, "{command}");
    }
}

#[test]
fn an_allow_before_a_deny_is_refused_and_both_are_named() {
    let mut fixture = Fixture::new();
    let add = |role: &str, kind: &str, topic: &str, priority: i64, allow: bool| {
        json!({ "command": "addRoleACL", "rolename": role, "acltype": kind, "topic": topic,
            "priority": priority, "allow": allow })
    };
    for role in ["a", "b"] {
        fixture.done(json!({ "command": "createRole", "rolename": role }));
    }
    fixture.done(add("a", "publishClientSend", "acme/#", 0, true));
    let why = fixture.refused(add("a", "publishClientSend", "acme/keys", 0, false));
    assert_eq!(
        why,
        "`publishClientSend acme/#` (allow, priority 0) of role `a` comes before \
         `publishClientSend acme/keys` (deny, priority 0) of role `a` there, and a deny always \
         wins here; deny less there, or allow only what is not denied, or give the deny the higher \
         priority"
    );
    assert_eq!(fixture.rules("a"), ["allow publish acme/#"]);
    fixture.done(add("a", "publishClientSend", "acme/keys", 1, false));
    // Across roles, by the order of whoever holds both.
    fixture.done(add("b", "publishClientSend", "acme/+/x", 0, false));
    fixture.done(json!({ "command": "createClient", "username": "pump" }));
    fixture.done(json!({ "command": "addClientRole", "username": "pump", "rolename": "a" }));
    let give = |priority: i64| {
        json!({ "command": "addClientRole", "username": "pump", "rolename": "b",
            "priority": priority })
    };
    let why = fixture.refused(give(-1));
    assert!(
        why.contains("of role `a` comes before") && why.contains("of role `b`"),
        "{why}"
    );
    fixture.done(give(3));
    assert_eq!(fixture.refused(give(3)), "Internal error");
    // And of what comes to a role that is held.
    let why = fixture.refused(add("b", "publishClientSend", "acme/keys", 9, true));
    assert!(
        why.contains("of role `b` comes before") && why.contains("of role `a`"),
        "{why}"
    );
    fixture.done(add("b", "publishClientSend", "acme/z", 0, true));
    let groups = json!([
        { "command": "createGroup", "groupname": "g", "roles": [{ "rolename": "b" }] },
        { "command": "createClient", "username": "valve", "roles": [{ "rolename": "a" }] }
    ]);
    assert!(
        fixture
            .all(&groups)
            .iter()
            .all(|it| it.get("error").is_none())
    );
    let join = json!({ "command": "addGroupClient", "username": "valve", "groupname": "g" });
    let why = fixture.refused(join);
    assert!(why.contains("of role `a` comes before"), "{why}");
    let members = fixture.done(json!({ "command": "getGroup", "groupname": "g" }));
    assert_eq!(members["group"]["clients"], json!([]));
}

#[test]
fn a_role_without_wildcards_is_not_held_before_one_that_grants_some() {
    let mut fixture = Fixture::new();
    fixture.done(json!({ "command": "createRole", "rolename": "narrow",
        "allowwildcardsubs": false }));
    fixture.done(
        json!({ "command": "createRole", "rolename": "wide", "acls": [
        { "acltype": "subscribePattern", "topic": "acme/+", "allow": true }] }),
    );
    fixture.done(json!({ "command": "createClient", "username": "pump" }));
    let give = |role: &str, priority: i64| {
        json!({ "command": "addClientRole", "username": "pump", "rolename": role,
            "priority": priority })
    };
    fixture.done(give("narrow", 1));
    let why = fixture.refused(give("wide", 0));
    assert!(
        why.contains("role `narrow` has `allowwildcardsubs` false and role `wide`"),
        "{why}"
    );
    // What is asked before it grants them there as well.
    fixture.done(give("wide", 2));
}

#[test]
fn a_deny_of_a_subscribe_that_a_wider_one_goes_past_is_refused() {
    let mut fixture = Fixture::new();
    let acl = |kind: &str, topic: &str, priority: i64, allow: bool| json!({ "acltype": kind, "topic": topic, "priority": priority, "allow": allow });
    let create = |acls: &[Value]| json!({ "command": "createRole", "rolename": "r", "acls": acls });
    let wide = acl("subscribePattern", "acme/#", 0, true);
    let deny = acl("subscribePattern", "acme/keys/#", 1, false);
    let withheld = acl("publishClientReceive", "acme/keys/#", 1, false);
    let why = fixture.refused(create(&[wide.clone(), deny.clone()]));
    assert!(
        why.contains("`subscribePattern acme/keys/#` (deny, priority 1) of role `r`")
            && why.contains("`subscribePattern acme/#` (allow, priority 0) of role `r`")
            && why.contains("delivered past it"),
        "{why}"
    );
    fixture.done(create(&[wide, deny, withheld]));
    let rules = ["allow subscribe acme/#", "deny subscribe acme/keys/#"];
    assert_eq!(fixture.rules("r"), rules);
    let remove = json!({ "command": "removeRoleACL", "rolename": "r",
        "acltype": "publishClientReceive", "topic": "acme/keys/#" });
    assert!(fixture.refused(remove).contains("delivered past it"));
    assert_eq!(fixture.rules("r"), rules);
    fixture.done(json!({ "command": "removeRoleACL", "rolename": "r",
        "acltype": "subscribePattern", "topic": "acme/keys/#" }));
    assert_eq!(fixture.rules("r"), rules);
}

#[test]
fn a_deny_of_unsubscribe_is_refused_and_told_what_is_so_here() {
    let mut fixture = Fixture::new();
    fixture.done(json!({ "command": "createRole", "rolename": "r" }));
    for kind in ["unsubscribeLiteral", "unsubscribePattern"] {
        let acl = |allow: bool| {
            json!({ "command": "addRoleACL", "rolename": "r", "acltype": kind, "topic": "acme/a",
                "allow": allow })
        };
        let why = fixture.refused(acl(false));
        assert_eq!(
            why,
            format!("`{kind}` `acme/a`: UNSUBSCRIBE is always allowed here")
        );
        fixture.done(acl(true));
    }
    assert_eq!(fixture.rules("r"), [] as [&str; 0]);
}

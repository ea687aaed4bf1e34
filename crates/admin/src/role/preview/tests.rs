use countersign_core::client_id::ClientId;
use countersign_core::kind::Application;
use countersign_core::ledger::Ledger as _;
use countersign_core::name::GroupPath;
use countersign_core::presence::{Presence, PresenceEvent, SessionNumber};
use countersign_core::rights::TopicUses;
use countersign_core::store::{Batch, GateStore as _};
use countersign_core::user::{Grant, GrantedRight};

use super::*;
use crate::application::{CreateApplication, NewApplication};
use crate::credential::{CreateCredential, NewCredential};
use crate::fixture::{
    Fixture, JANE, adding, application_name, change_of_role, login_name, new_credential, removing,
    role_name, scheme_name, tenant_id,
};
use crate::role::{AssignRole, SetRole};
use crate::user::GrantUser;

/// A tenant with a role that devices of a scheme without own topics hold.
fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.tenant("acme", &["acme/#", "plant/+/x"]).unwrap();
    fixture.tenant("other", &[]).unwrap();
    fixture.scheme(&[
        ("name", "bare"),
        ("login_name", "given"),
        ("client_id", "any"),
        ("secret_shape", "[0-9a-f]{32}"),
    ]);
    fixture.role("ops").unwrap();
    hold(&mut fixture, "dev1", Some("DM.X"));
    fixture
}

fn hold(fixture: &mut Fixture, name: &str, group: Option<&str>) {
    let new = NewCredential {
        scheme: scheme_name("bare"),
        roles: vec![role_name("ops")],
        groups: group
            .and_then(|text| GroupPath::parse(text).ok())
            .into_iter()
            .collect(),
        ..new_credential(name)
    };
    fixture.run(&CreateCredential(new)).unwrap();
}

fn effects(fixture: &mut Fixture, change: &RuleChange, group: Option<&str>) -> String {
    let group = group.map(|text| GroupPath::parse(text).unwrap());
    let change = ChangeRoleRules {
        group,
        ..change_of_role("ops", change)
    };
    told(&fixture.run(&PreviewRoleRules(change)).unwrap())
}

/// What a preview of an assignment of `ops` tells.
fn effects_of(fixture: &mut Fixture, group: &str, is_to_be_held: bool) -> String {
    let of = assignment(group);
    told(
        &fixture
            .run(&PreviewAssignment { of, is_to_be_held })
            .unwrap(),
    )
}

fn assignment(group: &str) -> Assignment {
    Assignment {
        tenant: tenant_id("acme"),
        role: role_name("ops"),
        group: GroupPath::parse(group).unwrap(),
    }
}

fn told(effects: &[ChangeEffect]) -> String {
    let uses = |sign: char, uses: &[TopicUses]| -> String {
        let uses = uses.iter();
        uses.map(|usage| format!(" {sign}{} {}", usage.action, usage.filter))
            .collect()
    };
    let lines = effects.iter().map(|effect| {
        let live = if effect.is_connected { "*" } else { "" };
        let (gains, loses) = (uses('+', &effect.gains), uses('-', &effect.loses));
        format!("{}{live}{gains}{loses}", effect.name)
    });
    lines.collect::<Vec<_>>().join("; ")
}

#[test]
fn nobody_gains_from_a_role_that_nobody_holds() {
    let mut fixture = fixture();
    fixture.delete("dev1");
    assert_eq!(
        effects(&mut fixture, &adding("allow both acme/#"), None),
        ""
    );
}

#[test]
fn what_is_given_is_gained_as_far_as_the_tenant_owns_it() {
    let mut fixture = fixture();
    for (rule, expected) in [
        ("allow publish acme/a", "dev1 +publish acme/a"),
        (
            "allow both acme/${username}",
            "dev1 +publish acme/dev1 +subscribe acme/dev1",
        ),
        (
            "allow subscribe #",
            "dev1 +subscribe acme/# +subscribe plant/+/x",
        ),
        ("allow subscribe plant/#", "dev1 +subscribe plant/+/x"),
        ("allow publish other/#", ""),
        ("allow publish nobody/#", ""),
        ("allow publish acme/${attr.none}", ""),
        (
            "allow publish acme/${client_id}",
            "dev1 +publish acme/${client_id}",
        ),
        ("deny both acme/#", ""),
    ] {
        assert_eq!(
            effects(&mut fixture, &adding(rule), None),
            expected,
            "{rule}"
        );
    }
}

#[test]
fn things_and_users_hold_roles_too() {
    let mut fixture = fixture();
    fixture.delete("dev1");
    let new = NewApplication {
        name: application_name("fleet"),
        tenant: tenant_id("acme"),
        roles: vec![role_name("ops")],
        about: Application::default(),
    };
    fixture.run(&CreateApplication(new)).unwrap();
    fixture.thing("pump", "fleet").unwrap();
    fixture.user(JANE);
    let ops = GrantedRight::Role(role_name("ops"));
    fixture.grant(JANE, "acme", ops).unwrap();
    let rule = adding("allow publish acme/${username}");
    assert_eq!(
        effects(&mut fixture, &rule, None),
        "pump +publish acme/pump; jane@mail.test +publish acme/jane@mail.test"
    );
    let of_group = effects(&mut fixture, &rule, Some("DM"));
    assert_eq!(of_group, "");
}

#[test]
fn what_the_rest_makes_up_for_is_no_difference() {
    let mut fixture = fixture();
    fixture
        .change_role("ops", &adding("allow both acme/#"))
        .unwrap();
    fixture
        .change_role("ops", &adding("allow publish acme/a max_qos 1"))
        .unwrap();
    fixture
        .change_role("ops", &adding("deny subscribe acme/secret/#"))
        .unwrap();
    for (change, expected) in [
        (adding("allow both acme/a"), ""),
        (removing("publish acme/a"), ""),
        (
            removing("both acme/#"),
            "dev1 -publish acme/# -subscribe acme/#",
        ),
        (adding("deny publish acme/a/+"), "dev1 -publish acme/a/+"),
        (
            adding("deny both #"),
            "dev1 -publish acme/# -subscribe acme/#",
        ),
        (
            removing("subscribe acme/secret/#"),
            "dev1 +subscribe acme/secret/#",
        ),
        (adding("allow subscribe acme/secret/a"), ""),
    ] {
        let said = effects(&mut fixture, &change, None);
        assert_eq!(said, expected, "{change:?}");
    }
}

#[test]
fn a_limit_is_lifted_only_by_a_rule_without_it() {
    let mut fixture = fixture();
    fixture
        .change_role("ops", &adding("allow publish acme/a max_qos 0"))
        .unwrap();
    for (rule, expected) in [
        ("allow publish acme/a max_qos 1", "dev1 +publish acme/a"),
        ("allow publish acme/a", "dev1 +publish acme/a"),
        // It would take the place of the one that is there.
        (
            "allow publish acme/a max_qos 0 no_retain",
            "dev1 -publish acme/a",
        ),
    ] {
        assert_eq!(
            effects(&mut fixture, &adding(rule), None),
            expected,
            "{rule}"
        );
    }
}

#[test]
fn a_rule_of_a_group_changes_nothing_for_others() {
    let mut fixture = fixture();
    hold(&mut fixture, "dev2", Some("DMX"));
    hold(&mut fixture, "dev3", None);
    let rule = adding("allow publish acme/${group}");
    assert_eq!(
        effects(&mut fixture, &rule, Some("DM")),
        "dev1 +publish acme/DM.X"
    );
    assert_eq!(
        effects(&mut fixture, &rule, None),
        "dev1 +publish acme/DM.X; dev2 +publish acme/DMX"
    );
}

#[test]
fn who_is_connected_is_told_and_by_which_client_id() {
    let mut fixture = fixture();
    hold(&mut fixture, "dev2", None);
    let credential = fixture.show("dev2");
    let connected = PresenceEvent::Connected(Presence {
        session: SessionNumber(1),
        client_id: "c2".into(),
        tie: ClientId::parse("c2").unwrap().tie(),
        username: Some("dev2".into()),
        credential: Some(credential.id),
        tenant: Some(tenant_id("acme")),
        address: None,
        protocol: 4,
        connected_at: fixture.now,
        authenticated: true,
        listener: None,
        stored: false,
    });
    let batch = Batch {
        observations: vec![connected],
        ..Batch::default()
    };
    fixture.store.write_batch("b", &batch).unwrap();
    let _alive = fixture.store.lock_broker("b").unwrap();
    let rule = adding("allow publish acme/${client_id}");
    assert_eq!(
        effects(&mut fixture, &rule, None),
        "dev1 +publish acme/${client_id}; dev2* +publish acme/c2"
    );
}

#[test]
fn a_preview_changes_nothing_and_refuses_what_the_act_would() {
    let mut fixture = fixture();
    let acts = fixture.acts();
    effects(&mut fixture, &adding("allow both acme/#"), None);
    assert_eq!(fixture.acts(), acts);
    for change in [adding("allow both $SYS/#"), removing("both acme/#")] {
        let preview = PreviewRoleRules(change_of_role("ops", &change));
        assert!(fixture.run(&preview).is_err());
    }
}

#[test]
fn what_a_deny_takes_is_told_where_it_meets_what_is_allowed() {
    let mut fixture = fixture();
    fixture
        .change_role("ops", &adding("allow publish acme/${username}/#"))
        .unwrap();
    for (rule, expected) in [
        ("deny publish acme/+/cmd/#", "dev1 -publish acme/dev1/cmd/#"),
        ("deny publish +/+/x", "dev1 -publish acme/dev1/x"),
        (
            "deny publish acme/${attr.none}/x",
            "dev1 -publish acme/dev1/x",
        ),
        ("deny publish acme/dev2/#", ""),
        ("deny subscribe acme/#", ""),
    ] {
        assert_eq!(
            effects(&mut fixture, &adding(rule), None),
            expected,
            "{rule}"
        );
    }
}

/// A credential of no role, in these groups.
fn join(fixture: &mut Fixture, name: &str, groups: &[&str]) {
    let new = NewCredential {
        scheme: scheme_name("bare"),
        groups: groups
            .iter()
            .map(|path| GroupPath::parse(path).unwrap())
            .collect(),
        ..new_credential(name)
    };
    fixture.run(&CreateCredential(new)).unwrap();
}

#[test]
fn an_assignment_gives_to_all_in_the_group_and_below_and_to_no_others() {
    let mut fixture = fixture();
    for (name, groups) in [
        ("below", ["B", "DM.Y"].as_slice()),
        ("in", &["DM"]),
        ("beside", &["DMX"]),
        ("outside", &[]),
    ] {
        join(&mut fixture, name, groups);
    }
    fixture.user("joe@mail.test");
    fixture.role("viewer").unwrap();
    let grant = Grant {
        tenant: tenant_id("acme"),
        group: GroupPath::parse("DM.Y").ok(),
        right: GrantedRight::Role(role_name("viewer")),
    };
    let email = login_name("joe@mail.test");
    fixture.run(&GrantUser { email, grant }).unwrap();
    fixture
        .change_role("ops", &adding("allow publish acme/a"))
        .unwrap();
    fixture
        .change_role("ops", &adding("deny publish acme/a/b"))
        .unwrap();
    // `dev1` is in `DM.X`, and holds it itself.
    let gained = "below +publish acme/a; in +publish acme/a; joe@mail.test +publish acme/a";
    assert_eq!(effects_of(&mut fixture, "DM", true), gained);
    assert_eq!(effects_of(&mut fixture, "DM.Y.Z", true), "");
    fixture.run(&AssignRole(assignment("DM"))).unwrap();
    assert_eq!(effects_of(&mut fixture, "DM.Y", true), "");
    fixture.run(&AssignRole(assignment("DM.Y"))).unwrap();
    // They hold it by the other group still.
    assert_eq!(effects_of(&mut fixture, "DM.Y", false), "");
    assert_eq!(effects_of(&mut fixture, "DM", false), "in -publish acme/a");
    // A change of its rules is told of all of them, once each.
    assert_eq!(
        effects(&mut fixture, &adding("allow subscribe acme/s"), None),
        "dev1 +subscribe acme/s; below +subscribe acme/s; in +subscribe acme/s; \
         joe@mail.test +subscribe acme/s"
    );
}

#[test]
fn a_rule_with_a_group_is_told_for_each_group() {
    let mut fixture = fixture();
    fixture.run(&AssignRole(assignment("DM"))).unwrap();
    join(&mut fixture, "two", &["DM.Y", "B"]);
    let told = effects(&mut fixture, &adding("allow publish acme/${group}"), None);
    assert_eq!(
        told,
        "dev1 +publish acme/DM.X; two +publish acme/B +publish acme/DM.Y"
    );
}

#[test]
fn a_subscribe_of_a_topic_is_gained_where_a_literal_filter_delivered_it_before() {
    let mut fixture = fixture();
    let set = SetRole {
        tenant: tenant_id("acme"),
        name: role_name("ops"),
        no_wildcards: true,
    };
    fixture.run(&set).unwrap();
    let RuleChange::Add(rule) = adding("allow subscribe acme/#") else {
        panic!("it adds a rule");
    };
    let literal = RuleChange::Add(rule.into_literal().unwrap());
    fixture.change_role("ops", &literal).unwrap();
    let rule = adding("allow subscribe acme/t/#");
    assert_eq!(
        effects(&mut fixture, &rule, None),
        "dev1 +subscribe acme/t/#"
    );
    fixture.change_role("ops", &rule).unwrap();
    let same = adding("allow subscribe acme/t/+");
    assert_eq!(effects(&mut fixture, &same, None), "");
    let gone = removing("subscribe acme/t/#");
    assert_eq!(
        effects(&mut fixture, &gone, None),
        "dev1 -subscribe acme/t/#"
    );
}

//! Live sessions whose rights follow from the roles of groups.

use countersign::core::name::GroupPath;
use countersign::core::role::RoleName;
use countersign::core::rule::{Action, Pattern, Rule};
use countersign_admin::credential::{CredentialChanges, SetCredential};
use countersign_admin::role::{
    AssignRole, Assignment, ChangeRoleRules, CreateRole, DeleteRole, NewRole, RoleDeletion,
    UnassignRole,
};
use countersign_admin::rule::RuleChange;

use super::*;

fn group(path: &str) -> GroupPath {
    GroupPath::parse(path).unwrap()
}

fn role() -> RoleName {
    RoleName::parse("ops").unwrap()
}

fn acme() -> TenantId {
    TenantId::parse("acme").unwrap()
}

fn held_by(path: &str) -> Assignment {
    Assignment {
        tenant: acme(),
        role: role(),
        group: group(path),
    }
}

/// Of these names, those who may publish.
fn publishers(fixture: &mut Fixture, names: &[&str]) -> Vec<String> {
    let mut allowed = Vec::new();
    for (handle, name) in (1..).zip(names) {
        let login = format!("{name}@acme");
        let verdict = fixture.publish(handle, name, Some(&login), "acme/x");
        if verdict == Verdict::Allow {
            allowed.push((*name).to_owned());
        }
    }
    allowed
}

#[test]
fn what_a_group_holds_reaches_the_sessions_in_it_and_below_and_no_others() {
    let mut fixture = Fixture::new();
    let changes = TenantChanges {
        default_rights: Some(DefaultRights::Nothing),
        ..TenantChanges::default()
    };
    fixture.set("acme", changes);
    let new = NewRole {
        tenant: acme(),
        name: role(),
        description: None,
        no_wildcards: false,
    };
    fixture.run(&CreateRole(new)).unwrap();
    let pattern = Pattern::parse("acme/#").unwrap();
    let change = ChangeRoleRules {
        tenant: acme(),
        name: role(),
        change: RuleChange::Add(Rule::allow(Action::Both, pattern)),
        group: None,
    };
    fixture.run(&change).unwrap();
    let names = ["in", "below", "beside", "outside"];
    let groups: [&[&str]; 4] = [&["DM"], &["B", "DM.X"], &["DMX", "D"], &[]];
    let mut secrets = Vec::new();
    for ((handle, name), groups) in (1..).zip(names).zip(groups) {
        let secret = fixture.credential_that(name, |new| {
            new.groups = groups.iter().map(|path| group(path)).collect();
        });
        let login = format!("{name}@acme");
        fixture.settle();
        let outcome = fixture.connect(handle, name, Some((&login, &secret)));
        assert!(
            matches!(outcome, ConnectOutcome::Admitted { .. }),
            "{outcome:?}"
        );
        secrets.push(secret);
    }
    fixture.settle();
    assert!(publishers(&mut fixture, &names).is_empty());

    fixture.run(&AssignRole(held_by("DM"))).unwrap();
    assert!(fixture.kicked().is_empty());
    assert_eq!(publishers(&mut fixture, &names), ["in", "below"]);
    // Those who come again have it at once, from what is kept in memory.
    for (handle, name, secret) in [(2, "below", &secrets[1]), (3, "beside", &secrets[2])] {
        fixture.gate.disconnected(Handle(handle));
        let login = format!("{name}@acme");
        let outcome = fixture.connect(handle, name, Some((&login, secret)));
        assert!(
            matches!(outcome, ConnectOutcome::Admitted { .. }),
            "{outcome:?}"
        );
    }
    assert_eq!(publishers(&mut fixture, &names), ["in", "below"]);

    fixture.run(&AssignRole(held_by("DM.X"))).unwrap();
    fixture.run(&UnassignRole(held_by("DM"))).unwrap();
    assert!(fixture.kicked().is_empty());
    assert_eq!(publishers(&mut fixture, &names), ["below"]);

    // A credential that joins a group is found in it from then on.
    let joins = SetCredential {
        name: LoginName::parse("outside@acme").unwrap(),
        changes: CredentialChanges {
            add_groups: vec![group("DM.X.Y")],
            ..CredentialChanges::default()
        },
    };
    fixture.run(&joins).unwrap();
    assert!(fixture.kicked().is_empty());
    assert_eq!(publishers(&mut fixture, &names), ["below", "outside"]);
    fixture.run(&UnassignRole(held_by("DM.X"))).unwrap();
    fixture.settle();
    assert!(publishers(&mut fixture, &names).is_empty());
    fixture.run(&AssignRole(held_by("DM.X.Y"))).unwrap();
    fixture.settle();
    assert_eq!(publishers(&mut fixture, &names), ["outside"]);
    let leaves = SetCredential {
        name: LoginName::parse("outside@acme").unwrap(),
        changes: CredentialChanges {
            remove_groups: vec![group("DM.X.Y")],
            ..CredentialChanges::default()
        },
    };
    fixture.run(&leaves).unwrap();
    fixture.settle();
    assert!(publishers(&mut fixture, &names).is_empty());

    fixture.run(&AssignRole(held_by("D"))).unwrap();
    fixture.settle();
    assert_eq!(publishers(&mut fixture, &names), ["beside"]);
    let delete = DeleteRole {
        tenant: acme(),
        name: role(),
        deletion: RoleDeletion::WithGrants,
    };
    fixture.run(&delete).unwrap();
    assert!(fixture.kicked().is_empty());
    assert!(publishers(&mut fixture, &names).is_empty());
}

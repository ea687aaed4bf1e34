//! What becomes of dynamic-security's file:
//! `tests/cases/import/moved_dynamic_security.toml`.

#[cfg(test)]
#[expect(dead_code, reason = "each test file uses some of it")]
mod common;

use std::fs;

use countersign_admin::credential::{CreateCredential, NewCredential};
use countersign_admin::role::{CreateRole, NewRole};
use countersign_admin::tenant::{CreateTenant, NewTenant};
use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::name::TenantId;
use countersign_core::role::RoleName;
use countersign_core::topic::TopicFilter;
use countersign_import::DynamicSecuritySource;
use countersign_testkit::cases::{Case, load};
use serde::Deserialize;

use self::common::{Fixture, names, told};

#[derive(Debug, Deserialize)]
struct MovedCase {
    json: String,
    #[serde(default)]
    operators: Vec<String>,
    told: Vec<String>,
    kept: u64,
    made: Vec<String>,
}

#[test]
fn every_object_is_kept_changed_or_lost_and_the_second_time_nothing_is_to_do() {
    for Case { name, fields, .. } in load::<MovedCase>("import/moved_dynamic_security").unwrap() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, &fields.json).unwrap();
        let mut fixture = Fixture::new("home/#");
        fixture.options.operators = names(&fields.operators);
        if fields.json.contains("subscribe\": true") {
            fixture.options.tenant.namespaces.clear();
        }
        let report = fixture.import(|store, context, options| {
            let source = DynamicSecuritySource::read(&path).unwrap();
            source.plan(store, context, options)
        });
        let folder = folder.path().display().to_string();
        let mut expected = fields.told.clone();
        expected.sort();
        assert_eq!(told(&report, &folder), expected, "{name}: {report:?}");
        assert_eq!(report.kept, fields.kept, "{name}");
        assert_eq!(fixture.lines(), fields.made, "{name}");
    }
}

#[test]
fn a_client_id_that_a_credential_of_the_store_has_is_not_given_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    let clients = r#"{"clients": [{"username": "alice", "clientid": "c1"},
        {"username": "bob", "clientid": "their-1"}, {"username": "carol", "clientid": "c2"}]}"#;
    fs::write(&path, clients).unwrap();
    let mut fixture = Fixture::new("home/#");
    let theirs = TenantId::parse("theirs").unwrap();
    let namespace = TopicFilter::parse("theirs/#").unwrap();
    fixture.run(&CreateTenant(NewTenant {
        namespaces: vec![namespace],
        client_id_prefix: ClientId::parse("their-").ok(),
        ..NewTenant::new(theirs)
    }));
    let other = TenantId::parse("other").unwrap();
    let namespace = TopicFilter::parse("other/#").unwrap();
    fixture.run(&CreateTenant(NewTenant {
        namespaces: vec![namespace],
        ..NewTenant::new(other.clone())
    }));
    fixture.run(&CreateCredential(NewCredential {
        client_id_rule: ClientIdRule::parse("exact:c1").ok(),
        ..NewCredential::new(other, "sensor")
    }));
    let report = fixture.import(|store, context, options| {
        let source = DynamicSecuritySource::read(&path).unwrap();
        source.plan(store, context, options)
    });
    let lost = report.lost.iter();
    let lost: Vec<_> = lost
        .map(|loss| format!("{}: {}", loss.what, loss.why))
        .collect();
    assert_eq!(
        lost,
        [
            "alice: another credential is bound to client id `c1`",
            "bob: client id `their-1` begins with `their-`, which belongs to tenant `theirs`",
        ]
    );
}

#[test]
fn whoever_is_denied_something_by_a_role_whose_name_is_taken_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    let text = r#"{"clients": [
        {"username": "alice", "roles": [{"rolename": "denies"}, {"rolename": "all"}]},
        {"username": "bob", "roles": [{"rolename": "all"}]},
        {"username": "carol", "roles": [{"rolename": "allows"}, {"rolename": "all"}]}],
      "groups": [{"groupname": "g", "roles": [{"rolename": "denies"}], "clients": [{"username": "bob"}]}],
      "roles": [
        {"rolename": "all", "acls": [{"acltype": "publishClientSend", "topic": "home/#", "allow": true}]},
        {"rolename": "allows", "acls": [{"acltype": "publishClientSend", "topic": "home/a", "allow": true}]},
        {"rolename": "denies", "acls": [{"acltype": "publishClientSend", "topic": "home/b", "allow": false}]}]}"#;
    fs::write(&path, text).unwrap();
    let mut fixture = Fixture::new("home/#");
    let home = TenantId::parse("home").unwrap();
    fixture.run(&CreateTenant(NewTenant {
        namespaces: vec![TopicFilter::parse("home/#").unwrap()],
        ..NewTenant::new(home.clone())
    }));
    for name in ["allows", "denies"] {
        fixture.run(&CreateRole(NewRole {
            tenant: home.clone(),
            name: RoleName::parse(name).unwrap(),
            description: None,
            no_wildcards: false,
        }));
    }
    let report = fixture.import(|store, context, options| {
        let source = DynamicSecuritySource::read(&path).unwrap();
        source.plan(store, context, options)
    });
    let lost = report.lost.iter();
    let lost: Vec<_> = lost.map(|loss| (&*loss.what, &*loss.why)).collect();
    for told in [
        (
            "alice",
            "role `denies` denies it something, and is not taken over",
        ),
        (
            "bob",
            "a role of group `g` denies it something, and is not taken over",
        ),
    ] {
        assert!(lost.contains(&told), "{lost:?}");
    }
    let made: Vec<_> = fixture.lines();
    let credentials = made.iter().filter(|line| line.contains(" plain "));
    let credentials: Vec<_> = credentials.collect();
    assert_eq!(credentials, ["carol plain none role=all"]);
}

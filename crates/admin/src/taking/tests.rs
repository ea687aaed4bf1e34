use countersign_core::change::Change;
use countersign_core::store::GateStore as _;
use countersign_core::tenant::{Authentication, DefaultRights, SubscribeMode, Tenant};
use countersign_core::user::GrantedRight;

use super::*;
use crate::check::{TopicCheck, Usage};
use crate::credential::{
    ChangeCredentialRules, CreateCredential, CredentialRuleWarnings, DeleteCredential,
    NewCredential,
};
use crate::fixture::{Fixture, JANE, adding, login_name, new_tenant, scheme_name, tenant_id};
use crate::tenant::{CreateTenant, ReadTenantRights, SetTenant, ShowTenant, TenantChanges};

/// A store whose tenant `home` owns `#` and has a device.
fn household() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.tenant("home", &["#"]).unwrap();
    let lamp = NewCredential::new(tenant_id("home"), "lamp");
    fixture.run(&CreateCredential(lamp)).unwrap();
    fixture
}

fn other(namespaces: &[&str]) -> CreateTenant {
    CreateTenant(new_tenant("other", namespaces))
}

fn wired(tenant: &str) -> CreateCredential {
    of_scheme("vwire", tenant, None)
}

fn of_scheme(scheme: &str, tenant: &str, name: Option<&str>) -> CreateCredential {
    CreateCredential(NewCredential {
        scheme: scheme_name(scheme),
        name: name.map(Into::into),
        ..NewCredential::new(tenant_id(tenant), "")
    })
}

fn taking<C: Command>(command: C) -> TakeFromRest<C> {
    TakeFromRest {
        command,
        taking: Taking::Filtering,
    }
}

fn home(fixture: &mut Fixture) -> Tenant {
    fixture.run(&ShowTenant(tenant_id("home"))).unwrap()
}

/// Who loses what, line by line.
fn losers<C: Plan>(fixture: &mut Fixture, command: C) -> Vec<String> {
    let losers = fixture.run(&PreviewTaking(command)).unwrap();
    let line = |loser: &Loser| {
        let name = loser.name.as_ref().map_or("-", |name| name.as_str());
        let uses = loser
            .loses
            .iter()
            .map(|it| format!("{} {}", it.action, it.filter));
        format!("{name}: {}", uses.collect::<Vec<_>>().join(", "))
    };
    losers.iter().map(line).collect()
}

#[test]
fn one_tenant_owns_the_rest() {
    let mut fixture = household();
    let error = fixture.run(&taking(other(&["#"]))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "namespace `#` overlaps `#` of tenant `home`; a topic has one owner"
    );
}

#[test]
fn a_namespace_is_taken_from_the_rest_only_if_it_may() {
    let mut fixture = household();
    let error = fixture.run(&other(&["plant/#", "x"])).unwrap_err();
    assert!(error.is(ErrorKind::Conflict, Noun::Rest), "{error}");
    assert_eq!(
        error.to_string(),
        "tenant `other` would take `plant/#`, `x` from tenant `home`, which owns `#`"
    );
    assert_eq!(fixture.acts().len(), 2);
    fixture.run(&taking(other(&["plant/#"]))).unwrap();
    assert_eq!(home(&mut fixture).subscribe, SubscribeMode::Filtered);
    assert_eq!(
        fixture.acts()[2..],
        ["tenant.set home", "tenant.create other"]
    );
    // What it owns already it need not take again.
    let set = |add: &str| SetTenant {
        id: tenant_id("other"),
        changes: TenantChanges {
            add_namespaces: vec![TopicFilter::parse(add).unwrap()],
            sys_read: Some(true),
            ..TenantChanges::default()
        },
    };
    let mut changes = set("y");
    changes.changes.add_namespaces.clear();
    fixture.run(&changes).unwrap();
    assert!(fixture.run(&set("y")).is_err());
    fixture.run(&taking(set("y"))).unwrap();
}

#[test]
fn who_owns_the_rest_stays_strict_if_that_is_wanted() {
    let mut fixture = household();
    let command = other(&[]);
    let taking = Taking::KeepingStrict;
    fixture.run(&TakeFromRest { command, taking }).unwrap();
    assert_eq!(home(&mut fixture).subscribe, SubscribeMode::Strict);
}

#[test]
fn who_owns_the_rest_takes_nothing_by_it() {
    let mut fixture = Fixture::new();
    fixture.tenant("other", &[]).unwrap();
    fixture.tenant("home", &["#"]).unwrap();
    let own = SetTenant {
        id: tenant_id("home"),
        changes: TenantChanges {
            add_namespaces: vec![TopicFilter::parse("garden/#").unwrap()],
            ..TenantChanges::default()
        },
    };
    fixture.run(&own).unwrap();
    fixture.run(&wired("home")).unwrap();
    fixture
        .run(&of_scheme("impact", "home", Some("meter")))
        .unwrap();
}

#[test]
fn the_first_credential_of_a_scheme_takes_what_the_scheme_reaches() {
    let mut fixture = household();
    fixture.run(&taking(other(&[]))).unwrap();
    let error = fixture.run(&wired("other")).err().unwrap();
    assert_eq!(
        error.to_string(),
        "tenant `other` would take `vwire/+/#`, `vwire/+/+/#` from tenant `home`, which owns `#`"
    );
    let last = fixture.store.last_change().unwrap();
    let issued = fixture.run(&taking(wired("other"))).unwrap();
    let told = |fixture: &mut Fixture, last| {
        let changes = fixture.store.changes_after(last, 10).unwrap();
        let home = Change::Tenant(tenant_id("home"));
        changes.iter().any(|(_, change)| *change == home)
    };
    assert!(told(&mut fixture, last));
    // The next one takes nothing more, and its end gives nothing back.
    let last = fixture.store.last_change().unwrap();
    let second = fixture.run(&wired("other")).unwrap();
    fixture
        .run(&DeleteCredential(second.described.credential.name))
        .unwrap();
    assert!(!told(&mut fixture, last));
    fixture
        .run(&DeleteCredential(issued.described.credential.name))
        .unwrap();
    assert!(told(&mut fixture, last));
}

#[test]
fn a_scheme_of_any_first_level_and_the_rest_exclude_each_other() {
    let mut fixture = household();
    fixture.run(&taking(other(&[]))).unwrap();
    let impact = || of_scheme("impact", "other", Some("meter"));
    let error = fixture.run(&taking(impact())).err().unwrap();
    assert_eq!(
        error.to_string(),
        "scheme `impact` grants `${attr.token}/#`, by which credentials of tenant `other` could \
         reach namespace `#` of tenant `home`; a topic has one owner"
    );
    let mut fixture = Fixture::new();
    fixture.tenant("other", &[]).unwrap();
    fixture.run(&impact()).unwrap();
    let error = fixture.tenant("home", &["#"]).unwrap_err();
    assert!(error.is(ErrorKind::Conflict, Noun::Scheme), "{error}");
}

#[test]
fn who_administers_a_tenant_takes_nothing_and_is_not_told_from_whom() {
    let mut fixture = household();
    fixture.run(&taking(other(&[]))).unwrap();
    fixture.user(JANE);
    fixture
        .grant(JANE, "other", GrantedRight::OrgAdmin)
        .unwrap();
    let jane = fixture.session_of(JANE);
    let error = fixture.run_by(jane, &taking(wired("other"))).err().unwrap();
    assert!(error.is(ErrorKind::Forbidden, Noun::Caller), "{error}");
    assert!(!error.to_string().contains("home"), "{error}");
    let impact = of_scheme("impact", "other", Some("meter"));
    let error = fixture.run_by(jane, &impact).err().unwrap();
    assert!(!error.to_string().contains("home"), "{error}");
    // Once it is taken, it is the tenant's.
    fixture.run(&taking(wired("other"))).unwrap();
    fixture.run_by(jane, &wired("other")).unwrap();
}

#[test]
fn a_rule_about_what_was_taken_is_written_with_a_warning() {
    let mut fixture = household();
    fixture.run(&taking(other(&[]))).unwrap();
    let mut warnings = |text| {
        let change = ChangeCredentialRules {
            name: login_name("lamp@home"),
            change: adding(text),
        };
        let warnings = fixture.run(&CredentialRuleWarnings(change)).unwrap();
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        warnings("allow publish other/x"),
        [
            "`allow publish other/x` reaches nothing: its topics are not among those of tenant \
             `home`"
        ]
    );
}

#[test]
fn a_check_names_who_owns_a_topic_that_is_not_among_the_rest() {
    let mut fixture = household();
    fixture.run(&taking(other(&[]))).unwrap();
    let mut owner = |usage| {
        let ask = TopicCheck {
            username: Some("lamp@home"),
            client_id: None,
            password: None,
            listener: None,
            usage,
        };
        let answer = fixture.policy_check().topic(&ask).unwrap();
        let wall = answer.wall.unwrap();
        (wall.owner.map(|owner| owner.to_string()), wall.is_in_way)
    };
    let filters = [
        ("other/#", "other", true),
        ("#", "other", false),
        ("x/#", "home", false),
    ];
    for (filter, name, is_in_way) in filters {
        let found = owner(Usage::Subscribe { filter });
        assert_eq!(found, (Some(name.to_owned()), is_in_way), "{filter}");
    }
    for (topic, name, is_in_way) in [("other/x", "other", true), ("x", "home", false)] {
        let found = owner(Usage::Deliver { topic });
        assert_eq!(found, (Some(name.to_owned()), is_in_way), "{topic}");
    }
}

#[test]
fn a_preview_says_who_loses_what_and_changes_nothing() {
    let mut fixture = household();
    let acts = fixture.acts();
    assert_eq!(
        losers(&mut fixture, other(&["plant/#"])),
        ["lamp@home: publish plant/#, subscribe plant/#"]
    );
    assert_eq!(fixture.acts(), acts);
    let open = SetTenant {
        id: tenant_id("home"),
        changes: TenantChanges {
            authentication: Some(Authentication::Optional),
            default_rights: Some(DefaultRights::Nothing),
            ..TenantChanges::default()
        },
    };
    fixture.run(&open).unwrap();
    assert_eq!(
        losers(&mut fixture, other(&["plant/+"])),
        ["-: publish plant/+, subscribe plant/+"]
    );
    let mut fixture = Fixture::new();
    fixture.tenant("home", &["home/#"]).unwrap();
    assert!(losers(&mut fixture, other(&["plant/#"])).is_empty());
}

#[test]
fn what_others_have_of_the_rest_is_told_to_programs_that_know_no_owners() {
    let mut fixture = household();
    fixture.run(&taking(other(&[]))).unwrap();
    fixture.run(&taking(wired("other"))).unwrap();
    // What its own schemes reach does not make that its own by `#`.
    fixture.run(&wired("home")).unwrap();
    let mut others = |tenant| {
        let rights = fixture.run(&ReadTenantRights(tenant_id(tenant))).unwrap();
        let filters = rights.others.iter().map(ToString::to_string);
        filters.collect::<Vec<_>>()
    };
    assert_eq!(others("home"), ["other/#", "vwire/+/#", "vwire/+/+/#"]);
    // `#` is what no other tenant owns.
    assert_eq!(others("other"), [""; 0]);
}

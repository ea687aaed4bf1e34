//! The store that the table is tried on.

use std::sync::Arc;

use super::*;
use crate::credential::{ActOnTarget, Target};

/// An act on many, done to the pump.
pub(super) fn on_pump(act: ManyAct) -> ActOnTarget {
    ActOnTarget {
        act: Arc::new(act),
        selection: Arc::default(),
        target: Target {
            name: login_name("pump@acme"),
            id: None,
        },
    }
}

/// A store that has something of everything.
pub(super) fn furnished() -> Fixture {
    let mut fixture = Fixture::with_admin();
    fixture.tenant("other", &[]).unwrap();
    let changes = TenantChanges {
        name_prefix: Some(Some(login_name("m"))),
        ..TenantChanges::default()
    };
    let id = tenant_id("acme");
    fixture.run(&SetTenant { id, changes }).unwrap();
    for email in [
        "joe@mail.test",
        "gina@mail.test",
        "kate@mail.test",
        "rolf@mail.test",
    ] {
        fixture.user(email);
    }
    let group_admin = Grant {
        tenant: tenant_id("acme"),
        group: group("DM"),
        right: GrantedRight::OrgAdmin,
    };
    for (email, grant) in [
        ("gina@mail.test", group_admin),
        ("joe@mail.test", whole("other", GrantedRight::OrgAdmin)),
        (
            "kate@mail.test",
            whole("acme", GrantedRight::Role(role_name("ops"))),
        ),
        (
            "rolf@mail.test",
            whole("acme", GrantedRight::Role(role_name("ops"))),
        ),
    ] {
        let email = login_name(email);
        fixture.run(&GrantUser { email, grant }).unwrap();
    }
    let pump = NewCredential {
        groups: vec![group("DM.PUMPS").unwrap()],
        client_id_rule: Some(ClientIdRule::FirstUse),
        ..new_credential("pump")
    };
    fixture.run(&CreateCredential(pump)).unwrap();
    fixture.role("pumps").unwrap();
    let held = Assignment {
        tenant: tenant_id("acme"),
        role: role_name("pumps"),
        group: group("DM.PUMPS").unwrap(),
    };
    fixture.run(&AssignRole(held)).unwrap();
    fixture.log_in("pump@acme", "c");
    fixture.application("fleet", Application::default());
    fixture.thing("valve", "fleet").unwrap();
    fixture.token(&[]).unwrap();
    fixture.run(&AddScheme(scheme("mine"))).unwrap();
    let root = NewOperator {
        name: login_name("root"),
        secret: NewSecret::Generated,
        rules: Vec::new(),
    };
    fixture.run(&CreateOperator(root)).unwrap();
    fixture
}

pub(super) fn whole(tenant: &str, right: GrantedRight) -> Grant {
    Grant {
        tenant: tenant_id(tenant),
        group: None,
        right,
    }
}

pub(super) fn mark() -> ImportMark {
    ImportMark {
        source: "csv".into(),
        parts: BTreeSet::new(),
        secret: None,
    }
}

pub(super) fn group(path: &str) -> Option<GroupPath> {
    GroupPath::parse(path).ok()
}

pub(super) fn scheme(name: &str) -> Scheme {
    let text = |text: &str| FieldValue::Text(text.into());
    Scheme::from_fields([
        ("name", text(name)),
        ("login_name", text("suffixed")),
        ("client_id", text("any")),
        ("secret_shape", text("x_[0-9a-f]{32}")),
    ])
    .unwrap()
}

pub(super) fn id_of(fixture: &mut Fixture, name: &LoginName) -> CredentialId {
    use countersign_core::store::Directory as _;
    fixture.store.credential(name).unwrap().unwrap().id
}

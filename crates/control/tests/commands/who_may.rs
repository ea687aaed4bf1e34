//! Who may give commands, and about what.

use countersign_admin::Authority;
use countersign_admin::credential::{CreateCredential, NewCredential};
use countersign_admin::operator::{CreateOperator, NewOperator};
use countersign_admin::secret::NewSecret;
use countersign_core::name::TenantId;
use countersign_core::store::rows::AuditRows as _;
use countersign_core::store::{AdminStore as _, AuditQuery, Intent};
use countersign_core::user::GrantedRight;
use serde_json::{Value, json};

use crate::fixture::{Fixture, chosen, login};

#[test]
fn what_is_another_tenant_s_or_no_client_is_not_there() {
    let mut fixture = Fixture::new();
    let other = TenantId::parse("other").unwrap();
    let new = NewCredential {
        secret: NewSecret::Chosen(chosen()),
        ..NewCredential::new(other, "pump")
    };
    fixture.run(&CreateCredential(new)).unwrap();
    let operator = NewOperator {
        name: login("root"),
        secret: NewSecret::Generated,
        rules: Vec::new(),
    };
    fixture.run(&CreateOperator(operator)).unwrap();
    fixture.user("jane@mail.test", "acme", GrantedRight::OrgAdmin);
    for name in ["pump@other", "root", "jane@mail.test", "", "a\nb", "none"] {
        for command in [
            "getClient",
            "deleteClient",
            "disableClient",
            "setClientId",
            "modifyClient",
        ] {
            let command = json!({ "command": command, "username": name });
            let why = fixture.refused(command.clone());
            assert!(why == "Client not found", "{command}: {why}");
        }
        let password = json!({ "command": "setClientPassword", "username": name,
            "password": "correct horse" });
        let why = fixture.refused(password);
        assert!(why == "Client not found", "{why}");
    }
    let clients = json!({ "totalCount": 0, "clients": [] });
    assert_eq!(
        fixture.done(json!({ "command": "listClients", "verbose": true })),
        clients
    );
}

#[test]
fn who_may_not_is_told_so_and_changes_nothing() {
    let mut fixture = Fixture::new();
    fixture.done(json!({ "command": "createRole", "rolename": "r" }));
    fixture.done(json!({ "command": "createClient", "username": "acme-pump" }));
    let operator = NewOperator {
        name: login("root"),
        secret: NewSecret::Generated,
        rules: Vec::new(),
    };
    fixture.run(&CreateOperator(operator)).unwrap();
    let root = fixture.id_of("root");
    let pump = fixture.id_of("acme-pump");
    let org_admin = fixture.user("jane@mail.test", "acme", GrantedRight::OrgAdmin);
    let viewer = fixture.user("vera@mail.test", "acme", GrantedRight::Viewer);
    let stranger = fixture.user("otto@mail.test", "other", GrantedRight::OrgAdmin);
    let look = json!({ "command": "listRoles" });
    let act = json!({ "command": "deleteRole", "rolename": "r" });
    let plain =
        json!({ "command": "createClient", "username": "x-1", "password": "correct horse" });
    let default = json!({ "command": "setDefaultACLAccess",
        "acls": [{ "acltype": "subscribe", "allow": true }] });
    let nobody = "this session may not do that";
    for (who, refused) in [
        (Authority::Session(root), [nobody; 4]),
        (
            Authority::Session(pump),
            ["`acme-pump` does not administer tenant `acme`"; 4],
        ),
        (
            Authority::Operator(pump),
            ["the caller is not an operator in force"; 4],
        ),
        (stranger, [nobody; 4]),
        (
            viewer,
            [
                "",
                "`vera@mail.test` does not administer tenant `acme`",
                "`vera@mail.test` does not administer tenant `acme`",
                "`vera@mail.test` does not administer tenant `acme`",
            ],
        ),
        (
            org_admin,
            [
                "",
                "",
                "tenant `acme` has no prefix for names of scheme `plain`, so a platform \
                 administrator gives them",
                "`jane@mail.test` is not a platform administrator",
            ],
        ),
        (Authority::Operator(root), ["", "Role not found", "", ""]),
    ] {
        fixture.authority = who;
        for (command, expected) in [&look, &act, &plain, &default].into_iter().zip(refused) {
            let response = fixture.one(command);
            let error = response
                .get("error")
                .and_then(Value::as_str)
                .unwrap_or_default();
            assert_eq!(error, expected, "{who:?}: {command}");
        }
    }
    // Nor is one told which names others have.
    let other = TenantId::parse("other").unwrap();
    let new = NewCredential {
        secret: NewSecret::Chosen(chosen()),
        ..NewCredential::new(other, "pump")
    };
    fixture.run(&CreateCredential(new)).unwrap();
    for name in ["pump@other", "otto@mail.test", "root"] {
        let make = json!({ "command": "createClient", "username": name,
            "password": "correct horse" });
        for who in [viewer, org_admin] {
            fixture.authority = who;
            assert_ne!(fixture.refused(make.clone()), "Client already exists");
        }
        fixture.authority = Authority::Platform;
        let why = fixture.refused(make);
        assert!(
            why == "Client already exists" || why.contains("tenant `other`"),
            "{why}"
        );
    }
    let mut rows = fixture.store.begin(Intent::Read).unwrap();
    let acts = rows.audit(&AuditQuery::default()).unwrap();
    let actors = acts.iter().filter(|row| row.entry.actor == "session:root");
    assert!(actors.count() >= 6);
}

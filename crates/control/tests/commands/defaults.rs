//! What is allowed by default.

use countersign_admin::tenant::ShowTenant;
use countersign_core::role::RoleName;
use countersign_core::tenant::DefaultRights;
use serde_json::json;

use crate::fixture::{Fixture, tenant};

#[test]
fn what_is_allowed_by_default_is_a_role_of_all() {
    let mut fixture = Fixture::new();
    let get = json!({ "command": "getDefaultACLAccess" });
    let shown = |send: bool, subscribe: bool| {
        let acl = |kind: &str, allow: bool| json!({ "acltype": kind, "allow": allow });
        json!({ "acls": [acl("publishClientSend", send), acl("publishClientReceive", true),
            acl("subscribe", subscribe), acl("unsubscribe", true)] })
    };
    assert_eq!(fixture.done(get.clone()), shown(false, false));
    let set = |kind: &str, allow: bool| {
        json!({ "command": "setDefaultACLAccess",
            "acls": [{ "acltype": kind, "allow": allow }, { "acltype": "x", "allow": true }] })
    };
    fixture.done(set("publishClientSend", true));
    fixture.done(set("SUBSCRIBE", true));
    fixture.done(set("unsubscribe", true));
    assert_eq!(fixture.done(get.clone()), shown(true, true));
    assert_eq!(
        fixture.rules("default-access"),
        ["allow publish #", "allow subscribe #"]
    );
    let tenant = fixture.run(&ShowTenant(tenant())).unwrap();
    for roles in [&tenant.default_roles, &tenant.anonymous_roles] {
        let held: Vec<_> = roles.iter().map(RoleName::as_str).collect();
        assert_eq!(held, ["default-access"]);
    }
    // What clients without a login might do already is not taken away.
    assert_eq!(tenant.anonymous_rights, DefaultRights::Namespaces);
    let why = fixture.refused(set("publishClientReceive", false));
    assert!(why.contains("`publishClientReceive` can't be denied by default here"));
    let why = fixture.refused(set("unsubscribe", false));
    assert!(why.contains("`unsubscribe` can't be denied by default here"));
    // It is no role of dynamic-security's.
    let roles = json!({ "totalCount": 0, "roles": [] });
    assert_eq!(fixture.done(json!({ "command": "listRoles" })), roles);
    for command in ["getRole", "deleteRole"] {
        let command = json!({ "command": command, "rolename": "default-access" });
        assert_eq!(fixture.refused(command), "Role not found");
    }
    let none = json!({ "command": "createRole", "rolename": "r", "allowwildcardsubs": false });
    assert!(
        fixture
            .refused(none)
            .contains("SUBSCRIBE is allowed by default")
    );
    let why = fixture.refused(json!({ "command": "setDefaultACLAccess" }));
    assert_eq!(why, "Missing/invalid actions array");
    fixture.done(set("subscribe", false));
    fixture.done(set("publishClientSend", false));
    assert_eq!(fixture.done(get), shown(false, false));
    assert_eq!(fixture.rules("default-access"), [] as [&str; 0]);
}

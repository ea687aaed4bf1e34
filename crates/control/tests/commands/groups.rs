//! Commands on groups, and the group of clients without a login.

use countersign_admin::tenant::ShowTenant;
use serde_json::json;

use crate::fixture::{Fixture, tenant};

#[test]
fn groups_hold_roles_and_clients_and_one_is_of_clients_without_a_login() {
    let mut fixture = Fixture::new();
    let set = json!([
        { "command": "createRole", "rolename": "r1" },
        { "command": "createRole", "rolename": "r2" },
        { "command": "createClient", "username": "pump" },
        { "command": "createGroup", "groupname": "g", "textname": "G",
          "roles": [{ "rolename": "r1", "priority": 2 }] },
        { "command": "addGroupClient", "groupname": "g", "username": "pump", "priority": 4 },
        { "command": "addGroupRole", "groupname": "g", "rolename": "r2", "priority": 3 }
    ]);
    assert!(fixture.all(&set).iter().all(|it| it.get("error").is_none()));
    let get = json!({ "command": "getGroup", "groupname": "g" });
    assert_eq!(
        fixture.done(get.clone()),
        json!({ "group": { "groupname": "g", "textname": "G",
            "clients": [{ "username": "pump" }], "roles": [
                { "rolename": "r2", "priority": 3 }, { "rolename": "r1", "priority": 2 }] } })
    );
    let client = fixture.done(json!({ "command": "getClient", "username": "pump" }));
    assert_eq!(
        client["client"]["groups"],
        json!([{ "groupname": "g", "priority": 4 }])
    );
    for (command, why) in [
        (
            json!({ "command": "createGroup", "groupname": "g" }),
            "Group already exists",
        ),
        (
            json!({ "command": "createGroup", "groupname": "" }),
            "Empty groupname",
        ),
        (
            json!({ "command": "addGroupClient", "groupname": "g", "username": "pump" }),
            "Client is already in this group",
        ),
        (
            json!({ "command": "addGroupClient", "groupname": "g", "username": "none" }),
            "Client not found",
        ),
        (
            json!({ "command": "addGroupRole", "groupname": "g", "rolename": "r1" }),
            "Group is already in this role",
        ),
        (
            json!({ "command": "addGroupRole", "groupname": "none", "rolename": "r1" }),
            "Group not found",
        ),
        (
            json!({ "command": "modifyGroup", "groupname": "g",
                "clients": [{ "username": "none" }] }),
            "'clients' contains an object with a 'username' that does not exist",
        ),
        (
            json!({ "command": "modifyClient", "username": "pump",
                "groups": [{ "groupname": "none" }] }),
            "'groups' contains an object with a 'groupname' that does not exist",
        ),
        (
            json!({ "command": "deleteGroup", "groupname": "none" }),
            "Group not found",
        ),
        (
            json!({ "command": "setAnonymousGroup", "groupname": "none" }),
            "Group not found",
        ),
    ] {
        assert_eq!(fixture.refused(command.clone()), why, "{command}");
    }
    let anonymous = json!({ "command": "getAnonymousGroup" });
    assert_eq!(
        fixture.done(anonymous.clone()),
        json!({ "group": { "groupname": "" } })
    );
    fixture.done(json!({ "command": "setAnonymousGroup", "groupname": "g" }));
    assert_eq!(
        fixture.done(anonymous),
        json!({ "group": { "groupname": "g" } })
    );
    let held = |fixture: &mut Fixture| {
        let roles = fixture.run(&ShowTenant(tenant())).unwrap().anonymous_roles;
        roles.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(held(&mut fixture), ["r1", "r2"]);
    fixture.done(json!({ "command": "removeGroupRole", "groupname": "g", "rolename": "r1" }));
    fixture.done(json!({ "command": "removeGroupRole", "groupname": "g", "rolename": "r1" }));
    assert_eq!(held(&mut fixture), ["r2"]);
    let delete = json!({ "command": "deleteGroup", "groupname": "g" });
    assert_eq!(
        fixture.refused(delete.clone()),
        "Deleting the anonymous group is forbidden"
    );
    fixture.done(json!({ "command": "createGroup", "groupname": "h" }));
    fixture.done(json!({ "command": "setAnonymousGroup", "groupname": "h" }));
    assert_eq!(held(&mut fixture), [] as [&str; 0]);
    fixture.done(json!({ "command": "removeGroupClient", "groupname": "g", "username": "pump" }));
    fixture.done(
        json!({ "command": "modifyGroup", "groupname": "g", "textdescription": "d",
        "roles": [], "clients": [{ "username": "pump" }] }),
    );
    assert_eq!(
        fixture.done(json!({ "command": "listGroups", "verbose": true, "count": 1 })),
        json!({ "totalCount": 2, "groups": [{ "groupname": "g", "textname": "G",
            "textdescription": "d", "clients": [{ "username": "pump" }], "roles": [] }] })
    );
    fixture.done(delete);
    assert_eq!(fixture.refused(get), "Group not found");
    assert_eq!(
        fixture.done(json!({ "command": "listGroups" })),
        json!({ "totalCount": 1, "groups": ["h"] })
    );
    let details = fixture.done(json!({ "command": "getDetails" }));
    assert_eq!(
        (
            &details["clientCount"],
            &details["groupCount"],
            &details["roleCount"]
        ),
        (&json!(1), &json!(1), &json!(2))
    );
}

#[test]
fn a_group_below_another_is_refused_and_both_are_named() {
    let mut fixture = Fixture::new();
    let create = |name: &str| json!({ "command": "createGroup", "groupname": name });
    fixture.done(create("plant.hall"));
    fixture.done(create("plants"));
    for (name, other) in [("plant", "plant.hall"), ("plant.hall.door", "plant.hall")] {
        let why = fixture.refused(create(name));
        let is_named = |name: &str| why.contains(&format!("`{name}`"));
        assert!(is_named(name) && is_named(other), "{why}");
    }
    fixture.done(json!({ "command": "deleteGroup", "groupname": "plant.hall" }));
    fixture.done(create("plant"));
}

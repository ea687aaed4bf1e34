//! Commands on clients.

use countersign_admin::credential::ShowCredential;
use serde_json::{Value, json};

use crate::fixture::{Fixture, login};

#[test]
fn a_client_is_made_shown_changed_and_deleted() {
    let mut fixture = Fixture::new();
    fixture.done(json!({ "command": "createRole", "rolename": "r" }));
    fixture.done(json!({ "command": "createGroup", "groupname": "g" }));
    let create = json!({ "command": "createClient", "username": "pump", "password": "pumps-own",
        "clientid": "c1", "textname": "Pump", "textdescription": "in hall 2",
        "roles": [{ "rolename": "r", "priority": 5 }], "groups": [{ "groupname": "g" }] });
    fixture.done(create.clone());
    let shown = json!({ "client": { "username": "pump", "clientid": "c1", "textname": "Pump",
        "textdescription": "in hall 2", "roles": [{ "rolename": "r", "priority": 5 }],
        "groups": [{ "groupname": "g" }], "connections": [] } });
    let get = json!({ "command": "getClient", "username": "pump" });
    assert_eq!(fixture.done(get.clone()), shown);
    assert_eq!(fixture.refused(create), "Client already exists");
    let credential = fixture
        .run(&ShowCredential(login("pump")))
        .unwrap()
        .credential;
    assert_eq!(credential.client_id_rule.to_string(), "exact:c1");
    assert_eq!(credential.secrets.len(), 1);

    fixture.done(
        json!({ "command": "modifyClient", "username": "pump", "clientid": "",
        "textname": "", "roles": [], "groups": [], "password": "another-one" }),
    );
    fixture.done(json!({ "command": "disableClient", "username": "pump" }));
    fixture.done(json!({ "command": "disableClient", "username": "pump" }));
    let shown = json!({ "client": { "username": "pump", "textdescription": "in hall 2",
        "disabled": true, "roles": [], "groups": [], "connections": [] } });
    assert_eq!(fixture.done(get.clone()), shown);
    let after = fixture
        .run(&ShowCredential(login("pump")))
        .unwrap()
        .credential;
    assert_ne!(after.secrets[0].id, credential.secrets[0].id);
    fixture.done(json!({ "command": "enableClient", "username": "pump" }));
    // The group that it left is still there.
    fixture.done(json!({ "command": "getGroup", "groupname": "g" }));

    let list = json!({ "command": "listClients", "verbose": false, "count": -1, "offset": 0 });
    fixture.done(json!({ "command": "createClient", "username": "a@b@c" }));
    assert_eq!(
        fixture.done(list.clone()),
        json!({ "totalCount": 2, "clients": ["a@b@c", "pump"] })
    );
    let part = json!({ "command": "listClients", "count": 0, "offset": 1 });
    assert_eq!(
        fixture.done(part),
        json!({ "totalCount": 2, "clients": ["pump"] })
    );
    fixture.done(json!({ "command": "deleteClient", "username": "pump" }));
    assert_eq!(fixture.refused(get), "Client not found");
    assert_eq!(
        fixture.done(list),
        json!({ "totalCount": 1, "clients": ["a@b@c"] })
    );
}

#[test]
fn nothing_of_a_client_is_made_where_a_part_of_it_is_refused() {
    let mut fixture = Fixture::new();
    let with = |more: Value| {
        let mut command = json!({ "command": "createClient", "username": "pump" });
        let more = more.as_object().unwrap().clone();
        command.as_object_mut().unwrap().extend(more);
        command
    };
    for (more, why) in [
        (json!({ "username": 7 }), "Invalid/missing username"),
        (json!({ "username": "" }), "Empty username"),
        (json!({ "password": [] }), "Invalid/missing password"),
        (json!({ "clientid": 1 }), "Invalid/missing client id"),
        (json!({ "textname": 1 }), "Invalid/missing textname"),
        (
            json!({ "textdescription": {} }),
            "Invalid/missing textdescription",
        ),
        (
            json!({ "roles": [{ "rolename": "none" }] }),
            "Role not found",
        ),
        (
            json!({ "groups": [{ "groupname": "none" }] }),
            "Group not found",
        ),
        (
            json!({ "roles": [{}] }),
            "'roles' not an array or missing/invalid rolename",
        ),
    ] {
        assert_eq!(fixture.refused(with(more)), why);
        let get = json!({ "command": "getClient", "username": "pump" });
        assert_eq!(fixture.refused(get), "Client not found");
    }
    // Nor what is no name or no password here.
    for more in [
        json!({ "username": "a#b" }),
        json!({ "password": "a\0b" }),
        json!({ "password": "x".repeat(2_000) }),
        json!({ "textname": "a\nb" }),
        json!({ "clientid": "a+b" }),
    ] {
        assert!(!fixture.refused(with(more)).is_empty());
    }
    assert_eq!(
        fixture.done(json!({ "command": "listClients" })),
        json!({ "totalCount": 0, "clients": [] })
    );
}

//! The commands, on a store in memory: what they answer, what they come to here, and who
//! may give them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may"
)]

use countersign_admin::credential::{CreateCredential, NewCredential, ShowCredential};
use countersign_admin::operator::{CreateOperator, NewOperator};
use countersign_admin::password::ChosenPassword;
use countersign_admin::role::{ChangeRoleRules, ShowRole};
use countersign_admin::rule::RuleChange;
use countersign_admin::secret::NewSecret;
use countersign_admin::tenant::{CreateTenant, NewTenant, ShowTenant};
use countersign_admin::user::{CreateUser, GrantUser};
use countersign_admin::{Authority, Caller, Command, Context, OsRandom, run};
use countersign_control::answer;
use countersign_core::credential::CredentialId;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::rule::{Action, Pattern, Rule};
use countersign_core::secret::Argon2Params;
use countersign_core::store::rows::{AuditRows as _, CredentialRows as _};
use countersign_core::store::{AdminStore as _, AuditQuery, Intent, Settings};
use countersign_core::time::Timestamp;
use countersign_core::user::{Grant, GrantedRight};
use countersign_testkit::MemoryStore;
use serde_json::{Value, json};

struct Fixture {
    store: MemoryStore,
    authority: Authority,
}

fn tenant() -> TenantId {
    TenantId::parse("acme").unwrap()
}

fn login(name: &str) -> LoginName {
    LoginName::parse(name).unwrap()
}

fn chosen() -> ChosenPassword {
    ChosenPassword::parse(b"correct horse battery".to_vec()).unwrap()
}

impl Fixture {
    fn new() -> Self {
        let settings = Settings {
            argon2: Argon2Params::CHEAPEST,
            ..Settings::default()
        };
        let mut fixture = Self {
            store: MemoryStore::new(&settings),
            authority: Authority::Platform,
        };
        for id in ["acme", "other"] {
            let id = TenantId::parse(id).unwrap();
            fixture.run(&CreateTenant(NewTenant::new(id))).unwrap();
        }
        fixture
    }

    fn context<'a>(authority: Authority, random: &'a mut OsRandom) -> Context<'a> {
        Context {
            now: Timestamp::from_millis(1_700_000_000_000),
            caller: Caller {
                actor: "session:root",
                authority,
            },
            random,
        }
    }

    fn run<C: Command>(&mut self, command: &C) -> Result<C::Output, String> {
        let mut random = OsRandom;
        let mut context = Self::context(Authority::Platform, &mut random);
        run(&mut self.store, &mut context, command).map_err(|error| error.to_string())
    }

    /// The answer to a payload.
    fn raw(&mut self, payload: &[u8]) -> String {
        let mut random = OsRandom;
        let mut context = Self::context(self.authority, &mut random);
        let answer = answer(&mut self.store, &mut context, &tenant(), payload);
        String::from_utf8(answer).unwrap()
    }

    /// The responses to commands.
    fn all(&mut self, commands: &Value) -> Vec<Value> {
        let payload = json!({ "commands": commands }).to_string();
        let answer: Value = serde_json::from_str(&self.raw(payload.as_bytes())).unwrap();
        answer["responses"].as_array().unwrap().clone()
    }

    /// The response to one command.
    fn one(&mut self, command: &Value) -> Value {
        let mut responses = self.all(&json!([command]));
        assert_eq!(responses.len(), 1);
        responses.remove(0)
    }

    /// Gives a command that is carried out; returns its data.
    fn done(&mut self, command: Value) -> Value {
        let response = self.one(&command);
        assert_eq!(response.get("error"), None, "{command}: {response}");
        response["data"].clone()
    }

    /// Gives a command that is refused; returns why.
    fn refused(&mut self, command: Value) -> String {
        let response = self.one(&command);
        let error = response["error"].as_str();
        error
            .unwrap_or_else(|| panic!("{command}: {response}"))
            .to_owned()
    }

    fn id_of(&mut self, name: &str) -> CredentialId {
        let mut rows = self.store.begin(Intent::Read).unwrap();
        rows.credential(&login(name)).unwrap().unwrap().id
    }

    /// The rules of a role here.
    fn rules(&mut self, role: &str) -> Vec<String> {
        let shown = self.run(&ShowRole {
            tenant: tenant(),
            name: RoleName::parse(role).unwrap(),
        });
        let rules = shown.unwrap().role.rules;
        rules.iter().map(|it| it.rule.to_string()).collect()
    }

    /// A user who may do this in tenants.
    fn user(&mut self, email: &str, tenant: &str, right: GrantedRight) -> Authority {
        let email = login(email);
        self.run(&CreateUser::new(email.clone(), chosen())).unwrap();
        let grant = Grant {
            tenant: TenantId::parse(tenant).unwrap(),
            right,
            group: None,
        };
        let name = email.to_string();
        self.run(&GrantUser { email, grant }).unwrap();
        let id = self.id_of(&name);
        Authority::Session(id)
    }
}

#[test]
fn what_is_no_message_is_told_so() {
    let mut fixture = Fixture::new();
    let unknown = |why: &str| {
        json!({ "responses": [{ "command": "Unknown command", "error": why }] }).to_string()
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for payload in [
        "",
        "{",
        "nul",
        "\u{1}",
        &deep,
        "{\"a\":1,\"A\":2,\"commands\":[]}",
    ] {
        let answer = fixture.raw(payload.as_bytes());
        assert_eq!(answer, unknown("Payload not valid JSON"), "{payload:.20}");
    }
    let not_utf8 = b"{\"commands\":[{\"command\":\"\xff\"}]}";
    assert_eq!(fixture.raw(not_utf8), unknown("Payload not valid JSON"));
    for payload in ["[]", "{}", "7", r#"{"commands":{}}"#] {
        let answer = fixture.raw(payload.as_bytes());
        assert_eq!(answer, unknown("Invalid/missing commands"), "{payload}");
    }
    let many = format!(r#"{{"commands":[{}0]}}"#, "0,".repeat(256));
    let why = "a message has at most 256 commands here; send several messages";
    assert_eq!(fixture.raw(many.as_bytes()), unknown(why));
    let very_many = format!(r#"{{"commands":[{}0]}}"#, "0,".repeat(100_000));
    assert_eq!(
        fixture.raw(very_many.as_bytes()),
        unknown("Payload not valid JSON")
    );
    let long = format!(r#"{{"commands":["{}"]}}"#, "x".repeat(300_000));
    assert_eq!(
        fixture.raw(long.as_bytes()),
        unknown("the message is longer than 262144 bytes")
    );
}

#[test]
fn commands_run_one_by_one_and_what_is_no_command_ends_the_message() {
    let mut fixture = Fixture::new();
    let payload = br#"{"commands":[{"command":"CREATEROLE","rolename":"r","correlationData":"1"},
        {"command":"getrole","rolename":"none","correlationData":"2"},
        {"command":"nothing","correlationData":"3"},
        {"Command":"LISTROLES","other":[]},7,{"command":"deleteRole","rolename":"r"}]}"#;
    assert_eq!(
        fixture.raw(payload),
        concat!(
            r#"{"responses":[{"command":"CREATEROLE","correlationData":"1"},"#,
            r#"{"command":"getRole","error":"Role not found","correlationData":"2"},"#,
            r#"{"command":"nothing","error":"Unknown command","correlationData":"3"},"#,
            r#"{"command":"listRoles","data":{"totalCount":1,"roles":["r"]}},"#,
            r#"{"command":"Unknown command","error":"Command not an object"}]}"#
        )
    );
    for (commands, last) in [
        (
            json!([{}]),
            json!({ "command": "Unknown command", "error": "Missing command" }),
        ),
        (
            json!([{ "command": "listRoles", "correlationData": 7 }, { "command": "listRoles" }]),
            json!({ "command": "listRoles", "error": "Invalid correlationData data type." }),
        ),
    ] {
        assert_eq!(fixture.all(&commands), [last]);
    }
}

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
            acl("unsubscribePattern", "#", 0, false),
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
        acls.push(acl("unsubscribePattern", "#", 0, false));
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
fn what_is_allowed_by_default_is_a_role_of_all() {
    let mut fixture = Fixture::new();
    let get = json!({ "command": "getDefaultACLAccess" });
    let shown = |send: bool, subscribe: bool, unsubscribe: bool| {
        let acl = |kind: &str, allow: bool| json!({ "acltype": kind, "allow": allow });
        json!({ "acls": [acl("publishClientSend", send), acl("publishClientReceive", true),
            acl("subscribe", subscribe), acl("unsubscribe", unsubscribe)] })
    };
    assert_eq!(fixture.done(get.clone()), shown(false, false, true));
    let set = |kind: &str, allow: bool| {
        json!({ "command": "setDefaultACLAccess",
            "acls": [{ "acltype": kind, "allow": allow }, { "acltype": "x", "allow": true }] })
    };
    fixture.done(set("publishClientSend", true));
    fixture.done(set("SUBSCRIBE", true));
    fixture.done(set("unsubscribe", false));
    assert_eq!(fixture.done(get.clone()), shown(true, true, false));
    assert_eq!(
        fixture.rules("default-access"),
        ["allow publish #", "allow subscribe #"]
    );
    let why = fixture.refused(set("publishClientReceive", false));
    assert!(why.contains("`publishClientReceive` can't be denied by default here"));
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
    assert_eq!(fixture.done(get), shown(false, false, false));
    assert_eq!(fixture.rules("default-access"), [] as [&str; 0]);
}

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

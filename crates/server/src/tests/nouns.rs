//! The lives of the other nouns, as requests and what they are answered with.

use serde_json::{Value, json};

use crate::fixture::Server;

/// Sends requests, a line each: `METHOD PATH BODY? => STATUS SOME_OF_THE_ANSWER?`. A
/// path is one below `/api/v1`. What begins with `#` says why.
pub(super) fn live(server: &Server, steps: &str) {
    let steps = steps.lines().map(str::trim);
    for step in steps.filter(|step| !step.is_empty() && !step.starts_with('#')) {
        let (request, answer) = step.split_once(" => ").expect(step);
        let read = |json: &str| serde_json::from_str::<Value>(json).expect(step);
        let mut parts = request.splitn(3, ' ');
        let (method, path) = (parts.next().unwrap(), parts.next().unwrap());
        let path = format!("/api/v1/{path}");
        let reply = server.ask(method, &path, parts.next().map(read), &[]);
        let (status, expected) = answer.split_once(' ').unwrap_or((answer, "{}"));
        assert_eq!(reply.status.to_string(), status, "{step}: {reply:?}");
        for (key, value) in read(expected).as_object().unwrap() {
            assert_eq!(&reply.body[key], value, "{step}: {key} of {reply:?}");
        }
        if status == "201" {
            let place = reply.header("location").unwrap();
            assert!(place.starts_with("/api/v1/"), "{place}");
        }
    }
}

/// The shared service, with a tenant for one test alone.
pub(super) fn with_tenant(id: &str) -> &'static Server {
    let server = Server::shared();
    server
        .post("/api/v1/tenants", json!({ "id": id }))
        .with(201);
    server
}

#[test]
fn a_role_is_made_given_rules_and_groups_and_deleted() {
    let server = with_tenant("n-roles");
    let steps = r#"
        POST credentials {"name":"dev1","tenant":"n-roles","groups":["DM.X"]} => 201
        POST ROLES {"name":"ops","description":"maintenance"} => 201 {"name":"ops","no_wildcards":false,"rules":[]}
        POST ROLES {"name":"ops"} => 409 {"kind":"exists"}
        POST ROLES {"name":"o p s"} => 422 {"kind":"invalid"}
        GET ROLES => 200 {"next":null}
        GET ROLES?after=ops => 200 {"items":[]}
        PATCH ROLES/ops {"no_wildcards":true} => 200 {"no_wildcards":true}
        POST ROLES/ops/rules {"effect":"deny","action":"publish","pattern":"n-roles/x","max_qos":null} => 201 {"name":"ops"}
        POST ROLES/ops/rules {"effect":"deny","action":"publish","pattern":"n-roles/x"} => 409 {"kind":"exists"}
        POST ROLES/ops/rules {"effect":"allow","action":"both","pattern":"n-roles/y","group":"DM"} => 201
        PUT ROLES/ops/groups/DM?dry_run=true => 200 {"next":null}
        GET ROLES/ops => 200 {"groups":[]}
        PUT ROLES/ops/groups/DM => 200 {"groups":["DM"]}
        DELETE ROLES/ops/rules?action=publish&pattern=n-roles/x&dry_run=true => 200
        DELETE ROLES/ops/rules?action=publish&pattern=n-roles/x => 204
        DELETE ROLES/ops/rules?action=publish&pattern=n-roles/x => 404 {"kind":"not-found"}
        DELETE ROLES/ops/rules?action=both&pattern=n-roles/y&group=DM => 204
        DELETE ROLES/ops => 409 {"kind":"in-use"}
        DELETE ROLES/ops/groups/DM?dry_run=true => 200
        DELETE ROLES/ops/groups/DM => 204
        DELETE ROLES/ops => 204
        GET ROLES/ops => 404 {"kind":"not-found"}
        GET tenants/nonsense/roles => 404
    "#;
    live(server, &steps.replace("ROLES", "tenants/n-roles/roles"));
}

#[test]
fn limits_are_put_shown_and_taken_away() {
    let server = with_tenant("n-limits");
    let steps = r#"
        POST credentials {"name":"dev1","tenant":"n-limits"} => 201
        POST tenants/n-limits/roles {"name":"ops"} => 201
        GET tenants/n-limits/limits => 200 {"tenant":"n-limits","role":null,"name":null,"payload":null,"share":null}
        PUT tenants/n-limits/limits {"connections":500,"bytes_per_second":1000000,"share":25} => 200 {"connections":500,"share":25}
        # What is not said any more is not limited.
        PUT tenants/n-limits/limits {"messages_per_second":1000,"payload":null} => 200 {"connections":null,"messages_per_second":1000,"share":null}
        GET tenants/n-limits/limits => 200 {"messages_per_second":1000,"bytes_per_second":null}
        PUT tenants/n-limits/roles/ops/limits {"connections":2} => 200 {"role":"ops","tenant":"n-limits","connections":2}
        GET tenants/n-limits/roles/ops/limits => 200 {"connections":2}
        PUT tenants/n-limits/roles/ops/limits {"share":10} => 422 {"kind":"invalid"}
        PUT credentials/dev1@n-limits/limits {"payload":4096} => 200 {"name":"dev1@n-limits","tenant":null,"payload":4096}
        PUT credentials/dev1@n-limits/limits {"payload":0} => 422 {"kind":"invalid"}
        PUT credentials/dev1@n-limits/limits {"payload":-1} => 422
        PUT credentials/dev1@n-limits/limits {"topics":1} => 422
        PUT tenants/n-limits/limits {"share":101} => 422 {"kind":"invalid"}
        GET credentials/dev1@n-limits/limits => 200 {"payload":4096}
        DELETE credentials/dev1@n-limits/limits => 204
        GET credentials/dev1@n-limits/limits => 200 {"payload":null}
        DELETE tenants/n-limits/roles/ops/limits => 204
        DELETE tenants/n-limits/limits => 204
        GET tenants/n-limits/limits => 200 {"messages_per_second":null}
        GET credentials/none@n-limits/limits => 404 {"kind":"not-found"}
        PUT tenants/n-limits/roles/none/limits {"payload":1} => 404
    "#;
    live(server, steps);
}

#[test]
fn a_ban_is_made_listed_and_lifted() {
    let server = with_tenant("n-bans");
    let banned = json!({"client_id": "pump-7", "tenant": "n-bans", "reason": "noisy"});
    let made = server.post("/api/v1/bans", banned).with(201);
    let id = made.body["id"].as_i64().unwrap();
    let steps = r#"
        POST bans {"address":"192.0.2.0/24","until":"2100-01-01T00:00:00Z"} => 201 {"address":"192.0.2.0/24","tenant":null}
        GET bans?tenant=n-bans => 200 {"next":null}
        POST check {"check":"connect","username":"x@n-bans","client_id":"pump-7"} => 200 {"reason":"banned"}
        POST check {"check":"connect","username":"x@n-bans","client_id":"c","address":"192.0.2.7"} => 200 {"reason":"banned"}
        DELETE bans/ID => 204
        DELETE bans/ID => 404 {"kind":"not-found"}
        DELETE bans/x => 404
        POST bans {} => 422 {"kind":"invalid"}
        POST bans {"address":"192.0.2.7","tenant":"n-bans"} => 422 {"kind":"invalid"}
        POST bans {"address":"192.0.2.7/24"} => 422 {"kind":"invalid"}
        POST bans {"client_id":"c","until":"2000-01-01T00:00:00Z"} => 422 {"kind":"invalid"}
        # The asker comes from there.
        POST bans {"address":"127.0.0.1"} => 409 {"kind":"in-use"}
        POST bans {"client_id":"c","tenant":"nonsense"} => 404 {"kind":"not-found"}
        GET bans?tenant=nonsense => 404
    "#;
    live(server, &steps.replace("bans/ID", &format!("bans/{id}")));
}

#[test]
fn an_application_and_its_things_are_made_and_deleted() {
    let server = with_tenant("n-apps");
    let steps = r#"
        POST T/applications {"name":"fleet"} => 201 {"name":"fleet","tenant":"n-apps"}
        POST T/applications {"name":"fleet"} => 409 {"kind":"exists"}
        POST T/applications {"name":"x","max":5} => 422 {"kind":"invalid"}
        POST T/applications {"name":"x","auto_register":true,"max":0} => 422
        POST T/applications {"name":"factory","auto_register":true,"max":5,"pattern":"f-*"} => 201
        GET T/applications?limit=1 => 200 {"next":"factory"}
        GET T/applications?after=factory => 200 {"next":null}
        GET T/applications/fleet => 200 {"name":"fleet","auto_register":false}
        POST T/applications/fleet/rotate {"overlap":"24h"} => 200 {"name":"fleet"}
        # While one overlap runs, another is refused.
        POST T/applications/fleet/rotate {"overlap":"24h"} => 409 {"kind":"conflict"}
        POST T/things {"key":"n-pump","application":"fleet"} => 201 {"key":"n-pump","application":"fleet","app_id_bound":false}
        POST T/things {"key":"n-pump","application":"fleet"} => 409
        POST T/things {"key":"n-x","application":"nonsense"} => 404
        GET T/things?application=fleet => 200 {"next":null}
        GET T/things/n-pump => 200 {"key":"n-pump"}
        POST T/things/n-pump/untie => 409 {"kind":"conflict"}
        DELETE T/things/n-pump => 204
        GET T/things/n-pump => 404
        DELETE T/applications/fleet => 204
        GET T/applications/fleet => 404
    "#;
    live(server, &steps.replace(" T/", " tenants/n-apps/"));
}

#[test]
fn an_operator_is_made_given_rules_and_acted_on_as_credentials_are() {
    live(
        Server::shared(),
        r#"
        POST operators {"name":"n-bridge","publish":["a/#"]} => 201 {"name":"n-bridge","warnings":[]}
        POST operators {"name":"n-bridge"} => 409
        POST operators {"name":"a@b"} => 422
        GET operators?limit=1000 => 200 {"next":null}
        PATCH operators/n-bridge {"description":"to Lyon"} => 200 {"description":"to Lyon"}
        PATCH operators/n-bridge {"description":null} => 200 {"description":null}
        POST operators/n-bridge/rules {"effect":"allow","action":"subscribe","pattern":"$SYS/#"} => 201 {"name":"n-bridge"}
        DELETE operators/n-bridge/rules?action=publish&pattern=a/%23 => 204
        POST credentials/n-bridge/suspend => 200 {"state":"Suspended"}
        POST credentials/n-bridge/reset-password => 200 {"username":"n-bridge"}
        GET operators/n-bridge => 200 {"state":"Suspended"}
        # It is no credential of a tenant.
        GET credentials/n-bridge => 404 {"kind":"not-found"}
        DELETE operators/n-bridge => 204
        GET operators/n-bridge => 404
        "#,
    );
}

#[test]
fn a_user_is_made_granted_something_and_deleted() {
    let server = with_tenant("n-users");
    let steps = r#"
        POST users {"email":"N-Jane@mail.test","password":"correct horse"} => 201 {"email":"n-jane@mail.test","grants":[]}
        POST users {"email":"n-jane@mail.test","password":"x"} => 409
        POST users {"email":"nonsense @","password":"x"} => 422
        GET users?limit=1000 => 200 {"next":null}
        PUT JANE/grants/n-users {"org_admin":true,"group":"DM"} => 200
        PUT JANE/grants/n-users {"org_admin":true,"role":"x"} => 422
        PUT JANE/grants/n-users {"role":"nonsense"} => 404
        PUT JANE/grants/nonsense {"org_admin":true} => 404
        GET users?tenant=n-users&limit=1 => 200 {"next":null}
        GET users?tenant=n-users&after=nonsense => 422
        GET users?tenant=nonsense => 404
        DELETE JANE/grants/n-users => 204
        DELETE JANE/grants/n-users => 404
        GET users?tenant=n-users => 200 {"items":[],"next":null}
        POST JANE/reset-password {"password":"battery staple"} => 200
        POST JANE/unlock => 404
        POST JANE/mfa/disable => 404
        # There is no key file to seal the seed with.
        POST JANE/mfa/enrol => 503 {"kind":"unavailable"}
        POST JANE/mfa/confirm {"code":"123456"} => 404
        DELETE JANE => 204
        GET JANE => 404
    "#;
    live(server, &steps.replace("JANE", "users/n-jane@mail.test"));
}

#[test]
fn a_scheme_is_shown_added_and_removed() {
    let server = Server::shared();
    let mut own = server.get("/api/v1/schemes/vwire").with(200).body;
    own["name"] = json!("n-own");
    let steps = r#"
        GET schemes => 200 {"next":null}
        POST schemes OWN => 201 {"name":"n-own"}
        POST schemes OWN => 409 {"kind":"exists"}
        POST schemes {"name":"n-x"} => 422
        POST schemes {"name":{"x":1}} => 422
        DELETE schemes/n-own => 204
        DELETE schemes/vwire => 422
        GET schemes/n-own => 404
    "#;
    live(server, &steps.replace("OWN", &own.to_string()));
}

#[test]
fn settings_are_shown_and_changed() {
    live(
        &Server::start(),
        r#"
        GET settings => 200 {"client_id_hold":"30d"}
        PATCH settings {"client_id_hold":"7d","rehash":false} => 200 {"client_id_hold":"7d","rehash":false}
        PATCH settings {} => 200 {"client_id_hold":"7d"}
        PATCH settings {"argon2":"m=1"} => 422
        PATCH settings {"rehash":null} => 422
        PATCH settings {"auto_ban":"20/10m:1h"} => 200 {"auto_ban":"20/10m:1h","client_id_hold":"7d"}
        PATCH settings {"auto_ban":"20/10m"} => 422
        PATCH settings {"auto_ban":"off"} => 200 {"auto_ban":"off"}
        "#,
    );
}

#[test]
fn tokens_need_an_issuer_who_administers_the_tenant() {
    let server = with_tenant("n-jwts");
    server.make_key_file();
    live(
        server,
        r#"
        GET jwts?tenant=n-jwts => 200 {"items":[],"next":null}
        GET jwts?after=nonsense => 422
        # The platform is nobody in particular.
        POST jwts {"tenant":"n-jwts","role":"ops","whoami":"report"} => 422 {"kind":"invalid"}
        POST jwts {"tenant":"n-jwts","role":"ops","whoami":"report","as":"nobody@mail.test"} => 404
        POST jwts {"tenant":"n-jwts","role":"ops","whoami":"report","ttl":"25h"} => 422
        DELETE jwts/00112233445566778899aabbccddeeff => 404
        POST tenants/n-jwts/rotate-key => 200 {"tenant":"n-jwts","old_key_until":null}
        POST tenants/n-jwts/rotate-key {"overlap":"1h"} => 200 {"tenant":"n-jwts"}
        POST tenants/n-jwts/rotate-key {"overlap":"soon"} => 422
        POST tenants/nowhere/rotate-key => 404
        GET tenants/n-jwts/keys => 200 {"next":null}
        GET tenants/nowhere/keys => 404
        POST jwts/revoke {} => 422
        POST jwts/revoke {"issuer":"jane@mail.test","key":"k-0011223344556677"} => 422
        POST jwts/revoke {"key":"k-0011223344556677","tenant":"n-jwts"} => 422
        POST jwts/revoke {"key":"k-0011223344556677"} => 404
        POST jwts/revoke {"issuer":"nobody@mail.test"} => 404
        "#,
    );
}

#[test]
fn where_nobody_is_connected_nobody_is_listed_or_kicked() {
    live(
        Server::shared(),
        r#"
        GET clients => 200 {"items":[],"next":null}
        GET clients?after=nonsense => 422
        GET clients/count => 200 {"connected":0}
        GET clients?tenant=nonsense => 404
        DELETE clients/broker:17 => 404 {"kind":"not-found"}
        POST clients/sensor/release => 404
        "#,
    );
}

#[test]
fn what_is_called_like_a_path_is_reached_all_the_same() {
    let server = Server::start();
    server
        .post("/api/v1/tenants", json!({ "id": "acme" }))
        .with(201);
    let bulk = json!({ "name": "bulk", "tenant": "acme", "scheme": "plain" });
    let made = server.post("/api/v1/credentials", bulk).with(201);
    let place = made.header("location").unwrap();
    assert_eq!(place, "/api/v1/credentials/bulk");
    let shown = server.get(place).with(200);
    assert_eq!(shown.body["name"], "bulk");
    let changed = server.patch(place, json!({ "description": "x" })).with(200);
    assert_eq!(changed.body["description"], "x");
    let act = json!({ "act": "suspend", "names": ["bulk"] });
    assert_eq!(server.post(place, act).with(200).body["done"], 1);
    server.delete(place).with(204);
    server.get(place).with(404).is("not-found");
    // A client id may be such a word, too.
    server
        .delete("/api/v1/clients/count")
        .with(404)
        .is("not-found");
    server.get("/api/v1/clients/count").with(200);
    let put = server.ask("PUT", place, None, &[]).with(405);
    assert_eq!(put.header("allow"), Some("POST,GET,HEAD,PATCH,DELETE"));
}

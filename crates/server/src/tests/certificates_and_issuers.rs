//! Certificates, authorities and issuers of others, which prove who a client is.

use countersign_certificate::{certificate_of_pem, read};
use countersign_core::issuer::{IssuerRecord, IssuerText};
use countersign_core::ledger::Ledger as _;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::registrar::{Registrar, new_device};
use countersign_core::role::RoleName;
use countersign_core::store::{Directory as _, Registered};
use serde_json::{Value, json};

use crate::call::now;
use crate::fixture::Server;
use crate::tests::nouns::{live, with_tenant};
use crate::tests::store::wait_until;

/// The certificate of an authority, and its fingerprint.
pub(crate) fn certificate(label: &str) -> (String, String) {
    let all = include_str!("../../../certificate/tests/signed.pem");
    let label = format!("\n{label}:\n");
    let (_, pem) = all.split_once(&label).unwrap();
    let (pem, _) = pem.split_once("-----END CERTIFICATE-----").unwrap();
    let pem = format!("{pem}-----END CERTIFICATE-----\n");
    let (fingerprint, _) = read(&certificate_of_pem(&pem).unwrap()).unwrap();
    (pem, fingerprint.to_string())
}

/// An issuer, as it is added.
pub(crate) fn issuer(tenant: &str, name: &str) -> Value {
    json!({
        "name": name,
        "tenant": tenant,
        "iss": format!("https://{name}.example"),
        "audience": "mqtt",
        "alg": ["EdDSA"],
        "jwks": serde_json::from_str::<Value>(JWKS).unwrap(),
    })
}

#[test]
fn a_certificate_is_added_listed_and_removed() {
    let server = with_tenant("n-certs");
    let (pem, fingerprint) = certificate("p256");
    let steps = r#"
        POST credentials {"name":"dev1","tenant":"n-certs"} => 201
        POST credentials {"name":"dev2","tenant":"n-certs"} => 201
        GET DEV1 => 200 {"items":[],"next":null}
        POST DEV1 {"pem":PEM,"until":"2000-01-01T00:00:00Z"} => 422 {"kind":"invalid"}
        POST DEV1 {"pem":PEM} => 201 {"fingerprint":"ITS","name":"dev1@n-certs","until":null}
        POST DEV1 {"pem":PEM} => 409 {"kind":"exists"}
        POST DEV2 {"pem":PEM} => 409 {"kind":"exists"}
        POST DEV1 {"fingerprint":"OTHER","until":"2100-01-01T00:00:00Z"} => 201 {"fingerprint":"OTHER","not_after":null}
        POST DEV1 {} => 422 {"kind":"invalid"}
        POST DEV1 {"pem":PEM,"fingerprint":"OTHER"} => 422
        POST DEV1 {"pem":"hello"} => 422
        POST DEV1 {"pem":"-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----"} => 422 {"detail":"`pem`: it is no X.509 certificate in DER"}
        POST DEV1 {"fingerprint":"0a"} => 422
        DELETE DEV2/ITS => 404 {"kind":"not-found"}
        DELETE DEV1/ITS => 204
        DELETE DEV1/ITS => 404 {"kind":"not-found"}
        DELETE DEV1/nonsense => 404
        GET credentials/nobody@n-certs/certificates => 404
    "#;
    let steps = steps
        .replace("DEV1", "credentials/dev1@n-certs/certificates")
        .replace("DEV2", "credentials/dev2@n-certs/certificates")
        .replace("OTHER", &"0b".repeat(32))
        .replace("ITS", &fingerprint)
        .replace(":PEM", &format!(":{}", json!(pem)));
    live(server, &steps);
    let left = server.get("/api/v1/credentials/dev1@n-certs/certificates");
    let left = left.with(200).body["items"].clone();
    assert_eq!(left.as_array().unwrap().len(), 1, "{left}");
}

#[test]
fn an_authority_is_added_listed_shown_and_removed() {
    let server = with_tenant("n-cas");
    let mut all = ["p256", "p384"].map(certificate);
    all.sort_by(|one, other| one.1.cmp(&other.1));
    let [(first, one), (second, two)] = all;
    let steps = r#"
        POST authorities {"tenant":"n-cas","pem":SECOND,"identity":"cn"} => 201 {"fingerprint":"TWO","tenant":"n-cas","identity":"cn","pattern":"${name}"}
        POST authorities {"tenant":"n-cas","pem":SECOND,"identity":"cn"} => 409 {"kind":"exists"}
        POST authorities {"tenant":"n-cas","pem":FIRST,"identity":"san-uri","pattern":"urn:dev:${name}"} => 201 {"pattern":"urn:dev:${name}"}
        POST authorities {"tenant":"n-cas","pem":FIRST,"identity":"email"} => 422 {"kind":"invalid"}
        POST authorities {"tenant":"n-cas","pem":FIRST,"identity":"cn","pattern":"x"} => 422
        POST authorities {"tenant":"n-cas","pem":"hello","identity":"cn"} => 422
        POST authorities {"tenant":"n-cas","pem":WEAK,"identity":"cn"} => 422
        POST authorities {"tenant":"n-cas","identity":"cn"} => 422
        POST authorities {"tenant":"nonsense","pem":FIRST,"identity":"cn"} => 404
        # By their fingerprints, part by part.
        GET authorities?tenant=n-cas&limit=1 => 200 {"next":"ONE"}
        GET authorities?tenant=n-cas&after=ONE => 200 {"next":null}
        GET authorities?tenant=n-cas&after=TWO => 200 {"items":[],"next":null}
        GET authorities?tenant=n-cas&after=nonsense => 422
        GET authorities?tenant=nonsense => 404
        GET authorities/ONE => 200 {"fingerprint":"ONE"}
        GET authorities/nonsense => 404
    "#;
    let steps = steps
        .replace("ONE", &one)
        .replace("TWO", &two)
        .replace("FIRST", &json!(first).to_string())
        .replace("SECOND", &json!(second).to_string())
        .replace("WEAK", &json!(certificate("rsa1024").0).to_string());
    live(server, &steps);
    let behind = server.get(&format!("/api/v1/authorities?tenant=n-cas&after={one}"));
    let behind = behind.with(200).body["items"].clone();
    assert_eq!(behind[0]["fingerprint"], two.as_str());
    assert_eq!(behind.as_array().unwrap().len(), 1, "{behind}");
    let path = format!("/api/v1/authorities/{one}");
    let tag = server.get(&path).with(200);
    let tag = tag.header("etag").unwrap();
    let remove = |tag: &str| server.ask("DELETE", &path, None, &[("If-Match", tag)]);
    remove("\"another\"").with(412).is("precondition-failed");
    remove(tag).with(204);
    remove(tag).with(404).is("not-found");
}

#[test]
fn an_issuer_is_added_given_other_keys_and_removed() {
    let server = with_tenant("n-iss");
    let new = |more: Value| {
        let mut new = issuer("n-iss", "n-sso");
        let members = more.as_object().unwrap().clone();
        new.as_object_mut().unwrap().extend(members);
        new.to_string()
    };
    let with_roles = new(json!({ "role_claim": "roles", "role_map": { "operator": "ops" } }));
    let registering = new(json!({
        "name": "n-reg", "audience": "reg", "auto_register": true, "role": "ops", "max": 5,
    }));
    let with_pem = json!({ "jwks": null, "pem": ED25519, "name": "n-pem", "audience": "pem" });
    let steps = r#"
        POST issuers WITHROLES => 404 {"kind":"not-found"}
        POST tenants/n-iss/roles {"name":"ops"} => 201
        POST issuers WITHROLES => 201 {"name":"n-sso","alg":["EdDSA"],"identity":"sub","role_map":{"operator":"ops"},"keys":[{"kid":"key-1","alg":"EdDSA"}]}
        POST issuers WITHROLES => 409 {"kind":"exists"}
        POST issuers REGISTERING => 201 {"auto_register":true,"role":"ops","max":5,"registered":0}
        DELETE issuers/n-reg => 204
        POST issuers WITHPEM => 201 {"name":"n-pem","role_claim":null,"keys":[{"kid":null,"alg":"EdDSA"}]}
        GET issuers?tenant=n-iss&limit=1 => 200 {"next":"n-pem"}
        GET issuers?tenant=n-iss&after=n-sso => 200 {"items":[],"next":null}
        GET issuers?tenant=nonsense => 404
        GET issuers/n-sso => 200 {"iss":"https://n-sso.example"}
        PATCH issuers/n-sso {} => 200 {"keys":[{"kid":"key-1","alg":"EdDSA"}]}
        PATCH issuers/n-sso {"pem":ED25519} => 200 {"keys":[{"kid":null,"alg":"EdDSA"}]}
        PATCH issuers/n-sso {"jwks":JWKS} => 200 {"keys":[{"kid":"key-1","alg":"EdDSA"}]}
        PATCH issuers/n-sso {"jwks":JWKS,"pem":ED25519} => 422 {"kind":"invalid"}
        # It signs by another algorithm.
        PATCH issuers/n-sso {"pem":P256} => 422 {"kind":"invalid"}
        PATCH issuers/n-sso {"jwks":null} => 422
        PATCH issuers/n-sso {"iss":"x"} => 422
        PATCH issuers/nonsense {"jwks":JWKS} => 404
        POST issuers/n-sso/revoke {"jti":"t-1"} => 200 {"revoked":"t-1"}
        POST issuers/n-sso/revoke {"jti":"t-1"} => 409 {"kind":"conflict"}
        POST issuers/n-sso/revoke {"jti":""} => 422
        DELETE issuers/n-pem => 204
        DELETE issuers/n-pem => 404
        GET issuers/n-pem => 404
        POST issuers/n-pem/revoke {"jti":"t-1"} => 404
    "#;
    let steps = steps
        .replace("WITHROLES", &with_roles)
        .replace("REGISTERING", &registering)
        .replace("WITHPEM", &new(with_pem))
        .replace("JWKS", JWKS)
        .replace(":ED25519", &format!(":{}", json!(ED25519)))
        .replace(":P256", &format!(":{}", json!(P256)));
    live(server, &steps);
    let private = json!({ "keys": [{
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w",
        "d": "aGVscCBtZSB0byBoaWRlIHRoaXMgYXMgaXQgaXMgbWU",
    }] });
    for wrong in [
        json!({ "alg": [] }),
        json!({ "alg": ["HS256"] }),
        json!({ "alg": ["EdDSA", "EdDSA"] }),
        json!({ "jwks": null }),
        json!({ "jwks": {} }),
        json!({ "jwks": "{}" }),
        json!({ "jwks": private }),
        json!({ "pem": ED25519 }),
        json!({ "identity": "email" }),
        json!({ "iss": "countersign" }),
        json!({ "role_map": { "operator": "ops" } }),
        json!({ "role_claim": "roles", "role_map": { "": "ops" } }),
        json!({ "name": "a b" }),
        json!({ "auto_register": true }),
        json!({ "auto_register": true, "role": "ops", "max": 0 }),
        json!({ "role": "ops" }),
        json!({ "max": 5 }),
        json!({ "jwks_url": "https://sso.example/k" }),
        json!({ "allow_private": false }),
        json!({ "max_key_age": "7d" }),
        json!({ "jwks": null, "jwks_url": "http://sso.example/k" }),
        json!({ "jwks": null, "jwks_url": "https://u:p@sso.example/k" }),
        json!({ "jwks": null, "jwks_url": "https://sso.example/k", "max_key_age": "1m" }),
    ] {
        let changed = serde_json::from_str(&new(wrong.clone())).unwrap();
        let reply = server.post("/api/v1/issuers", changed);
        assert_eq!(reply.status, 422, "{wrong}: {reply:?}");
        assert!(!reply.text.contains("aGVsc"), "{reply:?}");
    }
    let stale = [("If-Match", "\"another\"")];
    let change = Some(json!({ "pem": ED25519 }));
    for (method, body) in [("PATCH", change), ("DELETE", None)] {
        let reply = server.ask(method, "/api/v1/issuers/n-sso", body, &stale);
        reply.with(412).is("precondition-failed");
    }
}

/// An issuer, as a gate finds it.
fn found(server: &Server, iss: &str) -> IssuerRecord {
    let iss = IssuerText::parse(iss).unwrap();
    server.store().issuers_like(&iss).unwrap()[0].clone()
}

#[test]
fn keys_of_an_issuer_are_fetched_and_fetched_again_on_demand() {
    let server = with_tenant("n-fetch");
    let url = "https://127.0.0.1:1/keys";
    let mut new = issuer("n-fetch", "n-cloud");
    new["jwks"] = Value::Null;
    new["jwks_url"] = url.into();
    new["max_key_age"] = "30d".into();
    let added = server.post("/api/v1/issuers", new).with(201).body;
    let says = |shown: &Value| {
        let keys = ["jwks_url", "allow_private", "max_key_age", "keys"];
        Value::from_iter(keys.map(|key| shown[key].clone()))
    };
    assert_eq!(says(&added), json!([url, false, "30d", []]));
    let shown = || server.get("/api/v1/issuers/n-cloud").with(200).body;
    // It is a private address, so nothing is asked there.
    wait_until("fetching them was tried", || !shown()["tried_at"].is_null());
    assert!(shown()["problem"].is_string(), "{}", shown());
    let refresh = "/api/v1/issuers/n-cloud/refresh";
    let asked = server.ask("POST", refresh, None, &[]).with(202).body;
    assert_eq!(asked["name"], "n-cloud");
    wait_until("it was tried again", || {
        let source = found(server, "https://n-cloud.example").source.unwrap();
        (source.asked, source.answered) == (1, 1)
    });
    let steps = r#"
        PATCH IT {"allow_private":true} => 422 {"kind":"invalid"}
        PATCH IT {"max_key_age":"1d"} => 422 {"kind":"invalid"}
        PATCH IT {"jwks_url":null} => 422
        PATCH IT {"jwks_url":"http://127.0.0.1:1/keys"} => 422
        PATCH IT {"jwks_url":"https://127.0.0.1:1/keys","pem":"x"} => 422 {"kind":"invalid"}
        PATCH IT {"jwks_url":"https://127.0.0.1:1/b","allow_private":true,"max_key_age":"1h"} => 200 {"jwks_url":"https://127.0.0.1:1/b","allow_private":true,"max_key_age":"1h"}
        # That was said of another address.
        PATCH IT {"jwks_url":"https://127.0.0.1:1/c"} => 200 {"allow_private":false,"max_key_age":"7d","keys":[]}
        PATCH IT {"jwks":JWKS} => 200 {"jwks_url":null,"allow_private":null,"max_key_age":null,"keys":[{"kid":"key-1","alg":"EdDSA"}]}
        POST IT/refresh => 409 {"kind":"conflict"}
        # Those that there are count until others are fetched.
        PATCH IT {"jwks_url":"https://127.0.0.1:1/d"} => 200 {"keys":[{"kid":"key-1","alg":"EdDSA"}]}
        POST issuers/nonsense/refresh => 404
    "#;
    let steps = steps.replace("IT", "issuers/n-cloud");
    let steps = steps.replace("JWKS", JWKS);
    live(server, &steps);
}

#[test]
fn a_device_that_was_registered_and_deleted_may_be_registered_again() {
    let server = with_tenant("n-forget");
    let post = |path: &str, body: Value| server.post(&format!("/api/v1/{path}"), body).with(201);
    post("tenants/n-forget/roles", json!({ "name": "ops" }));
    let mut new = issuer("n-forget", "n-again");
    new["auto_register"] = true.into();
    new["role"] = "ops".into();
    post("issuers", new);
    let (pem, fingerprint) = certificate("ed25519");
    let authority = json!({ "tenant": "n-forget", "pem": pem, "identity": "cn" });
    post("authorities", authority);
    let registrar = Registrar::Issuer(found(server, "https://n-again.example").id);
    let register = |key: &str| {
        let name = LoginName::parse(&format!("{key}@n-forget")).unwrap();
        let tenant = TenantId::parse("n-forget").unwrap();
        let role = RoleName::parse("ops").unwrap();
        let device = new_device(name, &tenant, &role, now());
        let made = server
            .store()
            .register_device(registrar, &device, "b1", now());
        made.is_ok_and(|made| made == Registered::Done)
    };
    assert!(register("new1") && register("new2"));
    let steps = r#"
        POST issuers/n-again/forget {"identity":"new1"} => 409 {"kind":"conflict"}
        DELETE credentials/new1@n-forget => 204
        DELETE credentials/new2@n-forget => 204
    "#;
    live(server, steps);
    assert!(!register("new1") && !register("new2"));
    let steps = r#"
        POST issuers/n-again/forget {"identity":"new3"} => 404 {"kind":"not-found"}
        POST issuers/n-again/forget {"identity":"new1@n-fetch"} => 404
        POST issuers/n-again/forget {"name":"new1"} => 422
        POST issuers/nonsense/forget {"identity":"new1"} => 404
        POST issuers/n-again/forget {"identity":"new1"} => 200 {"forgotten":"new1@n-forget"}
        POST issuers/n-again/forget {"identity":"new1"} => 404
        POST AUTHORITY/forget {} => 422
        POST AUTHORITY/forget {"name":"new1"} => 404
        POST AUTHORITY/forget {"name":"new2@n-forget"} => 200 {"forgotten":"new2@n-forget"}
        POST authorities/nonsense/forget {"name":"new2"} => 404
    "#;
    live(
        server,
        &steps.replace("AUTHORITY", &format!("authorities/{fingerprint}")),
    );
    assert!(register("new1") && register("new2"));
}

/// The public keys of an issuer that signs by `EdDSA`.
pub(super) const JWKS: &str =
    include_str!("../../../issuer/tests/keys/issuer.jwks.json").trim_ascii_end();
const ED25519: &str = include_str!("../../../issuer/tests/keys/ed25519.pem");
const P256: &str = include_str!("../../../issuer/tests/keys/p256.pem");

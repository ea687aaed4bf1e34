//! Certificates, authorities and issuers of others, which prove who a client is.

use countersign_certificate::{certificate_of_pem, read};
use serde_json::{Value, json};

use crate::tests::nouns::{live, with_tenant};

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
pub(super) fn issuer(tenant: &str, name: &str) -> Value {
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

/// The public keys of an issuer that signs by `EdDSA`.
pub(super) const JWKS: &str =
    include_str!("../../../issuer/tests/keys/issuer.jwks.json").trim_ascii_end();
const ED25519: &str = include_str!("../../../issuer/tests/keys/ed25519.pem");
const P256: &str = include_str!("../../../issuer/tests/keys/p256.pem");

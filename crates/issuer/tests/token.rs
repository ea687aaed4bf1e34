//! Tokens of the specifications, tokens of our own making, and hostile ones.

#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "a test may"
)]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_core::issuer::{Algorithm, Algorithms, ClaimName};
use countersign_core::time::Timestamp;
use countersign_issuer::{
    Claims, KeySet, KeySetError, LONGEST, MOST_BYTES, MOST_KEYS, Refusal, Unverified,
};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const RSA: &str = include_str!("keys/rsa.pem");
const P256: &str = include_str!("keys/p256.pem");
const ED25519: &str = include_str!("keys/ed25519.pem");

/// RFC 7515 §A.2 and §A.3, RFC 8037 §A.4: the key, and what it has signed.
const VECTORS: [(&str, &str, &str); 3] = [
    (
        "RS256",
        r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#,
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    ),
    (
        "ES256",
        r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    ),
    (
        "EdDSA",
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    ),
];

#[test]
fn the_signatures_of_the_specifications_are_good_and_no_bit_of_them_may_change() {
    for (name, key, token) in VECTORS {
        let keys = KeySet::of_jwks(&format!(r#"{{"keys":[{key}]}}"#), &signs_by(name)).unwrap();
        let algorithm = Algorithm::of_name(name).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let is_good = |message: &str, signature: &[u8]| {
            keys.has_signed(None, algorithm, message.as_bytes(), signature)
        };
        assert!(is_good(signed, &signature), "{name}");
        assert!(!is_good(&signed[1..], &signature), "{name}");
        for at in 0..signature.len() {
            signature[at] ^= 1;
            assert!(!is_good(signed, &signature), "{name}, byte {at}");
            signature[at] ^= 1;
        }
        assert!(!is_good(signed, &signature[1..]), "{name}");
        assert!(!is_good(signed, b""), "{name}");
    }
}

#[test]
fn a_token_of_each_algorithm_tells_what_it_claims() {
    for (name, pem) in [
        ("RS256", RSA),
        ("PS256", RSA),
        ("ES256", P256),
        ("EdDSA", ED25519),
    ] {
        let keys = KeySet::of_pem(pem, &signs_by(name)).unwrap();
        let claims = judge(&signed(name, &claims()), &keys).unwrap();
        assert_eq!(claims.issuer(), Some("https://issuer.example"), "{name}");
        assert_eq!(claims.audiences(), ["mqtt"], "{name}");
        assert_eq!(claims.token_id(), Some("t-1"), "{name}");
        assert_eq!(claims.expires_at(), Some(at(60)), "{name}");
    }
}

#[test]
fn a_key_is_for_one_algorithm_and_for_tokens_of_its_id() {
    let both = signs_by("RS256,PS256");
    assert!(matches!(
        KeySet::of_pem(RSA, &both),
        Err(KeySetError::Ambiguous(_))
    ));
    let rs256 = KeySet::of_pem(RSA, &signs_by("RS256")).unwrap();
    let p256 = KeySet::of_pem(P256, &signs_by("ES256")).unwrap();
    for (name, keys) in [
        ("PS256", &rs256),
        ("ES256", &rs256),
        ("EdDSA", &rs256),
        ("RS256", &p256),
    ] {
        let refused = judge(&signed(name, &claims()), keys).err();
        assert_eq!(refused, Some(Refusal::UnknownKey), "{name}");
    }

    // The same key under an id is no key for tokens that name another.
    let mut jwks: Value = serde_json::from_str(&rs256.to_jwks()).unwrap();
    jwks["keys"][0]["kid"] = json!("a");
    let named = KeySet::of_jwks(&jwks.to_string(), &signs_by("RS256")).unwrap();
    let with_id = |id: &str| {
        let header = json!({"alg": "RS256", "kid": id});
        judge(&signed_under("RS256", &header, &claims()), &named).err()
    };
    assert_eq!(with_id("a"), None);
    assert_eq!(with_id("b"), Some(Refusal::UnknownKey));
    assert!(judge(&signed("RS256", &claims()), &named).is_ok());
}

#[test]
fn hostile_tokens_are_refused() {
    let keys = KeySet::of_pem(RSA, &signs_by("RS256")).unwrap();
    let parse = |token: &[u8]| Unverified::parse(token).err();
    let header = |header: Value| {
        let token = signed_under("RS256", &header, &claims());
        judge(&token, &keys).err()
    };
    for (text, refusal) in [
        (json!({"alg": "none"}), Refusal::Algorithm),
        (json!({"alg": "None"}), Refusal::Algorithm),
        (json!({"alg": "HS256"}), Refusal::Algorithm),
        (json!({"alg": "rs256"}), Refusal::Algorithm),
        (json!({"alg": "RS384"}), Refusal::Algorithm),
        (json!({}), Refusal::Malformed),
        (json!({"alg": ["RS256"]}), Refusal::Malformed),
        (json!({"alg": "RS256", "crit": ["exp"]}), Refusal::Malformed),
        (json!({"alg": "RS256", "crit": []}), Refusal::Malformed),
        (json!({"alg": "RS256", "crit": null}), Refusal::Malformed),
        (json!(["RS256"]), Refusal::Malformed),
    ] {
        assert_eq!(header(text.clone()), Some(refusal), "{text}");
    }
    // What a token says of its own keys is passed over.
    assert_eq!(
        header(json!({"alg": "RS256", "jku": "https://evil.example", "x": 1})),
        None
    );

    // The public key as the secret of HMAC.
    let hmac = {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, RSA.as_bytes());
        let signed = unsigned(&json!({"alg": "HS256"}), &claims());
        let tag = ring::hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    assert_eq!(parse(hmac.as_bytes()), Some(Refusal::Algorithm));

    let good = String::from_utf8(signed("RS256", &claims())).unwrap();
    let (_, payload) = good.split_once('.').unwrap();
    let twice = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","alg":"RS256"}"#);
    for bad in [
        "",
        ".",
        "..",
        "a.b.c",
        "eyJhbGciOiJSUzI1NiJ9.e30",
        &format!("{twice}.{payload}"),
        &format!("{good}="),
        &format!("{good}\n"),
        &format!(" {good}"),
        &format!("{good}.{good}"),
        &good.replace('.', ".."),
    ] {
        assert_eq!(parse(bad.as_bytes()), Some(Refusal::Malformed), "{bad}");
    }
    let mut long = claims();
    long["filling"] = json!("f".repeat(LONGEST));
    assert_eq!(parse(&signed("RS256", &long)), Some(Refusal::Malformed));
    // An empty signature, and that of another token.
    let (unsigned, _) = good.rsplit_once('.').unwrap();
    let empty = judge(format!("{unsigned}.").as_bytes(), &keys).err();
    assert_eq!(empty, Some(Refusal::Signature));
    let other = String::from_utf8(signed("RS256", &long)).unwrap();
    let (_, others) = other.rsplit_once('.').unwrap();
    let swapped = judge(format!("{unsigned}.{others}").as_bytes(), &keys).err();
    assert_eq!(swapped, Some(Refusal::Signature));
}

/// RFC 7515 §A.1, §A.4 and §A.5 and RFC 7519 §6.1: by a shared secret, by ES512, by nothing.
const OTHERWISE: [(&str, &str); 3] = [
    (
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    ),
    (
        "eyJhbGciOiJFUzUxMiJ9",
        "UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
    ),
    (
        "eyJhbGciOiJub25lIn0",
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
    ),
];

#[test]
fn what_the_specifications_sign_otherwise_is_refused_and_so_are_their_shared_keys() {
    for (header, rest) in OTHERWISE {
        let token = format!("{header}.{rest}");
        let refused = Unverified::parse(token.as_bytes()).err();
        assert!(
            matches!(refused, Some(Refusal::Algorithm | Refusal::Malformed)),
            "{token} {refused:?}"
        );
        // A good signature of a key of ours makes no other algorithm of it.
        let message = format!("{header}.{}", rest.split_once('.').unwrap().0);
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der(include_str!(
            "keys/ed25519.private.pem"
        )))
        .unwrap();
        let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()));
        let signed = format!("{message}.{signature}");
        assert!(Unverified::parse(signed.as_bytes()).is_err(), "{signed}");
    }
    let shared = r#"{"keys":[{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}]}"#;
    assert!(KeySet::of_jwks(shared, &signs_by("RS256,ES256,EdDSA")).is_err());
}

#[test]
fn a_key_whose_signatures_would_take_long_is_not_taken() {
    for bits in [4_104_usize, 8_192, 16_384] {
        let mut modulus = vec![0xff; bits / 8];
        modulus[0] = 0x80;
        let key = json!({"kty": "RSA", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(&modulus)});
        let jwks = json!({ "keys": [key] }).to_string();
        let refused = KeySet::of_jwks(&jwks, &signs_by("RS256")).unwrap_err();
        let expected = format!("an RSA key of {bits} bits is not taken; one has 2048 to 4096");
        assert!(refused.to_string().ends_with(&expected), "{refused}");
    }
}

#[test]
fn claims_are_read_strictly() {
    let keys = KeySet::of_pem(ED25519, &signs_by("EdDSA")).unwrap();
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        judge(&signed("EdDSA", &claims), &keys)
    };
    for (name, value, refusal) in [
        ("exp", json!(seconds(0)), Some(Refusal::Expired)),
        ("exp", json!(seconds(-1)), Some(Refusal::Expired)),
        ("exp", json!(seconds(1)), None),
        ("exp", json!(f64::from(u32::MAX) + 0.5), None),
        ("exp", json!("1900000000"), Some(Refusal::Malformed)),
        ("exp", json!(null), Some(Refusal::Malformed)),
        ("exp", json!(1e300), Some(Refusal::Malformed)),
        ("exp", json!(u64::MAX), Some(Refusal::Malformed)),
        ("exp", json!(i64::MAX), Some(Refusal::Malformed)),
        ("exp", json!(-1), Some(Refusal::Expired)),
        ("nbf", json!(seconds(60)), None),
        ("nbf", json!(seconds(61)), Some(Refusal::NotYetValid)),
        ("iat", json!(seconds(60)), None),
        ("iat", json!(seconds(61)), Some(Refusal::NotYetValid)),
        ("iat", json!("now"), Some(Refusal::Malformed)),
    ] {
        let refused = with(name, value.clone()).err();
        assert_eq!(refused, refusal, "{name} {value}");
    }
    let mut none = claims();
    none.as_object_mut().unwrap().remove("exp");
    assert_eq!(
        judge(&signed("EdDSA", &none), &keys).err(),
        Some(Refusal::Malformed)
    );

    let audiences = |value: Value| {
        let claims = with("aud", value).unwrap();
        let all: Vec<_> = claims.audiences().into_iter().map(str::to_owned).collect();
        all.join(" ")
    };
    assert_eq!(audiences(json!(["a", "b"])), "a b");
    for none in [json!(1), json!({}), json!(null), json!([]), json!(["a", 1])] {
        assert_eq!(audiences(none), "");
    }

    let twice = r#"{"exp":9999999999,"sub":"a","sub":"b"}"#;
    let header = json!({"alg": "EdDSA"});
    let refused = Unverified::parse(&signed_text("EdDSA", &header, twice)).err();
    assert_eq!(refused, Some(Refusal::Malformed));
}

#[test]
fn texts_and_words_are_found_by_the_name_of_their_claim() {
    let keys = KeySet::of_pem(ED25519, &signs_by("EdDSA")).unwrap();
    let mut claims = claims();
    claims["realm"] = json!({"roles": ["reader", 1, "writer"], "user": "deep"});
    claims["a.b"] = json!("literal");
    claims["a"] = json!({"b": "deep"});
    claims["scope"] = json!("one  two");
    claims["number"] = json!(7);
    let claims = judge(&signed("EdDSA", &claims), &keys).unwrap();
    let claim = |name: &str| ClaimName::parse(name).unwrap();
    let text = |name: &str| claims.text(&claim(name));
    assert_eq!(text("sub"), Some("dev1"));
    assert_eq!(text("realm.user"), Some("deep"));
    assert_eq!(text("a.b"), Some("literal"));
    for absent in ["client_id", "number", "realm", "sub.user", "realm."] {
        assert_eq!(text(absent), None, "{absent}");
    }
    let words = |name: &str| claims.words(&claim(name));
    assert_eq!(words("realm.roles"), ["reader", "writer"]);
    assert_eq!(words("scope"), ["one", "two"]);
    assert!(words("number").is_empty());
}

#[test]
fn the_keys_of_an_issuer_are_read_and_written() {
    let pem = [
        RSA,
        P256,
        include_str!("keys/p256.certificate.pem"),
        ED25519,
    ]
    .concat();
    // The certificate is of the key that stands before it.
    let all = signs_by("RS256,ES256,EdDSA");
    assert!(matches!(
        KeySet::of_pem(&pem, &all),
        Err(KeySetError::Twice(_))
    ));
    let keys = KeySet::of_pem(&pem.replacen(P256, "words between\n", 1), &all).unwrap();
    assert_eq!(keys.len(), 3);
    assert_eq!(KeySet::of_jwks(&keys.to_jwks(), &all), Ok(keys.clone()));
    assert_eq!(
        KeySet::of_jwks(&keys.to_jwks(), &signs_by("ES256"))
            .unwrap()
            .len(),
        1
    );
    for name in ["RS256", "ES256", "EdDSA"] {
        assert!(judge(&signed(name, &claims()), &keys).is_ok(), "{name}");
    }

    let read = |text: &str| KeySet::of_pem(text, &all).unwrap_err().to_string();
    for (text, error) in [
        (
            "",
            "there is no public key in it for the issuer's algorithms",
        ),
        (
            include_str!("keys/rsa1024.pem"),
            "a key: an RSA key of 1024 bits is not taken; one has 2048 to 4096",
        ),
        (
            include_str!("keys/rsa4104.pem"),
            "a key: an RSA key of 4104 bits is not taken; one has 2048 to 4096",
        ),
        (
            include_str!("keys/p384.pem"),
            "a key: it is of another kind than RSA, P-256 and Ed25519",
        ),
        (
            include_str!("keys/rsa.private.pem"),
            "a key is a private or shared one, which nobody but the issuer may have; give the public ones alone",
        ),
        (
            &RSA.replace("END PUBLIC", "END"),
            "something in it is no `PUBLIC KEY` or `CERTIFICATE` in PEM",
        ),
        (
            &RSA.replace("PUBLIC KEY", "X509 CRL"),
            "something in it is no `PUBLIC KEY` or `CERTIFICATE` in PEM",
        ),
        (
            &RSA.replacen("MII", "MIJ", 1),
            "a key: it is no public key in DER",
        ),
        (&" ".repeat(MOST_BYTES + 1), "it is longer than 65536 bytes"),
    ] {
        assert_eq!(read(text), error, "{text}");
    }
}

#[test]
fn of_a_jwk_set_only_what_is_of_use_is_kept() {
    let all = signs_by("RS256,ES256");
    let p256: Value = serde_json::from_str(VECTORS[1].1).unwrap();
    let rsa: Value = serde_json::from_str(VECTORS[0].1).unwrap();
    let with = |key: &Value, members: Value| {
        let mut key = key.clone();
        for (name, value) in members.as_object().unwrap() {
            key[name] = value.clone();
        }
        key
    };
    let read = |keys: &[Value]| {
        let text = json!({"keys": keys, "more": 1}).to_string();
        KeySet::of_jwks(&text, &all)
            .map(|keys| keys.len())
            .map_err(|error| error.to_string())
    };
    assert_eq!(read(&[p256.clone(), rsa.clone()]), Ok(2));
    for passed_over in [
        json!({"use": "enc"}),
        json!({"key_ops": ["sign"]}),
        json!({"alg": "ES384"}),
        json!({"alg": "RSA-OAEP"}),
        json!({"kty": "oct"}),
        json!({"crv": "P-384"}),
        // For another key than it is.
        json!({"alg": "RS256"}),
    ] {
        assert_eq!(
            read(&[with(&p256, passed_over.clone()), rsa.clone()]),
            Ok(1),
            "{passed_over}"
        );
    }
    assert_eq!(
        read(&[with(
            &rsa,
            json!({"use": "sig", "key_ops": ["verify"], "alg": "RS256"})
        )]),
        Ok(1)
    );
    let twice = [
        with(&rsa, json!({"kid": "k"})),
        with(&rsa, json!({"kid": "k"})),
    ];
    assert_eq!(read(&twice), Err("the key `k` is there twice".into()));
    let private = with(&p256, json!({"kid": "k", "d": "AQAB"}));
    assert!(
        read(&[private])
            .unwrap_err()
            .starts_with("the key `k` is a private")
    );
    assert!(
        read(&[json!({"kty": "oct", "k": "AQAB"})])
            .unwrap_err()
            .starts_with("a key is a private")
    );
    assert_eq!(
        read(&[with(&rsa, json!({"n": "AQAB", "kid": "k\u{1b}[2J"}))]),
        Err(
            "the key `k\\u{1b}[2J`: an RSA key of 17 bits is not taken; one has 2048 to 4096"
                .into()
        )
    );
    for number in [
        json!({"e": "AQ"}),
        json!({"e": "AQAA"}),
        json!({"e": "AQAAAAE"}),
        json!({"e": "AA"}),
    ] {
        assert!(read(&[with(&rsa, number.clone())]).is_err(), "{number}");
    }
    for point in [json!({"x": "AQAB"}), json!({"y": null}), json!({"y": "?"})] {
        assert!(read(&[with(&p256, point.clone())]).is_err(), "{point}");
    }
    let many = |number: usize| -> Vec<_> {
        (0..number)
            .map(|id| with(&p256, json!({"kid": id.to_string()})))
            .collect()
    };
    assert_eq!(read(&many(MOST_KEYS)), Ok(MOST_KEYS));
    assert!(read(&many(MOST_KEYS + 1)).is_err());
    assert!(read(&[with(&p256, json!({"kid": "k".repeat(257)}))]).is_err());
    for text in [
        "",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[1]}"#,
        r#"{"keys":[],"keys":[]}"#,
    ] {
        assert_eq!(
            KeySet::of_jwks(text, &all),
            Err(KeySetError::NoSet),
            "{text}"
        );
    }
    assert_eq!(
        KeySet::of_jwks(r#"{"keys":[]}"#, &all),
        Err(KeySetError::NoKey)
    );
}

fn signs_by(names: &str) -> Algorithms {
    names.parse().unwrap()
}

fn seconds(from_now: i64) -> i64 {
    NOW.as_millis() / 1_000 + from_now
}

fn at(from_now: i64) -> Timestamp {
    Timestamp::from_millis(seconds(from_now) * 1_000)
}

fn claims() -> Value {
    json!({
        "iss": "https://issuer.example", "aud": "mqtt", "sub": "dev1", "jti": "t-1",
        "iat": seconds(0), "exp": seconds(60),
    })
}

fn judge(token: &[u8], keys: &KeySet) -> Result<Claims, Refusal> {
    Unverified::parse(token)?.verified(keys, NOW).cloned()
}

fn signed(name: &str, claims: &Value) -> Vec<u8> {
    signed_under(name, &json!({"alg": name, "typ": "JWT"}), claims)
}

fn signed_under(name: &str, header: &Value, claims: &Value) -> Vec<u8> {
    signed_text(name, header, &claims.to_string())
}

fn unsigned(header: &Value, claims: &Value) -> String {
    [header, claims]
        .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()))
        .join(".")
}

/// Signed by the algorithm of that name, whatever the header says.
fn signed_text(name: &str, header: &Value, claims: &str) -> Vec<u8> {
    let message = [header.to_string().as_str(), claims]
        .map(|part| URL_SAFE_NO_PAD.encode(part))
        .join(".");
    let random = SystemRandom::new();
    let signature = match name {
        "ES256" => {
            let key = der(include_str!("keys/p256.private.pem"));
            let pair =
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key, &random).unwrap();
            pair.sign(&random, message.as_bytes())
                .unwrap()
                .as_ref()
                .to_vec()
        }
        "EdDSA" => {
            let key = der(include_str!("keys/ed25519.private.pem"));
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key).unwrap();
            pair.sign(message.as_bytes()).as_ref().to_vec()
        }
        _ => {
            let key = der(include_str!("keys/rsa.private.pem"));
            let pair = RsaKeyPair::from_pkcs8(&key).unwrap();
            let mut signature = vec![0; pair.public().modulus_len()];
            let padding: &dyn ring::signature::RsaEncoding = if name == "PS256" {
                &RSA_PSS_SHA256
            } else {
                &RSA_PKCS1_SHA256
            };
            pair.sign(padding, &random, message.as_bytes(), &mut signature)
                .unwrap();
            signature
        }
    };
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)).into_bytes()
}

fn der(pem: &str) -> Vec<u8> {
    let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(lines).unwrap()
}

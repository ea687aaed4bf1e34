//! Tokens from other sources: which are accepted, and which must never be.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::*;
use crate::name::{LoginName, TenantId};
use crate::role::RoleName;
use crate::time::Timestamp;

const GOOD_HEADER: &str = r#"{"alg":"EdDSA","kid":"k-1","typ":"JWT"}"#;
const GOOD_PAYLOAD: &str = r#"{"jti":"abababababababababababababababab","iss":"countersign","sub":"jwt:portal@acme","role":"reader","things":["t1"],"iat":1700000000,"nbf":1700000000,"exp":1700003600}"#;

fn key() -> SigningKey {
    SigningKey::from_seed([7; 32])
}

fn claims() -> Claims {
    Claims {
        jti: TokenId::generate([0xab; 16]),
        tenant: TenantId::parse("acme").unwrap(),
        whoami: Whoami::parse("portal").unwrap(),
        role: RoleName::parse("reader").unwrap(),
        things: vec![LoginName::parse("t1").unwrap()],
        issued_at: Timestamp::from_millis(1_700_000_000_000),
        not_before: Some(Timestamp::from_millis(1_700_000_000_000)),
        expires_at: Timestamp::from_millis(1_700_003_600_000),
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token that is signed, whatever it says.
fn signed(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    let input = format!("{}.{}", encode(header), encode(payload));
    let signature = encode(key().sign(input.as_bytes()));
    format!("{input}.{signature}")
}

fn read(token: impl AsRef<[u8]>) -> Option<Claims> {
    Unverified::parse(token.as_ref())?.verify(&key().verifying_key())
}

fn good() -> String {
    signed(GOOD_HEADER, GOOD_PAYLOAD)
}

#[test]
fn no_bytes_are_no_token() {
    assert!(!looks_like_token(b""));
    assert!(Unverified::parse(b"").is_none());
}

#[test]
fn a_token_says_what_was_signed() {
    let key_id = KeyId::parse("k-1").unwrap();
    let token = sign(&claims(), &key_id, &key()).unwrap();
    assert_eq!(token.expose(), good().as_bytes());
    assert!(looks_like_token(token.expose()));
    let unverified = Unverified::parse(token.expose()).unwrap();
    assert_eq!(unverified.key_id(), &key_id);
    assert_eq!(unverified.verify(&key().verifying_key()), Some(claims()));
    let other = SigningKey::from_seed([8; 32]).verifying_key();
    assert_eq!(
        Unverified::parse(token.expose()).unwrap().verify(&other),
        None
    );
}

/// RFC 8037 appendix A.4: the key, the signing input and the signature. As a
/// token it is refused, for it names no key.
#[test]
fn the_vector_of_rfc_8037_holds() {
    let seed = URL_SAFE_NO_PAD
        .decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
        .unwrap();
    let key = SigningKey::from_seed(seed.try_into().unwrap());
    let public = encode(key.verifying_key().as_bytes());
    assert_eq!(public, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let input = format!(
        "{}.{}",
        encode(r#"{"alg":"EdDSA"}"#),
        encode("Example of Ed25519 signing")
    );
    assert_eq!(
        input,
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    );
    let signature = key.sign(input.as_bytes());
    assert_eq!(
        encode(signature),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
    assert!(key.verifying_key().has_signed(input.as_bytes(), &signature));
    let token = format!("{input}.{}", encode(signature));
    assert!(Unverified::parse(token.as_bytes()).is_none());
}

/// RFC 7515 appendices A.1 and A.5, and RFC 7519 §6.1: not one of ours.
#[test]
fn the_tokens_of_rfc_7515_are_refused() {
    for token in [
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
    ] {
        assert!(looks_like_token(token.as_bytes()), "{token}");
        assert!(Unverified::parse(token.as_bytes()).is_none(), "{token}");
    }
}

#[test]
fn a_header_may_be_written_otherwise_if_it_says_the_same() {
    for header in [
        r#"{"alg":"EdDSA","kid":"k-1"}"#,
        r#"{"kid":"k-1","alg":"EdDSA"}"#,
        r#"{"typ":"JWT", "kid":"k-1", "alg":"EdDSA"}"#,
        r#"{"\u0061lg":"EdDS\u0041","kid":"k-1"}"#,
    ] {
        assert_eq!(
            read(signed(header, GOOD_PAYLOAD)),
            Some(claims()),
            "{header}"
        );
    }
}

#[test]
fn a_header_that_says_anything_else_is_refused() {
    let long = format!(r#"{{"alg":"EdDSA","kid":"{}"}}"#, "k".repeat(65));
    for header in [
        // No algorithm, or another one, however it is spelled.
        r#"{"kid":"k-1"}"#,
        r#"{"alg":"none","kid":"k-1"}"#,
        r#"{"alg":"None","kid":"k-1"}"#,
        r#"{"alg":"NONE","kid":"k-1"}"#,
        r#"{"alg":"nOnE","kid":"k-1"}"#,
        r#"{"alg":"","kid":"k-1"}"#,
        r#"{"alg":null,"kid":"k-1"}"#,
        r#"{"alg":["EdDSA"],"kid":"k-1"}"#,
        r#"{"alg":"HS256","kid":"k-1"}"#,
        r#"{"alg":"RS256","kid":"k-1"}"#,
        r#"{"alg":"ES256","kid":"k-1"}"#,
        r#"{"alg":"Ed25519","kid":"k-1"}"#,
        r#"{"alg":"eddsa","kid":"k-1"}"#,
        r#"{"alg":"EDDSA","kid":"k-1"}"#,
        r#"{"alg":"EdDSA ","kid":"k-1"}"#,
        r#"{"alg":"EdDSA\u0000","kid":"k-1"}"#,
        r#"{"ALG":"EdDSA","kid":"k-1"}"#,
        // Twice.
        r#"{"alg":"EdDSA","alg":"none","kid":"k-1"}"#,
        r#"{"alg":"none","alg":"EdDSA","kid":"k-1"}"#,
        r#"{"alg":"EdDSA","alg":"EdDSA","kid":"k-1"}"#,
        r#"{"alg":"EdDSA","\u0061lg":"EdDSA","kid":"k-1"}"#,
        r#"{"alg":"EdDSA","kid":"k-1","kid":"k-2"}"#,
        r#"{"alg":"EdDSA","kid":"k-1","typ":"JWT","typ":"JWT"}"#,
        // No key, or something that is none.
        r#"{"alg":"EdDSA"}"#,
        r#"{"alg":"EdDSA","kid":null}"#,
        r#"{"alg":"EdDSA","kid":1}"#,
        r#"{"alg":"EdDSA","kid":""}"#,
        r#"{"alg":"EdDSA","kid":"K-1"}"#,
        r#"{"alg":"EdDSA","kid":"../../../dev/null"}"#,
        r#"{"alg":"EdDSA","kid":"/etc/passwd"}"#,
        r#"{"alg":"EdDSA","kid":"k' OR '1'='1"}"#,
        r#"{"alg":"EdDSA","kid":"k'; DROP TABLE keys; --"}"#,
        r#"{"alg":"EdDSA","kid":"k' UNION SELECT 'a'"}"#,
        r#"{"alg":"EdDSA","kid":"k|id"}"#,
        r#"{"alg":"EdDSA","kid":"k-1\u0000"}"#,
        r#"{"alg":"EdDSA","kid":"http://mail.test/key"}"#,
        &long,
        // Another type, and members that ask for something.
        r#"{"alg":"EdDSA","kid":"k-1","typ":"jwt"}"#,
        r#"{"alg":"EdDSA","kid":"k-1","typ":"at+jwt"}"#,
        r#"{"alg":"EdDSA","kid":"k-1","typ":""}"#,
        r#"{"alg":"EdDSA","kid":"k-1","typ":null}"#,
        r#"{"alg":"EdDSA","kid":"k-1","cty":"JWT"}"#,
        r#"{"alg":"EdDSA","kid":"k-1","crit":["exp"],"exp":1}"#,
        r#"{"alg":"EdDSA","kid":"k-1","crit":[]}"#,
        r#"{"alg":"EdDSA","kid":"k-1","b64":false,"crit":["b64"]}"#,
        r#"{"alg":"EdDSA","kid":"k-1","jku":"https://mail.test/"}"#,
        r#"{"alg":"EdDSA","kid":"k-1","jwk":{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}"#,
        r#"{"alg":"EdDSA","kid":"k-1","x5u":"https://mail.test/"}"#,
        r#"{"alg":"EdDSA","kid":"k-1","x5c":[]}"#,
        r#"{"alg":"EdDSA","kid":"k-1","x5t":""}"#,
        r#"{"alg":"EdDSA","kid":"k-1","zip":"DEF"}"#,
        r#"{"alg":"EdDSA","kid":"k-1","enc":"A256GCM"}"#,
        // No object, or one with something around it.
        "",
        "{}",
        "null",
        r#"["EdDSA","k-1","JWT"]"#,
        r#""EdDSA""#,
        r#" {"alg":"EdDSA","kid":"k-1"}"#,
        "{\"alg\":\"EdDSA\",\"kid\":\"k-1\"}\n",
        "\u{feff}{\"alg\":\"EdDSA\",\"kid\":\"k-1\"}",
        r#"{"alg":"EdDSA","kid":"k-1",}"#,
        r#"{"alg":"EdDSA","kid":"k-1"}{}"#,
        r#"{"alg":"EdDSA","kid":"k-1"/**/}"#,
        r#"{"alg":"EdDSA","kid":"k-1""#,
    ] {
        let token = signed(header, GOOD_PAYLOAD);
        assert!(Unverified::parse(token.as_bytes()).is_none(), "{header}");
    }
    let latin = b"{\"alg\":\"EdDSA\",\"kid\":\"k-\xe9\"}";
    assert!(Unverified::parse(signed(latin, GOOD_PAYLOAD).as_bytes()).is_none());
}

#[test]
fn a_public_key_is_no_password_that_anybody_signs_with() {
    let public = key().verifying_key();
    let secrets = [
        public.as_bytes().to_vec(),
        encode(public.as_bytes()).into_bytes(),
    ];
    for secret in secrets {
        for alg in ["HS256", "EdDSA"] {
            let header = format!(r#"{{"alg":"{alg}","kid":"k-1","typ":"JWT"}}"#);
            let input = format!("{}.{}", encode(header), encode(GOOD_PAYLOAD));
            let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
            mac.update(input.as_bytes());
            let tag = mac.finalize().into_bytes();
            // As it is, and of the length that a signature has.
            for signature in [tag.to_vec(), [tag, tag].concat()] {
                let token = format!("{input}.{}", encode(signature));
                assert_eq!(read(token), None, "{alg}");
            }
        }
    }
}

#[test]
fn claims_that_say_anything_else_are_refused_even_if_signed() {
    assert_eq!(read(good()), Some(claims()));
    let nested = good();
    let as_text = format!("{nested:?}");
    let payloads = [
        "",
        "{}",
        "null",
        "[]",
        "0",
        "true",
        &nested,
        &as_text,
        r#"["abababababababababababababababab","countersign","jwt:portal@acme","reader",["t1"],1700000000,1700000000,1700003600]"#,
    ];
    for payload in payloads {
        assert_eq!(read(signed(GOOD_HEADER, payload)), None, "{payload}");
    }
    // What stands in place of what.
    for (member, other) in [
        // Twice.
        (r#""role":"reader""#, r#""role":"reader","role":"admin""#),
        (r#""role":"reader""#, r#""role":"reader","role":"reader""#),
        (
            r#""role":"reader""#,
            r#""role":"reader","r\u006fle":"admin""#,
        ),
        (
            r#""exp":1700003600"#,
            r#""exp":1700003600,"exp":1700003601"#,
        ),
        (r#""things":["t1"]"#, r#""things":["t1"],"things":["t2"]"#),
        (r#""nbf":1700000000"#, r#""nbf":1700000000,"nbf":0"#),
        // Missing.
        (r#""jti":"abababababababababababababababab","#, ""),
        (r#""iss":"countersign","#, ""),
        (r#""sub":"jwt:portal@acme","#, ""),
        (r#""role":"reader","#, ""),
        (r#""iat":1700000000,"#, ""),
        (r#","exp":1700003600"#, ""),
        // Numbers that are none of ours.
        ("1700003600", "1700003600.0"),
        ("1700003600", "1.7000036e9"),
        ("1700003600", "17000036e2"),
        ("1700003600", "-1700003600"),
        ("1700003600", "-0"),
        ("1700003600", "+1700003600"),
        ("1700003600", "01700003600"),
        ("1700003600", "0x6553f100"),
        ("1700003600", "1e400"),
        ("1700003600", "9223372036854775807"),
        ("1700003600", "9223372036854775808"),
        ("1700003600", "18446744073709551615"),
        ("1700003600", "18446744073709551616"),
        ("1700003600", "99999999999999999999999999999999999999999"),
        ("1700003600", "\"1700003600\""),
        ("1700003600", "null"),
        ("1700003600", "true"),
        ("1700003600", "[1700003600]"),
        ("1700003600", "NaN"),
        ("1700003600", "Infinity"),
        // Times that no token has.
        ("1700003600", "1700000000"),
        ("1700003600", "1699999999"),
        ("1700003600", "1700086401"),
        ("1700003600", "253402300800"),
        (r#""iat":1700000000"#, r#""iat":-1"#),
        (r#""iat":1700000000"#, r#""iat":0"#),
        (r#""nbf":1700000000"#, r#""nbf":null"#),
        (r#""nbf":1700000000"#, r#""nbf":-1"#),
        (r#""nbf":1700000000"#, r#""nbf":253402300800"#),
        // Names of other shapes.
        ("countersign", "Countersign"),
        (r#""countersign""#, r#"["countersign"]"#),
        ("jwt:portal@acme", "portal@acme"),
        ("jwt:portal@acme", "jwt:portal"),
        ("jwt:portal@acme", "jwt:portal@ACME"),
        ("jwt:portal@acme", "jwt:portal@other@acme"),
        ("jwt:portal@acme", "jwt:po rtal@acme"),
        ("jwt:portal@acme", r"jwt:portal@acme\u0000"),
        ("reader", ""),
        ("reader", "../reader"),
        (r#""reader""#, "null"),
        (r#""reader""#, r#"["reader","admin"]"#),
        ("abababababababababababababababab", "abab"),
        (
            "abababababababababababababababab",
            "ABABABABABABABABABABABABABABABAB",
        ),
        (r#"["t1"]"#, "[]"),
        (r#"["t1"]"#, "null"),
        (r#"["t1"]"#, r#""t1""#),
        (r#"["t1"]"#, r#"["t1",""]"#),
        (r#"["t1"]"#, r#"["t#"]"#),
        (r#"["t1"]"#, r#"["t1",1]"#),
        (r#"["t1"]"#, r#"[["t1"]]"#),
        (r#"["t1"]"#, r#"["\ud800"]"#),
        // Claims that we don't know, and what is no JSON.
        (r#""role":"reader""#, r#""role":"reader","aud":"x""#),
        (r#""role":"reader""#, r#""role":"reader","admin":true"#),
        (r#""role":"reader""#, r#""role":"reader","":0"#),
        (r#""role":"reader""#, r#""Role":"reader""#),
        (r#""role":"reader""#, r#"'role':'reader'"#),
        (r#""role":"reader""#, "\"role\":\"rea\nder\""),
        ("1700003600}", "1700003600,}"),
        ("1700003600}", "1700003600} "),
        ("1700003600}", "1700003600}}"),
        ("1700003600}", "1700003600"),
        (r#"{"jti"#, r#" {"jti"#),
        (r#"{"jti"#, "\u{feff}{\"jti"),
    ] {
        let payload = GOOD_PAYLOAD.replacen(member, other, 1);
        assert_ne!(payload, GOOD_PAYLOAD, "{member}");
        assert_eq!(read(signed(GOOD_HEADER, &payload)), None, "{payload}");
    }
    let latin = [
        &GOOD_PAYLOAD.as_bytes()[..60],
        b"\xff",
        &GOOD_PAYLOAD.as_bytes()[60..],
    ]
    .concat();
    assert_eq!(read(signed(GOOD_HEADER, latin)), None);
    let deep = format!("{{\"things\":{}", "[".repeat(2_000));
    assert_eq!(read(signed(GOOD_HEADER, deep)), None);
}

#[test]
fn claims_may_leave_out_what_may_be_absent() {
    let payload = GOOD_PAYLOAD
        .replace(r#""things":["t1"],"#, "")
        .replace(r#""nbf":1700000000,"#, "");
    let expected = Claims {
        things: Vec::new(),
        not_before: None,
        ..claims()
    };
    assert_eq!(read(signed(GOOD_HEADER, payload)), Some(expected));
}

#[test]
fn no_byte_may_be_another_and_none_missing_or_added() {
    let token = good();
    let bytes = token.as_bytes();
    for index in 0..bytes.len() {
        // The neighbours in every way: a bit, a case, a separator.
        for other in [bytes[index] ^ 1, bytes[index] ^ 0x20, b'.', b'=', 0, 0xff] {
            let mut changed = bytes.to_vec();
            changed[index] = other;
            if changed != bytes {
                assert_eq!(read(&changed), None, "{index} {other}");
            }
        }
        assert_eq!(read(&bytes[..index]), None, "{index}");
        assert_eq!(read(&bytes[index + 1..]), None, "{index}");
    }
    for added in ["A", "=", "==", ".", "..", ".A", "\n", " ", "\0", "é"] {
        assert_eq!(read(format!("{token}{added}")), None, "{added:?}");
        assert_eq!(read(format!("{added}{token}")), None, "{added:?}");
    }
}

#[test]
fn base64url_has_one_spelling() {
    let [header, payload, signature] = parts();
    // 64 bytes leave four bits over, and those have to be zero.
    let spellings = other_spellings(&signature);
    assert_eq!(spellings.len(), 15);
    for other in spellings {
        let token = format!("{header}.{payload}.{other}");
        assert_eq!(read(&token), None, "{token}");
    }
    // The same in the other parts, signed as they stand. Each length leaves
    // another number of bits over.
    let mut seen = 0;
    for id in ["k", "kk", "kkk"] {
        let header = encode(GOOD_HEADER.replace("k-1", id));
        let payload = encode(GOOD_PAYLOAD.replace("portal", id));
        assert!(read(resigned(&header, &payload)).is_some(), "{id}");
        for other in other_spellings(&header) {
            assert_eq!(read(resigned(&other, &payload)), None, "{other}");
            seen += 1;
        }
        for other in other_spellings(&payload) {
            assert_eq!(read(resigned(&header, &other)), None, "{other}");
            seen += 1;
        }
    }
    assert_eq!(seen, 2 * (15 + 3));
    for (header, payload) in [
        (format!("{header}="), payload.clone()),
        (header.clone(), format!("{payload}=")),
        (format!("{header}\n"), payload.clone()),
        (format!(" {header}"), payload.clone()),
        (header.replace('J', "%4A"), payload.clone()),
    ] {
        assert_eq!(read(resigned(&header, &payload)), None);
    }
    // The two letters in which base64 differs from base64url.
    let payload = GOOD_PAYLOAD.replace("\"t1\"", "\"???>>>~~~\"");
    let encoded = encode(&payload);
    assert!(encoded.contains(['-', '_']), "{encoded}");
    assert!(read(resigned(&header, &encoded)).is_some());
    let other = encoded.replace('-', "+").replace('_', "/");
    assert_eq!(read(resigned(&header, &other)), None);
}

#[test]
fn a_message_has_one_signature() {
    // The order of the group, in little-endian bytes (RFC 8032 §5.1).
    let order = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let [header, payload, signature] = parts();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    // Some multiples of the order still leave the upper bits as they were.
    for round in 0..7 {
        let mut carry = 0_u16;
        for (byte, of_order) in signature[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + of_order + carry;
            *byte = u8::try_from(sum & 0xff).unwrap();
            carry = sum >> 8;
        }
        assert_eq!(carry, 0);
        let token = format!("{header}.{payload}.{}", encode(&signature));
        assert!(Unverified::parse(token.as_bytes()).is_some());
        assert_eq!(read(token), None, "{round}");
    }
}

#[test]
fn a_signature_of_nothing_signs_nothing() {
    let [header, payload, _] = parts();
    let mut neutral = [0; 64];
    neutral[0] = 1;
    for signature in [[0; 64], [0xff; 64], neutral] {
        let token = format!("{header}.{payload}.{}", encode(signature));
        assert_eq!(read(token), None);
    }
    for length in [0, 1, 32, 63, 65, 128] {
        let token = format!("{header}.{payload}.{}", encode(vec![1; length]));
        assert!(Unverified::parse(token.as_bytes()).is_none(), "{length}");
    }
}

#[test]
fn a_token_has_three_parts() {
    let [header, payload, signature] = parts();
    for token in [
        header.clone(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}.{payload}.{signature}."),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{header}.{payload}.{payload}.{signature}"),
        format!("{header}.{header}.{payload}.{signature}"),
        "..".into(),
        "eyJ..".into(),
        // As JSON (RFC 7515 §7.2.2).
        format!(r#"{{"payload":"{payload}","protected":"{header}","signature":"{signature}"}}"#),
    ] {
        assert_eq!(read(&token), None, "{token}");
    }
}

#[test]
fn what_is_too_long_is_refused_before_it_is_read() {
    let thing = |length: usize| {
        let name = "t".repeat(length);
        GOOD_PAYLOAD.replace("\"t1\"", &format!("\"{}\"", &name))
    };
    // Names of 255 bytes are the longest, so there are several.
    let many = |count: usize, last: usize| {
        let names = vec![format!("\"{}\"", "t".repeat(200)); count].join(",");
        thing(last).replace("[\"", &format!("[{names},\""))
    };
    let longest = (1..=255)
        .rev()
        .map(|last| signed(GOOD_HEADER, many(13, last)))
        .find(|token| token.len() <= LONGEST)
        .unwrap();
    assert!(longest.len() >= LONGEST - 1, "{}", longest.len());
    assert!(looks_like_token(longest.as_bytes()) && read(&longest).is_some());
    let longer = (1..=255)
        .map(|last| signed(GOOD_HEADER, many(13, last)))
        .find(|token| token.len() > LONGEST)
        .unwrap();
    assert!(read(&longer).is_none());
    let megabyte = signed(GOOD_HEADER, vec![b' '; 1 << 20]);
    assert!(!looks_like_token(megabyte.as_bytes()) && read(&megabyte).is_none());
    assert!(read(vec![b'.'; 1 << 20]).is_none());
}

#[test]
fn what_would_be_refused_is_not_signed() {
    let key_id = KeyId::parse("k-1").unwrap();
    let refusal = |claims: &Claims| sign(claims, &key_id, &key()).err();
    let crowd = Claims {
        things: vec![LoginName::parse(&"t".repeat(255)).unwrap(); 20],
        ..claims()
    };
    assert!(matches!(refusal(&crowd), Some(SignError::TooLong { bytes }) if bytes > LONGEST));
    let endless = Claims {
        expires_at: Timestamp::from_millis(i64::MAX),
        ..claims()
    };
    assert_eq!(refusal(&endless), Some(SignError::Lifetime));
    assert_eq!(refusal(&claims()), None);
}

#[test]
fn the_shape_of_a_token_is_seen_without_reading_it() {
    for good in ["eyJ..", "eyJhbGciOiJub25lIn0.e30.", "eyJ.a_-9.Z"] {
        assert!(looks_like_token(good.as_bytes()), "{good}");
    }
    for bad in [
        "eyJ",
        "eyJ.",
        "eyJ...",
        "eyj..",
        "e30..",
        " eyJ..",
        "eyJ.. ",
        "eyJ.=.",
        "eyJ.+.",
        "eyJ./.",
        "eyJ.\0.",
        "eyJ.é.",
        "cs_00112233445566778899aabbccddeeff",
        "..eyJ",
    ] {
        assert!(!looks_like_token(bad.as_bytes()), "{bad:?}");
    }
    for presented in ["eyJ..\n", " eyJ..", &format!("eyJ{}", "A".repeat(5_000))] {
        assert!(may_be_token(&Secret::presented(presented.as_bytes())));
    }
    for presented in ["eyJ", "x eyJ..", &"A".repeat(5_000)] {
        assert!(!may_be_token(&Secret::presented(presented.as_bytes())));
    }
    let longest = format!("eyJ..{}", "A".repeat(LONGEST_PRESENTED - 5));
    assert!(looks_like_token(longest.as_bytes()));
    assert!(!looks_like_token(format!("{longest}A").as_bytes()));
    assert!(!looks_like_token(&[0xff; 10]));
}

/// The parts of the good token.
fn parts() -> [String; 3] {
    let token = good();
    let parts: Vec<String> = token.split('.').map(String::from).collect();
    parts.try_into().unwrap()
}

/// The parts as they stand, with a signature.
fn resigned(header: &str, payload: &str) -> String {
    let input = format!("{header}.{payload}");
    let signature = encode(key().sign(input.as_bytes()));
    format!("{input}.{signature}")
}

/// The texts that a careless decoder reads as the same bytes: those that differ
/// in the bits that are left over.
fn other_spellings(part: &str) -> Vec<String> {
    let left_over = match part.len() % 4 {
        2 => 16,
        3 => 4,
        _ => 1,
    };
    let mut start: Vec<char> = part.chars().collect();
    let last = start.pop().unwrap();
    let start = String::from_iter(start);
    let alphabet: Vec<char> = ALPHABET.chars().collect();
    alphabet
        .chunks(left_over)
        .filter(|twins| twins[0] == last)
        .flat_map(|twins| &twins[1..])
        .map(|twin| format!("{start}{twin}"))
        .collect()
}

const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

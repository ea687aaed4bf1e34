//! Tokens of others' issuers, and the keys that those publish.

use std::sync::OnceLock;

use countersign_core::issuer::{Algorithms, PresentedToken as _};
use countersign_core::time::Timestamp;
use countersign_issuer::{KeySet, LONGEST, MOST_KEYS, Unverified};

/// A token that an issuer may have signed: none is believed but the one that the key has
/// signed, to the byte. An input of which the first byte is 1 bends that one: pairs of
/// place and value follow.
pub fn issued_token(data: &[u8]) {
    static KEYS: OnceLock<KeySet> = OnceLock::new();
    let keys = KEYS.get_or_init(|| KeySet::of_jwks(KEY, &all()).unwrap());
    let good = GOOD.as_bytes();
    let mut given = data.to_vec();
    if let [1, changes @ ..] = data {
        given = good.to_vec();
        for change in changes.chunks_exact(3) {
            let at = usize::from(change[0]) << 8 | usize::from(change[1]);
            let at = at % given.len();
            given[at] = change[2];
        }
    }
    let Ok(token) = Unverified::parse(&given) else {
        return;
    };
    assert!(given.len() <= LONGEST);
    let (issuer, audiences) = (token.issuer().map(str::to_owned), token.audiences().len());
    let Ok(claims) = token.verified(keys, Timestamp::from_millis(1_800_000_000_000)) else {
        return;
    };
    assert_eq!(given, good, "a token that nobody signed");
    assert_eq!(claims.issuer().map(str::to_owned), issuer);
    assert_eq!(claims.audiences().len(), audiences);
}

/// The keys of an issuer, as JSON and as PEM: what is taken says the same again.
pub fn key_set(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for some in ["RS256,ES256,EdDSA", "PS256", "RS256,PS256,ES256,EdDSA"] {
        let some: Algorithms = some.parse().unwrap();
        for keys in [KeySet::of_jwks(text, &some), KeySet::of_pem(text, &some)] {
            let Ok(keys) = keys else { continue };
            assert!((1..=MOST_KEYS).contains(&keys.len()));
            assert_eq!(KeySet::of_jwks(&keys.to_jwks(), &some), Ok(keys));
        }
    }
}

fn all() -> Algorithms {
    "RS256,PS256,ES256,EdDSA".parse().unwrap()
}

/// RFC 8037 §A.2, and a token under it that lasts until the year 2100.
const KEY: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const GOOD: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6ImsifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjpbIm1xdHQiLCJvdGhlciJdLCJzdWIiOiJkZXYxIiwiZXhwIjo0MTAyNDQ0ODAwfQ.kcza5CQ2VGQMnlC3hzxAUU0JRxixQ4oHKRYOhwg6BROExnuCn9k7A649xjGrmL1HlQWD5bBUEX3UmdOC63UEDg";

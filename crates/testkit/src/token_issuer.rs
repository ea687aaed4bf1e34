//! An issuer of tokens (JWT, RFC 7519), as a company has one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

/// An issuer that signs by EdDSA.
#[derive(Debug)]
pub struct TokenIssuer {
    pair: Ed25519KeyPair,
    key_id: String,
}

impl TokenIssuer {
    /// One whose key follows from a number, and is called `key-NUMBER`.
    pub fn new(number: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[number; 32]);
        Self {
            pair: pair.expect("32 bytes are a seed"),
            key_id: format!("key-{number}"),
        }
    }

    /// The same, whose tokens call its key otherwise.
    pub fn calling_its_key(self, key_id: &str) -> Self {
        Self {
            key_id: key_id.into(),
            ..self
        }
    }

    /// Its public keys, as a JWK Set.
    pub fn jwks(&self) -> String {
        Self::jwks_of(&[self])
    }

    /// The public keys of several, as a JWK Set.
    pub fn jwks_of(issuers: &[&Self]) -> String {
        let key = |issuer: &&Self| {
            let public = URL_SAFE_NO_PAD.encode(issuer.pair.public_key());
            json!({ "kty": "OKP", "crv": "Ed25519", "kid": issuer.key_id, "x": public })
        };
        let keys: Vec<_> = issuers.iter().map(key).collect();
        json!({ "keys": keys }).to_string()
    }

    /// A token that claims this.
    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "EdDSA", "kid": self.key_id, "typ": "JWT" });
        let signed = [&header, claims]
            .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()))
            .join(".");
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

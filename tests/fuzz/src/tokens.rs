//! JSON Web Tokens and stored hashes.

use std::sync::OnceLock;

use countersign::core::jwt::{Claims, KeyId, SigningKey, TokenId, Unverified, Whoami, sign};
use countersign::core::name::TenantId;
use countersign::core::role::RoleName;
use countersign::core::secret::{PasswordHash, SaltReading, Secret};
use countersign::core::time::Timestamp;

/// A token: none verifies but one that was signed, to the byte. An input of
/// which the first byte is 1 bends that one: pairs of place and value follow.
pub fn token(data: &[u8]) {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    let key = SigningKey::from_seed([7; 32]);
    let good = GOOD.get_or_init(|| {
        let at = Timestamp::from_millis(1_700_000_000_000);
        let claims = Claims {
            jti: TokenId::generate([1; 16]),
            tenant: TenantId::parse("acme").unwrap(),
            whoami: Whoami::parse("robot").unwrap(),
            role: RoleName::parse("staff").unwrap(),
            things: Vec::new(),
            issued_at: at,
            not_before: None,
            expires_at: Timestamp::from_millis(1_700_000_060_000),
        };
        let id = KeyId::generate([2; 8]);
        sign(&claims, &id, &key).unwrap().expose().to_vec()
    });
    let mut given = data.to_vec();
    if let [1, changes @ ..] = data {
        given.clone_from(good);
        for change in changes.chunks_exact(3) {
            let at = usize::from(change[0]) << 8 | usize::from(change[1]);
            let at = at % given.len();
            given[at] = change[2];
        }
    }
    let verified = Unverified::parse(&given).and_then(|it| it.verify(&key.verifying_key()));
    assert!(
        verified.is_none() || given == *good,
        "a token that nobody signed"
    );
}

/// A stored hash, or one that is taken over: what is taken says the same again,
/// and matches nothing by chance.
pub fn phc(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let readings = [SaltReading::Decoded, SaltReading::Either, SaltReading::Text];
    let imported = readings.map(|reading| PasswordHash::import(text, reading));
    for hash in imported.into_iter().chain([PasswordHash::parse(text)]) {
        let Ok(hash) = hash else { continue };
        let again = PasswordHash::parse(hash.as_str());
        assert!(again.is_ok_and(|again| again.as_str() == hash.as_str()));
        // Some hashes are meant to take long.
        let cheap = ["m=8,", "m=16,", "m=32,"];
        let argon2id = cheap.iter().any(|cost| text.contains(cost)) && text.contains("t=1,p=1$");
        let others = [
            "$6$",
            "$7$1$",
            "$2b$04$",
            "PBKDF2$sha256$1$",
            "pbkdf2-sha512$i=1,",
        ];
        if argon2id || others.iter().any(|prefix| text.starts_with(prefix)) {
            assert!(!hash.verify(&Secret::new(b"not this one".to_vec())));
        }
    }
}

//! Certificates of authorities and what they signed, all made by OpenSSL.

use std::sync::Arc;

use countersign_core::certificate::{
    AuthorityKey, IdentityKind, KeyAlgorithm, Leaf, PresentedCertificate,
};

use crate::{AuthorityError, CertificateError, certificate_of_pem, presented, read_authority};

/// Each under a line that says its name.
const SIGNED: &str = include_str!("../tests/signed.pem");

fn der(name: &str) -> Vec<u8> {
    let heading = format!("{name}:\n");
    let mut parts = SIGNED.split("-----END CERTIFICATE-----\n");
    let part = parts.find(|part| part.starts_with(&heading)).unwrap();
    certificate_of_pem(&format!("{part}-----END CERTIFICATE-----\n")).unwrap()
}

fn leaf(name: &str) -> Arc<dyn Leaf> {
    match presented(&der(name)) {
        PresentedCertificate::Read { leaf, .. } => leaf,
        PresentedCertificate::Unreadable => panic!("{name} is unreadable"),
    }
}

fn key(name: &str) -> AuthorityKey {
    read_authority(&der(name)).unwrap().key
}

const AUTHORITIES: [(&str, KeyAlgorithm); 5] = [
    ("rsa2048", KeyAlgorithm::Rsa),
    ("rsa4096", KeyAlgorithm::Rsa),
    ("p256", KeyAlgorithm::P256),
    ("p384", KeyAlgorithm::P384),
    ("ed25519", KeyAlgorithm::Ed25519),
];

#[test]
fn keys_of_four_kinds_count_and_no_others() {
    for (name, algorithm) in AUTHORITIES {
        let read = read_authority(&der(name)).unwrap();
        assert_eq!(read.key.algorithm, algorithm, "{name}");
        assert_eq!(read.subject, format!("CN={name} authority,O=Acme"));
        assert!(read.signer.key_id.is_some(), "{name}");
    }
    for name in ["rsa1024", "p521", "secp256k1", "compressed", "exponent3"] {
        let read = read_authority(&der(name));
        assert_eq!(read, Err(AuthorityError::Key), "{name}");
    }
    // A certificate of the first version does not say what it is for.
    let first = read_authority(&der("v1")).unwrap();
    assert_eq!(first.key, key("p256"));
    assert_eq!(first.signer.key_id, None);
    for name in ["end", "usage-without"] {
        let of_a_device = read_authority(&der(name));
        assert_eq!(of_a_device, Err(AuthorityError::NoAuthority), "{name}");
    }
    assert!(read_authority(&der("usage-with")).is_ok());
    let malformed = read_authority(b"0");
    let why = CertificateError::Malformed;
    assert_eq!(malformed, Err(AuthorityError::Certificate(why)));
}

#[test]
fn a_certificate_is_of_the_key_that_signed_it_and_of_no_other() {
    for (name, signer) in [
        ("leaf-rsa2048", "rsa2048"),
        ("leaf-rsa4096", "rsa4096"),
        ("leaf-pss", "rsa2048"),
        ("leaf-p256", "p256"),
        ("leaf-p384", "p384"),
        ("leaf-p384-sha256", "p384"),
        ("leaf-ed25519", "ed25519"),
    ] {
        let leaf = leaf(name);
        for (authority, _) in AUTHORITIES {
            let is_its = leaf.is_signed_with(&key(authority));
            assert_eq!(is_its, authority == signer, "{name} {authority}");
        }
        let signer = read_authority(&der(signer)).unwrap().signer;
        assert_eq!(leaf.signer(), signer, "{name}");
    }
    // SHA-1 is no signature.
    assert!(!leaf("leaf-sha1").is_signed_with(&key("rsa2048")));
}

#[test]
fn whoever_bears_an_authoritys_name_is_not_it() {
    let [real, sub] = ["p256", "sub"].map(|name| read_authority(&der(name)).unwrap());
    assert_eq!(real.signer.name, sub.signer.name);
    let leaf = leaf("leaf-sub");
    assert_eq!(leaf.signer().name, real.signer.name);
    assert!(!leaf.is_signed_with(&real.key));
    assert!(leaf.is_signed_with(&sub.key));
}

#[test]
fn no_byte_that_is_signed_can_be_changed() {
    let der = der("leaf-p256");
    let key = key("p256");
    let mut read = 0;
    for at in 0..der.len() {
        let mut changed = der.clone();
        changed[at] ^= 1;
        if let PresentedCertificate::Read { leaf, .. } = presented(&changed) {
            read += 1;
            assert!(!leaf.is_signed_with(&key), "{at}");
        }
    }
    assert!(read > 100, "{read}");
}

#[test]
fn each_kind_of_name_is_read_and_two_of_one_kind_are_none() {
    let names = leaf("names");
    for (kind, value) in [
        (IdentityKind::CommonName, "dev1"),
        (IdentityKind::SanDns, "dev1.example.com"),
        (IdentityKind::SanEmail, "dev1@example.com"),
        (IdentityKind::SanUri, "urn:dev:dev1"),
        (IdentityKind::Serial, "ab01"),
        (
            IdentityKind::Subject,
            "CN=dev1,OU=\\#1 \\\" é,O=Acme\\, Inc.,C=DE",
        ),
    ] {
        assert_eq!(names.identity(kind).as_deref(), Some(value), "{kind:?}");
    }
    let twice = leaf("twice");
    for kind in IdentityKind::ALL {
        let value = match kind {
            IdentityKind::Serial => Some("0"),
            IdentityKind::Subject => Some("CN=dev2,CN=dev1"),
            IdentityKind::CommonName
            | IdentityKind::SanDns
            | IdentityKind::SanEmail
            | IdentityKind::SanUri => None,
        };
        assert_eq!(twice.identity(kind).as_deref(), value, "{kind:?}");
    }
    let without = leaf("without");
    for kind in IdentityKind::ALL {
        let value = (kind == IdentityKind::Subject).then_some("O=Acme");
        assert_eq!(without.identity(kind).as_deref(), value, "{kind:?}");
    }
}

//! Certificates, as bytes and as text, and the names in them.

use countersign_certificate::{MOST_BYTES, certificate_of_pem, presented, read, read_authority};
use countersign_core::certificate::{
    Fingerprint, IdentityKind, Leaf, NamePattern, PresentedCertificate,
};

/// A certificate: what is read is all of what was given, and no bytes more or less are
/// the same; what is not read is nobody's.
pub fn certificate(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(der) = certificate_of_pem(text) {
            assert!(!der.is_empty() && der.len() <= text.len());
        }
        pattern(text);
    }
    let Ok((fingerprint, validity)) = read(data) else {
        assert!(matches!(presented(data), PresentedCertificate::Unreadable));
        assert!(read_authority(data).is_err());
        return;
    };
    assert!(data.len() <= MOST_BYTES);
    assert_eq!(fingerprint, Fingerprint::of(data));
    let first = validity.not_before.as_millis();
    assert!(first >= 0 && first % 1_000 == 0, "{validity:?}");
    let PresentedCertificate::Read {
        fingerprint: of,
        validity: when,
        leaf,
    } = presented(data)
    else {
        panic!("it is read and unreadable");
    };
    assert_eq!((of, when), (fingerprint, validity));
    names(&*leaf);
    if let Ok(authority) = read_authority(data) {
        assert_eq!(authority.fingerprint, fingerprint);
        assert!(authority.key.bytes.len() <= 600, "a key of that length");
        // Whether or not it signed itself, nothing but an answer comes of it.
        let _is_its_own = leaf.is_signed_with(&authority.key);
    }
    let longer = [data, &[0]].concat();
    assert!(read(&longer).is_err(), "it goes on behind its end");
    assert!(read(&data[..data.len() - 1]).is_err(), "it ends too soon");
}

/// What a certificate names.
fn names(leaf: &dyn Leaf) {
    assert_eq!(leaf.signer(), leaf.signer());
    for kind in IdentityKind::ALL {
        let Some(value) = leaf.identity(kind) else {
            continue;
        };
        assert!(value.len() <= 8 * MOST_BYTES, "{kind:?}");
        if kind == IdentityKind::Serial {
            let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            assert!(!value.is_empty() && value.bytes().all(is_digit), "{value}");
            assert!(value == "0" || !value.starts_with('0'), "{value}");
        }
        let all = NamePattern::default();
        let name = all.name_in(&value);
        assert_eq!(name, (!value.is_empty()).then_some(&*value));
    }
}

/// A pattern in the first line and values in those behind it: a name that is found, put
/// back in its place, makes the value.
fn pattern(text: &str) {
    let mut lines = text.lines();
    let Some(Ok(pattern)) = lines.next().map(NamePattern::parse) else {
        return;
    };
    let written = pattern.to_string();
    assert_eq!(NamePattern::parse(&written), Ok(pattern.clone()));
    let (before, after) = written.split_once("${name}").unwrap();
    for value in lines {
        match pattern.name_in(value) {
            Some(name) => assert_eq!(format!("{before}{name}{after}"), value),
            None => assert!(
                value.len() <= before.len() + after.len()
                    || !value.starts_with(before)
                    || !value.ends_with(after),
                "{written} {value}"
            ),
        }
    }
}

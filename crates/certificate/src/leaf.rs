//! What a certificate says of who signed it and whom it names.

use core::fmt::Write as _;

use countersign_core::certificate::{AuthorityKey, IdentityKind, Leaf, SignerHints};
use countersign_core::hex;
use x509_cert::Certificate;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::{
    Any, Ia5StringRef, ObjectIdentifier, PrintableStringRef, Utf8StringRef,
};
use x509_cert::der::{Decode, Header, Reader as _, SliceReader, Tag, Tagged as _};
use x509_cert::ext::pkix::AuthorityKeyIdentifier;
use x509_cert::ext::pkix::name::{GeneralName, GeneralNames};
use x509_cert::name::Name;

use crate::hints::hints;
use crate::signature;

/// A certificate that was read, and the bytes that were read.
#[derive(Debug)]
pub(crate) struct ReadLeaf {
    certificate: Certificate,
    der: Box<[u8]>,
}

impl ReadLeaf {
    /// `certificate` is what was read of `der`.
    pub(crate) fn new(certificate: Certificate, der: &[u8]) -> Self {
        Self {
            certificate,
            der: der.into(),
        }
    }

    /// The bytes that are signed, as they were sent.
    fn signed(&self) -> Option<&[u8]> {
        let mut reader = SliceReader::new(&self.der).ok()?;
        Header::decode(&mut reader).ok()?;
        reader.tlv_bytes().ok()
    }

    /// The one alternative name of this kind.
    fn alternative_name(&self, kind: IdentityKind) -> Option<String> {
        let names: GeneralNames = extension(&self.certificate, ALTERNATIVE_NAMES)?;
        let named = names.iter().filter_map(|name| of_kind(name, kind));
        only(named).map(str::to_owned)
    }

    fn common_name(&self) -> Option<String> {
        let subject = self.certificate.tbs_certificate().subject();
        let names = subject.iter().filter(|it| it.oid == COMMON_NAME);
        let AttributeTypeAndValue { value, .. } = only(names)?;
        text(value)
    }

    fn serial(&self) -> Option<String> {
        let number = self.certificate.tbs_certificate().serial_number();
        let bytes = number.as_bytes();
        // A negative one is nobody's.
        if bytes.first().is_none_or(|first| *first >= 0x80) {
            return None;
        }
        let digits = hex::encode(bytes);
        let digits = digits.trim_start_matches('0');
        Some(if digits.is_empty() { "0" } else { digits }.into())
    }
}

impl Leaf for ReadLeaf {
    fn signer(&self) -> SignerHints {
        let tbs = self.certificate.tbs_certificate();
        let named: Option<AuthorityKeyIdentifier> = extension(&self.certificate, AUTHORITY_KEY);
        let key_id = named.and_then(|named| named.key_identifier);
        hints(key_id.as_ref(), tbs.issuer())
    }

    fn is_signed_with(&self, key: &AuthorityKey) -> bool {
        let (Some(signed), Some(signature)) =
            (self.signed(), self.certificate.signature().as_bytes())
        else {
            return false;
        };
        let algorithm = self.certificate.signature_algorithm();
        // What is signed says it once more (RFC 5280 §4.1.1.2).
        algorithm == self.certificate.tbs_certificate().signature()
            && signature::is_valid(key, algorithm, signed, signature)
    }

    fn identity(&self, kind: IdentityKind) -> Option<String> {
        match kind {
            IdentityKind::CommonName => self.common_name(),
            IdentityKind::SanDns | IdentityKind::SanEmail | IdentityKind::SanUri => {
                self.alternative_name(kind)
            }
            IdentityKind::Serial => self.serial(),
            IdentityKind::Subject => {
                let subject = written(self.certificate.tbs_certificate().subject())?;
                Some(subject).filter(|subject| !subject.is_empty())
            }
        }
    }
}

/// A name as RFC 4514 writes it.
pub(crate) fn written(name: &Name) -> Option<String> {
    let mut text = String::new();
    write!(text, "{name}").ok()?;
    Some(text)
}

/// The one extension of this kind; none if there are more, or it can't be read.
pub(crate) fn extension<T: for<'a> Decode<'a>>(
    certificate: &Certificate,
    kind: ObjectIdentifier,
) -> Option<T> {
    let extensions = certificate.tbs_certificate().extensions()?;
    let found = only(extensions.iter().filter(|it| it.extn_id == kind))?;
    T::from_der(found.extn_value.as_bytes()).ok()
}

/// The only one, if there is one.
fn only<T>(mut found: impl Iterator<Item = T>) -> Option<T> {
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// The text of an alternative name, if it is of this kind.
fn of_kind(name: &GeneralName, kind: IdentityKind) -> Option<&str> {
    let (of, text) = if let GeneralName::DnsName(text) = name {
        (IdentityKind::SanDns, text)
    } else if let GeneralName::Rfc822Name(text) = name {
        (IdentityKind::SanEmail, text)
    } else if let GeneralName::UniformResourceIdentifier(text) = name {
        (IdentityKind::SanUri, text)
    } else {
        return None;
    };
    (of == kind).then(|| text.as_str())
}

/// A text of those sorts that are UTF-8.
fn text(value: &Any) -> Option<String> {
    let tag = value.tag();
    let text = if tag == Tag::Utf8String {
        Utf8StringRef::try_from(value).ok()?.as_str()
    } else if tag == Tag::PrintableString {
        PrintableStringRef::try_from(value).ok()?.as_str()
    } else if tag == Tag::Ia5String {
        Ia5StringRef::try_from(value).ok()?.as_str()
    } else {
        return None;
    };
    Some(text.to_owned())
}

const ALTERNATIVE_NAMES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const AUTHORITY_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

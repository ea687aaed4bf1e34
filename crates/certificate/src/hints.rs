//! What helps to find the authority that signed a certificate.

use countersign_core::certificate::SignerHints;
use sha2::{Digest as _, Sha256};
use x509_cert::der::Encode as _;
use x509_cert::der::asn1::OctetString;
use x509_cert::name::Name;

/// Hashes of the identifier of a key and of a name.
pub(crate) fn hints(key_id: Option<&OctetString>, name: &Name) -> SignerHints {
    // A name that was read can be written; else it is called like no other.
    let name = name.to_der().unwrap_or_default();
    SignerHints {
        key_id: key_id.map(|id| Sha256::digest(id.as_bytes()).into()),
        name: Sha256::digest(name).into(),
    }
}

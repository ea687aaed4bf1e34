//! What an address says of TLS.

use std::collections::BTreeMap;

use tokio_postgres::config::Host;

use crate::tls::Tls;

/// The words of an address and of its service that are about TLS. Of one that is said twice
/// the first counts.
#[derive(Debug, Default)]
pub(crate) struct TlsWords(BTreeMap<String, String>);

impl TlsWords {
    /// Says whether a word is about TLS.
    pub(crate) fn are_of(key: &str) -> bool {
        [MODE, ROOTS, CERTIFICATE, KEY].contains(&key)
    }

    /// Takes a word.
    pub(crate) fn put(&mut self, key: &str, value: &str) {
        let said = self.0.entry(key.to_owned());
        said.or_insert_with(|| value.to_owned());
    }

    /// How hosts are reached by TLS; none where they are on this machine and nothing asks
    /// for it.
    pub(crate) fn resolve(&self, hosts: &[Host], is_here: bool) -> Result<Option<Tls>, String> {
        let said = |key| self.0.get(key).map(String::as_str);
        match said(MODE) {
            None | Some(VERIFY_FULL) => {}
            Some("disable") if is_here => return Ok(None),
            Some("disable") => return Err("`sslmode=disable` is for this machine alone".into()),
            Some(_) => {
                return Err("`sslmode` is `verify-full`, or `disable` on this machine".into());
            }
        }
        let identity = match (said(CERTIFICATE), said(KEY)) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (Some(_), None) | (None, Some(_)) => {
                return Err("`sslcert` and `sslkey` go together".into());
            }
        };
        // Nobody listens to what is said by a socket.
        let is_socket = hosts.iter().all(|host| matches!(host, Host::Unix(_)));
        if is_here && (is_socket || self.0.is_empty()) {
            return Ok(None);
        }
        Tls::verifying(said(ROOTS), identity).map(Some)
    }
}

const MODE: &str = "sslmode";
const ROOTS: &str = "sslrootcert";
const CERTIFICATE: &str = "sslcert";
const KEY: &str = "sslkey";
const VERIFY_FULL: &str = "verify-full";

//! Whom the service trusts where it is the one who asks.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// What trusts those in a file (PEM), or without one whom the system trusts, or
/// `SSL_CERT_FILE`.
///
/// # Errors
///
/// Returns an error when their certificates can't be read.
pub(crate) fn trusting(file: Option<&Path>) -> io::Result<Arc<ClientConfig>> {
    let systems = || std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let file = file.map(Path::to_owned).or_else(systems);
    let file = file.unwrap_or_else(|| SYSTEM_ROOTS.into());
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(file).map_err(io::Error::other)?;
    roots.add_parsable_certificates(found.filter_map(Result::ok));
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

//! TLS: a certificate and its key, which can be read anew.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

/// The files of a certificate, with those that it is signed by, and its key.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

/// What TLS is spoken with.
pub(crate) struct Tls {
    files: TlsFiles,
    current: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// Returns [`TlsError`] when they can't be read, or do not belong together.
    pub(crate) fn read(files: TlsFiles) -> Result<Self, TlsError> {
        let current = RwLock::new(config(&files)?);
        Ok(Self { files, current })
    }

    /// Reads the files anew, for connections that come from now on.
    ///
    /// # Errors
    ///
    /// As [`Tls::read`]; what was read before stays then.
    pub(crate) fn read_again(&self) -> Result<(), TlsError> {
        let config = config(&self.files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current).into()
    }
}

fn config(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let unreadable = |path: &Path, error: &dyn core::fmt::Display| {
        TlsError(format!("could not read `{}`: {error}", path.display()))
    };
    let certificates = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(&files.certificate, &error))?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unreadable(&files.key, &error))?;
    let wrong = |error: tokio_rustls::rustls::Error| {
        let (certificate, key) = (files.certificate.display(), files.key.display());
        TlsError(format!(
            "`{certificate}` and `{key}` can't be used: {error}"
        ))
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(wrong)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Why TLS can't be spoken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(String);

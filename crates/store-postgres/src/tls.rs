//! TLS, by which databases on other machines are reached.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::user_file::UserFile;

/// How the other end is told from others: its certificate is for its name, and signed by
/// one of the roots.
#[derive(Clone)]
pub(crate) struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Believes the roots in this file, or those of the system. The other end is shown the
    /// certificate in the first of two files, whose private key is in the second.
    pub(crate) fn verifying(
        roots: Option<&str>,
        identity: Option<(&str, &str)>,
    ) -> Result<Self, String> {
        let path = Path::new(roots.unwrap_or(SYSTEMS_ROOTS));
        let unusable = |why: &str| {
            format!(
                "`{}` {why}; name the roots by `sslrootcert`",
                path.display()
            )
        };
        let mut store = RootCertStore::empty();
        let certificates =
            CertificateDer::pem_file_iter(path).map_err(|_| unusable("can't be read"))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|_| unusable("is no PEM file"))?;
            // Roots of the system may be of kinds that nothing here knows.
            let _known = store.add(certificate);
        }
        if store.is_empty() {
            return Err(unusable("holds no certificate"));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(store);
        let config =
            match identity {
                None => config.with_no_client_auth(),
                Some((certificate, key)) => {
                    let shown = (chain_in(certificate)?, key_in(key)?);
                    config.with_client_auth_cert(shown.0, shown.1).map_err(|_| {
                    format!("`{key}` is not the private key of the certificate in `{certificate}`")
                })?
                }
            };
        Ok(Self(Arc::new(config)))
    }
}

/// The certificate that is shown, and those that signed it.
fn chain_in(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|_| format!("`{path}` can't be read, or is no PEM file"))?;
    if chain.is_empty() {
        return Err(format!("`{path}` holds no certificate"));
    }
    Ok(chain)
}

/// A private key, which others must not be able to read.
fn key_in(path: &str) -> Result<PrivateKeyDer<'static>, String> {
    let file = UserFile::read(Path::new(path)).map_err(|_| format!("`{path}` can't be read"))?;
    if !file.is_private_or_of_root() {
        return Err(format!(
            "`{path}` is a private key, and others may read it; chmod 600 {path}"
        ));
    }
    PrivateKeyDer::from_pem_slice(file.text.as_bytes())
        .map_err(|_| format!("`{path}` holds no private key, or one that a password locks"))
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(…)")
    }
}

impl MakeTlsConnect<Socket> for Tls {
    type Stream = Stream;
    type TlsConnect = Handshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, domain: &str) -> io::Result<Handshake> {
        let name = ServerName::try_from(domain.to_owned()).map_err(io::Error::other)?;
        Ok(Handshake {
            connector: TlsConnector::from(Arc::clone(&self.0)),
            name,
        })
    }
}

/// The handshake with one host.
pub(crate) struct Handshake {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl TlsConnect<Socket> for Handshake {
    type Stream = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move { Ok(Stream(self.connector.connect(self.name, socket).await?)) })
    }
}

/// What is said to one host.
pub(crate) struct Stream(client::TlsStream<Socket>);

impl TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// Where Debian and others keep the roots that all programs believe.
const SYSTEMS_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

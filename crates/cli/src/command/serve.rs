//! `countersign serve`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use countersign_server::{Door, Network, Options, TlsFiles, bind};

use crate::error::CliError;
use crate::invocation::Invocation;

#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Where to listen, unless systemd hands over sockets.
    #[arg(long, value_name = "ADDR:PORT", default_value_t = LOCAL)]
    listen: SocketAddr,
    /// A name by which the service is called, besides its address and `localhost`.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// The certificate, and those that signed it, PEM. Read again on SIGHUP.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM. Read again on SIGHUP.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Be reached from elsewhere without TLS, behind a proxy that speaks it.
    #[arg(long)]
    allow_plain: bool,
    /// A proxy, or a network of them, whose word about the addresses of clients counts.
    #[arg(long = "trusted-proxy", value_name = "CIDR")]
    trusted_proxies: Vec<Network>,
    /// Answer hooks of other brokers here, and nowhere else.
    #[arg(long, value_name = "ADDR:PORT")]
    hooks_listen: Option<SocketAddr>,
    /// Tell here what is counted, for Prometheus, to whoever asks.
    #[arg(long, value_name = "ADDR:PORT")]
    metrics_listen: Option<SocketAddr>,
    /// Tell what is counted by tenant, too.
    #[arg(long)]
    metrics_tenants: bool,
    /// Answer as another system does, too: `devicewise`, `impact`, `kaa` or `tier0`; for
    /// one tenant, `impact=TENANT`.
    /// Without a tenant it is the only one in which the asker has a right.
    #[arg(long = "door", value_name = "DOOR[=TENANT]")]
    doors: Vec<Door>,
}

impl Serve {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let tls = self.tls_cert.zip(self.tls_key);
        let options = Options {
            listen: self.listen,
            hosts: self.hosts,
            tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
            allow_plain: self.allow_plain,
            trusted_proxies: self.trusted_proxies,
            metrics_listen: self.metrics_listen,
            metrics_tenants: self.metrics_tenants,
            hooks_listen: self.hooks_listen,
            doors: self.doors,
        };
        let refused = |error: countersign_server::ServeError| CliError::refused(error.to_string());
        // Root may be needed for a port or a key, and is given up when the store is opened.
        let bound = bind(options).map_err(refused)?;
        let store = invocation.open()?;
        bound.serve(store).map_err(refused)?;
        Ok(ExitCode::SUCCESS)
    }
}

const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

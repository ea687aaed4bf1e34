//! An authority for TLS, and the certificates that it signed.

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use countersign_testkit::tools::{Output, Tool};
use tempfile::TempDir;

use crate::PATIENCE;

/// An authority and the folder that its certificates are in.
#[derive(Debug)]
pub struct Authority(TempDir);

impl Authority {
    /// One that has signed a certificate for 127.0.0.1.
    pub fn new() -> Self {
        let authority = Self(tempfile::tempdir().unwrap());
        authority.openssl("ca", &["-subj", "/CN=Test Authority"]);
        let address = ["-addext", "subjectAltName=IP:127.0.0.1"];
        authority.sign_with("server", &address);
        authority
    }

    /// Signs a certificate for a client of this name.
    pub fn sign(&self, name: &str) {
        self.sign_with(name, &[]);
    }

    /// Makes a further authority, which is trusted, too: one of its own, or one that `by`
    /// signed.
    pub fn further(&self, name: &str, subject: &str, by: Option<&str>) {
        let subject = ["-subj", subject];
        match by {
            Some(by) => self.sign_by(by, name, &subject),
            None => self.openssl(name, &subject),
        }
        let further = fs::read(self.path(&format!("{name}.crt"))).unwrap();
        let mut trusted = OpenOptions::new()
            .append(true)
            .open(self.path("ca.crt"))
            .unwrap();
        trusted.write_all(&further).unwrap();
    }

    /// Has an authority sign a certificate.
    pub fn sign_by(&self, by: &str, name: &str, more: &[&str]) {
        let ca = ["crt", "key"].map(|end| self.path(&format!("{by}.{end}")));
        self.openssl(name, &[&["-CA", &ca[0], "-CAkey", &ca[1]], more].concat());
    }

    /// The path of one of its files.
    pub fn path(&self, file: &str) -> String {
        self.0.path().join(file).display().to_string()
    }

    /// What mosquitto.conf says about a listener with the server's certificate.
    pub fn listener_lines(&self) -> [String; 3] {
        [
            format!("cafile {}", self.path("ca.crt")),
            format!("certfile {}", self.path("server.crt")),
            format!("keyfile {}", self.path("server.key")),
        ]
    }

    /// A program for a listener with TLS.
    pub fn client(&self, program: &str, port: u16) -> Tool {
        Tool::mosquitto(program, port).args(["--cafile", &self.path("ca.crt")])
    }

    /// The same with a certificate.
    pub fn certified(&self, program: &str, port: u16, name: &str) -> Tool {
        self.client(program, port)
            .args(["--cert", &self.path(&format!("{name}.crt"))])
            .args(["--key", &self.path(&format!("{name}.key"))])
            .args(["-i", &format!("id of {name}"), "-V", "311"])
    }

    /// A handshake with one version of TLS, at any strength.
    pub fn handshake(&self, port: u16, tls: &str) -> Output {
        Tool::new("openssl")
            .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), tls])
            .args(["-cipher", "ALL:@SECLEVEL=0", "-verify_return_error"])
            .args(["-CAfile", &self.path("ca.crt")])
            .run(PATIENCE)
            .unwrap()
    }

    fn sign_with(&self, name: &str, more: &[&str]) {
        let subject = format!("/CN={name}");
        self.sign_by("ca", name, &[&["-subj", &subject], more].concat());
    }

    fn openssl(&self, name: &str, more: &[&str]) {
        let kind = "req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:P-256";
        let output = Tool::new("openssl")
            .args(kind.split(' '))
            .args(["-keyout", &self.path(&format!("{name}.key"))])
            .args(["-out", &self.path(&format!("{name}.crt"))])
            .args(more)
            .run(PATIENCE)
            .unwrap();
        assert_eq!(output.code, Some(0), "{output:?}");
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

//! An authority, a certificate for the broker, and some for clients.

use countersign_testkit::tools::Tool;
use countersign_tests::PATIENCE;
use tempfile::TempDir;

/// The authority and the folder that its certificates are in.
pub struct Authority(TempDir);

impl Authority {
    /// One that has signed a certificate for the broker, and one for each of
    /// these names.
    pub fn new(names: &[&str]) -> Self {
        let authority = Self(tempfile::tempdir().unwrap());
        authority.sign("ca", &["-subj", "/CN=Hostile Authority"]);
        let ca = [authority.path("ca.crt"), authority.path("ca.key")];
        for name in names.iter().chain(&["server"]) {
            let subject = format!("/CN={name}");
            let by = ["-CA", &ca[0], "-CAkey", &ca[1], "-subj", &subject];
            let address = ["-addext", "subjectAltName=IP:127.0.0.1"];
            authority.sign(name, &[by.as_slice(), &address].concat());
        }
        authority
    }

    fn sign(&self, name: &str, more: &[&str]) {
        let output = Tool::new("openssl")
            .args(["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"])
            .args(["-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-keyout", &self.path(&format!("{name}.key"))])
            .args(["-out", &self.path(&format!("{name}.crt"))])
            .args(more)
            .run(PATIENCE)
            .unwrap();
        assert_eq!(output.code, Some(0), "{output:?}");
    }

    /// The path of one of its files.
    pub fn path(&self, file: &str) -> String {
        self.0.path().join(file).display().to_string()
    }

    /// What mosquitto.conf says about a listener that takes names from
    /// certificates.
    pub fn listener_lines(&self) -> [String; 5] {
        [
            format!("cafile {}", self.path("ca.crt")),
            format!("certfile {}", self.path("server.crt")),
            format!("keyfile {}", self.path("server.key")),
            "require_certificate true".to_owned(),
            "use_identity_as_username true".to_owned(),
        ]
    }
}

/// The name of a certificate that no credential is marked for.
pub const STRANGER: &str = "stranger";

/// The name of one that a credential is marked for.
pub const KNOWN: &str = "cert@alpha";

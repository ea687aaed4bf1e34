//! `countersign certificate`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::certificate::{AddCertificate, ListCertificates, RemoveCertificate};
use countersign_admin::view::CertificateView;
use countersign_certificate::{certificate_of_pem, read};
use countersign_core::certificate::{Fingerprint, Validity};
use countersign_core::name::LoginName;
use serde_json::json;

use crate::error::CliError;
use crate::input::When;
use crate::invocation::{Invocation, now};
use crate::keys::{CERTIFICATE, DELETED, Shows};
use crate::listing::Column;

#[derive(Debug, Subcommand)]
pub(crate) enum CertificateCommand {
    /// Have a certificate stand for a credential, beside those that do already.
    ///
    /// Its client then logs in without name and password, on a listener with
    /// `require_certificate true` and without `use_identity_as_username`. The broker must
    /// trust who signed the certificate (`cafile`).
    #[command(
        after_help = "Examples:\n  countersign certificate add dev1@acme --pem dev1.crt\n  countersign certificate add dev1@acme --until +90d --fingerprint \\\n      e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )]
    Add(Add),
    /// List the certificates of a credential.
    #[command(after_help = "Examples:\n  countersign certificate list dev1@acme")]
    List {
        /// Its name.
        #[arg(value_parser = LoginName::parse)]
        name: LoginName,
    },
    /// Have a certificate stand for a credential no longer. Sessions that it proved
    /// end.
    #[command(
        after_help = "Examples:\n  countersign certificate remove dev1@acme \\\n      e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )]
    Remove {
        /// Its name.
        #[arg(value_parser = LoginName::parse)]
        name: LoginName,
        /// The SHA-256 of the certificate, as `certificate list` shows it.
        #[arg(value_parser = Fingerprint::parse)]
        fingerprint: Fingerprint,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Add {
    /// The name of the credential.
    #[arg(value_parser = LoginName::parse)]
    name: LoginName,
    /// A file that holds the certificate (PEM).
    #[arg(long, value_name = "FILE", required_unless_present = "fingerprint")]
    pem: Option<PathBuf>,
    /// The SHA-256 of the certificate, as `openssl x509 -noout -fingerprint -sha256`
    /// prints it.
    #[arg(long, value_name = "SHA256", value_parser = Fingerprint::parse, conflicts_with = "pem")]
    fingerprint: Option<Fingerprint>,
    /// When it counts no more, if that is before it ends by itself.
    #[arg(long, value_name = "WHEN", value_parser = When::parse, allow_hyphen_values = true)]
    until: Option<When>,
}

impl CertificateCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::Add(add) => {
                let (fingerprint, validity) = match (&add.pem, add.fingerprint) {
                    (Some(file), _) => {
                        let (fingerprint, validity) = read_certificate(file)?;
                        (fingerprint, Some(validity))
                    }
                    (None, Some(fingerprint)) => (fingerprint, None),
                    (None, None) => {
                        return Err(CliError::usage("give --pem or --fingerprint"));
                    }
                };
                let added = invocation.run(&AddCertificate {
                    name: add.name,
                    fingerprint,
                    validity,
                    until: add.until.map(|until| until.seen_from(now())),
                })?;
                let done = format!("certificate of {} added", added.name);
                invocation.output.act(&done, &CertificateView::of(&added))?;
            }
            Self::List { name } => {
                let mut listing = invocation.output.listing(COLUMNS, "No certificates.");
                for certificate in invocation.run(&ListCertificates(name))? {
                    listing.push(&CertificateView::of(&certificate))?;
                }
                listing.finish()?;
            }
            Self::Remove { name, fingerprint } => {
                let done = format!("certificate of {name} removed");
                let deleted = json!({ "deleted": fingerprint.to_string() });
                invocation.run(&RemoveCertificate { name, fingerprint })?;
                invocation.output.act(&done, &deleted)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Add(_) | Self::List { .. } => Shows::all_of(&[CERTIFICATE]),
            Self::Remove { .. } => Shows::all_of(&[DELETED]),
        }
    }
}

/// What the one certificate of a file says.
fn read_certificate(file: &Path) -> Result<(Fingerprint, Validity), CliError> {
    read(&read_pem(file)?).map_err(|error| unreadable(file, &error))
}

pub(crate) fn unreadable(file: &Path, error: &dyn core::fmt::Display) -> CliError {
    CliError::refused(format!("could not read `{}`: {error}", file.display()))
}

/// The bytes of the one certificate of a file (PEM).
pub(crate) fn read_pem(file: &Path) -> Result<Vec<u8>, CliError> {
    let refused = |error: &dyn core::fmt::Display| unreadable(file, error);
    let mut text = String::new();
    File::open(file)
        .and_then(|file| file.take(MOST_OF_A_FILE).read_to_string(&mut text))
        .map_err(|error| refused(&error))?;
    certificate_of_pem(&text).map_err(|error| refused(&error))
}

/// A certificate, with what tools say of it in words.
const MOST_OF_A_FILE: u64 = 1024 * 1024;

const COLUMNS: &[Column] = &[
    ("fingerprint", "FINGERPRINT"),
    ("not_after", "NOT AFTER"),
    ("until", "UNTIL"),
    ("added_at", "ADDED"),
];

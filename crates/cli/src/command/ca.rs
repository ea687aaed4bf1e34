//! `countersign ca`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::authority::{
    AddAuthority, ForgetRegisteredDevice, ListAuthorities, RemoveAuthority, ShowAuthority,
};
use countersign_admin::view::AuthorityView;
use countersign_certificate::{ReadAuthority, read_authority};
use countersign_core::certificate::{Fingerprint, IdentityKind, NamePattern};
use countersign_core::name::TenantId;
use serde_json::json;

use crate::command::certificate::{read_pem, unreadable};
use crate::command::registering::RegisteringArguments;
use crate::error::CliError;
use crate::invocation::Invocation;
use crate::keys::{AUTHORITY, DELETED, FORGOTTEN, Shows};
use crate::listing::Column;

#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Have an authority speak for a tenant: each certificate that it signs names a
    /// credential of that tenant, and of no other.
    ///
    /// Take the authority that signs the devices' certificates itself, not one above it.
    /// The broker must trust it (`cafile`).
    #[command(
        after_help = "Examples:\n  countersign ca add --tenant acme --pem acme-ca.crt --identity cn\n  countersign ca add --tenant acme --pem acme-ca.crt --identity san-uri \\\n      --pattern 'urn:dev:${name}'\n  countersign ca add --tenant acme --pem acme-ca.crt --identity cn \\\n      --auto-register --role reader --max 500"
    )]
    Add(Add),
    /// List the authorities of a tenant, or of all.
    #[command(after_help = "Examples:\n  countersign ca list\n  countersign ca list --tenant acme")]
    List {
        /// The tenant.
        #[arg(long, value_name = "T", value_parser = TenantId::parse)]
        tenant: Option<TenantId>,
    },
    /// Show an authority.
    #[command(
        after_help = "Examples:\n  countersign ca show \\\n      e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )]
    Show {
        /// The SHA-256 of its certificate, as `ca list` shows it.
        #[arg(value_parser = Fingerprint::parse)]
        fingerprint: Fingerprint,
    },
    /// Let an authority register a device again that was registered and deleted.
    #[command(
        after_help = "Examples:\n  countersign ca forget \\\n      e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 dev1"
    )]
    Forget {
        /// The SHA-256 of its certificate, as `ca list` shows it.
        #[arg(value_parser = Fingerprint::parse)]
        fingerprint: Fingerprint,
        /// The device's name, with or without its tenant.
        name: String,
    },
    /// Have an authority speak for its tenant no longer. Sessions that it vouched for
    /// end.
    #[command(
        after_help = "Examples:\n  countersign ca remove \\\n      e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )]
    Remove {
        /// The SHA-256 of its certificate, as `ca list` shows it.
        #[arg(value_parser = Fingerprint::parse)]
        fingerprint: Fingerprint,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Add {
    /// The tenant.
    #[arg(long, value_name = "T", value_parser = TenantId::parse)]
    tenant: TenantId,
    /// A file that holds the authority's certificate (PEM).
    #[arg(long, value_name = "FILE")]
    pem: PathBuf,
    /// What of a certificate names the credential: `san-uri`, `san-dns`, `san-email`,
    /// `cn`, `serial` (the number in lower-case hex, without leading zeros) or `subject`
    /// (RFC 4514).
    #[arg(long, value_name = "WHAT", value_parser = IdentityKind::parse)]
    identity: IdentityKind,
    /// What that looks like from end to end; `${name}` stands for the name.
    #[arg(long, value_name = "P", value_parser = NamePattern::parse, default_value_t)]
    pattern: NamePattern,
    #[command(flatten)]
    registering: RegisteringArguments,
}

impl CaCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::Add(add) => {
                let read = read_authority(&read_pem(&add.pem)?)
                    .map_err(|error| unreadable(&add.pem, &error))?;
                let ReadAuthority {
                    fingerprint,
                    subject,
                    key,
                    signer,
                    validity,
                } = read;
                let added = invocation.run(&AddAuthority {
                    tenant: add.tenant,
                    fingerprint,
                    subject,
                    key,
                    signer,
                    validity,
                    identity: add.identity,
                    pattern: add.pattern,
                    registers: add.registering.registers(),
                })?;
                let done = format!("authority of tenant {} added", added.tenant);
                invocation.output.act(&done, &AuthorityView::of(&added))?;
            }
            Self::List { tenant } => {
                let mut listing = invocation.output.listing(COLUMNS, "No authorities.");
                for authority in invocation.run(&ListAuthorities { tenant })? {
                    listing.push(&AuthorityView::of(&authority))?;
                }
                listing.finish()?;
            }
            Self::Show { fingerprint } => {
                let authority = invocation.run(&ShowAuthority(fingerprint))?;
                invocation.output.record(&AuthorityView::of(&authority))?;
            }
            Self::Forget { fingerprint, name } => {
                let name = invocation.run(&ForgetRegisteredDevice {
                    authority: fingerprint,
                    name,
                })?;
                let forgotten = json!({ "forgotten": name.as_str() });
                let done = format!("{name} may be registered again");
                invocation.output.act(&done, &forgotten)?;
            }
            Self::Remove { fingerprint } => {
                let deleted = json!({ "deleted": fingerprint.to_string() });
                invocation.run(&RemoveAuthority(fingerprint))?;
                invocation.output.act("authority removed", &deleted)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Add(_) | Self::List { .. } | Self::Show { .. } => Shows::all_of(&[AUTHORITY]),
            Self::Forget { .. } => Shows::all_of(&[FORGOTTEN]),
            Self::Remove { .. } => Shows::all_of(&[DELETED]),
        }
    }
}

const COLUMNS: &[Column] = &[
    ("fingerprint", "FINGERPRINT"),
    ("tenant", "TENANT"),
    ("subject", "SUBJECT"),
    ("identity", "IDENTITY"),
    ("pattern", "PATTERN"),
    ("not_after", "NOT AFTER"),
];

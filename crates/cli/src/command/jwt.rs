//! `countersign jwt`.

use core::time::Duration;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::jwt::{
    CreateToken, Issuer, ListKeys, ListTokens, NewToken, RevokeToken, RevokeTokensOfIssuer,
    RevokeTokensOfKey, RotateKey, ShownToken,
};
use countersign_admin::view::{CreatedTokenView, KeyView, RotatedKeyView, TokenView};
use countersign_core::duration::{DurationError, parse_duration};
use countersign_core::jwt::{KeyId, TokenId, Ttl, Whoami};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;

use crate::error::CliError;
use crate::invocation::Invocation;
use crate::keys::{Shows, TOKEN};
use crate::listing::Column;
use crate::output::Mark;

#[derive(Debug, Subcommand)]
pub(crate) enum JwtCommand {
    /// Make a token, and print it this once. Its bearer presents it as the
    /// password, and as user name `jwt`, NAME or none.
    #[command(
        after_help = "Examples:\n  countersign jwt create --tenant acme --role reader --whoami report \\\n      --as jane@example.com\n  countersign jwt create --tenant acme --role ops --whoami repair \\\n      --thing pump-1 --ttl 15m --as portal"
    )]
    Create(JwtCreate),
    /// List the tokens that have not ended long since.
    #[command(after_help = "Examples:\n  countersign jwt list --tenant acme")]
    List {
        /// Of this tenant alone.
        #[arg(long, value_parser = TenantId::parse)]
        tenant: Option<TenantId>,
    },
    /// List the keys that sign a tenant's tokens, newest first.
    #[command(after_help = "Examples:\n  countersign jwt keys --tenant acme")]
    Keys {
        /// The tenant.
        #[arg(long, value_parser = TenantId::parse)]
        tenant: TenantId,
    },
    /// Revoke a token, or all that somebody made or that a key signed. Their
    /// sessions end.
    #[command(
        after_help = "Examples:\n  countersign jwt revoke 00112233445566778899aabbccddeeff\n  countersign jwt revoke --issuer jane@example.com\n  countersign jwt revoke --key k-0011223344556677"
    )]
    Revoke(JwtRevoke),
    /// Give a tenant a new key to sign with, beside which the old one counts for
    /// a while.
    #[command(
        after_help = "Examples:\n  countersign jwt rotate-key --tenant acme\n  countersign jwt rotate-key --tenant acme --overlap 1h"
    )]
    RotateKey {
        /// The tenant.
        #[arg(long, value_parser = TenantId::parse)]
        tenant: TenantId,
        /// How long tokens still count that the old key signed. No token lasts
        /// longer than a day.
        #[arg(long, value_name = "DUR", default_value = "24h", value_parser = parse_duration)]
        overlap: Duration,
    },
}

#[derive(Args, Debug)]
pub(crate) struct JwtCreate {
    /// The tenant it is for.
    #[arg(long, value_parser = TenantId::parse)]
    tenant: TenantId,
    /// The role of the tenant whose rules its bearer has.
    #[arg(long, value_parser = RoleName::parse)]
    role: RoleName,
    /// Whom it is for. All tokens for the same name are the same principal,
    /// `jwt:NAME@TENANT`.
    #[arg(long, value_name = "NAME", value_parser = Whoami::parse)]
    whoami: Whoami,
    /// A thing that it is limited to; without any, it is not limited.
    #[arg(long = "thing", value_name = "KEY", value_parser = LoginName::parse_device)]
    things: Vec<LoginName>,
    /// How long it lasts, from 1s to 24h.
    #[arg(long, value_name = "DUR", default_value = "1h", value_parser = parse_ttl)]
    ttl: Ttl,
    /// Who makes it, and must administer the tenant for as long as it is to
    /// last: a user's e-mail address, an application's name or a thing's key.
    #[arg(long = "as", value_name = "PRINCIPAL")]
    issuer: String,
}

#[derive(Args, Debug)]
#[group(id = "which", required = true, multiple = false, args = ["id", "issuer", "key"])]
pub(crate) struct JwtRevoke {
    /// The token's id, `jti`.
    #[arg(value_name = "JTI", value_parser = TokenId::parse)]
    id: Option<TokenId>,
    /// All tokens that this user, application or thing made.
    #[arg(long, value_name = "PRINCIPAL")]
    issuer: Option<String>,
    /// All tokens that this key signed; the key ends, too.
    #[arg(long, value_name = "KEY", value_parser = KeyId::parse)]
    key: Option<KeyId>,
    /// With --issuer, those of this tenant alone; an application is called by
    /// its name only with its tenant.
    #[arg(long, requires = "issuer", value_parser = TenantId::parse)]
    tenant: Option<TenantId>,
}

impl JwtCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::Create(create) => create.run(invocation)?,
            Self::List { tenant } => {
                let mut listing = invocation.output.listing(COLUMNS, "No tokens.");
                invocation.each_row(
                    |page| ListTokens {
                        tenant: tenant.clone(),
                        page,
                    },
                    |token| listing.push(&TokenView::of(&token)),
                )?;
                listing.finish()?;
            }
            Self::Keys { tenant } => {
                let mut listing = invocation.output.listing(KEYS, "No keys.");
                for key in invocation.run(&ListKeys { tenant })? {
                    listing.push(&KeyView::of(&key))?;
                }
                listing.finish()?;
            }
            Self::Revoke(revoke) => revoke.run(invocation)?,
            Self::RotateKey { tenant, overlap } => {
                let done = format!("tenant {tenant} signs with a new key");
                let rotated = invocation.run(&RotateKey { tenant, overlap })?;
                let view = RotatedKeyView::of(&rotated);
                let keys = ["key", "old_key_until"];
                let more = &[] as &[(&str, &str)];
                invocation
                    .output
                    .made(Mark::Done, &done, &view, &keys, more)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Create(_) => {
                Shows::all_of(&[&["token", "jti", "expires_at"]]).once("token", true)
            }
            Self::List { .. } | Self::Revoke(_) => Shows::all_of(&[TOKEN]),
            Self::Keys { .. } => {
                Shows::all_of(&[&["key", "tenant", "created_at", "ends_at", "valid"]])
            }
            Self::RotateKey { .. } => {
                Shows::all_of(&[&["key", "tenant", "created_at", "old_key_until"]])
            }
        }
    }
}

impl JwtCreate {
    fn run(self, invocation: &Invocation) -> Result<(), CliError> {
        let made = invocation.run(&CreateToken(NewToken {
            tenant: self.tenant,
            role: self.role,
            whoami: self.whoami,
            things: self.things,
            ttl: self.ttl,
            issuer: Issuer::Named(self.issuer),
        }))?;
        let view = CreatedTokenView::of(&made);
        let keys = ["token", "jti", "expires_at"];
        let more = &[] as &[(&str, &str)];
        invocation.output.made(
            Mark::Done,
            "token created; it is shown this once",
            &view,
            &keys,
            more,
        )
    }
}

impl JwtRevoke {
    fn run(self, invocation: &Invocation) -> Result<(), CliError> {
        if let Some(id) = self.id {
            let done = format!("token {id} revoked");
            let token = invocation.run(&RevokeToken(id))?;
            return invocation.output.act(&done, &TokenView::of(&token));
        }
        let tenant = self.tenant;
        let tokens = match (self.issuer, self.key) {
            (Some(issuer), _) => invocation.run(&RevokeTokensOfIssuer { issuer, tenant })?,
            (None, Some(key)) => invocation.run(&RevokeTokensOfKey(key))?,
            (None, None) => {
                return Err(CliError::usage(
                    "say what to revoke: JTI, --issuer or --key",
                ));
            }
        };
        print_all(invocation, &tokens)
    }
}

fn print_all(invocation: &Invocation, tokens: &[ShownToken]) -> Result<(), CliError> {
    let mut listing = invocation
        .output
        .listing(COLUMNS, "No tokens were revoked.");
    for token in tokens {
        listing.push(&TokenView::of(token))?;
    }
    listing.finish()
}

fn parse_ttl(text: &str) -> Result<Ttl, TtlTextError> {
    Ok(Ttl::new(parse_duration(text)?)?)
}

/// A text is no time that a token may last.
#[derive(Debug)]
struct TtlTextError(String);

impl From<DurationError> for TtlTextError {
    fn from(error: DurationError) -> Self {
        Self(error.to_string())
    }
}

impl From<countersign_core::jwt::TtlError> for TtlTextError {
    fn from(error: countersign_core::jwt::TtlError) -> Self {
        Self(error.to_string())
    }
}

impl core::fmt::Display for TtlTextError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for TtlTextError {}

const KEYS: &[Column] = &[
    ("key", "KEY"),
    ("tenant", "TENANT"),
    ("created_at", "CREATED"),
    ("ends_at", "ENDS"),
    ("valid", "VALID"),
];

const COLUMNS: &[Column] = &[
    ("jti", "JTI"),
    ("tenant", "TENANT"),
    ("whoami", "WHOAMI"),
    ("role", "ROLE"),
    ("things", "THINGS"),
    ("issuer", "ISSUER"),
    ("expires_at", "EXPIRES"),
    ("revoked_at", "REVOKED"),
    ("valid", "VALID"),
];

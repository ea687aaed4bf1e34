//! `countersign token`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::api_token::{
    CreateApiToken, ListApiTokens, NewApiToken, RevokeApiToken, TokenLifetime,
};
use countersign_admin::text::FreeText;
use countersign_admin::view::{ApiTokenView, CreatedApiTokenView};
use countersign_core::api_token::{ApiTokenId, TokenScope};
use countersign_core::name::TenantId;

use crate::error::CliError;
use crate::invocation::Invocation;
use crate::keys::{API_TOKEN, NEW_API_TOKEN, Shows};
use crate::listing::Column;
use crate::output::Mark;

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make an API token, and print it this once. A program presents it to the
    /// service as `Authorization: Bearer`.
    #[command(
        after_help = "Examples:\n  countersign token create --scope tenant:acme --description 'the build'\n  countersign token create --scope viewer:acme --expires 30d"
    )]
    Create(TokenCreate),
    /// List the API tokens that have not ended long since.
    #[command(
        after_help = "Examples:\n  countersign token list\n  countersign token list --tenant acme"
    )]
    List {
        /// With this tenant as scope alone.
        #[arg(long, value_parser = TenantId::parse)]
        tenant: Option<TenantId>,
    },
    /// Revoke an API token, and those that were made with it.
    #[command(after_help = "Examples:\n  countersign token revoke 1")]
    Revoke {
        /// Its number, as `token list` shows it.
        #[arg(value_parser = ApiTokenId::parse)]
        id: ApiTokenId,
    },
}

#[derive(Args, Debug)]
pub(crate) struct TokenCreate {
    /// What it may do: `platform` is everything, `tenant:T` what an administrator of
    /// the tenant may, `viewer:T` to see what is in it.
    #[arg(long, value_parser = TokenScope::parse)]
    scope: TokenScope,
    /// How long it lasts, at most 3650d.
    #[arg(long, value_name = "DUR", default_value = "90d", value_parser = TokenLifetime::parse)]
    expires: TokenLifetime,
    /// What it is for.
    #[arg(long, value_name = "TEXT", value_parser = FreeText::parse)]
    description: Option<FreeText>,
}

impl TokenCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::Create(create) => {
                let created = invocation.run(&CreateApiToken(NewApiToken {
                    scope: create.scope,
                    lifetime: create.expires,
                    description: create.description,
                }))?;
                let view = CreatedApiTokenView::of(&created);
                let keys = ["id", "secret", "expires_at"];
                let more = &[] as &[(&str, &str)];
                let done = "API token created; it is shown this once";
                invocation
                    .output
                    .made(Mark::Done, done, &view, &keys, more)?;
            }
            Self::List { tenant } => {
                let mut listing = invocation.output.listing(COLUMNS, "No API tokens.");
                invocation.each_row(
                    |page| ListApiTokens {
                        tenant: tenant.clone(),
                        page,
                    },
                    |token| listing.push(&ApiTokenView::of(&token)),
                )?;
                listing.finish()?;
            }
            Self::Revoke { id } => {
                let done = format!("API token {id} revoked");
                let revoked = invocation.run(&RevokeApiToken(id))?;
                let view = ApiTokenView::of(&revoked);
                invocation.output.act(&done, &view)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Create(_) => Shows::all_of(&[NEW_API_TOKEN]).once("secret", true),
            Self::List { .. } | Self::Revoke { .. } => Shows::all_of(&[API_TOKEN]),
        }
    }
}

const COLUMNS: &[Column] = &[
    ("id", "ID"),
    ("scope", "SCOPE"),
    ("owner", "OWNER"),
    ("description", "DESCRIPTION"),
    ("expires_at", "EXPIRES"),
    ("last_used_at", "LAST USED"),
];

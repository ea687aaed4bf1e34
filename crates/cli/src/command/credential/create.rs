//! `countersign credential create`.

use clap::Args;
use countersign_admin::credential::{CreateCredential, NewCredential};
use countersign_admin::error::{ErrorKind, Noun};
use countersign_admin::secret::NewSecret;
use countersign_admin::text::FreeText;
use countersign_admin::view::IssuedCredentialView;
use countersign_core::client_id::ClientIdRule;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::RoleName;
use countersign_core::scheme::SchemeName;

use super::secret::SecretSource;
use crate::command::taking::TakingArguments;
use crate::error::CliError;
use crate::input::{Attribute, PasswordWarnings, When, check_to_come, read_secret};
use crate::invocation::{Invocation, now};
use crate::keys::{LOSER, NEW_CREDENTIAL, SECRET, Shows};
use crate::output::Mark;

#[derive(Args, Debug)]
pub(crate) struct CredentialCreate {
    /// The name, without the tenant that some schemes add to it. Schemes that
    /// make names need none.
    name: Option<String>,
    /// The tenant it belongs to.
    #[arg(long, value_parser = TenantId::parse)]
    tenant: TenantId,
    /// The scheme it is made by.
    #[arg(long, default_value = BASIC, value_parser = SchemeName::parse)]
    scheme: SchemeName,
    /// A group that it is in, like `DM.MFORM.SURYA`. There may be several; the first
    /// is its oldest.
    #[arg(long = "group", value_name = "GROUP", value_parser = GroupPath::parse)]
    groups: Vec<GroupPath>,
    /// Free text for people.
    #[arg(long, value_name = "TEXT", value_parser = FreeText::parse)]
    description: Option<FreeText>,
    #[command(flatten)]
    secret: SecretSource,
    /// Take over a secret that was given out elsewhere, in a form that the scheme
    /// accepts: read it from standard input, all bytes up to the first newline. It
    /// is not printed again.
    #[arg(long, conflicts_with_all = ["password_stdin", "generate"])]
    secret_stdin: bool,
    /// Take over a secret of fewer than 64 random bits, too. It is hashed like a
    /// password then.
    #[arg(long, requires = "secret_stdin")]
    weak: bool,
    /// Which client ids it may connect with: `any`, `first-use`,
    /// `same-as-username`, `exact:ID` or `prefix:P`; without this, those that
    /// its scheme says.
    #[arg(long, value_name = "RULE", value_parser = ClientIdRule::parse)]
    client_id: Option<ClientIdRule>,
    /// A role that it holds.
    #[arg(long = "role", value_name = "ROLE", value_parser = RoleName::parse)]
    roles: Vec<RoleName>,
    /// A value for rules and for people. One that the scheme fills, such as `token`
    /// of `impact`, is taken over.
    #[arg(long = "attr", value_name = "KEY=VALUE", value_parser = Attribute::parse)]
    attributes: Vec<Attribute>,
    /// From when on it may no longer be used: a date-time or `+DUR`.
    #[arg(long, value_name = "WHEN", value_parser = When::parse, allow_hyphen_values = true)]
    expires: Option<When>,
    /// From when on it may be used: a date-time or `+DUR`.
    #[arg(long, value_name = "WHEN", value_parser = When::parse, allow_hyphen_values = true)]
    not_before: Option<When>,
    /// Let a listener with certificates or pre-shared keys vouch for it.
    #[arg(long)]
    external_identity: bool,
    #[command(flatten)]
    taking: TakingArguments,
}

impl CredentialCreate {
    /// What is printed.
    pub(super) fn shows(&self) -> Shows {
        if self.taking.is_dry_run() {
            return Shows::all_of(&[LOSER]);
        }
        let is_made = self.secret.is_generated() && !self.secret_stdin;
        Shows::all_of(&[NEW_CREDENTIAL, SECRET]).once("secret", is_made)
    }

    pub(super) fn run(self, invocation: &Invocation) -> Result<(), CliError> {
        let attributes = Attribute::collect(self.attributes)?;
        let (secret, oddities) = if self.secret_stdin {
            let secret = NewSecret::TakenOver {
                secret: read_secret()?,
                may_be_weak: self.weak,
            };
            (secret, PasswordWarnings::default())
        } else {
            self.secret.read()?
        };
        let now = now();
        let seen_from_now = |when: When| when.seen_from(now);
        let expires_at = self.expires.map(seen_from_now);
        check_to_come(expires_at, now)?;
        let scheme = self.scheme.clone();
        let create = CreateCredential(NewCredential {
            name: self.name,
            tenant: self.tenant,
            scheme: self.scheme,
            secret,
            client_id_rule: self.client_id,
            roles: self.roles,
            groups: self.groups,
            description: self.description,
            attributes,
            not_before: self.not_before.map(seen_from_now),
            expires_at,
            external_identity: self.external_identity,
            keeps_at: false,
        });
        let issued = self.taking.run(invocation, create);
        let Some(issued) = issued.map_err(|error| said(error, &scheme))? else {
            return Ok(());
        };
        let name = &issued.described.credential.name;
        let done = match &issued.secret {
            Some(_) => format!("{name} created; its secret is shown this once"),
            None => format!("{name} created"),
        };
        let view = IssuedCredentialView::of(&issued);
        let more = &[] as &[(&str, &str)];
        invocation
            .output
            .made(Mark::Done, &done, &view, &SHOWN, more)?;
        if issued.secret.is_none() {
            oddities.tell(invocation.output);
        }
        Ok(())
    }
}

/// A name that is missing makes the arguments senseless; all else is refused.
fn said(error: CliError, scheme: &SchemeName) -> CliError {
    let lacks_name = error.refusal().is_some_and(|refusal| {
        refusal.is(ErrorKind::Invalid, Noun::Credential) && refusal.subject().name.is_empty()
    });
    if lacks_name {
        return CliError::usage(format!("scheme `{scheme}` makes no names; give NAME"));
    }
    error
}

/// What people are told of a new credential.
const SHOWN: [&str; 8] = [
    "username",
    "client_id",
    "secret",
    "state",
    "scheme",
    "token",
    "auth_type",
    "device_id",
];
const BASIC: &str = "basic";

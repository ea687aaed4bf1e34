//! `countersign credential set`.

use std::process::ExitCode;

use clap::Args;
use countersign_admin::credential::{CredentialChanges, ManyAct, SetCredential};
use countersign_admin::text::FreeText;
use countersign_core::client_id::ClientIdRule;
use countersign_core::name::GroupPath;
use countersign_core::role::RoleName;

use super::Targets;
use super::one::act_on;
use crate::error::CliError;
use crate::input::{Attribute, Expiry, check_to_come};
use crate::invocation::{Invocation, now};

#[derive(Args, Debug)]
pub(crate) struct CredentialSet {
    #[command(flatten)]
    targets: Targets,
    /// Free text for people; '' takes it away.
    #[arg(long, value_name = "TEXT", value_parser = FreeText::parse)]
    description: Option<FreeText>,
    /// A group that it joins.
    #[arg(long = "add-group", value_name = "GROUP", value_parser = GroupPath::parse)]
    add_groups: Vec<GroupPath>,
    /// A group that it leaves.
    #[arg(long = "remove-group", value_name = "GROUP", value_parser = GroupPath::parse)]
    remove_groups: Vec<GroupPath>,
    /// A role that it holds from now on.
    #[arg(long = "add-role", value_name = "ROLE", value_parser = RoleName::parse)]
    add_roles: Vec<RoleName>,
    /// A role that it no longer holds.
    #[arg(long = "remove-role", value_name = "ROLE", value_parser = RoleName::parse)]
    remove_roles: Vec<RoleName>,
    /// A value for rules and for people; `KEY=` takes it away.
    #[arg(long = "attr", value_name = "KEY=VALUE", value_parser = Attribute::parse)]
    attributes: Vec<Attribute>,
    /// From when on it may no longer be used: a date-time, `+DUR` or `never`.
    #[arg(long, value_name = "WHEN", value_parser = Expiry::parse, allow_hyphen_values = true)]
    expires: Option<Expiry>,
    /// Which client ids it may connect with: `any`, `first-use`,
    /// `same-as-username`, `exact:ID` or `prefix:P`.
    #[arg(long, value_name = "RULE", value_parser = ClientIdRule::parse)]
    client_id: Option<ClientIdRule>,
}

impl CredentialSet {
    pub(super) fn targets(&self) -> &Targets {
        &self.targets
    }

    pub(super) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let attributes = Attribute::collect(self.attributes)?;
        let now = now();
        let expires_at = self.expires.map(|end| end.seen_from(now));
        check_to_come(expires_at.flatten(), now)?;
        let changes = CredentialChanges {
            description: self.description,
            attributes,
            expires_at,
            client_id_rule: self.client_id,
            add_groups: self.add_groups,
            remove_groups: self.remove_groups,
            add_roles: self.add_roles,
            remove_roles: self.remove_roles,
        };
        if changes == CredentialChanges::default() {
            return Err(CliError::usage(
                "nothing to set; give --description, --add-group, --remove-group, --add-role, \
                 --remove-role, --attr, --expires or --client-id",
            ));
        }
        let many = ManyAct::Set(Box::new(changes.clone()));
        let one = |name| SetCredential { name, changes };
        act_on(invocation, self.targets, many, one)
    }
}

//! `countersign credential create`.

use clap::Args;
use countersign_admin::credential::{self, NewCredential};
use countersign_admin::text::Text;
use countersign_admin::view::IssuedView;
use countersign_core::client_id::ClientIdRule;
use countersign_core::name::{GroupPath, TenantId};

use super::secret::SecretSource;
use crate::failure::Failure;
use crate::input::{Attribute, When};
use crate::invocation::Invocation;

#[derive(Args, Debug)]
pub(crate) struct CredentialCreate {
    /// The name, without the tenant that is added to it.
    name: Option<String>,
    /// The tenant it belongs to.
    #[arg(long, value_parser = TenantId::parse)]
    tenant: TenantId,
    /// The scheme it is made by.
    #[arg(long, default_value = BASIC)]
    scheme: String,
    /// The group it is sorted under, like `DM.MFORM.SURYA`.
    #[arg(long, value_parser = GroupPath::parse)]
    group: Option<GroupPath>,
    /// Free text for people.
    #[arg(long, value_name = "TEXT", value_parser = Text::parse)]
    description: Option<Text>,
    #[command(flatten)]
    secret: SecretSource,
    /// Which client ids it may connect with: `any`, `first-use`,
    /// `same-as-username`, `exact:ID` or `prefix:P`.
    #[arg(long, value_name = "RULE", default_value = "any", value_parser = ClientIdRule::parse)]
    client_id: ClientIdRule,
    /// A value for rules and for people.
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
}

impl CredentialCreate {
    pub(super) fn run(self, invocation: &Invocation) -> Result<(), Failure> {
        if self.scheme != BASIC {
            let scheme = self.scheme;
            return Err(Failure::refused(format!(
                "there is no scheme `{scheme}`; known is `{BASIC}`"
            )));
        }
        let name = self
            .name
            .ok_or_else(|| Failure::usage(format!("scheme `{BASIC}` makes no names; give NAME")))?;
        let attributes = Attribute::collect(self.attributes)?;
        let secret = self.secret.read()?;
        let issued = invocation.act(|store, context| {
            let seen_from_now = |when: When| when.seen_from(context.now);
            let new = NewCredential {
                name,
                tenant: self.tenant,
                secret,
                client_id_rule: self.client_id,
                group: self.group,
                description: self.description,
                attributes,
                not_before: self.not_before.map(seen_from_now),
                expires_at: self.expires.map(seen_from_now),
                external_identity: self.external_identity,
            };
            credential::create(store, context, new)
        })?;
        invocation.output.record(&IssuedView::of(&issued))
    }
}

const BASIC: &str = "basic";

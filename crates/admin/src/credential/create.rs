//! Making credentials.

use std::collections::BTreeMap;

use countersign_core::change::Change;
use countersign_core::client_id::ClientIdRule;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::RoleName;
use countersign_core::scheme::SchemeName;
use countersign_core::time::Timestamp;

use self::request::CreateRequest;
use super::client_ids;
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::AdminError;
use crate::kept_name;
use crate::lookup;
use crate::password::ChosenPassword;
use crate::scheme_overlap;
use crate::secret::{self, IssuedCredential, NewSecret};
use crate::taking::{Plan, Taken};
use crate::text::FreeText;
use crate::view::AuditedCredential;

mod request;
#[cfg(test)]
mod tests;

/// A credential to be made.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct NewCredential {
    /// The entered name; schemes that make names need none.
    pub name: Option<String>,
    /// Its tenant.
    pub tenant: TenantId,
    /// The scheme it is made by.
    pub scheme: SchemeName,
    /// Its secret.
    pub secret: NewSecret,
    /// Which client ids it may connect with; if nothing is said, those that
    /// its scheme says.
    pub client_id_rule: Option<ClientIdRule>,
    /// The groups it is in, in the order in which it joins them.
    pub groups: Vec<GroupPath>,
    /// Free text for people.
    pub description: Option<FreeText>,
    /// The roles it holds.
    pub roles: Vec<RoleName>,
    /// Values for rules and for people; an empty one counts as none.
    pub attributes: BTreeMap<String, String>,
    /// From when on it may be used.
    pub not_before: Option<Timestamp>,
    /// From when on it may no longer be used.
    pub expires_at: Option<Timestamp>,
    /// Whether a certificate or PSK listener may vouch for it.
    pub external_identity: bool,
    /// Whether a name that the scheme takes as it is may hold an `@`, as an import
    /// keeps names.
    pub keeps_at: bool,
}

impl NewCredential {
    /// A credential of the scheme `basic` with this name, a generated secret,
    /// and nothing else.
    #[must_use]
    pub fn new(tenant: TenantId, name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            tenant,
            scheme: SchemeName::basic(),
            secret: NewSecret::Generated,
            client_id_rule: None,
            groups: Vec::new(),
            description: None,
            roles: Vec::new(),
            attributes: BTreeMap::new(),
            not_before: None,
            expires_at: None,
            external_identity: false,
            keeps_at: false,
        }
    }
}

/// Makes a credential as its scheme says.
///
/// It is refused where the scheme would reach what another tenant owns.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct CreateCredential(pub NewCredential);

impl Command for CreateCredential {
    type Output = IssuedCredential;

    fn needs(&self) -> Permission {
        let new = &self.0;
        let tenant = new.tenant.clone();
        if new.external_identity || new.keeps_at {
            return Permission::Platform;
        }
        if new.attributes.is_empty() {
            return Permission::CreateIn(tenant, new.groups.clone(), new.roles.clone());
        }
        Permission::Administer(tenant)
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        self.0.secret.password().into_iter().collect()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<IssuedCredential, AdminError> {
        let request = CreateRequest::of(&self.0)?;
        let known = tx.schemes()?;
        let scheme = lookup::scheme(&known, &self.0.scheme)?;
        request.check(tx, scheme)?;
        let takes_over = scheme.fills().any(|it| request.attributes.contains_key(it));
        if takes_over {
            tx.require(&Permission::Platform)?;
        }
        scheme_overlap::begin_use(tx, scheme, &self.0.tenant)?;
        let draft = request.draft(tx, scheme, &known)?;
        if takes_over {
            scheme_overlap::check_attributes(tx, scheme, &self.0.tenant, &draft.attributes)?;
        }
        if self.0.keeps_at {
            kept_name::check(tx, &draft.name, &self.0.tenant)?;
        }
        let blank = request.blank(&draft, tx.now)?;
        client_ids::check_bound(tx, &blank)?;
        let secret = self.0.secret.stored(tx, draft.secret)?;
        let id = tx
            .add_credential(&blank)
            .map_err(|error| lookup::exists_if_conflict(error, &blank.name))?;
        secret::add(tx, id, &secret, scheme)?;
        let described = lookup::credential(tx, &blank.name)?;
        let after = AuditedCredential::of(&described);
        let act = "credential.create";
        tx.record(act, blank.name.as_str(), None, Some(&after));
        tx.changed(Change::Credential(id));
        Ok(IssuedCredential {
            described,
            secret: secret.shown_once,
            old_secret_until: None,
        })
    }
}

impl Plan for CreateCredential {
    fn plan(&self, tx: &mut Tx<'_>) -> Result<Option<Taken>, AdminError> {
        let known = tx.schemes()?;
        let scheme = lookup::scheme(&known, &self.0.scheme)?;
        CreateRequest::of(&self.0)?.check(tx, scheme)?;
        scheme_overlap::plan_use(tx, scheme, &self.0.tenant)
    }
}

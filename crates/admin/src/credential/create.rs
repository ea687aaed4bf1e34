//! Making credentials.

use std::collections::BTreeMap;

use countersign_core::change::Change;
use countersign_core::client_id::ClientIdRule;
use countersign_core::credential::Credential;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::RoleName;
use countersign_core::scheme::{Scheme, SchemeName};
use countersign_core::secret::PasswordHash;
use countersign_core::time::Timestamp;

use self::request::CreateRequest;
use super::client_ids;
use super::surroundings::Surroundings;
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::AdminError;
use crate::kept_name;
use crate::lookup::{self, ShownCredential};
use crate::password::ChosenPassword;
use crate::scheme_overlap::{self, SchemeUse};
use crate::secret::{self, IssuedCredential, NewSecret, PreparedSecret};
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
        let mut surroundings = Surroundings::of(tx)?;
        self.prepare(tx, &mut surroundings, None)?.make(tx)
    }
}

impl CreateCredential {
    /// Checks all that stands against it, and writes nothing. With a `hash`, that is
    /// kept of its password, in the place of a generated secret.
    pub(crate) fn prepare(
        &self,
        tx: &mut Tx<'_>,
        surroundings: &mut Surroundings,
        hash: Option<&PasswordHash>,
    ) -> Result<PreparedCredential<'_>, AdminError> {
        let new = &self.0;
        let request = CreateRequest::of(new)?;
        let known = surroundings.schemes.clone();
        let scheme = lookup::scheme(&known, &new.scheme)?;
        request.check(tx, scheme, surroundings)?;
        let takes_over = scheme.fills().any(|it| request.attributes.contains_key(it));
        if takes_over {
            tx.require(&Permission::Platform)?;
        }
        let scheme_use = surroundings.check_use(tx, scheme, &new.tenant)?;
        let draft = request.draft(tx, scheme, &known)?;
        if takes_over {
            scheme_overlap::check_attributes(tx, scheme, &new.tenant, &draft.attributes)?;
        }
        if new.keeps_at {
            kept_name::check(tx, &draft.name, &new.tenant)?;
        }
        let blank = request.blank(&draft, tx.now)?;
        client_ids::check_bound(tx, &blank)?;
        let secret = match hash {
            Some(hash) => {
                scheme.check_hashed(&blank.name, &known)?;
                PreparedSecret::hashed(hash.clone())
            }
            None => new.secret.stored(tx, draft.secret)?,
        };
        Ok(PreparedCredential {
            credential: blank,
            secret,
            scheme: scheme.clone(),
            scheme_use,
        })
    }
}

/// A credential that nothing stands against but another one with its secret.
pub(crate) struct PreparedCredential<'a> {
    pub(crate) credential: Credential,
    pub(crate) secret: PreparedSecret<'a>,
    pub(crate) scheme: Scheme,
    scheme_use: SchemeUse,
}

impl PreparedCredential<'_> {
    /// Writes it.
    pub(crate) fn make(self, tx: &mut Tx<'_>) -> Result<IssuedCredential, AdminError> {
        let Self {
            mut credential,
            secret,
            scheme,
            scheme_use,
        } = self;
        if let Some(tenant) = &credential.tenant {
            scheme_use.begin(tx, &scheme, tenant)?;
        }
        let id = tx
            .add_credential(&credential)
            .map_err(|error| lookup::exists_if_conflict(error, &credential.name))?;
        credential.id = id;
        credential
            .secrets
            .push(secret::add(tx, id, &secret, &scheme)?);
        let described = ShownCredential {
            credential,
            scheme: Some(scheme),
        };
        let after = AuditedCredential::of(&described);
        let name = described.credential.name.as_str();
        tx.record("credential.create", name, None, Some(&after));
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
        let mut surroundings = Surroundings::of(tx)?;
        let known = surroundings.schemes.clone();
        let scheme = lookup::scheme(&known, &self.0.scheme)?;
        CreateRequest::of(&self.0)?.check(tx, scheme, &mut surroundings)?;
        scheme_overlap::plan_use(tx, scheme, &self.0.tenant)
    }
}

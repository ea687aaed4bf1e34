//! What an import looks up and writes: whole roles and credentials, many in one
//! transaction, each with what is remembered of its source.
//!
//! Which they are, and what becomes of a source that does not fit, is planned
//! before by the crate of imports.

use std::collections::BTreeMap;

use countersign_core::change::Change;
use countersign_core::client_id::ClientIdRule;
use countersign_core::credential::{Credential, CredentialId, check_attribute};
use countersign_core::imported::ImportMark;
use countersign_core::kind::Kind;
use countersign_core::lifecycle::State;
use countersign_core::limit::UseLimits;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::role::{Role, RoleName, RoleRule};
use countersign_core::rule::Rule;
use countersign_core::scheme::{DraftError, NameForm, Scheme, SchemeName, Schemes};
use countersign_core::secret::{PasswordHash, StoredSecret, Verifier};
use countersign_core::tenant::Tenant;
use countersign_core::time::Timestamp;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::credential::check_client_ids;
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::kept_name;
use crate::kind::check_not_reserved;
use crate::lookup::{self, ShownCredential};
use crate::password::ChosenPassword;
use crate::role::{AssignRole, Assignment};
use crate::rule::{RuleChange, check_count, check_sendable};
use crate::scheme::expect_password;
use crate::tenant::{RoleChanges, SetTenant, TenantChanges};
use crate::text::FreeText;
use crate::view::AuditedCredential;
use crate::{role, scheme_overlap};

mod client_ids;
mod look;
mod row;
mod update;

pub use self::client_ids::{TriedClientId, TryClientIds};
pub use self::look::{
    ImportedRole, ImportedTenant, KnownCredential, ListImported, LookUpCredentials, LookUpTenant,
};
pub use self::row::{ImportRow, ImportTable, TriedRow, TryTable};
pub use self::update::{UpdateImportedCredential, UpdateImportedRole};

/// A credential that another system had: of scheme `plain`, under the name that it
/// had there, or an operator.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct ImportedCredential {
    /// Its name.
    pub name: LoginName,
    /// Whether it is an operator, outside of the tenant.
    pub is_operator: bool,
    /// Its password; without one it can't log in.
    pub password: Option<ImportedPassword>,
    /// Which client ids it may connect with.
    pub client_id_rule: ClientIdRule,
    /// Free text for people.
    pub description: Option<FreeText>,
    /// The groups it is in, in the order of joining.
    pub groups: Vec<GroupPath>,
    /// The roles it holds.
    pub roles: Vec<RoleName>,
    /// Its rules.
    pub rules: Vec<Rule>,
    /// Values for rules and for people.
    pub attributes: BTreeMap<String, String>,
    /// Whether it is stopped for now.
    pub is_suspended: bool,
    /// What is remembered of its source. The secret is told by the store.
    pub mark: ImportMark,
}

/// A password that another system had.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub enum ImportedPassword {
    /// As its hash.
    Hashed(PasswordHash),
    /// As it is.
    Plain(ChosenPassword),
}

impl ImportedPassword {
    /// The password, for the runner to hash.
    pub(crate) fn plain(&self) -> Option<&ChosenPassword> {
        match self {
            Self::Hashed(_) => None,
            Self::Plain(password) => Some(password),
        }
    }

    /// What is stored of it.
    pub(crate) fn verifier(&self, tx: &mut Tx<'_>) -> Result<Verifier, AdminError> {
        Ok(Verifier::Password(match self {
            Self::Hashed(hash) => hash.clone(),
            Self::Plain(password) => tx.hash_of(password)?,
        }))
    }
}

/// Makes credentials that another system had, in one transaction.
#[expect(missing_debug_implementations, reason = "it holds secrets")]
pub struct ImportCredentials {
    /// The tenant of all but the operators.
    pub tenant: TenantId,
    /// The credentials.
    pub credentials: Vec<ImportedCredential>,
}

impl Command for ImportCredentials {
    type Output = Vec<CredentialId>;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        let passwords = self
            .credentials
            .iter()
            .filter_map(|it| it.password.as_ref());
        passwords.filter_map(ImportedPassword::plain).collect()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<CredentialId>, AdminError> {
        // What is the same for all is looked up once.
        let schemes = tx.schemes()?;
        let plain = lookup::scheme(&schemes, &SchemeName::plain())?;
        scheme_overlap::begin_use(tx, plain, &self.tenant)?;
        let mut maker = Maker {
            tenant: &lookup::tenant(tx, &self.tenant)?,
            operators: lookup::scheme(&schemes, &SchemeName::basic())?,
            plain,
            schemes: schemes.clone(),
        };
        let new = self.credentials.iter();
        new.map(|new| maker.make(tx, new)).collect()
    }
}

/// What credentials are made with.
struct Maker<'a> {
    tenant: &'a Tenant,
    schemes: Schemes,
    plain: &'a Scheme,
    operators: &'a Scheme,
}

impl Maker<'_> {
    fn make(
        &mut self,
        tx: &mut Tx<'_>,
        new: &ImportedCredential,
    ) -> Result<CredentialId, AdminError> {
        check_name(
            &self.schemes,
            &new.name,
            new.is_operator,
            new.password.is_some(),
        )?;
        kept_name::check(tx, &new.name, &self.tenant.id)?;
        let tenant = (!new.is_operator).then_some(self.tenant);
        check_rules(new.rules.iter(), tenant)?;
        for (key, value) in &new.attributes {
            check_attribute(key, value)?;
        }
        let mut made = self.blank(new, tx.now)?;
        if !new.is_operator {
            check_client_ids(tx, &made, Some(self.plain), &self.tenant.id)?;
        }
        made.id = tx
            .add_credential(&made)
            .map_err(|error| lookup::exists_if_conflict(error, &made.name))?;
        if let Some(password) = &new.password {
            expect_password(tx, &mut self.schemes, &made.name)?;
            let verifier = password.verifier(tx)?;
            let id = tx.add_secret(made.id, &verifier)?;
            made.secrets.push(StoredSecret {
                id,
                verifier,
                ends_at: None,
                until_used: false,
                hint: None,
            });
        }
        let mark = ImportMark {
            secret: made.secrets.first().map(|secret| secret.id),
            ..new.mark.clone()
        };
        tx.put_credential_import(made.id, &mark)?;
        let id = made.id;
        let (act, scheme) = if new.is_operator {
            ("operator.create", self.operators)
        } else {
            ("credential.create", self.plain)
        };
        let shown = ShownCredential {
            credential: made,
            scheme: Some(scheme.clone()),
        };
        let after = AuditedCredential::of(&shown);
        tx.record(act, new.name.as_str(), None, Some(&after));
        tx.changed(Change::Credential(id));
        Ok(id)
    }

    fn blank(&self, new: &ImportedCredential, now: Timestamp) -> Result<Credential, AdminError> {
        let (kind, tenant, scheme) = if new.is_operator {
            (Kind::Operator, None, self.operators)
        } else {
            (Kind::Device, Some(self.tenant.id.clone()), self.plain)
        };
        let scheme = scheme.name().clone();
        let mut blank = Credential {
            state: if new.is_suspended {
                State::Suspended
            } else {
                State::Inactive
            },
            description: new.description.as_ref().and_then(FreeText::filled),
            client_id_rule: new.client_id_rule.clone(),
            roles: new.roles.clone(),
            rules: new.rules.clone(),
            attributes: new.attributes.clone(),
            ..Credential::new(new.name.clone(), kind, tenant, scheme, now)
        };
        for group in &new.groups {
            blank.join(group)?;
        }
        Ok(blank)
    }
}

/// Checks that an import may give this name, if nothing else has it.
///
/// # Errors
///
/// Returns [`AdminError`] for a name that is kept for others, holds what no topic
/// may or, of an operator, an `@`; for an address that no user's can be compared with;
/// and for one that looks like the secrets that serve as names in a scheme, if it comes
/// with a password.
pub fn check_name(
    schemes: &Schemes,
    name: &LoginName,
    is_operator: bool,
    has_password: bool,
) -> Result<(), AdminError> {
    check_not_reserved(name)?;
    if LoginName::parse_device(name.as_str()).is_err() {
        let message = format!("`{name}` can't be a name: it holds `+`");
        return Err(invalid(name, message));
    }
    if is_operator && name.as_str().contains('@') {
        let message = format!("`{name}` is not a valid operator name: it holds `@`");
        return Err(invalid(name, message));
    }
    kept_name::check_case(name)?;
    if has_password && schemes.form_of(name.as_str()) == NameForm::Token {
        return Err(DraftError::SecretOfGeneratedName { name: name.clone() }.into());
    }
    Ok(())
}

/// Checks the rules of a tenant's role or credential, or of an operator.
pub(crate) fn check_rules<'a>(
    rules: impl ExactSizeIterator<Item = &'a Rule>,
    tenant: Option<&Tenant>,
) -> Result<(), AdminError> {
    check_count(rules.len())?;
    rules.into_iter().try_for_each(|rule| {
        check_sendable(rule)?;
        match tenant {
            Some(_) => RuleChange::Add(rule.clone()).check_for(tenant),
            None => Ok(()),
        }
    })
}

fn invalid(name: &LoginName, message: String) -> AdminError {
    AdminError::new(
        ErrorKind::Invalid,
        Subject::new(Noun::Credential, name),
        message,
    )
}

/// Makes a role that another system had, with all its rules, and says who of the
/// tenant holds it without being named.
#[derive(Clone, Debug)]
pub struct ImportRole {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: RoleName,
    /// Free text for people.
    pub description: Option<FreeText>,
    /// Whether it grants no SUBSCRIBE with `+` or `#`.
    pub no_wildcards: bool,
    /// Its rules.
    pub rules: Vec<Rule>,
    /// Whether all devices and things of the tenant hold it.
    pub is_default: bool,
    /// Whether clients without a login hold it.
    pub is_anonymous: bool,
    /// The groups that hold it.
    pub groups: Vec<GroupPath>,
    /// What is remembered of its source.
    pub mark: ImportMark,
}

impl Command for ImportRole {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let tenant = lookup::tenant(tx, &self.tenant)?;
        if tx.role(&self.tenant, &self.name)?.is_some() {
            return Err(AdminError::new(
                ErrorKind::Exists,
                Subject::in_tenant(Noun::Role, &self.name, &self.tenant),
                format!(
                    "tenant `{}` has a role `{}` already",
                    self.tenant, self.name
                ),
            ));
        }
        check_rules(self.rules.iter(), Some(&tenant))?;
        let unbound = |rule: &Rule| RoleRule {
            rule: rule.clone(),
            group: None,
        };
        let made = Role {
            tenant: self.tenant.clone(),
            name: self.name.clone(),
            description: self.description.as_ref().and_then(FreeText::filled),
            no_wildcards: self.no_wildcards,
            limits: UseLimits::default(),
            created_at: tx.now,
            rules: self.rules.iter().map(unbound).collect(),
        };
        role::put(tx, "role.create", None, &made)?;
        tx.put_role_import(&self.tenant, &self.name, &self.mark)?;
        for group in &self.groups {
            tx.run(&AssignRole(Assignment {
                tenant: self.tenant.clone(),
                role: self.name.clone(),
                group: group.clone(),
            }))?;
        }
        if !self.is_default && !self.is_anonymous {
            return Ok(());
        }
        let given = |is_given: bool| RoleChanges {
            add: is_given.then(|| self.name.clone()).into_iter().collect(),
            remove: Vec::new(),
        };
        let changes = TenantChanges {
            default_roles: given(self.is_default),
            anonymous_roles: given(self.is_anonymous),
            ..TenantChanges::default()
        };
        let id = self.tenant.clone();
        tx.run(&SetTenant { id, changes }).map(drop)
    }
}

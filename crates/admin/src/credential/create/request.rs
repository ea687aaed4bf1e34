//! What is asked for of a new credential, and what stands against it.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::credential::{Credential, check_attribute};
use countersign_core::given::Given;
use countersign_core::kind::Kind;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::scheme::{CredentialDraft, DraftRequest, Scheme, SchemeName, Schemes};
use countersign_core::tenant::DefaultRights;
use countersign_core::time::Timestamp;

use super::NewCredential;
use crate::caller::Permission;
use crate::command::Tx;
use crate::credential::client_ids;
use crate::credential::surroundings::Surroundings;
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::kept_name;
use crate::kind::check_not_reserved;
use crate::lookup::{self, Rows};
use crate::text::FreeText;

/// What is asked for, as far as it can be judged without a store.
pub(super) struct CreateRequest<'a> {
    new: &'a NewCredential,
    roles: Vec<RoleName>,
    pub(super) attributes: BTreeMap<String, String>,
}

impl<'a> CreateRequest<'a> {
    pub(super) fn of(new: &'a NewCredential) -> Result<Self, AdminError> {
        for (key, value) in &new.attributes {
            check_attribute(key, value)?;
        }
        if new.scheme == SchemeName::application() {
            let message = format!(
                "scheme `{}` is for things, which belong to an application",
                new.scheme
            );
            return Err(AdminError::invalid(Noun::Application, "", message));
        }
        let mut attributes = new.attributes.clone();
        attributes.retain(|_, value| !value.is_empty());
        // As a store lists them.
        let roles: BTreeSet<&RoleName> = new.roles.iter().collect();
        let roles = roles.into_iter().cloned().collect();
        Ok(Self {
            new,
            roles,
            attributes,
        })
    }

    /// Checks what the store has against it, whatever its name will be.
    pub(super) fn check(
        &self,
        tx: &mut Tx<'_>,
        scheme: &Scheme,
        surroundings: &mut Surroundings,
    ) -> Result<(), AdminError> {
        let id = &self.new.tenant;
        let tenant = surroundings.tenant(tx, id)?;
        let gives_namespaces =
            scheme.grants_namespaces() && tenant.default_rights != DefaultRights::Nothing;
        if gives_namespaces || !tenant.default_roles.is_empty() {
            // More than who administers a group alone may give.
            tx.require(&Permission::Administer(id.clone()))?;
        }
        let given = self.new.name.as_deref().unwrap_or_default();
        // Who knows of no other tenant is not told of one: their name goes on with the
        // suffix of their own.
        if tx.may(&Permission::Platform) {
            kept_name::check_suffix(tx, given, id)?;
        }
        for name in &self.roles {
            surroundings.check_role(tx, id, name)?;
        }
        Ok(())
    }

    /// Makes a draft that nothing stands against, again and again where what
    /// was made happens to be taken.
    pub(super) fn draft(
        &self,
        tx: &mut Tx<'_>,
        scheme: &Scheme,
        known: &Schemes,
    ) -> Result<CredentialDraft, AdminError> {
        let request = DraftRequest {
            tenant: &self.new.tenant,
            name: self.new.name.as_deref(),
            keeps_at: self.new.keeps_at,
            secret: self.new.secret.given(scheme)?,
            client_id_rule: self.new.client_id_rule.as_ref(),
            attributes: &self.attributes,
        };
        let mut taken_before = Vec::new();
        while taken_before.len() < MOST_DRAFTS {
            let draft = scheme.draft(&request, known, tx.random)?;
            check_not_reserved(&draft.name)?;
            check_name_prefix(tx, scheme, &self.new.tenant, &draft.name)?;
            let Some(taken) = taken(tx, scheme, &draft)? else {
                let blank = self.blank(&draft, tx.now)?;
                client_ids::check(tx, &blank, Some(scheme), &self.new.tenant)?;
                return Ok(draft);
            };
            taken_before.push(taken);
        }
        // What is the same every time was given and not made.
        let is_given = taken_before
            .windows(2)
            .all(|pair| pair.first() == pair.last());
        match taken_before.pop() {
            Some(taken) if is_given => Err(taken.refusal(tx)),
            Some(_) | None => Err(AdminError::new(
                ErrorKind::Conflict,
                Subject::new(Noun::Scheme, scheme.name()),
                format!(
                    "scheme `{}` made only names and tokens that are taken; its shapes are too \
                     short",
                    scheme.name()
                ),
            )),
        }
    }

    pub(super) fn blank(
        &self,
        draft: &CredentialDraft,
        now: Timestamp,
    ) -> Result<Credential, AdminError> {
        let (new, name) = (self.new, &draft.name);
        if let (Some(start), Some(end)) = (new.not_before, new.expires_at)
            && start >= end
        {
            let message = format!(
                "`{name}` could never be used: it would expire before it may first be used"
            );
            return Err(AdminError::invalid(Noun::Credential, name, message));
        }
        let (tenant, scheme) = (Some(new.tenant.clone()), new.scheme.clone());
        let mut credential = Credential {
            description: new.description.as_ref().and_then(FreeText::filled),
            client_id_rule: draft.client_id.clone(),
            external_identity: new.external_identity,
            not_before: new.not_before,
            expires_at: new.expires_at,
            roles: self.roles.clone(),
            attributes: draft.attributes.clone(),
            ..Credential::new(name.clone(), Kind::Device, tenant, scheme, now)
        };
        for group in &new.groups {
            credential.join(group)?;
        }
        Ok(credential)
    }
}

/// Checks that the caller may give a name that stays as it is: whoever is not of
/// the platform, only one that begins as the tenant's names do.
fn check_name_prefix(
    tx: &mut Tx<'_>,
    scheme: &Scheme,
    tenant: &TenantId,
    name: &LoginName,
) -> Result<(), AdminError> {
    if !scheme.keeps_names() || tx.may(&Permission::Platform) {
        return Ok(());
    }
    let tenant = lookup::tenant(tx, tenant)?;
    let message = match &tenant.name_prefix {
        Some(prefix) if name.as_str().starts_with(prefix.as_str()) => return Ok(()),
        Some(prefix) => format!(
            "`{name}` does not begin with `{prefix}`, as names of scheme `{}` in tenant `{}` do",
            scheme.name(),
            tenant.id
        ),
        None => format!(
            "tenant `{}` has no prefix for names of scheme `{}`, so a platform administrator gives \
             them",
            tenant.id,
            scheme.name()
        ),
    };
    let subject = Subject::nameless(Noun::Caller);
    Err(AdminError::new(ErrorKind::Forbidden, subject, message))
}

/// Finds what of a draft another credential has already.
fn taken(
    rows: &mut Rows<'_>,
    scheme: &Scheme,
    draft: &CredentialDraft,
) -> Result<Option<TakenBy>, AdminError> {
    if rows.credential(&draft.name)?.is_some() {
        return Ok(Some(TakenBy::Name(draft.name.clone())));
    }
    if !scheme.fills_are_unique() {
        return Ok(None);
    }
    for attribute in scheme.fills() {
        let Some(value) = draft.attributes.get(attribute) else {
            continue;
        };
        if let Some(holder) = rows.holder_of_attribute(attribute, value)? {
            return Ok(Some(TakenBy::Attribute {
                attribute,
                value: value.as_str().into(),
                holder,
            }));
        }
    }
    Ok(None)
}

/// What another credential has already.
#[derive(Eq, PartialEq)]
enum TakenBy {
    Name(LoginName),
    Attribute {
        attribute: &'static str,
        value: Given,
        holder: LoginName,
    },
}

impl TakenBy {
    /// Names a holder only to a caller who may see it.
    fn refusal(self, tx: &mut Tx<'_>) -> AdminError {
        match self {
            Self::Name(name) => lookup::exists(&name),
            Self::Attribute {
                attribute,
                value,
                holder,
            } => {
                let holder = if tx.may(&Permission::Operate(holder.clone())) {
                    format!("`{holder}`")
                } else {
                    "another credential".to_owned()
                };
                AdminError::new(
                    ErrorKind::Exists,
                    Subject::new(Noun::Attribute, attribute),
                    format!(
                        "attribute `{attribute}` of {holder} is `{value}` already; it must be \
                         unique"
                    ),
                )
            }
        }
    }
}

/// How often something is made before nothing seems to be free.
const MOST_DRAFTS: usize = 64;

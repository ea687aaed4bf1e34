//! What is made of what a source wants, and the digests of its parts.

use std::collections::BTreeSet;

use countersign_admin::import::{ImportedCredential, ImportedPassword, KnownCredential};
use countersign_core::imported::{ImportMark, PartDigest};
use countersign_core::kind::Kind;
use countersign_core::name::TenantId;
use countersign_core::rule::Rule;

use super::desired::{DesiredCredential, DesiredPassword, DesiredRole, rules_of};

/// The digests of an object's parts.
pub(super) type Parts = BTreeSet<PartDigest>;

/// The digest of a rule.
pub(super) fn rule_part(rule: &Rule) -> PartDigest {
    PartDigest::of("rule", &rule.to_string())
}

/// The digest of a password. Of one in plain text nothing is remembered: its digest
/// could be guessed.
pub(super) fn password_part(password: &DesiredPassword) -> PartDigest {
    let text = match &password.password {
        None => "none",
        Some(ImportedPassword::Hashed(hash)) => hash.as_str(),
        Some(ImportedPassword::Plain(_)) => "plain",
    };
    PartDigest::of("password", text)
}

/// The digest of a client-id rule.
pub(super) fn client_id_part(credential: &DesiredCredential) -> PartDigest {
    PartDigest::of("client-id", &credential.client_id_rule.to_string())
}

/// The digest of what is written for people.
pub(super) fn description_part(credential: &DesiredCredential) -> PartDigest {
    let text = credential
        .description
        .clone()
        .and_then(|text| text.into_filled());
    PartDigest::of("description", text.as_deref().unwrap_or_default())
}

/// The digest of the state.
pub(super) fn state_part(credential: &DesiredCredential) -> PartDigest {
    PartDigest::of("suspended", &credential.is_suspended.to_string())
}

/// The digest of the end. One that is told from the moment of the import is what was told:
/// each time it would be another instant.
pub(super) fn expiry_part(credential: &DesiredCredential) -> PartDigest {
    if let Some(from_now) = &credential.expires_from_now {
        return PartDigest::of("expires", from_now);
    }
    let end = credential.expires_at.map(|end| end.as_millis().to_string());
    PartDigest::of("expires", &end.unwrap_or_default())
}

impl DesiredCredential {
    /// The digests of all its parts.
    pub(crate) fn parts(&self) -> BTreeSet<PartDigest> {
        parts_of_credential(self, &rules_of(&self.rules))
    }
}

/// The digests of all parts of a credential.
pub(super) fn parts_of_credential(credential: &DesiredCredential, rules: &[Rule]) -> Parts {
    let own = [
        password_part(&credential.password),
        client_id_part(credential),
        description_part(credential),
        state_part(credential),
        expiry_part(credential),
    ];
    let roles = credential
        .roles
        .iter()
        .map(|held| PartDigest::of("role", held.role.as_str()));
    let groups = credential.groups.iter();
    let groups = groups.map(|joined| PartDigest::of("group", joined.group.as_str()));
    let attributes = credential.attributes.iter();
    let attributes =
        attributes.map(|(key, value)| PartDigest::of("attribute", &format!("{key}={value}")));
    let parts = own.into_iter().chain(groups).chain(roles).chain(attributes);
    parts.chain(rules.iter().map(rule_part)).collect()
}

/// The digests of all parts of a role.
pub(super) fn parts_of_role(role: &DesiredRole, rules: &[Rule]) -> Parts {
    let wildcards = PartDigest::of("no-wildcards", &role.no_wildcards.to_string());
    let rules = rules.iter().map(rule_part);
    let groups = role.groups.iter();
    let groups = groups.map(|joined| PartDigest::of("group", joined.group.as_str()));
    core::iter::once(wildcards)
        .chain(groups)
        .chain(rules)
        .collect()
}

/// Checks that what has the name is this very credential, made by an import.
pub(crate) fn check_own(
    known: &KnownCredential,
    wanted: &DesiredCredential,
    tenant: &TenantId,
) -> Result<(), String> {
    let KnownCredential { credential, mark } = known;
    let name = &credential.name;
    let whose = match (&credential.kind, &credential.tenant) {
        (Kind::Application(_), _) => "an application",
        (Kind::Bearer, _) => "the holder of a token",
        (Kind::Thing(_), _) => "a thing",
        (Kind::User(_), _) => "a user",
        (Kind::Operator, _) if wanted.is_operator && mark.is_some() => return Ok(()),
        (Kind::Operator, _) => "an operator",
        (Kind::Device, id) if id.as_ref() != Some(tenant) => "a credential of another tenant",
        (Kind::Device, _) if !wanted.is_operator && mark.is_some() => return Ok(()),
        (Kind::Device, _) if mark.is_some() => "a credential of the tenant",
        (Kind::Device, _) => "a credential of the tenant that no import made",
    };
    Err(format!("name-taken: `{name}` is {whose}"))
}

/// The credential to be made; takes the password with it. None where it has no
/// name that could be given.
pub(super) fn credential(
    wanted: &mut DesiredCredential,
    rules: Vec<Rule>,
    mark: ImportMark,
) -> Option<ImportedCredential> {
    Some(ImportedCredential {
        name: wanted.login.clone().ok()?,
        is_operator: wanted.is_operator,
        password: wanted.password.password.take(),
        client_id_rule: wanted.client_id_rule.clone(),
        description: wanted.description.take(),
        groups: wanted
            .groups
            .iter()
            .map(|joined| joined.group.clone())
            .collect(),
        roles: wanted.roles.iter().map(|held| held.role.clone()).collect(),
        rules,
        attributes: core::mem::take(&mut wanted.attributes),
        is_suspended: wanted.is_suspended,
        mark,
    })
}

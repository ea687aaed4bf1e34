//! Users: people, with an e-mail address, a second factor and roles in
//! tenants.

use std::collections::BTreeSet;

use crate::given::Given;
use crate::name::{GroupPath, LoginName, LoginNameError, Suffix, TenantId};
use crate::role::RoleName;
use crate::seal::Sealed;
use crate::secret::SecretDigest;
use crate::totp::Step;

/// What makes a credential a user.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// The second factor, once enrolled.
    pub second_factor: Option<SecondFactor>,
    /// What the user may do, at most one grant per tenant, by tenant.
    pub grants: Vec<Grant>,
    /// In which of their tenants: where the platform gave the grant. The
    /// administrators of a tenant manage the users who were handed over to it, and
    /// who are granted nothing elsewhere.
    pub handed_over: BTreeSet<TenantId>,
    /// The tenant that the user worked in last.
    pub last_tenant: Option<TenantId>,
}

impl User {
    /// The second factor, if a login needs it.
    #[must_use]
    pub fn required_factor(&self) -> Option<&SecondFactor> {
        self.second_factor
            .as_ref()
            .filter(|factor| factor.is_confirmed)
    }

    /// What the user may do in a tenant.
    #[must_use]
    pub fn grant_in(&self, tenant: &TenantId) -> Option<&Grant> {
        self.grants.iter().find(|grant| grant.tenant == *tenant)
    }

    /// The grants in tenants whose administrators manage the user: those of all of
    /// these tenants together. None where only the platform does.
    #[must_use]
    pub fn managing_grants(&self) -> &[Grant] {
        let is_handed_over = |grant: &Grant| self.handed_over.contains(&grant.tenant);
        if self.grants.iter().all(is_handed_over) {
            &self.grants
        } else {
            &[]
        }
    }

    /// The tenant in which a session starts that asks for none: the only
    /// granted one, else the one used last, else the first by id.
    #[must_use]
    pub fn home(&self) -> Option<&Grant> {
        let last = self.last_tenant.as_ref();
        last.and_then(|tenant| self.grant_in(tenant))
            .or_else(|| self.grants.iter().min_by(|a, b| a.tenant.cmp(&b.tenant)))
    }
}

/// A second factor (RFC 6238) and the codes that stand in for it once each.
#[derive(Clone, Debug)]
pub struct SecondFactor {
    /// The seed of the codes, sealed for [`SEED`] and the user's name.
    pub seed: Sealed,
    /// Whether the user showed that the codes are right; before that they are
    /// not asked for.
    pub is_confirmed: bool,
    /// The step of the last code that was accepted. No earlier one is again.
    pub last_step: Option<Step>,
    /// The recovery codes that were not used yet.
    pub recovery: Vec<RecoveryCode>,
}

/// What a seed is sealed for.
pub const SEED: &str = "totp-seed";

/// A code that works once, instead of one of the second factor.
#[derive(Clone, Debug)]
pub struct RecoveryCode {
    /// Its number in the store.
    pub id: RecoveryCodeId,
    /// What recognises it.
    pub digest: SecretDigest,
}

/// Names a recovery code; never used again for another.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct RecoveryCodeId(pub i64);

/// What a user may do in a tenant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grant {
    /// The tenant.
    pub tenant: TenantId,
    /// The group that it is limited to, with all below; if none, it holds for
    /// the whole tenant.
    pub group: Option<GroupPath>,
    /// What it gives.
    pub right: GrantedRight,
}

impl Grant {
    /// The groups that the user is in by it: the one that a role is limited to. Who
    /// administers a group is not in it.
    #[must_use]
    pub fn groups(&self) -> &[GroupPath] {
        match self.right {
            GrantedRight::OrgAdmin => &[],
            GrantedRight::Role(_) => self.group.as_slice(),
        }
    }

    /// Says whether it lets the user administer the whole tenant.
    #[must_use]
    pub fn is_org_admin(&self) -> bool {
        self.group.is_none() && self.right == GrantedRight::OrgAdmin
    }
}

/// What a grant gives.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum GrantedRight {
    /// To administer, and to use all topics of the tenant.
    OrgAdmin,
    /// What this role allows.
    Role(RoleName),
}

/// Parses the e-mail address of a user, which is compared without regard to
/// case.
///
/// # Errors
///
/// Returns [`EmailError`] when `text` is not a valid login name, or its part
/// behind the last `@` has no dot.
pub fn parse_email(text: &str) -> Result<LoginName, EmailError> {
    let folded = LoginName::parse(&text.to_lowercase())?;
    let local = folded.as_str().rsplit_once('@').map(|(local, _)| local);
    let has_local = local.is_some_and(|local| !local.is_empty());
    let has_space = folded.as_str().contains(char::is_whitespace);
    if folded.suffix() == Suffix::Email && has_local && !has_space {
        Ok(folded)
    } else {
        Err(EmailError::Shape { text: text.into() })
    }
}

/// Why a text is not a valid e-mail address of a user.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EmailError {
    /// It is no login name.
    #[error(transparent)]
    Name(#[from] LoginNameError),
    /// It is no address.
    #[error("`{text}` is not a valid e-mail address; write `NAME@DOMAIN.TLD`")]
    Shape {
        /// The text.
        text: Given,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(tenant: &str) -> Grant {
        Grant {
            tenant: TenantId::parse(tenant).unwrap(),
            group: None,
            right: GrantedRight::OrgAdmin,
        }
    }

    #[test]
    fn an_address_is_compared_without_regard_to_case() {
        let parsed = parse_email("Jane+X@Mail.TEST").unwrap();
        assert_eq!(parsed.as_str(), "jane+x@mail.test");
        for bad in ["jane", "jane@acme", "@mail.test", "a b@mail.test", "jane@"] {
            assert!(parse_email(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_session_starts_where_the_user_worked_last_as_long_as_that_is_granted() {
        let mut user = User {
            grants: vec![grant("beta"), grant("acme")],
            ..User::default()
        };
        let home = |user: &User| user.home().map(|grant| grant.tenant.to_string());
        assert_eq!(home(&user).as_deref(), Some("acme"));
        user.last_tenant = TenantId::parse("beta").ok();
        assert_eq!(home(&user).as_deref(), Some("beta"));
        user.last_tenant = TenantId::parse("gone").ok();
        assert_eq!(home(&user).as_deref(), Some("acme"));
        user.grants.clear();
        assert_eq!(home(&user), None);
    }
}

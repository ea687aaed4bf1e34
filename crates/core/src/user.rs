//! Users: people, with an e-mail address, a second factor and roles in
//! tenants.

use std::collections::BTreeSet;

use crate::given::Given;
use crate::name::{GroupPath, LoginName, LoginNameError, Suffix, TenantId, is_unseen};
use crate::role::RoleName;
use crate::seal::Sealed;
use crate::secret::SecretDigest;
use crate::totp::Step;

/// What makes a credential a user.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// Whether the user administers the whole store, as its owner does. That lets
    /// nobody use a topic.
    pub is_platform_admin: bool,
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
    /// these tenants together. None where only the platform does, as it does those
    /// who administer it.
    #[must_use]
    pub fn managing_grants(&self) -> &[Grant] {
        let is_handed_over = |grant: &Grant| self.handed_over.contains(&grant.tenant);
        if !self.is_platform_admin && self.grants.iter().all(is_handed_over) {
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
    /// administers or views a group is not in it.
    #[must_use]
    pub fn groups(&self) -> &[GroupPath] {
        match self.right {
            GrantedRight::OrgAdmin | GrantedRight::Viewer => &[],
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
    /// To see what is in the tenant, and to use no topic.
    Viewer,
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

/// Parses the name of a user: an e-mail address, or a name without `@`, as
/// administrators of some systems have. The latter is compared byte for byte.
///
/// # Errors
///
/// Returns [`EmailError`] when `text` is neither.
pub fn parse_user_name(text: &str) -> Result<LoginName, EmailError> {
    if text.contains('@') {
        return parse_email(text);
    }
    let name = LoginName::parse_device(text)?;
    // Credentials of HTTP Basic (RFC 7617) end the name at its first colon.
    let has_stranger = text.contains(|it: char| it.is_whitespace() || it == ':' || is_unseen(it));
    if has_stranger {
        return Err(EmailError::NameShape { text: text.into() });
    }
    Ok(name)
}

/// Why a text is not a valid name of a user.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EmailError {
    /// It is no login name.
    #[error(transparent)]
    Name(#[from] LoginNameError),
    /// It holds no `@`, and is no name either.
    #[error(
        "`{text}` is not a valid name of a user; write an e-mail address, or a name without `@`, \
         `:` and spaces"
    )]
    NameShape {
        /// The text.
        text: Given,
    },
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
    fn a_name_without_an_at_is_one_that_basic_authentication_can_carry() {
        for good in ["root", "Jai_admin", "a.b-c", "ü"] {
            assert_eq!(parse_user_name(good).unwrap().as_str(), good);
        }
        assert_eq!(
            parse_user_name("J@Mail.Test").unwrap().as_str(),
            "j@mail.test"
        );
        for bad in [
            "",
            "a b",
            "a:b",
            "jwt:x",
            "a+b",
            "a#",
            "x@acme",
            "a\u{200b}",
            " a",
        ] {
            assert!(parse_user_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn who_administers_the_platform_is_managed_by_no_tenant() {
        let mut user = User {
            grants: vec![grant("acme")],
            handed_over: TenantId::parse("acme").into_iter().collect(),
            ..User::default()
        };
        assert_eq!(user.managing_grants().len(), 1);
        user.is_platform_admin = true;
        assert!(user.managing_grants().is_empty());
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

//! Users, as they are shown.

use countersign_core::credential::Credential;
use countersign_core::time::Timestamp;
use countersign_core::user::{Grant, GrantedRight, User};
use serde::Serialize;

use super::{SecretText, rfc3339};
use crate::user::{Enrolment, ShownUser};

/// All that is shown of a user. What the caller may not know is none.
#[derive(Clone, Debug, Serialize)]
pub struct UserView {
    email: String,
    platform_admin: Option<bool>,
    mfa: Option<bool>,
    locked_until: Option<String>,
    grants: Vec<GrantView>,
    created_at: Option<String>,
    updated_at: Option<String>,
    last_used_at: Option<String>,
    generation: Option<i64>,
}

impl UserView {
    /// The view of a user, as it is at `now`.
    #[must_use]
    pub fn of(described: &ShownUser, now: Timestamp) -> Self {
        let ShownUser {
            user,
            lockout,
            is_whole,
        } = described;
        let about = user.kind.user();
        let whole = Some(user).filter(|_| *is_whole);
        let is = |what: fn(&User) -> bool| whole.map(|_| about.is_some_and(what));
        let locked = lockout.locked_until.filter(|_| lockout.is_locked(now));
        Self {
            email: user.name.to_string(),
            platform_admin: is(|about| about.is_platform_admin),
            mfa: is(|about| about.required_factor().is_some()),
            locked_until: locked.map(rfc3339),
            grants: grants(about),
            created_at: whole.map(|user| rfc3339(user.created_at)),
            updated_at: whole.map(|user| rfc3339(user.updated_at)),
            last_used_at: user.last_used_at.map(rfc3339),
            generation: whole.map(|user| user.generation.0),
        }
    }
}

/// What a user may do in a tenant.
#[derive(Clone, Debug, Serialize)]
pub struct GrantView {
    tenant: String,
    role: Option<String>,
    org_admin: bool,
    viewer: bool,
    group: Option<String>,
}

impl GrantView {
    /// The view of a grant.
    #[must_use]
    pub fn of(grant: &Grant) -> Self {
        Self {
            tenant: grant.tenant.to_string(),
            role: match &grant.right {
                GrantedRight::OrgAdmin | GrantedRight::Viewer => None,
                GrantedRight::Role(role) => Some(role.to_string()),
            },
            org_admin: grant.right == GrantedRight::OrgAdmin,
            viewer: grant.right == GrantedRight::Viewer,
            group: grant.group.as_ref().map(ToString::to_string),
        }
    }
}

/// What the making of a second factor answers with.
///
/// It holds secrets, which are printed this once and nowhere else.
#[derive(Serialize)]
#[expect(missing_debug_implementations, reason = "it holds secrets")]
pub struct EnrolmentView {
    otpauth: SecretText,
    secret: SecretText,
    recovery_codes: Vec<SecretText>,
}

impl EnrolmentView {
    /// The view of a second factor that was made just now.
    #[must_use]
    pub fn of(enrolment: &Enrolment) -> Self {
        let email = enrolment.described.user.name.as_str();
        Self {
            otpauth: SecretText(enrolment.seed.otpauth_uri(ISSUER, email)),
            secret: SecretText(enrolment.seed.to_base32()),
            recovery_codes: enrolment.recovery_codes.iter().map(Into::into).collect(),
        }
    }

    /// What authenticator programs read, as a QR code say.
    #[must_use]
    pub fn otpauth(&self) -> &str {
        self.otpauth.as_str()
    }

    /// The recovery codes.
    pub fn recovery_codes(&self) -> impl Iterator<Item = &str> {
        self.recovery_codes.iter().map(SecretText::as_str)
    }
}

/// What the audit keeps of a user.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AuditedUser {
    email: String,
    platform_admin: bool,
    mfa: &'static str,
    recovery_codes: usize,
    grants: Vec<GrantView>,
    secrets: usize,
    generation: i64,
}

impl AuditedUser {
    pub(crate) fn of(user: &Credential) -> Self {
        let about = user.kind.user();
        let factor = about.and_then(|about| about.second_factor.as_ref());
        Self {
            email: user.name.to_string(),
            platform_admin: about.is_some_and(|about| about.is_platform_admin),
            mfa: match factor {
                None => "off",
                Some(factor) if factor.is_confirmed => "on",
                Some(_) => "enrolled",
            },
            recovery_codes: factor.map_or(0, |factor| factor.recovery.len()),
            grants: grants(about),
            secrets: user.secrets.len(),
            generation: user.generation.0,
        }
    }
}

fn grants(about: Option<&User>) -> Vec<GrantView> {
    let grants = about.into_iter().flat_map(|about| &about.grants);
    grants.map(GrantView::of).collect()
}

/// Whose codes these are, as authenticator programs show it.
const ISSUER: &str = "Countersign";

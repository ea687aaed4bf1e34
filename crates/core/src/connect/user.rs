//! Logins of users: lockout, password, tenant, second factor.

use std::sync::Arc;

use self::proof::{Presented, prove_code, prove_password, unknown};
use super::{
    Admission, ConnectContext, Decision, Identity, Listener, LoginRecord, Request, SecretCheck,
    UserLogin, client_ids, record_of,
};
use crate::credential::Credential;
use crate::kind::Kind;
use crate::name::{LoginName, Suffix};
use crate::reason::Reason;
use crate::scheme::NameForm;
use crate::store::{Directory, StoreError};
use crate::user::{Grant, User, parse_email};

pub use self::proof::{Unproved, UserContext};
pub use self::sign_in::{ProvedUser, SignInRequest, decide_sign_in};

mod proof;
mod second_factor;
mod sign_in;

/// An e-mail address as users have it, where it differs from what was typed.
pub(super) fn folded(name: &LoginName) -> Option<LoginName> {
    if name.suffix() != Suffix::Email {
        return None;
    }
    parse_email(name.as_str())
        .ok()
        .filter(|folded| folded != name)
}

/// A login with the name of a user.
pub(super) fn decide(
    credential: Arc<Credential>,
    form: &dyn Fn() -> NameForm,
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
    check: &mut dyn SecretCheck,
) -> Result<Decision, StoreError> {
    let Kind::User(user) = &credential.kind else {
        return Ok(Decision::Refuse(Reason::UnknownName));
    };
    let presented = Presented {
        secret: request.secret.as_ref(),
        method: &request.method,
    };
    let when = &at.of_users();
    let proof = match prove_password(&credential, user, form, presented, when, directory, check)? {
        Ok(proof) => proof,
        Err(unproved) => return Ok(unproved.into()),
    };
    if let Err(reason) = credential.admits(proof.secret, &request.client_id, at.now) {
        return Ok(Decision::Refuse(reason));
    }
    let grant = match starting_grant(user, at.listener) {
        Ok(grant) => grant,
        Err(reason) => return Ok(Decision::Refuse(reason)),
    };
    let claimant = client_ids::Claimant {
        credential: Some(credential.id),
        tenant: Some(&grant.tenant),
    };
    let session = match client_ids::own_client_id(&claimant, request, at, directory)? {
        Ok(owned) => owned.change,
        Err(reason) => return Ok(Decision::Refuse(reason)),
    };
    let secret = proof.secret;
    let has_failed = proof.lockout.failures > 0;
    let login = match prove_code(&credential, user, proof, when, directory)? {
        Ok(login) => login,
        Err(unproved) => return Ok(unproved.into()),
    };
    let changes = login != UserLogin::default()
        || has_failed
        || user.last_tenant.as_ref() != Some(&grant.tenant);
    let record = LoginRecord {
        session,
        user: changes.then_some(login),
        ..record_of(&credential, secret, &request.client_id)
    };
    let tenant = grant.tenant.clone();
    Ok(Decision::Admit(Admission {
        identity: Identity::User {
            credential,
            secret,
            tenant,
        },
        record,
    }))
}

/// A login with an e-mail address that no user has: it is answered, costs and
/// counts as one of a user.
pub(super) fn decide_unknown(
    name: &LoginName,
    form: NameForm,
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
    check: &mut dyn SecretCheck,
) -> Result<Decision, StoreError> {
    let email = folded(name).unwrap_or_else(|| name.clone());
    let presented = request.secret.as_ref();
    Ok(unknown(email, form, presented, &at.of_users(), directory, check)?.into())
}

impl<'a> ConnectContext<'a> {
    fn of_users(&self) -> UserContext<'a> {
        UserContext {
            seal_key: self.seal_key,
            lockout: self.lockout,
            counted_here: None,
            now: self.now,
        }
    }
}

/// Where a session starts: in the listener's tenant, else at home.
///
/// # Errors
///
/// Returns the [`Reason`] why it starts nowhere.
pub fn starting_grant<'a>(user: &'a User, listener: &Listener) -> Result<&'a Grant, Reason> {
    match &listener.listener_tenant {
        Some(tenant) => user.grant_in(tenant).ok_or(Reason::WrongListener),
        None => user.home().ok_or(Reason::UnknownTenant),
    }
}

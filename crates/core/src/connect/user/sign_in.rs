//! Users who sign in at the service: by the rules of a CONNECT, without what is of MQTT.

use std::sync::Arc;

use super::folded;
use super::proof::{Presented, Unproved, UserContext, prove_code, prove_password, unknown};
use crate::connect::{Method, SecretCheck, UserLogin};
use crate::credential::Credential;
use crate::kind::Kind;
use crate::name::LoginName;
use crate::reason::Reason;
use crate::scheme::NameForm;
use crate::secret::{Secret, SecretId};
use crate::store::{Directory, StoreError};

/// A user who signs in where there are no client ids and no tenants: at the service.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct SignInRequest {
    /// The name, as it was presented.
    pub name: LoginName,
    /// The password.
    pub password: Secret,
    /// How the code comes: behind the password, or by itself.
    pub method: Method,
}

/// A user who proved who they are.
#[derive(Clone, Debug)]
pub struct ProvedUser {
    /// The user's credential, as it was when it was looked up.
    pub credential: Arc<Credential>,
    /// The secret that proved it.
    pub secret: SecretId,
    /// What is to be committed before the user hears of it.
    pub login: UserLogin,
    /// Whether that or a count of failures is anything.
    pub changes: bool,
}

/// Decides whether a user who signs in is who they say: by the same rules as a CONNECT,
/// without what is of MQTT. Whoever is no user is answered as a user is.
///
/// # Errors
///
/// Returns the store's error when something could not be looked up. The caller refuses
/// then, too.
pub fn decide_sign_in(
    request: &SignInRequest,
    at: &UserContext<'_>,
    directory: &mut dyn Directory,
    check: &mut dyn SecretCheck,
) -> Result<Result<ProvedUser, Unproved>, StoreError> {
    let name = folded(&request.name).unwrap_or_else(|| request.name.clone());
    // No name is cheap here, as each could be a person's.
    let form = NameForm::Free;
    let found = directory.credential(&name)?;
    let Some(credential) = found.filter(|found| found.kind.user().is_some()) else {
        let password = Some(&request.password);
        return Ok(Err(unknown(name, form, password, at, directory, check)?));
    };
    let Kind::User(user) = &credential.kind else {
        return Ok(Err(Unproved::Refuse(Reason::UnknownName)));
    };
    let presented = Presented {
        secret: Some(&request.password),
        method: &request.method,
    };
    let form = || form;
    let proof = match prove_password(&credential, user, &form, presented, at, directory, check)? {
        Ok(proof) => proof,
        Err(unproved) => return Ok(Err(unproved)),
    };
    if let Err(reason) = credential.is_in_force(at.now) {
        return Ok(Err(Unproved::Refuse(reason)));
    }
    let secret = proof.secret;
    let has_failed = proof.lockout.failures > 0;
    let login = match prove_code(&credential, user, proof, at, directory)? {
        Ok(login) => login,
        Err(unproved) => return Ok(Err(unproved)),
    };
    let changes = login != UserLogin::default() || has_failed;
    Ok(Ok(ProvedUser {
        credential,
        secret,
        login,
        changes,
    }))
}

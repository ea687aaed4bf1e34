//! Finding the credential that a login name means.

use std::sync::Arc;

use super::user;
use crate::credential::Credential;
use crate::kind::Kind;
use crate::name::LoginName;
use crate::scheme::{NameForm, Schemes, TokenLogin};
use crate::secret::{Secret, SecretDigest, SecretId};
use crate::store::{Directory, StoreError};
use crate::time::Timestamp;

/// A credential that was found, and how.
#[derive(Clone, Debug)]
pub enum FoundCredential {
    /// By its name; its secret is still to be compared.
    ByName(Arc<Credential>),
    /// By the secret itself, which served as the name.
    ByToken(Arc<Credential>, SecretId),
}

/// Finds whom a host let in under a login name, and the secret that served as the name
/// where one did: for hosts that tell nothing else of a client.
///
/// # Errors
///
/// Returns the store's error when something could not be looked up.
pub fn find_by_login_name(
    name: &LoginName,
    schemes: &Schemes,
    now: Timestamp,
    directory: &mut dyn Directory,
) -> Result<Option<FoundCredential>, StoreError> {
    // Who logs in by a token presents it twice.
    let secret = Secret::presented(name.as_str().as_bytes());
    find(name, Some(&secret), schemes, now, directory)
}

/// Finds the credential that a name is the login name of.
pub(super) fn find(
    name: &LoginName,
    secret: Option<&Secret>,
    schemes: &Schemes,
    now: Timestamp,
    directory: &mut dyn Directory,
) -> Result<Option<FoundCredential>, StoreError> {
    let is_login_name = |credential: &Arc<Credential>| {
        credential.kind.logs_in_by_name() && !requires_token(credential, schemes)
    };
    if let Some(credential) = directory.credential(name)? {
        return Ok(Some(credential)
            .filter(is_login_name)
            .map(FoundCredential::ByName));
    }
    if let Some(folded) = user::folded(name) {
        let user = directory
            .credential(&folded)?
            .filter(|credential| matches!(credential.kind, Kind::User(_)));
        return Ok(user.map(FoundCredential::ByName));
    }
    find_by_token(name, secret, schemes, now, directory)
}

/// Says whether a credential's name is a mere handle, and its secret is what
/// it logs in with.
fn requires_token(credential: &Credential, schemes: &Schemes) -> bool {
    schemes
        .find(credential.scheme.as_str())
        .is_some_and(|scheme| scheme.token_login() == TokenLogin::Required)
}

/// Finds a credential by a secret that serves as the name, where the name has
/// the shape of one and the password is the same.
fn find_by_token(
    name: &LoginName,
    secret: Option<&Secret>,
    schemes: &Schemes,
    now: Timestamp,
    directory: &mut dyn Directory,
) -> Result<Option<FoundCredential>, StoreError> {
    let Some(presented) = secret else {
        return Ok(None);
    };
    // The digests are compared, in constant time, and not the texts.
    let digest = SecretDigest::of(presented);
    let is_same = digest == SecretDigest::of(&Secret::new(name.as_str().as_bytes().to_vec()));
    if schemes.form_of(name.as_str()) != NameForm::Token || !is_same {
        return Ok(None);
    }
    let Some(credential) = directory.credential_by_digest(&digest)? else {
        return Ok(None);
    };
    let allows_token = schemes
        .find(credential.scheme.as_str())
        .is_some_and(|scheme| scheme.token_login() != TokenLogin::Never);
    let proved = credential
        .secrets
        .iter()
        .find(|stored| stored.is_digest(&digest) && stored.is_usable(now));
    Ok(match proved.map(|stored| stored.id) {
        Some(secret) if allows_token => Some(FoundCredential::ByToken(credential, secret)),
        Some(_) | None => None,
    })
}

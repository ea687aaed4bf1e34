//! Registration: a thing that does not exist yet and presents the secret of an
//! application that registers things.

use super::{ConnectContext, Decision, Registration, Request};
use crate::name::LoginName;
use crate::reason::Reason;
use crate::secret::SecretDigest;
use crate::store::{Directory, StoreError};
use crate::thing::may_become_one;

/// A login with an unknown name and, it may be, the token of an application.
///
/// Nothing is decided where it is none.
pub(super) fn decide(
    name: &LoginName,
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
) -> Result<Option<Decision>, StoreError> {
    let Some(presented) = request
        .secret
        .as_ref()
        .filter(|it| looks_like_token(it.expose()))
    else {
        return Ok(None);
    };
    let digest = SecretDigest::of(presented);
    let Some(application) = directory.credential_by_digest(&digest)? else {
        return Ok(None);
    };
    if application.kind.application().is_none() {
        return Ok(None);
    }
    let is_its = application
        .secrets
        .iter()
        .any(|stored| stored.is_digest(&digest) && stored.is_usable(at.now));
    if !is_its {
        return Ok(None);
    }
    if let Err(reason) = may_become_one(&application, name, at.schemes, at.now) {
        return Ok(Some(Decision::Refuse(reason)));
    }
    if !at.listener.takes(application.tenant.as_ref()) {
        return Ok(Some(Decision::Refuse(Reason::WrongListener)));
    }
    Ok(Some(Decision::Register(Registration::Thing {
        application,
        key: name.clone(),
    })))
}

/// Says whether a secret has the shape of an application's token.
fn looks_like_token(secret: &[u8]) -> bool {
    secret.len() == 32 && secret.iter().all(u8::is_ascii_alphanumeric)
}

//! Registration: a thing that does not exist yet and presents the secret of an
//! application that registers things.

use super::{ConnectContext, Decision, Registration, Request};
use crate::auto_registration::may_register_itself;
use crate::kind::Kind;
use crate::name::LoginName;
use crate::reason::Reason;
use crate::secret::SecretDigest;
use crate::store::{Directory, StoreError};

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
    let Kind::Application(about) = &application.kind else {
        return Ok(None);
    };
    let is_its = application
        .secrets
        .iter()
        .any(|stored| stored.is_digest(&digest) && stored.is_usable(at.now));
    if !is_its {
        return Ok(None);
    }
    if let Err(reason) = application.is_in_force(at.now) {
        return Ok(Some(Decision::Refuse(reason)));
    }
    let Some(registers) = &about.registers else {
        return Ok(Some(Decision::Refuse(Reason::UnknownName)));
    };
    if !may_register_itself(name, at.schemes) {
        return Ok(Some(Decision::Refuse(Reason::Malformed)));
    }
    if !registers.pattern.matches(name.as_str()) {
        return Ok(Some(Decision::Refuse(Reason::UnknownName)));
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

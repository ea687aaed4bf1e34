//! Logins by token (JWT, RFC 7519), presented as the password.

use super::{
    Admission, ConnectContext, Decision, Identity, LoginRecord, Request, client_ids, find,
};
use crate::jwt::{Claims, Unverified, bearer_name};
use crate::kind::ANY_BEARER;
use crate::name::LoginName;
use crate::reason::Reason;
use crate::store::{Directory, StoreError};
use crate::token::TokenKey;

/// A login whose password is a token that we signed.
///
/// Nothing is decided where it is none: whatever it looks like, it then costs
/// what a wrong password costs.
pub(super) fn decide(
    name: Option<&LoginName>,
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
) -> Result<Option<Decision>, StoreError> {
    let Some((key, claims)) = verify(request, directory)? else {
        return Ok(None);
    };
    judge(name, &key, &claims, request, at, directory).map(Some)
}

/// A login by a token and by nothing else. The name of somebody who has no token is
/// nobody's here, either.
pub(super) fn decide_alone(
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
) -> Result<Decision, StoreError> {
    let (name, secret) = (request.name.as_ref(), request.secret.as_ref());
    if let Some(name) = name
        && find::find(name, secret, at.schemes, at.now, directory)?.is_some()
    {
        return Ok(Decision::Refuse(Reason::BadSecret));
    }
    let decided = decide(name, request, at, directory)?;
    Ok(decided.unwrap_or(Decision::Refuse(Reason::UnknownName)))
}

fn verify(
    request: &Request,
    directory: &mut dyn Directory,
) -> Result<Option<(TokenKey, Claims)>, StoreError> {
    let presented = request.secret.as_ref();
    let Some(token) = presented.and_then(|it| Unverified::parse(it.expose())) else {
        return Ok(None);
    };
    let Some(key) = directory.token_key(token.key_id())? else {
        return Ok(None);
    };
    Ok(token
        .verify(&key.public)
        .filter(|claims| claims.tenant == key.tenant)
        .map(|claims| (key, claims)))
}

/// Judges a token that we signed, which a tenant's mode makes no difference
/// to.
fn judge(
    name: Option<&LoginName>,
    key: &TokenKey,
    claims: &Claims,
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
) -> Result<Decision, StoreError> {
    let refuse = |reason| Ok(Decision::Refuse(reason));
    let is_its_name =
        |name: &LoginName| [ANY_BEARER, claims.whoami.as_str()].contains(&name.as_str());
    if !name.is_none_or(is_its_name) {
        return refuse(Reason::BadSecret);
    }
    if let Err(reason) = claims.is_in_time(at.now) {
        return refuse(reason);
    }
    let Some(token) = directory.token(&claims.jti)? else {
        return refuse(Reason::Revoked);
    };
    let issuer = directory.credential_by_id(token.issuer)?;
    if let Err(reason) = token.admits(issuer.as_deref(), Some(key), at.now) {
        return refuse(reason);
    }
    let bearer = directory.credential_by_id(token.bearer)?;
    let is_token = bearer_name(&claims.whoami, &claims.tenant);
    let Some(bearer) = bearer.filter(|bearer| bearer.name == is_token) else {
        return refuse(Reason::Revoked);
    };
    if let Err(reason) = bearer.is_in_force(at.now) {
        return refuse(reason);
    }
    if !at.listener.takes(Some(&token.tenant)) {
        return refuse(Reason::WrongListener);
    }
    let claimant = client_ids::Claimant {
        credential: Some(bearer.id),
        tenant: Some(&token.tenant),
    };
    let session = match client_ids::own_client_id(&claimant, request, at, directory)? {
        Ok(owned) => owned.change,
        Err(reason) => return refuse(reason),
    };
    let record = LoginRecord {
        activates: !bearer.ever_used,
        session,
        ..LoginRecord::default()
    };
    Ok(Decision::Admit(Admission {
        identity: Identity::Bearer {
            credential: bearer,
            token,
        },
        record,
    }))
}

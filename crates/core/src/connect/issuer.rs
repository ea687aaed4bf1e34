//! Logins by a token (JWT, RFC 7519) that an issuer of others has signed, presented as the
//! password.

use std::sync::Arc;

use super::{
    Admission, ConnectContext, Decision, Identity, Request, SecretCheck, SignatureVerdict, device,
    proved,
};
use crate::issuer::{IssuedToken, IssuerRecord, IssuerText, ProvedToken, RoleWord};
use crate::jwt;
use crate::name::LoginName;
use crate::reason::Reason;
use crate::registrar::Registrar;
use crate::store::{Directory, StoreError};

/// A login whose password is a token of an issuer of a tenant.
///
/// Nothing is decided where the token says that nobody we know has issued it: whatever it
/// looks like, it is a password then.
pub(super) fn decide(
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
    check: &mut dyn SecretCheck,
) -> Result<Option<Decision>, StoreError> {
    let Some(token) = &request.token else {
        return Ok(None);
    };
    let Some(issuer) = token.issuer().and_then(|it| IssuerText::parse(it).ok()) else {
        return Ok(None);
    };
    if issuer.as_str() == jwt::ISSUER {
        return Ok(None);
    }
    let known = directory.issuers_like(&issuer)?;
    if known.is_empty() {
        return Ok(None);
    }
    let refuse = |reason| Ok(Some(Decision::Refuse(reason)));
    // A token that is for several of them does not say which tenant it means.
    let audiences = token.audiences();
    let mut meant = known
        .iter()
        .filter(|it| audiences.contains(&it.audience.as_str()));
    let (Some(issuer), None) = (meant.next(), meant.next()) else {
        return refuse(Reason::BadSecret);
    };
    if !issuer.has_keys(at.now) {
        return refuse(Reason::KeysOutdated);
    }
    match check.is_issued(&**token, issuer) {
        SignatureVerdict::Valid => {}
        SignatureVerdict::Invalid => return refuse(Reason::BadSecret),
        SignatureVerdict::OverBudget => return refuse(Reason::OverBudget),
    }
    match token.claims(issuer, at.now) {
        Ok(claimed) => judge(issuer, claimed, request, at, directory).map(Some),
        Err(reason) => refuse(reason),
    }
}

/// Judges a token that its issuer has signed, which a tenant's mode makes no difference
/// to.
fn judge(
    issuer: &IssuerRecord,
    claimed: IssuedToken,
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
) -> Result<Decision, StoreError> {
    let refuse = |reason| Ok(Decision::Refuse(reason));
    let token_id = match claimed.token_id.as_deref().map(IssuerText::parse) {
        Some(Err(_)) => return refuse(Reason::Malformed),
        Some(Ok(id)) => Some(id),
        None => None,
    };
    if let Some(id) = &token_id
        && directory.is_issued_token_revoked(issuer.id, id)?
    {
        return refuse(Reason::Revoked);
    }
    let Some(name) = &claimed.identity else {
        return refuse(Reason::UnknownName);
    };
    let says_a_name = |name: &&LoginName| name.as_str() != NO_NAME;
    let username = request.name.as_ref().filter(says_a_name);
    let Some(credential) = proved::device_meant(name, &issuer.tenant, at.schemes, directory)?
    else {
        let by = device::Registering {
            registrar: Registrar::Issuer(issuer.id),
            tenant: &issuer.tenant,
            registers: issuer.registers.as_ref(),
        };
        let decision = device::decide(&by, name, username, at, directory)?;
        return Ok(decision.unwrap_or(Decision::Refuse(Reason::UnknownName)));
    };
    if username.is_some_and(|name| *name != credential.name) {
        return refuse(Reason::BadSecret);
    }
    let has_tls = at.listener.is_tls;
    let record = match proved::judge(&credential, request, at, has_tls, directory)? {
        Ok(record) => record,
        Err(reason) => return refuse(reason),
    };
    let mut roles: Vec<_> = claimed
        .role_words
        .iter()
        .filter_map(|word| issuer.roles.get(&RoleWord::parse(word).ok()?))
        .cloned()
        .collect();
    roles.sort_unstable();
    roles.dedup();
    let token = ProvedToken {
        issuer: issuer.id,
        token_id,
        roles,
        ends_at: claimed.ends_at,
    };
    Ok(Decision::Admit(Admission {
        identity: Identity::Issued {
            credential,
            token: Arc::new(token),
        },
        record,
    }))
}

/// What a client may present as its name that has none.
const NO_NAME: &str = "jwt";

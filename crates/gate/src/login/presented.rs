//! What a CONNECT presents.

use countersign_core::connect::{Request, SessionUse};
use countersign_core::reason::Reason;

use crate::host::ConnectInfo;
use crate::state::State;

pub(super) fn parse<S>(state: &mut State<S>, info: &ConnectInfo<'_>) -> Result<Request, Reason> {
    let session = SessionUse::of(info.protocol, info.clean_start);
    let kept = &mut state.view.credential_cache;
    let before = info
        .username
        .and_then(|username| kept.presented(info.client_id, username));
    let request = match before {
        Some(names) => names.again(info.password, session),
        None => Request::parse(info.client_id, info.username, info.password, session)?,
    };
    Ok(Request {
        certificate: info.certificate.cloned(),
        token: info.password.and_then(countersign_issuer::presented),
        ..request
    })
}

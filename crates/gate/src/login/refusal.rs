//! Refusing logins: what the client is told, the log, and the audit.

use std::net::IpAddr;

use countersign_core::backoff::ip_of;
use countersign_core::certificate::{AuthorityKey, Fingerprint, Leaf, PresentedCertificate};
use countersign_core::client_id::ClientId;
use countersign_core::connect::{Request, holder_of_certificate};
use countersign_core::kind::Kind;
use countersign_core::name::{LoginName, Suffix};
use countersign_core::reason::Reason;
use countersign_core::secret::Secret;
use countersign_core::store::{GateStore, StoreError, StoreErrorKind};
use countersign_core::time::Timestamp;

use crate::cache::store_view::StoreView;
use crate::host::{Completion, ConnectInfo, ConnectOutcome, RefusalCode};
use crate::journal::Journal;
use crate::journal::entry::{JournalEntry, RefusedLogin};
use crate::masking::{ANONYMOUS, shown, shown_unknown};
use crate::state::State;

use self::owner::{owner_as_json, owner_as_text, owner_of};

mod owner;

/// That a client which its host let in may have no session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TurnedAway {
    /// What the host's log is to say; none where it has too many such lines
    /// already. The client is to be ended all the same.
    pub line: Option<String>,
}

/// A login that is refused.
pub(crate) struct Refusal {
    /// What the client may learn.
    code: RefusalCode,
    login: RefusedLogin,
    /// What the log says of who has the client id.
    owner: String,
    /// What the log says besides, or instead.
    fault: Option<StoreFault>,
}

/// Why a store could not say.
enum StoreFault {
    /// One record can't be read.
    Record(String),
    /// It can't be used at all, for which there is a line once a minute and not once
    /// a client.
    Store(String),
}

impl Refusal {
    /// Refuses a login.
    pub(crate) fn new<S: GateStore>(
        state: &mut State<S>,
        request: &Request,
        address: Option<&str>,
        reason: Reason,
        now: Timestamp,
    ) -> Self {
        state.count_guess(address, reason, now);
        let by_certificate = named_by_certificate(state, request, now);
        let name = request.name.as_ref().or(by_certificate.as_ref());
        let subject = match (name, &request.certificate) {
            (Some(name), _) => shown_presented(&mut state.view, name),
            (None, Some(PresentedCertificate::Read { fingerprint, .. })) => {
                format!("certificate {fingerprint}")
            }
            (None, Some(PresentedCertificate::Unreadable)) => "(unreadable certificate)".into(),
            (None, None) => ANONYMOUS.to_owned(),
        };
        let secret = request.secret.as_ref();
        let secret = secret.map(|secret| Secret::new(secret.expose().to_vec()));
        let client_id = request.client_id.as_str();
        let client_id = presented_client_id(&mut state.view, client_id, name, secret);
        let mut refusal = Self::of(subject, client_id, address, reason, now);
        refusal.login.tenant = match name.map(LoginName::suffix) {
            Some(Suffix::Tenant(tenant)) => Some(tenant),
            Some(Suffix::Email | Suffix::None | Suffix::Unknown) | None => None,
        };
        // Names that somebody makes up are no tenants'.
        let snapshot = &state.view.snapshot;
        let tenant = &mut refusal.login.tenant;
        tenant.take_if(|tenant| !snapshot.has_tenant(tenant));
        if matches!(reason, Reason::OverBudget | Reason::Registering) {
            refusal.code = RefusalCode::Busy;
        }
        let from = address.and_then(ip_of);
        if reason == Reason::Banned && from.is_some_and(|it| state.bans.has_address(it, now)) {
            refusal.code = RefusalCode::Banned;
        }
        if reason == Reason::ClientIdOwned
            && let Some(owner) = owner_of(state, request, now)
        {
            let schemes = &state.view.snapshot.schemes;
            refusal.login.about = Some(owner_as_json(&owner, schemes));
            refusal.owner = owner_as_text(&owner, schemes);
        }
        refusal
    }

    /// Refuses a CONNECT that has not the shape of one.
    pub(crate) fn malformed<S: GateStore>(
        state: &mut State<S>,
        info: &ConnectInfo<'_>,
        reason: Reason,
        now: Timestamp,
    ) -> Self {
        let name = info.username.map(|bytes| {
            let text = core::str::from_utf8(bytes).ok();
            text.and_then(|text| LoginName::parse(text).ok())
        });
        let subject = match &name {
            Some(Some(name)) => shown_unknown(&state.view.snapshot.schemes, name.as_str()),
            Some(None) => "(malformed)".to_owned(),
            None => ANONYMOUS.to_owned(),
        };
        let secret = info.password.map(Secret::presented);
        let client_id = String::from_utf8_lossy(info.client_id);
        let name = name.flatten();
        let client_id = presented_client_id(&mut state.view, &client_id, name.as_ref(), secret);
        Self::of(subject, client_id, info.address, reason, now)
    }

    /// Refuses an answer to a challenge that nobody waits for.
    pub(crate) fn late<S: GateStore>(
        state: &mut State<S>,
        client_id: &[u8],
        now: Timestamp,
    ) -> Self {
        let client_id = String::from_utf8_lossy(client_id);
        let client_id = presented_client_id(&mut state.view, &client_id, None, None);
        Self::of("(late)".into(), client_id, None, Reason::MfaRequired, now)
    }

    /// Refuses a login about which the store could not say.
    pub(crate) fn for_store<S: GateStore>(
        state: &mut State<S>,
        request: &Request,
        address: Option<&str>,
        error: &StoreError,
        now: Timestamp,
    ) -> Self {
        if error.kind() == StoreErrorKind::Busy {
            return Self::new(state, request, address, Reason::StoreBusy, now);
        }
        let fault = if error.is_of_one_record() && !error.is_about_pages() {
            // It holds for one name, tenant or scheme; `doctor` says which.
            StoreFault::Record(error.to_string())
        } else {
            StoreFault::Store(error.to_string())
        };
        Self {
            fault: Some(fault),
            ..Self::new(state, request, address, Reason::StoreUnavailable, now)
        }
    }

    fn of(
        subject: String,
        client_id: String,
        address: Option<&str>,
        cause: Reason,
        at: Timestamp,
    ) -> Self {
        Self {
            code: RefusalCode::NotAuthorized,
            login: RefusedLogin {
                at,
                subject,
                address: address.map(str::to_owned),
                client_id,
                cause,
                tenant: None,
                about: None,
            },
            owner: String::new(),
            fault: None,
        }
    }

    /// Why it is refused.
    pub(crate) fn reason(&self) -> Reason {
        self.login.cause
    }

    /// The same, with another word for the client.
    pub(crate) fn with_code(self, code: RefusalCode) -> Self {
        Self { code, ..self }
    }

    /// Has it written down; returns the line for the host's log.
    fn write(self, journal: &mut Journal) -> Option<String> {
        let Self {
            login,
            owner,
            fault,
            ..
        } = self;
        let at = login.at;
        let line = journal.host_log.admit(at).then(|| {
            format!(
                "refused {}: {}: `{}` client `{}`{owner}",
                shown_address(login.address.as_deref()),
                login.cause,
                login.subject,
                login.client_id,
            )
        });
        journal.writer.append(JournalEntry::Refused(login));
        match fault {
            None => line,
            Some(StoreFault::Record(error)) => line.map(|line| format!("{line}: {error}")),
            Some(StoreFault::Store(error)) => journal
                .host_log
                .complain(at)
                .then(|| format!("refusing every login that needs the store: {error}")),
        }
    }

    /// The same of a client that its host has let in.
    pub(crate) fn into_turned_away(self, journal: &mut Journal) -> TurnedAway {
        TurnedAway {
            line: self.write(journal),
        }
    }

    /// The same of a login whose wait ends so.
    pub(crate) fn into_completion(self, journal: &mut Journal) -> Completion {
        Completion::Refuse {
            line: self.write(journal),
        }
    }

    /// Has it written down; returns what its host is told.
    pub(crate) fn into_outcome(self, journal: &mut Journal) -> ConnectOutcome {
        ConnectOutcome::Refused {
            reason: self.login.cause,
            code: self.code,
            line: self.write(journal),
        }
    }
}

/// The name of the credential that a certificate stands for which is presented
/// without a name and a password, as far as that is known by now.
fn named_by_certificate<S: GateStore>(
    state: &mut State<S>,
    request: &Request,
    now: Timestamp,
) -> Option<LoginName> {
    let presented = request.certificate.as_ref()?;
    if request.name.is_some() || request.secret.is_some() {
        return None;
    }
    state.signature_checks.begin(false);
    let log_position = state.sync().ok()?;
    let recent_uses = &state.journal.recent_uses;
    let mut directory = state.view.directory(log_position, recent_uses, None, now);
    let schemes = &directory.snapshot.schemes;
    let checks = &mut state.signature_checks;
    let is_signed = &mut |print: &Fingerprint, leaf: &dyn Leaf, key: &AuthorityKey| {
        checks.look(print, leaf, key)
    };
    let holder = holder_of_certificate(presented, schemes, &mut directory, is_signed);
    Some(holder.ok()??.name.clone())
}

/// A presented name as it may be shown: whole if there is such a name, so that
/// it is not a secret in the wrong place.
fn shown_presented<S: GateStore>(view: &mut StoreView<S>, name: &LoginName) -> String {
    let schemes = &view.snapshot.schemes;
    let tame = shown_unknown(schemes, name.as_str());
    // No refusal tells that there is such a name: also an unauthenticated
    // client is refused for its client id or for what it presented.
    if tame != name.as_str() && matches!(view.store.credential(name), Ok(Some(_))) {
        return shown(schemes, name.as_str());
    }
    tame
}

/// A client id that was presented with a name and a password, as it may be
/// shown: on one line, cut, and hidden where it is secret.
fn presented_client_id<S: GateStore>(
    view: &mut StoreView<S>,
    client_id: &str,
    name: Option<&LoginName>,
    secret: Option<Secret>,
) -> String {
    if is_perhaps_a_thing(view, name, secret.as_ref()) {
        return match ClientId::parse(client_id) {
            Ok(client_id) => client_id.tie().hidden(),
            Err(_) => "(hidden)".into(),
        };
    }
    shown_unknown(&view.snapshot.schemes, client_id)
}

/// Says whether somebody with this name and password may be a thing, whose
/// client id is secret.
fn is_perhaps_a_thing<S: GateStore>(
    view: &mut StoreView<S>,
    name: Option<&LoginName>,
    secret: Option<&Secret>,
) -> bool {
    let Some(name) = name else {
        return false;
    };
    let has_token_shape = |secret: &Secret| {
        let bytes = secret.expose();
        bytes.len() == APPLICATION_TOKEN && bytes.iter().all(u8::is_ascii_alphanumeric)
    };
    if secret.is_some_and(has_token_shape) {
        return true;
    }
    if view.credential_cache.knows_no_thing_by(name) {
        return false;
    }
    match view.store.credential(name) {
        Ok(found) => found.is_some_and(|it| matches!(it.kind, Kind::Thing(_))),
        // It can't be told, so it is hidden.
        Err(_) => true,
    }
}

/// Where a login came from, for the log: nothing that its client could have
/// made up, so that who reads it by a program is not led to anybody else.
fn shown_address(address: Option<&str>) -> String {
    match address {
        Some(WEBSOCKETS) => WEBSOCKETS.into(),
        Some(path) if is_plain_path(path) => path.into(),
        Some(text) => text
            .parse::<IpAddr>()
            .map_or_else(|_| UNKNOWN.into(), |address| address.to_string()),
        None => UNKNOWN.into(),
    }
}

/// Says whether it is the path of a unix socket, of which nothing could be taken
/// for anything else in the line.
fn is_plain_path(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    text.starts_with('/') && text.bytes().all(is_plain)
}

/// The length of an application's token.
const APPLICATION_TOKEN: usize = 32;
/// Clients whose address is their own word.
const WEBSOCKETS: &str = "ws";
/// Where nothing is known.
const UNKNOWN: &str = "-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_clients_stands_where_the_address_is() {
        for (address, shown) in [
            (None, "-"),
            (Some("192.0.2.7"), "192.0.2.7"),
            (Some("2001:DB8::0:1"), "2001:db8::1"),
            (Some("ws"), "ws"),
            (Some("192.0.2.7: ok: `x`"), "-"),
            (Some("/run/mosquitto/in.sock"), "/run/mosquitto/in.sock"),
            (Some("/x: ok: `y`"), "-"),
            (Some(""), "-"),
        ] {
            assert_eq!(shown_address(address), shown);
        }
    }
}

//! Refusing logins: what the client is told, the log, and the audit.

use std::net::IpAddr;
use std::time::Duration;

use countersign_admin::view::rfc3339;
use countersign_core::client_id::ClientId;
use countersign_core::connect::{ClientIdOwner, Request, owner_of_client_id};
use countersign_core::credential::CredentialId;
use countersign_core::given::is_kept_off;
use countersign_core::kind::Kind;
use countersign_core::name::LoginName;
use countersign_core::reason::Reason;
use countersign_core::secret::Secret;
use countersign_core::store::{GateStore, StoreError, StoreErrorKind};
use countersign_core::time::Timestamp;
use serde_json::json;

use crate::gate::Gate;
use crate::host::{ConnectInfo, ConnectOutcome, RefusalCode};
use crate::journal::writer::{JournalEntry, RefusedLogin};
use crate::session::Session;

impl<S: GateStore> Gate<S> {
    /// A name or client id as it may be shown: masked where it has the shape of
    /// a secret.
    pub(crate) fn shown(&self, text: &str) -> String {
        self.masked(text).unwrap_or_else(|| text.to_owned())
    }

    /// What may be shown of a name or client id that a client presented and that
    /// may be a secret in the wrong place: on one line, cut, and masked where a
    /// secret stands in it.
    pub(crate) fn shown_unknown(&self, text: &str) -> String {
        let masked = self.snapshot.schemes.masked_unknown(text);
        on_one_line(masked.as_deref().unwrap_or(text))
    }

    /// What may be shown of a text that has the shape of a secret.
    pub(crate) fn masked(&self, text: &str) -> Option<String> {
        self.snapshot.schemes.masked(text)
    }

    /// Refuses a login, and has that written down.
    pub(crate) fn refuse(
        &mut self,
        request: &Request,
        address: Option<&str>,
        reason: Reason,
        now: Timestamp,
    ) -> ConnectOutcome {
        let code = if reason == Reason::OverBudget {
            RefusalCode::Busy
        } else {
            RefusalCode::NotAuthorized
        };
        self.refuse_with(code, request, address, reason, now)
    }

    /// The same, with another word for the client.
    pub(crate) fn refuse_with(
        &mut self,
        code: RefusalCode,
        request: &Request,
        address: Option<&str>,
        reason: Reason,
        now: Timestamp,
    ) -> ConnectOutcome {
        ConnectOutcome::Refused {
            reason,
            code,
            line: self.note_refusal(request, address, reason, now),
        }
    }

    /// Refuses a CONNECT that has not the shape of one.
    pub(crate) fn refuse_malformed(
        &mut self,
        info: &ConnectInfo<'_>,
        reason: Reason,
        now: Timestamp,
    ) -> ConnectOutcome {
        let name = info.username.map(|bytes| {
            let text = core::str::from_utf8(bytes).ok();
            text.and_then(|text| LoginName::parse(text).ok())
        });
        let subject = match &name {
            Some(Some(name)) => self.shown_unknown(name.as_str()),
            Some(None) => "(malformed)".to_owned(),
            None => "(anonymous)".to_owned(),
        };
        let secret = info.password.map(Secret::presented);
        let client_id = String::from_utf8_lossy(info.client_id);
        let client_id = self.presented_client_id(&client_id, name.flatten().as_ref(), secret);
        self.refuse_as(subject, client_id, info.address, reason, now)
    }

    /// Refuses a login, under this name.
    pub(crate) fn refuse_as(
        &mut self,
        subject: String,
        client_id: String,
        address: Option<&str>,
        reason: Reason,
        now: Timestamp,
    ) -> ConnectOutcome {
        let refused = RefusedLogin {
            at: now,
            subject,
            address: address.map(str::to_owned),
            client_id,
            cause: reason,
            about: None,
        };
        ConnectOutcome::Refused {
            reason,
            code: RefusalCode::NotAuthorized,
            line: self.write_down(refused, None),
        }
    }

    /// A presented name as it may be shown: whole if there is such a name, so that
    /// it is not a secret in the wrong place.
    fn shown_presented(&mut self, name: &LoginName) -> String {
        let tame = self.shown_unknown(name.as_str());
        // No refusal tells that there is such a name: also an unauthenticated
        // client is refused for its client id or for what it presented.
        if tame != name.as_str() && matches!(self.store.credential(name), Ok(Some(_))) {
            return self.shown(name.as_str());
        }
        tame
    }

    /// Has a refusal written down; returns the line for the host's log.
    pub(crate) fn note_refusal(
        &mut self,
        request: &Request,
        address: Option<&str>,
        reason: Reason,
        now: Timestamp,
    ) -> Option<String> {
        let subject = match &request.name {
            Some(name) => self.shown_presented(name),
            None => "(anonymous)".to_owned(),
        };
        let secret = request.secret.as_ref();
        let secret = secret.map(|secret| Secret::new(secret.expose().to_vec()));
        let client_id =
            self.presented_client_id(request.client_id.as_str(), request.name.as_ref(), secret);
        let owner = (reason == Reason::ClientIdOwned)
            .then(|| self.owner_of(request))
            .flatten();
        let refused = RefusedLogin {
            at: now,
            subject,
            address: address.map(str::to_owned),
            client_id,
            cause: reason,
            about: owner.as_ref().map(|owner| self.owner_as_json(owner)),
        };
        self.write_down(refused, owner)
    }

    fn write_down(
        &mut self,
        refused: RefusedLogin,
        owner: Option<ClientIdOwner>,
    ) -> Option<String> {
        let line = self.log_limit.admit(refused.at).then(|| {
            format!(
                "refused {}: {}: `{}` client `{}`{}",
                shown_address(refused.address.as_deref()),
                refused.cause,
                refused.subject,
                refused.client_id,
                owner.map_or_else(String::new, |owner| self.owner_as_text(&owner)),
            )
        });
        self.writer.append(JournalEntry::Refused(refused));
        line
    }

    /// Whose the client id is that a login asked for.
    fn owner_of(&mut self, request: &Request) -> Option<ClientIdOwner> {
        let live: Vec<CredentialId> = self
            .sessions
            .live(request.client_id.as_str())
            .filter_map(Session::credential)
            .collect();
        let name = request.name.as_ref();
        // Whose it is is for people to read; without it the refusal stands.
        let owner = owner_of_client_id(&request.client_id, name, &live, &mut self.store).ok()?;
        Some(owner.unwrap_or(ClientIdOwner::Host))
    }

    fn owner_as_json(&self, owner: &ClientIdOwner) -> String {
        match owner {
            ClientIdOwner::Credential { name, since } => json!({
                "held_by": self.shown(name.as_str()),
                "held_since": since.map(rfc3339),
            }),
            ClientIdOwner::Tenant(tenant) => json!({ "held_by_tenant": tenant.as_str() }),
            ClientIdOwner::Host => json!({ "held_by_host": true }),
            ClientIdOwner::Former => json!({ "needs_clean_start": true }),
        }
        .to_string()
    }

    fn owner_as_text(&self, owner: &ClientIdOwner) -> String {
        match owner {
            ClientIdOwner::Credential { name, since } => {
                let since = since.map_or_else(String::new, |at| format!(" since {}", rfc3339(at)));
                format!(" held by `{}`{since}", self.shown(name.as_str()))
            }
            ClientIdOwner::Tenant(tenant) => format!(" held by tenant `{tenant}`"),
            ClientIdOwner::Host => format!(" kept for {}", ClientIdOwner::OF_HOST),
            ClientIdOwner::Former => {
                " left behind by an earlier holder, free with a clean start".into()
            }
        }
    }

    /// A client id that was presented with a name and a password, as it may be
    /// shown: on one line, cut, and hidden where it is secret.
    pub(crate) fn presented_client_id(
        &mut self,
        client_id: &str,
        name: Option<&LoginName>,
        secret: Option<Secret>,
    ) -> String {
        if self.is_perhaps_a_thing(name, secret.as_ref()) {
            return match ClientId::parse(client_id) {
                Ok(client_id) => client_id.tie().hidden(),
                Err(_) => "(hidden)".into(),
            };
        }
        self.shown_unknown(client_id)
    }

    /// Says whether somebody with this name and password may be a thing, whose
    /// client id is secret.
    fn is_perhaps_a_thing(&mut self, name: Option<&LoginName>, secret: Option<&Secret>) -> bool {
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
        if self.credential_cache.knows_no_thing_by(name) {
            return false;
        }
        match self.store.credential(name) {
            Ok(found) => found.is_some_and(|it| matches!(it.kind, Kind::Thing(_))),
            // It can't be told, so it is hidden.
            Err(_) => true,
        }
    }

    pub(crate) fn refuse_for_store(
        &mut self,
        request: &Request,
        address: Option<&str>,
        error: &StoreError,
        now: Timestamp,
    ) -> ConnectOutcome {
        let (reason, line) = self.note_store_refusal(request, address, error, now);
        ConnectOutcome::Refused {
            reason,
            code: RefusalCode::NotAuthorized,
            line,
        }
    }

    /// Has it written down that the store could not say; there is a line for
    /// that once a minute, not once a client.
    pub(crate) fn note_store_refusal(
        &mut self,
        request: &Request,
        address: Option<&str>,
        error: &StoreError,
        now: Timestamp,
    ) -> (Reason, Option<String>) {
        let is_busy = error.kind() == StoreErrorKind::Busy;
        let reason = if is_busy {
            Reason::StoreBusy
        } else {
            Reason::StoreUnavailable
        };
        let line = self.note_refusal(request, address, reason, now);
        if is_busy {
            return (reason, line);
        }
        if error.is_of_one_record() && !error.is_about_pages() {
            // It holds for one name, tenant or scheme; `doctor` says which.
            return (reason, line.map(|line| format!("{line}: {error}")));
        }
        let line = self
            .complain(now)
            .then(|| format!("refusing every login that needs the store: {error}"));
        (reason, line)
    }

    /// Says whether it is time to complain about the store again.
    pub(crate) fn complain(&mut self, now: Timestamp) -> bool {
        let is_time = self
            .complained
            .is_none_or(|last| now < last || now.since(last) >= COMPLAIN_EVERY);
        if is_time {
            self.complained = Some(now);
        }
        is_time
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

/// A text of a client's for a line of a log: without what would end the line or
/// its quotes, and cut.
fn on_one_line(text: &str) -> String {
    let tame = |character: char| match character {
        '`' => '\'',
        _ if is_kept_off(character) => char::REPLACEMENT_CHARACTER,
        _ => character,
    };
    let mut line: String = text.chars().take(LONGEST_SHOWN).map(tame).collect();
    if text.chars().nth(LONGEST_SHOWN).is_some() {
        line.push('…');
    }
    line
}

const COMPLAIN_EVERY: Duration = Duration::from_secs(60);
/// Characters of a client id that are shown.
const LONGEST_SHOWN: usize = 64;
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

    #[test]
    fn a_client_id_neither_ends_its_line_nor_its_quotes_nor_fills_the_log() {
        assert_eq!(on_one_line("a`b\n\u{1b}c"), "a'b\u{fffd}\u{fffd}c");
        assert_eq!(on_one_line(&"x".repeat(64)), "x".repeat(64));
        assert_eq!(on_one_line(&"ä".repeat(65_000)), "ä".repeat(64) + "…");
    }
}

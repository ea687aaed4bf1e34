//! Refusing logins: what the client is told, the log, and the audit.

use std::time::Duration;

use countersign_core::connect::Request;
use countersign_core::reason::Reason;
use countersign_core::store::{GateStore, StoreError, StoreErrorKind};
use countersign_core::time::Timestamp;

use crate::gate::Gate;
use crate::host::{ConnectOutcome, RefusalCode};
use crate::writer::{Note, RefusedLogin};

impl<S: GateStore> Gate<S> {
    /// A name or client id as it may be shown: masked where it has the shape of
    /// a secret.
    pub(crate) fn shown(&self, text: &str) -> String {
        self.masked(text).unwrap_or_else(|| text.to_owned())
    }

    /// What may be shown of a text that has the shape of a secret.
    pub(crate) fn masked(&self, text: &str) -> Option<String> {
        self.policy.schemes.masked(text)
    }

    /// How a login that presents a name, or none, is called in a log.
    pub(crate) fn subject(&self, request: &Request) -> String {
        match &request.name {
            Some(name) => self.shown(name.as_str()),
            None => "(anonymous)".to_owned(),
        }
    }

    pub(crate) fn refuse(
        &mut self,
        subject: String,
        address: Option<&str>,
        reason: Reason,
        now: Timestamp,
    ) -> ConnectOutcome {
        ConnectOutcome::Refused {
            reason,
            code: RefusalCode::NotAuthorized,
            line: Some(self.note_refusal(subject, address, reason, now)),
        }
    }

    /// Has a refusal written down; returns the line for the host's log.
    pub(crate) fn note_refusal(
        &self,
        subject: String,
        address: Option<&str>,
        reason: Reason,
        now: Timestamp,
    ) -> String {
        let from = address.unwrap_or("an unknown address");
        let line = format!("refused `{subject}` from {from}: {reason}");
        self.writer.note(Note::Refused(RefusedLogin {
            at: now,
            subject,
            address: address.map(str::to_owned),
            cause: reason,
        }));
        line
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
        let line = self.note_refusal(self.subject(request), address, reason, now);
        if is_busy {
            return (reason, Some(line));
        }
        if error.is_of_one_record() {
            // It holds for one name, tenant or scheme; `doctor` says which.
            return (reason, Some(format!("{line}: {error}")));
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
            .is_none_or(|last| now.since(last) >= COMPLAIN_EVERY);
        if is_time {
            self.complained = Some(now);
        }
        is_time
    }
}

const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

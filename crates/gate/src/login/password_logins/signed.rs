//! Attempts by what an authority or an issuer signed.

use std::sync::Arc;

use countersign_core::backoff::{Attempt, Burst, Origin};
use countersign_core::certificate::{Fingerprint, PresentedCertificate};
use countersign_core::connect::Request;
use countersign_core::reason::Reason;
use countersign_core::store::{GateStore, StoreError};
use countersign_core::time::Timestamp;

use super::PasswordLogins;
use crate::connection::principal::Principal;
use crate::host::ConnectInfo;
use crate::login::decision::{Admitted, Decided};
use crate::login::refusal::Refusal;
use crate::state::State;

impl PasswordLogins {
    /// Decides about a CONNECT that presents what an authority or an issuer signed.
    /// Signatures that were not looked at before count as slow checks do, and those of
    /// nobody as failures. Says besides whether there was time for one.
    pub(super) fn decide_by_signature<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        info: &ConnectInfo<'_>,
        request: &Request,
        presented: &str,
        now: Timestamp,
    ) -> (Result<Decided, StoreError>, Result<(), Burst>) {
        let attempt = Attempt {
            origin: Origin::of(info.address),
            name: presented,
        };
        let allowed = self.backoff.check_allowed(&attempt, now);
        let has_time = allowed.is_ok() && self.backoff.has_time(&attempt, now);
        state.signature_checks.begin(has_time);
        let background = Arc::clone(&state.config.background);
        let start = background.uptime();
        let decided = self.decide(state, &info.source(), request, None, now);
        if state.signature_checks.were_made() {
            let spent = background.uptime().saturating_sub(start);
            self.backoff.spent(&attempt, spent, now);
            let is_nobodys = matches!(
                decided,
                Ok(Decided::Refused(
                    Reason::BadSecret | Reason::CertificateUnknown
                ))
            );
            if is_nobodys {
                self.failed(&attempt, now);
            }
        }
        (decided, allowed)
    }

    /// Decides about a session that presents another token, as about a login with it.
    pub(in crate::login) fn renew<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        info: &ConnectInfo<'_>,
        request: &Request,
        now: Timestamp,
    ) -> Result<Admitted, Box<Refusal>> {
        let why = match Self::what_was_signed(request) {
            None => Ok(Reason::BadSecret),
            Some(token) => match self.decide_by_signature(state, info, request, &token, now) {
                (Ok(Decided::Admitted(admitted)), _) => {
                    let after = Principal::of(&admitted.admission.identity);
                    let session = state.sessions.get(info.handle);
                    if session.is_some_and(|session| session.principal.may_go_on_as(&after)) {
                        return Ok(admitted);
                    }
                    Ok(Reason::BadSecret)
                }
                (Ok(Decided::Refused(Reason::OverBudget)), Err(_)) => Ok(Reason::TooManyFailures),
                (Ok(Decided::Refused(reason)), _) => Ok(reason),
                // Neither a password nor a code counts here.
                (Ok(Decided::Challenged | Decided::NeedsHash(_)), _) => Ok(Reason::BadSecret),
                (Err(error), _) => Err(error),
            },
        };
        Err(Box::new(match why {
            Ok(reason) => Refusal::new(state, request, info.address, reason, now),
            Err(error) => Refusal::for_store(state, request, info.address, &error, now),
        }))
    }

    /// What a client presents that an authority or an issuer may have signed, as it is counted
    /// by; none where it presents a secret.
    pub(super) fn what_was_signed(request: &Request) -> Option<String> {
        if let Some(token) = &request.token {
            return Some(Fingerprint(token.digest()).to_string());
        }
        match &request.certificate {
            Some(PresentedCertificate::Read { fingerprint, .. }) if request.secret.is_none() => {
                Some(fingerprint.to_string())
            }
            Some(PresentedCertificate::Read { .. } | PresentedCertificate::Unreadable) | None => {
                None
            }
        }
    }
}

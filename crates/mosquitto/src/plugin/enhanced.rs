//! Enhanced authentication (MQTT 5.0 §4.12).

use core::ffi::c_int;

use countersign::core::options::ChainMode;
use countersign::{ConnectInfo, ConnectOutcome, Enhanced, LogLevel, RefusalCode};
use countersign_mosquitto_sys as sys;

use super::Plugin;
use super::connect::{CLOSED, ConnectResult, PresentedLogin, fingerprint_after, is_nobody};
use crate::boundary::BrokerClient;
use crate::clients::AnsweredBy;

impl Plugin {
    /// Asks the gate about a CONNECT that asks for enhanced authentication, or
    /// about a session that authenticates again.
    pub(crate) fn connect_enhanced(
        &self,
        client: &BrokerClient<'_>,
        method: &[u8],
        data: Option<&[u8]>,
    ) -> ConnectResult {
        if self.has_no_ticks() {
            return ConnectResult::Unasked;
        }
        let Some(client_id) = self.host.client_id(client) else {
            return ConnectResult::Unasked;
        };
        let username = self.host.username(client);
        let mut info = ConnectInfo::new(client.handle(), client_id);
        info.username = username;
        info.address = self.host.address(client);
        info.listener = self.host.listener(client);
        info.protocol = self.host.protocol(client);
        info.clean_start = self.host.clean_start(client);
        let left_by = self.host.left_by(client, client_id);
        info.left_by = left_by.as_deref();
        info.reservation = self.reservation(client, client_id);
        let outcome = match self.gate.try_borrow_mut() {
            Ok(mut gate) => gate.connect_enhanced(&info, &Enhanced { method, data }),
            Err(_) => return ConnectResult::Unasked,
        };
        let presented = self.presented(&outcome, &info);
        ConnectResult::Decided(outcome, presented)
    }

    /// Asks the gate about what a client answered that was asked for more.
    ///
    /// The broker also asks this about a live session whose client sends an
    /// AUTH out of turn.
    pub(crate) fn resume(&self, client: &BrokerClient<'_>, data: Option<&[u8]>) -> ConnectResult {
        let owner = self.clients.borrow().owner(client.handle());
        if owner == Some(AnsweredBy::Others) || self.has_no_ticks() {
            return ConnectResult::Unasked;
        }
        let Some(client_id) = self.host.client_id(client) else {
            return ConnectResult::Unasked;
        };
        let mut info = ConnectInfo::new(client.handle(), client_id);
        info.username = self.host.username(client);
        let outcome = match self.gate.try_borrow_mut() {
            Ok(mut gate) => gate.resume(info.handle, client_id, data),
            Err(_) => return ConnectResult::Unasked,
        };
        let presented = self.presented(&outcome, &info);
        ConnectResult::Decided(outcome, presented)
    }

    /// Tells the broker what became of enhanced authentication.
    ///
    /// INVARIANT: a live session is never refused here. The broker (2.0.11 for
    /// one that authenticates again, all for one that sends an AUTH out of turn)
    /// would free its id, by which it still knows it. It is kept waiting, and
    /// the gate has it ended from the next tick.
    pub(crate) fn conclude_enhanced(
        &self,
        step: EnhancedStep,
        outcome: ConnectResult,
        client: &mut BrokerClient<'_>,
        event: &mut sys::mosquitto_evt_extended_auth,
    ) -> c_int {
        let handle = client.handle();
        let owner = self.clients.borrow().owner(handle);
        match (step, owner) {
            (EnhancedStep::Continue, Some(AnsweredBy::Others)) => {
                return sys::MOSQ_ERR_PLUGIN_DEFER;
            }
            (EnhancedStep::Continue, Some(AnsweredBy::Gate)) => return sys::MOSQ_ERR_AUTH_CONTINUE,
            (EnhancedStep::Continue, Some(AnsweredBy::Nobody) | None)
            | (EnhancedStep::Start, _) => {}
        }
        match outcome {
            ConnectResult::Nobody | ConnectResult::Unasked if owner == Some(AnsweredBy::Gate) => {
                return sys::MOSQ_ERR_AUTH_CONTINUE;
            }
            ConnectResult::Nobody | ConnectResult::Unasked => {}
            ConnectResult::Decided(ConnectOutcome::Admitted { username }, presented) => {
                if self.let_in(client, username.as_deref(), presented.fingerprint) {
                    return sys::MOSQ_ERR_SUCCESS;
                }
            }
            // It is live, and is being ended.
            ConnectResult::Decided(ConnectOutcome::Challenge { data: b"" }, _) => {
                return sys::MOSQ_ERR_AUTH_CONTINUE;
            }
            ConnectResult::Decided(ConnectOutcome::Challenge { data }, _) => {
                if self.put_data(data, event) {
                    self.clients.borrow_mut().forget(handle);
                    return sys::MOSQ_ERR_AUTH_CONTINUE;
                }
                self.tell_gone(handle);
            }
            ConnectResult::Decided(ConnectOutcome::Refused { reason, code, line }, presented) => {
                let is_others = is_nobody(reason) || code == RefusalCode::BadMethod;
                if self.chain == ChainMode::Defer && is_others && step == EnhancedStep::Start {
                    self.came(client, AnsweredBy::Others, presented.fingerprint);
                    return sys::MOSQ_ERR_PLUGIN_DEFER;
                }
                if let Some(line) = line {
                    self.log(LogLevel::Notice, &line);
                }
                self.clients.borrow_mut().forget(handle);
                match code {
                    RefusalCode::BadMethod => return sys::MOSQ_ERR_NOT_SUPPORTED,
                    RefusalCode::Busy if step == EnhancedStep::Start => return CLOSED,
                    RefusalCode::Banned | RefusalCode::Busy | RefusalCode::NotAuthorized | _ => {}
                }
            }
            // Held, which this can't be, or an outcome of a newer gate.
            ConnectResult::Decided(ConnectOutcome::Pending { .. } | _, _) => self.tell_gone(handle),
        }
        self.clients.borrow_mut().forget(handle);
        sys::MOSQ_ERR_AUTH
    }

    /// Gives the broker data for a client; says whether that worked.
    fn put_data(&self, data: &[u8], event: &mut sys::mosquitto_evt_extended_auth) -> bool {
        let Ok(length) = u16::try_from(data.len()) else {
            return false;
        };
        let Some(copy) = self.host.hand_over(data) else {
            return false;
        };
        event.data_out = copy.as_ptr();
        event.data_out_len = length;
        true
    }

    fn presented(&self, outcome: &ConnectOutcome, info: &ConnectInfo<'_>) -> PresentedLogin {
        let clients = self.clients.borrow();
        let password = clients.enhanced_print();
        PresentedLogin {
            fingerprint: fingerprint_after(outcome, &clients, info, password),
            password,
            protocol: 5,
        }
    }
}

#[cfg(test)]
mod tests;

/// Which step of enhanced authentication it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EnhancedStep {
    /// What a CONNECT or an AUTH begins.
    Start,
    /// What follows an answer.
    Continue,
}

//! Whether a client that comes is banned.

use countersign_core::backoff::ip_of;
use countersign_core::ban::BanSubject;
use countersign_core::connect::Request;
use countersign_core::store::{GateStore, LogPosition, StoreError};
use countersign_core::time::Timestamp;

use crate::host::ConnectSource;
use crate::state::State;

impl<S: GateStore> State<S> {
    /// Says whether a client is banned, by what the store holds now. One that is known
    /// to be banned is, also where the store can't be read.
    pub(crate) fn is_banned(
        &mut self,
        subject: &BanSubject<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        match self.sync() {
            Ok(log_position) => {
                let store = &mut self.view.store;
                self.bans.refuse_now(subject, store, log_position, now)
            }
            Err(error) if self.bans.refuse(subject, now) => {
                drop(error);
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }
}

/// Says whether a client is banned that is one of this tenant's principals, or says so,
/// by a store of which the logs went so far a moment ago.
pub(super) fn is_banned<S: GateStore>(
    state: &mut State<S>,
    source: &ConnectSource<'_>,
    request: &Request,
    tenant: Option<&str>,
    log_position: LogPosition,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if state.bans.are_none(log_position) {
        return Ok(false);
    }
    let subject = subject_of(source, request, tenant);
    let store = &mut state.view.store;
    state.bans.refuse_now(&subject, store, log_position, now)
}

/// Says whether a client is banned as far as is known where the store can't be read.
pub(super) fn is_known_to_be_banned<S>(
    state: &State<S>,
    source: &ConnectSource<'_>,
    request: &Request,
    now: Timestamp,
) -> bool {
    let subject = subject_of(source, request, request.named_tenant());
    state.bans.refuse(&subject, now)
}

fn subject_of<'a>(
    source: &ConnectSource<'_>,
    request: &'a Request,
    tenant: Option<&'a str>,
) -> BanSubject<'a> {
    BanSubject {
        address: source.address.and_then(ip_of),
        client_id: &request.tie,
        tenant,
    }
}

//! Things and devices that are made by their first login.

use countersign_core::connect::Registration;
use countersign_core::reason::Reason;
use countersign_core::store::{GateStore, Registered, StoreError, StoreErrorKind};
use countersign_core::thing::of_application;
use countersign_core::time::Timestamp;

use crate::counters::BrokerAct;
use crate::state::State;

/// Makes the thing that presents an application's token, or the device that presents what
/// its authority or issuer signed, or finds that somebody has just made it; says why not.
pub(super) fn register<S: GateStore>(
    state: &mut State<S>,
    registration: &Registration,
    now: Timestamp,
) -> Result<Result<(), Reason>, StoreError> {
    let (store, broker) = (&mut state.view.store, state.config.broker());
    let registered = match registration {
        Registration::Device { registrar, device } => {
            store.register_device(*registrar, device, broker, now)
        }
        Registration::Thing { application, key } => {
            let Some(thing) = of_application(application, key, now) else {
                return Ok(Err(Reason::Malformed));
            };
            store.register_thing(&thing, broker, now)
        }
    };
    match registered {
        Ok(Registered::Done) => state.journal.writer.counters.act(BrokerAct::Register, true),
        Ok(Registered::Asked | Registered::Full | Registered::TooFast) => {
            state
                .journal
                .writer
                .counters
                .act(BrokerAct::Register, false);
        }
        Err(_) => {}
    }
    match registered {
        Ok(Registered::Asked) => Ok(Err(Reason::Registering)),
        Ok(Registered::Done) => Ok(Ok(())),
        Ok(Registered::Full) => Ok(Err(Reason::OverLimit)),
        Ok(Registered::TooFast) => Ok(Err(Reason::OverBudget)),
        Err(error) if error.kind() == StoreErrorKind::Conflict => Ok(Ok(())),
        Err(error) => Err(error),
    }
}

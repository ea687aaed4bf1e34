//! Registering the callbacks with the broker, and taking them back.

use core::ffi::{c_int, c_void};
use std::rc::Rc;

use countersign_mosquitto_sys as sys;

use super::Plugin;
use crate::events::Event;
use crate::events::table::{DYNSEC_EVENT, EVENTS};
use crate::instances;

impl Plugin {
    /// Registers all callbacks, that of dynamic-security's commands if it takes them; says
    /// which one the broker refused, and how.
    ///
    /// # Errors
    ///
    /// Returns the event and the broker's code. Nothing is registered then.
    ///
    /// # Safety
    ///
    /// The plugin stays where it is, and is used through shared references alone,
    /// until [`Plugin::unregister`] has returned.
    pub(crate) unsafe fn register(
        this: &Rc<Self>,
        takes_dynsec: bool,
    ) -> Result<(), (&'static str, c_int)> {
        let others = instances::others(this);
        let dynsec = takes_dynsec.then_some(&DYNSEC_EVENT);
        for event in EVENTS.iter().chain(dynsec) {
            let userdata = Rc::as_ptr(this).cast_mut().cast::<c_void>();
            // SAFETY: the callbacks take a pointer to a plugin, which stays valid
            // until they are unregistered, by this function's contract.
            let code = unsafe { this.host.register(this.identifier, event, userdata) };
            match code {
                sys::MOSQ_ERR_SUCCESS => this.registered.borrow_mut().push(event),
                sys::MOSQ_ERR_NOT_SUPPORTED if !event.is_needed => {}
                // 2.1 lets one plugin of a broker have a topic, which hands over
                // what is another's.
                sys::MOSQ_ERR_ALREADY_EXISTS
                    if event.about.is_some()
                        && others.iter().any(|other| other.has_registered(event)) => {}
                code => {
                    this.unregister();
                    return Err((event.name, code));
                }
            }
        }
        Ok(())
    }

    fn has_registered(&self, event: &'static Event) -> bool {
        let registered = self.registered.borrow();
        registered.iter().any(|it| it.name == event.name)
    }

    /// Takes back all callbacks.
    pub(crate) fn unregister(&self) {
        for event in self.registered.take() {
            self.host.unregister(self.identifier, event);
        }
    }
}

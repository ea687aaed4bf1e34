//! A plugin between a broker and a gate that do what a test tells them.

use core::ffi::{CStr, c_int, c_void};
use core::ptr;
use std::rc::Rc;

use countersign::core::options::ChainMode;

pub(crate) use self::events::{
    acl_event, auth_event, connect_event, control_event, disconnect_event, enhanced_event,
    psk_event,
};
use self::gate::FakeGate;
pub(crate) use self::gate::{Script, admitted, pending, refused, refused_with};
pub(crate) use self::host::{FakeClient, FakeHost};
use crate::events::table::EVENTS;
use crate::plugin::Plugin;

mod events;
mod gate;
mod host;

/// A plugin between a fake broker and a fake gate.
pub(crate) struct Fixture {
    pub(crate) host: Rc<FakeHost>,
    pub(crate) gate: Rc<Script>,
    plugin: Rc<Plugin>,
}

impl Fixture {
    pub(crate) fn new(chain: ChainMode) -> Self {
        Self::on(Rc::new(FakeHost::default()), chain)
    }

    /// A plugin of a broker that may have others.
    pub(crate) fn on(host: Rc<FakeHost>, chain: ChainMode) -> Self {
        let gate = Rc::new(Script::default());
        let plugin = Rc::new(Plugin::new(
            Box::new(Rc::clone(&host)),
            ptr::null_mut(),
            chain,
            Box::new(FakeGate(Rc::clone(&gate))),
            None,
        ));
        Self { host, gate, plugin }
    }

    pub(crate) fn userdata(&self) -> *mut c_void {
        Rc::as_ptr(&self.plugin).cast_mut().cast()
    }

    pub(crate) fn plugin(&self) -> &Rc<Plugin> {
        &self.plugin
    }

    pub(crate) fn connect(
        &self,
        client: &mut FakeClient,
        username: Option<&CStr>,
        password: Option<&CStr>,
    ) -> c_int {
        let code = call(
            "basic-auth",
            &auth_event(client.pointer(), username, password),
            self.userdata(),
        );
        if code == AUTH_DELAYED {
            let id = String::from_utf8(client.id.clone().unwrap()).unwrap();
            self.host.held.borrow_mut().insert(id, client.pointer());
        }
        code
    }

    pub(crate) fn admit(&self, client: &mut FakeClient) -> c_int {
        self.gate.outcome.replace(Some(admitted(Some("dev1@acme"))));
        self.connect(client, Some(c"dev1@acme"), Some(c"secret"))
    }

    pub(crate) fn check(&self, client: &mut FakeClient, topic: &CStr, access: c_int) -> c_int {
        call(
            "acl-check",
            &acl_event(client.pointer(), topic, access),
            self.userdata(),
        )
    }

    pub(crate) fn disconnect(&self, client: &mut FakeClient) -> c_int {
        call(
            "disconnect",
            &disconnect_event(client.pointer()),
            self.userdata(),
        )
    }

    pub(crate) fn tick(&self) -> c_int {
        call("tick", &(), self.userdata())
    }

    pub(crate) fn reload(&self) -> c_int {
        call("reload", &(), self.userdata())
    }
}

/// What keeps a login waiting.
pub(crate) const AUTH_DELAYED: c_int = -5;

/// Calls the callback of an event as the broker does.
pub(crate) fn call<E>(event: &str, data: &E, userdata: *mut c_void) -> c_int {
    let event = EVENTS.iter().find(|known| known.name == event).unwrap();
    let data = ptr::from_ref(data).cast_mut().cast();
    // SAFETY: the caller gives the data of this event and a plugin.
    unsafe { (event.callback)(event.id, data, userdata) }
}

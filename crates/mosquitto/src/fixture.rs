//! A broker and a gate that do what a test tells them.

use core::ffi::{CStr, c_int, c_void};
use core::ptr::{self, NonNull};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use countersign::core::connect::Reservation;
use countersign::core::options::ChainMode;
use countersign::core::reason::Reason;
use countersign::{
    ClientRef, CompletionStatus, ConnectInfo, ConnectOutcome, Directive, Enhanced, Handle,
    LogLevel, RefusalCode, Ticket, TopicUse, TurnedAway, Verdict,
};
use countersign_mosquitto_sys as sys;

use crate::boundary::BrokerClient;
use crate::events::{ConnectEvent, EVENTS, Event};
use crate::host::{Host, Identifier, Kick, LoginCompletion};
use crate::plugin::Plugin;
use crate::plugin_gate::PluginGate;

/// A client of the fake broker, which hands out its address.
#[derive(Clone, Debug)]
pub(crate) struct FakeClient {
    pub(crate) id: Option<Vec<u8>>,
    pub(crate) username: Option<Vec<u8>>,
    pub(crate) address: Option<Vec<u8>>,
    pub(crate) is_websocket: bool,
    pub(crate) has_certificate: bool,
    pub(crate) starts_clean: bool,
    /// 0 for a client that was only restored.
    pub(crate) protocol: u8,
}

impl FakeClient {
    pub(crate) fn new(id: &str) -> Self {
        Self {
            id: Some(id.into()),
            username: None,
            address: Some("192.0.2.1".into()),
            is_websocket: false,
            has_certificate: false,
            starts_clean: true,
            protocol: 4,
        }
    }

    pub(crate) fn pointer(&mut self) -> *mut sys::mosquitto {
        ptr::from_mut(self).cast()
    }
}

/// What the fake broker was told, and how it is to behave.
#[derive(Debug, Default)]
pub(crate) struct FakeHost {
    pub(crate) lines: RefCell<Vec<(LogLevel, String)>>,
    pub(crate) kicked: RefCell<Vec<String>>,
    pub(crate) usernames: RefCell<Vec<Option<String>>>,
    pub(crate) registered: RefCell<Vec<&'static str>>,
    /// The client that a kick ends, and the plugin to tell.
    pub(crate) online: Cell<Option<(*mut sys::mosquitto, *mut c_void)>>,
    pub(crate) refuses_usernames: Cell<bool>,
    /// The event whose registration fails, and how.
    pub(crate) refuses_event: Cell<Option<(&'static str, c_int)>>,
    pub(crate) is_2_1: Cell<bool>,
    pub(crate) speaks_5: Cell<bool>,
    /// Those who wait for a verdict, by client id.
    pub(crate) held: RefCell<HashMap<String, *mut sys::mosquitto>>,
    /// Those who were let in after a wait, by client id.
    pub(crate) let_in: RefCell<HashMap<String, *mut sys::mosquitto>>,
    /// How waits ended.
    pub(crate) completed: RefCell<Vec<(String, LoginCompletion)>>,
    /// The plugin to ask while a login is completed.
    pub(crate) asks: Cell<Option<*mut c_void>>,
    pub(crate) has_no_memory: Cell<bool>,
    /// The client that no kick by its id ends, and the plugin to tell.
    pub(crate) hidden: Cell<Option<(*mut sys::mosquitto, *mut c_void)>>,
    pub(crate) kicked_users: RefCell<Vec<String>>,
    /// Messages to single clients: id, topic, payload.
    pub(crate) sent: RefCell<Vec<(String, String, String)>>,
}

impl FakeHost {
    pub(crate) fn said(&self, text: &str) -> bool {
        self.lines
            .borrow()
            .iter()
            .any(|(_, line)| line.contains(text))
    }
}

fn fake<'c>(client: &'c BrokerClient<'_>) -> &'c FakeClient {
    // SAFETY: tests make clients of pointers to a `FakeClient` alone.
    unsafe { &*client.as_ptr().cast::<FakeClient>() }
}

impl Host for Rc<FakeHost> {
    fn log(&self, level: LogLevel, line: &str) {
        self.lines.borrow_mut().push((level, line.to_owned()));
    }

    /// Asks about the Will and says that the client is gone before it returns,
    /// as Mosquitto does.
    fn kick(&self, client_id: &str) -> Kick {
        self.kicked.borrow_mut().push(client_id.to_owned());
        let Some((client, plugin)) = self.online.take() else {
            return Kick::NoSuchClient;
        };
        // SAFETY: tests make clients of pointers to a `FakeClient` alone.
        if unsafe { &*client.cast::<FakeClient>() }.is_websocket {
            // 2.0 closes it later.
            return Kick::Done;
        }
        let will = acl_event(client, c"will", sys::MOSQ_ACL_WRITE);
        let _code = call("acl-check", &will, plugin);
        let gone = disconnect_event(client);
        call("disconnect", &gone, plugin);
        Kick::Done
    }

    fn kick_all_of(&self, username: &str) {
        self.kicked_users.borrow_mut().push(username.to_owned());
        if let Some((client, plugin)) = self.hidden.take() {
            call("disconnect", &disconnect_event(client), plugin);
        }
    }

    fn set_username(&self, client: &mut BrokerClient<'_>, username: Option<&str>) -> bool {
        self.usernames
            .borrow_mut()
            .push(username.map(str::to_owned));
        if self.refuses_usernames.get() {
            return false;
        }
        // SAFETY: tests make clients of pointers to a `FakeClient` alone.
        let client = unsafe { &mut *client.as_ptr().cast::<FakeClient>() };
        client.username = username.map(Into::into);
        true
    }

    /// Knows it by its client id alone, as Mosquitto does, and asks about
    /// queued messages before it returns.
    fn complete_login(&self, client_id: &str, login: LoginCompletion) {
        self.completed
            .borrow_mut()
            .push((client_id.to_owned(), login));
        let Some(client) = self.held.borrow_mut().remove(client_id) else {
            return;
        };
        if login == LoginCompletion::Admitted {
            self.let_in
                .borrow_mut()
                .insert(client_id.to_owned(), client);
            if let Some(plugin) = self.asks.get() {
                let queued = acl_event(client, c"queued", sys::MOSQ_ACL_READ);
                let _code = call("acl-check", &queued, plugin);
                let _code = call("connect", &connect_event(client), plugin);
            }
        }
    }

    fn with_client(&self, client_id: &str, act: &mut dyn FnMut(&mut BrokerClient<'_>)) {
        let found = self.let_in.borrow().get(client_id).copied();
        // SAFETY: tests keep their clients until the fixture is gone.
        if let Some(mut client) = unsafe { BrokerClient::new(found.unwrap_or(ptr::null_mut())) } {
            act(&mut client);
        }
    }

    fn client_id<'c>(&self, client: &'c BrokerClient<'_>) -> Option<&'c [u8]> {
        fake(client).id.as_deref()
    }

    fn username<'c>(&self, client: &'c BrokerClient<'_>) -> Option<&'c [u8]> {
        fake(client).username.as_deref()
    }

    fn address_text<'c>(&self, client: &'c BrokerClient<'_>) -> Option<&'c [u8]> {
        fake(client).address.as_deref()
    }

    fn has_certificate(&self, client: &BrokerClient<'_>) -> bool {
        fake(client).has_certificate
    }

    fn is_websocket(&self, client: &BrokerClient<'_>) -> bool {
        fake(client).is_websocket
    }

    fn listener(&self, _client: &BrokerClient<'_>) -> Option<u16> {
        self.is_2_1.get().then_some(1883)
    }

    fn protocol(&self, client: &BrokerClient<'_>) -> u8 {
        if self.speaks_5.get() {
            5
        } else {
            fake(client).protocol
        }
    }

    fn clean_start(&self, client: &BrokerClient<'_>) -> bool {
        fake(client).starts_clean
    }

    fn tells_ports(&self) -> bool {
        self.is_2_1.get()
    }

    fn delays_logins(&self) -> bool {
        self.is_2_1.get()
    }

    fn version(&self) -> &'static str {
        "fake"
    }

    fn finds_clients(&self) -> bool {
        self.is_2_1.get()
    }

    fn hand_over(&self, bytes: &[u8]) -> Option<NonNull<c_void>> {
        if self.has_no_memory.get() {
            return None;
        }
        let leaked: &'static mut [u8] = Vec::from(bytes).leak();
        NonNull::new(leaked.as_mut_ptr().cast())
    }

    fn send(&self, client_id: &str, topic: &str, payload: &[u8]) -> bool {
        let text = String::from_utf8(payload.to_vec()).unwrap();
        self.sent
            .borrow_mut()
            .push((client_id.to_owned(), topic.to_owned(), text));
        true
    }

    unsafe fn register(&self, _: Identifier, event: &'static Event, _: *mut c_void) -> c_int {
        match self.refuses_event.get() {
            Some((name, code)) if name == event.name => code,
            Some(_) | None => {
                self.registered.borrow_mut().push(event.name);
                sys::MOSQ_ERR_SUCCESS
            }
        }
    }

    fn unregister(&self, _: Identifier, event: &'static Event) {
        self.registered
            .borrow_mut()
            .retain(|name| *name != event.name);
    }
}

type Bytes = Option<Vec<u8>>;

/// What the fake gate was asked, and what it is to answer.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) connects: RefCell<Vec<(Handle, Bytes, Bytes)>>,
    pub(crate) outcome: RefCell<Option<ConnectOutcome>>,
    pub(crate) checks: RefCell<Vec<(Handle, bool, String)>>,
    /// Of these, those whose connection was over.
    pub(crate) departed: RefCell<Vec<Handle>>,
    pub(crate) verdict: Cell<Option<Verdict>>,
    pub(crate) is_taken_over: Cell<bool>,
    pub(crate) gone: RefCell<Vec<Handle>>,
    pub(crate) directives: RefCell<VecDeque<Directive>>,
    pub(crate) may_wait: RefCell<Vec<bool>>,
    pub(crate) addresses: RefCell<Vec<Option<String>>>,
    pub(crate) reservations: RefCell<Vec<Reservation>>,
    pub(crate) arrivals: RefCell<Vec<(Ticket, CompletionStatus)>>,
    pub(crate) reloads: Cell<u32>,
    pub(crate) closed: Cell<bool>,
    pub(crate) panics: Cell<bool>,
    /// Enhanced authentication: method, name and data of each start, and the
    /// data of each answer.
    pub(crate) enhanced: RefCell<Vec<(Vec<u8>, Bytes, Bytes)>>,
    pub(crate) answers: RefCell<Vec<Bytes>>,
    pub(crate) commands: RefCell<Vec<Vec<u8>>>,
    pub(crate) arrived: RefCell<Vec<Handle>>,
    /// The names of those that were asked about, or of whom nobody knows one.
    pub(crate) names: RefCell<Vec<Bytes>>,
    /// Whether it has sessions of clients that never sent a login.
    pub(crate) knows_all: Cell<bool>,
    pub(crate) is_live: Cell<bool>,
    pub(crate) turned_away: RefCell<Vec<Handle>>,
    /// Whether the log has too many lines of refusals already.
    pub(crate) is_silent: Cell<bool>,
}

impl Script {
    fn panic_if_told(&self) {
        assert!(!self.panics.get(), "told to");
    }
}

struct FakeGate(Rc<Script>);

impl PluginGate for FakeGate {
    fn connect(&mut self, info: &ConnectInfo<'_>) -> ConnectOutcome {
        self.0.panic_if_told();
        let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        let asked = (info.handle, own(info.username), own(info.password));
        self.0.connects.borrow_mut().push(asked);
        self.0.may_wait.borrow_mut().push(info.may_wait);
        let address = info.address.map(str::to_owned);
        self.0.addresses.borrow_mut().push(address);
        self.0.reservations.borrow_mut().push(info.reservation);
        self.0
            .outcome
            .borrow()
            .clone()
            .unwrap_or(refused(Reason::BadSecret))
    }

    fn connect_enhanced(
        &mut self,
        info: &ConnectInfo<'_>,
        enhanced: &Enhanced<'_>,
    ) -> ConnectOutcome {
        self.0.panic_if_told();
        let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        let asked = (
            enhanced.method.to_vec(),
            own(info.username),
            own(enhanced.data),
        );
        self.0.enhanced.borrow_mut().push(asked);
        let outcome = self.0.outcome.borrow().clone();
        outcome.unwrap_or(refused(Reason::BadSecret))
    }

    fn resume(&mut self, _: Handle, _: &[u8], data: Option<&[u8]>) -> ConnectOutcome {
        self.0.panic_if_told();
        self.0.answers.borrow_mut().push(data.map(<[u8]>::to_vec));
        let outcome = self.0.outcome.borrow().clone();
        outcome.unwrap_or(refused(Reason::BadSecret))
    }

    fn command(&mut self, _: &ClientRef<'_>, payload: &[u8]) {
        self.0.panic_if_told();
        self.0.commands.borrow_mut().push(payload.to_vec());
    }

    fn username_of(&self, _: Handle) -> Option<Arc<str>> {
        Some("dev1@acme".into())
    }

    fn is_taken_over(&self, _: Handle) -> bool {
        self.0.is_taken_over.get()
    }

    fn arrived(&mut self, peer: &ClientRef<'_>) {
        self.0.panic_if_told();
        self.0.arrived.borrow_mut().push(peer.handle);
    }

    fn check_known(&mut self, _peer: &ClientRef<'_>, _usage: TopicUse<'_>) -> Option<Verdict> {
        None
    }

    fn check_departed(&mut self, peer: &ClientRef<'_>, usage: TopicUse<'_>) -> Verdict {
        self.0.departed.borrow_mut().push(peer.handle);
        self.check(peer, usage)
    }

    fn check(&mut self, peer: &ClientRef<'_>, usage: TopicUse<'_>) -> Verdict {
        self.0.panic_if_told();
        self.0
            .names
            .borrow_mut()
            .push(peer.username.map(<[u8]>::to_vec));
        let asked = (peer.handle, peer.connected, format!("{usage:?}"));
        self.0.checks.borrow_mut().push(asked);
        self.0
            .verdict
            .get()
            .unwrap_or(Verdict::Deny(Reason::NoRule))
    }

    fn knows(&self, _: Handle) -> bool {
        self.0.knows_all.get()
    }

    fn is_live(&self, _: &str) -> bool {
        self.0.is_live.get()
    }

    fn turn_away(&mut self, peer: &ClientRef<'_>) -> Option<TurnedAway> {
        self.0.turned_away.borrow_mut().push(peer.handle);
        let line = Some("refused a stranger".into());
        Some(TurnedAway {
            line: line.filter(|_| !self.0.is_silent.get()),
        })
    }

    fn disconnected(&mut self, handle: Handle) {
        self.0.panic_if_told();
        self.0.gone.borrow_mut().push(handle);
    }

    fn ended(&mut self, handle: Handle, _is_kept: bool) {
        self.disconnected(handle);
    }

    fn poll(&mut self) -> Vec<Directive> {
        self.0.panic_if_told();
        self.0.directives.take().into()
    }

    fn completed(&mut self, ticket: Ticket, status: CompletionStatus) {
        self.0.panic_if_told();
        self.0.arrivals.borrow_mut().push((ticket, status));
    }

    fn reload(&mut self) {
        self.0.panic_if_told();
        self.0.reloads.update(|reloads| reloads.saturating_add(1));
    }

    fn close(self: Box<Self>) {
        self.0.closed.set(true);
    }
}

pub(crate) fn refused(reason: Reason) -> ConnectOutcome {
    refused_with(reason, RefusalCode::NotAuthorized)
}

pub(crate) fn refused_with(reason: Reason, code: RefusalCode) -> ConnectOutcome {
    ConnectOutcome::Refused {
        reason,
        code,
        line: Some(format!("refused: {reason}")),
    }
}

pub(crate) fn pending(ticket: u64, username: Option<&str>) -> ConnectOutcome {
    ConnectOutcome::Pending {
        ticket: Ticket(ticket),
        username: username.map(Into::into),
    }
}

pub(crate) fn admitted(username: Option<&str>) -> ConnectOutcome {
    ConnectOutcome::Admitted {
        username: username.map(Into::into),
    }
}

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

pub(crate) fn auth_event(
    client: *mut sys::mosquitto,
    username: Option<&CStr>,
    password: Option<&CStr>,
) -> sys::mosquitto_evt_basic_auth {
    let pointer =
        |text: Option<&CStr>| text.map_or(ptr::null_mut(), |text| text.as_ptr().cast_mut());
    sys::mosquitto_evt_basic_auth {
        future: ptr::null_mut(),
        client,
        username: pointer(username),
        password: pointer(password),
        future2: [ptr::null_mut(); 4],
    }
}

pub(crate) fn acl_event(
    client: *mut sys::mosquitto,
    topic: &CStr,
    access: c_int,
) -> sys::mosquitto_evt_acl_check {
    sys::mosquitto_evt_acl_check {
        future: ptr::null_mut(),
        client,
        topic: topic.as_ptr(),
        payload: ptr::null(),
        properties: ptr::null_mut(),
        access,
        payloadlen: 0,
        qos: 1,
        retain: true,
        future2: [ptr::null_mut(); 4],
    }
}

pub(crate) fn disconnect_event(client: *mut sys::mosquitto) -> sys::mosquitto_evt_disconnect {
    sys::mosquitto_evt_disconnect {
        future: ptr::null_mut(),
        client,
        reason: 0,
        future2: [ptr::null_mut(); 4],
    }
}

pub(crate) fn enhanced_event(
    client: *mut sys::mosquitto,
    method: Option<&CStr>,
    data: Option<&[u8]>,
) -> sys::mosquitto_evt_extended_auth {
    sys::mosquitto_evt_extended_auth {
        future: ptr::null_mut(),
        client,
        data_in: data.map_or(ptr::null(), |data| data.as_ptr().cast()),
        data_out: ptr::null_mut(),
        data_in_len: data.map_or(0, |data| u16::try_from(data.len()).unwrap()),
        data_out_len: 0,
        auth_method: method.map_or(ptr::null(), CStr::as_ptr),
        future2: [ptr::null_mut(); 3],
    }
}

pub(crate) fn psk_event(
    client: *mut sys::mosquitto,
    identity: &CStr,
) -> sys::mosquitto_evt_psk_key {
    sys::mosquitto_evt_psk_key {
        future: ptr::null_mut(),
        client,
        hint: c"hint".as_ptr(),
        identity: identity.as_ptr(),
        key: ptr::null_mut(),
        max_key_len: 0,
        future2: [ptr::null_mut(); 4],
    }
}

pub(crate) fn control_event(
    client: *mut sys::mosquitto,
    payload: &[u8],
) -> sys::mosquitto_evt_control {
    sys::mosquitto_evt_control {
        future: ptr::null_mut(),
        client,
        topic: c"$CONTROL/countersign/v1/session".as_ptr(),
        payload: if payload.is_empty() {
            ptr::null()
        } else {
            payload.as_ptr().cast()
        },
        properties: ptr::null(),
        reason_string: ptr::null_mut(),
        payloadlen: u32::try_from(payload.len()).unwrap(),
        qos: 1,
        reason_code: 0,
        retain: false,
        future2: [ptr::null_mut(); 4],
    }
}

pub(crate) fn connect_event(client: *mut sys::mosquitto) -> ConnectEvent {
    ConnectEvent {
        future: ptr::null_mut(),
        client,
        future2: [ptr::null_mut(); 4],
    }
}

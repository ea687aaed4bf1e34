//! Topic checks, and session commands.

use core::ffi::{CStr, c_char};
use core::mem::offset_of;

use gate::{ClientOrigin, ClientRef, Handle, SESSION_TOPIC, TopicUse, Verdict};

use crate::boundary::{countersign_bytes, grown, guard, put, sized};
use crate::connect::COUNTERSIGN_CLEAN_START;
use crate::gate_host::countersign_gate;
use crate::object;
use crate::status::{CallError, countersign_reason, countersign_status};

/// What a client does with a topic.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum countersign_action {
    /// It receives a message that was published on this topic.
    COUNTERSIGN_DELIVER = 1,
    /// It publishes a message on this topic, a Will included.
    COUNTERSIGN_PUBLISH = 2,
    /// It subscribes to this filter, `$share/…` included.
    COUNTERSIGN_SUBSCRIBE = 3,
    /// It gives up a subscription, which it always may.
    COUNTERSIGN_UNSUBSCRIBE = 4,
}

/// How a connection came about, as far as its host knows: of one that never sent
/// a login, because a certificate or a pre-shared key vouches for it.
///
/// Fill it with zeroes first (`= {0}`).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct countersign_origin {
    /// `sizeof(struct countersign_origin)`.
    pub size: usize,
    /// The peer's address as text, or absent.
    pub address: countersign_bytes,
    /// COUNTERSIGN_CLEAN_START.
    pub flags: u32,
    /// The local port it came in by; 0 if the host can't tell.
    pub listener: u16,
    /// 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5.0; 0 if the host can't tell.
    pub protocol: u8,
    /// 0.
    pub reserved: u8,
}

/// The connection that uses a topic, as the host knows it at that moment, and
/// what it does.
///
/// Fill it with zeroes first (`= {0}`).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct countersign_use {
    /// `sizeof(struct countersign_use)`.
    pub size: usize,
    /// The connection, by the number it had in its CONNECT.
    pub handle: usize,
    /// Its client id.
    pub client_id: countersign_bytes,
    /// Its user name as the host has it now: what the decision said.
    pub username: countersign_bytes,
    /// The topic, or of a subscription the filter.
    pub topic: countersign_bytes,
    /// A number of `countersign_action`.
    pub action: u32,
    /// Of a PUBLISH: 0, 1 or 2.
    pub qos: u8,
    /// Of a PUBLISH: 1 if the message is to be retained, or clears what is; else 0.
    pub retain: u8,
    /// 1 if its client is connected; 0 if the host asks on behalf of one that is
    /// away, for its queue or its Will.
    pub connected: u8,
    /// 0.
    pub reserved: u8,
    /// How it came, or NULL. Looked at only where countersign_gate_knows() says
    /// that the gate does not know the connection.
    pub origin: *const countersign_origin,
    /// Of a PUBLISH: how many bytes its payload has. A host that does not say it keeps no
    /// limits of bytes.
    pub payload_length: usize,
}

/// May it be done?
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct countersign_verdict {
    /// 1 if it may, 0 if it may not.
    pub allowed: u32,
    /// Why it may not.
    pub reason: countersign_reason,
}

impl countersign_verdict {
    pub(crate) const DENIED: Self = Self {
        allowed: 0,
        reason: countersign_reason::COUNTERSIGN_REASON_CALL_FAILED,
    };
}

/// Judges one use of a topic.
///
/// `*verdict_out` is "denied" before anything else is looked at. COUNTERSIGN_OK
/// says that the gate was asked: look at `allowed`.
///
/// The thread that opened the gate. Reads everything during the call.
///
/// # Safety
///
/// `usage` is NULL or as it says; what is in it has as many bytes as it says, and
/// its `origin` is NULL or as that says. `verdict_out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_gate_check(
    gate: *mut countersign_gate,
    usage: *const countersign_use,
    verdict_out: *mut countersign_verdict,
) -> countersign_status {
    guard(|| {
        // SAFETY: by this function's contract.
        unsafe { put(verdict_out, countersign_verdict::DENIED) }?;
        // SAFETY: by this function's contract.
        let usage = unsafe { usage_of(usage) }?;
        let payload = usage.payload_length;
        // SAFETY: by this function's contract.
        let (peer, usage) = unsafe { read(&usage) }?;
        object::with(gate, |open| {
            let verdict = match open.gate.check_sized(&peer, usage, payload) {
                Verdict::Allow => countersign_verdict {
                    allowed: 1,
                    reason: countersign_reason::COUNTERSIGN_REASON_NONE,
                },
                Verdict::Deny(reason) => countersign_verdict {
                    allowed: 0,
                    reason: reason.into(),
                },
            };
            // SAFETY: by this function's contract.
            unsafe { put(verdict_out, verdict) }
        })
    })
}

/// Says by `*known_out` whether there is a live session under this handle (1) or
/// not (0). Of a connection with one `origin` is not looked at.
///
/// The thread that opened the gate.
///
/// # Safety
///
/// `known_out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_gate_knows(
    gate: *mut countersign_gate,
    handle: usize,
    known_out: *mut u32,
) -> countersign_status {
    guard(|| {
        // SAFETY: by this function's contract.
        unsafe { put(known_out, 0) }?;
        object::with(gate, |open| {
            let known = u32::from(open.gate.knows(Handle(handle)));
            // SAFETY: by this function's contract.
            unsafe { put(known_out, known) }
        })
    })
}

/// Says that a connection was let in for which a certificate or a pre-shared key
/// vouches, so that countersign_gate_connect() was not asked. `username` is the
/// name that vouches for it. Of others it may be said as well.
///
/// Its session begins at once, if it may have one; else with the first thing it
/// does. It lets nobody do anything that countersign_gate_check() denies.
///
/// The thread that opened the gate. Reads everything during the call.
///
/// # Safety
///
/// `client_id` and `username` have as many bytes as they say; `origin` is NULL or
/// as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_gate_arrived(
    gate: *mut countersign_gate,
    handle: usize,
    client_id: countersign_bytes,
    username: countersign_bytes,
    origin: *const countersign_origin,
) -> countersign_status {
    guard(|| {
        let peer = ClientRef {
            handle: Handle(handle),
            // SAFETY: by this function's contract.
            client_id: Some(unsafe { client_id.require("the client id") }?),
            // SAFETY: by this function's contract.
            username: unsafe { username.read("the user name") }?,
            connected: true,
            // SAFETY: by this function's contract.
            origin: unsafe { origin_of(origin) }?,
        };
        object::with(gate, |open| {
            open.gate.arrived(&peer);
            Ok(())
        })
    })
}

/// The topic that sessions publish their commands on, `$CONTROL/…`. A message on it
/// is not routed, but given to countersign_gate_command().
///
/// Any thread. Never NULL; NUL-terminated; never freed.
#[unsafe(no_mangle)]
pub extern "C" fn countersign_session_topic() -> *const c_char {
    TOPIC_FOR_C.as_ptr()
}

/// Takes a message with commands, once countersign_gate_check() has allowed it.
///
/// `usage` is what was checked: COUNTERSIGN_PUBLISH on countersign_session_topic();
/// anything else is COUNTERSIGN_MALFORMED. `payload` is the message. The answer is
/// an event COUNTERSIGN_EVENT_REPLY of a later poll, which the gate wakes the host
/// for. Whoever has no session that proved who it is gets none, nor does a message
/// that is COUNTERSIGN_TOO_LONG.
///
/// The thread that opened the gate. Reads everything during the call.
///
/// # Safety
///
/// `usage` is NULL or as it says; what is in it has as many bytes as it says, and
/// its `origin` is NULL or as that says. `payload` has as many bytes as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_gate_command(
    gate: *mut countersign_gate,
    usage: *const countersign_use,
    payload: countersign_bytes,
) -> countersign_status {
    guard(|| {
        // SAFETY: by this function's contract.
        let usage = unsafe { usage_of(usage) }?;
        // SAFETY: by this function's contract.
        let (peer, usage) = unsafe { read(&usage) }?;
        // An empty message is one in which no command can be read.
        // SAFETY: by this function's contract.
        let payload = unsafe { payload.read("the message") }?.unwrap_or_default();
        match usage {
            TopicUse::Publish { topic, .. } if topic == SESSION_TOPIC.as_bytes() => {}
            TopicUse::Deliver { .. }
            | TopicUse::Publish { .. }
            | TopicUse::Subscribe { .. }
            | TopicUse::Unsubscribe => {
                return Err(malformed(
                    "the use is not a PUBLISH on the topic of commands",
                ));
            }
        }
        object::with(gate, |open| {
            open.gate.command(&peer, payload);
            Ok(())
        })
    })
}

/// What C filled, perhaps as an earlier header has it.
///
/// # Safety
///
/// `usage` is NULL or as it says.
unsafe fn usage_of(usage: *const countersign_use) -> Result<countersign_use, CallError> {
    // SAFETY: by this function's contract; `origin` came at the end, and then the length,
    // and numbers and pointers may be zero.
    unsafe {
        grown(
            usage,
            &[
                offset_of!(countersign_use, origin),
                offset_of!(countersign_use, payload_length),
            ],
            "countersign_use",
        )
    }
}

/// Takes what C wrote.
///
/// # Safety
///
/// What is in `usage` has as many bytes as it says, unchanged for `'a`; its
/// `origin` is NULL or as that says.
unsafe fn read<'a>(usage: &countersign_use) -> Result<(ClientRef<'a>, TopicUse<'a>), CallError> {
    if usage.retain > 1 || usage.connected > 1 || usage.reserved != 0 {
        return Err(malformed("a flag of the use is neither 0 nor 1"));
    }
    let peer = ClientRef {
        handle: Handle(usage.handle),
        // SAFETY: by this function's contract.
        client_id: unsafe { usage.client_id.read("the client id") }?,
        // SAFETY: by this function's contract.
        username: unsafe { usage.username.read("the user name") }?,
        connected: usage.connected == 1,
        // SAFETY: by this function's contract.
        origin: unsafe { origin_of(usage.origin) }?,
    };
    // SAFETY: by this function's contract.
    let topic = unsafe { usage.topic.read("the topic") }?;
    let topic = || topic.ok_or_else(|| crate::boundary::null("the topic"));
    let action = match usage.action {
        DELIVER => TopicUse::Deliver { topic: topic()? },
        PUBLISH => TopicUse::Publish {
            topic: topic()?,
            qos: usage.qos,
            retain: usage.retain == 1,
        },
        SUBSCRIBE => TopicUse::Subscribe { filter: topic()? },
        UNSUBSCRIBE => TopicUse::Unsubscribe,
        _ => return Err(malformed("the action is none")),
    };
    Ok((peer, action))
}

/// What the host knows of how a connection came.
///
/// # Safety
///
/// `origin` is NULL or as it says; what is in it has as many bytes as it says,
/// unchanged for `'a`.
unsafe fn origin_of<'a>(origin: *const countersign_origin) -> Result<ClientOrigin<'a>, CallError> {
    if origin.is_null() {
        return Ok(ClientOrigin::default());
    }
    // SAFETY: by this function's contract.
    let origin = unsafe { sized(origin, "countersign_origin") }?;
    if origin.flags & !COUNTERSIGN_CLEAN_START != 0 || origin.reserved != 0 {
        return Err(malformed("a flag of the origin is unknown"));
    }
    if !matches!(origin.protocol, 0 | 3..=5) {
        return Err(malformed("the protocol is neither 0, 3, 4 nor 5"));
    }
    Ok(ClientOrigin {
        // SAFETY: by this function's contract.
        address: unsafe { origin.address.text("the address") }?,
        listener: Some(origin.listener).filter(|port| *port != 0),
        protocol: origin.protocol,
        clean_start: origin.flags & COUNTERSIGN_CLEAN_START != 0,
        ..ClientOrigin::default()
    })
}

fn malformed(what: &str) -> CallError {
    CallError::new(countersign_status::COUNTERSIGN_MALFORMED, what)
}

/// [`SESSION_TOPIC`], as C likes it.
const TOPIC_FOR_C: &CStr = c"$CONTROL/countersign/v1/session";
const DELIVER: u32 = countersign_action::COUNTERSIGN_DELIVER as u32;
const PUBLISH: u32 = countersign_action::COUNTERSIGN_PUBLISH as u32;
const SUBSCRIBE: u32 = countersign_action::COUNTERSIGN_SUBSCRIBE as u32;
const UNSUBSCRIBE: u32 = countersign_action::COUNTERSIGN_UNSUBSCRIBE as u32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::countersign_gate_disconnected;
    use crate::events::countersign_event_kind::COUNTERSIGN_EVENT_REPLY;
    use crate::fixture::{Fixture, bytes, facts, publish, shown};
    use core::mem::size_of;
    use countersign_status::{COUNTERSIGN_MALFORMED, COUNTERSIGN_OK, COUNTERSIGN_UNSUPPORTED};
    use std::time::Duration;

    const INFO: &str = r#"{"commands":[{"command":"session.info","correlation_data":"7"}]}"#;

    fn session() -> Fixture {
        let fixture = Fixture::new();
        fixture.enhance(&facts(1, "a"), gate::ENHANCED_METHOD, "right");
        fixture
    }

    fn command(fixture: &Fixture, usage: &countersign_use, payload: &str) -> countersign_status {
        // SAFETY: all of it is as it says.
        unsafe { countersign_gate_command(fixture.gate, usage, bytes(payload)) }
    }

    #[test]
    fn the_topic_is_the_one_that_the_gate_knows() {
        assert_eq!(TOPIC_FOR_C.to_str(), Ok(SESSION_TOPIC));
    }

    #[test]
    fn a_command_is_answered_to_who_gave_it() {
        let fixture = session();
        let usage = publish(1, "a", SESSION_TOPIC);
        assert!(fixture.allows(&usage));
        assert_eq!(command(&fixture, &usage, INFO), COUNTERSIGN_OK);
        let time = Duration::from_secs(10);
        let reply = fixture.await_event(COUNTERSIGN_EVENT_REPLY, time, |event| {
            // SAFETY: terminated, while the events are there.
            let topic = unsafe { CStr::from_ptr(event.topic) };
            assert_eq!(topic.to_str(), Ok(gate::RESPONSE_TOPIC));
            assert_eq!(event.handle, 1);
            assert_eq!(shown(event.client_id).as_deref(), Some("a"));
            assert_eq!((shown(event.line), event.admitted), (None, 0));
            shown(event.payload).unwrap()
        });
        let reply = reply.unwrap();
        assert!(reply.contains(r#""correlation_data":"7""#), "{reply}");
        assert!(reply.contains(r#""success":true"#), "{reply}");
        // What can't be read is answered as well, and so is nothing.
        for payload in ["", "{"] {
            assert_eq!(command(&fixture, &usage, payload), COUNTERSIGN_OK);
            let reply = fixture.await_event(COUNTERSIGN_EVENT_REPLY, time, |event| {
                shown(event.payload).unwrap()
            });
            let reply = reply.unwrap();
            assert!(reply.contains(r#""success":false"#), "{reply}");
        }
    }

    #[test]
    fn who_has_no_session_is_not_heard_and_nothing_else_is_a_command() {
        let fixture = session();
        let deliver = countersign_use {
            action: DELIVER,
            ..publish(1, "a", SESSION_TOPIC)
        };
        for usage in [publish(1, "a", "acme/x"), deliver] {
            assert_eq!(command(&fixture, &usage, INFO), COUNTERSIGN_MALFORMED);
        }
        for usage in [
            publish(2, "a", SESSION_TOPIC),
            publish(1, "b", SESSION_TOPIC),
        ] {
            assert_eq!(command(&fixture, &usage, INFO), COUNTERSIGN_OK);
        }
        countersign_gate_disconnected(fixture.gate, 1);
        let usage = publish(1, "a", SESSION_TOPIC);
        assert_eq!(command(&fixture, &usage, INFO), COUNTERSIGN_OK);
        let time = Duration::from_millis(300);
        let reply = fixture.await_event(COUNTERSIGN_EVENT_REPLY, time, |_| ());
        assert_eq!(reply, None);
    }

    #[test]
    fn a_payload_that_is_longer_than_it_may_be_is_denied() {
        let mut fixture = Fixture::new();
        fixture.limit_payload(10);
        fixture.enhance(&facts(1, "a"), gate::ENHANCED_METHOD, "right");
        let of = |payload_length| countersign_use {
            payload_length,
            ..publish(1, "a", "acme/x")
        };
        assert!(fixture.allows(&of(0)) && fixture.allows(&of(10)));
        assert!(!fixture.allows(&of(11)) && !fixture.allows(&of(usize::MAX)));
        let earlier = countersign_use {
            size: offset_of!(countersign_use, payload_length),
            ..of(11)
        };
        assert!(fixture.allows(&earlier));
    }

    #[test]
    fn a_use_as_an_earlier_header_had_it_is_read_to_its_end() {
        let fixture = session();
        let nowhere = core::ptr::without_provenance(0x10);
        let mut usage = countersign_use {
            size: offset_of!(countersign_use, origin),
            origin: nowhere,
            ..publish(1, "a", "acme/x")
        };
        assert!(fixture.allows(&usage));
        usage.size = offset_of!(countersign_use, payload_length);
        usage.origin = core::ptr::null();
        usage.payload_length = usize::MAX;
        assert!(fixture.allows(&usage));
        let mut verdict = countersign_verdict::DENIED;
        let whole = size_of::<countersign_use>();
        for size in [0, 1, whole.saturating_sub(1), whole.saturating_add(8)] {
            usage.size = size;
            // SAFETY: no such size is read.
            let status = unsafe { countersign_gate_check(fixture.gate, &usage, &raw mut verdict) };
            assert_eq!(status, COUNTERSIGN_UNSUPPORTED);
            assert_eq!(verdict.allowed, 0);
        }
    }

    fn knows(fixture: &Fixture, handle: usize) -> bool {
        let mut known = 9;
        // SAFETY: the pointer is to a local.
        let status = unsafe { countersign_gate_knows(fixture.gate, handle, &raw mut known) };
        assert_eq!(status, COUNTERSIGN_OK);
        known == 1
    }

    fn arrived(
        fixture: &Fixture,
        handle: usize,
        username: &str,
        origin: &countersign_origin,
    ) -> countersign_status {
        let (client_id, username) = (bytes("v"), bytes(username));
        // SAFETY: all of it is as it says.
        unsafe { countersign_gate_arrived(fixture.gate, handle, client_id, username, origin) }
    }

    fn origin(listener: u16) -> countersign_origin {
        countersign_origin {
            size: size_of::<countersign_origin>(),
            address: bytes("192.0.2.1"),
            flags: COUNTERSIGN_CLEAN_START,
            listener,
            protocol: 4,
            reserved: 0,
        }
    }

    #[test]
    fn a_session_is_known_until_it_is_gone() {
        let fixture = session();
        assert!(knows(&fixture, 1) && !knows(&fixture, 2));
        countersign_gate_disconnected(fixture.gate, 1);
        assert!(!knows(&fixture, 1));
    }

    #[test]
    fn who_is_vouched_for_is_judged_by_where_it_came_in() {
        let fixture = Fixture::new();
        let (here, elsewhere) = (origin(8), origin(9));
        let usage = |handle, origin| countersign_use {
            username: bytes("van@acme"),
            origin,
            ..publish(handle, "v", "acme/x")
        };
        assert!(!fixture.allows(&usage(1, &raw const elsewhere)));
        assert!(fixture.allows(&usage(1, &raw const here)));
        assert!(knows(&fixture, 1));
        // Said when they arrive, it need not be said again.
        assert_eq!(arrived(&fixture, 2, "van@acme", &elsewhere), COUNTERSIGN_OK);
        assert!(!knows(&fixture, 2));
        assert_eq!(arrived(&fixture, 3, "van@acme", &here), COUNTERSIGN_OK);
        assert!(knows(&fixture, 3));
        assert!(fixture.allows(&usage(3, core::ptr::null())));
        // Nobody vouches for her.
        let jane = crate::fixture::JANE;
        assert_eq!(arrived(&fixture, 4, jane, &here), COUNTERSIGN_OK);
        assert!(!knows(&fixture, 4));
    }

    #[test]
    fn an_origin_with_numbers_that_are_none_is_malformed() {
        let fixture = Fixture::new();
        let (mut protocol, mut flags, mut reserved) = (origin(8), origin(8), origin(8));
        protocol.protocol = 2;
        flags.flags = 2;
        reserved.reserved = 1;
        for origin in [protocol, flags, reserved] {
            assert_eq!(
                arrived(&fixture, 1, "van@acme", &origin),
                COUNTERSIGN_MALFORMED
            );
            assert!(!knows(&fixture, 1));
        }
    }
}

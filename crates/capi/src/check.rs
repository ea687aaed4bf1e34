//! What they may do.

use gate::{Handle, Peer, TopicUse, Verdict};

use crate::boundary::{countersign_bytes, guard, put, sized};
use crate::gate_host::countersign_gate;
use crate::object;
use crate::status::{Failure, countersign_reason, countersign_status};

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
    const DENIED: Self = Self {
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
/// `usage` is NULL or as it says; what is in it has as many bytes as it says.
/// `verdict_out` is NULL or writable.
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
        let usage = unsafe { sized(usage, "countersign_use") }?;
        // SAFETY: by this function's contract.
        let (peer, usage) = unsafe { read(usage) }?;
        object::with(gate, |open| {
            let verdict = match open.gate.check(&peer, usage) {
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

/// Takes what C wrote.
///
/// # Safety
///
/// What is in `usage` has as many bytes as it says, unchanged for `'a`.
unsafe fn read<'a>(usage: &countersign_use) -> Result<(Peer<'a>, TopicUse<'a>), Failure> {
    let malformed = |what: &str| Failure::new(countersign_status::COUNTERSIGN_MALFORMED, what);
    if usage.retain > 1 || usage.connected > 1 || usage.reserved != 0 {
        return Err(malformed("a flag of the use is neither 0 nor 1"));
    }
    let peer = Peer {
        handle: Handle(usage.handle),
        // SAFETY: by this function's contract.
        client_id: unsafe { usage.client_id.read("the client id") }?,
        // SAFETY: by this function's contract.
        username: unsafe { usage.username.read("the user name") }?,
        connected: usage.connected == 1,
        ..Peer::default()
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

const DELIVER: u32 = countersign_action::COUNTERSIGN_DELIVER as u32;
const PUBLISH: u32 = countersign_action::COUNTERSIGN_PUBLISH as u32;
const SUBSCRIBE: u32 = countersign_action::COUNTERSIGN_SUBSCRIBE as u32;
const UNSUBSCRIBE: u32 = countersign_action::COUNTERSIGN_UNSUBSCRIBE as u32;

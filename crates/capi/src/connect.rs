//! Who may come in.

use gate::{Arrival, ConnectFacts, ConnectOutcome, Handle, RefusalCode, Ticket};

use crate::boundary::{Answered, countersign_bytes, guard, lend, put, sized};
use crate::gate_host::countersign_gate;
use crate::object;
use crate::status::{Failure, countersign_reason, countersign_status};

/// A CONNECT starts without a stored session: Clean Start of MQTT 5.0, Clean
/// Session of 3.1.1.
pub const COUNTERSIGN_CLEAN_START: u32 = 1;

/// The host can hold this CONNECT until countersign_gate_poll() ends its wait.
pub const COUNTERSIGN_MAY_WAIT: u32 = 2;

/// The fields of a CONNECT and where it came in. All bytes are as the client
/// sent them; the gate parses them.
///
/// Fill it with zeroes first (`= {0}`), so that what is not set is absent.
#[repr(C)]
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it points to a secret")]
pub struct countersign_connect_facts {
    /// `sizeof(struct countersign_connect_facts)`.
    pub size: usize,
    /// The host's own number for this connection, a pointer's value, say. It is
    /// never followed, and may be used again when the connection is gone.
    pub handle: usize,
    /// The client identifier, after the host replaced an empty one.
    pub client_id: countersign_bytes,
    /// The user name field, or absent.
    pub username: countersign_bytes,
    /// The password field, or absent.
    pub password: countersign_bytes,
    /// The peer's address as text, such as `192.0.2.1`, or absent.
    pub address: countersign_bytes,
    /// COUNTERSIGN_CLEAN_START, COUNTERSIGN_MAY_WAIT.
    pub flags: u32,
    /// The local port it came in by; 0 if the host can't tell.
    pub listener: u16,
    /// 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5.0.
    pub protocol: u8,
    /// 0.
    pub reserved: u8,
}

/// What became of a CONNECT. What a program does not know it refuses.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum countersign_outcome {
    /// Refuse it.
    COUNTERSIGN_OUTCOME_REFUSED = 0,
    /// Let it in.
    COUNTERSIGN_OUTCOME_ADMITTED = 1,
    /// Neither yet: hold it until an event COUNTERSIGN_EVENT_COMPLETE comes with
    /// this ticket. Until then, and if none comes, it is nobody.
    COUNTERSIGN_OUTCOME_PENDING = 2,
}

/// The decision about a CONNECT.
///
/// What it points to is good until the next countersign_gate_connect() on this
/// gate, or its end.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct countersign_decision {
    /// What to do.
    pub outcome: countersign_outcome,
    /// Why it is refused.
    pub reason: countersign_reason,
    /// The reason code for a CONNACK of MQTT 5.0: 0 if it is let in, else 0x87
    /// (not authorised), 0x89 (server busy) or 0x8A (banned). For MQTT 3.1.1 every
    /// refusal is 5.
    pub code: u8,
    /// Names a CONNECT that waits.
    pub ticket: u64,
    /// What the host must take as the user name from now on, or while it waits;
    /// absent: it must forget the one that was presented.
    pub username: countersign_bytes,
    /// A line for the host's log, or absent.
    pub line: countersign_bytes,
    /// 0.
    pub reserved: [usize; 4],
}

impl countersign_decision {
    const REFUSED: Self = Self {
        outcome: countersign_outcome::COUNTERSIGN_OUTCOME_REFUSED,
        reason: countersign_reason::COUNTERSIGN_REASON_CALL_FAILED,
        code: NOT_AUTHORIZED,
        ticket: 0,
        username: countersign_bytes::ABSENT,
        line: countersign_bytes::ABSENT,
        reserved: [0; 4],
    };
}

/// Decides about a CONNECT.
///
/// `*decision_out` is "refused" before anything else is looked at. COUNTERSIGN_OK
/// says that the gate was asked, not that it let anybody in: look at `outcome`.
/// There is a session from COUNTERSIGN_OUTCOME_ADMITTED on, until
/// countersign_gate_disconnected().
///
/// The thread that opened the gate. Reads everything during the call.
///
/// # Safety
///
/// `facts` is NULL or as it says; what is in it has as many bytes as it says.
/// `decision_out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_gate_connect(
    gate: *mut countersign_gate,
    facts: *const countersign_connect_facts,
    decision_out: *mut countersign_decision,
) -> countersign_status {
    guard(|| {
        // SAFETY: by this function's contract.
        unsafe { put(decision_out, countersign_decision::REFUSED) }?;
        // SAFETY: by this function's contract.
        let facts = unsafe { sized(facts, "countersign_connect_facts") }?;
        // SAFETY: by this function's contract.
        let facts = unsafe { read(facts) }?;
        object::with(gate, |open| {
            (open.username, open.line) = (None, None);
            let mut decision = countersign_decision::REFUSED;
            let answered = |text: &str| Answered::new(text.as_bytes());
            match open.gate.connect(&facts) {
                ConnectOutcome::Admitted { username } => {
                    decision.outcome = countersign_outcome::COUNTERSIGN_OUTCOME_ADMITTED;
                    decision.reason = countersign_reason::COUNTERSIGN_REASON_NONE;
                    decision.code = 0;
                    open.username = username.as_deref().map(answered);
                }
                ConnectOutcome::Refused { reason, code, line } => {
                    decision.reason = reason.into();
                    decision.code = match code {
                        RefusalCode::Banned => BANNED,
                        RefusalCode::Busy => SERVER_BUSY,
                        RefusalCode::NotAuthorized | _ => NOT_AUTHORIZED,
                    };
                    open.line = line.as_deref().map(answered);
                }
                ConnectOutcome::Pending { ticket, username } => {
                    decision.outcome = countersign_outcome::COUNTERSIGN_OUTCOME_PENDING;
                    decision.reason = countersign_reason::COUNTERSIGN_REASON_NONE;
                    decision.ticket = ticket.0;
                    open.username = username.as_deref().map(answered);
                }
                // What this library does not know yet lets nobody in.
                _ => {}
            }
            decision.username = lend(open.username.as_ref());
            decision.line = lend(open.line.as_ref());
            // SAFETY: by this function's contract.
            unsafe { put(decision_out, decision) }
        })
    })
}

/// Says that a CONNECT that waited was let in (`is_here` not 0) or that its
/// client was gone (0), after an event COUNTERSIGN_EVENT_COMPLETE that admits it.
/// Unknown tickets don't matter.
///
/// The thread that opened the gate.
#[unsafe(no_mangle)]
pub extern "C" fn countersign_gate_completed(
    gate: *mut countersign_gate,
    ticket: u64,
    is_here: u32,
) -> countersign_status {
    guard(|| {
        let arrival = if is_here == 0 {
            Arrival::Gone
        } else {
            Arrival::Here
        };
        object::with(gate, |open| {
            open.gate.completed(Ticket(ticket), arrival);
            Ok(())
        })
    })
}

/// Says that a connection is gone, whoever ended it. Unknown ones don't matter.
///
/// Its session still answers countersign_gate_check() for its Will, until this is
/// said again or the handle is used again.
///
/// The thread that opened the gate.
#[unsafe(no_mangle)]
pub extern "C" fn countersign_gate_disconnected(
    gate: *mut countersign_gate,
    handle: usize,
) -> countersign_status {
    guard(|| {
        object::with(gate, |open| {
            open.gate.disconnected(Handle(handle));
            Ok(())
        })
    })
}

/// Takes what C wrote.
///
/// # Safety
///
/// What is in `facts` has as many bytes as it says, unchanged for `'a`.
unsafe fn read<'a>(facts: &countersign_connect_facts) -> Result<ConnectFacts<'a>, Failure> {
    let malformed = |what: &str| Failure::new(countersign_status::COUNTERSIGN_MALFORMED, what);
    if facts.flags & !(COUNTERSIGN_CLEAN_START | COUNTERSIGN_MAY_WAIT) != 0 || facts.reserved != 0 {
        return Err(malformed("a flag of the CONNECT is unknown"));
    }
    if !(3..=5).contains(&facts.protocol) {
        return Err(malformed("the protocol is neither 3, 4 nor 5"));
    }
    // SAFETY: by this function's contract.
    let client_id = unsafe { facts.client_id.require("the client id") }?;
    let mut read = ConnectFacts::new(Handle(facts.handle), client_id);
    // SAFETY: by this function's contract.
    read.username = unsafe { facts.username.read("the user name") }?;
    // SAFETY: by this function's contract.
    read.password = unsafe { facts.password.read("the password") }?;
    // SAFETY: by this function's contract.
    read.address = unsafe { facts.address.text("the address") }?;
    read.listener = Some(facts.listener).filter(|port| *port != 0);
    read.protocol = facts.protocol;
    read.clean_start = facts.flags & COUNTERSIGN_CLEAN_START != 0;
    read.may_wait = facts.flags & COUNTERSIGN_MAY_WAIT != 0;
    Ok(read)
}

/// MQTT 5.0 §3.2.2.2.
const NOT_AUTHORIZED: u8 = 0x87;
const SERVER_BUSY: u8 = 0x89;
const BANNED: u8 = 0x8A;

//! CONNECT, and enhanced authentication.

use gate::{CompletionStatus, ConnectInfo, ConnectOutcome, Enhanced, Handle, RefusalCode, Ticket};

use crate::boundary::{OwnedBytes, countersign_bytes, guard, lend, put, sized};
use crate::gate_host::{OpenGate, countersign_gate};
use crate::object;
use crate::status::{CallError, countersign_reason, countersign_status};

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
    /// Neither yet: send its client an AUTH (MQTT 5.0, section 3.15) with reason
    /// code 0x18, the method of its CONNECT and `challenge`, and give what it
    /// answers to countersign_gate_resume(). Until then, and if nothing comes, it
    /// is nobody. Only countersign_gate_connect_enhanced() asks.
    COUNTERSIGN_OUTCOME_CHALLENGE = 3,
}

/// The decision about a CONNECT.
///
/// What it points to is good until the next countersign_gate_connect(),
/// countersign_gate_connect_enhanced() or countersign_gate_resume() on this gate,
/// or its end.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct countersign_decision {
    /// What to do.
    pub outcome: countersign_outcome,
    /// Why it is refused.
    pub reason: countersign_reason,
    /// The reason code for a CONNACK of MQTT 5.0: 0 if it is let in, else 0x87
    /// (not authorised), 0x89 (server busy), 0x8A (banned) or 0x8C (bad
    /// authentication method). For MQTT 3.1.1 every refusal is 5 but 0x89: nothing
    /// was found wrong, so close the connection without a CONNACK, and the client
    /// tries again.
    pub code: u8,
    /// Names a CONNECT that waits.
    pub ticket: u64,
    /// What the host must take as the user name from now on, or while it waits;
    /// absent: it must forget the one that was presented.
    pub username: countersign_bytes,
    /// A line for the host's log, or absent.
    pub line: countersign_bytes,
    /// The Authentication Data for an AUTH, which may be empty; absent with every
    /// other outcome.
    pub challenge: countersign_bytes,
    /// 0.
    pub reserved: [usize; 2],
}

impl countersign_decision {
    pub(crate) const REFUSED: Self = Self {
        outcome: countersign_outcome::COUNTERSIGN_OUTCOME_REFUSED,
        reason: countersign_reason::COUNTERSIGN_REASON_CALL_FAILED,
        code: NOT_AUTHORIZED,
        ticket: 0,
        username: countersign_bytes::ABSENT,
        line: countersign_bytes::ABSENT,
        challenge: countersign_bytes::ABSENT,
        reserved: [0; 2],
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
            let outcome = open.gate.connect(&facts);
            // SAFETY: by this function's contract.
            unsafe { put(decision_out, decide(open, outcome)) }
        })
    })
}

/// Decides about a CONNECT of MQTT 5.0 that names an Authentication Method: it
/// asks for enhanced authentication (MQTT 5.0, section 4.12).
///
/// `method` is the Authentication Method and `data` the Authentication Data, or
/// absent. `password` and COUNTERSIGN_MAY_WAIT in `facts` are not looked at. All
/// methods may be given; which there are the gate knows, and refuses the others
/// with code 0x8C. A CONNECT without a method is countersign_gate_connect()'s.
///
/// `*decision_out` is "refused" before anything else is looked at. What comes is
/// COUNTERSIGN_OUTCOME_ADMITTED, _REFUSED or _CHALLENGE. The CONNACK of who is let
/// in names the method (MQTT 5.0, section 3.1.2.11.9).
///
/// A live session that authenticates again (an AUTH with reason code 0x19) is let
/// in, COUNTERSIGN_OUTCOME_ADMITTED, if a token proved it, by OAUTH2-JWT or
/// CUSTOM-JWT, and it presents another token of that principal: the host answers AUTH
/// with code 0, and the session goes on until that token ends. Any other is asked for
/// nothing, COUNTERSIGN_OUTCOME_CHALLENGE with no data, and ended by the next poll.
///
/// The thread that opened the gate. Reads everything during the call.
///
/// # Safety
///
/// `facts` is NULL or as it says; what is in it, `method` and `data` have as many
/// bytes as they say. `decision_out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_gate_connect_enhanced(
    gate: *mut countersign_gate,
    facts: *const countersign_connect_facts,
    method: countersign_bytes,
    data: countersign_bytes,
    decision_out: *mut countersign_decision,
) -> countersign_status {
    guard(|| {
        // SAFETY: by this function's contract.
        unsafe { put(decision_out, countersign_decision::REFUSED) }?;
        // SAFETY: by this function's contract.
        let facts = unsafe { sized(facts, "countersign_connect_facts") }?;
        // SAFETY: by this function's contract.
        let facts = unsafe { read(facts) }?;
        let enhanced = Enhanced {
            // SAFETY: by this function's contract.
            method: unsafe { method.require("the method") }?,
            // SAFETY: by this function's contract.
            data: unsafe { data.read("the authentication data") }?,
        };
        object::with(gate, |open| {
            let outcome = open.gate.connect_enhanced(&facts, &enhanced);
            // SAFETY: by this function's contract.
            unsafe { put(decision_out, decide(open, outcome)) }
        })
    })
}

/// Goes on with a CONNECT that was answered COUNTERSIGN_OUTCOME_CHALLENGE, now that
/// its client sent an AUTH with this data, or without any.
///
/// `*decision_out` is "refused" before anything else is looked at. An answer
/// counts once, and for a minute: what comes late, again, from another client id
/// or from nobody who was asked is refused with COUNTERSIGN_REASON_MFA_REQUIRED. A
/// live session that was asked nothing is asked again, for nothing, and the next
/// poll ends it.
///
/// The thread that opened the gate. Reads everything during the call.
///
/// # Safety
///
/// `client_id` and `data` have as many bytes as they say. `decision_out` is NULL or
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_gate_resume(
    gate: *mut countersign_gate,
    handle: usize,
    client_id: countersign_bytes,
    data: countersign_bytes,
    decision_out: *mut countersign_decision,
) -> countersign_status {
    guard(|| {
        // SAFETY: by this function's contract.
        unsafe { put(decision_out, countersign_decision::REFUSED) }?;
        // SAFETY: by this function's contract.
        let client_id = unsafe { client_id.require("the client id") }?;
        // SAFETY: by this function's contract.
        let data = unsafe { data.read("the authentication data") }?;
        object::with(gate, |open| {
            let outcome = open.gate.resume(Handle(handle), client_id, data);
            // SAFETY: by this function's contract.
            unsafe { put(decision_out, decide(open, outcome)) }
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
            CompletionStatus::Gone
        } else {
            CompletionStatus::Here
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

/// What C gets of an outcome; the gate keeps what is lent.
fn decide(open: &mut OpenGate, outcome: ConnectOutcome) -> countersign_decision {
    (open.username, open.line, open.challenge) = (None, None, None);
    let mut decision = countersign_decision::REFUSED;
    let answered = |text: &str| OwnedBytes::new(text.as_bytes());
    match outcome {
        ConnectOutcome::Admitted { username } => {
            decision.outcome = countersign_outcome::COUNTERSIGN_OUTCOME_ADMITTED;
            decision.reason = countersign_reason::COUNTERSIGN_REASON_NONE;
            decision.code = 0;
            open.username = username.as_deref().map(answered);
        }
        ConnectOutcome::Challenge { data } => {
            decision.outcome = countersign_outcome::COUNTERSIGN_OUTCOME_CHALLENGE;
            decision.reason = countersign_reason::COUNTERSIGN_REASON_NONE;
            open.challenge = Some(OwnedBytes::new(data));
        }
        ConnectOutcome::Refused { reason, code, line } => {
            decision.reason = reason.into();
            decision.code = match code {
                RefusalCode::BadMethod => BAD_METHOD,
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
    decision.challenge = lend(open.challenge.as_ref());
    decision
}

/// Takes what C wrote.
///
/// # Safety
///
/// What is in `facts` has as many bytes as it says, unchanged for `'a`.
unsafe fn read<'a>(facts: &countersign_connect_facts) -> Result<ConnectInfo<'a>, CallError> {
    let malformed = |what: &str| CallError::new(countersign_status::COUNTERSIGN_MALFORMED, what);
    if facts.flags & !(COUNTERSIGN_CLEAN_START | COUNTERSIGN_MAY_WAIT) != 0 || facts.reserved != 0 {
        return Err(malformed("a flag of the CONNECT is unknown"));
    }
    if !(3..=5).contains(&facts.protocol) {
        return Err(malformed("the protocol is neither 3, 4 nor 5"));
    }
    // SAFETY: by this function's contract.
    let client_id = unsafe { facts.client_id.require("the client id") }?;
    let mut read = ConnectInfo::new(Handle(facts.handle), client_id);
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
const BAD_METHOD: u8 = 0x8C;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, JANE, code, facts, publish, shown};
    use countersign_outcome::{
        COUNTERSIGN_OUTCOME_ADMITTED, COUNTERSIGN_OUTCOME_CHALLENGE, COUNTERSIGN_OUTCOME_REFUSED,
    };
    use countersign_reason::COUNTERSIGN_REASON_MFA_REQUIRED;
    use std::time::Duration;

    const METHOD: &str = gate::ENHANCED_METHOD;

    #[test]
    fn who_needs_no_code_is_let_in_and_a_wrong_password_is_asked_nothing() {
        let mut fixture = Fixture::new();
        let decision = fixture.enhance(&facts(1, "a"), METHOD, "right");
        assert_eq!(decision.outcome, COUNTERSIGN_OUTCOME_ADMITTED);
        assert_eq!(shown(decision.username).as_deref(), Some(JANE));
        assert_eq!(shown(decision.challenge), None);
        fixture.enrol();
        let decision = fixture.enhance(&facts(2, "b"), METHOD, "wrong");
        assert_eq!(decision.outcome, COUNTERSIGN_OUTCOME_REFUSED);
        assert_eq!(
            decision.reason,
            countersign_reason::COUNTERSIGN_REASON_BAD_SECRET
        );
        assert_eq!(shown(decision.challenge), None);
    }

    #[test]
    fn who_is_asked_is_nobody_until_the_code_comes_and_is_then_let_in() {
        let mut fixture = Fixture::new();
        let seed = fixture.enrol();
        let decision = fixture.enhance(&facts(1, "a"), METHOD, "right");
        assert_eq!(decision.outcome, COUNTERSIGN_OUTCOME_CHALLENGE);
        // Whoever does not know the outcome refuses.
        assert_eq!(decision.code, NOT_AUTHORIZED);
        assert_eq!(
            shown(decision.challenge).as_deref(),
            Some(r#"{"errorCode":-90041}"#)
        );
        assert_eq!(shown(decision.username), None);
        let usage = publish(1, "a", "acme/x");
        assert!(!fixture.allows(&usage));
        let decision = fixture.resume(1, "a", &code(&seed, 0));
        assert_eq!(decision.outcome, COUNTERSIGN_OUTCOME_ADMITTED);
        assert_eq!(decision.code, 0);
        assert_eq!(shown(decision.username).as_deref(), Some(JANE));
        assert_eq!(shown(decision.challenge), None);
        assert!(fixture.allows(&usage));
    }

    #[test]
    fn an_answer_counts_once_and_only_from_who_was_asked() {
        let mut fixture = Fixture::new();
        let seed = fixture.enrol();
        let refused = |decision: countersign_decision| {
            assert_eq!(decision.outcome, COUNTERSIGN_OUTCOME_REFUSED);
            decision.reason
        };
        // Nobody was asked.
        let reason = refused(fixture.resume(1, "a", &code(&seed, 0)));
        assert_eq!(reason, COUNTERSIGN_REASON_MFA_REQUIRED);
        // Another was, and by a wrong answer it is over.
        for (client_id, handle) in [("b", 1), ("a", 2)] {
            let asked = fixture.enhance(&facts(1, "a"), METHOD, "right");
            assert_eq!(asked.outcome, COUNTERSIGN_OUTCOME_CHALLENGE);
            let reason = refused(fixture.resume(handle, client_id, &code(&seed, 0)));
            assert_eq!(reason, COUNTERSIGN_REASON_MFA_REQUIRED);
        }
        fixture.enhance(&facts(1, "a"), METHOD, "right");
        let reason = refused(fixture.resume(1, "a", "no code"));
        assert_eq!(reason, countersign_reason::COUNTERSIGN_REASON_BAD_SECRET);
        let reason = refused(fixture.resume(1, "a", &code(&seed, 0)));
        assert_eq!(reason, COUNTERSIGN_REASON_MFA_REQUIRED);
        // It went away.
        fixture.enhance(&facts(1, "a"), METHOD, "right");
        countersign_gate_disconnected(fixture.gate, 1);
        let reason = refused(fixture.resume(1, "a", &code(&seed, 0)));
        assert_eq!(reason, COUNTERSIGN_REASON_MFA_REQUIRED);
    }

    #[test]
    fn a_method_that_there_is_not_has_a_code_of_its_own() {
        let fixture = Fixture::new();
        let decision = fixture.enhance(&facts(1, "a"), "SCRAM-SHA-256", "right");
        assert_eq!(decision.outcome, COUNTERSIGN_OUTCOME_REFUSED);
        assert_eq!(decision.code, 0x8C);
        assert!(shown(decision.line).is_some());
    }

    #[test]
    fn a_live_session_that_goes_on_unasked_is_ended() {
        let fixture = Fixture::new();
        fixture.enhance(&facts(1, "a"), METHOD, "right");
        let decision = fixture.resume(1, "a", "");
        assert_eq!(decision.outcome, COUNTERSIGN_OUTCOME_CHALLENGE);
        assert_eq!(shown(decision.challenge).as_deref(), Some(""));
        let kick = crate::events::countersign_event_kind::COUNTERSIGN_EVENT_KICK;
        let kicked = fixture.await_event(kick, Duration::from_secs(10), |event| event.handle);
        assert_eq!(kicked, Some(1));
    }
}

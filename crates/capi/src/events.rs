//! What the gate asks of its host.

use core::ffi::c_char;

use gate::{Completion, Directive, LogLevel};

use crate::boundary::{OwnedBytes, countersign_bytes, guard, lend, put};
use crate::gate_host::countersign_gate;
use crate::object::{self, Opaque};
use crate::status::{CallError, countersign_status};

/// What a poll came to: events, to be taken one by one.
#[derive(Debug)]
pub struct countersign_events(());

impl Opaque for countersign_events {
    type Inner = Events;
    const NAME: &'static str = "countersign_events";
}

/// Events, and which is next.
pub(crate) struct Events {
    all: Vec<Event>,
    next: usize,
}

/// An event, and what it lends to C.
struct Event {
    kind: countersign_event_kind,
    handle: usize,
    ticket: u64,
    admitted: u32,
    level: countersign_level,
    client_id: Option<OwnedBytes>,
    username: Option<OwnedBytes>,
    line: Option<OwnedBytes>,
    topic: Option<OwnedBytes>,
    payload: Option<OwnedBytes>,
}

/// What the host is to do. What a program does not know it leaves alone.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum countersign_event_kind {
    /// Nothing.
    COUNTERSIGN_EVENT_NONE = 0,
    /// End the connection `handle`, sending its Will, and say so with
    /// countersign_gate_disconnected(). `line` is for the log.
    COUNTERSIGN_EVENT_KICK = 1,
    /// End the wait of the CONNECT `ticket` on connection `handle`: let it in if
    /// `admitted` is 1, with `username` as in a decision, else refuse it. If it is
    /// let in, say with countersign_gate_completed() whether its client was still
    /// there.
    COUNTERSIGN_EVENT_COMPLETE = 2,
    /// Write `line` to the host's log, as grave as `level` says.
    COUNTERSIGN_EVENT_LOG = 3,
    /// Send `payload` on `topic` to the connection `handle` alone, at QoS 1 and
    /// not retained, whether it subscribed or not and without asking
    /// countersign_gate_check(), which denies it. If the client id is another
    /// connection's by now, send nothing. It may hold what nobody else may see.
    COUNTERSIGN_EVENT_REPLY = 4,
}

/// How grave a line for the log is.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum countersign_level {
    /// Something does not work.
    COUNTERSIGN_LEVEL_ERROR = 0,
    /// Something may soon not work.
    COUNTERSIGN_LEVEL_WARNING = 1,
    /// Something is worth knowing.
    COUNTERSIGN_LEVEL_NOTICE = 2,
}

/// One event. What it points to is good until countersign_events_free().
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct countersign_event {
    /// What to do.
    pub kind: countersign_event_kind,
    /// Of COUNTERSIGN_EVENT_LOG, and of a `line` of the others.
    pub level: countersign_level,
    /// 1: let it in. 0: refuse it.
    pub admitted: u32,
    /// The connection.
    pub handle: usize,
    /// What countersign_gate_connect() named the CONNECT that waits.
    pub ticket: u64,
    /// The connection's client id, or absent.
    pub client_id: countersign_bytes,
    /// What the host must take as the user name; absent: none.
    pub username: countersign_bytes,
    /// A line for the host's log, or absent.
    pub line: countersign_bytes,
    /// The message of COUNTERSIGN_EVENT_REPLY; absent with every other kind. It may
    /// be longer than 65535 bytes.
    pub payload: countersign_bytes,
    /// The topic of COUNTERSIGN_EVENT_REPLY, NUL-terminated; NULL with every other
    /// kind.
    pub topic: *const c_char,
    /// 0.
    pub reserved: usize,
}

impl countersign_event {
    pub(crate) const NONE: Self = Self {
        kind: countersign_event_kind::COUNTERSIGN_EVENT_NONE,
        level: countersign_level::COUNTERSIGN_LEVEL_ERROR,
        admitted: 0,
        handle: 0,
        ticket: 0,
        client_id: countersign_bytes::ABSENT,
        username: countersign_bytes::ABSENT,
        line: countersign_bytes::ABSENT,
        payload: countersign_bytes::ABSENT,
        topic: core::ptr::null(),
        reserved: 0,
    };
}

/// Works off what changed in the store, what time has ended and what was hashed
/// meanwhile, and answers what the host is to do about it.
///
/// To be called whenever the host was woken, and at least every 100 ms. It costs
/// next to nothing when there is nothing to do. Carrying an event out may call
/// the gate again.
///
/// The thread that opened the gate. The events belong to it too, and to the
/// caller, who ends them with countersign_events_free().
///
/// # Safety
///
/// `events_out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_gate_poll(
    gate: *mut countersign_gate,
    events_out: *mut *mut countersign_events,
) -> countersign_status {
    guard(|| {
        // SAFETY: by this function's contract.
        unsafe { put(events_out, core::ptr::null_mut()) }?;
        // What is polled is told once, so it must not get lost.
        object::require_room()?;
        let all = object::with(gate, |open| {
            Ok(open.gate.poll().iter().filter_map(Event::of).collect())
        })?;
        // SAFETY: by this function's contract.
        unsafe { object::keep(events_out, Events { all, next: 0 }) }
    })
}

/// Takes the next event. Answers COUNTERSIGN_DONE when there is none.
///
/// `*event_out` is COUNTERSIGN_EVENT_NONE before anything else is looked at.
///
/// The thread that polled.
///
/// # Safety
///
/// `event_out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_events_next(
    events: *mut countersign_events,
    event_out: *mut countersign_event,
) -> countersign_status {
    guard(|| {
        // SAFETY: by this function's contract.
        unsafe { put(event_out, countersign_event::NONE) }?;
        object::with(events, |events| {
            let Some(event) = events.all.get(events.next) else {
                return Err(CallError::new(
                    countersign_status::COUNTERSIGN_DONE,
                    "there are no more events",
                ));
            };
            events.next = events.next.saturating_add(1);
            // SAFETY: by this function's contract.
            unsafe { put(event_out, event.lend()) }
        })
    })
}

/// Ends events, taken or not. NULL is none.
///
/// The thread that polled. A second call answers COUNTERSIGN_INVALID_OBJECT and
/// does no harm.
#[unsafe(no_mangle)]
pub extern "C" fn countersign_events_free(events: *mut countersign_events) -> countersign_status {
    guard(|| object::remove(events).map(drop))
}

impl Event {
    fn of(directive: &Directive) -> Option<Self> {
        let answered = |text: &str| OwnedBytes::new(text.as_bytes());
        let mut event = Self {
            kind: countersign_event_kind::COUNTERSIGN_EVENT_NONE,
            handle: 0,
            ticket: 0,
            admitted: 0,
            level: countersign_level::COUNTERSIGN_LEVEL_NOTICE,
            client_id: None,
            username: None,
            line: None,
            topic: None,
            payload: None,
        };
        match directive {
            Directive::Kick {
                handle,
                client_id,
                line,
            } => {
                event.kind = countersign_event_kind::COUNTERSIGN_EVENT_KICK;
                event.handle = handle.0;
                event.client_id = Some(answered(client_id));
                event.line = Some(answered(line));
            }
            Directive::Log { level, line } => {
                event.kind = countersign_event_kind::COUNTERSIGN_EVENT_LOG;
                event.level = match level {
                    LogLevel::Notice => countersign_level::COUNTERSIGN_LEVEL_NOTICE,
                    LogLevel::Warning => countersign_level::COUNTERSIGN_LEVEL_WARNING,
                    LogLevel::Error | _ => countersign_level::COUNTERSIGN_LEVEL_ERROR,
                };
                event.line = Some(answered(line));
            }
            Directive::Complete {
                ticket,
                handle,
                client_id,
                completion,
            } => {
                event.kind = countersign_event_kind::COUNTERSIGN_EVENT_COMPLETE;
                event.ticket = ticket.0;
                event.handle = handle.0;
                event.client_id = Some(answered(client_id));
                match completion {
                    Completion::Admit { username } => {
                        event.admitted = 1;
                        event.username = username.as_deref().map(answered);
                    }
                    Completion::Refuse { line } => event.line = line.as_deref().map(answered),
                    // What this library does not know yet lets nobody in.
                    _ => {}
                }
            }
            Directive::Reply {
                handle,
                client_id,
                topic,
                payload,
            } => {
                event.kind = countersign_event_kind::COUNTERSIGN_EVENT_REPLY;
                event.handle = handle.0;
                event.client_id = Some(answered(client_id));
                event.topic = Some(answered(topic));
                event.payload = Some(OwnedBytes::new(payload.expose()));
            }
            // Nobody is let in by leaving it alone.
            _ => return None,
        }
        Some(event)
    }

    fn lend(&self) -> countersign_event {
        countersign_event {
            kind: self.kind,
            level: self.level,
            admitted: self.admitted,
            handle: self.handle,
            ticket: self.ticket,
            client_id: lend(self.client_id.as_ref()),
            username: lend(self.username.as_ref()),
            line: lend(self.line.as_ref()),
            payload: lend(self.payload.as_ref()),
            topic: lend(self.topic.as_ref()).data,
            ..countersign_event::NONE
        }
    }
}

//! What a host tells the gate, and what the gate asks of a host.

use core::fmt;
use std::sync::Arc;

use countersign_core::certificate::PresentedCertificate;
use countersign_core::client_id::ClientId;
use countersign_core::connect::Reservation;
use countersign_core::reason::Reason;
use zeroize::Zeroizing;

/// The host's own number for one connection, a pointer's value, say.
///
/// The gate never follows it; it only tells connections apart by it. A host
/// may use a number again once the connection is gone.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Handle(pub usize);

/// The fields of a CONNECT (MQTT 5.0 §3.1) and where it came in.
///
/// All bytes are as the client sent them; the gate parses them. More fields
/// may come, so one is made by [`ConnectInfo::new`] and then filled.
///
/// # Examples
///
/// ```
/// use countersign::{ConnectInfo, Handle};
///
/// let mut info = ConnectInfo::new(Handle(7), b"sensor-1");
/// info.username = Some(b"dev1@acme");
/// info.password = Some(b"secret");
/// info.address = Some("192.0.2.1");
/// info.protocol = 5;
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct ConnectInfo<'a> {
    /// The connection.
    pub handle: Handle,
    /// The client identifier, after the host replaced an empty one.
    pub client_id: &'a [u8],
    /// The user name field.
    pub username: Option<&'a [u8]>,
    /// The password field.
    pub password: Option<&'a [u8]>,
    /// What the certificate says whose private key the client proved to have, and
    /// which an authority signed that the host trusts. A client with one and without a
    /// password is let in by it or not at all, whatever tenants say.
    pub certificate: Option<&'a PresentedCertificate>,
    /// The peer's address.
    pub address: Option<&'a str>,
    /// The local port it came in by, where the host knows it.
    pub listener: Option<u16>,
    /// 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5.0.
    pub protocol: u8,
    /// Whether it starts without a stored session (Clean Start, Clean Session).
    pub clean_start: bool,
    /// Whether the host can hold this CONNECT until it hears more. Without it
    /// the gate never answers [`ConnectOutcome::Pending`].
    pub may_wait: bool,
    /// Whether the host keeps the client id for a client of its own, which this
    /// gate is not asked about.
    pub reservation: Reservation,
    /// The user name of the client whose session the host restored and would hand
    /// over to this one, where it tells. A broker that was killed may have an older
    /// one than it had when it was.
    pub left_by: Option<&'a [u8]>,
}

impl<'a> ConnectInfo<'a> {
    /// A CONNECT of MQTT 3.1.1 that starts without a stored session, presents
    /// nothing, comes from nowhere and can't be held.
    #[must_use]
    pub fn new(handle: Handle, client_id: &'a [u8]) -> Self {
        Self {
            handle,
            client_id,
            username: None,
            password: None,
            certificate: None,
            address: None,
            listener: None,
            protocol: 4,
            clean_start: true,
            may_wait: false,
            reservation: Reservation::Free,
            left_by: None,
        }
    }

    pub(crate) fn source(&self) -> ConnectSource<'a> {
        ConnectSource {
            address: self.address,
            listener: self.listener,
            protocol: self.protocol,
            reservation: self.reservation,
            left_by: self.left_by,
            may_be_gone: false,
        }
    }
}

/// What a CONNECT brings that asks for enhanced authentication (MQTT 5.0
/// §4.12).
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct Enhanced<'a> {
    /// The Authentication Method.
    pub method: &'a [u8],
    /// The Authentication Data.
    pub data: Option<&'a [u8]>,
}

/// What became of a CONNECT.
///
/// A host refuses what it does not know: more outcomes may come.
#[derive(Clone, Debug)]
#[must_use = "whoever does not look at it lets everybody in"]
#[non_exhaustive]
pub enum ConnectOutcome {
    /// Let it in.
    Admitted {
        /// What the host must take as the user name from now on; with `None`
        /// it must forget the one that was presented.
        username: Option<Arc<str>>,
    },
    /// Neither yet: send its client an AUTH with this data, and give what it
    /// answers to [`Gate::resume`](crate::Gate::resume). Until then, and if
    /// nothing comes, it has no rights. Only
    /// [`Gate::connect_enhanced`](crate::Gate::connect_enhanced) asks.
    Challenge {
        /// The Authentication Data.
        data: &'static [u8],
    },
    /// Refuse it.
    Refused {
        /// Why. Not for the client.
        reason: Reason,
        /// What the client may learn, where its protocol has a word for it.
        code: RefusalCode,
        /// A line for the host's log, unless the same was said just now.
        line: Option<String>,
    },
    /// Neither yet: hold it until a [`Directive::Complete`] comes with this
    /// ticket. Until then, and if none comes, it has no rights.
    Pending {
        /// Names it.
        ticket: Ticket,
        /// What the host must take as the user name meanwhile.
        username: Option<Arc<str>>,
    },
}

/// What a client that is refused may learn.
///
/// None of it depends on what is stored. A host says "not authorised" for what
/// it does not know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RefusalCode {
    /// It asks for a method of authentication that there is not (MQTT 5.0:
    /// 0x8C).
    BadMethod,
    /// Too many logins from its address failed, or its address is banned (MQTT 5.0: 0x8A).
    Banned,
    /// Nothing was found wrong; there was only no time to look (MQTT 5.0: 0x89).
    /// Clients of MQTT 3.1.1 give up at a refusal, so close their connections
    /// without a CONNACK: that they take for a fault of the network, and try
    /// again.
    Busy,
    /// Nothing (MQTT 5.0: 0x87).
    NotAuthorized,
}

/// Names a CONNECT that is being verified on another thread.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Ticket(pub u64);

/// The connection that uses a topic, as the host knows it at that moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientRef<'a> {
    /// The connection.
    pub handle: Handle,
    /// Its client id, if the host has one for it.
    pub client_id: Option<&'a [u8]>,
    /// Its user name as the host has it now.
    pub username: Option<&'a [u8]>,
    /// Whether there is a peer at the other end. A host also asks on behalf
    /// of clients that are away.
    pub connected: bool,
    /// How it came. Asked of a connection that never sent a login, such as one
    /// that a certificate vouches for.
    pub origin: ClientOrigin<'a>,
}

impl ClientRef<'_> {
    /// Its client id, if it is a valid one.
    pub(crate) fn parsed_client_id(&self) -> Option<ClientId> {
        ClientId::parse(core::str::from_utf8(self.client_id?).ok()?).ok()
    }
}

/// How a connection came about, as far as its host knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientOrigin<'a> {
    /// The peer's address.
    pub address: Option<&'a str>,
    /// The local port it came in by.
    pub listener: Option<u16>,
    /// 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5.0; 0 if it is not known.
    pub protocol: u8,
    /// Whether it started without a stored session.
    pub clean_start: bool,
    /// Whether the host keeps its client id for a client of its own.
    pub reservation: Reservation,
}

/// What the host is to do, from [`Gate::poll`](crate::Gate::poll).
///
/// The host carries these out after it has let go of the gate, for doing so
/// may call back into it. What it does not know it leaves alone: more
/// directives may come, and none of them lets anybody in but
/// [`Directive::Complete`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Directive {
    /// End the wait of a CONNECT, if its client is still there, and say by
    /// [`Gate::completed`](crate::Gate::completed) whether it was. A host that
    /// has let go of it does nothing else.
    Complete {
        /// What [`ConnectOutcome::Pending`] named it.
        ticket: Ticket,
        /// The connection.
        handle: Handle,
        /// Its client id, which some hosts hold connections by.
        client_id: Arc<str>,
        /// How it ends.
        completion: Completion,
    },
    /// End this connection, sending its Will. If the host knows no such
    /// client id, it says so by
    /// [`Gate::disconnected`](crate::Gate::disconnected).
    Kick {
        /// The connection.
        handle: Handle,
        /// Its client id, which some hosts end connections by.
        client_id: Arc<str>,
        /// A line for the host's log.
        line: String,
    },
    /// Write a line to the host's log.
    Log {
        /// How grave it is.
        level: LogLevel,
        /// The line.
        line: String,
    },
    /// Send this message to this connection alone, at QoS 1 and not retained,
    /// whether it subscribed or not. If the client id is another connection's
    /// by now, send nothing.
    Reply {
        /// The connection.
        handle: Handle,
        /// Its client id, which some hosts send messages by.
        client_id: Arc<str>,
        /// The topic.
        topic: &'static str,
        /// The message.
        payload: Payload,
    },
}

/// A message for one client. It may hold what no other client may see.
#[derive(Clone, Eq, PartialEq)]
pub struct Payload(Arc<Zeroizing<Vec<u8>>>);

impl Payload {
    pub(crate) fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(Arc::new(bytes))
    }

    /// The bytes, to be sent.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

/// How the wait of a CONNECT ends. A host refuses what it does not know.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Completion {
    /// Let it in.
    Admit {
        /// What the host must take as the user name from now on.
        username: Option<Arc<str>>,
    },
    /// Refuse it. There is no other word for it any more than "not
    /// authorised".
    Refuse {
        /// A line for the host's log, unless the same was said just now.
        line: Option<String>,
    },
}

/// Whether a client was still there when its wait ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CompletionStatus {
    /// It was gone, or the host did not take it.
    Gone,
    /// It is connected.
    Here,
}

/// How grave a line for the host's log is. A host takes what it does not know
/// for an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LogLevel {
    /// Something does not work.
    Error,
    /// Something is worth knowing.
    Notice,
    /// Something may soon not work.
    Warning,
}

/// Where a CONNECT comes from.
#[derive(Clone, Copy)]
pub(crate) struct ConnectSource<'a> {
    pub(crate) address: Option<&'a str>,
    pub(crate) listener: Option<u16>,
    pub(crate) protocol: u8,
    pub(crate) reservation: Reservation,
    /// See [`ConnectInfo::left_by`].
    pub(crate) left_by: Option<&'a [u8]>,
    /// Whether the client may have gone while its host held it.
    pub(crate) may_be_gone: bool,
}

/// A [`ConnectSource`] that outlives its CONNECT.
#[derive(Debug, Default)]
pub(crate) struct OwnedConnectSource {
    address: Option<String>,
    listener: Option<u16>,
    protocol: u8,
    reservation: Reservation,
    left_by: Option<Box<[u8]>>,
}

impl OwnedConnectSource {
    pub(crate) fn of(source: &ConnectSource<'_>) -> Self {
        Self {
            address: source.address.map(str::to_owned),
            listener: source.listener,
            protocol: source.protocol,
            reservation: source.reservation,
            left_by: source.left_by.map(Into::into),
        }
    }

    pub(crate) fn as_source(&self) -> ConnectSource<'_> {
        ConnectSource {
            address: self.address.as_deref(),
            listener: self.listener,
            protocol: self.protocol,
            reservation: self.reservation,
            left_by: self.left_by.as_deref(),
            may_be_gone: false,
        }
    }
}

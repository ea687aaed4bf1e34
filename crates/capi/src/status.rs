//! Numbers that C programs compare: none of them is ever used again for
//! something else.

use gate::core::reason::Reason;

/// How a call ended.
///
/// Whatever the status, everything a function answers through a pointer was
/// set to "no" (refused, denied, NULL, nothing) before anything was read, so a
/// caller that overlooks a status refuses.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum countersign_status {
    /// Done.
    COUNTERSIGN_OK = 0,
    /// There is nothing more; only countersign_events_next() says so.
    COUNTERSIGN_DONE = 1,
    /// A pointer is NULL that must not be.
    COUNTERSIGN_NULL = 2,
    /// A pointer to one of the library's objects is none, or of another type,
    /// or was freed.
    COUNTERSIGN_INVALID_OBJECT = 3,
    /// The object belongs to another thread.
    COUNTERSIGN_WRONG_THREAD = 4,
    /// The object is in use further up this thread's stack.
    COUNTERSIGN_BUSY = 5,
    /// An argument has a shape that nothing valid has: a text that is no UTF-8,
    /// an unknown flag or number, a name with a control character.
    COUNTERSIGN_MALFORMED = 6,
    /// Bytes are longer than 65535, which no string of MQTT is.
    COUNTERSIGN_TOO_LONG = 7,
    /// An option is unknown, given twice, missing, of a value that it can't
    /// have, or can't change while the gate is open.
    COUNTERSIGN_BAD_OPTION = 8,
    /// The store can't be read or written; the message says why.
    COUNTERSIGN_STORE = 9,
    /// There is one already.
    COUNTERSIGN_EXISTS = 10,
    /// There is none.
    COUNTERSIGN_MISSING = 11,
    /// The act has no meaning in this state, or its rules forbid it.
    COUNTERSIGN_REFUSED = 12,
    /// Something went wrong inside the library. What was asked is refused.
    COUNTERSIGN_PANIC = 13,
    /// The `size` of a structure is not the one this library knows: the
    /// program was built with the header of another version.
    COUNTERSIGN_UNSUPPORTED = 14,
    /// The operating system gave no thread, no randomness or no memory.
    COUNTERSIGN_SYSTEM = 15,
    /// The buffer is too short; it holds the beginning.
    COUNTERSIGN_TRUNCATED = 16,
    /// This thread has 65535 objects already.
    COUNTERSIGN_TOO_MANY = 17,
}

/// Why something was refused: for the log and the audit, never for a client.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum countersign_reason {
    /// Nothing was refused.
    COUNTERSIGN_REASON_NONE = 0,
    /// The secret is not the one stored.
    COUNTERSIGN_REASON_BAD_SECRET = 1,
    /// The client id breaks the credential's rule.
    COUNTERSIGN_REASON_CLIENT_ID_MISMATCH = 2,
    /// The client id belongs to somebody else.
    COUNTERSIGN_REASON_CLIENT_ID_OWNED = 3,
    /// A deny rule matched.
    COUNTERSIGN_REASON_DENIED_BY_RULE = 4,
    /// The credential's time is over.
    COUNTERSIGN_REASON_EXPIRED = 5,
    /// The user is locked out for now.
    COUNTERSIGN_REASON_LOCKED = 6,
    /// A name, client id or topic has a shape that nothing valid has.
    COUNTERSIGN_REASON_MALFORMED = 7,
    /// The code of the second factor is missing.
    COUNTERSIGN_REASON_MFA_REQUIRED = 8,
    /// No allow rule matched.
    COUNTERSIGN_REASON_NO_RULE = 9,
    /// The credential's time has not come.
    COUNTERSIGN_REASON_NOT_YET_VALID = 10,
    /// The topic belongs to another tenant.
    COUNTERSIGN_REASON_OTHER_TENANT = 11,
    /// Nothing was found wrong; there was only no time to look.
    COUNTERSIGN_REASON_OVER_BUDGET = 12,
    /// The credential was revoked.
    COUNTERSIGN_REASON_REVOKED = 13,
    /// The store was locked for longer than a login may wait.
    COUNTERSIGN_REASON_STORE_BUSY = 14,
    /// The store could not be read.
    COUNTERSIGN_REASON_STORE_UNAVAILABLE = 15,
    /// The credential is suspended.
    COUNTERSIGN_REASON_SUSPENDED = 16,
    /// This principal may use listeners with TLS only.
    COUNTERSIGN_REASON_TLS_REQUIRED = 17,
    /// No valid login, where one is required.
    COUNTERSIGN_REASON_UNAUTHENTICATED = 18,
    /// Nobody has this name.
    COUNTERSIGN_REASON_UNKNOWN_NAME = 19,
    /// The name's suffix is no tenant.
    COUNTERSIGN_REASON_UNKNOWN_TENANT = 20,
    /// The listener takes another tenant's principals.
    COUNTERSIGN_REASON_WRONG_LISTENER = 21,
    /// The call itself failed; its status says how.
    COUNTERSIGN_REASON_CALL_FAILED = 22,
    /// Too many logins failed before this one, which was not looked at.
    COUNTERSIGN_REASON_TOO_MANY_FAILURES = 23,
    /// There are as many as there may be.
    COUNTERSIGN_REASON_OVER_LIMIT = 24,
    /// The credential has as many client ids with stored sessions as it may.
    COUNTERSIGN_REASON_CLIENT_ID_LIMIT = 25,
    /// The certificate's time is over.
    COUNTERSIGN_REASON_CERTIFICATE_EXPIRED = 26,
    /// The certificate is no credential's, or not that of the name that was
    /// given.
    COUNTERSIGN_REASON_CERTIFICATE_UNKNOWN = 27,
    /// The address or the client id is banned.
    COUNTERSIGN_REASON_BANNED = 28,
    /// The keys of the token's issuer were fetched too long ago, or never.
    COUNTERSIGN_REASON_KEYS_OUTDATED = 29,
    /// The replica has not heard from its centre for too long.
    COUNTERSIGN_REASON_STALE = 30,
    /// The centre is asked to register the client, which gets in when it comes
    /// again.
    COUNTERSIGN_REASON_REGISTERING = 31,
}

impl From<Reason> for countersign_reason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::BadSecret => Self::COUNTERSIGN_REASON_BAD_SECRET,
            Reason::Banned => Self::COUNTERSIGN_REASON_BANNED,
            Reason::CertificateExpired => Self::COUNTERSIGN_REASON_CERTIFICATE_EXPIRED,
            Reason::CertificateUnknown => Self::COUNTERSIGN_REASON_CERTIFICATE_UNKNOWN,
            Reason::ClientIdLimit => Self::COUNTERSIGN_REASON_CLIENT_ID_LIMIT,
            Reason::ClientIdMismatch => Self::COUNTERSIGN_REASON_CLIENT_ID_MISMATCH,
            Reason::ClientIdOwned => Self::COUNTERSIGN_REASON_CLIENT_ID_OWNED,
            Reason::DeniedByRule => Self::COUNTERSIGN_REASON_DENIED_BY_RULE,
            Reason::Expired => Self::COUNTERSIGN_REASON_EXPIRED,
            Reason::KeysOutdated => Self::COUNTERSIGN_REASON_KEYS_OUTDATED,
            Reason::Locked => Self::COUNTERSIGN_REASON_LOCKED,
            Reason::Malformed => Self::COUNTERSIGN_REASON_MALFORMED,
            Reason::MfaRequired => Self::COUNTERSIGN_REASON_MFA_REQUIRED,
            Reason::NoRule => Self::COUNTERSIGN_REASON_NO_RULE,
            Reason::NotYetValid => Self::COUNTERSIGN_REASON_NOT_YET_VALID,
            Reason::OtherTenant => Self::COUNTERSIGN_REASON_OTHER_TENANT,
            Reason::OverBudget => Self::COUNTERSIGN_REASON_OVER_BUDGET,
            Reason::OverLimit => Self::COUNTERSIGN_REASON_OVER_LIMIT,
            Reason::Registering => Self::COUNTERSIGN_REASON_REGISTERING,
            Reason::Revoked => Self::COUNTERSIGN_REASON_REVOKED,
            Reason::Stale => Self::COUNTERSIGN_REASON_STALE,
            Reason::StoreBusy => Self::COUNTERSIGN_REASON_STORE_BUSY,
            Reason::StoreUnavailable => Self::COUNTERSIGN_REASON_STORE_UNAVAILABLE,
            Reason::Suspended => Self::COUNTERSIGN_REASON_SUSPENDED,
            Reason::TlsRequired => Self::COUNTERSIGN_REASON_TLS_REQUIRED,
            Reason::TooManyFailures => Self::COUNTERSIGN_REASON_TOO_MANY_FAILURES,
            Reason::Unauthenticated => Self::COUNTERSIGN_REASON_UNAUTHENTICATED,
            Reason::UnknownName => Self::COUNTERSIGN_REASON_UNKNOWN_NAME,
            Reason::UnknownTenant => Self::COUNTERSIGN_REASON_UNKNOWN_TENANT,
            Reason::WrongListener => Self::COUNTERSIGN_REASON_WRONG_LISTENER,
        }
    }
}

/// A call that did not do what was asked: its status, and a line for people.
#[derive(Debug)]
pub(crate) struct CallError {
    pub(crate) status: countersign_status,
    pub(crate) message: String,
}

impl CallError {
    pub(crate) fn new(status: countersign_status, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }
}

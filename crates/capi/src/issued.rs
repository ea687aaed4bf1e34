//! What a credential was given, to be handed to the device once.

use countersign_admin::secret::IssuedCredential;
use countersign_admin::view::IssuedCredentialView;

use crate::boundary::{OwnedBytes, countersign_bytes, guard, lend, put};
use crate::object::{self, Opaque};
use crate::status::countersign_status;

/// What a credential was given when it was made or given another secret: to be
/// handed to the device, once.
#[derive(Debug)]
pub struct countersign_issued(());

impl Opaque for countersign_issued {
    type Inner = Issued;
    const NAME: &'static str = "countersign_issued";
}

/// What is lent to C, and wiped in the end.
pub(crate) struct Issued {
    name: OwnedBytes,
    username: OwnedBytes,
    client_id: Option<OwnedBytes>,
    secret: Option<OwnedBytes>,
}

impl Issued {
    pub(crate) fn of(made: &IssuedCredential) -> Self {
        let view = IssuedCredentialView::of(made);
        let answered = |text: &str| OwnedBytes::new(text.as_bytes());
        Self {
            name: answered(made.described.credential.name.as_str()),
            username: answered(view.username()),
            client_id: view.client_id().map(answered),
            secret: made
                .secret
                .as_ref()
                .map(|secret| OwnedBytes::new(secret.expose())),
        }
    }
}

/// What was issued. All of it is good until countersign_issued_free(), which
/// wipes it.
#[repr(C)]
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it points to a secret")]
pub struct countersign_issued_fields {
    /// What the other functions of this library take as its name.
    pub name: countersign_bytes,
    /// What its client presents as user name.
    pub username: countersign_bytes,
    /// The client id that it must present; absent when any will do.
    pub client_id: countersign_bytes,
    /// Its secret; absent when somebody chose it, or when it was taken over.
    pub secret: countersign_bytes,
    /// 0.
    pub reserved: [usize; 4],
}

/// Answers what was issued. `*fields_out` is empty before anything else is looked
/// at.
///
/// The thread that has it.
///
/// # Safety
///
/// `fields_out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn countersign_issued_get(
    issued: *mut countersign_issued,
    fields_out: *mut countersign_issued_fields,
) -> countersign_status {
    guard(|| {
        let mut fields = countersign_issued_fields {
            name: countersign_bytes::ABSENT,
            username: countersign_bytes::ABSENT,
            client_id: countersign_bytes::ABSENT,
            secret: countersign_bytes::ABSENT,
            reserved: [0; 4],
        };
        // SAFETY: by this function's contract.
        unsafe { put(fields_out, fields) }?;
        object::with(issued, |issued| {
            fields.name = issued.name.lend();
            fields.username = issued.username.lend();
            fields.client_id = lend(issued.client_id.as_ref());
            fields.secret = lend(issued.secret.as_ref());
            // SAFETY: by this function's contract.
            unsafe { put(fields_out, fields) }
        })
    })
}

/// Wipes and ends what was issued. NULL is none.
///
/// The thread that has it. A second call answers COUNTERSIGN_INVALID_OBJECT and
/// does no harm.
#[unsafe(no_mangle)]
pub extern "C" fn countersign_issued_free(issued: *mut countersign_issued) -> countersign_status {
    guard(|| object::remove(issued).map(drop))
}

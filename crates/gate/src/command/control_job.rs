//! The commands of Mosquitto's dynamic-security that sessions publish. No other module
//! of the gate knows of them.

use countersign_admin::{Authority, Caller, Context, OsRandom};
use countersign_control::answer;
pub(super) use countersign_control::{LONGEST, TOO_LONG, refusal};
use countersign_core::credential::Credential;
use countersign_core::kind::Kind;
use countersign_core::name::TenantId;
use countersign_core::store::AdminStore;
use countersign_core::time::Timestamp;
use zeroize::Zeroizing;

use crate::host::Payload;

/// A message with commands, and who sent it.
pub(crate) struct ControlJob {
    authority: Authority,
    /// As the audit calls who sent it.
    actor: String,
    /// The tenant that it is about.
    tenant: TenantId,
    /// It may hold passwords.
    payload: Zeroizing<Vec<u8>>,
}

impl ControlJob {
    /// The message of a session whose credential is `record`.
    pub(super) fn new(record: &Credential, tenant: TenantId, payload: &[u8]) -> Self {
        let authority = match record.kind {
            Kind::Operator => Authority::Operator(record.id),
            Kind::Application(_) | Kind::Bearer | Kind::Device | Kind::Thing(_) | Kind::User(_) => {
                Authority::Session(record.id)
            }
        };
        Self {
            authority,
            actor: format!("session:{}", record.name),
            tenant,
            payload: Zeroizing::new(payload.to_vec()),
        }
    }

    /// Carries out its commands. Each transaction checks whether the session may.
    pub(super) fn run<S: AdminStore>(self, store: &mut S, now: Timestamp) -> Payload {
        let mut context = Context {
            now,
            caller: Caller {
                actor: &self.actor,
                authority: self.authority,
            },
            random: &mut OsRandom,
        };
        payload(answer(store, &mut context, &self.tenant, &self.payload))
    }
}

/// An answer, as hosts send it.
pub(super) fn payload(answer: Vec<u8>) -> Payload {
    Payload::new(Zeroizing::new(answer))
}

/// Where it could not be carried out.
pub(super) const UNAVAILABLE: &str = "the store can't be used now; try again";
/// Where there was too much at once.
pub(super) const TOO_MANY: &str = "too many commands at once; wait for the answers";

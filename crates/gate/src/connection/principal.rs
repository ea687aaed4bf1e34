//! The principal of a session.

use std::sync::Arc;

use countersign_core::certificate::ProvedCertificate;
use countersign_core::connect::Identity;
use countersign_core::credential::{CredentialId, Generation};
use countersign_core::issuer::ProvedToken;
use countersign_core::secret::SecretId;
use countersign_core::token::TokenRecord;

/// The principal of a session.
#[derive(Clone, Debug)]
pub(crate) enum Principal {
    /// Whoever presented a token.
    Bearer {
        id: CredentialId,
        /// Its generation when the session began.
        generation: Generation,
        token: Arc<TokenRecord>,
    },
    /// A device, proved by a certificate.
    Certificate {
        id: CredentialId,
        /// Its generation when the session began.
        generation: Generation,
        /// In a box, so that the others stay small.
        certificate: Box<ProvedCertificate>,
    },
    /// A device, an operator or a thing.
    Credential {
        id: CredentialId,
        /// Its generation when the session began.
        generation: Generation,
        /// The secret that proved it.
        secret: SecretId,
    },
    /// A credential that its host vouches for, by a certificate or a
    /// pre-shared key.
    External {
        id: CredentialId,
        /// Its generation when the session was first seen.
        generation: Generation,
    },
    /// A device, proved by a token of its tenant's issuer.
    Issued {
        id: CredentialId,
        /// Its generation when the session began.
        generation: Generation,
        token: Arc<ProvedToken>,
    },
    /// An unauthenticated client.
    Unauthenticated,
    /// A user, in the session's tenant.
    User {
        id: CredentialId,
        /// Its generation when the session began.
        generation: Generation,
        /// The secret that proved it.
        secret: SecretId,
    },
}

impl Principal {
    /// Says whether the session of one that a token proved may go on as the other, whom
    /// another token proves: it is the same, in the same generation.
    pub(crate) fn may_go_on_as(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Bearer { id, generation, .. },
                Self::Bearer {
                    id: of_other,
                    generation: other,
                    ..
                },
            )
            | (
                Self::Issued { id, generation, .. },
                Self::Issued {
                    id: of_other,
                    generation: other,
                    ..
                },
            ) => id == of_other && generation == other,
            _ => false,
        }
    }

    /// Who is let in.
    pub(crate) fn of(identity: &Identity) -> Self {
        match identity {
            Identity::Bearer { credential, token } => Self::Bearer {
                id: credential.id,
                generation: credential.generation,
                token: Arc::clone(token),
            },
            Identity::Certificate {
                credential,
                certificate,
            } => Self::Certificate {
                id: credential.id,
                generation: credential.generation,
                certificate: Box::new(*certificate),
            },
            Identity::Credential { credential, secret } => Self::Credential {
                id: credential.id,
                generation: credential.generation,
                secret: *secret,
            },
            Identity::Issued { credential, token } => Self::Issued {
                id: credential.id,
                generation: credential.generation,
                token: Arc::clone(token),
            },
            Identity::Unauthenticated { .. } => Self::Unauthenticated,
            Identity::User {
                credential, secret, ..
            } => Self::User {
                id: credential.id,
                generation: credential.generation,
                secret: *secret,
            },
        }
    }
}

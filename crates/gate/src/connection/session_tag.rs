//! By what a session is recognised when its host asks about it again.

use countersign_core::certificate::PresentedCertificate;
use countersign_core::connect::{Identity, Request};
use countersign_core::secret::{Secret, SecretDigest, Tag, TagKey, Verifier};

/// Recognises what the client of a session presented, without keeping it.
#[derive(Debug)]
pub(crate) enum SessionTag {
    /// The digest of a generated secret, as it is stored: what proved the login
    /// need not be hashed once more.
    Digest(SecretDigest),
    /// A keyed tag, of a password or of nothing.
    Keyed(Tag),
}

impl SessionTag {
    /// Of a client that is let in.
    pub(crate) fn of(key: &TagKey, identity: &Identity, request: &Request) -> Self {
        match digest_that_proved(identity) {
            Some(digest) => Self::Digest(digest.clone()),
            None => Self::Keyed(keyed(key, request)),
        }
    }

    /// Of a client that presented no password.
    pub(crate) fn without_password(key: &TagKey, client_id: &str) -> Self {
        Self::Keyed(tag_without_password(key, client_id))
    }

    /// Says whether this is presented again.
    pub(crate) fn recognises(&self, key: &TagKey, request: &Request) -> bool {
        match self {
            Self::Digest(known) => {
                let presented = request.secret.as_ref().map(SecretDigest::of);
                presented.is_some_and(|presented| presented == *known)
            }
            Self::Keyed(known) => *known == keyed(key, request),
        }
    }
}

/// What is stored of the generated secret that proved a login. It was all that the
/// client presented: only a user presents a code beside it.
fn digest_that_proved(identity: &Identity) -> Option<&SecretDigest> {
    let Identity::Credential { credential, secret } = identity else {
        return None;
    };
    let mut secrets = credential.secrets.iter();
    let proved = secrets.find(|stored| stored.id == *secret)?;
    match &proved.verifier {
        Verifier::Digest(digest) => Some(digest),
        Verifier::Password(_) => None,
    }
}

fn keyed(key: &TagKey, request: &Request) -> Tag {
    let client_id = request.client_id.as_str();
    match &request.secret {
        Some(secret) => key.tag(&[b"session", client_id.as_bytes()], secret),
        None => match &request.certificate {
            Some(PresentedCertificate::Read { fingerprint, .. }) => {
                let context: [&[u8]; 3] = [
                    b"session by certificate",
                    client_id.as_bytes(),
                    &fingerprint.0,
                ];
                key.tag(&context, &Secret::new(Vec::new()))
            }
            Some(PresentedCertificate::Unreadable) => {
                let context: [&[u8]; 2] = [b"session by nothing", client_id.as_bytes()];
                key.tag(&context, &Secret::new(Vec::new()))
            }
            None => tag_without_password(key, client_id),
        },
    }
}

fn tag_without_password(key: &TagKey, client_id: &str) -> Tag {
    let context = [b"session without password", client_id.as_bytes()];
    key.tag(&context, &Secret::new(Vec::new()))
}

//! What a CONNECT presents.

use std::sync::Arc;

use crate::certificate::PresentedCertificate;
use crate::client_id::{ClientId, ClientIdTie};
use crate::issuer::PresentedToken;
use crate::name::{LoginName, Suffix};
use crate::reason::Reason;
use crate::secret::Secret;

/// What a CONNECT presents, once its shape was found good.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct Request {
    /// The client identifier.
    pub client_id: ClientId,
    /// Its hash.
    pub tie: ClientIdTie,
    /// The login name, if one was given.
    pub name: Option<LoginName>,
    /// The password, if one was given.
    pub secret: Option<Secret>,
    /// What its certificate says, if it presented one. It counts where there is no
    /// password.
    pub certificate: Option<PresentedCertificate>,
    /// The password as a token of an issuer of others, where it has the shape of one and
    /// the host reads them.
    pub token: Option<Arc<dyn PresentedToken>>,
    /// What becomes of the session that this client id names.
    pub session: SessionUse,
    /// How the secret came.
    pub method: Method,
}

impl Request {
    /// What stands where a name says which tenant it belongs to.
    #[must_use]
    pub fn named_tenant(&self) -> Option<&str> {
        self.name.as_ref()?.named_tenant()
    }
}

/// The client id and the name of a CONNECT, once they were parsed. A client that
/// comes back presents the same bytes, which need not be parsed again.
#[derive(Clone, Debug)]
pub struct ParsedNames {
    client_id: ClientId,
    tie: ClientIdTie,
    name: LoginName,
}

impl ParsedNames {
    /// What a request presents, if it does under the name `known`, whose text is
    /// kept once then.
    #[must_use]
    pub fn of(request: &Request, known: &LoginName) -> Option<Self> {
        (request.name.as_ref() == Some(known)).then(|| Self {
            client_id: request.client_id.clone(),
            tie: request.tie,
            name: known.clone(),
        })
    }

    /// Says whether these are the fields of a CONNECT.
    #[must_use]
    pub fn are(&self, client_id: &[u8], username: Option<&[u8]>) -> bool {
        client_id == self.client_id.as_str().as_bytes()
            && username == Some(self.name.as_str().as_bytes())
    }

    /// The client id.
    #[must_use]
    pub const fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// A CONNECT that presents them again: what [`Request::parse`] makes of it.
    #[must_use]
    pub fn again(&self, password: Option<&[u8]>, session: SessionUse) -> Request {
        Request {
            client_id: self.client_id.clone(),
            tie: self.tie,
            name: Some(self.name.clone()),
            secret: password.map(Secret::presented),
            certificate: None,
            token: None,
            session,
            method: Method::Plain,
        }
    }
}

/// How a client authenticates.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub enum Method {
    /// By the CONNECT alone. A user's code stands at the end of the password.
    Plain,
    /// By enhanced authentication (MQTT 5.0 §4.12), which asks for a code where
    /// one is needed.
    Enhanced {
        /// The code, once it was asked for: six digits, or a recovery code.
        code: Option<Secret>,
    },
    /// By enhanced authentication, with a token (JWT, RFC 7519). Nothing else counts.
    Token,
}

/// What a CONNECT does with stored sessions (MQTT 5.0 §3.1.2.4, MQTT 3.1.1
/// §3.1.2.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionUse {
    /// It throws away what was stored.
    pub starts_clean: bool,
    /// It leaves a session behind. One of MQTT 5 always may.
    pub is_stored: bool,
}

impl SessionUse {
    /// Reads the flag of a CONNECT: Clean Session in MQTT 3, Clean Start in 5.
    #[must_use]
    pub fn of(protocol: u8, clean: bool) -> Self {
        Self {
            starts_clean: clean,
            is_stored: protocol >= 5 || !clean,
        }
    }
}

impl Request {
    /// Parses the fields of a CONNECT (MQTT 5.0 §3.1.3).
    ///
    /// # Errors
    ///
    /// Returns [`Reason::Malformed`] when a field is no UTF-8 or has a shape
    /// that nothing valid has.
    pub fn parse(
        client_id: &[u8],
        username: Option<&[u8]>,
        password: Option<&[u8]>,
        session: SessionUse,
    ) -> Result<Self, Reason> {
        fn text(bytes: &[u8]) -> Result<&str, Reason> {
            core::str::from_utf8(bytes).map_err(|_| Reason::Malformed)
        }
        let client_id = ClientId::parse(text(client_id)?).map_err(|_| Reason::Malformed)?;
        let name = match username {
            None => None,
            Some(bytes) => {
                let name = LoginName::parse(text(bytes)?).map_err(|_| Reason::Malformed)?;
                let is_email = |name: &LoginName| matches!(name.suffix(), Suffix::Email);
                let is_without_name = name.as_str().starts_with('@');
                if is_without_name || (name.as_str().contains('+') && !is_email(&name)) {
                    return Err(Reason::Malformed);
                }
                Some(name)
            }
        };
        let secret = password.map(Secret::presented);
        Ok(Self {
            tie: client_id.tie(),
            client_id,
            name,
            secret,
            certificate: None,
            token: None,
            session,
            method: Method::Plain,
        })
    }
}

//! What a CONNECT would come to.

use countersign_core::certificate::Fingerprint;
use countersign_core::connect::ClientIdOwner;
use countersign_core::issuer::IssuerName;
use countersign_core::reason::Reason;

/// What a CONNECT would come to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConnectVerdict {
    /// It is let in as who it says it is.
    Allow,
    /// It is let in unauthenticated, where a tenant allows that.
    AllowUnauthenticated,
    /// It is refused.
    Deny(Reason),
}

impl ConnectVerdict {
    /// Says whether it is let in.
    #[must_use]
    pub fn is_allowed(self) -> bool {
        match self {
            Self::Allow | Self::AllowUnauthenticated => true,
            Self::Deny(_) => false,
        }
    }

    /// The reason, in the words of the audit.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Allow => "ok",
            Self::AllowUnauthenticated => Reason::Unauthenticated.as_str(),
            Self::Deny(reason) => reason.as_str(),
        }
    }
}

/// What a CONNECT would come to, and what that rests on.
#[derive(Clone, Debug)]
pub struct ConnectAnswer {
    /// What it would come to.
    pub verdict: ConnectVerdict,
    /// Whose the client id is, where that is why it is refused.
    pub owner: Option<ClientIdOwner>,
    /// Whose authority or issuer signed what it presents, if one did.
    pub signed_by: Option<SignedBy>,
}

/// Who signed a certificate or a token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SignedBy {
    /// The authority whose own certificate has this fingerprint.
    Authority(Fingerprint),
    /// An issuer.
    Issuer(IssuerName),
}

//! Why something was refused: the words that the audit, the log and
//! `countersign check` share. A client never sees them.

use core::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident = $word:literal,)*) => {
        /// Why a CONNECT or a use of a topic was refused.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Reason {
            $($(#[doc = $doc])* $name,)*
        }

        impl Reason {
            /// All reasons.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its place among [`Self::ALL`].
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }

            /// The reason as the audit and the program write it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn about(self) -> &'static str {
                let text = match self {
                    $(Self::$name => concat!($($doc,)*),)*
                };
                text.trim_ascii()
            }
        }
    };
}

reasons! {
    /// The secret is not the one stored.
    BadSecret = "bad-secret",
    /// The address or the client id is banned.
    Banned = "banned",
    /// The certificate's time is over.
    CertificateExpired = "certificate-expired",
    /// The certificate is no credential's, or not that of the name that was given.
    CertificateUnknown = "certificate-unknown",
    /// The credential has as many client ids with stored sessions as it may.
    ClientIdLimit = "client-id-limit",
    /// The client id breaks the credential's rule.
    ClientIdMismatch = "client-id-mismatch",
    /// The client id belongs to another principal.
    ClientIdOwned = "client-id-owned",
    /// A deny rule matched.
    DeniedByRule = "denied-by-rule",
    /// The credential's time is over.
    Expired = "expired",
    /// The keys of the token's issuer were fetched too long ago, or never.
    KeysOutdated = "keys-outdated",
    /// The user is locked out for now.
    Locked = "locked",
    /// A name, client id or topic has a shape that nothing valid has.
    Malformed = "malformed",
    /// The code of the second factor is missing.
    MfaRequired = "mfa-required",
    /// No allow rule matched.
    NoRule = "no-rule",
    /// The credential's time has not come.
    NotYetValid = "not-yet-valid",
    /// The topic belongs to another tenant.
    OtherTenant = "other-tenant",
    /// Nothing was found wrong; there was only no time to look.
    OverBudget = "over-budget",
    /// There are as many as there may be.
    OverLimit = "over-limit",
    /// The centre is asked to register the client, which gets in when it comes again.
    Registering = "registering",
    /// The credential was revoked.
    Revoked = "revoked",
    /// The replica has not heard from its centre for too long.
    Stale = "stale",
    /// The store was locked for longer than a login may wait.
    StoreBusy = "store-busy",
    /// The store could not be read.
    StoreUnavailable = "store-unavailable",
    /// The credential is suspended.
    Suspended = "suspended",
    /// This principal may use listeners with TLS only.
    TlsRequired = "tls-required",
    /// Too many logins failed before this one, which was not looked at.
    TooManyFailures = "too-many-failures",
    /// No valid login, where one is required.
    Unauthenticated = "unauthenticated",
    /// No credential has this name.
    UnknownName = "unknown-name",
    /// The name's suffix is no tenant.
    UnknownTenant = "unknown-tenant",
    /// The listener takes another tenant's principals.
    WrongListener = "wrong-listener",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_word_of_its_own() {
        let mut words: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Reason::ALL.len());
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), index);
        }
    }

    #[test]
    fn every_reason_is_told_in_a_sentence() {
        for reason in Reason::ALL {
            let about = reason.about();
            assert!(about.len() >= 20 && about.ends_with('.'), "{about}");
        }
    }
}

//! What the store said of issuers of others.

use std::collections::HashMap;
use std::sync::Arc;

use countersign_core::issuer::{IssuerId, IssuerRecord, IssuerText};

/// What the store said of issuers, also that there are none, and of their tokens. When an
/// issuer changes, or one of its tokens is revoked, its tenant does, and all of this goes.
#[derive(Debug, Default)]
pub(crate) struct Issuers {
    like: HashMap<IssuerText, Arc<[IssuerRecord]>>,
    revoked: HashMap<(IssuerId, IssuerText), bool>,
}

impl Issuers {
    /// Those whose tokens say that this one issued them, if that was asked for.
    pub(crate) fn like(&self, issuer: &IssuerText) -> Option<&Arc<[IssuerRecord]>> {
        self.like.get(issuer)
    }

    /// Keeps whose tokens say that this one issued them.
    pub(crate) fn keep(&mut self, issuer: &IssuerText, found: &Arc<[IssuerRecord]>) {
        if self.like.len() >= MOST {
            self.like.clear();
        }
        self.like.insert(issuer.clone(), Arc::clone(found));
    }

    /// Says whether a token is revoked, if that was asked for.
    pub(crate) fn is_revoked(&self, token: &(IssuerId, IssuerText)) -> Option<bool> {
        self.revoked.get(token).copied()
    }

    /// Keeps whether a token is revoked.
    pub(crate) fn keep_revoked(&mut self, token: (IssuerId, IssuerText), is_revoked: bool) {
        if self.revoked.len() >= MOST_TOKENS {
            self.revoked.clear();
        }
        self.revoked.insert(token, is_revoked);
    }
}

/// Some 300 bytes each where nobody is meant; some kilobytes where one is, for its keys.
const MOST: usize = 1_024;
/// Some 100 bytes each, 400 at most. Only tokens that an issuer has signed are here.
const MOST_TOKENS: usize = 10_240;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_has_a_bound() {
        let mut kept = Issuers::default();
        for number in 0..MOST_TOKENS + 1 {
            let text = IssuerText::parse(&number.to_string()).unwrap();
            kept.keep(&text, &Arc::default());
            assert!(kept.like(&text).is_some());
            assert!(kept.like.len() <= MOST);
            let token = (IssuerId(1), text);
            kept.keep_revoked(token.clone(), number % 2 == 0);
            assert_eq!(kept.is_revoked(&token), Some(number % 2 == 0));
            assert_eq!(kept.is_revoked(&(IssuerId(2), token.1)), None);
            assert!(kept.revoked.len() <= MOST_TOKENS);
        }
    }
}

//! What the store said of issuers of others.

use std::collections::HashMap;
use std::sync::Arc;

use countersign_core::issuer::{IssuerRecord, IssuerText};

/// What the store said of issuers, also that there are none. When one changes, its tenant
/// does, and all of this goes.
#[derive(Debug, Default)]
pub(crate) struct Issuers {
    like: HashMap<IssuerText, Arc<[IssuerRecord]>>,
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
}

/// Some 300 bytes each where nobody is meant; some kilobytes where one is, for its keys.
const MOST: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_has_a_bound() {
        let mut kept = Issuers::default();
        for number in 0..MOST + 1 {
            let issuer = IssuerText::parse(&number.to_string()).unwrap();
            kept.keep(&issuer, &Arc::default());
            assert!(kept.like(&issuer).is_some());
            assert!(kept.like.len() <= MOST);
        }
    }
}

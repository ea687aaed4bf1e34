//! The users of a source, by name, in its order.

use std::collections::HashMap;

use countersign_core::name::LoginName;

use crate::plan::desired::{DesiredCredential, DesiredRule};

/// Credentials that are wanted, each once.
#[derive(Default)]
pub(crate) struct Users {
    credentials: Vec<DesiredCredential>,
    by_name: HashMap<Box<str>, usize>,
}

impl Users {
    /// The credential of this name, which is made where there is none yet.
    pub(crate) fn named(&mut self, name: &str) -> &mut DesiredCredential {
        let next = self.credentials.len();
        let at = *self.by_name.entry(name.into()).or_insert(next);
        if at == next {
            self.credentials.push(DesiredCredential::new(name));
        }
        #[expect(
            clippy::indexing_slicing,
            reason = "it was pushed above, if it was not there"
        )]
        &mut self.credentials[at]
    }

    /// All of them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut DesiredCredential> {
        self.credentials.iter_mut()
    }

    /// All of them, in the source's order.
    pub(crate) fn into_vec(self) -> Vec<DesiredCredential> {
        self.credentials
    }
}

/// Says whether the user of this name becomes an operator.
pub(crate) fn is_operator(operators: &[LoginName], name: &str) -> bool {
    operators.iter().any(|operator| operator.as_str() == name)
}

/// The same rules for one that holds no roles, told of elsewhere.
pub(crate) fn as_own<'a>(
    rules: impl IntoIterator<Item = &'a DesiredRule>,
) -> impl Iterator<Item = DesiredRule> {
    rules.into_iter().map(|desired| DesiredRule {
        item: None,
        rule: desired.rule.clone(),
    })
}

//! Something that is tried in a store in which the tenant of an import is, whether it
//! is made first or not.

use countersign_admin::{AdminError, Command, Permission, Tx};
use countersign_core::store::Intent;

use super::step::Step;

/// A look, behind the tenant where that is made. It is run dry.
pub(crate) struct Attempt<'a, C> {
    /// Makes the tenant, where there is none.
    pub(crate) making: Option<&'a Step>,
    /// The look.
    pub(crate) command: C,
}

impl<C: Command> Command for Attempt<'_, C> {
    type Output = C::Output;

    fn needs(&self) -> Permission {
        self.command.needs()
    }

    fn intent(&self) -> Intent {
        match self.making {
            Some(_) => Intent::Write,
            None => self.command.intent(),
        }
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Self::Output, AdminError> {
        if let Some(making) = self.making {
            tx.run(making)?;
        }
        tx.run(&self.command)
    }
}

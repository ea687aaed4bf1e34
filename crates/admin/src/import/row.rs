//! Credentials of any scheme, one by one, as a table lists them.

use countersign_core::imported::ImportMark;
use countersign_core::lifecycle::State;
use countersign_core::secret::{PasswordHash, Verifier};

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::credential::{CreateCredential, RevokeCredential, SuspendCredential};
use crate::error::AdminError;
use crate::lookup;
use crate::password::ChosenPassword;
use crate::secret::IssuedCredential;

/// Makes a credential as its scheme says, in the state that it had elsewhere.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct ImportRow {
    /// The credential.
    pub create: CreateCredential,
    /// What is kept of its password, in the place of a generated secret.
    pub hash: Option<PasswordHash>,
    /// Its state; one that was used elsewhere is Inactive until it is used here.
    pub state: State,
    /// What is remembered of its source. The secret is told by the store.
    pub mark: ImportMark,
}

impl Command for ImportRow {
    type Output = IssuedCredential;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        self.create.passwords()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<IssuedCredential, AdminError> {
        let mut issued = tx.run(&self.create)?;
        let credential = &issued.described.credential;
        let (id, name) = (credential.id, credential.name.clone());
        let mut secret = credential.secrets.first().map(|secret| secret.id);
        if let Some(hash) = &self.hash {
            let schemes = tx.schemes()?;
            let scheme = lookup::scheme(&schemes, &credential.scheme)?;
            scheme.check_hashed(&name, &schemes)?;
            // The secret that was made is nobody's: it was never handed out.
            for made in &credential.secrets {
                tx.remove_secret(made.id)?;
            }
            secret = Some(tx.add_secret(id, &Verifier::Password(hash.clone()))?);
            issued.secret = None;
        }
        match self.state {
            State::Active | State::Inactive => {}
            State::Revoked => drop(tx.run(&RevokeCredential {
                name: name.clone(),
                reason: None,
            })?),
            State::Suspended => drop(tx.run(&SuspendCredential(name.clone()))?),
        }
        let mark = ImportMark {
            secret,
            ..self.mark.clone()
        };
        tx.put_credential_import(id, &mark)?;
        Ok(issued)
    }
}

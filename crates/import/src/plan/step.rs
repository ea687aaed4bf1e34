//! The steps of a plan: each is written in one transaction, and none but the first
//! is about more than 50 objects.

use countersign_admin::import::{
    ImportCredentials, ImportRole, ImportTable, UpdateImportedCredential, UpdateImportedRole,
};
use countersign_admin::password::ChosenPassword;
use countersign_admin::tenant::{CreateTenant, SetTenant};
use countersign_admin::{AdminError, Command, Permission, Tx};

use countersign_core::name::LoginName;
use countersign_core::secret::Secret;

use crate::report::Created;

/// A secret that was made for a credential of a table, to be handed over this once.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct IssuedSecret {
    /// The credential's name.
    pub name: LoginName,
    /// The secret.
    pub secret: Secret,
}

/// What is written in one transaction.
pub(crate) enum Step {
    /// Makes credentials.
    Credentials(ImportCredentials),
    /// Makes a role.
    Role(ImportRole),
    /// Makes credentials of any scheme.
    Rows(ImportTable),
    /// Makes the tenant.
    Tenant(Box<CreateTenant>, Box<SetTenant>),
    /// Changes a role that an earlier import made.
    UpdateRole(UpdateImportedRole),
    /// Changes credentials that an earlier import made.
    Updates(Vec<UpdateImportedCredential>),
}

/// So many credentials are written in one transaction.
pub(crate) const MOST_IN_A_STEP: usize = 50;

impl Step {
    /// What it makes.
    pub(crate) fn created(&self) -> Created {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        match self {
            Self::Credentials(step) => {
                let operators = step.credentials.iter().filter(|it| it.is_operator).count();
                let rules = step.credentials.iter().map(|it| it.rules.len());
                Created {
                    credentials: count(step.credentials.len().saturating_sub(operators)),
                    operators: count(operators),
                    rules: count(rules.sum()),
                    ..Created::default()
                }
            }
            Self::Rows(table) => Created {
                credentials: count(table.0.len()),
                ..Created::default()
            },
            Self::Role(role) => Created {
                roles: 1,
                rules: count(role.rules.len()),
                ..Created::default()
            },
            Self::Tenant(..) => Created {
                tenants: 1,
                ..Created::default()
            },
            Self::UpdateRole(_) | Self::Updates(_) => Created::default(),
        }
    }

    /// How many objects of an earlier import it changes.
    pub(crate) fn updated(&self) -> u64 {
        match self {
            Self::Credentials(_) | Self::Role(_) | Self::Rows(_) | Self::Tenant(..) => 0,
            Self::UpdateRole(_) => 1,
            Self::Updates(updates) => u64::try_from(updates.len()).unwrap_or(u64::MAX),
        }
    }
}

impl Command for Step {
    /// The secrets that were made.
    type Output = Vec<IssuedSecret>;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        match self {
            Self::Credentials(step) => step.passwords(),
            Self::Role(_) | Self::Tenant(..) | Self::UpdateRole(_) => Vec::new(),
            Self::Rows(table) => table.passwords(),
            Self::Updates(updates) => updates.iter().flat_map(Command::passwords).collect(),
        }
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<IssuedSecret>, AdminError> {
        let mut issued = Vec::new();
        match self {
            Self::Credentials(step) => drop(tx.run(step)?),
            Self::Role(step) => tx.run(step)?,
            Self::Rows(table) => {
                for made in tx.run(table)? {
                    let name = made.described.credential.name;
                    issued.extend(made.secret.map(|secret| IssuedSecret { name, secret }));
                }
            }
            Self::Tenant(create, set) => {
                tx.run(&**create)?;
                if !set.changes.is_empty() {
                    tx.run(&**set)?;
                }
            }
            Self::UpdateRole(step) => tx.run(step)?,
            Self::Updates(updates) => {
                for update in updates {
                    tx.run(update)?;
                }
            }
        }
        Ok(issued)
    }
}

//! The steps of a plan: each is written in one transaction, and none but the first
//! is about more than 50 objects.

use countersign_admin::import::{
    ImportCredentials, ImportRole, UpdateImportedCredential, UpdateImportedRole,
};
use countersign_admin::password::ChosenPassword;
use countersign_admin::tenant::{CreateTenant, SetTenant};
use countersign_admin::{AdminError, Command, Permission, Tx};

use crate::report::Created;

/// What is written in one transaction.
pub(crate) enum Step {
    /// Makes credentials.
    Credentials(ImportCredentials),
    /// Makes a role.
    Role(ImportRole),
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
            Self::Credentials(_) | Self::Role(_) | Self::Tenant(..) => 0,
            Self::UpdateRole(_) => 1,
            Self::Updates(updates) => u64::try_from(updates.len()).unwrap_or(u64::MAX),
        }
    }
}

impl Command for Step {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        match self {
            Self::Credentials(step) => step.passwords(),
            Self::Role(_) | Self::Tenant(..) | Self::UpdateRole(_) => Vec::new(),
            Self::Updates(updates) => updates.iter().flat_map(Command::passwords).collect(),
        }
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        match self {
            Self::Credentials(step) => tx.run(step).map(drop),
            Self::Role(step) => tx.run(step),
            Self::Tenant(create, set) => {
                tx.run(&**create)?;
                if set.changes.is_empty() {
                    return Ok(());
                }
                tx.run(&**set).map(drop)
            }
            Self::UpdateRole(step) => tx.run(step),
            Self::Updates(updates) => updates.iter().try_for_each(|update| tx.run(update)),
        }
    }
}

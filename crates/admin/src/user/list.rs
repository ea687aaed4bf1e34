//! Lists of users: of all, and of those whom a tenant grants something.

use countersign_core::credential::CredentialId;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::store::{Intent, Listed, Page};

use super::{ShownUser, known};
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::AdminError;
use crate::lookup;

/// Lists users, by address.
#[derive(Clone, Debug, Default)]
pub struct ListUsers(pub Page<LoginName>);

impl Command for ListUsers {
    type Output = Listed<ShownUser>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Listed<ShownUser>, AdminError> {
        let Listed { rows, next } = tx.users(&self.0)?;
        let shown = rows.into_iter().map(|user| ShownUser::of(tx, user));
        let rows = shown.collect::<Result<_, _>>()?;
        Ok(Listed { rows, next })
    }
}

/// Lists the users whom a tenant grants something, in the order in which they were made.
/// Of those whom the caller does not manage, it tells what tenants of the caller grant,
/// and no more.
#[derive(Clone, Debug)]
pub struct ListGrantedUsers {
    /// The tenant.
    pub tenant: TenantId,
    /// Which of them.
    pub page: Page<CredentialId>,
}

/// Some of the users of a tenant.
#[derive(Clone, Debug)]
pub struct GrantedUsers {
    /// The users.
    pub rows: Vec<ShownUser>,
    /// The number after which the next page begins; none where there is no more.
    pub next: Option<CredentialId>,
}

impl Command for ListGrantedUsers {
    type Output = GrantedUsers;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Administer(self.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<GrantedUsers, AdminError> {
        lookup::check_tenant(tx, Some(&self.tenant))?;
        let Listed { rows, next } = tx.granted_users(&self.tenant, &self.page)?;
        let users = rows.into_iter().map(|user| user.0).collect();
        let rows = known(tx, users)?;
        Ok(GrantedUsers { rows, next })
    }
}

//! Lists of members that a command replaces as a whole: the roles and the groups of a
//! client, the roles and the clients of a group.

use countersign_admin::credential::{CredentialChanges, SetCredential};
use countersign_admin::{AdminError, Tx};
use countersign_core::credential::Credential;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::RoleName;

use crate::find;
use crate::membership::{assign, join, leave, unassign};
use crate::note::{self, ClientNote};
use crate::order::{Order, cannot, members};

/// The members of something.
pub(crate) trait Members {
    type Member;

    fn name(member: &Self::Member) -> &str;

    /// The member of this name, if there may be such.
    fn find(&self, tx: &mut Tx<'_>, name: &str) -> Result<Self::Member, AdminError>;

    /// The members that there are.
    fn held(&self, tx: &mut Tx<'_>) -> Result<Vec<Self::Member>, AdminError>;

    fn take_out(&self, tx: &mut Tx<'_>, member: &Self::Member) -> Result<(), AdminError>;

    /// Puts one in, and checks whether that can be said. One that is there gets this
    /// priority.
    fn put_in(
        &self,
        tx: &mut Tx<'_>,
        member: &Self::Member,
        priority: i64,
    ) -> Result<(), AdminError>;

    /// Leaves these members and no others. All are found before anything is changed.
    fn replace(&self, tx: &mut Tx<'_>, given: &[(&str, i64)]) -> Result<(), AdminError> {
        let mut wanted = Vec::new();
        for (name, priority) in given {
            wanted.push((self.find(tx, name)?, *priority));
        }
        for member in self.held(tx)? {
            let name = Self::name(&member);
            if !wanted.iter().any(|(it, _)| Self::name(it) == name) {
                self.take_out(tx, &member)?;
            }
        }
        for (member, priority) in &wanted {
            self.put_in(tx, member, *priority)?;
        }
        Ok(())
    }
}

/// The roles of a client.
pub(crate) struct RolesOfClient<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) client: &'a Credential,
}

impl RolesOfClient<'_> {
    fn change(
        &self,
        tx: &mut Tx<'_>,
        changes: CredentialChanges,
        noted: impl FnOnce(&mut ClientNote),
    ) -> Result<Credential, AdminError> {
        let name = self.client.name.clone();
        let changed = tx.run(&SetCredential { name, changes })?;
        let name = self.client.name.as_str();
        let mut note: ClientNote = note::of(tx, self.tenant, name)?;
        noted(&mut note);
        note::put(tx, self.tenant, name, &note, "credential.note")?;
        Ok(changed.credential)
    }
}

impl Members for RolesOfClient<'_> {
    type Member = RoleName;

    fn name(member: &RoleName) -> &str {
        member.as_str()
    }

    fn find(&self, tx: &mut Tx<'_>, name: &str) -> Result<RoleName, AdminError> {
        find::role(tx, self.tenant, name)
    }

    fn held(&self, _: &mut Tx<'_>) -> Result<Vec<RoleName>, AdminError> {
        Ok(self.client.roles.clone())
    }

    fn take_out(&self, tx: &mut Tx<'_>, role: &RoleName) -> Result<(), AdminError> {
        let changes = CredentialChanges {
            remove_roles: vec![role.clone()],
            ..CredentialChanges::default()
        };
        let noted = |note: &mut ClientNote| {
            note.roles.remove(role.as_str());
        };
        self.change(tx, changes, noted).map(drop)
    }

    fn put_in(&self, tx: &mut Tx<'_>, role: &RoleName, priority: i64) -> Result<(), AdminError> {
        let changes = CredentialChanges {
            add_roles: vec![role.clone()],
            ..CredentialChanges::default()
        };
        let noted =
            |note: &mut ClientNote| find::prioritise(&mut note.roles, role.as_str(), priority);
        let changed = self.change(tx, changes, noted)?;
        Order::read(tx, self.tenant)?.check_client(tx, &changed, role)
    }
}

/// The groups of a client.
pub(crate) struct GroupsOfClient<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) client: &'a Credential,
}

impl Members for GroupsOfClient<'_> {
    type Member = GroupPath;

    fn name(member: &GroupPath) -> &str {
        member.as_str()
    }

    fn find(&self, tx: &mut Tx<'_>, name: &str) -> Result<GroupPath, AdminError> {
        let otherwise = "'groups' contains an object with a 'groupname' that does not exist";
        find::group(tx, self.tenant, name).map_err(|error| find::missing(error, otherwise))
    }

    fn held(&self, _: &mut Tx<'_>) -> Result<Vec<GroupPath>, AdminError> {
        Ok(self.client.groups.clone())
    }

    fn take_out(&self, tx: &mut Tx<'_>, group: &GroupPath) -> Result<(), AdminError> {
        leave(tx, self.tenant, self.client, group)
    }

    fn put_in(&self, tx: &mut Tx<'_>, group: &GroupPath, priority: i64) -> Result<(), AdminError> {
        join(tx, self.tenant, self.client, group, priority)
    }
}

/// The roles of a group.
pub(crate) struct RolesOfGroup<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) group: &'a GroupPath,
}

impl Members for RolesOfGroup<'_> {
    type Member = RoleName;

    fn name(member: &RoleName) -> &str {
        member.as_str()
    }

    fn find(&self, tx: &mut Tx<'_>, name: &str) -> Result<RoleName, AdminError> {
        find::role(tx, self.tenant, name)
    }

    fn held(&self, tx: &mut Tx<'_>) -> Result<Vec<RoleName>, AdminError> {
        Ok(tx.roles_of_group(self.tenant, self.group)?)
    }

    fn take_out(&self, tx: &mut Tx<'_>, role: &RoleName) -> Result<(), AdminError> {
        unassign(tx, self.tenant, self.group, role)
    }

    fn put_in(&self, tx: &mut Tx<'_>, role: &RoleName, priority: i64) -> Result<(), AdminError> {
        assign(tx, self.tenant, self.group, role, priority)
    }
}

/// The clients of a group, of whom a command changes so many at most: brokers may wait for
/// its transaction.
pub(crate) struct ClientsOfGroup<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) group: &'a GroupPath,
}

impl ClientsOfGroup<'_> {
    /// So many clients a command changes at most.
    pub(crate) const MOST_CHANGED: usize = 500;
}

impl Members for ClientsOfGroup<'_> {
    type Member = Credential;

    fn name(member: &Credential) -> &str {
        member.name.as_str()
    }

    fn find(&self, tx: &mut Tx<'_>, name: &str) -> Result<Credential, AdminError> {
        let otherwise = "'clients' contains an object with a 'username' that does not exist";
        find::client(tx, self.tenant, name).map_err(|error| find::missing(error, otherwise))
    }

    fn held(&self, tx: &mut Tx<'_>) -> Result<Vec<Credential>, AdminError> {
        let members = members(tx, self.tenant, self.group)?;
        if members.len() > Self::MOST_CHANGED {
            let (group, most) = (self.group, Self::MOST_CHANGED);
            return Err(cannot(format!(
                "group `{group}` has more than {most} clients, which is too many for one \
                 command here; take them out before, some at a time"
            )));
        }
        Ok(members)
    }

    fn take_out(&self, tx: &mut Tx<'_>, client: &Credential) -> Result<(), AdminError> {
        leave(tx, self.tenant, client, self.group)
    }

    fn put_in(
        &self,
        tx: &mut Tx<'_>,
        client: &Credential,
        priority: i64,
    ) -> Result<(), AdminError> {
        join(tx, self.tenant, client, self.group, priority)
    }
}

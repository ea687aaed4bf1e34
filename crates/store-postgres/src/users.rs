//! What users have besides a credential: a second factor, recovery codes, and
//! grants in tenants.

use std::collections::BTreeSet;

use countersign_core::credential::CredentialId;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::RoleName;
use countersign_core::seal::Sealed;
use countersign_core::secret::SecretDigest;
use countersign_core::store::StoreError;
use countersign_core::store::rows::UserRows;
use countersign_core::totp::Step;
use countersign_core::user::{
    Grant, GrantedRight, RecoveryCode, RecoveryCodeId, SecondFactor, User,
};

use crate::error::{Fault, found};
use crate::row_reader::RowReader;
use crate::sql::{Connection, params};
use crate::transaction::PostgresTransaction;

impl UserRows for PostgresTransaction<'_> {
    fn put_recovery_codes(
        &mut self,
        user: CredentialId,
        codes: &[SecretDigest],
    ) -> Result<(), StoreError> {
        self.run("write recovery codes", |connection| {
            put_recovery_codes(connection, user, codes)
        })
    }

    fn platform_admins(&mut self) -> Result<Vec<CredentialId>, StoreError> {
        self.run("list the platform's administrators", |connection| {
            let statement =
                connection.prepare("SELECT credential FROM person WHERE platform_admin = 1")?;
            let mut rows = statement.query(())?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(CredentialId(RowReader::of(row).number()?));
            }
            Ok(found)
        })
    }

    fn remove_recovery_code(
        &mut self,
        user: CredentialId,
        code: RecoveryCodeId,
    ) -> Result<bool, StoreError> {
        self.run("use a recovery code", |connection| {
            let removed = connection
                .prepare("DELETE FROM recovery_code WHERE id = $1 AND credential = $2")?
                .execute([code.0, user.0])?;
            Ok(removed > 0)
        })
    }

    fn put_last_step(&mut self, user: CredentialId, step: Step) -> Result<(), StoreError> {
        self.run("write the step of a code", |connection| {
            put_last_step(connection, user, step)
        })
    }

    fn use_step(&mut self, user: CredentialId, step: Step) -> Result<bool, StoreError> {
        self.run("write the step of a code", |connection| {
            let updated = connection
                .prepare(
                    "UPDATE person SET last_step = $2
                     WHERE credential = $1 AND seed IS NOT NULL AND is_confirmed = 1
                         AND (last_step IS NULL OR last_step < $2)",
                )?
                .execute([user.0, step.0])?;
            Ok(updated > 0)
        })
    }

    fn put_last_tenant(&mut self, user: CredentialId, tenant: &TenantId) -> Result<(), StoreError> {
        self.run("write the last tenant of a user", |connection| {
            put_last_tenant(connection, user, tenant)
        })
    }
}

/// What makes the credential `id` a user.
pub(crate) fn user(connection: &Connection, id: CredentialId) -> Result<User, Fault> {
    let statement = connection.prepare(PERSON)?;
    let mut rows = statement.query([id.0])?;
    let Some(row) = rows.next()? else {
        return Err(Fault::Content("a stored user".into()));
    };
    let columns = &mut RowReader::of(row);
    let seed = columns.maybe_bytes()?.map(<[u8]>::to_vec);
    let is_confirmed = columns.flag()?;
    let last_step = columns.maybe_number()?.map(Step);
    let second_factor = match seed {
        Some(seed) => Some(SecondFactor {
            seed: Sealed::from_bytes(seed),
            is_confirmed,
            last_step,
            recovery: recovery_codes(connection, id)?,
        }),
        None => None,
    };
    let (grants, handed_over) = grants(connection, id)?;
    Ok(User {
        second_factor,
        last_tenant: columns.maybe_parsed(TenantId::parse)?,
        is_platform_admin: columns.flag()?,
        grants,
        handed_over,
    })
}

/// Writes a user who has nothing stored yet; recovery codes don't count.
pub(crate) fn put_new(connection: &Connection, id: CredentialId, user: &User) -> Result<(), Fault> {
    let factor = user.second_factor.as_ref();
    connection
        .prepare(
            "INSERT INTO person (credential, seed, is_confirmed, last_step, last_tenant,
                 platform_admin)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )?
        .execute(params![
            id.0,
            factor.map(|factor| factor.seed.as_bytes()),
            factor.is_some_and(|factor| factor.is_confirmed),
            factor
                .and_then(|factor| factor.last_step)
                .map(|Step(step)| step),
            user.last_tenant.as_ref().map(TenantId::as_str),
            user.is_platform_admin,
        ])?;
    put_grants(connection, id, user)
}

/// Writes what acts may change of a user: neither the recovery codes nor the
/// last step.
pub(crate) fn update(connection: &Connection, id: CredentialId, user: &User) -> Result<(), Fault> {
    let factor = user.second_factor.as_ref();
    let rows = connection
        .prepare(
            "UPDATE person SET seed = $2, is_confirmed = $3, last_tenant = $4,
                 platform_admin = $5
             WHERE credential = $1",
        )?
        .execute(params![
            id.0,
            factor.map(|factor| factor.seed.as_bytes()),
            factor.is_some_and(|factor| factor.is_confirmed),
            user.last_tenant.as_ref().map(TenantId::as_str),
            user.is_platform_admin,
        ])?;
    found(rows, "the user")?;
    connection
        .prepare("DELETE FROM person_grant WHERE credential = $1")?
        .execute([id.0])?;
    put_grants(connection, id, user)
}

/// Replaces the recovery codes of a user and forgets the last step.
fn put_recovery_codes(
    connection: &Connection,
    id: CredentialId,
    codes: &[SecretDigest],
) -> Result<(), Fault> {
    let rows = connection
        .prepare("UPDATE person SET last_step = NULL WHERE credential = $1")?
        .execute([id.0])?;
    found(rows, "the user")?;
    connection
        .prepare("DELETE FROM recovery_code WHERE credential = $1")?
        .execute([id.0])?;
    let statement =
        connection.prepare("INSERT INTO recovery_code (credential, digest) VALUES ($1, $2)")?;
    for code in codes {
        statement.execute(params![id.0, code.as_bytes()])?;
    }
    Ok(())
}

/// Makes a step the last one that a code was accepted for.
fn put_last_step(connection: &Connection, id: CredentialId, step: Step) -> Result<(), Fault> {
    let rows = connection
        .prepare("UPDATE person SET last_step = $2 WHERE credential = $1")?
        .execute([id.0, step.0])?;
    found(rows, "the user")
}

/// Makes a tenant the one that a user worked in last.
fn put_last_tenant(
    connection: &Connection,
    id: CredentialId,
    tenant: &TenantId,
) -> Result<(), Fault> {
    let rows = connection
        .prepare("UPDATE person SET last_tenant = $2 WHERE credential = $1")?
        .execute(params![id.0, tenant.as_str()])?;
    found(rows, "the user")
}

fn put_grants(connection: &Connection, id: CredentialId, user: &User) -> Result<(), Fault> {
    let statement = connection.prepare(
        "INSERT INTO person_grant (credential, tenant, group_path, role, org_admin, viewer,
             handed_over)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )?;
    for grant in &user.grants {
        let (role, is_org_admin, is_viewer) = match &grant.right {
            GrantedRight::OrgAdmin => (None, true, false),
            GrantedRight::Role(role) => (Some(role.as_str()), false, false),
            GrantedRight::Viewer => (None, false, true),
        };
        statement.execute(params![
            id.0,
            grant.tenant.as_str(),
            grant.group.as_ref().map(GroupPath::as_str),
            role,
            is_org_admin,
            is_viewer,
            user.handed_over.contains(&grant.tenant),
        ])?;
    }
    Ok(())
}

/// What a user is granted, and in which tenants the platform gave it.
fn grants(
    connection: &Connection,
    id: CredentialId,
) -> Result<(Vec<Grant>, BTreeSet<TenantId>), Fault> {
    let statement = connection.prepare(GRANTS)?;
    let mut rows = statement.query([id.0])?;
    let (mut grants, mut handed_over) = (Vec::new(), BTreeSet::new());
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let tenant = columns.parsed(TenantId::parse)?;
        let group = columns.maybe_parsed(GroupPath::parse)?;
        let role = columns.maybe_parsed(RoleName::parse)?;
        let right = match (role, columns.flag()?, columns.flag()?) {
            (None, true, false) => GrantedRight::OrgAdmin,
            (Some(role), false, false) => GrantedRight::Role(role),
            (None, false, true) => GrantedRight::Viewer,
            _ => return Err(columns.nonsense()),
        };
        if columns.flag()? {
            handed_over.insert(tenant.clone());
        }
        grants.push(Grant {
            tenant,
            group,
            right,
        });
    }
    Ok((grants, handed_over))
}

fn recovery_codes(connection: &Connection, id: CredentialId) -> Result<Vec<RecoveryCode>, Fault> {
    let statement = connection.prepare(RECOVERY_CODES)?;
    let mut rows = statement.query([id.0])?;
    let mut codes = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        codes.push(RecoveryCode {
            id: RecoveryCodeId(columns.number()?),
            digest: SecretDigest::from_bytes(columns.hash()?),
        });
    }
    Ok(codes)
}

pub(crate) const PERSON: &str =
    "SELECT seed, is_confirmed, last_step, last_tenant, platform_admin FROM person
     WHERE credential = $1";

pub(crate) const GRANTS: &str = "SELECT tenant, group_path, role, org_admin, viewer, handed_over
     FROM person_grant
     WHERE credential = $1 ORDER BY tenant";

pub(crate) const RECOVERY_CODES: &str =
    "SELECT id, digest FROM recovery_code WHERE credential = $1 ORDER BY id";

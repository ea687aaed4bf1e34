//! What a credential stands for, in columns of its row and tables beside it.

use countersign_core::credential::{Credential, CredentialId};
use countersign_core::kind::{Application, ApplicationName, Kind, Thing};
use countersign_core::name::LoginName;

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::sql::Connection;
use crate::{auto_registration, users};

/// Reads the kind of the credential `id` from the columns of [`KIND_COLUMNS`].
pub(crate) fn read(
    connection: &Connection,
    id: CredentialId,
    columns: &mut RowReader<'_>,
) -> Result<Kind, Fault> {
    let application = columns.maybe_number()?.map(CredentialId);
    let is_org_admin = columns.flag()?;
    let registers = columns.flag()?;
    Ok(match (columns.text()?, application) {
        ("application", None) => Kind::Application(Application {
            is_org_admin,
            registers: registers
                .then(|| auto_registration::of(connection, id))
                .transpose()?,
        }),
        ("bearer", None) => Kind::Bearer,
        ("device", None) => Kind::Device,
        ("operator", None) => Kind::Operator,
        ("thing", Some(application)) => Kind::Thing(thing_of(connection, application)?),
        ("user", None) => Kind::User(Box::new(users::user(connection, id)?)),
        _ => return Err(columns.nonsense()),
    })
}

/// What a credential's row tells of its kind.
pub(crate) struct CredentialKindColumns {
    /// The kind.
    pub(crate) kind: &'static str,
    /// The application of a thing.
    pub(crate) application: Option<i64>,
    /// Whether it is an application whose sessions administer the tenant.
    pub(crate) org_admin: bool,
    /// Whether it is an application that makes its things.
    pub(crate) auto_register: bool,
}

impl CredentialKindColumns {
    /// What the row of a credential of this kind tells.
    pub(crate) fn of(kind: &Kind) -> Self {
        let about = kind.application();
        Self {
            kind: kind.as_str(),
            application: kind.thing().map(|thing| thing.application.0),
            org_admin: about.is_some_and(|about| about.is_org_admin),
            auto_register: about.is_some_and(|about| about.registers.is_some()),
        }
    }
}

/// Writes what lies in other tables, of a credential that has nothing there.
pub(crate) fn put_new(
    connection: &Connection,
    id: CredentialId,
    credential: &Credential,
) -> Result<(), Fault> {
    match &credential.kind {
        Kind::User(user) => users::put_new(connection, id, user),
        Kind::Application(about) => match &about.registers {
            Some(registers) => auto_registration::put_new(connection, id, registers),
            None => Ok(()),
        },
        Kind::Bearer | Kind::Device | Kind::Operator | Kind::Thing(_) => Ok(()),
    }
}

/// Writes what lies in other tables and acts may change.
pub(crate) fn update(connection: &Connection, credential: &Credential) -> Result<(), Fault> {
    match credential.kind.user() {
        Some(user) => users::update(connection, credential.id, user),
        None => Ok(()),
    }
}

fn thing_of(connection: &Connection, application: CredentialId) -> Result<Thing, Fault> {
    let statement = connection.prepare(APPLICATION)?;
    let mut rows = statement.query([application.0])?;
    let Some(row) = rows.next()? else {
        return Err(Fault::Content("the application of a stored thing".into()));
    };
    let columns = &mut RowReader::of(row);
    let name = columns.parsed(LoginName::parse)?;
    Ok(Thing {
        application,
        application_name: ApplicationName::of_credential(&name)
            .ok_or_else(|| columns.nonsense())?,
        is_org_admin: columns.flag()?,
    })
}

/// The application of a thing.
pub(crate) const APPLICATION: &str = "SELECT name, org_admin FROM credential
     WHERE id = $1 AND kind = 'application'";

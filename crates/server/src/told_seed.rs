//! Where the seed of a user's second factor stands among what a follower is told.

use countersign_core::credential::CredentialId;
use countersign_core::name::LoginName;
use countersign_core::store::{Cell, ReplicaObject, TableRow};

/// The seed of a user's second factor, in what a follower is told.
pub(crate) struct ToldSeed<'a> {
    /// The user's credential.
    pub(crate) id: CredentialId,
    /// The user.
    pub(crate) name: LoginName,
    /// It, sealed; empty where it is not told.
    pub(crate) bytes: &'a mut Vec<u8>,
}

impl<'a> ToldSeed<'a> {
    /// The one in an object; none where it is no user with a second factor.
    pub(crate) fn of(object: &'a mut ReplicaObject) -> Option<Self> {
        let id = CredentialId(object.object.number?);
        let name = match cell(&mut object.rows, "credential", "name")? {
            Cell::Text(name) => LoginName::parse(name).ok()?,
            Cell::Bytes(_) | Cell::Integer(_) | Cell::Null => return None,
        };
        match cell(&mut object.rows, "person", "seed")? {
            Cell::Bytes(bytes) => Some(Self { id, name, bytes }),
            Cell::Integer(_) | Cell::Null | Cell::Text(_) => None,
        }
    }
}

fn cell<'a>(rows: &'a mut [TableRow], table: &str, column: &str) -> Option<&'a mut Cell> {
    let row = rows.iter_mut().find(|row| row.table == table)?;
    let mut cells = row.cells.iter_mut();
    cells.find_map(|(name, cell)| (name == column).then_some(cell))
}

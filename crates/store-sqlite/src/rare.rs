//! What so few credentials are or have that they are found by it.

use countersign_core::lifecycle::State;
use countersign_core::name::GroupPath;
use countersign_core::store::CredentialQuery;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::error::Fault;
use crate::page_query::text;

/// A condition that so few credentials meet that sorting them takes no time to speak of.
#[derive(Debug)]
pub(crate) struct Rare {
    /// The statement that finds their numbers, by an index.
    pub(crate) ids: &'static str,
    /// What is bound to it.
    pub(crate) values: Vec<Value>,
}

impl Rare {
    /// The first of what is asked for that is rare.
    pub(crate) fn of(
        connection: &Connection,
        asked: &CredentialQuery,
    ) -> Result<Option<Self>, Fault> {
        for condition in Self::conditions(asked) {
            if condition.is_rare(connection)? {
                return Ok(Some(condition));
            }
        }
        Ok(None)
    }

    /// All that is asked for and has an index.
    pub(crate) fn conditions(asked: &CredentialQuery) -> Vec<Self> {
        let mut all = Vec::new();
        let mut add = |ids, values| all.push(Self { ids, values });
        match asked.state {
            Some(State::Revoked) => add(REVOKED, Vec::new()),
            Some(State::Suspended) => add(SUSPENDED, Vec::new()),
            Some(State::Active | State::Inactive) | None => {}
        }
        for group in [&asked.group, &asked.within].into_iter().flatten() {
            add(IN_GROUP, bounds(group).to_vec());
        }
        for (key, value) in &asked.attributes {
            add(WITH_ATTRIBUTE, [key, value].map(text).to_vec());
        }
        if let (Some(role), Some(tenant)) = (&asked.role, &asked.tenant) {
            add(
                WITH_ROLE,
                [tenant.as_str(), role.as_str()].map(text).to_vec(),
            );
        }
        if let Some(scheme) = &asked.scheme {
            add(OF_SCHEME, vec![text(scheme.as_str())]);
        }
        all
    }

    fn is_rare(&self, connection: &Connection) -> Result<bool, Fault> {
        let sql = format!("SELECT count(*) FROM ({} LIMIT ?)", self.ids);
        let mut statement = connection.prepare_cached(&sql)?;
        let values = self.values.iter().cloned().chain([FEW.into()]);
        let count: i64 = statement.query_row(params_from_iter(values), |row| row.get(0))?;
        Ok(count < FEW)
    }
}

/// What a group and those below it are bounded by: what lies below `DM` sorts from
/// `DM.` up to `DM/`, the next character.
pub(crate) fn bounds(group: &GroupPath) -> [Value; 3] {
    let group = group.as_str();
    [group.into(), format!("{group}."), format!("{group}/")].map(text)
}

const FEW: i64 = 2_000;

const IN_GROUP: &str = "SELECT credential FROM credential_group
     WHERE path = ? OR (path >= ? AND path < ?)";
const OF_SCHEME: &str = "SELECT id FROM credential WHERE scheme = ?";
// With the condition of the index, word for word: else SQLite does not take it.
const REVOKED: &str = "SELECT id FROM credential
     WHERE state IN ('Suspended', 'Revoked') AND state = 'Revoked'";
const SUSPENDED: &str = "SELECT id FROM credential
     WHERE state IN ('Suspended', 'Revoked') AND state = 'Suspended'";
const WITH_ATTRIBUTE: &str = "SELECT credential FROM attribute WHERE key = ? AND value = ?";
const WITH_ROLE: &str = "SELECT credential FROM credential_role WHERE tenant = ? AND role = ?";

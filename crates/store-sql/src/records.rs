//! Reading each record as a broker does, to find those that can't be read.

use countersign_core::certificate::AuthorityId;
use countersign_core::credential::CredentialId;
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::scheme::SchemeName;

use crate::columns::Columns;
use crate::table_reader::TableReader;

/// One state of a store, whose records are read one by one.
pub trait RecordReader: TableReader {
    /// Reads a record.
    ///
    /// # Errors
    ///
    /// Returns the store's fault when it can't be read.
    fn read(&self, record: &Record) -> Result<(), Self::Fault>;

    /// Reads credentials.
    ///
    /// # Errors
    ///
    /// Returns the store's fault when one of them can't be read.
    fn read_credentials(&self, ids: &[CredentialId]) -> Result<(), Self::Fault>;

    /// Says whether a fault is about one record alone, so that others may be read.
    fn is_of_one_record(fault: &Self::Fault) -> bool;
}

/// What tells a record from others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Record {
    /// The settings.
    Settings,
    /// A tenant.
    Tenant(TenantId),
    /// A role of a tenant.
    Role(TenantId, RoleName),
    /// A key that signs tokens.
    TokenKey(KeyId),
    /// A token.
    Token(TokenId),
    /// An authority.
    Authority(AuthorityId),
}

/// Reads every record, and names those that can't be read, with the schemes of which that
/// is known; nothing, if all can.
///
/// # Errors
///
/// Returns the store's fault when it can't be read at all.
pub fn unreadable_records<R: RecordReader>(
    reader: &R,
    damaged_schemes: impl Iterator<Item = SchemeName>,
) -> Result<Vec<String>, R::Fault> {
    let mut found = UnreadableRecords::default();
    found.take::<R>("the settings".into(), reader.read(&Record::Settings))?;
    for scheme in damaged_schemes {
        found.add(format!("scheme `{scheme}`"));
    }
    each(reader, "SELECT id FROM tenant", |columns| {
        let (name, id) = named::<R, _, _>(columns, TenantId::parse);
        let read = id.and_then(|id| reader.read(&Record::Tenant(id)));
        found.take::<R>(format!("tenant {name}"), read)
    })?;
    each(reader, "SELECT tenant, name FROM role", |columns| {
        let (tenant, id) = named::<R, _, _>(columns, TenantId::parse);
        let (name, role) = named::<R, _, _>(columns, RoleName::parse);
        let read = id
            .and_then(|id| Ok((id, role?)))
            .and_then(|(id, role)| reader.read(&Record::Role(id, role)));
        found.take::<R>(format!("role {name} of tenant {tenant}"), read)
    })?;
    let mut some = Vec::new();
    each(reader, "SELECT id, name FROM credential", |columns| {
        let id = CredentialId(columns.number::<R>()?);
        some.push((id, named::<R, _, _>(columns, LoginName::parse).0));
        if some.len() < AT_ONCE {
            return Ok(());
        }
        found.take_credentials(reader, &core::mem::take(&mut some))
    })?;
    found.take_credentials(reader, &some)?;
    each(reader, "SELECT id FROM token_key", |columns| {
        let (name, id) = named::<R, _, _>(columns, KeyId::parse);
        let read = id.and_then(|id| reader.read(&Record::TokenKey(id)));
        found.take::<R>(format!("key {name}"), read)
    })?;
    each(reader, "SELECT id FROM token", |columns| {
        let (name, id) = named::<R, _, _>(columns, TokenId::parse);
        let read = id.and_then(|id| reader.read(&Record::Token(id)));
        found.take::<R>(format!("token {name}"), read)
    })?;
    each(reader, "SELECT id FROM certificate_authority", |columns| {
        let id = AuthorityId(columns.number::<R>()?);
        let read = reader.read(&Record::Authority(id));
        found.take::<R>(format!("authority number {}", id.0), read)
    })?;
    Ok(found.lines())
}

/// Records that can't be read.
#[derive(Default)]
struct UnreadableRecords {
    named: Vec<String>,
    more: u64,
}

impl UnreadableRecords {
    /// Adds a record if what reading it came to is that it can't be read.
    fn take<R: RecordReader>(
        &mut self,
        name: String,
        read: Result<(), R::Fault>,
    ) -> Result<(), R::Fault> {
        match read {
            Err(fault) if R::is_of_one_record(&fault) => self.add(name),
            read => read?,
        }
        Ok(())
    }

    /// Adds those of some credentials that can't be read.
    fn take_credentials<R: RecordReader>(
        &mut self,
        reader: &R,
        some: &[(CredentialId, String)],
    ) -> Result<(), R::Fault> {
        let ids: Vec<_> = some.iter().map(|(id, _)| *id).collect();
        match reader.read_credentials(&ids) {
            Err(fault) if R::is_of_one_record(&fault) => {}
            read => return read,
        }
        // Which of them it is, each tells by itself.
        for (id, name) in some {
            let read = reader.read_credentials(&[*id]);
            self.take::<R>(format!("credential {name} (number {id})"), read)?;
        }
        Ok(())
    }

    fn add(&mut self, name: String) {
        if self.named.len() < MOST_NAMED {
            self.named.push(name);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    fn lines(self) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        self.named.into_iter().chain(more).collect()
    }
}

/// Runs `look` on each row that `sql` selects.
fn each<R: TableReader>(
    reader: &R,
    sql: &str,
    mut look: impl FnMut(&mut Columns) -> Result<(), R::Fault>,
) -> Result<(), R::Fault> {
    reader.walk(sql, &[], |cells| look(&mut Columns::of(cells)))?
}

/// The next column, which names a record: as it may be shown, and parsed.
fn named<R: TableReader, T, E>(
    columns: &mut Columns,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> (String, Result<T, R::Fault>) {
    match columns.text::<R>() {
        Ok(text) => {
            let parsed = parse(&text).map_err(|_| R::nonsense("the name of a record".into()));
            (format!("`{}`", text.escape_debug()), parsed)
        }
        Err(fault) => ("without a name".into(), Err(fault)),
    }
}

/// So many credentials are read at once.
const AT_ONCE: usize = 500;
/// So many records are named.
const MOST_NAMED: usize = 20;

//! Hooks of other brokers.

use countersign_core::hook::{Hook, HookKind, HookName, Kick, KickUrl, Vhost};
use countersign_core::name::TenantId;
use countersign_core::network::Network;
use countersign_core::seal::Sealed;
use countersign_core::secret::SecretDigest;
use countersign_core::store::rows::HookRows;
use countersign_core::store::{Listed, Page, StoreError};
use rusqlite::{Connection, Params, params, params_from_iter};

use crate::error::Fault;
use crate::page_query::{PageQuery, text};
use crate::row_reader::RowReader;
use crate::transaction::SqliteTransaction;

impl HookRows for SqliteTransaction<'_> {
    fn hook(&mut self, name: &HookName) -> Result<Option<Hook>, StoreError> {
        self.run("look up a hook", |connection| hook(connection, name))
    }

    fn hooks(&mut self, page: &Page<HookName>) -> Result<Listed<Hook>, StoreError> {
        self.run("list the hooks", |connection| {
            let query = PageQuery::of(concat!(hook_columns!(), " WHERE true"));
            let after = page.after.as_ref().map(|name| [text(name.as_str())]);
            let (sql, values) = query.page(["name"], after, page.sought());
            Ok(page.listed(read(connection, &sql, params_from_iter(values))?))
        })
    }

    fn put_hook(&mut self, hook: &Hook) -> Result<(), StoreError> {
        self.run("write a hook", |connection| put(connection, hook))
    }

    fn remove_hook(&mut self, name: &HookName) -> Result<bool, StoreError> {
        self.run("remove a hook", |connection| {
            let removed = connection
                .prepare_cached("DELETE FROM hook WHERE name = ?1")?
                .execute([name.as_str()])?;
            Ok(removed > 0)
        })
    }
}

/// The hook with this name.
pub(crate) fn hook(connection: &Connection, name: &HookName) -> Result<Option<Hook>, Fault> {
    Ok(read(connection, BY_NAME, [name.as_str()])?.pop())
}

fn put(connection: &Connection, hook: &Hook) -> Result<(), Fault> {
    let ranges: Vec<_> = hook.from.iter().map(ToString::to_string).collect();
    let kick = hook.kick.as_ref();
    let vhosts: Vec<_> = hook.vhosts.iter().map(Vhost::as_str).collect();
    connection
        .prepare_cached(
            "INSERT INTO hook (name, kind, tenant, source_ranges, digest, kick_url, kick_login,
                 vhosts, created_at, rotated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (name) DO UPDATE SET kind = ?2, tenant = ?3, source_ranges = ?4,
                 digest = ?5, kick_url = ?6, kick_login = ?7, vhosts = ?8, created_at = ?9,
                 rotated_at = ?10",
        )?
        .execute(params![
            hook.name.as_str(),
            hook.kind.as_str(),
            hook.tenant.as_ref().map(TenantId::as_str),
            ranges.join(" "),
            hook.digest.as_bytes(),
            kick.map(|it| it.url.as_str()),
            kick.and_then(|it| it.login.as_ref()).map(Sealed::as_bytes),
            vhosts.join("\n"),
            hook.created_at.as_millis(),
            hook.rotated_at.as_millis(),
        ])?;
    Ok(())
}

fn read(connection: &Connection, sql: &str, values: impl Params) -> Result<Vec<Hook>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        found.push(Hook {
            name: columns.parsed(HookName::parse)?,
            kind: columns.parsed(str::parse::<HookKind>)?,
            tenant: columns.maybe_parsed(TenantId::parse)?,
            from: columns.parsed(|ranges| {
                let ranges = ranges.split_ascii_whitespace();
                ranges.map(str::parse::<Network>).collect::<Result<_, _>>()
            })?,
            digest: SecretDigest::from_bytes(columns.hash()?),
            kick: {
                let url = columns.maybe_parsed(KickUrl::parse)?;
                let login = columns.maybe_bytes()?;
                url.map(|url| Kick {
                    url,
                    login: login.map(|bytes| Sealed::from_bytes(bytes.to_vec())),
                })
            },
            vhosts: columns
                .parsed(|vhosts| vhosts.lines().map(Vhost::parse).collect::<Result<_, _>>())?,
            created_at: columns.instant()?,
            rotated_at: columns.instant()?,
        });
    }
    Ok(found)
}

macro_rules! hook_columns {
    () => {
        "SELECT name, kind, tenant, source_ranges, digest, kick_url, kick_login, vhosts,
             created_at, rotated_at
         FROM hook"
    };
}
use hook_columns;

const BY_NAME: &str = concat!(hook_columns!(), " WHERE name = ?1");

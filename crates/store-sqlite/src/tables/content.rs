//! Reads all that an export says as a broker would read it, before it is in a
//! store: a text that does not parse would keep logins out there.

use std::path::Path;

use countersign_core::api_token::ApiTokenId;
use countersign_core::ban::BanId;
use countersign_core::certificate::{AuthorityId, Fingerprint};
use countersign_core::client_id::ClientIdTie;
use countersign_core::control_note::{NoteKey, NoteKind};
use countersign_core::credential::CredentialId;
use countersign_core::hex;
use countersign_core::hook::HookName;
use countersign_core::issuer::{IssuerId, IssuerText};
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::registrar::Registrar;
use countersign_core::role::RoleName;
use countersign_core::scheme::Schemes;
use rusqlite::Connection;

use super::staging_error::StagingError;
use crate::error::Fault;
use crate::{
    api_tokens, applications, authorities, auto_registration, bans, certificates,
    client_id_bindings, control_notes, credential_reader, device_registrations, hooks, imports,
    issuers, lockouts, roles, schemes, settings, stored_sessions, tenants, tokens,
};

/// Reads everything.
pub(super) fn check(connection: &Connection) -> Result<(), StagingError> {
    settings::read(connection).map_err(|fault| of_row("setting", Vec::new(), fault))?;
    let schemes = schemes::all(connection, Path::new(""), &Schemes::built_in())
        .map_err(|fault| of_row("scheme_field", Vec::new(), fault))?;
    if let Some(name) = schemes.damaged.keys().next() {
        let key = vec![("scheme", name.to_string())];
        let fault = Fault::Content("the scheme".into());
        return Err(of_row("scheme_field", key, fault));
    }
    each(connection, "tenant", ["id"], |[id]| {
        tenants::tenant(connection, &parse(id, TenantId::parse)?).map(drop)
    })?;
    each(connection, "role", ["tenant", "name"], |[tenant, name]| {
        let tenant = parse(tenant, TenantId::parse)?;
        roles::role(connection, &tenant, &parse(name, RoleName::parse)?).map(drop)
    })?;
    each(
        connection,
        "group_role",
        ["tenant", "path", "role"],
        |[_, path, _]| parse(path, GroupPath::parse).map(drop),
    )?;
    each(connection, "credential", ["id"], |[id]| {
        let id = CredentialId(number(id)?);
        client_id_bindings::client_id_of(connection, id)?;
        credential_reader::credential_by_id(connection, id).map(drop)
    })?;
    each(
        connection,
        "role_import",
        ["tenant", "role"],
        |[tenant, role]| {
            let tenant = parse(tenant, TenantId::parse)?;
            imports::of_role(connection, &tenant, &parse(role, RoleName::parse)?).map(drop)
        },
    )?;
    each(connection, "credential_import", ["credential"], |[id]| {
        imports::of_credential(connection, CredentialId(number(id)?)).map(drop)
    })?;
    each(connection, "auto_registration", ["application"], |[id]| {
        let id = CredentialId(number(id)?);
        applications::registration_count(connection, id)?;
        auto_registration::of(connection, id).map(drop)
    })?;
    each(connection, "lockout", ["name"], |[name]| {
        lockouts::lockout(connection, &parse(name, LoginName::parse)?).map(drop)
    })?;
    each(connection, "token_key", ["id"], |[id]| {
        tokens::key(connection, &parse(id, KeyId::parse)?).map(drop)
    })?;
    each(connection, "token", ["id"], |[id]| {
        tokens::token(connection, &parse(id, TokenId::parse)?).map(drop)
    })?;
    each(connection, "api_token", ["id"], |[id]| {
        api_tokens::token(connection, ApiTokenId(number(id)?)).map(drop)
    })?;
    each(connection, "hook", ["name"], |[name]| {
        hooks::hook(connection, &parse(name, HookName::parse)?).map(drop)
    })?;
    each(connection, "issuer", ["id"], |[id]| {
        let id = IssuerId(number(id)?);
        let issuer = issuers::issuer(connection, id)?;
        let registers = issuer.and_then(|it| it.registers);
        count_registered(connection, Registrar::Issuer(id), registers.is_some())
    })?;
    each(connection, "certificate_authority", ["id"], |[id]| {
        let id = AuthorityId(number(id)?);
        let authority = authorities::authority(connection, id)?;
        let registers = authority.and_then(|it| it.registers);
        count_registered(connection, Registrar::Authority(id), registers.is_some())
    })?;
    each(
        connection,
        "issuer_revocation",
        ["issuer", "token"],
        |[_, token]| parse(token, IssuerText::parse).map(drop),
    )?;
    each(connection, "certificate", ["fingerprint"], |[digits]| {
        certificates::certificate(connection, &Fingerprint(hash(digits)?)).map(drop)
    })?;
    each(connection, "ban", ["id"], |[id]| {
        bans::ban(connection, BanId(number(id)?)).map(drop)
    })?;
    each(
        connection,
        "control_note",
        ["tenant", "kind", "name"],
        |[tenant, kind, name]| {
            let key = NoteKey {
                tenant: parse(tenant, TenantId::parse)?,
                kind: parse(kind, str::parse::<NoteKind>)?,
                name: name.into(),
            };
            control_notes::note(connection, &key).map(drop)
        },
    )?;
    each(connection, "registered_name", ["name"], |[name]| {
        parse(name, LoginName::parse).map(drop)
    })?;
    each(connection, "stored_session", ["client_id"], |[digits]| {
        stored_sessions::record(connection, &ClientIdTie(hash(digits)?)).map(drop)
    })
}

/// Has `read` read each row of a table, by what tells it from others.
fn each<const N: usize>(
    connection: &Connection,
    table: &'static str,
    key: [&'static str; N],
    read: impl Fn([&str; N]) -> Result<(), Fault>,
) -> Result<(), StagingError> {
    let as_text = |column| {
        format!(
            "CASE typeof({column}) WHEN 'blob' THEN lower(hex({column}))
                 ELSE CAST({column} AS TEXT) END"
        )
    };
    let columns = key.map(as_text).join(", ");
    let order = key.join(", ");
    let explain = |fault| of_row(table, Vec::new(), fault);
    let mut statement = connection
        .prepare(&format!("SELECT {columns} FROM {table} ORDER BY {order}"))
        .map_err(|error| explain(error.into()))?;
    let mut rows = statement.query([]).map_err(|error| explain(error.into()))?;
    while let Some(row) = rows.next().map_err(|error| explain(error.into()))? {
        let mut values = [(); N].map(|()| String::new());
        for (index, value) in values.iter_mut().enumerate() {
            *value = row.get(index).map_err(|error| explain(error.into()))?;
        }
        read(values.each_ref().map(String::as_str)).map_err(|fault| {
            let key = key.into_iter().zip(values).collect();
            of_row(table, key, fault)
        })?;
    }
    Ok(())
}

/// Reads how many devices were made, where they are made.
fn count_registered(
    connection: &Connection,
    registrar: Registrar,
    registers: bool,
) -> Result<(), Fault> {
    if registers {
        device_registrations::count(connection, registrar)?;
    }
    Ok(())
}

fn parse<T, E>(text: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<T, Fault> {
    parse(text).map_err(|_| Fault::Content("its name".into()))
}

fn number(text: &str) -> Result<i64, Fault> {
    text.parse()
        .map_err(|_| Fault::Content("its number".into()))
}

/// The hash of which these are the digits.
fn hash(digits: &str) -> Result<[u8; 32], Fault> {
    let hash = hex::decode(digits).and_then(|bytes| bytes.try_into().ok());
    hash.ok_or_else(|| Fault::Content("its hash".into()))
}

fn of_row(table: &'static str, key: Vec<(&'static str, String)>, fault: Fault) -> StagingError {
    match fault.wrong_value() {
        Some(reason) => StagingError::Content { table, key, reason },
        None => StagingError::of_store(fault),
    }
}

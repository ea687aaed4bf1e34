//! Which tables followers have, and of which object each row is a part.
//!
//! What followers are told of is not a row but an object: a credential with its secrets
//! and all else that belongs to it, a role with its rules. So whatever changes of one,
//! all of it is told as it is now, and it does not matter how often.

use crate::kind::{KeyPart, ObjectKind, of_tenants};

/// A table that followers have.
#[derive(Clone, Copy, Debug)]
pub struct FollowedTable {
    /// The table.
    pub name: &'static str,
    /// Of which sort of object its rows are parts.
    pub kind: ObjectKind,
    /// By which columns a row says of which object.
    pub object: &'static [(&'static str, KeyPart)],
    /// Whose an object is, as far as the row itself says (`ROW.` is it); nothing where
    /// it does not. Triggers are made of it.
    pub tenant: &'static str,
    /// Columns whose changes alone are nobody's business.
    pub unheeded: &'static [&'static str],
    /// What a follower is told instead of what stands in a column.
    pub masked: &'static [(&'static str, Mask)],
    /// Which rows a follower may know of that is told of some tenants alone, if not all
    /// of an object.
    pub seen: Option<&'static str>,
}

/// What a follower is told instead of what stands in a column.
#[derive(Clone, Copy, Debug)]
pub enum Mask {
    /// This.
    Value(&'static str),
    /// That it is not set, where the follower is told of some tenants alone: it says
    /// something of the whole store.
    OfStore,
    /// No byte of what is sealed; whether there is something it is told.
    Sealed,
}

const fn part(
    name: &'static str,
    kind: ObjectKind,
    object: &'static [(&'static str, KeyPart)],
    tenant: &'static str,
) -> FollowedTable {
    FollowedTable {
        name,
        kind,
        object,
        tenant,
        unheeded: &[],
        masked: &[],
        seen: None,
    }
}

const fn root(kind: ObjectKind, tenant: &'static str) -> FollowedTable {
    let (name, object) = kind.key();
    part(name, kind, object, tenant)
}

const fn of_credential(name: &'static str) -> FollowedTable {
    part(
        name,
        ObjectKind::Credential,
        &[("credential", KeyPart::Number)],
        "(SELECT tenant FROM credential WHERE id = ROW.credential)",
    )
}

const fn of_role(name: &'static str) -> FollowedTable {
    part(
        name,
        ObjectKind::Role,
        &[("tenant", KeyPart::Tenant), ("role", KeyPart::Name)],
        "ROW.tenant",
    )
}

/// What counts whom an application, an authority or an issuer made. Of each that is made
/// the log tells by itself.
const COUNTED: &[&str] = &["registered", "second", "in_second"];
/// A follower is told whether that is all that may be, which further triggers (`full_…`)
/// write down.
const UNCOUNTED: &[(&str, Mask)] = &[
    (
        "registered",
        Mask::Value("CASE WHEN registered >= max THEN max ELSE 0 END"),
    ),
    ("second", Mask::Value("0")),
    ("in_second", Mask::Value("0")),
];

/// What followers have, each table after those that it refers to.
pub const FOLLOWED: &[FollowedTable] = &[
    root(ObjectKind::Setting, "NULL"),
    root(ObjectKind::Scheme, "NULL"),
    root(ObjectKind::Tenant, "ROW.id"),
    part(
        "namespace",
        ObjectKind::Tenant,
        &[("tenant", KeyPart::Name)],
        "ROW.tenant",
    ),
    root(ObjectKind::Role, "ROW.tenant"),
    of_role("role_rule"),
    of_role("group_role"),
    of_role("tenant_role"),
    FollowedTable {
        unheeded: &["last_used_at"],
        ..root(ObjectKind::Credential, "ROW.tenant")
    },
    FollowedTable {
        unheeded: COUNTED,
        masked: UNCOUNTED,
        ..part(
            "auto_registration",
            ObjectKind::Credential,
            &[("application", KeyPart::Number)],
            "(SELECT tenant FROM credential WHERE id = ROW.application)",
        )
    },
    of_credential("secret"),
    of_credential("certificate"),
    of_credential("credential_group"),
    of_credential("credential_role"),
    of_credential("credential_rule"),
    of_credential("attribute"),
    FollowedTable {
        tenant: "NULL",
        unheeded: &["last_tenant"],
        masked: &[("seed", Mask::Sealed), ("platform_admin", Mask::OfStore)],
        ..of_credential("person")
    },
    FollowedTable {
        tenant: "NULL",
        seen: Some(concat!("tenant ", of_tenants!())),
        ..of_credential("person_grant")
    },
    FollowedTable {
        masked: &[("private", Mask::Sealed)],
        ..root(ObjectKind::TokenKey, "ROW.tenant")
    },
    root(ObjectKind::Token, "ROW.tenant"),
    part(
        "token_thing",
        ObjectKind::Token,
        &[("token", KeyPart::Name)],
        "(SELECT tenant FROM token WHERE id = ROW.token)",
    ),
    root(ObjectKind::Authority, "ROW.tenant"),
    root(ObjectKind::Issuer, "ROW.tenant"),
    part(
        "issuer_role",
        ObjectKind::Issuer,
        &[("issuer", KeyPart::Number)],
        "ROW.tenant",
    ),
    part(
        "issuer_source",
        ObjectKind::Issuer,
        &[("issuer", KeyPart::Number)],
        "(SELECT tenant FROM issuer WHERE id = ROW.issuer)",
    ),
    root(
        ObjectKind::IssuerRevocation,
        "(SELECT tenant FROM issuer WHERE id = ROW.issuer)",
    ),
    FollowedTable {
        unheeded: COUNTED,
        masked: UNCOUNTED,
        ..root(ObjectKind::Registration, "ROW.tenant")
    },
    FollowedTable {
        masked: &[(
            "created_by",
            Mask::Value("CASE WHEN tenant IS NULL THEN 'centre' ELSE created_by END"),
        )],
        ..root(ObjectKind::Ban, "ROW.tenant")
    },
    FollowedTable {
        unheeded: &["updated_at"],
        ..root(ObjectKind::Lockout, "NULL")
    },
];

/// The number of the schema of a store in a file that these tables are of: whatever store a
/// centre has, the replicas are files.
pub const ROWS_OF_SCHEMA: u32 = 7;

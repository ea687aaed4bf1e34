//! Which tables followers have, and of which object each row is a part.
//!
//! What followers are told of is not a row but an object: a credential with its secrets
//! and all else that belongs to it, a role with its rules. So whatever changes of one,
//! all of it is told as it is now, and it does not matter how often.

use super::kind::{KeyPart, ObjectKind, of_tenants};

/// That a broker wrote this, and its centre does not tell what came of it yet.
macro_rules! pending {
    ($kind:literal, $number:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM hand_back WHERE hand_back.kind = '",
            $kind,
            "' AND hand_back.number = ",
            $number,
            ")"
        )
    };
}

/// That a broker counted failures that its centre does not know of yet.
macro_rules! uncounted {
    () => {
        "EXISTS (SELECT 1 FROM hand_back
             WHERE hand_back.kind = 'failed' AND hand_back.name = lockout.name)"
    };
}

/// A tie that a broker made of what its centre knows untied, until that has judged it.
/// Whatever raises the generation at the centre undoes it.
macro_rules! kept_tie {
    ($column:literal) => {
        concat!(
            "CASE WHEN excluded.client_id_tie IS NULL AND credential.client_id_tie IS NOT NULL
                 AND excluded.generation = credential.generation
                 AND excluded.client_id_rule = credential.client_id_rule AND ",
            pending!("tied", "credential.id"),
            " THEN credential.",
            $column,
            " ELSE excluded.",
            $column,
            " END"
        )
    };
}

/// A table that followers have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FollowedTable {
    pub(crate) name: &'static str,
    /// Of which sort of object its rows are parts.
    pub(crate) kind: ObjectKind,
    /// By which columns a row says of which object.
    pub(crate) object: &'static [(&'static str, KeyPart)],
    /// Whose an object is, as far as the row itself says (`ROW.` is it); nothing where
    /// it does not.
    #[cfg_attr(not(test), expect(dead_code, reason = "triggers are made of it"))]
    pub(crate) tenant: &'static str,
    /// Columns whose changes alone are nobody's business.
    #[cfg_attr(not(test), expect(dead_code, reason = "triggers are made of it"))]
    pub(crate) unheeded: &'static [&'static str],
    /// What a follower is told instead of what stands in a column.
    pub(crate) masked: &'static [(&'static str, &'static str)],
    /// Which rows a follower may know of that is told of some tenants alone, if not all
    /// of an object.
    pub(crate) seen: Option<&'static str>,
    /// What stays of a row that the broker wrote to: what a column becomes, where
    /// `excluded` is what the centre says.
    pub(crate) kept: &'static [(&'static str, &'static str)],
    /// Which rows a replica takes (`incoming` is one). A broker may have done away with
    /// some by itself.
    pub(crate) taken: &'static str,
    /// Which rows stay although the centre does not have them.
    pub(crate) stays: Option<&'static str>,
    /// Which rows that the broker added by itself make room for `incoming`.
    pub(crate) displaced: Option<&'static str>,
    /// Columns that must be empty for a moment where rows exchange what is unique.
    pub(crate) freed: &'static [&'static str],
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
        kept: &[],
        taken: "true",
        stays: None,
        displaced: None,
        freed: &[],
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

/// What followers have, each table after those that it refers to.
pub(crate) const FOLLOWED: &[FollowedTable] = &[
    root(ObjectKind::Setting, "NULL"),
    root(ObjectKind::Scheme, "NULL"),
    FollowedTable {
        freed: &["client_id_prefix"],
        ..root(ObjectKind::Tenant, "ROW.id")
    },
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
        // Things are made at the centre alone.
        masked: &[("auto_register", "0")],
        kept: &[
            (
                "state",
                concat!(
                    "CASE WHEN credential.state = 'Active' AND excluded.state = 'Inactive' AND ",
                    pending!("activated", "credential.id"),
                    " THEN 'Active' ELSE excluded.state END"
                ),
            ),
            (
                "ever_used",
                concat!(
                    "CASE WHEN credential.state = 'Active' AND excluded.state = 'Inactive' AND ",
                    pending!("activated", "credential.id"),
                    " THEN 1 ELSE excluded.ever_used END"
                ),
            ),
            (
                "last_used_at",
                "nullif(max(coalesce(credential.last_used_at, -1),
                     coalesce(excluded.last_used_at, -1)), -1)",
            ),
            ("client_id_tie", kept_tie!("client_id_tie")),
            ("bound_to", kept_tie!("bound_to")),
        ],
        ..root(ObjectKind::Credential, "ROW.tenant")
    },
    FollowedTable {
        // A secret that counts until a newer one is used, and was.
        taken: concat!(
            "NOT (incoming.until_used = 1
             AND NOT EXISTS (SELECT 1 FROM secret WHERE secret.id = incoming.id) AND ",
            pending!("retired", "incoming.id"),
            ")"
        ),
        ..of_credential("secret")
    },
    of_credential("certificate"),
    of_credential("credential_group"),
    of_credential("credential_role"),
    of_credential("credential_rule"),
    of_credential("attribute"),
    FollowedTable {
        tenant: "NULL",
        unheeded: &["last_step", "last_tenant"],
        kept: &[
            (
                "last_step",
                "nullif(max(coalesce(person.last_step, -1), coalesce(excluded.last_step, -1)), -1)",
            ),
            (
                "last_tenant",
                "coalesce(person.last_tenant, excluded.last_tenant)",
            ),
        ],
        ..of_credential("person")
    },
    FollowedTable {
        tenant: "NULL",
        seen: Some(concat!("tenant ", of_tenants!())),
        ..of_credential("person_grant")
    },
    root(ObjectKind::TokenKey, "ROW.tenant"),
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
        displaced: Some(
            "ban.network = incoming.network
             OR (ban.client_id = incoming.client_id AND ban.tenant IS incoming.tenant)",
        ),
        masked: &[(
            "created_by",
            "CASE WHEN tenant IS NULL THEN 'centre' ELSE created_by END",
        )],
        ..root(ObjectKind::Ban, "ROW.tenant")
    },
    FollowedTable {
        unheeded: &["updated_at"],
        // What fails at the broker adds up at the centre, which tells the sum.
        kept: &[
            (
                "failures",
                concat!(
                    "CASE WHEN ",
                    uncounted!(),
                    " THEN max(lockout.failures, excluded.failures) ELSE excluded.failures END"
                ),
            ),
            (
                "locked_until",
                concat!(
                    "CASE WHEN ",
                    uncounted!(),
                    " THEN nullif(max(coalesce(lockout.locked_until, -1),
                          coalesce(excluded.locked_until, -1)), -1)
                      ELSE excluded.locked_until END"
                ),
            ),
        ],
        stays: Some(uncounted!()),
        ..root(ObjectKind::Lockout, "NULL")
    },
];

/// From here on rows are numbered that a broker adds to its replica by itself, as bans of
/// its own; a centre never comes so far.
pub(crate) const FIRST_OWN: i64 = 1 << 40;

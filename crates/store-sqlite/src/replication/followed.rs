//! Which tables followers have, and of which object each row is a part.
//!
//! What followers are told of is not a row but an object: a credential with its secrets
//! and all else that belongs to it, a role with its rules. So whatever changes of one,
//! all of it is told as it is now, and it does not matter how often.

/// That a tenant is one of the follower's.
macro_rules! of_tenants {
    () => {
        "IN (SELECT value FROM json_each(?1))"
    };
}

/// That a user has a grant in one of the follower's tenants.
macro_rules! granted {
    ($credential:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM person_grant
                 WHERE person_grant.credential = ",
            $credential,
            ".id AND person_grant.tenant IN (SELECT value FROM json_each(?1)))"
        )
    };
}

/// A tie that a broker made of what its centre knows untied. Whatever raises the
/// generation at the centre undoes it.
macro_rules! kept_tie {
    ($column:literal) => {
        concat!(
            "CASE WHEN excluded.client_id_tie IS NULL AND credential.client_id_tie IS NOT NULL
                 AND excluded.generation = credential.generation
                 AND excluded.client_id_rule = credential.client_id_rule
                 THEN credential.",
            $column,
            " ELSE excluded.",
            $column,
            " END"
        )
    };
}

/// A sort of object.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum ObjectKind {
    Setting,
    Scheme,
    Tenant,
    Role,
    Credential,
    TokenKey,
    Token,
    Authority,
    Issuer,
    IssuerRevocation,
    Ban,
}

/// What a column of a key is called in the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum KeyPart {
    Number,
    Tenant,
    Name,
}

impl ObjectKind {
    /// All kinds, each after those that it refers to.
    pub(crate) const ALL: [Self; 11] = [
        Self::Setting,
        Self::Scheme,
        Self::Tenant,
        Self::Role,
        Self::Credential,
        Self::TokenKey,
        Self::Token,
        Self::Authority,
        Self::Issuer,
        Self::IssuerRevocation,
        Self::Ban,
    ];

    /// The kind as the log has it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Setting => "setting",
            Self::Scheme => "scheme",
            Self::Tenant => "tenant",
            Self::Role => "role",
            Self::Credential => "credential",
            Self::TokenKey => "token-key",
            Self::Token => "token",
            Self::Authority => "authority",
            Self::Issuer => "issuer",
            Self::IssuerRevocation => "issuer-revocation",
            Self::Ban => "ban",
        }
    }

    /// Reads a kind. One that is not known is of no object.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The table that has a row for each object of this kind, and the columns by which
    /// one is told from others.
    pub(crate) const fn key(self) -> (&'static str, &'static [(&'static str, KeyPart)]) {
        use KeyPart::{Name, Number, Tenant};
        match self {
            Self::Setting => ("setting", &[("key", Name)]),
            Self::Scheme => ("scheme_field", &[("scheme", Name)]),
            Self::Tenant => ("tenant", &[("id", Name)]),
            Self::Role => ("role", &[("tenant", Tenant), ("name", Name)]),
            Self::Credential => ("credential", &[("id", Number)]),
            Self::TokenKey => ("token_key", &[("id", Name)]),
            Self::Token => ("token", &[("id", Name)]),
            Self::Authority => ("certificate_authority", &[("id", Number)]),
            Self::Issuer => ("issuer", &[("id", Number)]),
            Self::IssuerRevocation => ("issuer_revocation", &[("issuer", Number), ("token", Name)]),
            Self::Ban => ("ban", &[("id", Number)]),
        }
    }

    /// Which objects a follower may know of that is told of the tenants in the list `?1`
    /// alone; none where it is all.
    pub(crate) const fn seen(self) -> Option<&'static str> {
        match self {
            Self::Setting | Self::Scheme => None,
            Self::Tenant => Some(concat!("id ", of_tenants!())),
            Self::Role | Self::TokenKey | Self::Authority | Self::Issuer => {
                Some(concat!("tenant ", of_tenants!()))
            }
            Self::Credential => Some(concat!(
                "(tenant ",
                of_tenants!(),
                " OR ",
                granted!("credential"),
                ")"
            )),
            Self::Token => Some(concat!(
                "tenant ",
                of_tenants!(),
                " AND EXISTS (SELECT 1 FROM credential AS holder
                     WHERE holder.id = token.bearer AND holder.tenant ",
                of_tenants!(),
                ") AND EXISTS (SELECT 1 FROM credential AS signer
                     WHERE signer.id = token.issuer AND (signer.tenant ",
                of_tenants!(),
                " OR ",
                granted!("signer"),
                "))"
            )),
            Self::IssuerRevocation => Some(concat!(
                "issuer IN (SELECT id FROM issuer WHERE tenant ",
                of_tenants!(),
                ")"
            )),
            Self::Ban => Some(concat!("(tenant IS NULL OR tenant ", of_tenants!(), ")")),
        }
    }

    /// Whether it may be told that an object is gone to whom it was perhaps never told of:
    /// its key says nothing.
    pub(crate) const fn may_be_named(self) -> bool {
        match self {
            Self::Setting | Self::Scheme | Self::Credential | Self::Ban => true,
            Self::Tenant
            | Self::Role
            | Self::TokenKey
            | Self::Token
            | Self::Authority
            | Self::Issuer
            | Self::IssuerRevocation => false,
        }
    }
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
                "CASE WHEN credential.state = 'Active' AND excluded.state = 'Inactive'
                     THEN 'Active' ELSE excluded.state END",
            ),
            ("ever_used", "max(credential.ever_used, excluded.ever_used)"),
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
        taken: "NOT (incoming.until_used = 1
             AND NOT EXISTS (SELECT 1 FROM secret WHERE secret.id = incoming.id)
             AND EXISTS (SELECT 1 FROM secret WHERE secret.credential = incoming.credential
                             AND secret.id > incoming.id))",
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
];

/// From here on rows are numbered that a broker adds to its replica by itself, as bans of
/// its own; a centre never comes so far.
pub(crate) const FIRST_OWN: i64 = 1 << 40;

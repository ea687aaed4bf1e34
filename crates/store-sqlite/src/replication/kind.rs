//! Sorts of objects that followers are told of, and whom each is told to.

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

pub(super) use of_tenants;

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
    Lockout,
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
    pub(crate) const ALL: [Self; 12] = [
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
        Self::Lockout,
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
            Self::Lockout => "lockout",
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
            Self::Lockout => ("lockout", &[("name", Name)]),
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
            Self::Lockout => Some(concat!(
                "EXISTS (SELECT 1 FROM credential WHERE credential.name = lockout.name AND ",
                granted!("credential"),
                ")"
            )),
        }
    }

    /// Whom the name of an object that is gone belongs to, where that says whether a
    /// follower may hear it; none where it may not.
    pub(crate) const fn may_be_named_to(self) -> Option<&'static str> {
        match self {
            Self::Lockout => Some(concat!(
                "SELECT 1 FROM credential WHERE name = ?2 AND ",
                granted!("credential")
            )),
            Self::Setting
            | Self::Scheme
            | Self::Credential
            | Self::Ban
            | Self::Tenant
            | Self::Role
            | Self::TokenKey
            | Self::Token
            | Self::Authority
            | Self::Issuer
            | Self::IssuerRevocation => None,
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
            | Self::IssuerRevocation
            | Self::Lockout => false,
        }
    }
}

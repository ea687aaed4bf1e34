//! Sorts of objects that followers are told of, and whom each is told to.
//!
//! In conditions `{tenants}` stands for the rows of the list of a follower's tenants.

/// That a tenant is one of the follower's.
macro_rules! of_tenants {
    () => {
        "IN {tenants}"
    };
}

/// That a user has a grant in one of the follower's tenants.
macro_rules! granted {
    ($credential:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM person_grant
                 WHERE person_grant.credential = ",
            $credential,
            ".id AND person_grant.tenant IN {tenants})"
        )
    };
}

pub(crate) use of_tenants;

/// A sort of object.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ObjectKind {
    /// A setting of the store.
    Setting,
    /// A scheme that was added, with its fields.
    Scheme,
    /// A tenant with its namespaces.
    Tenant,
    /// A role with its rules, and who holds it by default or by a group.
    Role,
    /// A credential with its secrets and all else that belongs to it.
    Credential,
    /// A key that signs tokens, of which followers get the public half.
    TokenKey,
    /// A token with the things that it is limited to.
    Token,
    /// An authority that signs certificates.
    Authority,
    /// An issuer of tokens, with its roles and where its keys are fetched.
    Issuer,
    /// The revocation of an issuer's token.
    IssuerRevocation,
    /// Which devices an authority or an issuer makes.
    Registration,
    /// A ban.
    Ban,
    /// What failed for an address.
    Lockout,
}

/// What a column of a key is called in the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyPart {
    /// The number of the object.
    Number,
    /// The tenant that its name is one of.
    Tenant,
    /// Its name.
    Name,
}

impl ObjectKind {
    /// All kinds, each after those that it refers to.
    pub const ALL: [Self; 13] = [
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
        Self::Registration,
        Self::Ban,
        Self::Lockout,
    ];

    /// The kind as the log has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
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
            Self::Registration => "registration",
            Self::Ban => "ban",
            Self::Lockout => "lockout",
        }
    }

    /// Reads a kind. One that is not known is of no object.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The table that has a row for each object of this kind, and the columns by which
    /// one is told from others.
    #[must_use]
    pub const fn key(self) -> (&'static str, &'static [(&'static str, KeyPart)]) {
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
            Self::Registration => ("device_registration", &[("id", Number)]),
            Self::Ban => ("ban", &[("id", Number)]),
            Self::Lockout => ("lockout", &[("name", Name)]),
        }
    }

    /// Which objects a follower may know of that is told of some tenants alone; none where it
    /// is all.
    #[must_use]
    pub const fn seen(self) -> Option<&'static str> {
        match self {
            Self::Setting | Self::Scheme => None,
            Self::Tenant => Some(concat!("id ", of_tenants!())),
            Self::Role | Self::TokenKey | Self::Authority | Self::Issuer | Self::Registration => {
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

    /// Whom the name `?1` of an object that is gone belongs to, where that says whether a
    /// follower may hear it; none where it may not.
    #[must_use]
    pub const fn may_be_named_to(self) -> Option<&'static str> {
        match self {
            Self::Lockout => Some(concat!(
                "SELECT 1 FROM credential WHERE name = ?1 AND ",
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
            | Self::IssuerRevocation
            | Self::Registration => None,
        }
    }

    /// Whether it may be told that an object is gone to whom it was perhaps never told of:
    /// its key says nothing.
    #[must_use]
    pub const fn may_be_named(self) -> bool {
        match self {
            Self::Setting | Self::Scheme | Self::Credential | Self::Ban => true,
            Self::Tenant
            | Self::Role
            | Self::TokenKey
            | Self::Token
            | Self::Authority
            | Self::Issuer
            | Self::IssuerRevocation
            | Self::Registration
            | Self::Lockout => false,
        }
    }
}

//! Issuers of others, whose tokens name credentials of a tenant.
//!
//! All of these are acts of the platform: whoever adds an issuer lets in whoever that one
//! signs a token for.

use std::collections::BTreeMap;

use countersign_core::auto_registration::DeviceRegistration;
use countersign_core::change::Change;
use countersign_core::issuer::{
    Algorithms, ClaimName, IdentityClaim, IssuerId, IssuerName, IssuerRecord, IssuerText,
    KeySource, MOST_ALIKE, MOST_ISSUERS, MOST_ISSUERS_OF_TENANT, MOST_REVOKED, MOST_ROLE_WORDS,
    NO_KEYS, RoleWord,
};
use countersign_core::jwt;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::store::Intent;
use countersign_issuer::KeySet;
use serde::Serialize;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{self, Rows};
use crate::registration;
use crate::view::IssuerView;

pub use self::keys::{
    AskForKeys, FetchedKeys, KeyOrigin, ListDueKeys, NoteFetchedKeys, Noted, SetIssuerKeys,
};

mod keys;

/// Has an issuer speak for a tenant: its tokens name credentials of that one, and of no
/// other.
#[derive(Clone, Debug)]
pub struct AddIssuer {
    /// What administrators call it.
    pub name: IssuerName,
    /// The tenant.
    pub tenant: TenantId,
    /// What its tokens say of who issued them.
    pub issuer: IssuerText,
    /// Whom they have to be for.
    pub audience: IssuerText,
    /// What it signs by.
    pub algorithms: Algorithms,
    /// The claim that names the credential.
    pub identity: IdentityClaim,
    /// The claim that lists roles.
    pub role_claim: Option<ClaimName>,
    /// Which role a word of that claim means.
    pub roles: BTreeMap<RoleWord, RoleName>,
    /// Which devices it makes of those that it names, if it does.
    pub registers: Option<DeviceRegistration>,
    /// Its public keys.
    pub keys: KeyOrigin<KeySet>,
}

impl Command for AddIssuer {
    type Output = IssuerRecord;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<IssuerRecord, AdminError> {
        lookup::tenant(tx, &self.tenant)?;
        for role in self.roles.values() {
            lookup::role(tx, &self.tenant, role)?;
        }
        registration::check(tx, &self.tenant, self.registers.as_ref())?;
        if self.issuer.as_str() == jwt::ISSUER {
            let message = format!("`{}` is what our own tokens say", jwt::ISSUER);
            return Err(refused(ErrorKind::Invalid, &self.name, message));
        }
        if self.role_claim.is_none() && !self.roles.is_empty() {
            let message = "words that mean roles need the claim that they stand in";
            return Err(refused(ErrorKind::Invalid, &self.name, message));
        }
        if self.roles.len() > MOST_ROLE_WORDS {
            let message = format!("more than {MOST_ROLE_WORDS} words mean roles");
            return Err(refused(ErrorKind::Invalid, &self.name, message));
        }
        if tx.issuer_by_name(&self.name)?.is_some() {
            let message = format!("there is an issuer `{}` already", self.name);
            return Err(refused(ErrorKind::Exists, &self.name, message));
        }
        let alike = tx.issuers_like(&self.issuer)?;
        if let Some(known) = alike.iter().find(|it| it.audience == self.audience) {
            let message = format!(
                "issuer `{}` has the same `iss` and `aud` already: a token is one issuer's",
                known.name
            );
            return Err(refused(ErrorKind::Exists, &self.name, message));
        }
        self.check_room(tx, alike.len())?;
        let (keys, source) = match &self.keys {
            KeyOrigin::Given(keys) => (keys.to_jwks().as_str().into(), None),
            KeyOrigin::Fetched(place) => {
                (NO_KEYS.into(), Some(KeySource::new(place.clone(), tx.now)))
            }
        };
        let mut record = IssuerRecord {
            id: IssuerId(0),
            name: self.name.clone(),
            tenant: self.tenant.clone(),
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            algorithms: self.algorithms.clone(),
            identity: self.identity.clone(),
            role_claim: self.role_claim.clone(),
            roles: self.roles.clone(),
            registers: self.registers.clone(),
            keys,
            keys_at: tx.now,
            source,
            added_at: tx.now,
        };
        record.id = tx.add_issuer(&record)?;
        let after = IssuerView::of(&record);
        tx.record("issuer.add", self.name.as_str(), None, Some(&after));
        tx.changed(Change::Tenant(self.tenant.clone()));
        Ok(record)
    }
}

impl AddIssuer {
    fn check_room(&self, rows: &mut Rows<'_>, alike: usize) -> Result<(), AdminError> {
        for (number, most, whose) in [
            (
                rows.issuers(Some(&self.tenant))?.len(),
                MOST_ISSUERS_OF_TENANT,
                format!("tenant `{}` has", self.tenant),
            ),
            (
                rows.issuers(None)?.len(),
                MOST_ISSUERS,
                "all tenants together have".into(),
            ),
            (alike, MOST_ALIKE, format!("of `{}` there are", self.issuer)),
        ] {
            if number >= most {
                let message =
                    format!("{whose} {most} issuers, which is the most; remove one first");
                return Err(refused(ErrorKind::Conflict, &self.name, message));
            }
        }
        Ok(())
    }
}

/// Lists the issuers of a tenant, or of all, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct ListIssuers {
    /// The tenant; all if none.
    pub tenant: Option<TenantId>,
}

impl Command for ListIssuers {
    type Output = Vec<IssuerRecord>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<IssuerRecord>, AdminError> {
        lookup::check_tenant(tx, self.tenant.as_ref())?;
        Ok(tx.issuers(self.tenant.as_ref())?)
    }
}

/// Shows an issuer.
#[derive(Clone, Debug)]
pub struct ShowIssuer(pub IssuerName);

impl Command for ShowIssuer {
    type Output = IssuerRecord;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<IssuerRecord, AdminError> {
        found(tx, &self.0)
    }
}

/// Has an issuer speak for its tenant no longer. Sessions that its tokens opened end.
#[derive(Clone, Debug)]
pub struct RemoveIssuer(pub IssuerName);

impl Command for RemoveIssuer {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let record = found(tx, &self.0)?;
        tx.remove_issuer(record.id)?;
        let before = IssuerView::of(&record);
        tx.record("issuer.remove", self.0.as_str(), Some(&before), None);
        tx.changed(Change::Tenant(record.tenant));
        Ok(())
    }
}

/// Revokes a token of an issuer, by its claim `jti`. Sessions that it opened end.
#[derive(Clone, Debug)]
pub struct RevokeIssuedToken {
    /// The issuer.
    pub issuer: IssuerName,
    /// The token's own id.
    pub token: IssuerText,
}

/// What the audit says of a token that was revoked.
#[derive(Serialize)]
struct Revoked<'a> {
    jti: &'a str,
}

impl Command for RevokeIssuedToken {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let record = found(tx, &self.issuer)?;
        if tx.is_issued_token_revoked(record.id, &self.token)? {
            let message = format!("token `{}` of it is revoked already", self.token);
            return Err(refused(ErrorKind::Conflict, &self.issuer, message));
        }
        if tx.count_revoked_of_issuer(record.id)? >= MOST_REVOKED as u64 {
            let message = format!(
                "{MOST_REVOKED} tokens of it are revoked, which is the most; remove the issuer, \
                 and add it again with other keys"
            );
            return Err(refused(ErrorKind::Conflict, &self.issuer, message));
        }
        let now = tx.now;
        tx.revoke_issued_token(record.id, &self.token, now)?;
        let after = Revoked {
            jti: self.token.as_str(),
        };
        tx.record("issuer.revoke", self.issuer.as_str(), None, Some(&after));
        tx.changed(Change::Tenant(record.tenant));
        Ok(())
    }
}

/// Lets an issuer register a device again that was registered in its tenant and deleted;
/// the output is the device's name.
#[derive(Clone, Debug)]
pub struct ForgetIssuedIdentity {
    /// The issuer.
    pub issuer: IssuerName,
    /// What its tokens say of whose they are; the device's whole name will do, too.
    pub identity: String,
}

impl Command for ForgetIssuedIdentity {
    type Output = LoginName;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<LoginName, AdminError> {
        let record = found(tx, &self.issuer)?;
        let by = self.issuer.as_str();
        registration::forget(tx, "issuer.forget", by, &record.tenant, &self.identity)
    }
}

fn found(rows: &mut Rows<'_>, name: &IssuerName) -> Result<IssuerRecord, AdminError> {
    rows.issuer_by_name(name)?.ok_or_else(|| {
        let message = format!("there is no issuer `{name}`");
        refused(ErrorKind::NotFound, name, message)
    })
}

fn refused(kind: ErrorKind, name: &IssuerName, message: impl Into<String>) -> AdminError {
    AdminError::new(kind, Subject::new(Noun::TokenIssuer, name), message)
}

#[cfg(test)]
pub(crate) mod tests {
    use countersign_core::store::rows::IssuerRows as _;
    use countersign_core::store::{AdminStore as _, AdminTransaction as _};
    use countersign_issuer::KeyText;

    use super::*;
    use crate::fixture::{Fixture, role_name, tenant_id};
    use crate::tenant::{DeleteTenant, TenantDeletion};

    pub(crate) fn name(text: &str) -> IssuerName {
        IssuerName::parse(text).unwrap()
    }

    fn text(text: &str) -> IssuerText {
        IssuerText::parse(text).unwrap()
    }

    pub(crate) fn add(called: &str) -> AddIssuer {
        let pem = include_str!("../../issuer/tests/keys/p256.pem");
        let algorithms: Algorithms = "ES256".parse().unwrap();
        AddIssuer {
            name: name(called),
            tenant: tenant_id("acme"),
            issuer: text("https://sso.example"),
            audience: text(called),
            keys: KeyOrigin::Given(KeySet::of_pem(pem, &algorithms).unwrap()),
            algorithms,
            identity: IdentityClaim::parse("sub").unwrap(),
            role_claim: None,
            roles: BTreeMap::new(),
            registers: None,
        }
    }

    fn refusal(fixture: &mut Fixture, add: &AddIssuer) -> (ErrorKind, String) {
        let error = fixture.run(add).unwrap_err();
        (error.kind(), error.to_string())
    }

    #[test]
    fn an_issuer_is_listed_shown_given_other_keys_audited_and_removed() {
        let mut fixture = Fixture::with_credential();
        fixture.role("ops").unwrap();
        let with_roles = AddIssuer {
            role_claim: Some(text("roles")),
            roles: [(text("operator"), role_name("ops"))].into(),
            ..add("sso")
        };
        let added = fixture.run(&with_roles).unwrap();
        assert_eq!(fixture.run(&ShowIssuer(name("sso"))).unwrap(), added);
        let listed = fixture.run(&ListIssuers::default()).unwrap();
        assert_eq!(listed.as_slice(), core::slice::from_ref(&added));
        let set = |pem: &str| SetIssuerKeys {
            name: name("sso"),
            keys: KeyOrigin::Given(KeyText::Pem(pem.into())),
        };
        let of_rsa = set(include_str!("../../issuer/tests/keys/rsa.pem"));
        assert_eq!(fixture.run(&of_rsa).unwrap_err().kind(), ErrorKind::Invalid);
        let other = set(include_str!("../../issuer/tests/keys/p256.other.pem"));
        let set = fixture.run(&other).unwrap();
        assert_ne!(set.keys, added.keys);
        let revoke = RevokeIssuedToken {
            issuer: name("sso"),
            token: text("t-1"),
        };
        fixture.run(&revoke).unwrap();
        assert_eq!(
            fixture.run(&revoke).unwrap_err().kind(),
            ErrorKind::Conflict
        );
        fixture.run(&RemoveIssuer(name("sso"))).unwrap();
        let acts = fixture.acts();
        let last = acts.get(acts.len() - 4..).unwrap();
        assert_eq!(
            last,
            ["add", "set", "revoke", "remove"].map(|act| format!("issuer.{act} sso"))
        );
        for error in [
            fixture.run(&ShowIssuer(name("sso"))).unwrap_err(),
            fixture.run(&RemoveIssuer(name("sso"))).unwrap_err(),
            fixture.run(&revoke).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        }
    }

    #[test]
    fn an_issuer_that_can_not_be_is_refused() {
        let mut fixture = Fixture::with_credential();
        fixture.run(&add("sso")).unwrap();
        let (kind, said) = refusal(&mut fixture, &add("sso"));
        assert_eq!(kind, ErrorKind::Exists, "{said}");
        let same_words = AddIssuer {
            audience: text("sso"),
            ..add("other")
        };
        let (kind, said) = refusal(&mut fixture, &same_words);
        assert_eq!(kind, ErrorKind::Exists);
        assert!(
            said.contains("issuer `sso` has the same `iss` and `aud`"),
            "{said}"
        );
        let no_role = AddIssuer {
            role_claim: Some(text("roles")),
            roles: [(text("operator"), role_name("ops"))].into(),
            ..add("other")
        };
        assert_eq!(refusal(&mut fixture, &no_role).0, ErrorKind::NotFound);
        fixture.role("ops").unwrap();
        let no_claim = AddIssuer {
            role_claim: None,
            ..no_role
        };
        assert_eq!(refusal(&mut fixture, &no_claim).0, ErrorKind::Invalid);
        let words = (0..=MOST_ROLE_WORDS).map(|word| (text(&word.to_string()), role_name("ops")));
        let too_many = AddIssuer {
            role_claim: Some(text("roles")),
            roles: words.collect(),
            ..add("other")
        };
        assert_eq!(refusal(&mut fixture, &too_many).0, ErrorKind::Invalid);
        let nobodys = AddIssuer {
            tenant: tenant_id("none"),
            ..add("other")
        };
        assert_eq!(refusal(&mut fixture, &nobodys).0, ErrorKind::NotFound);
        for number in 1..MOST_ISSUERS_OF_TENANT {
            fixture.run(&add(&format!("sso-{number}"))).unwrap();
        }
        let (kind, said) = refusal(&mut fixture, &add("more"));
        assert_eq!(kind, ErrorKind::Conflict);
        assert!(said.contains("tenant `acme` has 16"), "{said}");
    }

    #[test]
    fn so_many_tokens_of_an_issuer_can_be_revoked() {
        let mut fixture = Fixture::with_credential();
        let id = fixture.run(&add("sso")).unwrap().id;
        let now = fixture.now;
        let mut transaction = fixture.store.begin(Intent::Write).unwrap();
        for number in 0..MOST_REVOKED {
            let token = text(&number.to_string());
            transaction.revoke_issued_token(id, &token, now).unwrap();
        }
        transaction.commit(&[], &[]).unwrap();
        let revoke = RevokeIssuedToken {
            issuer: name("sso"),
            token: text("t-1"),
        };
        let error = fixture.run(&revoke).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.to_string().contains("with other keys"), "{error}");
    }

    #[test]
    fn a_tenants_issuers_go_with_it() {
        let mut fixture = Fixture::with_credential();
        fixture.tenant("other", &[]).unwrap();
        let others = AddIssuer {
            tenant: tenant_id("other"),
            ..add("sso")
        };
        fixture.run(&others).unwrap();
        let delete = DeleteTenant {
            id: tenant_id("other"),
            deletion: TenantDeletion::WithEverything,
        };
        fixture.run(&delete).unwrap();
        assert_eq!(fixture.run(&ListIssuers::default()).unwrap(), []);
    }
}

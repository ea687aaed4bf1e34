//! What a CONNECT would come to. Nothing is written and nothing counted.

use std::sync::Arc;

use countersign_core::connect::{
    Admission, Checked, Decision, Request, SecretCheck, Site, Wasted, decide,
};
use countersign_core::credential::Credential;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::reason::Reason;
use countersign_core::secret::{Secret, SecretDigest, StoredSecret, Verifier};
use countersign_core::store::{AdminStore, AdminTransaction, Directory, Intent, StoreError};
use countersign_core::tenant::Tenant;
use countersign_core::time::Timestamp;

/// What a CONNECT would present.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct Connect<'a> {
    /// The client identifier.
    pub client_id: &'a str,
    /// The username, if there is one.
    pub username: Option<&'a str>,
    /// The password; if there is none, whatever is right.
    pub password: Option<Secret>,
}

/// What a CONNECT would come to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It is let in as who it says it is.
    Allow,
    /// It is let in as nobody, where a tenant allows that.
    AllowUnauthenticated,
    /// It is refused.
    Deny(Reason),
}

impl Verdict {
    /// Says whether it is let in.
    #[must_use]
    pub fn is_allowed(self) -> bool {
        match self {
            Self::Allow | Self::AllowUnauthenticated => true,
            Self::Deny(_) => false,
        }
    }

    /// The reason, in the words of the audit.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Allow => "ok",
            Self::AllowUnauthenticated => Reason::Unauthenticated.as_str(),
            Self::Deny(reason) => reason.as_str(),
        }
    }
}

/// Decides about a CONNECT as a broker would.
///
/// # Errors
///
/// Returns [`StoreError`] when the store can't be read.
pub fn connect<S: AdminStore>(
    store: &mut S,
    now: Timestamp,
    site: &Site,
    presented: Connect<'_>,
) -> Result<Verdict, StoreError> {
    let assumed = presented.password.is_none();
    let request = match Request::parse(
        presented.client_id.as_bytes(),
        presented.username.map(str::as_bytes),
        None,
    ) {
        Ok(request) => Request {
            // An assumed password must be there to be found right.
            secret: presented.password.or_else(|| Some(Secret::new(Vec::new()))),
            ..request
        },
        Err(reason) => return Ok(Verdict::Deny(reason)),
    };
    let mut directory = Snapshot(store.begin(Intent::Read)?);
    let mut check = AtLeisure { assumed };
    Ok(
        match decide(&request, site, now, &mut directory, &mut check)? {
            Decision::Admit(Admission::Credential { .. }) => Verdict::Allow,
            Decision::Admit(Admission::Unauthenticated { .. }) => Verdict::AllowUnauthenticated,
            Decision::Refuse(reason) => Verdict::Deny(reason),
            Decision::Wait => Verdict::Deny(Reason::OverBudget),
        },
    )
}

/// One state of the store, looked up in as a broker does.
struct Snapshot<T>(T);

impl<T: AdminTransaction> Directory for Snapshot<T> {
    fn credential(&mut self, name: &LoginName) -> Result<Option<Arc<Credential>>, StoreError> {
        Ok(self.0.credential(name)?.map(Arc::new))
    }

    fn tenant(&mut self, id: &TenantId) -> Result<Option<Arc<Tenant>>, StoreError> {
        Ok(self.0.tenant(id)?.map(Arc::new))
    }

    fn some_tenant_admits_anonymous(&mut self) -> Result<bool, StoreError> {
        let tenants = self.0.tenants()?;
        Ok(tenants
            .iter()
            .any(|tenant| tenant.authentication.admits_anonymous()))
    }
}

/// Compares secrets with all the time in the world, or takes them for right.
struct AtLeisure {
    assumed: bool,
}

impl SecretCheck for AtLeisure {
    fn compare(&mut self, credential: &Credential, presented: &Secret, now: Timestamp) -> Checked {
        let usable = |stored: &&StoredSecret| stored.is_usable(now);
        credential
            .secrets
            .iter()
            .filter(usable)
            .find(|stored| self.assumed || is_match(&stored.verifier, presented))
            .map_or(Checked::Mismatch, |stored| Checked::Match(stored.id))
    }

    fn waste(&mut self, _name: &LoginName, _presented: &Secret) -> Wasted {
        Wasted::Done
    }
}

fn is_match(verifier: &Verifier, presented: &Secret) -> bool {
    match verifier {
        Verifier::Digest(digest) => *digest == SecretDigest::of(presented),
        Verifier::Password(hash) => hash.verify(presented),
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::tenant::Authentication;

    use super::*;
    use crate::credential;
    use crate::fixture::{Fixture, login_name, tenant_id};
    use crate::tenant::{self, TenantChanges};

    #[test]
    fn nobody_is_let_into_an_empty_store() {
        let mut fixture = Fixture::new();
        assert_eq!(
            fixture.check("dev1@acme", None),
            Verdict::Deny(Reason::UnknownTenant)
        );
        assert_eq!(
            fixture.check("dev1", None),
            Verdict::Deny(Reason::UnknownName)
        );
        assert_eq!(fixture.check("a#b", None), Verdict::Deny(Reason::Malformed));
    }

    #[test]
    fn a_password_is_taken_as_right_only_where_none_is_given() {
        let mut fixture = Fixture::new();
        fixture.tenant("acme", &[]).unwrap();
        let secret = fixture.credential("dev1").unwrap().secret.unwrap();
        assert_eq!(fixture.check("dev1@acme", None), Verdict::Allow);
        assert_eq!(
            fixture.check("dev1@acme", Some(secret.expose())),
            Verdict::Allow
        );
        for wrong in [&b""[..], b"wrong"] {
            assert_eq!(
                fixture.check("dev1@acme", Some(wrong)),
                Verdict::Deny(Reason::BadSecret)
            );
        }
    }

    #[test]
    fn a_wrong_login_is_let_in_as_nobody_where_the_tenant_asks_for_none() {
        let mut fixture = Fixture::with_credential();
        let changes = TenantChanges {
            authentication: Some(Authentication::Off),
            ..TenantChanges::default()
        };
        fixture
            .act(|store, context| tenant::set(store, context, &tenant_id("acme"), changes))
            .unwrap();
        let verdict = fixture.check("dev1@acme", Some(b"wrong"));
        assert_eq!(
            (verdict, verdict.reason()),
            (Verdict::AllowUnauthenticated, "unauthenticated")
        );
        assert_eq!(fixture.check("dev1@acme", None), Verdict::Allow);
    }

    #[test]
    fn a_check_writes_nothing() {
        let mut fixture = Fixture::with_credential();
        let acts = fixture.acts();
        assert!(fixture.check("dev1@acme", None).is_allowed());
        assert!(!fixture.check("dev1@acme", Some(b"wrong")).is_allowed());
        assert!(!fixture.show("dev1@acme").ever_used);
        assert_eq!(fixture.acts(), acts);
    }

    #[test]
    fn the_state_counts_after_the_secret() {
        let mut fixture = Fixture::with_credential();
        let name = login_name("dev1@acme");
        fixture
            .act(|store, context| credential::suspend(store, context, &name))
            .unwrap();
        assert_eq!(
            fixture.check("dev1@acme", None),
            Verdict::Deny(Reason::Suspended)
        );
        assert_eq!(
            fixture.check("dev1@acme", Some(b"x")),
            Verdict::Deny(Reason::BadSecret)
        );
    }
}

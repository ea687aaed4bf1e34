//! What [`decide`](countersign_core::connect::decide) looks up, with overrides
//! for what a check leaves out of account.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use countersign_core::certificate::{
    AuthorityId, AuthorityKey, AuthorityRecord, CertificateRecord, Fingerprint, Leaf, SignerHints,
};
use countersign_core::client_id::{ClientId, ClientIdRule, ClientIdTie};
use countersign_core::connect::{DummyVerified, SecretCheck, SecretVerdict, SignatureVerdict};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::issuer::{IssuerId, IssuerName, IssuerRecord, IssuerText, PresentedToken};
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::kind::Kind;
use countersign_core::lockout::Lockout;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::ownership::StoredSession;
use countersign_core::scheme::{NameForm, SchemeName, Schemes, TokenLogin};
use countersign_core::secret::{Secret, SecretDigest, StoredSecret, Verifier};
use countersign_core::store::{Directory, StoreError};
use countersign_core::tenant::Tenant;
use countersign_core::time::Timestamp;
use countersign_core::token::{TokenKey, TokenRecord};

/// What does not count, as the question is not about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Strictness {
    /// Which client id there is, and whether the name is a mere handle.
    IgnoreClientIdAndHandle,
    /// Whether the name is a mere handle.
    IgnoreHandle,
    /// Everything counts.
    Full,
}

/// Looks up what a CONNECT needs.
pub(super) struct DirectoryOverrides<'a, S> {
    pub(super) store: &'a mut S,
    pub(super) tenants: &'a BTreeMap<TenantId, Arc<Tenant>>,
    pub(super) credentials: &'a mut HashMap<String, Option<Arc<Credential>>>,
    pub(super) schemes: &'a Schemes,
    pub(super) strictness: Strictness,
    /// Whether the code of a second factor is taken for given.
    pub(super) assumes_code: bool,
}

impl<S: Directory> DirectoryOverrides<'_, S> {
    fn ignores_client_ids(&self) -> bool {
        self.strictness == Strictness::IgnoreClientIdAndHandle
    }

    /// The credential without what does not count.
    fn overridden(&self, credential: Arc<Credential>) -> Arc<Credential> {
        let is_handle = self.strictness != Strictness::Full
            && self
                .schemes
                .find(credential.scheme.as_str())
                .is_some_and(|scheme| scheme.token_login() == TokenLogin::Required);
        let needs_code = self.assumes_code && has_second_factor(&credential);
        if !is_handle && !needs_code && !self.ignores_client_ids() {
            return credential;
        }
        let mut overridden = Credential::clone(&credential);
        if self.ignores_client_ids() {
            overridden.client_id_rule = ClientIdRule::Any;
        }
        if let Kind::User(user) = &mut overridden.kind
            && needs_code
        {
            user.second_factor = None;
        }
        // Only the scheme says so, and one without tokens does not.
        if is_handle && let Ok(scheme) = SchemeName::parse(PLAIN) {
            overridden.scheme = scheme;
        }
        Arc::new(overridden)
    }
}

impl<S: Directory> Directory for DirectoryOverrides<'_, S> {
    fn credential(&mut self, name: &LoginName) -> Result<Option<Arc<Credential>>, StoreError> {
        let found = remembered(self.credentials, self.store, name)?;
        Ok(found.map(|credential| self.overridden(credential)))
    }

    fn tenant(&mut self, id: &TenantId) -> Result<Option<Arc<Tenant>>, StoreError> {
        let tenant = self.tenants.get(id).cloned();
        if !self.ignores_client_ids() {
            return Ok(tenant);
        }
        let unprefixed = |tenant: Arc<Tenant>| match tenant.client_id_prefix {
            Some(_) => Arc::new(Tenant {
                client_id_prefix: None,
                ..Tenant::clone(&tenant)
            }),
            None => tenant,
        };
        Ok(tenant.map(unprefixed))
    }

    fn some_tenant_admits_anonymous(&mut self) -> Result<bool, StoreError> {
        let mut tenants = self.tenants.values();
        Ok(tenants.any(|tenant| tenant.authentication.admits_anonymous()))
    }

    fn credential_by_digest(
        &mut self,
        digest: &SecretDigest,
    ) -> Result<Option<Arc<Credential>>, StoreError> {
        let found = self.store.credential_by_digest(digest)?;
        // Its scheme must still allow what it was found by.
        Ok(found.map(|credential| {
            if !self.ignores_client_ids() {
                return credential;
            }
            Arc::new(Credential {
                client_id_rule: ClientIdRule::Any,
                ..Credential::clone(&credential)
            })
        }))
    }

    fn bound_to(&mut self, client_id: &ClientIdTie) -> Result<Option<CredentialId>, StoreError> {
        if self.ignores_client_ids() {
            return Ok(None);
        }
        self.store.bound_to(client_id)
    }

    fn tenant_by_client_id(
        &mut self,
        client_id: &ClientId,
    ) -> Result<Option<TenantId>, StoreError> {
        if self.ignores_client_ids() {
            return Ok(None);
        }
        self.store.tenant_by_client_id(client_id)
    }

    fn stored_session(
        &mut self,
        client_id: &ClientIdTie,
    ) -> Result<Option<StoredSession>, StoreError> {
        if self.ignores_client_ids() {
            return Ok(None);
        }
        self.store.stored_session(client_id)
    }

    fn credential_by_id(
        &mut self,
        id: CredentialId,
    ) -> Result<Option<Arc<Credential>>, StoreError> {
        self.store.credential_by_id(id)
    }

    fn lockout(&mut self, email: &LoginName) -> Result<Lockout, StoreError> {
        self.store.lockout(email)
    }

    fn token_key(&mut self, id: &KeyId) -> Result<Option<TokenKey>, StoreError> {
        self.store.token_key(id)
    }

    fn token(&mut self, id: &TokenId) -> Result<Option<Arc<TokenRecord>>, StoreError> {
        self.store.token(id)
    }

    fn certificate(
        &mut self,
        fingerprint: &Fingerprint,
    ) -> Result<Option<CertificateRecord>, StoreError> {
        self.store.certificate(fingerprint)
    }

    fn issuer(&mut self, id: IssuerId) -> Result<Option<IssuerRecord>, StoreError> {
        self.store.issuer(id)
    }

    fn issuers_like(&mut self, issuer: &IssuerText) -> Result<Arc<[IssuerRecord]>, StoreError> {
        self.store.issuers_like(issuer)
    }

    fn is_issued_token_revoked(
        &mut self,
        id: IssuerId,
        token: &IssuerText,
    ) -> Result<bool, StoreError> {
        self.store.is_issued_token_revoked(id, token)
    }

    fn was_registered(&mut self, tenant: &TenantId, name: &LoginName) -> Result<bool, StoreError> {
        self.store.was_registered(tenant, name)
    }

    fn authority(&mut self, id: AuthorityId) -> Result<Option<AuthorityRecord>, StoreError> {
        self.store.authority(id)
    }

    fn authorities_like(
        &mut self,
        hints: &SignerHints,
    ) -> Result<Arc<[AuthorityRecord]>, StoreError> {
        self.store.authorities_like(hints)
    }
}

fn has_second_factor(credential: &Credential) -> bool {
    let user = credential.kind.user();
    user.is_some_and(|user| user.second_factor.is_some())
}

/// The credential of this name, as it was when it was first asked for.
pub(super) fn remembered<S: Directory>(
    known: &mut HashMap<String, Option<Arc<Credential>>>,
    store: &mut S,
    name: &LoginName,
) -> Result<Option<Arc<Credential>>, StoreError> {
    if let Some(found) = known.get(name.as_str()) {
        return Ok(found.clone());
    }
    let found = store.credential(name)?;
    if known.len() >= MOST_REMEMBERED {
        known.clear();
    }
    known.insert(name.as_str().into(), found.clone());
    Ok(found)
}

/// Compares secrets with all the time in the world, or takes them for right.
pub(super) struct DirectVerifier<'a> {
    /// The client id that goes with a secret that is taken for right.
    pub(super) assumed: Option<&'a ClientId>,
    /// Whose signature was found.
    pub(super) signer: Option<Signer>,
}

/// Whose key signed what a client presents.
pub(super) enum Signer {
    Authority(AuthorityKey),
    Issuer(IssuerName),
}

impl SecretCheck for DirectVerifier<'_> {
    fn compare(
        &mut self,
        credential: &Credential,
        presented: &Secret,
        _form: &dyn Fn() -> NameForm,
        now: Timestamp,
    ) -> SecretVerdict {
        let usable = |stored: &&StoredSecret| stored.is_usable(now);
        let mut secrets = credential.secrets.iter().filter(usable);
        let found = match self.assumed {
            // Of two that work, the one that the client id would go with.
            Some(client_id) => secrets
                .clone()
                .find(|stored| credential.admits(stored.id, client_id, now).is_ok())
                .or_else(|| secrets.next()),
            None => secrets.find(|stored| is_match(&stored.verifier, presented)),
        };
        found.map_or(SecretVerdict::Mismatch, |stored| {
            SecretVerdict::Match(stored.id)
        })
    }

    fn dummy_verify(&mut self, _presented: &Secret, _form: NameForm) -> DummyVerified {
        DummyVerified::Done
    }

    fn is_signed(
        &mut self,
        _fingerprint: &Fingerprint,
        leaf: &dyn Leaf,
        key: &AuthorityKey,
    ) -> SignatureVerdict {
        let is_signed = leaf.is_signed_with(key);
        if is_signed {
            self.signer = Some(Signer::Authority(key.clone()));
        }
        SignatureVerdict::of(is_signed)
    }

    fn is_issued(&mut self, token: &dyn PresentedToken, issuer: &IssuerRecord) -> SignatureVerdict {
        let is_issued = token.is_signed_by(issuer);
        if is_issued {
            self.signer = Some(Signer::Issuer(issuer.name.clone()));
        }
        SignatureVerdict::of(is_issued)
    }
}

fn is_match(verifier: &Verifier, presented: &Secret) -> bool {
    match verifier {
        Verifier::Digest(digest) => *digest == SecretDigest::of(presented),
        Verifier::Password(hash) => hash.verify(presented),
    }
}

/// A scheme whose names are login names.
const PLAIN: &str = "basic";

/// How many credentials are remembered at most.
pub(super) const MOST_REMEMBERED: usize = 100_000;

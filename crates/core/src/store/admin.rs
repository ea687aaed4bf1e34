//! What administrative acts are made of.

use super::{KickTarget, Settings, StoreError};
use crate::audit::{AuditEntry, AuditRow};
use crate::change::{Change, KickRequestId};
use crate::client_id::ClientIdTie;
use crate::credential::{Credential, CredentialId};
use crate::jwt::{KeyId, TokenId};
use crate::lifecycle::State;
use crate::lockout::Lockout;
use crate::name::{GroupPath, LoginName, TenantId};
use crate::ownership::StoredSession;
use crate::presence::{Presence, SessionNumber};
use crate::role::{Role, RoleName};
use crate::scheme::{Scheme, SchemeName, Schemes};
use crate::seal::SealKey;
use crate::secret::{SecretDigest, SecretId, Verifier};
use crate::tenant::Tenant;
use crate::time::Timestamp;
use crate::token::{SealedTokenKey, TokenRecord};
use crate::totp::Step;

/// What administrative acts are made of.
pub trait AdminStore {
    /// One act, or one look.
    type Transaction<'a>: AdminTransaction
    where
        Self: 'a;

    /// Begins a transaction that sees one state of the store and, with
    /// [`Intent::Write`], alone may change it. Waits a bounded time for the
    /// lock.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] of kind `Busy` when the lock was not to be had,
    /// and of another kind when the store can't be used.
    fn begin(&mut self, intent: Intent) -> Result<Self::Transaction<'_>, StoreError>;
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Intent {
    /// To look.
    Read,
    /// To act.
    Write,
}

/// One transaction. Dropped without [`AdminTransaction::commit`], it never
/// happened.
pub trait AdminTransaction {
    /// The settings.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read. So do all below
    /// that return one, and those that write when it can't be written.
    fn settings(&mut self) -> Result<Settings, StoreError>;

    /// Replaces the settings.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn set_settings(&mut self, settings: &Settings) -> Result<(), StoreError>;

    /// The tenant with this id.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn tenant(&mut self, id: &TenantId) -> Result<Option<Tenant>, StoreError>;

    /// All tenants, by id.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn tenants(&mut self) -> Result<Vec<Tenant>, StoreError>;

    /// Writes a tenant, new or changed.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn put_tenant(&mut self, tenant: &Tenant) -> Result<(), StoreError>;

    /// Deletes a tenant with all that belongs to it.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn delete_tenant(&mut self, id: &TenantId) -> Result<(), StoreError>;

    /// Deletes up to `most` credentials of a tenant, things before their
    /// applications, and says which; what belongs to them goes with them.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn delete_some_credentials(
        &mut self,
        tenant: &TenantId,
        most: usize,
    ) -> Result<Vec<CredentialId>, StoreError>;

    /// How many credentials a tenant has. Bearers of tokens don't count: they
    /// come along with a token.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn count_credentials(&mut self, tenant: &TenantId) -> Result<u64, StoreError>;

    /// The credential with this login name.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn credential(&mut self, name: &LoginName) -> Result<Option<Credential>, StoreError>;

    /// Devices of tenants, by name.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn credentials(&mut self, query: &CredentialQuery) -> Result<Vec<Credential>, StoreError>;

    /// The credential with this number.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn credential_by_id(&mut self, id: CredentialId) -> Result<Option<Credential>, StoreError>;

    /// Adds a credential of any kind; the number, the secrets, the times of use
    /// and, of a user, recovery codes in `credential` do not count.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when the name is taken, else as
    /// [`AdminTransaction::settings`].
    fn add_credential(&mut self, credential: &Credential) -> Result<CredentialId, StoreError>;

    /// Writes all of a credential but its number, name, tenant, secrets and
    /// times of creation and use; of a user neither the recovery codes nor the
    /// last step.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn update_credential(&mut self, credential: &Credential) -> Result<(), StoreError>;

    /// Deletes a credential.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn delete_credential(&mut self, id: CredentialId) -> Result<(), StoreError>;

    /// Gives a credential one more secret, newer than those it has.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when the same secret is stored already, else as
    /// [`AdminTransaction::settings`].
    fn add_secret(
        &mut self,
        credential: CredentialId,
        verifier: &Verifier,
    ) -> Result<SecretId, StoreError>;

    /// Says when a secret stops to work.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn limit_secret(
        &mut self,
        secret: SecretId,
        ends_at: Option<Timestamp>,
        until_used: bool,
    ) -> Result<(), StoreError>;

    /// Keeps what a secret begins with, for listings: of one that serves as a
    /// name.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn put_hint(&mut self, secret: SecretId, hint: &str) -> Result<(), StoreError>;

    /// Removes a secret.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn remove_secret(&mut self, secret: SecretId) -> Result<(), StoreError>;

    /// Replaces the recovery codes of a user and forgets the last step of a
    /// code.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn put_recovery_codes(
        &mut self,
        user: CredentialId,
        codes: &[SecretDigest],
    ) -> Result<(), StoreError>;

    /// Makes a step the last one that a code of a user was accepted for.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn put_last_step(&mut self, user: CredentialId, step: Step) -> Result<(), StoreError>;

    /// What is counted against a user.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn lockout(&mut self, email: &LoginName) -> Result<Lockout, StoreError>;

    /// Resets the failures of a user.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn clear_lockout(&mut self, email: &LoginName) -> Result<(), StoreError>;

    /// All users, by name.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn users(&mut self) -> Result<Vec<Credential>, StoreError>;

    /// Applications, by tenant and name.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn applications(&mut self, tenant: Option<&TenantId>) -> Result<Vec<Credential>, StoreError>;

    /// Things, by key: of all tenants or one, of all applications or one.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn things(
        &mut self,
        tenant: Option<&TenantId>,
        application: Option<CredentialId>,
    ) -> Result<Vec<Credential>, StoreError>;

    /// What seeds and private keys are sealed with, from the file beside the
    /// store; none where it is missing or no such file.
    fn seal_key(&self) -> Option<SealKey>;

    /// The keys that sign tokens of a tenant, newest first, those whose
    /// signatures count no more included.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn token_keys(&mut self, tenant: &TenantId) -> Result<Vec<SealedTokenKey>, StoreError>;

    /// Adds a key that signs tokens.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn add_token_key(&mut self, key: &SealedTokenKey) -> Result<(), StoreError>;

    /// Says from when on the signatures of a key count no more; never later than
    /// was said before.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn end_token_key(&mut self, key: &KeyId, at: Timestamp) -> Result<(), StoreError>;

    /// The token with this number.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn token(&mut self, id: &TokenId) -> Result<Option<TokenRecord>, StoreError>;

    /// Tokens that have not ended long since, by tenant and time.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn tokens(&mut self, tenant: Option<&TenantId>) -> Result<Vec<TokenRecord>, StoreError>;

    /// How many tokens of this issuer are kept.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn count_tokens_of(&mut self, issuer: CredentialId) -> Result<u64, StoreError>;

    /// Removes those tokens of this issuer that were revoked or have ended by
    /// `now`.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn remove_ended_tokens_of(
        &mut self,
        issuer: CredentialId,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// How many bearers of tokens a tenant has.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn bearers(&mut self, tenant: &TenantId) -> Result<u64, StoreError>;

    /// Adds a token.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn add_token(&mut self, token: &TokenRecord) -> Result<(), StoreError>;

    /// Revokes a token; one that is revoked stays as it is.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn revoke_token(&mut self, id: &TokenId, at: Timestamp) -> Result<(), StoreError>;

    /// The role of this name in a tenant.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<Option<Role>, StoreError>;

    /// Roles, by tenant and name.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn roles(&mut self, tenant: Option<&TenantId>) -> Result<Vec<Role>, StoreError>;

    /// Writes a role with all its rules, new or changed.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn put_role(&mut self, role: &Role) -> Result<(), StoreError>;

    /// Deletes a role and takes it from its holders.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn delete_role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<(), StoreError>;

    /// The numbers of the credentials that hold a role: by themselves, by a
    /// grant, or by tokens made for them that are still kept. Things are not
    /// among them; their application is.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn holders_of_role(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
    ) -> Result<Vec<CredentialId>, StoreError>;

    /// All schemes, built in and made.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn schemes(&mut self) -> Result<Schemes, StoreError>;

    /// Adds a scheme.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when there is one of this name, else as
    /// [`AdminTransaction::settings`].
    fn add_scheme(&mut self, scheme: &Scheme) -> Result<(), StoreError>;

    /// Removes a scheme that was added.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn remove_scheme(&mut self, name: &SchemeName) -> Result<(), StoreError>;

    /// The tenants with a credential of this scheme.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn tenants_using_scheme(&mut self, name: &SchemeName) -> Result<Vec<TenantId>, StoreError>;

    /// The schemes that credentials of this tenant were made by.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn schemes_used_by(&mut self, tenant: &TenantId) -> Result<Vec<SchemeName>, StoreError>;

    /// Operators, by name.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn operators(&mut self) -> Result<Vec<Credential>, StoreError>;

    /// The name of the credential that has this value for an attribute, in
    /// any tenant.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn holder_of_attribute(
        &mut self,
        key: &str,
        value: &str,
    ) -> Result<Option<LoginName>, StoreError>;

    /// The credential that is bound to exactly this client id, by its rule or
    /// by its first use.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn bound_to(&mut self, client_id: &ClientIdTie) -> Result<Option<CredentialId>, StoreError>;

    /// What is recorded about the stored session of a client id.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn stored_session(
        &mut self,
        client_id: &ClientIdTie,
    ) -> Result<Option<StoredSession>, StoreError>;

    /// Gives up a client id on behalf of its holder; it can be taken with a
    /// clean start from then on.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn release_client_id(&mut self, client_id: &ClientIdTie) -> Result<(), StoreError>;

    /// Who is connected, by broker and session.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn presence(&mut self, tenant: Option<&TenantId>) -> Result<Vec<BrokerPresence>, StoreError>;

    /// Who is connected with this client id.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn presence_with(&mut self, client_id: &ClientIdTie)
    -> Result<Vec<BrokerPresence>, StoreError>;

    /// This session of this broker, if it is connected.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn presence_of(
        &mut self,
        broker: &str,
        session: SessionNumber,
    ) -> Result<Option<BrokerPresence>, StoreError>;

    /// How many are connected to brokers that are alive.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn count_presence(&mut self, tenant: Option<&TenantId>) -> Result<u64, StoreError>;

    /// Asks the brokers to end sessions. `entry` is what the audit says once
    /// one of them did.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn request_kick(
        &mut self,
        target: &KickTarget,
        entry: &AuditEntry,
    ) -> Result<KickRequestId, StoreError>;

    /// Takes back a request that no broker answered; says whether none did.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn withdraw_kick(&mut self, id: KickRequestId) -> Result<bool, StoreError>;

    /// Says whether a broker ended a session that was asked for.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn is_kick_answered(&mut self, id: KickRequestId) -> Result<bool, StoreError>;

    /// Rows of the audit, refusals of the running minute included, in order of
    /// time.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn audit(&mut self, query: &AuditQuery) -> Result<Vec<AuditRow>, StoreError>;

    /// The row of the audit with this number.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn audit_row(&mut self, id: i64) -> Result<Option<AuditRow>, StoreError>;

    /// Commits the act together with its audit row and its changes; synced to
    /// disk when it returns.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`]; nothing was written then.
    fn commit(self, audit: &[AuditEntry], changes: &[Change]) -> Result<(), StoreError>
    where
        Self: Sized;
}

/// Which credentials to list.
#[derive(Clone, Debug, Default)]
pub struct CredentialQuery {
    /// Of this tenant alone.
    pub tenant: Option<TenantId>,
    /// In this state alone.
    pub state: Option<State>,
    /// In this group and below alone.
    pub group: Option<GroupPath>,
    /// After this name alone.
    pub after: Option<LoginName>,
    /// At most so many.
    pub limit: Option<u64>,
}

/// Which rows of the audit to list.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Since then alone.
    pub since: Option<Timestamp>,
    /// About this subject alone.
    pub subject: Option<String>,
    /// The newest so many.
    pub limit: Option<u64>,
}

/// A live session and the broker it is at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BrokerPresence {
    /// The broker's name.
    pub broker: String,
    /// Whether that broker is alive, so that it is connected still.
    pub is_alive: bool,
    /// The session.
    pub presence: Presence,
}

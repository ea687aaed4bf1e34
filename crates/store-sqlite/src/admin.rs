//! What administrative acts are made of.

use std::collections::HashMap;
use std::time::Instant;

use countersign_core::audit::{AuditChain, AuditEntry, AuditRow};
use countersign_core::change::{Change, KickRequestId};
use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::lockout::Lockout;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::ownership::StoredSession;
use countersign_core::presence::SessionNumber;
use countersign_core::role::{Role, RoleName};
use countersign_core::scheme::{Scheme, SchemeName, Schemes};
use countersign_core::seal::SealKey;
use countersign_core::secret::{SecretDigest, SecretId, Verifier};
use countersign_core::store::{
    AdminStore, AdminTransaction, AuditQuery, BrokerPresence, CredentialQuery, Intent, KickTarget,
    Settings, StoreError,
};
use countersign_core::tenant::Tenant;
use countersign_core::time::Timestamp;
use countersign_core::token::{SealedTokenKey, TokenRecord};
use countersign_core::totp::Step;
use rusqlite::Connection;

use crate::busy_timeout::{ADMIN_WAIT, BusyTimeout, yield_write_lock};
use crate::error::Fault;
use crate::open::SqliteStore;
use crate::{
    audit, changes, client_ids, kicks, listings, lockouts, presence, read_rows, roles, schemes,
    tenants, tokens, transaction, users, write_rows,
};

/// One administrative act on a [`SqliteStore`]. Dropped without
/// [`AdminTransaction::commit`], it never happened.
#[derive(Debug)]
pub struct SqliteTransaction<'a> {
    store: &'a mut SqliteStore,
    intent: Intent,
}

impl AdminStore for SqliteStore {
    type Transaction<'a> = SqliteTransaction<'a>;

    fn begin(&mut self, intent: Intent) -> Result<Self::Transaction<'_>, StoreError> {
        self.check("begin")?;
        let _patience = BusyTimeout::of(ADMIN_WAIT);
        let begun = match intent {
            Intent::Read => transaction::begin(&self.connection, intent),
            Intent::Write => {
                self.check_is_no_copy()?;
                yield_write_lock(self.wrote_at);
                self.checkpoint_on_commit(true)
                    .and_then(|()| transaction::begin(&self.connection, intent))
            }
        };
        match begun {
            Ok(()) => Ok(SqliteTransaction {
                store: self,
                intent,
            }),
            Err(error) => Err(Fault::from(error).while_trying("begin", &self.path)),
        }
    }
}

impl SqliteTransaction<'_> {
    /// Says of each session whether its broker is alive.
    fn told_apart(&self, mut sessions: Vec<BrokerPresence>) -> Vec<BrokerPresence> {
        let mut known: HashMap<String, bool> = HashMap::new();
        for session in &mut sessions {
            session.is_alive = match known.get(&session.broker) {
                Some(is_alive) => *is_alive,
                None => {
                    let is_alive = self.store.is_broker_alive(&session.broker);
                    known.insert(session.broker.clone(), is_alive);
                    is_alive
                }
            };
        }
        sessions
    }

    fn run<T>(
        &self,
        action: &'static str,
        step: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let _patience = BusyTimeout::of(ADMIN_WAIT);
        step(&self.store.connection).map_err(|fault| fault.while_trying(action, &self.store.path))
    }
}

impl Drop for SqliteTransaction<'_> {
    fn drop(&mut self) {
        transaction::roll_back(&self.store.connection);
        if self.intent == Intent::Write {
            self.store.wrote_at = Some(Instant::now());
        }
    }
}

impl AdminTransaction for SqliteTransaction<'_> {
    fn settings(&mut self) -> Result<Settings, StoreError> {
        self.run("read the settings", read_rows::settings)
    }

    fn set_settings(&mut self, settings: &Settings) -> Result<(), StoreError> {
        self.run("write the settings", |connection| {
            write_rows::put_settings(connection, settings)
        })
    }

    fn tenant(&mut self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        self.run("look up a tenant", |connection| {
            tenants::tenant(connection, id)
        })
    }

    fn tenants(&mut self) -> Result<Vec<Tenant>, StoreError> {
        self.run("list the tenants", tenants::tenants)
    }

    fn put_tenant(&mut self, tenant: &Tenant) -> Result<(), StoreError> {
        self.run("write a tenant", |connection| {
            tenants::put_tenant(connection, tenant)
        })
    }

    fn delete_tenant(&mut self, id: &TenantId) -> Result<(), StoreError> {
        self.run("delete a tenant", |connection| {
            tenants::delete_tenant(connection, id)
        })
    }

    fn delete_some_credentials(
        &mut self,
        tenant: &TenantId,
        most: usize,
    ) -> Result<Vec<CredentialId>, StoreError> {
        self.run("delete credentials", |connection| {
            tenants::delete_some_credentials(connection, tenant, most)
        })
    }

    fn count_credentials(&mut self, tenant: &TenantId) -> Result<u64, StoreError> {
        self.run("count credentials", |connection| {
            listings::count(connection, tenant)
        })
    }

    fn credential(&mut self, name: &LoginName) -> Result<Option<Credential>, StoreError> {
        self.run("look up a credential", |connection| {
            read_rows::credential(connection, name)
        })
    }

    fn credentials(&mut self, query: &CredentialQuery) -> Result<Vec<Credential>, StoreError> {
        self.run("list credentials", |connection| {
            listings::devices(connection, query)
        })
    }

    fn credential_by_id(&mut self, id: CredentialId) -> Result<Option<Credential>, StoreError> {
        self.run("look up a credential", |connection| {
            read_rows::credential_by_id(connection, id)
        })
    }

    fn add_credential(&mut self, credential: &Credential) -> Result<CredentialId, StoreError> {
        self.run("add a credential", |connection| {
            write_rows::add_credential(connection, credential)
        })
    }

    fn update_credential(&mut self, credential: &Credential) -> Result<(), StoreError> {
        self.run("change a credential", |connection| {
            write_rows::update_credential(connection, credential)
        })
    }

    fn delete_credential(&mut self, id: CredentialId) -> Result<(), StoreError> {
        self.run("delete a credential", |connection| {
            write_rows::delete_credential(connection, id)
        })
    }

    fn add_secret(
        &mut self,
        credential: CredentialId,
        verifier: &Verifier,
    ) -> Result<SecretId, StoreError> {
        self.run("add a secret", |connection| {
            write_rows::add_secret(connection, credential, verifier)
        })
    }

    fn limit_secret(
        &mut self,
        secret: SecretId,
        ends_at: Option<Timestamp>,
        until_used: bool,
    ) -> Result<(), StoreError> {
        self.run("limit a secret", |connection| {
            write_rows::limit_secret(connection, secret, ends_at, until_used)
        })
    }

    fn remove_secret(&mut self, secret: SecretId) -> Result<(), StoreError> {
        self.run("remove a secret", |connection| {
            write_rows::remove_secret(connection, secret)
        })
    }

    fn put_hint(&mut self, secret: SecretId, hint: &str) -> Result<(), StoreError> {
        self.run("keep what a secret begins with", |connection| {
            write_rows::put_hint(connection, secret, hint)
        })
    }

    fn put_recovery_codes(
        &mut self,
        user: CredentialId,
        codes: &[SecretDigest],
    ) -> Result<(), StoreError> {
        self.run("write recovery codes", |connection| {
            users::put_recovery_codes(connection, user, codes)
        })
    }

    fn put_last_step(&mut self, user: CredentialId, step: Step) -> Result<(), StoreError> {
        self.run("write the step of a code", |connection| {
            users::put_last_step(connection, user, step)
        })
    }

    fn lockout(&mut self, email: &LoginName) -> Result<Lockout, StoreError> {
        self.run("look up a lockout", |connection| {
            lockouts::lockout(connection, email)
        })
    }

    fn clear_lockout(&mut self, email: &LoginName) -> Result<(), StoreError> {
        self.run("clear a lockout", |connection| {
            lockouts::clear(connection, email)
        })
    }

    fn users(&mut self) -> Result<Vec<Credential>, StoreError> {
        self.run("list the users", listings::users)
    }

    fn applications(&mut self, tenant: Option<&TenantId>) -> Result<Vec<Credential>, StoreError> {
        self.run("list the applications", |connection| {
            listings::applications(connection, tenant)
        })
    }

    fn things(
        &mut self,
        tenant: Option<&TenantId>,
        application: Option<CredentialId>,
    ) -> Result<Vec<Credential>, StoreError> {
        self.run("list the things", |connection| {
            listings::things(connection, tenant, application)
        })
    }

    fn seal_key(&self) -> Option<SealKey> {
        self.store.key_file.read(&self.store.path).key
    }

    fn token_keys(&mut self, tenant: &TenantId) -> Result<Vec<SealedTokenKey>, StoreError> {
        self.run("list the keys", |connection| {
            tokens::keys(connection, tenant)
        })
    }

    fn add_token_key(&mut self, key: &SealedTokenKey) -> Result<(), StoreError> {
        self.run("add a key", |connection| tokens::add_key(connection, key))
    }

    fn end_token_key(&mut self, key: &KeyId, at: Timestamp) -> Result<(), StoreError> {
        self.run("end a key", |connection| {
            tokens::end_key(connection, key, at)
        })
    }

    fn token(&mut self, id: &TokenId) -> Result<Option<TokenRecord>, StoreError> {
        self.run("look up a token", |connection| {
            tokens::token(connection, id)
        })
    }

    fn tokens(&mut self, tenant: Option<&TenantId>) -> Result<Vec<TokenRecord>, StoreError> {
        self.run("list the tokens", |connection| {
            tokens::tokens(connection, tenant)
        })
    }

    fn count_tokens_of(&mut self, issuer: CredentialId) -> Result<u64, StoreError> {
        self.run("count the tokens", |connection| {
            tokens::count_of(connection, issuer)
        })
    }

    fn remove_ended_tokens_of(
        &mut self,
        issuer: CredentialId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.run("make room for a token", |connection| {
            tokens::remove_ended_of(connection, issuer, now)
        })
    }

    fn bearers(&mut self, tenant: &TenantId) -> Result<u64, StoreError> {
        self.run("count the bearers of tokens", |connection| {
            tokens::bearers(connection, tenant)
        })
    }

    fn add_token(&mut self, token: &TokenRecord) -> Result<(), StoreError> {
        self.run("add a token", |connection| tokens::add(connection, token))
    }

    fn revoke_token(&mut self, id: &TokenId, at: Timestamp) -> Result<(), StoreError> {
        self.run("revoke a token", |connection| {
            tokens::revoke(connection, id, at)
        })
    }

    fn role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<Option<Role>, StoreError> {
        self.run("look up a role", |connection| {
            roles::role(connection, tenant, name)
        })
    }

    fn roles(&mut self, tenant: Option<&TenantId>) -> Result<Vec<Role>, StoreError> {
        self.run("list the roles", |connection| {
            roles::roles(connection, tenant)
        })
    }

    fn put_role(&mut self, role: &Role) -> Result<(), StoreError> {
        self.run("write a role", |connection| {
            roles::put_role(connection, role)
        })
    }

    fn delete_role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<(), StoreError> {
        self.run("delete a role", |connection| {
            roles::delete_role(connection, tenant, name)
        })
    }

    fn holders_of_role(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
    ) -> Result<Vec<CredentialId>, StoreError> {
        self.run("look up who holds a role", |connection| {
            roles::holders(connection, tenant, name)
        })
    }

    fn schemes(&mut self) -> Result<Schemes, StoreError> {
        self.run("read the schemes", |connection| {
            Ok(schemes::all(connection, &self.store.path)?.readable)
        })
    }

    fn add_scheme(&mut self, scheme: &Scheme) -> Result<(), StoreError> {
        self.run("add a scheme", |connection| {
            schemes::add(connection, &self.store.path, scheme)
        })
    }

    fn remove_scheme(&mut self, name: &SchemeName) -> Result<(), StoreError> {
        self.run("remove a scheme", |connection| {
            schemes::remove(connection, name)
        })
    }

    fn tenants_using_scheme(&mut self, name: &SchemeName) -> Result<Vec<TenantId>, StoreError> {
        self.run("look up who uses a scheme", |connection| {
            schemes::users(connection, name)
        })
    }

    fn schemes_used_by(&mut self, tenant: &TenantId) -> Result<Vec<SchemeName>, StoreError> {
        self.run("look up the schemes of a tenant", |connection| {
            schemes::used_by(connection, tenant)
        })
    }

    fn operators(&mut self) -> Result<Vec<Credential>, StoreError> {
        self.run("list the operators", listings::operators)
    }

    fn holder_of_attribute(
        &mut self,
        key: &str,
        value: &str,
    ) -> Result<Option<LoginName>, StoreError> {
        self.run("look up an attribute", |connection| {
            read_rows::holder_of_attribute(connection, key, value)
        })
    }

    fn bound_to(&mut self, client_id: &ClientIdTie) -> Result<Option<CredentialId>, StoreError> {
        self.run("look up a client id", |connection| {
            client_ids::bound_to(connection, client_id)
        })
    }

    fn stored_session(
        &mut self,
        client_id: &ClientIdTie,
    ) -> Result<Option<StoredSession>, StoreError> {
        self.run("look up a stored session", |connection| {
            client_ids::stored_session(connection, client_id)
        })
    }

    fn release_client_id(&mut self, client_id: &ClientIdTie) -> Result<(), StoreError> {
        self.run("release a client id", |connection| {
            client_ids::release(connection, client_id)
        })
    }

    fn presence(&mut self, tenant: Option<&TenantId>) -> Result<Vec<BrokerPresence>, StoreError> {
        self.run("list the sessions", |connection| {
            presence::list(connection, tenant)
        })
        .map(|sessions| self.told_apart(sessions))
    }

    fn presence_with(
        &mut self,
        client_id: &ClientIdTie,
    ) -> Result<Vec<BrokerPresence>, StoreError> {
        self.run("look up sessions", |connection| {
            presence::with_client_id(connection, client_id)
        })
        .map(|sessions| self.told_apart(sessions))
    }

    fn presence_of(
        &mut self,
        broker: &str,
        session: SessionNumber,
    ) -> Result<Option<BrokerPresence>, StoreError> {
        self.run("look up a session", |connection| {
            presence::session(connection, broker, session)
        })
        .map(|found| self.told_apart(found.into_iter().collect()).pop())
    }

    fn count_presence(&mut self, tenant: Option<&TenantId>) -> Result<u64, StoreError> {
        self.run("count the sessions", |connection| {
            presence::count(connection, tenant)
        })
        .map(|counts| {
            let alive = counts
                .into_iter()
                .filter(|(broker, _)| self.store.is_broker_alive(broker));
            alive.map(|(_, count)| count).fold(0, u64::saturating_add)
        })
    }

    fn request_kick(
        &mut self,
        target: &KickTarget,
        entry: &AuditEntry,
    ) -> Result<KickRequestId, StoreError> {
        self.run("ask for a kick", |connection| {
            kicks::request(connection, target, entry)
        })
    }

    fn withdraw_kick(&mut self, id: KickRequestId) -> Result<bool, StoreError> {
        self.run("take back a request to kick", |connection| {
            kicks::withdraw(connection, id)
        })
    }

    fn is_kick_answered(&mut self, id: KickRequestId) -> Result<bool, StoreError> {
        self.run("look up a request to kick", |connection| {
            kicks::is_answered(connection, id)
        })
    }

    fn audit(&mut self, query: &AuditQuery) -> Result<Vec<AuditRow>, StoreError> {
        self.run("list the audit", |connection| {
            audit::list(connection, query)
        })
    }

    fn audit_row(&mut self, id: i64) -> Result<Option<AuditRow>, StoreError> {
        self.run("look up a row of the audit", |connection| {
            audit::row(connection, id)
        })
    }

    fn commit(self, audit: &[AuditEntry], changes: &[Change]) -> Result<(), StoreError> {
        let action = "commit";
        self.run(action, |connection| {
            audit::append(connection, AuditChain::Acts, audit)?;
            let at = match audit.last() {
                Some(entry) => entry.time,
                None => changes::last_instant(connection)?,
            };
            for change in changes {
                changes::append(connection, at, change)?;
            }
            Ok(transaction::commit(connection)?)
        })?;
        match self.intent {
            Intent::Read => Ok(()),
            Intent::Write => self.store.sync(action),
        }
    }
}

//! Credentials that were looked up, kept in memory until the change log names
//! them.
//!
//! Before a CONNECT uses what is kept here, the gate makes sure that the store
//! has not changed. Otherwise it asks the store for its [`LogPosition`] and
//! works off what is new. So an answer from here is the store's own, with two
//! exceptions that the change log does not name: first and last use, and a new
//! hash of the same password. [`CachedDirectory`] keeps nothing whose hash is
//! to be renewed. Where another broker wrote the first use earlier, the store
//! finds the login outdated, and the gate decides again with what is stored.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use countersign_core::change::{Change, ChangeSeq};
use countersign_core::client_id::{ClientId, ClientIdTie};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::kind::Kind;
use countersign_core::lockout::Lockout;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::ownership::{Holding, StoredSession};
use countersign_core::rights::Rights;
use countersign_core::secret::{SecretDigest, Verifier};
use countersign_core::store::{Directory, GateStore, LogPosition, StoreError};
use countersign_core::tenant::Tenant;
use countersign_core::time::Timestamp;
use countersign_core::token::{TokenKey, TokenRecord};

use crate::number_map::NumberMap;
use crate::recent_uses::{EndedUse, RecentUses};
use crate::store_snapshot::StoreSnapshot;

/// The credentials that are kept, and names that no credential has.
#[derive(Debug)]
pub(crate) struct CredentialCache {
    /// All entries of the log up to this one are worked off.
    seq: ChangeSeq,
    cached: NumberMap<CredentialId, Cached>,
    names: HashMap<LoginName, CredentialId>,
    /// Of secrets that served as names.
    digests: HashMap<[u8; 32], CredentialId>,
    /// Who holds client ids: at most one for each number in `cached`.
    holdings: HashMap<ClientIdTie, CachedHolding>,
    /// In the order in which they are given up; holds every number in
    /// `cached`, and perhaps some that are not there any more.
    order: VecDeque<CredentialId>,
    /// Kept apart from what is present, so that made-up names push no
    /// credential out.
    absent_names: HashSet<LoginName>,
    absent_digests: HashSet<[u8; 32]>,
    /// How many rules there are in all rights that are kept.
    rules: usize,
}

#[derive(Debug)]
struct Cached {
    record: Arc<Credential>,
    /// Whether it was of use since it was last spared.
    was_used: bool,
    /// The client id that it asked for last.
    client_id: Option<ClientIdTie>,
    /// What it may do.
    rights: Option<CachedRights>,
}

/// What a credential may do. Its roles, its scheme and its tenant can't change
/// without an entry in the log that gives up the record.
#[derive(Debug)]
struct CachedRights {
    /// Under which client id; under each if there is none.
    client_id: Option<Arc<str>>,
    rights: Arc<Rights>,
}

/// Who holds a client id, as far as that stays for who asked
/// ([`Holding::stays_for`]).
#[derive(Debug)]
struct CachedHolding {
    claimant: CredentialId,
    holding: Holding,
    /// How often stored sessions had changed before this was read.
    session_changes: i64,
}

impl CredentialCache {
    /// Keeps nothing yet; what will be kept was read after entry `seq`.
    pub(crate) fn new(seq: ChangeSeq) -> Self {
        Self {
            seq,
            cached: NumberMap::default(),
            names: HashMap::new(),
            digests: HashMap::new(),
            holdings: HashMap::new(),
            order: VecDeque::new(),
            absent_names: HashSet::new(),
            absent_digests: HashSet::new(),
            rules: 0,
        }
    }

    /// Gives up what changed since the last time. Returns what was given up as
    /// a whole, to be dropped where nobody waits for it.
    ///
    /// # Errors
    ///
    /// Returns the store's error when its log can't be read. What is kept may
    /// be outdated then.
    pub(crate) fn follow<S: GateStore>(
        &mut self,
        store: &mut S,
    ) -> Result<Option<Self>, StoreError> {
        let changes = store.changes_after(self.seq, MOST_CHANGES)?;
        if changes.len() >= MOST_CHANGES {
            // Not worth the host's time one by one. The number first: what
            // comes after it is worked off the next time.
            let last = store.last_change()?;
            return Ok(Some(core::mem::replace(self, Self::new(last))));
        }
        let mut given_up = None;
        for (seq, change) in changes {
            match change {
                Change::Credential(id) => {
                    self.forget(id);
                    if let Some(client_id) = store.client_id_of(id)? {
                        self.holdings.remove(&client_id);
                    }
                    // It may be a new one.
                    self.absent_names.clear();
                    self.absent_digests.clear();
                }
                Change::Everything | Change::Tenant(_) => {
                    let all = core::mem::replace(self, Self::new(seq));
                    given_up.get_or_insert(all);
                }
                Change::KickRequested(_) => {}
            }
            self.seq = seq;
        }
        Ok(given_up)
    }

    /// Gives up one credential.
    pub(crate) fn forget(&mut self, id: CredentialId) {
        let Some(cached) = self.cached.remove(&id) else {
            return;
        };
        self.forget_rights(cached.rights.as_ref());
        self.forget_holding(cached.client_id.as_ref(), id);
        self.names.remove(&cached.record.name);
        for digest in digests_of(&cached.record) {
            self.digests.remove(digest);
        }
    }

    /// Says whether it is known, without a look, that no thing has this name.
    pub(crate) fn knows_no_thing_by(&self, name: &LoginName) -> bool {
        // What is kept are devices and operators.
        self.names.contains_key(name) || self.absent_names.contains(name)
    }

    fn by_name(&mut self, name: &LoginName) -> Option<Arc<Credential>> {
        let id = *self.names.get(name)?;
        self.by_id(id)
    }

    fn by_digest(&mut self, digest: &SecretDigest) -> Option<Arc<Credential>> {
        let id = *self.digests.get(digest.as_bytes())?;
        self.by_id(id)
    }

    fn by_id(&mut self, id: CredentialId) -> Option<Arc<Credential>> {
        let cached = self.cached.get_mut(&id)?;
        cached.was_used = true;
        Some(Arc::clone(&cached.record))
    }

    fn keep(&mut self, record: &Arc<Credential>) {
        let id = record.id;
        self.forget(id);
        while self.order.len() >= MOST_CACHED {
            self.make_room();
        }
        self.order.push_back(id);
        self.names.insert(record.name.clone(), id);
        let cached = Cached {
            record: Arc::clone(record),
            was_used: false,
            client_id: None,
            rights: None,
        };
        self.cached.insert(id, cached);
    }

    /// Who holds a client id that `claimant` has asked for before, if no stored
    /// session has changed since.
    fn holding(
        &self,
        client_id: &ClientIdTie,
        claimant: CredentialId,
        log_position: LogPosition,
    ) -> Option<&Holding> {
        let known = self.holdings.get(client_id)?;
        let is_it =
            known.claimant == claimant && known.session_changes == log_position.session_changes;
        is_it.then_some(&known.holding)
    }

    /// Keeps who holds a client id, as far as that stays.
    fn keep_holding(
        &mut self,
        client_id: &ClientIdTie,
        claimant: CredentialId,
        log_position: LogPosition,
        holding: &Holding,
    ) {
        if !holding.stays_for(claimant) {
            return;
        }
        let Some(cached) = self.cached.get_mut(&claimant) else {
            return;
        };
        let before = cached.client_id.replace(*client_id);
        self.forget_holding(before.as_ref(), claimant);
        let known = CachedHolding {
            claimant,
            holding: holding.clone(),
            session_changes: log_position.session_changes,
        };
        self.holdings.insert(*client_id, known);
    }

    fn forget_holding(&mut self, client_id: Option<&ClientIdTie>, claimant: CredentialId) {
        let known = client_id.and_then(|it| self.holdings.get(it).map(|known| (it, known)));
        if let Some((client_id, known)) = known
            && known.claimant == claimant
        {
            self.holdings.remove(client_id);
        }
    }

    /// What this very record of a credential may do under a client id, if that
    /// was asked before.
    pub(crate) fn rights(
        &self,
        credential: &Arc<Credential>,
        client_id: &str,
    ) -> Option<Arc<Rights>> {
        let cached = self.cached.get(&credential.id)?;
        let known = cached.rights.as_ref()?;
        let is_it = Arc::ptr_eq(&cached.record, credential)
            && known.client_id.as_deref().is_none_or(|it| it == client_id);
        is_it.then(|| Arc::clone(&known.rights))
    }

    /// Keeps what this very record of a credential may do under a client id. If
    /// that is too much together with all others, all others are given up.
    pub(crate) fn keep_rights(
        &mut self,
        credential: &Arc<Credential>,
        client_id: &ClientId,
        rights: &Arc<Rights>,
    ) {
        let count = rights.rule_count();
        if count > MOST_RULES {
            return;
        }
        if self.rules.saturating_add(count) > MOST_RULES {
            self.rules = 0;
            for cached in self.cached.values_mut() {
                cached.rights = None;
            }
        }
        let Some(cached) = self.cached.get_mut(&credential.id) else {
            return;
        };
        if !Arc::ptr_eq(&cached.record, credential) {
            return;
        }
        let known = CachedRights {
            client_id: (!rights.are_of_any_client_id()).then(|| client_id.shared()),
            rights: Arc::clone(rights),
        };
        let before = cached.rights.replace(known);
        self.rules = self.rules.saturating_add(count);
        self.forget_rights(before.as_ref());
    }

    fn forget_rights(&mut self, known: Option<&CachedRights>) {
        let count = known.map_or(0, |known| known.rights.rule_count());
        self.rules = self.rules.saturating_sub(count);
    }

    /// Gives up the oldest that was of no use for a while.
    fn make_room(&mut self) {
        for _ in 0..MOST_SPARED {
            let Some(id) = self.order.pop_front() else {
                return;
            };
            match self.cached.get_mut(&id) {
                Some(cached) if cached.was_used => {
                    cached.was_used = false;
                    self.order.push_back(id);
                }
                Some(_) => return self.forget(id),
                None => return,
            }
        }
        if let Some(id) = self.order.pop_front() {
            self.forget(id);
        }
    }
}

/// What a CONNECT looks up: what is kept, else the store, of which more is kept
/// then.
///
/// INVARIANT: made only after [`CredentialCache::follow`] and
/// [`StoreSnapshot::refresh`] have seen all that `log_position` knows of.
pub(crate) struct CachedDirectory<'a, S> {
    pub(crate) store: &'a mut S,
    pub(crate) credential_cache: &'a mut CredentialCache,
    pub(crate) snapshot: &'a StoreSnapshot,
    pub(crate) log_position: LogPosition,
    pub(crate) recent_uses: &'a RecentUses,
    /// The session of an unauthenticated client, which is connected with the
    /// client id in question and may be stored without a record.
    pub(crate) unproved: Option<&'a EndedUse>,
    pub(crate) now: Timestamp,
}

impl<S> CachedDirectory<'_, S> {
    /// Keeps what the store answered of a device or an operator, unless a hash of
    /// it is to be renewed. Other kinds change with more than themselves: a
    /// thing with its application, a user with each login.
    fn keep(&mut self, record: &Arc<Credential>) {
        let wanted = self.snapshot.settings.argon2;
        let is_device = matches!(record.kind, Kind::Device);
        let stays = is_device
            && record.secrets.iter().all(|stored| match &stored.verifier {
                Verifier::Digest(_) => true,
                Verifier::Password(hash) => hash.params() == Some(wanted),
            });
        if stays {
            self.credential_cache.keep(record);
        }
    }
}

impl<S: GateStore> CachedDirectory<'_, S> {
    fn recorded_holding(
        &mut self,
        client_id: &ClientIdTie,
        claimant: Option<CredentialId>,
    ) -> Result<Holding, StoreError> {
        let Some(id) = claimant else {
            return self.store.holding(client_id, None);
        };
        if let Some(known) = self
            .credential_cache
            .holding(client_id, id, self.log_position)
        {
            return Ok(known.clone());
        }
        let found = self.store.holding(client_id, claimant)?;
        self.credential_cache
            .keep_holding(client_id, id, self.log_position, &found);
        Ok(found)
    }
}

impl<S: GateStore> Directory for CachedDirectory<'_, S> {
    fn credential(&mut self, name: &LoginName) -> Result<Option<Arc<Credential>>, StoreError> {
        if let Some(record) = self.credential_cache.by_name(name) {
            return Ok(Some(record));
        }
        if self.credential_cache.absent_names.contains(name) {
            return Ok(None);
        }
        let found = self.store.credential(name)?;
        match &found {
            Some(record) => self.keep(record),
            None => add(&mut self.credential_cache.absent_names, name.clone()),
        }
        Ok(found)
    }

    fn credential_by_digest(
        &mut self,
        digest: &SecretDigest,
    ) -> Result<Option<Arc<Credential>>, StoreError> {
        if let Some(record) = self.credential_cache.by_digest(digest) {
            return Ok(Some(record));
        }
        if self
            .credential_cache
            .absent_digests
            .contains(digest.as_bytes())
        {
            return Ok(None);
        }
        let found = self.store.credential_by_digest(digest)?;
        match &found {
            Some(record) => {
                self.keep(record);
                if self.credential_cache.cached.contains_key(&record.id) {
                    self.credential_cache
                        .digests
                        .insert(*digest.as_bytes(), record.id);
                }
            }
            None => add(
                &mut self.credential_cache.absent_digests,
                *digest.as_bytes(),
            ),
        }
        Ok(found)
    }

    fn tenant(&mut self, id: &TenantId) -> Result<Option<Arc<Tenant>>, StoreError> {
        Ok(self.snapshot.tenant(id)?.map(Arc::clone))
    }

    fn some_tenant_admits_anonymous(&mut self) -> Result<bool, StoreError> {
        Ok(!self.snapshot.has_no_open_tenant())
    }

    fn tenant_by_client_id(
        &mut self,
        client_id: &ClientId,
    ) -> Result<Option<TenantId>, StoreError> {
        Ok(self.snapshot.tenant_by_client_id(client_id).cloned())
    }

    fn bound_to(&mut self, client_id: &ClientIdTie) -> Result<Option<CredentialId>, StoreError> {
        self.store.bound_to(client_id)
    }

    fn stored_session(
        &mut self,
        client_id: &ClientIdTie,
    ) -> Result<Option<StoredSession>, StoreError> {
        self.store.stored_session(client_id)
    }

    fn holding(
        &mut self,
        client_id: &ClientIdTie,
        claimant: Option<CredentialId>,
    ) -> Result<Holding, StoreError> {
        let mut holding = self.recorded_holding(client_id, claimant)?;
        self.recent_uses.add_to(&mut holding, client_id, self.now);
        // Another such client may have it; a principal inherits nothing of it.
        if let (Some(_), Some(unproved)) = (claimant, self.unproved) {
            unproved.add_to(&mut holding);
        }
        Ok(holding)
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
}

fn digests_of(record: &Credential) -> impl Iterator<Item = &[u8; 32]> {
    record
        .secrets
        .iter()
        .filter_map(|stored| match &stored.verifier {
            Verifier::Digest(digest) => Some(digest.as_bytes()),
            Verifier::Password(_) => None,
        })
}

/// Takes note of what is absent; of all that was before, if there is no room.
fn add<T: Eq + core::hash::Hash>(absent: &mut HashSet<T>, what: T) {
    if absent.len() >= MOST_ABSENT {
        absent.clear();
    }
    absent.insert(what);
}

/// Some 850 bytes each.
const MOST_CACHED: usize = 10_240;
const MOST_ABSENT: usize = 1_024;
/// Some 200 bytes each.
const MOST_RULES: usize = 131_072;
/// So many of those that were of use are passed over, before the next goes
/// whether it was or not.
const MOST_SPARED: usize = 16;
/// So many changes are worked off one by one.
const MOST_CHANGES: usize = 256;

#[cfg(test)]
mod tests;

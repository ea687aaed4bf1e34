//! Credentials that were looked up, kept in memory until the change log names
//! them.
//!
//! Before a CONNECT uses what is kept here, the gate makes sure that the store
//! has not changed. Otherwise it asks the store for its [`LogPosition`] and
//! works off what is new. So an answer from here is the store's own, with two
//! exceptions that the change log does not name: first and last use, and a new
//! hash of the same password. `CachedDirectory` keeps nothing whose hash is
//! to be renewed. Where another broker wrote the first use earlier, the store
//! finds the login outdated, and the gate decides again with what is stored.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use countersign_core::change::{Change, ChangeSeq};
use countersign_core::client_id::{ClientId, ClientIdTie};
use countersign_core::connect::{ParsedNames, Request};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::number_map::NumberMap;
use countersign_core::ownership::Holding;
use countersign_core::rights::Rights;
use countersign_core::secret::{SecretDigest, Verifier};
use countersign_core::store::{GateStore, LogPosition, StoreError};

use self::absent::Absent;
use self::cached::Cached;
use self::certificates::Certificates;
use self::issuers::Issuers;
use crate::digest_map::DigestMap;

mod absent;
mod cached;
mod certificates;
mod issuers;

/// The credentials that are kept, and names that no credential has.
#[derive(Debug)]
pub(crate) struct CredentialCache {
    /// All entries of the log up to this one are worked off.
    seq: ChangeSeq,
    cached: NumberMap<CredentialId, Cached>,
    names: HashMap<LoginName, CredentialId>,
    /// The one that was found by its name last; a login asks for it again.
    latest: Option<CredentialId>,
    /// Of secrets that served as names.
    digests: HashMap<[u8; 32], CredentialId>,
    /// Of whom is kept that they hold a client id.
    holders: DigestMap<ClientIdTie, CredentialId>,
    /// In the order in which they are given up; holds every number in
    /// `cached`, and perhaps some that are not there any more.
    order: VecDeque<CredentialId>,
    absent: Absent,
    pub(crate) certificates: Certificates,
    pub(crate) issuers: Issuers,
    /// How many rules there are in all rights that are kept.
    rules: usize,
}

impl CredentialCache {
    /// Keeps nothing yet; what will be kept was read after entry `seq`.
    pub(crate) fn new(seq: ChangeSeq) -> Self {
        Self {
            seq,
            cached: NumberMap::default(),
            names: HashMap::new(),
            latest: None,
            digests: HashMap::new(),
            holders: DigestMap::default(),
            order: VecDeque::new(),
            absent: Absent::default(),
            certificates: Certificates::default(),
            issuers: Issuers::default(),
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
        let groups = changes.iter().filter_map(|(_, change)| match change {
            Change::Group(tenant, group) => Some((tenant, group)),
            Change::Ban(_)
            | Change::Credential(_)
            | Change::Everything
            | Change::IssuerKeys(_)
            | Change::KickRequested(_)
            | Change::Tenant(_) => None,
        });
        self.forget_rights_of_groups(&groups.collect::<Vec<_>>());
        let mut given_up = None;
        for (seq, change) in changes {
            match change {
                Change::Credential(id) => {
                    self.forget(id);
                    if let Some(client_id) = store.client_id_of(id)? {
                        self.forget_holding(&client_id);
                    }
                    self.absent.clear();
                    self.certificates.forget_records();
                }
                Change::Everything | Change::Tenant(_) => {
                    let all = core::mem::replace(self, Self::new(seq));
                    given_up.get_or_insert(all);
                }
                Change::IssuerKeys(_) => self.issuers = Issuers::default(),
                Change::Ban(_) | Change::Group(..) | Change::KickRequested(_) => {}
            }
            self.seq = seq;
        }
        Ok(given_up)
    }

    /// Gives up one credential.
    pub(crate) fn forget(&mut self, id: CredentialId) {
        let Some(mut cached) = self.cached.remove(&id) else {
            return;
        };
        self.rules = self.rules.saturating_sub(cached.forget_rights());
        if let Some(client_id) = cached.held_client_id() {
            self.holders.remove(&client_id);
        }
        self.names.remove(&cached.record.name);
        for digest in digests_of(&cached.record) {
            self.digests.remove(digest);
        }
    }

    /// Says whether it is known, without a look, that no thing has this name.
    pub(crate) fn knows_no_thing_by(&self, name: &LoginName) -> bool {
        // What is kept are devices and operators.
        self.names.contains_key(name) || self.absent.has_name(name)
    }

    /// What a client presented last under this name, if these are the same fields. It
    /// is what was parsed, whatever is stored by now.
    pub(crate) fn presented(&mut self, client_id: &[u8], username: &[u8]) -> Option<&ParsedNames> {
        let name = core::str::from_utf8(username).ok()?;
        self.latest = self.names.get(name).copied();
        self.cached
            .get(&self.latest?)?
            .presented(client_id, username)
    }

    /// Keeps what the client of a credential presented.
    pub(crate) fn keep_presented(&mut self, id: CredentialId, request: &Request) {
        if let Some(cached) = self.cached.get_mut(&id) {
            cached.keep_presented(request);
        }
    }

    /// How a client id may be shown that the client of a credential presented last, if
    /// that is kept.
    pub(crate) fn shown(&self, id: CredentialId, client_id: &str) -> Option<&Arc<str>> {
        self.cached.get(&id)?.shown(client_id)
    }

    /// Keeps how a client id may be shown that the client of a credential presented
    /// last.
    pub(crate) fn keep_shown(&mut self, id: CredentialId, client_id: &str, shown: &Arc<str>) {
        if let Some(cached) = self.cached.get_mut(&id) {
            cached.keep_shown(client_id, shown);
        }
    }

    /// The credential with this name, if it is kept.
    pub(crate) fn by_name(&mut self, name: &LoginName) -> Option<Arc<Credential>> {
        let is_its = |cached: &Cached| cached.record.name == *name;
        let latest = self
            .latest
            .filter(|id| self.cached.get(id).is_some_and(is_its));
        let id = latest.or_else(|| self.names.get(name).copied())?;
        self.by_id(id)
    }

    /// The credential whose secret served as its name, if it is kept.
    pub(crate) fn by_digest(&mut self, digest: &SecretDigest) -> Option<Arc<Credential>> {
        let id = *self.digests.get(digest.as_bytes())?;
        self.by_id(id)
    }

    /// The credential with this number, if it is kept.
    pub(crate) fn by_id(&mut self, id: CredentialId) -> Option<Arc<Credential>> {
        let cached = self.cached.get_mut(&id)?;
        cached.was_used = true;
        Some(Arc::clone(&cached.record))
    }

    /// Keeps a credential.
    pub(crate) fn keep(&mut self, record: &Arc<Credential>) {
        let id = record.id;
        self.forget(id);
        self.latest = None;
        while self.order.len() >= MOST_CACHED {
            self.make_room();
        }
        self.order.push_back(id);
        self.names.insert(record.name.clone(), id);
        self.cached.insert(id, Cached::new(record));
    }

    /// Who holds a client id that `claimant` has asked for before, if no stored
    /// session has changed since.
    pub(crate) fn holding(
        &self,
        client_id: &ClientIdTie,
        claimant: CredentialId,
        log_position: LogPosition,
    ) -> Option<&Holding> {
        let cached = self.cached.get(&claimant)?;
        cached.holding(client_id, log_position)
    }

    /// Keeps who holds a client id, as far as that stays.
    pub(crate) fn keep_holding(
        &mut self,
        client_id: &ClientIdTie,
        claimant: CredentialId,
        log_position: LogPosition,
        holding: &Holding,
    ) {
        if !holding.stays_for(claimant) || !self.cached.contains_key(&claimant) {
            return;
        }
        // Another one's is not so any more.
        self.forget_holding(client_id);
        let Some(cached) = self.cached.get_mut(&claimant) else {
            return;
        };
        if let Some(before) = cached.keep_holding(client_id, log_position, holding) {
            self.holders.remove(&before);
        }
        self.holders.insert(*client_id, claimant);
    }

    /// Gives up who holds a client id.
    fn forget_holding(&mut self, client_id: &ClientIdTie) {
        if let Some(holder) = self.holders.remove(client_id)
            && let Some(cached) = self.cached.get_mut(&holder)
        {
            cached.forget_holding(client_id);
        }
    }

    /// Keeps that this digest served as the name of a credential that is kept.
    pub(crate) fn keep_digest(&mut self, digest: &SecretDigest, id: CredentialId) {
        if self.cached.contains_key(&id) {
            self.digests.insert(*digest.as_bytes(), id);
        }
    }

    /// Says whether it is known that no credential has this name.
    pub(crate) fn is_absent(&self, name: &LoginName) -> bool {
        self.absent.has_name(name)
    }

    /// Keeps that no credential has this name.
    pub(crate) fn keep_absent(&mut self, name: &LoginName) {
        self.absent.add_name(name);
    }

    /// Says whether it is known that no credential has a secret with this digest.
    pub(crate) fn is_absent_digest(&self, digest: &SecretDigest) -> bool {
        self.absent.has_digest(digest)
    }

    /// Keeps that no credential has a secret with this digest.
    pub(crate) fn keep_absent_digest(&mut self, digest: &SecretDigest) {
        self.absent.add_digest(digest);
    }

    /// What this very record of a credential may do under a client id, if that
    /// was asked before.
    pub(crate) fn rights(
        &self,
        credential: &Arc<Credential>,
        client_id: &str,
    ) -> Option<Arc<Rights>> {
        let cached = self.cached.get(&credential.id)?;
        cached.rights(credential, client_id)
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
        let cached = self.cached.get(&credential.id);
        // Room is made for what is kept alone.
        if count > MOST_RULES || !cached.is_some_and(|it| Arc::ptr_eq(&it.record, credential)) {
            return;
        }
        if self.rules.saturating_add(count) > MOST_RULES {
            self.rules = 0;
            for cached in self.cached.values_mut() {
                cached.forget_rights();
            }
        }
        if let Some(cached) = self.cached.get_mut(&credential.id) {
            let given_up = cached.keep_rights(client_id, rights);
            let kept = self.rules.saturating_add(count);
            self.rules = kept.saturating_sub(given_up);
        }
    }

    /// Gives up what members of these groups may do, and of those below them. All at
    /// once, for what is kept is looked through.
    fn forget_rights_of_groups(&mut self, changed: &[(&TenantId, &GroupPath)]) {
        if changed.is_empty() {
            return;
        }
        let is_in_one = |record: &Credential| {
            changed.iter().any(|(tenant, group)| {
                record.tenant.as_ref() == Some(*tenant)
                    && record.groups.iter().any(|own| group.covers(own))
            })
        };
        for cached in self.cached.values_mut() {
            if !cached.record.groups.is_empty() && is_in_one(&cached.record) {
                self.rules = self.rules.saturating_sub(cached.forget_rights());
            }
        }
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

fn digests_of(record: &Credential) -> impl Iterator<Item = &[u8; 32]> {
    record
        .secrets
        .iter()
        .filter_map(|stored| match &stored.verifier {
            Verifier::Digest(digest) => Some(digest.as_bytes()),
            Verifier::Password(_) => None,
        })
}

/// Some 850 bytes each, and of devices that were here a client id.
const MOST_CACHED: usize = 10_240;
/// Some 200 bytes each.
const MOST_RULES: usize = 131_072;
/// So many of those that were of use are passed over, before the next goes
/// whether it was or not.
const MOST_SPARED: usize = 16;
/// So many changes are worked off one by one.
const MOST_CHANGES: usize = 256;

#[cfg(test)]
mod tests;

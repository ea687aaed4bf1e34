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

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use countersign_core::change::{Change, ChangeSeq};
use countersign_core::client_id::{ClientId, ClientIdTie};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::number_map::NumberMap;
use countersign_core::ownership::Holding;
use countersign_core::rights::Rights;
use countersign_core::secret::{SecretDigest, Verifier};
use countersign_core::store::{GateStore, LogPosition, StoreError};

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
/// without an entry in the log that gives up the record, nor the roles of its
/// groups without one that gives up these.
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
        let groups = changes.iter().filter_map(|(_, change)| match change {
            Change::Group(tenant, group) => Some((tenant, group)),
            Change::Credential(_)
            | Change::Everything
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
                Change::Group(..) | Change::KickRequested(_) => {}
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

    /// The credential with this name, if it is kept.
    pub(crate) fn by_name(&mut self, name: &LoginName) -> Option<Arc<Credential>> {
        let id = *self.names.get(name)?;
        self.by_id(id)
    }

    /// The credential whose secret served as its name, if it is kept.
    pub(crate) fn by_digest(&mut self, digest: &SecretDigest) -> Option<Arc<Credential>> {
        let id = *self.digests.get(digest.as_bytes())?;
        self.by_id(id)
    }

    fn by_id(&mut self, id: CredentialId) -> Option<Arc<Credential>> {
        let cached = self.cached.get_mut(&id)?;
        cached.was_used = true;
        Some(Arc::clone(&cached.record))
    }

    /// Keeps a credential.
    pub(crate) fn keep(&mut self, record: &Arc<Credential>) {
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
    pub(crate) fn holding(
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
    pub(crate) fn keep_holding(
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

    /// Keeps that this digest served as the name of a credential that is kept.
    pub(crate) fn keep_digest(&mut self, digest: &SecretDigest, id: CredentialId) {
        if self.cached.contains_key(&id) {
            self.digests.insert(*digest.as_bytes(), id);
        }
    }

    /// Says whether it is known that no credential has this name.
    pub(crate) fn is_absent(&self, name: &LoginName) -> bool {
        self.absent_names.contains(name)
    }

    /// Keeps that no credential has this name.
    pub(crate) fn keep_absent(&mut self, name: &LoginName) {
        add(&mut self.absent_names, name.clone());
    }

    /// Says whether it is known that no credential has a secret with this digest.
    pub(crate) fn is_absent_digest(&self, digest: &SecretDigest) -> bool {
        self.absent_digests.contains(digest.as_bytes())
    }

    /// Keeps that no credential has a secret with this digest.
    pub(crate) fn keep_absent_digest(&mut self, digest: &SecretDigest) {
        add(&mut self.absent_digests, *digest.as_bytes());
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
        let cached = self.cached.get(&credential.id);
        // Room is made for what is kept alone.
        if count > MOST_RULES || !cached.is_some_and(|it| Arc::ptr_eq(&it.record, credential)) {
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
        let known = CachedRights {
            client_id: (!rights.are_of_any_client_id()).then(|| client_id.shared()),
            rights: Arc::clone(rights),
        };
        let before = cached.rights.replace(known);
        self.rules = self.rules.saturating_add(count);
        self.forget_rights(before.as_ref());
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
        let mut given_up: usize = 0;
        for cached in self.cached.values_mut() {
            if !cached.record.groups.is_empty() && is_in_one(&cached.record) {
                let rights = cached.rights.take();
                given_up = given_up.saturating_add(rules_of(rights.as_ref()));
            }
        }
        self.rules = self.rules.saturating_sub(given_up);
    }

    fn forget_rights(&mut self, known: Option<&CachedRights>) {
        self.rules = self.rules.saturating_sub(rules_of(known));
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

fn rules_of(known: Option<&CachedRights>) -> usize {
    known.map_or(0, |known| known.rights.rule_count())
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

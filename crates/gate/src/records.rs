//! Credentials that were looked up, kept in memory until the change log names
//! them.
//!
//! Before anything kept here is believed, a CONNECT makes sure that nobody has
//! committed anything, else asks the store how far its logs go ([`Standing`])
//! and works off what is new. So an answer from here is the store's own, with
//! two exceptions that the log does not tell of: first and last use, and a new
//! hash of the same password. [`Known`] keeps nothing whose hash is to be
//! renewed; and where another broker was faster to write down the first use, the
//! store finds the login outdated, and it is decided again on what is stored.

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
use countersign_core::secret::{SecretDigest, Verifier};
use countersign_core::store::{Directory, GateStore, Standing, StoreError};
use countersign_core::tenant::Tenant;
use countersign_core::token::{TokenKey, TokenRecord};

use crate::numbers::NumberMap;
use crate::policy::Policy;

/// The credentials that are kept, and the names that nobody has.
#[derive(Debug)]
pub(crate) struct Records {
    /// All entries of the log up to this one are worked off.
    seq: ChangeSeq,
    present: NumberMap<CredentialId, Present>,
    names: HashMap<LoginName, CredentialId>,
    /// Of secrets that served as names.
    digests: HashMap<[u8; 32], CredentialId>,
    /// In the order in which they are given up; holds every number in
    /// `present`, and perhaps some that are not there any more.
    order: VecDeque<CredentialId>,
    /// Kept apart from what is present, so that made-up names push nobody out.
    absent_names: HashSet<LoginName>,
    absent_digests: HashSet<[u8; 32]>,
}

#[derive(Debug)]
struct Present {
    record: Arc<Credential>,
    /// Whether it was of use since it was last spared.
    was_used: bool,
    /// Who holds the client id that it asked for last.
    holding: Option<KnownHolding>,
}

/// Who holds a client id, and how far the logs of the store went before that was
/// read.
#[derive(Debug)]
struct KnownHolding {
    client_id: ClientIdTie,
    holding: Holding,
    standing: Standing,
}

impl Records {
    /// Keeps nothing yet; what will be kept was read after entry `seq`.
    pub(crate) fn new(seq: ChangeSeq) -> Self {
        Self {
            seq,
            present: NumberMap::default(),
            names: HashMap::new(),
            digests: HashMap::new(),
            order: VecDeque::new(),
            absent_names: HashSet::new(),
            absent_digests: HashSet::new(),
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
        let Some(present) = self.present.remove(&id) else {
            return;
        };
        self.names.remove(&present.record.name);
        for digest in digests_of(&present.record) {
            self.digests.remove(digest);
        }
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
        let present = self.present.get_mut(&id)?;
        present.was_used = true;
        Some(Arc::clone(&present.record))
    }

    fn keep(&mut self, record: &Arc<Credential>) {
        let id = record.id;
        self.forget(id);
        while self.order.len() >= MOST_PRESENT {
            self.make_room();
        }
        self.order.push_back(id);
        self.names.insert(record.name.clone(), id);
        let present = Present {
            record: Arc::clone(record),
            was_used: false,
            holding: None,
        };
        self.present.insert(id, present);
    }

    /// Who holds a client id that `claimant` has asked for before, if the logs of
    /// the store go no further since.
    fn holding(
        &self,
        client_id: &ClientIdTie,
        claimant: CredentialId,
        standing: Standing,
    ) -> Option<&Holding> {
        let known = self.present.get(&claimant)?.holding.as_ref()?;
        let is_it = known.standing == standing && known.client_id == *client_id;
        is_it.then_some(&known.holding)
    }

    /// Keeps who holds a client id, unless that changes with time alone.
    fn keep_holding(
        &mut self,
        client_id: &ClientIdTie,
        claimant: CredentialId,
        standing: Standing,
        holding: &Holding,
    ) {
        if let Some(present) = self.present.get_mut(&claimant)
            && holding.is_timeless_for(claimant)
        {
            present.holding = Some(KnownHolding {
                client_id: *client_id,
                holding: holding.clone(),
                standing,
            });
        }
    }

    /// Gives up the oldest that was of no use for a while.
    fn make_room(&mut self) {
        for _ in 0..MOST_SPARED {
            let Some(id) = self.order.pop_front() else {
                return;
            };
            match self.present.get_mut(&id) {
                Some(present) if present.was_used => {
                    present.was_used = false;
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
/// INVARIANT: made only after [`Records::follow`] and [`Policy::refresh`] have
/// seen all that `standing` knows of.
pub(crate) struct Known<'a, S> {
    pub(crate) store: &'a mut S,
    pub(crate) records: &'a mut Records,
    pub(crate) policy: &'a Policy,
    pub(crate) standing: Standing,
}

impl<S> Known<'_, S> {
    /// Keeps what the store answered of a device or an operator, unless a hash of
    /// it is to be renewed. Other kinds change with more than themselves: a
    /// thing with its application, a user with each login.
    fn keep(&mut self, record: &Arc<Credential>) {
        let wanted = self.policy.argon2;
        let is_device = matches!(record.kind, Kind::Device);
        let stays = is_device
            && record.secrets.iter().all(|stored| match &stored.verifier {
                Verifier::Digest(_) => true,
                Verifier::Password(hash) => hash.params() == wanted,
            });
        if stays {
            self.records.keep(record);
        }
    }
}

impl<S: GateStore> Directory for Known<'_, S> {
    fn credential(&mut self, name: &LoginName) -> Result<Option<Arc<Credential>>, StoreError> {
        if let Some(record) = self.records.by_name(name) {
            return Ok(Some(record));
        }
        if self.records.absent_names.contains(name) {
            return Ok(None);
        }
        let found = self.store.credential(name)?;
        match &found {
            Some(record) => self.keep(record),
            None => add(&mut self.records.absent_names, name.clone()),
        }
        Ok(found)
    }

    fn credential_by_digest(
        &mut self,
        digest: &SecretDigest,
    ) -> Result<Option<Arc<Credential>>, StoreError> {
        if let Some(record) = self.records.by_digest(digest) {
            return Ok(Some(record));
        }
        if self.records.absent_digests.contains(digest.as_bytes()) {
            return Ok(None);
        }
        let found = self.store.credential_by_digest(digest)?;
        match &found {
            Some(record) => {
                self.keep(record);
                if self.records.present.contains_key(&record.id) {
                    self.records.digests.insert(*digest.as_bytes(), record.id);
                }
            }
            None => add(&mut self.records.absent_digests, *digest.as_bytes()),
        }
        Ok(found)
    }

    fn tenant(&mut self, id: &TenantId) -> Result<Option<Arc<Tenant>>, StoreError> {
        Ok(self.policy.tenant(id).map(Arc::clone))
    }

    fn some_tenant_admits_anonymous(&mut self) -> Result<bool, StoreError> {
        Ok(!self.policy.has_no_open_tenant())
    }

    fn tenant_by_client_id(
        &mut self,
        client_id: &ClientId,
    ) -> Result<Option<TenantId>, StoreError> {
        Ok(self.policy.tenant_by_client_id(client_id).cloned())
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
        let Some(id) = claimant else {
            return self.store.holding(client_id, None);
        };
        if let Some(known) = self.records.holding(client_id, id, self.standing) {
            return Ok(known.clone());
        }
        let found = self.store.holding(client_id, claimant)?;
        self.records
            .keep_holding(client_id, id, self.standing, &found);
        Ok(found)
    }

    fn credential_by_id(
        &mut self,
        id: CredentialId,
    ) -> Result<Option<Arc<Credential>>, StoreError> {
        self.store.credential_by_id(id)
    }

    fn lockout(&mut self, person: &LoginName) -> Result<Lockout, StoreError> {
        self.store.lockout(person)
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
const MOST_PRESENT: usize = 10_240;
const MOST_ABSENT: usize = 1_024;
/// So many of those that were of use are passed over, before the next goes
/// whether it was or not.
const MOST_SPARED: usize = 16;
/// So many changes are worked off one by one.
const MOST_CHANGES: usize = 256;

#[cfg(test)]
mod tests {

    use countersign_admin::credential::{self, CredentialChanges, NewCredential, Overlap};
    use countersign_admin::password::NewSecret;
    use countersign_admin::tenant::{self, NewTenant, TenantChanges};
    use countersign_admin::{Context, OsRandom, clients};
    use countersign_core::client_id::ClientIdRule;
    use countersign_core::connect::{LoginRecord, Proof, SessionChange};
    use countersign_core::lifecycle::State;
    use countersign_core::options::Options;
    use countersign_core::ownership::Holder;
    use countersign_core::presence::{Observation, Presence, SessionNumber};
    use countersign_core::secret::{Argon2Params, PasswordHash, Secret, SecretId};
    use countersign_core::store::{AdminStore, AdminTransaction, Batch, Intent, Login, Settings};
    use countersign_core::tenant::Authentication;
    use countersign_core::time::Timestamp;
    use countersign_sqlite::SqliteStore;
    use proptest::prelude::*;

    use super::*;
    use crate::gate::Gate;
    use crate::host::Setting;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    /// A gate, and two more connections to its store: an administrator's, who
    /// is another broker besides, and one that nothing is remembered of.
    struct Rig {
        gate: Gate<SqliteStore>,
        admin: SqliteStore,
        plain: SqliteStore,
        acts: u64,
        _folder: tempfile::TempDir,
    }

    fn tenant_id(text: &str) -> TenantId {
        TenantId::parse(text).unwrap()
    }

    fn name(text: &str) -> LoginName {
        LoginName::parse(text).unwrap()
    }

    fn client_id(text: &str) -> ClientId {
        ClientId::parse(text).unwrap()
    }

    /// All of a credential but what the change log does not tell of.
    fn logged(record: Option<Arc<Credential>>) -> String {
        let Some(record) = record else {
            return "none".into();
        };
        let mut record = Credential::clone(&record);
        if record.state == State::Inactive {
            record.state = State::Active;
        }
        record.ever_used = false;
        record.last_used_at = None;
        format!("{record:?} {:?}", digests_of(&record).collect::<Vec<_>>())
    }

    /// All of it but when the claimant used its own session last.
    fn timeless(mut holding: Holding, claimant: Option<CredentialId>) -> Holding {
        if let (Some(stored), Some(claimant)) = (&mut holding.stored_session, claimant)
            && stored.holder == Holder::Credential(claimant)
        {
            stored.last_used_at = NOW;
        }
        holding
    }

    impl Rig {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x.db");
            let admin = SqliteStore::create(&path, &Settings::default()).unwrap();
            let options = Options::parse([("store", path.to_str().unwrap())]).unwrap();
            let setting = Setting {
                options,
                broker: "here".into(),
                clock: Arc::new(|| NOW),
                wake: Arc::new(|| ()),
            };
            let mut rig = Self {
                gate: Gate::open(SqliteStore::open(&path).unwrap(), setting).unwrap(),
                admin,
                plain: SqliteStore::open(&path).unwrap(),
                acts: 0,
                _folder: folder,
            };
            for id in ["acme", "globex"] {
                let new = NewTenant::new(tenant_id(id));
                rig.act(|store, context| tenant::create(store, context, new))
                    .unwrap();
            }
            rig
        }

        fn act<T>(&mut self, act: impl FnOnce(&mut SqliteStore, &mut Context<'_>) -> T) -> T {
            self.acts = self.acts.saturating_add(1);
            let mut context = Context {
                now: NOW.plus(core::time::Duration::from_millis(self.acts)),
                actor: "cli:test",
                random: &mut OsRandom,
            };
            act(&mut self.admin, &mut context)
        }

        fn create(&mut self, given: &str, rule: ClientIdRule) -> Option<Secret> {
            let new = NewCredential {
                client_id_rule: Some(rule),
                ..NewCredential::new(tenant_id("acme"), given)
            };
            self.act(|store, context| credential::create(store, context, new))
                .ok()?
                .secret
        }

        /// Asks as a CONNECT does.
        fn ask<T>(
            &mut self,
            ask: impl FnOnce(&mut Known<'_, SqliteStore>) -> Result<T, StoreError>,
        ) -> T {
            let standing = self.gate.catch_up().unwrap();
            let mut known = Known {
                store: &mut self.gate.store,
                records: &mut self.gate.records,
                policy: &self.gate.policy,
                standing,
            };
            ask(&mut known).unwrap()
        }

        fn look(&mut self, text: &str) -> Option<Arc<Credential>> {
            let name = name(text);
            self.ask(|known| known.credential(&name))
        }

        fn is_kept(&self, text: &str) -> bool {
            let records = &self.gate.records;
            records.names.contains_key(&name(text)) || records.absent_names.contains(&name(text))
        }

        /// A login at another broker.
        fn log_in_elsewhere(&mut self, text: &str, id: &str, record: LoginRecord) {
            let Some(credential) = self.admin.credential(&name(text)).unwrap() else {
                return;
            };
            let Some(secret) = credential.secrets.first() else {
                return;
            };
            let login = Login {
                broker: "there",
                client_id: &client_id(id),
                username: Some(text),
                tenant: credential.tenant.as_ref(),
                proved: Some((&credential, Proof::Secret(secret.id))),
                record,
            };
            let _recorded = self.admin.record_login(&login, NOW).unwrap();
        }

        /// Everything that a CONNECT may ask, asked of what is kept and of the
        /// store.
        fn compare(&mut self) {
            for text in NAMES {
                let kept = self.look(text);
                let plain = self.plain.credential(&name(text)).unwrap();
                let digests: Vec<SecretDigest> = [&kept, &plain]
                    .into_iter()
                    .flatten()
                    .flat_map(|record| digests_of(record).copied().collect::<Vec<_>>())
                    .map(SecretDigest::from_bytes)
                    .collect();
                assert_eq!(logged(kept), logged(plain), "{text}");
                for digest in digests {
                    let kept = self.ask(|known| known.credential_by_digest(&digest));
                    let plain = self.plain.credential_by_digest(&digest).unwrap();
                    assert_eq!(logged(kept), logged(plain), "{text}");
                }
            }
            let claimants: Vec<Option<CredentialId>> = NAMES
                .iter()
                .map(|text| self.plain.credential(&name(text)).unwrap())
                .map(|found| found.map(|record| record.id))
                .collect();
            for id in CLIENT_IDS {
                let (id, tie) = (client_id(id), client_id(id).tie());
                for claimant in claimants.iter().chain([&None]).copied() {
                    // Twice, so that it is found again.
                    for _ in 0..2 {
                        let kept = self.ask(|known| known.holding(&tie, claimant));
                        let plain = self.plain.holding(&tie, claimant).unwrap();
                        let of_time = |holding| timeless(holding, claimant);
                        assert_eq!(of_time(kept), of_time(plain), "{id} {claimant:?}");
                    }
                }
                assert_eq!(
                    self.ask(|known| known.tenant_by_client_id(&id)),
                    self.plain.tenant_by_client_id(&id).unwrap()
                );
            }
            for id in ["acme", "globex", "nobody"] {
                let kept = self.ask(|known| known.tenant(&tenant_id(id)));
                assert_eq!(kept, self.plain.tenant(&tenant_id(id)).unwrap());
            }
            assert_eq!(
                self.ask(|known| known.some_tenant_admits_anonymous()),
                self.plain.some_tenant_admits_anonymous().unwrap()
            );
        }

        /// One act or login of many, by numbers; those that can't be are none.
        fn act_by_number(&mut self, kind: u8, which: usize, id: usize) {
            let given = ["one", "two", "three"][which % 3];
            let text = NAMES[which % 3];
            let login = name(text);
            let id = CLIENT_IDS[id % 3];
            match kind {
                0 => drop(self.create(given, ClientIdRule::Any)),
                1 => drop(self.create(given, ClientIdRule::FirstUse)),
                2 => drop(self.create(given, ClientIdRule::Exact(client_id(id)))),
                3 => drop(self.act(|store, context| credential::delete(store, context, &login))),
                4 => drop(self.act(|store, context| credential::suspend(store, context, &login))),
                5 => {
                    drop(self.act(|store, context| credential::reactivate(store, context, &login)));
                }
                6 => drop(self.act(|store, context| {
                    let overlap = Overlap::UntilUsed;
                    credential::rotate(store, context, &login, overlap)
                })),
                7 => drop(self.act(|store, context| credential::untie(store, context, &login))),
                8 => drop(self.act(|store, context| {
                    let changes = CredentialChanges {
                        client_id_rule: Some(ClientIdRule::Exact(client_id(id))),
                        ..CredentialChanges::default()
                    };
                    credential::set(store, context, &login, changes)
                })),
                9 => self.log_in_elsewhere(text, id, {
                    LoginRecord {
                        activates: true,
                        ..LoginRecord::default()
                    }
                }),
                10 => self.log_in_elsewhere(text, id, {
                    LoginRecord {
                        ties: Some(client_id(id).tie()),
                        retires_older_secrets: true,
                        session: SessionChange::Taken,
                        ..LoginRecord::default()
                    }
                }),
                11 => drop(
                    self.act(|store, context| clients::release(store, context, &client_id(id))),
                ),
                12 => drop(self.act(|store, context| {
                    let prefix = ["d", "x"][which % 2];
                    let changes = TenantChanges {
                        client_id_prefix: Some((which < 4).then(|| client_id(prefix))),
                        authentication: Some(Authentication::ALL[which % 3]),
                        ..TenantChanges::default()
                    };
                    tenant::set(store, context, &tenant_id("globex"), changes)
                })),
                13 => self.write_something(),
                14 => self.log_in_elsewhere(text, id, {
                    LoginRecord {
                        session: SessionChange::Dropped,
                        ..LoginRecord::default()
                    }
                }),
                15 => self.use_elsewhere(id),
                _ => drop(self.look(text)),
            }
        }

        /// What a broker writes all the time, which no log tells of.
        fn write_something(&mut self) {
            let used = Observation::Used(CredentialId(1), NOW);
            let batch = Batch {
                observations: vec![used],
                ..Batch::default()
            };
            self.admin.write_batch("there", &batch).unwrap();
        }
    }

    impl Rig {
        /// A session at another broker, of a client that proved nothing, which
        /// joins a tenant; if what is stored is another's, that was used.
        fn use_elsewhere(&mut self, id: &str) {
            let tenant = tenant_id("globex");
            let login = Login {
                broker: "there",
                client_id: &client_id(id),
                username: None,
                tenant: None,
                proved: None,
                record: LoginRecord {
                    session: SessionChange::Taken,
                    ..LoginRecord::default()
                },
            };
            let _recorded = self.admin.record_login(&login, NOW).unwrap();
            self.acts = self.acts.saturating_add(1);
            let number = SessionNumber(i64::try_from(self.acts).unwrap());
            let later = NOW.plus(core::time::Duration::from_secs(self.acts));
            let came = Observation::Connected(Presence {
                session: number,
                client_id: id.into(),
                username: None,
                credential: None,
                tenant: None,
                address: None,
                protocol: 5,
                connected_at: later,
                authenticated: false,
                listener: None,
                stored: true,
            });
            let batch = Batch {
                observations: vec![
                    came,
                    Observation::Joined(number, tenant),
                    Observation::Disconnected(number, later),
                ],
                ..Batch::default()
            };
            self.admin.write_batch("there", &batch).unwrap();
        }
    }

    const NAMES: [&str; 4] = ["one@acme", "two@acme", "three@acme", "nobody@acme"];
    const CLIENT_IDS: [&str; 3] = ["d1", "d2", "x"];

    #[test]
    fn nothing_is_known_of_an_empty_store() {
        let mut rig = Rig::new();
        assert!(rig.look("one@acme").is_none());
        rig.compare();
    }

    #[test]
    fn what_is_kept_is_not_asked_for_again_until_it_changes() {
        let mut rig = Rig::new();
        rig.create("one", ClientIdRule::Any);
        let first = rig.look("one@acme").unwrap();
        rig.write_something();
        assert!(Arc::ptr_eq(&first, &rig.look("one@acme").unwrap()));
        let login = name("one@acme");
        rig.act(|store, context| credential::suspend(store, context, &login))
            .unwrap();
        let second = rig.look("one@acme").unwrap();
        assert_eq!(second.state, State::Suspended);
        assert!(Arc::ptr_eq(&second, &rig.look("one@acme").unwrap()));
    }

    #[test]
    fn a_change_leaves_the_others_alone() {
        let mut rig = Rig::new();
        rig.create("one", ClientIdRule::Any);
        rig.create("two", ClientIdRule::Any);
        let one = rig.look("one@acme").unwrap();
        rig.look("two@acme").unwrap();
        let login = name("two@acme");
        rig.act(|store, context| credential::delete(store, context, &login))
            .unwrap();
        assert!(rig.look("two@acme").is_none());
        assert!(Arc::ptr_eq(&one, &rig.look("one@acme").unwrap()));
    }

    #[test]
    fn a_name_that_was_absent_is_found_once_it_is_made_and_made_again() {
        let mut rig = Rig::new();
        assert!(rig.look("one@acme").is_none());
        assert!(rig.is_kept("one@acme"));
        rig.create("one", ClientIdRule::Any);
        let first = rig.look("one@acme").unwrap();
        let login = name("one@acme");
        rig.act(|store, context| credential::delete(store, context, &login))
            .unwrap();
        rig.create("one", ClientIdRule::Any);
        assert_ne!(rig.look("one@acme").unwrap().id, first.id);
    }

    #[test]
    fn a_secret_that_served_as_a_name_finds_nobody_once_it_is_replaced() {
        let mut rig = Rig::new();
        let secret = rig.create("one", ClientIdRule::Any).unwrap();
        let digest = SecretDigest::of(&secret);
        let other = SecretDigest::from_bytes([7; 32]);
        for _ in 0..2 {
            let found = rig.ask(|known| known.credential_by_digest(&digest));
            assert_eq!(found.unwrap().name, name("one@acme"));
            assert!(
                rig.ask(|known| known.credential_by_digest(&other))
                    .is_none()
            );
        }
        let login = name("one@acme");
        rig.act(|store, context| {
            credential::reset_password(store, context, &login, NewSecret::Generated)
        })
        .unwrap();
        assert!(
            rig.ask(|known| known.credential_by_digest(&digest))
                .is_none()
        );
    }

    #[test]
    fn more_changes_than_are_worth_reading_give_up_everything() {
        let mut rig = Rig::new();
        rig.create("one", ClientIdRule::Any);
        let first = rig.look("one@acme").unwrap();
        let changes = vec![Change::Credential(CredentialId(999)); MOST_CHANGES];
        let transaction = rig.admin.begin(Intent::Write).unwrap();
        commit(transaction, &changes);
        assert!(!Arc::ptr_eq(&first, &rig.look("one@acme").unwrap()));
        rig.compare();
    }

    fn commit(transaction: impl AdminTransaction, changes: &[Change]) {
        transaction.commit(&[], changes).unwrap();
    }

    #[test]
    fn made_up_names_push_nobody_out() {
        let mut rig = Rig::new();
        rig.create("one", ClientIdRule::Any);
        let first = rig.look("one@acme").unwrap();
        for number in 0..MOST_ABSENT + 10 {
            assert!(rig.look(&format!("nobody{number}@acme")).is_none());
        }
        assert!(rig.gate.records.absent_names.len() <= MOST_ABSENT);
        assert!(Arc::ptr_eq(&first, &rig.look("one@acme").unwrap()));
    }

    fn some_record() -> Credential {
        let mut rig = Rig::new();
        rig.create("one", ClientIdRule::Any);
        Credential::clone(&rig.look("one@acme").unwrap())
    }

    #[test]
    fn what_is_kept_has_a_bound_and_those_in_use_stay() {
        let mut records = Records::new(ChangeSeq(0));
        let template = some_record();
        let numbered = |number: i64| {
            Arc::new(Credential {
                id: CredentialId(number),
                name: name(&format!("d{number}@acme")),
                ..template.clone()
            })
        };
        let most = i64::try_from(MOST_PRESENT).unwrap();
        for number in 0..most + 500 {
            records.keep(&numbered(number));
            // Kept again and again, given up and kept again.
            records.keep(&numbered(0));
            assert!(records.by_name(&name("d0@acme")).is_some());
            if number % 7 == 0 {
                records.forget(CredentialId(number));
            }
        }
        assert!(records.order.len() <= MOST_PRESENT);
        assert!(records.present.len() <= MOST_PRESENT);
        assert_eq!(records.names.len(), records.present.len());
        assert!(records.by_name(&name("d1@acme")).is_none());
        let order: HashSet<CredentialId> = records.order.iter().copied().collect();
        assert!(records.present.keys().all(|id| order.contains(id)));
    }

    #[test]
    fn a_password_whose_hash_is_to_be_renewed_is_not_kept() {
        let mut rig = Rig::new();
        rig.create("one", ClientIdRule::Any);
        let login = name("one@acme");
        let weak = Argon2Params::parse("m=8,t=1,p=1").unwrap();
        let password = Secret::new(b"a chosen one".to_vec());
        let hash = PasswordHash::new(&password, [7; 16], weak).unwrap();
        let id = rig.look("one@acme").unwrap().id;
        let mut transaction = rig.admin.begin(Intent::Write).unwrap();
        let verifier = Verifier::Password(hash);
        let _secret: SecretId = transaction.add_secret(id, &verifier).unwrap();
        commit(transaction, &[Change::Credential(id)]);
        assert_eq!(rig.look(login.as_str()).unwrap().secrets.len(), 2);
        assert!(!rig.is_kept("one@acme"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn what_is_kept_answers_as_the_store_does(
            acts in proptest::collection::vec((0_u8..17, 0_usize..6, 0_usize..3), 1..25),
        ) {
            let mut rig = Rig::new();
            for (kind, which, id) in acts {
                rig.act_by_number(kind, which, id);
                rig.compare();
            }
        }
    }
}

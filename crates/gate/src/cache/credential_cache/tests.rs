use countersign_admin::clients::ReleaseClientId;
use countersign_admin::credential::{
    ChangeCredentialRules, CreateCredential, CredentialChanges, DeleteCredential, NewCredential,
    Overlap, ReactivateCredential, ResetPassword, RotateCredential, SetCredential,
    SuspendCredential, UntieCredential,
};
use countersign_admin::role::{
    AssignRole, Assignment, ChangeRoleRules, CreateRole, DeleteRole, NewRole, RoleDeletion,
    UnassignRole,
};
use countersign_admin::rule::RuleChange;
use countersign_admin::tenant::{CreateTenant, NewTenant, SetTenant, TenantChanges};
use countersign_admin::{AdminError, Caller, Command, Context, OsRandom};
use countersign_core::access::AccessSubject;
use countersign_core::client_id::ClientIdRule;
use countersign_core::connect::{LoginRecord, Proof, SessionChange};
use countersign_core::ledger::Ledger as _;
use countersign_core::lifecycle::State;
use countersign_core::name::TenantId;
use countersign_core::ownership::Holder;
use countersign_core::presence::{Presence, PresenceEvent, SessionEnd, SessionNumber};
use countersign_core::role::RoleName;
use countersign_core::rule::{Action, Limits, Pattern, Rule};
use countersign_core::secret::{Argon2Params, PasswordHash, Secret, SecretId};
use countersign_core::store::rows::SecretRows as _;
use countersign_core::store::{
    AdminStore, AdminTransaction, Batch, Directory as _, Intent, LoginEffects, Settings, StoreError,
};
use countersign_core::tenant::Authentication;
use countersign_core::time::Timestamp;
use countersign_sqlite::SqliteStore;
use proptest::prelude::*;

use super::absent::MOST_ABSENT;
use super::*;
use crate::cache::cached_directory::CachedDirectory;
use crate::cache::store_view::StoreView;
use crate::journal::recent_uses::RecentUses;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A store as a gate sees it, and two more connections to it: an administrator's,
/// who is another broker besides, and one that nothing is remembered of.
struct Fixture {
    view: StoreView<SqliteStore>,
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

impl Fixture {
    fn new() -> Self {
        let in_memory = tempfile::tempdir_in("/dev/shm");
        let folder = in_memory.or_else(|_| tempfile::tempdir()).unwrap();
        let path = folder.path().join("x.db");
        let admin = SqliteStore::create(&path, &Settings::default()).unwrap();
        let mut store = SqliteStore::open(&path).unwrap();
        let last = store.last_change().unwrap();
        let mut fixture = Self {
            view: StoreView::new(store, last).unwrap(),
            admin,
            plain: SqliteStore::open(&path).unwrap(),
            acts: 0,
            _folder: folder,
        };
        for id in ["acme", "globex"] {
            let new = NewTenant::new(tenant_id(id));
            fixture.run(&CreateTenant(new)).unwrap();
        }
        fixture
    }

    fn run<C: Command>(&mut self, command: &C) -> Result<C::Output, AdminError> {
        self.act(|store, context| countersign_admin::run(store, context, command))
    }

    fn act<T>(&mut self, act: impl FnOnce(&mut SqliteStore, &mut Context<'_>) -> T) -> T {
        self.acts = self.acts.saturating_add(1);
        let mut context = Context {
            now: NOW.plus(core::time::Duration::from_millis(self.acts)),
            caller: Caller::owner("cli:test"),
            random: &mut OsRandom,
        };
        act(&mut self.admin, &mut context)
    }

    fn create(&mut self, given: &str, rule: ClientIdRule) -> Option<Secret> {
        let new = NewCredential {
            client_id_rule: Some(rule),
            ..NewCredential::new(tenant_id("acme"), given)
        };
        self.run(&CreateCredential(new)).ok()?.secret
    }

    /// Asks as a CONNECT does.
    fn ask<T>(
        &mut self,
        ask: impl FnOnce(&mut CachedDirectory<'_, SqliteStore>) -> Result<T, StoreError>,
    ) -> T {
        let (mark, _) = self.view.look().unwrap();
        let (log_position, _) = self.view.sync(mark).unwrap();
        let mut known = CachedDirectory {
            store: &mut self.view.store,
            credential_cache: &mut self.view.credential_cache,
            snapshot: &self.view.snapshot,
            log_position,
            recent_uses: &RecentUses::default(),
            unproved: None,
            now: NOW,
        };
        ask(&mut known).unwrap()
    }

    fn look(&mut self, text: &str) -> Option<Arc<Credential>> {
        let name = name(text);
        self.ask(|known| known.credential(&name))
    }

    /// What a credential may do by what is kept, and by what is stored: twice, so
    /// that it is found again.
    fn compare_rights(&mut self) {
        for text in NAMES {
            for id in CLIENT_IDS {
                for _ in 0..2 {
                    let Some(record) = self.look(text) else {
                        continue;
                    };
                    let kept = self.view.rights_at_login(&record, &client_id(id)).unwrap();
                    let stored = self.plain.credential(&name(text)).unwrap().unwrap();
                    let fresh = self
                        .view
                        .snapshot
                        .rights_of(AccessSubject::of_credential(&stored), id, &mut self.plain)
                        .unwrap();
                    assert_eq!(format!("{kept:?}"), format!("{fresh:?}"), "{text} {id}");
                }
            }
        }
    }

    /// A change of what roles and credentials may do, by numbers.
    fn change_rights(&mut self, kind: u8, which: usize, id: usize) {
        let login = name(NAMES[which % 3]);
        let role = RoleName::parse(["r1", "r2"][id % 2]).unwrap();
        let pattern = ["acme/a/#", "acme/${client_id}/x", "acme/${username}/+"][id % 3];
        let pattern = Pattern::parse(pattern).unwrap();
        let change = match which % 3 {
            0 => RuleChange::Add(Rule::allow(Action::Both, pattern)),
            1 => RuleChange::Add(Rule::deny(Action::Publish, pattern)),
            _ => RuleChange::Remove {
                action: Action::Both,
                pattern,
                limits: Limits::default(),
                literal: false,
            },
        };
        let tenant = tenant_id("acme");
        match kind {
            0 => drop(self.run(&CreateRole(NewRole {
                tenant,
                name: role,
                description: None,
                no_wildcards: false,
            }))),
            1 => drop(self.run(&ChangeRoleRules {
                tenant,
                name: role,
                change,
                group: None,
            })),
            2 => drop(self.run(&DeleteRole {
                tenant,
                name: role,
                deletion: RoleDeletion::WithGrants,
            })),
            3 | 4 => {
                let mut changes = CredentialChanges::default();
                if kind == 3 {
                    changes.add_roles = vec![role];
                } else {
                    changes.remove_roles = vec![role];
                }
                let name = login;
                drop(self.run(&SetCredential { name, changes }));
            }
            _ => drop(self.run(&ChangeCredentialRules {
                name: login,
                change,
            })),
        }
    }

    /// A change of what groups hold, or of who is in one, by numbers.
    fn change_groups(&mut self, kind: u8, which: usize, id: usize) {
        let group = GroupPath::parse(["DM", "DM.X", "B"][id % 3]).unwrap();
        let role = RoleName::parse(["r1", "r2"][which % 2]).unwrap();
        let tenant = tenant_id("acme");
        let held = Assignment {
            tenant,
            role,
            group: group.clone(),
        };
        let mut changes = CredentialChanges::default();
        match kind {
            7 => return drop(self.run(&AssignRole(held))),
            8 => return drop(self.run(&UnassignRole(held))),
            9 => changes.add_groups = vec![group],
            _ => changes.remove_groups = vec![group],
        }
        let name = name(NAMES[which % 3]);
        drop(self.run(&SetCredential { name, changes }));
    }

    fn is_kept(&self, text: &str) -> bool {
        let credential_cache = &self.view.credential_cache;
        credential_cache.names.contains_key(&name(text)) || credential_cache.is_absent(&name(text))
    }

    /// A login at another broker.
    fn log_in_elsewhere(&mut self, text: &str, id: &str, record: LoginRecord) {
        let Some(credential) = self.admin.credential(&name(text)).unwrap() else {
            return;
        };
        let Some(secret) = credential.secrets.first() else {
            return;
        };
        let login = LoginEffects {
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
            3 => drop(self.run(&DeleteCredential(login))),
            4 => drop(self.run(&SuspendCredential(login))),
            5 => {
                drop(self.run(&ReactivateCredential(login)));
            }
            6 => drop(self.run(&RotateCredential {
                name: login,
                overlap: Overlap::UntilUsed,
            })),
            7 => drop(self.run(&UntieCredential(login))),
            8 => {
                let changes = CredentialChanges {
                    client_id_rule: Some(ClientIdRule::Exact(client_id(id))),
                    ..CredentialChanges::default()
                };
                let name = login;
                drop(self.run(&SetCredential { name, changes }));
            }
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
            11 => drop(self.run(&ReleaseClientId(client_id(id)))),
            12 => drop(self.act(|store, context| {
                let prefix = ["d", "x"][which % 2];
                let changes = TenantChanges {
                    client_id_prefix: Some((which < 4).then(|| client_id(prefix))),
                    authentication: Some(Authentication::ALL[which % 3]),
                    ..TenantChanges::default()
                };
                countersign_admin::run(
                    store,
                    context,
                    &SetTenant {
                        id: tenant_id("globex"),
                        changes,
                    },
                )
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
        let used = PresenceEvent::Used(CredentialId(1), NOW);
        let batch = Batch {
            observations: vec![used],
            ..Batch::default()
        };
        self.admin.write_batch("there", &batch).unwrap();
    }
}

impl Fixture {
    /// A session at another broker, of an unauthenticated client, which joins a
    /// tenant; if what is stored is another's, that was used.
    fn use_elsewhere(&mut self, id: &str) {
        let tenant = tenant_id("globex");
        let login = LoginEffects {
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
        let came = PresenceEvent::Connected(Presence {
            session: number,
            client_id: id.into(),
            tie: client_id(id).tie(),
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
                PresenceEvent::Joined(number, tenant),
                PresenceEvent::Disconnected(SessionEnd {
                    began: Timestamp::from_millis(0),
                    session: number,
                    tie: client_id(id).tie(),
                    credential: None,
                    at: later,
                    is_kept: None,
                }),
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
    let mut fixture = Fixture::new();
    assert!(fixture.look("one@acme").is_none());
    fixture.compare();
}

#[test]
fn what_is_kept_is_not_asked_for_again_until_it_changes() {
    let mut fixture = Fixture::new();
    fixture.create("one", ClientIdRule::Any);
    let first = fixture.look("one@acme").unwrap();
    fixture.write_something();
    assert!(Arc::ptr_eq(&first, &fixture.look("one@acme").unwrap()));
    let login = name("one@acme");
    fixture.run(&SuspendCredential(login)).unwrap();
    let second = fixture.look("one@acme").unwrap();
    assert_eq!(second.state, State::Suspended);
    assert!(Arc::ptr_eq(&second, &fixture.look("one@acme").unwrap()));
}

#[test]
fn a_change_leaves_the_others_alone() {
    let mut fixture = Fixture::new();
    fixture.create("one", ClientIdRule::Any);
    fixture.create("two", ClientIdRule::Any);
    let one = fixture.look("one@acme").unwrap();
    fixture.look("two@acme").unwrap();
    let login = name("two@acme");
    fixture.run(&DeleteCredential(login)).unwrap();
    assert!(fixture.look("two@acme").is_none());
    assert!(Arc::ptr_eq(&one, &fixture.look("one@acme").unwrap()));
}

#[test]
fn a_name_that_was_absent_is_found_once_it_is_made_and_made_again() {
    let mut fixture = Fixture::new();
    assert!(fixture.look("one@acme").is_none());
    assert!(fixture.is_kept("one@acme"));
    fixture.create("one", ClientIdRule::Any);
    let first = fixture.look("one@acme").unwrap();
    let login = name("one@acme");
    fixture.run(&DeleteCredential(login)).unwrap();
    fixture.create("one", ClientIdRule::Any);
    assert_ne!(fixture.look("one@acme").unwrap().id, first.id);
}

#[test]
fn a_secret_that_served_as_a_name_finds_nobody_once_it_is_replaced() {
    let mut fixture = Fixture::new();
    let secret = fixture.create("one", ClientIdRule::Any).unwrap();
    let digest = SecretDigest::of(&secret);
    let other = SecretDigest::from_bytes([7; 32]);
    for _ in 0..2 {
        let found = fixture.ask(|known| known.credential_by_digest(&digest));
        assert_eq!(found.unwrap().name, name("one@acme"));
        assert!(
            fixture
                .ask(|known| known.credential_by_digest(&other))
                .is_none()
        );
    }
    let login = name("one@acme");
    fixture
        .run(&ResetPassword {
            name: login,
            secret: countersign_admin::secret::NewSecret::Generated,
        })
        .unwrap();
    assert!(
        fixture
            .ask(|known| known.credential_by_digest(&digest))
            .is_none()
    );
}

#[test]
fn more_changes_than_are_worth_reading_give_up_everything() {
    let mut fixture = Fixture::new();
    fixture.create("one", ClientIdRule::Any);
    let first = fixture.look("one@acme").unwrap();
    let changes = vec![Change::Credential(CredentialId(999)); MOST_CHANGES];
    let transaction = fixture.admin.begin(Intent::Write).unwrap();
    commit(transaction, &changes);
    assert!(!Arc::ptr_eq(&first, &fixture.look("one@acme").unwrap()));
    fixture.compare();
}

fn commit(transaction: impl AdminTransaction, changes: &[Change]) {
    transaction.commit(&[], changes).unwrap();
}

#[test]
fn made_up_names_push_nobody_out() {
    let mut fixture = Fixture::new();
    fixture.create("one", ClientIdRule::Any);
    let first = fixture.look("one@acme").unwrap();
    for number in 0..MOST_ABSENT + 10 {
        assert!(fixture.look(&format!("nobody{number}@acme")).is_none());
    }
    assert!(fixture.view.credential_cache.absent.names() <= MOST_ABSENT);
    assert!(Arc::ptr_eq(&first, &fixture.look("one@acme").unwrap()));
}

fn some_record() -> Credential {
    let mut fixture = Fixture::new();
    fixture.create("one", ClientIdRule::Any);
    Credential::clone(&fixture.look("one@acme").unwrap())
}

#[test]
fn what_is_kept_has_a_bound_and_those_in_use_stay() {
    let mut credential_cache = CredentialCache::new(ChangeSeq(0));
    let template = some_record();
    let numbered = |number: i64| {
        Arc::new(Credential {
            id: CredentialId(number),
            name: name(&format!("d{number}@acme")),
            ..template.clone()
        })
    };
    let most = i64::try_from(MOST_CACHED).unwrap();
    for number in 0..most + 500 {
        credential_cache.keep(&numbered(number));
        // Kept again and again, given up and kept again.
        credential_cache.keep(&numbered(0));
        assert!(credential_cache.by_name(&name("d0@acme")).is_some());
        if number % 7 == 0 {
            credential_cache.forget(CredentialId(number));
        }
    }
    assert!(credential_cache.order.len() <= MOST_CACHED);
    assert!(credential_cache.cached.len() <= MOST_CACHED);
    assert_eq!(credential_cache.names.len(), credential_cache.cached.len());
    assert!(credential_cache.by_name(&name("d1@acme")).is_none());
    let order: std::collections::HashSet<CredentialId> =
        credential_cache.order.iter().copied().collect();
    assert!(credential_cache.cached.keys().all(|id| order.contains(id)));
}

#[test]
fn what_a_client_presented_is_found_again_by_the_same_bytes_alone() {
    let session = countersign_core::connect::SessionUse::of(4, true);
    let request = |id: &[u8], name: &[u8]| {
        let parsed = Request::parse(id, Some(name), Some(b"secret"), session);
        parsed.unwrap_or_else(|_| panic!("{id:?} {name:?}"))
    };
    let record = Arc::new(some_record());
    let mut kept = CredentialCache::new(ChangeSeq(0));
    kept.keep_presented(record.id, &request(b"d1", b"one@acme"));
    assert!(kept.presented(b"d1", b"one@acme").is_none());
    kept.keep(&record);
    for (id, others) in [
        (b"d1", [&b"d2"[..], b"d", b"d11"]),
        (b"d2", [b"d1", b"", b"d2 "]),
    ] {
        kept.keep_presented(record.id, &request(id, b"one@acme"));
        let names = kept.presented(id, b"one@acme").unwrap();
        let (again, parsed) = (
            names.again(Some(b"secret"), session),
            request(id, b"one@acme"),
        );
        assert_eq!((again.client_id, again.tie), (parsed.client_id, parsed.tie));
        assert_eq!((again.name, again.session), (parsed.name, parsed.session));
        assert_eq!(again.secret.unwrap().expose(), b"secret");
        for other in others {
            assert!(kept.presented(other, b"one@acme").is_none());
        }
        for other in [&b"two@acme"[..], b"", b"\xff", b"one@acm"] {
            assert!(kept.presented(id, other).is_none());
        }
    }
    // How it may be shown is that of this very client id.
    let shown: Arc<str> = "shown".into();
    kept.keep_shown(record.id, "d1", &shown);
    assert!(kept.shown(record.id, "d1").is_none());
    kept.keep_shown(record.id, "d2", &shown);
    assert_eq!(kept.shown(record.id, "d2"), Some(&shown));
    // What came with another name, a secret say, is not kept.
    kept.keep_presented(record.id, &request(b"d3", b"two@acme"));
    for id in [b"d2", b"d3"] {
        assert!(kept.presented(id, b"one@acme").is_none());
    }
    kept.keep_presented(record.id, &request(b"d1", b"one@acme"));
    kept.forget(record.id);
    assert!(kept.presented(b"d1", b"one@acme").is_none());
    // Nor is a client id that is a secret.
    let hides = Arc::new(Credential {
        client_id_rule: ClientIdRule::SameAsSecret,
        ..Credential::clone(&record)
    });
    kept.keep(&hides);
    kept.keep_presented(hides.id, &request(b"d1", b"one@acme"));
    assert!(kept.presented(b"d1", b"one@acme").is_none());
}

#[test]
fn what_credentials_may_do_is_kept_in_bounded_numbers_of_rules() {
    let mut fixture = Fixture::new();
    fixture.create("one", ClientIdRule::Any);
    for kind in [0, 1, 3, 5] {
        fixture.change_rights(kind, 0, 0);
    }
    let record = fixture.look("one@acme").unwrap();
    let rights = fixture
        .view
        .rights_at_login(&record, &client_id("d1"))
        .unwrap();
    let each = rights.rule_count();
    assert!(each >= 3, "{rights:?}");
    let mut credential_cache = CredentialCache::new(ChangeSeq(0));
    let numbered = |number: i64| {
        Arc::new(Credential {
            id: CredentialId(number),
            name: name(&format!("d{number}@acme")),
            ..Credential::clone(&record)
        })
    };
    let sum = |credential_cache: &CredentialCache| {
        let kept = credential_cache.cached.values();
        kept.map(Cached::rule_count).sum::<usize>()
    };
    for number in 0..2_000 {
        let credential = numbered(number % 1_500);
        credential_cache.keep(&credential);
        credential_cache.keep_rights(&credential, &client_id("d1"), &rights);
        assert!(credential_cache.rights(&credential, "d1").is_some());
        if number % 7 == 0 {
            credential_cache.forget(credential.id);
        }
    }
    assert_eq!(credential_cache.rules, sum(&credential_cache));
    // As if each had so many that no two of them fit.
    credential_cache.rules = MOST_RULES - each;
    let last = numbered(9_999);
    credential_cache.keep(&last);
    credential_cache.keep_rights(&last, &client_id("d1"), &rights);
    assert_eq!(credential_cache.rules, MOST_RULES);
    let one_more = numbered(10_000);
    credential_cache.keep(&one_more);
    credential_cache.keep_rights(&one_more, &client_id("d1"), &rights);
    assert_eq!(
        (credential_cache.rules, sum(&credential_cache)),
        (each, each)
    );
    // Of another record of the same credential nothing is known.
    assert!(credential_cache.rights(&numbered(10_000), "d1").is_none());
}

#[test]
fn a_password_whose_hash_is_to_be_renewed_is_not_kept() {
    let mut fixture = Fixture::new();
    fixture.create("one", ClientIdRule::Any);
    let login = name("one@acme");
    let weak = Argon2Params::parse("m=8,t=1,p=1").unwrap();
    let password = Secret::new(b"a chosen one".to_vec());
    let hash = PasswordHash::new(&password, [7; 16], weak).unwrap();
    let id = fixture.look("one@acme").unwrap().id;
    let mut transaction = fixture.admin.begin(Intent::Write).unwrap();
    let verifier = Verifier::Password(hash);
    let _secret: SecretId = transaction.add_secret(id, &verifier).unwrap();
    commit(transaction, &[Change::Credential(id)]);
    assert_eq!(fixture.look(login.as_str()).unwrap().secrets.len(), 2);
    assert!(!fixture.is_kept("one@acme"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn what_is_kept_of_rights_is_what_is_stored_whatever_changes(
        acts in proptest::collection::vec((0_u8..11, 0_usize..6, 0_usize..6), 1..40),
    ) {
        let mut fixture = Fixture::new();
        for given in ["one", "two", "three"] {
            fixture.create(given, ClientIdRule::Any);
        }
        for kind in [0, 0, 3] {
            fixture.change_rights(kind, 0, usize::from(kind == 0));
        }
        // A role with a rule comes to a group that one is in, and goes.
        fixture.change_rights(1, 0, 1);
        fixture.change_groups(9, 0, 1);
        for kind in [7, 8] {
            fixture.compare_rights();
            fixture.change_groups(kind, 1, 1);
        }
        fixture.compare_rights();
        for two in acts.chunks(2) {
            for &(kind, which, id) in two {
                match kind {
                    6 => fixture.act_by_number(12, which, id),
                    7.. => fixture.change_groups(kind, which, id),
                    _ => fixture.change_rights(kind, which, id),
                }
            }
            fixture.compare_rights();
        }
    }

    #[test]
    fn what_is_kept_answers_as_the_store_does(
        acts in proptest::collection::vec((0_u8..17, 0_usize..6, 0_usize..3), 1..25),
    ) {
        let mut fixture = Fixture::new();
        for (kind, which, id) in acts {
            fixture.act_by_number(kind, which, id);
            fixture.compare();
        }
    }
}

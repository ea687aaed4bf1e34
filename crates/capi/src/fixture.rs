//! A gate as C has it, and the store behind it.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use countersign_admin::credential::{CreateCredential, NewCredential};
use countersign_admin::limit::{Limited, SetLimits, Unsaid};
use countersign_admin::password::ChosenPassword;
use countersign_admin::tenant::{CreateTenant, NewTenant};
use countersign_admin::user::{ConfirmSecondFactor, CreateUser, EnrolSecondFactor, GrantUser};
use countersign_admin::{Caller, Context, OsRandom, run};
use gate::core::limit::{Limit, UseLimits};
use gate::core::name::{LoginName, TenantId};
use gate::core::secret::{Argon2Params, Secret};
use gate::core::store::Settings;
use gate::core::time::Timestamp;
use gate::core::totp::{Seed, Step};
use gate::core::user::{Grant, GrantedRight};
use gate::sqlite::SqliteStore;

use crate::boundary::countersign_bytes;
use crate::check::{
    countersign_action, countersign_gate_check, countersign_use, countersign_verdict,
};
use crate::connect::{
    COUNTERSIGN_CLEAN_START, countersign_connect_facts, countersign_decision,
    countersign_gate_connect_enhanced, countersign_gate_resume,
};
use crate::events::{
    countersign_event, countersign_event_kind, countersign_events, countersign_events_free,
    countersign_events_next, countersign_gate_poll,
};
use crate::gate_host::{countersign_gate, countersign_gate_close, countersign_gate_open};
use crate::options::{countersign_options_free, countersign_options_new, countersign_options_set};
use crate::status::countersign_status::COUNTERSIGN_OK;

pub(crate) const JANE: &str = "jane@mail.test";

pub(crate) struct Fixture {
    pub(crate) gate: *mut countersign_gate,
    store: SqliteStore,
    _folder: tempfile::TempDir,
}

/// A text as C hands it over.
pub(crate) fn bytes(text: &str) -> countersign_bytes {
    countersign_bytes {
        data: text.as_ptr().cast(),
        length: text.len(),
    }
}

/// What C is answered.
pub(crate) fn shown(answered: countersign_bytes) -> Option<String> {
    // SAFETY: as many as it says, for a decision or an event that still counts.
    let read = unsafe { answered.read("it") }.unwrap()?;
    Some(String::from_utf8(read.to_vec()).unwrap())
}

/// The CONNECT of a connection `handle` as `client_id`.
pub(crate) fn facts(handle: usize, client_id: &'static str) -> countersign_connect_facts {
    countersign_connect_facts {
        size: size_of::<countersign_connect_facts>(),
        handle,
        client_id: bytes(client_id),
        username: bytes(JANE),
        password: bytes("ignored"),
        address: countersign_bytes::ABSENT,
        flags: COUNTERSIGN_CLEAN_START,
        listener: 0,
        protocol: 5,
        reserved: 0,
    }
}

/// Jane publishes on a topic.
pub(crate) fn publish(
    handle: usize,
    client_id: &'static str,
    topic: &'static str,
) -> countersign_use {
    countersign_use {
        size: size_of::<countersign_use>(),
        handle,
        client_id: bytes(client_id),
        username: bytes(JANE),
        topic: bytes(topic),
        action: countersign_action::COUNTERSIGN_PUBLISH as u32,
        qos: 1,
        retain: 0,
        connected: 1,
        reserved: 0,
        origin: core::ptr::null(),
        payload_length: 0,
    }
}

impl Fixture {
    /// With a tenant `acme`, its admin Jane, whose password is `right`, and the
    /// device `van`, for which its certificate vouches. Port 9 is of tenant `beta`.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let key = format!("{}\n", "0a".repeat(32));
        fs::write(folder.path().join("store.db.key"), key).unwrap();
        let settings = Settings {
            argon2: Argon2Params::parse("m=8,t=1,p=1").unwrap(),
            ..Settings::default()
        };
        let store = SqliteStore::create(&path, &settings).unwrap();
        let gate = open(path.to_str().unwrap());
        let mut fixture = Self {
            gate,
            store,
            _folder: folder,
        };
        let acme = TenantId::parse("acme").unwrap();
        fixture.act(|store, context| {
            run(store, context, &CreateTenant(NewTenant::new(acme.clone()))).unwrap();
            let password = ChosenPassword::parse(b"right".to_vec()).unwrap();
            run(store, context, &CreateUser::new(jane(), password)).unwrap();
            let grant = Grant {
                tenant: acme,
                group: None,
                right: GrantedRight::OrgAdmin,
            };
            let email = jane();
            run(store, context, &GrantUser { email, grant }).unwrap();
            let mut new = NewCredential::new(TenantId::parse("acme").unwrap(), "van");
            new.external_identity = true;
            run(store, context, &CreateCredential(new)).unwrap();
        });
        fixture.settle();
        fixture
    }

    fn act<T>(&mut self, act: impl FnOnce(&mut SqliteStore, &mut Context<'_>) -> T) -> T {
        let mut context = Context {
            now: SystemTime::now().into(),
            caller: Caller::owner("cli:test"),
            random: &mut OsRandom,
        };
        act(&mut self.store, &mut context)
    }

    /// Lets payloads of the tenant be so long.
    pub(crate) fn limit_payload(&mut self, most: u64) {
        let set = SetLimits {
            of: Limited::Tenant(TenantId::parse("acme").unwrap()),
            limits: UseLimits {
                payload: Limit::new(most),
                ..UseLimits::default()
            },
            unsaid: Unsaid::Stay,
        };
        self.act(|store, context| run(store, context, &set).unwrap());
        self.settle();
    }

    /// Gives Jane a second factor, confirmed by the code before this one.
    pub(crate) fn enrol(&mut self) -> Seed {
        let seed = self.act(|store, context| {
            let email = jane();
            let enrolment = run(store, context, &EnrolSecondFactor(email.clone())).unwrap();
            let code = Secret::new(code(&enrolment.seed, -1).into_bytes());
            run(store, context, &ConfirmSecondFactor { email, code }).unwrap();
            enrolment.seed
        });
        self.settle();
        seed
    }

    pub(crate) fn enhance(
        &self,
        facts: &countersign_connect_facts,
        method: &str,
        password: &str,
    ) -> countersign_decision {
        let mut decision = countersign_decision::REFUSED;
        let (method, data) = (bytes(method), bytes(password));
        // SAFETY: all of it is as it says.
        let status = unsafe {
            countersign_gate_connect_enhanced(self.gate, facts, method, data, &raw mut decision)
        };
        assert_eq!(status, COUNTERSIGN_OK);
        decision
    }

    pub(crate) fn resume(
        &self,
        handle: usize,
        client_id: &str,
        data: &str,
    ) -> countersign_decision {
        let mut decision = countersign_decision::REFUSED;
        let (client_id, data) = (bytes(client_id), bytes(data));
        // SAFETY: all of it is as it says.
        let status = unsafe {
            countersign_gate_resume(self.gate, handle, client_id, data, &raw mut decision)
        };
        assert_eq!(status, COUNTERSIGN_OK);
        decision
    }

    pub(crate) fn allows(&self, usage: &countersign_use) -> bool {
        let mut verdict = countersign_verdict::DENIED;
        // SAFETY: all of it is as it says.
        let status = unsafe { countersign_gate_check(self.gate, usage, &raw mut verdict) };
        assert_eq!(status, COUNTERSIGN_OK);
        verdict.allowed == 1
    }

    /// Polls for the first event of a kind, and shows it to `look`; none if it
    /// does not come in time.
    pub(crate) fn await_event<T>(
        &self,
        kind: countersign_event_kind,
        time: Duration,
        mut look: impl FnMut(&countersign_event) -> T,
    ) -> Option<T> {
        let start = Instant::now();
        let mut found = None;
        while found.is_none() && start.elapsed() < time {
            let mut events: *mut countersign_events = core::ptr::null_mut();
            // SAFETY: the pointer is to a local.
            let polled = unsafe { countersign_gate_poll(self.gate, &raw mut events) };
            assert_eq!(polled, COUNTERSIGN_OK);
            let mut event = countersign_event::NONE;
            // SAFETY: the pointer is to a local.
            while unsafe { countersign_events_next(events, &raw mut event) } == COUNTERSIGN_OK {
                if event.kind == kind && found.is_none() {
                    found = Some(look(&event));
                }
            }
            assert_eq!(countersign_events_free(events), COUNTERSIGN_OK);
            std::thread::sleep(Duration::from_millis(1));
        }
        found
    }

    /// Polls until what was changed has arrived.
    fn settle(&self) {
        let nothing = countersign_event_kind::COUNTERSIGN_EVENT_NONE;
        self.await_event(nothing, Duration::from_millis(80), |_| ());
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _closed = countersign_gate_close(self.gate);
    }
}

/// The code of so many steps after the running one.
pub(crate) fn code(seed: &Seed, offset: i64) -> String {
    let Step(step) = Step::at(Timestamp::from(SystemTime::now()));
    String::from_utf8(seed.code_at(Step(step.saturating_add(offset))).to_vec()).unwrap()
}

fn jane() -> LoginName {
    LoginName::parse(JANE).unwrap()
}

fn open(path: &str) -> *mut countersign_gate {
    let mut options = core::ptr::null_mut();
    // SAFETY: the pointer is to a local.
    let made = unsafe { countersign_options_new(&raw mut options) };
    assert_eq!(made, COUNTERSIGN_OK);
    for (key, value) in [
        ("store", path),
        ("broker", "bench"),
        ("hash_threads", "1"),
        ("listener_9", "beta"),
    ] {
        // SAFETY: both are as long as they say.
        let set = unsafe { countersign_options_set(options, bytes(key), bytes(value)) };
        assert_eq!(set, COUNTERSIGN_OK);
    }
    let mut gate = core::ptr::null_mut();
    let user = core::ptr::null_mut();
    // SAFETY: the pointer is to a local, and nobody is to be woken.
    let opened = unsafe { countersign_gate_open(options, None, user, &raw mut gate) };
    assert_eq!(opened, COUNTERSIGN_OK);
    assert_eq!(countersign_options_free(options), COUNTERSIGN_OK);
    gate
}

//! What clients send that administer by dynamic-security's commands.

use std::cell::RefCell;

use countersign::core::name::TenantId;
use countersign::core::secret::Argon2Params;
use countersign::core::store::Settings;
use countersign::sqlite::SqliteStore;
use countersign_admin::credential::{CreateCredential, NewCredential};
use countersign_admin::tenant::{CreateTenant, NewTenant};
use countersign_admin::{Caller, Context, OsRandom, run};
use countersign_control::answer;

use crate::fixture::now;

thread_local! {
    static STORE: RefCell<Option<SqliteStore>> = const { RefCell::new(None) };
}

/// A message of who may do all that there is to do in one tenant. Whatever it is, it is
/// answered, in JSON, and the answer tells nothing of another tenant.
pub fn control(data: &[u8]) {
    STORE.with_borrow_mut(|store| {
        let mut random = OsRandom;
        let mut context = Context {
            now: now(),
            caller: Caller::owner("cli:fuzz"),
            random: &mut random,
        };
        let tenant = TenantId::parse("acme").unwrap();
        let store = store.get_or_insert_with(|| new_store(&mut context));
        let answered = answer(store, &mut context, &tenant, data);
        let read: serde_json::Value = serde_json::from_slice(&answered).unwrap();
        let responses = read["responses"].as_array().unwrap();
        assert!(responses.iter().all(serde_json::Value::is_object));
        assert!(answered.len() < 2 << 20, "{} bytes", answered.len());
        let has = |bytes: &[u8]| {
            bytes
                .windows(THEIRS.len())
                .any(|it| it == THEIRS.as_bytes())
        };
        assert!(!has(&answered) || has(data), "another tenant's");
    });
}

fn new_store(context: &mut Context<'_>) -> SqliteStore {
    let path = tempfile::tempdir().unwrap().keep().join("store.db");
    let settings = Settings {
        argon2: Argon2Params::parse("m=8,t=1,p=1").unwrap(),
        ..Settings::default()
    };
    let mut store = SqliteStore::create(&path, &settings).unwrap();
    for (id, device) in [("acme", "dev1"), ("other", THEIRS)] {
        let id = TenantId::parse(id).unwrap();
        run(
            &mut store,
            context,
            &CreateTenant(NewTenant::new(id.clone())),
        )
        .unwrap();
        let device = CreateCredential(NewCredential::new(id, device));
        run(&mut store, context, &device).unwrap();
    }
    store
}

const THEIRS: &str = "zyx-theirs";

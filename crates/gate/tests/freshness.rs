//! What was committed counts for the very next login, whatever else is written
//! meanwhile.
#![expect(
    clippy::unwrap_used,
    reason = "what tests share is outside of `#[test]`"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign::core::name::{LoginName, TenantId};
use countersign::core::options::Options;
use countersign::core::reason::Reason;
use countersign::core::store::{Batch, GateStore as _, Settings};
use countersign::core::time::Timestamp;
use countersign::sqlite::SqliteStore;
use countersign::{ConnectFacts, ConnectOutcome, Gate, Handle, Setting};
use countersign_admin::credential::{self, NewCredential};
use countersign_admin::password::NewSecret;
use countersign_admin::tenant::{self, NewTenant};
use countersign_admin::{Context, OsRandom};
use countersign_core::credential::CredentialId;
use countersign_core::presence::Observation;
use countersign_core::scheme::SchemeName;

#[test]
fn what_was_committed_counts_for_the_next_login_while_others_write_without_pause() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let mut admin = SqliteStore::create(&path, &Settings::default()).unwrap();
    let secret = make_device(&mut admin);
    let options = Options::parse([("store", path.to_str().unwrap())]).unwrap();
    let setting = Setting::new(options, "here", || NOW, || ());
    let mut gate = Gate::open(SqliteStore::open(&path).unwrap(), setting).unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let mut elsewhere = SqliteStore::open(&path).unwrap();
    let churn = std::thread::spawn(move || {
        let mut written = 0_u64;
        while !stopped.load(Ordering::Relaxed) {
            written += 1;
            let at = NOW.plus(core::time::Duration::from_millis(written));
            let batch = Batch {
                observations: vec![Observation::Used(CredentialId(1), at)],
                ..Batch::default()
            };
            elsewhere.write_batch("there", &batch).unwrap();
        }
        written
    });
    let name = LoginName::parse("dev1@acme").unwrap();
    for round in 0..150 {
        let admitted = connect(&mut gate, &secret);
        // At most the login's own record was in the way of the others' writes.
        assert!(
            matches!(admitted, Ok(()) | Err(Reason::StoreBusy)),
            "{round}: {admitted:?}"
        );
        credential::suspend(&mut admin, &context(), &name).unwrap();
        assert_eq!(
            connect(&mut gate, &secret),
            Err(Reason::Suspended),
            "{round}"
        );
        credential::reactivate(&mut admin, &context(), &name).unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    assert!(churn.join().unwrap() > 0);
    gate.close();
}

/// Why it was refused, if it was. Nothing here is held or asked for more.
fn connect(gate: &mut Gate<SqliteStore>, secret: &[u8]) -> Result<(), Reason> {
    let mut facts = ConnectFacts::new(Handle(1), b"c");
    facts.username = Some(b"dev1@acme");
    facts.password = Some(secret);
    let outcome = gate.connect(&facts);
    gate.disconnected(Handle(1));
    gate.disconnected(Handle(1));
    match outcome {
        ConnectOutcome::Admitted { .. } => Ok(()),
        ConnectOutcome::Refused { reason, .. } => Err(reason),
        ConnectOutcome::Challenge { .. } | ConnectOutcome::Pending { .. } | _ => {
            Err(Reason::Unauthenticated)
        }
    }
}

fn make_device(admin: &mut SqliteStore) -> Vec<u8> {
    let acme = TenantId::parse("acme").unwrap();
    tenant::create(admin, &context(), NewTenant::new(acme.clone())).unwrap();
    let new = NewCredential {
        name: Some("dev1".into()),
        scheme: SchemeName::parse("basic").unwrap(),
        roles: Vec::new(),
        tenant: acme,
        secret: NewSecret::Generated,
        client_id_rule: None,
        group: None,
        description: None,
        attributes: BTreeMap::new(),
        not_before: None,
        expires_at: None,
        external_identity: false,
    };
    let issued = credential::create(admin, &mut context(), new).unwrap();
    issued.secret.unwrap().expose().to_vec()
}

fn context() -> Context<'static> {
    Context {
        now: NOW,
        actor: "cli:test",
        random: Box::leak(Box::new(OsRandom)),
    }
}

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

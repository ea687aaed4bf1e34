//! Tenants that a gate's options name and a store does not have.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a test may"
)]

use std::time::{Duration, Instant};

use countersign::core::name::TenantId;
use countersign::core::options::Options;
use countersign::core::store::Settings;
use countersign::core::time::Timestamp;
use countersign::sqlite::SqliteStore;
use countersign::{Directive, Gate, GateConfig};
use countersign_admin::tenant::{CreateTenant, DeleteTenant, NewTenant, TenantDeletion};
use countersign_admin::{Caller, Context, OsRandom};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn lines(gate: &mut Gate<SqliteStore>) -> Vec<String> {
    let logged = gate
        .poll()
        .into_iter()
        .filter_map(|directive| match directive {
            Directive::Log { line, .. } if line.contains("names tenant") => Some(line),
            _ => None,
        });
    logged.collect()
}

fn next_line(gate: &mut Gate<SqliteStore>) -> String {
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end {
        if let Some(line) = lines(gate).pop() {
            return line;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    String::new()
}

#[test]
fn a_tenant_that_options_name_and_that_does_not_exist_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("countersign.db");
    let mut admin = SqliteStore::create(&path, &Settings::default()).unwrap();
    let acme = TenantId::parse("acme").unwrap();
    let mut context = Context {
        now: NOW,
        caller: Caller::owner("cli:test"),
        random: &mut OsRandom,
    };
    countersign_admin::run(
        &mut admin,
        &mut context,
        &CreateTenant(NewTenant::new(acme.clone())),
    )
    .unwrap();
    let options = [
        ("store", path.to_str().unwrap()),
        ("default_tenant", "acme"),
        ("listener_1883", "acme"),
        ("listener_1884", "ghost"),
    ];
    let options = Options::parse(options).unwrap();
    let config = GateConfig::new(options, "site", || NOW, || ());
    let mut gate = Gate::open(SqliteStore::open(&path).unwrap(), config).unwrap();
    let ghost = "option `listener_1884` names tenant `ghost`, which does not exist: \
                 only operators can log in there";
    assert!(gate.wants_poll());
    assert_eq!(lines(&mut gate), [ghost]);
    assert_eq!(lines(&mut gate), [""; 0]);
    gate.reload();
    assert_eq!(lines(&mut gate), [ghost]);

    let deletion = DeleteTenant {
        id: acme,
        deletion: TenantDeletion::OnlyEmpty,
    };
    countersign_admin::run(&mut admin, &mut context, &deletion).unwrap();
    let said = next_line(&mut gate);
    assert!(
        said.contains("tenant `acme`, which does not exist"),
        "{said}"
    );
}

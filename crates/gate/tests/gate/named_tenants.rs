//! Tenants that a gate's options name and a store does not have.

use countersign::core::name::TenantId;
use countersign::core::options::Options;
use countersign::core::time::Timestamp;
use countersign::sqlite::SqliteStore;
use countersign::{Directive, Gate, GateConfig};
use countersign_admin::tenant::{CreateTenant, DeleteTenant, NewTenant, TenantDeletion};
use countersign_admin::{Caller, Context, OsRandom};

use crate::by_hand::{ByHand, folder, new_store, settings};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn lines(gate: &mut Gate<SqliteStore>, background: &ByHand) -> Vec<String> {
    let logged = background
        .settle(gate)
        .into_iter()
        .filter_map(|directive| match directive {
            Directive::Log { line, .. } if line.contains("names tenant") => Some(line),
            _ => None,
        });
    logged.collect()
}

#[test]
fn a_tenant_that_options_name_and_that_does_not_exist_is_said() {
    let folder = folder();
    let path = folder.path().join("countersign.db");
    let mut admin = new_store(&path, &settings());
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
    let mut config = GateConfig::new(options, "site", || NOW, || ());
    let background = ByHand::of(&mut config);
    let mut gate = Gate::open(SqliteStore::open(&path).unwrap(), config).unwrap();
    let ghost = "option `listener_1884` names tenant `ghost`, which does not exist: \
                 only operators can log in there";
    assert!(gate.wants_poll());
    assert_eq!(lines(&mut gate, &background), [ghost]);
    assert_eq!(lines(&mut gate, &background), [""; 0]);
    gate.reload();
    assert_eq!(lines(&mut gate, &background), [ghost]);

    let deletion = DeleteTenant {
        id: acme,
        deletion: TenantDeletion::OnlyEmpty,
    };
    countersign_admin::run(&mut admin, &mut context, &deletion).unwrap();
    let said = lines(&mut gate, &background);
    let mut last = said.last().into_iter();
    assert!(
        last.all(|line| line.contains("tenant `acme`, which does not exist")) && !said.is_empty()
    );
}

//! Kills at any moment, and cut connections.

use countersign_testkit::Version;
use countersign_testkit::cli::Cli;
use countersign_testkit::postgres::Postgres;
use countersign_tests::{ACCEPTED, Fixture, Login, wait_until};
use serde_json::{Value, json};

use super::wire::Wire;
use super::{draws, follow, follow_again, free_address, number, serve};

/// Followers, centres and brokers die at any moment, and connections are cut, while clients
/// log in. Afterwards the replica is equal to its centre, and nothing that the broker wrote
/// is lost.
/// `COUNTERSIGN_FLEET_KILLS` says how often; `COUNTERSIGN_FLEET_SEED` when.
#[test]
fn a_replica_is_equal_to_its_centre_after_kills_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    kill_at_any_moment(&Cli::new(folder.path().join("centre.db")), None, 20);
}

/// The same where the centre is in a database, which dies as well.
#[test]
fn a_replica_of_a_centre_in_a_database_is_equal_to_it_after_kills_at_any_moment() {
    let mut postgres = Postgres::start().unwrap();
    let centre = Cli::new(postgres.url(&postgres.database().unwrap()));
    kill_at_any_moment(&centre, Some(&mut postgres), 8);
}

fn kill_at_any_moment(centre: &Cli, mut postgres: Option<&mut Postgres>, rounds: u32) {
    let rounds = number("COUNTERSIGN_FLEET_KILLS", rounds);
    let mut draw = draws();
    let mut edge = Fixture::start(Version::V2_1);
    let replica = edge.cli.clone();
    centre.json(&["init"]);
    centre.json(&["tenant", "create", "acme"]);
    let address = free_address();
    let mut service = serve(centre, &address);
    let wire = Wire::to(&address);
    let mut follower = follow(centre, &wire.address, "edge", &replica, &[]);
    let mut used = std::collections::BTreeSet::new();
    for round in 0..rounds {
        let name = format!("d{round}");
        let line = format!("credential create {name} --tenant acme --client-id first-use");
        let login = Login::from(&centre.act(&line, &[]));
        wait_until("it may log in", || {
            login.connect(&name).code(edge.port()) == ACCEPTED
        });
        used.insert(format!("{name}@acme"));
        // What the broker wrote is on its way, or waits, or is judged by now.
        match draw(if postgres.is_some() { 5 } else { 4 }) {
            0 => {
                follower.kill().unwrap();
                follower = follow_again(&wire.address, &replica);
            }
            1 => {
                service.kill().unwrap();
                service = serve(centre, &address);
            }
            2 => wire.cut(),
            4 => {
                let postgres = postgres.as_deref_mut().unwrap();
                postgres.crash().unwrap();
                postgres.start_again().unwrap();
            }
            _ => {
                edge.broker.kill_9().unwrap();
                edge.broker.restart().unwrap();
            }
        }
        let gone = format!("d{}@acme", draw(rounds));
        let act = ["suspend", "revoke", "delete"][usize::try_from(draw(3)).unwrap()];
        if draw(2) == 0 && centre.run(&["credential", act, &gone]).code == Some(0) {
            used.remove(&gone);
        }
    }
    wait_until("the centre knows of each login", || {
        used.iter().all(|name| {
            let shown = centre.json(&["credential", "show", name]);
            shown["state"] == json!("Active") && shown["last_used_at"] != Value::Null
        })
    });
    wait_until("the replica is equal to the centre", || {
        content(&replica) == content(centre)
    });
    drop((service, follower));
}

/// What is listed of a store. Exports are an act, which a replica does not take.
fn content(cli: &Cli) -> Vec<Value> {
    let lists = [
        &["credential", "list"][..],
        &["tenant", "list"],
        &["role", "list"],
        &["settings", "show"],
    ];
    lists.map(|list| cli.json(list)).to_vec()
}

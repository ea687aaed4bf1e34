//! Two administrators and two hundred clients at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use countersign_tests::{ACCEPTED, Fixture, Login, PATIENCE, on_every_broker, text, wait_until};

const CLIENTS: usize = 200;
const ACTS: usize = 25;

/// Ten times the 50 ms that we may make the broker pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

on_every_broker! {
    nearly alone;

    fn two_programs_administer_while_two_hundred_clients_connect(version) {
        let fixture = Fixture::start_with_tenant(version);
        let bystander = fixture.credential("bystander", "t1");
        let logins: Vec<Login> = (0..CLIENTS / 10).map(|index| fixture.credential(&format!("dev{index}"), "t1")).collect();
        let mut bystander = bystander.connect("bystander").accepted(fixture.port());
        let over = Arc::new(AtomicBool::new(false));

        let pings = {
            let over = Arc::clone(&over);
            thread::spawn(move || {
                let mut longest = Duration::ZERO;
                while !over.load(Ordering::SeqCst) {
                    longest = longest.max(bystander.ping(PATIENCE).unwrap());
                    thread::sleep(Duration::from_millis(1));
                }
                longest
            })
        };
        let administrators: Vec<_> = (0..2)
            .map(|who| {
                let cli = fixture.cli.clone();
                thread::spawn(move || {
                    for act in 0..ACTS {
                        let name = format!("made{who}-{act}");
                        cli.json(&["credential", "create", &name, "--tenant", "t1"]);
                        cli.json(&["credential", "suspend", &format!("{name}@t1")]);
                    }
                })
            })
            .collect();
        let start = Instant::now();
        let mut sessions = Vec::new();
        for index in 0..CLIENTS {
            let login = &logins[index % logins.len()];
            let client_id = format!("client{index}");
            // A refusal as `store-busy` is allowed to happen; a device tries
            // again.
            let client = (0..5)
                .find_map(|_| {
                    let (client, connack) = login.connect(&client_id).connect(fixture.port()).unwrap();
                    (Some(connack.code) == ACCEPTED).then_some(client)
                })
                .unwrap_or_else(|| panic!("`{client_id}` never got in"));
            sessions.push(client);
        }
        let connecting = start.elapsed();
        for administrator in administrators {
            administrator.join().unwrap();
        }
        over.store(true, Ordering::SeqCst);
        let longest = pings.join().unwrap();
        println!("{version}: {CLIENTS} clients in {connecting:?}; longest ping {longest:?}");
        assert!(longest < LONGEST_PAUSE, "{longest:?}");

        let listed = fixture.cli.json(&["credential", "list", "--state", "Suspended"]);
        assert_eq!(listed.as_array().unwrap().len(), 2 * ACTS, "no act is lost");
        assert!(!fixture.broker.log().contains("locked"), "{}", fixture.broker.log());
        fixture.cli.json(&["audit", "verify"]);
        for client in &mut sessions {
            client.ping(PATIENCE).unwrap();
        }
        wait_until("all but the bystander, who left, are listed", || {
            fixture.cli.json(&["clients", "count"])["connected"] == CLIENTS
        });
    }

    fn a_credential_made_while_the_broker_runs_works_at_once(version) {
        let fixture = Fixture::start_with_tenant(version);
        for index in 0..20 {
            let login = fixture.credential(&format!("dev{index}"), "t1");
            assert_eq!(fixture.code(&login), ACCEPTED);
            assert_eq!(text(&fixture.act("suspend", &login), "state"), "Suspended");
            assert_ne!(fixture.code(&login), ACCEPTED);
        }
    }
}

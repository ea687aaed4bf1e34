//! First uses of one credential at two brokers at once.

use countersign_testkit::mqtt::Answer;
use countersign_testkit::{Client, Version};
use countersign_tests::{ACCEPTED, Fixture, PATIENCE, REFUSED, wait_until};
use serde_json::{Value, json};

use super::{draws, follow, has, number};

/// `COUNTERSIGN_FLEET_TIES` says how often; `COUNTERSIGN_FLEET_SEED` who is sent first.
#[test]
fn of_two_first_uses_at_once_one_ties_the_credential_and_the_other_ends() {
    let rounds = number("COUNTERSIGN_FLEET_TIES", 5);
    let mut draw = draws();
    let centre = Fixture::start(Version::V2_1);
    let brokers = [Version::V2_0_11, Version::V2_1].map(Fixture::start);
    let names = ["east", "west"];
    centre.tenant("acme", &[]);
    let service = centre.serve();
    let address = service.address.to_string();
    let followers = [0, 1].map(|place| {
        let cli = &brokers[place].cli;
        follow(&centre.cli, &address, names[place], cli, &[])
    });
    let mut ties = 0;
    for round in 0..rounds {
        let first_use = ["--client-id", "first-use"];
        let login = centre.credential_with(&format!("d{round}"), "acme", &first_use);
        for broker in &brokers {
            wait_until("it is there", || has(&broker.cli, &login.username));
        }
        let connect = |place: usize| login.connect(&format!("{}{round}", names[place]));
        // Both are on their way before either is answered.
        let first = usize::try_from(draw(2)).unwrap();
        let mut clients = [first, 1 - first].map(|place| {
            let sent = connect(place).send(brokers[place].port()).unwrap();
            (place, sent)
        });
        clients.sort_by_key(|(place, _)| *place);
        let mut clients = clients.map(|(_, client)| client);
        let let_in = clients.each_mut().map(is_let_in);
        wait_until("one of them is gone", || {
            !clients.iter_mut().all(Client::is_alive)
        });
        let winner = match clients.each_mut().map(Client::is_alive) {
            [true, false] => 0,
            [false, true] => 1,
            neither => panic!("{neither:?} of round {round}"),
        };
        let loser = 1 - winner;
        for broker in &brokers {
            let port = broker.port();
            wait_until("the tie holds", || connect(winner).code(port) == ACCEPTED);
            assert_eq!(connect(loser).code(port), REFUSED, "round {round}");
        }
        if let_in != [true; 2] {
            // The news was there first.
            continue;
        }
        ties += 1;
        let refused = || {
            let list = ["audit", "list", "--act", "follower.hand-back", "--name"];
            let rows = centre.cli.json(&[&list[..], &[&login.username]].concat());
            let rows = rows.as_array().unwrap().iter();
            rows.map(|row| [row["actor"].clone(), row["cause"].clone()])
                .collect::<Vec<[Value; 2]>>()
        };
        wait_until("the audit says so", || !refused().is_empty());
        let broker = format!("broker:{}", names[loser]);
        assert_eq!(refused(), [[json!(broker), json!("client-id-mismatch")]]);
    }
    println!("raced {rounds} times; both were let in at first {ties} times");
    drop((followers, service));
}

fn is_let_in(client: &mut Client) -> bool {
    match client.answer(PATIENCE).unwrap() {
        Answer::Connack(connack) => connack.code == 0,
        other => panic!("no verdict: {other:?}"),
    }
}

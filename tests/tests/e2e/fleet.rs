//! A centre, and brokers elsewhere that follow it.

mod second_factor;

use std::time::{Duration, Instant};

use countersign_testkit::broker::Version;
use countersign_testkit::cli::Cli;
use countersign_testkit::postgres::Postgres;
use countersign_testkit::tools::{Background, Tool};
use countersign_tests::{
    ACCEPTED, Fixture, Login, REFUSED, is_kicked, on_every_broker, subscribes, wait_until,
};
use serde_json::{Value, json};

mod commands;
mod health;
mod kills;
mod refusals;
mod registering;
mod silence;
mod ties;
mod wire;

/// Has a store follow the centre at `address` as a new follower.
fn follow(centre: &Cli, address: &str, name: &str, replica: &Cli, more: &[&str]) -> Background {
    invite(centre, name, replica, more);
    follow_again(address, replica)
}

/// Makes a follower, and lays its secret beside the replica.
fn invite(centre: &Cli, name: &str, replica: &Cli, more: &[&str]) {
    let made = centre.json(&[&["follower", "create", name][..], more].concat());
    let secret = made["secret"].as_str().unwrap();
    let file = replica.store().with_extension("secret");
    std::fs::write(&file, secret).unwrap();
}

fn follow_again(address: &str, replica: &Cli) -> Background {
    follow_with(address, replica, &[])
}

fn follow_with(address: &str, replica: &Cli, more: &[&str]) -> Background {
    let file = replica.store().with_extension("secret");
    let source = format!("http://{address}");
    let file = file.to_str().unwrap();
    let line = ["follow", "--source", &source, "--token-file", file];
    replica.tool(&[&line, more].concat()).background().unwrap()
}

/// A number that whoever runs the tests may set.
fn number(name: &str, default: u32) -> u32 {
    let said = std::env::var(name).ok();
    said.map_or(default, |it| it.parse().unwrap())
}

/// Draws numbers below an end; `COUNTERSIGN_FLEET_SEED` says which.
fn draws() -> impl FnMut(u32) -> u32 {
    let mut seed = number("COUNTERSIGN_FLEET_SEED", 7);
    move |end| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8).checked_rem(end).unwrap()
    }
}

fn has(replica: &Cli, name: &str) -> bool {
    replica.run(&["credential", "show", name]).code == Some(0)
}

on_every_broker! {
    fn what_is_done_at_the_centre_holds_on_each_broker_that_follows(version) {
        let centre = Fixture::start(version);
        let (east, west) = (Fixture::start(version), Fixture::start(version));
        centre.tenant("acme", &[]);
        centre.tenant("globex", &[]);
        let dev1 = centre.credential("dev1", "acme");
        let theirs = centre.credential("dev1", "globex");
        let service = centre.serve();
        let address = service.address.to_string();
        let mut followers = vec![
            follow(&centre.cli, &address, "east", &east.cli, &[]),
            follow(&centre.cli, &address, "west", &west.cli, &["--tenant", "acme"]),
        ];
        let brokers = [&east, &west];
        for broker in brokers {
            wait_until("the snapshot is there", || has(&broker.cli, "dev1@acme"));
        }
        // Who belongs to a tenant that a follower is not told of is nobody there.
        assert!(has(&east.cli, "dev1@globex") && !has(&west.cli, "dev1@globex"));
        assert_eq!(west.code(&theirs), REFUSED);
        drop(theirs.connect("theirs").accepted(east.port()));

        // A credential that is made lets its client in, and live sessions feel what is done.
        let dev2 = centre.credential("dev2", "acme");
        for broker in brokers {
            wait_until("dev2 is there", || has(&broker.cli, "dev2@acme"));
        }
        let connect = |login: &Login, id: &str| {
            brokers.map(|broker| login.connect(id).accepted(broker.port()))
        };
        let [mut one, mut other] = connect(&dev1, "one");
        for client in [&mut one, &mut other] {
            assert!(subscribes(client, "acme/x"));
        }
        // Who is connected is known at the centre, and ends where it asks for that.
        let listed = |broker: &str| centre.cli.json(&["clients", "list", "--broker", broker]);
        for broker in ["east", "west"] {
            wait_until("the centre knows who is there", || listed(broker)[0]["client_id"] == "one");
        }
        let session = listed("west")[0]["session"].as_str().unwrap().to_owned();
        assert!(session.starts_with("west:"), "{session}");
        assert_eq!(centre.cli.json(&["clients", "count"])["connected"], 2);
        centre.cli.json(&["clients", "kick", &session]);
        assert!(is_kicked(&mut other), "the centre ended it");
        assert!(subscribes(&mut one, "acme/x"), "and no other");
        wait_until("the centre knows who is gone", || listed("west") == json!([]));
        other = dev1.connect("one").accepted(west.port());
        centre.cli.act("credential deny dev1@acme both acme/x", &[]);
        for client in [&mut one, &mut other] {
            wait_until("the rule is there", || !subscribes(client, "acme/x"));
        }
        centre.act("suspend", &dev1);
        for client in [&mut one, &mut other] {
            assert!(is_kicked(client), "suspended at the centre, and still there");
        }
        for broker in brokers {
            assert_eq!(broker.code(&dev1), REFUSED);
        }
        centre.act("reactivate", &dev1);
        for broker in brokers {
            wait_until("it may come back", || broker.code(&dev1) == ACCEPTED);
        }
        for (login, act) in [(&dev1, "revoke"), (&dev2, "delete")] {
            let clients = connect(login, "again");
            centre.act(act, login);
            for mut client in clients {
                assert!(is_kicked(&mut client), "{act} at the centre, and still there");
            }
        }

        // A replica takes no acts, and says where they belong.
        for line in [
            "tenant create other",
            "credential create x --tenant acme",
            "credential suspend dev1@acme",
            "role create r --tenant acme",
            "settings set --client-id-limit 5",
            "clients kick one",
            "follower create x",
        ] {
            let words: Vec<_> = line.split(' ').collect();
            let refused = west.cli.refused(&words);
            assert!(refused.contains(&format!("is a replica of http://{address}")), "{refused}");
        }

        // While the centre is away, clients come and go as before.
        let dev3 = centre.credential("dev3", "acme");
        for broker in brokers {
            wait_until("dev3 is there", || has(&broker.cli, "dev3@acme"));
        }
        drop(service);
        for broker in brokers {
            assert_eq!(broker.code(&dev3), ACCEPTED);
        }

        // And followers end when they are told to.
        for follower in &followers {
            let pid = follower.pid().to_string();
            Tool::new("kill").args(["-TERM", &pid]).run(Duration::from_secs(20)).unwrap();
        }
        for follower in followers.drain(..) {
            let ended = follower.wait(Duration::from_secs(20)).unwrap();
            assert_eq!(ended.code, Some(0), "{ended:?}");
        }
    }
}

on_every_broker! {
    fn a_replica_that_hears_no_more_from_its_centre_refuses_who_comes_then(version) {
        let centre = Fixture::start(version);
        let edge = Fixture::start_with(version, |builder| {
            builder
                .plugin_option("max_staleness", "10s")
                .plugin_option("when_stale", "refuse-new")
        });
        centre.tenant("acme", &[]);
        let dev1 = centre.credential("dev1", "acme");
        let service = centre.serve();
        let address = service.address.to_string();
        let follower = follow(&centre.cli, &address, "edge", &edge.cli, &[]);
        wait_until("dev1 may come", || {
            has(&edge.cli, "dev1@acme") && edge.code(&dev1) == ACCEPTED
        });
        let found = |check: &str| {
            let ran = edge.cli.run(&["doctor", "--json"]);
            let rows: Vec<Value> = serde_json::from_str(&ran.stdout).unwrap();
            rows.into_iter().find(|row| row["check"] == check).unwrap()
        };
        let replica = found("replica");
        let about = replica["found"].as_str().unwrap();
        assert!(about.starts_with(&format!("replica of http://{address}, at change ")), "{about}");

        // It is the replica that tells, so it matters not which end went away.
        let mut live = dev1.connect("live").accepted(edge.port());
        follower.kill().unwrap();
        wait_until("it is stale", || edge.code(&dev1) == REFUSED);
        edge.wait_for_cause("dev1@acme", "stale");
        let said = "logins are refused; see whether `countersign follow` runs";
        wait_until("the log says so", || edge.broker.log().contains(said));
        assert!(subscribes(&mut live, "acme/x"), "a live session goes on");
        let again = follow_again(&address, &edge.cli);
        wait_until("dev1 may come again", || edge.code(&dev1) == ACCEPTED);
        drop(service);
        wait_until("it is stale again", || edge.code(&dev1) == REFUSED);
        drop((again, live));
    }
}

on_every_broker! {
    fn what_brokers_write_the_centre_knows_and_of_two_ties_the_first_holds(version) {
        let centre = Fixture::start(version);
        let (east, west) = (Fixture::start(version), Fixture::start(version));
        centre.tenant("acme", &[]);
        let first_use = ["--client-id", "first-use"];
        let dev1 = centre.credential_with("dev1", "acme", &first_use);
        let dev2 = centre.credential_with("dev2", "acme", &first_use);
        let service = centre.serve();
        let address = service.address.to_string();
        let of_east = follow(&centre.cli, &address, "east", &east.cli, &[]);
        let of_west = follow(&centre.cli, &address, "west", &west.cli, &[]);
        for broker in [&east, &west] {
            wait_until("dev2 is there", || has(&broker.cli, "dev2@acme"));
        }
        // A first use at one broker counts at the centre, and so at the other.
        drop(dev1.connect("one").accepted(east.port()));
        let is_active = |cli: &Cli, name: &str| {
            cli.json(&["credential", "show", name])["state"] == json!("Active")
        };
        wait_until("the centre knows", || is_active(&centre.cli, "dev1@acme"));
        // Not asked by a login: one that came before the news would be a first use, too.
        wait_until("the other replica knows", || is_active(&west.cli, "dev1@acme"));
        wait_until("the other broker knows", || {
            dev1.connect("two").code(west.port()) == REFUSED
                && dev1.connect("one").code(west.port()) == ACCEPTED
        });
        // Two brokers tie the same before either of them hears of the other.
        of_west.kill().unwrap();
        drop(dev2.connect("three").accepted(east.port()));
        wait_until("the centre knows", || is_active(&centre.cli, "dev2@acme"));
        let mut loser = dev2.connect("four").accepted(west.port());
        let of_west = follow_again(&address, &west.cli);
        assert!(is_kicked(&mut loser), "the session of the later tie");
        wait_until("the tie is that of the centre", || {
            dev2.connect("four").code(west.port()) == REFUSED
                && dev2.connect("three").code(west.port()) == ACCEPTED
        });
        let refused = || {
            let rows = centre.cli.json(&["audit", "list", "--act", "follower.hand-back"]);
            let row = rows.as_array().unwrap().first().cloned();
            row.map(|it| (it["actor"].clone(), it["subject"].clone(), it["cause"].clone()))
        };
        wait_until("the audit says so", || refused().is_some());
        let (actor, subject, cause) = refused().unwrap();
        assert_eq!(
            (actor, subject, cause),
            (json!("broker:west"), json!("dev2@acme"), json!("client-id-mismatch"))
        );
        drop((of_east, of_west, service));
    }
}

/// An address that nobody listens at.
fn free_address() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().to_string()
}

fn serve(centre: &Cli, address: &str) -> Background {
    let line = ["serve", "--listen", address];
    centre.tool(&line).background().unwrap()
}

/// Three brokers, each of another version, follow two services on one database.
#[test]
fn a_centre_in_a_database_is_followed_by_brokers_of_each_version() {
    let mut postgres = Postgres::start().unwrap();
    let centre = Cli::new(postgres.url(&postgres.database().unwrap()));
    centre.json(&["init"]);
    centre.json(&["tenant", "create", "acme"]);
    centre.json(&["tenant", "create", "globex"]);
    let create = |line: &str| Login::from(&centre.act(&format!("credential create {line}"), &[]));
    let dev1 = create("dev1 --tenant acme");
    let theirs = create("dev1 --tenant globex");
    let addresses = [free_address(), free_address()];
    let services = addresses.each_ref().map(|address| serve(&centre, address));
    let brokers = Version::ALL.map(Fixture::start);
    let follower = |place: usize, address: &str, more: &[&str]| {
        let name = ["north", "east", "west"][place];
        follow(&centre, address, name, &brokers[place].cli, more)
    };
    let followers = [
        follower(0, &addresses[0], &[]),
        follower(1, &addresses[1], &[]),
        follower(2, &addresses[1], &["--tenant", "acme"]),
    ];
    for broker in &brokers {
        wait_until("the snapshot is there", || has(&broker.cli, "dev1@acme"));
    }
    let there = brokers
        .each_ref()
        .map(|broker| has(&broker.cli, "dev1@globex"));
    assert_eq!(there, [true, true, false]);
    assert_eq!(brokers[2].code(&theirs), REFUSED);

    // Each act holds on each broker, for live sessions, too.
    let connect = |login: &Login, id: &str| {
        brokers
            .each_ref()
            .map(|broker| login.connect(id).accepted(broker.port()))
    };
    let dev2 = create("dev2 --tenant acme");
    for broker in &brokers {
        wait_until("dev2 may come", || broker.code(&dev2) == ACCEPTED);
    }
    let mut clients = connect(&dev1, "one");
    centre.act("credential deny dev1@acme both acme/x", &[]);
    for client in &mut clients {
        wait_until("the rule is there", || !subscribes(client, "acme/x"));
    }
    wait_until("the centre knows who is there", || {
        centre.json(&["clients", "count"])["connected"] == 3
    });
    centre.json(&["clients", "kick", "one"]);
    for client in &mut clients {
        assert!(is_kicked(client), "the centre ended it");
    }
    for (login, act) in [(&dev1, "suspend"), (&dev2, "revoke")] {
        let clients = connect(login, "again");
        centre.json(&["credential", act, &login.username]);
        for mut client in clients {
            assert!(
                is_kicked(&mut client),
                "{act} at the centre, and still there"
            );
        }
    }

    // A tie that one broker made holds at all of them.
    let dev3 = create("dev3 --tenant acme --client-id first-use");
    for broker in &brokers {
        wait_until("dev3 is there", || has(&broker.cli, "dev3@acme"));
    }
    drop(dev3.connect("mine").accepted(brokers[0].port()));
    // Not asked by a login: one that came before the news would be a first use, too.
    for broker in &brokers {
        wait_until("the replica knows", || {
            broker.cli.json(&["credential", "show", "dev3@acme"])["state"] == json!("Active")
        });
    }
    wait_until("the brokers know", || {
        let code = |broker: &Fixture| dev3.connect("else").code(broker.port());
        brokers.each_ref().map(code) == [REFUSED; 3]
    });

    // While the database is away, clients come and go; then everything goes on.
    let dev4 = create("dev4 --tenant acme");
    for broker in &brokers {
        wait_until("dev4 is there", || has(&broker.cli, "dev4@acme"));
    }
    postgres.crash().unwrap();
    for broker in &brokers {
        assert_eq!(broker.code(&dev4), ACCEPTED);
    }
    postgres.start_again().unwrap();
    wait_until("the centre hears of the login", || {
        centre.json(&["credential", "show", "dev4@acme"])["state"] == json!("Active")
    });
    let clients = connect(&dev4, "last");
    centre.json(&["credential", "delete", "dev4@acme"]);
    for mut client in clients {
        assert!(
            is_kicked(&mut client),
            "deleted at the centre, and still there"
        );
    }
    drop((followers, services));
}

/// What is suspended at the centre ends at a broker that follows it. How soon, is printed:
/// from the start of the command to the end of the session, `COUNTERSIGN_FLEET_KICKS` times.
#[test]
fn what_is_suspended_at_the_centre_ends_at_once_behind_a_replica() {
    let rounds = number("COUNTERSIGN_FLEET_KICKS", 3);
    let (centre, edge) = (Fixture::start(Version::V2_1), Fixture::start(Version::V2_1));
    centre.tenant("acme", &[]);
    let service = centre.serve();
    let address = service.address.to_string();
    let follower = follow(&centre.cli, &address, "edge", &edge.cli, &[]);
    let mut took = Vec::new();
    for round in 0..rounds {
        let login = centre.credential(&format!("d{round}"), "acme");
        wait_until("it may log in", || edge.code(&login) == ACCEPTED);
        let mut client = login.connect("live").accepted(edge.port());
        let begun = Instant::now();
        centre.act("suspend", &login);
        assert!(is_kicked(&mut client), "it is suspended");
        took.push(begun.elapsed().as_millis());
    }
    took.sort_unstable();
    let at = |percent: usize| {
        let place = took.len().saturating_mul(percent) / 100;
        took[place.min(took.len().saturating_sub(1))]
    };
    println!(
        "command to kick, {rounds} times: p50 {} ms, p99 {} ms, longest {} ms",
        at(50),
        at(99),
        at(100)
    );
    drop((follower, service));
}

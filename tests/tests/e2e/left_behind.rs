//! What clients leave behind that proved nothing, and who comes after them.

use countersign_testkit::Connect;
use countersign_testkit::mqtt::Answer;
use countersign_tests::{
    ACCEPTED, Fixture, PATIENCE, REFUSED, REFUSED_V5, is_kicked, on_every_broker, topics,
    wait_until,
};
use rusqlite::Connection;

/// How many rows there are about client ids.
fn rows(fixture: &Fixture, condition: &str) -> i64 {
    let store = Connection::open(fixture.cli.store()).unwrap();
    let sql = format!("SELECT count(*) FROM stored_session WHERE {condition}");
    store.query_row(&sql, [], |row| row.get(0)).unwrap()
}

/// A broker that keeps sessions through a restart, and a tenant that asks for no
/// login, which is the default or the one whose topics are touched.
fn start(version: countersign_testkit::Version, is_default: bool) -> Fixture {
    let fixture = Fixture::start_with(version, |builder| {
        let builder = builder.persistent();
        if is_default {
            builder.plugin_option("default_tenant", "open")
        } else {
            builder
        }
    });
    fixture.tenant("open", &["--authentication", "optional"]);
    fixture
}

/// Restarts the broker, which keeps the session of a client that came back to it.
fn restart(fixture: &mut Fixture, kept: &Connect) {
    let (mut client, connack) = kept.clone().clean(false).connect(fixture.port()).unwrap();
    assert!(connack.session_present);
    client.disconnect().unwrap();
    fixture.broker.restart().unwrap();
}

on_every_broker! {
    fn no_login_inherits_the_session_of_a_client_that_proved_nothing(version) {
        for is_default in [true, false] {
            let mut fixture = start(version, is_default);
            let login = fixture.credential("dev", "open");
            let kept = Connect::v5("left").session_expiry(3_600);
            let mut left = kept.accepted(fixture.port());
            assert_eq!(left.subscribe(&[("open/#", 1)]).unwrap(), [1]);
            for step in ["it is connected", "it is gone", "the broker was restarted"] {
                match step {
                    "it is connected" => assert!(left.is_alive()),
                    "it is gone" => left.disconnect().unwrap(),
                    _ => restart(&mut fixture, &kept),
                }
                for _ in 0..2 {
                    assert_eq!(login.connect("left").stored().code(fixture.port()), REFUSED, "{step}");
                    assert_eq!(login.connect_v5("left").stored().code(fixture.port()), REFUSED_V5, "{step}");
                    // Once what it left is written down, too.
                    wait_until("there is a row", || rows(&fixture, "holder = 'unauthenticated'") == 1);
                }
            }
            // It has its session still, and no hold on its id.
            let (mut again, connack) = kept.clone().clean(false).connect(fixture.port()).unwrap();
            assert!(connack.session_present);
            again.disconnect().unwrap();
            let (mut mine, connack) = login.connect_v5("left").session_expiry(60).connect(fixture.port()).unwrap();
            assert!(!connack.session_present);
            mine.disconnect().unwrap();
            let (_mine, connack) = login.connect("left").stored().connect(fixture.port()).unwrap();
            assert!(connack.session_present);
        }
    }

    fn a_client_that_proved_nothing_neither_gives_its_session_nor_takes_the_hold_of_who_had_its_id(version) {
        let mut fixture = start(version, true);
        fixture.tenant("elsewhere", &[]);
        let login = fixture.credential("dev", "open");
        let other = fixture.credential("other", "open");
        let foreign = fixture.credential("dev", "elsewhere");
        login.connect("mine").accepted(fixture.port()).disconnect().unwrap();
        wait_until("its use is written down", || rows(&fixture, "is_stored = 0") == 1);
        let kept = Connect::v5("mine").session_expiry(3_600);
        let mut left = kept.accepted(fixture.port());
        assert_eq!(left.subscribe(&[("open/#", 1)]).unwrap(), [1]);
        for step in ["it is connected", "it is gone", "the broker was restarted"] {
            match step {
                "it is connected" => {}
                "it is gone" => left.disconnect().unwrap(),
                _ => restart(&mut fixture, &kept),
            }
            for _ in 0..2 {
                for login in [&login, &other] {
                    let connect = login.connect("mine").stored();
                    assert_eq!(connect.code(fixture.port()), REFUSED, "{step}");
                }
                assert_eq!(foreign.connect("mine").code(fixture.port()), REFUSED, "{step}");
                wait_until("there is a row", || rows(&fixture, "is_stored = 2") == 1);
            }
        }
        // What is queued for it is judged by its own rights, and delivered.
        let mut sender = login.connect("sender").accepted(fixture.port());
        sender.publish("open/queued", b"1", 1, false).unwrap();
        let (mut client, connack) = kept.clone().clean(false).connect(fixture.port()).unwrap();
        assert!(connack.session_present);
        assert_eq!(topics(&mut client), ["open/queued"]);
        client.disconnect().unwrap();
        let (_mine, connack) = login.connect_v5("mine").connect(fixture.port()).unwrap();
        assert!(!connack.session_present);
    }

    fn a_login_that_left_while_it_was_hashed_is_no_way_to_what_others_left_behind(version) {
        let fixture = Fixture::start_with(version, |builder| builder.plugin_option("default_tenant", "open"));
        fixture.tenant("open", &["--authentication", "off"]);
        let stranger = fixture.credential_with_password("stranger", "open", "correct horse");
        let wrong = stranger.with_secret("wrong");
        for number in 0..6 {
            let owner = fixture.credential(&format!("owner-{number}"), "open");
            let id = format!("left-{number}");
            let mut client = owner.connect(&id).stored().accepted(fixture.port());
            assert_eq!(client.subscribe(&[("open/#", 1)]).unwrap(), [1]);
            client.disconnect().unwrap();
            let login = match number % 3 {
                0 => &wrong,
                kind => {
                    fixture.act("delete", &owner);
                    if kind == 1 { &wrong } else { &stranger }
                }
            };
            // Gone before there is an answer.
            login.connect(&id).clean(true).send(fixture.port()).unwrap().abort();
            // What comes after it in the queue of hashes is answered after it.
            wrong.connect("another").code(fixture.port());
            let again = login.connect(&id).stored().attempt(fixture.port()).unwrap();
            if let Answer::Connack(connack) = again.1 {
                assert!(!connack.session_present, "{id}");
            }
        }
    }

    fn a_login_of_which_a_killed_broker_did_not_hear_whether_it_was_there_inherits_nothing(version) {
        let mut fixture = start(version, false);
        let owner = fixture.credential("owner", "open");
        let taker = fixture.credential("taker", "open");
        let mut client = owner.connect("left").stored().accepted(fixture.port());
        assert_eq!(client.subscribe(&[("open/#", 1)]).unwrap(), [1]);
        client.disconnect().unwrap();
        fixture.broker.restart().unwrap();
        fixture.act("delete", &owner);
        // As a login leaves it that was held, and not answered yet.
        fixture.broker.freeze().unwrap();
        let store = Connection::open(fixture.cli.store()).unwrap();
        let taken = store.execute(
            "UPDATE stored_session SET holder = 'credential', username = ?1,
                 credential = (SELECT id FROM credential WHERE name = ?1)",
            [&taker.username],
        );
        assert_eq!(taken.unwrap(), 1);
        let noted = store.execute(
            "INSERT INTO arriving_session
             SELECT client_id, broker, 0 FROM stored_session",
            [],
        );
        assert_eq!(noted.unwrap(), 1);
        drop(store);
        fixture.broker.kill_9().unwrap();
        fixture.broker.restart().unwrap();
        assert_eq!(taker.connect("left").stored().code(fixture.port()), REFUSED);
        let (_mine, connack) = taker.connect_v5("left").connect(fixture.port()).unwrap();
        assert!(!connack.session_present);
    }

    fn a_session_that_began_right_after_another_one_ended_is_its_owners_alone(version) {
        let fixture = Fixture::start_with(version, |builder| builder.plugin_option("default_tenant", "open"));
        fixture.tenant("open", &["--authentication", "off"]);
        let owner = fixture.credential("owner", "open");
        for number in 0..5 {
            let id = format!("c{number}");
            let mut first = owner.connect(&id).clean(true).accepted(fixture.port());
            fixture.wait_for_clients(&[&id]);
            // What ended is written down a moment later, when the other has begun.
            first.disconnect().unwrap();
            owner.connect(&id).stored().accepted(fixture.port()).disconnect().unwrap();
            fixture.wait_for_clients_count(0);
            let (_, answer) = Connect::v311(&id).stored().attempt(fixture.port()).unwrap();
            let Answer::Connack(connack) = answer else { panic!("{answer:?}") };
            assert_eq!(Some(connack.code), REFUSED);
            let (mut again, connack) = owner.connect(&id).stored().connect(fixture.port()).unwrap();
            assert!(connack.session_present);
            again.disconnect().unwrap();
        }
    }

    fn a_namesake_inherits_nothing_whatever_its_predecessor_did_with_the_id_a_moment_before(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev", "t1");
        // Stored, thrown away, and stored again before the first end is forgotten.
        for stored in [true, false, true] {
            let connect = login.connect("c").clean(!stored);
            connect.accepted(fixture.port()).disconnect().unwrap();
        }
        let mut live = login.connect("c").clean(true).accepted(fixture.port());
        let mut last = login.connect("c").stored().accepted(fixture.port());
        assert!(live.wait_closed(PATIENCE).is_some());
        fixture.act("delete", &login);
        assert!(is_kicked(&mut last));
        let again = fixture.credential("dev", "t1");
        assert_eq!(again.connect("c").stored().code(fixture.port()), REFUSED);
        let (_client, connack) = again.connect("c").connect(fixture.port()).unwrap();
        assert!(!connack.session_present);
    }

    fn where_there_is_no_room_for_records_nothing_is_inherited_either(version) {
        let fixture = start(version, true);
        let login = fixture.credential("dev", "open");
        fixture.cli.json(&["settings", "set", "--client-id-limit", "2"]);
        let ids = ["c1", "c2", "c3", "c4"];
        for id in ids {
            let connect = Connect::v5(id).session_expiry(3_600);
            let mut client = connect.accepted(fixture.port());
            assert_eq!(client.subscribe(&[("open/#", 1)]).unwrap(), [1]);
            client.disconnect().unwrap();
        }
        wait_until("all are written down", || {
            let store = Connection::open(fixture.cli.store()).unwrap();
            let pruned: i64 = store
                .query_row("SELECT count(*) FROM pruned_session", [], |row| row.get(0))
                .unwrap();
            (rows(&fixture, "holder = 'unauthenticated'"), pruned) == (2, 2)
        });
        for id in ids {
            assert_eq!(login.connect(id).stored().code(fixture.port()), REFUSED, "{id}");
            let (_client, connack) = login.connect(id).connect(fixture.port()).unwrap();
            assert!(!connack.session_present, "{id}");
        }
    }

    fn an_id_whose_session_is_not_kept_is_free_where_the_host_says_so(version) {
        let fixture = start(version, true);
        let login = fixture.credential("dev", "open");
        Connect::v5("moment").accepted(fixture.port()).disconnect().unwrap();
        let is_free = || login.connect("moment").stored().code(fixture.port()) == ACCEPTED;
        if version.is_2_0() {
            assert!(!is_free(), "2.0 does not tell whether a session is kept");
        } else {
            wait_until("the id is free", is_free);
        }
    }
}

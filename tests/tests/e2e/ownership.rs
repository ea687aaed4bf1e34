//! Client-id ownership: nobody receives what was queued for somebody else.

use countersign_testkit::{Connect, Version};
use countersign_tests::{
    ACCEPTED, Fixture, Login, PATIENCE, REFUSED, REFUSED_V5, is_kicked, on_every_broker, topics,
    wait_until,
};

/// Two devices of one tenant and a sender; the first device has a stored
/// session, `shared-id`, with a message in its queue.
fn start_with_a_queue(version: Version) -> (Fixture, Login, Login) {
    let fixture = Fixture::start_with(version, countersign_testkit::broker::Builder::persistent);
    fixture.tenant("t1", &[]);
    let owner = fixture.credential("owner", "t1");
    let other = fixture.credential("other", "t1");
    let mut client = owner.connect("shared-id").stored().accepted(fixture.port());
    assert_eq!(client.subscribe(&[("t1/queue", 1)]).unwrap(), [1]);
    client.disconnect().unwrap();
    let mut sender = other.connect("sender").accepted(fixture.port());
    sender
        .publish("t1/queue", b"for the owner", 1, false)
        .unwrap();
    (fixture, owner, other)
}

/// What somebody gets who connects with the owner's client id.
fn inherited(login: &Login, fixture: &Fixture) -> Vec<String> {
    let (mut client, connack) = login
        .connect("shared-id")
        .stored()
        .connect(fixture.port())
        .unwrap();
    if connack.code != 0 {
        return Vec::new();
    }
    assert!(!connack.session_present);
    topics(&mut client)
}

on_every_broker! {
    fn a_stored_session_is_its_owners_alone(version) {
        let (fixture, owner, other) = start_with_a_queue(version);
        for connect in [other.connect("shared-id"), other.connect("shared-id").stored()] {
            assert_eq!(connect.code(fixture.port()), REFUSED);
        }
        assert_eq!(other.connect_v5("shared-id").code(fixture.port()), REFUSED_V5);
        let (mut client, connack) = owner.connect("shared-id").stored().connect(fixture.port()).unwrap();
        assert!(connack.session_present);
        assert_eq!(topics(&mut client), ["t1/queue"]);
    }

    fn a_live_session_is_its_owners_and_its_owner_may_take_it_over(version) {
        let fixture = Fixture::start_with_tenant(version);
        let owner = fixture.credential("owner", "t1");
        let other = fixture.credential("other", "t1");
        let mut client = owner.connect("an-id").accepted(fixture.port());
        assert_eq!(other.connect("an-id").code(fixture.port()), REFUSED);
        client.ping(PATIENCE).unwrap();
        let mut again = owner.connect("an-id").accepted(fixture.port());
        assert!(is_kicked(&mut client), "the takeover ends the older session");
        again.ping(PATIENCE).unwrap();
        // A clean session of MQTT 3 leaves nothing behind.
        again.disconnect().unwrap();
        wait_until("the id is free", || other.connect("an-id").code(fixture.port()) == ACCEPTED);
    }

    fn anonymous_clients_inherit_nothing_and_hold_nothing(version) {
        let (fixture, owner, _) = start_with_a_queue(version);
        fixture.set_authentication("t1", "off");
        for connect in [Connect::v311("shared-id"), Connect::v311("shared-id").stored()] {
            assert_eq!(connect.code(fixture.port()), REFUSED);
        }
        let wrong = owner.with_secret("wrong");
        assert_eq!(wrong.connect("shared-id").code(fixture.port()), REFUSED);
        let mut anonymous = Connect::v311("anonymous-id").accepted(fixture.port());
        assert_eq!(anonymous.subscribe(&[("t1/x", 0)]).unwrap(), [0]);
        assert_eq!(owner.connect("anonymous-id").code(fixture.port()), ACCEPTED);
        assert!(is_kicked(&mut anonymous), "a principal takes the id");
    }

    fn a_credential_made_again_inherits_nothing(version) {
        let (fixture, owner, _) = start_with_a_queue(version);
        fixture.act("delete", &owner);
        let again = fixture.credential("owner", "t1");
        assert_eq!(again.connect("shared-id").stored().code(fixture.port()), REFUSED);
        assert_eq!(inherited(&again, &fixture), [""; 0]);
        assert_eq!(again.connect("shared-id").code(fixture.port()), ACCEPTED, "a clean start throws the queue away");
        assert_eq!(inherited(&again, &fixture), [""; 0]);
    }

    fn revoking_or_releasing_frees_the_id_for_a_clean_start(version) {
        for act in ["revoke", "release"] {
            let (fixture, owner, other) = start_with_a_queue(version);
            match act {
                "revoke" => drop(fixture.act("revoke", &owner)),
                _ => assert_eq!(fixture.cli.json(&["clients", "release", "shared-id"])["released"], "shared-id"),
            }
            assert_eq!(other.connect("shared-id").stored().code(fixture.port()), REFUSED, "{act}");
            assert_eq!(other.connect("shared-id").code(fixture.port()), ACCEPTED, "{act}");
            assert_eq!(inherited(&other, &fixture), [""; 0], "{act}");
        }
        let fixture = Fixture::start(version);
        fixture.cli.refused(&["clients", "release", "nobodys"]);
    }

    fn ownership_survives_a_restart_and_kill_9(version) {
        let (mut fixture, owner, other) = start_with_a_queue(version);
        fixture.broker.kill_9().unwrap();
        fixture.broker.restart().unwrap();
        assert_eq!(other.connect("shared-id").code(fixture.port()), REFUSED);
        fixture.broker.restart().unwrap();
        assert_eq!(other.connect("shared-id").stored().code(fixture.port()), REFUSED);
        assert_eq!(owner.connect("shared-id").stored().code(fixture.port()), ACCEPTED);
        // Taken right before a kill, too.
        let client = owner.connect("fresh-id").stored().accepted(fixture.port());
        fixture.broker.kill_9().unwrap();
        drop(client);
        fixture.broker.restart().unwrap();
        assert_eq!(other.connect("fresh-id").code(fixture.port()), REFUSED);
    }

    fn an_id_is_held_for_as_long_as_the_setting_says(version) {
        let (fixture, _, other) = start_with_a_queue(version);
        assert_eq!(other.connect("shared-id").code(fixture.port()), REFUSED);
        fixture.cli.json(&["settings", "set", "--client-id-hold", "1s"]);
        wait_until("the hold is over", || other.connect("shared-id").code(fixture.port()) == ACCEPTED);
        assert_eq!(inherited(&other, &fixture), [""; 0]);
    }

    fn a_prefix_belongs_to_its_tenant_alone(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("t1", &["--client-id-prefix", "t1-"]);
        fixture.tenant("t2", &["--authentication", "off"]);
        let own = fixture.credential("dev", "t1");
        let foreign = fixture.credential("dev", "t2");
        assert_eq!(own.connect("t1-a").code(fixture.port()), ACCEPTED);
        assert_eq!(own.connect("a").code(fixture.port()), REFUSED);
        assert_eq!(foreign.connect("t1-a").code(fixture.port()), REFUSED);
        assert_eq!(foreign.connect("a").code(fixture.port()), ACCEPTED);
        assert_eq!(Connect::v311("t1-b").code(fixture.port()), REFUSED);
        let complaint = fixture.cli.refused(&["tenant", "create", "t3", "--client-id-prefix", "t1"]);
        assert!(complaint.contains("t1-"), "{complaint}");
        // Sessions that no longer keep it are ended.
        let mut client = foreign.connect("t2-a").accepted(fixture.port());
        let mut other = foreign.connect("b").accepted(fixture.port());
        fixture.cli.json(&["tenant", "set", "t2", "--client-id-prefix", "t2-"]);
        assert!(is_kicked(&mut other));
        client.ping(PATIENCE).unwrap();
    }

    fn an_id_that_is_tied_to_a_credential_is_never_anothers(version) {
        let fixture = Fixture::start_with_tenant(version);
        let tied = fixture.credential_with("tied", "t1", &["--client-id", "first-use"]);
        fixture.credential_with("exact", "t1", &["--client-id", "exact:the-id"]);
        let other = fixture.credential("other", "t1");
        assert_eq!(other.connect("the-id").code(fixture.port()), REFUSED, "though never used");
        let again = ["credential", "create", "again", "--tenant", "t1", "--client-id", "exact:the-id"];
        assert!(fixture.cli.refused(&again).contains("the-id"));
        let mut client = tied.connect_v5("tied-id").accepted(fixture.port());
        client.disconnect().unwrap();
        assert_eq!(other.connect("tied-id").code(fixture.port()), REFUSED);
        fixture.cli.json(&["credential", "untie", &tied.username]);
        wait_until("the id is free", || other.connect("tied-id").code(fixture.port()) == ACCEPTED);
    }

    fn a_revoked_owners_stored_session_loses_its_subscriptions(version) {
        let (fixture, owner, other) = start_with_a_queue(version);
        fixture.act("revoke", &owner);
        let mut sender = other.connect("sender-2").accepted(fixture.port());
        wait_until("nothing is queued any more", || {
            sender.publish("t1/queue", b"x", 1, false).unwrap();
            !fixture.broker.log().lines().rev().take(5).any(|line| line.contains("shared-id"))
        });
        assert_eq!(inherited(&other, &fixture), [""; 0]);
    }
}

//! Client-id ownership: nobody receives what was queued for somebody else.

use countersign_testkit::{Connect, Version};
use countersign_tests::{
    ACCEPTED, Login, PATIENCE, REFUSED, REFUSED_V5, Site, is_kicked, on_every_broker, topics,
    wait_until,
};

/// Two devices of one tenant and a sender; the first device has a stored
/// session, `shared-id`, with a message in its queue.
fn start_with_a_queue(version: Version) -> (Site, Login, Login) {
    let site = Site::start_with(version, countersign_testkit::broker::Builder::persistent);
    site.tenant("t1", &[]);
    let owner = site.credential("owner", "t1");
    let other = site.credential("other", "t1");
    let mut client = owner.connect("shared-id").stored().accepted(site.port());
    assert_eq!(client.subscribe(&[("t1/queue", 1)]).unwrap(), [1]);
    client.disconnect().unwrap();
    let mut sender = other.connect("sender").accepted(site.port());
    sender
        .publish("t1/queue", b"for the owner", 1, false)
        .unwrap();
    (site, owner, other)
}

/// What somebody gets who connects with the owner's client id.
fn inherited(login: &Login, site: &Site) -> Vec<String> {
    let (mut client, connack) = login
        .connect("shared-id")
        .stored()
        .connect(site.port())
        .unwrap();
    if connack.code != 0 {
        return Vec::new();
    }
    assert!(!connack.session_present);
    topics(&mut client)
}

on_every_broker! {
    fn a_stored_session_is_its_owners_alone(version) {
        let (site, owner, other) = start_with_a_queue(version);
        for connect in [other.connect("shared-id"), other.connect("shared-id").stored()] {
            assert_eq!(connect.code(site.port()), REFUSED);
        }
        assert_eq!(other.connect_v5("shared-id").code(site.port()), REFUSED_V5);
        let (mut client, connack) = owner.connect("shared-id").stored().connect(site.port()).unwrap();
        assert!(connack.session_present);
        assert_eq!(topics(&mut client), ["t1/queue"]);
    }

    fn a_live_session_is_its_owners_and_its_owner_may_take_it_over(version) {
        let site = Site::start_with_tenant(version);
        let owner = site.credential("owner", "t1");
        let other = site.credential("other", "t1");
        let mut client = owner.connect("an-id").accepted(site.port());
        assert_eq!(other.connect("an-id").code(site.port()), REFUSED);
        client.ping(PATIENCE).unwrap();
        let mut again = owner.connect("an-id").accepted(site.port());
        assert!(is_kicked(&mut client), "the takeover ends the older session");
        again.ping(PATIENCE).unwrap();
        // A clean session of MQTT 3 leaves nothing behind.
        again.disconnect().unwrap();
        wait_until("the id is free", || other.connect("an-id").code(site.port()) == ACCEPTED);
    }

    fn anonymous_clients_inherit_nothing_and_hold_nothing(version) {
        let (site, owner, _) = start_with_a_queue(version);
        site.set_authentication("t1", "off");
        for connect in [Connect::v311("shared-id"), Connect::v311("shared-id").stored()] {
            assert_eq!(connect.code(site.port()), REFUSED);
        }
        let wrong = owner.with_secret("wrong");
        assert_eq!(wrong.connect("shared-id").code(site.port()), REFUSED);
        let mut anonymous = Connect::v311("anonymous-id").accepted(site.port());
        assert_eq!(anonymous.subscribe(&[("t1/x", 0)]).unwrap(), [0]);
        assert_eq!(owner.connect("anonymous-id").code(site.port()), ACCEPTED);
        assert!(is_kicked(&mut anonymous), "a principal takes the id");
    }

    fn a_credential_made_again_inherits_nothing(version) {
        let (site, owner, _) = start_with_a_queue(version);
        site.act("delete", &owner);
        let again = site.credential("owner", "t1");
        assert_eq!(again.connect("shared-id").stored().code(site.port()), REFUSED);
        assert_eq!(inherited(&again, &site), [""; 0]);
        assert_eq!(again.connect("shared-id").code(site.port()), ACCEPTED, "a clean start throws the queue away");
        assert_eq!(inherited(&again, &site), [""; 0]);
    }

    fn revoking_or_releasing_frees_the_id_for_a_clean_start(version) {
        for act in ["revoke", "release"] {
            let (site, owner, other) = start_with_a_queue(version);
            match act {
                "revoke" => drop(site.act("revoke", &owner)),
                _ => assert_eq!(site.cli.json(&["clients", "release", "shared-id"])["released"], "shared-id"),
            }
            assert_eq!(other.connect("shared-id").stored().code(site.port()), REFUSED, "{act}");
            assert_eq!(other.connect("shared-id").code(site.port()), ACCEPTED, "{act}");
            assert_eq!(inherited(&other, &site), [""; 0], "{act}");
        }
        let site = Site::start(version);
        site.cli.refused(&["clients", "release", "nobodys"]);
    }

    fn ownership_survives_a_restart_and_kill_9(version) {
        let (mut site, owner, other) = start_with_a_queue(version);
        site.broker.kill_9().unwrap();
        site.broker.restart().unwrap();
        assert_eq!(other.connect("shared-id").code(site.port()), REFUSED);
        site.broker.restart().unwrap();
        assert_eq!(other.connect("shared-id").stored().code(site.port()), REFUSED);
        assert_eq!(owner.connect("shared-id").stored().code(site.port()), ACCEPTED);
        // Taken right before a kill, too.
        let client = owner.connect("fresh-id").stored().accepted(site.port());
        site.broker.kill_9().unwrap();
        drop(client);
        site.broker.restart().unwrap();
        assert_eq!(other.connect("fresh-id").code(site.port()), REFUSED);
    }

    fn an_id_is_held_for_as_long_as_the_setting_says(version) {
        let (site, _, other) = start_with_a_queue(version);
        assert_eq!(other.connect("shared-id").code(site.port()), REFUSED);
        site.cli.json(&["settings", "set", "--client-id-hold", "1s"]);
        wait_until("the hold is over", || other.connect("shared-id").code(site.port()) == ACCEPTED);
        assert_eq!(inherited(&other, &site), [""; 0]);
    }

    fn a_prefix_belongs_to_its_tenant_alone(version) {
        let site = Site::start(version);
        site.tenant("t1", &["--client-id-prefix", "t1-"]);
        site.tenant("t2", &["--authentication", "off"]);
        let own = site.credential("dev", "t1");
        let foreign = site.credential("dev", "t2");
        assert_eq!(own.connect("t1-a").code(site.port()), ACCEPTED);
        assert_eq!(own.connect("a").code(site.port()), REFUSED);
        assert_eq!(foreign.connect("t1-a").code(site.port()), REFUSED);
        assert_eq!(foreign.connect("a").code(site.port()), ACCEPTED);
        assert_eq!(Connect::v311("t1-b").code(site.port()), REFUSED);
        let complaint = site.cli.refused(&["tenant", "create", "t3", "--client-id-prefix", "t1"]);
        assert!(complaint.contains("t1-"), "{complaint}");
        // Sessions that no longer keep it are ended.
        let mut client = foreign.connect("t2-a").accepted(site.port());
        let mut other = foreign.connect("b").accepted(site.port());
        site.cli.json(&["tenant", "set", "t2", "--client-id-prefix", "t2-"]);
        assert!(is_kicked(&mut other));
        client.ping(PATIENCE).unwrap();
    }

    fn an_id_that_is_tied_to_a_credential_is_never_anothers(version) {
        let site = Site::start_with_tenant(version);
        let tied = site.credential_with("tied", "t1", &["--client-id", "first-use"]);
        site.credential_with("exact", "t1", &["--client-id", "exact:the-id"]);
        let other = site.credential("other", "t1");
        assert_eq!(other.connect("the-id").code(site.port()), REFUSED, "though never used");
        let again = ["credential", "create", "again", "--tenant", "t1", "--client-id", "exact:the-id"];
        assert!(site.cli.refused(&again).contains("the-id"));
        let mut client = tied.connect_v5("tied-id").accepted(site.port());
        client.disconnect().unwrap();
        assert_eq!(other.connect("tied-id").code(site.port()), REFUSED);
        site.cli.json(&["credential", "untie", &tied.username]);
        wait_until("the id is free", || other.connect("tied-id").code(site.port()) == ACCEPTED);
    }

    fn a_revoked_owners_stored_session_loses_its_subscriptions(version) {
        let (site, owner, other) = start_with_a_queue(version);
        site.act("revoke", &owner);
        let mut sender = other.connect("sender-2").accepted(site.port());
        wait_until("nothing is queued any more", || {
            sender.publish("t1/queue", b"x", 1, false).unwrap();
            !site.broker.log().lines().rev().take(5).any(|line| line.contains("shared-id"))
        });
        assert_eq!(inherited(&other, &site), [""; 0]);
    }
}

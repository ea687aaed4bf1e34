//! Connections to a centre that are cut, and some of which neither end hears that they are.

use countersign_testkit::Version;
use countersign_tests::{ACCEPTED, Fixture, REFUSED, subscribes, wait_until};

use super::wire::Wire;
use super::{follow, has};

#[test]
fn a_connection_that_falls_silent_is_given_up_at_both_ends_and_nobody_revoked_gets_in() {
    let centre = Fixture::start(Version::V2_1);
    let edge = Fixture::start_with(Version::V2_1, |builder| {
        builder
            .plugin_option("max_staleness", "10s")
            .plugin_option("when_stale", "refuse-new")
    });
    centre.tenant("acme", &[]);
    let [stays, goes] = ["stays", "goes"].map(|name| centre.credential(name, "acme"));
    let service = centre.serve();
    let wire = Wire::to(&service.address.to_string());
    let follower = follow(&centre.cli, &wire.address, "edge", &edge.cli, &[]);
    wait_until("it may come", || {
        has(&edge.cli, "goes@acme") && edge.code(&goes) == ACCEPTED
    });
    let mut live = stays.connect("live").accepted(edge.port());

    // What closes is noticed at once.
    wire.cut();
    centre.credential("new", "acme");
    wait_until("it follows again", || has(&edge.cli, "new@acme"));

    wire.fall_silent();
    centre.act("revoke", &goes);
    wait_until("the replica is stale", || edge.code(&stays) == REFUSED);
    edge.wait_for_cause("stays@acme", "stale");
    assert!(subscribes(&mut live, "acme/x"), "a live session goes on");
    wait_until("the follower gives up", || {
        follower.stderr().contains("the centre did not answer")
    });
    // The follower has tried again by now: those are lost as well.
    let (lost, _) = wire.lost_and_let_go();
    assert!(lost >= 2, "{lost}");
    wait_until("the centre lets go", || wire.lost_and_let_go().1 >= lost);

    wire.mend();
    wait_until("it follows again", || {
        // What is revoked and what was heard of the centre last are one transaction.
        assert_eq!(edge.code(&goes), REFUSED);
        edge.code(&stays) == ACCEPTED
    });
    assert!(subscribes(&mut live, "acme/x"), "it was never asked to go");
    drop((follower, service));
}

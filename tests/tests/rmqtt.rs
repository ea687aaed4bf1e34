//! rmqtt, whose plugin is configured as `docs/hooks.md` shows it, asks the service about
//! its clients.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};

use countersign_testkit::broker::Port;
use countersign_testkit::mqtt::Protocol;
use countersign_testkit::tools::Tool;
use countersign_testkit::{Connect, artifacts};
use countersign_tests::hooked::{Hooked, Watch};
use countersign_tests::{PATIENCE, turn, wait_until};

#[test]
fn rmqtt_lets_in_and_allows_what_countersign_does() {
    let _turn = turn::beside_others();
    let hooked = Hooked::start("rmqtt", Protocol::V5, &[], "");
    let port = Port::reserve();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("rmqtt-auth-http.toml");
    fs::write(config, hooked.config("rmqtt")).unwrap();
    let port = port.number();
    let _broker = Tool::new(artifacts::rmqtt().unwrap())
        .args([folder.path()])
        .args([port.to_string()])
        .background()
        .unwrap();
    wait_until("rmqtt listens", || {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
    });
    let mut watch = hooked.watch(port);
    hooked.refuses_who_is_nobody(port);
    devices_do_what_they_may(&hooked, port, &mut watch);
    hooked.refuses_what_is_over(port, &mut watch);
    nobody_is_asked_about_wills(&hooked, port, &mut watch);
    who_says_a_placeholder_is_another(&hooked, port, &mut watch);
    hooked.holds_the_cases(port, &mut watch, |case| {
        // It has no topic with a `$` at the beginning of a later level. What it knows it
        // writes in the place of `%A` and the like, in names, too.
        let names = [&case.username, &case.client_id];
        let mut names = names.into_iter().flatten();
        !case.topic.contains("/$") && names.all(|it| !it.contains('%'))
    });
}

fn devices_do_what_they_may(hooked: &Hooked, port: u16, watch: &mut Watch) {
    let login = hooked.device("dev1");
    let connect = || login.connect_v5("c1").accepted(port);
    for (topic, may) in [("acme/a", true), ("acme/a/b", true), ("other/a", false)] {
        let mut client = connect();
        assert_eq!(watch.sees(&mut client, topic), may, "{topic}");
        // A refusal ends the connection.
        assert_eq!(client.is_alive(), may, "{topic}");
    }
    let mut client = connect();
    for (filter, may) in [
        ("acme/a", true),
        ("acme/+/b", true),
        ("acme/#", true),
        ("#", false),
        ("+/a", false),
        ("other/a", false),
    ] {
        let granted = client.subscribe(&[(filter, 1)]).unwrap();
        assert_eq!(granted == [1], may, "{filter}: {granted:?}");
    }
    // A deny counts at the next packet.
    let rule = ["credential", "deny", &login.username, "both", "acme/kept"];
    hooked.cli.json(&rule);
    assert_ne!(client.subscribe(&[("acme/#", 1)]).unwrap(), [1]);
    assert!(watch.sees(&mut client, "acme/s"));
    assert_eq!(client.receive(PATIENCE).unwrap().topic, "acme/s");
    assert!(!watch.sees(&mut client, "acme/kept"));
    // So does the end of a credential at the next filter.
    let over = hooked.device("over");
    let mut client = over.connect_v5("over").accepted(port);
    assert_eq!(client.subscribe(&[("acme/a", 1)]).unwrap(), [1]);
    hooked.cli.json(&["credential", "revoke", &over.username]);
    assert_ne!(client.subscribe(&[("acme/b", 1)]).unwrap(), [1]);
}

/// What the page warns of.
fn nobody_is_asked_about_wills(hooked: &Hooked, port: u16, watch: &mut Watch) {
    let login = hooked.device("will");
    let connect = login.connect_v5("will").will_message("other/will", b"x");
    connect.accepted(port).abort();
    watch.wait_for("other/will");
}

/// What the page warns of: it replaces `%A`, in a name that a client chose, by nothing at
/// the login, by `2` when it asks about a PUBLISH.
fn who_says_a_placeholder_is_another(hooked: &Hooked, port: u16, watch: &mut Watch) {
    let one = hooked.device("pump");
    let other = hooked.device("pump2");
    for (pattern, login) in [("acme/1", &one), ("acme/2", &other)] {
        let rule = ["credential", "deny", &login.username, "publish", pattern];
        hooked.cli.json(&rule);
    }
    let mut honest = one.connect_v5("honest").accepted(port);
    assert!(watch.sees(&mut honest, "acme/2"));
    assert!(!watch.sees(&mut honest, "acme/1"));
    let hidden = one.username.replace("pump", "pump%A");
    let sly = Connect::v5("sly").login(hidden, &one.secret);
    let mut sly = sly.accepted(port);
    assert!(watch.sees(&mut sly, "acme/1"));
}

//! amqtt, run by the program that `docs/hooks.md` shows, asks the service about its
//! clients.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};

use countersign_testkit::artifacts;
use countersign_testkit::broker::Port;
use countersign_testkit::mqtt::Protocol;
use countersign_testkit::tools::Tool;
use countersign_tests::hooked::Hooked;
use countersign_tests::{PATIENCE, turn, wait_until};

#[test]
fn amqtt_lets_in_and_allows_what_countersign_does() {
    let _turn = turn::beside_others();
    let hooked = Hooked::start("goauth", Protocol::V311, &[], "");
    let port = Port::reserve();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.py");
    let address = hooked.service.address;
    let program = hooked.config("amqtt");
    let program = program
        .replace("0.0.0.0:1883", &format!("127.0.0.1:{}", port.number()))
        .replace("\"port\": 8080", &format!("\"port\": {}", address.port()));
    // It says what it refused.
    fs::write(
        &file,
        format!("import logging\n\nlogging.basicConfig(level=logging.INFO)\n{program}"),
    )
    .unwrap();
    let python = artifacts::python("python").unwrap();
    let broker = Tool::new(python).args([&file]).background().unwrap();
    let port = port.number();
    wait_until("amqtt listens", || {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
    });
    hooked.refuses_who_is_nobody(port);
    let refused = move |topic: &str| {
        let line = format!(" not allowed to publish to TOPIC {topic}.\n");
        broker.stderr().matches(&line).count()
    };
    let mut watch = hooked.watch(port).told_of(Box::new(refused));
    let login = hooked.device("dev1");
    let mut client = login.connect("c1").accepted(port);
    for (topic, may) in [("acme/a", true), ("acme/a/b", true), ("other/a", false)] {
        assert_eq!(watch.sees(&mut client, topic), may, "{topic}");
    }
    let rule = ["credential", "deny", &login.username, "both", "acme/kept"];
    hooked.cli.json(&rule);
    for (filter, may) in [
        ("acme/a", true),
        ("acme/+/b", true),
        ("#", false),
        ("other/a", false),
        // Of what is retained nobody is asked.
        ("acme/#", false),
        ("acme/+", false),
        ("acme/kept", false),
    ] {
        let granted = client.subscribe(&[(filter, 0)]).unwrap();
        assert_eq!(granted == [0], may, "{filter}");
    }
    // Another deny counts at the next delivery.
    let mut subscriber = login.connect("c2").accepted(port);
    assert_eq!(subscriber.subscribe(&[("acme/s/+", 0)]).unwrap(), [0]);
    let rule = [
        "credential",
        "deny",
        &login.username,
        "subscribe",
        "acme/s/2",
    ];
    hooked.cli.json(&rule);
    for topic in ["acme/s/2", "acme/s/1"] {
        assert!(watch.sees(&mut client, topic), "{topic}");
    }
    assert_eq!(subscriber.receive(PATIENCE).unwrap().topic, "acme/s/1");
    hooked.refuses_what_is_over(port, &mut watch);
    hooked.holds_the_cases(port, &mut watch, |_| true);
}

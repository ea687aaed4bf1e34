//! Clients of certificates that come back: before the broker knows that they were
//! gone, and to a session that it kept.

use std::process::Command;

use countersign_testkit::tools::Tool;
use countersign_testkit::{Connect, Version};
use countersign_tests::authority::Authority;
use countersign_tests::{Fixture, PATIENCE, on_every_broker, wait_until};

use crate::tls::{marked, start_vouching, start_with_keys, subscriber, tls};

on_every_broker! {
    fn a_certificates_client_takes_over_from_its_half_open_connection_and_stays(version) {
        let authority = Authority::new();
        let fixture = start_vouching(version, &authority);
        let login = marked(&fixture, &authority, "dev");
        let first = subscriber(&fixture, &authority, &login);
        // It neither answers nor ends, as after a loss of the network.
        let stopped = Command::new("kill").args(["-STOP", &first.pid().to_string()]).status().unwrap();
        assert!(stopped.success());
        let mut second = subscriber(&fixture, &authority, &login);
        let mut sender = fixture.operator("sender", &["--publish", "acme/#"]).connect("s").accepted(fixture.port());
        sender.publish("acme/dev/in", "still here", 1, false).unwrap();
        second.wait_for_output("still here", PATIENCE).unwrap();
        assert!(!fixture.our_lines().contains("took the id"), "{}", fixture.our_lines());
        let connected = second.stdout().matches("received CONNACK").count();
        assert_eq!(connected, 1, "{}", second.stdout());
    }

    fn a_session_that_a_certificates_client_left_stands_when_the_broker_reloads(version) {
        if version == Version::V2_0_11 {
            // It damages its memory by itself then (docs/SAFETY.md).
            return;
        }
        let authority = Authority::new();
        let mut fixture = start_vouching(version, &authority);
        marked(&fixture, &authority, "dev");
        authority.sign("nobody@acme");
        let file = |name: &str, kind: &str| authority.path(&format!("{name}.{kind}"));
        let (ca, tls) = (authority.path("ca.crt"), tls(&fixture));
        leave_and_reload(&mut fixture, tls, &|name| {
            [["-CAfile", &ca], ["-cert", &file(name, "crt")], ["-key", &file(name, "key")]]
                .as_flattened()
                .iter()
                .map(|it| (*it).to_owned())
                .collect()
        });
    }

    fn a_session_that_a_pre_shared_keys_client_left_stands_when_the_broker_reloads(version) {
        if version == Version::V2_0_11 {
            return;
        }
        let mut fixture = start_with_keys(version);
        let tls = tls(&fixture);
        leave_and_reload(&mut fixture, tls, &|name| {
            ["-tls1_2", "-cipher", "PSK", "-psk", "1234abcd", "-psk_identity", name]
                .map(str::to_owned)
                .to_vec()
        });
    }
}

/// Has a client that may have a session, and one that may not, leave sessions of
/// all kinds, and reloads the broker, which then asks about them.
fn leave_and_reload(fixture: &mut Fixture, port: u16, proving: &dyn Fn(&str) -> Vec<String>) {
    let visit = |name: &str, connect: &Connect, more: &[u8]| {
        let mut visitor = Tool::new("openssl")
            .args([
                "s_client",
                "-quiet",
                "-connect",
                &format!("127.0.0.1:{port}"),
            ])
            .args(proving(name))
            .stdin([&connect.bytes(), more].concat())
            .background()
            .unwrap();
        wait_until("the visitor is gone", || !visitor.is_running());
    };
    let stored = |id: &str| Connect::v5(id).clean(false).session_expiry(3_600);
    let (names, kinds) = (
        ["dev@acme", "nobody@acme"],
        ["silent", "subscribed", "willing"],
    );
    for name in names {
        for kind in kinds {
            let connect = stored(&format!("{kind} {name}"));
            match kind {
                "silent" => visit(name, &connect, DISCONNECT),
                "subscribed" => visit(name, &connect, &[SUBSCRIBE, DISCONNECT].concat()),
                _ => visit(
                    name,
                    &connect.will_message("acme/will", "x"),
                    DISCONNECT_WITH_WILL,
                ),
            }
        }
    }
    // The broker knows them all.
    for kind in kinds {
        let named = format!("as {kind} dev@acme");
        fixture.broker.wait_for_log(&named, PATIENCE).unwrap();
    }
    let mut observer = fixture.observer("acme/will");
    fixture.wait_for_clients(&["observer"]);
    for _ in 0..2 {
        fixture.broker.reload().unwrap();
        assert!(observer.is_alive());
    }
    // The broker frees what it had of them.
    for name in names {
        for kind in kinds {
            visit(name, &Connect::v5(format!("{kind} {name}")), DISCONNECT);
        }
    }
    let status = fixture.broker.stop().unwrap();
    assert!(status.success(), "{status}: {}", fixture.broker.log());
}

const DISCONNECT: &[u8] = &[0xE0, 0];
const DISCONNECT_WITH_WILL: &[u8] = &[0xE0, 1, 4];

/// To `a`, at QoS 1.
const SUBSCRIBE: &[u8] = &[0x82, 7, 0, 1, 0, 0, 1, b'a', 1];

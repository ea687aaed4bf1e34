//! Clients that come back before the broker knows that they were gone.

use std::process::Command;

use countersign_tests::{PATIENCE, on_every_broker};

use crate::tls::{Authority, marked, start_vouching, subscriber};

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
}

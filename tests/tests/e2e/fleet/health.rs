//! Whether a follower follows, as it says itself.

use countersign_testkit::Version;
use countersign_testkit::tools::Tool;
use countersign_tests::{Fixture, PATIENCE, wait_until};

use super::{follow_with, free_address, invite, serve};

/// What is answered at a path: the status, and the text.
fn ask(address: &str, path: &str) -> (String, String) {
    let url = format!("http://{address}{path}");
    let curl = Tool::new("curl").args(["-s", "-w", "\\n%{http_code}", &url]);
    let answered = curl.run(PATIENCE).unwrap().stdout;
    let (text, status) = answered.rsplit_once('\n').unwrap();
    (status.to_owned(), text.to_owned())
}

#[test]
fn a_follower_says_whether_it_follows_and_how_much_waits() {
    let (centre, edge) = (Fixture::start(Version::V2_1), Fixture::start(Version::V2_1));
    let (address, health) = (free_address(), free_address());
    invite(&centre.cli, "edge", &edge.cli, &[]);
    let follower = follow_with(&address, &edge.cli, &["--health-listen", &health]);
    wait_until("it answers", || ask(&health, "/healthz").0 == "200");
    let (status, text) = ask(&health, "/readyz");
    assert_eq!(status, "503", "nobody is at the centre's address yet");
    assert!(text.contains("there is no snapshot"), "{text}");
    let service = serve(&centre.cli, &address);
    wait_until("it follows", || ask(&health, "/readyz").0 == "200");
    let (_, text) = ask(&health, "/metrics");
    assert!(text.contains("countersign_replica_waiting 0"), "{text}");
    assert!(
        text.contains("countersign_replica_contact_seconds "),
        "{text}"
    );
    assert_eq!(ask(&health, "/api/v1/tenants").0, "404");
    drop((follower, service));
}

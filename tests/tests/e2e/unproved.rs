//! What proves nothing and is let in nowhere, not even as unauthenticated: tokens
//! that do not verify, malformed names, and client ids that are not a login's to
//! take. `check` says the same.

use countersign_testkit::{Connect, Version};
use countersign_tests::authority::Authority;
use countersign_tests::{
    ACCEPTED, Fixture, PATIENCE, REFUSED, REFUSED_V5, on_every_broker, text, wait_until,
};

use crate::neighbours::bridged;
use crate::tls::{start_vouching, tls};

/// A broker whose clients without a tenant are those of `t1`.
fn start(version: Version) -> Fixture {
    Fixture::start_with(version, |builder| {
        builder.plugin_option("default_tenant", "t1")
    })
}

/// The CONNACK's code once the broker has had the time to look.
fn verdict(fixture: &Fixture, connect: &Connect) -> u8 {
    let mut code = None;
    wait_until("the broker answers", || {
        code = connect.code(fixture.port());
        code.is_some()
    });
    code.unwrap()
}

on_every_broker! {
    fn a_token_that_does_not_verify_is_let_in_nowhere(version) {
        let fixture = start(version);
        let jane = fixture.jane();
        fixture.grant(&jane, "t1", &["--org-admin"]);
        let device = fixture.credential("dev1", "t1");
        let made = fixture.token("t1", "all", &jane.username, &["--whoami", "me"]);
        let token = text(&made, "token");
        assert_eq!(Connect::v311("c").login("jwt", &token).code(fixture.port()), ACCEPTED);
        fixture.cli.json(&["jwt", "revoke", &text(&made, "jti")]);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let passwords = [
            token.clone(),
            format!("{signed}.A{}", signature.get(1..).unwrap()),
            format!("{signed}."),
            "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.".into(),
            format!("{token}\n"),
            format!("{signed}.{}", "A".repeat(20_000)),
        ];
        for mode in ["off", "optional", "required"] {
            fixture.set_authentication("t1", mode);
            for password in &passwords {
                for name in ["jwt", "me", "nobody@t1", "nobody", &device.username] {
                    let connect = Connect::v311("c").login(name, password);
                    assert_eq!(Some(verdict(&fixture, &connect)), REFUSED, "{mode} {name} {password}");
                }
                let connect = Connect::v5("c").password(password);
                assert_eq!(Some(verdict(&fixture, &connect)), REFUSED_V5, "{mode} {password}");
            }
            // Another wrong password is let in where the tenant asks for none.
            let other = Connect::v311("c").login("someone@t1", "eyJ.wrong");
            assert_eq!(Some(verdict(&fixture, &other)) == ACCEPTED, mode == "off", "{mode}");
        }
    }

    fn a_malformed_name_is_let_in_nowhere(version) {
        let fixture = start(version);
        fixture.tenant("t1", &["--authentication", "off"]);
        let long = "x".repeat(256);
        for name in ["@t1", "@", "@nosuch", " x@t1", "x@t1 ", "x#@t1", "x+@t1", "x\u{7f}@t1", "\u{85}", &long] {
            for password in [None, Some("p")] {
                let mut connect = Connect::v5("c").username(name);
                if let Some(password) = password {
                    connect = connect.password(password);
                }
                // Brokers themselves close on some.
                let (_client, answer) = connect.attempt(fixture.port()).unwrap();
                let is_let_in = matches!(&answer, countersign_testkit::mqtt::Answer::Connack(it) if it.code == 0);
                assert!(!is_let_in, "{name:?} {password:?}: {answer:?}");
                let asked = fixture.cli.run(&["check", "connect", "--username", name, "--client-id", "c"]);
                assert_eq!(asked.code, Some(1), "{name:?}: {asked:?}");
            }
        }
        assert_eq!(Some(verdict(&fixture, &Connect::v5("c").login("x@t1", "p"))), ACCEPTED);
    }

    fn check_says_which_client_ids_no_login_may_take(version) {
        let (fixture, cloud) = bridged(version);
        fixture.tenant("acme", &[]);
        fixture.tenant("open", &["--authentication", "off"]);
        let login = fixture.credential("dev", "acme");
        cloud.wait_for_log("edge9", PATIENCE).unwrap();
        let config = fixture.broker.config().display().to_string();
        for username in [login.username.as_str(), "nobody@open"] {
            for (client_id, allowed) in [("local.edge9", false), (&format!("localhost of {username}"), true)] {
                let password = if username == login.username { &login.secret } else { "p" };
                let connect = Connect::v311(client_id).login(username, password);
                assert_eq!(Some(verdict(&fixture, &connect)) == ACCEPTED, allowed, "{client_id} {username}");
                let who = ["--username", username, "--client-id", client_id, "--config", &config, "--password-stdin"];
                let topic = if username == login.username { "acme/x" } else { "open/x" };
                for question in [&["connect"][..], &["publish", topic], &["deliver", topic]] {
                    let args: Vec<_> = ["check"].iter().chain(question).chain(&who).copied().collect();
                    let asked = fixture.cli.run_with_stdin(&args, password.as_bytes());
                    assert_eq!(asked.code, Some(i32::from(!allowed)), "{args:?}: {asked:?}");
                    assert_eq!(asked.stdout.contains("client-id-owned"), !allowed, "{args:?}: {asked:?}");
                }
            }
        }
        let said = fixture.broker.wait_for_log("client `local.edge9`", PATIENCE).unwrap();
        assert!(said.contains("kept for a bridge"), "{said}");
    }

    fn check_says_that_a_certificates_client_id_is_its_own(version) {
        let authority = Authority::new();
        let fixture = start_vouching(version, &authority);
        authority.sign("marked@acme");
        fixture.credential_with("marked", "acme", &["--external-identity"]);
        let other = fixture.credential("other", "acme");
        let mut session = authority
            .certified("mosquitto_sub", tls(&fixture), "marked@acme")
            .args(["-t", "acme/#", "-d"])
            .background()
            .unwrap();
        session.wait_for_output("SUBACK", PATIENCE).unwrap();
        fixture.wait_for_clients(&["id of marked@acme"]);
        assert_eq!(other.connect("id of marked@acme").code(fixture.port()), REFUSED);
        let args = ["check", "publish", "--username", &other.username, "--client-id", "id of marked@acme", "acme/x"];
        let asked = fixture.cli.run(&args);
        assert!(asked.code == Some(1) && asked.stdout.contains("client-id-owned"), "{asked:?}");
        session.kill().unwrap();
    }
}

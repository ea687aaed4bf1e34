//! Records that can't be read: each ends its own sessions and holds up nobody
//! else's.

use countersign_testkit::Connect;
use countersign_tests::{
    ACCEPTED, Fixture, Login, PATIENCE, REFUSED, is_kicked, on_every_broker, topics_so_far,
    wait_until,
};

on_every_broker! {
    fn a_record_that_cannot_be_read_ends_its_own_sessions_and_holds_up_no_revoke(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &["--namespace", "acme/#"]);
        let role = ["role", "create", "reader", "--tenant", "acme"];
        fixture.cli.json(&role);
        let rule = ["role", "allow", "reader", "--tenant", "acme", "subscribe", "acme/#"];
        fixture.cli.json(&rule);
        let damages = [
            ("state", "UPDATE credential SET state = 'Asleep' WHERE name = 'state@acme'"),
            ("rule", "UPDATE credential_rule SET pattern = '#/#'"),
            ("holder", "UPDATE role_rule SET pattern = '#/#'"),
            ("secret", "UPDATE secret SET phc = '?', digest = NULL
                        WHERE credential = (SELECT id FROM credential WHERE name = 'secret@acme')"),
            ("text", "UPDATE credential SET scheme = CAST(x'ff' AS TEXT) WHERE name = 'text@acme'"),
        ];
        let mut damaged: Vec<_> = damages
            .iter()
            .map(|(name, damage)| {
                let options: &[&str] = if *name == "holder" { &["--role", "reader"] } else { &[] };
                let login = fixture.credential_with(name, "acme", options);
                if *name == "rule" {
                    fixture.cli.json(&["credential", "allow", "rule@acme", "publish", "acme/x"]);
                }
                let client = login.connect(name).accepted(fixture.port());
                (login, client, *damage)
            })
            .collect();
        let revoked = fixture.credential("revoked", "acme");
        let mut bystander = fixture.credential("bystander", "acme").connect("b").accepted(fixture.port());
        let mut ends = revoked.connect("revoked").accepted(fixture.port());

        for (login, _, damage) in &damaged {
            raw(&fixture, damage);
            name_in_the_log(&fixture, &login.username);
        }
        fixture.act("revoke", &revoked);
        assert!(is_kicked(&mut ends));
        for (login, client, _) in &mut damaged {
            assert!(is_kicked(client), "{}", login.username);
            assert_eq!(fixture.code(login), REFUSED);
        }
        bystander.ping(PATIENCE).unwrap();
        let doctor = fixture.cli.run(&["doctor", "--json"]).stdout;
        for name in ["state@acme", "rule@acme", "secret@acme", "text@acme", "role `reader`"] {
            assert!(doctor.contains(name), "{doctor}");
        }
    }

    fn a_damaged_tenant_scheme_or_log_entry_blinds_the_broker_to_nothing_else(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &["--namespace", "acme/#"]);
        fixture.tenant("other", &["--namespace", "other/#"]);
        fixture.scheme_like("basic", "mine", "rotatable", "true");
        let inside = fixture.credential("dev", "acme");
        let mut ends = inside.connect("inside").accepted(fixture.port());
        let of_scheme = Login::from(&fixture.make("mine", "other", &["s"]));
        let mut of_scheme_ends = of_scheme.connect("s").accepted(fixture.port());
        let mut stays = fixture.credential("stays", "other").connect("stays").accepted(fixture.port());
        let revoked = fixture.credential("revoked", "other");
        let mut revoked_ends = revoked.connect("revoked").accepted(fixture.port());

        raw(&fixture, "UPDATE tenant SET authentication = 'perhaps' WHERE id = 'acme'");
        raw(&fixture, "UPDATE scheme_field SET kind = 'nonsense' WHERE scheme = 'mine'");
        raw(&fixture, "INSERT INTO change (at, kind, number) VALUES (1, 'nonsense', 1)");
        raw(&fixture, "INSERT INTO kick_request (id, at, client_id) VALUES (77, 1, CAST(x'ff' AS TEXT))");
        raw(&fixture, "INSERT INTO change (at, kind, number) VALUES (1, 'kick', 77)");
        fixture.act("revoke", &revoked);
        assert!(is_kicked(&mut revoked_ends));
        assert!(is_kicked(&mut ends));
        assert_eq!(fixture.code(&inside), REFUSED);
        assert!(is_kicked(&mut of_scheme_ends));
        assert_eq!(fixture.code(&of_scheme), REFUSED);
        stays.ping(PATIENCE).unwrap();
        // What a damaged tenant owns is nobody else's.
        let operator = fixture.operator("op", &["--publish", "acme/#"]);
        assert_eq!(operator.connect("op").code(fixture.port()), ACCEPTED);
        wait_until("the broker says what it can't read", || {
            fixture.our_lines().contains("tenant `acme`")
        });

        raw(&fixture, "UPDATE tenant SET authentication = 'required' WHERE id = 'acme'");
        raw(&fixture, "INSERT INTO change (at, kind, tenant) VALUES (1, 'tenant', 'acme')");
        wait_until("the tenant is admitted again", || fixture.code(&inside) == ACCEPTED);
    }

    fn a_tenant_whose_id_cannot_be_read_keeps_its_topics_and_client_ids_from_all_others(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("home", &["--namespace", "#"]);
        fixture.tenant("acme", &["--take", "--client-id-prefix", "ac-"]);
        let lamp = fixture.credential("lamp", "home");
        let mut watcher = lamp.connect("watcher").accepted(fixture.port());
        assert_eq!(watcher.subscribe(&[("#", 0)]).unwrap(), [0]);
        raw(&fixture, "PRAGMA foreign_keys = OFF;
            UPDATE tenant SET id = 'A B' WHERE id = 'acme';
            UPDATE namespace SET tenant = 'A B' WHERE tenant = 'acme';
            INSERT INTO change (at, kind, tenant) VALUES (1, 'tenant', 'acme')");
        wait_until("the broker says what it can't read", || {
            fixture.our_lines().contains("refusing all of tenant `?`")
        });
        let mut client = lamp.connect("lamp").accepted(fixture.port());
        client.publish("acme/x", b"x", 1, false).unwrap();
        client.publish("home/x", b"x", 1, false).unwrap();
        assert_eq!(topics_so_far(&mut watcher), ["home/x"]);
        assert_eq!(lamp.connect("ac-1").code(fixture.port()), REFUSED);
    }

    fn clients_without_a_login_whose_role_cannot_be_read_may_do_nothing(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &["--authentication", "optional"]);
        fixture.cli.json(&["role", "create", "guest", "--tenant", "acme"]);
        fixture.cli.json(&["role", "allow", "guest", "--tenant", "acme", "publish", "acme/in"]);
        fixture.cli.json(&["tenant", "set", "acme", "--add-anonymous-role", "guest"]);
        let mut guest = Connect::v5("guest").accepted(fixture.port());
        let mut may = || guest.publish("acme/in", b"x", 1, false).unwrap() < 0x80;
        assert!(may());
        raw(&fixture, "UPDATE role_rule SET pattern = '#/#'");
        raw(&fixture, "INSERT INTO change (at, kind, tenant) VALUES (1, 'tenant', 'acme')");
        wait_until("the guest may do nothing", || !may());
        let said = "clients of tenant `acme` without a login may do nothing";
        wait_until("the broker says why", || fixture.our_lines().contains(said));
        raw(&fixture, "UPDATE role_rule SET pattern = 'acme/in'");
        raw(&fixture, "INSERT INTO change (at, kind, tenant) VALUES (1, 'tenant', 'acme')");
        wait_until("the guest may do what its role says", may);
    }
}

/// Changes the store behind everybody's back.
fn raw(fixture: &Fixture, sql: &str) {
    let connection = rusqlite::Connection::open(fixture.cli.store()).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    connection.execute_batch(sql).unwrap();
}

/// Has the change log name a credential.
fn name_in_the_log(fixture: &Fixture, username: &str) {
    raw(
        fixture,
        &format!(
            "INSERT INTO change (at, kind, number)
             SELECT 1, 'credential', id FROM credential WHERE name = '{username}'"
        ),
    );
}

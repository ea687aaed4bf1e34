//! What clients present where it does not belong, and how much of it is written.

use std::fs;

use countersign_tests::{ACCEPTED, Fixture, Login, REFUSED, on_every_broker, wait_until};

on_every_broker! {
    fn a_secret_that_is_presented_as_a_name_stands_nowhere_in_full(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev", "t1");
        let jwt = "eyJhbGciOiJFZERTQSIsImtpZCI6Ing.eyJzdWIiOiJ4In0.c2ln";
        for wrong in [
            login.secret.clone(),
            format!("{}x", login.secret),
            format!("\"{}\"", login.secret),
            format!("Bearer {jwt}"),
            "at_0123456789abcdef0123456789abcdef0".to_owned(),
            format!("{}{}", "n".repeat(80), "hidden-tail"),
        ] {
            let login = Login { username: wrong, secret: "x".into() };
            assert_eq!(fixture.code(&login), REFUSED);
        }
        wait_until("the refusals are in the audit", || {
            let rows = fixture.cli.json(&["audit", "list"]);
            let counts = rows.as_array().unwrap().iter();
            counts.filter(|row| row["act"] == "login").filter_map(|row| row["count"].as_i64()).sum::<i64>() >= 6
        });
        let audit = fixture.cli.run(&["audit", "list", "--json"]).stdout;
        let mut written = [audit.into_bytes(), fixture.our_lines().into_bytes()].concat();
        for suffix in ["", "-wal"] {
            written.extend(fs::read(format!("{}{suffix}", fixture.cli.store().display())).unwrap());
        }
        for hidden in [login.secret.as_str(), "eyJzdWIiOiJ4In0", "abcdef0123456789abcdef", "hidden-tail"] {
            let is_there = written.windows(hidden.len()).any(|bytes| bytes == hidden.as_bytes());
            assert!(!is_there, "{hidden}");
        }
    }

    fn a_flood_of_refusals_is_counted_in_the_audit_and_hardly_in_the_log(version) {
        let fixture = Fixture::start_with_tenant(version);
        for number in 0..150 {
            let login = Login { username: format!("VW-{number:06}"), secret: "x".into() };
            assert_eq!(fixture.code(&login), REFUSED);
        }
        let lines = fixture.our_lines().matches("refused ").count();
        assert!((100..=120).contains(&lines), "{lines}");
        wait_until("all are in the audit", || {
            let rows = fixture.cli.json(&["audit", "list"]);
            let counts = rows.as_array().unwrap().iter();
            counts.filter(|row| row["act"] == "login").filter_map(|row| row["count"].as_i64()).sum::<i64>() == 150
        });
    }

    fn users_are_refused_while_the_store_cannot_be_written(version) {
        let fixture = Fixture::start_with_tenant(version);
        let device = fixture.credential("dev", "t1");
        assert_eq!(fixture.code(&device), ACCEPTED);
        let user = fixture.user("jane@mail.test", "correct horse battery");
        fixture.grant(&user, "t1", &["--org-admin"]);
        wait_until("the user is admitted", || fixture.code(&user) == ACCEPTED);
        let lock = rusqlite::Connection::open(fixture.cli.store()).unwrap();
        lock.execute_batch("BEGIN IMMEDIATE").unwrap();
        // Right or wrong, for a failure could not be counted.
        assert_eq!(fixture.code(&user), REFUSED);
        assert_eq!(fixture.code(&user.with_secret("wrong password")), REFUSED);
        assert_eq!(fixture.code(&device), ACCEPTED);
        lock.execute_batch("ROLLBACK").unwrap();
        wait_until("the user is admitted again", || fixture.code(&user) == ACCEPTED);
    }
}

//! Passwords that are hashed in another way than they should be.

use super::*;

#[test]
fn a_password_hashed_in_an_older_way_is_hashed_anew_and_works_on() {
    for may_wait in [true, false] {
        let mut fixture = Fixture::new();
        let argon2 = Argon2Params::parse("m=16,t=1,p=1").unwrap();
        let changes = SettingsChanges {
            argon2: Some(argon2),
            ..SettingsChanges::default()
        };
        fixture.run(&SetSettings(changes)).unwrap();
        fixture.settle();
        let _outcome = fixture.connect(Try { may_wait, ..TRY });
        fixture.settle();
        let is_new = |fixture: &mut Fixture| {
            let stored = fixture.admin.credential(&name(DEV1)).unwrap().unwrap();
            stored.secrets.iter().any(|secret| match &secret.verifier {
                Verifier::Password(hash) => hash.params() == Some(argon2),
                Verifier::Digest(_) => false,
            })
        };
        assert!(is_new(&mut fixture), "may wait: {may_wait}");
        assert!(is_admitted(&fixture.connect(Try {
            handle: 5,
            client_id: "b",
            ..TRY
        })));
    }
}

#[test]
fn a_password_hashed_by_another_system_logs_in_and_is_hashed_anew() {
    let hashes = [
        "$6$AAECAwQFBgcICQoL$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/1QZ0zZg==",
        "$7$101$AAECAwQFBgcICQoL$lp0Cm29zl+CI/RXyXDKvLye7OxM3OuE6RMzgXTX/f3imS/pFh2Ur7yarLDpKRUKpB0tOj6l0UrRv41zqxmD4tg==",
        "$2b$04$yqWUBx7YURUDfruAjr7kzuignOPQ3ea7eQqsdNiz.7RvgQUCyKwbC",
        "PBKDF2$sha256$901$AAECAwQFBgcICQoLDA0ODw==$ymdDZXoI8tCsExlIKSaCej1C7y62NICz",
    ];
    for (hash, may_wait) in hashes.into_iter().zip([true, false, true, false]) {
        let mut fixture = Fixture::new();
        let secret = fixture.take_over(&name(DEV1), hash);
        let right = Try {
            password: "correct horse",
            may_wait,
            ..TRY
        };
        let outcome = fixture.connect(right);
        assert!(may_wait || is_admitted(&outcome), "{hash}");
        fixture.settle();
        let is_new = |fixture: &mut Fixture| {
            let stored = fixture.admin.credential(&name(DEV1)).unwrap().unwrap();
            let mut secrets = stored.secrets.iter().filter(|stored| stored.id == secret);
            secrets.any(|stored| match &stored.verifier {
                Verifier::Password(hash) => hash.params().is_some(),
                Verifier::Digest(_) => false,
            })
        };
        assert!(is_new(&mut fixture), "{hash}");
        for (password, is_right) in [("correct horse", true), ("correct hors", false)] {
            let again = Try {
                handle: 5,
                client_id: "b",
                password,
                may_wait: false,
                ..TRY
            };
            assert_eq!(is_admitted(&fixture.connect(again)), is_right, "{hash}");
        }
    }
}

#[test]
fn a_password_hashed_by_another_system_stays_so_where_the_settings_say_that() {
    let hash = "$6$AAECAwQFBgcICQoL$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/1QZ0zZg==";
    let mut fixture = Fixture::new();
    let rehash = Some(false);
    let off = SettingsChanges {
        rehash,
        ..SettingsChanges::default()
    };
    fixture.run(&SetSettings(off)).unwrap();
    let secret = fixture.take_over(&name(DEV1), hash);
    for handle in [1, 2] {
        let login = Try {
            handle,
            password: "correct horse",
            may_wait: false,
            ..TRY
        };
        assert!(is_admitted(&fixture.connect(login)));
        fixture.settle();
        let stored = fixture.admin.credential(&name(DEV1)).unwrap().unwrap();
        let mut secrets = stored.secrets.iter();
        let kept = secrets.find(|stored| stored.id == secret).unwrap();
        let Verifier::Password(kept) = &kept.verifier else {
            panic!("a digest");
        };
        assert_eq!(kept.as_str(), hash);
    }
}

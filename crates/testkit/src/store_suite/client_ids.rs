//! Which client ids a credential is bound to, and which tenant a prefix has.

use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::connect::{LoginRecord, SessionChange};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::lifecycle::State;
use countersign_core::ownership::{Holder, Kept};
use countersign_core::presence::{PresenceEvent, SessionEnd, SessionNumber};
use countersign_core::secret::SecretDigest;
use countersign_core::store::{AdminStore, GateStore, LoginEffects, Recorded, Settings};
use countersign_core::tenant::Tenant;

use super::ownership::*;
use super::{
    acts, add, at, client_id, commit, credential, digest, first_use, found, observe, proved, tenant,
};

/// A token alone says whose it is.
pub fn a_secret_finds_its_credential(mut store: impl GateStore + AdminStore) {
    let (one, old) = add(&mut store, &credential("dev1@acme"), 1);
    let (other, _) = add(&mut store, &credential("dev2@acme"), 2);
    commit(&mut store, &[], |transaction| {
        transaction.add_secret(one, &digest(3))
    });
    let mut owner = |byte| {
        let digest = SecretDigest::from_bytes([byte; 32]);
        let found = store.credential_by_digest(&digest).unwrap();
        found.map(|credential| (credential.id, credential.secrets.len()))
    };
    assert_eq!(owner(1), Some((one, 2)));
    assert_eq!(owner(2), Some((other, 1)));
    assert_eq!(owner(3), Some((one, 2)));
    assert_eq!(owner(4), None);
    commit(&mut store, &[], |transaction| {
        transaction.remove_secret(old)
    });
    let gone = SecretDigest::from_bytes([1; 32]);
    assert!(store.credential_by_digest(&gone).unwrap().is_none());
}

/// A binding comes and goes with the rule, the tie, and the credential.
pub fn a_client_id_is_bound_by_a_rule_or_by_first_use(mut store: impl GateStore + AdminStore) {
    let (id, secret) = add(&mut store, &ruled("dev1@acme", "exact:x"), 1);
    let name = client_id("dev1@acme");
    assert_eq!(store.bound_to(&client_id("x").tie()).unwrap(), Some(id));
    assert_eq!(store.bound_to(&name.tie()).unwrap(), None);
    for (rule, is_bound) in [
        ("same-as-username", "dev1@acme"),
        ("exact:y", "y"),
        ("prefix:y", ""),
        ("any", ""),
        ("first-use", ""),
    ] {
        let stored = found(&mut store, "dev1@acme");
        let changed = Credential {
            client_id_rule: ClientIdRule::parse(rule).unwrap(),
            // The name does not count: it never changes.
            name: super::login_name("y"),
            ..stored
        };
        commit(&mut store, &[], |transaction| {
            transaction.update_credential(&changed)
        });
        for text in ["x", "y", "dev1@acme"] {
            let expected = (text == is_bound).then_some(id);
            let found = store.bound_to(&client_id(text).tie()).unwrap();
            assert_eq!(found, expected, "{rule}: {text}");
        }
        let expected = ClientId::parse(is_bound).ok().map(|bound| bound.tie());
        assert_eq!(store.client_id_of(id).unwrap(), expected, "{rule}");
    }
    assert_eq!(store.client_id_of(CredentialId(4_711)).unwrap(), None);

    let seen = found(&mut store, "dev1@acme");
    let z = client_id("z");
    let tied = store.record_login(&first_use(&seen, secret, &z), at(5));
    assert_eq!(tied.unwrap(), Recorded::Done);
    assert_eq!(store.bound_to(&z.tie()).unwrap(), Some(id));
    let tied = found(&mut store, "dev1@acme");
    for (state, tie, expected) in [
        (State::Suspended, tied.client_id_tie, Some(id)),
        (State::Active, None, None),
        (State::Active, tied.client_id_tie, Some(id)),
        (State::Revoked, tied.client_id_tie, None),
    ] {
        let changed = Credential {
            state,
            client_id_tie: tie,
            ..tied.clone()
        };
        commit(&mut store, &[], |transaction| {
            transaction.update_credential(&changed)
        });
        assert_eq!(store.bound_to(&z.tie()).unwrap(), expected, "{state}");
    }
    let (next, _) = add(&mut store, &ruled("dev2@acme", "exact:z"), 2);
    assert_eq!(store.bound_to(&z.tie()).unwrap(), Some(next));
    commit(&mut store, &[], |transaction| {
        transaction.delete_credential(next)
    });
    assert_eq!(store.bound_to(&z.tie()).unwrap(), None);
}

/// Of two clients that race for an id, the first has it, whoever they are.
pub fn a_client_id_that_somebody_else_got_meanwhile_makes_a_login_outdated(
    mut store: impl GateStore + AdminStore,
) {
    let (_, first_secret) = add(&mut store, &ruled("dev1@acme", "first-use"), 1);
    let (_, second_secret) = add(&mut store, &ruled("dev2@acme", "first-use"), 2);
    let (first, second) = (
        found(&mut store, "dev1@acme"),
        found(&mut store, "dev2@acme"),
    );
    let (x, y) = (client_id("x"), client_id("y"));
    let mut other = store.reopen().unwrap();
    let tied = store.record_login(&first_use(&first, first_secret, &x), at(5));
    assert_eq!(tied.unwrap(), Recorded::Done);
    let late = other.record_login(&first_use(&second, second_secret, &x), at(5));
    assert_eq!(late.unwrap(), Recorded::Outdated);
    assert_eq!(found(&mut other, "dev2@acme").client_id_tie, None);

    let first = found(&mut store, "dev1@acme");
    let taken = store.record_login(&taking(proved(&first, first_secret, &y)), at(5));
    assert_eq!(taken.unwrap(), Recorded::Done);
    let held = session(&mut store, "y");
    let hold = Settings::default().client_id_hold;
    let late = taking(proved(&second, second_secret, &y));
    let dropping = LoginEffects {
        record: LoginRecord {
            session: SessionChange::Dropped,
            ..LoginRecord::default()
        },
        ..late
    };
    let nobody = unauthenticated(taking(late));
    let last_moment = at(4).plus(hold);
    for login in [late, dropping, nobody] {
        let recorded = other.record_login(&login, last_moment).unwrap();
        assert_eq!(recorded, Recorded::Outdated);
        assert_eq!(session(&mut store, "y"), held);
    }
    let recorded = other.record_login(&late, at(5).plus(hold)).unwrap();
    assert_eq!(recorded, Recorded::Done);
    let holder = session(&mut store, "y").unwrap().holder;
    assert_eq!(holder, Holder::Credential(second.id));
    let expected = ["credential.activate", "credential.tie"];
    assert_eq!(acts(&mut store), expected);
}

/// The end of a session is written a moment after it; a login that came meanwhile
/// has a session of its own.
pub fn the_end_of_a_session_says_nothing_of_a_later_one(mut store: impl GateStore + AdminStore) {
    let (id, secret) = add(&mut store, &ruled("dev1@acme", "any"), 1);
    let seen = found(&mut store, "dev1@acme");
    let (x, y) = (client_id("x"), client_id("y"));
    let proved = taking(proved(&seen, secret, &x));
    let unproved = unauthenticated(LoginEffects {
        client_id: &y,
        ..proved
    });
    for (began, recorded, ended, is_kept) in [
        (1, 5, 4, true),
        (1, 5, 5, true),
        (1, 5, 6, false),
        // Its own, which lasted less than a millisecond.
        (7, 7, 7, false),
    ] {
        for (login, credential) in [(proved, Some(id)), (unproved, None)] {
            let done = store.record_login(&login, at(recorded)).unwrap();
            assert_eq!(done, Recorded::Done);
            let departure = SessionEnd {
                session: SessionNumber(1),
                tie: login.client_id.tie(),
                credential,
                began: at(began),
                at: at(ended),
                is_kept: Some(false),
            };
            observe(
                &mut store,
                "b1",
                vec![PresenceEvent::Disconnected(departure)],
            );
            let left = session(&mut store, login.client_id.as_str());
            let is_left = left.is_some_and(|left| left.kept == Kept::Own);
            assert_eq!(
                is_left, is_kept,
                "{began} {recorded} {ended}: {credential:?}"
            );
        }
    }
}

/// A prefix covers what begins with it and nothing that sorts beside it.
pub fn a_prefix_finds_its_tenant_and_no_namesake(mut store: impl GateStore + AdminStore) {
    for (id, prefix) in [
        ("a", Some("acme-")),
        ("b", Some("b")),
        ("c", Some("acme.")),
        ("d", None),
        ("e", Some("ü")),
        ("f", Some("\u{10ffff}")),
    ] {
        let made = Tenant {
            client_id_prefix: prefix.map(client_id),
            ..tenant(id)
        };
        commit(&mut store, &[], |transaction| transaction.put_tenant(&made));
    }
    let mut owner = |text: &str| {
        let found = store.tenant_by_client_id(&client_id(text)).unwrap();
        found.map(|id| id.to_string()).unwrap_or_default()
    };
    for (text, expected) in [
        ("acme-", "a"),
        ("acme-1", "a"),
        ("acme-\u{10ffff}", "a"),
        ("acme", ""),
        ("acme,", ""),
        ("acme.x", "c"),
        ("acme/", ""),
        ("acmf", ""),
        ("Acme-1", ""),
        ("a", ""),
        ("!", ""),
        ("b", "b"),
        ("bé", "b"),
        ("c", ""),
        ("ü", "e"),
        ("u\u{308}", ""),
        ("\u{10ffff}\u{10ffff}", "f"),
    ] {
        assert_eq!(owner(text), expected, "{text}");
    }
    let moved = Tenant {
        client_id_prefix: None,
        ..tenant("a")
    };
    commit(&mut store, &[], |transaction| {
        transaction.put_tenant(&moved)
    });
    let found = store.tenant_by_client_id(&client_id("acme-1")).unwrap();
    assert_eq!(found, None);
}

//! Clients that register themselves at the broker of a follower.

use countersign_core::auto_registration::{AutoRegistration, KeyPattern};
use countersign_core::certificate::AuthorityId;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::hand_back::{HandBack, HandedAct, Maker};
use countersign_core::kind::{Application, Kind};
use countersign_core::ledger::FollowerLedger as _;
use countersign_core::lifecycle::State;
use countersign_core::reason::Reason;
use countersign_core::registrar::Registrar;
use countersign_core::store::{AdminStore, GateStore};

use super::hand_back::{NOW, follow, hand_back, handed, secret};
use super::principals::{application, make_application};
use super::registrations::registrars;
use super::{add, audit, commit, credential, found, login_name, role_name, tenant, tenant_id};

/// A thing and devices are made that nobody made, once, under the follower's name.
pub fn whom_a_follower_asks_for_is_made_as_at_one_broker(mut store: impl GateStore + AdminStore) {
    let (app, token) = make_application(&mut store, registers(3), 1);
    let makers = registrars(&mut store, 10).map(Maker::from);
    follow(&mut store, Some(&["acme"]));
    let asks = handed(&[
        ask(Maker::Application(app.0), "pump-1"),
        ask(makers[0], "dev1@acme"),
        ask(makers[1], "dev2@acme"),
    ]);
    // Whether or not the first answer arrived.
    for _ in 0..2 {
        let judged = hand_back(&mut store, &asks);
        assert_eq!((judged.refused, judged.answer.undone), (0, vec![]));
        let thing = found(&mut store, "pump-1");
        assert_eq!(thing.parent(), Some(app));
        assert_eq!(thing.secrets[0].id, token);
        for name in ["dev1@acme", "dev2@acme"] {
            let device = found(&mut store, name);
            assert!(matches!(device.kind, Kind::Device) && device.secrets.is_empty());
            assert_eq!(device.roles, [role_name("ops")]);
        }
    }
    // As another file of the same follower asks.
    let again = HandBack { stamp: 8, ..asks };
    assert_eq!(hand_back(&mut store, &again).refused, 0);
    let made = audit(&mut store).into_iter();
    let made = made.filter(|it| it.actor == "broker:edge");
    let made: Vec<_> = made.map(|it| it.act).collect();
    assert_eq!(
        made,
        ["thing.create", "credential.create", "credential.create"]
    );
}

/// Whoever has taken a follower's machine over has nobody else made.
pub fn a_follower_has_nobody_made_who_would_not_be_made_at_one_broker(
    mut store: impl GateStore + AdminStore,
) {
    let (app, _) = make_application(&mut store, registers(1), 1);
    let [authority, _] = registrars(&mut store, 0).map(Maker::from);
    commit(&mut store, &[], |transaction| {
        transaction.put_tenant(&tenant("other"))
    });
    let theirs = Credential {
        tenant: Some(tenant_id("other")),
        ..application("application:fleet@other", registers(9))
    };
    let (theirs, _) = add(&mut store, &theirs, 2);
    let makes_none = application("application:none@acme", Application::default());
    let (makes_none, _) = add(&mut store, &makes_none, 3);
    let stopped = Credential {
        state: State::Suspended,
        ..application("application:stopped@acme", registers(9))
    };
    let (stopped, _) = add(&mut store, &stopped, 4);
    let (device, _) = add(&mut store, &credential("dev1@acme"), 5);
    add(&mut store, &credential("pump-taken"), 6);
    follow(&mut store, Some(&["acme"]));
    let of = |id: CredentialId| Maker::Application(id.0);
    let forged = [
        // Whom others make, and who makes nobody.
        (of(theirs), "pump-1", Reason::OtherTenant),
        (of(makes_none), "pump-1", Reason::UnknownName),
        (of(stopped), "pump-1", Reason::Suspended),
        (of(device), "pump-1", Reason::UnknownName),
        (Maker::Application(999), "pump-1", Reason::UnknownName),
        (
            Maker::from(Registrar::Authority(AuthorityId(999))),
            "dev9@acme",
            Reason::UnknownName,
        ),
        // Who is called as nobody may be, or as somebody is.
        (of(app), "fan-1", Reason::UnknownName),
        (of(app), "pump 1", Reason::Malformed),
        (of(app), "jwt:pump", Reason::Malformed),
        (of(app), "", Reason::Malformed),
        (of(app), "pump-taken", Reason::BadSecret),
        (authority, "dev9@other", Reason::Malformed),
        (authority, "a/b@acme", Reason::Malformed),
        // As many as there may be.
        (authority, "dev9@acme", Reason::OverLimit),
    ];
    let items: Vec<_> = forged.iter().map(|(by, name, _)| ask(*by, name)).collect();
    let judged = hand_back(&mut store, &handed(&items));
    assert_eq!(judged.refused, forged.len() as u64);
    assert_eq!(judged.answer.undone.len(), forged.len());
    let causes: Vec<_> = audit(&mut store).iter().filter_map(|it| it.cause).collect();
    assert_eq!(causes, forged.map(|(_, _, cause)| cause));
    for name in ["pump-1", "fan-1", "dev9@acme", "dev9@other"] {
        assert!(store.credential(&login_name(name)).unwrap().is_none());
    }
    // As fast as one broker would, and not faster.
    let many = registers(99);
    let many = application("application:many@acme", many);
    let (many, _) = add(&mut store, &many, 7);
    let items: Vec<_> = (0..12)
        .map(|number| ask(of(many), &format!("pump-x{number}")))
        .collect();
    let asks = HandBack {
        stamp: 9,
        ..handed(&items)
    };
    let judged = store.take_hand_back(&secret(), &asks, &mut || None, NOW);
    let judged = judged.unwrap().unwrap();
    assert_eq!((judged.refused, judged.answer.undone), (2, vec![11, 12]));
}

fn ask(by: Maker, name: &str) -> (i64, HandedAct) {
    let name = name.into();
    (5, HandedAct::Register { by, name })
}

/// Makes so many things called `pump-…`.
fn registers(max: u32) -> Application {
    Application {
        registers: Some(AutoRegistration {
            max,
            pattern: KeyPattern::parse("pump-*").unwrap(),
            ..AutoRegistration::default()
        }),
        ..Application::default()
    }
}

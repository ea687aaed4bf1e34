//! Who is connected at the brokers of followers, and requests to end such sessions.

use countersign_core::change::KickRequestId;
use countersign_core::client_id::{ClientId, ClientIdTie};
use countersign_core::hand_back::{HandBack, HandedAct, HandedItem};
use countersign_core::ledger::{FollowerLedger as _, JudgedSessions};
use countersign_core::name::TenantId;
use countersign_core::presence::{Presence, PresenceEvent, SessionNumber};
use countersign_core::store::rows::heard_since;
use countersign_core::store::{AdminStore, Batch, BrokerPresence, GateStore, KickTarget, all_rows};
use countersign_core::time::Timestamp;
use countersign_core::told_sessions::{GoneSession, ToldSession, ToldSessions};

use super::followers::{follower, name};
use super::{add, at, audit, commit, credential, entry, look, tenant, tenant_id};

/// What a follower says of who is connected is listed under its name, until it says more
/// or is deleted, and decides nothing.
pub fn sessions_of_followers_are_listed_and_decide_nothing(mut store: impl GateStore + AdminStore) {
    let (id, _) = add(&mut store, &credential("dev1@acme"), 1);
    commit(&mut store, &[], |transaction| {
        transaction.put_follower(&follower("east"))?;
        transaction.put_follower(&follower("west"))
    });
    let proved = Presence {
        credential: Some(id),
        tenant: Some(tenant_id("acme")),
        ..session(1, "c1")
    };
    let own = Batch {
        observations: vec![PresenceEvent::Connected(session(1, "own"))],
        ..Batch::default()
    };
    store.write_batch("b", &own).unwrap();
    let told = [proved.clone(), session(2, "c2")];
    assert_eq!(tell(&mut store, "east", 0, &told).refused, 0);
    tell(&mut store, "west", 0, &[session(1, "c2")]);
    assert_eq!(
        called(&listed(&mut store)),
        ["b:1 own", "east:1 c1", "east:2 c2", "west:1 c2"]
    );
    let tie = ClientId::parse("c1").unwrap().tie();
    look(&mut store, |transaction| {
        let known = transaction.presence_of_credential(id)?;
        assert_eq!(known.len(), 1);
        // The name is what the centre knows.
        assert_eq!(known[0].presence.username.as_deref(), Some("dev1@acme"));
        assert_eq!(transaction.presence_with(&tie)?.len(), 1);
        assert_eq!(transaction.count_presence(None)?, 0);
        assert!(!known[0].is_connected(at(0)), "nobody heard of it");
        Ok(())
    });
    commit(&mut store, &[], |transaction| {
        assert!(!transaction.is_connected(&tie)?);
        let progress = countersign_core::follower::FollowerProgress {
            position: None,
            at: at(1_000),
            schema: None,
            waiting: None,
        };
        transaction.note_follower(&name("east"), progress)
    });
    look(&mut store, |transaction| {
        for (now, count, of_acme) in [(61_000, 2, 1), (61_001, 0, 0)] {
            let since = heard_since(at(now));
            let acme = tenant_id("acme");
            let counted = [None, Some(&acme)].map(|tenant: Option<&TenantId>| {
                transaction.count_presence_of_followers(tenant, since)
            });
            let counted: Result<Vec<_>, _> = counted.into_iter().collect();
            assert_eq!(counted?, [count, of_acme], "{now}");
            let known = transaction.presence_of("east", SessionNumber(1))?.unwrap();
            assert_eq!(known.is_connected(at(now)), count > 0);
        }
        Ok(())
    });
    // What goes is told, and a telling begins without what there was.
    let gone = ToldSessions {
        gone: vec![gone(1), gone(9)],
        ..part(1, &[])
    };
    take(&mut store, "east", &gone);
    assert_eq!(
        called(&listed(&mut store)),
        ["b:1 own", "east:2 c2", "west:1 c2"]
    );
    tell(&mut store, "east", 0, &[session(5, "c5")]);
    // No follower speaks of another one's, or of the centre's own.
    store.clear_presence("east", at(2)).unwrap();
    tell(&mut store, "west", 1, &[]);
    assert_eq!(
        called(&listed(&mut store)),
        ["b:1 own", "east:5 c5", "west:1 c2"]
    );
    commit(&mut store, &[], |transaction| {
        assert!(transaction.remove_follower(&name("west"))?);
        assert_eq!(transaction.count_presence_behind(&name("east"))?, 1);
        Ok(())
    });
    assert_eq!(called(&listed(&mut store)), ["b:1 own", "east:5 c5"]);
}

/// Where a follower has several brokers, or the centre has one that is called as the
/// follower, sessions are called by both names.
pub fn a_broker_of_a_follower_is_never_taken_for_another(mut store: impl GateStore + AdminStore) {
    commit(&mut store, &[], |transaction| {
        transaction.put_follower(&follower("east"))?;
        transaction.put_broker(&countersign_core::broker::BrokerRecord {
            name: "west".into(),
            host: None,
            version: None,
            plugin_version: None,
            since: None,
            last_seen: at(1),
            options: None,
        })?;
        transaction.put_follower(&follower("west"))
    });
    let two = ToldSessions {
        is_only: false,
        ..part(0, &[session(1, "c1")])
    };
    take(&mut store, "east", &two);
    tell(&mut store, "west", 0, &[session(1, "c2")]);
    assert_eq!(
        called(&listed(&mut store)),
        ["east:there:1 c1", "west:there:1 c2"]
    );
}

/// A follower says nothing of tenants and credentials that it is not told of, and nothing
/// that can't be; each is refused by itself.
pub fn sessions_that_a_follower_can_not_have_are_refused(mut store: impl GateStore + AdminStore) {
    let (ours, _) = add(&mut store, &credential("dev1@acme"), 1);
    let (theirs, _) = add(&mut store, &credential("dev1@other"), 2);
    commit(&mut store, &[], |transaction| {
        transaction.put_tenant(&tenant("acme"))?;
        transaction.put_tenant(&tenant("other"))?;
        transaction.put_follower(&countersign_core::follower::Follower {
            tenants: Some(vec![tenant_id("acme")]),
            ..follower("east")
        })
    });
    let of = |credential, tenant: Option<&str>| Presence {
        credential,
        tenant: tenant.map(tenant_id),
        ..session(1, "c")
    };
    let refused = [
        of(Some(theirs), Some("other")),
        of(Some(theirs), None),
        of(Some(theirs), Some("acme")),
        of(Some(ours), Some("other")),
        of(Some(ours), None),
        of(None, Some("other")),
        of(
            Some(countersign_core::credential::CredentialId(99)),
            Some("acme"),
        ),
        Presence {
            connected_at: at(400_000),
            ..session(1, "c")
        },
        Presence {
            protocol: 9,
            ..session(1, "c")
        },
    ];
    assert_eq!(tell(&mut store, "east", 0, &refused).refused, 9);
    assert!(listed(&mut store).is_empty());
    let written = audit(&mut store);
    let mut written = written.iter().filter(|it| it.act == "follower.hand-back");
    assert!(written.clone().count() == 9);
    assert!(written.all(|it| it.after.as_deref() == Some(r#"{"what":"session"}"#)));
    let good = [of(Some(ours), Some("acme")), session(2, "x")];
    assert_eq!(tell(&mut store, "east", 1, &good).refused, 0);
    let stranger = follower("stranger").digest;
    let taken = store.take_sessions(&stranger, &part(0, &[]), &mut || Some(0), NOW);
    assert_eq!(taken.unwrap(), None);
}

/// Who was asked may say that it ended a session; the audit says who asked.
pub fn a_follower_answers_what_it_was_asked_to_end(mut store: impl GateStore + AdminStore) {
    let target = |follower: &str| KickTarget::Behind {
        follower: name(follower),
        broker: None,
        session: SessionNumber(1),
    };
    let [its, anothers, own, of_all] = commit(&mut store, &[], |transaction| {
        transaction.put_follower(&follower("east"))?;
        transaction.put_follower(&follower("west"))?;
        let own = KickTarget::Session {
            broker: "b".into(),
            session: SessionNumber(1),
        };
        let of_all = KickTarget::ClientId(ClientIdTie::of("c"));
        let targets = [target("east"), target("west"), own, of_all];
        let mut ids = [KickRequestId(0); 4];
        for (id, target) in ids.iter_mut().zip(&targets) {
            *id = transaction.request_kick(target, &entry(1, "client.kick", "c"))?;
            assert_eq!(transaction.kick_target(*id)?.as_ref(), Some(target));
        }
        Ok(ids)
    });
    // Brokers of this store are asked for none that is behind a follower.
    for id in [its, anothers] {
        assert_eq!(store.kick_request(id).unwrap(), None);
    }
    assert!(store.kick_request(of_all).unwrap().is_some());
    let said = [its, anothers, own, of_all, its, KickRequestId(99)];
    let items = said.iter().zip(1..).map(|(id, seq)| HandedItem {
        seq,
        at: 5,
        what: HandedAct::Kicked { request: id.0 },
    });
    let handed = HandBack {
        schema: 0,
        stamp: 1,
        items: items.collect(),
    };
    let east = follower("east").digest;
    let judged = store.take_hand_back(&east, &handed, &mut || Some(0), NOW);
    assert_eq!(judged.unwrap().unwrap().refused, 3);
    look(&mut store, |transaction| {
        let answered = [its, anothers, own, of_all].map(|id| transaction.is_kick_answered(id));
        let answered: Result<Vec<_>, _> = answered.into_iter().collect();
        assert_eq!(answered?, [true, false, false, true]);
        Ok(())
    });
    let acts = audit(&mut store);
    let kicks = acts.iter().filter(|it| it.act == "client.kick").count();
    assert_eq!(kicks, 2, "once each");
}

fn session(number: i64, client_id: &str) -> Presence {
    Presence {
        session: SessionNumber(number),
        client_id: client_id.into(),
        tie: ClientId::parse(client_id).unwrap().tie(),
        username: None,
        credential: None,
        tenant: None,
        address: Some("192.0.2.1".into()),
        protocol: 5,
        connected_at: at(1),
        authenticated: false,
        listener: None,
        stored: false,
    }
}

fn gone(session: i64) -> GoneSession {
    GoneSession {
        broker: "there".into(),
        session,
    }
}

fn part(part: u64, here: &[Presence]) -> ToldSessions {
    ToldSessions {
        schema: 0,
        telling: 1,
        part,
        is_only: true,
        here: here.iter().map(|it| ToldSession::of("there", it)).collect(),
        gone: Vec::new(),
    }
}

fn tell(store: &mut impl GateStore, name: &str, number: u64, here: &[Presence]) -> JudgedSessions {
    take(store, name, &part(number, here))
}

fn take(store: &mut impl GateStore, name: &str, told: &ToldSessions) -> JudgedSessions {
    let taken = store.take_sessions(&follower(name).digest, told, &mut || Some(0), NOW);
    let judged = taken.unwrap().unwrap();
    assert_eq!(judged.answer.left_out, 0);
    judged
}

fn listed(store: &mut impl AdminStore) -> Vec<BrokerPresence> {
    look(store, |transaction| {
        all_rows(|page| transaction.presence(None, page))
    })
}

fn called(sessions: &[BrokerPresence]) -> Vec<String> {
    let called = sessions.iter().map(|it| {
        let presence = &it.presence;
        format!(
            "{}:{} {}",
            it.broker, presence.session.0, presence.client_id
        )
    });
    called.collect()
}

const NOW: Timestamp = Timestamp::from_millis(1_000);

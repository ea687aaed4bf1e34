//! What an administrator of a tenant is told, and not told, of other tenants.

use countersign_core::audit::RefusedAct;
use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::ledger::Ledger as _;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::presence::{Presence, PresenceEvent, SessionNumber};
use countersign_core::reason::Reason;
use countersign_core::store::{
    AuditQuery, Batch, CredentialQuery, GateStore as _, KickTarget, Page, Refusal,
};
use countersign_core::user::GrantedRight;

use super::{Authority, Caller, Permission};
use crate::audit::{FindAuditRow, ListAudit};
use crate::clients::{IsKicked, RequestKick, WithdrawKick};
use crate::command::{Command, Tx, run};
use crate::context::{Context, RandomError, RandomSource};
use crate::credential::{CreateCredential, ListCredentials, NewCredential};
use crate::error::{AdminError, ErrorKind, Noun};
use crate::fixture::{Fixture, JANE, new_credential, new_tenant, scheme_name, tenant_id};
use crate::tenant::{CreateTenant, ListTenants, NewTenant};
use crate::thing::ListThings;

/// Randomness that is the same each time.
struct Zeros;

impl RandomSource for Zeros {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RandomError> {
        buffer.fill(0);
        Ok(())
    }
}

fn impact(tenant: TenantId, name: &str) -> NewCredential {
    NewCredential {
        scheme: scheme_name("impact"),
        ..NewCredential::new(tenant, name)
    }
}

/// What making a credential is refused with: to the owner of the store, and to an
/// administrator of the tenant.
fn refusals(fixture: &mut Fixture, new: impl Fn() -> NewCredential) -> [String; 2] {
    let jane = fixture.session_of(JANE);
    [Authority::Platform, jane].map(|authority| {
        let refused = without_chance(fixture, authority, new());
        refused.unwrap_err().to_string()
    })
}

/// Makes a credential with randomness that is the same each time.
fn without_chance(
    fixture: &mut Fixture,
    authority: Authority,
    new: NewCredential,
) -> Result<(), AdminError> {
    let mut context = Context {
        now: fixture.now,
        caller: Caller {
            actor: "tester",
            authority,
        },
        random: &mut Zeros,
    };
    run(&mut fixture.store, &mut context, &CreateCredential(new)).map(drop)
}

#[test]
fn a_refusal_names_to_an_administrator_nothing_of_another_tenant() {
    let mut fixture = Fixture::with_admin();
    let other = NewTenant {
        client_id_prefix: Some(ClientId::parse("oth-").unwrap()),
        ..new_tenant("other", &["other/#", "vwire/VW-ABC123/x"])
    };
    fixture.run(&CreateTenant(other)).unwrap();
    let of_prefix = refusals(&mut fixture, || NewCredential {
        client_id_rule: Some(ClientIdRule::Exact(ClientId::parse("oth-1").unwrap())),
        ..new_credential("pump")
    });
    assert_eq!(
        of_prefix,
        [
            "client id `oth-1` begins with `oth-`, which belongs to tenant `other`",
            "client id `oth-1` begins with the prefix of another tenant",
        ]
    );
    let of_scheme = refusals(&mut fixture, || NewCredential {
        scheme: scheme_name("vwire"),
        name: None,
        ..new_credential("")
    });
    let [owner, jane] = of_scheme
        .each_ref()
        .map(|it| it.contains("vwire/VW-ABC123/x"));
    assert!(owner && !jane, "{of_scheme:?}");
    let [owner, jane] = of_scheme.each_ref().map(|it| it.contains("`other`"));
    assert!(owner && !jane, "{of_scheme:?}");

    fixture.tenant("third", &[]).unwrap();
    let taken = impact(tenant_id("third"), "SECRETNAME");
    without_chance(&mut fixture, Authority::Platform, taken).unwrap();
    let of_attribute = refusals(&mut fixture, || impact(tenant_id("acme"), "PUMP2"));
    let [owner, jane] = of_attribute.each_ref().map(|it| it.contains("SECRETNAME"));
    assert!(owner && !jane, "{of_attribute:?}");
}

#[test]
fn a_list_tells_the_schemes_of_what_it_lists_alone() {
    let mut fixture = Fixture::with_admin();
    let jane = fixture.session_of(JANE);
    let list = ListCredentials {
        query: CredentialQuery {
            tenant: Some(tenant_id("acme")),
            ..CredentialQuery::default()
        },
        ..ListCredentials::default()
    };
    let page = fixture.run_by(jane, &list).unwrap();
    let schemes: Vec<_> = page.schemes.iter().map(|it| it.name().as_str()).collect();
    assert_eq!(schemes, ["basic"]);
}

#[test]
fn an_application_without_its_tenant_is_not_all_applications() {
    let mut fixture = Fixture::with_admin();
    let list = ListThings {
        application: Some(crate::fixture::application_name("fleet")),
        ..ListThings::default()
    };
    let error: AdminError = fixture.run(&list).unwrap_err();
    assert!(error.is(ErrorKind::Invalid, Noun::Application), "{error}");
}

#[test]
fn who_administers_nothing_of_a_tenant_is_not_taken_for_one_without_a_limit() {
    /// Asks for the limit in another tenant than the one that it needs.
    struct LimitElsewhere;

    impl Command for LimitElsewhere {
        type Output = Option<GroupPath>;

        fn needs(&self) -> Permission {
            Permission::See(tenant_id("acme"))
        }

        fn apply(&self, tx: &mut Tx<'_>) -> Result<Option<GroupPath>, AdminError> {
            let (authority, now) = (tx.caller.authority, tx.now);
            authority.limit_in(&tenant_id("other"), tx, now)
        }
    }

    let mut fixture = Fixture::with_admin();
    fixture.tenant("other", &[]).unwrap();
    let jane = fixture.session_of(JANE);
    let error = fixture.run_by(jane, &LimitElsewhere).unwrap_err();
    assert!(error.is(ErrorKind::NotFound, Noun::Tenant), "{error}");
}

#[test]
fn a_name_with_the_suffix_of_another_tenant_tells_not_that_there_is_one() {
    let mut fixture = Fixture::with_admin();
    fixture.tenant("other", &[]).unwrap();
    let jane = fixture.session_of(JANE);
    let refused = fixture.run(&CreateCredential(new_credential("x@other")));
    assert!(refused.err().unwrap().to_string().contains("`other`"));
    for (given, made) in [("x@other", "x@other@acme"), ("x@none", "x@none@acme")] {
        let created = fixture.run_by(jane, &CreateCredential(new_credential(given)));
        let name = created.ok().unwrap().described.credential.name;
        assert_eq!(name.as_str(), made);
    }
}

#[test]
fn the_audit_of_a_tenant_says_nothing_of_others() {
    let mut fixture = Fixture::with_admin();
    fixture.tenant("other", &[]).unwrap();
    fixture.user("ann@mail.test");
    let admin = GrantedRight::OrgAdmin;
    fixture
        .grant("ann@mail.test", "other", admin.clone())
        .unwrap();
    fixture.grant("ann@mail.test", "acme", admin).unwrap();
    for held_by in ["dev1@acme", "spy@other"] {
        let refusal = Refusal {
            minute: fixture.now,
            act: RefusedAct::Login,
            subject: "dev1@acme".into(),
            address: None,
            client_id: Some(held_by.into()),
            topic: None,
            cause: Reason::ClientIdOwned,
            about: Some(format!(r#"{{"held_by":"{held_by}","held_since":null}}"#)),
            count: 1,
        };
        let batch = Batch {
            refusals: vec![refusal],
            ..Batch::default()
        };
        fixture.store.write_batch("b", &batch).unwrap();
    }
    let of_acme = ListAudit(AuditQuery {
        tenant: Some(tenant_id("acme")),
        ..AuditQuery::default()
    });
    let all = format!("{:?}", fixture.run(&of_acme).unwrap());
    assert!(
        all.contains("\\\"other\\\"") && all.contains(r#"held_by\":\"spy@other"#),
        "{all}"
    );
    let jane = fixture.session_of(JANE);
    let rows = fixture.run_by(jane, &of_acme).unwrap();
    let told = format!("{rows:?}");
    assert!(
        !told.contains("\\\"other\\\"") && !told.contains(r#"held_by\":\"spy"#),
        "{told}"
    );
    assert!(told.contains(r#"held_by\":\"dev1@acme"#), "{told}");
    let grant = rows
        .iter()
        .find(|row| row.entry.act == "user.grant" && row.entry.subject.starts_with("ann"));
    assert!(
        grant
            .unwrap()
            .entry
            .after
            .as_ref()
            .unwrap()
            .contains("acme")
    );
    // A row is found by whoever sees it in a list, and by nobody else.
    let every = fixture.run(&ListAudit::default()).unwrap();
    for row in every.iter().filter_map(|row| row.id) {
        let is_listed = rows.iter().any(|it| it.id == Some(row));
        let found = fixture.run_by(jane, &FindAuditRow(row));
        assert_eq!(found.is_ok(), is_listed, "{row}: {found:?}");
    }
}

#[test]
fn whoever_asks_for_a_kick_ends_and_takes_back_none_of_others() {
    let mut fixture = Fixture::with_admin();
    fixture.tenant("other", &[]).unwrap();
    fixture.user("joe@mail.test");
    fixture
        .grant("joe@mail.test", "other", GrantedRight::OrgAdmin)
        .unwrap();
    let observations = ["acme", "other"]
        .into_iter()
        .zip(1..)
        .map(|(tenant, number)| {
            PresenceEvent::Connected(Presence {
                session: SessionNumber(number),
                client_id: "c".into(),
                tie: ClientId::parse("c").unwrap().tie(),
                username: None,
                credential: None,
                tenant: Some(tenant_id(tenant)),
                address: None,
                protocol: 4,
                connected_at: fixture.now,
                authenticated: false,
                listener: None,
                stored: false,
            })
        });
    let batch = Batch {
        observations: observations.collect(),
        ..Batch::default()
    };
    fixture.store.write_batch("b", &batch).unwrap();
    let _alive = fixture.store.lock_broker("b").unwrap();
    let (jane, joe) = (
        fixture.session_of(JANE),
        fixture.session_of("joe@mail.test"),
    );
    let kick = |target: &str| RequestKick {
        target: target.into(),
    };
    for target in ["b:2", "b:9", "none"] {
        let refused = fixture.run_by(jane, &kick(target)).unwrap_err();
        assert!(refused.is(ErrorKind::NotFound, Noun::ClientId), "{refused}");
    }
    // Who may see a session and not end it is told so.
    fixture.user("vic@mail.test");
    fixture
        .grant("vic@mail.test", "acme", GrantedRight::Viewer)
        .unwrap();
    let vic = fixture.session_of("vic@mail.test");
    for (target, kind) in [("b:1", ErrorKind::Forbidden), ("b:2", ErrorKind::NotFound)] {
        let refused = fixture.run_by(vic, &kick(target)).unwrap_err();
        assert_eq!(refused.kind(), kind, "{refused}");
    }
    // By a client id she means the session of her tenant, not all that have it.
    let request = fixture.run_by(jane, &kick("c")).unwrap();
    let target = fixture.store.kick_request(request).unwrap();
    let own = KickTarget::Session {
        broker: "b".into(),
        session: SessionNumber(1),
    };
    assert_eq!(target, Some(own));
    let withdraw = WithdrawKick {
        target: "c".into(),
        request,
    };
    let mut by_joe = Context {
        now: fixture.now,
        caller: Caller {
            actor: "http:joe@mail.test",
            authority: joe,
        },
        random: &mut Zeros,
    };
    let refused = run(&mut fixture.store, &mut by_joe, &withdraw).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    assert!(run(&mut fixture.store, &mut by_joe, &IsKicked(request)).is_err());
    assert!(!fixture.run_by(jane, &IsKicked(request)).unwrap());
    assert!(fixture.run_by(jane, &withdraw).unwrap());
}

#[test]
fn tenants_are_listed_as_far_as_they_are_seen() {
    let mut fixture = Fixture::with_admin();
    fixture.tenant("other", &[]).unwrap();
    fixture.tenant("third", &[]).unwrap();
    fixture.grant(JANE, "third", GrantedRight::Viewer).unwrap();
    let jane = fixture.session_of(JANE);
    let mut page = Page {
        limit: 1,
        ..Page::default()
    };
    let mut seen = Vec::new();
    loop {
        let listed = fixture.run_by(jane, &ListTenants(page.clone())).unwrap();
        seen.extend(listed.rows.into_iter().map(|tenant| tenant.id.to_string()));
        let Some(next) = listed.next else {
            break;
        };
        page.after = Some(next);
    }
    assert_eq!(seen, ["acme", "third"]);
}
